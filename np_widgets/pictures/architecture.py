"""The architecture: neurons in columns, signed weights between them, and what the current iteration added."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.labels import output_name, subscript

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_INPUTS = 24
MOST_NEURONS = 12
# Below this share of the largest weight of its layer an edge would be thinner than a pixel.
FAINTEST = 0.02


@dataclass(frozen=True)
class Architecture:
    """Nodes and edges in the unit square: inputs at x = 0, outputs at x = 1, y upwards.

    Attributes
    ----------
    node_x, node_y
        Shape ``(k,)``.
    node_labels
        ``"x₃"`` for an input, ``"2"`` for the second neuron of its layer, ``"y"`` for the output, ``"+976"`` for a node
        that stands for all that are left out of its column.
    node_columns
        The column of each node: 0 for inputs, l for hidden layer l, L for outputs.
    node_added
        Whether the current iteration added the neuron.
    edge_x, edge_y
        Shape ``(e, 2)``: from where to where.
    edge_weights
        Shape ``(e,)``: the signed weight. For edges of a node that stands for many it is the norm of all their weights.
    edge_signs
        Shape ``(e,)``: −1, +1, or 0 for an edge that stands for many.
    edge_strengths
        Shape ``(e,)``: the magnitude relative to the largest weight of the same matrix, 0 … 1.
    edge_added
        Whether the edge belongs to a neuron that the current iteration added.
    column_x
        Shape ``(L + 1,)``; empty before the first network.
    column_labels
        What stands under each column, for example ``"layer 1"``.
    column_sizes
        How many nodes each column has, those left out included.
    note
        What is left out, in words; empty if nothing is.
    """

    node_x: Floats
    node_y: Floats
    node_labels: tuple[str, ...]
    node_columns: NDArray[np.int64]
    node_added: Flags
    edge_x: Floats
    edge_y: Floats
    edge_weights: Floats
    edge_signs: Floats
    edge_strengths: Floats
    edge_added: Flags
    column_x: Floats
    column_labels: tuple[str, ...]
    column_sizes: tuple[int, ...]
    note: str


@dataclass(frozen=True)
class _Column:
    """The nodes drawn in one column: some of its ``size`` members, and one more for the rest if there is one."""

    size: int
    shown: NDArray[np.int64]
    labels: tuple[str, ...]
    added: Flags

    @property
    def heights(self) -> Floats:
        # Few neurons stay close together instead of being torn to the edges of the picture.
        count = len(self.labels)
        spacing = min(0.22, 1 / max(count - 1, 1))
        return 0.5 + spacing * ((count - 1) / 2 - np.arange(count, dtype=np.float64))


def architecture(frame: PursuitFrame) -> Architecture:
    """The architecture of the frame's network; no nodes at all before the first network.

    At most ``MOST_INPUTS`` inputs and outputs and ``MOST_NEURONS`` neurons of a layer are drawn, those with the
    largest weights and those just added; one more node stands for the rest. Edges weaker than ``FAINTEST`` of the
    largest weight of their matrix are left out, unless they were just added.
    """
    weights = [np.asarray(weight, dtype=np.float64) for weight in frame.weights]
    if not weights:
        return _nothing()
    columns = _columns(weights, set(frame.added), frame.classes)
    x = np.linspace(0.0, 1.0, len(columns))
    edges = [_edges(w, below, above) for w, (below, above) in zip(weights, pairwise(columns), strict=True)]
    ends_x = [np.tile(pair, (len(edge.weights), 1)) for pair, edge in zip(pairwise(x), edges, strict=True)]
    return Architecture(
        node_x=np.repeat(x, [len(column.labels) for column in columns]),
        node_y=np.concatenate([column.heights for column in columns]),
        node_labels=tuple(label for column in columns for label in column.labels),
        node_columns=np.repeat(np.arange(len(columns)), [len(column.labels) for column in columns]),
        node_added=np.concatenate([column.added for column in columns]),
        edge_x=np.concatenate(ends_x).reshape(-1, 2),
        edge_y=np.concatenate([edge.y for edge in edges]),
        edge_weights=np.concatenate([edge.weights for edge in edges]),
        edge_signs=np.concatenate([edge.signs for edge in edges]),
        edge_strengths=np.concatenate([edge.strengths for edge in edges]),
        edge_added=np.concatenate([edge.added for edge in edges]),
        column_x=x,
        column_labels=(
            "inputs",
            *(f"layer {layer}" for layer in range(1, len(weights))),
            "classes" if frame.classes else "output" if columns[-1].size == 1 else "outputs",
        ),
        column_sizes=tuple(column.size for column in columns),
        note=_note(columns),
    )


def _columns(weights: list[Floats], added: set[tuple[int, int]], classes: bool) -> list[_Column]:
    norms_in = [np.linalg.norm(weight, axis=1) for weight in weights]
    norms_out = [np.linalg.norm(weight, axis=0) for weight in weights]
    inputs = weights[0].shape[1]
    columns = [
        _column(norms_out[0], [subscript("x", j + 1) for j in range(inputs)], MOST_INPUTS, np.zeros(inputs, bool))
    ]
    for layer in range(1, len(weights)):
        width = weights[layer].shape[1]
        fresh = np.array([(layer, index) in added for index in range(width)], dtype=bool)
        # What a neuron can contribute is the product of what comes in and what goes out.
        score = norms_in[layer - 1] * norms_out[layer]
        columns.append(_column(score, [str(index + 1) for index in range(width)], MOST_NEURONS, fresh))
    outputs = weights[-1].shape[0]
    # A node has room for the number of a class only.
    names = [output_name(index, outputs, classes).removeprefix("class ") for index in range(outputs)]
    columns.append(_column(norms_in[-1], names, MOST_INPUTS, np.zeros(outputs, bool)))
    return columns


def _column(score: Floats, names: list[str], most: int, added: Flags) -> _Column:
    size = len(names)
    if size <= most:
        return _Column(size, np.arange(size), tuple(names), added)
    ranked = np.lexsort((np.arange(size), -score, ~added))
    shown = np.sort(ranked[: most - 1])
    labels = (*(names[index] for index in shown), f"+{size - len(shown):,}")
    return _Column(size, shown, labels, np.append(added[shown], False))


@dataclass(frozen=True)
class _Edges:
    y: Floats
    weights: Floats
    signs: Floats
    strengths: Floats
    added: Flags


def _edges(weight: Floats, below: _Column, above: _Column) -> _Edges:
    blocks = _with_rest(_with_rest(weight, below).T, above).T
    lone = np.zeros(blocks.shape, dtype=bool)
    lone[: len(above.shown), : len(below.shown)] = True
    largest = float(np.abs(blocks).max())
    strengths = np.abs(blocks) / largest if largest > 0 else np.zeros_like(blocks)
    added = above.added[:, None] | below.added[None, :]
    to, fro = np.nonzero((strengths >= FAINTEST) | (added & (blocks != 0)))
    values = blocks[to, fro]
    return _Edges(
        y=np.stack([below.heights[fro], above.heights[to]], axis=1),
        weights=values,
        signs=np.where(lone[to, fro], np.sign(values), 0.0),
        strengths=strengths[to, fro],
        added=added[to, fro],
    )


def _with_rest(weight: Floats, column: _Column) -> Floats:
    """The columns of ``weight`` that are shown, and one more with the norm of all others if there are others."""
    if len(column.shown) == column.size:
        return weight
    rest = np.delete(weight, column.shown, axis=1)
    return np.concatenate([weight[:, column.shown], np.linalg.norm(rest, axis=1, keepdims=True)], axis=1)


def _note(columns: list[_Column]) -> str:
    names = ["inputs", *(f"neurons of layer {layer}" for layer in range(1, len(columns) - 1)), "outputs"]
    parts = [
        f"{len(column.shown)} of {column.size:,} {name}"
        for name, column in zip(names, columns, strict=True)
        if len(column.shown) < column.size
    ]
    return f"Shown: {', '.join(parts)} (largest weights)" if parts else ""


def _nothing() -> Architecture:
    none, pairs, no = np.zeros(0), np.zeros((0, 2)), np.zeros(0, dtype=bool)
    return Architecture(
        node_x=none,
        node_y=none,
        node_labels=(),
        node_columns=np.zeros(0, dtype=np.int64),
        node_added=no,
        edge_x=pairs,
        edge_y=pairs,
        edge_weights=none,
        edge_signs=none,
        edge_strengths=none,
        edge_added=no,
        column_x=none,
        column_labels=(),
        column_sizes=(),
        note="",
    )
