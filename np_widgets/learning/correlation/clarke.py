"""Whether a point is stationary, in Clarke's sense where the loss has kinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import propagation
from np_widgets.learning.arrays import to_array
from np_widgets.learning.blocks import block_size
from np_widgets.learning.correlation.shortest import shortest
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective

_MOST_ROUNDS = 10
_WORTHWHILE = 1e-3
"""A round that shortens the subgradient by a smaller share is the last."""
_SHARES = (1.0, 0.5, 0.25, 0.125)

Floats = NDArray[np.float64]

_MOST_KINKS = 1000
# Weights times squared kinks, which is what a least-squares problem costs: half a second.
_MOST_WORK = 2**29


@dataclass(frozen=True, eq=False)
class Subgradient:
    """A short element of Clarke's subdifferential of the training loss: its length, and where it comes from.

    ``slopes`` are those of all activations of each hidden layer, ``(n, k_l)``: at ``kinks`` places any from α to 1,
    elsewhere the derivative of σ.
    """

    norm: float
    slopes: tuple[Tensor, ...]
    kinks: int


def clarke_gradient_norm(objective: Objective, theta: Tensor, kink_tolerance: float = 1e-9) -> float:
    """The norm of the shortest subgradient of the training loss: zero at a local minimum, on a kink or not.

    It is that of :func:`shortest_subgradient`, for which large data are gone through in blocks.
    """
    theta, tolerance = _checked(objective, theta, kink_tolerance)
    problem = objective.problem
    size = block_size(problem.inputs, sum(rows for rows, _ in objective.shapes))
    if problem.samples <= size:
        return shortest_subgradient(objective, theta, tolerance).norm
    gradient = to_array(objective.loss_and_gradient(theta)[1])
    plain = float(np.linalg.norm(gradient))
    samples = _samples_at_kinks(objective, theta, tolerance, size)
    if not 0 < len(samples) <= _MOST_KINKS:
        return plain
    # All that the slopes change is what these samples contribute.
    kinks = _Kinks(objective, theta, tolerance, samples)
    if not _can_be_weighed(kinks.count, objective.size):
        return plain
    kinks.others = gradient - kinks.gradient(kinks.one_sided)
    return _shortest_of(kinks, plain)[0]


def shortest_subgradient(objective: Objective, theta: Tensor, kink_tolerance: float = 1e-9) -> Subgradient:
    """The shortest subgradient of the training loss: zero at a local minimum, on a kink or not.

    A neuron whose pre-activation is zero for some sample, ``|z_l| ≤ kink_tolerance · ‖row of W_l‖ · ‖h_{l-1}‖``, is at
    the kink of its activation there, and its slope may be anything from α to 1. Each choice of these slopes gives the
    loss another gradient; this finds the shortest. Where more than a thousand slopes are free, or more than
    ``√(2²⁹/P)``, the result is the gradient, an upper bound.

    The slopes at all kinks vary on their own, which gives a superset of Clarke's subdifferential: the result is zero at
    every local minimum, but it may be zero elsewhere too, above all where the inputs of the kinked samples are linearly
    dependent.

    The gradient is linear in the slopes of one hidden layer: a bounded least-squares problem. Slopes of different
    layers multiply; so with more layers the problem is linearized, and again where that led, for as long as the true
    subgradient becomes clearly shorter, from the gradient itself and from slopes in the middle of their range. The
    result is never more than the norm of the gradient, but may be that of a local solution.
    """
    theta, tolerance = _checked(objective, theta, kink_tolerance)
    plain = float(torch.linalg.vector_norm(objective.loss_and_gradient(theta)[1]))
    kinks = _Kinks(objective, theta, tolerance)
    if not objective.activation.has_kink or not _can_be_weighed(kinks.count, objective.size):
        return Subgradient(plain, kinks.slopes(kinks.one_sided), 0)
    norm, slopes = _shortest_of(kinks, plain)
    return Subgradient(norm, kinks.slopes(slopes), kinks.count)


def _can_be_weighed(kinks: int, weights: int) -> bool:
    """Whether there are kinks, and not too many for a least-squares problem in their slopes."""
    return 0 < kinks <= _MOST_KINKS and kinks**2 * weights <= _MOST_WORK


def _checked(objective: Objective, theta: Tensor, kink_tolerance: float) -> tuple[Tensor, float]:
    tolerance = arguments.real("kink_tolerance", kink_tolerance, least=0)
    shape = tuple(objective.initial.shape)
    if not isinstance(theta, Tensor):
        raise TypeError(f"theta must be a tensor of shape {shape}, got {type(theta).__name__}")
    if theta.shape != shape:
        raise ValueError(f"theta must have shape {shape}, got {tuple(theta.shape)}")
    return theta.detach(), tolerance


def _at_kinks(
    network: HomogeneousNetwork, passed: propagation.Forward, tolerance: float
) -> list[tuple[Tensor, Tensor]]:
    """Which neurons of each hidden layer are at a kink for which samples, and which are on as soon as those below are.

    Of shape ``(k_l, n)``. Where nothing arrives from below, z stays zero whatever the weights: that is no kink of the
    loss. A ReLU that only neurons at kinks reach is on where these are, or off for good: it has no slope of its own.
    """
    found = []
    soft = torch.zeros_like(passed.hidden[0], dtype=torch.bool)  # what is about zero, and may become positive
    for z, hidden, weight in zip(passed.pre_activations[:-1], passed.hidden, network.weights, strict=False):
        scale = torch.linalg.vector_norm(weight, dim=1, keepdim=True) * torch.linalg.vector_norm(hidden, dim=0)
        reached = ((hidden != 0) & ~soft).any(dim=0)
        up, down = ((weight * sign).clamp(min=0) @ soft.to(z) > 0 for sign in (1, -1))
        if not network.activation.is_relu:
            reached, up, down = reached | soft.any(dim=0), up & False, down & False
        kinked = (z.abs() <= tolerance * scale) & (reached | (up & down))
        follows = up & ~down & ~reached
        found.append((kinked, follows))
        soft = kinked | follows
    return found


def _samples_at_kinks(objective: Objective, theta: Tensor, tolerance: float, size: int) -> Tensor:
    """The indices of samples for which some neuron is at a kink: all of them, or more than can be dealt with."""
    inputs, network = objective.problem.inputs, objective.network(theta)
    found = [torch.zeros(0, dtype=torch.int64, device=inputs.device)]
    if not network.activation.has_kink:
        return found[0]
    for first in range(0, len(inputs), size):
        passed = propagation.forward(network.weights, inputs[first : first + size].T, network.activation)
        kinked = torch.stack([layer.any(dim=0) for layer, _ in _at_kinks(network, passed, tolerance)]).any(dim=0)
        found.append(first + torch.nonzero(kinked).flatten())
        if sum(map(len, found)) > _MOST_KINKS:
            break
    return torch.cat(found)


class _Kinks:
    """Where a network is at kinks, and the gradient of its loss as a function of the slopes there.

    Slopes, one for each kink, stand in one vector of length ``count``. With ``samples``, indices, only these are looked
    at, and ``others`` is what all others contribute to the gradient. Samples are columns.
    """

    others: Floats | None = None

    def __init__(
        self, objective: Objective, theta: Tensor, tolerance: float, samples: Tensor | slice = slice(None)
    ) -> None:
        network, problem = objective.network(theta), objective.problem
        passed = propagation.forward(network.weights, problem.inputs[samples].T, network.activation)
        self.low, self.high = network.activation.kink_slopes
        self._weights = network.weights
        self._hidden = passed.hidden
        self._output_signal = objective.criterion.residual(passed.output, objective.goals[samples]).T / -problem.samples
        self._slopes = [network.activation.derivative(z) for z in passed.pre_activations[:-1]]
        at_kinks = _at_kinks(network, passed, tolerance)
        for slope, (_, follows) in zip(self._slopes, at_kinks, strict=True):
            slope[follows] = 1.0
        # (neurons, samples) at kinks, of each hidden layer
        self._places = [torch.nonzero(kinked, as_tuple=True) for kinked, _ in at_kinks]
        self.count = sum(len(places) for places, _ in self._places)
        self._decay = to_array(theta) * objective.weight_decay
        self.one_sided = to_array(torch.cat([s[place] for s, place in zip(self._slopes, self._places, strict=True)]))

    def gradient(self, slopes: Floats) -> Floats:
        """The gradient of the loss, of shape ``(P,)``, for these slopes."""
        signals, _ = self._backward(slopes)
        blocks = [(signal @ hidden.T).reshape(-1) for signal, hidden in zip(signals, self._hidden, strict=True)]
        gradient = to_array(torch.cat(blocks)) + self._decay
        return gradient if self.others is None else gradient + self.others

    def derivatives(self, slopes: Floats) -> Floats:
        """The derivative of the gradient by each slope, of shape ``(P, count)``."""
        _, uppers = self._backward(slopes)
        found = [
            upper[place] * self._pre_activation_gradients(layer, *place).T
            for layer, (upper, place) in enumerate(zip(uppers, self._places, strict=True))
        ]
        return to_array(torch.cat(found, dim=1))

    def slopes(self, slopes: Floats) -> tuple[Tensor, ...]:
        """Those of all activations of each hidden layer, ``(n, k_l)``, with these at the kinks."""
        self._set(slopes)
        return tuple(slope.T.clone() for slope in self._slopes)

    def _set(self, slopes: Floats) -> None:
        parts = np.split(slopes, np.cumsum([len(neurons) for neurons, _ in self._places])[:-1])
        for slope, place, part in zip(self._slopes, self._places, parts, strict=True):
            slope[place] = torch.from_numpy(part).to(slope)

    def _backward(self, slopes: Floats) -> tuple[list[Tensor], list[Tensor]]:
        self._set(slopes)
        return propagation.backward(self._weights, self._slopes, self._output_signal)

    def _pre_activation_gradients(self, layer: int, neurons: Tensor, samples: Tensor) -> Tensor:
        """``∂z/∂θ`` of the given pre-activations of one layer, of shape ``(kinks, P)``."""
        signal = self._weights[layer].new_zeros(len(samples), len(self._weights[layer]))
        signal.scatter_(1, neurons.unsqueeze(1), 1.0)
        blocks = [signal.new_zeros(len(samples), weight.numel()) for weight in reversed(self._weights[layer + 1 :])]
        for below in range(layer, -1, -1):
            blocks.append((signal.unsqueeze(2) * self._hidden[below].T[samples].unsqueeze(1)).flatten(1))
            if below:
                signal = (signal @ self._weights[below]) * self._slopes[below - 1].T[samples]
        return torch.cat(blocks[::-1], dim=1)


def _shortest_of(kinks: _Kinks, plain: float) -> tuple[float, Floats]:
    """The norm of the shortest subgradient and its slopes; ``plain`` is the norm of the gradient."""
    middle = np.full(kinks.count, (kinks.low + kinks.high) / 2)
    # The gradient itself is one of them, and the shortest if nothing else was found to be shorter.
    found = [(plain, kinks.one_sided), *(_shortest(kinks, start) for start in (kinks.one_sided, middle))]
    return min(found, key=lambda each: each[0])


def _shortest(kinks: _Kinks, slopes: Floats) -> tuple[float, Floats]:
    """The norm of the shortest subgradient that is found from these slopes, and its own."""
    gradient = kinks.gradient(slopes)
    length = float(np.linalg.norm(gradient))
    low, high = np.full(kinks.count, kinks.low), np.full(kinks.count, kinks.high)
    for _ in range(_MOST_ROUNDS):
        before = length
        derivatives = kinks.derivatives(slopes)
        shift = shortest(gradient - derivatives @ slopes, derivatives, low, high) - slopes
        for share in _SHARES:
            trial = kinks.gradient(slopes + share * shift)
            if float(np.linalg.norm(trial)) < length:
                slopes, gradient, length = slopes + share * shift, trial, float(np.linalg.norm(trial))
                break
        if length >= before * (1 - _WORTHWHILE):
            break
    return length, slopes
