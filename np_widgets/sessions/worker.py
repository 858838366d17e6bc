"""The thread behind a session: advances an engine, obeys commands between two advances, publishes frames."""

# ruff: noqa: BLE001 (whatever an engine or an observer raises has to reach the user, and the thread has to live on)

from __future__ import annotations

import atexit
import functools
import math
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import torch

from np_widgets.learning.engine import Engine, drop_locals
from np_widgets.sessions.belongings import Belongings
from np_widgets.sessions.commands import REQUESTS, Command
from np_widgets.sessions.history import Done, History
from np_widgets.sessions.torch_threads import set_own_torch_threads
from np_widgets.sessions.turns import turns

# While nobody waits for frames, a running session still makes one this often, so that a look at it is never stale.
_SECONDS_BETWEEN_FRAMES = 0.1
_LONGEST_PERIOD = 3600.0
# Of an autosave; those at landmarks may follow each other so fast that they would take most of the time.
_SECONDS_BETWEEN_SAVES = 30.0
_SHARE_OF_SAVES = 50
_LONGEST_FAREWELL = 2.0


class Worker:
    """One thread that drives one engine; it knows nothing of the session that owns it.

    ``frame`` and ``status`` are written by the worker thread alone and may be read by any; who wants to wait for them
    to change waits on ``changed``.
    """

    def __init__(
        self,
        engine: Engine,
        torch_threads: int | None,
        belongings: Belongings,
        history: History,
        save: Callable[[Engine, History], None] | None = None,
    ) -> None:
        self.engine = engine
        self.history = history
        self._save = save
        self._last_save = time.monotonic()
        self._save_took = 0.0
        self.changed = threading.Condition()
        self.speed: float | None = None
        self.watchers = 0
        self.waiting = 0  # watchers that only show what happens do not count
        self.attentions = 0
        self.resting: str | None = None
        self.closing = False
        self.torch_threads = torch_threads
        self._belongings = weakref.ref(belongings)
        # A SimpleQueue may be put to from a finalizer, which can interrupt any thread at any point.
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._failed = False
        self._resumed = False
        self._asked = False  # to run until the engine has done what was requested
        self._steps: deque[Command] = deque()
        self._last_advance = -math.inf
        self._last_frame = -math.inf
        self.frame = history.all_kept()[-1].frame
        self.status = self._current_status()
        self.thread = threading.Thread(target=self._run, name=f"session of a {type(engine).__name__}", daemon=True)
        self.thread.start()
        _workers.add(self)

    def put(self, command: Command) -> None:
        """Queue a command; its future is settled in any case."""
        self._commands.put(command)
        if self.status == "closed":  # since the caller looked; the worker will not look into its queue again
            self._refuse_queued()

    def wake(self) -> None:
        """Let the worker look again how long it may sleep."""
        self._commands.put(None)

    def ask_to_close(self) -> None:
        """Make the worker stop before its next command or advance; safe in a finalizer."""
        self.closing = True
        self.wake()

    def close_up(self) -> None:
        """Give the engine back and refuse what is still queued: the last deed of the worker thread."""
        self.closing = True
        try:
            self._save_if_due(stopped=True)
            self._publish(self.engine.frame(), "closed")
        except BaseException as error:
            self._keep(error)
            self._publish_unobserved(None, "closed")
        self.engine.release()
        while self._steps:
            self._steps.popleft().future.set_exception(_closed_before("step"))
        self._refuse_queued()

    def _run(self) -> None:
        # The mathematics does without autograd, and no_grad holds only for the thread that says so.
        with torch.no_grad():
            try:
                if self.torch_threads is not None:
                    set_own_torch_threads(self.torch_threads)
                while not self.closing:
                    try:
                        self._obey_or_advance()
                    except BaseException as error:
                        self._fail(error)
            finally:
                turns.leave(self)
                self.close_up()

    def _obey_or_advance(self) -> None:
        delay = self._delay()
        try:
            command = self._commands.get(timeout=delay)
        except queue.Empty:
            command = None
        if command is not None:
            if command.future.set_running_or_notify_cancel():
                self._obey(command)
        elif delay == 0:
            self._advance()

    def _delay(self) -> float | None:
        """Seconds until the next advance may be made, at most; None if none is to be made."""
        delay = None
        if self.status == "running":
            delay = max(self._last_advance + self._period() - time.monotonic(), 0.0)
        if delay == 0:
            return turns.ask(self)
        turns.leave(self)
        return delay

    def _period(self) -> float:
        """Seconds from one advance to the next."""
        speed = self.speed  # another thread may change it between two looks
        return 0.0 if speed is None else min(1 / speed, _LONGEST_PERIOD)

    def _advance(self) -> None:
        self._last_advance = time.monotonic()
        frame, status, due, state = self.engine.attempt(self._advanced)
        self.history.advances += 1
        if due:
            landmark = self.engine.landmark
            self.history.keep(landmark, frame, state, landmark.label if landmark and state is not None else None)
        self._save_if_due(stopped=status != "running", landmark=state is not None)
        self._publish(frame, status)
        self._settle_steps()

    def _advanced(self) -> tuple[Any, str, bool, dict[str, Any] | None]:
        """What is known after one advance.

        A new frame, or None if nobody wants one; the status; whether the moment is to be kept; and, if that was
        notable, the state.
        """
        landmark = self.engine.landmark
        self.engine.advance()
        if self._steps:
            self._steps[0].done += 1
        status = self._current_status()
        state = self.engine.state() if self.engine.landmark != landmark else None
        due = state is not None or status != "running" or self.history.is_due
        return self.engine.frame() if due or self._frame_is_wanted() else None, status, due, state

    def _save_if_due(self, *, stopped: bool, landmark: bool = False) -> None:
        if self._save is None:
            return
        since = time.monotonic() - self._last_save
        if stopped or since > _SECONDS_BETWEEN_SAVES or (landmark and since > _SHARE_OF_SAVES * self._save_took):
            began = self._last_save = time.monotonic()
            self._save(self.engine, self.history)
            self._save_took = time.monotonic() - began

    def _obey(self, command: Command) -> None:
        if command.name == "sync":
            self._end_rest()
            command.future.set_result(None)
        elif command.name == "rest":
            self._rest(command.reason)
            command.future.set_result(None)
        elif command.name == "look":
            self._look(command)
        elif command.name == "undo":
            self._undo(command)
        elif command.action is not None:
            self._act(command, command.action)
        else:
            self._change_pace(command)

    def _look(self, command: Command) -> None:
        try:
            assert command.action is not None
            command.future.set_result(command.action())
        except BaseException as error:
            command.future.set_exception(error)

    def _undo(self, command: Command) -> None:
        try:
            kept = self.history.undoing(self.engine)
            assert kept.state is not None
            state = kept.state
            frame = self.engine.attempt(lambda: (self.engine.restore(state), self.engine.frame())[1])
        except BaseException as error:
            command.future.set_exception(error)
            if self.engine.broken:
                raise
            return
        self.history.back_to(kept)
        self._halt()
        self._forgive()
        try:
            self._publish(frame, self._current_status())
            self._settle_steps()
        finally:
            command.future.set_result(None)

    def _act(self, command: Command, action: functools.partial[Any]) -> None:
        landmark, before = self.engine.landmark, self._last_good_frame()
        try:
            # Most actions are refused before they do anything, and going back may be a long way for an engine.
            state, result, frame = self.engine.attempt(
                lambda: (self.engine.settled_state(), action(), self.engine.frame()), unless_same=True
            )
        except BaseException as error:
            command.future.set_exception(error)
            if self.engine.broken:
                raise
            return  # not a failure of the session: the engine is as before, and the sender is told
        done = Done(self.history.advances, command.name, action.args, tuple(action.keywords.items()))
        self.history.keep(landmark, before, state, f"before {done}")
        self.history.told(done)
        if command.name == "reset":
            self._halt()
            self._forgive()
        elif command.name in REQUESTS:
            if self.resting is not None:
                self._halt()
            self._asked = self.engine.requested
        try:
            self._publish(frame, self._current_status())
            self._settle_steps()
        finally:
            command.future.set_result(result)

    def _last_good_frame(self) -> Any:
        """The present frame, or the last that could be made."""
        try:
            return self.engine.frame()
        except BaseException:
            return self.frame

    def _change_pace(self, command: Command) -> None:
        if command.name == "step":
            self._resumed = self._asked = False
            self.resting = None
            self._steps.append(command)
        else:
            self._halt()
            self._resumed = command.name == "resume"
        if command.name != "pause":
            self._forgive()
        try:
            self._publish(self.engine.frame(), self._current_status())
            self._settle_steps()
        finally:
            if command.name != "step":
                command.future.set_result(None)

    def _rest(self, reason: str) -> None:
        """Do not run until somebody wants it; steps under way are few, and somebody may have their future."""
        with self.changed:  # or somebody could begin to wait just now
            if self.status != "running" or self._steps or self.waiting or self._observed():
                return
            self.resting = reason
        self._publish(self.engine.frame(), self._current_status())

    def _end_rest(self) -> None:
        """Somebody waits: go on where it was."""
        if self.resting is not None:
            self.resting = None
            self._publish(self.engine.frame(), self._current_status())

    def _halt(self) -> None:
        """Neither run nor step on; the steps under way end with what they have done."""
        self._resumed = self._asked = False
        self.resting = None
        for step in self._steps:
            step.count = step.done

    def _settle_steps(self) -> None:
        """Acknowledge the steps that are done, all of them if the session does not run any more."""
        if self.status != "running" and self.resting is None:
            self._resumed = self._asked = False
        while self._steps and (self.status != "running" or self._steps[0].done >= self._steps[0].count):
            step = self._steps.popleft()
            step.future.set_result(step.done)

    def _current_status(self) -> str:
        if self._failed:
            return "failed"
        if self.engine.finished is not None:
            return "finished"
        if self.resting is not None:
            return "paused"
        wanted = self._resumed or (self._asked and self.engine.requested)
        return "running" if wanted or any(step.done < step.count for step in self._steps) else "paused"

    def _fail(self, error: BaseException) -> None:
        drop_locals(error)
        self._keep(error)
        self._failed = True
        frame = None
        try:
            frame = self.engine.frame()
        except BaseException as second:
            error.add_note(f"No frame could be made of the state before the failure: {second!r}")
        try:
            self._publish(frame, "failed")
        except BaseException as second:
            error.add_note(f"An observer failed when it was told: {second!r}")
        while self._steps:
            failure = RuntimeError(failure_message(error))
            failure.__cause__ = error
            self._steps.popleft().future.set_exception(failure)

    def _keep(self, error: BaseException) -> None:
        belongings = self._belongings()
        if belongings is not None and belongings.error is None:  # the first error is the one to know
            belongings.error = error

    def _forgive(self) -> None:
        self._failed = False
        belongings = self._belongings()
        if belongings is not None:
            belongings.error = None

    def _observed(self) -> bool:
        belongings = self._belongings()
        return belongings is not None and belongings.observed

    def _frame_is_wanted(self) -> bool:
        # An observer gets every frame, so that what it sees does not depend on how the work is spread over time.
        if self.watchers > 0 or self._observed():
            return True
        return time.monotonic() + self._period() - self._last_frame >= _SECONDS_BETWEEN_FRAMES

    def _publish(self, frame: Any, status: str) -> None:
        """Show a new frame (None: the old one stays good) and a status together, then tell the observers."""
        if frame is None and status == self.status:
            return
        self._publish_unobserved(frame, status)
        belongings = self._belongings()
        if belongings is not None:
            belongings.tell(self.frame, status)

    def _publish_unobserved(self, frame: Any, status: str) -> None:
        with self.changed:
            if frame is not None:
                self.frame = frame
                self.history.show(self.engine.landmark, frame)
                self._last_frame = time.monotonic()
            self.status = status
            self.changed.notify_all()

    def _refuse_queued(self) -> None:
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            if command is not None and command.future.set_running_or_notify_cancel():
                command.future.set_exception(_closed_before(command.name))


def failure_message(error: BaseException) -> str:
    """One sentence that says what made a session fail."""
    return f"the session failed: {type(error).__name__}: {error}"


def _closed_before(name: str) -> RuntimeError:
    return RuntimeError(f"the session was closed before {name!r} was done")


def _close_all() -> None:
    # A daemon thread that is inside torch while the interpreter is torn down can crash the process.
    workers = list(_workers)
    for worker in workers:
        worker.ask_to_close()
    deadline = time.monotonic() + _LONGEST_FAREWELL
    for worker in workers:
        worker.thread.join(max(deadline - time.monotonic(), 0.0))


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()
atexit.register(_close_all)
