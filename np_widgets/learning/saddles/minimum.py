"""Whether a network is at a local minimum of the loss, and going to the one nearby."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning.arrays import to_array
from np_widgets.learning.minimizers.hybrid import Hybrid
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.stationarity import Subgradient, shortest_subgradient
from np_widgets.problems import Problem

Floats = NDArray[np.float64]

# A minimizer may have come near a kink without reaching it.
_KINK_TOLERANCES = (1e-9, 1e-6, 1e-4, 1e-3)
_AS_SHORT = 1.05
_MOST_DENSE = 400
GRADIENT_TOLERANCE, CURVATURE_TOLERANCE = 1e-3, 2e-3
_DIFFERENCE = 1e-4
_NEWTON_STEPS = 6
_POLISH = StoppingRule(gradient_tolerance=1e-14, patience=100, least_decrease=1e-12)
_POLISH_STEPS, _SLIDING_STEPS, _SLIDING_RATE = 1000, 6000, 1e-3


@dataclass(frozen=True, eq=False)
class Stationarity:
    """How far a network is from a local minimum.

    Attributes
    ----------
    gradient_norm
        The norm of the shortest subgradient of the training loss.
    lowest_curvature, largest_curvature
        The extreme eigenvalues of the Hessian, with the slopes at kinks held.
    weight_norm
        ``‖w‖``.
    slopes
        Those of the shortest subgradient, ``(n, k_l)`` for each hidden layer.
    kinks
        How many of them are at kinks.
    """

    gradient_norm: float
    lowest_curvature: float
    largest_curvature: float
    weight_norm: float
    slopes: tuple[Tensor, ...]
    kinks: int

    @property
    def relative_gradient(self) -> float:
        """``‖g‖ / (λ_max‖w‖)``: the distance to the minimum of a parabola of the largest curvature, relative to w."""
        scale = self.largest_curvature * self.weight_norm
        return self.gradient_norm / scale if scale > 0 else math.inf


def stationarity(objective: Objective, theta: Tensor) -> Stationarity:
    """How far ``theta``, of shape ``(P,)``, is from a local minimum."""
    found = shortest(objective, theta)
    lowest, largest = extreme_curvatures(objective, theta, found.slopes)
    return Stationarity(found.norm, lowest, largest, float(theta.norm()), found.slopes, found.kinks)


def shortest(objective: Objective, theta: Tensor) -> Subgradient:
    """The shortest subgradient, with as few slopes at kinks as that takes."""
    found = [shortest_subgradient(objective, theta, tolerance) for tolerance in _KINK_TOLERANCES]
    norm = min(each.norm for each in found)
    return next(each for each in found if each.norm <= _AS_SHORT * norm)


def gradient_function(objective: Objective, slopes: tuple[Tensor, ...] | None = None) -> Callable[[Tensor], Tensor]:
    """The gradient of the training loss as a function of the weights, smooth also where samples are at kinks.

    With a kinked activation the slope of every activation is held at ``slopes``, of shape ``(n, k_l)`` for each hidden
    layer.
    """
    if not objective.activation.has_kink or slopes is None:
        return lambda theta: objective.loss_and_gradient(theta)[1]
    problem = objective.problem

    def gradient(theta: Tensor) -> Tensor:
        network = objective.network(theta)
        hidden, forward = problem.inputs, [problem.inputs]
        for weight, slope in zip(network.weights, slopes, strict=False):
            hidden = (hidden @ weight.T) * slope
            forward.append(hidden)
        residual = problem.loss.residual(hidden @ network.weights[-1].T, problem.targets)
        signal, blocks = residual / -problem.samples, list[Tensor]()
        for layer in range(len(network.weights) - 1, -1, -1):
            blocks.append((signal.T @ forward[layer]).reshape(-1))
            if layer:
                signal = (signal @ network.weights[layer]) * slopes[layer - 1]
        return torch.cat(blocks[::-1])

    return gradient


def slopes_at(objective: Objective, theta: Tensor) -> tuple[Tensor, ...]:
    """The slopes of all activations, of shape ``(n, k_l)`` for each hidden layer."""
    forward = objective.network(theta).forward(objective.problem.inputs)
    return tuple(objective.activation.derivative(z) for z in forward.pre_activations[:-1])


def hessian(objective: Objective, theta: Tensor, slopes: tuple[Tensor, ...] | None = None) -> Floats:
    """The Hessian of the training loss, of shape ``(P, P)``, by central differences of its gradient."""
    product = hessian_product(objective, theta, slopes)
    columns = torch.stack([product(row) for row in torch.eye(len(theta), dtype=theta.dtype, device=theta.device)])
    return to_array((columns + columns.T) / 2)


def hessian_product(
    objective: Objective, theta: Tensor, slopes: tuple[Tensor, ...] | None = None
) -> Callable[[Tensor], Tensor]:
    """What multiplies a vector of shape ``(P,)`` by the Hessian of the training loss at ``theta``."""
    gradient = gradient_function(objective, slopes)
    step = _DIFFERENCE * max(float(theta.abs().max()), 1e-3)

    def product(vector: Tensor) -> Tensor:
        size = float(vector.norm())
        if size == 0:
            return torch.zeros_like(vector)
        shift = vector * (step / size)
        return (gradient(theta + shift) - gradient(theta - shift)) * (size / (2 * step))

    return product


def extreme_curvatures(objective: Objective, theta: Tensor, slopes: tuple[Tensor, ...]) -> tuple[float, float]:
    """The lowest and the largest eigenvalue of the Hessian; of large networks to about three digits."""
    size = len(theta)
    if size <= _MOST_DENSE:
        values = np.linalg.eigvalsh(hessian(objective, theta, slopes))
        return float(values[0]), float(values[-1])
    product = hessian_product(objective, theta, slopes)
    operator = scipy.sparse.linalg.LinearOperator(
        (size, size), matvec=lambda vector: to_array(product(torch.from_numpy(vector.reshape(-1)).to(theta)))
    )
    start = np.random.default_rng(0).normal(size=size)
    eigsh = scipy.sparse.linalg.eigsh
    lowest, largest = (
        float(eigsh(operator, k=1, which=which, tol=1e-3, v0=start, maxiter=100 * size, return_eigenvectors=False)[0])
        for which in ("SA", "LA")
    )
    return lowest, largest


def polished(objective: Objective, theta: Tensor) -> Tensor:
    """The minimum that Levenberg–Marquardt and L-BFGS descend to from ``theta``, of shape ``(P,)``.

    Both stop at the first kink that the minimum lies on; from there Adam in turn with them slides along it.
    """
    lowest = theta
    for kind in (LevenbergMarquardt, LBFGS, LevenbergMarquardt):
        minimizer = kind(objective, lowest, stopping=_POLISH)
        minimizer.advance(_POLISH_STEPS)
        candidate = minimizer.lowest_theta
        if objective.loss(candidate) <= objective.loss(lowest):
            lowest = candidate
    if objective.activation.has_kink:
        sliding = Hybrid(objective, lowest, learning_rate=_SLIDING_RATE, least_decrease=1e-9)
        sliding.advance(_SLIDING_STEPS)
        if objective.loss(sliding.lowest_theta) <= objective.loss(lowest):
            lowest = sliding.lowest_theta
    return _newton(objective, lowest) if len(theta) <= _MOST_DENSE else lowest


def _newton(objective: Objective, theta: Tensor) -> Tensor:
    """Newton's method from next to a minimum, where the loss cannot tell any more which weights are better."""
    _, gradient = objective.loss_and_gradient(theta)
    for _ in range(_NEWTON_STEPS):
        # Along the flat directions of rescaling there is nothing to gain.
        inverse = np.linalg.pinv(hessian(objective, theta, slopes_at(objective, theta)), rcond=1e-7, hermitian=True)
        trial = theta - torch.from_numpy(inverse @ to_array(gradient)).to(theta)
        _, trial_gradient = objective.loss_and_gradient(trial)
        if not float(trial_gradient.norm()) < 0.5 * float(gradient.norm()):
            break
        theta, gradient = trial, trial_gradient
    return theta


