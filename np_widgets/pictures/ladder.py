"""Many pursuits in one picture: how their losses fall as neurons are added, and which architectures they end with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.ensemble.results import PursuitEnsemble
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.limits import round_above, round_below
from np_widgets.pictures.loss import SMALLEST

Floats = NDArray[np.float64]

# More lines would be one gray area, and slow to draw; the median and the quartiles are of all pursuits.
MOST_LINES = 200
MOST_ROWS = 8
NO_NETWORK = "No pursuit has a network"


@dataclass(frozen=True, eq=False)
class Ladder:
    """The losses of all pursuits. What is finite is at least :data:`~np_widgets.pictures.loss.SMALLEST`.

    Attributes
    ----------
    neurons
        Shape ``(a,)``: how many neurons were added to the first network, 0, 1, …
    losses
        Shape ``(g, a)``: one row for each pursuit that is drawn as a line; NaN where its loss is not finite.
    median
        Shape ``(a,)``: of the finite losses of all pursuits; NaN where there is none.
    lower, upper
        Shape ``(a,)``: their quartiles; empty if there is only one pursuit.
    pursuits
        How many pursuits have a finite loss.
    low, high
        The limits of the log axis, 1, 2 or 5 times a power of ten, with all points between them.
    note
        What the picture leaves out, in words.
    empty
        Why there is nothing to see, in words; empty if there is.
    """

    neurons: Floats
    losses: Floats
    median: Floats
    lower: Floats
    upper: Floats
    pursuits: int
    low: float
    high: float
    note: str
    empty: str


@dataclass(frozen=True, eq=False)
class Endings:
    """How many pursuits ended with which architecture, the most frequent first.

    Attributes
    ----------
    labels
        The hidden widths of each row, in words. The last row may be all others together.
    counts
        Shape ``(r,)``: how many pursuits ended there.
    others
        How many architectures the last row stands for; 0 if it is one like the rest.
    pursuits
        How many pursuits have a network: the sum of ``counts``.
    note
        How many pursuits have none, in words.
    empty
        Why there is nothing to see, in words; empty if there is.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]
    others: int
    pursuits: int
    note: str
    empty: str


def ladder(ensemble: PursuitEnsemble) -> Ladder:
    """The losses of an ensemble; those that are not finite are left out, tiny ones drawn at the smallest."""
    table = ensemble.ladder
    finite = np.isfinite(table)
    table = np.where(finite, table, np.nan)[finite.any(axis=1)]
    lines = np.unique(np.linspace(0, len(table) - 1, min(len(table), MOST_LINES)).round().astype(np.int64))
    lower, median, upper = _quartiles(table)
    values = np.maximum(table[np.isfinite(table)], SMALLEST)
    notes = []
    if len(lines) < len(table):
        notes.append(f"{len(lines):,} of the pursuits are drawn as lines.")
    if np.any(table < SMALLEST):
        notes.append(f"Losses below {number(SMALLEST)} are drawn there.")
    return Ladder(
        neurons=np.arange(table.shape[1], dtype=np.float64),
        losses=np.maximum(table[lines], SMALLEST),
        median=median,
        lower=lower if len(table) > 1 else np.zeros(0),
        upper=upper if len(table) > 1 else np.zeros(0),
        pursuits=len(table),
        low=round_below(float(values.min()) / 1.1) if len(values) else 0.1,
        high=round_above(float(values.max()) * 1.1) if len(values) else 1.0,
        note=" ".join(notes),
        empty="" if len(table) else "No finite loss" if any(result.widths for result in ensemble) else NO_NETWORK,
    )


def endings(ensemble: PursuitEnsemble) -> Endings:
    """The architectures of an ensemble; the rarest are one row if there are more than :data:`MOST_ROWS`."""
    widths = [result.widths for result in ensemble if result.widths]
    # Of equally frequent ones the smaller network first.
    found = sorted(Counter(widths).items(), key=lambda item: (-item[1], sum(item[0]), item[0]))
    shown = found if len(found) <= MOST_ROWS else found[: MOST_ROWS - 1]
    rest = found[len(shown) :]
    labels = [f"({', '.join(str(width) for width in each)})" for each, _ in shown]
    counts = [times for _, times in shown]
    if rest:
        labels.append(f"{len(rest):,} others")
        counts.append(sum(times for _, times in rest))
    without = len(ensemble) - len(widths)
    return Endings(
        labels=tuple(labels),
        counts=np.array(counts, dtype=np.int64),
        others=len(rest),
        pursuits=len(widths),
        note=f"{count(without, 'pursuit')} without a network." if without else "",
        empty="" if widths else NO_NETWORK,
    )


def _quartiles(table: Floats) -> Floats:
    """Of each column, ``(3, a)``."""
    found = np.full((3, table.shape[1]), np.nan)
    for column, losses in enumerate(table.T):
        finite = losses[np.isfinite(losses)]
        if len(finite):
            found[:, column] = np.maximum(np.quantile(finite, (0.25, 0.5, 0.75)), SMALLEST)
    return found
