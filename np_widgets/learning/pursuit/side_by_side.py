"""Many networks minimized side by side for a while, to see which of them leads furthest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from np_widgets.learning import states
from np_widgets.learning.minimizers.first_order import Moments, cosine
from np_widgets.learning.passes import Passes
from np_widgets.learning.pursuit.standing import Standing, Task

_DECAY = 0.1
# After these shares of the steps the better half goes on, but no fewer than so many.
_CUTS = ((0.27, 4), (0.54, 2))


class SideBySide:
    """Adam with weight decay on C networks for each of G groups of samples, with a step size that falls to zero.

    Once a quarter of the steps has been taken, and once half of them has, the worse half of the networks is given up.
    The weight decay adds ``½λ‖θ‖²`` to the loss, with a λ that makes it a tenth of the loss of the first network of the
    group at the start.

    Attributes
    ----------
    losses
        Of the networks under way, without the weight decay, after the last :meth:`advance`: shape ``(G, C')``.
    left
        The loss and the weight decay of every network where it was given up or where it is: shape ``(G, C)``.
    best
        In each group the index, among the C, of the network whose loss is lowest, the weight decay included: ``(G,)``.
    """

    def __init__(self, task: Task, standing: Standing) -> None:
        self.task, self._start = task, standing
        self._cuts = [(round(share * task.steps), most) for share, most in _CUTS]
        self.go_to(standing)

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken, or the target is met."""
        return self.steps_taken >= self.task.steps or self._is_met

    @property
    def count(self) -> int:
        """How many networks of each group are still under way."""
        return self._index.shape[1]

    @property
    def step_operations(self) -> float:
        """Roughly how many arithmetic operations a step takes."""
        return 6.0 * self._passes.samples * sum(weight.numel() for weight in self.weights)

    @property
    def best_losses(self) -> Tensor:
        """The loss of the best network of each group, without the weight decay, of shape ``(G,)``."""
        return self.losses.gather(1, self._place.unsqueeze(1)).squeeze(1)

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """``W_1, …, W_L`` of the networks under way, as views of shape ``(G, C', k_l, k_{l-1})``."""
        return self._passes.weights

    @property
    def best_weights(self) -> list[Tensor]:
        """``W_1, …, W_L`` of the best network of each group, of shape ``(G, k_l, k_{l-1})``."""
        rows = torch.arange(len(self._place), device=self._place.device)
        return [weight[rows, self._place] for weight in self.weights]

    @property
    def standing(self) -> Standing:
        """Where they are; later steps do not change it."""
        vectors = self._passes.theta, *self._moments.means
        weights, mean, mean_square = (tuple(part.clone() for part in self._passes.parts(vector)) for vector in vectors)
        return Standing(self._index, weights, mean, mean_square, self._decay, self.left, self.steps_taken)

    @property
    def shape(self) -> tuple[object, ...]:
        """What those have in common that can be advanced together."""
        return self.count, *(weight.shape[2:] for weight in self.weights), *self.task.shape

    def advance(self, steps: int) -> None:
        """Take so many steps, fewer if that is all; one group stays where it first meets its target.

        Where they have led all networks of a group out of the range of numbers, it ends with what the first ones of
        them were at the start.
        """
        end = min(self.steps_taken + steps, self.task.steps)
        while self.steps_taken < end and not self.finished:
            self.give_up_worse_half()
            before, losses = self.standing, self.run(min(end, self.next_cut))
            # To ask after each step would cost as much as a tenth of the steps. So the way is gone again if it matters.
            meeting = (losses <= self.task.target_losses.unsqueeze(1)).flatten(1).any(dim=1).nonzero().flatten()
            if len(self.task.inputs) == 1 and len(meeting):
                self.go_to(before)
                for _ in range(int(meeting[0])):
                    self._step()
        self.judge()
        if bool(self.losses.isinf().all()):
            self._put_back()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, given the same networks and settings."""
        return self.standing._asdict()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        groups, networks = self._start.networks.shape
        several = tuple[Tensor, ...]
        kinds = {"networks": Tensor, "weights": several, "mean": several, "mean_square": several, "decay": Tensor}
        states.require("state", state, kinds | {"left": several, "steps_taken": states.within(0, self.task.steps)})
        index = state["networks"]
        if index.dim() != 2 or len(index) != groups or not 0 < index.shape[1] <= networks or index.dtype != torch.int64:
            raise ValueError(f"state['networks'] must number networks, {groups} rows, got shape {tuple(index.shape)}")
        if bool(((index < 0) | (index >= networks)).any()):
            raise ValueError(f"state['networks'] must hold numbers below {networks}")
        places = [weight[:, : index.shape[1]] for weight in self._start.weights]
        for name in ("weights", "mean", "mean_square", "left"):
            wanted = self._start.left if name == "left" else places
            if len(state[name]) != len(wanted):
                raise ValueError(f"state[{name!r}] must hold {len(wanted)} tensors, got {len(state[name])}")
            for each, place in zip(state[name], wanted, strict=True):
                states.like(place, finite=name == "weights")(f"state[{name!r}]", each)
        states.like(self._decay, finite=True)("state['decay']", state["decay"])
        standing = Standing(**state)
        self.go_to(standing.each(lambda tensor: tensor.to(device=self._decay.device)))

    # inside

    @property
    def next_cut(self) -> int:
        """After so many steps some are given up, or it ends."""
        return min((at for at, _ in self._cuts if at > self.steps_taken), default=self.task.steps)

    def go_to(self, standing: Standing) -> None:
        """Go on from there, in working memory of its size."""
        self._index, self._decay, self.left = standing.networks, standing.decay, standing.left
        self.steps_taken = standing.steps_taken
        sizes = [standing.weights[0].shape[3], *(weight.shape[2] for weight in standing.weights)]
        shapes = [(above, below) for below, above in pairwise(sizes)]
        self._passes = Passes(self.task.inputs, shapes, self.task.activation, self._index.numel())
        self._moments = Moments(self._passes.theta)
        self._decay_of_weights = torch.zeros_like(self._passes.theta)
        decays = tuple(self._decay.reshape(-1, 1, 1, 1).expand_as(weight) for weight in standing.weights)
        places = self._passes.theta, *self._moments.means, self._decay_of_weights
        for place, parts in zip(places, (*standing[1:4], decays), strict=True):
            for into, part in zip(self._passes.parts(place), parts, strict=True):
                into.copy_(part)
        self._outputs, self._residuals = (
            each.view(*self._index.shape, *each.shape[1:]).mT for each in (self._passes.output, self._passes.residual)
        )
        self._targets = self.task.targets.unsqueeze(1)
        self.judge()

    def _evaluate(self) -> Tensor:
        """The losses, of shape ``(G, C')``; the residuals are left behind."""
        self._passes.forward()
        return self.task.loss.evaluate(self._outputs, self._targets, self._residuals)

    def _squares(self) -> Tensor:
        """``‖θ‖²`` of each network, of shape ``(G, C')``."""
        return torch.stack([weight.square().sum(dim=(2, 3)) for weight in self.weights]).sum(dim=0)

    def judge(self) -> None:
        """Measure where they are, and see which is ahead."""
        losses, penalties = self._evaluate(), self._decay.unsqueeze(1) / 2 * self._squares()
        fine = (losses + penalties).isfinite()
        self.losses = torch.where(fine, losses, math.inf)
        now = self.losses, torch.where(fine, penalties, 0.0)
        self.left = tuple(left.scatter(1, self._index, each) for left, each in zip(self.left, now, strict=True))
        meets = losses <= self.task.target_losses.unsqueeze(1)
        self._is_met = bool(meets.any())
        # Who meets the target is ahead of all that do not.
        self._scores = torch.where(meets | ~meets.any(dim=1, keepdim=True), now[0] + now[1], math.inf)
        self._place = self._scores.argmin(dim=1)
        self.best = self._index.gather(1, self._place.unsqueeze(1)).squeeze(1)

    def give_up_worse_half(self) -> None:
        """Of each group, if this is the time for it."""
        for at, most in self._cuts:
            count = _better_half(self.count, most)
            if self.steps_taken == at and count < self.count:
                self.judge()
                kept = self._scores.argsort(dim=1, stable=True)[:, :count].sort(dim=1).values
                self.go_to(self.standing.kept(kept))

    def _put_back(self) -> None:
        """To the start, with the networks that cuts would leave, and no more steps to take."""
        count = self.count
        for at, most in self._cuts:
            count = _better_half(count, most) if at >= self.steps_taken else count
        start = self._start.kept(self._index[:, :count])
        self.go_to(start._replace(left=self.left, steps_taken=self.task.steps))

    def run(self, end: int) -> Tensor:
        """All steps until there have been so many: the losses before each, of shape ``(steps, G, C')``."""
        return torch.stack([self._step() for _ in range(self.steps_taken, end)])

    def _step(self) -> Tensor:
        """One step; the losses before it, of shape ``(G, C')``."""
        passes, losses = self._passes, self._evaluate()
        gradient = passes.backward().mul_(-1 / passes.samples)
        gradient.addcmul_(passes.theta, self._decay_of_weights)
        rate = self.task.learning_rate * cosine(self.steps_taken, self.task.steps)
        self.steps_taken += 1
        self._moments.step(passes.theta, gradient, self.steps_taken, rate, out=passes.theta)
        return losses


def begun(task: Task, weights: Sequence[Tensor]) -> SideBySide:
    """Networks of weights ``(G, C, k_l, k_{l-1})`` that are about to take their first step."""
    start = Standing.at_start(weights)
    first = SideBySide(task, start).losses[:, 0]
    squares = sum(weight[:, 0].square().sum(dim=(1, 2)) for weight in weights)
    decay = 2 * _DECAY * first / torch.as_tensor(squares, device=first.device).clamp(min=torch.finfo(first.dtype).tiny)
    decay = torch.where(decay.isfinite(), decay, 0.0).maximum(task.least_decay)
    return SideBySide(task, start._replace(decay=decay))


def advance_together(each: Sequence[SideBySide], steps: int) -> None:
    """Advance several single groups of equal ``shape`` as one batch, to the bit as each alone.

    One that meets its target leaves the batch and takes its last steps alone.
    """
    standings = [one.standing for one in each]
    end, under_way = min(standings[0].steps_taken + steps, each[0].task.steps), list(range(len(each)))
    while under_way and standings[under_way[0]].steps_taken < end:
        task = Task.joined([each[place].task for place in under_way])
        batch = SideBySide(task, Standing.joined([standings[place] for place in under_way]))
        batch.give_up_worse_half()
        losses = batch.run(min(end, batch.next_cut))
        batch.judge()
        losses = torch.cat([losses, batch.losses.unsqueeze(0)])
        meets = (losses <= task.target_losses.unsqueeze(1)).any(dim=2).any(dim=0).tolist()
        now = batch.standing
        for place, group in zip(under_way, range(len(under_way)), strict=True):
            standings[place] = standings[place] if meets[group] else now.group(group)
        under_way = [place for place, meeting in zip(under_way, meets, strict=True) if not meeting]
    for one, standing in zip(each, standings, strict=True):
        one.go_to(standing)
        one.advance(end - standing.steps_taken)


def _better_half(count: int, least: int) -> int:
    return max(min(least, count), count // 2)
