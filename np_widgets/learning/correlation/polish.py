"""From a direction near a maximizer of φ to the maximizer itself: over kinks from face to face, else by Newton."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.faces import FaceWalk
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.correlation.newton import Newton

_MOST_REPOLISHES, _ROUNDING = 5, 1e-9


@dataclass(frozen=True)
class PolishedPoint:
    """A unit vector b that polishing stopped at, φ(b), and the residual there.

    That is the smallest norm over Clarke's subdifferential of φ on the sphere at b, divided by φ(b).
    """

    direction: Tensor
    value: float
    residual: float


def polish(field: Field, direction: Tensor) -> PolishedPoint:
    """Ascend φ from ``direction`` to a KKT point: residual below 10⁻⁸ (float64), and no one-sided ascent left."""
    tolerance = max(1e-8, 100 * torch.finfo(direction.dtype).eps)
    at = to_array(direction)
    if not field.profile.has_kink:
        found, value, residual = Newton(field, tolerance).run(at)
        return PolishedPoint(torch.from_numpy(found).to(direction), value, residual)
    for _ in range(1 + _MOST_REPOLISHES):
        found, value, residual = FaceWalk(field, field.signals_at(direction), tolerance).run(at)
        at, direction = found, torch.from_numpy(found).to(direction)
        # Where signals depend on the direction, it may have left those it was polished with.
        if abs(float(field.vector(direction).norm()) - value) <= _ROUNDING * value:
            break
    return PolishedPoint(direction, value, residual)
