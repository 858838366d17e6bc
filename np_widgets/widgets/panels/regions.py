"""A map over two inputs, with the data on it."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.pictures.function import Regions
from np_widgets.pictures.labels import number
from np_widgets.pictures.probe import Probe
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.limits import round_ticks, snapped
from np_widgets.widgets.panels.panel import axis
from np_widgets.widgets.writing import update

_SHAPES = (*theme.MARKERS, "triangle-down", "cross")


class RegionsDrawing:
    """The learned values as colors; classes of data have a color and a marker each."""

    def __init__(self, probe: Probe) -> None:
        self._classes = probe.outputs if probe.classes else 0
        if self._classes > 2:
            colors = [theme.CLASSES[c % len(theme.CLASSES)] for c in range(self._classes)]
        else:
            colors = theme.DIVERGING if self._classes else theme.SEQUENTIAL
        self._x, self._y = bqplot.LinearScale(), bqplot.LinearScale()
        self._color = bqplot.ColorScale(colors=colors, min=0.0, max=1.0)
        scales = {"x": self._x, "y": self._y}
        self._map = bqplot.HeatMap(
            x=[0.0, 1.0], y=[0.0, 1.0], color=np.zeros((2, 2)), scales=scales | {"color": self._color}, visible=False
        )
        # One mark a class, as a mark has one shape; one mark in all where the data have values.
        self._data = [
            bqplot.Scatter(
                scales=scales if self._classes else scales | {"color": self._color},
                visible=False,
                marker=_SHAPES[c % len(_SHAPES)],
                default_size=30,
                colors=[self._class_color(c)],
                stroke="#000000" if c % 2 else "#ffffff",
                stroke_width=0.8,
            )
            for c in range(max(self._classes, 1))
        ]
        self._axis_x = axis(self._x, tick_format=".3~g")
        self._axis_y = axis(self._y, vertical=True, tick_format=".3~g")
        self.marks = [self._map, *self._data]
        self.axes = [self._axis_x, self._axis_y]

    def draw(self, picture: Regions) -> str:
        """Draw, and return the legend."""
        for scale, mark, label, side in (
            (self._x, self._axis_x, picture.x_label, picture.x),
            (self._y, self._axis_y, picture.y_label, picture.y),
        ):
            low, high = float(side[0]), float(side[-1])
            update(scale, min=low, max=high)
            update(mark, label=label, tick_values=round_ticks(low, high))
        update(self._color, min=picture.low, max=picture.high)
        if picture.learned is not None:
            values = np.clip(picture.learned, picture.low, picture.high)
            values = values if picture.discrete else snapped(values, picture.low, picture.high)
            update(self._map, x=picture.x, y=picture.y, color=values)
        update(self._map, visible=picture.learned is not None)
        entries = []
        for c, mark in enumerate(self._data):
            chosen = picture.data_values == c if self._classes else np.ones(len(picture.data_x), dtype=bool)
            update(mark, x=picture.data_x[chosen], y=picture.data_y[chosen], visible=bool(chosen.any()))
            if not self._classes:
                update(mark, color=picture.data_values)
            elif chosen.any():
                entries.append(legend.marker(f"class {c}", self._class_color(c), _SHAPES[c % len(_SHAPES)]))
        if not picture.discrete and picture.learned is not None:
            ends = number(picture.low), number(picture.high)
            entries.append(legend.scale(self._color.colors, *ends, picture.value_label))
        return "".join(entries)

    def _class_color(self, label: int) -> str:
        if self._classes == 2:
            return theme.DIVERGING[-label]
        return theme.CLASSES[label % len(theme.CLASSES)]
