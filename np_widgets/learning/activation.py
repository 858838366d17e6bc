"""The positively homogeneous activation σ(z) = max(z, αz)^p."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets import arguments


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
    def has_kink(self) -> bool:
        """Whether σ has a kink at zero (p = 1 and α ≠ 1); otherwise it is continuously differentiable."""
        return self.power == 1 and self.leak != 1

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
        if self.power == 1 and self.leak == 0:
            return torch.relu(z)
        rectified = torch.where(z > 0, z, self.leak * z)
        return rectified if self.power == 1 else rectified**self.power

    def derivative(self, z: Tensor, *, upper: bool = False) -> Tensor:
        """σ'(z), elementwise; at a kink the slope of the negative side, or of the positive one if ``upper``."""
        positive = z >= 0 if upper else z > 0
        slope = torch.where(positive, z.new_tensor(1.0), z.new_tensor(self.leak))
        if self.power == 1:
            return slope
        return self.power * slope * (slope * z) ** (self.power - 1)

    def change(self, z: Tensor, direction: Tensor) -> Tensor:
        """The one-sided derivative of σ at ``z`` along ``direction``, elementwise: at a kink on that side."""
        changed = self.derivative(z) * direction
        return torch.where(z == 0, self(direction), changed) if self.has_kink else changed

    def second_derivative(self, z: Tensor) -> Tensor:
        """σ''(z), elementwise; zero at zero for p ≤ 2."""
        if self.power == 1:
            return torch.zeros_like(z)
        slope = torch.where(z > 0, z.new_tensor(1.0), z.new_tensor(self.leak))
        return self.power * (self.power - 1) * slope**2 * (slope * z) ** (self.power - 2) * (z != 0)

    def pull_back(self, signal: Tensor, z: Tensor) -> Tensor:
        """``signal · σ'(z)``, elementwise; at a kink with the slope of the negative side."""
        sloped = torch.ops.aten.leaky_relu_backward(signal, z, self.leak, False)
        if self.power == 1:
            return sloped
        return sloped * torch.nn.functional.leaky_relu(z, self.leak).pow(self.power - 1).mul_(self.power)
