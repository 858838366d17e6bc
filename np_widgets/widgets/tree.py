"""Which widgets belong to a widget, and closing all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ipywidgets


def close_tree(*roots: ipywidgets.Widget) -> None:
    """Close widgets and everything that they refer to: children, marks, axes, scales, layouts, styles.

    A widget's own ``close`` leaves all of those in the registry. They are collected first, because a closed widget
    cannot be asked any more.
    """
    found: dict[int, ipywidgets.Widget] = {}
    waiting = list(roots)
    while waiting:
        widget = waiting.pop()
        if id(widget) not in found:
            found[id(widget)] = widget
            for name in widget.keys:
                waiting.extend(_widgets_in(getattr(widget, name)))
    for widget in found.values():
        ipywidgets.Widget.close(widget)


def _widgets_in(value: Any) -> Iterable[ipywidgets.Widget]:
    if isinstance(value, ipywidgets.Widget):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _widgets_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _widgets_in(item)
