"""Norms over time on a log scale: the dormant weights beside what theory predicts, and how far the active ones move."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import count, number, sentence
from np_widgets.pictures.scene import Axis, Curve, Dots, Floats, Mark, Scene, joined, spots, upright
from np_widgets.pictures.stages import NOTHING_YET, Stage, along, cursor, events, point, spread, stages, time_axis
from np_widgets.pictures.ticks import SMALLEST, round_above, round_below

MOST_NEURONS = 40
# After this many steps it is clear whether a predicted escape is within reach: in a thousand times the time so far.
_STEPS_TO_JUDGE = 100
_FARTHEST = 1000.0


@dataclass(frozen=True, eq=False)
class _Growth:
    """The dormant weights from one saddle to the next, the flow of the NCF alone beside them, and both escapes."""

    time: Floats
    norm: Floats
    predicted_time: Floats
    predicted_norm: Floats
    start: float
    end: float
    escape_norm: float | None
    predicted_escape: float | None
    escape: float | None


def norms(frame: SaddleFrame, index: int | None = None) -> Scene:
    """The norms of a frame; ``index``, a point of its record, is where the time slider stands.

    ``‖w_z‖`` is of all weights into and out of the neurons that are dormant at each saddle. All norms lie on a log axis
    that ends far below the order at which the dormant weights and the shift start.
    """
    record = frame.record
    here = point(frame, index)
    if here < 0:
        return Scene("Norms: dormant weights grow", empty=NOTHING_YET)
    raw = [_growth(frame, stage) for stage in stages(frame)]
    chosen = spread(0, len(record.time))
    time = record.time[chosen]
    rows = _largest(record.neuron_norm)
    shift = record.active_shift[chosen]
    moved = np.isfinite(shift) & (shift > 0)
    low, high = _limits(frame, raw, shift[moved])
    moved[moved] = shift[moved] >= low  # at the limit of the axis it would look as if it did not grow
    left, right = _times(frame, raw[-1].predicted_escape)
    growths = tuple(_within(growth, low, high, right) for growth in raw)
    awake = {neuron for awakening in frame.awakenings for neuron in awakening.awake}
    of_neurons = _inside(record.neuron_norm[np.ix_(chosen, rows)].T, low, high)
    woken = np.array([record.neurons[row] in awake for row in rows], dtype=bool)
    hidden = len(record.neurons) - len(rows)
    only_start = len(record.time) == 1 and frame.finished is None
    marks: list[Mark] = [
        Curve("main", *joined((each.time, each.norm) for each in growths), "dormant weights"),
        *_predictions(growths, low, high, right),
        Curve("each", *joined((time, norm) for norm in of_neurons[~woken]), "each neuron"),
        Curve("awake", *joined((time, norm) for norm in of_neurons[woken]), "woke up"),
        Curve("shift", time[moved], _inside(shift[moved], low, high), "how far active weights moved"),
        *cursor(frame, index, low, high),
        *events(_events(frame, growths)),
        spots(
            *(along(each.time, each.norm, partial(_read, each.time, each.norm, "dormant weights")) for each in growths),
            along(
                time[moved],
                _inside(shift[moved], low, high),
                partial(_read, time[moved], shift[moved], "active weights moved by"),
            ),
        ),
    ]
    return Scene(
        "Norms: dormant weights grow",
        tuple(marks),
        time_axis(left, right),
        Axis("norm", low, high, log=True),
        notes=(
            sentence(_summary(growths, float(record.time[here]))),
            f"Not shown: {count(hidden, 'smaller neuron')}" if hidden else "",
            "Only the start is known yet: press Play, Step or To escape" if only_start else "",
        ),
        says=f"The norm of the dormant weights, {number(float(record.dormant_norm[here]))} at time "
        f"{number(float(record.time[here]))}",
    )


def _read(time: Floats, values: Floats, name: str, index: int) -> str:
    return f"time {number(time[index])}: {name} {number(values[index])}"


def _predictions(growths: tuple[_Growth, ...], low: float, high: float, right: float) -> list[Mark]:
    known = [(growth, growth.escape_norm) for growth in growths if growth.escape_norm is not None]
    expected = [(growth.predicted_escape, norm) for growth, norm in known if growth.predicted_escape is not None]
    expected = [(time, norm) for time, norm in expected if time <= right]
    times = [time for time, _ in expected]
    reads = tuple(f"predicted escape at time {number(time)}" for time in times)
    return [
        Curve("predicted", *joined((each.predicted_time, each.predicted_norm) for each in growths), "predicted"),
        Curve("drop", *upright(times, low, high)),
        Dots("predicted escape", times, [norm for _, norm in expected], "predicted escape", reads=reads),
        Curve(
            "threshold", *joined(([each.start, each.end], [norm, norm]) for each, norm in known), "counts as escaped"
        ),
    ]


def _growth(frame: SaddleFrame, stage: Stage) -> _Growth:
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
    return _Growth(
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


def _limits(frame: SaddleFrame, growths: list[_Growth], shift: Floats) -> tuple[float, float]:
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


def _within(growth: _Growth, low: float, high: float, right: float) -> _Growth:
    return dataclasses.replace(
        growth,
        norm=_inside(growth.norm, low, high),
        predicted_time=growth.predicted_time[growth.predicted_time <= right],
        predicted_norm=_inside(growth.predicted_norm[growth.predicted_time <= right], low, high),
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


def _events(frame: SaddleFrame, growths: tuple[_Growth, ...]) -> list[tuple[str, float, float, str]]:
    found = []
    for event in frame.events:
        # The end of a stage is the beginning of the next, and a saddle is the end of the way to it.
        around = [growth for growth in growths if growth.start <= event.time and len(growth.time)]
        if event.kind == "saddle":
            around = [growth for growth in around if growth.start < event.time] or around
        if around:
            value = float(np.exp(np.interp(event.time, around[-1].time, np.log(around[-1].norm))))
            found.append((event.kind, event.time, value, event.message))
    return found


def _summary(growths: tuple[_Growth, ...], now: float) -> str:
    before = [growth for growth in growths if growth.start <= now]
    if len(before) > 1 and before[-1].start == now and before[-1].predicted_escape is None:
        del before[-1]
    parts = []
    for growth in before[-1:]:
        if growth.predicted_escape is not None:
            parts.append(f"predicted escape at time {number(growth.predicted_escape)}")
        if growth.escape is not None:
            parts.append(f"escaped at {number(growth.escape)}" if parts else f"escaped at time {number(growth.escape)}")
    return ", ".join(parts)
