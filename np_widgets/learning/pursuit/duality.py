"""How far a network of one hidden layer with weight decay is from the best one of any width.

For p = 1 the penalized loss ``𝓛(W) + ½λ‖W‖²`` of one hidden layer is convex in the measure that the neurons make over
directions (Rosset et al. 2007; Bach, *Breaking the curse of dimensionality with convex neural networks*, 2017), because
at balance ``½(‖a‖² + ‖b‖²) = ‖a‖‖b‖``. A multiple of the residual is feasible for the dual problem if no neuron's
``φ`` is above λ, and bounds the penalized loss of all networks from below.
"""

from __future__ import annotations

import torch
from torch import Tensor

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems import Problem
from np_widgets.problems.losses import LOSSES, SquareLoss


def has_bound(problem: Problem) -> bool:
    """Whether the conjugate of the loss is known here."""
    return problem.loss.name in LOSSES


def relative_gap(problem: Problem, output: Tensor, objective: float, largest_correlation: float, decay: float) -> float:
    """The duality gap as a share of the penalized loss: by no more than this any network's can be lower.

    Parameters
    ----------
    output
        Of the network, of shape ``(n, m)``.
    objective
        Its penalized loss.
    largest_correlation
        ``max φ(b̂) = max ‖(1/n) Σ_i r_i σ(b̂ᵀx_i)‖`` over unit vectors, twice the largest value of the NCF. Where the
        search for it, which is no convex problem, has found less than that, so is the gap.
    decay
        λ > 0.
    """
    share = min(1.0, decay / largest_correlation) if largest_correlation > 0 else 1.0
    if problem.loss.name == SquareLoss.name:
        dual = share * problem.loss.residual(output, problem.targets)
        bounds = (dual * problem.targets).sum(dim=1) - 0.5 * dual.square().sum(dim=1)
    else:
        truth = torch.zeros_like(output).scatter_(1, problem.targets.unsqueeze(1), 1.0)
        mixed = (1 - share) * truth + share * output.softmax(dim=1)
        bounds = torch.special.entr(mixed).sum(dim=1)
    if problem.sample_weight is not None:  # the conjugate of wℓ at wν is w times that of ℓ at ν
        bounds = problem.sample_weight * bounds
    bound = float(bounds.mean())
    return max(objective - bound, 0.0) / objective if objective > 0 else 0.0


def gap_of(problem: Problem, network: HomogeneousNetwork, largest_value: float, decay: float) -> float:
    """:func:`relative_gap` of a network of one hidden layer whose largest NCF value is that."""
    output = network.forward(problem.inputs).output
    objective = float(problem.criterion.value(output, problem.goals)) + 0.5 * decay * network.squared_norm
    return relative_gap(problem, output, objective, 2 * largest_value, decay)
