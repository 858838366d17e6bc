"""A moment that a session remembers, and an action that it was told to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from np_widgets import arguments


@dataclass(frozen=True)
class Moment:
    """A moment that a history keeps.

    Attributes
    ----------
    number
        Tells it apart from all others of its history.
    advance
        How many advances the session had made.
    label
        What happened then, in words.
    can_go_on
        Whether the state is kept: a session can branch off there.
    """

    number: int
    advance: int
    label: str
    can_go_on: bool = False


@dataclass(frozen=True)
class Done:
    """An action that the engine was told to do after so many advances."""

    advance: int
    action: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        given = [*map(arguments.shown, self.args), *(f"{name}={arguments.shown(value)}" for name, value in self.kwargs)]
        return f"{self.action}({', '.join(given)})"


@dataclass(frozen=True, eq=False)
class Kept:
    """A moment with all that is known of it; ``commands`` and ``additions`` count those before it."""

    number: int
    advance: int
    label: str | None  # None: what the frame says
    frame: Any
    state: dict[str, Any] | None = None
    commands: int = 0
    additions: int = 0
    seconds: float = 0.0  # of computing that led here

    @property
    def moment(self) -> Moment:
        """What a user sees of it."""
        label = self.label or getattr(self.frame, "message", None) or f"advance {self.advance}"
        return Moment(self.number, self.advance, label, self.state is not None)

    @property
    def is_ordinary(self) -> bool:
        """Whether nothing notable happened then."""
        return self.state is None and self.label is None
