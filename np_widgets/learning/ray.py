"""How far to go along the ray of a KKT point."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

_DECADES_DOWN, _DECADES_UP, _PER_DECADE = 3, 5, 5
_FURTHEST = 140  # decades from 1 that are looked at, whatever the scale of the data
_LEAST_DECREASE = 1e-7


def best_scale(loss_at: Callable[[float], float], scale: float) -> float | None:
    """The scale that minimizes the loss along a ray.

    Gradient flow spends almost all of its time leaving a saddle along the ray of a KKT point; minimizing along the ray
    first saves that time and ends in the same basin.

    Parameters
    ----------
    loss_at
        The loss at a scale, 0 included.
    scale
        Where to look first: from a thousandth to 10⁵ times of it, then further on while the loss falls at the edge.

    Returns
    -------
    float or None
        The best scale found; None if the loss falls nowhere along the ray by more than a 10⁻⁷th.
    """
    nothing = loss_at(0.0)
    center = min(max(math.log10(scale), -_FURTHEST), _FURTHEST)
    low, high = center - _DECADES_DOWN, center + _DECADES_UP
    with np.errstate(all="ignore"):  # some of it may overflow
        while True:
            grid = np.linspace(low, high, round((high - low) * _PER_DECADE) + 1)
            losses = np.array([_finite(loss_at(10**point)) for point in grid])
            best = int(np.argmin(losses))
            if best == 0 and low > -_FURTHEST and losses[-1] > nothing:
                low -= _DECADES_UP
            elif (best == len(grid) - 1 or losses[-1] == nothing) and high < _FURTHEST:
                high += _DECADES_UP
            else:
                break
        bracket = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
        refined = minimize_scalar(lambda point: _finite(loss_at(10**point)), bounds=bracket, method="bounded")
    lowest, point = min((refined.fun, refined.x), (losses[best], grid[best]))
    return float(10**point) if lowest < nothing * (1 - _LEAST_DECREASE) else None


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf
