"""What belongs to a session rather than to its worker: its observers, and the error that made it fail."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

Observer = Callable[[Any, str], object]


class Belongings:
    """Functions called with ``(frame, status)``, and an error.

    An observer usually refers to its session, and so does the traceback of an error that it raised. The worker refers
    to all this weakly: else its thread would keep a session alive that nobody wants any more.

    Attributes
    ----------
    error
        What made the session fail, or None.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._lock = threading.RLock()  # a finalizer that unsubscribes may interrupt somebody who has it
        self._observers: dict[object, Observer] = {}  # replaced, never changed: it may be iterated over meanwhile

    @property
    def observed(self) -> bool:
        """Whether there is any observer."""
        return bool(self._observers)

    def add(self, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` from now on; the function returned ends that, and may be called twice."""
        key = object()
        with self._lock:
            self._observers = {**self._observers, key: observer}
        remove = weakref.WeakMethod(self._remove)  # who holds the function returned does not hold the session, too

        def unsubscribe() -> None:
            bound = remove()
            if bound is not None:
                bound(key)

        return unsubscribe

    def tell(self, frame: Any, status: str) -> None:
        """Call every observer; drop those that raise, then raise what the first of them raised."""
        errors = []
        for key, observer in self._observers.items():
            try:
                observer(frame, status)
            except BaseException as error:  # noqa: BLE001 (raised again when all have been told)
                errors.append(error)
                self._remove(key)
        if errors:
            raise errors[0]

    def _remove(self, key: object) -> None:
        with self._lock:
            self._observers = {other: observer for other, observer in self._observers.items() if other is not key}
