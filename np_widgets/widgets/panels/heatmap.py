"""A weight matrix as a signed heat map, with the blocks of active and dormant neurons framed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bqplot
import numpy as np

from np_widgets.pictures.heatmap import Block, heatmap
from np_widgets.widgets import theme
from np_widgets.widgets.chooser import Chooser, weight_matrices
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.curves import Floats, draw_curves
from np_widgets.widgets.panels.limits import snapped
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.saddle_view import SaddleView
from np_widgets.widgets.writing import update

_MOST_LABELS = 12
_ACTIVE, _DORMANT = theme.TEXT, theme.ACCENT


class HeatmapPanel(Panel[SaddleView]):
    """Cells in colors; solid frames around what is active, dashed ones around what is dormant.

    Parameters
    ----------
    on_choice
        Called when the user has chosen another layer.
    """

    def __init__(self, on_choice: Callable[[], None]) -> None:
        self._chooser = Chooser("Weights of", "Which weight matrix to show", on_choice, "185px")
        self._x, self._y = bqplot.LinearScale(min=0.0, max=1.0), bqplot.LinearScale(min=0.0, max=1.0, reverse=True)
        scales = {"x": self._x, "y": self._y}
        color = bqplot.ColorScale(colors=theme.DIVERGING[::-1], min=-1.0, max=1.0)
        self._cells = bqplot.HeatMap(
            x=[0.0, 1.0], y=[0.0, 1.0], color=np.zeros((2, 2)), scales=scales | {"color": color}
        )

        def lines(color: str, width: float, dash: str = "solid") -> bqplot.Lines:
            return bqplot.Lines(
                x=[0.0, 0.0],
                y=[0.0, 0.0],
                scales=scales,
                visible=False,
                stroke_width=width,
                line_style=dash,
                colors=[color],
            )

        # Cells are light in both themes: a frame that is light in one of them needs an edge.
        self._edges = lines(theme.SURFACE, 5)
        self._frames = {True: lines(_DORMANT, 2.5, "dashed"), False: lines(_ACTIVE, 2.5)}
        self._axis_x, self._axis_y = axis(self._x), axis(self._y, vertical=True)
        super().__init__(
            "Weights",
            [self._cells, self._edges, *self._frames.values()],
            [self._axis_x, self._axis_y],
            margin={"top": 8, "bottom": 40, "left": 56, "right": 12},
            controls=[self._chooser.box],
        )

    def show(self, shown: SaddleView) -> None:
        """Draw the chosen weight matrix."""
        self._chooser.offer(weight_matrices(len(shown.frame.weights)))
        picture = heatmap(shown.frame, shown.index, self._chooser.value or 1)
        rows, columns = picture.shades.shape
        update(self._x, min=-0.1, max=columns + 0.1)
        update(self._y, min=-0.1, max=rows + 0.1)
        for mark, label, names in (
            (self._axis_x, picture.x_label, picture.column_labels),
            (self._axis_y, picture.y_label, picture.row_labels),
        ):
            places = _labeled(len(names))
            update(mark, label=label, tick_values=places, tick_labels=_tick_labels(places, names))
        cells = _at_least_two(snapped(picture.shades, -1.0, 1.0))
        y, x = (_centers(size, shown) for size, shown in zip((rows, columns), cells.shape, strict=True))
        update(self._cells, x=x, y=y, color=cells)
        draw_curves(self._edges, [_outline(block) for block in picture.blocks])
        for dormant, mark in self._frames.items():
            draw_curves(mark, [_outline(block) for block in picture.blocks if block.dormant == dormant])
        key = legend.scale(theme.DIVERGING[::-1], "−", "+", "weight")
        if any(not block.dormant for block in picture.blocks):
            key += legend.line("active", _ACTIVE, width=2.5)
        if any(block.dormant for block in picture.blocks):
            key += legend.line("dormant", _DORMANT, dash="dashed", width=2.5)
        self.tell(key, *picture.scales, picture.note)


def _labeled(count: int) -> Floats:
    """The middles of the cells that get a label: not so many that they run into each other."""
    return np.arange(0, count, -(-count // _MOST_LABELS), dtype=np.float64) + 0.5


def _tick_labels(places: Floats, names: Sequence[str]) -> dict[str, str]:
    return {repr(place): names[int(place)] for place in places.tolist()}


def _at_least_two(cells: Floats) -> Floats:
    """A heat map needs two cells each way to know how large they are: a single one is drawn as two halves."""
    for way, size in enumerate(cells.shape):
        if size == 1:
            cells = np.repeat(cells, 2, axis=way)
    return cells


def _centers(size: int, drawn: int) -> Floats:
    """The middles of ``drawn`` cells that fill the room of ``size``."""
    return np.arange(0.5, drawn) * (size / drawn)


def _outline(block: Block) -> tuple[Floats, Floats]:
    x = np.array([block.left, block.right, block.right, block.left, block.left], dtype=np.float64)
    y = np.array([block.top, block.top, block.bottom, block.bottom, block.top], dtype=np.float64)
    return x, y
