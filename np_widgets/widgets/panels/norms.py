"""Norms over time on a log scale: what the dormant weights do, and what theory says they do."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.pictures.norms import Norms, norms
from np_widgets.pictures.stages import Mark
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.curves import draw_curves, level, upright
from np_widgets.widgets.panels.limits import LOG_TICK_LABELS, log_ticks
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.panels.timeline import Timeline
from np_widgets.widgets.saddle_view import SaddleView
from np_widgets.widgets.writing import update

_AWAKE = theme.SERIES[2]
_SHIFT = theme.SERIES[5]


class NormsPanel(Panel[SaddleView]):
    """Norms of all dormant weights, of each neuron, and of what the active weights have moved."""

    def __init__(self) -> None:
        # The exponent is what is drawn: bqplot cannot label the powers of ten of its own log scale.
        y = bqplot.LinearScale(min=-1.0, max=0.0)
        self._timeline = Timeline(y)
        scales = {"x": self._timeline.x, "y": y}

        def lines(color: str, width: float, dash: str = "solid", opacity: float = 1.0) -> bqplot.Lines:
            return bqplot.Lines(
                x=[0.0, 1.0],
                y=[0.0, 0.0],
                scales=scales,
                visible=False,
                stroke_width=width,
                line_style=dash,
                colors=[color],
                opacities=[opacity],
            )

        self._dormant = lines(theme.MUTED, 1, opacity=0.6)
        self._awake = lines(_AWAKE, 1.6, "dash_dotted")
        self._shift = lines(_SHIFT, 1.6, "dotted")
        self._total = lines(theme.LEARNED, 2.6)
        self._predicted = lines(theme.TRUTH, 2, "dashed")
        self._threshold = lines(theme.TEXT, 1, "dotted")
        self._drops = lines(theme.TRUTH, 1, "dotted")
        self._escape = bqplot.Scatter(
            scales=scales,
            visible=False,
            marker="circle",
            default_size=60,
            colors=[theme.SURFACE],
            stroke=theme.TRUTH,
            stroke_width=2.0,
        )
        self._axis_y = axis(y, "norm", vertical=True, label_offset="54px", tick_labels=LOG_TICK_LABELS)
        marks = [self._dormant, self._awake, self._shift, self._threshold, self._drops, self._total, self._predicted]
        super().__init__(
            "Norms: dormant weights grow",
            [*marks, self._escape, *self._timeline.marks],
            [self._timeline.axis, self._axis_y],
            margin={"top": 10, "bottom": 40, "left": 70, "right": 14},
            wide=True,
        )

    def show(self, shown: SaddleView) -> None:
        """Draw the norms of a frame."""
        picture = norms(shown.frame, shown.index)
        low, high = float(np.log10(picture.low)), float(np.log10(picture.high))
        update(self._axis_y, tick_values=log_ticks(picture.low, picture.high))
        neurons, awake = np.log10(picture.neurons), picture.neuron_awake
        draw_curves(self._dormant, [(picture.time, row) for row in neurons[~awake]])
        draw_curves(self._awake, [(picture.time, row) for row in neurons[awake]])
        draw_curves(self._shift, [(picture.shift_time, np.log10(picture.shift))])
        draw_curves(self._total, [(growth.time, np.log10(growth.norm)) for growth in picture.growths])
        draw_curves(
            self._predicted, [(growth.predicted_time, np.log10(growth.predicted_norm)) for growth in picture.growths]
        )
        self._show_escapes(picture, low, high)
        cursor = None if shown.index is None else picture.now
        events = [Mark(mark.kind, mark.time, float(np.log10(mark.value)), mark.message) for mark in picture.marks]
        key = self._timeline.show(picture.left, picture.right, low, high, cursor, events)
        only_start = len(picture.time) == 1 and shown.frame.finished is None
        ready = "Only the start is known yet: press Play, Step or To escape." if only_start else ""
        self.tell(self._key(picture) + key, picture.summary, picture.note, picture.empty, ready)

    def _show_escapes(self, picture: Norms, low: float, high: float) -> None:
        end = picture.right
        known = [(growth, growth.escape_norm) for growth in picture.growths if growth.escape_norm is not None]
        draw_curves(
            self._threshold,
            [level(growth.start, min(growth.end, end), float(np.log10(norm))) for growth, norm in known],
        )
        expected = [(growth.predicted_escape, norm) for growth, norm in known if growth.predicted_escape is not None]
        times = np.array([time for time, _ in expected if time <= end])
        heights = np.log10([norm for time, norm in expected if time <= end])
        draw_curves(self._drops, upright(times, low, high))
        update(self._escape, x=times, y=heights, visible=len(times) > 0)

    def _key(self, picture: Norms) -> str:
        if len(picture.time) < 2:
            return ""
        entries = [legend.line("dormant weights", theme.LEARNED, width=2.6)]
        if any(len(growth.predicted_time) for growth in picture.growths):
            entries.append(legend.line("predicted", theme.TRUTH, dash="dashed"))
        if any(growth.predicted_escape is not None and growth.escape_norm is not None for growth in picture.growths):
            entries.append(legend.line("predicted escape", theme.TRUTH, dash="dotted", width=1, marker="circle"))
        if not picture.neuron_awake.all():
            entries.append(legend.line("each neuron", theme.MUTED, width=1))
        if picture.neuron_awake.any():
            entries.append(legend.line("woke up", _AWAKE, dash="dash_dotted", width=1.6))
        if len(picture.shift):
            entries.append(legend.line("how far active weights moved", _SHIFT, dash="dotted", width=1.6))
        if any(growth.escape_norm is not None for growth in picture.growths):
            entries.append(legend.line("counts as escaped", theme.TEXT, dash="dotted", width=1))
        return "".join(entries)
