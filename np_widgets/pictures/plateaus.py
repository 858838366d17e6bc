"""The training loss over time: level while the flow is near a saddle, falling between two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.scene import Area, Axis, Curve, Dots, Floats, Mark, Scene, Texts, apart, boxes, spots
from np_widgets.pictures.stages import NOTHING_YET, along, cursor, events, point, spread, stages, time_axis

# A loss that changes by less than this share of itself is drawn as level, not its rounding errors enlarged.
_LEAST_SPAN = 0.02
_LETTERS = 60  # that fit along the axis
_TITLE = "Loss: plateaus at saddles"


@dataclass(frozen=True, eq=False)
class _Plateau:
    """The time near one saddle, ``left`` once the flow has escaped from it."""

    start: float
    end: float
    level: float
    left: bool


def plateaus(frame: SaddleFrame, index: int | None = None) -> Scene:
    """The loss of a frame with its plateaus; ``index``, a point of its record, is where the time slider stands.

    A plain scale: on a log scale the last step to a loss of zero would flatten all others. Beside the loss at each
    saddle that was reached, the one that Neuron Pursuit reaches with the same neurons.
    """
    record = frame.record
    here = point(frame, index)
    if here < 0:
        return Scene(_TITLE, empty=NOTHING_YET)
    chosen = spread(0, len(record.time))
    chosen = chosen[np.isfinite(record.loss[chosen])]
    compared = [(each.time, each.pursuit_loss) for each in frame.awakenings if each.pursuit_loss is not None]
    happened = [(each.kind, each.time, each.loss, each.message) for each in frame.events if np.isfinite(each.loss)]
    heights = [*record.loss[chosen].tolist(), *(loss for _, loss in compared), *(loss for _, _, loss, _ in happened)]
    low, high = _limits(np.array(heights))
    left = float(record.time[0])
    right = max(float(record.time[-1]), *(time for _, time, _, _ in happened), left)
    found = _plateaus(frame)
    spans = np.array([(each.start, each.end) for each in found]).reshape(-1, 2)
    reads = tuple(f"Neuron Pursuit reaches {number(loss)} with the same neurons" for _, loss in compared)
    marks: list[Mark] = [
        Curve("learned", record.time[chosen], record.loss[chosen], "training"),
        Area("plateau", *boxes(spans[:, 0], spans[:, 1], low, high), "plateau: near a saddle"),
        Dots("compared", [time for time, _ in compared], [loss for _, loss in compared], "Neuron Pursuit", reads=reads),
        *_levels(found, low, high, left, right),
        *cursor(frame, index, low, high),
        *events(happened),
        spots(
            along(
                record.time[chosen],
                record.loss[chosen],
                lambda place: f"time {number(record.time[chosen][place])}: loss {number(record.loss[chosen][place])}",
            )
        ),
    ]
    back = index is not None and np.isfinite(record.loss[here])
    at = f"At the time shown: loss {number(float(record.loss[here]))}" if back else ""
    return Scene(
        _TITLE,
        tuple(marks),
        time_axis(left, right),
        Axis("loss", low, high),
        notes=(at, *(_compared(len(each.awake), each.loss, each.pursuit_loss) for each in frame.awakenings)),
        says=f"The loss stays level {count(len(found), 'time')}, at {', '.join(number(each.level) for each in found)}",
    )


def _plateaus(frame: SaddleFrame) -> list[_Plateau]:
    escapes = [event.time for event in frame.events if event.kind == "escaped"]
    newest = max(frame.time, float(frame.record.time[-1]))
    found = []
    for stage in stages(frame):
        level = float(frame.record.loss[0]) if stage.number == 0 else frame.awakenings[stage.number - 1].loss
        escape = next((time for time in escapes if stage.start <= time <= stage.end), None)
        # A saddle without an escape from it is one that the flow is still at.
        end = min(stage.end, max(newest, stage.start)) if escape is None else escape
        if np.isfinite(level):
            found.append(_Plateau(stage.start, end, level, escape is not None))
    return found


def _levels(found: list[_Plateau], low: float, high: float, left: float, right: float) -> list[Mark]:
    """The level of each, above the line where there is room; at the ends of the picture where no line comes from."""
    span = (right - left) or 1.0
    middles = [(each.start + min(each.end, right)) / 2 for each in found]
    places: dict[str, list[int]] = {}
    texts = [number(each.level) for each in found]
    for index in apart(middles, texts, span / _LETTERS):
        share = (found[index].level - low) / (high - low)
        place = "above" if share < 0.85 else "below"
        if middles[index] < left + 0.05 * span:
            place = "right"
        elif middles[index] > right - 0.05 * span:
            place = "left"
        places.setdefault(place, []).append(index)
    return [
        Texts(
            "words",
            [middles[index] for index in own],
            [found[index].level for index in own],
            texts=tuple(texts[index] for index in own),
            place=place,
        )
        for place, own in places.items()
    ]


def _compared(awake: int, loss: float, pursuit_loss: float | None) -> str:
    woke = f"{count(awake, 'neuron') if awake else 'No neuron'} woke up: loss {number(loss)}"
    return woke if pursuit_loss is None else f"{woke}, Neuron Pursuit {number(pursuit_loss)}"


def _limits(values: Floats) -> tuple[float, float]:
    """With all points between them; from zero on unless the loss has hardly fallen yet."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    span = max(high - low, _LEAST_SPAN * abs(high)) or 1.0
    if low >= 0 and span >= 0.5 * high:
        return 0.0, high + 0.12 * span
    middle = (low + high) / 2
    return middle - 0.6 * span, middle + 0.6 * span
