"""Evaluation of many networks at once, with samples as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from np_widgets.learning.activation import Activation


@dataclass(frozen=True)
class Forward:
    """What one evaluation of G networks leaves behind.

    Attributes
    ----------
    hidden, pre_activations
        ``h_0, …, h_{L-1}`` and ``z_1, …, z_L``, of shape ``(G, k_l, n)``.
    """

    hidden: list[Tensor]
    pre_activations: list[Tensor]

    @property
    def output(self) -> Tensor:
        """Shape ``(G, n, m)``."""
        return self.pre_activations[-1].mT


def forward(weights: Sequence[Tensor], inputs: Tensor, activation: Activation) -> Forward:
    """Evaluate G networks, each at samples of its own, of shape ``(G, d, n)``."""
    hidden, pre_activations = [inputs], []
    for weight in weights:
        pre_activations.append(weight @ hidden[-1])
        if len(pre_activations) < len(weights):
            hidden.append(activation(pre_activations[-1]))
    return Forward(hidden, pre_activations)


def signals(weights: Sequence[Tensor], passed: Forward, residual: Tensor, activation: Activation) -> list[Tensor]:
    """The signals ``s_1, …, s_L``, of shape ``(G, k_l, n)``, for a residual of shape ``(G, n, m)``."""
    found = [residual.mT]
    for layer in range(len(weights) - 1, 0, -1):
        found.append(activation.pull_back(weights[layer].mT @ found[-1], passed.pre_activations[layer - 1]))
    return found[::-1]
