"""Many pursuits in one picture: how their losses fall as neurons are added, and which architectures they end with."""

from __future__ import annotations

from collections import Counter

import numpy as np

from np_widgets.learning.pursuit.ensemble import PursuitEnsemble
from np_widgets.pictures.labels import count, number, widths
from np_widgets.pictures.scene import Area, Axis, Curve, Floats, Mark, Scene, Texts, boxes, joined
from np_widgets.pictures.ticks import SMALLEST, log_limits, whole_ticks

# More lines would be one gray area, and slow to draw; the median and the quartiles are of all pursuits.
MOST_LINES = 200
MOST_ROWS = 8
NO_NETWORK = "No pursuit has a network"
_BAR = 0.62


def ladder(ensemble: PursuitEnsemble) -> Scene:
    """The losses of an ensemble; those that are not finite are left out, tiny ones drawn at the smallest."""
    table = ensemble.ladder
    finite = np.isfinite(table)
    table = np.where(finite, table, np.nan)[finite.any(axis=1)]
    title = f"Loss of {count(len(table), 'pursuit')}"
    if not len(table):
        return Scene("Loss", empty="No finite loss" if any(result.widths for result in ensemble) else NO_NETWORK)
    drawn = np.maximum(
        table[np.unique(np.linspace(0, len(table) - 1, min(len(table), MOST_LINES)).round().astype(int))], SMALLEST
    )
    lower, median, upper = _quartiles(table)
    added = np.arange(table.shape[1], dtype=np.float64)
    if len(added) == 1:
        # A single column is as wide as a bar: a line of one point could not be seen.
        added = np.array([-_BAR / 2, _BAR / 2])
        drawn, lower, median, upper = (np.repeat(each, 2, axis=-1) for each in (drawn, lower, median, upper))
    known = np.isfinite(median)
    many = len(table) > 1
    marks: list[Mark] = [Curve("main", added, median, "median" if many else "the only pursuit")]
    if many:
        around = np.concatenate([added[known], added[known][::-1]])
        between = np.concatenate([lower[known], upper[known][::-1]])
        marks.append(Area("quartiles", around[None], between[None], "between the quartiles"))
        marks.append(Curve("each", *joined((added, row) for row in drawn), "each pursuit"))
    notes = [f"{len(drawn):,} of the pursuits are drawn as lines."] if len(drawn) < len(table) else []
    if np.any(table < SMALLEST):
        notes.append(f"Losses below {number(SMALLEST)} are drawn there.")
    low, high = log_limits(np.maximum(table, SMALLEST))
    room = max(0.02 * float(np.ptp(added)), 0.05)
    ends = _BAR if table.shape[1] == 1 else room
    ticks = tuple((float(each), str(each)) for each in range(0, table.shape[1], -(-table.shape[1] // 8)))
    return Scene(
        title,
        tuple(marks),
        Axis("neurons added to the first network", float(added[0]) - ends, float(added[-1]) + ends, ticks=ticks),
        Axis("training loss", low / (high / low) ** 0.03, high * (high / low) ** 0.03, log=True),
        notes=(" ".join(notes),),
        says=f"The median loss goes from {number(float(median[0]))} to {number(float(median[known][-1]))}",
    )


def endings(ensemble: PursuitEnsemble) -> Scene:
    """How many pursuits ended with which hidden widths, the most frequent on top; the rarest are one bar together."""
    title, sizes = "Final hidden widths", [result.widths for result in ensemble if result.widths]
    if not sizes:
        return Scene(title, empty=NO_NETWORK)
    # Of equally frequent ones the smaller network first.
    found = sorted(Counter(sizes).items(), key=lambda item: (-item[1], sum(item[0]), item[0]))
    kept = found if len(found) <= MOST_ROWS else found[: MOST_ROWS - 1]
    rest = found[len(kept) :]
    names, counts = [widths(each) for each, _ in kept], [times for _, times in kept]
    marks = _bars("bar", counts, 0, "ended with these widths")
    if rest:
        names.append(count(len(rest), "other"))
        counts.append(sum(times for _, times in rest))
        marks += _bars("other bar", counts[-1:], len(kept), "others together")
    without = len(ensemble) - len(sizes)
    return Scene(
        title,
        tuple(marks),
        # Room for the number at the end of the longest.
        Axis("pursuits", 0.0, 1.12 * max(counts), ticks=whole_ticks(0.0, 1.12 * max(counts))),
        # A few bars keep the thickness of many, and stand on top.
        Axis("", -0.5, max(len(names), MOST_ROWS // 2) - 0.5, ticks=tuple(enumerate(names)), reverse=True),
        notes=(f"{count(without, 'pursuit')} without a network." if without else "",),
        says=f"Most often {names[0]}: {counts[0]:,} of {count(len(sizes), 'pursuit')}",
    )


def _bars(role: str, counts: list[int], first: int, label: str) -> list[Mark]:
    rows = first + np.arange(len(counts), dtype=np.float64)
    ends = np.array(counts, dtype=np.float64)
    return [
        Area(role, *boxes(0.0, ends, rows - _BAR / 2, rows + _BAR / 2), label),
        Texts("words", ends, rows, texts=tuple(f"{times:,}" for times in counts), place="right"),
    ]


def _quartiles(table: Floats) -> Floats:
    """Of each column, ``(3, a)``."""
    found = np.full((3, table.shape[1]), np.nan)
    for column, losses in enumerate(table.T):
        finite = losses[np.isfinite(losses)]
        if len(finite):
            found[:, column] = np.maximum(np.quantile(finite, (0.25, 0.5, 0.75)), SMALLEST)
    return found
