"""Prediction against target."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.pictures.function import Scatter
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.limits import round_limits, round_ticks, snapped
from np_widgets.widgets.panels.panel import axis
from np_widgets.widgets.writing import update


class ScatterDrawing:
    """Training samples as circles, test samples as squares, and the diagonal on which all should lie."""

    def __init__(self) -> None:
        self._x, self._y = bqplot.LinearScale(), bqplot.LinearScale()
        scales = {"x": self._x, "y": self._y}
        self._diagonal = bqplot.Lines(
            x=[0.0, 1.0], y=[0.0, 1.0], scales=scales, stroke_width=1.2, line_style="dashed", colors=[theme.MUTED]
        )
        self._training = bqplot.Scatter(
            scales=scales, visible=False, default_size=20, colors=[theme.LEARNED], opacities=[0.6]
        )
        self._test = bqplot.Scatter(
            scales=scales,
            visible=False,
            default_size=22,
            marker="square",
            colors=[theme.TRUTH],
            opacities=[0.6],
        )
        self._axis_x = axis(self._x, tick_format=".3~g")
        self._axis_y = axis(self._y, vertical=True, tick_format=".3~g")
        self.marks = [self._diagonal, self._training, self._test]
        self.axes = [self._axis_x, self._axis_y]

    def draw(self, picture: Scatter) -> str:
        """Draw, and return the legend."""
        predictions = picture.predictions
        everything = picture.targets if predictions is None else np.append(predictions, [picture.low, picture.high])
        finite = everything[np.isfinite(everything)]
        limits = round_limits(float(finite.min()), float(finite.max()))
        for scale, mark, label, (low, high) in (
            (self._x, self._axis_x, picture.x_label, round_limits(picture.low, picture.high)),
            (self._y, self._axis_y, picture.y_label, limits),
        ):
            update(scale, min=low, max=high)
            update(mark, label=label, tick_values=round_ticks(low, high))
        update(self._diagonal, x=np.array([picture.low, picture.high]), y=np.array([picture.low, picture.high]))
        entries = [legend.line("exact", theme.MUTED, dash="dashed", width=1.2)]
        for mark, chosen, entry in (
            (self._training, ~picture.is_test, legend.marker("training", theme.LEARNED, "circle")),
            (self._test, picture.is_test, legend.marker("test", theme.TRUTH, "square")),
        ):
            shown = predictions is not None and bool(chosen.any())
            if predictions is not None and shown:
                update(mark, x=picture.targets[chosen], y=snapped(predictions[chosen], *limits))
                entries.append(entry)
            update(mark, visible=shown)
        return "".join(entries)
