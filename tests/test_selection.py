"""What is selected in one picture, or in Python, is set off in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bqplot
import numpy as np
import pytest

import np_widgets as npw
from np_widgets.pictures.architecture import architecture
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.function import function
from np_widgets.pictures.loss import loss
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Curve, Dots, Scene
from np_widgets.pictures.selection import highlighted, selectable, with_share
from np_widgets.pictures.weights import weights
from tests.widget_looks import control, figures, nothing_left_behind, text

PROBLEM = npw.problems.kumar_haupt(samples=60, seed=0)
OPTIONS: dict[str, Any] = {"hidden_layers": 2, "max_additions": 2, "starts": 5, "max_steps": 60}


@pytest.fixture(scope="module")
def pursuit() -> npw.NeuronPursuit:
    made = npw.NeuronPursuit(PROBLEM, **OPTIONS)
    made.run()
    return made


@pytest.fixture
def widget(pursuit) -> Iterator[npw.PursuitWidget]:
    with nothing_left_behind():
        made = npw.PursuitWidget(npw.Session(pursuit))
        yield made
        made.session.close()
        made.close()


def newest(frame: Any) -> Any:
    return ("neuron", *frame.added[0])


class TestPictures:
    def test_the_edges_of_a_neuron_and_no_others(self, pursuit):
        frame = pursuit.frame()
        plain = architecture(frame)
        keys: list[Any] = selectable(frame)
        for key in keys:
            picture = highlighted(plain, key)
            if key[0] != "neuron":
                assert picture is plain
                continue
            _, layer, index = key
            drawn = [mark for mark in picture.marks if mark.role == "selected edges"]
            ends = {
                (float(x), float(y)) for mark in drawn for x, y in zip(mark.x.T.ravel(), mark.y.T.ravel(), strict=True)
            }
            ring = [mark for mark in picture.marks if mark.role == "selected"]
            place = {(float(mark.x[0]), float(mark.y[0])) for mark in ring}
            assert len(place) == 1
            assert next(iter(place))[0] == layer
            assert all((x == layer) == ((x, y) in place) for x, y in ends)
            into, out = frame.weights[layer - 1][index], frame.weights[layer][:, index]
            strong = sum(
                int((np.abs(own) >= 0.02 * np.abs(whole).max()).sum())
                for own, whole in ((into, frame.weights[layer - 1]), (out, frame.weights[layer]))
            )
            drawn_edges = sum(len(mark.x) for mark in drawn)
            assert drawn_edges >= strong
            assert f"selected: neuron {index + 1} of layer {layer}" in str(picture)

    def test_its_row_its_column_its_mark_on_the_loss_and_its_candidate(self, pursuit):
        frame = pursuit.frame()
        key = newest(frame)
        _, layer, index = key
        row = highlighted(weights(frame, layer), key)["selected frame"]
        cells = weights(frame, layer)["cells"]
        assert (row.y.min(), row.y.max()) == (cells.y[index] - 0.5, cells.y[index] + 0.5)
        assert (row.x.min(), row.x.max()) == (cells.x[0] - 0.5, cells.x[-1] + 0.5)
        column, above = (
            highlighted(weights(frame, layer + 1), key)["selected frame"],
            weights(frame, layer + 1)["cells"],
        )
        assert (column.x.min(), column.x.max()) == (above.x[index] - 0.5, above.x[index] + 0.5)
        mark = highlighted(loss(frame), key)["selected"]
        assert mark.x.tolist() == [float(len(frame.growth) - 1)]
        picture = highlighted(candidates(frame), key)
        assert picture["selected"].x[0] == picture["taken"].x[0]

    def test_its_share_is_what_the_network_would_lose(self, pursuit):
        frame, points = pursuit.frame(), probe(PROBLEM)
        keys: list[Any] = selectable(frame)[: sum(frame.widths)]
        for key in keys:
            _, layer, index = key
            plain = function(frame, points)
            picture = with_share(plain, frame, points, key, None)
            left = [np.array(weight) for weight in frame.weights]
            left[layer - 1][index] = 0.0
            rest = npw.HomogeneousNetwork(left, power=frame.power, leak=frame.leak)
            expected = (frame.network(points.points) - rest(points.points))[:, 0]
            np.testing.assert_allclose(picture["share"].y, expected, atol=1e-12)
            assert picture.y.low <= min(expected)
            assert max(expected) <= picture.y.high

    def test_over_two_inputs_it_is_outlined(self):
        x = np.random.default_rng(0).normal(size=(50, 2))
        problem = npw.Problem(x, np.maximum(x[:, 0], 0.0))
        pursuit = npw.NeuronPursuit(problem, hidden_layers=1, max_additions=0, starts=5)
        pursuit.run()
        frame, points = pursuit.frame(), probe(problem)
        share = with_share(function(frame, points), frame, points, ("neuron", 1, 0), None)["share"]
        spacing = points.axes[0][1] - points.axes[0][0]
        assert np.nanmax(np.abs(share.x)) <= 1.5 * spacing  # of max(x₁, 0) along x₁ = 0

    def test_nothing_is_changed_where_nothing_stands_for_it(self):
        scene = Scene("", (Curve("learned", [0, 1], [0, 1], keys=((("neuron", 1, 0),),)),))
        assert highlighted(scene, None) is scene
        assert highlighted(scene, ("candidate", 0)) is scene
        assert highlighted(scene, ("neuron", 1, 0))["selected line"].y.tolist() == [0, 1]


def click(widget: npw.PursuitWidget, picture: str, key: Any) -> None:
    """Click a dot that stands for a key, as a browser tells of it."""
    panel = widget._panels[picture]
    for place, mark in panel._clickable.items():
        members = [member for member, keys in enumerate(mark.keys) if keys[:1] == (key,)]
        if isinstance(mark, Dots) and members and panel._marks[place].visible:
            dot: bqplot.Mark = panel._marks[place]
            dot._handle_custom_msgs(None, {"event": "element_click", "data": {"index": members[0]}})
            return
    raise AssertionError("nothing stands for it")


class TestWidget:
    def test_a_click_in_any_picture_or_the_drop_down_or_python(self, widget):
        frame = widget.session.frame
        key = newest(frame)
        assert widget.selected is None
        for picture, chosen in (
            ("architecture", key),
            ("weights", ("neuron", 1, 0)),
            ("loss", key),
            ("candidates", ("candidate", 0)),
        ):
            click(widget, picture, chosen)
            assert widget.selected == control(widget, "Selected").value == chosen
        click(widget, "candidates", ("candidate", 0))
        assert widget.selected is None
        control(widget, "Selected").value = key
        assert widget.selected == key
        widget.selected = ["neuron", 1, 0]
        assert control(widget, "Selected").value == ("neuron", 1, 0)
        said = text(widget)
        assert said.count("; selected: neuron 1 of layer 1") >= 2
        widget.selected = None
        widget.catch_up()
        assert "; selected" not in text(widget)

    def test_what_is_not_there_is_refused_and_changes_nothing(self, widget):
        widget.selected = ("neuron", 1, 0)
        for wrong, error in (
            (("neuron", 9, 0), ValueError),
            (("neuron", 1, -1), ValueError),
            (("candidate", 10**6), ValueError),
            (("input", 0), ValueError),
            (3, TypeError),
            ((), TypeError),
            ("neuron", TypeError),
        ):
            with pytest.raises(error, match=r"selected must be .*, got"):
                widget.selected = wrong
        assert widget.selected == ("neuron", 1, 0)

    def test_it_is_gone_with_what_it_was(self):
        with nothing_left_behind():
            widget = npw.PursuitWidget(PROBLEM, **OPTIONS)
            while not widget.session.frame.candidates:
                widget.session.step()
            last = len(widget.session.frame.candidates) - 1
            widget.selected = ("candidate", last)
            while widget.session.frame.phase == "origin":
                assert widget.selected in (None, ("candidate", last))  # on its way, or given up
                widget.session.step()
            widget.selected = ("candidate", 0)
            value = widget.session.frame.candidates[0].value
            widget.session.step()
            chosen: Any = widget.selected
            assert widget.session.frame.candidates[chosen[1]].value == value
            widget.session.reset()
            assert widget.selected is None
            assert control(widget, "Selected").disabled
            assert control(widget, "Selected").label == "nothing"
            widget.close()

    def test_the_rings_are_drawn(self, widget):
        before = [len([mark for mark in figure.marks if mark.visible]) for figure in figures(widget)]
        widget.selected = newest(widget.session.frame)
        widget.catch_up()
        after = [len([mark for mark in figure.marks if mark.visible]) for figure in figures(widget)]
        assert sum(b > a for a, b in zip(before, after, strict=True)) >= 4

    def test_what_a_pointer_is_on_changes_no_mark_and_what_it_drags_does(self, widget):
        dots = [mark for figure in figures(widget) for mark in figure.marks if isinstance(mark, bqplot.Scatter)]
        assert dots
        for mark in dots:
            mark.set_state({"hovered_point": 0})
            assert mark.hovered_point is None
        place = dots[0].y + 1.0
        dots[0].set_state(
            {"hovered_point": 0, "y": {"value": place.tobytes(), "dtype": "float64", "shape": place.shape}}
        )
        np.testing.assert_array_equal(dots[0].y, place)
