"""Going through any number of samples in working memory of a fixed size."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems.losses import Loss

# Outputs of all layers together, for the samples of one block: 8 MiB in float64 for each place they have.
BLOCK_ENTRIES = 2**20
_BLOCKS_ON_GPU = 2**7


def block_size(data: Tensor, entries: int) -> int:
    """How many samples are gone through at a time, on the device of ``data``, if each has so many layer outputs."""
    return max(1, BLOCK_ENTRIES * (_BLOCKS_ON_GPU if data.is_cuda else 1) // entries)


def mean_loss(network: HomogeneousNetwork, inputs: Tensor, goals: Tensor, criterion: Loss) -> float:
    """The loss of a network on inputs ``(n, d)`` and the goals of a problem."""
    size = block_size(inputs, sum(network.widths) + network.output_size)
    total = 0.0
    for some, wanted in zip(inputs.split(size), goals.split(size), strict=True):
        share = len(some) / len(inputs)  # exactly one if one block is all
        total += float(criterion.value(network.forward(some).output, wanted)) * share
    return total


class Block(NamedTuple):
    """Samples from ``begin`` to ``end``, as many as every block has; those before ``first`` count in the one before."""

    begin: int
    first: int
    end: int

    @property
    def overlap(self) -> int:
        """How many of its samples belong to the block before."""
        return self.first - self.begin


def blocks_of(samples: int, most: int) -> list[Block]:
    """Blocks of one size, of at most so many samples, so that they share their working memory.

    For this the last one reaches back into the one before it, by fewer samples than there are blocks; those are to have
    residuals of zero there and so count once.
    """
    size = math.ceil(samples / math.ceil(samples / most))
    firsts = range(0, samples, size)
    ends = [min(first + size, samples) for first in firsts]
    return [Block(end - size, first, end) for first, end in zip(firsts, ends, strict=True)]
