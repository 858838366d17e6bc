"""Norms over time on a log scale: the dormant weights beside what theory predicts, and how far the active ones move."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.limits import round_above, round_below
from np_widgets.pictures.stages import NOTHING_YET, Mark, Stage, point, spread, stages

Floats = NDArray[np.float64]

MOST_NEURONS = 40
# Smaller norms are rounding errors in double precision; a log axis has to end somewhere above zero.
SMALLEST = 1e-16
# After this many steps it is clear whether a predicted escape is within reach: in a thousand times the time so far.
_STEPS_TO_JUDGE = 100
_FARTHEST = 1000.0


@dataclass(frozen=True, eq=False)
class Growth:
    """The dormant weights from one saddle to the next, and the flow of the NCF alone beside them.

    Attributes
    ----------
    time, norm
        Shape ``(q,)``: ``‖w_z‖`` of all weights into and out of the neurons that are dormant at this saddle.
    predicted_time, predicted_norm
        Shape ``(s,)``: the same of the flow of the NCF alone; empty while it is not known.
    start, end
        The times between which ``escape_norm`` holds: up to the next saddle, or to ``right``.
    escape_norm
        The norm that counts as escaped, or None.
    predicted_escape
        The predicted time of the escape, or None.
    escape
        When the flow escaped, or None.
    """

    time: Floats
    norm: Floats
    predicted_time: Floats
    predicted_norm: Floats
    start: float
    end: float
    escape_norm: float | None
    predicted_escape: float | None
    escape: float | None


@dataclass(frozen=True, eq=False)
class Norms:
    """All norms are positive and lie from ``low`` to ``high``, ready for a log axis.

    Attributes
    ----------
    growths
        One for each saddle so far, the current one last.
    time
        Shape ``(q,)``: at most 400 times of the record.
    neurons
        Shape ``(j, q)``: the norm of each neuron's incoming and outgoing weights together, of the ``MOST_NEURONS``
        that grow largest.
    neuron_names
        ``(layer, index)`` of each row.
    neuron_awake
        Shape ``(j,)``: which of them have woken up by the newest time.
    shift_time, shift
        Shape ``(r,)``: ``‖w_n − w̄_n‖`` where it is at least ``low``; empty at the origin, which has no active weights.
    marks
        The events, on the curve of ``‖w_z‖``.
    now
        The time at which the time slider stands, or None.
    left, right
        The limits of time; ``right > left``. A predicted escape lies between them unless it is out of reach.
    low, high
        The limits of the log axis, 1, 2 or 5 times a power of ten.
    summary
        The predicted and the actual escape from the saddle at ``now``, in words; where a saddle was just reached and no
        escape from it is predicted yet, from the one before.
    note
        What is left out, in words; empty if nothing is.
    empty
        Why there is nothing to see, in words; empty if there is.
    """

    growths: tuple[Growth, ...]
    time: Floats
    neurons: Floats
    neuron_names: tuple[tuple[int, int], ...]
    neuron_awake: NDArray[np.bool_]
    shift_time: Floats
    shift: Floats
    marks: tuple[Mark, ...]
    now: float | None
    left: float
    right: float
    low: float
    high: float
    summary: str
    note: str
    empty: str


def norms(frame: SaddleFrame, index: int | None = None) -> Norms:
    """The norms of a frame.

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
    raw = [_growth(frame, stage) for stage in parts]
    chosen = spread(0, len(record.time))
    rows = _largest(record.neuron_norm)
    shift = record.active_shift[chosen]
    moved = np.isfinite(shift) & (shift > 0)
    low, high = _limits(frame, raw, shift[moved])
    moved[moved] = shift[moved] >= low  # at the limit of the axis it would look as if it did not grow
    left, right = _times(frame, raw[-1].predicted_escape)
    growths = tuple(_within(growth, low, high, right) for growth in raw)
    now = float(record.time[here]) if here >= 0 else None
    awake = {neuron for awakening in frame.awakenings for neuron in awakening.awake}
    names = tuple(record.neurons[row] for row in rows)
    hidden = len(record.neurons) - len(rows)
    return Norms(
        growths=growths,
        time=record.time[chosen],
        neurons=_inside(record.neuron_norm[np.ix_(chosen, rows)].T, low, high),
        neuron_names=names,
        neuron_awake=np.array([name in awake for name in names], dtype=bool),
        shift_time=record.time[chosen][moved],
        shift=_inside(shift[moved], low, high),
        marks=tuple(_marks(frame, growths)),
        now=now,
        left=left,
        right=right,
        low=low,
        high=high,
        summary=_summary(growths, now),
        note=f"Not shown: {count(hidden, 'smaller neuron')}" if hidden else "",
        empty="" if len(record.time) else NOTHING_YET,
    )


