"""What a session does on command, and what it refuses."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from np_widgets.learning.engine import Engine
from np_widgets.sessions.session import Session
from np_widgets.sessions.waiting import LONGEST_WAIT, patiently
from tests.session_engines import Counter, CounterFrame, Faulty, Gated


def advanced(count: int, engine: Counter | None = None) -> CounterFrame:
    """What a counter shows after ``count`` advances without any session."""
    engine = engine or Counter()
    for _ in range(count):
        engine.advance()
    return engine.frame()


@contextmanager
def sessions(engine: Counter, **options: Any) -> Iterator[Session]:
    session = Session(engine, **options)
    try:
        yield session
    finally:
        if isinstance(engine, Gated):
            engine.gate.release(1000)
        session.close()


def test_a_new_session_is_paused_and_shows_the_engine():
    with sessions(Counter()) as session:
        assert session.status == "paused"
        assert session.frame == advanced(0)
        assert session.error is None
        assert session.speed is None
        assert repr(session) == "<Session of a Counter: paused>"


def test_a_session_of_a_finished_engine_is_finished_and_stays_so():
    with sessions(Counter(limit=0)) as session:
        assert session.status == "finished"
        session.resume()
        assert session.wait()
        assert session.step(3) == 0
        session.pause()
        assert session.status == "finished"
        assert session.frame.count == 0


def test_resume_runs_to_the_end():
    with sessions(Counter(limit=1234)) as session:
        session.resume()
        assert session.wait()
        assert session.status == "finished"
        assert session.frame == advanced(1234, Counter(limit=1234))


def test_step_makes_so_many_advances_and_says_so():
    with sessions(Counter(limit=10)) as session:
        assert session.step() == 1
        assert session.step(4) == 4
        assert session.status == "paused"
        assert session.frame.count == 5
        assert session.step(100) == 5
        assert session.status == "finished"


def test_nothing_advances_after_pause():
    with sessions(Counter()) as session:
        session.resume()
        session.pause()
        seen = session.frame
        assert session.status == "paused"
        assert session.next_frame(seen, timeout=0.05) is seen
        session.pause()
        assert session.frame == seen
        assert session.frame == advanced(seen.count)


def test_steps_queued_one_after_another_are_all_made():
    with sessions(Counter()) as session:
        steps = [session.submit("step", count) for count in (3, 1, 4)]
        assert [step.result(60) for step in steps] == [3, 1, 4]
        assert session.wait()
        assert session.frame.count == 8


@pytest.mark.parametrize("command", ["pause", "resume", "reset"])
def test_a_step_under_way_ends_where_another_command_decides(command):
    engine = Gated()
    with sessions(engine) as session:
        first, second = session.submit("step", 1000), session.submit("step", 1000)
        engine.gate.release(2)
        for _ in range(3):
            assert engine.entered.acquire(timeout=60)
        over = session.submit(command)
        engine.gate.release()
        assert over.result(60) is None
        assert first.result(60) == 3
        assert second.result(60) == 0
        assert session.status == ("running" if command == "resume" else "paused")
        assert command != "pause" or session.frame.count == 3
        assert command != "reset" or session.frame == advanced(0)


def test_a_step_turns_running_into_so_many_more_advances():
    engine = Gated()
    with sessions(engine) as session:
        session.resume()
        assert engine.entered.acquire(timeout=60)
        step = session.submit("step", 2)
        engine.gate.release(10)
        assert step.result(60) == 2
        assert session.status == "paused"
        assert session.frame.count == 3


def test_commands_are_obeyed_in_the_order_in_which_they_came():
    engine = Gated()
    with sessions(engine) as session:
        session.resume()
        assert engine.entered.acquire(timeout=60)
        before = session.submit("note", "before")
        pause = session.submit("pause")
        after = session.submit("note", "after")
        assert not before.done()
        engine.gate.release()
        assert [before.result(60), pause.result(60), after.result(60)] == [1, None, 2]
        assert session.status == "paused"
        assert session.frame.count == 1
        assert session.frame.log == ("before", "after")


def test_a_command_is_obeyed_in_the_middle_of_a_long_step():
    engine = Gated()
    with sessions(engine) as session:
        step = session.submit("step", 5)
        assert engine.entered.acquire(timeout=60)
        note = session.submit("note", "now")
        engine.gate.release()
        assert note.result(60) == 1
        assert session.status == "running"
        engine.gate.release(4)
        assert step.result(60) == 5
        twin = Counter()
        twin.advance()
        twin.note("now")
        assert session.frame == advanced(4, twin)


def test_actions_do_what_the_methods_of_the_engine_do():
    with sessions(Counter()) as session:
        session.step(2)
        session.add_neuron()
        session.add_neuron(layer=3)
        session.set_minimizer("slow")
        assert session.apply("note", entry="a") == 1
        session.step(2)
        twin = Counter()
        advanced(2, twin)
        twin.add_neuron()
        twin.add_neuron(3)
        twin.set_minimizer("slow")
        twin.note("a")
        assert session.frame == advanced(2, twin)
        session.reset(seed=5)
        assert session.frame == Counter(seed=5).frame()


def test_a_neuron_gives_a_finished_session_something_to_do():
    with sessions(Counter(limit=3)) as session:
        session.resume()
        session.wait()
        assert session.status == "finished"
        session.add_neuron()
        assert session.status == "paused"
        assert session.frame.finished is None
        session.resume()
        session.wait()
        assert session.frame.count == 8


def test_a_neuron_leaves_a_running_session_running_and_reset_pauses_it():
    with sessions(Counter()) as session:
        session.resume()
        session.add_neuron()
        assert session.status == "running"
        session.reset()
        assert session.status == "paused"
        assert session.frame == advanced(0)


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), RuntimeError("not now"), KeyError("half"), MemoryError("full"), SystemExit(3), StopIteration()],
)
@pytest.mark.parametrize("running", [False, True])
def test_a_refused_command_says_why_and_changes_nothing(error, running):
    with sessions(Counter()) as session:
        session.step(3)
        before = session.engine.state()
        if running:
            session.resume()
        with pytest.raises(type(error)) as caught:
            session.apply("break_midway", error)
        assert caught.value is error
        assert session.status == ("running" if running else "paused")
        session.pause()
        assert session.error is None
        assert session.frame == advanced(session.frame.count)
        assert running or all(session.engine.state()[name] is value for name, value in before.items())


@pytest.mark.parametrize(
    ("action", "arguments", "error", "message"),
    [
        ("add_neuron", {"layer": 0}, ValueError, "layer must be at least 1, got 0"),
        ("add_neuron", {"layers": 1}, TypeError, "layers"),
        ("set_minimizer", {"name": "best"}, KeyError, "best"),
        ("run", {}, RuntimeError, "this Counter cannot run: a Session drives it"),
    ],
)
def test_what_the_engine_refuses_comes_to_the_caller(action, arguments, error, message):
    with sessions(Counter()) as session:
        with pytest.raises(error, match=message):
            session.apply(action, **arguments)
        with pytest.raises(error, match=message):
            session.submit(action, **arguments).result(60)
        assert session.status == "paused"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.step(0), ValueError, "count must be an integer of at least 1, got 0"),
        (lambda s: s.step(-1), ValueError, "count"),
        (lambda s: s.step(True), TypeError, "count"),
        (lambda s: s.step(1.0), TypeError, "count"),
        (lambda s: s.submit("step", "2"), TypeError, "count"),
        (lambda s: s.submit("step", 1, 2), TypeError, "step"),
        (lambda s: s.submit("resume", 1), TypeError, "resume"),
        (lambda s: s.submit("pause", now=True), TypeError, "pause"),
        (lambda s: s.submit("fly"), ValueError, "command must be one of 'resume', .*'add_neuron'.*, got 'fly'"),
        (lambda s: s.submit(None), TypeError, "command"),
        (lambda s: s.submit(["step"]), TypeError, "command"),
        (lambda s: s.submit("apply"), TypeError, "action"),
        (lambda s: s.apply("fly"), ValueError, "action must be one of 'add_neuron', .*, got 'fly'"),
        (lambda s: s.apply(3), TypeError, "action"),
        (lambda s: s.apply("_start"), ValueError, "action"),
        (lambda s: s.apply("__init__"), ValueError, "action"),
        (lambda s: s.apply("limit"), ValueError, "action"),
        (lambda s: s.apply("even"), ValueError, "action"),
        *[
            (lambda s, name=name: s.apply(name), ValueError, f"action must be .*, got '{name}'")
            for name in ("advance", "finished", "frame", "state", "restore", "claim", "release", "require_free")
        ],
        (lambda s: setattr(s, "speed", 0), ValueError, "speed must be a finite number greater than 0, got 0"),
        (lambda s: setattr(s, "speed", -1.5), ValueError, "speed"),
        (lambda s: setattr(s, "speed", math.nan), ValueError, "speed"),
        (lambda s: setattr(s, "speed", math.inf), ValueError, "speed"),
        (lambda s: setattr(s, "speed", True), TypeError, "speed"),
        (lambda s: setattr(s, "speed", "fast"), TypeError, "speed"),
        (lambda s: s.wait(-1), ValueError, "timeout must be a finite number of at least 0, got -1"),
        (lambda s: s.wait("long"), TypeError, "timeout"),
        (lambda s: s.next_frame(None, math.nan), ValueError, "timeout"),
        (lambda s: s.observe("callback"), TypeError, "callback"),
    ],
)
def test_bad_input_is_refused_before_anything_changes(call, error, message):
    with sessions(Counter()) as session:
        session.step(2)
        frame = session.frame
        with pytest.raises(error, match=message):
            call(session)
        assert session.status == "paused"
        assert session.frame is frame
        assert session.speed is None
        assert session.step() == 1


@pytest.mark.parametrize("engine", [None, Counter, "a pursuit", object()])
def test_a_session_wants_an_engine(engine):
    with pytest.raises(TypeError, match="engine must be an Engine"):
        Session(engine)


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (True, TypeError), (1.5, TypeError)])
def test_a_session_wants_a_sound_number_of_torch_threads(count, error):
    engine = Counter()
    with pytest.raises(error, match="torch_threads must be an integer of at least 1"):
        Session(engine, torch_threads=count)
    engine.require_free("be used")


def test_an_engine_without_actions_says_so():
    class Bare(Engine):
        finished = None

        def _advance(self) -> None: ...

        def frame(self) -> tuple[int]:
            return (0,)

        def state(self) -> dict[str, Any]:
            return {}

        def restore(self, state: dict[str, Any]) -> None: ...

    with Session(Bare()) as session, pytest.raises(ValueError, match="got 'add_neuron'; a Bare has none"):
        session.add_neuron()


def test_one_engine_has_one_session_at_a_time():
    engine = Counter(limit=3)
    with sessions(engine):
        with pytest.raises(RuntimeError, match="driven by a second session"):
            Session(engine)
        with pytest.raises(RuntimeError, match="close the session first"):
            engine.run()
    with sessions(engine) as second:
        second.resume()
        assert second.wait()
    engine.run()


def test_an_engine_that_cannot_be_shown_is_not_claimed():
    engine = Faulty(ValueError("no frame"), at=0, where="frame")
    with pytest.raises(ValueError, match="no frame"):
        Session(engine)
    engine.require_free("be used")


CLOSED: list[Callable[[Session], object]] = [
    lambda s: s.resume(),
    lambda s: s.pause(),
    lambda s: s.step(),
    lambda s: s.add_neuron(),
    lambda s: s.set_minimizer("slow"),
    lambda s: s.reset(),
    lambda s: s.apply("note", 1),
    lambda s: s.submit("resume"),
    lambda s: s.observe(print),
    lambda s: setattr(s, "speed", 3),
]


@pytest.mark.parametrize("call", CLOSED)
def test_a_closed_session_refuses_commands(call):
    session = Session(Counter())
    session.step(4)
    session.close()
    session.close()
    with pytest.raises(RuntimeError, match="the session is closed"):
        call(session)
    assert session.status == "closed"
    assert session.frame == advanced(4)
    assert session.wait()
    assert session.next_frame(session.frame) is session.frame
    session.raise_if_failed()


def test_close_refuses_what_is_still_queued_and_shows_where_the_engine_is():
    engine = Gated()
    session = Session(engine)
    step = session.submit("step", 7)
    assert engine.entered.acquire(timeout=60)
    note = session.submit("note", "too late")
    closer = threading.Thread(target=session.close)
    closer.start()
    engine.gate.release()
    closer.join(60)
    for future, name in ((step, "step"), (note, "note")):
        with pytest.raises(RuntimeError, match=f"the session was closed before '{name}' was done"):
            future.result(0)
    assert session.status == "closed"
    assert session.frame == advanced(1)
    engine.require_free("be used")


def test_a_session_closes_at_the_end_of_a_with_block_also_after_an_error():
    with pytest.raises(KeyError), Session(Counter()) as session:
        raise KeyError("in the block")
    assert session.status == "closed"


def test_a_queued_command_can_be_withdrawn():
    engine = Gated()
    with sessions(engine) as session:
        step = session.submit("step")
        assert engine.entered.acquire(timeout=60)
        note = session.submit("note", "never mind")
        assert note.cancel()
        assert not step.cancel()
        engine.gate.release()
        session.wait()
        assert session.frame.log == ()


def test_wait_returns_at_once_unless_the_session_runs():
    with sessions(Counter()) as session:
        assert session.wait()
        session.resume()
        assert not session.wait(0.01)
        assert session.status == "running"
        assert not session.wait(timeout=0)
        session.pause()
        assert session.wait()


@pytest.mark.parametrize(
    ("deadline", "calls", "result"),
    [(math.inf, [LONGEST_WAIT] * 3, True), (-math.inf, [0.0], False)],
)
def test_waiting_is_done_in_slices(deadline, calls, result):
    seconds: list[float] = []

    def done_the_third_time(longest: float) -> bool:
        seconds.append(longest)
        return len(seconds) == 3

    assert patiently(done_the_third_time, deadline) is result
    assert seconds == calls


def test_wait_counts_what_was_queued_before_it():
    engine = Gated(limit=2)
    with sessions(engine) as session:
        session.submit("step")
        session.submit("note", "a")
        session.submit("resume")
        engine.gate.release(2)
        assert session.wait()
        assert session.status == "finished"
        assert session.frame.log == ("a",)


def test_wait_in_several_threads_ends_with_close():
    engine = Gated()
    session = Session(engine)
    session.resume()
    results: list[object] = []
    waiting = [threading.Thread(target=lambda: results.append(session.wait())) for _ in range(3)]
    watching = threading.Thread(target=lambda: results.append(session.next_frame(session.frame)))
    for thread in (*waiting, watching):
        thread.start()
    closer = threading.Thread(target=session.close)
    closer.start()
    engine.gate.release(1000)
    for thread in (closer, *waiting, watching):
        thread.join(60)
        assert not thread.is_alive()
    assert results.count(True) == 3


def press_ctrl_c_once_the_main_thread_waits() -> None:
    main = threading.main_thread().ident
    assert main is not None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        frames = traceback.extract_stack(sys._current_frames()[main])
        if any(frame.name == "patiently" for frame in frames):
            break
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("method", ["wait", "next_frame", "step"])
def test_ctrl_c_ends_the_waiting_and_not_the_session(method):
    engine = Gated()
    with sessions(engine) as session:
        session.resume()
        calls: dict[str, Callable[[], object]] = {
            "wait": session.wait,
            "next_frame": lambda: session.next_frame(session.frame),
            "step": lambda: session.step(2),
        }
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            keyboard = threading.Thread(target=press_ctrl_c_once_the_main_thread_waits)
            keyboard.start()
            with pytest.raises(KeyboardInterrupt):
                calls[method]()
            keyboard.join()
        finally:
            signal.signal(signal.SIGINT, previous)
        assert session.status == "running"
        assert session.error is None
        engine.gate.release(10)
        assert session.next_frame(session.frame, 60).count > 0


def test_next_frame_waits_for_a_newer_frame_and_frames_never_go_back():
    with sessions(Counter()) as session:
        session.resume()
        seen = session.frame
        for _ in range(50):
            newer = session.next_frame(seen, timeout=60)
            assert newer is not seen
            assert newer.count >= seen.count
            seen = newer
        assert seen.count >= 40


def test_next_frame_without_a_known_frame_returns_the_newest():
    with sessions(Counter()) as session:
        assert session.next_frame() is session.frame


def test_frames_are_not_made_for_nobody():
    engine = Counter()
    with sessions(engine) as session:
        session.step(5000)
        assert engine.frames_made < 2500
        assert session.frame == advanced(5000)


def test_a_look_at_a_running_session_is_not_stale():
    with sessions(Counter()) as session:
        session.resume()
        seen = session.frame
        deadline = time.monotonic() + 60
        while session.frame.count <= seen.count + 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert session.frame.count > seen.count + 1


def test_speed_can_be_set_at_any_time_and_bounds_the_advances():
    with sessions(Counter(limit=8)) as session:
        session.speed = 1e-300
        session.resume()
        frame = session.frame
        while frame.count < 1:
            frame = session.next_frame(frame, 60)
        assert frame.count == 1
        assert not session.wait(0.05)
        session.apply("note", "commands do not wait")
        assert session.frame.count == 1
        session.speed = 100
        assert session.speed == 100
        start = time.monotonic()
        assert session.step(5) == 5
        assert time.monotonic() - start > 4 * 0.0099
        session.speed = 1e-300
        session.resume()
        session.speed = None
        while not frame.finished:
            frame = session.next_frame(frame, 60)


def test_a_step_of_a_slow_session_is_made_at_once():
    with sessions(Counter()) as session:
        session.speed = 1e-3
        assert session.step() == 1
