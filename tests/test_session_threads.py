"""Threads: none is left behind, none is disturbed, and any may give commands."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from np_widgets.sessions import commands
from np_widgets.sessions.belongings import Observer
from np_widgets.sessions.session import Session
from tests.session_engines import Counter, CounterFrame, Faulty


def session_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("session of")}


@pytest.fixture(autouse=True)
def _no_thread_left():
    gc.collect()
    before = session_threads()
    yield
    until_gone(session_threads() - before)


def until_gone(threads: set[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def until_collected(dropped: weakref.ref[Session]) -> None:
    """Collect until nobody holds it: while an observer runs, the session's thread refers to the session."""
    deadline = time.monotonic() + 60
    while dropped() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
        gc.collect()


def new_session(engine: Counter) -> tuple[Session, threading.Thread]:
    before = session_threads()
    session = Session(engine)
    (thread,) = session_threads() - before
    return session, thread


@pytest.mark.parametrize("running", [False, True])
def test_close_ends_the_thread(running):
    session, thread = new_session(Counter())
    assert thread.name == "session of a Counter"
    assert thread.daemon
    if running:
        session.resume()
    session.close()
    assert not thread.is_alive()


def knowing(session: Session, fails: bool = False) -> Observer:
    """An observer that refers to its session."""

    def observer(frame: CounterFrame, status: str) -> None:
        if fails or session.speed is not None:
            raise ValueError(f"cannot observe {session}")

    return observer


@pytest.mark.parametrize("life", ["idle", "running", "slow", "observed", "stepping", "failed", "refused"])
def test_a_session_that_is_dropped_leaves_no_thread_and_frees_the_engine(life):
    engine = Faulty(ValueError("bad value"), at=5) if life == "failed" else Counter()
    session, thread = new_session(engine)
    if life == "slow":
        session.speed = 1e-3
    if life == "observed":
        unsubscribe = session.observe(knowing(session))
    if life in ("running", "slow", "observed", "failed"):
        session.resume()
    if life == "stepping":
        session.submit("step", 10**9)
    if life == "failed":
        session.wait()
        session.observe(knowing(session, fails=True))
        session.resume()
        session.wait()
        with pytest.raises(RuntimeError):
            session.raise_if_failed()
    if life == "refused":
        with pytest.raises(ValueError, match="layer"):
            session.add_neuron(0)
    dropped = weakref.ref(session)
    del session
    until_collected(dropped)
    until_gone({thread})
    engine.require_free("be used")
    if life == "observed":
        unsubscribe()


def test_commands_of_a_dropped_session_are_settled():
    future = Session(Counter()).submit("step", 10**9)
    with pytest.raises(RuntimeError, match="the session was closed before 'step' was done"):
        future.result(60)


class Watched(Counter):
    """Notes how torch is set up where it advances."""

    def _advance(self) -> None:
        super()._advance()
        self.torch_threads = torch.get_num_threads()
        self.gradients = torch.is_grad_enabled()
        self.thread = threading.current_thread()


def torch_threads_of_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize(("asked", "used"), [(1, 1), (3, 3), (None, 2)])
def test_torch_threads_are_set_for_the_session_alone(asked, used):
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        engine = Watched()
        with Session(engine, torch_threads=asked) as session:
            session.step()
            assert engine.torch_threads == used
            assert torch.get_num_threads() == 2
            assert torch_threads_of_a_new_thread() == 2
        assert torch.get_num_threads() == 2
        assert torch_threads_of_a_new_thread() == 2
    finally:
        torch.set_num_threads(usual)


def test_an_engine_advances_on_the_session_s_thread_and_without_gradients():
    engine = Watched()
    session, thread = new_session(engine)
    with session:
        session.step()
        assert engine.thread is thread
        assert not engine.gradients
    assert torch.is_grad_enabled()


