"""The training loss on a log scale, with each addition marked."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.loss import Floats, Loss, loss
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.limits import LOG_TICK_LABELS, log_ticks, round_limits, round_ticks
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.writing import update


class LossPanel(Panel[PursuitFrame]):
    """Loss over all minimizer steps."""

    def __init__(self) -> None:
        # The exponent is what is drawn: bqplot cannot label the powers of ten of its own log scale.
        self._x, self._y = bqplot.LinearScale(min=0.0, max=1.0), bqplot.LinearScale(min=-1.0, max=0.0)
        scales = {"x": self._x, "y": self._y}
        self._trace = bqplot.Lines(
            x=[0.0, 1.0], y=[1.0, 1.0], scales=scales, visible=False, stroke_width=2, colors=[theme.LEARNED]
        )
        self._drops = bqplot.Lines(
            x=[0.0, 0.0],
            y=[1.0, 1.0],
            scales=scales,
            visible=False,
            stroke_width=1,
            line_style="dotted",
            colors=[theme.MUTED],
        )
        self._additions = bqplot.Scatter(
            scales=scales, visible=False, marker="triangle-down", default_size=50, colors=[theme.ACCENT]
        )
        self._layers = bqplot.Label(
            scales=scales,
            visible=False,
            default_size=11.0,
            font_weight="normal",
            align="middle",
            y_offset=-9,
            colors=[theme.TEXT],
        )
        self._test = bqplot.Scatter(
            scales=scales, visible=False, marker="square", default_size=36, colors=[theme.TRUTH]
        )
        self._best = bqplot.Scatter(
            scales=scales,
            visible=False,
            marker="square",
            default_size=130,
            fill=False,
            stroke_width=2,
            stroke=theme.TEXT,
            colors=[theme.TEXT],
        )
        self._axis_x = axis(self._x, "minimizer steps", tick_format=".3~s")
        self._axis_y = axis(self._y, "loss", vertical=True, label_offset="54px", tick_labels=LOG_TICK_LABELS)
        super().__init__(
            "Loss",
            [self._drops, self._trace, self._test, self._best, self._additions, self._layers],
            [self._axis_x, self._axis_y],
            margin={"top": 18, "bottom": 40, "left": 70, "right": 14},
            height="190px",
            wide=True,
        )

    def show(self, frame: PursuitFrame) -> None:
        """Draw the frame's trace."""
        picture = loss(frame)
        self._show_axes(picture)
        if len(picture.steps):
            # A single point is a line of no length.
            twice = 2 if len(picture.steps) == 1 else 1
            update(self._trace, x=np.tile(picture.steps, twice), y=np.tile(np.log10(picture.losses), twice))
        update(self._trace, visible=len(picture.steps) > 0)
        marks = picture.addition_steps
        if len(marks):
            heights = np.log10(picture.addition_losses)
            ends = np.tile(np.log10([picture.low, picture.high]), (len(marks), 1))
            update(self._drops, x=np.squeeze(np.repeat(marks[:, None], 2, axis=1)), y=np.squeeze(ends))
            update(self._additions, x=marks, y=heights)
            places, text = _side_by_side(marks, picture)
            update(self._layers, x=marks[places], y=heights[places], text=np.array(text))
        for mark in (self._drops, self._additions, self._layers):
            update(mark, visible=len(marks) > 0)
        tested = len(picture.test_steps) > 0
        update(self._test, x=picture.test_steps, y=np.log10(picture.test_losses), visible=tested)
        best = len(picture.best_steps) > 0
        update(self._best, x=picture.best_steps, y=np.log10(picture.best_losses), visible=best)
        self.tell(self._key(picture))

    def _show_axes(self, picture: Loss) -> None:
        # An axis that grew with every frame would cost the browser more than all marks together.
        _, right = round_limits(0.0, max(float(picture.steps[-1]) if len(picture.steps) else 0.0, 10.0))
        update(self._x, max=right)
        low, high = float(np.log10(picture.low)), float(np.log10(picture.high))
        # The layer that a neuron joined is written above its mark.
        update(self._y, min=low, max=high + 0.12 * (high - low))
        update(self._axis_y, tick_values=log_ticks(picture.low, picture.high))
        update(self._axis_x, tick_values=round_ticks(0.0, right))

    def _key(self, picture: Loss) -> str:
        entries = [legend.line("training", theme.LEARNED)] if len(picture.steps) else []
        if len(picture.test_steps):
            entries.append(legend.marker("test", theme.TRUTH, "square"))
        if len(picture.best_steps):
            entries.append(legend.marker("best on test", theme.TEXT, "frame"))
        if len(picture.addition_steps):
            entries.append(legend.marker("a neuron joined this layer", theme.ACCENT, "triangle-down"))
        return "".join(entries)


def _side_by_side(marks: Floats, picture: Loss) -> tuple[list[int], list[str]]:
    """Where to write the layers of additions, and what: those too near to the one before share its place."""
    near = 0.04 * max(float(picture.steps[-1]) if len(picture.steps) else 1.0, 1.0)
    places: list[int] = []
    text: list[str] = []
    for i, label in enumerate(picture.addition_labels):
        if places and marks[i] - marks[places[-1]] < near:
            text[-1] += f", {label}"
        else:
            places.append(i)
            text.append(label)
    return places, text
