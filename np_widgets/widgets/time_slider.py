"""A slider that goes back over what was computed."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets
import numpy as np
from numpy.typing import NDArray

from np_widgets.pictures.labels import number
from np_widgets.widgets.elements import group, text_widget
from np_widgets.widgets.writing import update

_NEWEST = 100.0


class TimeSlider:
    """From the beginning of a record to its newest point, where it stays while the record grows.

    Its value is the user's, and says how much of the time computed has passed at the moment to look at. The readout
    beside it is the publisher's.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._slider = ipywidgets.FloatSlider(
            value=_NEWEST,
            min=0.0,
            max=_NEWEST,
            step=0.5,
            readout=False,
            description="Time",
            tooltip="Go back over what was computed; the right end is the present",
            style={"description_width": "initial"},
            layout={"width": "260px"},
        )
        self._slider.observe(lambda _: on_change(), "value")
        self._readout = text_widget("npw-figures")
        self.box = group([self._slider, self._readout])
        self.box.add_class("npw-time")

    def index(self, time: NDArray[np.float64]) -> int | None:
        """Which of the points of a record to look at; None for the newest."""
        share = self._slider.value / _NEWEST
        if share >= 1 or len(time) < 2:
            return None
        return int(np.abs(time - (time[0] + share * (time[-1] - time[0]))).argmin())

    def to_newest(self) -> None:
        """Look at the present again: on the kernel's side only, whose widget it is."""
        self._slider.value = _NEWEST

    def show(self, time: NDArray[np.float64], index: int | None) -> None:
        """Say which point of the record is looked at; on the publisher's thread."""
        newest = f"<b>{number(float(time[-1]))}</b>" if len(time) else "<b>0</b>"
        text = f"t = {newest}, now" if index is None else f"t = <b>{number(float(time[index]))}</b> of {newest}"
        update(self._readout, value=text)
