"""The weights of one layer: a line for each neuron over what it listens to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.labels import number, output_name, subscript

Floats = NDArray[np.float64]

MOST_LINES = 8
MOST_POINTS = 1000
_LARGEST_PRINTED = 6


@dataclass(frozen=True)
class Weights:
    """The rows of one weight matrix ``W_l``.

    Attributes
    ----------
    layer
        l, from 1 to L (L are the output weights); 0 before the first network.
    x
        Shape ``(p,)``: the number, from 1, of the input or of the neuron below.
    rows
        Shape ``(k, p)``: one row a neuron.
    labels
        ``"neuron 2"``, or ``"y"`` for the output weights.
    added
        For each row, whether the current iteration added its neuron.
    x_label, y_label
        What the axes show.
    printed
        The other weight matrices, written out if they are small.
    note
        What is left out, in words; empty if nothing is.
    """

    layer: int
    x: Floats
    rows: Floats
    labels: tuple[str, ...]
    added: tuple[bool, ...]
    x_label: str
    y_label: str
    printed: tuple[str, ...]
    note: str


def weights(frame: PursuitFrame, layer: int = 1) -> Weights:
    """The rows of ``W_layer``, at most ``MOST_LINES`` of them (the largest) with ``MOST_POINTS`` points each.

    Raises
    ------
    ValueError
        If ``layer`` does not lie from 1 to L.
    """
    if not frame.weights:
        return Weights(0, np.zeros(0), np.zeros((0, 0)), (), (), "", "", (), "")
    layer = arguments.whole("layer", layer, 1, len(frame.weights))
    matrix = np.asarray(frame.weights[layer - 1], dtype=np.float64)
    rows, columns = _largest_rows(matrix), _peaks(matrix)
    notes = []
    if len(rows) < len(matrix):
        notes.append(f"the {len(rows)} largest of {len(matrix):,} rows")
    if len(columns) < matrix.shape[1]:
        notes.append(f"{len(columns):,} of {matrix.shape[1]:,} weights a row (the peaks)")
    return Weights(
        layer=layer,
        x=(columns + 1).astype(np.float64),
        rows=matrix[np.ix_(rows, columns)],
        labels=tuple(_row_name(frame, layer, int(row)) for row in rows),
        added=tuple((layer, int(row)) in frame.added for row in rows),
        x_label="input" if layer == 1 else f"neuron of layer {layer - 1}",
        y_label=f"weight in {subscript('W', layer)}",
        printed=tuple(
            _printed(other, np.asarray(frame.weights[other - 1], dtype=np.float64))
            for other in range(1, len(frame.weights) + 1)
            if other not in (1, layer)
        ),
        note=f"Shown: {', '.join(notes)}" if notes else "",
    )


def _row_name(frame: PursuitFrame, layer: int, row: int) -> str:
    if layer < len(frame.weights):
        return f"neuron {row + 1}"
    return output_name(row, len(frame.weights[-1]), frame.classes)


def _largest_rows(matrix: Floats) -> NDArray[np.int64]:
    order = np.argsort(-np.linalg.norm(matrix, axis=1), kind="stable")
    return np.sort(order[:MOST_LINES])


def _peaks(matrix: Floats) -> NDArray[np.int64]:
    """Which columns to draw: where there are too many, the largest of each group of neighbors."""
    size = matrix.shape[1]
    if size <= MOST_POINTS:
        return np.arange(size)
    norms = np.linalg.norm(matrix, axis=0)
    bounds = np.linspace(0, size, MOST_POINTS + 1).astype(np.int64)
    return np.array([a + int(np.argmax(norms[a:b])) for a, b in pairwise(bounds)])


def _printed(layer: int, matrix: Floats) -> str:
    name = subscript("W", layer)
    if max(matrix.shape) > _LARGEST_PRINTED:
        return f"{name}: {matrix.shape[0]} × {matrix.shape[1]}, norm {number(float(np.linalg.norm(matrix)))}"
    rows = (", ".join(f"{value:z.2f}".replace("-", "−") for value in row) for row in matrix)
    return f"{name} = [{'; '.join(rows)}]"
