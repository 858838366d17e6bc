"""Where dormant neurons point: their directions in a plane, and their weights in a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle

from np_widgets.pictures.heatmap import Heatmap
from np_widgets.pictures.labels import number, subscript
from np_widgets.pictures.plane import Plane
from np_widgets.plots import style
from np_widgets.plots.network import DASHES

_MOST_NAMED = 4
# Signs are written into the cells of matrices that have room for them, where the color is strong enough to matter.
_MOST_SIGNS = 300
_SIGN_FROM = 0.15
_MOST_LABELS_ACROSS, _MOST_LABELS_DOWN = 12, 20


def draw_plane(axes: Axes, picture: Plane) -> None:
    """Each neuron's trail in the color and with the marker of its KKT point; a large hollow marker is the point."""
    title = f"Directions: layer {picture.layer}" if picture.layer else "Directions"
    if picture.empty:
        style.head(axes, title)
        style.say(axes, picture.empty)
        return
    axes.add_patch(Circle((0, 0), 1.0, fill=False, ec=style.GRAY, lw=0.9))
    axes.plot([-1, 1, np.nan, 0, 0], [0, 0, np.nan, -1, 1], color=style.GRAY, lw=0.5, ls=":")
    for row, trail in enumerate(picture.trails):
        color, marker = _look(trail.goal)
        leads = row == picture.leader
        axes.plot(trail.x, trail.y, color=color, lw=2.0 if leads else 0.9, alpha=0.9 if leads else 0.6)
        axes.plot(trail.x[:1], trail.y[:1], ".", ms=4, color=color)
        axes.plot(trail.x[-1:], trail.y[-1:], marker, ms=7 if leads else 4.5, color=color, mec=style.ink(), mew=0.5)
    entries: list[tuple[Artist, str]] = []
    others = 0
    points = zip(picture.points_x, picture.points_y, picture.point_values, picture.point_visited, strict=True)
    for index, (x, y, value, visited) in enumerate(points):
        color, marker = _look(index if visited else None)
        look: dict[str, Any] = {
            "color": color,
            "mfc": "none",
            "mew": 1.5 if visited else 0.8,
            "ms": 12 if visited else 7,
        }
        (point,) = axes.plot([x], [y], marker if visited else "o", zorder=4, **look)
        if visited and index < _MOST_NAMED:
            key = Line2D([], [], color=color, marker=marker, mfc="none", mew=1.5, ms=8, ls="")
            entries.append((key, f"KKT point, N* {number(float(value))}"))
        elif not visited and not others:
            others += 1
            entries.append((point, "other KKT point"))
    entries.append((Line2D([], [], color=style.ink(), lw=0.9, marker="o", ms=4), "neuron and trail"))
    axes.set_aspect("equal")
    axes.set_xlim(-1.2, 1.2)
    axes.set_ylim(-1.2, 1.2)
    axes.set_xticks([-1, 0, 1])
    axes.set_yticks([-1, 0, 1])
    style.tidy(axes, picture.x_label, picture.y_label, picture.note)
    style.head(axes, title, entries, columns=2)


def _look(goal: int | None) -> tuple[str, str]:
    """The color and marker of a KKT point and of those who go there."""
    if goal is None:
        return style.GRAY, "x"
    return style.SERIES[goal % (len(style.SERIES) - 2)], style.MARKERS[goal % len(style.MARKERS)]


def draw_heatmap(axes: Axes, picture: Heatmap) -> None:
    """Cells in the color of their sign, blocks framed: active solid, dormant dashed."""
    rows, columns = picture.shades.shape
    colors = LinearSegmentedColormap.from_list("signs", style.DIVERGING[::-1])
    cells = axes.imshow(
        picture.shades,
        cmap=colors,
        vmin=-1,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
        extent=(0, columns, rows, 0),
    )
    if rows * columns <= _MOST_SIGNS:
        for row, column in np.argwhere(picture.shades <= -_SIGN_FROM):
            axes.text(column + 0.5, row + 0.5, "−", ha="center", va="center", fontsize=style.SMALL, color="black")
    entries: dict[bool, tuple[Artist, str]] = {}
    for block in picture.blocks:
        # The frames of two blocks side by side must not hide each other.
        left, width = block.left + 0.008 * columns, block.right - block.left - 0.016 * columns
        top, height = block.top + 0.008 * rows, block.bottom - block.top - 0.016 * rows
        look: dict[str, Any] = {"fill": False, "lw": 1.6, "ls": DASHES if block.dormant else "solid", "clip_on": False}
        # Not in the ink of the style: cells are pale in every style.
        color = style.PINK if block.dormant else style.GREEN
        axes.add_patch(Rectangle((left, top), width, height, ec=color, **look))
        limit = picture.dormant_limit if block.dormant else picture.active_limit
        key = Line2D([], [], color=color, lw=1.6, ls=look["ls"])
        kind = "dormant" if block.dormant else "active"
        entries[block.dormant] = (key, f"{kind}, full color ±{number(limit)}")
    style.scale(axes, cells, "share of full color")
    axes.set_xticks(*_ticks(picture.column_labels, _MOST_LABELS_ACROSS))
    axes.set_yticks(*_ticks(picture.row_labels, _MOST_LABELS_DOWN))
    style.tidy(axes, picture.x_label, picture.y_label, picture.note)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    style.head(axes, f"Weights: {subscript('W', picture.layer)}", list(entries.values()), columns=1)


def _ticks(labels: tuple[str, ...], most: int) -> tuple[list[float], list[str]]:
    """Labels in the middle of cells, as many as there is room for."""
    shown = range(0, len(labels), -(-len(labels) // most) or 1)
    return [index + 0.5 for index in shown], [labels[index] for index in shown]
