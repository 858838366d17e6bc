"""Integrating an autonomous flow ``dy/dt = f(y)`` in small, resumable pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Field = Callable[[Floats], Floats]

PIECEWISE, SMOOTH, STIFF = "RK45", "DOP853", "Radau"
"""Methods of ``scipy.integrate``, by name: a look at the class would load it before anybody needs it."""

_CRAWLING = 0.25
# Where nothing moves any more every step is longer than the one before: this keeps times finite.
_LONGEST_STEP = 1e100
_COARSE_STEPS = 200
_FURTHEST, _SHORTEST = 0.1, 1e-2


@dataclass(frozen=True, eq=False)
class Point:
    """Where an integration stands."""

    time: float
    y: Floats  # the state, (P,); never changed in place
    step: float | None = None  # what the integrator would try next; None to let it choose
    steps: int = 0  # how many were made
    sliding: int = 0  # how many steps of a fixed size are to come before small ones are tried again


@dataclass(frozen=True, eq=False)
class Piece:
    """One step of an integration."""

    start: Point
    end: Point
    between: Callable[[float], Floats] | None  # the state at a time inside; None where that means nothing (descent)


class Integrator(Protocol):
    """What follows a flow."""

    def pieces(self, point: Point, until: float = math.inf) -> Iterator[Piece]:
        """Steps from ``point`` on, without end, or up to the time ``until``; taken together they are one solution.

        An ArithmeticError is raised if the flow cannot be followed any further.
        """


@dataclass(frozen=True, eq=False)
class AdaptiveIntegrator:
    """A smooth flow, by a Runge–Kutta method of scipy with a step size that follows its error estimate.

    Each call starts a solver afresh at the point and with the step size given: so these are all there is to keep.
    """

    field: Field
    method: str  # explicit of order 5 or 8, or the implicit Radau method where the flow is stiff
    relative: float  # tolerances of the error estimate
    absolute: Floats  # of each entry of y
    jacobian: Callable[[Floats], Floats] | None = None  # ∂f/∂y, (P, P); for the implicit method

    def pieces(self, point: Point, until: float = math.inf) -> Iterator[Piece]:
        if point.time >= until:
            return
        options = {} if self.jacobian is None else {"jac": lambda _, y: self.jacobian(y)}  # type: ignore[misc]
        first = point.step
        if first is not None and point.time + first > until:
            first = until - point.time
        solver = getattr(scipy.integrate, self.method)(
            lambda _, y: self.field(y),
            point.time,
            point.y,
            until,
            rtol=self.relative,
            atol=self.absolute,
            first_step=first,
            max_step=_LONGEST_STEP,
            **options,
        )
        while solver.status == "running":
            message = solver.step()
            if solver.status == "failed":
                raise ArithmeticError(f"the flow could not be followed beyond t = {solver.t:.6g}: {message}")
            # The last step before ``until`` may be cut short: what comes after should not begin with so small a one.
            following = max(float(solver.h_abs), point.step or 0.0) if solver.t >= until else float(solver.h_abs)
            end = Point(float(solver.t), solver.y.copy(), following, point.steps + 1)
            yield Piece(point, end, self._between(point, end, solver))
            point = end

    def _between(self, start: Point, end: Point, solver: Any) -> Callable[[float], Floats]:
        """The state inside a step.

        Where stability, not accuracy, limits the steps of an explicit method its interpolation is worse than they are,
        by orders of magnitude: a shorter step from the same start is at least as good.
        """
        if self.method != SMOOTH:
            return solver.dense_output()

        def between(time: float) -> Floats:
            length = time - start.time
            if time == end.time:
                return end.y
            stages = [self.field(start.y)]
            for weights in solver.A[1:]:
                y = start.y + length * np.tensordot(weights[: len(stages)], stages, 1)
                stages.append(self.field(y))
            return np.asarray(start.y + length * np.tensordot(solver.B, stages, 1))

        return between


@dataclass(frozen=True, eq=False)
class SlidingIntegrator:
    """A flow with kinks, along which it may slide: to each side of them it leads back to them.

    Where no kink is met the flow is smooth, and a Runge–Kutta method of order 5 follows it with long steps. Along a
    kink every error estimate finds the jump of f, and the steps become ever smaller; but the mean over many crossings
    is the velocity along the kink, and a fixed step finds that, too. So where small steps begin to crawl, some hundred
    steps of Heun's method follow. It is of second order where the flow is smooth; across kinks its error falls linearly
    with the step.
    """

    field: Field
    relative: float  # tolerances where the flow is smooth
    absolute: Floats
    coarse: Callable[[Floats], float]  # the step of Heun's method at y

    def pieces(self, point: Point, until: float = math.inf) -> Iterator[Piece]:
        """Steps from ``point`` on, without end, or up to the time ``until``."""
        step = min(self.coarse(point.y), _LONGEST_STEP)
        while point.time < until:
            if point.sliding == 0:
                smooth = AdaptiveIntegrator(self.field, PIECEWISE, self.relative, self.absolute)
                first = max(point.step or 0.0, step)
                for piece in smooth.pieces(replace(point, step=first), until):
                    crawling = piece.end.time - piece.start.time < _CRAWLING * step and piece.end.time < until
                    if crawling:
                        piece = replace(piece, end=replace(piece.end, sliding=_COARSE_STEPS))  # noqa: PLW2901
                    point = piece.end
                    yield piece
                    if crawling:
                        break
                # Since the beginning the weights, and with them the fastest rate, may have grown.
                step = min(self.coarse(point.y), _LONGEST_STEP)
            else:
                piece = self._heun(point, min(step, until - point.time))
                point = piece.end
                yield piece

    def _heun(self, point: Point, step: float) -> Piece:
        first = self.field(point.y)
        # However small the rates were when the step was chosen, no step changes much.
        speed = float(np.linalg.norm(first))
        if speed > 0:
            furthest = _FURTHEST * float(np.linalg.norm(point.y)) / speed
            step = min(step, max(furthest, _SHORTEST * step))
        bend = self.field(point.y + step * first) - first
        y = point.y + step * first + (step / 2) * bend
        end = Point(point.time + step, y, step, point.steps + 1, point.sliding - 1)

        def between(time: float) -> Floats:
            passed = time - point.time
            return np.asarray(point.y + passed * first + (passed**2 / (2 * step)) * bend)

        return Piece(point, end, between)


@dataclass(frozen=True, eq=False)
class GradientDescent:
    """Gradient descent, ``y ← y + h·f(y)`` with minus the gradient f; after k steps the time is ``k·h``."""

    field: Field
    step_size: float

    def pieces(self, point: Point, until: float = math.inf) -> Iterator[Piece]:
        """Steps from ``point`` on, without end, or up to the first at or after the time ``until``."""
        while point.time < until:
            end = replace(
                point,
                time=(point.steps + 1) * self.step_size,
                y=point.y + self.step_size * self.field(point.y),
                steps=point.steps + 1,
            )
            yield Piece(point, end, None)
            point = end


def crossing(piece: Piece, exceeds: Callable[[Floats], float]) -> float:
    """When ``exceeds(y)``, negative at the start of the piece and not at its end, is zero.

    For gradient descent, when the step that led there was over.
    """
    between = piece.between
    if between is None:
        return piece.end.time
    low, high = piece.start.time, piece.end.time
    if exceeds(between(low)) >= 0:
        return low
    return float(scipy.optimize.brentq(lambda time: exceeds(between(time)), low, high, xtol=1e-12, rtol=1e-12))
