"""The training loss and the price on weights as a function of all weights in one vector, with its derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from np_widgets.learning import propagation
from np_widgets.learning.activation import Activation
from np_widgets.learning.blocks import Block, block_size, blocks_of
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.passes import Passes
from np_widgets.problems import Problem

# How many entries of the Jacobian are held at once: 32 MiB in float64.
_JACOBIAN_ENTRIES = 2**22


class GaussNewton(NamedTuple):
    """The quadratic model ``loss + gᵀδ + ½ δᵀGδ`` at one point, with G of shape ``(P, P)``, positive semi-definite."""

    loss: float
    gradient: Tensor
    matrix: Tensor


class Objective:
    """The training loss of networks of one architecture on one problem, plus ``½λ‖θ‖²``.

    ``θ`` is W_1 row by row, then W_2, …; ``initial`` is that of the network, which gives the architecture. With a
    ``weight_decay`` λ of 0 the *loss* below is the training loss alone. ``evaluations`` counts how many times the data
    were gone through, forwards or both ways.

    Not for several threads at once: all evaluations share the same working memory. Large data are gone through in
    blocks of one size, see :func:`~np_widgets.learning.blocks.blocks_of`, so that the memory beside the data stays the
    same however many samples there are. What a device computes is waited for only where a number is returned.
    """

    def __init__(self, problem: Problem, network: HomogeneousNetwork, weight_decay: float = 0.0) -> None:
        _require_match(problem, network)
        self.problem, self.weight_decay = problem, weight_decay
        self.criterion, self.goals = problem.criterion, problem.goals
        self.activation = network.activation
        self.shapes = [(weight.shape[0], weight.shape[1]) for weight in network.weights]
        self.sizes = [weight.numel() for weight in network.weights]
        self.initial = torch.cat([weight.detach().reshape(-1) for weight in network.weights])
        self.evaluations = 0
        size = block_size(problem.inputs, sum(rows for rows, _ in self.shapes))
        self._blocks = blocks_of(problem.samples, size) if problem.samples > size else None
        inputs = problem.inputs if self._blocks is None else problem.inputs[: self._blocks[0].end]
        self._passes = Passes(inputs, self.shapes, self.activation)
        self._output = self._passes.output[0].mT
        self._residual = self._passes.residual
        self._residual_rows = self._residual[0].mT

    @property
    def size(self) -> int:
        """The number of weights, P."""
        return len(self.initial)

    def network(self, theta: Tensor) -> HomogeneousNetwork:
        """The network whose weights are views of ``theta``."""
        parts = theta.split(self.sizes)
        weights = [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]
        return HomogeneousNetwork._of(weights, self.activation)

    def balanced(self, theta: Tensor) -> Tensor:
        """Other weights of the same function, of shape ``(P,)``; see :meth:`HomogeneousNetwork.balanced`."""
        return torch.cat([weight.reshape(-1) for weight in self.network(theta).balanced().weights])

    def penalty(self, theta: Tensor) -> float:
        """``½λ‖θ‖²``."""
        return 0.5 * self.weight_decay * float(theta @ theta) if self.weight_decay else 0.0

    def loss(self, theta: Tensor) -> float:
        """The loss, penalty included."""
        return float(self._loss(theta)) + self.penalty(theta)

    def loss_and_gradient(self, theta: Tensor, out: Tensor | None = None) -> tuple[float, Tensor]:
        """The loss, penalty included, and its gradient, of shape ``(P,)``: a new tensor, or ``out`` if that is given.

        At a kink of the activation the slope of the negative side is taken.
        """
        loss, sums = self._loss_and_sums(theta)
        gradient = torch.mul(sums, -1 / self.problem.samples, out=out)
        if not self.weight_decay:
            return float(loss), gradient
        return float(loss) + self.penalty(theta), gradient.add_(theta, alpha=self.weight_decay)

    def evaluate_on_device(self, theta: Tensor, gradient: Tensor) -> Tensor:
        """The loss, of shape ``()``; its gradient is written to ``gradient``. The host waits for neither."""
        loss, sums = self._loss_and_sums(theta)
        torch.mul(sums, -1 / self.problem.samples, out=gradient)
        if not self.weight_decay:
            return loss
        gradient.add_(theta, alpha=self.weight_decay)
        return loss + 0.5 * self.weight_decay * (theta @ theta)

    def gradient_along(self, theta: Tensor, residual: Tensor) -> Tensor:
        """The gradient of ``(1/n) Σ_i r_iᵀ H(x_i; θ)`` for given ``r_i``, a new tensor of shape ``(P,)``.

        ``residual`` has shape ``(n, m)``; with that of the network itself this is minus the gradient of the loss.
        """
        if self._blocks is None:
            self._forward(theta)
            return self._passes.backward(residual.T.unsqueeze(0)) / self.problem.samples
        total = torch.zeros_like(self._passes.gradient)
        for block in self._visited(theta):
            self._residual_rows[block.overlap :] = residual[block.first : block.end]
            total += self._passes.backward(self._residual)
        return total / self.problem.samples

    def _loss(self, theta: Tensor) -> Tensor:
        """The training loss, of shape ``()``."""
        if self._blocks is None:
            self._forward(theta)
            return self.criterion.evaluate(self._output, self.goals, self._residual_rows)
        return torch.stack([self._part(block) for block in self._visited(theta)]).sum()

    def _loss_and_sums(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The training loss, and n times minus its gradient: overwritten by the next pass."""
        if self._blocks is None:
            return self._loss(theta), self._passes.backward(self._residual)
        losses, total = [], torch.zeros_like(self._passes.gradient)
        for block in self._visited(theta):
            losses.append(self._part(block))
            total += self._passes.backward(self._residual)
        return torch.stack(losses).sum(), total

    def _forward(self, theta: Tensor) -> None:
        self.evaluations += 1
        self._passes.theta.copy_(theta.detach())
        self._passes.forward()

    def _visited(self, theta: Tensor) -> Iterator[Block]:
        """Each block in turn, after its forward pass and with no residuals where it overlaps the one before."""
        self.evaluations += 1
        self._passes.theta.copy_(theta.detach())
        for block in self._blocks or ():
            self._passes.look_at(self.problem.inputs[block.begin : block.end])
            self._passes.forward()
            self._residual_rows[: block.overlap] = 0
            yield block

    def _part(self, block: Block) -> Tensor:
        """The block's part of the loss, in float64; leaves the residual behind."""
        own, goals = slice(block.overlap, None), self.goals[block.first : block.end]
        loss = self.criterion.evaluate(self._output[own], goals, self._residual_rows[own])
        return loss.double() * ((block.end - block.first) / self.problem.samples)

    def gauss_newton(self, theta: Tensor, chunk: int | None = None) -> GaussNewton:
        """The Gauss–Newton model; the data are gone through ``chunk`` samples at a time to bound memory."""
        self.evaluations += 1
        theta, problem = theta.detach(), self.problem
        weights = self.network(theta).weights
        chunk = chunk or max(1, _JACOBIAN_ENTRIES // (problem.output_size * self.size))
        loss, gradient = self.penalty(theta), self.weight_decay * theta
        matrix = torch.diag(torch.full_like(theta, self.weight_decay))
        for some, wanted in zip(problem.inputs.split(chunk), self.goals.split(chunk), strict=True):
            passed = propagation.forward(weights, some.T.contiguous(), self.activation)
            loss += float(self.criterion.value(passed.output, wanted)) * (len(some) / problem.samples)
            jacobian = _jacobian(weights, passed, self.activation)
            residual = self.criterion.residual(passed.output, wanted).T.reshape(-1)
            gradient -= jacobian.flatten(1) @ residual / problem.samples
            whitened = self.criterion.whiten(jacobian.permute(2, 1, 0), passed.output, wanted).permute(2, 1, 0)
            root = whitened.reshape(self.size, -1)
            matrix += root @ root.T / problem.samples
        return GaussNewton(loss, gradient, matrix)


def _jacobian(weights: Sequence[Tensor], passed: propagation.Forward, activation: Activation) -> Tensor:
    """``∂H_c(x_i)/∂θ``, of shape ``(P, m, n)``."""
    outputs, samples = passed.pre_activations[-1].shape
    sizes = [weight.numel() for weight in weights]
    jacobian = weights[0].new_empty(sum(sizes), outputs, samples)
    blocks = jacobian.split(sizes)
    eye = torch.eye(outputs, dtype=weights[0].dtype, device=weights[0].device)
    signal = eye.unsqueeze(2).expand(-1, -1, samples)  # ∂H_c/∂z_l, (k_l, m, n)
    for layer in range(len(weights) - 1, -1, -1):
        block = blocks[layer].view(*weights[layer].shape, outputs, samples)
        torch.mul(signal.unsqueeze(1), passed.hidden[layer].unsqueeze(0).unsqueeze(2), out=block)
        if layer:
            below = (weights[layer].T @ signal.flatten(1)).view(-1, outputs, samples)
            signal = activation.pull_back(below, passed.pre_activations[layer - 1].unsqueeze(1))
    return jacobian


def _require_match(problem: Problem, network: HomogeneousNetwork) -> None:
    for what, given, wanted in (
        ("inputs", network.input_size, problem.input_size),
        ("outputs", network.output_size, problem.output_size),
        ("dtype", network.dtype, problem.dtype),
        ("device", network.device, problem.device),
    ):
        if given != wanted:
            raise ValueError(f"network must have the problem's {what}, {wanted}, got {given}")
