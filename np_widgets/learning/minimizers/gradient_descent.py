"""Gradient descent as in the paper."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE, FirstOrderMinimizer
from np_widgets.learning.minimizers.stopping import DEFAULT_RULE, StoppingRule
from np_widgets.learning.objective import Objective


class GradientDescent(FirstOrderMinimizer):
    """``θ ← θ − η∇𝓛(θ)`` with a fixed step size, as Kumar & Haupt (arXiv 2509.12154) minimize.

    Parameters
    ----------
    learning_rate
        The step size η.

    Notes
    -----
    See :class:`~np_widgets.learning.minimizers.minimizer.Minimizer` for the other parameters and the attributes.
    """

    name: ClassVar[str] = "gradient_descent"
    title: ClassVar[str] = "gradient descent"

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        learning_rate: float = 0.02,
        stopping: StoppingRule = DEFAULT_RULE,
    ) -> None:
        super().__init__(objective, theta, stopping=stopping)
        self._learning_rate = arguments.real("learning_rate", learning_rate, above=0, most=LARGEST_RATE)

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    def _step(self) -> None:
        before = self.loss
        super()._step()
        if self.finished is None and self.loss == before and not bool(self._gradient.any()):
            self.finished = "the gradient vanishes"  # so that step has led nowhere

    def _propose(self, theta: Tensor, number: int | Tensor) -> None:
        torch.sub(self._theta, self._gradient, alpha=self._learning_rate, out=theta)
