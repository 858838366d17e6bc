"""Whether a point is stationary, in Clarke's sense where the loss has kinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.arrays import to_array
from np_widgets.learning.blocks import block_size
from np_widgets.learning.network import ForwardPass, HomogeneousNetwork
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
    """A short element of Clarke's subdifferential of the training loss.

    Attributes
    ----------
    norm
        Its length.
    slopes
        The slopes of all activations that it belongs to, of shape ``(n, k_l)`` for each hidden layer: at kinks any
        from α to 1, elsewhere the derivative of σ.
    kinks
        How many of them are at kinks.
    """

    norm: float
    slopes: tuple[Tensor, ...]
    kinks: int


def clarke_gradient_norm(objective: Objective, theta: Tensor, kink_tolerance: float = 1e-9) -> float:
    """The norm of the shortest subgradient of the training loss: zero at a local minimum, on a kink or not.

    See :func:`shortest_subgradient`, which takes the same arguments. Large data are gone through in blocks, like by the
    objective.
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

    A neuron whose pre-activation is zero for some sample is at the kink of its activation there, and its slope may be
    anything from α to 1. Each choice of these slopes gives the loss another gradient; this finds the shortest.

    Parameters
    ----------
    objective
        The training loss.
    theta
        The weights, of shape ``(P,)``.
    kink_tolerance
        A pre-activation counts as zero where ``|z_l| ≤ kink_tolerance · ‖row of W_l‖ · ‖h_{l-1}‖``. Where a minimizer
        approached a kink without reaching it, it takes a larger one.

    Returns
    -------
    Subgradient
        The gradient where no neuron is at a kink, and for every smooth activation (p ≥ 2, or α = 1); also,
        as an upper bound, where more than a thousand slopes are free, or too many for so many weights P (more than
        ``√(2²⁹/P)``).

    Raises
    ------
    TypeError, ValueError
        If ``theta`` does not fit the objective, or ``kink_tolerance`` is negative.

    Notes
    -----
    The slopes at all kinks vary on their own, which gives a superset of Clarke's subdifferential: the result is zero at
    every local minimum, but it may be zero elsewhere too, above all where the inputs of the kinked samples are linearly
    dependent.

    The gradient is linear in the slopes of one hidden layer; the shortest one then solves a bounded least-squares
    problem. Slopes of different layers multiply where one sample is at kinks of both. So with more layers the problem
    is linearized, and again where that led, for as long as the true subgradient becomes clearly shorter: a Gauss–Newton
    method, started from the gradient itself and from slopes in the middle of their range. The result is never more than
    the norm of the gradient, but may be that of a local solution.
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


def _at_kinks(network: HomogeneousNetwork, forward: ForwardPass, tolerance: float) -> list[Tensor]:
    """Which neurons of each hidden layer are at a kink for which samples, of shape ``(n, k_l)``."""
    found = []
    below = torch.zeros_like(forward.hidden[0], dtype=torch.bool)
    for z, hidden, weight in zip(forward.pre_activations[:-1], forward.hidden, network.weights, strict=False):
        scale = torch.linalg.vector_norm(hidden, dim=1, keepdim=True) * torch.linalg.vector_norm(weight, dim=1)
        # Where nothing arrives from below, z stays zero whatever the weights: that is no kink of the loss.
        reached = (hidden != 0).any(dim=1, keepdim=True) | below.any(dim=1, keepdim=True)
        below = (z.abs() <= tolerance * scale) & reached
        found.append(below)
    return found


def _samples_at_kinks(objective: Objective, theta: Tensor, tolerance: float, size: int) -> Tensor:
    """The indices of samples for which some neuron is at a kink: all of them, or more than can be dealt with."""
    inputs, network = objective.problem.inputs, objective.network(theta)
    found = [torch.zeros(0, dtype=torch.int64, device=inputs.device)]
    if not network.activation.has_kink:
        return found[0]
    for first in range(0, len(inputs), size):
        forward = network.forward(inputs[first : first + size])
        kinked = torch.stack([layer.any(dim=1) for layer in _at_kinks(network, forward, tolerance)]).any(dim=0)
        found.append(first + torch.nonzero(kinked).flatten())
        if sum(map(len, found)) > _MOST_KINKS:
            break
    return torch.cat(found)


