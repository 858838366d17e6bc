"""When a minimizer says of itself that it is done."""

from __future__ import annotations

from dataclasses import dataclass

from np_widgets import arguments


@dataclass(frozen=True)
class StoppingRule:
    """When no further step is worth its while.

    Parameters
    ----------
    gradient_tolerance
        Stop where the norm of the gradient is at most this. A saddle satisfies it as well as a minimum does.
    patience, least_decrease
        Stop when ``patience`` steps have brought the lowest loss down by less than ``least_decrease`` of itself. Near a
        saddle the loss falls slowly, but ever faster: a patience that outlasts the slow part, with a decrease that is
        little more than rounding, is what tells it from a minimum.
    most_steps
        Stop after so many steps anyway; None for no such limit.
    """

    gradient_tolerance: float = 1e-10
    patience: int = 2000
    least_decrease: float = 1e-13
    most_steps: int | None = None

    def __post_init__(self) -> None:
        arguments.real("gradient_tolerance", self.gradient_tolerance, least=0)
        arguments.whole("patience", self.patience, 1)
        arguments.real("least_decrease", self.least_decrease, least=0, most=1)
        if self.most_steps is not None:
            arguments.whole("most_steps", self.most_steps, 0)


DEFAULT_RULE = StoppingRule()
