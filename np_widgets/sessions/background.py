"""An engine that works in the background: looked at, waited for, and sent commands from any thread."""

from __future__ import annotations

import concurrent.futures
import math
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any, Self

from np_widgets import arguments
from np_widgets.learning.engine import Engine
from np_widgets.sessions import commands
from np_widgets.sessions.autosave import Autosave
from np_widgets.sessions.belongings import Belongings, Observer
from np_widgets.sessions.history import History
from np_widgets.sessions.waiting import LONGEST_WAIT, deadline, patiently
from np_widgets.sessions.worker import Worker, failure_message


class Background:
    """What a session is, whatever it may be told to do."""

    def _begin(
        self,
        engine: Engine,
        torch_threads: int | None,
        history: History | int,
        autosave: str | os.PathLike[str] | None = None,
    ) -> None:
        self._belongings = Belongings()
        save = None if autosave is None else Autosave(autosave, torch_threads)
        engine.claim("a Session")
        try:
            past = history if isinstance(history, History) else History(engine, history)
            self._worker = Worker(engine, torch_threads, self._belongings, past, save)
        except BaseException:
            engine.release()
            raise
        weakref.finalize(self, self._worker.ask_to_close).atexit = False

    @property
    def engine(self) -> Engine:
        """The engine. While the session runs, its attributes change under the eyes of who reads them."""
        return self._worker.engine

    @property
    def status(self) -> str:
        """``"paused"``, ``"running"``, ``"finished"``, ``"failed"`` or ``"closed"``."""
        return self._worker.shown.status

    @property
    def frame(self) -> Any:
        """The newest frame of the engine: immutable, and while the session runs not older than about 0.1 s."""
        return self._worker.shown.frame

    @property
    def error(self) -> BaseException | None:
        """What made the session fail, or None; kept after :meth:`close`."""
        return self._belongings.error

    @property
    def resting(self) -> str | None:
        """Why a session rests that would run if anybody could see it, or None; see the notes above."""
        # It is set a moment before the status is.
        return self._worker.pace.resting if self.status == "paused" else None

    @property
    def attentions(self) -> int:
        """Grows whenever somebody gives a command, waits, asks whether it failed, or is known to see the session."""
        return self._worker.shown.attentions

    def attend(self) -> None:
        """Note that somebody can see the session."""
        self._worker.shown.attentions += 1

    @property
    def speed(self) -> float | None:
        """Advances per second, at least one an hour; None for as many as possible. Holds for ``step``, too."""
        return self._worker.speed

    @speed.setter
    def speed(self, value: float | None) -> None:
        checked = None if value is None else arguments.real("speed", value, above=0)
        self._require_open("speed")
        self._worker.speed = checked
        self._worker.wake()

    @property
    def pauses(self) -> bool:
        """Whether :meth:`resume` runs only to the next landmark: of a pursuit until the next network is trained."""
        return self._worker.pauses

    @pauses.setter
    def pauses(self, value: bool) -> None:
        self._require_open("pauses")
        self._worker.pauses = arguments.flag("pauses", value)

    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a command and return at once: what the callback of a button should use.

        Parameters
        ----------
        command
            ``"resume"``, ``"pause"``, ``"step"``, ``"undo"``, ``"apply"``, or the name of an action of the
            engine; or ``"rest"`` with a reason: see the notes of the class.
        *args, **kwargs
            What the method of that name takes.

        Returns
        -------
        concurrent.futures.Future
            Holds the result of the command once it is done, or what made it be refused. Its callbacks run on the
            session's thread.

        Raises
        ------
        TypeError, ValueError
            If there is no such command, or it does not take these arguments.
        RuntimeError
            If the session is closed.
        """
        self._require_open(command)
        checked = commands.command(self.engine, command, *args, **kwargs)
        if command != "rest":
            self.attend()
        return self._queue(checked)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything that was queued before is obeyed and the session does not run.

        Parameters
        ----------
        timeout
            At most so many seconds; None for any time.

        Returns
        -------
        bool
            True if the session is paused, finished, failed or closed, and :attr:`frame` its last frame; False if the
            time was over. The session goes on in that case, as it does when Ctrl-C ends the waiting.

        Raises
        ------
        RuntimeError
            On the session's own thread, which would wait for itself.
        """
        end = deadline(timeout)
        self._require_able_to_wait("wait")
        if self.status == "closed":
            return True
        with self._worker.shown.attended():
            if not self._wait_for_future(self._queue(commands.sync()), end):
                return False
            return self._worker.shown.wait_for(lambda: self.status != "running", end)

    def next_frame(self, seen: Any = None, timeout: float | None = None, *, attending: bool = True) -> Any:
        """Wait for a frame other than ``seen``, and return the newest: what a display should loop on.

        While somebody waits, a frame is made after the next advance. Once the session is closed there will be none, and
        the last one is returned at once.

        Parameters
        ----------
        seen
            The frame already known, compared by identity.
        timeout
            At most so many seconds, after which the newest frame is returned though it be ``seen``; None for any time.
        attending
            Whether this counts as waiting for the session, which keeps it from resting.

        Raises
        ------
        RuntimeError
            On the session's own thread, which would wait for itself.
        """
        end = deadline(timeout)
        self._require_able_to_wait("next_frame")
        with self._worker.shown.attended() if attending else nullcontext():
            if attending and self._worker.pace.resting is not None:
                self._queue(commands.sync())
            self._worker.shown.wait_for(lambda: self.frame is not seen or self.status == "closed", end, watching=True)
        return self.frame

    def observe(self, callback: Observer) -> Callable[[], None]:
        """Call ``callback(frame, status)`` on the session's thread after every advance, command and change of status.

        The sequence of frames is the same however the work is spread over time. The session waits while the callback
        runs. One that raises makes the session fail and is not called again.

        Returns
        -------
        callable
            Ends the subscription.
        """
        if not callable(callback):
            raise TypeError(f"callback must be a function of a frame and a status, got {callback!r}")
        self._require_open("observe")
        end = self._belongings.add(callback)
        if self._worker.pace.resting is not None:
            self._queue(commands.sync())
        return end

    def raise_if_failed(self) -> None:
        """Raise a ``RuntimeError`` from :attr:`error` if the session has failed."""
        self.attend()
        error = self.error
        if error is not None:
            raise RuntimeError(failure_message(error)) from error

    def close(self) -> None:
        """Stop after the current advance, let go of the engine, and refuse what is still queued; may be repeated.

        Returns when the session's thread has ended; on that thread itself, at once.
        """
        self._worker.ask_to_close()
        thread = self._worker.thread
        if threading.current_thread() is thread:
            return
        while thread.is_alive():
            thread.join(LONGEST_WAIT)
        if self.status != "closed":  # a forked process has a copy of the session, but not of its thread
            self._worker.close_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        why = "" if self.resting is None else f" ({self.resting})"
        return f"<Session of a {type(self.engine).__name__}: {self.status}{why}>"

    def _call(self, command: str, /, *args: Any, **kwargs: Any) -> Any:
        future = self.submit(command, *args, **kwargs)
        if threading.current_thread() is self._worker.thread:
            return None
        self._wait_for_future(future, math.inf)
        return future.result()

    def _looked(self, function: Callable[[], Any]) -> Any:
        """What ``function`` returns between two advances."""
        if threading.current_thread() is self._worker.thread or self.status == "closed":
            return function()
        self._require_not_forked("look")
        future = self._queue(commands.look(function))
        try:
            self._wait_for_future(future, math.inf)
            return future.result()
        except RuntimeError:
            if self.status != "closed":
                raise
            return function()  # it was closed before it looked

    def _queue(self, command: commands.Command) -> Future[Any]:
        self._worker.put(command)
        return command.future

    def _wait_for_future(self, future: Future[Any], end: float) -> bool:
        return patiently(lambda seconds: bool(concurrent.futures.wait([future], seconds).done), end)

    def _require_open(self, name: str) -> None:
        if self._worker.closing:
            raise RuntimeError(f"the session is closed: {name!r} is not possible any more")
        self._require_not_forked(name)

    def _require_able_to_wait(self, name: str) -> None:
        if threading.current_thread() is self._worker.thread:
            raise RuntimeError(f"{name!r} is not possible on the session's own thread: it would wait for itself")
        self._require_not_forked(name)

    def _require_not_forked(self, name: str) -> None:
        if self.status != "closed" and not self._worker.thread.is_alive():
            raise RuntimeError(f"this process was forked without the session's thread: {name!r} is not possible")
