"""A saddle flow in a session: bitwise what it does alone, steered by its own actions, and sound after a failure."""

from __future__ import annotations

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.learning.saddles import passage
from tests.saddles import small_flow
from tests.test_saddle_flow import fingerprint


@pytest.fixture(autouse=True)
def short_quanta(monkeypatch):
    monkeypatch.setattr(passage, "_MOST_STEPS_PER_QUANTUM", 5)


def finished(session):
    session.resume()
    session.wait()
    session.raise_if_failed()
    assert session.status == "finished"
    return session.frame


def test_aimed_at_the_escape_it_finishes_there_and_can_be_aimed_further():
    twin = small_flow(scale=1e-2)
    twin.run_to("escape")
    with npw.Session(small_flow(scale=1e-2)) as session:
        session.submit("aim", "escape").result(60)
        assert session.status == "paused"
        frame = finished(session)
        assert fingerprint(frame) == fingerprint(twin.frame())
        assert frame.phase == "finished"
        session.submit("aim", frame.time + 1.5).result(60)
        assert session.status == "paused"
        assert finished(session).time == frame.time + 1.5
        session.apply("aim", "next saddle")
        frame = finished(session)
        assert [event.kind for event in frame.events if event.kind != "aligned"] == ["escaped", "saddle"]
        assert frame.awakenings[0].awake


def test_steps_pauses_and_resumes_change_no_bit():
    twin = small_flow(scale=1e-2)
    twin.aim(12.0)
    with npw.Session(small_flow(scale=1e-2)) as session:
        session.apply("aim", 12.0)
        for count in (1, 2, 9, 3):
            assert session.step(count) == count
            for _ in range(count):
                twin.advance()
            assert fingerprint(session.frame) == fingerprint(twin.frame())
        session.resume()
        session.pause()
        finished(session)
        while twin.finished is None:
            twin.advance()
        assert fingerprint(session.frame) == fingerprint(twin.frame())


def test_without_a_goal_it_goes_on_until_it_is_paused():
    with npw.Session(small_flow(scale=1e-2)) as session:
        session.apply("aim", None)
        session.resume()
        frame = session.frame
        while len(frame.events) < 1 or frame.time < 20:
            frame = session.next_frame(frame, timeout=60)
        session.pause()
        assert session.status == "paused"
        assert session.frame.goal is None
        assert session.frame.time > 20


def test_reset_starts_over_with_what_is_changed():
    with npw.Session(small_flow(scale=1e-2)) as session:
        session.step(25)
        session.reset(seed=2, dormant=1, scale=5e-3)
        assert session.status == "paused"
        frame = session.frame
        assert (frame.phase, frame.time, frame.seed, frame.dormant, frame.scale) == ("ready", 0.0, 2, (1,), 5e-3)
        twin = small_flow(2, dormant=1, scale=5e-3)
        session.step(20)
        for _ in range(20):
            twin.advance()
        assert fingerprint(session.frame) == fingerprint(twin.frame())


@pytest.mark.parametrize(
    ("action", "given", "error", "message"),
    [
        ("aim", ("Rome",), ValueError, "goal must be one of 'escape', 'next saddle'"),
        ("aim", (-1.0,), ValueError, "goal must be a finite number greater than"),
        ("reset", (), TypeError, "colour"),
        ("run", (3.0,), RuntimeError, "a Session drives it"),
        ("run_to", ("escape",), RuntimeError, "a Session drives it"),
    ],
)
def test_what_it_refuses_comes_to_the_caller_and_changes_nothing(action, given, error, message):
    with npw.Session(small_flow(scale=1e-2)) as session:
        session.step(12)
        before = fingerprint(session.frame)
        with pytest.raises(error, match=message):
            session.apply(action, *given, **({"colour": "red"} if action == "reset" else {}))
        assert session.status == "paused"
        assert fingerprint(session.frame) == before


def test_descent_that_diverges_is_shown_and_after_a_reset_it_goes_on(monkeypatch):
    # Should the curvature on the ray not warn of steps that are too long.
    monkeypatch.setattr("np_widgets.learning.saddles.ground.rough_origin_ray", lambda *_: (None, None))
    x = np.random.default_rng(0).standard_normal((30, 2))
    problem = npw.Problem(x, 30 * x[:, 0])
    flow = npw.SaddleFlow(None, problem, (2,), 1e-2, leak=1.0, dynamics="descent", step_size=0.3, starts=5)
    flow.aim(None)
    with npw.Session(flow) as session:
        session.resume()
        session.wait()
        assert session.status == "failed"
        assert isinstance(session.error, ArithmeticError)
        assert "step_size" in str(session.error)
        stands = session.frame
        assert all(np.isfinite(weight).all() for weight in stands.weights)
        assert np.isfinite(stands.record.loss).all()
        with pytest.raises(RuntimeError, match="diverges"):
            session.raise_if_failed()
        session.reset(step_size=1e-3)
        assert session.status == "paused"
        session.apply("aim", "next saddle")
        frame = finished(session)
        assert frame.loss < 0.01 * frame.record.loss[0]


def test_a_flow_can_be_run_again_once_its_session_is_closed():
    flow, twin = small_flow(scale=1e-2), small_flow(scale=1e-2)
    with npw.Session(flow) as session:
        session.step(15)
    flow.run_to("escape")
    twin.run_to("escape")
    assert fingerprint(flow.frame()) == fingerprint(twin.frame())
