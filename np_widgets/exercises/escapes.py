"""Exercise: predict the escape time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from np_widgets import arguments
from np_widgets.exercises.drawing import Student, first_clear, remembered
from np_widgets.exercises.grade import Grade, grade, graded
from np_widgets.exercises.resting import at_rest
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.correlation.points import find_kkt_points, find_origin_points
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.learning.saddles.prediction import ray_time
from np_widgets.problems import Problem

_INPUTS, _SAMPLES = 3, 60
_TOLERANCE = 0.03
_FORM = "three times, one for each escape, such as [12.5, 340.0, 1800.0]"


@dataclass(frozen=True)
class Escape:
    """A flow that begins near a saddle.

    Attributes
    ----------
    network
        The network at the saddle; None at the origin.
    problem
        What it learns.
    point
        The KKT point along which the dormant weights start. It tells the power p of the activation, the value N* and
        the degree.
    start_norm, end_norm
        δ, the norm of the dormant weights at the start, and r, the norm at which they count as awake.
    """

    network: HomogeneousNetwork | None
    problem: Problem
    point: KKTPoint
    start_norm: float
    end_norm: float

    __repr__ = one_line


def escape_time(*, student: Student = 0) -> tuple[Escape, ...]:
    """Three escapes along a ray, whose times are asked for: from norm δ to norm r, by gradient flow.

    The first is from a saddle of leaky ReLUs, the second from one of squared ReLUs, and the third from the origin of
    networks with two hidden layers of ReLUs.

    Parameters
    ----------
    student
        A name or a seed: everyone has saddles of her own.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    return tuple(first_clear(exercise, student, draw) for exercise, draw in _DRAWS.items())


def check_escape_time(answer: object, *, student: Student = 0) -> Grade:
    """Grade three times for the escapes of :func:`escape_time`: each must be right to 3 %."""
    task = tuple(remembered(exercise, student, draw) for exercise, draw in _DRAWS.items())
    return graded(lambda: _judged(answer, task), _FORM)


def _judged(answer: object, task: tuple[Escape, ...]) -> Grade:
    times = arguments.reals("answer", answer)
    if len(times) != len(task):
        raise ValueError(f"it must hold {len(task)} times, got {len(times)}")
    remarks, right = [], 0
    for number, (time, escape) in enumerate(zip(times, task, strict=True), start=1):
        point = escape.point
        wanted = ray_time(point.value, point.degree, escape.start_norm, escape.end_norm)
        if abs(time - wanted) <= _TOLERANCE * wanted:
            right += 1
            remarks.append(f"Escape {number}: {time:.4g} is right.")
        else:
            far = f"{time / wanted:.2g} times the time that it takes" if time > 0 else "no time that anything takes"
            remarks.append(f"Escape {number}: {time:.4g} is {far}. Hint: {_hint(time, wanted, escape)}")
    return grade(right / len(task), *remarks)


def _hint(time: float, wanted: float, escape: Escape) -> str:
    point, start, end = escape.point, escape.start_norm, escape.end_norm
    if time <= 0:
        return "it begins at the smaller norm, δ, and ends at the larger one, r."

    def is_near(other: float) -> bool:
        return abs(time - other) <= _TOLERANCE * abs(other)

    if point.degree == 2:
        if is_near(2 * wanted):
            return "N* is a value, of degree 2 in the weights. At which rate does the norm grow, N* or 2N*?"
        if is_near(wanted / math.log(10)):
            return "is this a logarithm to base 10?"
        if is_near(math.log(1 / start) / (2 * point.value)):
            return "the rate is right; but where does it end?"
        return "here the norm obeys dρ/dt = 2N*·ρ: it grows like compound interest."
    if is_near(math.log(end / start) / (2 * point.value)):
        return f"this is the law of degree 2. The degree here is {point.degree}."
    if is_near(point.degree * wanted) or is_near((point.degree - 2) * wanted / point.degree):
        return "the derivative of ρ^D is D·ρ^(D−1): count the factor D once."
    if is_near(start ** (2 - point.degree) / (point.degree * (point.degree - 2) * point.value)):
        return "nearly: this is the time to grow without end, and it ends at r."
    return "with degree D the norm obeys dρ/dt = D·N*·ρ^(D−1). Separate the variables and integrate from δ to r."


def _from_saddle(power: int, leak: float) -> Callable[[np.random.Generator], Escape | None]:
    def draw(generator: np.random.Generator) -> Escape | None:
        weights = generator.standard_normal((2, _INPUTS)), generator.standard_normal((1, 2))
        network = HomogeneousNetwork(weights, power=power, leak=leak)
        inputs = torch.from_numpy(generator.standard_normal((_SAMPLES, _INPUTS)))
        grown = network.with_neuron(1, generator.standard_normal(_INPUTS), [1.0])
        rest = at_rest(network, inputs, grown(inputs) - network(inputs), f"a saddle, p = {power}")
        return None if rest is None else _clear(network, rest[0], find_kkt_points(network, rest[0], starts=20))

    return draw


def _from_origin(generator: np.random.Generator) -> Escape | None:
    inputs = generator.standard_normal((_SAMPLES, _INPUTS))
    targets = np.maximum(inputs @ generator.standard_normal((_INPUTS, 2)), 0) @ generator.uniform(0.5, 1.5, 2)
    problem = Problem(inputs, targets, name="the origin, two hidden layers")
    return _clear(None, problem, find_origin_points(problem, starts=20))


def _clear(network: HomogeneousNetwork | None, problem: Problem, points: list[KKTPoint]) -> Escape | None:
    """With the best point, if it is large enough for a wait that ends."""
    if not points or points[0].value < 0.02:
        return None
    start, end = (1e-3, 2e-2) if points[0].degree == 2 else (5e-3, 2e-2)
    return Escape(network, problem, points[0], start, end)


_DRAWS = {
    "escape time 1": _from_saddle(1, 0.2),
    "escape time 2": _from_saddle(2, 0.0),
    "escape time 3": _from_origin,
}
