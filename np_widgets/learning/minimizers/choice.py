"""Minimizers by name, and what ``"auto"`` stands for."""

from __future__ import annotations

from torch import Tensor

from np_widgets.learning.minimizers.adam import Adam
from np_widgets.learning.minimizers.gradient_descent import GradientDescent
from np_widgets.learning.minimizers.hybrid import Hybrid
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import Objective

MINIMIZERS: dict[str, type[Minimizer]] = {
    kind.name: kind for kind in (Hybrid, GradientDescent, Adam, LBFGS, LevenbergMarquardt)
}

STEP_BUDGETS = {
    Hybrid.name: 6000,
    GradientDescent.name: 30_000,
    Adam.name: 20_000,
    LBFGS.name: 6000,
    LevenbergMarquardt.name: 1000,
}
"""How many steps one network gets unless the user says otherwise."""


def resolved_name(name: str, method: str) -> str:
    """What ``"auto"`` stands for: gradient descent in the paper's method, the hybrid otherwise."""
    if name != "auto":
        return name
    return GradientDescent.name if method == "paper" else Hybrid.name


def make_minimizer(name: str, objective: Objective, theta: Tensor, learning_rate: float | None) -> Minimizer:
    """A minimizer by its name; ``learning_rate`` is for those that have one, None for their default."""
    kind = MINIMIZERS[name]
    if kind is GradientDescent:
        # Near a saddle the gradient is as small as at a minimum: only the loss can tell, and it takes its time.
        return GradientDescent(
            objective, theta, learning_rate=learning_rate or 0.02, stopping=StoppingRule(gradient_tolerance=0.0)
        )
    if learning_rate is not None and issubclass(kind, (Adam, Hybrid)):
        return kind(objective, theta, learning_rate=learning_rate)
    return kind(objective, theta)
