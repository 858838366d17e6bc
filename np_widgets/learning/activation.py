"""The positively homogeneous activation σ(z) = max(z, αz)^p: all that is known of it stands here.

Others take its values, its derivatives and its slopes at the kink from this file, in torch and, where vectors of a few
entries are at stake, in NumPy. All of these follow from the power and from :attr:`Activation.negative`: whoever would
like to see another homogeneous activation changes that one line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from np_widgets import arguments

Floats = NDArray[np.float64]

# Operations with a place to write to, which the public functions lack: leaky_relu, its gradient, and that of a
# rectifier, the weight where the argument is positive and else zero.
_rectify = torch.ops.aten.leaky_relu.out
_rectify_backward = torch.ops.aten.leaky_relu_backward.grad_input
_weight_where_positive = torch.ops.aten.threshold_backward.grad_input


@dataclass(frozen=True)
class Activation:
    """σ(z) = max(z, αz)^p, the activation of Kumar & Haupt (arXiv 2509.12154).

    Parameters
    ----------
    power
        The integer p ≥ 1.
    leak
        The slope ratio α in [−1, 1]: 0 is a (power of a) ReLU, 1 with ``power=1`` is linear, −1 an absolute value.
    """

    power: int = 1
    leak: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "power", arguments.whole("power", self.power, 1))
        object.__setattr__(self, "leak", arguments.real("leak", self.leak, least=-1, most=1))

    @property
    def negative(self) -> float:
        """σ(−1). As σ is homogeneous and σ(1) = 1, this and the power say all."""
        return (-self.leak) ** self.power

    @property
    def has_kink(self) -> bool:
        """Whether σ has a kink at zero (p = 1 and α ≠ 1); otherwise it is continuously differentiable."""
        return self.power == 1 and self.negative != -1

    @property
    def is_relu(self) -> bool:
        """Whether σ(z) = max(z, 0)."""
        return self.power == 1 and self.negative == 0

    @property
    def kink_slopes(self) -> tuple[float, float]:
        """The least and the largest slope that Clarke's derivative has at the kink."""
        return -self.negative, 1.0

    @property
    def name(self) -> str:
        """What the field calls it, for example ``"ReLU"`` or ``"squared leaky ReLU (α = 0.1)"``."""
        if self.leak == 1:
            return "linear" if self.power == 1 else f"max(z, z)^{self.power} = z^{self.power}"
        if self.leak == 0:
            base = "ReLU"
        elif self.leak == -1:
            base = "absolute value"
        else:
            base = f"leaky ReLU (α = {self.leak:g})"
        prefix = {1: "", 2: "squared ", 3: "cubed "}.get(self.power)
        return f"{prefix}{base}" if prefix is not None else f"{base}, power {self.power}"

    def __call__(self, z: Tensor) -> Tensor:
        """σ(z), elementwise."""
        if self.power == 1:
            return torch.nn.functional.leaky_relu(z, -self.negative) if self.negative else torch.relu(z)
        return self._sides(z, self.negative) * z.abs() ** self.power

    def derivative(self, z: Tensor, *, upper: bool = False) -> Tensor:
        """σ'(z), elementwise; at a kink the slope of the negative side, or of the positive one if ``upper``."""
        slope = self._sides(z, -self.negative, upper=upper)
        return slope if self.power == 1 else self.power * slope * z.abs() ** (self.power - 1)

    def change(self, z: Tensor, direction: Tensor) -> Tensor:
        """The one-sided derivative of σ at ``z`` along ``direction``, elementwise: at a kink on that side."""
        changed = self.derivative(z) * direction
        return torch.where(z == 0, self(direction), changed) if self.has_kink else changed

    def second_derivative(self, z: Tensor) -> Tensor:
        """σ''(z), elementwise; zero at zero for p ≤ 2."""
        if self.power == 1:
            return torch.zeros_like(z)
        factor = self.power * (self.power - 1)
        return factor * self._sides(z, self.negative) * z.abs() ** (self.power - 2) * (z != 0)

    def pull_back(self, signal: Tensor, z: Tensor) -> Tensor:
        """``signal · σ'(z)``, elementwise; at a kink with the slope of the negative side."""
        sloped = torch.ops.aten.leaky_relu_backward(signal, z, -self.negative, False)
        return sloped if self.power == 1 else sloped * z.abs().pow_(self.power - 1).mul_(self.power)

    def write(self, z: Tensor, slope: Tensor, value: Tensor) -> None:
        """Write σ(z), and for p > 1 σ'(z) / p."""
        if self.power == 1:
            _rectify(z, -self.negative, out=value)
            return
        torch.abs(z, out=value)
        torch.pow(value, self.power - 1, out=slope)
        _rectify_backward(slope, z, -self.negative, False, grad_input=slope)
        torch.mul(slope, z, out=value)

    def pull_back_(self, signal: Tensor, z: Tensor, slope: Tensor) -> None:
        """:meth:`pull_back` in place, after :meth:`write`."""
        if self.power == 1:
            _rectify_backward(signal, z, -self.negative, False, grad_input=signal)
        else:
            signal.mul_(slope).mul_(self.power)

    @staticmethod
    def _sides(z: Tensor, negative: float, *, upper: bool = False) -> Tensor:
        """One where z is positive (or zero, if ``upper``), and this number elsewhere."""
        return torch.where(z >= 0 if upper else z > 0, z.new_tensor(1.0), z.new_tensor(negative))


