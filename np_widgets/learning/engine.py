"""What a session can run: work cut into small, deterministic quanta."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Engine(ABC):
    """A computation that goes on in small steps and can be looked at, saved and steered between them.

    No clock decides anything inside an engine: whoever drives it does the timing, so the same calls in the same order
    give bitwise the same result however they are spread over time. What a user may do to it besides are ordinary
    methods, called between two quanta.
    """

    _driver: str | None = None

    @abstractmethod
    def advance(self) -> None:
        """Do one bounded quantum of work, some milliseconds; nothing if :attr:`finished` is set.

        An exception leaves the engine as it was before the call, or restorable by :meth:`restore`.
        """

    @property
    @abstractmethod
    def finished(self) -> object | None:
        """The reason why nothing is left to do (``str()`` of it is a sentence), or None."""

    @property
    def requested(self) -> bool:
        """Whether something that a command asked for is still under way; who paused it lets it be done first."""
        return False

    @abstractmethod
    def frame(self) -> Any:
        """A frozen dataclass of plain numbers and copied arrays that shows where the engine stands; changes nothing."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here, as arrays and plain values that nothing else will change.

        A session asks for it before every advance, so it should cost little beside one.
        """

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""

    def claim(self, driver: str) -> None:
        """Let ``driver`` alone advance this engine, until :meth:`release`.

        Raises
        ------
        RuntimeError
            If somebody drives it already.
        """
        self.require_free("be driven by a second session")
        self._driver = driver

    def release(self) -> None:
        """Undo :meth:`claim`."""
        self._driver = None

    def require_free(self, purpose: str) -> None:
        """Raise a ``RuntimeError`` if a session drives this engine."""
        if self._driver is not None:
            raise RuntimeError(
                f"this {type(self).__name__} cannot {purpose}: {self._driver} drives it; use the session's methods, "
                "or close the session first"
            )
