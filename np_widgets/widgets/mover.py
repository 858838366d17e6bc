"""Dots that can be dragged, moved from the keyboard as well: a choice of the dot, and a number for its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import ipywidgets

from np_widgets.pictures.scene import Dots, Key, Scene
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.elements import group, real
from np_widgets.widgets.inputs import Slot, equal


class _Movable(NamedTuple):
    """One dot, and the number that stands for its place: its height, or the angle that it is seen at."""

    mark: Dots
    member: int

    @property
    def name(self) -> str:
        return self.mark.reads[self.member].partition(":")[0]

    @property
    def value(self) -> float:
        x, y = float(self.mark.x[self.member]), float(self.mark.y[self.member])
        if self.mark.moves == "up":
            return round(y, 3)
        return round(math.degrees(math.atan2(y, x)), 1) + 0.0  # no minus zero

    def place(self, value: float) -> tuple[float, float]:
        """Where the dot is with another number."""
        if self.mark.moves == "up":
            return float(self.mark.x[self.member]), value
        return math.cos(math.radians(value)), math.sin(math.radians(value))


class Mover:
    """A row below a picture, while there is something to move in it."""

    def __init__(self, on_choice: Callable[[], None], on_move: Callable[[Key, Dots, float, float], None]) -> None:
        self._on_move = on_move
        self._movable: list[_Movable] = []
        self._shown: tuple[Key, str, float] | None = None
        self._which = Chooser("Move", "What to move: dragging in the picture does the same", on_choice, "230px")
        self._slot = Slot()
        self.box = group([self._which.box, self._slot.box])

    @property
    def chosen(self) -> int:
        """Which of the dots is chosen."""
        return self._which.value or 0

    def show(self, scene: Scene) -> None:
        """Offer what can be moved, and say where the one that is chosen is; on the publisher's thread."""
        marks = [mark for mark in scene.marks if isinstance(mark, Dots) and mark.moves]
        self._movable = found = [_Movable(mark, member) for mark in marks for member in range(len(mark.keys))]
        self._which.offer([(each.name, place) for place, each in enumerate(found)])
        here = found[self.chosen] if found else None
        shown = None if here is None else (here.mark.keys[here.member][0], here.mark.moves, here.value)
        # The picture as it was is no answer yet to what the user has just asked for.
        if shown == self._shown:
            return
        before, self._shown = self._shown, shown
        control = self._slot.control
        if here is None or shown is None or before is None or control is None or before[:2] != shown[:2]:
            self._slot.put(None if here is None else self._made(here))
        elif not equal(control.value, here.value):  # else the one that the user is turning stays, and the focus on it
            self._slot.put(self._made(here))

    def _made(self, here: _Movable) -> ipywidgets.Widget:
        if here.mark.moves == "up":
            made = real("to", "How large the weight is, from −1 to 1", here.value, -1.0, 1.0, 0.1, "110px")
        else:
            made = real("to angle °", "Where the neuron points, −180° to 180°", here.value, -180.0, 180.0, 5.0, "150px")
        made.observe(lambda change: self._move(here, change["new"]), "value")
        return made

    def _move(self, here: _Movable, value: float) -> None:
        key = here.mark.keys[here.member][0]
        # Where the others are may have changed since this control was made.
        newest = [each for each in self._movable if each.mark.keys[each.member][0] == key]
        if newest:
            self._on_move(key, newest[0].mark, *newest[0].place(value))
