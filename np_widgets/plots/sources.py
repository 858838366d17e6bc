"""What can be drawn: an engine, a session that drives one, a widget that shows one, or a frame."""

from __future__ import annotations

from typing import Any, TypeVar

from np_widgets import arguments
from np_widgets.learning.engine import Engine

F = TypeVar("F")


def frame_of(source: Any, kind: type[F], engine: str) -> F:
    """The frame of ``source``, which must be of the given kind; ``engine`` names what makes such frames.

    Raises
    ------
    TypeError
        If ``source`` has no such frame.
    RuntimeError
        If it is an engine that a session drives: another thread may be changing it.
    """
    frame = source
    if isinstance(source, Engine):
        source.require_free("be drawn")
        frame = source.frame()
    elif not isinstance(source, kind):
        frame = getattr(getattr(source, "session", source), "frame", None)
    if not isinstance(frame, kind):
        raise TypeError(f"source must be a {engine}, a session or widget of one, or a frame, got {named(source)}")
    return frame


def named(value: object) -> str:
    """How a message shows a value of a wrong type."""
    return f"{arguments.shown(value)} of type {type(value).__name__}"
