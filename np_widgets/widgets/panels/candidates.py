"""The NCF value of each KKT point of the last search, by layer."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.labels import count, number
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.limits import round_limits, round_ticks
from np_widgets.widgets.panels.panel import Panel, axis
from np_widgets.widgets.writing import update


class CandidatesPanel(Panel[PursuitFrame]):
    """What a new neuron could be worth, and which was taken."""

    def __init__(self) -> None:
        self._x, self._y = bqplot.LinearScale(min=-0.5, max=0.5), bqplot.LinearScale(min=0.0, max=1.0)
        scales = {"x": self._x, "y": self._y}
        self._stems = bqplot.Lines(
            x=[0.0, 0.0], y=[0.0, 0.0], scales=scales, visible=False, stroke_width=1.5, colors=[theme.MUTED]
        )
        self._points = bqplot.Scatter(scales=scales, visible=False, default_size=40, colors=[theme.LEARNED])
        self._chosen = bqplot.Scatter(
            scales=scales,
            visible=False,
            marker="diamond",
            default_size=130,
            colors=[theme.ACCENT],
            stroke=theme.TEXT,
            stroke_width=1.2,
        )
        # All labels from the start: bqplot may draw new ticks with old labels.
        labels = {"0": "the origin"} | {str(layer): f"layer {layer}" for layer in range(1, 100)}
        self._axis_x = axis(self._x, tick_labels=labels)
        self._axis_y = axis(self._y, "NCF value", vertical=True, label_offset="54px")
        super().__init__(
            "Candidates",
            [self._stems, self._points, self._chosen],
            [self._axis_x, self._axis_y],
            margin={"top": 18, "bottom": 26, "left": 70, "right": 14},
            height="190px",
            wide=True,
        )

    def show(self, frame: PursuitFrame) -> None:
        """Draw the frame's candidates."""
        picture = candidates(frame)
        x, values = picture.x, picture.values
        found = len(x) > 0
        first, last = picture.layer_ticks[0], picture.layer_ticks[-1]
        update(self._x, min=first - 0.5, max=last + 0.5)
        high = round_limits(0.0, float(values.max()))[1] if found and values.max() > 0 else 1.0
        update(self._y, min=0.0, max=high)
        update(self._axis_y, tick_values=round_ticks(0.0, high), tick_format=".3~g" if high >= 0.01 else ".1~e")
        update(self._axis_x, tick_values=np.array(picture.layer_ticks, dtype=np.float64))
        if found:
            stems = np.stack([np.zeros_like(values), values], axis=1)
            update(self._stems, x=np.squeeze(np.repeat(x[:, None], 2, axis=1)), y=np.squeeze(stems))
        update(self._stems, visible=found)
        others = np.arange(len(x)) != picture.chosen
        update(self._points, x=x[others], y=values[others], visible=bool(others.any()))
        update(self._chosen, x=x[~others], y=values[~others], visible=picture.chosen is not None)
        entries = [legend.marker(f"{count(len(x), 'KKT point')}", theme.LEARNED, "circle")] if found else []
        if picture.chosen is not None:
            taken = f"taken: {number(float(values[picture.chosen]))}"
            entries.append(legend.marker(taken, theme.ACCENT, "diamond"))
        self.tell("".join(entries), picture.note if found else "None yet: a search finds them.")
