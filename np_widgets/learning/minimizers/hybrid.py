"""Descents to a minimum, alternated with excursions that leave poor ones."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.first_order import Adam
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE, Minimizer
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import Objective

_DESCENT = StoppingRule(gradient_tolerance=0.0, patience=8, least_decrease=1e-5)
_LAST_DESCENT = StoppingRule(gradient_tolerance=1e-12, patience=50, least_decrease=1e-9)
_DESCENT_STEPS, _LAST_DESCENT_STEPS = 40, 500


class Hybrid(Minimizer):
    """Levenberg–Marquardt (L-BFGS where that is too large) and Adam in turn, until neither finds anything lower.

    Second-order descent is fast but stops at kinks and in poor minima; Adam with a step size that falls to zero
    slides along kinks and leaves poor minima, but crawls. So each *descent* is followed by an *excursion* of Adam from
    where it ended. When ``patience`` excursions in a row led to nothing better, the lowest point seen is descended from
    once more, thoroughly: first by L-BFGS, which of all these settles on kinks, then by Levenberg–Marquardt.

    The loss rises during an excursion; ``theta`` is the lowest point seen once ``finished`` is set. An excursion is so
    many steps of Adam, of this ``learning_rate`` at its beginning. It finishes when ``patience`` cycles in a row
    lowered the loss by less than ``least_decrease`` of itself.
    """

    name: ClassVar[str] = "hybrid"
    title: ClassVar[str] = "hybrid"
    usual_steps: ClassVar[int] = 6000
    takes: ClassVar[tuple[str, ...]] = ("learning_rate",)

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        learning_rate: float = 1e-2,
        excursion: int = 300,
        patience: int = 2,
        least_decrease: float = 1e-3,
    ) -> None:
        # The stopping rule of a single descent means nothing for the whole: it ends by counting fruitless cycles.
        super().__init__(objective, theta, stopping=StoppingRule(0.0, patience=2**62, least_decrease=0.0))
        self._learning_rate = arguments.real("learning_rate", learning_rate, above=0, most=LARGEST_RATE)
        self._excursion = arguments.whole("excursion", excursion, 1)
        self._patience = arguments.whole("patience", patience, 1)
        self._least_decrease = arguments.real("least_decrease", least_decrease, least=0)
        small = LevenbergMarquardt.suits(objective.problem, objective.size)
        self._descent: type[LevenbergMarquardt | LBFGS] = LevenbergMarquardt if small else LBFGS
        self._lowest_before = math.inf  # as it was when the last cycle was judged
        self._fruitless = 0
        self._is_last = False  # whether this is one of the descents at the end
        self._inner = self._begin(self._descent, self.theta)

    @property
    def activity(self) -> str:
        kind = "excursion" if isinstance(self._inner, Adam) else "descent"
        return f"{kind} by {self._inner.title}"

    @property
    def step_operations(self) -> float:
        return self._inner.step_operations

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "inner": self._inner.state(),
            "lowest_before": self._lowest_before,
            "fruitless": self._fruitless,
            "is_last": self._is_last,
        }

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._is_last = state["is_last"]
        kinds: dict[str, type[Minimizer]] = {kind.name: kind for kind in (Adam, LBFGS, LevenbergMarquardt)}
        name = arguments.choice("state['inner']['name']", state["inner"].get("name"), kinds)
        self._inner = self._begin(kinds[name], self.theta)
        self._inner.restore(state["inner"])
        self._lowest_before, self._fruitless = state["lowest_before"], state["fruitless"]

    @property
    def _entries(self) -> dict[str, Any]:
        own = {"inner": dict, "lowest_before": states.number, "fruitless": states.whole, "is_last": bool}
        return {**super()._entries, **own}

    def _begin(self, kind: type[Minimizer], theta: Tensor) -> Minimizer:
        theta = self.objective.balanced(theta)
        if issubclass(kind, Adam):
            return kind(self.objective, theta, learning_rate=self._learning_rate, duration=self._excursion)
        return kind(self.objective, theta, stopping=_LAST_DESCENT if self._is_last else _DESCENT)

    def _step(self) -> None:
        inner = self._inner
        inner.advance(1)
        self._move(inner.theta, inner.loss, inner.gradient)
        if isinstance(inner, Adam):
            if inner.finished is not None or inner.steps >= self._excursion:
                self._inner = self._begin(self._descent, inner.theta)
        elif inner.finished is not None or inner.steps >= (_LAST_DESCENT_STEPS if self._is_last else _DESCENT_STEPS):
            self._end_descent()

    def _end_descent(self) -> None:
        if self._is_last:
            if isinstance(self._inner, self._descent):
                self.settle()
                norm = f"gradient norm {self.gradient_norm:.2g}"
                self.finished = f"{self._patience} excursions in a row led to nothing lower ({norm})"
            else:
                self._inner = self._begin(self._descent, self.lowest_theta)
            return
        gained = self.lowest_loss < self._lowest_before * (1 - self._least_decrease)
        self._fruitless = 0 if gained else self._fruitless + 1
        self._lowest_before = self.lowest_loss
        if self._fruitless >= self._patience:
            self._is_last = True
            first = LBFGS if self.objective.activation.has_kink else self._descent
            self._inner = self._begin(first, self.lowest_theta)
        else:
            self._inner = self._begin(Adam, self._inner.theta)
