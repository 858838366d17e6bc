"""A thread that works in small quanta and obeys commands between two of them; it knows nothing of engines."""

# ruff: noqa: BLE001 (whatever is raised has to reach the user, and the thread has to live on)

from __future__ import annotations

import atexit
import queue
import threading
import time
import weakref
from abc import ABC, abstractmethod

import torch

from np_widgets.sessions.commands import Command
from np_widgets.sessions.torch_threads import set_own_torch_threads
from np_widgets.sessions.turns import turns

_LONGEST_FAREWELL = 2.0


class Commanded(ABC):
    """What the thread does is for a subclass to say, which calls :meth:`start` when it is ready."""

    def __init__(self, name: str, torch_threads: int | None) -> None:
        self.torch_threads = torch_threads
        self.closing = False
        # A SimpleQueue may be put to from a finalizer, which can interrupt any thread at any point.
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()
        _all.add(self)

    def put(self, command: Command) -> None:
        """Queue a command; its future is settled in any case."""
        self._commands.put(command)
        if self.closed:  # since the caller looked; the thread will not look into its queue again
            self._refuse_queued()

    def wake(self) -> None:
        """Let the thread look again how long it may sleep."""
        self._commands.put(None)

    def ask_to_close(self) -> None:
        """Make the thread stop before its next command or quantum; safe in a finalizer."""
        self.closing = True
        self.wake()

    def close_up(self) -> None:
        """Say farewell, and refuse what is still queued: the last deed of the thread."""
        self.closing = True
        self._farewell()
        self._refuse_queued()

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the farewell has been said."""

    @abstractmethod
    def _seconds_left(self) -> float | None:
        """Until the next quantum may be worked, at least 0; None if there is nothing to do."""

    @abstractmethod
    def _advance(self) -> None:
        """Work one quantum."""

    @abstractmethod
    def _obey(self, command: Command) -> None:
        """Do what the command says, and settle its future now or later."""

    @abstractmethod
    def _fail(self, error: BaseException) -> None:
        """Note what came out of a quantum or a command."""

    @abstractmethod
    def _farewell(self) -> None:
        """Let go of everything; raises nothing."""

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
        delay = self._seconds_left()
        if delay == 0:
            delay = turns.ask(self)
        else:
            turns.leave(self)
        try:
            command = self._commands.get(timeout=delay)
        except queue.Empty:
            command = None
        if command is not None:
            if command.future.set_running_or_notify_cancel():
                self._obey(command)
        elif delay == 0:
            self._advance()

    def _refuse_queued(self) -> None:
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            if command is not None and command.future.set_running_or_notify_cancel():
                command.future.set_exception(closed_before(command.name))


def closed_before(name: str) -> RuntimeError:
    """What a command is refused with that nobody will obey any more."""
    return RuntimeError(f"the session was closed before {name!r} was done")


def _close_all() -> None:
    # A daemon thread that is inside torch while the interpreter is torn down can crash the process.
    threads = list(_all)
    for each in threads:
        each.ask_to_close()
    deadline = time.monotonic() + _LONGEST_FAREWELL
    for each in threads:
        each.thread.join(max(deadline - time.monotonic(), 0.0))


_all: weakref.WeakSet[Commanded] = weakref.WeakSet()
atexit.register(_close_all)
