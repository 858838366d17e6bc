"""Minimizers by name."""

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


# After a look-ahead, which has come close already.
_BRIEF = StoppingRule(gradient_tolerance=1e-12, patience=8, least_decrease=1e-5)
_BRIEF_LBFGS = StoppingRule(gradient_tolerance=1e-12, patience=50, least_decrease=1e-3)


def make_minimizer(
    name: str, objective: Objective, theta: Tensor, learning_rate: float | None, method: str = "fast"
) -> Minimizer:
    """A minimizer by its name.

    ``"auto"`` is gradient descent in the paper's method, otherwise Levenberg–Marquardt, or L-BFGS where that is too
    large. ``learning_rate`` is for those that have one, None for their default.
    """
    if name == "auto":
        if method != "paper":
            if LevenbergMarquardt.suits(objective):
                return LevenbergMarquardt(objective, theta, stopping=_BRIEF)
            return LBFGS(objective, theta, stopping=_BRIEF_LBFGS)
        name = GradientDescent.name
    kind = MINIMIZERS[name]
    if kind is GradientDescent:
        # Near a saddle the gradient is as small as at a minimum: only the loss can tell, and it takes its time.
        return GradientDescent(
            objective, theta, learning_rate=learning_rate or 0.02, stopping=StoppingRule(gradient_tolerance=0.0)
        )
    if learning_rate is not None and issubclass(kind, (Adam, Hybrid)):
        return kind(objective, theta, learning_rate=learning_rate)
    return kind(objective, theta)
