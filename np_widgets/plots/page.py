"""Where pictures stand: one on axes, or several on a page, with a title and perhaps a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from np_widgets import arguments
from np_widgets.pictures.scene import Scene
from np_widgets.plots import style
from np_widgets.plots.render import draw
from np_widgets.plots.sources import named

Size = tuple[float, float] | None
Table = tuple[Sequence[str], Sequence[Sequence[str]], Sequence[float]]
"""Heads of columns, rows, and how much of the width each column takes."""
WIDTHS = {"column": 3.4, "page": 7.0}
"""Of figures in a paper, in inches."""
_NARROWEST = 3.3  # inches of a picture
_SHAPE = 0.78  # of a picture: height to width
_SMALL_PRINT = 7.5  # points, of a figure in a paper


def alone(scene: Scene, ax: Axes | None, size: tuple[float, float]) -> Figure:
    """A scene on axes, those of a new figure if ``ax`` is None."""
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be matplotlib axes or None, got {named(ax)}")
    ax = style.figure(*_checked(size)).subplots() if ax is None else ax
    draw(ax, scene)
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def page(
    title: str,
    scenes: Sequence[Sequence[Scene]],
    widths: Sequence[Sequence[float]],
    heights: Sequence[float],
    size: tuple[float, float],
    table: Table | None = None,
) -> Figure:
    """Rows of scenes, their shares of the width and of the height; a table takes the last share of it."""
    figure = style.figure(*_checked(size))
    if title:
        style.caption(figure, title)
    rows = figure.add_gridspec(len(heights), 1, height_ratios=list(heights))
    for line, (own, shares) in enumerate(zip(scenes, widths, strict=True)):
        places = rows[line].subgridspec(1, len(own), width_ratios=list(shares))
        for index, scene in enumerate(own):
            draw(figure.add_subplot(places[index]), scene)
    if table is not None:
        _write(figure.add_subplot(rows[-1]), *table)
    return figure


def arranged(title: str, scenes: Sequence[Scene], width: float | str) -> Figure:
    """Scenes side by side as far as a width in inches, or one of :data:`WIDTHS`, has room for them."""
    if isinstance(width, str):
        width = WIDTHS[arguments.choice("width", width, WIDTHS)]
    width = arguments.real("width", width, above=0, most=100)
    columns = min(max(int(width // _NARROWEST), 1), len(scenes))
    rows = [scenes[first : first + columns] for first in range(0, len(scenes), columns)]
    height = min(_SHAPE * width / columns * len(rows) + 0.5 * bool(title), 100.0)
    with mpl.rc_context({"font.size": _SMALL_PRINT} if width <= WIDTHS["page"] else {}):
        return page(title, rows, [[1.0] * len(row) for row in rows], [1.0] * len(rows), (width, height))


def _write(axes: Axes, heads: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[float]) -> None:
    axes.set_axis_off()
    whole = axes.table(
        [list(row) for row in rows],
        colLabels=list(heads),
        colWidths=list(shares),
        cellLoc="left",
        colLoc="left",
        loc="upper left",
    )
    whole.auto_set_font_size(False)
    whole.set_fontsize(style.size(style.SMALL, axes))
    lines = [max(text.count("\n") + 1.6 for text in row) for row in (heads, *rows)]
    for (row, _), cell in whole.get_celld().items():
        cell.set_height(lines[row] / sum(lines))
        cell.visible_edges = "B"
        cell.set_edgecolor(style.color("faint", axes))
        cell.get_text().set_color(style.color("text", axes))
        cell.set_facecolor("none")
        cell.PAD = 0.02


def _checked(size: Any) -> tuple[float, float]:
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise TypeError(f"size must be (width, height) in inches or None, got {named(size)}")
    width, height = (arguments.real("size", side, above=0, most=100) for side in size)
    return width, height
