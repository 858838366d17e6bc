"""Traits that are up to date when they are read."""

from __future__ import annotations

from typing import Any

import traitlets


class _Live:
    """The object that has the trait needs a method ``catch_up``, which brings its traits up to date."""

    def get(self, obj: Any, cls: Any = None) -> Any:
        obj.catch_up()
        return super().get(obj, cls)  # type: ignore[misc]


class LiveUnicode(_Live, traitlets.Unicode[str, str]):
    """A string."""


class LiveTuple(_Live, traitlets.Tuple):
    """A tuple."""


class LiveFloat(_Live, traitlets.Float[Any, Any]):
    """A number."""


class LiveInt(_Live, traitlets.Int[int, int]):
    """An integer."""
