"""Drives an engine: advances it, obeys commands between two advances, publishes frames."""

# ruff: noqa: BLE001 (whatever an engine or an observer raises has to reach the user, and the thread has to live on)

from __future__ import annotations

import functools
import math
import time
import weakref
from typing import Any

from np_widgets.learning.engine import Engine, drop_locals
from np_widgets.sessions.autosave import Autosave
from np_widgets.sessions.belongings import Belongings
from np_widgets.sessions.commanded import Commanded, closed_before
from np_widgets.sessions.commands import REQUESTS, Command
from np_widgets.sessions.history import History
from np_widgets.sessions.moments import Done
from np_widgets.sessions.pace import Pace
from np_widgets.sessions.shown import Shown

# While nobody waits for frames, a running session still makes one this often, so that a look at it is never stale.
_SECONDS_BETWEEN_FRAMES = 0.1
_LONGEST_PERIOD = 3600.0


class Worker(Commanded):
    """A thread that drives one engine; it knows nothing of the session that owns it."""

    def __init__(
        self,
        engine: Engine,
        torch_threads: int | None,
        belongings: Belongings,
        history: History,
        autosave: Autosave | None = None,
    ) -> None:
        super().__init__(f"session of a {type(engine).__name__}", torch_threads)
        self.engine = engine
        self.history = history
        self.shown = Shown(history.all_kept()[-1].frame)
        self.pace = Pace()
        self.speed: float | None = None
        self.pauses = False
        self._autosave = autosave
        self._belongings = weakref.ref(belongings)
        self._last_advance = -math.inf
        self.shown.status = self.pace.status(engine)
        self.start()

    @property
    def closed(self) -> bool:
        return self.shown.status == "closed"

    def _farewell(self) -> None:
        try:
            self._save_if_due(stopped=True)
            self._publish(self.engine.frame(), "closed")
        except BaseException as error:
            self._keep(error)
            self._publish_unobserved(None, "closed")
        self.engine.release()
        self.pace.refuse(lambda: closed_before("step"))

    def _seconds_left(self) -> float | None:
        if self.shown.status != "running":
            return None
        return max(self._last_advance + self._period() - time.monotonic(), 0.0)

    def _period(self) -> float:
        """Seconds from one advance to the next."""
        speed = self.speed  # another thread may change it between two looks
        return 0.0 if speed is None else min(1 / speed, _LONGEST_PERIOD)

    def _advance(self) -> None:
        self._last_advance = time.monotonic()
        frame, status, due, state = self.engine.attempt(self._advanced)
        self.history.advanced()
        if due:
            landmark = self.engine.landmark
            self.history.keep(landmark, frame, state, landmark.label if landmark and state is not None else None)
        self._save_if_due(stopped=status != "running", landmark=state is not None)
        self._publish(frame, status)
        self.pace.settle(status)

    def _advanced(self) -> tuple[Any, str, bool, dict[str, Any] | None]:
        """What is known after one advance.

        A new frame, or None if nobody wants one; the status; whether the moment is to be kept; and, if that was
        notable, the state.
        """
        landmark, began = self.engine.landmark, time.perf_counter()
        self.engine.advance()
        self.history.seconds += time.perf_counter() - began
        self.pace.advanced()
        reached = self.engine.landmark
        if self.pauses and reached is not None and reached.complete and reached != landmark:
            self.pace.resumed = False
        status = self.pace.status(self.engine)
        state = self.engine.state() if reached != landmark else None
        due = state is not None or status != "running" or self.history.is_due
        return self.engine.frame() if due or self._frame_is_wanted() else None, status, due, state

    def _save_if_due(self, *, stopped: bool, landmark: bool = False) -> None:
        if self._autosave is not None:
            self._autosave.if_due(self.engine, self.history, stopped=stopped, landmark=landmark)

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
            kept = self.history.undoing()
            assert kept.state is not None
            state = kept.state
            frame = self.engine.attempt(lambda: (self.engine.restore(state), self.engine.frame())[1])
        except BaseException as error:
            command.future.set_exception(error)
            if self.engine.broken:
                raise
            return
        self.history.back_to(kept)
        self.pace.halt()
        self._forgive()
        try:
            self._show_and_settle(frame)
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
            self.pace.halt()
            self._forgive()
        elif command.name in REQUESTS:
            if self.pace.resting is not None:
                self.pace.halt()
            self.pace.asked = self.engine.requested
        try:
            self._show_and_settle(frame)
        finally:
            command.future.set_result(result)

    def _last_good_frame(self) -> Any:
        """The present frame, or the last that could be made."""
        try:
            return self.engine.frame()
        except BaseException:
            return self.shown.frame

    def _change_pace(self, command: Command) -> None:
        if command.name == "step":
            self.pace.step(command)
        else:
            self.pace.halt()
            self.pace.resumed = command.name == "resume"
        if command.name != "pause":
            self._forgive()
        try:
            self._show_and_settle(self.engine.frame())
        finally:
            if command.name != "step":
                command.future.set_result(None)

    def _rest(self, reason: str) -> None:
        """Do not run until somebody wants it; steps under way are few, and somebody may have their future."""
        with self.shown.changed:  # or somebody could begin to wait just now
            if self.shown.status != "running" or self.pace.steps or self.shown.waiting or self._observed():
                return
            self.pace.resting = reason
        self._publish(self.engine.frame(), self.pace.status(self.engine))

    def _end_rest(self) -> None:
        """Somebody waits: go on where it was."""
        if self.pace.resting is not None:
            self.pace.resting = None
            self._publish(self.engine.frame(), self.pace.status(self.engine))

    def _show_and_settle(self, frame: Any) -> None:
        self._publish(frame, self.pace.status(self.engine))
        self.pace.settle(self.shown.status)

    def _fail(self, error: BaseException) -> None:
        drop_locals(error)
        self._keep(error)
        self.pace.failed = True
        frame = None
        try:
            frame = self.engine.frame()
        except BaseException as second:
            error.add_note(f"No frame could be made of the state before the failure: {second!r}")
        try:
            self._publish(frame, "failed")
        except BaseException as second:
            error.add_note(f"An observer failed when it was told: {second!r}")
        self.pace.refuse(lambda: _caused(error))

    def _keep(self, error: BaseException) -> None:
        belongings = self._belongings()
        if belongings is not None and belongings.error is None:  # the first error is the one to know
            belongings.error = error

    def _forgive(self) -> None:
        self.pace.failed = False
        belongings = self._belongings()
        if belongings is not None:
            belongings.error = None

    def _observed(self) -> bool:
        belongings = self._belongings()
        return belongings is not None and belongings.observed

    def _frame_is_wanted(self) -> bool:
        # An observer gets every frame, so that what it sees does not depend on how the work is spread over time.
        if self.shown.watchers > 0 or self._observed():
            return True
        return time.monotonic() + self._period() - self.shown.since >= _SECONDS_BETWEEN_FRAMES

    def _publish(self, frame: Any, status: str) -> None:
        """Show a new frame (None: the old one stays good) and a status together, then tell the observers."""
        if frame is None and status == self.shown.status:
            return
        self._publish_unobserved(frame, status)
        belongings = self._belongings()
        if belongings is not None:
            belongings.tell(self.shown.frame, status)

    def _publish_unobserved(self, frame: Any, status: str) -> None:
        if frame is not None:
            self.history.show(self.engine.landmark, frame)
        self.shown.show(frame, status)


def failure_message(error: BaseException) -> str:
    """One sentence that says what made a session fail."""
    return f"the session failed: {type(error).__name__}: {error}"


def _caused(error: BaseException) -> RuntimeError:
    failure = RuntimeError(failure_message(error))
    failure.__cause__ = error
    return failure