def test_many_threads_command_one_session_and_no_command_is_lost():
    clients, rounds = 6, 40
    engine = Counter()
    futures: dict[int, list[Future[Any]]] = defaultdict(list)
    steps: list[int] = []
    problems: list[object] = []
    frames: list[CounterFrame] = []
    with Session(engine) as session:

        def client(number: int) -> None:
            try:
                for turn in range(rounds):
                    futures[number].append(session.submit("note", (number, turn)))
                    if turn % 5 == number % 5:
                        steps.append(session.step(2) or 0)
                    elif turn % 7 == number:
                        session.pause()
                    else:
                        session.submit("resume")
                    if turn % 11 == 0:
                        with pytest.raises(ValueError, match="layer"):
                            session.add_neuron(-number)
            except BaseException as error:  # noqa: BLE001 (for the assertion below)
                problems.append(error)

        def spectator() -> None:
            frame = session.frame
            while session.status != "closed":
                frames.append(frame)
                frame = session.next_frame(frame, timeout=0.1)

        watching = threading.Thread(target=spectator)
        watching.start()
        threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
        session.pause()
        last = session.frame
    watching.join(60)
    assert not watching.is_alive()
    assert problems == []
    assert session.error is None
    assert all(0 <= made <= 2 for made in steps)
    for number in range(clients):
        assert [entry for entry in last.log if entry[0] == number] == [(number, turn) for turn in range(rounds)]
        assert all(last.log[future.result(0) - 1] == (number, turn) for turn, future in enumerate(futures[number]))
    assert len(last.log) == clients * rounds
    assert all(a.count <= b.count and b.log[: len(a.log)] == a.log for a, b in pairwise(frames))


def test_closing_while_many_threads_give_commands_answers_every_one():
    for _ in range(10):
        session = Session(Counter())
        with ThreadPoolExecutor(3) as pool:
            clients = [pool.submit(note_until_refused, session) for _ in range(3)]
            seen = session.frame
            while not seen.log:
                seen = session.next_frame(seen, timeout=60)
            session.close()
        for client in clients:
            futures, refusal = client.result()
            assert "the session is closed" in refusal
            for future in futures:
                error = future.exception(timeout=60)
                assert error is None or "closed before 'note'" in str(error)


def note_until_refused(session: Session) -> tuple[list[Future[Any]], str]:
    futures: list[Future[Any]] = []
    while True:
        try:
            futures.append(session.submit("note", 0))
        except RuntimeError as refusal:
            return futures, str(refusal)
        if len(futures) % 5 == 0:  # or the queue would grow without bound
            futures[-1].exception(timeout=60)


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_the_interpreter_ends_while_sessions_run():
    done = python("""
        import threading
        import torch
        from np_widgets.sessions.session import Session
        from tests.session_engines import Counter

        class Multiplying(Counter):
            matrix = torch.eye(200)
            def _advance(self):
                self.matrix @ self.matrix
                super()._advance()

        class Stuck(Counter):
            def _advance(self):
                threading.Event().wait()

        sessions = [Session(Multiplying()), Session(Stuck())]
        for session in sessions:
            session.resume()
        sessions[0].next_frame(sessions[0].frame)
        print("the end")
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the end\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_process_is_told_that_the_session_is_not_there():
    done = python("""
        import os
        import warnings
        from np_widgets.sessions.session import Session
        from np_widgets.sessions.turns import turns
        from tests.session_engines import Counter

        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks where there are threads
        engine = Counter()
        session = Session(engine)
        session.step(3)
        turns._lock.acquire()  # as if another session asked for its turn just now
        child = os.fork()
        if child == 0:
            for call in (session.resume, session.step, session.wait, session.next_frame):
                try:
                    call()
                except RuntimeError as error:
                    assert "forked" in str(error)
                else:
                    os._exit(1)
            session.close()
            assert session.status == "closed"
            with Session(engine) as second:
                os._exit(0 if second.step(4) == 4 and second.frame.count == 7 else 2)
        turns._lock.release()
        _, status = os.waitpid(child, 0)
        assert session.step(2) == 2
        assert session.frame.count == 5
        print(os.waitstatus_to_exitcode(status))
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_a_command_put_to_a_worker_that_has_just_closed_is_settled():
    session = Session(Counter())
    session.close()
    command = commands.sync()
    session._worker.put(command)  # by somebody who looked before it was closed
    with pytest.raises(RuntimeError, match="closed before 'sync'"):
        command.future.result(10)
