"""A bounded record of a quantity over many steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Trace:
    """Values over steps, thinned to at most ``capacity`` points evenly over the steps.

    Whenever the record is full every second point is dropped and from then on half as many are kept. The newest value
    and those marked as lasting always stay.
    """

    def __init__(self, capacity: int = 2000) -> None:
        self._capacity = capacity
        self._stride = 1
        self._steps: list[int] = []
        self._values: list[float] = []
        self._lasting: list[bool] = []

    def add(self, step: int, value: float, lasting: bool = False) -> None:
        """Record a value; the newest value before it stays only if it is due or lasting."""
        if self._steps and not self._lasting[-1] and not self._due(len(self._steps) - 1):
            self._drop_last()
        self._steps.append(step)
        self._values.append(value)
        self._lasting.append(lasting)
        if len(self._steps) > self._capacity:
            self._thin()

    def arrays(self) -> tuple[Floats, Floats]:
        """The steps and the values, as new arrays."""
        return np.array(self._steps, dtype=np.float64), np.array(self._values, dtype=np.float64)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        steps, values = self.arrays()
        return {"steps": steps, "values": values, "lasting": np.array(self._lasting, bool), "stride": self._stride}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        self._steps = [int(step) for step in state["steps"]]
        self._values = [float(value) for value in state["values"]]
        self._lasting = [bool(lasting) for lasting in state["lasting"]]
        self._stride = state["stride"]

    def _due(self, index: int) -> bool:
        before = index - 1
        return before < 0 or self._steps[index] - self._steps[before] >= self._stride

    def _drop_last(self) -> None:
        for record in (self._steps, self._values, self._lasting):
            record.pop()

    def _thin(self) -> None:
        span = self._steps[-1] - self._steps[0]
        self._stride = max(2 * self._stride, 2 * span // self._capacity)
        kept = [0]
        for index in range(1, len(self._steps)):
            due = self._steps[index] - self._steps[kept[-1]] >= self._stride
            if due or self._lasting[index] or index == len(self._steps) - 1:
                kept.append(index)
        self._steps = [self._steps[index] for index in kept]
        self._values = [self._values[index] for index in kept]
        self._lasting = [self._lasting[index] for index in kept]
