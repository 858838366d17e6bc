"""The learned function beside the truth or the data: lines, a map over two inputs, a scatter, or a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.growth import PursuitFrame
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.probe import Probe

Floats = NDArray[np.float64]

MOST_CLASSES = 20


@dataclass(frozen=True)
class Lines:
    """One output over the vertices of the hypercube (``kind="hypercube"``) or over one input (``kind="curve"``).

    Attributes
    ----------
    kind
        ``"hypercube"`` or ``"curve"``.
    x
        Shape ``(k,)``; for vertices the position 0 … 1 in lexicographic order.
    learned, truth
        Shape ``(k,)``; None before the first network, or where the truth is not known.
    data_x, data_y
        Shape ``(c,)``: training data; none for vertices.
    x_label, y_label
        What the axes show.
    summary
        How close the two are, in words; empty if that cannot be said.
    """

    kind: str
    x: Floats
    learned: Floats | None
    truth: Floats | None
    data_x: Floats
    data_y: Floats
    x_label: str
    y_label: str
    summary: str


@dataclass(frozen=True)
class Regions:
    """A map over two inputs, with the data on it.

    Attributes
    ----------
    x, y
        Shape ``(g,)`` each: the sides of the grid.
    learned
        Shape ``(g, g)``, row by row of ``y``: the output, the probability of class 1 of two, or the index of the most
        probable of more classes (``discrete``). None before the first network.
    truth
        The same of the truth, if it is known.
    data_x, data_y, data_values
        Shape ``(c,)``: training data and, on the scale of ``learned``, their targets.
    low, high
        The ends of the color scale.
    discrete
        Whether the values are indices of classes.
    x_label, y_label, value_label
        What axes and colors show.
    summary
        How well the data are met, in words.
    """

    x: Floats
    y: Floats
    learned: Floats | None
    truth: Floats | None
    data_x: Floats
    data_y: Floats
    data_values: Floats
    low: float
    high: float
    discrete: bool
    x_label: str
    y_label: str
    value_label: str
    summary: str


@dataclass(frozen=True)
class Scatter:
    """Prediction against target, for one output.

    Attributes
    ----------
    targets, predictions
        Shape ``(c,)``; ``predictions`` is None before the first network.
    is_test
        Shape ``(c,)``: which points come from the test set.
    low, high
        The ends of the diagonal, and of the axes unless predictions lie outside.
    x_label, y_label
        What the axes show.
    summary
        The share of the variance explained, in words.
    """

    targets: Floats
    predictions: Floats | None
    is_test: NDArray[np.bool_]
    low: float
    high: float
    x_label: str
    y_label: str
    summary: str


@dataclass(frozen=True)
class Confusion:
    """How often each class is taken for each other.

    Attributes
    ----------
    classes
        The labels that are shown, at most ``MOST_CLASSES`` (the most frequent).
    shares
        Shape ``(c, c)``: of the samples of the class of a row, the share that is taken for the class of a column. None
        before the first network.
    x_label, y_label
        What the axes show.
    summary
        The accuracy, on the test set if there is one, in words.
    """

    classes: tuple[int, ...]
    shares: Floats | None
    x_label: str
    y_label: str
    summary: str


def function(frame: PursuitFrame, probe: Probe, output: int | None = None) -> Lines | Regions | Scatter | Confusion:
    """The picture of what the frame's network computes at the points of a probe.

    Parameters
    ----------
    frame
        Its network may be missing: then only the truth and the data are shown.
    probe
        ``probe(problem)`` from :mod:`np_widgets.pictures.probe`: make it once for a problem.
    output
        Which output (or whose class's probability) to show where only one can be, from 0; by default the first, or the
        second of two classes.
    """
    if output is None:
        output = 1 if probe.classes and probe.outputs == 2 else 0
    output = arguments.whole("output", output, 0, probe.outputs - 1)
    learned = _learned(frame, probe, probe.points)
    if probe.kind in ("hypercube", "curve"):
        # How far it is from the data says less than how far it is from the truth.
        at_data = _learned(frame, probe, probe.data_points) if probe.truth is None else None
        return _lines(probe, learned, at_data, output)
    if probe.kind == "regions":
        return _regions(probe, learned, _learned(frame, probe, probe.data_points), output)
    if probe.kind == "scatter":
        return _scatter(probe, learned, output)
    return _confusion(probe, learned)


def _learned(frame: PursuitFrame, probe: Probe, points: Tensor) -> Floats | None:
    if not frame.weights:
        return None
    weights = [torch.as_tensor(weight, dtype=torch.float64, device="cpu") for weight in frame.weights]
    network = HomogeneousNetwork(weights, power=frame.power, leak=frame.leak)
    with torch.no_grad():
        return probe.values(network.forward(points).output)


def _lines(probe: Probe, learned: Floats | None, at_data: Floats | None, output: int) -> Lines:
    curve = probe.kind == "curve"
    mine = None if learned is None else learned[:, output]
    truth = None if probe.truth is None else probe.truth[:, output]
    summary = ""
    if mine is not None and truth is not None:
        where = "vertices" if not curve else "points"
        summary = f"largest error on {len(mine)} {where}: {number(float(np.abs(mine - truth).max()))}"
    elif at_data is not None:
        summary = _agreement(probe, at_data, output)
    return Lines(
        kind=probe.kind,
        x=probe.axes[0],
        learned=mine,
        truth=truth,
        data_x=probe.data_inputs[:, 0] if curve else np.zeros(0),
        data_y=probe.data_values[:, output] if curve else np.zeros(0),
        x_label=probe.axis_labels[0] if curve else "vertices from (1, …, 1) to (−1, …, −1)",
        y_label=probe.output_name(output),
        summary=summary,
    )


def _regions(probe: Probe, learned: Floats | None, at_data: Floats | None, output: int) -> Regions:
    discrete = probe.classes and probe.outputs > 2
    grid = (len(probe.axes[1]), len(probe.axes[0]))

    def shown(values: Floats) -> Floats:
        return values.argmax(axis=1).astype(np.float64) if discrete else values[:, output]

    data = shown(probe.data_values)
    if discrete:
        low, high = 0.0, float(probe.outputs - 1)
    elif probe.classes:
        low, high = 0.0, 1.0
    else:
        low, high = _range(data)
    return Regions(
        x=probe.axes[0],
        y=probe.axes[1],
        learned=None if learned is None else shown(learned).reshape(grid),
        truth=None if probe.truth is None else shown(probe.truth).reshape(grid),
        data_x=probe.data_inputs[:, 0],
        data_y=probe.data_inputs[:, 1],
        data_values=data,
        low=low,
        high=high,
        discrete=discrete,
        x_label=probe.axis_labels[0],
        y_label=probe.axis_labels[1],
        value_label="class" if discrete else probe.output_name(output),
        summary="" if at_data is None else _agreement(probe, at_data, output),
    )


def _agreement(probe: Probe, at_data: Floats, output: int) -> str:
    data = count(len(at_data), "training sample")
    if probe.classes:
        right = float((at_data.argmax(axis=1) == probe.data_values.argmax(axis=1)).mean())
        return f"{right:.1%} right on {data}"
    errors = at_data[:, output] - probe.data_values[:, output]
    return f"rms error on {data}: {number(float(np.sqrt(np.square(errors).mean())))}"


def _scatter(probe: Probe, learned: Floats | None, output: int) -> Scatter:
    assert probe.truth is not None  # a scatter is made of targets
    targets = probe.truth[:, output]
    predictions = None if learned is None else learned[:, output]
    low, high = _range(targets)
    name = probe.output_name(output)
    return Scatter(
        targets=targets,
        predictions=predictions,
        is_test=probe.data_is_test,
        low=low,
        high=high,
        x_label=f"target {name}",
        y_label=f"learned {name}",
        summary="" if predictions is None else _explained(targets, predictions, probe.data_is_test),
    )


def _explained(targets: Floats, predictions: Floats, is_test: NDArray[np.bool_]) -> str:
    parts = []
    for name, chosen in (("training", ~is_test), ("test", is_test)):
        spread = float(targets[chosen].var()) if chosen.any() else 0.0
        if spread > 0:
            share = 1 - float(np.square(targets[chosen] - predictions[chosen]).mean()) / spread
            parts.append(f"{number(share)} ({name})")
    return f"R² = {', '.join(parts)}" if parts else ""


def _confusion(probe: Probe, learned: Floats | None) -> Confusion:
    assert probe.truth is not None  # a confusion matrix is made of labels
    chosen = probe.data_is_test if probe.data_is_test.any() else ~probe.data_is_test
    labels = probe.truth.argmax(axis=1)[chosen]
    frequent = np.argsort(-np.bincount(labels, minlength=probe.outputs), kind="stable")[:MOST_CLASSES]
    classes = np.sort(frequent)
    shares, summary = None, ""
    if learned is not None:
        predicted = learned.argmax(axis=1)[chosen]
        counts = np.zeros((probe.outputs, probe.outputs))
        np.add.at(counts, (labels, predicted), 1.0)
        shares = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0))[np.ix_(classes, classes)]
        data = "test" if probe.data_is_test.any() else "training"
        right = float((predicted == labels).mean())
        summary = f"{right:.1%} right on {count(len(labels), f'{data} sample')}"
        if len(classes) < probe.outputs:
            summary += f"; the {len(classes)} most frequent of {probe.outputs:,} classes are shown"
    return Confusion(
        classes=tuple(int(label) for label in classes),
        shares=shares,
        x_label="predicted class",
        y_label="true class",
        summary=summary,
    )


def _range(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 1.0, high + 1.0)
