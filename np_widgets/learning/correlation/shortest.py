"""The shortest vector that slopes at kinks, each within its bounds, can make: what Clarke's gradients come down to."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_EXACT = 100  # columns, up to which an active-set method is quick
_ROUNDS = 60


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


def shortest_of_each(vectors: Floats, rows: Floats, low: Floats, high: Floats) -> Floats:
    """The smallest ``‖vector + coefficients · rows‖²`` of each of J, from shapes ``(J, k)``, ``(J, c, k)``, ``(J, c)``.

    By accelerated projected gradients, so about as small: for many small problems at once, of which nobody asks more.
    """
    found, plain = np.zeros_like(low), (vectors**2).sum(axis=1)
    gram, target = rows @ rows.swapaxes(1, 2), (rows @ vectors[:, :, None])[:, :, 0]
    # The trace bounds the curvature.
    curvature = np.maximum(np.trace(gram, axis1=1, axis2=2), np.finfo(float).tiny)[:, None]
    ahead, momentum = found, 1.0
    for _ in range(_ROUNDS if found.size else 0):
        moved = np.clip(ahead - (target + (gram @ ahead[:, :, None])[:, :, 0]) / curvature, low, high)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = moved + (momentum - 1) / following * (moved - found)
        found, momentum = moved, following
    return np.minimum(((vectors + (found[:, None] @ rows)[:, 0]) ** 2).sum(axis=1), plain)
