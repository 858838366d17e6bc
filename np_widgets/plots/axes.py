"""The axes of a scene on those of matplotlib: limits, ticks that do not run into each other, and words."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from np_widgets.pictures.labels import number
from np_widgets.pictures.scene import Axis
from np_widgets.plots import style


def show_axis(axes: Axes, way: str, axis: Axis, *notes: str) -> None:
    """Draw an axis, ``"x"`` or ``"y"``, with notes under its label."""
    if axis.log:
        getattr(axes, f"set_{way}scale")("log")
    getattr(axes, f"set_{way}lim")(*((axis.high, axis.low) if axis.reverse else (axis.low, axis.high)))
    own = getattr(axes, f"{way}axis")
    ticks = () if axis.hidden else axis.all_ticks
    places = {10**place if axis.log else place: text for place, text in ticks}
    own.set_major_locator(_Ticks(list(places), axis.log))
    own.set_minor_locator(NullLocator())
    own.set_major_formatter(FuncFormatter(lambda place, _: places.get(place, number(place))))
    small = style.size(style.SMALL, axes)
    own.set_tick_params(labelsize=small)
    if way == "x" and _is_crowded(axes, axis, small):
        # Of numbers every other one will do; names lean on each other.
        if axis.ticks is None:
            own.set_major_locator(_Ticks(list(places)[::2], axis.log))
        else:
            own.set_tick_params(rotation=45)
            for label in own.get_ticklabels():
                label.set(ha="right", rotation_mode="anchor")
    lines: list[str] = []
    for text in filter(None, (axis.label, *notes)):
        more = style.wrapped(axes, text, style.NORMAL, upright=way == "y")
        # What a small figure has no room for is in its description.
        if len(lines) < 2 or len(lines + more) <= style.most_lines(axes):
            lines += more
    getattr(axes, f"set_{way}label")("\n".join(lines), fontsize=style.size(style.NORMAL, axes))


def _is_crowded(axes: Axes, axis: Axis, small: float) -> bool:
    """Whether what stands at the ticks would run into each other along axes that may be narrowed by a color bar."""
    ends = [math.log10(end) if axis.log else end for end in (axis.low, axis.high)]
    points = 0.8 * 72 * style.inches(axes) / (ends[1] - ends[0])
    placed = [(points * place, style.wide(text, small) / 2) for place, text in axis.all_ticks if not axis.hidden]
    return any(x + half + small / 2 > y - other for (x, half), (y, other) in pairwise(sorted(placed)))


class _Ticks(FixedLocator):
    """The ticks of a scene; where somebody looks at a part that has hardly any, others."""

    def __init__(self, places: list[float], log: bool) -> None:
        super().__init__(places)
        self._places = places
        self._others = LogLocator() if log else MaxNLocator(6)

    def __call__(self) -> Any:
        assert self.axis is not None
        low, high = sorted(self.axis.get_view_interval())
        within = [place for place in self._places if low <= place <= high]
        return self._places if len(within) > 1 or len(self._places) < 2 else self._others.tick_values(low, high)