class _Kinks:
    """Where a network is at kinks, and the gradient of its loss as a function of the slopes there.

    Slopes, one for each kink, stand in one vector of length ``count``. With ``samples``, indices, only these are looked
    at, and ``others`` is what all others contribute to the gradient.
    """

    others: Floats | None = None

    def __init__(
        self, objective: Objective, theta: Tensor, tolerance: float, samples: Tensor | slice = slice(None)
    ) -> None:
        network, problem = objective.network(theta), objective.problem
        forward = network.forward(problem.inputs[samples])
        self.leak = network.leak
        self._weights = network.weights
        self._hidden = forward.hidden
        self._output_signal = problem.loss.residual(forward.output, problem.targets[samples]) / -problem.samples
        self._slopes = [network.activation.derivative(z) for z in forward.pre_activations[:-1]]
        # (samples, neurons) at kinks, of each hidden layer
        self._places = [torch.nonzero(each, as_tuple=True) for each in _at_kinks(network, forward, tolerance)]
        self.count = sum(len(places) for places, _ in self._places)
        self._decay = to_array(theta) * objective.weight_decay
        self.one_sided = to_array(torch.cat([s[place] for s, place in zip(self._slopes, self._places, strict=True)]))

    def gradient(self, slopes: Floats) -> Floats:
        """The gradient of the loss, of shape ``(P,)``, for these slopes."""
        self._set(slopes)
        blocks = [(s.T @ h).reshape(-1) for s, h in zip(self._signals()[0], self._hidden, strict=True)]
        gradient = to_array(torch.cat(blocks)) + self._decay
        return gradient if self.others is None else gradient + self.others

    def derivatives(self, slopes: Floats) -> Floats:
        """The derivative of the gradient by each slope, of shape ``(P, count)``."""
        self._set(slopes)
        columns = [
            upper[place] * self._pre_activation_gradients(layer, *place).T
            for layer, (upper, place) in enumerate(zip(self._signals()[1], self._places, strict=True))
        ]
        return to_array(torch.cat(columns, dim=1))

    def slopes(self, slopes: Floats) -> tuple[Tensor, ...]:
        """Those of all activations of each hidden layer, ``(n, k_l)``, with these at the kinks."""
        self._set(slopes)
        return tuple(slope.clone() for slope in self._slopes)

    def _set(self, slopes: Floats) -> None:
        parts = np.split(slopes, np.cumsum([len(samples) for samples, _ in self._places])[:-1])
        for slope, place, part in zip(self._slopes, self._places, parts, strict=True):
            slope[place] = torch.from_numpy(part).to(slope)

    def _signals(self) -> tuple[list[Tensor], list[Tensor]]:
        """``∂loss/∂z_l`` of all layers and ``∂loss/∂h_l`` of the hidden ones, lowest first."""
        signals, uppers = [self._output_signal], list[Tensor]()
        for weight, slope in zip(reversed(self._weights[1:]), reversed(self._slopes), strict=True):
            uppers.append(signals[-1] @ weight)
            signals.append(uppers[-1] * slope)
        return signals[::-1], uppers[::-1]

    def _pre_activation_gradients(self, layer: int, samples: Tensor, neurons: Tensor) -> Tensor:
        """``∂z/∂θ`` of the given pre-activations of one layer, of shape ``(kinks, P)``."""
        signal = self._weights[layer].new_zeros(len(samples), len(self._weights[layer]))
        signal.scatter_(1, neurons.unsqueeze(1), 1.0)
        blocks = [signal.new_zeros(len(samples), weight.numel()) for weight in reversed(self._weights[layer + 1 :])]
        for below in range(layer, -1, -1):
            blocks.append((signal.unsqueeze(2) * self._hidden[below][samples].unsqueeze(1)).flatten(1))
            if below:
                signal = (signal @ self._weights[below]) * self._slopes[below - 1][samples]
        return torch.cat(blocks[::-1], dim=1)


def _shortest_of(kinks: _Kinks, plain: float) -> tuple[float, Floats]:
    """The norm of the shortest subgradient and its slopes; ``plain`` is the norm of the gradient."""
    middle = np.full(kinks.count, (1 + kinks.leak) / 2)
    # The gradient itself is one of them, and the shortest if nothing else was found to be shorter.
    found = [(plain, kinks.one_sided), *(_shortest(kinks, start) for start in (kinks.one_sided, middle))]
    return min(found, key=lambda each: each[0])


def _shortest(kinks: _Kinks, slopes: Floats) -> tuple[float, Floats]:
    """The norm of the shortest subgradient that is found from these slopes, and its own."""
    gradient = kinks.gradient(slopes)
    length = float(np.linalg.norm(gradient))
    for _ in range(_MOST_ROUNDS):
        before = length
        shift = _shortening(kinks.derivatives(slopes), gradient, slopes, kinks.leak)
        for share in _SHARES:
            trial = kinks.gradient(slopes + share * shift)
            if float(np.linalg.norm(trial)) < length:
                slopes, gradient, length = slopes + share * shift, trial, float(np.linalg.norm(trial))
                break
        if length >= before * (1 - _WORTHWHILE):
            break
    return length, slopes


def _shortening(columns: Floats, gradient: Floats, slopes: Floats, leak: float) -> Floats:
    """The change of the slopes, kept in [α, 1], that makes ``gradient + columns · change`` shortest."""
    sizes = np.linalg.norm(columns, axis=0)
    counts = sizes > 1e-14 * sizes.max()
    shift = np.zeros_like(slopes)
    if counts.any():
        # In units that give every column the length one, so that the solver's tolerance means the same for each.
        sizes, slopes = sizes[counts], slopes[counts]
        unit = columns[:, counts] / sizes
        goal = unit @ (slopes * sizes) - gradient
        if len(unit) > 2 * len(sizes):  # the same problem in as few rows as there are slopes
            rotation, unit = np.linalg.qr(unit)
            goal = rotation.T @ goal
        bounds = (leak * sizes, sizes)
        solution = scipy.optimize.lsq_linear(unit, goal, bounds=bounds, tol=1e-13)
        shift[counts] = np.clip(solution.x / sizes, leak, 1.0) - slopes
    return shift
