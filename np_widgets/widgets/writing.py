"""Writing to widgets: only what has changed, and all of it at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import ipywidgets
import numpy as np

_batch = threading.local()


def update(widget: ipywidgets.Widget, **values: Any) -> None:
    """Set the traits of a widget that do not have these values yet, in one message to the browser."""
    changed = {name: value for name, value in values.items() if not same(getattr(widget, name), value)}
    if changed:
        with ExitStack() as own:
            stack: ExitStack = getattr(_batch, "stack", own)
            stack.enter_context(_held(widget))
            for name, value in changed.items():
                setattr(widget, name, value)


@contextmanager
def _held(widget: ipywidgets.Widget) -> Iterator[None]:
    """Hold what changes back until the end; a widget that was closed meanwhile has nobody to send it to."""
    with widget.hold_sync():
        yield
        if widget.comm is None:
            widget._states_to_send.clear()  # noqa: SLF001 (else what it refers to is asked for its comm)


@contextmanager
def together() -> Iterator[None]:
    """Send what :func:`update` changes on this thread at the end, one message a widget and all in a row.

    So the browser draws once, and not each time some of the messages have arrived.
    """
    before = getattr(_batch, "stack", None)  # what is published may make a widget, which publishes itself
    with ExitStack() as stack:
        _batch.stack = stack
        try:
            yield
        finally:
            if before is None:
                del _batch.stack
            else:
                _batch.stack = before


def same(old: Any, new: Any) -> bool:
    """Whether two values of a trait are the same."""
    if isinstance(old, np.ndarray) or isinstance(new, np.ndarray):
        return (
            isinstance(old, np.ndarray)
            and isinstance(new, np.ndarray)
            and old.dtype == new.dtype
            and old.shape == new.shape
            # Bit by bit: gaps in lines, which are no numbers, are alike, and it takes a fifth of the time.
            and old.tobytes() == new.tobytes()
        )
    return type(old) is type(new) and bool(old == new)
