"""Controls that say what is in force: the user's to set, and replaced where they would say something else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets


class Slot:
    """Where a control stands, and later perhaps another.

    The value of a control belongs to the user, and a widget object has one writer only: two threads that write to one
    lose updates, and a value that the publisher wrote would be taken for the user's. So where a control has to say
    something else, the publisher does not write to it but puts another in its place.
    """

    def __init__(self) -> None:
        self.control: ipywidgets.Widget | None = None
        self.box = ipywidgets.HBox(layout={"overflow": "visible"})

    def put(self, control: ipywidgets.Widget | None) -> None:
        """Let this control stand here, and close the one before; once the box is closed, both are."""
        old, self.control = self.control, control
        if self.box.comm is None:
            _close(control)
        else:
            self.box.children = () if control is None else (control,)
        _close(old)


class Input:
    """An input in a slot."""

    def __init__(self, make: Callable[[Any], ipywidgets.Widget], value: Any, on_choice: Callable[[Any], None]) -> None:
        self._make = make
        self._on_choice = on_choice
        self._in_force = value
        self._disabled = self._locked = False
        self._slot = Slot()
        self.box = self._slot.box
        self._put(value)

    @property
    def value(self) -> Any:
        """What it says: what was in force when that was last shown, or what the user wants instead."""
        raw, known = self._raw, self._in_force
        if equal(raw, known):
            return known  # a box for numbers has 3.0 for 3, and rounds the largest integers
        return int(raw) if isinstance(raw, float) and isinstance(known, int) and raw % 1 == 0 else raw

    @property
    def wanted(self) -> bool:
        """Whether the user wants something else than what was in force when it was last shown."""
        return not equal(self._raw, self._in_force)

    def lock(self) -> None:
        """Say what is in force from now on, and let nobody change it; before it is shown."""
        self._disabled = self._locked = True
        self._put(self._raw)

    def show(self, value: Any, *, disabled: bool = False) -> None:
        """Say this, whatever it said; on the publisher's thread."""
        disabled = disabled or self._locked
        if disabled != self._disabled or not equal(self._raw, value):
            self._disabled = disabled
            self._put(value)
        self._in_force = value

    def follow(self, value: Any) -> None:
        """Say what is in force now, unless the user wants something else; on the publisher's thread."""
        if not equal(value, self._in_force):
            if not self.wanted:
                self._put(value)
            self._in_force = value

    @property
    def _raw(self) -> Any:
        control = self._slot.control
        assert control is not None
        return control.value

    def _put(self, value: Any) -> None:
        control = self._make(value)
        control.disabled = self._disabled
        control.observe(lambda change: self._on_choice(change["new"]), "value")
        self._slot.put(control)


def _close(control: ipywidgets.Widget | None) -> None:
    if control is not None:
        for part in (control.layout, control.style, control):
            part.close()


def equal(one: Any, other: Any) -> bool:
    """Whether two values mean the same: a browser may hand back a number rounded in its last digit."""
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)
