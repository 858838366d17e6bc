"""The learned function beside the truth or the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import bqplot

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.function import function
from np_widgets.pictures.probe import Probe
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.panels.confusion import ConfusionDrawing
from np_widgets.widgets.panels.lines import LinesDrawing
from np_widgets.widgets.panels.panel import Panel
from np_widgets.widgets.panels.regions import RegionsDrawing
from np_widgets.widgets.panels.scatter import ScatterDrawing


class Drawing(Protocol):
    """Marks and axes for one kind of picture."""

    marks: list[bqplot.Mark]
    axes: list[bqplot.Axis]

    def draw(self, picture: Any) -> str:
        """Draw, and return the legend."""


class FunctionPanel(Panel[PursuitFrame]):
    """What the network computes, in the kind of picture that suits the problem.

    Parameters
    ----------
    probe
        Where to look at the function.
    on_choice
        Called when the user has chosen another output.
    """

    def __init__(self, probe: Probe, on_choice: Callable[[], None]) -> None:
        self._probe = probe
        self._chooser = Chooser("Output", "Which output to show", on_choice, "200px")
        self._chooser.offer([(name, output) for output, name in enumerate(probe.choices)])
        self._drawing = _drawing(probe)
        super().__init__(
            _title(probe),
            self._drawing.marks,
            self._drawing.axes,
            margin={"top": 8, "bottom": 38, "left": 56, "right": 12},
            controls=[self._chooser.box],
        )

    def show(self, frame: PursuitFrame) -> None:
        """Draw what the frame's network computes."""
        picture = function(frame, self._probe, self._chooser.value)
        key = self._drawing.draw(picture)
        self.tell(key, picture.summary)


def _title(probe: Probe) -> str:
    if probe.kind == "confusion":
        return "Function: predicted and true classes"
    if probe.kind == "scatter":
        return "Function: predictions and targets"
    return "Function: learned and true" if probe.truth is not None else "Function: learned, and the data"


def _drawing(probe: Probe) -> Drawing:
    if probe.kind in ("hypercube", "curve"):
        return LinesDrawing(probe.kind)
    if probe.kind == "regions":
        return RegionsDrawing(probe)
    return ScatterDrawing() if probe.kind == "scatter" else ConfusionDrawing()