def at_minimum(
    network: HomogeneousNetwork, problem: Problem, polish: bool, gradient_tolerance: float, curvature_tolerance: float
) -> tuple[HomogeneousNetwork, Problem, Stationarity]:
    """The network and the problem in float64, the network polished if that is wanted, and where it stands.

    Raises
    ------
    ValueError
        As :func:`require_minimum` does.
    """
    with torch.no_grad():
        network, problem = network.to(dtype=torch.float64), problem.to(dtype=torch.float64)
        if polish:
            objective = Objective(problem, network)
            network = objective.network(polished(objective, objective.initial)).copy()
        return network, problem, require_minimum(network, problem, gradient_tolerance, curvature_tolerance)


def require_minimum(
    network: HomogeneousNetwork, problem: Problem, gradient_tolerance: float, curvature_tolerance: float
) -> Stationarity:
    """Measure a network's distance from a local minimum of the training loss, and refuse it if that is too large.

    Raises
    ------
    ValueError
        If a neuron has no weights at all, the network separates the data of a cross-entropy problem, its gradient is
        too long, or the loss curves downwards among its weights.
    """
    for layer in range(1, network.hidden_layers + 1):
        incoming, outgoing = network.weights[layer - 1].norm(dim=1), network.weights[layer].norm(dim=0)
        for index in torch.nonzero(incoming + outgoing == 0).flatten().tolist():
            raise ValueError(
                f"network must consist of active neurons, got one without any weights (layer {layer}, neuron {index}): "
                "leave it out, and count it in dormant"
            )
    objective = Objective(problem, network)
    if separates(network, objective):
        raise ValueError(
            "network must be at a minimum of the training loss, but it classifies every sample correctly: the "
            "cross-entropy of separable data has none, it falls for ever as the weights grow"
        )
    found = stationarity(objective, objective.initial)
    if found.relative_gradient > gradient_tolerance:
        raise ValueError(
            "network must be at a local minimum of the training loss, got a gradient of norm "
            f"{found.gradient_norm:.3g} (relative to the largest curvature and ‖w‖: {found.relative_gradient:.2g}, "
            f"accepted: {gradient_tolerance:g}); polish=True descends to a minimum first"
        )
    if found.lowest_curvature < -curvature_tolerance * found.largest_curvature:
        raise ValueError(
            "network must be at a local minimum of the training loss, got one where the loss curves downwards: the "
            f"Hessian's eigenvalues reach from {found.lowest_curvature:.3g} to {found.largest_curvature:.3g} (gradient "
            f"norm {found.gradient_norm:.2g}); polish=True descends to a minimum first"
        )
    return found


def separates(network: HomogeneousNetwork, objective: Objective) -> bool:
    """Whether it classifies every training sample correctly, so that larger weights always lower a cross-entropy."""
    problem = objective.problem
    if problem.loss.name != "cross_entropy":
        return False
    output = network.forward(problem.inputs).output
    right = output.gather(1, problem.targets.unsqueeze(1)).squeeze(1)
    others = output.scatter(1, problem.targets.unsqueeze(1), -torch.inf).amax(dim=1)
    return bool((right > others).all())
