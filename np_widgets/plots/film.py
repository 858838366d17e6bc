"""What a session remembers as a film: what the authors of Neuron Pursuit show of theirs, for every moment."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from os import PathLike
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from matplotlib.animation import FFMpegWriter
from PIL import Image
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.architecture import architecture
from np_widgets.pictures.function import function
from np_widgets.pictures.labels import count, number, widths
from np_widgets.pictures.norms import norms
from np_widgets.pictures.plane import plane
from np_widgets.pictures.plateaus import plateaus
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Scene
from np_widgets.pictures.stages import spread
from np_widgets.pictures.weights import weights
from np_widgets.plots import style
from np_widgets.plots.render import draw
from np_widgets.plots.sources import named, problem_of

_SUFFIXES = (".gif", ".html", ".mp4")
_COLORS = 128
_MILLISECONDS, _NOTABLE = 160, 1400  # that a moment is shown
_SIZE, _DPI = (11.0, 4.9), 80
_Place = tuple[float, float, float, float]
# Left, bottom, width and height: they stand still, whatever is drawn on them.
_PLACES = {
    False: ((0.005, 0.18, 0.3, 0.49), (0.355, 0.22, 0.31, 0.45), (0.735, 0.22, 0.255, 0.45)),
    True: ((0.06, 0.17, 0.26, 0.42), (0.41, 0.17, 0.26, 0.42), (0.74, 0.17, 0.25, 0.42)),
}


@dataclass(frozen=True)
class _Shot:
    """A moment: its pictures, what is said above and about them, and whether something notable happened."""

    scenes: tuple[Scene, ...]
    words: str
    notable: bool

    @property
    def milliseconds(self) -> int:
        return _NOTABLE if self.notable else _MILLISECONDS


def animate(session: Any, path: str | PathLike[str], *, most: int = 60, progress: bool = False) -> Path:
    """Write what a session remembers as a film, or as a page to leaf through.

    Of a pursuit each moment shows the architecture, with dashes what was just added, the weights of the first layer,
    and the learned function; of a saddle flow the norms, the loss and the directions. Additions stay for a while.

    Parameters
    ----------
    session
        A :class:`~np_widgets.sessions.session.Session`, or a widget of one.
    path
        Where to: ``.gif``; ``.html``, a page of its own with a slider that asks for nothing from elsewhere; or
        ``.mp4``, for which the program ``ffmpeg`` has to be there.
    most
        At most so many moments, at least 2: the notable ones, and others evenly between them.
    progress
        Show a text progress bar: a moment takes about a quarter of a second.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, or the session has no network yet.
    RuntimeError
        If ``ffmpeg`` is needed and not there.
    OSError
        If the file cannot be written.
    """
    path, most = _checked(path), arguments.whole("most", most, 2, 1000)
    source = getattr(session, "session", session)
    if not hasattr(source, "history"):
        raise TypeError(f"session must be a Session, or a widget of one, got {named(session)}")
    saddle = isinstance(source.frame, SaddleFrame)
    shots = _of_a_flow(source.frame, most) if saddle else _of_a_pursuit(source, most)
    title = f"{'Saddle flow' if saddle else 'Network'} · {source.engine.problem.name}"
    pictures = _drawn(title, tqdm(shots, disable=not progress), _PLACES[saddle])
    if path.suffix.lower() == ".mp4":
        _write_mp4(path, pictures, shots)
        return path
    images = [image.convert("RGB") for image in pictures]
    path.write_bytes(_gif(images, shots) if path.suffix.lower() == ".gif" else _page(title, images, shots))
    return path


def _checked(path: Any) -> Path:
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path must be a path, got {arguments.shown(path)}")
    found = Path(path)
    if found.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"path must end in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}, got {str(path)!r}")
    if not found.parent.is_dir() or found.is_dir():
        raise ValueError(f"path must be a file in a folder that is there, got {str(path)!r}")
    if found.suffix.lower() == ".mp4" and not FFMpegWriter.isAvailable():
        raise RuntimeError("an .mp4 needs the program ffmpeg, which is not there: install it, or write a .gif or .html")
    return found


def _of_a_pursuit(session: Any, most: int) -> list[_Shot]:
    kept = [each for each in session.history.all_kept() if getattr(each.frame, "weights", ())]
    if not kept:
        raise ValueError("session must have a network to show: it has none yet")
    where = probe(problem_of(session, kept[-1].frame, None))
    notable = [index for index, each in enumerate(kept) if each.state is not None or index == len(kept) - 1]
    chosen = [notable[index] for index in spread(0, len(notable), most)]
    others = [index for index in range(len(kept)) if index not in notable]
    chosen += [others[index] for index in spread(0, len(others), most - len(chosen))] if most > len(chosen) else []
    found = [
        _Shot(
            (
                architecture(kept[index].frame, where),
                weights(kept[index].frame, probe=where),
                function(kept[index].frame, where),
            ),
            _told(kept[index].frame, kept[index].label),
            index in notable,
        )
        for index in sorted(chosen)
    ]
    return _with_still_axes(found)


def _told(frame: Any, label: str | None) -> str:
    losses = [] if frame.loss is None else [f"loss {number(frame.loss)}"]
    parts = [f"network {frame.iteration}, widths {widths(frame.widths)}", count(frame.total_steps, "step"), *losses]
    return " · ".join([*parts, *([label] if label else [])])


def _of_a_flow(frame: SaddleFrame, most: int) -> list[_Shot]:
    times = frame.record.time
    if len(times) < 2:
        raise ValueError("session must have gone on for a while: nothing has been computed yet")
    chosen = set(spread(0, len(times), max(most - len(frame.events), 2)).tolist())
    events = {int(np.abs(times - event.time).argmin()): event.message for event in frame.events}
    return [
        _Shot(
            (norms(frame, index), plateaus(frame, index), plane(frame, index)),
            f"t = {number(float(times[index]))} · loss {number(float(frame.record.loss[index]))}"
            + (f" · {events[index]}" if index in events else ""),
            index in events,
        )
        for index in sorted(chosen | set(events))
    ]


def _with_still_axes(shots: Sequence[_Shot]) -> list[_Shot]:
    """The values of functions on one axis for all moments."""
    axes = [shot.scenes[-1].y for shot in shots]
    low, high = min(axis.low for axis in axes), max(axis.high for axis in axes)
    return [
        replace(shot, scenes=(*shot.scenes[:-1], replace(shot.scenes[-1], y=replace(axis, low=low, high=high))))
        for shot, axis in zip(shots, axes, strict=True)
    ]


def _drawn(
    title: str, shots: Sequence[_Shot], places: Sequence[tuple[float, float, float, float]]
) -> Iterator[Image.Image]:
    figure = style.figure(*_SIZE)
    figure.set_layout_engine("none")
    for shot in shots:
        figure.clear()
        style.caption(figure, f"{title}\n{shot.words}")
        for place, scene in zip(places, shot.scenes, strict=True):
            draw(figure.add_axes(place), scene)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=_DPI)
        yield Image.open(image)


def _with_few_colors(image: Image.Image) -> Image.Image:
    # The colors of small circles count as much as the white around them; then each moves to the mean of what it is for.
    return image.quantize(_COLORS, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def _gif(images: Sequence[Image.Image], shots: Sequence[_Shot]) -> bytes:
    # One palette for all: then only what changes from one moment to the next is written.
    width, height = images[0].size
    together = Image.new("RGB", (width, height * len(images)))
    for index, image in enumerate(images):
        together.paste(image, (0, index * height))
    palette = _with_few_colors(together)
    first, *others = (image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images)
    content, times = io.BytesIO(), [shot.milliseconds for shot in shots]
    first.save(content, "GIF", save_all=True, append_images=others, duration=times, loop=0)
    return content.getvalue()


def _page(title: str, images: Sequence[Image.Image], shots: Sequence[_Shot]) -> bytes:
    moments = []
    for image, shot in zip(images, shots, strict=True):
        content = io.BytesIO()
        _with_few_colors(image).save(content, "PNG", optimize=True)
        says = " ".join(str(scene) for scene in shot.scenes)
        png = base64.b64encode(content.getvalue()).decode()
        moments.append({"png": png, "says": says, "words": shot.words, "milliseconds": shot.milliseconds})
    page = Template(Path(__file__).with_name("film.html").read_text(encoding="utf-8"))
    script = json.dumps(moments).replace("<", "\\u003c")  # nothing in it can end the script
    return page.safe_substitute(title=escape(title), moments=script, width=int(_SIZE[0] * _DPI)).encode()


def _write_mp4(path: Path, pictures: Iterator[Image.Image], shots: Sequence[_Shot]) -> None:
    figure = style.figure(*_SIZE)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    writer = FFMpegWriter(fps=round(1000 / _MILLISECONDS))
    with writer.saving(figure, str(path), 2 * _DPI):
        for picture, shot in zip(pictures, shots, strict=True):
            axes.clear()
            axes.set_axis_off()
            axes.imshow(np.asarray(picture), aspect="auto")
            for _ in range(round(shot.milliseconds / _MILLISECONDS)):
                writer.grab_frame()
