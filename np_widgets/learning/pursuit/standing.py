"""What networks side by side are to learn, and where they stand: values that are split and joined."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.problems.losses import LOSSES, Loss
from np_widgets.problems.weights import Weighted

STEPS = 300
LEARNING_RATE = 7.5e-3


class Task(NamedTuple):
    """What networks side by side are to learn: G groups of them, each from n samples of its own."""

    inputs: tuple[Tensor, ...]  # (n, d) each
    targets: Tensor  # (G, n, m), or (G, n) if they are classes; goals with weights in them for a weighted loss
    loss: Loss
    activation: Activation
    target_losses: Tensor  # (G,): a group ends where one of its networks first has at most this loss
    least_decay: Tensor  # (G,): λ of each group is at least this
    steps: int = STEPS
    learning_rate: float = LEARNING_RATE  # at the beginning; it falls along a cosine

    @property
    def shape(self) -> tuple[object, ...]:
        """What those have in common whose groups can be joined."""
        sizes = self.targets.shape[1:], self.inputs[0].shape, self.inputs[0].device
        # Whether samples have weights is seen by their targets. Two losses of one's own may have one name.
        own = self.loss.loss if isinstance(self.loss, Weighted) else self.loss
        loss = own.name if type(LOSSES.get(own.name)) is type(own) else id(own)
        return *sizes, loss, self.activation, self.steps, self.learning_rate

    @classmethod
    def joined(cls, each: Sequence[Task]) -> Task:
        """The groups of several of equal :attr:`shape` as those of one."""
        return each[0]._replace(
            inputs=tuple(inputs for task in each for inputs in task.inputs),
            targets=torch.cat([task.targets for task in each]),
            target_losses=torch.cat([task.target_losses for task in each]),
            least_decay=torch.cat([task.least_decay for task in each]),
        )


class Standing(NamedTuple):
    """Where the C' networks of each of G groups are that have not been given up, of C at the start."""

    networks: Tensor  # (G, C'): which of the C they are
    weights: tuple[Tensor, ...]  # W_1, …, W_L: (G, C', k_l, k_{l-1}); Adam's means likewise
    mean: tuple[Tensor, ...]
    mean_square: tuple[Tensor, ...]
    decay: Tensor  # (G,): λ
    left: tuple[Tensor, ...]  # loss and weight decay of all where they were given up, or are: (G, C)
    steps_taken: int = 0

    @classmethod
    def at_start(cls, weights: Sequence[Tensor]) -> Standing:
        """That of networks of these weights, without weight decay."""
        nothing = tuple(torch.zeros_like(weight) for weight in weights)
        each = weights[0][:, :, 0, 0]
        index = torch.arange(each.shape[1], device=each.device).expand(each.shape)
        left = torch.full_like(each, math.inf), torch.zeros_like(each)
        return cls(index, tuple(weights), nothing, nothing, torch.zeros_like(each[:, 0]), left)

    def each(self, change: Callable[..., Tensor], *others: Standing) -> Standing:
        """What ``change`` makes of each tensor, and of those at its place in the others."""
        parts: dict[str, Any] = {}
        for name, mine, *theirs in zip(self._fields[:-1], self, *others, strict=False):
            several = isinstance(mine, tuple)
            parts[name] = tuple(map(change, mine, *theirs)) if several else change(mine, *theirs)
        return self._replace(**parts)

    def kept(self, rows: Tensor) -> Standing:
        """Those at the places ``rows``, ``(G, C'')``, alone."""
        weights, mean, mean_square = (tuple(rows_of(part, rows) for part in parts) for parts in self[1:4])
        return self._replace(networks=rows_of(self.networks, rows), weights=weights, mean=mean, mean_square=mean_square)

    def group(self, number: int) -> Standing:
        """One group of them."""
        return self.each(lambda tensor: tensor[number : number + 1])

    @classmethod
    def joined(cls, several: Sequence[Standing]) -> Standing:
        """Those that have taken equally many steps as one."""
        return several[0].each(lambda *tensors: torch.cat(tensors), *several[1:])


def rows_of(batch: Tensor, index: Tensor) -> Tensor:
    """The networks of an index of shape ``(G, C')`` from a batch of shape ``(G, C, …)``."""
    return batch[torch.arange(len(index), device=index.device).unsqueeze(1), index]
