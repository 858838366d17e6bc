"""Sessions take turns: fairly, without anybody who waits in vain, and without a cost for who is alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from np_widgets.sessions import commanded
from np_widgets.sessions import turns as rules
from np_widgets.sessions.session import Session
from np_widgets.sessions.turns import LONGEST_WAIT, SECONDS, Turns
from tests.session_engines import Counter, Faulty, Gated


class Sleeper:
    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_who_is_alone_never_waits(clock):
    turns, alone = Turns(clock), Sleeper()
    for _ in range(100):
        assert turns.ask(alone) == 0
        clock.now += SECONDS
    assert alone.woken == 0


def test_a_turn_lasts_its_time_and_then_the_next_is_woken(clock):
    turns, first, second = Turns(clock), Sleeper(), Sleeper()
    assert turns.ask(first) == 0
    assert turns.ask(second) > 0
    clock.now = 0.9 * SECONDS
    assert turns.ask(first) == 0
    clock.now = 1.1 * SECONDS
    assert turns.ask(first) > 0
    assert (first.woken, second.woken) == (0, 1)
    assert turns.ask(second) == 0
    assert turns.ask(first) > 0


@given(quanta=st.lists(st.floats(0.001, 2 * SECONDS), min_size=2, max_size=6))
def test_every_one_gets_its_share_of_the_time(quanta):
    clock = Clock()
    turns, sleepers = Turns(clock), [Sleeper() for _ in quanta]
    used = [0.0] * len(quanta)
    while clock.now < 200 * SECONDS:
        served = [turns.ask(sleeper) == 0 for sleeper in sleepers]
        assert sum(served) <= 1  # the one who passes on asked before the next was asked
        for index, now in enumerate(served):
            if now:
                used[index] += quanta[index]
                clock.now += quanta[index]
    # A turn is over at the first quantum that ends after its time.
    turn = [SECONDS + quantum for quantum in quanta]
    rounds = clock.now / sum(turn)
    assert all(time >= (rounds - 2) * SECONDS for time in used)


def test_the_order_is_that_of_asking(clock):
    turns, sleepers = Turns(clock), [Sleeper() for _ in range(4)]
    for sleeper in sleepers:
        turns.ask(sleeper)
    order = []
    for _ in range(40):
        clock.now += SECONDS / 2
        order += [index for index, sleeper in enumerate(sleepers) if turns.ask(sleeper) == 0]
    assert [index for index, _ in groupby(order)][:8] == [0, 1, 2, 3, 0, 1, 2, 3]


def test_who_leaves_hands_on_or_is_asked_no_more(clock):
    turns, first, second, third = Turns(clock), Sleeper(), Sleeper(), Sleeper()
    for sleeper in (first, second, third):
        turns.ask(sleeper)
    turns.leave(second)
    turns.leave(second)
    turns.leave(first)
    assert (second.woken, third.woken) == (0, 1)
    assert turns.ask(third) == 0
    turns.leave(third)
    assert turns.ask(second) == 0


def test_nobody_waits_for_the_end_of_a_long_quantum(clock):
    turns, long, second, third = Turns(clock), Sleeper(), Sleeper(), Sleeper()
    turns.ask(long)
    wait = turns.ask(second)
    turns.ask(third)
    assert 0 < wait <= LONGEST_WAIT
    clock.now = LONGEST_WAIT
    assert turns.ask(third) > 0  # the second was there before
    assert turns.ask(second) == 0
    assert turns.ask(long) > 0  # it is back, and waits like the others
    clock.now += SECONDS
    assert turns.ask(second) > 0
    assert turns.ask(third) == 0


@pytest.fixture
def own_turns(monkeypatch) -> Turns:
    """Turns of this test alone, long enough to see who has one."""
    monkeypatch.setattr(rules, "SECONDS", 0.01)
    monkeypatch.setattr(rules, "LONGEST_WAIT", 600.0)
    turns = Turns()
    monkeypatch.setattr(commanded, "turns", turns)
    return turns


@contextmanager
def holder_at_work() -> Iterator[SimpleNamespace]:
    """A session that is in the middle of a quantum, and of its turn."""
    engine = Gated()
    with Session(engine) as session:
        session.resume()
        assert engine.entered.acquire(timeout=60)
        yield SimpleNamespace(session=session, engine=engine)
        engine.gate.release(10**6)


def test_a_session_that_waits_for_its_turn_obeys_at_once(own_turns):
    with holder_at_work(), Session(Counter()) as other:
        other.resume()
        assert other.apply("note", "a") == 1
        assert other.status == "running"
        other.pause()
        assert (other.status, other.frame.count, other.frame.log) == ("paused", 0, ("a",))
        other.add_neuron()
        assert other.status == "paused"


@pytest.mark.parametrize("end", ["pause", "close", "finish", "fail", "sleep"])
def test_the_turn_goes_on_when_its_holder_does_not(own_turns, end):
    with holder_at_work() as holder, Session(Counter(limit=7)) as other:
        other.resume()
        engine = holder.engine
        match end:
            case "pause":
                holder.session.submit("pause")
            case "close":
                threading.Thread(target=holder.session.close).start()
                while not holder.session._worker.closing:
                    pass
            case "finish":
                engine.limit = 1
            case "fail":
                engine.limit = None  # what an advance looks at
            case "sleep":
                holder.session.speed = 1e-3
        assert other.frame.count == 0
        engine.gate.release()
        assert other.wait(60)
        assert (other.status, other.frame.count) == ("finished", 7)
        expected = {"pause": "paused", "close": "closed", "finish": "finished", "fail": "failed", "sleep": "running"}
        if end == "close":
            holder.session.close()
        assert holder.session.status == expected[end]
        engine.limit = 10**9


def test_sessions_that_run_together_all_come_to_their_ends_with_the_bits_of_one(own_turns):
    alone = Counter(limit=3000)
    alone.run()
    sessions = [Session(Counter(limit=3000)) for _ in range(5)]
    for session in sessions:
        session.resume()
    for session in sessions:
        assert session.wait(120)
        assert session.frame == alone.frame()
        session.close()


def test_one_at_a_time_computes(own_turns):
    inside: list[int] = []
    most = [0]

    class Alone(Counter):
        def _advance(self) -> None:
            inside.append(1)
            most[0] = max(most[0], len(inside))
            super()._advance()
            inside.pop()

    sessions = [Session(Alone(limit=2000)) for _ in range(3)]
    for session in sessions:
        session.resume()
    for session in sessions:
        assert session.wait(120)
        session.close()
    assert most == [1]


def test_a_session_that_does_nothing_has_no_turn(own_turns):
    with Session(Faulty(None)) as first, Session(Counter()) as second:
        assert first.step(3) == 3
        assert second.step(3) == 3
        first.pause()
        second.pause()
    assert own_turns.ask(Sleeper()) == 0
