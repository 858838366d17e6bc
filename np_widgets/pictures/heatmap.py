"""One weight matrix as a signed heat map, with the blocks of active and of dormant neurons framed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import number, output_name, subscript
from np_widgets.pictures.stages import point, stage_at

Floats = NDArray[np.float64]

MOST_ROWS = 32
MOST_COLUMNS = 64


@dataclass(frozen=True)
class Block:
    """Cells that belong together, as a rectangle in units of cells: row 0 is at the top, column 0 on the left.

    Attributes
    ----------
    name
        ``"active"``, ``"into dormant"``, ``"out of dormant"`` or ``"between dormant"``.
    left, right, top, bottom
        Its edges; the cell of row 0 and column 0 reaches from 0 to 1 in both directions.
    dormant
        Whether it is drawn on the scale of the dormant weights.
    """

    name: str
    left: int
    right: int
    top: int
    bottom: int
    dormant: bool


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Active weights are of order one and dormant ones of order δ: each kind has a linear scale of its own.

    So the directions of dormant neurons are seen however short they are, and among them those that grow stand out;
    how small they are is said in words. Full color stands for ``active_limit`` in the active block and for
    ``dormant_limit`` in the others.

    Attributes
    ----------
    layer
        l of ``W_l``, from 1 to L.
    weights
        Shape ``(r, c)``: the weights themselves; rows are neurons of the layer (or outputs), columns neurons below (or
        inputs), in both those active at the saddle left last come first.
    shades
        Shape ``(r, c)``: the same divided by the limit of their block, from −1 to 1.
    row_labels, column_labels
        The numbers of the neurons, from 1, or the names of inputs and outputs.
    blocks
        Those that have cells, the active one first.
    active_limit, dormant_limit
        The largest absolute value of each kind in the whole matrix; 0 where there is none.
    x_label, y_label
        What columns and rows are.
    scales
        What full color stands for, in words: a line for each kind.
    note
        What is left out, in words; empty if nothing is.
    """

    layer: int
    weights: Floats
    shades: Floats
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    blocks: tuple[Block, ...]
    active_limit: float
    dormant_limit: float
    x_label: str
    y_label: str
    scales: tuple[str, ...]
    note: str


def heatmap(frame: SaddleFrame, index: int | None = None, layer: int = 1) -> Heatmap:
    """``W_layer`` at the time of point ``index`` of the record; of a large matrix the largest rows and columns.

    Parameters
    ----------
    frame
        Before its first point of the record its current weights are shown.
    index
        The point of the record at which the time slider stands; by default the newest.
    layer
        From 1 to L; L are the output weights.

    Raises
    ------
    TypeError, ValueError
        If there is no such layer or index.
    """
    layer = arguments.whole("layer", layer, 1, len(frame.weights))
    here = point(frame, index)
    matrix = np.asarray((frame.history[here] if here >= 0 else frame.weights)[layer - 1], dtype=np.float64)
    active = stage_at(frame, here).active
    last = layer == len(frame.weights)
    own = np.ones(len(matrix), dtype=bool) if last else active[layer - 1]
    below = np.ones(matrix.shape[1], dtype=bool) if layer == 1 else active[layer - 2]
    kind = np.outer(own, below)
    matrix = np.nan_to_num(matrix)
    active_limit = float(np.abs(matrix[kind]).max(initial=0.0))
    dormant_limit = float(np.abs(matrix[~kind]).max(initial=0.0))
    limits = np.where(kind, active_limit, dormant_limit)
    shades = np.divide(matrix, limits, out=np.zeros_like(matrix), where=limits > 0)
    # Which ones are shown must not change while somebody moves the time slider.
    newest = np.abs(np.nan_to_num(np.asarray(frame.weights[layer - 1], dtype=np.float64)))
    rows, columns = _chosen(newest.max(axis=1), own, MOST_ROWS), _chosen(newest.max(axis=0), below, MOST_COLUMNS)
    notes = []
    if len(rows) < len(matrix):
        notes.append(f"the {len(rows)} largest of {len(matrix):,} rows")
    if len(columns) < matrix.shape[1]:
        notes.append(f"the {len(columns)} largest of {matrix.shape[1]:,} columns")
    return Heatmap(
        layer=layer,
        weights=matrix[np.ix_(rows, columns)],
        shades=shades[np.ix_(rows, columns)],
        row_labels=tuple(output_name(i, len(matrix), frame.classes) if last else str(i + 1) for i in rows.tolist()),
        column_labels=tuple(subscript("x", j + 1) if layer == 1 else str(j + 1) for j in columns.tolist()),
        blocks=_blocks(int(own[rows].sum()), int(below[columns].sum()), len(rows), len(columns)),
        active_limit=active_limit,
        dormant_limit=dormant_limit,
        x_label="input" if layer == 1 else f"neuron of layer {layer - 1}",
        y_label="output" if last else f"neuron of layer {layer}",
        scales=_scales(bool(kind.any()), bool((~kind).any()), active_limit, dormant_limit),
        note=f"Shown: {', '.join(notes)}" if notes else "",
    )


def _chosen(sizes: Floats, active: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """The active ones and then the dormant ones, each in their order; of too many those of largest size."""
    kept = np.sort(np.argsort(-sizes, kind="stable")[:most])
    return np.concatenate([kept[active[kept]], kept[~active[kept]]])


def _blocks(active_rows: int, active_columns: int, rows: int, columns: int) -> tuple[Block, ...]:
    found = (
        Block("active", 0, active_columns, 0, active_rows, False),
        Block("into dormant", 0, active_columns, active_rows, rows, True),
        Block("out of dormant", active_columns, columns, 0, active_rows, True),
        Block("between dormant", active_columns, columns, active_rows, rows, True),
    )
    return tuple(block for block in found if block.right > block.left and block.bottom > block.top)


def _scales(active: bool, dormant: bool, active_limit: float, dormant_limit: float) -> tuple[str, ...]:
    lines = []
    if active:
        lines.append(f"full color, active block: ±{number(active_limit)}")
    if dormant:
        lines.append(f"full color, dormant blocks: ±{number(dormant_limit)}")
    return tuple(lines)
