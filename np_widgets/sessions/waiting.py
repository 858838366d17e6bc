"""Waiting that Ctrl-C can end on every platform."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from np_widgets import arguments

# On Windows Ctrl-C cannot interrupt a wait, only come between two.
LONGEST_WAIT = 0.5


def deadline(timeout: float | None) -> float:
    """The moment of ``time.monotonic()`` at which ``timeout`` seconds are over; None means never."""
    return math.inf if timeout is None else time.monotonic() + arguments.real("timeout", timeout, least=0)


def patiently(wait: Callable[[float], bool], deadline: float) -> bool:
    """Call ``wait(seconds)`` again and again until it returns True (so does this) or the deadline has passed."""
    while True:
        left = max(deadline - time.monotonic(), 0.0)
        if wait(min(left, LONGEST_WAIT)):
            return True
        if left <= LONGEST_WAIT:
            return False
