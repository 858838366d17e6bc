"""A drop-down whose options change while the user may be using it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from np_widgets.widgets.elements import dropdown
from np_widgets.widgets.inputs import Slot


class Chooser:
    """A drop-down, and a new one when the options change."""

    def __init__(self, description: str, tooltip: str, on_choice: Callable[[], None], width: str) -> None:
        self._description = description
        self._tooltip = tooltip
        self._on_choice = on_choice
        self._width = width
        self._options: tuple[tuple[str, int], ...] = ()
        self._slot = Slot()
        self.box = self._slot.box

    @property
    def value(self) -> int | None:
        """The value that is chosen; None if there is nothing to choose from."""
        control = self._slot.control
        return None if control is None else control.value

    def offer(self, options: Sequence[tuple[str, int]]) -> None:
        """Offer these ``(label, value)``; what was chosen stays chosen if it is still among them, else the first is.

        With less than two options there is nothing to choose, and no drop-down.
        """
        options = tuple(options)
        if options != self._options:
            new = self._made(options, self.value) if len(options) > 1 else None
            self._options = options
            self._slot.put(new)

    def _made(self, options: Sequence[tuple[str, int]], chosen: int | None) -> ipywidgets.Dropdown:
        values = [value for _, value in options]
        value = chosen if chosen in values else values[0]
        made = dropdown(self._description, options, value, self._tooltip, self._width)
        made.observe(lambda _: self._on_choice(), "value")
        return made


def weight_matrices(count: int) -> list[tuple[str, int]]:
    """``(label, layer)`` of the weight matrices of a network, for a chooser."""
    return [(f"layer {layer}" if layer < count else "the output", layer) for layer in range(1, count + 1)]
