"""A candidate, or a neuron of the user's own, is seen on trial before it is added; what is said of it is true."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.pictures.architecture import architecture
from np_widgets.pictures.choice import choice
from np_widgets.pictures.labels import number
from np_widgets.pictures.own import MOST_BARS, own
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Dots, Scene
from np_widgets.pictures.trial import Draft, as_if, trial
from np_widgets.pictures.weights import weights
from np_widgets.widgets.mover import Mover
from np_widgets.widgets.tree import close_tree
from tests.widget_looks import control, nothing_left_behind, seen

X = np.random.default_rng(0).standard_normal((40, 3))
PROBLEM = npw.Problem(X, np.abs(X).sum(axis=1) - 2 * np.abs(X[:, 0] + X[:, 1]))
POINTS = probe(PROBLEM)


@pytest.fixture(scope="module")
def pursuit() -> npw.NeuronPursuit:
    made = npw.NeuronPursuit(PROBLEM, starts=8, max_steps=40, max_additions=1, seed=3)
    made.run()
    return made


@pytest.fixture
def widget(pursuit, monkeypatch) -> Iterator[npw.PursuitWidget]:
    monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
    with nothing_left_behind():
        with npw.Session(pursuit) as session:
            made = npw.PursuitWidget(session.branch())
        yield made
        made.session.close()
        made.close()


def loss_of(network: Any) -> float:
    return float(PROBLEM.loss.value(network(PROBLEM.inputs), PROBLEM.targets))


def untaken(frame: Any) -> list[int]:
    return [index for index in range(len(frame.candidates)) if index != frame.taken]


def test_a_candidate_is_drawn_as_if_it_were_added_where_its_ray_is_lowest(pursuit):
    frame = pursuit.frame()
    for index in untaken(frame):
        candidate = frame.candidates[index]
        grown, found = as_if(frame, POINTS, ("candidate", index)), trial(frame, POINTS, candidate)
        assert found.loss == pytest.approx(frame.growth[0].loss, rel=1e-9)
        for layer, place in grown.added:
            assert layer in candidate.layers
            assert place == frame.growth[0].widths[layer - 1]
        before = npw.HomogeneousNetwork(candidate.network)
        for old, new in zip(before.weights, grown.weights, strict=True):
            np.testing.assert_array_equal(new[: old.shape[0], : old.shape[1]], old)
        layer, place = grown.added[0]
        rows = grown.weights[layer - 1][place], candidate.factors[0][0]
        assert rows[0] @ rows[1] == pytest.approx(np.linalg.norm(rows[0]) * np.linalg.norm(rows[1]))
        said = choice(frame, POINTS, ("candidate", index)).notes
        if found.lowest is None:
            assert f"nowhere below {number(found.loss)}" in " ".join(said)
            continue
        assert loss_of(grown.network) == pytest.approx(found.lowest[1], rel=1e-9)
        assert found.says.removeprefix("a") in " ".join(said)
        assert found.says.startswith(f"along its ray the loss falls from {number(found.loss)}")
        for further in (0.9, 1.1):  # along the ray nothing near is lower
            point = found.point
            beside = found.network.with_path(
                point.layer, further * found.lowest[0] * point.incoming, (), further * found.lowest[0] * point.outgoing
            )
            assert loss_of(beside) >= found.lowest[1] * (1 - 1e-12)


def test_what_came_of_a_candidate_is_what_the_record_says(pursuit):
    frame = pursuit.frame()
    assert f"training brought it to {number(frame.growth[-1].loss)}" in str(choice(frame, POINTS))
    for index in untaken(frame):
        said, loss = str(choice(frame, POINTS, ("candidate", index))), frame.candidates[index].loss
        assert ("look-ahead left it at" in said) == (loss is not None)
        if loss is not None:
            assert f"left it at {number(loss)}" in said
    begun = npw.NeuronPursuit(PROBLEM, starts=8, max_steps=40, max_additions=1, seed=3)
    while begun.frame().phase != "minimizing":
        begun.advance()
    assert "look-ahead has it at" in str(choice(begun.frame(), POINTS))
    under_way = npw.NeuronPursuit(PROBLEM, starts=8, max_steps=400, max_additions=1, seed=3, method="paper")
    while under_way.frame().iteration < 2 or under_way.frame().step == 0:
        under_way.advance()
    assert f"training has it at {number(under_way.frame().loss)} by now" in str(choice(under_way.frame(), POINTS))


def test_a_fall_that_three_digits_do_not_show_is_said_as_one(pursuit):
    frame = pursuit.frame()
    found = trial(frame, POINTS, frame.candidates[frame.taken])
    for lowest, said in ((0.17, "from 0.181 to 0.17"), (0.18098, "from 0.181 by 2×10⁻⁵")):
        assert dataclasses.replace(found, loss=0.181, lowest=(1.0, lowest)).says.endswith(said)


def test_a_candidate_at_the_origin_is_a_first_network():
    pursuit = npw.NeuronPursuit(PROBLEM, starts=8, max_steps=40, max_additions=0, seed=3)
    pursuit.run()
    frame = pursuit.frame()
    grown = as_if(frame, POINTS, ("candidate", untaken(frame)[0]))
    assert grown.widths == (1, 1)
    assert grown.growth == ()
    assert "added" in str(architecture(grown, POINTS).legend) or architecture(grown, POINTS).marks


def test_what_is_added_is_as_it_is(pursuit):
    frame = pursuit.frame()
    for key in (None, ("candidate", frame.taken), ("neuron", 1, 0), ("own", 1)):
        assert as_if(frame, POINTS, key) is frame


@pytest.mark.parametrize("method", ["fast", "paper"])
@pytest.mark.parametrize(("layer", "outgoing"), [(1, (0.3,)), (2, None), (2, (-1.0,))])
def test_the_bars_and_the_value_of_ones_own_neuron(method, layer, outgoing):
    pursuit = npw.NeuronPursuit(PROBLEM, starts=4, max_steps=20, max_additions=1, seed=3, method=method)
    pursuit.run()
    frame = pursuit.frame()
    below = frame.weights[layer - 1].shape[1]
    incoming = tuple(np.linspace(-0.5, 2.0, below))
    scene = own(frame, POINTS, Draft(layer, incoming, outgoing))
    handles = scene["handle"]
    assert handles.y[:below] == pytest.approx(np.array(incoming) / 2.0)
    assert [key for (key,) in handles.keys][below:] == [("outgoing", layer, 0)]
    b, a = np.array(incoming), handles.y[below:]
    b, a = b / np.linalg.norm(b) / np.sqrt(2), a / np.linalg.norm(a) / np.sqrt(2)
    value = npw.correlation(frame.network, PROBLEM, layer, b, a, unseen=method == "fast")
    assert f"N = {number(value)}" in str(scene)
    if outgoing is None:
        assert value >= npw.correlation(frame.network, PROBLEM, layer, b, -a, unseen=method == "fast") - 1e-12
        assert "follow from the incoming ones" in str(scene)
    grown = as_if(frame, POINTS, ("own", layer), Draft(layer, incoming, outgoing))
    assert grown.added == ((layer, frame.widths[layer - 1]),)
    assert "new" in weights(grown, layer)


def test_a_neuron_without_weights_or_with_too_many_says_so(pursuit):
    frame = pursuit.frame()
    scene = own(frame, POINTS, Draft(1, (0.0, 0.0, 0.0)))
    assert "Incoming must have a direction" in str(scene)
    assert "handle" in scene
    assert as_if(frame, POINTS, ("own", 1), Draft(1, (0.0, 0.0, 0.0))) is frame
    many = npw.Problem(np.eye(MOST_BARS + 10), np.ones(MOST_BARS + 10))
    large = npw.NeuronPursuit(many, starts=2, max_steps=5, max_additions=0)
    large.run()
    assert "too many to drag" in str(own(large.frame(), probe(many), Draft(1, (1.0,) * (MOST_BARS + 10))))


def handle(widget: Any) -> tuple[Any, tuple[str, str]]:
    panel = widget._panels["choice"]
    place = next(key for key, mark in panel._clickable.items() if mark.role == "handle")
    return panel, place


def drag(widget: Any, index: int, y: float) -> Any:
    """As the browser tells of it, after it has moved its own dot there."""
    panel, place = handle(widget)
    mark = panel._marks[place]
    moved = mark.y.copy()
    moved[index] = y
    mark.set_trait("y", moved)
    mark._handle_custom_msgs(None, {"event": "drag_end", "point": {"x": float(index), "y": y}, "index": index}, [])
    widget.catch_up()
    return mark


def bars(widget: Any) -> Any:
    widget.catch_up()
    return widget._panels["choice"].scene["handle"]


def bar_at(height: float) -> Scene:
    handle = Dots("handle", [0.0], [height], reads=(f"weight: {height}",), keys=((("incoming", 1, 0),),), moves="up")
    return Scene("one bar", (handle,))


class TestWidget:
    def test_a_selected_candidate_is_added_by_add_this_one(self, widget):
        frame = widget.session.frame
        widget.selected = ("candidate", frame.taken)
        widget.catch_up()
        assert control(widget, "Add this one").disabled
        index = untaken(frame)[0]
        widget.selected = ("candidate", index)
        widget.catch_up()
        assert f"with candidate {index + 1}" in widget._panels["architecture"].scene.title
        assert f"with candidate {index + 1}" in widget._panels["weights"].scene.title
        control(widget, "Add this one").click()
        widget.session.wait()
        assert widget.session.frame.growth[-1].taken == index
        assert len(widget.session.frame.growth) == len(frame.growth)
        widget.session.undo()
        assert widget.session.frame.taken == frame.taken

    def test_of_the_past_nothing_is_added(self, widget):
        widget.session.add_neuron(1)
        widget.session.wait()
        first = widget.session.history.moments[0]
        widget.go_to(first)
        widget.selected = ("candidate", untaken(widget.session.history.frame(first))[0])
        widget.catch_up()
        assert widget.selected is not None
        assert control(widget, "Add this one").disabled

    def test_bars_are_dragged_and_the_neuron_is_added(self, widget):
        widget.selected = ("own", 1)
        widget.catch_up()
        assert widget._panels["choice"].scene.title == "Your own neuron of layer 1"
        mark = drag(widget, 1, -0.8)
        assert mark.y[:3] == pytest.approx([1.0, -0.8, 0.0])
        mark = drag(widget, 3, 0.25)
        assert mark.y == pytest.approx([1.0, -0.8, 0.0, 0.25])
        before = widget.session.frame
        control(widget, "Add this one").click()
        widget.session.wait()
        record = widget.session.frame.growth[-1]
        assert record.candidates[record.taken].own
        assert record.candidates[record.taken].factors[0][0] == pytest.approx(
            np.array([1.0, -0.8, 0.0]) / np.hypot(1.0, 0.8) / np.sqrt(2)
        )
        assert len(widget.session.frame.growth) == len(before.growth) + 1
        assert "incoming=(1.0, -0.8, 0.0), outgoing=(0.25,)" in widget.session.to_code()

    def test_bars_are_moved_from_the_keyboard_as_by_dragging(self, widget):
        assert "Move" not in seen(widget)
        widget.selected = ("own", 1)
        which = control(widget, "Move")
        assert {"Move", "to"} <= seen(widget)
        assert [name for name, _ in which.options] == [
            *(f"incoming weight of x{i}" for i in "₁₂₃"),
            "outgoing weight of neuron 1",
        ]
        assert control(widget, "to").value == 1.0
        which.value = 1
        assert control(widget, "to").value == 0.0
        kept = control(widget, "to")
        kept.value = -0.8
        assert control(widget, "to") is kept  # and has the focus that it had
        assert bars(widget).y[:3] == pytest.approx([1.0, -0.8, 0.0])
        drag(widget, 1, 0.3)
        assert control(widget, "to").value == 0.3
        control(widget, "Move").value = 3
        control(widget, "to").value = 0.25
        widget.catch_up()
        assert bars(widget).y == pytest.approx([1.0, 0.3, 0.0, 0.25])
        assert control(widget, "to").value == 0.25
        widget.selected = None
        widget.catch_up()
        assert "Move" not in seen(widget)

    def test_what_was_asked_for_stands_until_the_picture_answers(self):
        asked: list[float] = []
        mover = Mover(lambda: None, lambda key, mark, x, y: asked.append(y))
        scenes = [bar_at(0.0), bar_at(0.5), bar_at(-0.25)]
        mover.show(scenes[0])
        kept = mover.box.children[1].children[0]
        kept.value = 0.5
        assert asked == [0.5]
        for scene in (scenes[0], scenes[1]):  # a picture that was under way, and the answer
            mover.show(scene)
            assert mover.box.children[1].children[0] is kept
            assert kept.value == 0.5
        mover.show(scenes[2])  # somebody has dragged it
        assert mover.box.children[1].children[0].value == -0.25
        mover.show(Scene("nothing to move"))
        assert mover.box.children[1].children == ()
        close_tree(mover.box)

    def test_a_bar_ends_where_it_can_be_drawn(self, widget):
        widget.selected = ("own", 1)
        widget.catch_up()
        assert drag(widget, 0, 7.0).y[0] == 1.0
        panel, place = handle(widget)
        for content in ({}, {"index": 99, "point": {"x": 0, "y": 0}}, {"index": None, "point": None}):
            panel._dragged(place, content)
        assert drag(widget, 2, 1.0).y[:3] == pytest.approx([1.0, 0.0, 1.0])

    def test_a_draft_is_begun_anew_where_the_network_has_changed(self, widget):
        widget.selected = ("own", 2)
        widget.catch_up()
        drag(widget, 0, 0.5)
        widget.session.add_neuron(1)
        widget.session.wait()
        widget.catch_up()
        _, place = handle(widget)
        assert widget._panels["choice"]._clickable[place].y[:3] == pytest.approx([1.0, 0.0, 0.0])

    def test_what_cannot_be_selected_is_named(self, widget):
        with pytest.raises(ValueError, match=r'\("own", layer\) or None'):
            widget.selected = ("own", 9)

    def test_it_can_be_left_out(self):
        with npw.Session(npw.NeuronPursuit(PROBLEM)) as session:
            widget = npw.PursuitWidget(session, hide=["add_this"])
            assert all(
                each.description != "Add this one"
                for row in widget._controls.rows
                for each in row.children
                if hasattr(each, "description")
            )
            widget.close()
