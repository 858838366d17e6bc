"""How far to go along the ray of a KKT point."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

_DECADES_DOWN, _DECADES_UP, _PER_DECADE = 3, 5, 5
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
        Around which to look: from a thousandth to 10⁵ times of it.

    Returns
    -------
    float or None
        The best scale found; None if the loss falls nowhere along the ray by more than a 10⁻⁷th.
    """
    count = (_DECADES_DOWN + _DECADES_UP) * _PER_DECADE + 1
    grid = math.log(scale) + np.linspace(-_DECADES_DOWN, _DECADES_UP, count) * math.log(10)
    losses = [_finite(loss_at(math.exp(point))) for point in grid]
    best = int(np.argmin(losses))
    bracket = (grid[max(best - 1, 0)], grid[min(best + 1, count - 1)])
    refined = minimize_scalar(lambda point: _finite(loss_at(math.exp(point))), bounds=bracket, method="bounded")
    lowest, point = min((refined.fun, refined.x), (losses[best], grid[best]))
    return math.exp(point) if lowest < loss_at(0.0) * (1 - _LEAST_DECREASE) else None


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf
