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
from np_widgets.learning.arrays import to_array
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.layout import Flags, Layout

Floats = NDArray[np.float64]

_KINK = 1e-3
_MOST_KINKS = 64
_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class Unseen:
    """Samples to which no active neuron of a ReLU layer responds, so that all layers above are at their kinks.

    Dormant neurons that do respond push the pre-activations ``z_{l+1}`` of the next layer away from zero, and what
    becomes of that depends on its sign: the output is ``H_{>l}(push)``, to leading order.

    Attributes
    ----------
    samples
        Which ones, of shape ``(u,)``.
    residual
        ``r_i`` there, of shape ``(u, m)``.
    weights
        ``W_{l+2} … W_L`` of the active network.
    activation
        σ.
    """

    samples: Tensor
    residual: Tensor
    weights: tuple[Tensor, ...]
    activation: Activation

    def signals(self, push: Tensor) -> Tensor:
        """``∂ r_iᵀ H_{>l}(z) / ∂z`` at ``z = push``, of the shape of ``push``, ``(..., u, k_{l+1})``."""
        pre_activations = [push]
        for weight in self.weights[:-1]:
            pre_activations.append(self.activation(pre_activations[-1]) @ weight.T)
        signal = self.residual
        for weight, z in zip(reversed(self.weights), reversed(pre_activations), strict=True):
            signal = self.activation.pull_back((signal @ weight).expand_as(z).contiguous(), z)
        return signal


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
    unseen
        What becomes of samples at which ``s_i`` depends on the neurons themselves, or None.

    Notes
    -----
    Below, ``incoming`` of shape ``(J, k)`` and ``outgoing`` of shape ``(J, q)`` are the weights of J neurons.
    """

    features: Tensor
    signals: Tensor
    activation: Activation
    unseen: Unseen | None = None

    def gradient(self, incoming: Floats, outgoing: Floats) -> tuple[Floats, Floats]:
        """∇N of all neurons together, by the incoming weights, ``(J, k)``, and by the outgoing ones, ``(J, q)``."""
        b, a = self._tensor(incoming), self._tensor(outgoing)
        # A few long rows multiply several times faster than many short ones.
        z = b @ self._features_across
        hidden = self.activation(z)
        signal, by_outgoing = a @ self._signals_across, hidden @ self.signals
        if self.unseen is not None:
            seen_anew = hidden[:, self.unseen.samples]
            signals = self.unseen.signals(seen_anew.T @ a)
            signal[:, self.unseen.samples] += a @ signals.T
            by_outgoing += seen_anew @ signals
        by_incoming = self.activation.pull_back(signal, z) @ self.features
        return to_array(by_incoming) / len(self.features), to_array(by_outgoing) / len(self.features)

    def _alone(self, b: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``bᵀh_i`` and ``aᵀs_i`` of each neuron, as if it were the only one, ``(J, n)``; and ∇_a N, ``(J, q)``."""
        z = b @ self._features_across
        hidden = self.activation(z)
        signal, by_outgoing = a @ self._signals_across, hidden @ self.signals
        if self.unseen is not None:
            seen_anew = hidden[:, self.unseen.samples]
            signals = self.unseen.signals(seen_anew.unsqueeze(2) * a.unsqueeze(1))
            signal[:, self.unseen.samples] += (signals @ a.unsqueeze(2)).squeeze(2)
            by_outgoing += (seen_anew.unsqueeze(1) @ signals).squeeze(1)
        return z, signal, by_outgoing / len(self.features)

    def value(self, incoming: Floats, outgoing: Floats) -> Floats:
        """N of each neuron alone, ``(J,)``, by Euler's formula ``∇_a N · a = N``."""
        by_outgoing = self._alone(self._tensor(incoming), self._tensor(outgoing))[2]
        return np.asarray((to_array(by_outgoing) * outgoing).sum(axis=1))

    def residual(self, incoming: Floats, outgoing: Floats) -> Floats:
        """``‖∇N − (p+1)·N·(a, b)‖ / N`` of each neuron, ``(J,)``, for directions with ``‖a‖² + ‖b‖² = 1``.

        NaN where N is not positive. With kinks, a sample with ``|bᵀh_i| ≤ 10⁻³·‖b‖·‖h_i‖`` has any slope in [α, 1], and
        the smallest residual over these slopes is returned (of the 64 samples nearest to the kink: with more of them
        it is an upper bound). An outgoing weight within 10⁻³ of zero, where unseen samples make a kink, has any
        derivative between the one-sided ones.
        """
        z, signal, along = self._alone(self._tensor(incoming), self._tensor(outgoing))
        by_outgoing = to_array(along)
        by_incoming = to_array(self.activation.pull_back(signal, z) @ self.features) / len(self.features)
        value = (by_outgoing * outgoing).sum(axis=1)
        degree = self.activation.power + 1
        upper = self._nearest_outgoing(incoming, outgoing, by_outgoing) - degree * value[:, None] * outgoing
        lower = by_incoming - degree * value[:, None] * incoming
        if self.activation.has_kink:
            squares = (upper**2).sum(axis=1) + self._smallest(z, signal, np.linalg.norm(incoming, axis=1), lower)
        else:
            squares = (upper**2).sum(axis=1) + (lower**2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(value > 0, np.sqrt(squares) / value, np.nan)

    def _nearest_outgoing(self, incoming: Floats, outgoing: Floats, by_outgoing: Floats) -> Floats:
        """∇_a N; where an outgoing weight is about zero, the smallest between its one-sided derivatives."""
        sizes = np.sqrt((incoming**2).sum(axis=1) + (outgoing**2).sum(axis=1))
        small = np.abs(outgoing) <= _KINK * sizes[:, None]
        if self.unseen is None or not small.any():
            return by_outgoing
        b = self._tensor(incoming)
        sides = [
            to_array(self._alone(b, self._tensor(np.where(small, sign * _KINK * sizes[:, None], outgoing)))[2])
            for sign in (-1, 1)
        ]
        nearest = np.clip(0.0, np.minimum(*sides), np.maximum(*sides))
        return np.where(small, nearest, by_outgoing)

    def _smallest(self, z: Tensor, signal: Tensor, norms: Floats, lower: Floats) -> Floats:
        """``min ‖lower + Σ_i c_i (θ_i − θ⁰_i) h_i‖²`` over slopes θ_i in [α, 1] of the samples at kinks."""
        reach = torch.outer(self._tensor(norms), self._sizes)
        distance = torch.where(reach > 0, z.abs() / reach.clamp(min=torch.finfo(z.dtype).tiny), torch.inf)
        count = min(_MOST_KINKS, int((distance <= _KINK).sum(dim=1).max()) if len(z) else 0)
        plain = np.asarray((lower**2).sum(axis=1))
        if count == 0:
            return plain
        distance, samples = distance.topk(count, dim=1, largest=False)
        force = signal.gather(1, samples) * (distance <= _KINK) / len(self.features)
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
        return np.minimum(to_array(error.square().sum(dim=1)), plain)

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
    :func:`~np_widgets.learning.correlation.clarke.shortest_subgradient`.
    """
    problem = objective.problem
    forward = network.forward(problem.inputs)
    residual = problem.loss.residual(forward.output, problem.targets)
    signals = network.signals(forward, residual, slopes=slopes)
    fields = {}
    for layer in range(1, network.hidden_layers + 1):
        unseen = None
        if network.power == 1 and network.leak == 0 and layer < network.hidden_layers:
            samples = torch.nonzero((forward.hidden[layer] == 0).all(dim=1)).flatten()
            if len(samples):
                unseen = Unseen(samples, residual[samples], network.weights[layer + 1 :], network.activation)
        fields[layer] = NeuronField(forward.hidden[layer - 1], signals[layer], network.activation, unseen)
    return fields


class CorrelationFlow:
    """The flow of the NCF alone: ``d(a, b)/dt = ∇N(a, b) − λ(a, b)`` for every dormant neuron.

    Parameters
    ----------
    layout
        Of the whole network.
    active
        Of each hidden layer, which neurons are active.
    fields
        Of each hidden layer.
    decay
        λ, the price on weights.

    Attributes
    ----------
    positions
        Which weights flow, as places in the vector of all weights; a state of the flow is a vector of these, ``(Q,)``.
    """

    def __init__(self, layout: Layout, active: Sequence[Flags], fields: dict[int, NeuronField], decay: float) -> None:
        self._decay = decay
        self._parts: list[tuple[NeuronField, tuple[int, ...], tuple[int, ...]]] = []
        places: list[NDArray[np.intp]] = []
        for layer, field in fields.items():
            incoming, outgoing = layout.positions(active, layer)
            if len(incoming):
                self._parts.append((field, incoming.shape, outgoing.shape))
                places += [incoming.reshape(-1), outgoing.reshape(-1)]
        self.positions = np.concatenate(places) if places else np.zeros(0, np.intp)

    def __call__(self, y: Floats) -> Floats:
        """``∇N − λy`` of all neurons, of shape ``(Q,)``."""
        flow, start = np.empty_like(y), 0
        for field, incoming, outgoing in self._parts:
            middle, end = start + int(np.prod(incoming)), start + int(np.prod(incoming)) + int(np.prod(outgoing))
            b, a = y[start:middle].reshape(incoming), y[middle:end].reshape(outgoing)
            by_incoming, by_outgoing = field.gradient(b, a)
            flow[start:middle], flow[middle:end] = by_incoming.reshape(-1), by_outgoing.reshape(-1)
            start = end
        return flow - self._decay * y if self._decay else flow


class JointFlow:
    """The flow ``dw/dt = ∇N − λw`` of an NCF of several layers' neurons together, ``N = (1/n) Σ_i s_iᵀ H(h_i; w)``.

    At the origin that is all neurons, ``h`` the inputs and ``s`` the residual; at another saddle those of a path.

    Parameters
    ----------
    objective
        Of the network H of these neurons on its inputs ``h`` and targets. At weights zero the residual is ``s``.
    positions
        Where its weights are among all weights.
    """

    def __init__(self, objective: Objective, positions: NDArray[np.intp]) -> None:
        problem = objective.problem
        self._objective = objective
        zero = problem.inputs.new_zeros(problem.samples, problem.output_size)
        self._residual = problem.loss.residual(zero, problem.targets)
        self.positions = positions

    def __call__(self, y: Floats) -> Floats:
        """``∇N − λy``, of shape ``(Q,)``."""
        return self._gradient(y) - self._objective.weight_decay * y

    def value(self, y: Floats) -> float:
        """N, by Euler's formula ``∇N·w = D·N``."""
        degree = sum(self._objective.activation.power**layer for layer in range(len(self._objective.shapes)))
        return float(self._gradient(y) @ y) / degree

    def _gradient(self, y: Floats) -> Floats:
        theta = torch.from_numpy(np.ascontiguousarray(y)).to(self._objective.initial)
        return to_array(self._objective.gradient_along(theta, self._residual))
