"""What a user sees of a widget, and waiting for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bqplot
import ipywidgets
import numpy as np
from ipywidgets.widgets.widget import _instances

PATIENCE = 60.0


@contextmanager
def nothing_left_behind() -> Iterator[None]:
    """What is made inside must be closed inside: then registry and threads are as they were."""
    widgets, threads = set(_instances), set(threading.enumerate())
    yield
    assert set(_instances) == widgets
    assert [thread for thread in threading.enumerate() if thread not in threads] == []


def parts(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Yield what a user sees of a widget, in order."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def control(widget: Any, name: str) -> Any:
    """The control of this name, as the user finds it."""
    widget.catch_up()
    return next(part for part in parts(widget) if getattr(part, "description", None) == name)


def names(widget: ipywidgets.Widget) -> set[str]:
    return {part.description for part in parts(widget) if getattr(part, "description", None)}


def seen(widget: ipywidgets.Widget) -> set[str]:
    """The names of the controls that are displayed."""
    if widget.layout.display == "none":
        return set()
    below: set[str] = set().union(*(seen(child) for child in getattr(widget, "children", ())))
    return below | {name for name in [getattr(widget, "description", None)] if name}


def text(widget: Any) -> str:
    """All that the readouts say, once the session's present is published."""
    widget.catch_up()
    return "\n".join(part.value for part in parts(widget) if isinstance(part, ipywidgets.HTML))


def figures(widget: ipywidgets.Widget) -> list[bqplot.Figure]:
    return [part for part in parts(widget) if isinstance(part, bqplot.Figure)]


def shown(widget: Any) -> dict[str, Any]:
    """Everything the marks that are seen hold, copied."""
    widget.catch_up()
    marks = [mark for figure in figures(widget) for mark in figure.marks]
    return {
        f"{mark.model_id}.{name}": np.array(getattr(mark, name))
        for mark in marks
        for name in ("x", "y", "color")
        if mark.visible and getattr(mark, name, None) is not None
    }


def differ(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Which of what :func:`shown` returns has changed."""
    return [key for key in before | after if key not in before or key not in after or not same(before[key], after[key])]


def same(one: Any, other: Any) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f" and other.dtype.kind == "f")


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
