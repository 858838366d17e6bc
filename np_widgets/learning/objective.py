"""The training loss as a function of all weights in one vector, with its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems import Problem

_JACOBIAN_ENTRIES = 2**22
"""How many entries of the Jacobian are held at once: 32 MiB in float64."""

# What leaky_relu and its gradient are made of, with a place to write to (which the public functions lack).
_rectify = torch.ops.aten.leaky_relu.out
_rectify_backward = torch.ops.aten.leaky_relu_backward.grad_input


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
    Not for several threads at once: all evaluations share the same working memory.
    """

    def __init__(self, problem: Problem, network: HomogeneousNetwork) -> None:
        _require_match(problem, network)
        self.problem = problem
        self.activation = network.activation
        self.shapes = [(weight.shape[0], weight.shape[1]) for weight in network.weights]
        self.sizes = [weight.numel() for weight in network.weights]
        self.initial = torch.cat([weight.detach().reshape(-1) for weight in network.weights])
        self.evaluations = 0
        self._passes = _Passes(problem.inputs, self.shapes, self.activation)

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
        self.evaluations += 1
        output = self._passes.forward(theta).T
        return float(self.problem.loss.value(output, self.problem.targets))

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """The training loss and its gradient, a new tensor of shape ``(P,)``.

        At a kink of the activation the slope of the negative side is taken.
        """
        self.evaluations += 1
        output = self._passes.forward(theta).T
        residual = self.problem.loss.residual(output, self.problem.targets)
        gradient = self._passes.backward(residual.T) / -self.problem.samples
        return float(self.problem.loss.value(output, self.problem.targets)), gradient

    def gradient_along(self, theta: Tensor, residual: Tensor) -> Tensor:
        """The gradient of ``(1/n) Σ_i r_iᵀ H(x_i; θ)`` for given ``r_i``, a new tensor of shape ``(P,)``.

        ``residual`` has shape ``(n, m)``; with that of the network itself this is minus the gradient of the loss.
        """
        self.evaluations += 1
        self._passes.forward(theta)
        return self._passes.backward(residual.T) / self.problem.samples

    def gauss_newton(self, theta: Tensor, chunk: int | None = None) -> GaussNewton:
        """The Gauss–Newton model; the data are gone through ``chunk`` samples at a time to bound memory."""
        self.evaluations += 1
        samples, outputs = self.problem.samples, self.problem.output_size
        chunk = chunk or max(1, _JACOBIAN_ENTRIES // (outputs * self.size))
        matrix, gradient = theta.new_zeros(self.size, self.size), theta.new_zeros(self.size)
        loss = 0.0
        network = self.network(theta.detach())
        for start in range(0, samples, chunk):
            inputs = self.problem.inputs[start : start + chunk]
            targets = self.problem.targets[start : start + chunk]
            forward = network.forward(inputs)
            residual = self.problem.loss.residual(forward.output, targets)
            jacobian = self._jacobian(network, forward.hidden, forward.pre_activations)
            gradient -= residual.reshape(-1) @ jacobian.reshape(-1, self.size) / samples
            root = self.problem.loss.whiten(jacobian, forward.output).reshape(-1, self.size)
            matrix += root.T @ root / samples
            loss += float(self.problem.loss.value(forward.output, targets)) * len(inputs) / samples
        return GaussNewton(loss, gradient, matrix)

    def _jacobian(
        self, network: HomogeneousNetwork, hidden: Sequence[Tensor], pre_activations: Sequence[Tensor]
    ) -> Tensor:
        """``∂H_c(x_i)/∂θ``, of shape ``(n, m, P)``."""
        samples, outputs = pre_activations[-1].shape
        eye = torch.eye(outputs, dtype=hidden[0].dtype, device=hidden[0].device)
        signal = eye.expand(samples, outputs, outputs)  # ∂H_c/∂z_l, of shape (n, m, k_l)
        blocks: list[Tensor] = []
        for layer in range(len(network.weights), 0, -1):
            block = signal.unsqueeze(-1) * hidden[layer - 1].unsqueeze(1).unsqueeze(2)
            blocks.append(block.reshape(samples, outputs, -1))
            if layer > 1:
                slope = self.activation.derivative(pre_activations[layer - 2])
                signal = (signal @ network.weights[layer - 1]) * slope.unsqueeze(1)
        return torch.cat(blocks[::-1], dim=-1)


class _Passes:
    """Forward and backward passes over working memory that is made once.

    What a small network costs is the number of operations and the memory that each of them makes, not arithmetic.
    So samples are columns here (matrices of a few long rows multiply several times faster than their transposes),
    weights and gradient are fixed views of one vector each, and every operation writes to a place of its own.
    """

    def __init__(self, inputs: Tensor, shapes: Sequence[tuple[int, int]], activation: Activation) -> None:
        samples = len(inputs)
        self._power, self._leak = activation.power, activation.leak
        sizes = [rows * columns for rows, columns in shapes]
        self._theta = inputs.new_empty(sum(sizes))
        self._gradient = torch.empty_like(self._theta)
        self._weights = [part.view(shape) for part, shape in zip(self._theta.split(sizes), shapes, strict=True)]
        self._gradients = [part.view(shape) for part, shape in zip(self._gradient.split(sizes), shapes, strict=True)]
        widths = [rows for rows, _ in shapes[:-1]]
        self._pre_activations = [inputs.new_empty(width, samples) for width in widths]
        self._rectified = [torch.empty_like(z) for z in self._pre_activations]
        self._powers = self._rectified if self._power == 1 else [torch.empty_like(z) for z in self._rectified]
        self._signals = [torch.empty_like(z) for z in self._pre_activations]
        self._output = inputs.new_empty(shapes[-1][0], samples)
        self._hidden = [inputs.T, *self._powers]
        self._weights_transposed = [weight.T for weight in self._weights]
        self._hidden_transposed = [hidden.T for hidden in self._hidden]

    def forward(self, theta: Tensor) -> Tensor:
        """The outputs, of shape ``(m, n)``; overwritten by the next call."""
        self._theta.copy_(theta.detach())
        for layer, z in enumerate(self._pre_activations):
            torch.mm(self._weights[layer], self._hidden[layer], out=z)
            _rectify(z, self._leak, out=self._rectified[layer])
            if self._power > 1:
                torch.pow(self._rectified[layer], self._power, out=self._powers[layer])
        return torch.mm(self._weights[-1], self._hidden[-1], out=self._output)

    def backward(self, signal: Tensor) -> Tensor:
        """``Σ_i signalᵀ ∂H(x_i)/∂θ`` after :meth:`forward`, of shape ``(P,)``; overwritten by the next call.

        ``signal`` has shape ``(m, n)``.
        """
        for layer in range(len(self._weights) - 1, 0, -1):
            torch.mm(signal, self._hidden_transposed[layer], out=self._gradients[layer])
            signal = torch.mm(self._weights_transposed[layer], signal, out=self._signals[layer - 1])
            if self._power > 1:
                # σ'(z) = p·max(z, αz)^(p−1) times the slope of max(z, αz). The powers are not needed any more.
                factor = torch.pow(self._rectified[layer - 1], self._power - 1, out=self._powers[layer - 1])
                signal.mul_(factor).mul_(self._power)
            _rectify_backward(signal, self._pre_activations[layer - 1], self._leak, False, grad_input=signal)
        torch.mm(signal, self._hidden_transposed[0], out=self._gradients[0])
        return self._gradient


def _require_match(problem: Problem, network: HomogeneousNetwork) -> None:
    for what, given, wanted in (
        ("inputs", network.input_size, problem.input_size),
        ("outputs", network.output_size, problem.output_size),
        ("dtype", network.dtype, problem.dtype),
        ("device", network.device, problem.device),
    ):
        if given != wanted:
            raise ValueError(f"network must have the problem's {what}, {wanted}, got {given}")
