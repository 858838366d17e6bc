"""How dormant neurons turn towards KKT points, as a number over time: the cosine of the angle that is left."""

from __future__ import annotations

from functools import partial

import numpy as np

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.scene import Axis, Curve, Floats, Mark, Scene, joined, spots, upright
from np_widgets.pictures.stages import NOTHING_YET, along, cursor, events, point, spread, stages, time_axis

MOST_NEURONS = 40
ALIGNED = 0.999
_TITLE = "Directions: cosine to the KKT point"
_LOW, _HIGH = -1.06, 1.06


def alignment(frame: SaddleFrame, index: int | None = None) -> Scene:
    """The cosine between each neuron and the KKT point it is going to, on a plain scale: 1 is aligned, 0 a right angle.

    A line has a gap where a neuron has no such point, from when it is active on, and where a saddle was just reached:
    from there on the KKT points are others. ``index``, a point of the record, is where the time slider stands.
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
    if not len(going):
        return Scene(_TITLE, empty=_empty(frame))
    peaks = np.nan_to_num(record.neuron_norm).max(axis=0, initial=0.0)
    rows = np.sort(going[np.argsort(-peaks[going], kind="stable")[:MOST_NEURONS]])
    leader = _leader(record.neuron_norm[:, rows], cosines[:, rows], here)
    chosen = spread(0, len(record.time))
    time, lines = record.time[chosen], np.clip(cosines[np.ix_(chosen, rows)].T, -1.0, 1.0)
    leads = np.arange(len(rows)) == (-1 if leader is None else leader)
    marks: list[Mark] = []
    says = f"{count(len(rows), 'neuron')} turning to KKT points"
    if leader is not None:
        layer, own = record.neurons[rows[leader]]
        name = f"neuron {own + 1} of layer {layer}"
        marks.append(Curve("main", *joined((time, line) for line in lines[leads]), f"largest: {name}"))
        known = record.neuron_cosine[: here + 1, rows[leader]]
        known = known[np.isfinite(known)]
        says += f"; the largest, {name}, at a cosine of {number(float(known[-1]))}" if len(known) else ""
    # The largest one, or some: more places would be slow to draw.
    read = [(lines[place], rows[place]) for place in (range(min(len(rows), 3)) if leader is None else [leader])]
    others = "each other neuron" if leader is not None else "each neuron"
    starts = [stage.start for stage in parts[1:]]
    marks += [
        Curve("each", *joined((time, line) for line in lines[~leads]), others),
        Curve("threshold", *upright(starts, _LOW, _HIGH), "next saddle"),
        *cursor(frame, index, _LOW, _HIGH),
        *events((event.kind, event.time, ALIGNED, event.message) for event in frame.events if event.kind == "aligned"),
    ]
    marks.append(spots(*(along(time, line, partial(_read, record.neurons[row], time, line)) for line, row in read)))
    hidden = len(going) - len(rows)
    ticks = tuple((place, f"{place:g}".replace("-", "−")) for place in (-1.0, -0.5, 0.0, 0.5, 1.0))
    return Scene(
        _TITLE,
        tuple(marks),
        time_axis(float(record.time[0]), float(record.time[-1])),
        Axis("cosine", _LOW, _HIGH, ticks=ticks),
        notes=(f"Not shown: {count(hidden, 'smaller neuron')}" if hidden else "",),
        says=says,
    )


def _read(neuron: tuple[int, int], time: Floats, cosines: Floats, index: int) -> str:
    return f"time {number(time[index])}: neuron {neuron[1] + 1} of layer {neuron[0]}, cosine {number(cosines[index])}"


def _leader(size: Floats, cosines: Floats, here: int) -> int | None:
    """Which is largest among the dormant ones; where a saddle was just reached, of those that were dormant before."""
    for moment in (here, here - 1):
        known = np.isfinite(size[moment]) & np.isfinite(cosines[moment]) if moment >= 0 else np.zeros(0, dtype=bool)
        if known.any():
            return int(np.argmax(np.where(known, size[moment], -np.inf)))
    return None


def _empty(frame: SaddleFrame) -> str:
    if frame.phase == "searching" or (frame.phase == "ready" and not frame.predictions):
        return "KKT points are not known yet: a search finds them"
    return "No dormant neuron goes to a KKT point" if len(frame.record.time) else NOTHING_YET
