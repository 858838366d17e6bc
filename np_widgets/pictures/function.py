"""The learned function beside the truth or the data: lines, a map over two inputs, a scatter, or a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import contourpy
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import count, number, percent
from np_widgets.pictures.looks import VALUES, class_colors, class_role
from np_widgets.pictures.probe import Probe
from np_widgets.pictures.scene import Axis, Cells, Curve, Dots, Floats, Keys, Mark, Scene, Shades, joined, spots
from np_widgets.pictures.stages import along
from np_widgets.pictures.ticks import round_limits, round_limits_of, round_ticks, snapped

MOST_CLASSES = 20
# In a larger confusion matrix numbers would be too small to read.
_MOST_WRITTEN = 10


def function(frame: PursuitFrame, probe: Probe, output: int | None = None) -> Scene:
    """What the frame's network computes at the points of a probe; without a network only the truth and the data."""
    if output is None:
        output = 1 if probe.classes and probe.outputs == 2 else 0
    output = arguments.whole("output", output, 0, probe.outputs - 1)
    values = learned(frame, probe, probe.points)
    if probe.kind in ("hypercube", "curve"):
        return _lines(frame, probe, values, output)
    if probe.kind == "regions":
        return _regions(frame, probe, values, output)
    return _scatter(probe, values, output) if probe.kind == "scatter" else _confusion(probe, values)


def learned(frame: PursuitFrame, probe: Probe, points: Tensor) -> Floats | None:
    """What the frame's network says at some points, ``(k, m)``; None without one."""
    if not frame.weights:
        return None
    weights = [torch.as_tensor(weight, dtype=torch.float64, device="cpu") for weight in frame.weights]
    network = HomogeneousNetwork(weights, power=frame.power, leak=frame.leak)
    with torch.no_grad():
        return probe.values(network.forward(points).output)


def _lines(frame: PursuitFrame, probe: Probe, learned: Floats | None, output: int) -> Scene:
    curve = probe.kind == "curve"
    x = probe.axes[0]
    mine = None if learned is None else learned[:, output]
    truth = None if probe.truth is None else probe.truth[:, output]
    data = (probe.data_inputs[:, 0], probe.data_values[:, output]) if curve else (np.zeros(0), np.zeros(0))
    low, high = round_limits_of(mine, truth, data[1])
    note = ""
    if mine is not None and truth is not None:
        error = number(float(np.abs(mine - truth).max()))
        note = f"Largest error on {count(len(mine), 'point') if curve else f'{len(mine):,} vertices'}: {error}"
    elif mine is not None:
        # How far it is from the data says less than how far it is from the truth.
        note = _agreement(frame, probe, output)
    marks: list[Mark] = []
    if mine is not None:
        marks.append(Curve("learned" if curve else "thin", x, snapped(mine, low, high), "learned"))
    if truth is not None:
        marks.append(Curve("truth", x, truth, "true"))
    where = probe.axis_labels[0] if curve else "vertices from (1, …, 1) to (−1, …, −1)"
    name = probe.output_name(output)
    marks.append(_data(probe, *data, "data", "training data", targets=data[1]))
    if mine is not None:
        shown, known = mine, np.full(len(x), np.nan) if truth is None else truth

        def says(at: int) -> str:
            true = "" if np.isnan(known[at]) else f", true {number(known[at])}"
            return f"{probe.point_names[at]}: learned {number(shown[at])}{true}"

        marks.append(spots(along(x, snapped(mine, low, high), says)))
    return Scene(
        "Function: learned and true" if truth is not None else "Function: learned, and the data",
        tuple(marks),
        # Where a vertex stands has no meaning beyond the order.
        Axis(where, float(x[0]), float(x[-1]), ticks=None if curve else ()),
        Axis(name, low, high),
        notes=(note,),
        says=f"{name[0].upper()}{name[1:]} over {where}" + ("" if mine is not None else ", not learned yet"),
    )


