"""What a flow starts near."""

from __future__ import annotations

from dataclasses import dataclass

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.saddles.minimum import Report, Stationarity, at_minimum
from np_widgets.learning.saddles.origin import rough_origin_ray
from np_widgets.learning.saddles.settings import ESCAPED, SaddleSettings, dormant_counts
from np_widgets.problems import Problem


@dataclass(frozen=True, eq=False)
class Ground:
    """What a flow starts near: a network at a minimum, or None for the origin."""

    network: HomogeneousNetwork | None
    stationarity: Stationarity | None
    escape_norm: float | None  # of all dormant weights, what counts as escaped
    curvature: float | None  # the largest there; at the origin on the ray of the best KKT point
    weight_decay: float  # λ of the loss whose minimum it is


def ground_near(
    network: HomogeneousNetwork | None,
    problem: Problem,
    activation: Activation,
    settings: SaddleSettings,
    *,
    polish: bool,
    tolerances: tuple[float, float],
    report: Report | None = None,
) -> Ground:
    """What a flow with these settings starts near, descended to a minimum if that is wanted."""
    decay = settings.weight_decay
    if network is None:
        layers = len(dormant_counts(settings.dormant, None))
        return Ground(None, None, *rough_origin_ray(problem, layers, activation, settings.seed, decay), decay)
    network, found = at_minimum(network, problem, polish, tolerances, report, decay)
    return Ground(network, found, ESCAPED * found.weight_norm, found.curvatures.largest, decay)
