"""However work and commands are spread over time, a session does what the same calls do one after another."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from np_widgets.learning.states import same
from np_widgets.sessions.session import Session
from tests.session_engines import Counter

actions = st.one_of(
    st.builds(lambda layer: ("add_neuron", (layer,)), st.sampled_from([None, 1, 2, 0, -3])),
    st.builds(lambda name: ("set_minimizer", (name,)), st.sampled_from(["slow", "fast", "best"])),
    st.builds(lambda entry: ("note", (entry,)), st.integers(0, 9)),
    st.just(("break_midway", (ValueError("half"),))),
    st.just(("reset", ())),
)


def call(engine: Counter, action: tuple[str, tuple[Any, ...]]) -> type[BaseException] | None:
    """Do to the engine itself what a session would; the kind of refusal."""
    name, arguments = action
    before = engine.state()
    try:
        getattr(engine, name)(*arguments)
    except (ValueError, KeyError) as refusal:
        engine.restore(before)
        return type(refusal)
    return None


def run_for(session: Session, count: int) -> None:
    """Resume, and pause after exactly ``count`` advances."""
    start = session.frame.count

    def pause_at_the_end(frame: Any, status: str) -> None:
        if frame.count >= start + count and status == "running":
            session.pause()

    end = session.observe(pause_at_the_end)
    session.resume()
    session.wait()
    end()


DISTURBANCES = ["look", "pause", "refused", "slower", "faster", "observe"]


def disturb(session: Session, way: str) -> None:
    """Something that must make no difference."""
    match way:
        case "look":
            session.next_frame(session.frame, timeout=0)
        case "pause":
            session.pause()
        case "refused":
            with pytest.raises(ValueError, match="layer"):
                session.add_neuron(-1)
        case "slower":
            session.speed = 1e5
        case "faster":
            session.speed = None
        case "observe":
            session.observe(lambda frame, status: None)


@settings(max_examples=60)
@given(
    plan=st.lists(st.tuples(st.integers(0, 12), actions), max_size=8),
    limit=st.integers(1, 60),
    data=st.data(),
)
def test_slicing_makes_no_difference(plan, limit, data):
    engine, twin = Counter(limit), Counter(limit)
    with Session(engine) as session:
        for gap, action in plan:
            left = gap
            while left:
                disturb(session, data.draw(st.sampled_from(DISTURBANCES)))
                part = data.draw(st.integers(1, left))
                match data.draw(st.sampled_from(["step", "steps", "run"])):
                    case "step":
                        session.step(part)
                    case "steps":
                        for step in [session.submit("step") for _ in range(part)]:
                            step.result(60)
                    case "run":
                        run_for(session, part)
                left -= part
            for _ in range(gap):
                twin.advance()
            refusal = call(twin, action)
            if refusal is None:
                session.apply(action[0], *action[1])
            else:
                with pytest.raises(refusal):
                    session.apply(action[0], *action[1])
            assert session.frame == twin.frame()
        assert session.status == ("finished" if twin.finished else "paused")
        assert same(engine.state(), twin.state())


class Recorder(Counter):
    """Remembers what was done to it, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        super().__init__()

    def _advance(self) -> None:
        super()._advance()
        self.calls.append(("advance", ()))

    def note(self, entry: object) -> int:
        self.calls.append(("note", (entry,)))
        return super().note(entry)

    def reset(self, *, seed: int | None = None) -> None:
        super().reset(seed=seed)
        self.calls.append(("reset", ()))


class Commands(RuleBasedStateMachine):
    """Commands are queued without waiting; after a pause everything is checked against a replay."""

    @initialize()
    def start(self) -> None:
        self.engine = Recorder()
        self.session = Session(self.engine)
        self.queued: list[tuple[str, Any, Future[Any]]] = []
        self.checked = 0

    def submit(self, name: str, *arguments: Any) -> None:
        self.queued.append((name, arguments, self.session.submit(name, *arguments)))

    @rule(count=st.integers(1, 30))
    def step(self, count: int) -> None:
        self.submit("step", count)

    @rule(name=st.sampled_from(["resume", "pause", "reset"]))
    def change_pace(self, name: str) -> None:
        self.submit(name)

    @rule(entry=st.integers(0, 99))
    def note(self, entry: int) -> None:
        self.submit("note", entry)

    @rule()
    def refused(self) -> None:
        self.submit("break_midway", ValueError("half"))

    @rule(speed=st.sampled_from([None, 1e4, 1e6]))
    def set_speed(self, speed: float | None) -> None:
        self.session.speed = speed

    @rule()
    def look(self) -> None:
        self.session.next_frame(self.session.frame, timeout=0.001)

    @rule()
    def withdraw(self) -> None:
        if self.queued and self.queued[-1][2].cancel():
            self.queued.pop()

    @rule()
    def check(self) -> None:
        self.session.pause()
        assert self.session.status == "paused"
        assert all(future.done() for *_, future in self.queued)
        new = self.engine.calls[self.checked :]
        self.checked = len(self.engine.calls)

        obeyed = [(name, arguments) for name, arguments, _ in self.queued if name in ("note", "reset")]
        assert [done for done in new if done[0] != "advance"] == obeyed

        advances = sum(name == "advance" for name, _ in new)
        made = 0
        for name, arguments, future in self.queued:
            if name == "step":
                assert 0 <= future.result() <= arguments[0]
                made += future.result()
            elif name == "break_midway":
                assert future.exception() is arguments[0]
            else:
                assert future.exception() is None
        resumed = any(name == "resume" for name, *_ in self.queued)
        assert advances >= made if resumed else advances == made
        self.queued.clear()

        twin = Counter()
        for name, arguments in self.engine.calls:
            getattr(twin, name)(*arguments)
        assert same(self.engine.state(), twin.state())
        assert self.session.frame == twin.frame()

    def teardown(self) -> None:
        if hasattr(self, "session"):
            self.session.close()
            for *_, future in self.queued:
                with suppress(RuntimeError, ValueError):
                    future.result(0)


TestCommands = Commands.TestCase
TestCommands.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
