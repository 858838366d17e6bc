"""The origin as a saddle: its search for KKT points, and how far its rays lead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.paths import KKTPoint, PathSearch
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.ray import losses_of_path, lowest_on_ray
from np_widgets.learning.saddles.settings import ESCAPED
from np_widgets.learning.subset import some_samples
from np_widgets.problems import Problem

VALUE_TOLERANCE = 1e-7
_SAMPLES_FOR_ROUGH, _STARTS_FOR_ROUGH = 1000, 10
_POINTS_OF_RAY = 200


def origin_search(
    problem: Problem, layers: int, activation: Activation, starts: int, seed: int, *, rough: bool = False
) -> PathSearch:
    """The search for the KKT points of the origin."""
    empty = HomogeneousNetwork.empty(problem, layers, activation)
    return PathSearch(empty, problem, [(1, layers)], starts, seed, VALUE_TOLERANCE, rough=rough)


def origin_ray(
    points: Sequence[KKTPoint], problem: Problem, activation: Activation, decay: float
) -> tuple[float | None, float | None]:
    """3 % of the norm where the loss is lowest on the best KKT point's ray, and the largest curvature on the way there.

    None and None if it is lower nowhere.
    """
    for point in points:
        empty = HomogeneousNetwork.empty(problem, point.last, activation)
        losses = losses_of_path(empty, empty.forward(problem.inputs), point, problem, decay)
        lowest = lowest_on_ray(losses, 1.0)
        if lowest is not None:
            scale = lowest[0]
            bends = np.diff(losses(np.linspace(0, scale, _POINTS_OF_RAY + 1)), 2)
            return ESCAPED * scale, float(np.abs(bends).max()) * (_POINTS_OF_RAY / scale) ** 2
    return None, None


def rough_origin_ray(
    problem: Problem, layers: int, activation: Activation, seed: int, decay: float
) -> tuple[float | None, float | None]:
    """About the same, from a quick search on some of the samples."""
    problem = some_samples(problem, _SAMPLES_FOR_ROUGH, seed)
    search = origin_search(problem, layers, activation, _STARTS_FOR_ROUGH, seed, rough=True)
    search.directions.run()
    return origin_ray(search.points, problem, activation, decay)
