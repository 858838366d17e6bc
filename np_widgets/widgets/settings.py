"""Inputs for the settings with which a pursuit starts over."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import ipywidgets

from np_widgets.learning.growth import PursuitFrame

_LARGEST_SEED = 2**31 - 1  # what a browser's integers carry safely


class SettingControls:
    """Inputs whose values take effect at the next reset.

    Parameters
    ----------
    frame
        Gives the values to begin with.
    hidden
        Names of inputs to leave out.
    on_change
        Called when the user has changed one.

    Attributes
    ----------
    shown
        The inputs that are not hidden.
    widgets
        All of them.
    """

    def __init__(self, frame: PursuitFrame, hidden: Container[str], on_change: Callable[[], None]) -> None:
        inputs = {
            "seed": _whole("Seed", "Of all random starts", frame.seed, 0, _LARGEST_SEED, "130px"),
            "hidden_layers": _whole("Hidden layers", "How deep the network is", frame.hidden_layers, 1, 8, "140px"),
            "power": _whole("Power p", "Of the activation max(z, αz)^p: 1, 2, …", frame.power, 1, 6, "110px"),
            "leak": ipywidgets.BoundedFloatText(
                value=frame.leak,
                min=-1.0,
                max=1.0,
                step=0.1,
                description="Leak α",
                tooltip="Of the activation max(z, αz)^p, from −1 to 1: 0 is a ReLU",
                style={"description_width": "initial"},
                layout={"width": "110px"},
            ),
        }
        self._shown = {name: widget for name, widget in inputs.items() if name not in hidden}
        self.shown = list(self._shown.values())
        self.widgets = list(inputs.values())
        for widget in self.shown:
            widget.observe(lambda _: on_change(), "value")

    @property
    def values(self) -> dict[str, Any]:
        """What the user wants, by the names that ``reset`` knows."""
        return {name: widget.value for name, widget in self._shown.items()}

    def pending(self, frame: PursuitFrame) -> list[str]:
        """Which settings the next reset would change, in words."""
        return [
            f"{widget.description.lower()} {widget.value:g}"
            for name, widget in self._shown.items()
            if widget.value != getattr(frame, name)
        ]


def _whole(name: str, tooltip: str, value: int, least: int, most: int, width: str) -> ipywidgets.BoundedIntText:
    return ipywidgets.BoundedIntText(
        value=value,
        min=least,
        max=max(most, value),
        description=name,
        tooltip=tooltip,
        style={"description_width": "initial"},
        layout={"width": width},
    )
