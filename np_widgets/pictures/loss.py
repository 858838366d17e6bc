"""The training loss over all steps, on a log scale, with each addition marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.labels import span
from np_widgets.pictures.limits import round_above, round_below

Floats = NDArray[np.float64]

MOST_POINTS = 400
# Smaller losses are rounding errors in double precision; a log axis has to end somewhere above zero.
SMALLEST = 1e-16


@dataclass(frozen=True)
class Loss:
    """All values are finite and at least :data:`SMALLEST`, ready for a log axis.

    Attributes
    ----------
    steps, losses
        Shape ``(p,)``: the training loss over the total number of minimizer steps.
    addition_steps, addition_losses
        Shape ``(a,)``: where each neuron was added, and the training loss there.
    addition_labels
        Which hidden layer it joined, ``"2"``, or layers for a path of neurons, ``"1–2"``.
    test_steps, test_losses
        Shape ``(t,)``: the test loss where each training ended, and now; empty without a test set.
    best_steps, best_losses
        Shape ``(1,)``: the lowest of the test losses where a training ended; empty with less than two of them.
    low, high
        The limits of the log axis, 1, 2 or 5 times a power of ten, with all points between them.
    """

    steps: Floats
    losses: Floats
    addition_steps: Floats
    addition_losses: Floats
    addition_labels: tuple[str, ...]
    test_steps: Floats
    test_losses: Floats
    best_steps: Floats
    best_losses: Floats
    low: float
    high: float


def loss(frame: PursuitFrame) -> Loss:
    """The loss picture of a frame; losses that are not finite are left out, zeros drawn at :data:`SMALLEST`."""
    trace_steps = np.asarray(frame.trace_steps, dtype=np.float64)
    trace = np.asarray(frame.trace_losses, dtype=np.float64)
    steps, losses = _drawable(trace_steps[_spread(len(trace))], trace[_spread(len(trace))])
    additions = [(record.first_step, span(record.layer, record.last)) for record in frame.growth if record.layer > 0]
    current = frame.total_steps - frame.step
    in_growth = {record.first_step for record in frame.growth}
    if frame.iteration > len(frame.growth) and frame.added and current not in in_growth:
        additions.append((current, span(frame.added[0][0], frame.added[-1][0])))
    marks = np.array([step for step, _ in additions], dtype=np.float64)
    test_steps, test_losses = _drawable(*_test(frame))
    best_steps, best_losses = _drawable(*_best(frame))
    values = np.concatenate([losses, test_losses])
    return Loss(
        steps=steps,
        losses=losses,
        addition_steps=marks,
        addition_losses=_at(marks, steps, losses),
        addition_labels=tuple(label for _, label in additions),
        test_steps=test_steps,
        test_losses=test_losses,
        best_steps=best_steps,
        best_losses=best_losses,
        low=round_below(float(values.min()) / 1.1) if len(values) else 0.1,
        high=round_above(float(values.max()) * 1.1) if len(values) else 1.0,
    )


def _spread(count: int) -> NDArray[np.int64]:
    """At most ``MOST_POINTS`` indices, evenly spread, the first and the last among them."""
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, MOST_POINTS).round().astype(np.int64))


def _drawable(steps: Floats, losses: Floats) -> tuple[Floats, Floats]:
    finite = np.isfinite(steps) & np.isfinite(losses)
    return steps[finite], np.maximum(losses[finite], SMALLEST)


def _test(frame: PursuitFrame) -> tuple[Floats, Floats]:
    points = [(r.first_step + r.steps, r.test_loss) for r in frame.growth if r.test_loss is not None]
    if frame.test_loss is not None and all(step != frame.total_steps for step, _ in points):
        points.append((frame.total_steps, frame.test_loss))
    array = np.array(points, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _best(frame: PursuitFrame) -> tuple[Floats, Floats]:
    best = frame.best_on_test
    record = None if best is None or len(frame.growth) < 2 else frame.growth[best]
    if record is None or record.test_loss is None:
        return np.zeros(0), np.zeros(0)
    return np.array([float(record.first_step + record.steps)]), np.array([record.test_loss])


def _at(marks: Floats, steps: Floats, losses: Floats) -> Floats:
    if len(steps) == 0:
        return np.full(len(marks), 1.0)
    return np.exp(np.interp(marks, steps, np.log(losses)))
