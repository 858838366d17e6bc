"""Where an axis ends."""

from __future__ import annotations

import math


def round_below(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above ``value > 0``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (5, 2, 1, 0.5) if factor * power <= value)


def round_above(value: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``value > 0``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= value)
