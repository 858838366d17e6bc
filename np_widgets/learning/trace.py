"""A bounded record of a quantity over many steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning import states

Floats = NDArray[np.float64]

_POINT = np.dtype([("step", np.int64), ("value", np.float64), ("lasting", np.bool_)])


class Trace:
    """Values over steps, thinned to at most ``capacity`` points evenly over the steps.

    Whenever the record is full every second point is dropped and from then on half as many are kept. The newest value
    and those marked as lasting always stay.
    """

    def __init__(self, capacity: int = 2000) -> None:
        self._capacity = capacity
        self._stride = 1
        # The newest stands at the end, and what stands before it is never changed in place: states may look at it.
        self._points = np.empty(capacity + 1, _POINT)
        self._count = 0
        self._newest: tuple[int, float, bool] | None = None

    def add(self, step: int, value: float, lasting: bool = False) -> None:
        """Record a value; the newest value before it stays only if it is due or lasting."""
        if self._newest is not None and (self._newest[2] or self._is_due(self._newest[0])):
            if self._count == len(self._points):  # there are many lasting ones
                self._points = np.concatenate([self._points, np.empty_like(self._points)])
            self._points[self._count] = self._newest
            self._count += 1
        self._newest = step, value, lasting
        if self._count >= self._capacity:
            self._thin()

    def arrays(self) -> tuple[Floats, Floats]:
        """The steps and the values, as new arrays."""
        # Joining records would take longer than all else that makes a frame.
        newest = [] if self._newest is None else [self._newest[:2]]
        steps, values = np.empty((2, self._count + len(newest)))
        for index, (name, column) in enumerate((("step", steps), ("value", values))):
            column[: self._count] = self._points[name][: self._count]
            column[self._count :] = [each[index] for each in newest]
        return steps, values

    def back_to(self, step: int) -> None:
        """Forget what came after ``step``, and the last value at it."""
        points = self._all()
        points = points[points["step"] <= step][:-1]
        self._newest = points[-1].item() if len(points) else None
        self._take(points[:-1])

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"points": self._points[: self._count], "newest": self._newest, "stride": self._stride}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        kinds = {"points": np.ndarray, "newest": tuple[int, float, bool] | None, "stride": states.whole}
        states.require("state['trace']", state, kinds)
        if state["points"].dtype != _POINT or state["points"].ndim != 1:
            raise ValueError(f"state['trace']['points'] must be a vector of {_POINT}, got {state['points'].dtype}")
        self._newest, self._stride = state["newest"], state["stride"]
        self._take(state["points"])

    def _all(self) -> NDArray[np.void]:
        newest = np.array([] if self._newest is None else [self._newest], _POINT)
        return np.concatenate([self._points[: self._count], newest])

    def _take(self, points: NDArray[np.void]) -> None:
        self._points = np.empty(max(self._capacity + 1, len(points)), _POINT)
        self._points[: len(points)] = points
        self._count = len(points)

    def _is_due(self, step: int) -> bool:
        return self._count == 0 or bool(step - self._points["step"][self._count - 1] >= self._stride)

    def _thin(self) -> None:
        points = self._all()
        steps, lasting = points["step"].tolist(), points["lasting"].tolist()
        self._stride = max(2 * self._stride, 2 * (steps[-1] - steps[0]) // self._capacity)
        kept = [0]
        for index in range(1, len(steps) - 1):
            if steps[index] - steps[kept[-1]] >= self._stride or lasting[index]:
                kept.append(index)
        self._take(points[kept])
