"""Where axes end and what stands at their ticks: round numbers, so that axes stand still while data move a little."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from np_widgets.pictures.labels import number

Floats = NDArray[np.float64]

SMALLEST = 1e-16
"""Smaller losses and norms are rounding errors in double precision; a log axis has to end somewhere above zero."""
# Far above where floating point runs out of numbers.
_SMALLEST_SIZE = 1e-200
_GRID = 1000


def round_limits(low: float, high: float) -> tuple[float, float]:
    """The nearest round numbers around ``[low, high]``, with some room; never the same two."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return -1.0, 1.0
    size = max(abs(low), abs(high))
    if size < _SMALLEST_SIZE:
        low, high, size = 0.0, 0.0, 1.0
    # Differences that are rounding errors do not make an axis.
    spread = high - low if high - low > 1e-9 * size else size
    step = _round_step(spread / 8)
    room = 0.04 * spread
    return math.floor((low - room) / step) * step, math.ceil((high + room) / step) * step


def round_limits_of(*arrays: Floats | None) -> tuple[float, float]:
    """The same of all that is finite in these arrays."""
    values = np.concatenate([np.ravel(values) for values in arrays if values is not None] or [np.zeros(0)])
    values = values[np.isfinite(values)]
    return round_limits(float(values.min()), float(values.max())) if len(values) else (-1.0, 1.0)


def log_limits(*arrays: Floats) -> tuple[float, float]:
    """The numbers 1, 2 or 5 times a power of ten around all positive values, with some room."""
    values = np.concatenate([np.ravel(values) for values in arrays])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return 0.1, 1.0
    return round_below(float(values.min()) / 1.1), round_above(float(values.max()) * 1.1)


def round_below(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above ``value > 0``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (5, 2, 1, 0.5) if factor * power <= value)


def round_above(value: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``value > 0``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= value)


def snapped(values: Floats, low: float, high: float) -> Floats:
    """Values on a grid finer than the pixels of an axis from ``low`` to ``high``.

    So a picture in which nothing has moved by a pixel is not sent again: on a plateau, the nature of this problem, a
    thousand steps may move nothing.
    """
    step = (high - low) / _GRID
    return np.round(values / step) * step


def round_ticks(low: float, high: float) -> Floats:
    """Round numbers from ``low`` to ``high``, three to six of them."""
    step = _round_step((high - low) / 5)
    found = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1, dtype=np.float64) * step
    return np.round(found, max(0, 2 - math.floor(math.log10(step))))


def linear_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """The same with what stands there: as many decimals as tell them apart."""
    places = round_ticks(low, high)
    step = _round_step((high - low) / 5)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    most = max(abs(low), abs(high))
    # As other numbers are written, but where neighbors differ in decimals only.
    plain = 1e-3 <= most < 1e6 and (decimals <= 3 or (decimals <= 6 and most >= 5e-3))
    texts = [f"{place:z,.{decimals}f}" if plain else number(place) for place in places.tolist()]
    if not plain and len(set(texts)) < len(texts):
        texts = [f"{place:z,.{min(decimals, 12)}f}" if most >= 1 else f"{place:.12g}" for place in places.tolist()]
    if plain and decimals and all(text.endswith("0") for text in texts):
        texts = [text.rstrip("0").rstrip(".") for text in texts]
    return tuple((place, text.replace("-", "−")) for place, text in zip(places.tolist(), texts, strict=True))


def whole_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Those that are whole numbers, of what is counted."""
    return tuple((place, f"{place:,.0f}") for place in round_ticks(low, high).tolist() if place == round(place))


def log_ticks(low: float, high: float, most: int = 6) -> tuple[tuple[float, str], ...]:
    """``(base-ten logarithm, text)`` of round numbers: powers of ten; if these are few, others between them, too."""
    bottom, top = math.log10(low) - 1e-9, math.log10(high) + 1e-9
    exponents = range(math.ceil(bottom), math.floor(top) + 1)
    found = [(exponent, 1) for exponent in exponents[:: -(-len(exponents) // most) or 1]]
    if len(exponents) < 3:
        around = range(math.floor(bottom), math.ceil(top) + 1)
        found = [(exponent, factor) for exponent in around for factor in (1, 2, 5)]
    ticks = [(exponent + math.log10(factor), number(float(f"{factor}e{exponent}"))) for exponent, factor in found]
    ticks = [(place, text) for place, text in ticks if bottom <= place <= top]
    if len(ticks) < 3:
        ticks = [(math.log10(place), text) for place, text in linear_ticks(low, high)]
    return tuple(ticks)


def _round_step(size: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least ``size``."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= size * (1 - 1e-9))
