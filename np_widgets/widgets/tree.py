"""Which widgets belong to a widget, and closing all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import ipywidgets
import traitlets

# Most traits are of these kinds, and hold no widget.
_PLAIN = (traitlets.Bool, traitlets.Bytes, traitlets.Enum, traitlets.Float, traitlets.Int, traitlets.Unicode)


def tree(*roots: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """The widgets and all that they refer to (children, marks, axes, scales, layouts, styles), these before those."""
    found: dict[int, ipywidgets.Widget] = {}
    entered: set[int] = set()
    waiting = [(root, False) for root in reversed(roots)]
    while waiting:
        widget, left = waiting.pop()
        if left:
            found[id(widget)] = widget
        elif id(widget) not in entered:
            entered.add(id(widget))
            waiting.append((widget, True))
            waiting.extend(
                (each, False) for name in _names(widget.__class__) for each in _widgets_in(getattr(widget, name))
            )
    return list(found.values())


def close_tree(*roots: ipywidgets.Widget) -> None:
    """Close widgets and everything that they refer to.

    A widget's own ``close`` leaves all of those in the registry. They are collected first, because a closed widget
    cannot be asked any more.
    """
    for widget in tree(*roots):
        ipywidgets.Widget.close(widget)


@cache
def _names(kind: type[ipywidgets.Widget]) -> tuple[str, ...]:
    """Of the traits that the browser knows, those that can hold a widget."""
    return tuple(name for name, trait in kind.class_traits(sync=True).items() if not isinstance(trait, _PLAIN))


def _widgets_in(value: Any) -> Iterable[ipywidgets.Widget]:
    if isinstance(value, ipywidgets.Widget):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _widgets_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _widgets_in(item)
