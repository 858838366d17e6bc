"""What a flow starts near."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.minimum import (
    CURVATURE_TOLERANCE,
    GRADIENT_TOLERANCE,
    Report,
    Stationarity,
    polished,
    require_minimum,
)
from np_widgets.learning.saddles.origin import rough_origin_ray
from np_widgets.learning.saddles.settings import ESCAPED, SaddleSettings, dormant_counts
from np_widgets.problems import Problem

_NOTHING = 1e-6  # of the weights before: a neuron that a price has let shrink away


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
    tolerances: tuple[float, float] = (GRADIENT_TOLERANCE, CURVATURE_TOLERANCE),
    report: Report | None = None,
) -> Ground:
    """What a flow with these settings starts near, polished if that is wanted; refused if that is no minimum."""
    decay = settings.weight_decay
    if network is None:
        layers = len(dormant_counts(settings.dormant, None))
        return Ground(None, None, *rough_origin_ray(problem, layers, activation, settings.seed, decay), decay)
    with torch.no_grad():
        network = network.to(dtype=torch.float64)
        if polish:
            objective = Objective(problem, network, decay)
            network = objective.network(polished(objective, objective.initial, report)).copy()
            _require_something_left(network, _NOTHING * float(objective.initial.norm()), decay)
        found = require_minimum(network, problem, *tolerances, report, decay)
    return Ground(network, found, ESCAPED * found.weight_norm, found.curvatures.largest, decay)


def _require_something_left(network: HomogeneousNetwork, least: float, weight_decay: float) -> None:
    for layer, (incoming, outgoing) in enumerate(pairwise(network.weights), start=1):
        sizes = torch.hypot(incoming.norm(dim=1), outgoing.norm(dim=0))
        if weight_decay and bool((sizes <= least).any()):
            raise ValueError(
                f"weight_decay must leave every neuron of the network some weights, got {weight_decay:g}: at the "
                f"minimum of the penalized loss neuron {int(sizes.argmin()) + 1} of layer {layer} has none"
            )
