"""How a flow is followed: which integrator suits the activation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.arrays import to_array
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.integration import (
    SMOOTH,
    STIFF,
    AdaptiveIntegrator,
    Field,
    GradientDescent,
    Integrator,
    SlidingIntegrator,
)
from np_widgets.learning.saddles.settings import SaddleSettings

Floats = NDArray[np.float64]

_KINKED_TOLERANCE, _SMOOTH_TOLERANCE = 1e-6, 1e-8
# An explicit method of order 8 takes steps of about 6/λ at most.
_STABLE, _TOO_MANY_STEPS, _MOST_WEIGHTS = 6.0, 5000.0, 400
_SMALL = 1e-3
_DIVERGED = 10.0
# Steps along kinks at the default tolerance, in units of one over the fastest rate: coarse where that is the rate of
# weights that are at rest, fine where it is that of the growth itself. The error there is proportional to the step, and
# so is the step to the tolerance, within what a method of second order stands and what anybody waits for.
_COARSE, _FINE = 0.15, 0.02
_MOST_COARSENED, _MOST_REFINED = 2.0, 1e-3
_POWER_ITERATIONS = 8


def tolerance_of(settings: SaddleSettings, *, kinked: bool) -> float:
    """The relative tolerance in force."""
    return settings.tolerance or (_KINKED_TOLERANCE if kinked else _SMOOTH_TOLERANCE)


def flow_integrator(
    objective: Objective,
    settings: SaddleSettings,
    dormant: NDArray[np.bool_],
    curvature: float | None,
    expected: float | None,
) -> Integrator:
    """What follows the gradient flow of ``objective``, or its gradient descent.

    ``dormant`` are the weights that are small at the start, ``(P,)``; ``curvature`` is the largest eigenvalue of the
    Hessian at the saddle, None at the origin, where it is zero; ``expected`` how long the flow is to stay there.
    """
    kinked = objective.activation.has_kink
    if settings.dynamics == "descent":
        return GradientDescent(descent_field(objective, settings.step_size), settings.step_size)
    relative = tolerance_of(settings, kinked=kinked)
    absolute = _absolute_tolerances(settings, relative, dormant)

    def field(y: Floats) -> Floats:
        return -to_array(objective.loss_and_gradient(_tensor(objective, y))[1])

    if kinked:
        share = _refined(_COARSE if curvature else _FINE, relative)
        return SlidingIntegrator(field, relative, absolute, lambda y: share / largest_rate(objective, y))
    steps = (expected or 0.0) * (curvature or 0.0) / _STABLE
    if steps > _TOO_MANY_STEPS and objective.size <= _MOST_WEIGHTS:

        def jacobian(y: Floats) -> Floats:
            return -Hessian(objective, _tensor(objective, y)).whole()

        return AdaptiveIntegrator(field, STIFF, relative, absolute, jacobian)
    return AdaptiveIntegrator(field, SMOOTH, relative, absolute)


def batch_integrator(
    field: Field, objective: Objective, settings: SaddleSettings, dormant: NDArray[np.bool_]
) -> Callable[[int], Integrator]:
    """What follows the gradient flow of so many members at once, whose weights follow one another in one vector."""
    kinked = objective.activation.has_kink
    relative = tolerance_of(settings, kinked=kinked)
    absolute = _absolute_tolerances(settings, relative, dormant)

    def integrator(members: int) -> Integrator:
        everyone = np.tile(absolute, members)
        if not kinked:
            return AdaptiveIntegrator(field, SMOOTH, relative, everyone)
        # Near the saddle all members have the same fastest rate.
        step = _refined(_COARSE, relative) / largest_rate(objective, to_array(objective.initial))
        return SlidingIntegrator(field, relative, everyone, lambda _: step)

    return integrator


def _absolute_tolerances(settings: SaddleSettings, relative: float, dormant: NDArray[np.bool_]) -> Floats:
    """Of each weight: dormant ones are measured by their size at the start."""
    small = settings.scale / math.sqrt(max(int(dormant.sum()), 1))
    return np.where(dormant, relative * small, relative * _SMALL)


def correlation_integrator(
    field: Field, settings: SaddleSettings, y: Floats, value: float, degree: int, *, kinked: bool
) -> Integrator:
    """What follows the flow of the NCF alone from ``y``; ``value`` is its maximum, ``degree`` its homogeneity."""
    relative = tolerance_of(settings, kinked=kinked)
    absolute = np.full(len(y), relative * float(np.linalg.norm(y)) / math.sqrt(max(len(y), 1)))
    if not kinked:
        return AdaptiveIntegrator(field, SMOOTH, relative, absolute)

    share = _refined(_FINE, relative)

    def coarse(y: Floats) -> float:
        return share / (degree * value * float(np.linalg.norm(y)) ** (degree - 2))

    return SlidingIntegrator(field, relative, absolute, coarse)


def _refined(share: float, relative: float) -> float:
    return share * min(max(relative / _KINKED_TOLERANCE, _MOST_REFINED), _MOST_COARSENED)


def largest_rate(objective: Objective, y: Floats) -> float:
    """The largest absolute eigenvalue of the Hessian at ``y``, to about a tenth, with the slopes at kinks held."""
    theta = _tensor(objective, y)
    hessian = Hessian(objective, theta)
    generator = torch.Generator("cpu").manual_seed(0)
    vector = torch.randn(len(theta), generator=generator, dtype=torch.float64, device="cpu").to(theta)
    size = 0.0
    for _ in range(_POWER_ITERATIONS):
        vector = hessian.times(vector / vector.norm())
        size = float(vector.norm())
        if size == 0:
            return torch.finfo(torch.float64).tiny
    return size


def descent_field(objective: Objective, step_size: float) -> Field:
    """``−∇𝓛``; raises an ``ArithmeticError`` where the loss shows that steps of this size diverge."""
    highest = _DIVERGED * max(objective.problem.zero_loss, objective.loss(objective.initial))

    def field(y: Floats) -> Floats:
        loss, gradient = objective.loss_and_gradient(_tensor(objective, y))
        if not loss <= highest:
            raise ArithmeticError(
                f"gradient descent diverges: the loss has risen to {loss:.3g}; step_size must be smaller than "
                f"{step_size:g}"
            )
        return -to_array(gradient)

    return field


def _tensor(objective: Objective, y: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(y)).to(objective.initial)
