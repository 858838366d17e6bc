"""Several pursuits at once, and what many have come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.fixed.engine import FixedNetwork
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord, PursuitFrame
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.per_network import scalars
from np_widgets.learning.pursuit.standing import STEPS
from np_widgets.learning.pursuit.validation import best_validated
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
        The last network, with a validation set the one that was best on it; None if there is none.
    growth
        One record for each network that was trained.
    finished
        Why it stopped.
    seconds
        How long that was computed, on whichever machine; NaN if that is not known.
    index
        Which of :attr:`growth` is that of :attr:`network`: the last, unless an earlier one was better on a validation
        or a test set.
    """

    problem: Problem
    seed: int
    network: HomogeneousNetwork | None
    growth: tuple[GrowthRecord, ...]
    finished: Finish
    seconds: float = math.nan
    index: int = -1

    __repr__ = one_line

    @classmethod
    def of(cls, engine: NeuronPursuit | FixedNetwork, seconds: float = math.nan) -> PursuitResult:
        """That of a pursuit, or of a network of fixed widths, that has finished."""
        growth, network, finished, settings = engine.frame().growth, engine.network, engine.finished, engine.settings
        assert finished is not None
        index = engine.frame().iteration - 1 if growth else -1
        if isinstance(engine, NeuronPursuit) and (best := best_validated(growth, engine.settings.score)) is not None:
            index, network = best, engine.best_network
        return cls(engine.problem, settings.seed, network, growth, finished, seconds, index)

    @property
    def row(self) -> dict[str, Any]:
        """What it has come to, for a table."""
        return {
            "widths": self.widths,
            "neurons": sum(self.widths),
            "loss": self.loss,
            "test_loss": self.test_loss,
            "validation": self.validation,
            "networks": len(self.growth),
            "steps": sum(record.steps for record in self.growth),
            "seconds": self.seconds,
            "ended": self.finished.kind,
        }

    @property
    def loss(self) -> float:
        """The training loss of the network; NaN if there is none."""
        return self.growth[self.index].loss if self.growth else math.nan

    @property
    def test_loss(self) -> float:
        """The test loss of the network; NaN if there is none, or no test set."""
        loss = self.growth[self.index].test_loss if self.growth else None
        return math.nan if loss is None else loss

    @property
    def widths(self) -> tuple[int, ...]:
        """The hidden widths of the network; empty if there is none."""
        return self.growth[self.index].widths if self.growth else ()

    @property
    def validation(self) -> float:
        """The score of the network on the validation set; NaN if there is none."""
        score = self.growth[self.index].validation if self.growth else None
        return math.nan if score is None else score


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
        """The training loss of each network, ``(G,)``."""
        return np.array([result.loss for result in self.results])

    @property
    def test_losses(self) -> Floats:
        """The test loss of each network, ``(G,)``; NaN without a test set."""
        return np.array([result.test_loss for result in self.results])

    @property
    def neurons(self) -> Floats:
        """How many neurons each network has in each hidden layer, ``(G, L−1)``; NaN if there is none."""
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

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row for each pursuit, and what its network has come to."""
        rows = [{"problem": each.problem.name, "seed": each.seed} | each.row for each in self.results]
        return import_module("pandas").DataFrame(rows)

    def growth_to_frame(self) -> Any:
        """A pandas DataFrame: a row for each network of each pursuit; ``pursuit`` is its index."""
        rows = [
            {"pursuit": index, "seed": each.seed} | scalars(record, number)
            for index, each in enumerate(self.results)
            for number, record in enumerate(each.growth, start=1)
        ]
        return import_module("pandas").DataFrame(rows)

    def __repr__(self) -> str:
        kinds = [result.finished.kind for result in self.results]
        counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds), key=kinds.index))
        return f"PursuitEnsemble({len(self.results)} pursuits: {counts})"


def pursue_together(
    pursuits: Sequence[NeuronPursuit],
    most: int,
    stopped: Callable[[], bool] = lambda: False,
    callbacks: Sequence[Callable[[PursuitFrame], object] | None] = (),
    clock: Callable[[], float] = lambda: 0.0,
) -> list[float]:
    """Advance all to their ends, or until ``stopped()``; how long each took by the ``clock``.

    Each takes the steps that it takes alone, to the bit, so it does not matter which others there are. Look-aheads wait
    for each other: when all do, the most that are of one shape, but no more than ``most``, are one batch, and share its
    time. A pursuit is cut short where its callback says so.
    """
    seconds = dict.fromkeys(range(len(pursuits)), 0.0)
    calls = dict(enumerate(callbacks))

    def did(each: Sequence[int], began: float) -> None:
        for index in each:
            seconds[index] += (clock() - began) / len(each)
        for index in each:
            if (call := calls.get(index)) is not None and not pursuits[index].show(call):
                pursuits[index].cut_short()

    under_way = [index for index, pursuit in enumerate(pursuits) if pursuit.finished is None]
    while under_way and not stopped():
        for index in under_way:
            pursuit = pursuits[index]
            while pursuit.finished is None and pursuit.next_look_ahead is None and not stopped():
                began = clock()
                pursuit.advance()
                did([index], began)
        under_way = [index for index in under_way if pursuits[index].finished is None]
        groups: dict[tuple[object, ...], list[tuple[int, LookAhead]]] = {}
        for index in under_way:
            if (look_ahead := pursuits[index].next_look_ahead) is not None:
                groups.setdefault(look_ahead.shape, []).append((index, look_ahead))
        if groups and not stopped():
            together = max(groups.values(), key=len)[:most]
            began = clock()
            LookAhead.advance_together([look_ahead for _, look_ahead in together], STEPS)
            did([index for index, _ in together], began)
    return list(seconds.values())
