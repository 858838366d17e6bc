"""Scaling columns to zero mean and unit variance, there and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Standardization:
    """What brings each column to zero mean and unit variance.

    Attributes
    ----------
    mean, deviation
        Of each column, of shape ``(d,)``; the deviation of a column that does not vary is infinite, which makes it 0.
    constant
        Whether a column of ones is appended.
    """

    mean: Tensor
    deviation: Tensor
    constant: bool = False

    @classmethod
    def of(cls, values: Tensor, constant: bool = False) -> Standardization:
        """Measured on ``values`` of shape ``(n, d)``; with ``constant``, columns of ones stay, and none is appended."""
        # Relative to the largest value no square overflows, and rounding errors have a known size.
        size = values.abs().amax(dim=0)
        deviation, mean = torch.std_mean(values / torch.where(size > 0, size, 1.0), dim=0, correction=0)
        varies = deviation > 16 * torch.finfo(values.dtype).eps
        mean, deviation = mean * size, torch.where(varies, deviation * size, torch.inf)
        if constant and bool((ones := (values == 1).all(dim=0)).any()):  # as in a problem that was standardized before
            return cls(torch.where(ones, 0.0, mean), torch.where(ones, 1.0, deviation))
        return cls(mean, deviation, constant)

    def forward(self, values: Tensor) -> Tensor:
        """The standardized columns."""
        scaled = (values - self.mean.to(values)) / self.deviation.to(values)
        return torch.cat([scaled, torch.ones_like(scaled[:, :1])], dim=1) if self.constant else scaled

    def backward(self, values: Tensor) -> Tensor:
        """The columns whose :meth:`forward` is ``values``; those that did not vary get their mean."""
        spread = torch.where(torch.isinf(self.deviation), 0.0, self.deviation)
        return values[:, : len(self.mean)] * spread.to(values) + self.mean.to(values)


@dataclass(frozen=True)
class StandardizedFunction:
    """A function of the original inputs as one of the standardized inputs."""

    function: Callable[[Tensor], Tensor]
    inputs: Standardization
    targets: Standardization | None

    def __call__(self, inputs: Tensor) -> Tensor:
        """Its values at inputs of shape ``(k, d)``, standardized if the targets are."""
        values = self.function(self.inputs.backward(inputs))
        return values if self.targets is None else self.targets.forward(values)
