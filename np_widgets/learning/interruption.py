"""Ctrl-C at moments that are fit for it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Within it, the first SIGINT only sets what the yielded function returns.

    The second raises a KeyboardInterrupt. Those that follow do nothing: whatever the second interrupted is being put in
    order.
    """
    count = 0

    def note(number: int, where: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 2:
            signal.default_int_handler(number, where)

    try:
        previous = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread: SIGINT does not arrive here
        yield lambda: False
        return
    try:
        yield lambda: count > 0
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within it, a SIGINT waits: whoever would have got it gets it afterwards."""
    pressed = False

    def note(*_: object) -> None:
        nonlocal pressed
        pressed = True

    try:
        previous = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread: SIGINT does not arrive here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if pressed and callable(previous):
            previous(signal.SIGINT, None)
