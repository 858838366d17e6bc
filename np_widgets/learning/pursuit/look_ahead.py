"""Which of several networks of one pursuit leads furthest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from np_widgets.learning.balance import balanced
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.passes import padded
from np_widgets.learning.pursuit.side_by_side import advance_together, begun
from np_widgets.learning.pursuit.standing import LEARNING_RATE, STEPS, Task
from np_widgets.learning.units import Units
from np_widgets.problems import Problem
from np_widgets.problems.weights import goals_of

_MOST_SAMPLES = 2**14
_MOST_ENTRIES = 2**25
"""Of the layers' outputs of all networks together: 128 MiB for each of the four places they have."""


class LookAhead:
    """Some hundred steps with each of several networks, as one batch.

    The candidates of Neuron Pursuit differ in where they lead, and neither the value of their KKT point nor the loss on
    its ray tells which leads furthest. So a few hundred steps are taken with each. The weight decay is what keeps them
    away from fits by large weights that cancel each other: those are low early, and lead nowhere later. Gradient flow
    from a small start avoids them, too.

    It works in single precision and in units in which inputs and targets have a root mean square of one; see
    :class:`~np_widgets.learning.pursuit.side_by_side.SideBySide`.
    """

    def __init__(
        self,
        problem: Problem,
        networks: Sequence[HomogeneousNetwork],
        seed: int,
        steps: int = STEPS,
        learning_rate: float | None = None,
        target_loss: float | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        first = networks[0]
        self._dtype, self._activation = problem.dtype, first.activation
        inputs, targets, counts = _some_samples(problem, seed)
        widths = [max(network.widths[layer] for network in networks) for layer in range(first.hidden_layers)]
        networks = networks[: max(1, _MOST_ENTRIES // (len(inputs) * sum(widths)))]
        self._units = Units(inputs, targets, first.degree, counts)
        inputs, targets = self._units.inputs.float(), self._units.targets
        if targets.dtype.is_floating_point:
            targets = targets.float()
        if problem.criterion is not problem.loss:
            targets = goals_of(targets, counts, torch.float32)
        self._shapes = [[(weight.shape[0], weight.shape[1]) for weight in network.weights] for network in networks]
        factors = self._units.factors(first.hidden_layers + 1)
        weights = [factor * weight for factor, weight in zip(factors, padded(networks), strict=True)]
        rate = LEARNING_RATE if learning_rate is None else learning_rate * self._units.factor
        target = -math.inf if target_loss is None else target_loss / self._units.loss_size
        task = Task(
            (inputs,),
            targets.unsqueeze(0),
            problem.criterion,
            self._activation,
            inputs.new_tensor([target]),
            inputs.new_tensor([self._units.decay(weight_decay, first.power, first.hidden_layers + 1)]),
            steps,
            min(rate, LARGEST_RATE),
        )
        self.networks = begun(task, [weight.float().unsqueeze(0) for weight in balanced(weights, first.power)])

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken, or the target is met."""
        return self.networks.finished

    @property
    def steps_taken(self) -> int:
        """How many steps have been taken."""
        return self.networks.steps_taken

    @property
    def count(self) -> int:
        """How many networks are still looked at."""
        return self.networks.count

    @property
    def step_operations(self) -> float:
        """Roughly how many arithmetic operations a step takes."""
        return self.networks.step_operations

    @property
    def best(self) -> int:
        return int(self.networks.best)

    @property
    def loss(self) -> float:
        return float(self.networks.best_losses) * self._units.loss_size

    @property
    def left(self) -> list[tuple[float, float]]:
        losses, penalties = ((part[0].double() * self._units.loss_size).tolist() for part in self.networks.left)
        return list(zip(losses, penalties, strict=True))

    @property
    def network(self) -> HomogeneousNetwork:
        """The network that is ahead, with weights of its own in the problem's units and precision; not balanced."""
        weights = [
            weight[0, :rows, :columns]
            for weight, (rows, columns) in zip(self.networks.best_weights, self._shapes[self.best], strict=True)
        ]
        return self._units.leave(weights, self._activation.power, self._activation.leak, self._dtype)

    def advance(self, steps: int) -> None:
        """Take so many steps, fewer if that is all.

        If they have led all networks out of the range of numbers, it ends with what the first of them were at the
        start.
        """
        self.networks.advance(steps)

    @property
    def shape(self) -> tuple[object, ...]:
        """What those have in common that can be advanced together."""
        return self.networks.shape

    @classmethod
    def advance_together(cls, each: Sequence[LookAhead], steps: int) -> None:
        """The first steps of several of equal :attr:`shape` as one batch: to the bit those that each takes alone."""
        advance_together([one.networks for one in each], steps)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, given the same problem, networks and settings."""
        return self.networks.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        self.networks.restore(state)


def _some_samples(problem: Problem, seed: int) -> tuple[Tensor, Tensor, Tensor | None]:
    weights = problem.sample_weight
    if problem.samples <= _MOST_SAMPLES:
        return problem.inputs, problem.targets, weights
    chosen = torch.randperm(problem.samples, generator=torch.Generator("cpu").manual_seed(seed), device="cpu")[
        :_MOST_SAMPLES
    ]
    chosen = chosen.to(problem.inputs.device)
    return problem.inputs[chosen], problem.targets[chosen], None if weights is None else weights[chosen]
