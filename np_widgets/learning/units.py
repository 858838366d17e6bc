"""Units in which the data are of size one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from np_widgets.learning.direction import root_mean_square
from np_widgets.learning.network import HomogeneousNetwork


class Units:
    """Units in which inputs and real targets have a root mean square of one, and weights to match.

    A network of degree D whose weights are all multiplied by ``factor``, and those of the first layer by the size of
    the inputs as well, computes ``factor^D`` times as much.

    Parameters
    ----------
    inputs, targets
        The data; integer targets are classes, which have no unit.
    degree
        The degree of homogeneity D of the networks.

    Attributes
    ----------
    inputs, targets
        The data in these units.
    factor
        Of all weights.
    loss_size
        One unit of loss.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, degree: int) -> None:
        self._input_size = root_mean_square(inputs) or 1.0
        size = (root_mean_square(targets) or 1.0) if targets.dtype.is_floating_point else 1.0
        self.inputs = inputs / self._input_size
        self.targets = targets / size if targets.dtype.is_floating_point else targets
        self.factor = size ** (-1 / degree)
        self.loss_size = size**2  # only the square loss has real targets

    def leave(self, weights: Sequence[Tensor], power: int, leak: float, dtype: torch.dtype) -> HomogeneousNetwork:
        """The same function in the problem's units."""
        factors = self.factors(len(weights))
        found = [weight.to(dtype) / factor for factor, weight in zip(factors, weights, strict=True)]
        return HomogeneousNetwork(found, power=power, leak=leak)

    def factors(self, layers: int) -> list[float]:
        """By which ``W_1, …, W_L`` are multiplied to compute in these units."""
        return [self.factor * self._input_size, *[self.factor] * (layers - 1)]
