"""The flow of the neural correlation function alone: what theory predicts for the dormant neurons."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.fields import JointFlow
from np_widgets.learning.saddles.frames import Destination, Prediction
from np_widgets.learning.saddles.integration import Integrator, Point, crossing
from np_widgets.learning.saddles.layout import Layout
from np_widgets.learning.saddles.saddle import Saddle

Floats = NDArray[np.float64]

_STEPS_PER_QUANTUM, _MOST_STEPS, _CAPACITY = 60, 20_000, 400
_ARRIVED = 0.9
_FADED = 1e-3
# So many times as long as along the ray of the best KKT point.
_NEVER = 1e4


def ray_time(value: float, degree: int, start: float, end: float, decay: float = 0.0) -> float:
    """How long ``dρ/dt = degree·value·ρ^(degree−1) − decay·ρ`` takes from one norm to another; infinite if for ever."""
    if degree == 2:
        rate = 2 * value - decay
        return max(math.log(end / start), 0.0) / rate if rate > 0 else math.inf
    if decay > 0:
        # Bernoulli's equation: u = ρ^(2−degree) goes away from its point of rest exponentially.
        rest, before, after = degree * value / decay, start ** (2 - degree), end ** (2 - degree)
        if before >= rest:
            return math.inf
        return max(math.log((rest - after) / (rest - before)), 0.0) / ((degree - 2) * decay)
    return max(start ** (2 - degree) - end ** (2 - degree), 0.0) / (degree * (degree - 2) * value)


@dataclass(frozen=True, eq=False)
class Course:
    """How far the flow of the NCF has been followed."""

    point: Point  # where it stands; its y are the weights at the flow's positions
    times: tuple[float, ...]  # where it has been, thinned
    states: tuple[Floats, ...]
    stride: int = 1  # every so many steps one is kept
    escape_time: float | None = None  # when it had the norm that counts as escaped
    finished: bool = False

    @classmethod
    def starting(cls, saddle: Saddle) -> Course:
        """From the dormant weights at the saddle."""
        y = saddle.place.theta[saddle.flow.positions]
        return cls(Point(saddle.place.time, y), (saddle.place.time,), (y,))

    def advanced(self, integrator: Integrator, escape_norm: float | None, ray_time: float) -> Course:
        """Some steps further; it ends where it has escaped, or has faded away, or gets nowhere.

        ``ray_time`` is how long an escape along the ray of the best KKT point takes.
        """
        course, start_norm = self, float(np.linalg.norm(self.states[0]))
        latest = self.times[0] + _NEVER * ray_time
        for piece, _ in zip(integrator.pieces(self.point), range(_STEPS_PER_QUANTUM), strict=False):
            point, norm = piece.end, float(np.linalg.norm(piece.end.y))
            if escape_norm is not None and norm >= escape_norm:
                time = crossing(piece, lambda y: float(np.linalg.norm(y)) - escape_norm)
                assert piece.between is not None
                point = replace(point, time=time, y=np.asarray(piece.between(time)))
                times, states = (*course.times, time), (*course.states, point.y)
                return replace(course, point=point, times=times, states=states, escape_time=time, finished=True)
            course = course._with(point)
            if norm <= _FADED * start_norm or point.steps >= _MOST_STEPS or point.time >= latest:
                return replace(course, finished=True)
        return course

    def _with(self, point: Point) -> Course:
        if point.steps % self.stride:
            return replace(self, point=point)
        times, states, stride = (*self.times, point.time), (*self.states, point.y), self.stride
        if len(times) > _CAPACITY:
            times, states, stride = times[::2], states[::2], 2 * stride
        return replace(self, point=point, times=times, states=states, stride=stride)

    def at(self, time: float, saddle: Saddle) -> Floats | None:
        """All weights, of which those that flow are where it is at that time; None where it was not followed to."""
        if not self.times[0] <= time <= self.times[-1]:
            return None
        after = min(bisect_left(self.times, time), len(self.times) - 1)
        before = max(after - 1, 0)
        length = self.times[after] - self.times[before]
        share = (time - self.times[before]) / length if length > 0 else 0.0
        return self._whole(saddle, (1 - share) * self.states[before] + share * self.states[after])

    def prediction(
        self,
        saddle: Saddle,
        destinations: Sequence[Destination],
        neurons: Sequence[tuple[int, int]],
        layout: Layout,
        escape_norm: float | None,
    ) -> Prediction:
        """What it says of these neurons, and altogether."""
        rows = [layout.neurons.index(neuron) for neuron in neurons]
        # Each goes to the KKT point nearest to the direction that it has in the end, if that is near.
        cosines = np.nan_to_num(
            saddle.directions.cosines(self._whole(saddle, self.point.y), destinations)[rows], nan=-1.0
        )
        going_to = tuple(int(own.argmax()) if own.max(initial=-1.0) >= _ARRIVED else -1 for own in cosines)
        norms = layout.norms(self._whole(saddle, np.array(self.states)))[:, rows]
        dormant = saddle.directions.dormant[rows]
        index = going_to[int(np.where(dormant, norms[-1], -1.0).argmax())]
        if index < 0 and isinstance(saddle.flow, JointFlow):  # inner neurons have no direction of their own
            index = max(going_to, default=-1)
        return Prediction(
            start=saddle.place.time,
            destinations=tuple(destinations),
            neuron_destination=going_to,
            time=np.array(self.times),
            dormant_norm=np.linalg.norm(np.array(self.states), axis=1),
            neuron_norm=norms,
            value=destinations[index].value if index >= 0 else None,
            degree=saddle.degree,
            escape_norm=escape_norm,
            escape_time=self.escape_time,
            decay=saddle.decay,
        )

    def _whole(self, saddle: Saddle, y: Floats) -> Floats:
        """All weights, ``(…, P)``, of which those that flow are ``y``, ``(…, Q)``."""
        theta = np.tile(saddle.place.theta, (*y.shape[:-1], 1))
        theta[..., saddle.flow.positions] = y
        return theta if y.ndim > 1 else theta.reshape(-1)
