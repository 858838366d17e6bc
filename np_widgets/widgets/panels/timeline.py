"""What pictures of a saddle flow over time have in common: the axis, a cursor at the time shown, and events."""

from __future__ import annotations

from collections.abc import Sequence

import bqplot
import numpy as np

from np_widgets.pictures.stages import Mark
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.curves import draw_curves, upright
from np_widgets.widgets.panels.limits import round_limits, round_ticks
from np_widgets.widgets.panels.panel import axis
from np_widgets.widgets.writing import update

_LOOKS = {
    "aligned": ("circle", theme.SERIES[2], "aligned"),
    "escaped": ("triangle-up", theme.ACCENT, "escaped"),
    "saddle": ("diamond", theme.TEXT, "next saddle"),
}


class Timeline:
    """A horizontal axis of time, and marks over it.

    Parameters
    ----------
    y
        The vertical scale.

    Attributes
    ----------
    x
        The horizontal scale.
    axis
        Its axis.
    marks
        To be drawn above all others.
    """

    def __init__(self, y: bqplot.LinearScale) -> None:
        self.x = bqplot.LinearScale(min=0.0, max=1.0)
        self._y = y
        self.axis = axis(self.x, "time", tick_format=".3~g")
        scales = {"x": self.x, "y": y}
        self._cursor = bqplot.Lines(
            x=[0.0, 0.0], y=[0.0, 1.0], scales=scales, visible=False, stroke_width=1.5, colors=[theme.TEXT]
        )
        self._events = {
            kind: bqplot.Scatter(
                scales=scales,
                visible=False,
                marker=shape,
                default_size=70,
                colors=[color],
                stroke=theme.SURFACE,
                stroke_width=1.0,
            )
            for kind, (shape, color, _) in _LOOKS.items()
        }
        self.marks = [self._cursor, *self._events.values()]

    def show(
        self, left: float, right: float, low: float, high: float, cursor: float | None, events: Sequence[Mark]
    ) -> str:
        """Show time from ``left`` to ``right`` and heights from ``low`` to ``high``; returns the legend of the events.

        Heights are those of the vertical scale, which is set here, too.
        """
        # An axis that grew with every frame would cost the browser more than all marks together.
        _, right = round_limits(left, right)
        update(self.x, min=left, max=right)
        update(self.axis, tick_values=round_ticks(left, right))
        update(self._y, min=low, max=high)
        draw_curves(self._cursor, upright([] if cursor is None else [cursor], low, high))
        entries = []
        for kind, (shape, color, label) in _LOOKS.items():
            found = [event for event in events if event.kind == kind]
            x, y = np.array([event.time for event in found]), np.array([event.value for event in found])
            update(self._events[kind], x=x, y=y, visible=bool(found))
            if found:
                entries.append(legend.marker(label, color, shape))
        return "".join(entries)
