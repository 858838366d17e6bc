"""The neural correlation function around fixed active weights, for all dormant neurons of a layer at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.layout import Flags, Layout

Floats = NDArray[np.float64]

_KINK = 1e-3
_MOST_KINKS = 64
_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class NeuronField:
    """``N(a, b) = (1/n) Σ_i aᵀs_i σ(bᵀh_i)`` of several neurons of one layer, which to leading order do not interact.

    Attributes
    ----------
    features
        ``h_i = h_{l-1}(x_i)``, what enters the layer from active neurons, of shape ``(n, k)``.
    signals
        ``s_i = s_{l+1}(x_i)``, of the active neurons above, of shape ``(n, q)``.
    activation
        σ.

    Notes
    -----
    Below, ``incoming`` of shape ``(J, k)`` and ``outgoing`` of shape ``(J, q)`` are the weights of J neurons.
    """

    features: Tensor
    signals: Tensor
    activation: Activation

    def gradient(self, incoming: Floats, outgoing: Floats) -> tuple[Floats, Floats]:
        """∇N of each neuron, by the incoming weights, ``(J, k)``, and by the outgoing ones, ``(J, q)``."""
        b, a = self._tensor(incoming), self._tensor(outgoing)
        # A few long rows multiply several times faster than many short ones.
        z, signal = b @ self._features_across, a @ self._signals_across
        by_outgoing = self.activation(z) @ self.signals
        by_incoming = self.activation.pull_back(signal, z) @ self.features
        return _array(by_incoming) / len(self.features), _array(by_outgoing) / len(self.features)

    def value(self, incoming: Floats, outgoing: Floats) -> Floats:
        """N of each neuron, ``(J,)``, by Euler's formula ``∇_a N · a = N``."""
        return np.asarray((self.gradient(incoming, outgoing)[1] * outgoing).sum(axis=1))

    def residual(self, incoming: Floats, outgoing: Floats) -> Floats:
        """``‖∇N − (p+1)·N·(a, b)‖ / N`` of each neuron, ``(J,)``, for directions with ``‖a‖² + ‖b‖² = 1``.

        NaN where N is not positive. With kinks, a sample with ``|bᵀh_i| ≤ 10⁻³·‖b‖·‖h_i‖`` has any slope in [α, 1], and
        the smallest residual over these slopes is returned (of the 64 samples nearest to the kink: with more of them
        it is an upper bound).
        """
        by_incoming, by_outgoing = self.gradient(incoming, outgoing)
        value = (by_outgoing * outgoing).sum(axis=1)
        degree = self.activation.power + 1
        upper = by_outgoing - degree * value[:, None] * outgoing
        lower = by_incoming - degree * value[:, None] * incoming
        if self.activation.has_kink:
            squares = (upper**2).sum(axis=1) + self._smallest(incoming, outgoing, lower)
        else:
            squares = (upper**2).sum(axis=1) + (lower**2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(value > 0, np.sqrt(squares) / value, np.nan)

    def _smallest(self, incoming: Floats, outgoing: Floats, lower: Floats) -> Floats:
        """``min ‖lower + Σ_i c_i (θ_i − θ⁰_i) h_i‖²`` over slopes θ_i in [α, 1] of the samples at kinks."""
        b, a = self._tensor(incoming), self._tensor(outgoing)
        z = b @ self._features_across
        reach = torch.outer(b.norm(dim=1), self._sizes)
        distance = torch.where(reach > 0, z.abs() / reach.clamp(min=torch.finfo(z.dtype).tiny), torch.inf)
        count = min(_MOST_KINKS, int((distance <= _KINK).sum(dim=1).max()) if len(z) else 0)
        plain = np.asarray((lower**2).sum(axis=1))
        if count == 0:
            return plain
        distance, samples = distance.topk(count, dim=1, largest=False)
        force = (a @ self._signals_across).gather(1, samples) * (distance <= _KINK) / len(self.features)
        columns = self.features[samples] * force.unsqueeze(2)  # of shape (J, count, k)
        slope = self.activation.derivative(z.gather(1, samples))
        least, rest = self.activation.leak - slope, 1.0 - slope
        gram = columns @ columns.mT
        target = (columns @ self._tensor(lower).unsqueeze(2)).squeeze(2)
        # Accelerated projected gradient; the trace bounds the curvature.
        curvature = gram.diagonal(dim1=1, dim2=2).sum(dim=1, keepdim=True).clamp(min=torch.finfo(z.dtype).tiny)
        change, ahead, momentum = torch.zeros_like(slope), torch.zeros_like(slope), 1.0
        for _ in range(_ROUNDS):
            moved = ahead - (target + (gram @ ahead.unsqueeze(2)).squeeze(2)) / curvature
            moved = torch.minimum(torch.maximum(moved, least), rest)
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = moved + (momentum - 1) / following * (moved - change)
            change, momentum = moved, following
        error = self._tensor(lower) + (change.unsqueeze(1) @ columns).squeeze(1)
        return np.minimum(_array(error.square().sum(dim=1)), plain)

    @cached_property
    def _features_across(self) -> Tensor:
        return self.features.T.contiguous()

    @cached_property
    def _signals_across(self) -> Tensor:
        return self.signals.T.contiguous()

    @cached_property
    def _sizes(self) -> Tensor:
        return self.features.norm(dim=1)

    def _tensor(self, values: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.features)


def neuron_fields(
    network: HomogeneousNetwork,
    objective: Objective,
    slopes: Sequence[Tensor] | None,
) -> dict[int, NeuronField]:
    """The field of each hidden layer around the active network; for none of whose layers is empty.

    ``slopes`` are those of its activations where samples are at kinks, see
    :func:`~np_widgets.learning.stationarity.shortest_subgradient`.
    """
    problem = objective.problem
    forward = network.forward(problem.inputs)
    residual = problem.loss.residual(forward.output, problem.targets)
    signals = network.signals(forward, residual, slopes=slopes)
    return {
        layer: NeuronField(forward.hidden[layer - 1], signals[layer], network.activation)
        for layer in range(1, network.hidden_layers + 1)
    }


class CorrelationFlow:
    """The flow of the NCF alone: ``d(a, b)/dt = ∇N(a, b)`` for every dormant neuron.

    Parameters
    ----------
    layout
        Of the whole network.
    active
        Of each hidden layer, which neurons are active.
    fields
        Of each hidden layer.

    Attributes
    ----------
    positions
        Which weights flow, as places in the vector of all weights; a state of the flow is a vector of these, ``(Q,)``.
    """

    def __init__(self, layout: Layout, active: Sequence[Flags], fields: dict[int, NeuronField]) -> None:
        self._parts: list[tuple[NeuronField, tuple[int, ...], tuple[int, ...]]] = []
        places: list[NDArray[np.intp]] = []
        for layer, field in fields.items():
            incoming, outgoing = layout.positions(active, layer)
            if len(incoming):
                self._parts.append((field, incoming.shape, outgoing.shape))
                places += [incoming.reshape(-1), outgoing.reshape(-1)]
        self.positions = np.concatenate(places) if places else np.zeros(0, np.intp)

    def __call__(self, y: Floats) -> Floats:
        """``∇N`` of all neurons, of shape ``(Q,)``."""
        flow, start = np.empty_like(y), 0
        for field, incoming, outgoing in self._parts:
            middle, end = start + int(np.prod(incoming)), start + int(np.prod(incoming)) + int(np.prod(outgoing))
            b, a = y[start:middle].reshape(incoming), y[middle:end].reshape(outgoing)
            by_incoming, by_outgoing = field.gradient(b, a)
            flow[start:middle], flow[middle:end] = by_incoming.reshape(-1), by_outgoing.reshape(-1)
            start = end
        return flow


class OriginFlow:
    """The flow of the NCF at the origin, ``dw/dt = ∇ (1/n) Σ_i r_iᵀ H(x_i; w)``, where no neuron is active.

    Parameters
    ----------
    objective
        The training loss of the whole network.

    Attributes
    ----------
    positions
        All weights.
    """

    def __init__(self, objective: Objective) -> None:
        problem = objective.problem
        self._objective = objective
        zero = problem.inputs.new_zeros(problem.samples, problem.output_size)
        self._residual = problem.loss.residual(zero, problem.targets)
        self.positions = np.arange(objective.size)

    def __call__(self, y: Floats) -> Floats:
        """``∇N``, of shape ``(P,)``."""
        theta = torch.from_numpy(y).to(self._objective.initial)
        return _array(self._objective.gradient_along(theta, self._residual))

    def value(self, y: Floats) -> float:
        """N, by Euler's formula ``∇N·w = D·N``."""
        degree = sum(self._objective.activation.power**layer for layer in range(len(self._objective.shapes)))
        return float(self(y) @ y) / degree


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().double().cpu().numpy())
