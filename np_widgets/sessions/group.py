"""Several sessions, looked at and steered as one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from np_widgets.learning.course import Course, names_of
from np_widgets.learning.engine import Engine
from np_widgets.sessions.session import Session


@dataclass(frozen=True, eq=False)
class Comparison:
    """Where several sessions stand."""

    courses: tuple[Course, ...]
    message: str
    progress: None = None


class Group:
    """What a widget needs to know of sessions that it shows together: all that it asks of a single one.

    Parameters
    ----------
    sessions
        Up to eight sessions, or engines, or widgets of sessions, that learn from the same data. A session that is made
        here for an engine is closed with the group.
    names
        What to call them; by default what they are and what differs in their settings.
    """

    # Each session has its own.
    speed: float | None = None
    pauses = False
    resting: str | None = None

    def __init__(self, sessions: Sequence[Any], names: Sequence[str] | None = None) -> None:
        found = [getattr(each, "session", each) for each in sessions]
        for index, each in enumerate(found):
            if not isinstance(each, (Session, Engine)):
                kind = type(each).__name__
                raise TypeError(f"sessions[{index}] must be a Session, an engine or a widget, got {kind}")
        if len({id(each) for each in found}) < len(found):
            raise ValueError("sessions must be different ones, got one of them twice")
        self.names = names_of([each.engine if isinstance(each, Session) else each for each in found], names)
        self._own: list[Session] = []
        self.sessions: list[Session] = []
        try:
            for each in found:
                if isinstance(each, Engine):
                    each = Session(each)  # noqa: PLW2901
                    self._own.append(each)
                self.sessions.append(each)
            self._lock = threading.Lock()
            self._seen: tuple[Any, ...] = ()
            self.frame  # noqa: B018 (what cannot be compared is refused now)
        except BaseException:
            self.close()
            raise

    @property
    def engine(self) -> Engine:
        """The first engine: all of them learn the same."""
        return self.sessions[0].engine

    @property
    def frame(self) -> Comparison:
        """The newest frame: the same object as long as no session has moved."""
        with self._lock:
            now = tuple((session.frame, session.status) for session in self.sessions)
            if len(now) != len(self._seen) or any(
                a is not c or b != d for (a, b), (c, d) in zip(now, self._seen, strict=True)
            ):
                courses = tuple(session.course(name) for session, name in zip(self.sessions, self.names, strict=True))
                self._seen, self._frame = now, Comparison(courses, self._message(courses))
            return self._frame

    @property
    def status(self) -> str:
        """``"running"`` if one session is; else what all of them are, or ``"failed"`` or ``"paused"``."""
        found = {session.status for session in self.sessions}
        if len(found) == 1:
            return found.pop()
        return next((each for each in ("running", "failed") if each in found), "paused")

    @property
    def error(self) -> BaseException | None:
        """What made the first of those that failed fail."""
        return next((session.error for session in self.sessions if session.error is not None), None)

    def attend(self) -> None:
        """Note that somebody can see the sessions."""
        for session in self.sessions:
            session.attend()

    def next_frame(self, seen: Any = None, timeout: float | None = None, *, attending: bool = True) -> Comparison:
        """The newest frame, after a moment."""
        time.sleep(min(timeout or 0.05, 0.05))
        return self.frame

    def submit(self, command: str, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a command for all sessions that are not over; the future is of all of them."""
        open_ones = [session for session in self.sessions if session.status not in ("finished", "closed")]
        whole, left, lock = Future[Any](), [len(open_ones)], threading.Lock()
        whole.set_running_or_notify_cancel()

        def settle(future: Future[Any]) -> None:
            with lock:
                left[0] -= 1
                if whole.done():
                    return
                error = future.exception()
                if error is not None:
                    whole.set_exception(error)
                elif left[0] == 0:
                    whole.set_result(None)

        for session in open_ones:
            session.submit(command, *args, **kwargs).add_done_callback(settle)
        if not open_ones:
            whole.set_result(None)
        return whole

    def close(self) -> None:
        """Close the sessions that were made here."""
        for session in self._own:
            session.close()

    def _message(self, courses: Sequence[Course]) -> str:
        known = [course for course in courses if course.row["loss"] is not None]
        if not known:
            return "Nothing has been computed yet."
        row = min((course.row for course in known), key=lambda row: row["loss"])
        made = f"{row['steps']:,} steps" + ("" if row["seconds"] is None else f" in {row['seconds']:.3g} s")
        return f"Lowest training loss: {row['name']}, {row['loss']:.3g} after {made}."
