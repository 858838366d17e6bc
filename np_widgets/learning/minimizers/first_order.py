"""Minimizers that take one gradient of the whole training set a step: gradient descent and Adam."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.device_steps import DeviceSteps
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE, Minimizer
from np_widgets.learning.minimizers.stopping import DEFAULT_RULE, StoppingRule
from np_widgets.learning.objective import Objective

# Near a saddle the gradient is as small as at a minimum: only the loss can tell, and it takes its time.
_ONLY_BY_THE_LOSS = StoppingRule(gradient_tolerance=0.0)


def cosine(steps: int, duration: int) -> float:
    """What is left after so many steps of a step size that falls to zero along a cosine."""
    return 0.5 * (1 + math.cos(math.pi * steps / duration))


class Moments:
    """The running means of Adam's gradient and of its square, and the steps that follow from them.

    The steps are those of ``torch.optim.Adam``, whose own bookkeeping would take as long as a small network's gradient.
    """

    def __init__(self, like: Tensor, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8) -> None:
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


class FirstOrderMinimizer(Minimizer):
    """A minimizer that takes one gradient a step and goes wherever it leads, as long as the loss is finite.

    Steps make no tensors: weights and gradient alternate between two places, and the lowest point has a third. On a GPU
    steps are taken in batches that end where the stopping rule is looked at. With a ``duration`` the step size falls to
    zero along a cosine in so many steps.
    """

    takes: ClassVar[tuple[str, ...]] = ("learning_rate", "stopping")
    # The norm of the gradient of a small network costs a good part of a step.
    _check_every: ClassVar[int] = 100

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        learning_rate: float,
        duration: int | None = None,
        stopping: StoppingRule = DEFAULT_RULE,
    ) -> None:
        super().__init__(objective, theta, stopping=stopping)
        self._learning_rate = arguments.real("learning_rate", learning_rate, above=0, most=LARGEST_RATE)
        self._duration = duration
        self._own_places()

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @property
    def _rate(self) -> float:
        """The size of the next step."""
        left = 1.0 if self._duration is None else cosine(self.steps, self._duration)
        return self._learning_rate * left

    @property
    def theta(self) -> Tensor:
        return self._theta.clone()

    @theta.setter
    def theta(self, theta: Tensor) -> None:
        self._theta = theta

    @property
    def point(self) -> object | None:
        return None  # places are used again

    @property
    def gradient(self) -> Tensor:
        return self._gradient.clone()

    @property
    def lowest_theta(self) -> Tensor:
        return self._lowest_theta.clone()

    @lowest_theta.setter
    def lowest_theta(self, theta: Tensor) -> None:
        self._lowest_theta = theta

    @property
    def _in_batches(self) -> bool:
        """Whether the host looks at batches of steps and not at each: their step size is always the same."""
        return self._theta.is_cuda and self._duration is None

    def advance(self, steps: int) -> None:
        if not self._in_batches:
            super().advance(steps)
            return
        left = arguments.whole("steps", steps, 0)
        self._stop_at_target()
        while left and self.finished is None:
            since = self.steps % self._check_every
            if since == 0:
                self._look_for_end()
            count = min(left, self._check_every - since)
            if self.finished is None:
                self._take(count)
            left -= count

    def settle(self) -> None:
        super().settle()
        self._own_places()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "gradient": self.gradient}  # a copy, as those of the weights are

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._own_places()

    def _own_places(self) -> None:
        self._theta, self._next_theta = self._theta.clone(), torch.empty_like(self._theta)
        self._gradient, self._next_gradient = self._gradient.clone(), torch.empty_like(self._gradient)
        self._lowest_theta = self._lowest_theta.clone()
        self._device_steps: DeviceSteps | None = None

    @abstractmethod
    def _propose(self, theta: Tensor, number: int | Tensor) -> None:
        """Write the weights after step ``number``, counted from 1, to ``theta``, which may be the current ones.

        In batches ``number`` is a tensor of shape ``()`` on the device, and no value may be read from the device.
        """

    @property
    def _means(self) -> Sequence[Tensor]:
        """What a step changes besides the weights."""
        return ()

    def _take(self, count: int) -> None:
        if self._device_steps is None:
            places = self._theta, self._gradient, self._lowest_theta, self._means
            self._device_steps = DeviceSteps(self.objective, *places, lowest_loss=self.lowest_loss, steps=self.steps)
        batch = self._device_steps.take(count, self._propose, self.target_loss)
        if batch.is_taken:
            self.loss, self.lowest_loss = batch.loss, batch.lowest_loss
            self.steps += count
            self._stop_at_target()
        elif count == 1:
            self._diverge(batch.loss)
        else:
            # The batch has been undone. One by one, its steps end at the last finite point, or at the target.
            for _ in range(count):
                if self.finished is None:
                    self._take(1)

    def _step(self) -> None:
        self._propose(self._next_theta, self.steps + 1)
        loss, _ = self.objective.loss_and_gradient(self._next_theta, out=self._next_gradient)
        if not math.isfinite(loss):
            self._diverge(loss)
            return
        self._theta, self._next_theta = self._next_theta, self._theta
        self._gradient, self._next_gradient = self._next_gradient, self._gradient
        self.loss = loss
        if loss < self.lowest_loss:
            self.lowest_loss = loss
            self._lowest_theta.copy_(self._theta)

    def _diverge(self, loss: float) -> None:
        self.finished = f"diverged: step {self.steps + 1} led from a loss of {self.loss:.3g} to {loss}"


class GradientDescent(FirstOrderMinimizer):
    """``θ ← θ − η∇𝓛(θ)`` with a fixed step size η, as Kumar & Haupt (arXiv 2509.12154) minimize."""

    name: ClassVar[str] = "gradient_descent"
    title: ClassVar[str] = "gradient descent"
    usual_steps: ClassVar[int] = 30_000

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        learning_rate: float = 0.02,
        stopping: StoppingRule = _ONLY_BY_THE_LOSS,
        **options: Any,
    ) -> None:
        super().__init__(objective, theta, learning_rate=learning_rate, stopping=stopping, **options)

    def _step(self) -> None:
        before = self.loss
        super()._step()
        if self.finished is None and self.loss == before and not bool(self._gradient.any()):
            self.finished = "the gradient vanishes"  # so that step has led nowhere

    def _propose(self, theta: Tensor, number: int | Tensor) -> None:
        torch.sub(self._theta, self._gradient, alpha=self._rate, out=theta)


class Adam(FirstOrderMinimizer):
    """Adam (Kingma & Ba, arXiv 1412.6980) without weight decay; ``betas`` are the rates at which its means forget."""

    name: ClassVar[str] = "adam"
    title: ClassVar[str] = "Adam"
    usual_steps: ClassVar[int] = 20_000

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        learning_rate: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        **options: Any,
    ) -> None:
        super().__init__(objective, theta, learning_rate=learning_rate, **options)
        self._moments = Moments(self._theta, _checked_betas(betas), arguments.real("epsilon", epsilon, above=0))

    def state(self) -> dict[str, Any]:
        return {**super().state(), **self._moments.state()}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._moments.restore(state)

    @property
    def _entries(self) -> dict[str, Any]:
        weights = states.like(self.objective.initial)
        return {**super()._entries, "mean": weights, "mean_square": weights}

    def _propose(self, theta: Tensor, number: int | Tensor) -> None:
        self._moments.step(self._theta, self._gradient, number, self._rate, out=theta)

    @property
    def _means(self) -> Sequence[Tensor]:
        return self._moments.means


def _checked_betas(betas: Any) -> tuple[float, float]:
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(f"betas must be a pair of numbers in [0, 1), got {betas!r}")
    for index, beta in enumerate(betas):
        if arguments.real(f"betas[{index}]", beta, least=0) >= 1:
            raise ValueError(f"betas[{index}] must be less than 1, got {beta:g}")
    return float(betas[0]), float(betas[1])
