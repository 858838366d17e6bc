"""Scaling columns to zero mean and unit variance, there and back."""

from __future__ import annotations

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
    before
        What is applied first, if the columns had been standardized before.
    """

    mean: Tensor
    deviation: Tensor
    constant: bool = False
    before: Standardization | None = None

    @classmethod
    def of(cls, values: Tensor, constant: bool = False, weights: Tensor | None = None) -> Standardization:
        """Measured on ``values`` of shape ``(n, d)``, with weights ``(n,)`` of mean one.

        With ``constant``, columns of ones stay, and none is appended.
        """
        # Relative to the largest value no square overflows, and rounding errors have a known size.
        size = values.abs().amax(dim=0)
        relative = values / torch.where(size > 0, size, 1.0)
        if weights is None:
            deviation, mean = torch.std_mean(relative, dim=0, correction=0)
        else:
            weights = weights.unsqueeze(1)
            mean = (weights * relative).mean(dim=0)
            deviation = (weights * (relative - mean).square()).mean(dim=0).sqrt()
        varies = deviation > 16 * torch.finfo(values.dtype).eps
        mean, deviation = mean * size, torch.where(varies, deviation * size, torch.inf)
        if constant and bool((ones := (values == 1).all(dim=0)).any()):  # as in a problem that was standardized before
            return cls(torch.where(ones, 0.0, mean), torch.where(ones, 1.0, deviation))
        return cls(mean, deviation, constant)

    def forward(self, values: Tensor) -> Tensor:
        """The standardized columns."""
        values = values if self.before is None else self.before.forward(values)
        scaled = (values - self.mean.to(values)) / self.deviation.to(values)
        return torch.cat([scaled, torch.ones_like(scaled[:, :1])], dim=1) if self.constant else scaled

    def backward(self, values: Tensor) -> Tensor:
        """The columns whose :meth:`forward` is ``values``; those that did not vary get their mean."""
        spread = torch.where(torch.isinf(self.deviation), 0.0, self.deviation)
        found = values[:, : len(self.mean)] * spread.to(values) + self.mean.to(values)
        return found if self.before is None else self.before.backward(found)

    @property
    def columns(self) -> int:
        """How many columns :meth:`forward` takes."""
        return len(self.mean) if self.before is None else self.before.columns


@dataclass(frozen=True)
class Scaling:
    """How the data of a problem came from those that it was made of.

    Attributes
    ----------
    inputs, targets
        Of their columns, ``forward`` and ``backward``; ``targets`` is None if these are as they were.
    """

    inputs: Standardization
    targets: Standardization | None = None
