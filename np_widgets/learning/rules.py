"""The rules of Neuron Pursuit: when it has reached its goal, and how far from stationary an end is."""

from __future__ import annotations

import torch
from torch import Tensor

from np_widgets.learning.objective import Objective
from np_widgets.learning.stationarity import clarke_gradient_norm
from np_widgets.problems import Problem

TARGET_SHARE = 1e-9
"""The training loss to reach unless the user says otherwise, as a share of that of the output zero."""


def target_in_force(problem: Problem, target_loss: float | None) -> float:
    """The training loss to reach: the one given, or the share that is meant by None.

    Raises
    ------
    ValueError
        If the output zero meets the one given.
    """
    nothing = problem.zero_loss
    if target_loss is None:
        return TARGET_SHARE * nothing
    if target_loss >= nothing:
        raise ValueError(
            f"target_loss must be less than {nothing:.3g}, the loss of the output zero, which meets it without any "
            f"neuron; got {target_loss:.3g}. None means {TARGET_SHARE:.0e} times that loss"
        )
    return target_loss


def has_diverged(stopped: str) -> bool:
    """Whether a training stopped because its steps led out of the range of numbers, or of a falling loss."""
    return stopped.startswith("diverged")


def gradient_norm_at_end(kind: str, objective: Objective, theta: Tensor) -> float:
    """The norm of the gradient where a pursuit has come to an end of that kind.

    Where nothing is left to add the question is whether this is a minimum, and with kinks that is Clarke's.
    """
    if kind == "no_point":
        return clarke_gradient_norm(objective, theta)
    return float(torch.linalg.vector_norm(objective.loss_and_gradient(theta)[1]))
