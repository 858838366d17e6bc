"""Which saddle a moment of a saddle flow belongs to, which neurons are dormant there, and what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.saddles.frames import Prediction, SaddleFrame

Floats = NDArray[np.float64]

MOST_POINTS = 400
NOTHING_YET = "Nothing computed yet"


@dataclass(frozen=True, eq=False)
class Stage:
    """The time near one saddle and on the way to the next.

    Attributes
    ----------
    number
        0 for the saddle that the flow started at.
    start, end
        When that saddle was reached, and the next one; ``end`` is infinite while it has not been.
    first, last
        The points of the record from ``start`` on and up to ``end``, as the bounds of a slice.
    active
        For each hidden layer which neurons belong to that saddle: boolean arrays of shape ``(k_l,)``.
    dormant
        Of the J neurons of the record, those that do not: a boolean array of shape ``(J,)``.
    prediction
        What theory says of it, or None while that is not known.
    """

    number: int
    start: float
    end: float
    first: int
    last: int
    active: tuple[NDArray[np.bool_], ...]
    dormant: NDArray[np.bool_]
    prediction: Prediction | None


@dataclass(frozen=True, eq=False)
class Mark:
    """An event on a curve.

    Attributes
    ----------
    kind
        ``"aligned"``, ``"escaped"`` or ``"saddle"``.
    time, value
        Where it is drawn.
    message
        One sentence.
    """

    kind: str
    time: float
    value: float
    message: str


def stages(frame: SaddleFrame) -> tuple[Stage, ...]:
    """One stage for each saddle so far, the current one last; the first from the beginning of the record."""
    times = [float(frame.record.time[0]) if len(frame.record.time) else 0.0]
    times += [awakening.time for awakening in frame.awakenings]
    return tuple(_stage(frame, number, start, [*times, np.inf][number + 1]) for number, start in enumerate(times))


def stage_at(frame: SaddleFrame, index: int) -> Stage:
    """The stage that point ``index`` of the record belongs to; where a saddle was just reached, the new one."""
    now = frame.record.time[index] if len(frame.record.time) else 0.0
    return [stage for stage in stages(frame) if stage.number == 0 or stage.start <= now][-1]


def point(frame: SaddleFrame, index: int | None) -> int:
    """Where in the record a time slider stands: the newest point for None and for what lies beyond it.

    A record is thinned out while it grows, so an index may be left over from a longer one.

    Raises
    ------
    TypeError, ValueError
        If ``index`` is neither None nor an integer from 0 on.
    """
    newest = len(frame.record.time) - 1
    return newest if index is None else min(arguments.whole("index", index, 0), newest)


def spread(first: int, last: int, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """At most ``most`` of the indices ``first … last − 1``, evenly spread, both ends among them."""
    if last - first <= most:
        return np.arange(first, max(first, last))
    return np.unique(np.linspace(first, last - 1, most).round().astype(np.int64))


def _stage(frame: SaddleFrame, number: int, start: float, end: float) -> Stage:
    time = frame.record.time
    active = [np.arange(width) < started for width, started in zip(frame.widths, frame.started_active, strict=True)]
    for awakening in frame.awakenings[:number]:
        for layer, neuron in awakening.awake:
            active[layer - 1][neuron] = True
    return Stage(
        number=number,
        start=start,
        end=end,
        first=int(np.searchsorted(time, start, side="left")),
        last=int(np.searchsorted(time, end, side="right")),
        active=tuple(active),
        dormant=np.array([not active[layer - 1][neuron] for layer, neuron in frame.record.neurons], dtype=bool),
        prediction=frame.predictions[number] if number < len(frame.predictions) else None,
    )
