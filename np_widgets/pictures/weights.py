"""One weight matrix as a signed heat map: of a pursuit, or of a saddle flow with its active and dormant blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.images import MOST_IMAGES, images
from np_widgets.pictures.labels import Names, number, shortened, shown, subscript
from np_widgets.pictures.looks import SIGNS
from np_widgets.pictures.neurons import neurons
from np_widgets.pictures.probe import Probe, names_of
from np_widgets.pictures.scene import Axis, Cells, Curve, Dots, Floats, Keys, Mark, Scene, Shades, boxes, joined, spots
from np_widgets.pictures.stages import point, stage_at
from np_widgets.pictures.ticks import snapped

Flags = NDArray[np.bool_]

MOST_ROWS = 32
MOST_COLUMNS = 64
_MOST_LABELS = 12
_LARGEST_PRINTED = 6
# Signs are written into the cells of matrices that have room for them, where the color is strong enough to matter.
_MOST_SIGNS, _MOST_SIGNS_ALONG = 240, 24
_SIGN_FROM = 0.15
_MOST_READ = 160  # of the cells


def weights(frame: PursuitFrame, layer: int = 1, probe: Probe | None = None) -> Scene:
    """``W_layer`` of the frame's network, the neurons that the iteration added framed; L are the output weights.

    Where the inputs are pixels, ``W_1`` is an image for each neuron. Else at most ``MOST_ROWS`` rows and
    ``MOST_COLUMNS`` columns are drawn: the largest, and what was just added. The other matrices but the first are
    written out if they are small.
    """
    if not frame.weights:
        return Scene("Weights", empty="One row a neuron, once there is a network")
    layer = arguments.whole("layer", layer, 1, len(frame.weights))
    matrix = np.asarray(frame.weights[layer - 1], dtype=np.float64)
    last = layer == len(frame.weights)
    new_rows = _among(len(matrix), () if last else [index for own, index in frame.added if own == layer])
    new_columns = _among(matrix.shape[1], [index for own, index in frame.added if own == layer - 1])
    sizes = np.abs(np.nan_to_num(matrix))
    rows = _chosen(np.where(new_rows, np.inf, sizes.max(axis=1)), MOST_ROWS)
    shape = None if probe is None or layer > 1 or last else probe.problem.display.image
    if shape is not None:
        found = _chosen(np.where(new_rows, np.inf, sizes.max(axis=1)), MOST_IMAGES)
        return images(frame, neurons(frame)[0], found, shape)
    columns = _chosen(np.where(new_columns, np.inf, sizes.max(axis=0)), MOST_COLUMNS)
    largest = float(sizes.max())
    # Rows and columns of new neurons are framed one by one: they need not stand side by side.
    frames = [(0, len(columns), row, row + 1) for row in np.flatnonzero(new_rows[rows]).tolist()]
    frames += [(column, column + 1, 0, len(rows)) for column in np.flatnonzero(new_columns[columns]).tolist()]
    kept = len(rows), len(columns)
    keys = [[(each.key,) for each in own] for own in neurons(frame)]
    down = () if last else tuple(keys[layer - 1][row] for row in rows.tolist())
    across = () if layer == 1 else tuple(keys[layer - 2][column] for column in columns.tolist())
    marks = _cells(matrix[np.ix_(rows, columns)] / (largest or 1.0), largest, down, across)
    marks += _frames("new", "added by this iteration", frames, kept)
    names = names_of(frame.weights, frame.classes, probe)
    marks.append(_read(frame.weights, layer, matrix, rows, columns, names, down))
    strongest = np.unravel_index(int(sizes.argmax()), sizes.shape)
    return Scene(
        f"Weights {subscript('W', layer)}",
        tuple(marks),
        *_axes(frame.weights, layer, rows, columns, names, frame.classes),
        notes=(*_printed_besides(frame.weights, layer), _left_out(matrix, rows, columns)),
        says=f"The {len(matrix):,} × {matrix.shape[1]:,} weights of {'the output' if last else f'layer {layer}'}; the "
        f"largest is {number(float(matrix[strongest]))}",
    )


def saddle_weights(frame: SaddleFrame, index: int | None = None, layer: int = 1, names: Names | None = None) -> Scene:
    """``W_layer`` at point ``index`` of the record, by default the newest; L are the output weights.

    Active weights are of order one and dormant ones of order δ: each kind has a linear scale of its own, so that the
    directions of dormant neurons are seen however short they are. The active ones come first.
    """
    layer = arguments.whole("layer", layer, 1, len(frame.weights))
    names = names or Names.plain(frame.weights[0].shape[1], len(frame.weights[-1]), frame.classes)
    here = point(frame, index)
    matrix = np.nan_to_num(
        np.asarray((frame.history[here] if here >= 0 else frame.weights)[layer - 1], dtype=np.float64)
    )
    active = stage_at(frame, here).active
    own = np.ones(len(matrix), dtype=bool) if layer == len(frame.weights) else active[layer - 1]
    below = np.ones(matrix.shape[1], dtype=bool) if layer == 1 else active[layer - 2]
    kind = np.outer(own, below)
    limits = {flag: float(np.abs(matrix[kind == flag]).max(initial=0.0)) for flag in (True, False)}
    scale = np.where(kind, limits[True], limits[False])
    shades = np.divide(matrix, scale, out=np.zeros_like(matrix), where=scale > 0)
    # Which ones are shown must not change while somebody moves the time slider.
    newest = np.abs(np.nan_to_num(np.asarray(frame.weights[layer - 1], dtype=np.float64)))
    rows = _chosen(newest.max(axis=1), MOST_ROWS, own)
    columns = _chosen(newest.max(axis=0), MOST_COLUMNS, below)
    middle, down = int(below[columns].sum()), int(own[rows].sum())
    shape = len(rows), len(columns)
    dormant = ((0, middle, down, shape[0]), (middle, shape[1], 0, down), (middle, shape[1], down, shape[0]))
    scales = [
        f"Full color, {name}: ±{number(limits[flag])}"
        for flag, name in ((True, "active block"), (False, "dormant blocks"))
        if np.any(kind == flag)
    ]
    marks = _cells(shades[np.ix_(rows, columns)], None)
    marks += _frames("active", "active", [(0, middle, 0, down)], shape)
    marks += _frames("dormant", "dormant", dormant, shape)
    marks.append(_read(frame.weights, layer, matrix, rows, columns, names))
    return Scene(
        f"Weights {subscript('W', layer)}",
        tuple(marks),
        *_axes(frame.weights, layer, rows, columns, names, frame.classes),
        notes=(*scales, _left_out(matrix, rows, columns)),
        says=f"{int(kind.sum()):,} weights among active neurons, up to {number(limits[True])}, and "
        f"{int((~kind).sum()):,} of dormant ones, up to {number(limits[False])}",
    )


def _among(size: int, indices: Sequence[int]) -> Flags:
    found = np.zeros(size, dtype=bool)
    found[list(indices)] = True
    return found


def _chosen(sizes: Floats, most: int, first: Flags | None = None) -> NDArray[np.int64]:
    """The ``most`` largest in their order, but those that are ``first`` before the others."""
    kept = np.sort(np.argsort(-sizes, kind="stable")[:most])
    return kept if first is None else np.concatenate([kept[first[kept]], kept[~first[kept]]])


def _cells(shades: Floats, largest: float | None, down: Sequence[Keys] = (), across: Sequence[Keys] = ()) -> list[Mark]:
    """Cells for values from −1 to 1, which mean ``±largest`` if that is given."""
    rows, columns = shades.shape
    room = shades.size <= _MOST_SIGNS and columns <= _MOST_SIGNS_ALONG
    texts = np.where(shades <= -_SIGN_FROM, "−", "") if room else None
    ends = ("−", "+") if largest is None else (number(-largest), number(largest))
    colors = Shades(SIGNS, -1.0, 1.0, "weight", ends)
    values = snapped(np.clip(shades, -1.0, 1.0), -1.0, 1.0)
    x, y = np.arange(columns) + 0.5, np.arange(rows) + 0.5
    marks = Cells("cells", x, y, values=values, shades=colors, texts=texts, keys=tuple(down), across=tuple(across))
    return [marks]


def _read(
    matrices: tuple[Floats, ...],
    layer: int,
    matrix: Floats,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    names: Names,
    keys: tuple[Keys, ...] = (),
) -> Dots:
    """Where a pointer reads weights, and selects the neuron of a row: one of each row, and the largest."""
    shown = np.nan_to_num(matrix[np.ix_(rows, columns)])
    sizes = np.abs(shown)
    sizes[np.arange(len(sizes)), sizes.argmax(axis=1)] = np.inf
    i, j = np.unravel_index(np.argsort(-sizes, axis=None, kind="stable")[:_MOST_READ], shown.shape)
    ends = (
        [names.inputs[column] if layer == 1 else f"neuron {column + 1} of layer {layer - 1}" for column in columns[j]],
        [names.outputs[row] if layer == len(matrices) else f"neuron {row + 1} of layer {layer}" for row in rows[i]],
    )
    texts = [f"weight {number(value)}, from {fro} to {to}" for value, fro, to in zip(shown[i, j], *ends, strict=True)]
    return spots((j + 0.5, i + 0.5, texts), keys=tuple(keys[row] for row in i) if keys else ())


def _frames(role: str, label: str, places: Sequence[tuple[int, int, int, int]], shape: tuple[int, int]) -> list[Mark]:
    """Frames around blocks of cells ``(left, right, top, bottom)``, each within its block, so that all are seen."""
    room_x, room_y = 0.006 * shape[1], 0.012 * shape[0]
    found = [place for place in places if place[1] > place[0] and place[3] > place[2]]
    if not found:
        return []
    left, right, top, bottom = np.array(found, dtype=np.float64).T
    outline = joined(zip(*boxes(left + room_x, right - room_x, top + room_y, bottom - room_y), strict=True))
    # Cells are light in both themes: a frame that is light in one of them needs an edge.
    return [Curve("edge of a frame", *outline), Curve(role, *outline, label)]


def _axes(
    matrices: tuple[Floats, ...],
    layer: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    names: Names,
    classes: bool,
) -> tuple[Axis, Axis]:
    last = layer == len(matrices)
    below = [shortened(names.inputs[j]) if layer == 1 else str(j + 1) for j in columns.tolist()]
    own = [names.short[i] if last else str(i + 1) for i in rows.tolist()]
    across = "input" if layer == 1 else f"neuron of layer {layer - 1}"
    down = ("class" if classes else "output") if last else f"neuron of layer {layer}"
    return (
        Axis(across, 0.0, float(len(columns)), ticks=_ticks(below)),
        Axis(down, 0.0, float(len(rows)), ticks=_ticks(own), reverse=True),
    )


def _ticks(names: list[str]) -> tuple[tuple[float, str], ...]:
    """Names in the middle of their cells, not so many that they run into each other."""
    return tuple((index + 0.5, names[index]) for index in range(0, len(names), -(-len(names) // _MOST_LABELS) or 1))


def _left_out(matrix: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> str:
    kinds = ((rows, matrix.shape[0], "rows"), (columns, matrix.shape[1], "columns"))
    return shown(f"the {len(kept)} largest of {size:,} {name}" for kept, size, name in kinds if len(kept) < size)


def _printed_besides(matrices: tuple[Floats, ...], layer: int) -> tuple[str, ...]:
    return tuple(
        _printed(other, np.asarray(matrix, dtype=np.float64))
        for other, matrix in enumerate(matrices, start=1)
        if other not in (1, layer)
    )


def _printed(layer: int, matrix: Floats) -> str:
    name = subscript("W", layer)
    if max(matrix.shape) > _LARGEST_PRINTED:
        return f"{name}: {matrix.shape[0]} × {matrix.shape[1]}, norm {number(float(np.linalg.norm(matrix)))}"
    rows = (", ".join(map(number, row.tolist())) for row in matrix)
    return f"{name} = [{'; '.join(rows)}]"
