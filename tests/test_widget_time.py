"""Widgets look back, undo, branch off and say how it was done; what they show of then is what was then."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.pictures.labels import number, typeset
from np_widgets.widgets.code import CopyAsCode
from np_widgets.widgets.time_slider import Replay
from tests.widget_looks import control, differ, figures, nothing_left_behind, parts, shown, text, until


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
    with nothing_left_behind():
        yield


@pytest.fixture
def problem() -> npw.Problem:
    x = np.random.default_rng(0).normal(size=(20, 3))
    return npw.Problem(x, np.maximum(x[:, 0], 0) + 0.5 * np.maximum(-x[:, 1], 0), name="two ReLUs")


@pytest.fixture
def widget(problem) -> Iterator[npw.PursuitWidget]:
    """Whose pursuit has ended."""
    made = npw.PursuitWidget(problem, hidden_layers=1, starts=3, max_steps=40, max_additions=2)
    made.session.resume()
    made.session.wait()
    yield made
    made.close()


@pytest.fixture
def saddle(problem) -> Iterator[npw.SaddleWidget]:
    made = npw.SaddleWidget(problem, hidden_layers=1, dormant=2, starts=3, scale=2e-2)
    made.session.apply("aim", "escape")
    made.session.resume()
    made.session.wait()
    yield made
    made.close()


def part(widget: Any, kind: type) -> Any:
    widget.catch_up()
    return next(each for each in parts(widget) if isinstance(each, kind))


def cells(widget: Any) -> Any:
    """The weights of layer 1 as they are drawn."""
    return next(mark for figure in figures(widget) for mark in figure.marks if type(mark).__name__ == "HeatMap")


def test_every_panel_shows_the_chosen_moment_while_the_session_goes_on(widget):
    session = widget.session
    moments = [each for each in session.history.moments if session.history.frame(each).loss is not None]
    now = shown(widget)
    for moment in moments[:: max(len(moments) // 4, 1)]:
        widget.go_to(moment)
        frame, then = session.history.frame(moment), shown(widget)
        assert f"loss <b>{number(frame.loss)}</b>" in text(widget)
        assert f"Looking back: {escape(typeset(frame.message))}" in text(widget)
        assert f"step <b>{frame.total_steps:,}</b> of <b>{session.frame.total_steps:,}</b>" in text(widget)
        assert widget.loss == session.frame.loss  # traits tell of the present
        scale = np.abs(frame.weights[0]).max()
        assert cells(widget).color[-1] == pytest.approx(frame.weights[0][-1] / scale, abs=5e-3)
    first = moments[0]
    widget.go_to(first)
    then = shown(widget)
    session.add_neuron()
    session.wait()
    assert widget.iteration == session.frame.iteration > 2
    assert not differ(then, shown(widget))
    control(widget, "Live").click()
    assert control(widget, "Live").disabled
    assert "Looking back" not in text(widget)
    assert differ(now, shown(widget))
    assert f"loss <b>{number(session.frame.loss)}</b>" in text(widget)


def test_a_moment_that_is_chosen_stays_when_the_history_is_thinned_out(widget):
    widget.go_to(widget.session.history.moments[-3])
    then = shown(widget)
    widget.session.history.budget = 0
    widget.session.step()
    widget.session.reset(seed=4)
    widget.session.step(3)
    assert not differ(then, shown(widget))
    widget.go_to(None)
    assert differ(then, shown(widget))


def test_replay_goes_through_the_moments_to_the_present(widget):
    replay = part(widget, Replay)
    control(widget, "in").value = 5.0
    replay.playing = True
    assert control(widget, "Time").value == 0.0
    seen = []
    while replay.playing:
        replay.tick += 1  # as the browser does ten times a second
        widget.catch_up()
        seen.append(text(widget).partition("step <b>")[2].partition("</b>")[0])
        assert len(seen) <= 50
    assert len(seen) == 50
    steps = [int(each.replace(",", "")) for each in seen if each]
    assert steps == sorted(steps)
    assert len(set(steps)) > 3
    assert control(widget, "Time").value == 100.0
    assert "Looking back" not in text(widget)


def test_undo_and_what_cannot_be_undone(widget):
    session = widget.session
    widget.go_to(session.history.moments[0])
    trained = len(session.frame.growth)
    while len(session.frame.growth) == trained:
        before = session.history.moments
        control(widget, "Undo").click()
        session.wait()
        assert len(session.history.moments) < len(before)
        assert "Looking back" not in text(widget)
    for _ in range(2 * trained):
        if control(widget, "Undo").disabled:
            break
        control(widget, "Undo").click()
        session.wait()
    assert control(widget, "Undo").disabled
    assert session.frame.iteration == 0
    with pytest.raises(RuntimeError, match="nothing to undo"):
        session.undo()


def test_branch_here_goes_on_from_the_moment_looked_at_or_the_last_before(widget):
    session, history = widget.session, widget.session.history
    widget.go_to(next(each for each in history.moments if each.label.startswith("network 1 trained")))
    old = session.frame
    control(widget, "Branch here").click()
    (branch,) = widget.branches
    assert branch.status == "paused"
    assert len(branch.session.frame.growth) == 1
    assert "Branch from: network 1 trained" in text(widget)
    branch.session.add_neuron(1)
    branch.session.wait()
    assert branch.iteration > 1
    assert session.frame is old
    plain = next(each for each in history.moments if not each.can_go_on and each.advance > 1)
    other = widget.branch(plain)
    able = [each for each in history.moments if each.can_go_on and each.advance <= plain.advance][-1]
    assert other.session.history.moments[-1].advance == able.advance
    assert widget.branches == (branch, other)
    control(widget, "Close this branch").click()
    assert widget.branches == (other,)
    assert branch.session.status == "closed"
    widget.go_to(None)
    now = widget.branch()
    assert now.session.frame.loss == session.frame.loss
    assert "Branch from: the present" in text(widget)
    assert now.session.replay().loss == session.engine.loss


def test_the_code_is_there_before_it_is_asked_for(widget):
    code = part(widget, CopyAsCode)
    assert code.code == widget.session.to_code()
    assert "engine.advance()" in code.code
    control(widget, "Minimizer").value = "adam"
    until(lambda: "engine.set_minimizer('adam')" in part(widget, CopyAsCode).code)


def test_a_saddle_looks_back_along_its_record_and_to_what_was_before_a_reset(saddle):
    session = saddle.session
    control(saddle, "Time").value = 50.0
    saddle.catch_up()
    record = session.frame.record
    time = record.time[np.abs(record.time - record.time[round((len(record.time) - 1) / 2)]).argmin()]
    here = int(np.abs(record.time - time).argmin())
    for name, values in (
        ("time", record.time),
        ("loss", record.loss),
        ("norm of dormant weights", record.dormant_norm),
    ):
        assert f"{name} <b>{number(float(values[here]))}</b>" in text(saddle)
    before = session.history.moments[-1]
    session.reset(seed=5)
    session.step(4)
    saddle.go_to(before)
    saddle.catch_up()
    frame = session.history.frame(before)
    assert f"time <b>{number(frame.time)}</b>" in text(saddle)
    assert f"Looking back: {escape(frame.message)}" in text(saddle)
    control(saddle, "Undo").click()
    session.wait()
    assert session.frame.seed == frame.seed
    assert saddle.time == frame.time


def test_the_saddle_that_is_inspected_is_that_of_the_moment_looked_at(widget):
    session = widget.session
    at = next(each for each in session.history.moments if each.label.startswith("network 1 trained"))
    widget.go_to(at)
    inner = widget.inspect_saddle(dormant=1, starts=3, polish=True)
    assert inner.session.frame.started_active == session.history.frame(at).widths
    widget.end_inspection()


@pytest.mark.parametrize("call", [lambda widget: widget.go_to(3), lambda widget: widget.branch("now")])
def test_what_is_no_moment_is_refused_by_name(widget, call):
    with pytest.raises(TypeError, match=r"moment must be one of history\.moments"):
        call(widget)
    assert widget.branches == ()


def test_a_closed_widget_has_no_branches(problem):
    widget = npw.PursuitWidget(problem, hidden_layers=1, starts=3)
    branch = widget.branch()
    widget.close()
    assert branch.session.status == "closed"
    with pytest.raises(RuntimeError, match="closed"):
        widget.branch()
