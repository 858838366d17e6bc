"""Many networks minimized side by side for a while, to see which of them leads furthest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from np_widgets.learning import states
from np_widgets.learning.activation import Activation
from np_widgets.learning.minimizers.first_order import Moments
from np_widgets.learning.passes import Passes
from np_widgets.problems.losses import Loss

STEPS = 300
LEARNING_RATE = 7.5e-3
_DECAY = 0.1
# After these shares of the steps the better half goes on, but no fewer than so many.
_CUTS = ((0.27, 4), (0.54, 2))


class _Start(NamedTuple):
    """What networks side by side begin with, see :class:`SideBySide`."""

    weights: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    targets: Tensor
    loss: Loss
    activation: Activation
    usable: Tensor
    steps: int
    learning_rate: float
    target_losses: Tensor
    least_decay: Tensor


class _Group(NamedTuple):
    """Where one of several groups is; ``parts`` are those of the weights and of both of Adam's means."""

    networks: Tensor
    decay: Tensor
    left: tuple[Tensor, Tensor]
    steps_taken: int
    parts: list[list[Tensor]]


class SideBySide:
    """Adam with weight decay on C networks for each of G groups of samples, with a step size that falls to zero.

    Once a quarter of the steps has been taken, and once half of them has, the worse half of the networks is given up.

    Parameters
    ----------
    weights
        ``W_1, …, W_L`` of all networks, of shape ``(G, C, k_l, k_{l-1})``. Copied.
    inputs
        The samples of each group, of shape ``(n, d)``.
    targets
        Shape ``(G, n, m)``, or ``(G, n)`` if they are classes.
    loss
        Of outputs and targets.
    activation
        Of the hidden layers.
    usable
        Which networks may be chosen, of shape ``(G, C)``.
    steps
        How many steps to take.
    learning_rate
        The step size at the beginning; it falls along a cosine.
    target_losses
        One for each group, of shape ``(G,)``: a group stays where one of its networks first had at most this loss, the
        weight decay not included. None for none.
    least_decay
        λ of each group is at least this, of shape ``(G,)``; None for zero.

    Attributes
    ----------
    usable
        As given.
    steps_taken
        How many steps have been taken by the groups that have not met their targets.
    losses
        Of the networks under way, without the weight decay, after the last :meth:`advance`: shape ``(G, C')``.
    left_losses, left_penalties
        The loss and the weight decay of every network where it was given up or where it is, after the last
        :meth:`advance`: shape ``(G, C)``.
    best
        In each group the index, among the C, of the network whose loss is lowest, the weight decay included: shape
        ``(G,)``.

    Notes
    -----
    The weight decay adds ``½λ‖θ‖²`` to the loss, with a λ that makes it a tenth of the loss of the first network of the
    group at the start.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        inputs: Sequence[Tensor],
        targets: Tensor,
        loss: Loss,
        activation: Activation,
        usable: Tensor,
        steps: int = STEPS,
        learning_rate: float = LEARNING_RATE,
        target_losses: Tensor | None = None,
        least_decay: Tensor | None = None,
    ) -> None:
        like = inputs[0]
        nothing = like.new_zeros(len(usable))
        self._target_losses = nothing - math.inf if target_losses is None else target_losses
        self._least_decay = nothing if least_decay is None else least_decay
        self.start = _Start(
            tuple(weights),
            tuple(inputs),
            targets,
            loss,
            activation,
            usable,
            steps,
            learning_rate,
            self._target_losses,
            self._least_decay,
        )
        self._inputs, self._targets, self._loss, self._activation = inputs, targets.unsqueeze(1), loss, activation
        self._steps, self._learning_rate = steps, learning_rate
        self._cuts = [(round(share * steps), most) for share, most in _CUTS]
        self.usable = usable
        index = torch.arange(usable.shape[1], device=usable.device).expand_as(usable)
        self._decay = usable.new_zeros(len(usable), dtype=like.dtype)
        self.left_losses = torch.full_like(usable, math.inf, dtype=like.dtype)
        self.left_penalties = torch.zeros_like(self.left_losses)
        self._met = torch.zeros_like(usable[:, 0])
        self._met_at = torch.zeros_like(self._met, dtype=torch.int64)
        self._take(index, weights)
        self.steps_taken = 0
        losses, squares = self._evaluate(), self._squares()
        decay = 2 * _DECAY * losses[:, 0] / squares[:, 0].clamp(min=torch.finfo(losses.dtype).tiny)
        self._decay = torch.where(decay.isfinite(), decay, 0.0).maximum(self._least_decay)
        self._spread_decay()
        self._judge(losses)

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken, or every group has met its target."""
        return self.steps_taken >= self._steps or bool(self._met.all())

    @property
    def count(self) -> int:
        """How many networks of each group are still under way."""
        return self._index.shape[1]

    @property
    def step_operations(self) -> float:
        """Roughly how many arithmetic operations a step takes."""
        return 6.0 * self._passes.samples * sum(weight.numel() for weight in self.weights)

    @property
    def steps_of_groups(self) -> Tensor:
        """How many steps each group has taken, of shape ``(G,)``: no more once it has met its target."""
        return torch.where(self._met, self._met_at, self.steps_taken)

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

    def advance(self, steps: int) -> None:
        """Take so many steps, fewer if that is all.

        Where they have led all networks of a group out of the range of numbers, it ends with what the first ones of
        them were at the start.
        """
        end = min(self.steps_taken + steps, self._steps)
        while self.steps_taken < end and not self.finished:
            for at, most in self._cuts:
                if self.steps_taken == at:
                    self._give_up_worse_half(most)
            until = min(end, *(at if at > self.steps_taken else end for at, _ in self._cuts))
            self._run(until - self.steps_taken)
        self._judge(self._evaluate())
        lost = self.losses.isinf().all(dim=1)
        if bool(lost.any()):
            self._put_back(lost)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, given the same networks and settings."""
        return {
            "index": self._index.clone(),
            "theta": self._passes.theta.clone(),
            "decay": self._decay.clone(),
            "left": (self.left_losses, self.left_penalties),
            "steps_taken": self.steps_taken,
            **self._moments.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken.

        Raises
        ------
        TypeError, ValueError
            If an entry is not of the right kind or size; the message names it, and nothing has changed.
        """
        groups, networks = self.usable.shape
        states.require(
            "state",
            state,
            dict.fromkeys(("index", "theta", "decay", "mean", "mean_square"), Tensor)
            | {"left": tuple[Tensor, Tensor], "steps_taken": states.whole},
        )
        index = state["index"].to(self._index)
        if index.dim() != 2 or len(index) != groups or not 0 < index.shape[1] <= networks or index.dtype != torch.int64:
            raise ValueError(f"state['index'] must number networks, {groups} rows, got shape {tuple(index.shape)}")
        if bool(((index < 0) | (index >= networks)).any()):
            raise ValueError(f"state['index'] must hold numbers below {networks}")
        passes = self._passes_of(index)
        for name in ("theta", "mean", "mean_square"):
            states.like(passes.theta, finite=name == "theta")(f"state[{name!r}]", state[name])
        for name, each, like in (
            ("decay", state["decay"], self._decay),
            *(("left", each, self.left_losses) for each in state["left"]),
        ):
            states.like(like)(f"state[{name!r}]", each)
            if each.isnan().any():
                raise ValueError(f"state[{name!r}] must hold numbers, got nan")
        if state["steps_taken"] > self._steps:
            raise ValueError(f"state['steps_taken'] must be at most {self._steps}, got {state['steps_taken']}")
        self._decay = state["decay"].to(self._decay, copy=True)
        self.left_losses, self.left_penalties = (each.to(self._decay) for each in state["left"])
        self._take(index, *(passes.parts(state[name]) for name in ("theta", "mean", "mean_square")))
        self._met.zero_()
        self.steps_taken = state["steps_taken"]
        self._judge(self._evaluate())

    @classmethod
    def joined(cls, each: Sequence[SideBySide]) -> SideBySide:
        """Several that have taken no step yet as one, of equal :attr:`shape`; see :meth:`group`."""
        starts, first = [one.start for one in each], each[0].start
        return cls(
            [torch.cat(weights) for weights in zip(*(start.weights for start in starts), strict=True)],
            [inputs for start in starts for inputs in start.inputs],
            torch.cat([start.targets for start in starts]),
            first.loss,
            first.activation,
            torch.cat([start.usable for start in starts]),
            first.steps,
            first.learning_rate,
            torch.cat([start.target_losses for start in starts]),
            torch.cat([start.least_decay for start in starts]),
        )

    @property
    def shape(self) -> tuple[object, ...]:
        """What those have in common that can be joined."""
        start = self.start
        sizes = tuple(weight.shape[1:] for weight in start.weights)
        kind = start.loss.name, start.activation, start.steps, start.learning_rate
        return sizes, start.targets.shape[1:], start.inputs[0].shape, start.inputs[0].device, *kind

    def group(self, index: int) -> _Group:
        """Where one group is: another that holds this group alone can go on from there."""
        own = slice(index, index + 1)
        vectors = self._passes.theta, *self._moments.means
        return _Group(
            networks=self._index[own].clone(),
            decay=self._decay[own].clone(),
            left=(self.left_losses[own].clone(), self.left_penalties[own].clone()),
            steps_taken=int(self.steps_of_groups[index]),
            parts=[[part[own] for part in self._passes.parts(vector)] for vector in vectors],
        )

    def go_on_from(self, group: _Group) -> None:
        """Go on from where a joined one has led: to the bit where this would be after these steps."""
        self._decay, (self.left_losses, self.left_penalties) = group.decay, group.left
        self._take(group.networks, *group.parts)
        self.steps_taken = group.steps_taken
        self._judge(self._evaluate())

    def _passes_of(self, index: Tensor) -> Passes:
        sizes = [self.start.weights[0].shape[3], *(weight.shape[2] for weight in self.start.weights)]
        shapes = [(above, below) for below, above in pairwise(sizes)]
        return Passes(self._inputs, shapes, self._activation, index.numel())

    def _take(
        self,
        index: Tensor,
        weights: Sequence[Tensor],
        mean: Sequence[Tensor] | None = None,
        mean_square: Sequence[Tensor] | None = None,
    ) -> None:
        """Go on with the networks of that index, of shape ``(G, C')``, and Adam's means of them."""
        self._index, self._passes = index, self._passes_of(index)
        self._moments = Moments(self._passes.theta)
        vectors = self._passes.theta, *self._moments.means
        for vector, parts in zip(vectors, (weights, mean, mean_square), strict=True):
            for place, part in zip(self._passes.parts(vector), parts or (), strict=bool(parts)):
                place.copy_(part)
        self._outputs, self._residuals = (
            each.view(*index.shape, *each.shape[1:]).mT for each in (self._passes.output, self._passes.residual)
        )
        self._spread_decay()
        self._where_met = self._passes.theta.clone()

    def _spread_decay(self) -> None:
        """λ for each entry of theta."""
        self._decay_of_weights = torch.zeros_like(self._passes.theta)
        for part in self._passes.parts(self._decay_of_weights):
            part.copy_(self._decay.reshape(-1, 1, 1, 1).expand_as(part))

    def _give_up_worse_half(self, least: int) -> None:
        count = _better_half(self.count, least)
        if count == self.count:
            return
        self._judge(self._evaluate())
        kept = self._scores.argsort(dim=1, stable=True)[:, :count].sort(dim=1).values
        vectors = self._passes.theta, *self._moments.means
        parts = [[_rows(part, kept) for part in self._passes.parts(vector)] for vector in vectors]
        self._take(self._index.gather(1, kept), *parts)

    def _evaluate(self) -> Tensor:
        """The losses, of shape ``(G, C')``; the residuals are left behind."""
        self._passes.forward()
        return self._loss.evaluate(self._outputs, self._targets, self._residuals)

    def _squares(self) -> Tensor:
        """``‖θ‖²`` of each network, of shape ``(G, C')``."""
        return torch.stack([weight.square().sum(dim=(2, 3)) for weight in self.weights]).sum(dim=0)

    def _judge(self, losses: Tensor) -> None:
        penalties = self._decay.unsqueeze(1) / 2 * self._squares()
        scores = losses + penalties
        fine = scores.isfinite() & self.usable.gather(1, self._index)
        self._scores = torch.where(fine, scores, math.inf)
        self.losses = torch.where(fine, losses, math.inf)
        self.left_losses = self.left_losses.scatter(1, self._index, self.losses)
        self.left_penalties = self.left_penalties.scatter(1, self._index, torch.where(fine, penalties, 0.0))
        # Who meets the target is ahead of all that do not.
        meets = self.losses <= self._target_losses.unsqueeze(1)
        are_met = meets.any(dim=1)
        self._scores = torch.where(meets | ~are_met.unsqueeze(1), self._scores, math.inf)
        self._met_at[are_met & ~self._met] = self.steps_taken
        self._met |= are_met
        self._where_met = self._passes.theta.clone()
        self._place = self._scores.argmin(dim=1)
        self.best = self._index.gather(1, self._place.unsqueeze(1)).squeeze(1)

    def _put_back(self, lost: Tensor) -> None:
        """Take lost groups back to their start, with the networks that cuts would leave."""
        if bool(lost.all()):
            count = self.count
            for at, most in self._cuts:
                count = _better_half(count, most) if at >= self.steps_taken else count
            index = self._index[:, :count]
            self._take(index, [_rows(weight, index) for weight in self.start.weights])
            self.steps_taken = self._steps
        else:
            for weight, start in zip(self.weights, self.start.weights, strict=True):
                weight[lost] = _rows(start, self._index)[lost]
        self._judge(self._evaluate())

    def _run(self, steps: int) -> None:
        """So many steps, fewer if a group meets its target before."""
        theta, moments, steps_before = self._passes.theta.clone(), self._moments.state(), self.steps_taken
        losses = torch.stack([self._step() for _ in range(steps)])
        # To ask after each step would cost as much as a tenth of the steps. So the way is gone again where it matters.
        may_be = self.usable.gather(1, self._index) & ~self._met.unsqueeze(1)
        meets = ((losses <= self._target_losses.unsqueeze(1)) & may_be).any(dim=2)
        first = meets.any(dim=1).nonzero().flatten().tolist()[:1]
        for taken in first:
            self._passes.theta.copy_(theta)
            self._moments.restore(moments)
            self.steps_taken = steps_before
            for _ in range(taken):
                self._step()
        self._put_where_met()
        for taken in first:
            self._met |= meets[taken]
            self._met_at[meets[taken]] = self.steps_taken
            self._where_met = self._passes.theta.clone()

    def _put_where_met(self) -> None:
        """Undo what the steps of others have done to groups that had met their targets."""
        if bool(self._met.any()):
            for part, kept in zip(self.weights, self._passes.parts(self._where_met), strict=True):
                part[self._met] = kept[self._met]

    def _step(self) -> Tensor:
        """One step; the losses before it, of shape ``(G, C')``."""
        passes, losses = self._passes, self._evaluate()
        gradient = passes.backward().mul_(-1 / passes.samples)
        gradient.addcmul_(passes.theta, self._decay_of_weights)
        rate = self._learning_rate * 0.5 * (1 + math.cos(math.pi * self.steps_taken / self._steps))
        self.steps_taken += 1
        self._moments.step(passes.theta, gradient, self.steps_taken, rate, out=passes.theta)
        return losses


def _better_half(count: int, least: int) -> int:
    return max(min(least, count), count // 2)


def _rows(batch: Tensor, index: Tensor) -> Tensor:
    """The networks of an index of shape ``(G, C')`` from a batch of shape ``(G, C, …)``."""
    return batch[torch.arange(len(index), device=index.device).unsqueeze(1), index]
