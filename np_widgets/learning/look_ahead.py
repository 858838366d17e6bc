"""Which of several networks leads furthest: all of them are minimized side by side for a while."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from np_widgets.learning.direction import root_mean_square
from np_widgets.learning.minimizers.adam import Moments
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.passes import Passes
from np_widgets.problems import Problem

STEPS = 300
_LEARNING_RATE = 7.5e-3
_DECAY = 0.1
_MOST_SAMPLES = 2**14
_MOST_ENTRIES = 2**25
"""Of the layers' outputs of all networks together: 128 MiB for each of the four places they have."""


class LookAhead:
    """Adam with weight decay on several networks as one batch.

    The candidates of Neuron Pursuit differ in where they lead, and neither the value of their KKT point nor the loss on
    its ray tells which leads furthest. So a few hundred steps are taken with each. The weight decay is what keeps them
    away from fits by large weights that cancel each other: those are low early, and lead nowhere later. Gradient flow
    from a small start avoids them, too.

    Parameters
    ----------
    problem
        What is learned. Of more than 16,384 samples a random choice of so many is looked at.
    networks
        At least one; as many of the first as a bound on memory allows are taken.
    seed
        Of the choice of samples.
    steps
        How many steps to take.
    learning_rate
        The step size at the beginning, which falls to zero along a cosine; None for one that fits the data.

    Attributes
    ----------
    steps_taken
        How many steps have been taken.
    best
        The index of the network that is ahead: the lowest loss, the weight decay included.
    loss
        Its loss without the weight decay, on the samples that are looked at.

    Notes
    -----
    It works in single precision and in units in which inputs and targets have a root mean square of one. The weight
    decay adds ``½λ‖θ‖²`` to the loss, with a λ that makes it a tenth of the loss of the first network at the start.
    """

    def __init__(
        self,
        problem: Problem,
        networks: Sequence[HomogeneousNetwork],
        seed: int,
        steps: int = STEPS,
        learning_rate: float | None = None,
    ) -> None:
        self._dtype, self._activation = problem.dtype, networks[0].activation
        inputs, targets = _some_samples(problem, seed)
        widths = [max(network.widths[layer] for network in networks) for layer in range(networks[0].hidden_layers)]
        most = max(1, _MOST_ENTRIES // (len(inputs) * sum(widths)))
        networks = networks[:most]
        self._units = _Units(inputs, targets, networks[0])
        self._inputs = self._units.inputs.float()
        self._targets = self._units.targets
        if self._targets.dtype.is_floating_point:
            self._targets = self._targets.float()
        self._loss = problem.loss
        sizes = [problem.input_size, *widths, problem.output_size]
        shapes = [(above, below) for below, above in pairwise(sizes)]
        self._passes = Passes(self._inputs, shapes, self._activation, len(networks))
        self._shapes = [[(weight.shape[0], weight.shape[1]) for weight in network.weights] for network in networks]
        for index, network in enumerate(networks):
            for place, weight in zip(self._passes.weights, self._units.enter(network).weights, strict=True):
                place[index, : weight.shape[0], : weight.shape[1]] = weight
        self._residual = torch.empty_like(self._passes.output)
        self._start = self._passes.theta.clone()
        self._moments = Moments(self._passes.theta)
        self._steps = steps
        rate = _LEARNING_RATE if learning_rate is None else learning_rate * self._units.factor
        self._learning_rate = min(rate, LARGEST_RATE)
        self.steps_taken = 0
        losses = self._losses()
        squares = self._squares()
        self._decay = 2 * _DECAY * float(losses[0] / squares[0].clamp(min=torch.finfo(torch.float32).tiny))
        if not math.isfinite(self._decay):
            self._decay = 0.0
        self._judge(losses)

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken."""
        return self.steps_taken >= self._steps

    @property
    def progress(self) -> float:
        """Which share of the steps has been taken."""
        return self.steps_taken / self._steps

    @property
    def count(self) -> int:
        """How many networks are looked at."""
        return self._passes.networks

    @property
    def step_operations(self) -> float:
        """Roughly how many arithmetic operations a step takes."""
        return 6.0 * self._passes.samples * self._passes.theta.numel()

    @property
    def network(self) -> HomogeneousNetwork:
        """The network that is ahead, with weights of its own in the problem's units and precision; not balanced."""
        weights = [
            place[self.best, :rows, :columns]
            for place, (rows, columns) in zip(self._passes.weights, self._shapes[self.best], strict=True)
        ]
        return self._units.leave(weights, self._activation.power, self._activation.leak, self._dtype)

    def advance(self, steps: int) -> None:
        """Take so many steps, fewer if that is all.

        If they have led all networks out of the range of numbers, it ends with what they were at the start.
        """
        for _ in range(min(steps, self._steps - self.steps_taken)):
            self._step()
        self._judge(self._losses())
        if math.isinf(self.loss):
            self._passes.theta.copy_(self._start)
            self.steps_taken = self._steps
            self._judge(self._losses())

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, given the same problem, networks and settings."""
        own = {"theta": self._passes.theta.clone(), "decay": self._decay, "steps_taken": self.steps_taken}
        return {**own, **self._moments.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        self._passes.theta.copy_(state["theta"])
        self._moments.restore(state)
        self._decay, self.steps_taken = state["decay"], state["steps_taken"]
        self._judge(self._losses())

    def _losses(self) -> Tensor:
        return self._loss.evaluate(self._passes.forward().mT, self._targets, self._residual.mT)

    def _squares(self) -> Tensor:
        return torch.stack([weight.square().sum(dim=(1, 2)) for weight in self._passes.weights]).sum(dim=0)

    def _judge(self, losses: Tensor) -> None:
        scores = losses + self._decay / 2 * self._squares()
        scores = torch.where(scores.isfinite(), scores, math.inf)
        self.best = int(scores.argmin())
        is_lost = math.isinf(scores[self.best])
        self.loss = math.inf if is_lost else float(losses[self.best]) * self._units.loss_size

    def _step(self) -> None:
        passes = self._passes
        self._losses()
        gradient = passes.backward(self._residual).mul_(-1 / passes.samples).add_(passes.theta, alpha=self._decay)
        rate = self._learning_rate * 0.5 * (1 + math.cos(math.pi * self.steps_taken / self._steps))
        self.steps_taken += 1
        self._moments.step(passes.theta, gradient, self.steps_taken, rate, out=passes.theta)


class _Units:
    """Units in which inputs and real targets have a root mean square of one, and balanced weights in them.

    A network of degree D whose weights are all multiplied by ``factor``, and those of the first layer by the size of
    the inputs as well, computes ``factor^D`` times as much.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, network: HomogeneousNetwork) -> None:
        self._input_size = root_mean_square(inputs) or 1.0
        size = (root_mean_square(targets) or 1.0) if targets.dtype.is_floating_point else 1.0
        self.inputs = inputs / self._input_size
        self.targets = targets / size if targets.dtype.is_floating_point else targets
        self.factor = size ** (-1 / network.degree)
        self.loss_size = size**2  # of one unit of loss; only the square loss has real targets

    def enter(self, network: HomogeneousNetwork) -> HomogeneousNetwork:
        """The same function in these units."""
        first, *others = network.weights
        weights = [self.factor * self._input_size * first, *(self.factor * weight for weight in others)]
        return HomogeneousNetwork(weights, power=network.power, leak=network.leak).balanced()

    def leave(self, weights: Sequence[Tensor], power: int, leak: float, dtype: torch.dtype) -> HomogeneousNetwork:
        """The same function in the problem's units."""
        first, *others = [weight.to(dtype) / self.factor for weight in weights]
        return HomogeneousNetwork([first / self._input_size, *others], power=power, leak=leak)


def _some_samples(problem: Problem, seed: int) -> tuple[Tensor, Tensor]:
    if problem.samples <= _MOST_SAMPLES:
        return problem.inputs, problem.targets
    chosen = torch.randperm(problem.samples, generator=torch.Generator().manual_seed(seed))[:_MOST_SAMPLES]
    chosen = chosen.to(problem.inputs.device)
    return problem.inputs[chosen], problem.targets[chosen]
