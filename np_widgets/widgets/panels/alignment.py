"""How dormant neurons turn towards KKT points: cosines over time."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.pictures.alignment import ALIGNED, Alignment, alignment
from np_widgets.pictures.stages import Mark
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.curves import draw_curves, upright
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.panels.timeline import Timeline
from np_widgets.widgets.saddle_view import SaddleView

_LOW, _HIGH = -1.06, 1.06


class AlignmentPanel(Panel[SaddleView]):
    """A line for each neuron; the largest dormant one stands out."""

    def __init__(self) -> None:
        y = bqplot.LinearScale(min=_LOW, max=_HIGH)
        self._timeline = Timeline(y)
        scales = {"x": self._timeline.x, "y": y}
        self._neurons = bqplot.Lines(
            x=[0.0, 1.0],
            y=[0.0, 0.0],
            scales=scales,
            visible=False,
            stroke_width=1,
            colors=[theme.MUTED],
            opacities=[0.7],
        )
        self._leader = bqplot.Lines(
            x=[0.0, 1.0], y=[0.0, 0.0], scales=scales, visible=False, stroke_width=2.6, colors=[theme.LEARNED]
        )
        self._saddles = bqplot.Lines(
            x=[0.0, 0.0],
            y=[0.0, 0.0],
            scales=scales,
            visible=False,
            stroke_width=1,
            line_style="dotted",
            colors=[theme.TEXT],
        )
        ticks = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
        axis_y = axis(y, "cosine", vertical=True, tick_values=ticks, tick_format=".1f")
        super().__init__(
            "Directions: cosine to the KKT point",
            [self._neurons, self._saddles, self._leader, *self._timeline.marks],
            [self._timeline.axis, axis_y],
            margin={"top": 10, "bottom": 40, "left": 56, "right": 14},
            wide=True,
        )

    def show(self, shown: SaddleView) -> None:
        """Draw the cosines of a frame."""
        picture = alignment(shown.frame, shown.index)
        leads = np.arange(len(picture.cosines)) == (-1 if picture.leader is None else picture.leader)
        draw_curves(self._neurons, [(picture.time, row) for row in picture.cosines[~leads]])
        draw_curves(self._leader, [(picture.time, row) for row in picture.cosines[leads]])
        draw_curves(self._saddles, upright(picture.starts, _LOW, _HIGH))
        cursor = None if shown.index is None else picture.now
        events = [Mark("aligned", time, ALIGNED, "") for time in picture.aligned]
        key = self._timeline.show(picture.left, picture.right, _LOW, _HIGH, cursor, events)
        self.tell(self._key(picture) + key, picture.note, picture.empty)

    def _key(self, picture: Alignment) -> str:
        entries = []
        if picture.leader is not None:
            layer, index = picture.neurons[picture.leader]
            label = f"largest: neuron {index + 1} of layer {layer}"
            entries.append(legend.line(label, theme.LEARNED, width=2.6))
        if len(picture.cosines) > len(entries):
            entries.append(legend.line("each other neuron", theme.MUTED, width=1))
        if picture.starts:
            entries.append(legend.line("next saddle", theme.TEXT, dash="dotted", width=1))
        return "".join(entries)
