"""What a user asks for is done, also by a session that is paused or finished, and then it rests again."""

from __future__ import annotations

import pytest

from np_widgets.sessions.session import Session
from tests.session_engines import Asked, Faulty, Gated


class GatedAsked(Gated, Asked):
    """One that waits in the middle of every advance."""


def neurons(session: Session) -> int:
    assert isinstance(session.engine, Asked)
    return session.engine.neurons


def status_when_told(session: Session, *commands: tuple[str, dict]) -> list[str]:
    """The statuses that an observer sees from the commands on until the session does not run."""
    seen: list[str] = []
    end = session.observe(lambda _, status: seen.append(status))
    for name, given in commands:
        session.submit(name, **given).result(60)
    assert session.wait(60)
    end()
    return seen


@pytest.mark.parametrize("ahead", [0, 3])
@pytest.mark.parametrize("finished", [False, True])
def test_a_session_at_rest_runs_until_the_neuron_is_there_and_pauses_again(ahead, finished):
    with Session(Asked(limit=ahead if finished else 10**9)) as session:
        if ahead:
            session.step(ahead)
        assert session.status == ("finished" if finished else "paused")
        statuses = status_when_told(session, ("add_neuron", {}))
        assert statuses == ["running"] * 5 + ["finished" if finished else "paused"]
        assert session.frame.count == ahead + 5
        assert neurons(session) == 1


def test_wait_waits_for_the_neuron():
    with Session(Asked()) as session:
        session.add_neuron()
        assert session.wait(60)
        assert session.status == "paused"
        assert (neurons(session), session.frame.count) == (1, 5)


def test_a_second_click_adds_another():
    engine = GatedAsked()
    with Session(engine) as session:
        session.add_neuron()
        engine.gate.release(2)
        assert engine.entered.acquire(timeout=60)
        second = session.submit("add_neuron")
        engine.gate.release(1000)
        assert second.result(60) is None
        assert session.wait(60)
        assert session.status == "paused"
        assert (neurons(session), session.frame.count) == (2, 10)


@pytest.mark.parametrize("go_on", ["resume", "step", "add_neuron"])
def test_pause_interrupts_and_what_was_asked_for_stays_asked_for(go_on):
    engine = GatedAsked(limit=40)
    with Session(engine) as session:
        session.add_neuron()
        assert session.status == "running"
        assert engine.entered.acquire(timeout=60)
        pause = session.submit("pause")
        engine.gate.release(1000)
        pause.result(60)
        assert session.status == "paused"
        assert (neurons(session), session.frame.count) == (0, 1)
        session.set_minimizer("slow")  # which asks for nothing
        session.wait(60)
        assert (session.status, session.frame.count) == ("paused", 1)
        if go_on == "step":
            assert [session.step() for _ in range(3)] == [1, 1, 1]
            assert (session.status, neurons(session)) == ("paused", 0)
            session.step()
            assert (session.status, neurons(session)) == ("paused", 1)
        else:
            session.submit(go_on).result(60)
            assert session.wait(60)
            expected = ("finished", 1, 40) if go_on == "resume" else ("paused", 2, 10)
            assert (session.status, neurons(session), session.frame.count) == expected


def test_a_running_session_goes_on_after_the_neuron():
    engine = GatedAsked(limit=30)
    with Session(engine) as session:
        commands = [session.submit(name) for name in ("add_neuron", "resume", "add_neuron")]
        engine.gate.release(1000)
        for command in commands:
            command.result(60)
        assert session.wait(60)
        assert (session.status, neurons(session), session.frame.count) == ("finished", 2, 30)


def test_steps_under_way_do_not_cut_the_neuron_short_and_later_steps_do():
    engine = GatedAsked()
    with Session(engine) as session:
        step = session.submit("step", 2)
        assert engine.entered.acquire(timeout=60)
        session.submit("add_neuron")
        engine.gate.release(1000)
        assert step.result(60) == 2
        assert session.wait(60)
        assert (session.status, neurons(session), session.frame.count) == ("paused", 1, 6)
    engine = GatedAsked()
    with Session(engine) as session:
        session.add_neuron()
        assert engine.entered.acquire(timeout=60)
        step = session.submit("step", 2)
        engine.gate.release(1000)
        assert step.result(60) == 2
        assert (session.status, neurons(session), session.frame.count) == ("paused", 0, 3)


def test_reset_forgets_what_was_asked_for():
    engine = GatedAsked()
    with Session(engine) as session:
        session.add_neuron()
        assert engine.entered.acquire(timeout=60)
        reset = session.submit("reset")
        engine.gate.release(1000)
        reset.result(60)
        assert session.wait(60)
        assert (session.status, neurons(session), session.frame.count) == ("paused", 0, 0)


def test_what_is_refused_is_not_asked_for():
    with Session(Asked()) as session:
        with pytest.raises(ValueError, match="layer"):
            session.add_neuron(0)
        assert session.wait(60)
        assert (session.status, session.frame.count) == ("paused", 0)


class FaultyAsked(Faulty, Asked):
    """Raises in the middle of what was asked for."""


def test_after_a_failure_in_between_it_goes_on():
    error = ValueError("bad value")
    with Session(FaultyAsked(error, at=3, limit=20)) as session:
        session.add_neuron()
        assert session.wait(60)
        assert (session.status, session.error) == ("failed", error)
        session.apply("repair")
        session.add_neuron()
        assert session.wait(60)
        assert session.status == "failed"  # until somebody has seen it, and says go on
        session.resume()
        assert session.wait(60)
        assert (session.status, neurons(session), session.frame.count) == ("finished", 2, 20)
