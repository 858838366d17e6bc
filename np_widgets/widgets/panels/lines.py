"""One output over the vertices of the hypercube, or over one input."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.pictures.function import Lines
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.limits import round_limits, round_ticks, snapped
from np_widgets.widgets.panels.panel import axis
from np_widgets.widgets.writing import update


class LinesDrawing:
    """The truth as a broad line, what is learned as a thin one on it, data as dots."""

    def __init__(self, kind: str) -> None:
        self._x, self._y = bqplot.LinearScale(), bqplot.LinearScale()
        scales = {"x": self._x, "y": self._y}
        self._truth = bqplot.Lines(
            x=[0.0, 1.0],
            y=[0.0, 0.0],
            scales=scales,
            visible=False,
            stroke_width=6,
            colors=[theme.TRUTH],
            opacities=[0.45],
        )
        self._data = bqplot.Scatter(
            scales=scales, visible=False, default_size=18, colors=[theme.MUTED], opacities=[0.7]
        )
        self._learned = bqplot.Lines(
            x=[0.0, 1.0], y=[0.0, 0.0], scales=scales, visible=False, stroke_width=1.6, colors=[theme.LEARNED]
        )
        # Where a vertex stands has no meaning beyond the order.
        ticks = {"num_ticks": 0} if kind == "hypercube" else {"tick_format": ".3~g"}
        self._axis_x = axis(self._x, **ticks)
        if kind == "hypercube":
            self._axis_x.label_offset = "14px"
        self._axis_y = axis(self._y, vertical=True, tick_format=".3~g")
        self.marks = [self._truth, self._data, self._learned]
        self.axes = [self._axis_x, self._axis_y]

    def draw(self, picture: Lines) -> str:
        """Draw, and return the legend."""
        shown = [values for values in (picture.truth, picture.learned, picture.data_y) if values is not None]
        everything = np.concatenate(shown) if shown else np.zeros(1)
        finite = everything[np.isfinite(everything)]
        low, high = round_limits(float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 1.0)
        update(self._x, min=float(picture.x[0]), max=float(picture.x[-1]))
        update(self._y, min=low, max=high)
        update(self._axis_x, label=picture.x_label)
        if picture.kind == "curve":
            update(self._axis_x, tick_values=round_ticks(float(picture.x[0]), float(picture.x[-1])))
        update(self._axis_y, label=picture.y_label, tick_values=round_ticks(low, high))
        entries = []
        for mark, values, entry in (
            (self._learned, picture.learned, legend.line("learned", theme.LEARNED, width=1.6)),
            (self._truth, picture.truth, legend.line("true", theme.TRUTH, width=6, opacity=0.45)),
        ):
            if values is not None:
                update(mark, x=picture.x, y=snapped(values, low, high))
                entries.append(entry)
            update(mark, visible=values is not None)
        update(self._data, x=picture.data_x, y=picture.data_y, visible=len(picture.data_x) > 0)
        if len(picture.data_x):
            entries.append(legend.marker("training data", theme.MUTED, "circle"))
        return "".join(entries)
