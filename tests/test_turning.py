"""Dormant neurons are turned at the start of a flow, in Python and by dragging them in the circle of directions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.pictures.plane import direction_at, plane
from tests.bits import bits
from tests.widget_looks import control, nothing_left_behind, seen

X = np.random.default_rng(0).standard_normal((30, 3))
PROBLEM = npw.Problem(X, np.maximum(X[:, 0], 0.0) ** 2 - 0.5 * np.maximum(X[:, 1], 0.0) ** 2)


def flow() -> npw.SaddleFlow:
    return npw.SaddleFlow(None, PROBLEM, (3,), 1e-2, power=2, starts=8, hidden_layers=1)


def predicted(engine: npw.SaddleFlow) -> npw.SaddleFlow:
    while engine.prediction is None:
        engine.advance()
    return engine


def direction(frame: Any, neuron: int) -> Any:
    both = np.concatenate([frame.weights[0][neuron], frame.weights[1][:, neuron]])
    return both / np.linalg.norm(both), np.linalg.norm(both)


def test_a_turned_neuron_has_its_new_direction_and_its_old_norm():
    engine = flow()
    before = engine.frame()
    engine.advance()
    engine.turn(1, 2, [3.0, 0.0, 0.0], [-4.0])
    frame = engine.frame()
    new, norm = direction(frame, 2)
    np.testing.assert_allclose(new, [0.6, 0, 0, -0.8], atol=1e-12)
    assert norm == pytest.approx(direction(before, 2)[1], rel=1e-12)
    assert frame.time == 0
    for other in (0, 1):
        np.testing.assert_array_equal(frame.weights[0][other], before.weights[0][other])
    engine.turn(1, 0, [0, 1, 0], [1])
    engine.turn(1, 2, [0, 0, 1], [0])
    assert [each[:2] for each in engine.settings.turned] == [(1, 0), (1, 2)]
    engine.reset(dynamics="descent")
    np.testing.assert_allclose(direction(engine.frame(), 2)[0], [0, 0, 1, 0], atol=1e-12)
    engine.reset(seed=1)
    assert engine.settings.turned == ()


def test_next_to_a_network_only_dormant_neurons_turn_and_only_what_the_ncf_sees():
    network = npw.HomogeneousNetwork([[[1.0, 0.0, 0.0]], [[1.0]], [[0.5]]], power=1, leak=1.0)
    problem = npw.Problem(np.eye(3), np.array([1.0, 0.2, 0.0]))
    engine = npw.SaddleFlow(network, problem, (2, 1), scale=1e-3, starts=2, polish=True)
    before = engine.frame().weights
    engine.turn(1, 2, [0, 0, 1], [1])
    after = engine.frame().weights
    norm = np.linalg.norm([*before[0][2], before[1][0, 2]])
    np.testing.assert_allclose(after[0][2], np.array([0, 0, norm / math.sqrt(2)]), atol=1e-15)
    assert after[1][0, 2] == pytest.approx(norm / math.sqrt(2))
    assert after[1][1, 2] == before[1][1, 2]  # between dormant neurons
    with pytest.raises(ValueError, match="active"):
        engine.turn(1, 0, [1, 0, 0], [1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((2, 0, [1, 0, 0], [1]), "layer must be"),
        ((1, 3, [1, 0, 0], [1]), "neuron must be"),
        ((1, 0, [1, 0], [1]), r"incoming must have shape \(3,\)"),
        ((1, 0, [1, 0, 0], [1, 2]), r"outgoing must have shape \(1,\)"),
        ((1, 0, [0, 0, 0], [0]), "direction together"),
        ((1, 0, [1, 0, math.nan], [0]), "incoming"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(given, message):
    engine = flow()
    engine.advance()
    before = bits(engine.state())
    with pytest.raises(ValueError, match=message):
        engine.turn(*given)
    assert bits(engine.state()) == before


def test_a_neuron_that_is_dragged_lies_where_it_was_left():
    engine = predicted(flow())
    frame = engine.frame()
    assert plane(frame, 0)["leader"].moves == "freely"
    places = [(0.6, 0.8), (-1.0, 0.0), (0.1, -0.2)]
    for (x, y), neuron in zip(places, (0, 1, 2), strict=True):
        engine.turn(1, neuron, *direction_at(frame, 1, x, y))
    start = direction_at(frame, 1, 0.6, 0.8)
    np.testing.assert_allclose(direction(engine.frame(), 0)[0], np.concatenate(start), atol=1e-12)
    # The axes are those of the KKT points, if there are two of them; they do not depend on the starts then.
    again = plane(predicted(engine).frame(), 0)
    at = {key: (x, y) for role in ("leader", "head") for key, x, y in _dots(again[role])}
    if "towards the next KKT point" in " ".join(again.notes):
        for (x, y), neuron in zip(places, (0, 1, 2), strict=True):
            assert at["dormant", 1, neuron] == pytest.approx((x / math.hypot(x, y), y / math.hypot(x, y)), abs=1e-6)


def _dots(mark: Any) -> list[Any]:
    return [(key, float(x), float(y)) for (key,), x, y in zip(mark.keys, mark.x, mark.y, strict=True)]


def test_sessions_undo_replay_save_and_write_it(tmp_path):
    with npw.Session(flow()) as session:
        session.step(2)
        before = bits(session.engine.state())
        session.apply("turn", 1, 0, [1.0, 0.0, 0.0], [1.0])
        session.step(2)
        assert bits(session.replay().state()) == bits(session.engine.state())
        first, *_, last = session.history.all_kept()
        assert [session.history.is_of_this_run(each) for each in (first, last)] == [False, True]
        session.save(tmp_path / "file")
        with npw.load(tmp_path / "file") as loaded:
            assert bits(loaded.engine.state()) == bits(session.engine.state())
            loaded.step(1)
        session.undo()
        assert bits(session.engine.state()) == before


def test_code_that_begins_with_a_turned_neuron_turns_it():
    engine = flow()
    engine.turn(1, 0, [1.0, 0.0, 0.0], [1.0])
    with npw.Session(engine) as session:
        session.step(2)
        code, state = session.to_code(), bits(session.engine.state())
    made: dict[str, Any] = {"inputs": PROBLEM.inputs, "targets": PROBLEM.targets}
    exec(code, made)
    with made["session"] as again:
        assert bits(again.engine.state()) == state


@pytest.fixture
def widget(monkeypatch) -> Iterator[npw.SaddleWidget]:
    monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
    with nothing_left_behind():
        session = npw.Session(predicted(flow()))
        made = npw.SaddleWidget(session)
        yield made
        made.close()
        session.close()


def heads(widget: Any) -> list[Any]:
    scene = widget._panels["plane"].scene
    return [*_dots(scene["leader"]), *_dots(scene["head"])]


class TestWidget:
    def drag(self, widget: Any, x: float, y: float) -> Any:
        widget.catch_up()
        panel = widget._panels["plane"]
        place = next(key for key, mark in panel._clickable.items() if mark.role == "leader")
        (key,) = panel._clickable[place].keys[0]
        drawn = panel._marks[place]
        content = {"event": "drag_end", "point": {"x": x, "y": y}, "index": 0}
        drawn._handle_custom_msgs(None, content, [])
        widget.session.wait()
        widget.catch_up()
        return key, drawn

    def test_a_drag_at_the_start_turns_the_neuron(self, widget):
        before = widget.session.frame
        (_, layer, neuron), drawn = self.drag(widget, 0.6, -0.8)
        expected = np.concatenate(direction_at(before, layer, 0.6, -0.8))
        np.testing.assert_allclose(direction(widget.session.frame, neuron)[0], expected, atol=1e-12)
        assert drawn.enable_move

    @pytest.mark.parametrize("angle", [-130.0, 35.0])
    def test_from_the_keyboard_it_is_turned_to_an_angle(self, widget, angle):
        before = widget.session.frame
        which = control(widget, "Move")
        names = [name for name, _ in which.options]
        assert sorted(names) == ["neuron 1", "neuron 2", "neuron 3"]
        which.value = 2
        neuron = int(names[2].removeprefix("neuron ")) - 1
        x, y = next((x, y) for key, x, y in heads(widget) if key == ("dormant", 1, neuron))
        assert control(widget, "to angle °").value == pytest.approx(math.degrees(math.atan2(y, x)), abs=0.051)
        control(widget, "to angle °").value = angle
        widget.session.wait()
        x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        expected = np.concatenate(direction_at(before, 1, x, y))
        np.testing.assert_allclose(direction(widget.session.frame, neuron)[0], expected, atol=1e-12)

    def test_later_nothing_can_be_dragged_but_the_start_in_the_past(self, widget):
        widget.session.apply("aim", 2.0)
        widget.session.resume()
        widget.session.wait()
        widget.catch_up()
        time, (_, drawn) = widget.session.frame.time, self.drag(widget, 0.6, -0.8)
        assert not drawn.enable_move
        assert "Move" not in seen(widget)
        assert widget.session.frame.time == time
        widget._controls.past.time._slider.value = 0.0
        widget.catch_up()
        assert drawn.enable_move
        self.drag(widget, -1.0, 0.0)
        assert widget.session.frame.time == 0.0
