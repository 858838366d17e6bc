"""Axes that end at round numbers, so that they stand still while the data move a little."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Far above where floating point runs out of numbers.
_SMALLEST = 1e-200
_GRID = 1000
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def round_limits(low: float, high: float) -> tuple[float, float]:
    """The nearest round numbers around ``[low, high]``, with some room; never the same two."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return -1.0, 1.0
    size = max(abs(low), abs(high))
    if size < _SMALLEST:
        low, high, size = 0.0, 0.0, 1.0
    # Differences that are rounding errors do not make an axis.
    spread = high - low if high - low > 1e-9 * size else size
    step = _round_step(spread / 8)
    room = 0.04 * spread
    return math.floor((low - room) / step) * step, math.ceil((high + room) / step) * step


def snapped(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Values on a grid finer than the pixels of an axis from ``low`` to ``high``.

    So a picture in which nothing has moved by a pixel is not sent again: on a plateau, the nature of this problem, a
    thousand steps may move nothing.
    """
    step = (high - low) / _GRID
    return np.round(values / step) * step


def round_ticks(low: float, high: float) -> NDArray[np.float64]:
    """Round numbers from ``low`` to ``high``, three to six of them."""
    step = _round_step((high - low) / 5)
    return np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1, dtype=np.float64) * step


def log_ticks(low: float, high: float, most: int = 6) -> NDArray[np.float64]:
    """Base-ten logarithms of round numbers from ``low`` to ``high``: powers of ten; if few, 2 and 5 times them, too."""
    exponents = np.arange(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    if len(exponents) >= 3:
        return exponents[:: -(-len(exponents) // most)].astype(np.float64)
    values = [tick for tick in LOG_TICK_LABELS if math.log10(low) - 1e-9 <= float(tick) <= math.log10(high) + 1e-9]
    return np.array([float(tick) for tick in values])


def _log_tick_labels() -> dict[str, str]:
    labels = {}
    for exponent in range(-20, 21):
        for factor in (1, 2, 5):
            place = math.log10(factor) + exponent
            # As JavaScript writes the number: that is how bqplot looks a label up.
            key = str(exponent) if factor == 1 else repr(place)
            plain = f"{factor * 10.0**exponent:g}"
            labels[key] = (
                plain if -3 <= exponent <= 3 else f"{'' if factor == 1 else f'{factor}·'}{power_of_ten(exponent)}"
            )
    return labels


def power_of_ten(exponent: int) -> str:
    """``power_of_ten(-3)`` is ``"10⁻³"``."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def _round_step(size: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least ``size``."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= size * (1 - 1e-9))


LOG_TICK_LABELS = _log_tick_labels()
"""What stands at each place where :func:`log_ticks` may put a tick."""
