"""A drop-down whose options change while the user may be using it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets


class Chooser:
    """A box that holds a drop-down, and a new one when the options change.

    The value of a drop-down belongs to the user, and a widget object has one writer only: so the publisher, which
    learns of new options, does not write to the drop-down but puts another in its place.

    Parameters
    ----------
    description
        What stands before it.
    tooltip
        What it does.
    on_choice
        Called without arguments when the user has chosen, on whichever thread receives the kernel's messages.
    width
        Of the drop-down, in CSS units.
    """

    def __init__(self, description: str, tooltip: str, on_choice: Callable[[], None], width: str) -> None:
        self._description = description
        self._tooltip = tooltip
        self._on_choice = on_choice
        self._width = width
        self._options: tuple[tuple[str, int], ...] = ()
        self._dropdown: ipywidgets.Dropdown | None = None
        self.box = ipywidgets.HBox(layout={"overflow": "visible"})

    @property
    def value(self) -> int | None:
        """The value that is chosen; None if there is nothing to choose from."""
        dropdown = self._dropdown
        return None if dropdown is None else dropdown.value

    def offer(self, options: Sequence[tuple[str, int]]) -> None:
        """Offer these ``(label, value)``; what was chosen stays chosen if it is still among them, else the first is.

        With less than two options there is nothing to choose, and no drop-down.
        """
        options = tuple(options)
        if options == self._options:
            return
        chosen, old = self.value, self._dropdown
        new = self._made(options, chosen) if len(options) > 1 else None
        self._options, self._dropdown = options, new
        self.box.children = () if new is None else (new,)
        if old is not None:
            for part in (old.layout, old.style, old):
                part.close()

    def _made(self, options: Sequence[tuple[str, int]], chosen: int | None) -> ipywidgets.Dropdown:
        values = [value for _, value in options]
        dropdown = ipywidgets.Dropdown(
            options=options,
            value=chosen if chosen in values else values[0],
            description=self._description,
            tooltip=self._tooltip,
            style={"description_width": "initial"},
            layout={"width": self._width},
        )
        dropdown.observe(lambda _: self._on_choice(), "value")
        return dropdown


def weight_matrices(count: int) -> list[tuple[str, int]]:
    """``(label, layer)`` of the weight matrices of a network, for a chooser."""
    return [(f"layer {layer}" if layer < count else "the output", layer) for layer in range(1, count + 1)]
