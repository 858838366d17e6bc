"""The Levenberg–Marquardt method."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem

MOST_WEIGHTS = 2000
_MANY_OPERATIONS = 1e9
_RULE = StoppingRule(patience=50, least_decrease=1e-7)


class LevenbergMarquardt(Minimizer):
    """Damped Gauss–Newton steps: solve ``(G + μI)δ = −∇𝓛`` and go there if the loss is lower.

    One step is one trial, whether it moves or not.

    Parameters
    ----------
    damping
        The first μ, relative to the largest diagonal entry of G.
    most_weights
        The largest number of weights P that is accepted: the matrix has P² entries, and a trial costs P³ operations.

    Raises
    ------
    ValueError
        If there are more than ``most_weights`` weights.

    Notes
    -----
    G is the Gauss–Newton matrix of any loss that is convex in the outputs. The damping follows Nielsen, *Damping
    parameter in Marquardt's method* (1999): it falls by up to three after a step that did what the quadratic model
    foresaw, and grows by 2, 4, 8, … after each one that is refused.

    Where the activation has kinks, G describes one of the pieces that the loss is made of. It is superb where the
    residuals vanish. Elsewhere kinks may hold up the steps, and the method ends with no further decrease at a point
    that others would leave.

    See :class:`~np_widgets.learning.minimizers.minimizer.Minimizer` for the other parameters and the attributes.
    """

    name: ClassVar[str] = "levenberg_marquardt"
    title: ClassVar[str] = "Levenberg–Marquardt"
    usual_steps: ClassVar[int] = 1000

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        damping: float = 1e-3,
        most_weights: int = MOST_WEIGHTS,
        stopping: StoppingRule = _RULE,
    ) -> None:
        self._first_damping = arguments.real("damping", damping, above=0)
        self.require_size(objective.size, arguments.whole("most_weights", most_weights, 1))
        super().__init__(objective, theta, stopping=stopping)
        self._damping: float | None = None
        self._growth = 2.0
        self._matrix: Tensor | None = None

    @staticmethod
    def require_size(size: int, most_weights: int = MOST_WEIGHTS) -> None:
        """Raise a ValueError if there are more than ``most_weights`` weights."""
        if size > most_weights:
            raise ValueError(
                f"minimizer 'levenberg_marquardt' accepts at most most_weights={most_weights} weights, got "
                f"{size}, whose matrix takes {8 * size**2 / 1e9:.2g} GB; choose 'lbfgs' or 'adam'"
            )

    @staticmethod
    def operations(rows: int, size: int) -> float:
        """Roughly how many arithmetic operations a step takes, ``2nmP² + P³/3``, for ``rows`` nm and ``size`` P."""
        return 2.0 * rows * size**2 + size**3 / 3

    @classmethod
    def suits(cls, problem: Problem, size: int) -> bool:
        """Whether steps for so many weights are cheap enough to be preferred to those of others."""
        return size <= MOST_WEIGHTS and cls.operations(problem.samples * problem.output_size, size) <= _MANY_OPERATIONS

    @property
    def step_operations(self) -> float:
        problem = self.objective.problem
        return self.operations(problem.samples * problem.output_size, self.objective.size)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "damping": self._damping, "growth": self._growth}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._damping, self._growth = state["damping"], state["growth"]
        self._matrix = None

    @property
    def _entries(self) -> dict[str, Any]:
        return {**super()._entries, "damping": float | None, "growth": states.number}

    def _step(self) -> None:
        if self._matrix is None:
            self._matrix = self.objective.gauss_newton(self.theta).matrix
        if self._damping is None:
            self._damping = self._first_damping * (float(self._matrix.diagonal().max()) or 1.0)
        shift = self._shift(self._matrix, self._damping)
        theta = self.theta + shift
        if torch.equal(theta, self.theta) or not math.isfinite(self._damping):
            self.finished = f"no further decrease: steps are below rounding (gradient norm {self.gradient_norm:.2g})"
            return
        loss, gradient = self.objective.loss_and_gradient(theta)
        # What the quadratic model, without its damping, foresees; from the equation that the shift solves.
        foreseen = float(shift @ (self._damping * shift - self._gradient)) / 2
        gain = (self.loss - loss) / foreseen if foreseen > 0 else -math.inf
        if loss < self.loss and gain > 1e-4:
            self._damping *= max(1 / 3, 1 - (2 * gain - 1) ** 3)
            self._growth = 2.0
            self._matrix = None
            self._move(theta, loss, gradient)
        else:
            self._damping *= self._growth
            self._growth *= 2

    def _shift(self, matrix: Tensor, damping: float) -> Tensor:
        damped = matrix.clone()
        damped.diagonal().add_(damping)
        # A matrix that rounding has made indefinite leaves a factor, and a shift, that are not finite or lead nowhere:
        # the trial is refused like any other, and the damping grows.
        factor, _ = torch.linalg.cholesky_ex(damped)
        return -torch.cholesky_solve(self._gradient.unsqueeze(1), factor).squeeze(1)
