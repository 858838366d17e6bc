"""The incoming weights of neurons whose inputs are pixels: an image for each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import count, number, shown
from np_widgets.pictures.looks import SIGNS
from np_widgets.pictures.neurons import Neuron
from np_widgets.pictures.scene import Area, Axis, Cells, Curve, Mark, Scene, Shades, Texts, boxes, joined, spots
from np_widgets.pictures.ticks import snapped

MOST_IMAGES = 24
# Cells between two images, and above one for its number.
_APART, _ABOVE = 1, 2
# How much wider than high all of them are together.
_BREADTH = 1.8


def images(frame: PursuitFrame, own: Sequence[Neuron], rows: NDArray[np.int64], shape: tuple[int, int]) -> Scene:
    """``W_1`` of these rows, its first inputs the pixels of images of that height and width, row by row."""
    matrix = np.nan_to_num(np.asarray(frame.weights[0], dtype=np.float64))
    height, width = shape
    pixels = matrix[rows, : height * width].reshape(-1, height, width)
    largest = float(np.abs(pixels).max(initial=0.0)) or 1.0
    across = min(len(rows), max(1, round(math.sqrt(_BREADTH * len(rows) * (height + _ABOVE) / (width + _APART)))))
    down = -(-len(rows) // across)
    values = np.zeros((down * (height + _ABOVE) + _APART, across * (width + _APART) + _APART))
    places = np.arange(len(rows))
    left = places % across * (width + _APART) + _APART
    top = places // across * (height + _ABOVE) + _ABOVE
    for column, row, image in zip(left.tolist(), top.tolist(), pixels, strict=True):
        values[row : row + height, column : column + width] = image / largest
    outlines = boxes(left, left + width, top, top + height)
    added = [index for index, row in enumerate(rows.tolist()) if (1, row) in frame.added]
    keys = tuple((own[row].key,) for row in rows.tolist())
    reads = tuple(
        f"{own[row].name}: weights from {number(float(image.min()))} to {number(float(image.max()))}"
        for row, image in zip(rows.tolist(), pixels, strict=True)
    )
    shades = Shades(SIGNS, -1.0, 1.0, "weight", (number(-largest), number(largest)))
    x, y = np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5
    marks: list[Mark] = [
        Cells("cells", x, y, values=snapped(values, -1.0, 1.0), shades=shades),
        Curve("grid", *joined(zip(*outlines, strict=True))),
        Area("tile", *outlines, keys=keys),
        Texts("in cells", left + width / 2, top - 0.8, texts=tuple(str(row + 1) for row in rows), place="middle"),
        spots((left + width / 2, top + height / 2, reads), keys=keys),
    ]
    if added:
        around = joined((outlines[0][index], outlines[1][index]) for index in added)
        marks += [Curve("edge of a frame", *around), Curve("new", *around, "added by this iteration")]
    rest = (f"{len(rows)} of {len(matrix):,} neurons", "") if len(rows) < len(matrix) else ("",)
    inputs = "" if height * width == matrix.shape[1] else f"{height * width} of {matrix.shape[1]:,} inputs"
    return Scene(
        "Weights W₁ as images",
        tuple(marks),
        Axis(low=0.0, high=float(values.shape[1]), hidden=True),
        Axis(low=0.0, high=float(values.shape[0]), hidden=True, reverse=True),
        notes=(shown((*rest, inputs)),),
        says=f"The incoming weights of {count(len(rows), 'neuron')} of layer 1, each an image of {height} × {width} "
        f"pixels; the largest is {number(float(matrix.ravel()[np.abs(matrix).argmax()]))}",
    )
