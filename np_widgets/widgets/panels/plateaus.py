"""The training loss of a saddle flow: level near a saddle, falling on the way to the next."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.pictures.labels import number
from np_widgets.pictures.plateaus import Plateaus, plateaus
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.curves import draw_curves, level
from np_widgets.widgets.panels.limits import round_ticks
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.panels.timeline import Timeline
from np_widgets.widgets.saddle_view import SaddleView
from np_widgets.widgets.writing import update


class PlateausPanel(Panel[SaddleView]):
    """The loss over time; each plateau is a broad bar under it, with its level written above."""

    def __init__(self) -> None:
        y = bqplot.LinearScale(min=0.0, max=1.0)
        self._timeline = Timeline(y)
        scales = {"x": self._timeline.x, "y": y}
        self._plateaus = bqplot.Lines(
            x=[0.0, 1.0],
            y=[0.0, 0.0],
            scales=scales,
            visible=False,
            stroke_width=9,
            colors=[theme.TRUTH],
            opacities=[0.4],
        )
        self._trace = bqplot.Lines(
            x=[0.0, 1.0], y=[0.0, 0.0], scales=scales, visible=False, stroke_width=2, colors=[theme.LEARNED]
        )
        # Near the right end a label goes to the left, or it would be cut off.
        self._levels = {
            align: bqplot.Label(
                scales=scales,
                visible=False,
                default_size=11.0,
                font_weight="normal",
                align=align,
                y_offset=-10,
                colors=[theme.TEXT],
            )
            for align in ("start", "end")
        }
        self._pursuit = bqplot.Scatter(
            scales=scales,
            visible=False,
            marker="square",
            default_size=140,
            colors=[theme.SURFACE],
            stroke=theme.SERIES[2],
            stroke_width=2.0,
        )
        self._axis_y = axis(y, "loss", vertical=True, label_offset="50px", tick_format=".3~g")
        super().__init__(
            "Loss: plateaus at saddles",
            [self._plateaus, self._trace, self._pursuit, *self._timeline.marks, *self._levels.values()],
            [self._timeline.axis, self._axis_y],
            margin={"top": 18, "bottom": 40, "left": 64, "right": 14},
        )

    def show(self, shown: SaddleView) -> None:
        """Draw the loss of a frame."""
        picture = plateaus(shown.frame, shown.index)
        draw_curves(self._trace, [(picture.time, picture.losses)])
        draw_curves(self._plateaus, [level(plateau.start, plateau.end, plateau.level) for plateau in picture.plateaus])
        self._show_levels(picture)
        compared = [(c.time, c.pursuit_loss) for c in picture.comparisons if c.pursuit_loss is not None]
        update(
            self._pursuit,
            x=np.array([time for time, _ in compared]),
            y=np.array([loss for _, loss in compared]),
            visible=bool(compared),
        )
        update(self._axis_y, tick_values=round_ticks(picture.low, picture.high))
        cursor = None if shown.index is None else picture.now
        key = self._timeline.show(picture.left, picture.right, picture.low, picture.high, cursor, picture.marks)
        looked_at = (
            "" if cursor is None or picture.loss_now is None else f"At the time shown: loss {number(picture.loss_now)}"
        )
        comparisons = (comparison.label for comparison in picture.comparisons)
        self.tell(self._key(picture, bool(compared)) + key, looked_at, *comparisons, picture.empty)

    def _show_levels(self, picture: Plateaus) -> None:
        turn = picture.left + 0.75 * (picture.right - picture.left)
        for align, mark in self._levels.items():
            here = [each for each in picture.plateaus if (each.start > turn) == (align == "end")]
            update(
                mark,
                x=np.array([each.start for each in here]),
                y=np.array([each.level for each in here]),
                text=np.array([each.label for each in here], dtype=str),
                visible=bool(here),
            )

    def _key(self, picture: Plateaus, compared: bool) -> str:
        if len(picture.time) < 2:
            return ""
        entries = [legend.line("training", theme.LEARNED)]
        if picture.plateaus:
            entries.append(legend.line("plateau", theme.TRUTH, width=8, opacity=0.4))
        if compared:
            entries.append(legend.marker("Neuron Pursuit", theme.SERIES[2], "square"))
        return "".join(entries)
