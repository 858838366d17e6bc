"""How far to go along the ray of a KKT point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.correlation.points import response
from np_widgets.learning.network import ForwardPass, HomogeneousNetwork
from np_widgets.problems import Problem

Floats = NDArray[np.float64]
Losses = Callable[[Floats], Floats]

_DECADES_DOWN, _DECADES_UP, _PER_DECADE = 3, 5, 5
_FURTHEST = 140  # decades from 1 that are looked at, whatever the scale of the data
_REFINEMENTS, _FINER = 3, 17
# Entries of one layer's outputs for all scales that are tried together: 16 MiB in float64.
_BLOCK_ENTRIES = 2**21


def lowest_on_ray(losses_at: Losses, scale: float, least_decrease: float = 1e-7) -> tuple[float, float] | None:
    """The scale that minimizes the loss along a ray, and the loss there.

    Gradient flow spends almost all of its time leaving a saddle along the ray of a KKT point; minimizing along the ray
    first saves that time and ends in the same basin.
    """
    nothing = float(losses_at(np.zeros(1))[0])
    center = min(max(np.log10(scale), -_FURTHEST), _FURTHEST)
    low, high = center - _DECADES_DOWN, center + _DECADES_UP
    with np.errstate(all="ignore"):  # some of it may overflow

        def losses_of(points: Floats) -> Floats:
            losses = np.asarray(losses_at(10**points))
            return np.where(np.isfinite(losses), losses, np.inf)

        while True:
            points = np.linspace(low, high, round((high - low) * _PER_DECADE) + 1)
            losses = losses_of(points)
            best = int(np.argmin(losses))
            if best == 0 and losses[-1] > nothing and abs(losses[0] - nothing) <= least_decrease * nothing:
                return None  # further down the loss differs by less still, as where a neuron is not worth its weights
            if best == 0 and low > -_FURTHEST and losses[-1] > nothing:
                low -= _DECADES_UP
            elif (best == len(points) - 1 or losses[-1] == nothing) and high < _FURTHEST:
                high += _DECADES_UP
            else:
                break
        lowest, point = losses[best], points[best]
        for _ in range(_REFINEMENTS):
            points = np.linspace(points[max(best - 1, 0)], points[min(best + 1, len(points) - 1)], _FINER)
            losses = losses_of(points)
            best = int(np.argmin(losses))
            lowest, point = min((lowest, point), (losses[best], points[best]))
        vertex = _vertex(points, losses, best)
        lowest, point = min((lowest, point), (losses_of(np.array([vertex]))[0], vertex))
    return (float(10**point), float(lowest)) if lowest < nothing * (1 - least_decrease) else None


def _vertex(points: Floats, losses: Floats, best: int) -> float:
    """Where the parabola through the lowest of evenly spaced points and its neighbours is lowest."""
    if not 0 < best < len(points) - 1:
        return float(points[best])
    left, middle, right = losses[best - 1 : best + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if np.isfinite(bend) and bend > 0 else 0.0
    return float(points[best] + shift * (points[best] - points[best - 1]))


def losses_of_path(
    network: HomogeneousNetwork, forward: ForwardPass, point: KKTPoint, problem: Problem, weight_decay: float = 0.0
) -> Losses:
    """The training losses with a path of new neurons, a KKT point times a scale, and what their weights cost.

    The point has norm one, so that at scale ρ its weights cost ``½λρ²``; those of the network are not counted. Only
    what lies above the path is computed anew; ``forward`` is the pass of the network at the problem's inputs.
    """
    push = response(network, forward, point.layer, point.incoming, point.inner).unsqueeze(1) * point.outgoing
    z = forward.pre_activations[point.last]
    widest = max(weight.shape[0] for weight in network.weights[point.last :])
    chunk = max(1, _BLOCK_ENTRIES // (len(z) * widest))
    criterion, goals = problem.criterion, problem.goals

    def losses_at(scales: Floats) -> Floats:
        factors = torch.from_numpy(scales**point.degree).to(z).reshape(-1, 1, 1)
        losses = []
        for part in factors.split(chunk):
            output = torch.addcmul(z, part, push)
            for weight in network.weights[point.last + 1 :]:
                output = network.activation(output) @ weight.T
            losses.append(criterion.value(output, goals))
        return to_array(torch.cat(losses)) + 0.5 * weight_decay * scales**2

    return losses_at
