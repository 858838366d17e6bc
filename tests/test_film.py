"""Films of sessions: what they show are the moments of the history, in files that need nothing else."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter
from PIL import Image

import np_widgets as npw
from np_widgets.plots import film
from np_widgets.problems import curve


@pytest.fixture(scope="module")
def session():
    problem = curve("hat", samples=20)
    problem.name = "</script><b>bold & $title</b>"
    with npw.Session(npw.NeuronPursuit(problem, starts=3, max_steps=60, max_additions=2, seed=3)) as made:
        made.resume()
        made.wait()
        yield made


def moments_of(page: str) -> list[dict[str, str]]:
    return json.loads(re.search(r"^const moments = (.*);$", page, re.MULTILINE)[1])


def test_a_gif_has_a_picture_for_each_moment_and_dwells_on_what_is_notable(session, tmp_path):
    path = npw.animate(session, tmp_path / "growth.gif", most=2)
    image: Any
    with Image.open(path) as image:
        assert (image.format, image.n_frames) == ("GIF", 2)
        times, pictures = [], set()
        for index in range(image.n_frames):
            image.seek(index)
            times.append(image.info["duration"])
            pictures.add(image.convert("RGB").tobytes())
    assert len(pictures) == 2
    assert min(times) >= film._NOTABLE  # there are more than two notable moments


def test_what_stands_still_is_written_once_and_colors_stay_what_they_are(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1, 40, 3))
    still = np.full((200, 300, 3), 255, dtype=np.uint8)
    still[50:150, 100:260] = noise.repeat(4, axis=1)  # stripes of forty colors on much white
    moments = [still.copy() for _ in range(5)]
    for index, moment in enumerate(moments):
        moment[10:14, 10 * index : 10 * index + 4] = (213, 94, 0)
    images, shots = [Image.fromarray(each) for each in moments], [film._Shot((), "", True)] * 5
    alone, together = len(film._gif(images[:1], shots[:1])), len(film._gif(images, shots))
    assert together < 1.5 * alone
    (tmp_path / "still.gif").write_bytes(film._gif(images, shots))
    with Image.open(tmp_path / "still.gif") as read:
        read.seek(4)
        assert np.abs(np.asarray(read.convert("RGB")).astype(int) - moments[4]).max() == 0


def test_a_page_shows_the_moments_of_the_history_and_asks_for_nothing(session, tmp_path):
    page = npw.animate(session, str(tmp_path / "growth.HTML"), most=3).read_text(encoding="utf-8")
    assert "http:" not in page + "https:"
    assert not re.search(r"(?:src|href)=", page)
    assert "default-src 'none'" in page
    assert page.count("</script>") == 1
    assert page.count("&lt;/script&gt;&lt;b&gt;bold &amp; $title") == 2
    found = moments_of(page)
    kept = session.history.all_kept()
    chosen = [next(each for each in kept if each.label and moment["words"].endswith(each.label)) for moment in found]
    assert [each.number for each in chosen] == sorted({each.number for each in chosen})
    assert chosen[-1].frame.growth == session.frame.growth
    for moment, each in zip(found, chosen, strict=True):
        assert f"network {each.frame.iteration}, widths ({', '.join(map(str, each.frame.widths))})" in moment["words"]
        assert f"hidden widths ({', '.join(map(str, each.frame.widths))})" in moment["says"]
        with Image.open(io.BytesIO(base64.b64decode(moment["png"]))) as image:
            assert image.size == tuple(round(side * film._DPI) for side in film._SIZE)


def test_moments_between_the_notable_ones_are_taken_as_far_as_there_is_room(session):
    shots = film._of_a_pursuit(session, 1000)
    assert len(shots) == len([each for each in session.history.all_kept() if each.frame.weights])
    assert [shot.notable for shot in shots].count(False) > 0
    assert len({(shot.scenes[-1].y.low, shot.scenes[-1].y.high) for shot in shots}) == 1
    fewer = film._of_a_pursuit(session, len(shots) - 1)
    assert sum(not shot.notable for shot in fewer) == sum(not shot.notable for shot in shots) - 1


def blank(title: str, shots: list[Any], places: object) -> Iterator[Image.Image]:
    return (Image.new("RGB", (8, 8)) for _ in shots)


def test_flows_and_fixed_networks_have_films_too(tmp_path, monkeypatch):
    monkeypatch.setattr(film, "_drawn", blank)
    problem = curve("hat", samples=20)
    with npw.Session(npw.SaddleFlow(None, problem, (1,), 2e-2, power=2, starts=2, hidden_layers=1)) as flow:
        with pytest.raises(ValueError, match="nothing has been computed"):
            npw.animate(flow, tmp_path / "flow.html")
        while len(flow.frame.record.time) < 3:
            flow.step(1)
        found = moments_of(npw.animate(flow, tmp_path / "flow.html", most=2).read_text(encoding="utf-8"))
        assert len(found) >= 2
        assert "Norms" in found[-1]["says"]
        assert found[0]["words"].startswith("t = 0")
    with npw.Session(npw.FixedNetwork(problem, 3, max_steps=100)) as fixed:
        fixed.step(1)
        assert len(moments_of(npw.animate(fixed, tmp_path / "fixed.html", most=2).read_text(encoding="utf-8"))) == 2


def test_what_cannot_be_done_is_told_before_anything_is_drawn(session, tmp_path, monkeypatch):
    monkeypatch.setattr(film, "_drawn", None)
    monkeypatch.setattr(FFMpegWriter, "isAvailable", lambda: False)
    for path, message in [
        (tmp_path / "growth.avi", "must end in .gif, .html or .mp4"),
        (tmp_path / "growth", "must end in"),
        (tmp_path / "nowhere" / "growth.gif", "a folder that is there"),
        (3, "path must be a path"),
        (tmp_path / "growth.mp4", "ffmpeg"),
    ]:
        with pytest.raises((TypeError, ValueError, RuntimeError), match=message):
            npw.animate(session, path)
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(ValueError, match="a file"):
        npw.animate(session, tmp_path / "folder.gif")
    with pytest.raises(ValueError, match="most"):
        npw.animate(session, tmp_path / "growth.gif", most=1)
    with pytest.raises(TypeError, match="session must be"):
        npw.animate(session.engine.problem, tmp_path / "growth.gif")
    empty = npw.NeuronPursuit(session.engine.problem)
    with npw.Session(empty) as other, pytest.raises(ValueError, match="it has none yet"):
        npw.animate(other, tmp_path / "growth.gif")
    assert [each.name for each in tmp_path.iterdir()] == ["folder.gif"]


def test_ffmpeg_gets_as_many_pictures_as_the_moments_last(session, tmp_path, monkeypatch):
    monkeypatch.setattr(film, "_drawn", blank)
    grabbed: list[Any] = []

    class Writer(FFMpegWriter):  # type: ignore[misc]
        isAvailable = staticmethod(lambda: True)  # noqa: N815

        @contextmanager
        def saving(self, figure, path, dpi):
            grabbed.append((path, dpi))
            yield

        def grab_frame(self, **_):
            grabbed.append(self.fps)

    monkeypatch.setattr(film, "FFMpegWriter", Writer)
    npw.animate(session, tmp_path / "growth.mp4", most=2)
    assert grabbed[0][0] == str(tmp_path / "growth.mp4")
    assert len(grabbed) - 1 == 2 * round(film._NOTABLE / film._MILLISECONDS)
