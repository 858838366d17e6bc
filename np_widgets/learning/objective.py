"""The training loss as a function of all weights in one vector, with its derivatives."""

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
    """The training loss of networks of one architecture on one problem.

    Parameters
    ----------
    problem
        The data; they must lie on the network's device, in its precision.
    network
        Gives the architecture; its weights are only read by :attr:`initial`.

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

    def __init__(self, problem: Problem, network: HomogeneousNetwork) -> None:
        _require_match(problem, network)
        self.problem = problem
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

    def loss(self, theta: Tensor) -> float:
        """The training loss."""
        if self._blocks is not None:
            self.evaluations += 1
            return float(self._blocks.loss(theta.detach()))
        self._forward(theta)
        return self._loss()

    def loss_and_gradient(self, theta: Tensor, out: Tensor | None = None) -> tuple[float, Tensor]:
        """The training loss and its gradient, of shape ``(P,)``: a new tensor, or ``out`` if that is given.

        At a kink of the activation the slope of the negative side is taken.
        """
        if self._blocks is not None:
            self.evaluations += 1
            total, gradient = self._blocks.loss_and_gradient(theta.detach())
            loss = float(total)
        else:
            self._forward(theta)
            loss, gradient = self._loss(), self._passes.backward(self._residual)
        return loss, torch.mul(gradient, -1 / self.problem.samples, out=out)

    def evaluate_on_device(self, theta: Tensor, gradient: Tensor) -> Tensor:
        """The training loss, of shape ``()``; its gradient is written to ``gradient``. The host waits for neither."""
        if self._blocks is not None:
            self.evaluations += 1
            total, sums = self._blocks.loss_and_gradient(theta)
            torch.mul(sums, -1 / self.problem.samples, out=gradient)
            return total
        self._forward(theta)
        loss = self.problem.loss.evaluate(self._output, self.problem.targets, self._residual_rows)
        torch.mul(self._passes.backward(self._residual), -1 / self.problem.samples, out=gradient)
        return loss

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
        return GaussNewton(float(losses), gradients[0], matrices[0])


def _require_match(problem: Problem, network: HomogeneousNetwork) -> None:
    for what, given, wanted in (
        ("inputs", network.input_size, problem.input_size),
        ("outputs", network.output_size, problem.output_size),
        ("dtype", network.dtype, problem.dtype),
        ("device", network.device, problem.device),
    ):
        if given != wanted:
            raise ValueError(f"network must have the problem's {what}, {wanted}, got {given}")
