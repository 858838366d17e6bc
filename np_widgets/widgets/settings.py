"""Inputs for the settings with which an engine starts over."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets

from np_widgets.widgets.elements import group
from np_widgets.widgets.inputs import Input, equal
from np_widgets.widgets.writing import update


@dataclass(frozen=True)
class Setting:
    """One setting and its inputs."""

    name: str
    label: str
    inputs: tuple[Input, ...]
    several: bool = False
    applies: Callable[[], bool] = lambda: True

    @property
    def value(self) -> Any:
        """What the user wants."""
        values = tuple(each.value for each in self.inputs)
        return values if self.several else values[0]

    def differs(self, frame: Any) -> bool:
        """Whether the user has asked for another value than the one in force."""
        pairs = zip(self.inputs, self._in(frame), strict=True)
        return any(each.wanted and not equal(each.value, value) for each, value in pairs)

    def follow(self, frame: Any) -> None:
        """Let the inputs say what is in force, but for what the user has asked for; on the publisher's thread."""
        for each, value in zip(self.inputs, self._in(frame), strict=True):
            each.follow(value)

    def _in(self, frame: Any) -> tuple[Any, ...]:
        value = getattr(frame, self.name)
        return tuple(value) if self.several else (value,)

    def __str__(self) -> str:
        value = self.value
        return f"{self.label} {value:g}" if isinstance(value, (int, float)) else f"{self.label} {value}"


class Settings:
    """Settings whose values take effect at the next reset."""

    def __init__(self, settings: Sequence[Setting], hidden: Container[str]) -> None:
        self._all = settings
        self._shown = [setting for setting in settings if setting.name not in hidden]
        self.shown: list[ipywidgets.Widget] = [group([each.box for each in setting.inputs]) for setting in self._shown]
        # So none is alone on a line.
        self.shown[-2:] = [group(self.shown[-2:])] if len(self.shown) > 2 else self.shown[-2:]
        self.widgets: list[ipywidgets.Widget] = [
            *self.shown,
            *(each.box for setting in settings for each in setting.inputs),
        ]

    def inputs_of(self, name: str) -> Sequence[Input]:
        """The inputs of one setting."""
        return next(setting.inputs for setting in self._all if setting.name == name)

    def changes(self, frame: Any) -> list[Setting]:
        """What the next reset would change; ``frame`` has the settings in force."""
        return [setting for setting in self._shown if setting.applies() and setting.differs(frame)]

    def follow(self, frame: Any) -> None:
        """Let all inputs say what is in force, but for what the user has asked for; on the publisher's thread.

        What does not apply is not displayed.
        """
        for setting in self._all:
            setting.follow(frame)
        for setting in self._all:
            for each in setting.inputs:
                update(each.box.layout, display=None if setting.applies() else "none")
