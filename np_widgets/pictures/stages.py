"""Which saddle a moment of a saddle flow belongs to, which neurons are dormant there, and marks over its time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.saddles.frames import Prediction, SaddleFrame
from np_widgets.pictures.labels import typeset
from np_widgets.pictures.scene import Axis, Curve, Dots, Floats, Mark, upright
from np_widgets.pictures.ticks import round_limits

MOST_POINTS = 400
MOST_READ = 25
"""Places of a line that a pointer reads: more would cover each other."""
NOTHING_YET = "Nothing computed yet"


@dataclass(frozen=True, eq=False)
class Stage:
    """The time from one saddle, number 0 the first, to the next: ``end`` is infinite while that has not been reached.

    ``first`` and ``last`` bound the slice of the record; ``active`` says for each hidden layer, and ``dormant`` for the
    neurons of the record, which belong to the saddle and which do not.
    """

    number: int
    start: float
    end: float
    first: int
    last: int
    active: tuple[NDArray[np.bool_], ...]
    dormant: NDArray[np.bool_]
    prediction: Prediction | None


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
    """
    newest = len(frame.record.time) - 1
    return newest if index is None else min(arguments.whole("index", index, 0), newest)


def spread(first: int, last: int, most: int = MOST_POINTS) -> NDArray[np.int64]:
    """At most ``most`` of the indices ``first … last − 1``, evenly spread, both ends among them."""
    if last - first <= most:
        return np.arange(first, max(first, last))
    return np.unique(np.linspace(first, last - 1, most).round().astype(np.int64))


def time_axis(left: float, right: float) -> Axis:
    """A horizontal axis of time. One that grew with every frame would cost a browser more than all marks together."""
    return Axis("time", left, round_limits(left, right if right > left else left + 1.0)[1])


def cursor(frame: SaddleFrame, index: int | None, low: float, high: float) -> list[Mark]:
    """Where the time slider stands, if it has gone back."""
    if index is None or not len(frame.record.time):
        return []
    return [Curve("cursor", *upright([frame.record.time[point(frame, index)]], low, high))]


def along(x: Floats, y: Floats, says: Callable[[int], str]) -> tuple[Floats, Floats, list[str]]:
    """Some places of a line, for :func:`~np_widgets.pictures.scene.spots`, and what ``says`` of the points there."""
    chosen = spread(0, len(x), MOST_READ)
    chosen = chosen[np.isfinite(y[chosen])]
    return x[chosen], y[chosen], [says(index) for index in chosen.tolist()]


def events(found: Iterable[tuple[str, float, float, str]]) -> list[Mark]:
    """Events as ``(kind, time, height, message)``, each kind with a marker of its own."""
    found = list(found)
    marks: list[Mark] = []
    for kind, role in (("aligned", "aligned"), ("escaped", "escaped"), ("saddle", "next saddle")):
        own = [(time, height, typeset(message)) for each, time, height, message in found if each == kind]
        if own:
            times, heights, messages = zip(*own, strict=True)
            marks.append(Dots(role, times, heights, role, reads=messages))
    return marks


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
