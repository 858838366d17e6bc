"""How long a flow is worth following: for an escape that has not come, and where nothing moves any more."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.layout import Layout
from np_widgets.learning.saddles.now import Now
from np_widgets.learning.saddles.prediction import ray_time
from np_widgets.learning.saddles.saddle import Saddle

Floats = NDArray[np.float64]

# A flow that has not escaped after so many times as long as predicted is not expected to escape any more, unless in the
# second half of that time its dormant weights have grown by such a factor.
_OVERDUE, _STILL_GROWING = 2.0, 1.5
_MOST_STEPS_WITHOUT_KKT_POINT = 3000
# Where nothing is left to wait for, a flow is at rest once so many steps have moved it by no more than so many times
# the tolerance.
_STEPS_AT_REST, _MOVES_AT_REST = 2000, 10.0


class Patience:
    """With a flow that has left the place of a saddle; ``tolerance`` is that of its integrator."""

    def __init__(self, saddle: Saddle, layout: Layout, tolerance: float, scale: float) -> None:
        self._saddle, self._layout, self._tolerance, self._scale = saddle, layout, tolerance, scale
        self._dormant = ~layout.active_entries(saddle.place.active)

    def dormant_norm(self, theta: Floats) -> float:
        """``‖w_z‖``."""
        return float(np.linalg.norm(theta[self._dormant]))

    def ray_time(self, now: Now) -> float:
        """How long the escape along the ray of the best KKT point takes."""
        start = self.dormant_norm(now.place.theta)
        if not now.destinations or now.escape_norm is None or start == 0:
            return math.inf
        best, saddle = now.destinations[0], self._saddle
        return ray_time(best.value, saddle.degree, start, now.escape_norm, saddle.decay)

    def ends(self, now: Now) -> float:
        """When an escape that has not come is not expected any more."""
        if now.escaped is not None or now.dead_end is not None:
            return math.inf
        start, predicted = now.place.time, now.predictions[-1].escape_time
        if predicted is not None:
            return start + _OVERDUE * (predicted - start)
        # Active weights that are not quite at rest may still change the NCF: as much time again as it took so far.
        ray_time = self.ray_time(now)
        return start + (min(ray_time, start) if start > 0 else ray_time)

    def is_over(self, now: Now) -> bool:
        """Whether no escape is expected any more."""
        if now.escaped is not None or now.dead_end is not None:
            return False
        # Nobody has predicted how long several neurons together take: then steps are counted.
        waited = not now.destinations and now.point.steps - now.first_step >= _MOST_STEPS_WITHOUT_KKT_POINT
        return waited or (now.point.time >= self.ends(now) and not self._still_grows(now))

    def _still_grows(self, now: Now) -> bool:
        middle = (now.place.time + now.point.time) / 2
        earlier = next((each.theta for each in reversed(now.series.samples) if each.time <= middle), now.place.theta)
        return self.dormant_norm(now.point.y) >= _STILL_GROWING * self.dormant_norm(earlier)

    def at_rest(self, now: Now) -> str | None:
        """Whether nothing has moved since some steps, as a sentence; empty if it has, None if too few to tell."""
        point, earlier = now.point, now.earlier
        if earlier is None or point.steps - earlier.steps < _STEPS_AT_REST:
            return "" if earlier is None else None
        share = _MOVES_AT_REST * self._tolerance
        before, after = self._layout.norms(earlier.y), self._layout.norms(point.y)
        grows = bool((after > before + share * (before + self._scale)).any())
        if grows or np.linalg.norm(point.y - earlier.y) > share * np.linalg.norm(point.y):
            return ""
        return (
            f"At rest at time {point.time:.4g}: in the last {point.time - earlier.time:.3g} units of time the weights "
            f"have moved by at most {share:.0e} of their norm. What comes after is not followed."
        )