def _data(
    probe: Probe,
    x: Floats,
    y: Floats,
    role: str,
    label: str,
    chosen: NDArray[np.bool_] | None = None,
    targets: Floats | None = None,
) -> Dots:
    """Samples; what is read of one does not change while a network learns, so it is sent once."""
    own = np.arange(len(x)) if chosen is None else np.flatnonzero(chosen)
    reads, keys = [], list[Keys]()
    for index in own.tolist():
        sample, is_test = int(probe.data_samples[index]), bool(probe.data_is_test[index])
        at = probe.data_inputs[index].tolist() if probe.axes else ()
        parts = [f"{name} = {number(value)}" for name, value in zip(probe.axis_labels, at, strict=True)]
        parts.append(label if targets is None else f"target {number(targets[index])}")
        reads.append(f"{'test ' * is_test}sample {sample + 1}: {', '.join(parts)}")
        keys.append(() if is_test else (("sample", sample),))
    return Dots(role, x[own], y[own], label, reads=tuple(reads), keys=tuple(keys))


def _regions(frame: PursuitFrame, probe: Probe, learned: Floats | None, output: int) -> Scene:
    discrete = probe.classes and probe.outputs > 2
    x, y = probe.axes

    def drawn(values: Floats) -> Floats:
        return values.argmax(axis=1).astype(np.float64) if discrete else values[:, output]

    targets = drawn(probe.data_values)
    name = "class" if discrete else probe.output_name(output)
    low, high = (-0.5, probe.outputs - 0.5) if discrete else (0.0, 1.0) if probe.classes else _range(targets)
    ends = (number(low), number(high))
    colors = class_colors(probe.outputs) if probe.classes else VALUES
    shades = Shades(colors, low, high, "" if discrete else name, ends)
    marks: list[Mark] = []
    kind, names = ("boundary", "boundary") if probe.classes else ("level", "levels")
    for role, values, label in ((kind, learned, "learned"), (f"true {kind}", probe.truth, "true")):
        if values is None:
            continue
        if role == kind:
            shown = np.clip(drawn(values).reshape(len(y), len(x)), low, high)
            shown = shown if discrete else snapped(shown, low, high)
            marks.append(Cells("cells", x, y, values=shown, shades=shades, smooth=not discrete))
        if probe.classes:
            around = outlines(x, y, _leads(values), [0.0])
        else:
            around = outlines(x, y, [drawn(values)], round_ticks(*_range(drawn(values))).tolist())
        marks.append(Curve(role, *around, f"{label} {names}"))
    data = (probe.data_inputs[:, 0], probe.data_inputs[:, 1])
    if probe.classes:
        labels = probe.data_values.argmax(axis=1)
        for group in range(probe.outputs):
            chosen = labels == group
            marks.append(_data(probe, *data, class_role(group), probe.names.outputs[group], chosen))
    else:
        dots = _data(probe, *data, "valued", "data", targets=targets)
        marks.append(replace(dots, values=targets, shades=shades))
    return Scene(
        "Function: learned, and the data",
        tuple(marks),
        Axis(probe.axis_labels[0], float(x[0]), float(x[-1])),
        Axis(probe.axis_labels[1], float(y[0]), float(y[-1])),
        notes=(_agreement(frame, probe, output),),
        says=f"{name[0].upper()}{name[1:]} over {probe.axis_labels[0]} and {probe.axis_labels[1]}",
    )


def _leads(probabilities: Floats) -> list[Floats]:
    """By how much each class is ahead of the best other, as logarithms, which are even where probabilities jump."""
    logs = np.log(np.maximum(probabilities, np.finfo(float).tiny))
    leads = [logs[:, own] - np.delete(logs, own, axis=1).max(axis=1) for own in range(logs.shape[1])]
    return leads if len(leads) > 2 else leads[:1]


