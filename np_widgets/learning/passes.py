"""Forward and backward passes over working memory that is made once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork

_APART = 32  # numbers in whole cache lines, and in two vectors of any processor


class Passes:
    """The outputs of B networks of one architecture, and what their gradients are made of.

    What a small network costs is the number of operations and the memory that each of them makes, not arithmetic. So
    samples are columns (matrices of a few long rows multiply several times faster than their transposes), weights and
    gradients are fixed views of one vector each, every operation writes to a place of its own, and the networks that
    see the same samples share one product in the first layer.

    Networks of different widths are one batch when the missing neurons are given weights of zero: their gradients are
    zero, too.

    Groups of networks are kept apart: samples, and the first layers of each group, begin at full cache lines, and
    vector units take whole ones. What comes out for a group is then the same to the bit whatever groups there are
    beside it (measured for all instruction sets of torch and MKL: a product of several matrices takes each as it
    comes).

    Parameters
    ----------
    inputs
        The samples of all networks, of shape ``(n, d)``; or a list of those of each of G groups of networks.
    shapes
        Of ``W_1, …, W_L``.
    activation
        Of the hidden layers.
    networks
        How many networks, B: a multiple of G.

    Attributes
    ----------
    theta, gradient
        Vectors that hold ``W_1`` of all networks, then ``W_2`` of all, and so on; see :meth:`parts`.
    weights, gradients
        Their parts as views of shape ``(B, k_l, k_{l-1})``, ``(G, B/G, k_l, k_{l-1})`` with groups; to be written to
        and read from.
    output, residual
        What :meth:`forward` leaves, and room for the signal of :meth:`backward`, of shape ``(B, m, n)``.
    """

    def __init__(
        self,
        inputs: Tensor | Sequence[Tensor],
        shapes: Sequence[tuple[int, int]],
        activation: Activation,
        networks: int = 1,
    ) -> None:
        self._apart = not isinstance(inputs, Tensor)
        groups = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        self.samples, self.networks, like = len(groups[0]), networks, groups[0]
        if self._apart:
            groups = [torch.nn.functional.pad(each, (0, 0, 0, self._room(len(each)) - len(each))) for each in groups]
        self._activation = activation
        # One matrix is multiplied otherwise than several are: where there may be other groups a lonely one has company.
        self._count = max(networks, 2) if self._apart else networks
        self._groups, self._shapes = len(groups), list(shapes)

        def places(more: int = 0) -> list[Tensor]:
            """Room for a number for every sample and neuron of the hidden layers, and of so many layers more."""
            rows = [rows for rows, _ in shapes[: len(shapes) - 1 + more]]
            return [like.new_zeros(self._count, each, len(groups[0])) for each in rows]

        self.theta = like.new_zeros(self._room(sum(self._sizes)))
        self.gradient = torch.zeros_like(self.theta)
        weights, gradients = self._parts(self.theta), self._parts(self.gradient)
        *self._z, output = places(more=1)
        self._hidden = places()
        self._slopes = self._hidden if activation.power == 1 else places()
        *self._signals, self._residual = places(more=1)
        own = networks // len(groups)
        # Everything below is a view that is made once: in the passes it would cost more than small products do.
        self.weights, self.gradients = self.parts(self.theta), self.parts(self.gradient)
        self.output, self.residual = (each[:networks, :, : self.samples] for each in (output, self._residual))

        def all_of(batch: Tensor) -> Tensor:
            return batch[0, 0] if self._count == 1 else batch.flatten(0, 1)

        def single(batch: Tensor) -> Tensor:
            return batch[0] if self._count == 1 else batch

        def rows(batch: Tensor) -> list[Tensor]:
            """The networks of each group below one another."""
            return [part[: own * batch.shape[1]] for part in batch.view(len(groups), -1, batch.shape[-1])]

        self._single = single
        self._product = torch.mm if self._count == 1 else torch.bmm
        first = [[part[:own].flatten(0, 1) for part in each] for each in (weights[0], gradients[0])]
        self._first = list(zip(first[0], [each.mT for each in groups], rows(self._z[0]), strict=True))
        above = [single(z) for z in [*self._z[1:], output]]
        hidden = [single(h) for h in self._hidden]
        self._upwards = list(zip([all_of(w) for w in weights[1:]], hidden, above, strict=True))
        self._outer = [(h.mT, all_of(g)) for h, g in zip(hidden, gradients[1:], strict=True)]
        self._downwards = [(all_of(w).mT, single(s)) for w, s in zip(weights[1:], self._signals, strict=True)]
        self._last = list(zip(rows(self._signals[0]), groups, first[1], strict=True))

    def parts(self, vector: Tensor) -> tuple[Tensor, ...]:
        """Of a vector like :attr:`theta`: views of the shape of :attr:`weights`."""
        if not self._apart:
            return tuple(part.flatten(0, 1) for part in self._parts(vector))
        return tuple(part[:, : self.networks // self._groups] for part in self._parts(vector))

    @property
    def _sizes(self) -> list[int]:
        first, *others = [self._count * rows * columns for rows, columns in self._shapes]
        return [self._groups * self._room(first // self._groups), *others]

    def _parts(self, vector: Tensor) -> list[Tensor]:
        """Of shape ``(G, C, k_l, k_{l-1})``, those without use included."""
        found = []
        for part, (rows, columns) in zip(vector[: sum(self._sizes)].split(self._sizes), self._shapes, strict=True):
            each = self._count // self._groups
            own = part.view(self._groups, -1)[:, : each * rows * columns]
            found.append(own.unflatten(1, (each, rows, columns)))
        return found

    def _room(self, numbers: int) -> int:
        return -(-numbers // _APART) * _APART if self._apart else numbers

    def look_at(self, inputs: Tensor) -> None:
        """Take other inputs of the same shape, ``(n, d)``, from now on, without a copy."""
        (weight, _, z), (signal, _, gradient) = self._first[0], self._last[0]
        self._first, self._last = [(weight, inputs.mT, z)], [(signal, inputs, gradient)]

    def forward(self) -> Tensor:
        """The outputs with the weights in :attr:`theta`, of shape ``(B, m, n)``; overwritten by the next call."""
        for weight, inputs, z in self._first:
            torch.mm(weight, inputs, out=z)
        for layer, (weight, hidden, z) in enumerate(self._upwards):
            self._activation.write(self._z[layer], self._slopes[layer], self._hidden[layer])
            self._product(weight, hidden, out=z)
        return self.output

    def backward(self, signal: Tensor | None = None) -> Tensor:
        """``Σ_i signalᵀ ∂H(x_i)/∂θ`` of each network after :meth:`forward`, in the order of :attr:`theta`.

        ``signal`` has shape ``(B, m, n)``; None for :attr:`residual`. At a kink of the activation the slope of the
        negative side is taken. The result is :attr:`gradient`, overwritten by the next call.
        """
        if signal is not None and self._apart:
            self.residual.copy_(signal)
            signal = None
        signal = self._single(self._residual if signal is None else signal)
        for layer in range(len(self._outer) - 1, -1, -1):
            hidden_transposed, gradient = self._outer[layer]
            self._product(signal, hidden_transposed, out=gradient)
            weight_transposed, below = self._downwards[layer]
            self._product(weight_transposed, signal, out=below)
            self._activation.pull_back_(self._signals[layer], self._z[layer], self._slopes[layer])
            signal = below
        for first, inputs, gradient in self._last:
            torch.mm(first, inputs, out=gradient)
        return self.gradient


def padded(networks: Sequence[HomogeneousNetwork]) -> list[Tensor]:
    """``W_1, …, W_L`` of G networks, of shape ``(G, k_l, k_{l-1})`` with the largest widths."""
    layers = networks[0].hidden_layers
    widths = [max(network.widths[layer] for network in networks) for layer in range(layers)]
    sizes = [networks[0].input_size, *widths, networks[0].output_size]
    like = networks[0].weights[0]
    weights = [like.new_zeros(len(networks), sizes[layer + 1], sizes[layer]) for layer in range(layers + 1)]
    for index, network in enumerate(networks):
        for place, weight in zip(weights, network.weights, strict=True):
            place[index, : weight.shape[0], : weight.shape[1]] = weight
    return weights
