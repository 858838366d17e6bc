"""What all pictures have in common: a title, a legend beside the data instead of on them, a figure, and a note."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from html import escape
from typing import Any, Generic, TypeVar

import bqplot
import ipywidgets

from np_widgets.widgets.elements import text_widget
from np_widgets.widgets.writing import update

Shown = TypeVar("Shown")


class Panel(ABC, Generic[Shown]):
    """One picture of something: of a frame, say.

    Parameters
    ----------
    title
        Its heading.
    marks, axes
        What the figure holds.
    margin
        Pixels left free around the data for the axes, by side.
    height
        Of the figure, in CSS units.
    wide
        Whether it takes half of the widget's width instead of a third.
    controls
        Widgets that stand beside the title.
    """

    def __init__(
        self,
        title: str,
        marks: Sequence[bqplot.Mark],
        axes: Sequence[bqplot.Axis],
        *,
        margin: dict[str, int],
        height: str = "230px",
        wide: bool = False,
        controls: Sequence[ipywidgets.Widget] = (),
    ) -> None:
        self.figure = bqplot.Figure(
            marks=list(marks),
            axes=list(axes),
            fig_margin=margin,
            padding_y=0.0,
            background_style={"fill": "none"},
            animation_duration=0,
            display_toolbar=False,
            layout={"width": "100%", "height": height, "min_width": "0"},
        )
        self.figure.add_class("npw-figure")
        heading = text_widget("npw-panel-title", escape(title))
        head = ipywidgets.HBox([heading, *controls])
        head.add_class("npw-panel-head")
        self._legend = text_widget("npw-legend")
        self._note = text_widget("npw-note")
        self.box = ipywidgets.VBox([head, self._legend, self.figure, self._note])
        self.box.add_class("npw-panel")
        if wide:
            self.box.add_class("npw-wide")

    @abstractmethod
    def show(self, shown: Shown, /) -> None:
        """Draw it; on the publisher's thread."""

    def tell(self, legend: str = "", *notes: str) -> None:
        """Set the legend, as HTML, and the lines of the note, as plain text."""
        update(self._legend, value=legend)
        update(self._note, value="<br>".join(escape(note) for note in notes if note))


def axis(scale: bqplot.Scale, label: str = "", *, vertical: bool = False, **options: Any) -> bqplot.Axis:
    """An axis in the widget's style: no grid unless asked for, its label outside the ticks."""
    defaults: dict[str, Any] = {"grid_lines": "none", "label": label}
    if vertical:
        defaults |= {"side": "left", "label_offset": "44px"}
    else:
        defaults |= {"label_offset": "28px"}
    return bqplot.Axis(scale=scale, **(defaults | options))
