"""The saddle that a pursuit's network is at, shown in the place of the pursuit's pictures."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.pictures.labels import number, widths
from np_widgets.problems import Problem
from np_widgets.widgets.elements import button, row, text_widget
from np_widgets.widgets.saddle import SaddleWidget
from np_widgets.widgets.writing import update

_DORMANT = 10


class InspectionEndedError(RuntimeError):
    """The saddle is not wanted any more."""


class Inspection:
    """Opens a saddle widget, and closes it again; from any thread."""

    def __init__(
        self,
        problem: Problem,
        rate: float,
        size: float,
        show: Callable[[Sequence[ipywidgets.Widget] | None], None],
        miss: Callable[[], None],
    ) -> None:
        self._problem = problem
        self._rate, self._size = rate, size
        self._show = show
        self._miss = miss
        self._back = button("Back to the pursuit", "arrow-left", "Close this and go on with the pursuit", self.end)
        self._caption = text_widget("npw-message")
        self._bar = row([self._back, self._caption])
        # Making the widget takes a while, and a user may click meanwhile: so ``_making`` is held all that time, and
        # ``_lock`` never for long. What is being made is given up once ``_wanted`` is something else.
        self._making, self._lock = threading.Lock(), threading.Lock()
        self._wanted: object | None = None
        self._closed = False
        self.widget: SaddleWidget | None = None
        self.parts = (self._bar,)

    def begin(self, frame: PursuitFrame, **options: Any) -> SaddleWidget:
        """Show the saddle of a frame's network, or go on showing one; meanwhile, what is done to prepare it."""
        with self._making:
            wanted, title = object(), _caption(frame)

            def tell(text: str, share: float) -> None:
                with self._lock:
                    if self._wanted is not wanted:
                        raise InspectionEndedError("the inspection was ended while it was prepared")
                    # Not too many messages: in steps of five.
                    update(self._caption, value=f"{title} · {escape(text)}: {5 * math.floor(20 * share)}% …")
                self._miss()

            with self._lock:
                if self._closed:
                    raise RuntimeError("the widget is closed")
                if self.widget is not None:
                    return self.widget
                self._wanted = wanted
                self._caption.value = f"{title} · preparing …"
                self._show([self._bar])
            try:
                flow = _flow(frame, self._problem, {"progress": tell} | options)
                made = SaddleWidget(flow, rate=self._rate, size=self._size)
            except BaseException:
                with self._lock:
                    if self._wanted is wanted:
                        self._wanted = None
                        self._show(None)
                raise
            with self._lock:
                if self._wanted is wanted:
                    self.widget, self._caption.value = made, title
                    self._show([self._bar, made])
                    return made
            made.close()
            raise InspectionEndedError("the inspection was ended while it was prepared")

    def end(self) -> None:
        """Show the pursuit again."""
        with self._lock:
            shown, self._wanted = self._wanted is not None, None
            widget, self.widget = self.widget, None
            if shown:
                self._show(None)
        if widget is not None:
            widget.close()

    def close(self) -> None:
        """Close the saddle widget with the pursuit's, and refuse a new one."""
        with self._lock:
            self._closed, self._wanted = True, None
            widget, self.widget = self.widget, None
        if widget is not None:
            widget.close()


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
    return escape(
        f"The saddle of network {frame.iteration}, widths {widths(frame.widths)}, at loss {number(frame.loss)}"
    )
