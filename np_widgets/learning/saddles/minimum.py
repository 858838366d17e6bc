"""Whether a network is at a local minimum of the loss, and going to the one nearby."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.clarke import Subgradient, shortest_subgradient
from np_widgets.learning.hessian import Curvatures, Hessian
from np_widgets.learning.minimizers.hybrid import Hybrid
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.one_line import one_line
from np_widgets.problems import Problem

Report = Callable[[str, float], None]
"""Called with what is going on, and the share of it that is done, 0 … 1."""

# A minimizer may have come near a kink without reaching it.
_KINK_TOLERANCES = (1e-9, 1e-6, 1e-4, 1e-3)
_AS_SHORT = 1.05
GRADIENT_TOLERANCE, CURVATURE_TOLERANCE = 1e-3, 2e-3
_NEWTON_STEPS, _MOST_WEIGHTS_FOR_NEWTON = 6, 400
_POLISH = StoppingRule(gradient_tolerance=1e-14, patience=100, least_decrease=1e-12)
_POLISH_STEPS, _SLIDING_STEPS, _SLIDING_RATE = 1000, 6000, 1e-3
# Operations of each minimizer: some seconds.
_MOST_WORK, _STEPS_BETWEEN_REPORTS = 2e10, 20


@dataclass(frozen=True, eq=False)
class Stationarity:
    """How far a network is from a local minimum."""

    gradient_norm: float  # of the shortest subgradient of the training loss
    curvatures: Curvatures  # the extreme eigenvalues of the Hessian, with the slopes at kinks held
    weight_norm: float  # ‖w‖
    slopes: tuple[Tensor, ...]  # of the shortest subgradient, (n, k_l) for each hidden layer
    kinks: int  # how many of them are at kinks

    __repr__ = one_line

    @property
    def relative_gradient(self) -> float:
        """``‖g‖ / (λ_max‖w‖)``: the distance to the minimum of a parabola of the largest curvature, relative to w."""
        scale = self.curvatures.largest * self.weight_norm
        return self.gradient_norm / scale if scale > 0 else math.inf

    @property
    def unchecked(self) -> str:
        """What the check left open, as a sentence; empty if nothing."""
        found = self.curvatures
        if found.steps == 0:
            return ""
        return (
            f"Of the {found.weights:,} weights' curvatures only the extreme ones were looked for, in {found.steps} "
            f"Lanczos steps: one below {found.lowest - found.resolution * (found.largest - found.lowest):.2g} would "
            f"almost certainly have been found (the largest is {found.largest:.2g})."
        )


def stationarity(objective: Objective, theta: Tensor, report: Report | None = None) -> Stationarity:
    """How far ``theta``, of shape ``(P,)``, is from a local minimum."""
    text = "Checking that this is a minimum"
    if report is not None:
        report(text, 0.0)
    found = shortest(objective, theta)
    curvatures = Hessian(objective, theta, found.slopes).curvatures(report and (lambda share: report(text, share)))
    return Stationarity(found.norm, curvatures, float(theta.norm()), found.slopes, found.kinks)


def shortest(objective: Objective, theta: Tensor) -> Subgradient:
    """The shortest subgradient, with as few slopes at kinks as that takes."""
    found = [shortest_subgradient(objective, theta, tolerance) for tolerance in _KINK_TOLERANCES]
    norm = min(each.norm for each in found)
    return next(each for each in found if each.norm <= _AS_SHORT * norm)


def polished(objective: Objective, theta: Tensor, report: Report | None = None) -> Tensor:
    """The minimum that Levenberg–Marquardt and L-BFGS descend to from ``theta``, of shape ``(P,)``.

    Both stop at the first kink that the minimum lies on; from there Adam in turn with them slides along it. Steps and
    arithmetic operations are bounded, so that of very large networks it may not reach the minimum.
    """
    lowest = theta
    suits = LevenbergMarquardt.suits(objective.problem, objective.size)
    for kind in (LevenbergMarquardt, LBFGS, LevenbergMarquardt) if suits else (LBFGS,):
        lowest = _lower(kind(objective, lowest, stopping=_POLISH), lowest, _POLISH_STEPS, report)
    if objective.activation.has_kink:
        sliding = Hybrid(objective, lowest, learning_rate=_SLIDING_RATE, least_decrease=1e-9)
        lowest = _lower(sliding, lowest, _SLIDING_STEPS, report)
    return _newton(objective, lowest) if len(theta) <= _MOST_WEIGHTS_FOR_NEWTON else lowest


def _lower(minimizer: Minimizer, theta: Tensor, most: int, report: Report | None) -> Tensor:
    """Where the minimizer gets with so many steps, if that is not higher than ``theta``."""
    work = 0.0
    while minimizer.finished is None and minimizer.steps < most and work < _MOST_WORK:
        if report is not None:
            report(f"Descending to a minimum ({minimizer.title})", max(minimizer.steps / most, work / _MOST_WORK))
        work += _STEPS_BETWEEN_REPORTS * minimizer.step_operations
        minimizer.advance(min(_STEPS_BETWEEN_REPORTS, most - minimizer.steps))
    lower = minimizer.objective.loss(minimizer.lowest_theta) <= minimizer.objective.loss(theta)
    return minimizer.lowest_theta if lower else theta


def _newton(objective: Objective, theta: Tensor) -> Tensor:
    """Newton's method from next to a minimum, where the loss cannot tell any more which weights are better."""
    _, gradient = objective.loss_and_gradient(theta)
    for _ in range(_NEWTON_STEPS):
        # Along the flat directions of rescaling there is nothing to gain.
        inverse = np.linalg.pinv(Hessian(objective, theta).whole(), rcond=1e-7, hermitian=True)
        trial = theta - torch.from_numpy(inverse @ to_array(gradient)).to(theta)
        _, trial_gradient = objective.loss_and_gradient(trial)
        if not float(trial_gradient.norm()) < 0.5 * float(gradient.norm()):
            break
        theta, gradient = trial, trial_gradient
    return theta


