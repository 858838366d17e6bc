"""Pictures of one's own: in the widgets, in figures, and of an engine of one's own, which needs nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.pictures.scene import Axis, Dots, Scene
from np_widgets.plots.style import Plot
from tests.session_engines import Counter, CounterFrame
from tests.widget_looks import control, figures, names, nothing_left_behind, text, until

PROBLEM = npw.problems.curve("hat", samples=20)
OPTIONS: dict[str, Any] = {"hidden_layers": 1, "starts": 3, "max_steps": 30}


def counted(frame: CounterFrame) -> Scene:
    """One function is a picture."""
    dots = Dots("point", [frame.count], [0.5], "advances", reads=(f"{frame.count} advances",))
    return Scene("Advances", (dots,), Axis("advances", 0, 20), says=f"After {frame.count} advances")


def norm(frame: Any) -> Scene:
    if not frame.weights:
        return Scene("Norm", empty="No network yet")
    norms = [float(np.linalg.norm(weight)) for weight in frame.weights]
    return Scene("Norm", (Dots("point", range(len(norms)), norms, reads=tuple(map(str, norms))),))


class TestSessionWidget:
    def test_an_engine_of_ones_own_is_watched_and_steered(self, monkeypatch):
        monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
        with nothing_left_behind():
            widget = npw.SessionWidget(Counter(limit=12), {"advances": counted})
            assert {"Play", "Step", "Undo", "Reset", "Branch here"} <= names(widget)
            assert "Session · Counter" in text(widget).replace('<span class="npw-of">', "").replace("</span>", "")
            control(widget, "Step").click()
            widget.session.wait()
            count = widget.session.frame.count
            assert count > 0
            widget.catch_up()
            assert f"After {count} advances" in text(widget)
            assert figures(widget)[0].marks[0].x.tolist() == [count]
            branch = widget.branch()
            assert f"After {count} advances" in text(branch)
            control(widget, "Play").click()
            until(lambda: widget.status == "finished")
            assert widget.message == "all 12 advances are made"
            assert "After 12 advances" in text(widget)
            widget.go_to(widget.session.history.moments[0])
            widget.catch_up()
            assert "After 0 advances" in text(widget)
            assert "Looking back: " in text(widget)
            bundle, about = widget._repr_mimebundle_()
            assert bundle is not None
            assert "image/png" in bundle
            assert "Advances. After 0 advances" in about["image/png"]["alt"]
            widget.close()

    def test_an_engine_may_bring_its_pictures(self):
        class Pictured(Counter):
            pictures = {"advances": counted}  # noqa: RUF012

        widget = npw.SessionWidget(npw.Session(Pictured()))
        assert "After 0 advances" in text(widget)
        widget.session.close()
        widget.close()
        hidden = npw.SessionWidget(Pictured(), hide=["advances", "reset"])
        assert figures(hidden) == []
        hidden.close()

    def test_an_engine_that_cannot_start_over_has_no_reset(self, monkeypatch):
        monkeypatch.delattr(Counter, "reset")
        widget = npw.SessionWidget(Counter(), {"advances": counted})
        assert "Reset" not in names(widget)
        assert "Play" in names(widget)
        widget.close()

    def test_what_is_no_engine_and_no_picture_is_refused(self):
        for wrong in (PROBLEM, 3, None):
            with pytest.raises(TypeError, match="source must be an Engine or a Session of one"):
                npw.SessionWidget(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="pictures must be a mapping"):
            npw.SessionWidget(Counter(), [counted])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="pictures\\['a'\\] must be a function of a frame, got 3"):
            npw.SessionWidget(Counter(), {"a": 3})  # type: ignore[dict-item]
        with pytest.raises(ValueError, match="hide must be"):
            npw.SessionWidget(Counter(), {"a": counted}, hide=["b"])


class TestMorePictures:
    def test_a_widget_shows_them_as_its_own(self, monkeypatch):
        with nothing_left_behind():
            # No view answers here, and a busy machine may take any time.
            monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
            widget = npw.PursuitWidget(PROBLEM, pictures={"norm": norm}, hide=["weights"], **OPTIONS)
            assert "No network yet" in text(widget)
            widget.session.resume()
            until(lambda: bool(widget.session.frame.weights))
            widget.session.pause()
            widget.session.wait()
            frame = widget.session.frame
            widget.catch_up()
            wanted = [float(np.linalg.norm(weight)) for weight in frame.weights]
            assert widget._panels["norm"].scene["point"].y.tolist() == wanted
            figure = widget.figure("norm")
            assert figure.axes[0].get_title(loc="left") == "Norm"
            branch = widget.branch()
            assert branch._panels["norm"].scene["point"].y.tolist() == wanted
            widget.close()
            flow = npw.SaddleWidget(PROBLEM, pictures={"norm": norm}, starts=3)
            assert "Norm" in text(flow)
            flow.close()

    def test_names_that_are_taken_are_refused_and_what_fails_is_told(self):
        with pytest.raises(ValueError, match=r"pictures must have names other than architecture, .*, got 'loss'"):
            npw.PursuitWidget(PROBLEM, pictures={"loss": norm})
        with pytest.raises(TypeError, match=r"does not know 'picture'; did you mean 'pictures'\?"):
            npw.PursuitWidget(PROBLEM, picture={"norm": norm})
        widget = npw.PursuitWidget(PROBLEM, pictures={"norm": lambda _: 3}, **OPTIONS)  # type: ignore[dict-item,return-value]
        widget.catch_up()
        assert "must return a Scene, got 3" in text(widget)
        widget.close()


def test_a_scene_of_ones_own_is_a_figure():
    figure = npw.plots.scene(counted(Counter().frame()), size=(3.3, 2.2))
    assert isinstance(figure, Plot)
    assert figure.description == "Advances. After 0 advances."
    with pytest.raises(TypeError, match="scene must be a Scene, got 3"):
        npw.plots.scene(3)  # type: ignore[arg-type]
