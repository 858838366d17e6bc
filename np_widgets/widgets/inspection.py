"""The saddle that a pursuit's network is at, shown in the place of the pursuit's pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets

from np_widgets.learning.growth import PursuitFrame
from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.pictures.labels import number
from np_widgets.problems import Problem
from np_widgets.widgets.elements import button, row, text_widget
from np_widgets.widgets.saddle import SaddleWidget

_DORMANT = 10


class Inspection:
    """Opens a saddle widget, and closes it again; from any thread.

    Parameters
    ----------
    problem
        What the pursuit learns.
    rate
        How many times a second the pictures are drawn at most.
    show
        Called with the widgets to show in the place of the pursuit's, or with None to show those again.

    Attributes
    ----------
    widget
        The saddle widget, or None.
    """

    def __init__(
        self, problem: Problem, rate: float, show: Callable[[Sequence[ipywidgets.Widget] | None], None]
    ) -> None:
        self._problem = problem
        self._rate = rate
        self._show = show
        self._back = button("Back to the pursuit", "arrow-left", "Close this and go on with the pursuit", self.end)
        self._caption = text_widget("npw-message")
        self._bar = row([self._back, self._caption])
        self._closed = False
        # Making the widget takes a while, and a user may click meanwhile.
        self._lock = threading.Lock()
        self.widget: SaddleWidget | None = None
        self.parts = (self._bar,)

    def begin(self, frame: PursuitFrame, **options: Any) -> SaddleWidget:
        """Show the saddle of a frame's network, or go on showing one.

        Raises
        ------
        TypeError, ValueError
            If there is none, or an option is wrong.
        RuntimeError
            If the pursuit's widget is closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the widget is closed")
            if self.widget is None:
                self.widget = SaddleWidget(_flow(frame, self._problem, options), rate=self._rate)
                self._caption.value = _caption(frame)
                self._show([self._bar, self.widget])
            return self.widget

    def end(self) -> None:
        """Show the pursuit again."""
        with self._lock:
            widget, self.widget = self.widget, None
            if widget is not None:
                self._show(None)
                widget.close()

    def close(self) -> None:
        """Close the saddle widget with the pursuit's, and refuse a new one."""
        with self._lock:
            self._closed = True
            if self.widget is not None:
                self.widget.close()
            self.widget = None


def _flow(frame: PursuitFrame, problem: Problem, options: dict[str, Any]) -> SaddleFlow:
    settings: dict[str, Any] = {"dormant": (_DORMANT,) * frame.hidden_layers, "seed": frame.seed}
    network = frame.network
    if network is None:
        settings |= {"power": frame.power, "leak": frame.leak}
    else:
        network = network.to(device=problem.inputs.device)
    try:
        return SaddleFlow(network, problem, **(settings | options))
    except ValueError as error:
        if frame.phase != "minimizing":
            # Its minimizer has stopped a little early: the minimum is near.
            return SaddleFlow(network, problem, **({"polish": True} | settings | options))
        raise ValueError(
            f"{error}. This network is still being trained: try again while the pursuit searches, or at its end"
        ) from error


def _caption(frame: PursuitFrame) -> str:
    if frame.loss is None:
        return "The saddle at the origin, before the first network"
    widths = ", ".join(str(width) for width in frame.widths)
    return escape(f"The saddle of network {frame.iteration}, widths ({widths}), at loss {number(frame.loss)}")
