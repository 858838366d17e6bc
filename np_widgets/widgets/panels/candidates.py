"""The NCF value of each candidate of the last search, by layer, and where the look-ahead left it."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.candidates import Candidates, candidates
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.limits import LOG_TICK_LABELS, log_ticks, round_limits, round_ticks
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.writing import update


class CandidatesPanel(Panel[PursuitFrame]):
    """What a new neuron could be worth, which was taken, and what decided."""

    def __init__(self) -> None:
        self._x, self._y = bqplot.LinearScale(min=-0.5, max=0.5), bqplot.LinearScale(min=0.0, max=1.0)
        # The exponent is what is drawn: bqplot cannot label the powers of ten of its own log scale.
        self._loss = bqplot.LinearScale(min=-1.0, max=0.0)
        scales, right = {"x": self._x, "y": self._y}, {"x": self._x, "y": self._loss}
        self._stems = bqplot.Lines(
            x=[0.0, 0.0], y=[0.0, 0.0], scales=scales, visible=False, stroke_width=1.5, colors=[theme.MUTED]
        )
        self._points = bqplot.Scatter(scales=scales, visible=False, default_size=40, colors=[theme.LEARNED])
        self._directions = bqplot.Scatter(
            scales=scales, visible=False, marker="triangle-up", default_size=40, colors=[theme.LEARNED]
        )
        self._chosen = bqplot.Scatter(
            scales=scales,
            visible=False,
            marker="diamond",
            default_size=130,
            colors=[theme.ACCENT],
            stroke=theme.TEXT,
            stroke_width=1.2,
        )
        self._losses = bqplot.Scatter(
            scales=right, visible=False, marker="square", default_size=36, colors=[theme.TRUTH], fill=False
        )
        self._axis_x = axis(self._x)
        self._axis_y = axis(self._y, "NCF value", vertical=True, label_offset="54px")
        self._axis_loss = axis(
            self._loss, "loss", vertical=True, side="right", label_offset="44px", tick_labels=LOG_TICK_LABELS
        )
        self._axis_loss.visible = False
        super().__init__(
            "Candidates",
            [self._stems, self._points, self._directions, self._chosen, self._losses],
            [self._axis_x, self._axis_y, self._axis_loss],
            margin={"top": 18, "bottom": 26, "left": 70, "right": 60},
            height="190px",
            wide=True,
        )

    def show(self, frame: PursuitFrame) -> None:
        """Draw the frame's candidates."""
        picture = candidates(frame)
        x, values = picture.x, picture.values
        found = len(x) > 0
        self._show_axes(picture)
        if found:
            stems = np.stack([np.zeros_like(values), values], axis=1)
            update(self._stems, x=np.squeeze(np.repeat(x[:, None], 2, axis=1)), y=np.squeeze(stems))
        update(self._stems, visible=found)
        taken = np.arange(len(x)) == picture.chosen
        tried = np.isfinite(picture.losses)
        for mark, which in (
            (self._points, picture.kkt & ~taken),
            (self._directions, ~picture.kkt & ~taken),
            (self._chosen, taken),
        ):
            update(mark, x=x[which], y=values[which], visible=bool(which.any()))
        update(self._losses, x=x[tried], y=np.log10(picture.losses[tried]), visible=bool(tried.any()))
        entries = [
            legend.marker(label, color, shape)
            for label, color, shape in (
                (picture.points_label, theme.LEARNED, "circle"),
                (picture.directions_label, theme.LEARNED, "triangle-up"),
                (picture.chosen_label, theme.ACCENT, "diamond"),
                (picture.losses_label, theme.TRUTH, "square"),
            )
            if label
        ]
        self.tell("".join(entries), picture.nothing, *picture.notes)

    def _show_axes(self, picture: Candidates) -> None:
        values, tried = picture.values, bool(picture.losses_label)
        update(self._x, min=-0.5, max=len(picture.places) - 0.5)
        high = round_limits(0.0, float(values.max()))[1] if len(values) and values.max() > 0 else 1.0
        # What was found with the other one-sided signals may have a negative value.
        low = round_limits(float(values.min()), high)[0] if len(values) and values.min() < 0 else 0.0
        update(self._y, min=low, max=high)
        update(self._axis_y, tick_values=round_ticks(low, high), tick_format=".3~g" if high >= 0.01 else ".1~e")
        update(
            self._axis_x,
            tick_labels={str(place): name for place, name in enumerate(picture.places)},
            tick_values=np.arange(len(picture.places), dtype=np.float64),
        )
        update(self._loss, min=float(np.log10(picture.low)), max=float(np.log10(picture.high)))
        update(self._axis_loss, tick_values=log_ticks(picture.low, picture.high, 4), visible=tried)
