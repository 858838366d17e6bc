"""A map over two inputs, with the data on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap, Normalize, to_rgb
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from np_widgets.pictures.function import Regions
from np_widgets.plots import style

Floats = NDArray[np.float64]
Entries = list[tuple[Artist, str]]


def draw_regions(axes: Axes, picture: Regions, classes: int) -> Entries:
    """Colors and level lines for what is learned, dotted level lines for the truth, the data on top."""
    colors = _colormap(classes)
    margin = 0.5 if picture.discrete else 0.0
    limits = Normalize(picture.low - margin, picture.high + margin)
    lines = "boundary" if classes else "levels"
    entries: Entries = []
    if picture.learned is not None:
        # Between the values of classes there is nothing to interpolate.
        shades = axes.pcolormesh(
            picture.x,
            picture.y,
            picture.learned,
            cmap=_colormap(classes, pale=True),
            norm=limits,
            shading="nearest" if picture.discrete else "gouraud",
            rasterized=True,
        )
        if not picture.discrete:
            style.scale(axes, shades, picture.value_label)
        _outline(axes, picture, picture.learned, classes, colors=style.ink(), linewidths=0.9)
        entries.append((Line2D([], [], color=style.ink(), lw=0.9), f"learned {lines}"))
    if picture.truth is not None:
        _outline(axes, picture, picture.truth, classes, colors=style.TRUTH, linewidths=1.8, linestyles=":")
        entries.append((Line2D([], [], color=style.TRUTH, lw=1.8, ls=":"), f"true {lines}"))
    groups = range(classes) if classes else (0,)
    for group in groups:
        chosen = picture.data_values == group if classes else slice(None)
        axes.scatter(
            picture.data_x[chosen],
            picture.data_y[chosen],
            c=picture.data_values[chosen],
            cmap=colors,
            norm=limits,
            s=16,
            marker=style.MARKERS[group % len(style.MARKERS)],
            edgecolors=style.ink(),
            linewidths=0.6,
        )
        if classes:
            face = colors(group / (classes - 1))
            entries.append((_dot(group, face), f"class {group}"))
    if not classes:
        entries.append((_dot(0, style.GRAY), "data"))
    axes.set_xlim(picture.x[0], picture.x[-1])
    axes.set_ylim(picture.y[0], picture.y[-1])
    return entries


def _outline(axes: Axes, picture: Regions, values: Floats, classes: int, **look: Any) -> None:
    """Level lines; of classes the boundary of each, as their numbers have no order."""
    maps = [(values == group).astype(np.float64) for group in range(classes)] if picture.discrete else [values]
    for heights in maps:
        low, high = float(heights.min()), float(heights.max())
        # Where no level is crossed, matplotlib would warn that it has nothing to draw.
        if low < 0.5 <= high if classes else low < high:
            axes.contour(picture.x, picture.y, heights, [0.5] if classes else None, **look)


def _dot(group: int, face: object) -> Line2D:
    marker = style.MARKERS[group % len(style.MARKERS)]
    return Line2D([], [], color=style.ink(), marker=marker, mfc=face, ms=5, mew=0.6, ls="")


def _colormap(classes: int, *, pale: bool = False) -> Colormap:
    """The colors of data; ``pale`` under them, so that data of a class stand out from its region."""
    if not classes:
        return colormaps[style.SEQUENTIAL]
    chosen = [style.CLASSES[c % len(style.CLASSES)] for c in range(classes)] if classes > 2 else style.DIVERGING
    colors = np.array([to_rgb(color) for color in chosen])
    if pale:
        colors = 0.5 + 0.5 * colors
    return ListedColormap(colors) if classes > 2 else LinearSegmentedColormap.from_list("two classes", colors)
