"""Forward and backward passes over working memory that is made once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation

# What leaky_relu and its gradient are made of, with a place to write to (which the public functions lack).
_rectify = torch.ops.aten.leaky_relu.out
_rectify_backward = torch.ops.aten.leaky_relu_backward.grad_input


class Passes:
    """The outputs of B networks of one architecture, and what their gradients are made of.

    What a small network costs is the number of operations and the memory that each of them makes, not arithmetic. So
    samples are columns (matrices of a few long rows multiply several times faster than their transposes), weights and
    gradients are fixed views of one vector each, every operation writes to a place of its own, and the networks that
    see the same samples share one product in the first layer.

    Networks of different widths are one batch when the missing neurons are given weights of zero: their gradients are
    zero, too.

    Parameters
    ----------
    inputs
        The samples of all networks, of shape ``(n, d)``; or ``(G, n, d)`` for G groups of networks, each group with
        samples of its own.
    shapes
        Of ``W_1, …, W_L``.
    activation
        Of the hidden layers.
    networks
        How many networks, B: a multiple of G.

    Attributes
    ----------
    theta, gradient
        Vectors of length B·P that hold ``W_1`` of all networks, then ``W_2`` of all, and so on.
    weights, gradients
        Their parts as views of shape ``(B, k_l, k_{l-1})``, to be written to and read from.
    pre_activations
        ``z_1, …, z_{L-1}`` of the last :meth:`forward`, of shape ``(B, k_l, n)``.
    """

    def __init__(
        self, inputs: Tensor, shapes: Sequence[tuple[int, int]], activation: Activation, networks: int = 1
    ) -> None:
        samples = inputs.shape[-2]
        groups = inputs.shape[0] if inputs.dim() == 3 else 1
        self.samples, self.networks = samples, networks
        self._power, self._leak = activation.power, activation.leak
        sizes = [networks * rows * columns for rows, columns in shapes]
        self.theta = inputs.new_zeros(sum(sizes))
        self.gradient = torch.zeros_like(self.theta)
        self.weights = _parts(self.theta, sizes, shapes, networks)
        self.gradients = _parts(self.gradient, sizes, shapes, networks)
        widths = [rows for rows, _ in shapes[:-1]]
        self.pre_activations = [inputs.new_empty(networks, width, samples) for width in widths]
        self._rectified = [torch.empty_like(z) for z in self.pre_activations]
        powers = self._rectified if self._power == 1 else [torch.empty_like(z) for z in self._rectified]
        self._signals = [torch.empty_like(z) for z in self.pre_activations]
        self.output = inputs.new_empty(networks, shapes[-1][0], samples)

        # Everything below is a view that is made once: in the passes it would cost more than small products do.
        def rows(batch: Tensor) -> Tensor:
            """The networks of a group below one another; a plain matrix if there is one group."""
            return batch.reshape(-1, batch.shape[2]) if groups == 1 else batch.view(groups, -1, batch.shape[2])

        def single(batch: Tensor) -> Tensor:
            return batch[0] if networks == 1 else batch

        flat_inputs = inputs if inputs.dim() == 2 or groups > 1 else inputs[0]
        above = [single(z) for z in [*self.pre_activations[1:], self.output]]
        hidden = [single(h) for h in powers]
        self._first = torch.mm if groups == 1 else torch.bmm
        self._product = torch.mm if networks == 1 else torch.bmm
        self._first_operands = rows(self.weights[0]), flat_inputs.mT, rows(self.pre_activations[0])
        self._upwards = list(zip([single(w) for w in self.weights[1:]], hidden, above, strict=True))
        self._outer = [(h.mT, single(g)) for h, g in zip(hidden, self.gradients[1:], strict=True)]
        self._downwards = [(single(w).mT, single(s)) for w, s in zip(self.weights[1:], self._signals, strict=True)]
        self._last_operands = rows(self._signals[0]), flat_inputs, rows(self.gradients[0])
        self._powers = powers
        self._single = single

    def look_at(self, inputs: Tensor) -> None:
        """Take other inputs of the same shape, ``(n, d)``, from now on, without a copy."""
        weight, _, z = self._first_operands
        signal, _, gradient = self._last_operands
        self._first_operands = weight, inputs.mT, z
        self._last_operands = signal, inputs, gradient

    def forward(self) -> Tensor:
        """The outputs with the weights in :attr:`theta`, of shape ``(B, m, n)``; overwritten by the next call."""
        weight, inputs, z = self._first_operands
        self._first(weight, inputs, out=z)
        for layer, (weight, hidden, z) in enumerate(self._upwards):
            self._activate(layer)
            self._product(weight, hidden, out=z)
        return self.output

    def backward(self, signal: Tensor) -> Tensor:
        """``Σ_i signalᵀ ∂H(x_i)/∂θ`` of each network after :meth:`forward`, in the order of :attr:`theta`.

        ``signal`` has shape ``(B, m, n)``. At a kink of the activation the slope of the negative side is taken. The
        result is :attr:`gradient`, overwritten by the next call.
        """
        signal = self._single(signal)
        for layer in range(len(self._outer) - 1, -1, -1):
            hidden_transposed, gradient = self._outer[layer]
            self._product(signal, hidden_transposed, out=gradient)
            weight_transposed, below = self._downwards[layer]
            self._product(weight_transposed, signal, out=below)
            self._pull_back(layer)
            signal = below
        first, inputs, gradient = self._last_operands
        self._first(first, inputs, out=gradient)
        return self.gradient

    def _activate(self, layer: int) -> None:
        rectified = self._rectified[layer]
        _rectify(self.pre_activations[layer], self._leak, out=rectified)
        if self._power > 1:
            torch.pow(rectified, self._power, out=self._powers[layer])

    def _pull_back(self, layer: int) -> None:
        signal = self._signals[layer]
        if self._power > 1:
            # σ'(z) = p·max(z, αz)^(p−1) times the slope of max(z, αz). The powers are not needed any more.
            factor = torch.pow(self._rectified[layer], self._power - 1, out=self._powers[layer])
            signal.mul_(factor).mul_(self._power)
        _rectify_backward(signal, self.pre_activations[layer], self._leak, False, grad_input=signal)


def _parts(
    vector: Tensor, sizes: Sequence[int], shapes: Sequence[tuple[int, int]], networks: int
) -> tuple[Tensor, ...]:
    return tuple(part.view(networks, *shape) for part, shape in zip(vector.split(sizes), shapes, strict=True))
