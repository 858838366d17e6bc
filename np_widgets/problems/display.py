"""How a learned function is best looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from np_widgets import arguments

DisplayKind = Literal["hypercube", "curve", "regions", "scatter"]
LARGEST_DIMENSION = 62
"""Of a hypercube whose vertices 64-bit integers can number."""


@dataclass(frozen=True)
class Display:
    """How the learned function is best looked at.

    Attributes
    ----------
    kind
        ``"hypercube"``: values over the vertices of {−1, +1}^d in lexicographic order; ``"curve"``: a function of one
        input; ``"regions"``: a map over two inputs with the data on it; ``"scatter"``: prediction against target.
    columns
        The inputs that vary: one for a curve, two for regions, none otherwise. All others keep their mean.
    image
        Height and width of images whose pixels, row by row, are the first inputs; weights are shown as such images,
        too. None where inputs are no pixels.
    """

    kind: DisplayKind
    columns: tuple[int, ...] = ()
    image: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        arguments.choice("kind", self.kind, get_args(DisplayKind))
        wanted = {"curve": 1, "regions": 2}.get(self.kind, 0)
        columns = arguments.wholes("columns", self.columns, 0, empty=True)
        if len(columns) != wanted or len(set(columns)) != wanted:
            raise ValueError(f"columns must name {wanted} different inputs for {self.kind!r}, got {columns}")
        object.__setattr__(self, "columns", columns)
        if self.image is not None:
            image = arguments.wholes("image", self.image, 1)
            if len(image) != 2:
                raise ValueError(f"image must be the height and the width, got {image}")
            object.__setattr__(self, "image", image)


def checked_display(display: Display | None, inputs: Tensor, output_size: int) -> Display:
    """One that these inputs ``(n, d)`` allow; chosen from them if it is None."""
    input_size = inputs.shape[1]
    if display is None:
        return _chosen(inputs, output_size)
    if not isinstance(display, Display):
        raise TypeError(f"display must be a Display or None, got {arguments.shown(display)}")
    if any(column >= input_size for column in display.columns):
        raise ValueError(f"display must name columns from 0 to {input_size - 1}, got {display.columns}")
    if display.image is not None and display.image[0] * display.image[1] > input_size:
        raise ValueError(
            f"display must have an image of at most {input_size} pixels, as many as inputs, got {display.image}"
        )
    if display.kind == "hypercube" and input_size > LARGEST_DIMENSION:
        raise ValueError(f"display='hypercube' needs at most {LARGEST_DIMENSION} inputs, got {input_size}")
    return display


def _chosen(inputs: Tensor, output_size: int) -> Display:
    varying = tuple(torch.nonzero(inputs.amax(dim=0) != inputs.amin(dim=0)).flatten().tolist())
    if len(varying) == 1:
        return Display("curve", varying)
    if len(varying) == 2 and output_size <= 10:
        return Display("regions", varying)
    if inputs.shape[1] <= 40 and output_size == 1 and bool((inputs.abs() == 1).all()):
        return Display("hypercube")
    return Display("scatter")
