"""Traits that are up to date when they are read, and that the browser knows, so that they can be linked there."""

from __future__ import annotations

import math
from typing import Any

import traitlets


class _Live:
    """The object that has the trait needs a method ``catch_up``, which brings its traits up to date."""

    metadata: dict[str, Any] = {"sync": True}  # noqa: RUF012 (as traitlets declares it)

    def get(self, obj: Any, cls: Any = None) -> Any:
        obj.catch_up()
        return super().get(obj, cls)  # type: ignore[misc]


class LiveUnicode(_Live, traitlets.Unicode[str, str]):
    """A string."""


class LiveTuple(_Live, traitlets.Tuple):
    """A tuple."""


class LiveFloat(_Live, traitlets.Float[Any, Any]):
    """A number; to the browser, whose messages know no others, None if it is not finite."""

    metadata: dict[str, Any] = {  # noqa: RUF012
        "sync": True,
        "to_json": lambda value, _: value if value is not None and math.isfinite(value) else None,
    }


class LiveInt(_Live, traitlets.Int[int, int]):
    """An integer."""
