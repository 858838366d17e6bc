"""What others see of a session while it works, and who looks."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from np_widgets.sessions.waiting import patiently


class Shown:
    """The newest frame and the status: written by the worker's thread alone, read and waited for by any.

    Attributes
    ----------
    watchers
        How many wait for a frame.
    waiting
        How many wait for the session; watchers that only show what happens do not count.
    attentions
        Grows whenever somebody shows interest.
    """

    def __init__(self, frame: Any) -> None:
        self.frame = frame
        self.status = "paused"
        self.since = -math.inf  # when the frame was made
        self.changed = threading.Condition()
        self.watchers = 0
        self.waiting = 0
        self.attentions = 0

    def show(self, frame: Any, status: str) -> None:
        """Show a new frame (None: the old one stays good) and a status together."""
        with self.changed:
            if frame is not None:
                self.frame, self.since = frame, time.monotonic()
            self.status = status
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool], end: float, watching: bool = False) -> bool:
        """Wait until a condition on frame and status holds, or the time has come."""
        with self.changed:
            self.watchers += watching
            try:
                return patiently(lambda seconds: self.changed.wait_for(condition, seconds), end)
            finally:
                self.watchers -= watching

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Within it somebody waits for the session."""
        with self.changed:
            self.waiting += 1
        self.attentions += 1
        try:
            yield
        finally:
            with self.changed:
                self.waiting -= 1
            self.attentions += 1