def outlines(x: Floats, y: Floats, maps: Sequence[Floats], levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Lines of these levels on each of some maps, given by their values at all points of a grid."""
    found = []
    for values in maps:
        heights = np.where(np.isfinite(values), values, 0.0).reshape(len(y), len(x))
        generator = contourpy.contour_generator(x, y, heights)
        found += [np.asarray(line) for level in levels for line in generator.lines(level)]
    return joined((line[:, 0], line[:, 1]) for line in found)


def _agreement(frame: PursuitFrame, probe: Probe, output: int) -> str:
    at_data = learned(frame, probe, probe.data_points)
    if at_data is None:
        return ""
    data = count(len(at_data), "training sample")
    if probe.classes:
        right = float((at_data.argmax(axis=1) == probe.data_values.argmax(axis=1)).mean())
        return f"{percent(right)} right on {data}"
    errors = at_data[:, output] - probe.data_values[:, output]
    return f"Rms error on {data}: {number(float(np.sqrt(np.square(errors).mean())))}"


def _scatter(probe: Probe, learned: Floats | None, output: int) -> Scene:
    assert probe.truth is not None  # a scatter is made of targets
    targets, is_test = probe.truth[:, output], probe.data_is_test
    predictions = None if learned is None else learned[:, output]
    ends = _range(targets)
    marks: list[Mark] = [Curve("diagonal", ends, ends, "learned = target")]
    low, high = round_limits_of(np.array(ends), predictions)
    note = ""
    if predictions is not None:
        shown = snapped(predictions, low, high)
        for role, chosen, label in (("training", ~is_test, "training"), ("testing", is_test, "test")):
            marks.append(_data(probe, targets, shown, role, label, chosen, targets))
        note = _explained(targets, predictions, is_test)
    name = probe.output_name(output)
    return Scene(
        "Function: predictions and targets",
        tuple(marks),
        Axis(f"target {name}", *round_limits(*ends)),
        Axis(f"learned {name}", low, high),
        notes=(note,),
        says=f"Learned against wanted values of {name} at {count(len(targets), 'sample')}",
    )


def _explained(targets: Floats, predictions: Floats, is_test: NDArray[np.bool_]) -> str:
    parts = []
    for name, chosen in (("training", ~is_test), ("test", is_test)):
        spread = float(targets[chosen].var()) if chosen.any() else 0.0
        if spread > 0:
            share = 1 - float(np.square(targets[chosen] - predictions[chosen]).mean()) / spread
            parts.append(f"{number(share)} ({name})")
    return f"R² = {', '.join(parts)}" if parts else ""


def _confusion(probe: Probe, learned: Floats | None) -> Scene:
    assert probe.truth is not None  # a confusion matrix is made of labels
    tested = bool(probe.data_is_test.any())
    chosen = probe.data_is_test if tested else ~probe.data_is_test
    labels = probe.truth.argmax(axis=1)[chosen]
    frequent = np.argsort(-np.bincount(labels, minlength=probe.outputs), kind="stable")[:MOST_CLASSES]
    classes = np.sort(frequent)
    places = np.arange(len(classes), dtype=np.float64)
    marks, notes = [], []
    if learned is not None:
        predicted = learned.argmax(axis=1)[chosen]
        counts = np.zeros((probe.outputs, probe.outputs))
        np.add.at(counts, (labels, predicted), 1.0)
        shares = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0))[np.ix_(classes, classes)]
        texts = None
        if len(classes) <= _MOST_WRITTEN:
            texts = np.array([[f"{100 * share:.0f}" if share else "" for share in row] for row in shares.tolist()])
        shades = Shades(VALUES, 0.0, 1.0, "share of the true class", ("0%", "100%"))
        marks.append(Cells("cells", places, places, values=shares, shades=shades, texts=texts))
        right = float((predicted == labels).mean())
        data = "test" if tested else "training"
        notes.append(f"{percent(right)} right on {count(len(labels), f'{data} sample')}")
        if len(classes) < probe.outputs:
            notes.append(f"The {len(classes)} most frequent of {probe.outputs:,} classes are shown")
    ticks = tuple(zip(places.tolist(), (probe.names.short[label] for label in classes.tolist()), strict=True))
    ends = (-0.5, len(classes) - 0.5)
    return Scene(
        "Function: predicted and true classes",
        tuple(marks),
        Axis("predicted class", *ends, ticks=ticks),
        Axis("true class", *ends, ticks=ticks, reverse=True),
        notes=tuple(notes),
        says="How often each class is taken for each other, in percent of the true class",
    )


def _range(values: Floats) -> tuple[float, float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if high > low else (low - 1.0, high + 1.0)