@contextmanager
def reporting(progress: bool | Report) -> Iterator[Report | None]:
    """What reports to a progress bar, or to the function given; None if neither is wanted."""
    if callable(progress):
        yield progress
    elif arguments.flag("progress", progress):
        with tqdm(total=1.0, bar_format="{percentage:3.0f}% {bar:20} {elapsed} {desc}") as bar:

            def report(text: str, share: float) -> None:
                bar.set_description_str(text, refresh=False)
                bar.update(share - bar.n)

            yield report
    else:
        yield None


def require_minimum(
    network: HomogeneousNetwork,
    problem: Problem,
    gradient_tolerance: float,
    curvature_tolerance: float,
    report: Report | None = None,
    weight_decay: float = 0.0,
) -> Stationarity:
    """Measure a network's distance from a local minimum of the training loss, and refuse it if that is too large."""
    for layer in range(1, network.hidden_layers + 1):
        incoming, outgoing = network.weights[layer - 1].norm(dim=1), network.weights[layer].norm(dim=0)
        for index in torch.nonzero(incoming + outgoing == 0).flatten().tolist():
            raise ValueError(
                f"network must consist of active neurons, got one without any weights (layer {layer}, neuron {index}): "
                "leave it out, and count it in dormant"
            )
    objective = Objective(problem, network, weight_decay)
    if weight_decay == 0 and separates(network, objective):
        raise ValueError(
            "network must be at a minimum of the training loss, but it classifies every sample correctly: the "
            "cross-entropy of separable data has none, it falls for ever as the weights grow"
        )
    found = stationarity(objective, objective.initial, report)
    if found.relative_gradient > gradient_tolerance:
        raise ValueError(
            "network must be at a local minimum of the training loss, got a gradient of norm "
            f"{found.gradient_norm:.3g} (relative to the largest curvature and ‖w‖: {found.relative_gradient:.2g}, "
            f"accepted: {gradient_tolerance:g}); polish=True descends to a minimum first"
        )
    curvatures = found.curvatures
    if curvatures.lowest < -curvature_tolerance * curvatures.largest:
        raise ValueError(
            "network must be at a local minimum of the training loss, got one where the loss curves downwards: the "
            f"Hessian's eigenvalues reach from {curvatures.lowest:.3g} to {curvatures.largest:.3g} (gradient "
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
