"""The rows of one weight matrix: a line for each neuron."""

from __future__ import annotations

from collections.abc import Callable

import bqplot
import numpy as np

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.weights import Weights, weights
from np_widgets.widgets import theme
from np_widgets.widgets.chooser import Chooser, weight_matrices
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.limits import round_limits, round_ticks, snapped
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.writing import update

# With more points than this, markers would run into each other.
_MOST_MARKERS = 64


class WeightsPanel(Panel[PursuitFrame]):
    """A line for each neuron of a chosen layer over what it listens to; the other matrices are written below.

    Parameters
    ----------
    on_choice
        Called when the user has chosen another layer.
    """

    def __init__(self, on_choice: Callable[[], None]) -> None:
        self._chooser = Chooser("Weights of", "Which weight matrix to show", on_choice, "185px")
        self._x, self._y = bqplot.LinearScale(), bqplot.LinearScale()
        scales = {"x": self._x, "y": self._y}
        # A dash pattern and a marker belong to a mark: neuron i is drawn by mark i modulo their number.
        self._lines = [
            bqplot.Lines(
                x=[0.0, 0.0],
                y=[0.0, 0.0],
                scales=scales,
                visible=False,
                stroke_width=1.8,
                line_style=dash,
                marker_size=30,
                colors=list(theme.SERIES[i :: len(theme.DASHES)]),
            )
            for i, dash in enumerate(theme.DASHES)
        ]
        self._zero = bqplot.Lines(
            x=[0.0, 1.0], y=[0.0, 0.0], scales=scales, visible=False, stroke_width=1, colors=[theme.FAINT]
        )
        self._axis_x = axis(self._x, tick_format="d")
        self._axis_y = axis(self._y, vertical=True, tick_format=".3~g")
        super().__init__(
            "Weights",
            [self._zero, *self._lines],
            [self._axis_x, self._axis_y],
            margin={"top": 8, "bottom": 40, "left": 56, "right": 10},
            controls=[self._chooser.box],
        )

    def show(self, frame: PursuitFrame) -> None:
        """Draw the chosen layer of the frame's network."""
        self._chooser.offer(weight_matrices(len(frame.weights)))
        picture = weights(frame, self._chooser.value or 1)
        self._show_lines(picture)
        marked = len(picture.x) <= _MOST_MARKERS
        entries = [
            legend.line(
                f"{label} (new)" if added and frame.iteration > 1 else label,
                theme.SERIES[i],
                dash=theme.DASHES[i % len(theme.DASHES)],
                marker=theme.MARKERS[i % len(theme.MARKERS)] if marked else None,
            )
            for i, (label, added) in enumerate(zip(picture.labels, picture.added, strict=True))
        ]
        empty = "" if frame.weights else "One line a neuron, once there is a network."
        self.tell("".join(entries), *picture.printed, picture.note, empty)

    def _show_lines(self, picture: Weights) -> None:
        shown = len(picture.x) > 0
        for mark in (self._zero, self._axis_x, self._axis_y):
            update(mark, visible=shown)
        if not shown:
            for mark in self._lines:
                update(mark, visible=False)
            return
        low, high = round_limits(min(float(picture.rows.min()), 0.0), max(float(picture.rows.max()), 0.0))
        left, right = float(picture.x[0]) - 0.5, float(picture.x[-1]) + 0.5
        update(self._x, min=left, max=right)
        update(self._y, min=low, max=high)
        update(self._zero, x=np.array([left, right]), y=np.zeros(2))
        ticks = picture.x[:: max(1, -(-len(picture.x) // 10))]
        update(self._axis_x, label=picture.x_label, tick_values=ticks)
        update(self._axis_y, label=picture.y_label, tick_values=round_ticks(low, high))
        for i, mark in enumerate(self._lines):
            rows = snapped(picture.rows[i :: len(self._lines)], low, high)
            if not len(rows):
                update(mark, visible=False)
                continue
            x, marker = picture.x, theme.MARKERS[i] if len(picture.x) <= _MOST_MARKERS else None
            if len(x) == 1:  # one point a line: bqplot would take the column for one line
                x, rows = np.repeat(x, 2), np.repeat(rows, 2, axis=1)
            update(mark, x=x, y=np.squeeze(rows), marker=marker, visible=True)