def _growth(frame: SaddleFrame, stage: Stage) -> Growth:
    chosen = spread(stage.first, stage.last)
    norm = frame.record.dormant_norm[chosen] if stage.number == 0 else _dormant_norm(frame, stage, chosen)
    known = np.isfinite(norm) & (norm > 0)
    prediction = stage.prediction
    predicted_time, predicted_norm = np.zeros(0), np.zeros(0)
    if prediction is not None:
        some = spread(0, len(prediction.time))
        predicted_time, predicted_norm = prediction.time[some], prediction.dormant_norm[some]
    sound = np.isfinite(predicted_norm) & (predicted_norm > 0)
    escapes = [event.time for event in frame.events if event.kind == "escaped" and stage.start <= event.time]
    return Growth(
        time=frame.record.time[chosen][known],
        norm=norm[known],
        predicted_time=predicted_time[sound],
        predicted_norm=predicted_norm[sound],
        start=stage.start,
        end=stage.end,
        escape_norm=None if prediction is None else prediction.escape_norm,
        predicted_escape=None if prediction is None else prediction.escape_time,
        escape=next((time for time in escapes if time <= stage.end), None),
    )


def _dormant_norm(frame: SaddleFrame, stage: Stage, chosen: NDArray[np.int64]) -> Floats:
    """``‖w_z‖`` of the neurons that are still dormant: the record has it for those dormant at the start."""
    squares = np.zeros(len(chosen))
    if not len(chosen):
        return squares
    ends = [np.ones(frame.weights[0].shape[1], dtype=bool), *stage.active, np.ones(len(frame.weights[-1]), dtype=bool)]
    for layer in range(len(frame.weights)):
        among_active = np.outer(ends[layer + 1], ends[layer])
        stack = np.stack([frame.history[moment][layer] for moment in chosen])
        squares += np.square(stack[:, ~among_active]).sum(axis=1)
    return np.sqrt(squares)


def _largest(neuron_norm: Floats) -> NDArray[np.int64]:
    peaks = np.nan_to_num(neuron_norm).max(axis=0, initial=0.0)
    return np.sort(np.argsort(-peaks, kind="stable")[:MOST_NEURONS])


def _limits(frame: SaddleFrame, growths: list[Growth], shift: Floats) -> tuple[float, float]:
    """All norms, but for those far below the order that the dormant weights and the shift start with."""
    curves = [curve for growth in growths for curve in (growth.norm, growth.predicted_norm)]
    each = frame.record.neuron_norm.ravel()
    thresholds = np.array([growth.escape_norm or np.nan for growth in growths])
    values = np.concatenate([*curves, each, shift, thresholds])
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) == 0:
        return 0.1, 1.0
    order = frame.power + 1 if len(shift) else 1
    floor = max(0.1 * frame.scale**order, SMALLEST)
    low = round_below(max(float(values.min()), min(floor, float(values.max()) / 10)) / 1.1)
    return low, max(round_above(float(values.max()) * 1.1), 10 * low)


def _inside(values: Floats, low: float, high: float) -> Floats:
    return np.clip(np.nan_to_num(values, nan=low), low, high)


def _within(growth: Growth, low: float, high: float, right: float) -> Growth:
    return dataclasses.replace(
        growth,
        norm=_inside(growth.norm, low, high),
        predicted_norm=_inside(growth.predicted_norm, low, high),
        end=min(growth.end, right),
    )


def _times(frame: SaddleFrame, escape: float | None) -> tuple[float, float]:
    left = float(frame.record.time[0]) if len(frame.record.time) else 0.0
    ends = [frame.time, *frame.record.time[-1:].tolist()]
    if isinstance(frame.goal, float | int):
        ends.append(float(frame.goal))
    if escape is not None and np.isfinite(escape):
        settled = frame.steps >= _STEPS_TO_JUDGE and len(frame.record.time) > 1
        reach = _FARTHEST * (frame.time - left) if settled else np.inf
        if escape - left <= reach:
            ends.append(escape)
    right = max(ends)
    return left, right + 0.03 * (right - left) if right > left else left + 1.0


def _marks(frame: SaddleFrame, growths: tuple[Growth, ...]) -> list[Mark]:
    marks = []
    for event in frame.events:
        # The end of a stage is the beginning of the next, and a saddle is the end of the way to it.
        around = [growth for growth in growths if growth.start <= event.time and len(growth.time)]
        if event.kind == "saddle":
            around = [growth for growth in around if growth.start < event.time] or around
        if around:
            value = float(np.exp(np.interp(event.time, around[-1].time, np.log(around[-1].norm))))
            marks.append(Mark(event.kind, event.time, value, event.message))
    return marks


def _summary(growths: tuple[Growth, ...], now: float | None) -> str:
    before = [growth for growth in growths if now is None or growth.start <= now]
    if len(before) > 1 and before[-1].start == now and before[-1].predicted_escape is None:
        del before[-1]
    parts = []
    for growth in before[-1:]:
        if growth.predicted_escape is not None:
            parts.append(f"predicted escape at time {number(growth.predicted_escape)}")
        if growth.escape is not None:
            parts.append(f"escaped at {number(growth.escape)}" if parts else f"escaped at time {number(growth.escape)}")
    return ", ".join(parts)
