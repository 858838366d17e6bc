"""The networks that several pursuits may train next: trained ones with a neuron more, and how far along its ray."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.ensemble.batch import Data
from np_widgets.learning.passes import Passes

# In units in which inputs and targets are of size one.
_LOWEST, _HIGHEST, _PER_DECADE = -4.0, 2.0, 3
_FINER = 9
_LEAST_DECREASE = 1e-5  # what single precision can tell


class Candidates(NamedTuple):
    """C networks ``trained + scale · neuron`` for each of G pursuits, best KKT point first.

    Attributes
    ----------
    trained, neurons
        ``W_1, …, W_L`` of shape ``(G, C, k_l, k_{l-1})``: of the trained network, and of the new neuron alone. They add
        up to a network with one neuron more.
    layers
        The hidden layer of each neuron, 0 at the origin: shape ``(G, C)``.
    values
        The NCF value of each KKT point, zero where there is none: shape ``(G, C)``.
    residuals
        The norm of φ's tangential gradient over φ, ``(G, C)``.
    """

    trained: list[Tensor]
    neurons: list[Tensor]
    layers: Tensor
    values: Tensor
    residuals: Tensor

    def part(self, rows: Tensor | list[int], columns: Tensor | slice = slice(None)) -> Candidates:
        """Those of some pursuits and of some columns."""
        return Candidates(
            [each[rows, columns] for each in self.trained],
            [each[rows, columns] for each in self.neurons],
            *(each[rows, columns] for each in self[2:]),
        )

    def best_first(self, most: int) -> Candidates:
        """The ``most`` of largest value of each pursuit, in that order."""
        order = self.values.argsort(dim=1, descending=True, stable=True)[:, :most]
        return self.part(torch.arange(len(order), device=order.device).unsqueeze(1), order)

    def multiplied(self, factors: Sequence[Tensor]) -> Candidates:
        """With the weights of every layer multiplied by the pursuit's factors, of shape ``(G,)``."""
        shaped = [factor.reshape(-1, 1, 1, 1) for factor in factors]
        return self._replace(
            trained=[factor * each for factor, each in zip(shaped, self.trained, strict=True)],
            neurons=[factor * each for factor, each in zip(shaped, self.neurons, strict=True)],
        )

    def at(self, scales: Tensor) -> list[Tensor]:
        """The weights of the networks at scales of shape ``(G, C)``."""
        factors = scales.reshape(*scales.shape, 1, 1)
        return [
            torch.addcmul(trained, neuron, factors.to(neuron))
            for trained, neuron in zip(self.trained, self.neurons, strict=True)
        ]


def joined(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of several layers together."""
    return Candidates(
        [torch.cat(weights, dim=1) for weights in zip(*(part.trained for part in parts), strict=True)],
        [torch.cat(weights, dim=1) for weights in zip(*(part.neurons for part in parts), strict=True)],
        *(torch.cat(each, dim=1) for each in zip(*(part[2:] for part in parts), strict=True)),
    )


def scales_of_rays(candidates: Candidates, data: Data, activation: Activation) -> tuple[Tensor, Tensor]:
    """The scale at which the loss of each network is lowest, and whether that is lower than at zero: ``(G, C)`` each.

    The scales are looked for in units in which inputs and targets are of size one: candidates and data, in single
    precision, must be in these.
    """
    shape = candidates.values.shape
    sizes = [candidates.trained[0].shape[3], *(weight.shape[2] for weight in candidates.trained)]
    shapes = [(above, below) for below, above in pairwise(sizes)]
    inputs = data.inputs.mT if len(data.inputs) > 1 else data.inputs[0].T
    passes = Passes(inputs, shapes, activation, shape.numel())
    weights = [(t.flatten(0, 1).to(inputs), n.flatten(0, 1).to(inputs)) for t, n in zip(*candidates[:2], strict=True)]

    def losses_at(scales: Tensor) -> Tensor:
        for place, (trained, neuron) in zip(passes.weights, weights, strict=True):
            torch.addcmul(trained, neuron, scales.reshape(-1, 1, 1), out=place)
        outputs = passes.forward().view(*shape, *passes.output.shape[1:]).mT
        losses = data.loss.value(outputs, data.targets.unsqueeze(1)).reshape(-1)
        return torch.where(losses.isfinite(), losses, torch.inf)

    ones = inputs.new_ones(shape.numel())
    nothing = losses_at(0 * ones)
    points = torch.linspace(_LOWEST, _HIGHEST, round((_HIGHEST - _LOWEST) * _PER_DECADE) + 1, device="cpu").to(inputs)
    center = points[torch.stack([losses_at(ones * 10**point) for point in points]).argmin(dim=0)]
    shifts = torch.linspace(-1, 1, _FINER, device="cpu").to(inputs) / _PER_DECADE
    losses = torch.stack([losses_at(10 ** (center + shift)) for shift in shifts])
    lowest, best = losses.min(dim=0)
    refined = 10 ** (center + shifts[best] + _vertex(losses, best) * (shifts[1] - shifts[0]))
    scales = torch.where(losses_at(refined) < lowest, refined, 10 ** (center + shifts[best]))
    usable = (losses_at(scales) < nothing * (1 - _LEAST_DECREASE)) & (candidates.values.reshape(-1) > 0)
    return scales.view(shape), usable.view(shape)


def _vertex(losses: Tensor, best: Tensor) -> Tensor:
    """How far beside the lowest of evenly spaced points the parabola through it and its neighbours is lowest."""
    inner = best.clamp(1, len(losses) - 2)
    left, middle, right = (losses.gather(0, (inner + shift).unsqueeze(0)).squeeze(0) for shift in (-1, 0, 1))
    bend = left - 2 * middle + right
    return torch.where((bend > 0) & bend.isfinite() & (best == inner), 0.5 * (left - right) / bend, 0.0)
