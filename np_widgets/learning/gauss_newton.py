"""The Gauss–Newton model of the training losses of many networks at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.columns import Forward, forward
from np_widgets.problems.losses import Loss

_JACOBIAN_ENTRIES = 2**22
"""How many entries of the Jacobians are held at once: 32 MiB in float64."""


class Models(NamedTuple):
    """The quadratic models ``loss + gᵀδ + ½ δᵀGδ`` of G networks.

    Attributes
    ----------
    losses
        The training losses, of shape ``(G,)``.
    gradients
        Shape ``(G, P)``.
    matrices
        The Gauss–Newton matrices, positive semi-definite, of shape ``(G, P, P)``.
    """

    losses: Tensor
    gradients: Tensor
    matrices: Tensor


def gauss_newton(
    weights: Sequence[Tensor],
    inputs: Tensor,
    targets: Tensor,
    loss: Loss,
    activation: Activation,
    chunk: int | None = None,
) -> Models:
    """The models of networks with weights of shape ``(G, k_l, k_{l-1})``, each on samples of its own.

    ``inputs`` has shape ``(G, d, n)`` and ``targets`` ``(G, n, m)``, or ``(G, n)`` for classes. The data are gone
    through ``chunk`` samples at a time to bound memory.
    """
    count, samples, outputs = len(inputs), inputs.shape[2], weights[-1].shape[1]
    size = sum(weight[0].numel() for weight in weights)
    chunk = chunk or max(1, _JACOBIAN_ENTRIES // (count * outputs * size))
    losses = inputs.new_zeros(count)
    gradients, matrices = inputs.new_zeros(count, size), inputs.new_zeros(count, size, size)
    for begin in range(0, samples, chunk):
        some, wanted = inputs[:, :, begin : begin + chunk].contiguous(), targets[:, begin : begin + chunk]
        passed = forward(weights, some, activation)
        losses += loss.value(passed.output, wanted) * (some.shape[2] / samples)
        jacobian = _jacobian(weights, passed, activation)
        residual = loss.residual(passed.output, wanted).mT.reshape(count, -1, 1)
        gradients -= (jacobian.flatten(2) @ residual).squeeze(2) / samples
        whitened = loss.whiten(jacobian.permute(0, 3, 2, 1), passed.output).permute(0, 3, 2, 1)
        root = whitened.reshape(count, size, -1)
        matrices += root @ root.mT / samples
    return Models(losses, gradients, matrices)


def _jacobian(weights: Sequence[Tensor], passed: Forward, activation: Activation) -> Tensor:
    """``∂H_c(x_i)/∂θ``, of shape ``(G, P, m, n)``."""
    count, outputs, samples = passed.pre_activations[-1].shape
    sizes = [weight[0].numel() for weight in weights]
    jacobian = weights[0].new_empty(count, sum(sizes), outputs, samples)
    blocks = jacobian.split(sizes, dim=1)
    eye = torch.eye(outputs, dtype=weights[0].dtype, device=weights[0].device)
    signal = eye.reshape(1, outputs, outputs, 1).expand(count, -1, -1, samples)  # ∂H_c/∂z_l, (G, k_l, m, n)
    for layer in range(len(weights) - 1, -1, -1):
        block = blocks[layer].view(count, *weights[layer].shape[1:], outputs, samples)
        torch.mul(signal.unsqueeze(2), passed.hidden[layer].unsqueeze(1).unsqueeze(3), out=block)
        if layer:
            below = (weights[layer].mT @ signal.flatten(2)).view(count, -1, outputs, samples)
            signal = activation.pull_back(below, passed.pre_activations[layer - 1].unsqueeze(2))
    return jacobian
