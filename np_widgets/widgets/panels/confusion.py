"""How often each class is taken for each other."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.pictures.function import Confusion
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.panel import axis
from np_widgets.widgets.writing import update


class ConfusionDrawing:
    """True classes from top to bottom, predicted ones from left to right, shares as colors."""

    def __init__(self) -> None:
        self._x, self._y = bqplot.LinearScale(), bqplot.LinearScale(reverse=True)
        color = bqplot.ColorScale(colors=theme.SEQUENTIAL, min=0.0, max=1.0)
        self._map = bqplot.HeatMap(
            x=[0.0, 1.0],
            y=[0.0, 1.0],
            color=np.zeros((2, 2)),
            scales={"x": self._x, "y": self._y, "color": color},
            visible=False,
        )
        self._axis_x = axis(self._x)
        self._axis_y = axis(self._y, vertical=True)
        self.marks = [self._map]
        self.axes = [self._axis_x, self._axis_y]

    def draw(self, picture: Confusion) -> str:
        """Draw, and return the legend."""
        places = np.arange(len(picture.classes), dtype=np.float64)
        for scale, mark, label in (
            (self._x, self._axis_x, picture.x_label),
            (self._y, self._axis_y, picture.y_label),
        ):
            update(scale, min=-0.5, max=len(places) - 0.5)
            names = {str(place): str(name) for place, name in enumerate(picture.classes)}
            update(mark, label=label, tick_values=places, tick_labels=names)
        if picture.shares is not None:
            update(self._map, x=places, y=places, color=picture.shares)
        update(self._map, visible=picture.shares is not None)
        return legend.scale(theme.SEQUENTIAL, "0%", "100%", "share of a true class")
