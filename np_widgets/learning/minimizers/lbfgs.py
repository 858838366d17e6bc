"""Limited-memory BFGS."""

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

_SUFFICIENT_DECREASE, _CURVATURE = 1e-4, 0.9
_MOST_TRIALS = 50

_RULE = StoppingRule(patience=300, least_decrease=1e-8)


class LBFGS(Minimizer):
    """Limited-memory BFGS with a line search for the weak Wolfe conditions.

    One step is one iteration; the curvature is estimated from ``memory`` pairs (displacement, change of the gradient).
    The line search brackets and bisects, which needs no smoothness, only a finite starting value (Lewis & Overton,
    *Nonsmooth optimization via quasi-Newton methods*, 2013); a loss that is not finite counts as too long a step. The
    direction comes from the compact form of the inverse Hessian (Byrd, Nocedal & Schnabel, 1994): a handful of products
    with the ``memory × P`` matrices instead of two loops over their rows. If nothing is lower along it, the memory is
    forgotten; if nothing is lower along the gradient either, there is no further decrease.
    """

    name: ClassVar[str] = "lbfgs"
    title: ClassVar[str] = "L-BFGS"
    usual_steps: ClassVar[int] = 6000

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        memory: int = 20,
        stopping: StoppingRule = _RULE,
    ) -> None:
        super().__init__(objective, theta, stopping=stopping)
        self._memory = arguments.whole("memory", memory, 1)
        self._forget()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "displacements": self._displacements, "changes": self._changes}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._displacements = state["displacements"].to(self.theta, copy=True)
        self._changes = state["changes"].to(self.theta, copy=True)

    @property
    def _entries(self) -> dict[str, Any]:
        pairs = states.like(self.objective.initial, rows=True)
        return {**super()._entries, "displacements": pairs, "changes": pairs}

    def _forget(self) -> None:
        self._displacements = self.theta.new_empty(0, len(self.theta))
        self._changes = self.theta.new_empty(0, len(self.theta))

    def _step(self) -> None:
        found = self._lower_point(self._direction())
        if found is None and len(self._changes):
            self._forget()
            found = self._lower_point(self._direction())
        if found is None:
            self.finished = f"no further decrease along the gradient (of norm {self.gradient_norm:.2g})"
            return
        theta, loss, gradient = found
        self._remember(theta - self.theta, gradient - self._gradient)
        self._move(theta, loss, gradient)

    def _direction(self) -> Tensor:
        """Minus the estimated inverse Hessian times the gradient; minus the gradient, normed, without memory."""
        gradient = self._gradient
        if not len(self._changes):
            return gradient / -max(1.0, self.gradient_norm)
        products = self._displacements @ self._changes.T  # its upper triangle counts
        reduced = torch.linalg.solve_triangular(products, (self._displacements @ gradient).unsqueeze(1), upper=True)
        rest = gradient - self._changes.T @ reduced.squeeze(1)
        scale = products[-1, -1] / self._changes[-1].square().sum()
        weights = products.diagonal().unsqueeze(1) * reduced - scale * (self._changes @ rest).unsqueeze(1)
        weights = torch.linalg.solve_triangular(products.T, weights, upper=False)
        return -(scale * rest + self._displacements.T @ weights.squeeze(1))

    def _lower_point(self, direction: Tensor) -> tuple[Tensor, float, Tensor] | None:
        """A point along ``direction`` where the loss is lower, its loss and its gradient, if there is one."""
        slope = float(self._gradient @ direction)
        if not slope < 0:
            return None
        low, high, length = 0.0, math.inf, 1.0
        best = None
        for _ in range(_MOST_TRIALS):
            theta = torch.add(self.theta, direction, alpha=length)
            loss, gradient = self.objective.loss_and_gradient(theta)
            if not (loss < self.loss and loss <= self.loss + _SUFFICIENT_DECREASE * length * slope):
                high = length
            else:
                best = theta, loss, gradient
                if float(gradient @ direction) >= _CURVATURE * slope:
                    break
                low = length
            length = 2 * low if high == math.inf else (low + high) / 2
        return best

    def _remember(self, displacement: Tensor, change: Tensor) -> None:
        # Only pairs of positive curvature keep the estimate positive definite.
        product = float(displacement @ change)
        if product > torch.finfo(change.dtype).eps * float(change.square().sum()):
            kept = slice(-(self._memory - 1), None) if self._memory > 1 else slice(0, 0)
            self._displacements = torch.cat([self._displacements[kept], displacement.unsqueeze(0)])
            self._changes = torch.cat([self._changes[kept], change.unsqueeze(0)])
