"""The training loss and the price on weights as a function of all weights in one vector, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets.learning.blocks import Blocks, block_size
from np_widgets.learning.gauss_newton import gauss_newton
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.passes import Passes
from np_widgets.problems import Problem


@dataclass(frozen=True)
class GaussNewton:
    """The quadratic model ``loss + gᵀδ + ½ δᵀGδ`` at one point.

    Attributes
    ----------
    loss
        The training loss.
    gradient
        Shape ``(P,)``.
    matrix
        The Gauss–Newton matrix G, positive semi-definite, of shape ``(P, P)``.
    """

    loss: float
    gradient: Tensor
    matrix: Tensor


class Objective:
    """The training loss of networks of one architecture on one problem, plus ``½λ‖θ‖²``.

    With λ = 0, as everywhere unless it is given, *loss* below is the training loss alone.

    Parameters
    ----------
    problem
        The data; they must lie on the network's device, in its precision.
    network
        Gives the architecture; its weights are only read by :attr:`initial`.
    weight_decay
        λ ≥ 0.

    Attributes
    ----------
    initial
        The weights of ``network`` as one vector, of shape ``(P,)``: W_1 row by row, then W_2, ….
    evaluations
        How many times the data were gone through, forwards or both ways.

    Raises
    ------
    ValueError
        If the problem and the network differ in inputs, outputs, precision or device.

    Notes
    -----
    Not for several threads at once: all evaluations share the same working memory. Where the layers have more than 2^20
    outputs together for all samples (2^27 on a GPU), the samples are gone through in blocks of so many, and the memory
    beside the data stays the same however many samples there are.
    """

    def __init__(self, problem: Problem, network: HomogeneousNetwork, weight_decay: float = 0.0) -> None:
        _require_match(problem, network)
        self.problem, self.weight_decay = problem, weight_decay
        self.activation = network.activation
        self.shapes = [(weight.shape[0], weight.shape[1]) for weight in network.weights]
        self.sizes = [weight.numel() for weight in network.weights]
        self.initial = torch.cat([weight.detach().reshape(-1) for weight in network.weights])
        self.evaluations = 0
        size = block_size(problem.inputs, sum(rows for rows, _ in self.shapes))
        self._blocks: Blocks | None = None
        if problem.samples > size:
            self._blocks = Blocks(problem, self.shapes, self.activation, size)
            return
        self._passes = Passes(problem.inputs, self.shapes, self.activation)
        self._output = self._passes.output[0].mT
        self._residual = torch.empty_like(self._passes.output)
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
        if self._blocks is not None:
            self.evaluations += 1
            return float(self._blocks.loss(theta.detach())) + self.penalty(theta)
        self._forward(theta)
        return self._loss() + self.penalty(theta)

    def loss_and_gradient(self, theta: Tensor, out: Tensor | None = None) -> tuple[float, Tensor]:
        """The loss, penalty included, and its gradient, of shape ``(P,)``: a new tensor, or ``out`` if that is given.

        At a kink of the activation the slope of the negative side is taken.
        """
        if self._blocks is not None:
            self.evaluations += 1
            total, gradient = self._blocks.loss_and_gradient(theta.detach())
            loss = float(total)
        else:
            self._forward(theta)
            loss, gradient = self._loss(), self._passes.backward(self._residual)
        gradient = torch.mul(gradient, -1 / self.problem.samples, out=out)
        if not self.weight_decay:
            return loss, gradient
        return loss + self.penalty(theta), gradient.add_(theta, alpha=self.weight_decay)

    def evaluate_on_device(self, theta: Tensor, gradient: Tensor) -> Tensor:
        """The loss, of shape ``()``; its gradient is written to ``gradient``. The host waits for neither."""
        if self._blocks is not None:
            self.evaluations += 1
            loss, sums = self._blocks.loss_and_gradient(theta)
        else:
            self._forward(theta)
            loss = self.problem.loss.evaluate(self._output, self.problem.targets, self._residual_rows)
            sums = self._passes.backward(self._residual)
        torch.mul(sums, -1 / self.problem.samples, out=gradient)
        if not self.weight_decay:
            return loss
        gradient.add_(theta, alpha=self.weight_decay)
        return loss + 0.5 * self.weight_decay * (theta @ theta)

    def gradient_along(self, theta: Tensor, residual: Tensor) -> Tensor:
        """The gradient of ``(1/n) Σ_i r_iᵀ H(x_i; θ)`` for given ``r_i``, a new tensor of shape ``(P,)``.

        ``residual`` has shape ``(n, m)``; with that of the network itself this is minus the gradient of the loss.
        """
        if self._blocks is not None:
            self.evaluations += 1
            return self._blocks.gradient_along(theta.detach(), residual) / self.problem.samples
        self._forward(theta)
        return self._passes.backward(residual.T.unsqueeze(0)) / self.problem.samples

    def _forward(self, theta: Tensor) -> None:
        self.evaluations += 1
        self._passes.theta.copy_(theta.detach())
        self._passes.forward()

    def _loss(self) -> float:
        """The loss after :meth:`_forward`, which leaves the residual behind."""
        return float(self.problem.loss.evaluate(self._output, self.problem.targets, self._residual_rows))

    def gauss_newton(self, theta: Tensor, chunk: int | None = None) -> GaussNewton:
        """The Gauss–Newton model; the data are gone through ``chunk`` samples at a time to bound memory."""
        self.evaluations += 1
        problem = self.problem
        weights = [weight.unsqueeze(0) for weight in self.network(theta.detach()).weights]
        inputs, targets = problem.inputs.T.unsqueeze(0), problem.targets.unsqueeze(0)
        losses, gradients, matrices = gauss_newton(weights, inputs, targets, problem.loss, self.activation, chunk)
        loss, gradient, matrix = float(losses), gradients[0], matrices[0]
        if self.weight_decay:
            loss += self.penalty(theta)
            gradient = gradient.add(theta.detach(), alpha=self.weight_decay)
            matrix.diagonal().add_(self.weight_decay)
        return GaussNewton(loss, gradient, matrix)


def _require_match(problem: Problem, network: HomogeneousNetwork) -> None:
    for what, given, wanted in (
        ("inputs", network.input_size, problem.input_size),
        ("outputs", network.output_size, problem.output_size),
        ("dtype", network.dtype, problem.dtype),
        ("device", network.device, problem.device),
    ):
        if given != wanted:
            raise ValueError(f"network must have the problem's {what}, {wanted}, got {given}")
