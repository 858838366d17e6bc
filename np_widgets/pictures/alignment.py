"""How dormant neurons turn towards KKT points, as a number over time: the cosine of the angle that is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import count
from np_widgets.pictures.stages import NOTHING_YET, point, spread, stages

Floats = NDArray[np.float64]

MOST_NEURONS = 40
ALIGNED = 0.999


@dataclass(frozen=True, eq=False)
class Alignment:
    """Cosines on a plain scale from −1 to 1: 1 is aligned, 0 a right angle.

    The logarithm of ``1 − cos`` would show the last digits of the convergence; the cosine itself says which way a
    neuron points, and that it has come near, to everybody.

    Attributes
    ----------
    time
        Shape ``(q,)``: at most 400 times of the record.
    cosines
        Shape ``(j, q)``: between each neuron and the KKT point that it is going to; NaN, a gap in the line, where it
        has none, from when it is active on, and at the first time of every further saddle.
    neurons
        ``(layer, index)`` of each row: those that have a KKT point at some time, the ``MOST_NEURONS`` that grow
        largest.
    leader
        The row of the neuron that is largest at ``now`` among the dormant ones, or None; where a saddle was just
        reached, of those that were dormant before.
    aligned
        The times at which the largest dormant neuron came to a cosine of :data:`ALIGNED`.
    starts
        When each saddle after the first was reached: from there on the KKT points are others.
    now
        The time at which the time slider stands, or None.
    left, right
        The limits of time; ``right > left``.
    note
        What is left out, in words; empty if nothing is.
    empty
        Why there is nothing to see, in words; empty if there is.
    """

    time: Floats
    cosines: Floats
    neurons: tuple[tuple[int, int], ...]
    leader: int | None
    aligned: tuple[float, ...]
    starts: tuple[float, ...]
    now: float | None
    left: float
    right: float
    note: str
    empty: str


def alignment(frame: SaddleFrame, index: int | None = None) -> Alignment:
    """The cosines of a frame.

    Parameters
    ----------
    frame
        The whole of its record is drawn.
    index
        The point of the record at which the time slider stands; by default the newest.
    """
    record = frame.record
    here = point(frame, index)
    parts = stages(frame)
    dormant = np.ones(record.neuron_cosine.shape, dtype=bool)
    for stage in parts:
        dormant[stage.first :] = stage.dormant
        if stage.number:
            dormant[stage.first : stage.first + 1] = False
    cosines = np.where(dormant & np.isfinite(record.neuron_cosine), record.neuron_cosine, np.nan)
    going = np.flatnonzero(np.isfinite(cosines).any(axis=0))
    peaks = np.nan_to_num(record.neuron_norm).max(axis=0, initial=0.0)
    rows = np.sort(going[np.argsort(-peaks[going], kind="stable")[:MOST_NEURONS]])
    chosen = spread(0, len(record.time))
    left = float(record.time[0]) if len(record.time) else 0.0
    right = float(record.time[-1]) if len(record.time) else left
    hidden = len(going) - len(rows)
    return Alignment(
        time=record.time[chosen],
        cosines=np.clip(cosines[np.ix_(chosen, rows)].T, -1.0, 1.0),
        neurons=tuple(record.neurons[row] for row in rows),
        leader=_leader(record.neuron_norm[:, rows], cosines[:, rows], here),
        aligned=tuple(event.time for event in frame.events if event.kind == "aligned"),
        starts=tuple(stage.start for stage in parts[1:]),
        now=float(record.time[here]) if here >= 0 else None,
        left=left,
        right=right if right > left else left + 1.0,
        note=f"Not shown: {count(hidden, 'smaller neuron')}" if hidden else "",
        empty=_empty(frame) if len(rows) == 0 else "",
    )


def _leader(size: Floats, cosines: Floats, here: int) -> int | None:
    for moment in (here, here - 1):
        known = np.isfinite(size[moment]) & np.isfinite(cosines[moment]) if moment >= 0 else np.zeros(0, dtype=bool)
        if known.any():
            return int(np.argmax(np.where(known, size[moment], -np.inf)))
    return None


def _empty(frame: SaddleFrame) -> str:
    if frame.phase == "searching" or (frame.phase == "ready" and not frame.predictions):
        return "KKT points are not known yet: a search finds them"
    return "No dormant neuron goes to a KKT point" if len(frame.record.time) else NOTHING_YET
