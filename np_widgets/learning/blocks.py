"""Going through any number of samples in working memory of a fixed size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.passes import Passes
from np_widgets.problems import Problem
from np_widgets.problems.losses import Loss

BLOCK_ENTRIES = 2**20
"""Outputs of all layers together, for the samples of one block: 8 MiB in float64 for each place they have."""
_BLOCKS_ON_GPU = 2**7


def block_size(data: Tensor, entries: int) -> int:
    """How many samples are gone through at a time, on the device of ``data``, if each has so many layer outputs."""
    return max(1, BLOCK_ENTRIES * (_BLOCKS_ON_GPU if data.is_cuda else 1) // entries)


def mean_loss(network: HomogeneousNetwork, inputs: Tensor, targets: Tensor, loss: Loss) -> float:
    """The loss of a network on data of shapes ``(n, d)`` and ``(n, m)``, or ``(n,)`` for classes."""
    size = block_size(inputs, sum(network.widths) + network.output_size)
    total = 0.0
    for some, wanted in zip(inputs.split(size), targets.split(size), strict=True):
        share = len(some) / len(inputs)  # exactly one if one block is all
        total += float(loss.value(network.forward(some).output, wanted)) * share
    return total


class _Block(NamedTuple):
    """The samples from ``begin`` on, as many as a block has; those before ``first`` belong to the block before."""

    begin: int
    first: int
    end: int


class Blocks:
    """The loss of a network and its derivatives over all samples, block by block.

    All blocks have the same size, so that they share their working memory. For this the last one reaches back into the
    one before it, by fewer samples than there are blocks; those have residuals of zero there and so count once. What a
    device computes is never waited for.

    Parameters
    ----------
    problem
        The data.
    shapes, activation
        Of the network's weights and hidden layers.
    size
        The most samples of a block.
    """

    def __init__(self, problem: Problem, shapes: Sequence[tuple[int, int]], activation: Activation, size: int) -> None:
        self._problem = problem
        samples = problem.samples
        size = math.ceil(samples / math.ceil(samples / size))
        ends = [min(first + size, samples) for first in range(0, samples, size)]
        self._blocks = [
            _Block(end - size, first, end) for first, end in zip(range(0, samples, size), ends, strict=True)
        ]
        self._passes = Passes(problem.inputs[:size], shapes, activation)
        self._output = self._passes.output[0].mT
        self._residual = torch.empty_like(self._passes.output)
        self._residual_rows = self._residual[0].mT

    def loss(self, theta: Tensor) -> Tensor:
        """The training loss, of shape ``()`` in float64."""
        return torch.stack([self._loss(block) for block in self._forward(theta)]).sum()

    def loss_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The training loss, and n times minus its gradient, a new tensor of shape ``(P,)``."""
        losses, total = [], torch.zeros_like(self._passes.gradient)
        for block in self._forward(theta):
            losses.append(self._loss(block))
            total += self._passes.backward(self._residual)
        return torch.stack(losses).sum(), total

    def gradient_along(self, theta: Tensor, residual: Tensor) -> Tensor:
        """``Σ_i r_iᵀ ∂H(x_i)/∂θ`` for ``r_i`` of shape ``(n, m)``, a new tensor of shape ``(P,)``."""
        total = torch.zeros_like(self._passes.gradient)
        for block in self._forward(theta):
            self._residual_rows[block.first - block.begin :] = residual[block.first : block.end]
            total += self._passes.backward(self._residual)
        return total

    def _forward(self, theta: Tensor) -> Iterator[_Block]:
        """Each block in turn, after its forward pass and with no residuals where it overlaps the one before."""
        self._passes.theta.copy_(theta)
        for block in self._blocks:
            self._passes.look_at(self._problem.inputs[block.begin : block.end])
            self._passes.forward()
            self._residual_rows[: block.first - block.begin] = 0
            yield block

    def _loss(self, block: _Block) -> Tensor:
        """The block's part of the loss; leaves the residual behind."""
        own = slice(block.first - block.begin, None)
        targets = self._problem.targets[block.first : block.end]
        loss = self._problem.loss.evaluate(self._output[own], targets, self._residual_rows[own])
        return loss.double() * ((block.end - block.first) / self._problem.samples)
