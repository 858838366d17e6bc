"""Inputs for the settings with which an engine starts over."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets


@dataclass(frozen=True)
class Setting:
    """One setting and its inputs.

    Attributes
    ----------
    name
        As the engine's ``reset``, its frames and ``hide`` know it.
    label
        What messages call it.
    inputs
        Where the user sets it.
    several
        Whether its value is a tuple, with one item for each input.
    applies
        Whether it matters, given what the other inputs say; it is sent and spoken of only then.
    """

    name: str
    label: str
    inputs: tuple[ipywidgets.Widget, ...]
    several: bool = False
    applies: Callable[[], bool] = lambda: True

    @property
    def value(self) -> Any:
        """What the user wants."""
        values = tuple(widget.value for widget in self.inputs)
        return values if self.several else values[0]

    def differs(self, frame: Any) -> bool:
        """Whether the user wants another value than the one in force."""
        value, other = self.value, getattr(frame, self.name)
        # A browser may hand back a number rounded in its last digit.
        return not (math.isclose(value, other, rel_tol=1e-9) if isinstance(value, float) else value == other)

    def __str__(self) -> str:
        value = self.value
        return f"{self.label} {value:g}" if isinstance(value, (int, float)) else f"{self.label} {value}"


class Settings:
    """Settings whose values take effect at the next reset.

    Parameters
    ----------
    settings
        All there are.
    hidden
        Names of settings to leave out.
    on_change
        Called when the user has changed one.

    Attributes
    ----------
    shown
        The inputs that are not hidden.
    widgets
        All of them.
    """

    def __init__(self, settings: Sequence[Setting], hidden: Container[str], on_change: Callable[[], None]) -> None:
        self._shown = [setting for setting in settings if setting.name not in hidden]
        self.shown: list[ipywidgets.Widget] = [widget for setting in self._shown for widget in setting.inputs]
        self.widgets: list[ipywidgets.Widget] = [widget for setting in settings for widget in setting.inputs]
        for widget in self.shown:
            widget.observe(lambda _: on_change(), "value")

    def changes(self, frame: Any) -> list[Setting]:
        """What the next reset would change; ``frame`` has the settings in force."""
        return [setting for setting in self._shown if setting.applies() and setting.differs(frame)]