class RectifiedPower(nn.Module):
    """σ(z) = max(z, αz)^p as a torch module."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, z: Tensor) -> Tensor:
        """σ(z), elementwise."""
        return self.activation(z)

    def extra_repr(self) -> str:
        """What ``print(module)`` shows."""
        return f"power={self.activation.power}, leak={self.activation.leak:g}"


@dataclass(frozen=True)
class Profile:
    """``g(z) = positive · max(z, 0)^power + negative · max(−z, 0)^power``: σ, or a chain of σ with weights between."""

    power: int
    positive: float
    negative: float

    @classmethod
    def of(cls, activation: Activation) -> Profile:
        """The profile that equals σ."""
        return cls(activation.power, 1.0, activation.negative)

    @property
    def has_kink(self) -> bool:
        """Whether ``g`` has a kink at zero."""
        return self.power == 1 and self.positive != -self.negative

    @property
    def is_symmetric(self) -> bool:
        """Whether ``g`` is odd or even: directions ``b`` and ``−b`` are one neuron then."""
        return abs(self.positive) == abs(self.negative)

    def value(self, z: Tensor) -> Tensor:
        """``g(z)``, elementwise."""
        value = z.clamp(min=0)
        if self.power > 1:
            value.pow_(self.power)
        if self.positive != 1:
            value.mul_(self.positive)
        if self.negative:
            value.add_((-z).clamp_(min=0) ** self.power, alpha=self.negative)
        return value

    def weighted_derivative(self, z: Tensor, weights: Tensor) -> Tensor:
        """``weights · g'(z)``, elementwise; zero at a kink."""
        if self.power > 1:
            weights = self.power * weights * z.abs() ** (self.power - 1)
        result = torch.empty_like(z)
        if not self.negative:
            _weight_where_positive(weights, z, 0, grad_input=result)
            return result if self.positive == 1 else result.mul_(self.positive)
        _weight_where_positive(weights, -z, 0, grad_input=result)
        return result.mul_(-self.negative).add_(torch.where(z > 0, weights, 0.0), alpha=self.positive)

    def values(self, z: Floats) -> Floats:
        """``g(z)`` in NumPy."""
        return np.where(z > 0, self.positive, self.negative) * np.abs(z) ** self.power

    def slopes(self, z: Floats) -> Floats:
        """``g'(z)`` in NumPy; at a kink that of the negative side."""
        slopes = np.where(z > 0, self.positive, -self.negative)
        return slopes if self.power == 1 else self.power * slopes * np.abs(z) ** (self.power - 1)

    def curvatures(self, z: Floats) -> Floats:
        """``g''(z)`` in NumPy; zero without a kink for a power of 1."""
        coefficients = self.power * (self.power - 1) * np.where(z > 0, self.positive, self.negative)
        return coefficients * np.abs(z) ** max(self.power - 2, 0)
