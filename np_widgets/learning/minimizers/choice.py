"""Minimizers by name, and what ``"auto"`` stands for."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.minimizers.first_order import Adam, GradientDescent
from np_widgets.learning.minimizers.hybrid import Hybrid
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.minibatch_adam import MinibatchAdam
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.minimizers.sliding import Sliding
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import Objective

MinimizerName = Literal["auto", "hybrid", "gradient_descent", "adam", "lbfgs", "levenberg_marquardt", "minibatch_adam"]
_KINDS: tuple[type[Minimizer], ...] = (Hybrid, GradientDescent, Adam, LBFGS, LevenbergMarquardt, MinibatchAdam)
MINIMIZERS: dict[str, type[Minimizer]] = {kind.name: kind for kind in _KINDS}
"""Those that a user may choose, by name."""

MANY_SAMPLES, MUCH_WORK = 10**5, 10**8
"""Samples, and samples times weights, above both of which ``"auto"`` minimizes by mini-batches: they come as low as
full batches of L-BFGS in a fraction of the time."""


_MOST_TRIALS = 60


def stages() -> dict[str, type[Minimizer]]:
    """The minimizers with those that only come after others."""
    return {**MINIMIZERS, Sliding.name: Sliding}


def automatic(method: str, objective: Objective, batch_size: int | None = None) -> tuple[str, ...]:
    """The names of the minimizers that ``"auto"`` stands for, to be used one after the other.

    In the paper's method that is gradient descent. Otherwise it is Adam on mini-batches if a batch size is asked for,
    or if there are more than 10⁵ samples and more than 10⁸ samples times weights. Else it is Levenberg–Marquardt, for
    the square loss with L-BFGS after it where the activation has kinks, on which only the latter settles; and L-BFGS
    alone where the former is too large. With a price on weights, the neurons of the last hidden layer at last slide to
    the kinks on which the minimum sits.
    """
    if method == "paper":
        return (GradientDescent.name,)
    samples = objective.problem.samples
    if batch_size is not None or (samples > MANY_SAMPLES and samples * objective.size > MUCH_WORK):
        return (MinibatchAdam.name,)
    slides = (Sliding.name,) if Sliding.suits(objective) else ()
    if not LevenbergMarquardt.suits(objective.problem, objective.size):
        return LBFGS.name, *slides
    # Where classes can be told apart cross entropy has no minimum, and whoever goes far grows weights without end.
    has_minimum = objective.problem.classes is None or objective.weight_decay > 0
    if not (objective.activation.has_kink and has_minimum):
        return (LevenbergMarquardt.name,)
    return LevenbergMarquardt.name, LBFGS.name, *slides


def brief_rule(name: str, activation: Activation) -> StoppingRule | None:
    """When the minimizers that ``"auto"`` stands for end after a look-ahead, which has come close already.

    None for others. Where kinks hold up Levenberg–Marquardt it is left soon, for L-BFGS, and also where it only crawls:
    its steps are dear.
    """
    if name == LevenbergMarquardt.name:
        if activation.has_kink:
            return StoppingRule(gradient_tolerance=1e-12, patience=5, least_decrease=1e-2, most_steps=_MOST_TRIALS)
        return StoppingRule(gradient_tolerance=1e-12, patience=20, least_decrease=1e-5)
    if name == LBFGS.name:
        return StoppingRule(gradient_tolerance=1e-12, patience=20, least_decrease=1e-4)
    return None


def require_fit(name: str, weights: int) -> None:
    """Raise a ValueError if the minimizer of that name, or ``"auto"``, takes no network of so many weights."""
    if name == LevenbergMarquardt.name:
        LevenbergMarquardt.require_size(weights)


def make_minimizer(
    name: str,
    objective: Objective,
    theta: Tensor,
    learning_rate: float | None,
    *,
    brief: bool = False,
    batch_size: int | None = None,
    duration: int | None = None,
    seed: int = 0,
) -> Minimizer:
    """A minimizer by its name, with those of the options that it takes; None for its own.

    ``brief`` lets those that ``"auto"`` stands for stop early: as is fit after a look-ahead.
    """
    # Where weights have a price and nothing has kinks, the minimum can be reached to rounding, and an end certified.
    brief = brief and (objective.weight_decay == 0 or objective.activation.has_kink)
    options = {
        "stopping": brief_rule(name, objective.activation) if brief else None,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "duration": duration,
        "seed": seed,
    }
    kind = stages()[name]
    given: dict[str, Any] = {key: options[key] for key in kind.takes if options[key] is not None}
    return kind(objective, theta, **given)
