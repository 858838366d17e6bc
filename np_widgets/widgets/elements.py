"""Buttons, inputs, rows and readouts in the style of the widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from np_widgets.widgets.theme import sized

LARGEST_SEED = 2**31 - 1
"""The largest integer that an input of a browser carries safely."""


def text_widget(css_class: str, value: str = "") -> ipywidgets.HTML:
    """A readout that the stylesheet knows by a class."""
    widget = ipywidgets.HTML(value)
    widget.add_class(css_class)
    return widget


def row(children: Sequence[ipywidgets.Widget]) -> ipywidgets.HBox:
    """Widgets side by side, on several lines if need be."""
    return _box("npw-row", children)


def group(children: Sequence[ipywidgets.Widget]) -> ipywidgets.HBox:
    """Widgets that stay together within a row."""
    return _box("npw-group", children)


def button(name: str, icon: str, tooltip: str, on_click: Callable[[], None]) -> ipywidgets.Button:
    """A button that is as wide as its name."""
    made = ipywidgets.Button(description=name, icon=icon, tooltip=tooltip, layout={"width": "auto"})
    made.on_click(lambda _: on_click())
    return made


def dropdown(name: str, options: Any, value: Any, tooltip: str, width: str) -> ipywidgets.Dropdown:
    """A choice among options, whose names may differ from their values."""
    return ipywidgets.Dropdown(options=options, value=value, **_described(name, tooltip, width))


def whole(name: str, tooltip: str, value: int, least: int, most: int, width: str) -> ipywidgets.BoundedFloatText:
    """An integer; the bounds give way to a value that is there already.

    A box for integers would leave "1.5" standing and mean 1; this one means what it says, and whoever asked for an
    integer refuses it.
    """
    return real(name, tooltip, value, least, most, 1, width)


def real(
    name: str, tooltip: str, value: float, least: float, most: float, step: float, width: str
) -> ipywidgets.BoundedFloatText:
    """A number; the bounds give way to a value that is there already."""
    return ipywidgets.BoundedFloatText(
        value=value, min=min(least, value), max=max(most, value), step=step, **_described(name, tooltip, width)
    )


def _described(name: str, tooltip: str, width: str) -> dict[str, Any]:
    return {
        "description": name,
        "tooltip": tooltip,
        "style": {"description_width": "initial"},
        "layout": {"width": sized(width)},
    }


def _box(css_class: str, children: Sequence[ipywidgets.Widget]) -> ipywidgets.HBox:
    box = ipywidgets.HBox(list(children))
    box.add_class(css_class)
    return box
