"""The size of data: units in which it is one, and sizes that can be computed with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from np_widgets.learning.correlation.field import root_mean_square
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems import Problem

_SHARE_OF_DECADES = 0.45
"""Of those that a floating-point type has on either side of one: squares, and some factors, are to fit as well."""


class Units:
    """Units in which inputs and real targets have a root mean square of one, and weights to match.

    A network of degree D whose weights are all multiplied by ``factor``, and those of the first layer by the size of
    the inputs as well, computes ``factor^D`` times as much. ``inputs`` and ``targets`` are the data in these units
    (integer targets are classes, which have none), and ``loss_size`` is one unit of loss.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, degree: int, weights: Tensor | None = None) -> None:
        self._input_size = root_mean_square(inputs, weights) or 1.0
        size = (root_mean_square(targets, weights) or 1.0) if targets.dtype.is_floating_point else 1.0
        self.inputs = inputs / self._input_size
        self.targets = targets / size if targets.dtype.is_floating_point else targets
        self.factor = size ** (-1 / degree)
        self.loss_size = size**2  # only the square loss has real targets

    def leave(self, weights: Sequence[Tensor], power: int, leak: float, dtype: torch.dtype) -> HomogeneousNetwork:
        """The same function in the problem's units."""
        factors = self.factors(len(weights))
        found = [weight.to(dtype) / factor for factor, weight in zip(factors, weights, strict=True)]
        return HomogeneousNetwork(found, power=power, leak=leak)

    def decay(self, weight_decay: float, power: int, layers: int) -> float:
        """λ of ``½λ‖W‖²`` in these units, for weights that compute the same and are balanced here.

        They differ from such weights in the problem's units by one factor, the same in all layers.
        """
        degree = sum(power**layer for layer in range(layers))
        common = self.factor * self._input_size ** (power ** (layers - 1) / degree)
        return weight_decay / (common**2 * self.loss_size)

    def factors(self, layers: int) -> list[float]:
        """By which ``W_1, …, W_L`` are multiplied to compute in these units."""
        return [self.factor * self._input_size, *[self.factor] * (layers - 1)]


def require_representable(problem: Problem, power: int, hidden_layers: int) -> None:
    """Refuse, by a ValueError with the remedy, data whose loss, or what a chain of neurons makes of them, overflows.

    A chain of neurons takes the inputs to the power ``p^{L-1}``.
    """
    decades = _SHARE_OF_DECADES * math.log10(torch.finfo(problem.dtype).max)
    for name, data, exponent, remedy in (
        ("inputs", problem.inputs, power**hidden_layers, "standardized()"),
        ("targets", problem.targets, 1, "standardized(targets=True)"),
    ):
        size = root_mean_square(data) if data.dtype.is_floating_point else 0.0
        if size > 0 and abs(math.log10(size)) * exponent > decades:
            most = decades / exponent
            layers = f"{hidden_layers} hidden layer{'s' * (hidden_layers > 1)} of power {power}"
            raise ValueError(
                f"{name} must be of a size between 1e-{most:.0f} and 1e{most:.0f} for {layers} in {problem.dtype}, "
                f"got a root mean square of {size:.3g}: problem.{remedy} brings it to one"
            )
