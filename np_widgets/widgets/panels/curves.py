"""Several curves as one line with gaps: one mark, one message, one path in the browser."""

from __future__ import annotations

from collections.abc import Iterable

import bqplot
import numpy as np
from numpy.typing import NDArray

from np_widgets.widgets.writing import update

Floats = NDArray[np.float64]


def draw_curves(mark: bqplot.Lines, curves: Iterable[tuple[Floats, Floats]]) -> None:
    """Draw curves ``(x, y)`` of any lengths, with gaps where y is NaN; nothing if there are none."""
    parts = [(np.append(x, x[-1]), np.append(y, np.nan)) for x, y in curves if len(x)]
    y = np.concatenate([y for _, y in parts]) if parts else np.zeros(0)
    # bqplot writes a label at the last point of a line, even an empty one, and complains if that is a gap.
    length = int(np.flatnonzero(np.isfinite(y))[-1]) + 1 if np.isfinite(y).any() else 0
    if length:
        update(mark, x=np.concatenate([x for x, _ in parts])[:length], y=y[:length])
    update(mark, visible=length > 0)


def upright(places: Iterable[float], low: float, high: float) -> list[tuple[Floats, Floats]]:
    """Vertical curves from ``low`` to ``high``."""
    return [(np.full(2, place), np.array([low, high])) for place in places]


def level(left: float, right: float, height: float) -> tuple[Floats, Floats]:
    """A horizontal curve."""
    return np.array([left, right]), np.full(2, height)
