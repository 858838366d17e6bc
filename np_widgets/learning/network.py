"""Bias-free feed-forward networks that are positively homogeneous in their weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from np_widgets import arguments
from np_widgets.learning import propagation
from np_widgets.learning.activation import Activation
from np_widgets.learning.balance import balanced
from np_widgets.learning.modules import module_of, weights_of
from np_widgets.problems import Problem


@dataclass(frozen=True)
class ForwardPass:
    """What one evaluation leaves: ``h_0, …, h_{L-1}`` and ``z_1, …, z_L``, each of shape ``(n, k_l)``."""

    hidden: tuple[Tensor, ...]
    pre_activations: tuple[Tensor, ...]

    @property
    def output(self) -> Tensor:
        """``H(x) = z_L``, of shape ``(n, m)``."""
        return self.pre_activations[-1]


class HomogeneousNetwork:
    """A bias-free network ``h_l = σ(W_l h_{l-1})`` with a linear last layer (Kumar & Haupt, arXiv 2509.12154).

    Parameters
    ----------
    weights
        ``[W_1, …, W_L]``, at least two matrices; ``W_l`` has shape ``(k_l, k_{l-1})``. They are copied. Tensors keep
        their precision and device, anything else becomes float64 on the CPU.
    power, leak
        p and α of the activation ``σ(z) = max(z, αz)^p``.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two matrices, their shapes do not chain, or an entry is not finite.
    """

    def __init__(self, weights: Sequence[Any], *, power: int = 1, leak: float = 0.0) -> None:
        self.activation = Activation(power, leak)
        self.weights = arguments.matrices("weights", weights)

    @classmethod
    def _of(cls, weights: Sequence[Tensor], activation: Activation) -> HomogeneousNetwork:
        """A network that shares the given tensors: for code that knows its weights are sound."""
        network = cls.__new__(cls)
        network.activation = activation
        network.weights = tuple(weights)
        return network

    @classmethod
    def empty(cls, problem: Problem, hidden_layers: int, activation: Activation) -> HomogeneousNetwork:
        """A network without neurons, of output zero: the origin, from which the first path of neurons leads away."""
        sizes = [problem.input_size, *[0] * hidden_layers, problem.output_size]
        return cls._of([problem.inputs.new_zeros(above, below) for below, above in pairwise(sizes)], activation)

    @property
    def power(self) -> int:
        """The power p of the activation."""
        return self.activation.power

    @property
    def leak(self) -> float:
        """The slope ratio α of the activation."""
        return self.activation.leak

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths ``(k_1, …, k_{L-1})`` of the hidden layers."""
        return tuple(weight.shape[0] for weight in self.weights[:-1])

    @property
    def hidden_layers(self) -> int:
        """The number of hidden layers, L − 1."""
        return len(self.weights) - 1

    @property
    def input_size(self) -> int:
        """The number of inputs, d."""
        return self.weights[0].shape[1]

    @property
    def output_size(self) -> int:
        """The number of outputs, m."""
        return self.weights[-1].shape[0]

    @property
    def degree(self) -> int:
        """The degree ``D = 1 + p + … + p^{L-1}`` of homogeneity in the weights."""
        return sum(self.power**layer for layer in range(len(self.weights)))

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the weights."""
        return self.weights[0].dtype

    @property
    def device(self) -> torch.device:
        """The device on which the weights lie."""
        return self.weights[0].device

    @property
    def parameter_count(self) -> int:
        """The number of weights."""
        return sum(weight.numel() for weight in self.weights)

    @property
    def squared_norm(self) -> float:
        """``‖W‖²``, the sum of all squared weights."""
        return sum(float(weight.square().sum()) for weight in self.weights)

    def __call__(self, inputs: Any) -> Tensor:
        """The outputs, of shape ``(n, m)``, for inputs of shape ``(n, d)``."""
        return self.forward(self._checked_inputs(inputs)).output

    def forward(self, inputs: Tensor) -> ForwardPass:
        """Evaluate at a tensor of shape ``(n, d)`` and keep what each layer computed."""
        passed = propagation.forward(self.weights, inputs.T, self.activation)
        hidden, pre_activations = (tuple(layer.T for layer in layers) for layers in passed)
        return ForwardPass(hidden, pre_activations)

    def signals(
        self,
        forward: ForwardPass,
        residual: Tensor,
        *,
        upper: bool = False,
        slopes: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, ...]:
        """The backpropagated signals ``s_l = −∂ℓ/∂z_l`` for l = 1 … L, of shape ``(n, k_l)``.

        ``residual`` is ``s_L``, of shape ``(n, m)``. Where a pre-activation sits on the kink of the activation, as
        above a ReLU layer that is off, the slope of the negative side is taken, or of the positive one if ``upper``.
        ``slopes`` gives those of all activations of each hidden layer instead, of shape ``(n, k_l)``.
        """
        if slopes is None:
            slopes = [self.activation.derivative(z, upper=upper) for z in forward.pre_activations[:-1]]
        found, _ = propagation.backward(self.weights, [slope.T for slope in slopes], residual.T)
        return tuple(signal.T for signal in found)

    def with_neuron(self, layer: int, incoming: Any, outgoing: Any) -> HomogeneousNetwork:
        """A new network with one more neuron at the end of a hidden layer.

        Parameters
        ----------
        layer, incoming, outgoing
            The hidden layer, 1 … L−1, and the weights from below, ``(k_{l-1},)``, and to above, ``(k_{l+1},)``.
        """
        return self.with_path(layer, incoming, (), outgoing)

    def with_path(self, layer: int, incoming: Any, inner: Any, outgoing: Any) -> HomogeneousNetwork:
        """A new network with one more neuron at the end of each of some consecutive hidden layers, in a chain.

        Parameters
        ----------
        layer, incoming
            The first of these layers, l, and the weights into it, of shape ``(k_{l-1},)``.
        inner
            The weight from the new neuron of each layer to that of the next, ``c_{l+1} … c_m``; empty for one neuron.
        outgoing
            The weights out of the last of these layers, m, of shape ``(k_{m+1},)``. Between new neurons and old ones
            there are no other weights.
        """
        layer, inner = self.checked_path(layer, inner)
        last = layer + len(inner)
        below, above = self.weights[layer - 1].shape[1], self.weights[last].shape[0]
        incoming = arguments.vector("incoming", incoming, below, dtype=self.dtype, device=self.device)
        outgoing = arguments.vector("outgoing", outgoing, above, dtype=self.dtype, device=self.device)
        weights = [weight.clone() for weight in self.weights]
        weights[layer - 1] = torch.cat([weights[layer - 1], incoming.reshape(1, -1)])
        for index, link in enumerate(inner, start=layer):
            weights[index] = nn.functional.pad(weights[index], (0, 1, 0, 1))
            weights[index][-1, -1] = link
        weights[last] = torch.cat([weights[last], outgoing.reshape(-1, 1)], dim=1)
        return HomogeneousNetwork._of(weights, self.activation)

    def checked_path(self, layer: Any, inner: Any) -> tuple[int, tuple[float, ...]]:
        """The first layer and the inner weights of a path, after checking that the network has so many layers."""
        layer, links = arguments.whole("layer", layer, 1, self.hidden_layers), arguments.reals("inner", inner)
        if layer + len(links) > self.hidden_layers:
            raise ValueError(
                f"inner must hold at most {self.hidden_layers - layer} weights for a path from layer {layer} of "
                f"{self.hidden_layers} hidden layers, got {len(links)}"
            )
        return layer, links

    def without(self, neurons: Collection[tuple[int, int]]) -> HomogeneousNetwork:
        """A new network without these hidden neurons, each ``(layer, index)``."""
        kept = [
            torch.tensor([index for index in range(width) if (layer, index) not in neurons], device=self.device)
            for layer, width in enumerate(self.widths, start=1)
        ]
        weights = list(self.weights)
        for layer, rows in enumerate(kept):
            weights[layer] = weights[layer][rows]
            weights[layer + 1] = weights[layer + 1][:, rows]
        return HomogeneousNetwork._of([weight.clone() for weight in weights], self.activation)

    def balanced(self) -> HomogeneousNetwork:
        """The same function by weights with ``p·‖out‖² = ‖in‖²`` for every hidden neuron.

        Multiplying a neuron's incoming weights by c > 0 and its outgoing ones by ``c^{-p}`` changes nothing. Gradient
        flow keeps ``p·‖out‖² − ‖in‖²`` constant, so from a small start it is nearly balanced; other minimizers are not,
        and the value of the NCF depends on it. A neuron without incoming or outgoing weights is left as it is.
        """
        return HomogeneousNetwork._of(balanced(self.weights, self.power), self.activation)

    def copy(self) -> HomogeneousNetwork:
        """A network with weights of its own."""
        return HomogeneousNetwork._of([weight.clone() for weight in self.weights], self.activation)

    def to(self, *, device: Any = None, dtype: Any = None) -> HomogeneousNetwork:
        """A copy on another device or in another precision."""
        target = self.device if device is None else arguments.device("device", device)
        precision = self.dtype if dtype is None else arguments.dtype("dtype", dtype)
        moved = [weight.to(device=target, dtype=precision, copy=True) for weight in self.weights]
        return HomogeneousNetwork._of(moved, self.activation)

    def state_dict(self) -> dict[str, Any]:
        """Copies of the weights as ``"W_1"``, …, ``"W_L"``; ``"hidden_layers"``, ``"power"`` and ``"leak"``.

        Tensors and plain numbers: what ``torch.save`` writes of it ``torch.load(…, weights_only=True)`` reads, and
        :meth:`from_state_dict` makes a network of.
        """
        weights = {f"W_{layer}": weight.clone() for layer, weight in enumerate(self.weights, start=1)}
        return {**weights, "hidden_layers": self.hidden_layers, "power": self.power, "leak": self.leak}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> HomogeneousNetwork:
        """The network whose :meth:`state_dict` is ``state``.

        Raises
        ------
        TypeError, ValueError
            If an entry is missing, unknown, or not what a network can have.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a dictionary as state_dict() makes it, got {type(state).__name__}")
        layers = arguments.whole("state['hidden_layers']", state.get("hidden_layers"), 1)
        names = [f"W_{layer}" for layer in range(1, min(layers + 1, len(state)) + 1)]
        wanted = {*names, "hidden_layers", "power", "leak"}
        if wanted != set(state):
            differing = ", ".join(sorted(map(repr, wanted ^ set(state))))
            raise ValueError(f"state must hold {', '.join(sorted(wanted))}, got one that differs in {differing}")
        for name in names:
            if not isinstance(state[name], Tensor):
                raise TypeError(f"state[{name!r}] must be a tensor, got {type(state[name]).__name__}")
        return cls([state[name] for name in names], power=state["power"], leak=state["leak"])

    def to_module(self) -> nn.Sequential:
        """The same function as a plain, trainable ``torch.nn.Module`` (bias-free ``Linear`` layers)."""
        return module_of(self.weights, self.activation)

    @classmethod
    def from_module(cls, module: nn.Sequential) -> HomogeneousNetwork:
        """The network that computes what a ``torch.nn.Module`` does.

        Parameters
        ----------
        module
            ``Linear`` layers with ``ReLU``, ``LeakyReLU`` or ``Identity`` between them. With biases the network takes
            inputs with a constant 1 at the end, as :meth:`Problem.standardized` appends it, and has in each hidden
            layer one neuron more, which hands it on.

        Raises
        ------
        TypeError, ValueError
            If it is made of anything else.
        """
        weights, activation = weights_of(module)
        return cls(weights, power=activation.power, leak=activation.leak)

    def __repr__(self) -> str:
        return (
            f"HomogeneousNetwork({self.input_size} inputs, widths={self.widths}, {self.output_size} outputs, "
            f"power={self.power}, leak={self.leak:g})"
        )

    def _checked_inputs(self, inputs: Any) -> Tensor:
        inputs = arguments.floats("inputs", inputs, dimensions=(2,), dtype=self.dtype, device=self.device)
        if inputs.shape[1] != self.input_size:
            raise ValueError(f"inputs must have shape (n, {self.input_size}), got {tuple(inputs.shape)}")
        return inputs
