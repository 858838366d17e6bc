"""Adam on the gradient of the whole training set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE, FirstOrderMinimizer
from np_widgets.learning.minimizers.stopping import DEFAULT_RULE, StoppingRule
from np_widgets.learning.objective import Objective

BETAS, EPSILON = (0.9, 0.999), 1e-8


class Adam(FirstOrderMinimizer):
    """Adam (Kingma & Ba, arXiv 1412.6980) with a fixed step size and without weight decay.

    Parameters
    ----------
    learning_rate
        The step size.
    betas
        The rates at which the running means of the gradient and of its square forget, each in [0, 1).
    epsilon
        What is added to the root of the mean square.

    Notes
    -----
    The steps are those of ``torch.optim.Adam``, whose own bookkeeping would take as long as a small network's gradient.

    See :class:`~np_widgets.learning.minimizers.minimizer.Minimizer` for the other parameters and the attributes.
    """

    name: ClassVar[str] = "adam"
    title: ClassVar[str] = "Adam"

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        learning_rate: float = 1e-2,
        betas: tuple[float, float] = BETAS,
        epsilon: float = EPSILON,
        stopping: StoppingRule = DEFAULT_RULE,
    ) -> None:
        super().__init__(objective, theta, stopping=stopping)
        self._learning_rate = arguments.real("learning_rate", learning_rate, above=0, most=LARGEST_RATE)
        self._betas = _checked_betas(betas)
        self._epsilon = arguments.real("epsilon", epsilon, above=0)
        self._moments = Moments(self._theta, self._betas, self._epsilon)

    def state(self) -> dict[str, Any]:
        return {**super().state(), **self._moments.state()}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._moments.restore(state)

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @property
    def _entries(self) -> dict[str, Any]:
        weights = states.like(self.objective.initial)
        return {**super()._entries, "mean": weights, "mean_square": weights}

    def _propose(self, theta: Tensor, number: int | Tensor) -> None:
        self._moments.step(self._theta, self._gradient, number, self._learning_rate, out=theta)

    @property
    def _means(self) -> Sequence[Tensor]:
        return self._moments.means


class Moments:
    """The running means of Adam's gradient and of its square, and the steps that follow from them.

    Parameters
    ----------
    like
        A vector of the size, precision and device of the weights.
    betas, epsilon
        As in :class:`Adam`.
    """

    def __init__(self, like: Tensor, betas: tuple[float, float] = BETAS, epsilon: float = EPSILON) -> None:
        self._betas, self._epsilon = betas, epsilon
        self._mean, self._mean_square = torch.zeros_like(like), torch.zeros_like(like)
        self._root = torch.empty_like(like)

    @property
    def means(self) -> tuple[Tensor, Tensor]:
        """Both means themselves, not copies."""
        return self._mean, self._mean_square

    def step(self, theta: Tensor, gradient: Tensor, number: int | Tensor, learning_rate: float, out: Tensor) -> None:
        """Write the weights after step ``number``, counted from 1, to ``out``, which may be ``theta``.

        If ``number`` is a float64 tensor of shape ``()`` on the device of the weights, the host never has to wait.
        """
        first, second = self._betas
        self._mean.lerp_(gradient, 1 - first)
        self._mean_square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        # Both means start at zero: divided by these, they are means of the steps taken so far.
        weight, weight_square = 1 - first**number, 1 - second**number
        correction = weight_square.rsqrt() if isinstance(weight_square, Tensor) else 1 / math.sqrt(weight_square)
        root = torch.sqrt(self._mean_square, out=self._root).mul_(correction).add_(self._epsilon)
        if isinstance(weight, Tensor):
            # The same in the same order, without a value for which the host would have to wait.
            rate = torch.full_like(weight, -learning_rate) / weight
            torch.addcdiv(theta, self._mean * rate, root, out=out)
        else:
            torch.addcdiv(theta, self._mean, root, value=-learning_rate / weight, out=out)

    def state(self) -> dict[str, Tensor]:
        """Copies of both means."""
        return {"mean": self._mean.clone(), "mean_square": self._mean_square.clone()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        self._mean.copy_(state["mean"])
        self._mean_square.copy_(state["mean_square"])


def _checked_betas(betas: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(f"betas must be a pair of numbers in [0, 1), got {betas!r}")
    for index, beta in enumerate(betas):
        if arguments.real(f"betas[{index}]", beta, least=0) >= 1:
            raise ValueError(f"betas[{index}] must be less than 1, got {beta:g}")
    return float(betas[0]), float(betas[1])
