"""Writing to a widget only what has changed."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np


def update(widget: ipywidgets.Widget, **values: Any) -> None:
    """Set the traits of a widget that do not have these values yet, in one message to the browser."""
    changed = {name: value for name, value in values.items() if not _same(getattr(widget, name), value)}
    if changed:
        with widget.hold_sync():
            for name, value in changed.items():
                setattr(widget, name, value)


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        return (
            isinstance(old, np.ndarray)
            and isinstance(new, np.ndarray)
            and old.dtype == new.dtype
            and np.array_equal(old, new, equal_nan=old.dtype.kind == "f")
        )
    return type(old) is type(new) and bool(old == new)
