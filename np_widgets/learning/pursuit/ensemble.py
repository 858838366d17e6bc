"""Several pursuits at once, and what many have come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.side_by_side import STEPS
from np_widgets.problems import Problem

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PursuitResult:
    """What one pursuit has come to.

    Attributes
    ----------
    problem
        What was learned, on the device and in the precision of the computation.
    seed
        Of its searches.
    network
        The last network; None if there is none.
    growth
        One record for each network that was trained.
    finished
        Why it stopped.
    """

    problem: Problem
    seed: int
    network: HomogeneousNetwork | None
    growth: tuple[GrowthRecord, ...]
    finished: Finish

    __repr__ = one_line

    @property
    def loss(self) -> float:
        """The training loss of the last network; NaN if there is none."""
        return self.growth[-1].loss if self.growth else float("nan")

    @property
    def test_loss(self) -> float:
        """The test loss of the last network; NaN if there is none, or no test set."""
        loss = self.growth[-1].test_loss if self.growth else None
        return float("nan") if loss is None else loss

    @property
    def widths(self) -> tuple[int, ...]:
        """The hidden widths of the last network; empty if there is none."""
        return self.growth[-1].widths if self.growth else ()


@dataclass(frozen=True, eq=False)
class PursuitEnsemble:
    """What many pursuits have come to: a sequence of :class:`PursuitResult`, in the order they were asked for.

    Attributes
    ----------
    results
        One for each pursuit.
    """

    results: tuple[PursuitResult, ...]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[PursuitResult]:
        return iter(self.results)

    def __getitem__(self, index: int) -> PursuitResult:
        return self.results[index]

    @property
    def losses(self) -> Floats:
        """The training loss of each last network, ``(G,)``."""
        return np.array([result.loss for result in self.results])

    @property
    def test_losses(self) -> Floats:
        """The test loss of each last network, ``(G,)``; NaN without a test set."""
        return np.array([result.test_loss for result in self.results])

    @property
    def neurons(self) -> Floats:
        """How many neurons each last network has in each hidden layer, ``(G, L−1)``; NaN if there is none."""
        layers = max((len(result.widths) for result in self.results), default=0)
        return np.array([result.widths or (np.nan,) * layers for result in self.results], dtype=float)

    @property
    def ladder(self) -> Floats:
        """The training loss of each pursuit after 0, 1, … neurons were added to its first network: ``(G, A+1)``.

        A pursuit that stopped earlier keeps its last loss, so that the columns are of all pursuits. NaN if it has none.
        """
        longest = max((len(result.growth) for result in self.results), default=0)
        table = np.full((len(self.results), longest), np.nan)
        for row, result in zip(table, self.results, strict=True):
            losses = [record.loss for record in result.growth]
            row[: len(losses)] = losses
            row[len(losses) :] = losses[-1:] or np.nan
        return table

    def __repr__(self) -> str:
        kinds = [result.finished.kind for result in self.results]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds), key=kinds.index))
        return f"PursuitEnsemble({len(self.results)} pursuits: {counts})"


def pursue_together(pursuits: Sequence[NeuronPursuit], most: int, stopped: Callable[[], bool] = lambda: False) -> None:
    """Advance all to their ends, or until ``stopped()``.

    Each takes the steps that it takes alone, to the bit, so it does not matter which others there are. Look-aheads wait
    for each other: when all do, the most that are of one shape, but no more than ``most``, are one batch.
    """
    under_way = [pursuit for pursuit in pursuits if pursuit.finished is None]
    while under_way and not stopped():
        for pursuit in under_way:
            while pursuit.finished is None and pursuit.next_look_ahead is None and not stopped():
                pursuit.advance()
        under_way = [pursuit for pursuit in under_way if pursuit.finished is None]
        groups: dict[tuple[object, ...], list[LookAhead]] = {}
        for pursuit in under_way:
            if (look_ahead := pursuit.next_look_ahead) is not None:
                groups.setdefault(look_ahead.shape, []).append(look_ahead)
        if groups and not stopped():
            LookAhead.advance_together(max(groups.values(), key=len)[:most], STEPS)
