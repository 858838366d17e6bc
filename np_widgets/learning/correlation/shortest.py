"""The shortest vector that slopes at kinks, each within its bounds, can make: what Clarke's gradients come down to."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_EXACT = 100  # columns, up to which an active-set method is quick


def shortest(vector: Floats, columns: Floats, low: Floats, high: Floats) -> Floats:
    """The coefficients, each from ``low`` to ``high``, for which ``vector + columns · coefficients`` is shortest."""
    sizes = np.linalg.norm(columns, axis=0) * (high - low)
    found, free = (low + high) / 2, sizes > 1e-14 * max(float(sizes.max(initial=0.0)), 1e-300)
    if not free.any():
        return found
    # In units that give every column the length one, so that a tolerance means the same for each.
    unit = columns[:, free] * ((high - low)[free] / sizes[free])
    goal = -vector - columns @ np.where(free, low, found)
    if len(unit) > 2 * unit.shape[1]:  # the same problem in as few rows as there are columns
        rotation, unit = np.linalg.qr(unit)
        goal = rotation.T @ goal
    sizes = sizes[free]
    # With many more columns than entries the solution nearest to the middle of all bounds usually keeps them.
    solution = sizes / 2 + np.linalg.lstsq(unit, goal - unit @ (sizes / 2))[0]
    if not ((solution >= 0) & (solution <= sizes)).all():
        scale = max(float(np.linalg.norm(goal)), float(sizes.max()))
        method = "bvls" if len(sizes) <= _MOST_EXACT else "trf"
        bounds = (np.zeros_like(sizes), sizes / scale)
        solution = scale * scipy.optimize.lsq_linear(unit, goal / scale, bounds, method=method, tol=1e-15).x
    found[free] = np.clip(low[free] + solution * (high - low)[free] / sizes, low[free], high[free])
    return found
