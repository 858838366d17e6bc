"""Whose turn it is to compute: the sessions of a process take turns."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

# Threads that run small torch operations at the same time hand the interpreter's lock over at every one of them, and
# are slower together than one after the other. In a turn of this length such a change costs nothing.
SECONDS = 0.03
# Whoever is inside one quantum for so long is inside a long operation, or waits: the next need not wait for that.
LONGEST_WAIT = 0.1


class Sleeper(Protocol):
    """Somebody who waits for a turn."""

    def wake(self) -> None:
        """Make it ask again."""


class Turns:
    """Hands the turn round, each in the order in which they asked; who is alone has it all the time.

    Parameters
    ----------
    clock
        Tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Start anew: in a forked process nobody who had asked is there any more."""
        self._lock = threading.Lock()
        self._holder: Sleeper | None = None
        self._since = 0.0
        self._waiting: deque[Sleeper] = deque()

    def ask(self, sleeper: Sleeper) -> float:
        """Seconds to sleep before asking again, unless woken; 0 if it is this one's turn for one quantum."""
        with self._lock:
            now = self._clock()
            if self._holder is sleeper:
                if not self._waiting or now - self._since < SECONDS:
                    return 0.0
                self._waiting.append(sleeper)
                self._pass_on(now)
            elif self._holder is None:
                self._begin(sleeper, now)
                return 0.0
            elif sleeper not in self._waiting:
                self._waiting.append(sleeper)
            if self._waiting[0] is sleeper and now - self._since >= LONGEST_WAIT:
                self._begin(self._waiting.popleft(), now)
                return 0.0
            return max(self._since + LONGEST_WAIT - now, SECONDS)

    def leave(self, sleeper: Sleeper) -> None:
        """Give up the turn, or the wish for one; no effect without either."""
        with self._lock:
            if self._holder is sleeper:
                self._pass_on(self._clock())
            elif sleeper in self._waiting:
                self._waiting.remove(sleeper)

    def _pass_on(self, now: float) -> None:
        if self._waiting:
            following = self._waiting.popleft()
            self._begin(following, now)
            following.wake()
        else:
            self._holder = None

    def _begin(self, sleeper: Sleeper, now: float) -> None:
        self._holder, self._since = sleeper, now


turns = Turns()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=turns.forget)
