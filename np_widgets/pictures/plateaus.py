"""The training loss over time: level while the flow is near a saddle, falling between two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.stages import NOTHING_YET, Mark, point, spread, stages

Floats = NDArray[np.float64]

# A loss that changes by less than this share of itself is drawn as level, not its rounding errors enlarged.
_LEAST_SPAN = 0.02


@dataclass(frozen=True, eq=False)
class Plateau:
    """The time near one saddle.

    Attributes
    ----------
    start, end
        From when the saddle is reached until the flow escapes, or until now.
    level
        The loss at ``start``.
    left
        Whether the flow has escaped from it.
    label
        The level, in words.
    """

    start: float
    end: float
    level: float
    left: bool
    label: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """The loss at a saddle that was reached, beside the one that Neuron Pursuit reaches with the same neurons.

    Attributes
    ----------
    time
        When the flow reached it.
    loss
        The loss there.
    pursuit_loss
        Of Neuron Pursuit; None until it is computed, and where it cannot be.
    label
        Both and how many neurons woke up, in words.
    """

    time: float
    loss: float
    pursuit_loss: float | None
    label: str


@dataclass(frozen=True, eq=False)
class Plateaus:
    """A staircase, on a plain scale: on a log scale the last step to a loss of zero would flatten all others.

    Attributes
    ----------
    time, losses
        Shape ``(q,)``: at most 400 points of the record.
    plateaus
        One for each saddle so far.
    marks
        The events, at their losses.
    comparisons
        One for each saddle reached after the first.
    now
        The time at which the time slider stands, or None.
    loss_now
        The loss there, or None.
    left, right
        The limits of time; ``right > left``.
    low, high
        The limits of the loss, with all points between them; ``high > low``. From zero on unless the loss has hardly
        fallen yet.
    empty
        Why there is nothing to see, in words; empty if there is.
    """

    time: Floats
    losses: Floats
    plateaus: tuple[Plateau, ...]
    marks: tuple[Mark, ...]
    comparisons: tuple[Comparison, ...]
    now: float | None
    loss_now: float | None
    left: float
    right: float
    low: float
    high: float
    empty: str


def plateaus(frame: SaddleFrame, index: int | None = None) -> Plateaus:
    """The loss of a frame with its plateaus; losses that are not finite are left out.

    Parameters
    ----------
    frame
        The whole of its record is drawn.
    index
        The point of the record at which the time slider stands; by default the newest.
    """
    record = frame.record
    here = point(frame, index)
    chosen = spread(0, len(record.time))
    chosen = chosen[np.isfinite(record.loss[chosen])]
    time, losses = record.time[chosen], record.loss[chosen]
    comparisons = tuple(
        Comparison(a.time, a.loss, a.pursuit_loss, _compared(len(a.awake), a.loss, a.pursuit_loss))
        for a in frame.awakenings
    )
    marks = tuple(Mark(e.kind, e.time, e.loss, e.message) for e in frame.events if np.isfinite(e.loss))
    besides = [mark.value for mark in marks]
    besides += [c.pursuit_loss for c in comparisons if c.pursuit_loss is not None]
    low, high = _limits(np.array([*losses, *besides]))
    left = float(record.time[0]) if len(record.time) else 0.0
    right = max([*record.time[-1:].tolist(), *(mark.time for mark in marks)], default=left)
    return Plateaus(
        time=time,
        losses=losses,
        plateaus=_plateaus(frame) if len(time) else (),
        marks=marks,
        comparisons=comparisons,
        now=float(record.time[here]) if here >= 0 else None,
        loss_now=float(record.loss[here]) if here >= 0 and np.isfinite(record.loss[here]) else None,
        left=left,
        right=right if right > left else left + 1.0,
        low=low,
        high=high,
        empty="" if len(time) else NOTHING_YET,
    )


def _plateaus(frame: SaddleFrame) -> tuple[Plateau, ...]:
    escapes = [event.time for event in frame.events if event.kind == "escaped"]
    newest = max(frame.time, float(frame.record.time[-1]))
    found = []
    for stage in stages(frame):
        level = float(frame.record.loss[0]) if stage.number == 0 else frame.awakenings[stage.number - 1].loss
        escape = next((time for time in escapes if stage.start <= time <= stage.end), None)
        # A saddle without an escape from it is one that the flow is still at.
        end = min(stage.end, max(newest, stage.start)) if escape is None else escape
        if np.isfinite(level):
            found.append(Plateau(stage.start, end, level, escape is not None, number(level)))
    return tuple(found)


def _compared(awake: int, loss: float, pursuit_loss: float | None) -> str:
    woke = f"{count(awake, 'neuron') if awake else 'no neuron'} woke up: loss {number(loss)}"
    return woke if pursuit_loss is None else f"{woke}, Neuron Pursuit {number(pursuit_loss)}"


def _limits(values: Floats) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    span = max(high - low, _LEAST_SPAN * abs(high)) or 1.0
    if low >= 0 and span >= 0.5 * high:
        return 0.0, high + 0.08 * span
    middle = (low + high) / 2
    return middle - 0.6 * span, middle + 0.6 * span
