"""Adam on mini-batches, for data so large that one gradient of the whole training set costs too much."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.correlation.field import root_mean_square
from np_widgets.learning.minimizers.first_order import Adam
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import Objective
from np_widgets.learning.passes import Passes

BATCH_SIZE = 1024
_EPOCHS = 10
_LEARNING_RATE = 0.02
_STEPS_BETWEEN = 100

# The loss goes up and down until the step size is small: to wait for a decrease means nothing before the end.
_RULE = StoppingRule(patience=2**62, least_decrease=0.0)


class MinibatchAdam(Adam):
    """Adam (Kingma & Ba, arXiv 1412.6980) on batches of samples, with a step size that falls to zero along a cosine.

    An epoch goes once through all samples, in an order that is drawn anew, in batches that differ by one sample at
    most. Where it walks only a batch is seen. So the loss of all samples is measured once an epoch, yet not more often
    than every hundred steps, and :attr:`theta`, :attr:`loss` and :attr:`lowest_theta` are of the points that were
    measured. If one batch holds all samples these are the steps of Adam.

    ``duration`` is after how many steps the step size is zero: ten epochs, yet at least 3,000 steps, if it is None. The
    first ``learning_rate`` is ``0.02 (rms(y) / rms(x)^(p^(L−1)))^(1/D) / √k`` if it is None, in proportion to the
    weights of a balanced network of degree D whose widest hidden layer has k neurons.
    """

    name: ClassVar[str] = "minibatch_adam"
    title: ClassVar[str] = "mini-batch Adam"
    usual_steps: ClassVar[int] = 3000
    takes: ClassVar[tuple[str, ...]] = ("learning_rate", "batch_size", "duration", "seed")
    _check_every: ClassVar[int] = 1

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        *,
        batch_size: int = BATCH_SIZE,
        learning_rate: float | None = None,
        duration: int | None = None,
        seed: int = 0,
    ) -> None:
        samples = objective.problem.samples
        self._go_through(objective, min(arguments.whole("batch_size", batch_size, 1), samples), arguments.seed(seed))
        if duration is None:
            duration = max(self.usual_steps, _EPOCHS * self._epoch)
        rate = _fitting_rate(objective) if learning_rate is None else learning_rate
        super().__init__(
            objective,
            theta,
            learning_rate=rate,
            duration=arguments.whole("duration", duration, 1),
            stopping=_RULE,
        )
        self._walker, self._measured = self._theta.clone(), 0  # the step after which it was

    def _go_through(self, objective: Objective, batch_size: int, seed: int) -> None:
        self._batch_size, self._seed = batch_size, seed
        self._epoch = math.ceil(objective.problem.samples / batch_size)  # in steps
        self._batch = None if self._epoch == 1 else _Batch(objective, batch_size)
        self._order: tuple[int, Tensor] | None = None  # of which epoch, and the samples

    @property
    def duration(self) -> int:
        """After how many steps the step size is zero."""
        assert self._duration is not None
        return self._duration

    @property
    def budget(self) -> int:
        return self.duration

    @property
    def gradient(self) -> Tensor:
        """That of the whole training set: when it is asked for the data are gone through for it."""
        if self._batch is None or self.steps == 0:
            return super().gradient
        return self.objective.loss_and_gradient(self._theta)[1]

    @property
    def gradient_norm(self) -> float:
        return float(torch.linalg.vector_norm(self.gradient))

    @property
    def activity(self) -> str:
        epochs = math.ceil(self.duration / self._epoch)
        epoch = min(self.steps // self._epoch + 1, epochs)
        return f"{self.title} ({self._batch_size:,} samples a step, epoch {epoch:,} of {epochs:,})"

    @property
    def step_operations(self) -> float:
        return 6.0 * self._batch_size * self.objective.size

    @property
    def point(self) -> object | None:
        return None if self._batch is None else self._theta

    def measure(self) -> None:
        if self._batch is not None and self._measured != self.steps:
            self._measure(self.steps)

    def settle(self) -> None:
        self.measure()
        super().settle()
        self._walker = self._theta.clone()

    def state(self) -> dict[str, Any]:
        # Where in the epoch it is follows from the number of steps, and the order from the seed.
        own = {"walker": self._walker.clone(), "measured": self._measured, "seed": self._seed}
        schedule = {"batch_size": self._batch_size, "duration": self.duration, "learning_rate": self._learning_rate}
        return {**super().state(), "gradient": self._gradient.clone(), **own, **schedule}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._walker, self._measured = state["walker"].to(self._theta, copy=True), state["measured"]
        self._duration, self._learning_rate = state["duration"], state["learning_rate"]
        self._go_through(self.objective, state["batch_size"], state["seed"])

    @property
    def _entries(self) -> dict[str, Any]:
        return {
            **super()._entries,
            "walker": states.like(self.objective.initial),
            "measured": states.whole,
            "seed": states.whole,
            "batch_size": states.within(1, self.objective.problem.samples),
            "duration": states.within(1),
            "learning_rate": states.finite_number,
        }

    def _look_for_end(self) -> None:
        if self.steps == 0 or self._batch is None:  # elsewhere the gradient is not known
            super()._look_for_end()
        if self.finished is None and self.steps >= self.duration:
            self.finished = f"the step size has fallen to zero in {self.duration:,} steps"

    def _step(self) -> None:
        if self._batch is None:
            super()._step()
            return
        gradient, number = self._batch.gradient(self._walker, self._samples()), self.steps + 1
        self._moments.step(self._walker, gradient, number, self._rate, out=self._walker)
        if number % max(self._epoch, _STEPS_BETWEEN) == 0 or number == self.duration:
            self._measure(number)

    def _measure(self, number: int) -> None:
        """Go through all samples after the step of that number."""
        self._measured, loss = number, self.objective.loss(self._walker)
        if math.isfinite(loss):
            self._move(self._walker.clone(), loss, self._gradient)
        else:
            self.finished = f"diverged: {number:,} steps led from a loss of {self.loss:.3g} to {loss}"

    def _samples(self) -> Tensor:
        """The indices of those that the next step sees."""
        epoch, index = divmod(self.steps, self._epoch)
        samples = self.objective.problem.samples
        if self._order is None or self._order[0] != epoch:
            order = np.random.default_rng((self._seed, epoch)).permutation(samples)
            self._order = epoch, torch.from_numpy(order).to(self._theta.device)
        first, end = (samples * each // self._epoch for each in (index, index + 1))
        return self._order[1][first:end]


class _Batch:
    """The gradient on some samples, in working memory that is made once.

    Where they are one less than there is room for, the last has a residual of zero and does not count.
    """

    def __init__(self, objective: Objective, size: int) -> None:
        self._problem, self._criterion, self._goals = objective.problem, objective.criterion, objective.goals
        self._inputs = self._problem.inputs.new_zeros(size, self._problem.input_size)
        self._passes = Passes(self._inputs, objective.shapes, objective.activation)
        self._residual = self._passes.residual
        self._weight_decay = objective.weight_decay

    def gradient(self, theta: Tensor, samples: Tensor) -> Tensor:
        """That of their mean loss, penalty included, of shape ``(P,)``; overwritten by the next call."""
        count, passes, problem = len(samples), self._passes, self._problem
        torch.index_select(problem.inputs, 0, samples, out=self._inputs[:count])
        passes.theta.copy_(theta)
        outputs, residuals = passes.forward()[0].mT, self._residual[0].mT
        residuals[count:] = 0
        self._criterion.evaluate(outputs[:count], self._goals[samples], residuals[:count])
        gradient = passes.backward(self._residual).mul_(-1 / count)
        return gradient.add_(theta, alpha=self._weight_decay) if self._weight_decay else gradient


def _fitting_rate(objective: Objective) -> float:
    problem, activation = objective.problem, objective.activation
    layers = len(objective.shapes)
    degree = sum(activation.power**layer for layer in range(layers))
    targets, weights = problem.targets, problem.sample_weight
    size = (root_mean_square(targets, weights) or 1.0) if targets.is_floating_point() else 1.0
    inputs = root_mean_square(problem.inputs, weights) or 1.0
    # Logarithms, as the powers may be beyond all numbers.
    scale = math.exp((math.log(size) - activation.power ** (layers - 1) * math.log(inputs)) / degree)
    widest = max(rows for rows, _ in objective.shapes[:-1])
    return min(_LEARNING_RATE * scale / math.sqrt(widest), LARGEST_RATE)
