"""The settings of a saddle flow, and the weights that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.activation import Activation
from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.correlation.points import MOST_HIDDEN_LAYERS, MOST_STARTS, fitting
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.saddles.layout import Flags, Layout
from np_widgets.learning.saddles.turning import Turned, turned
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem

Floats = NDArray[np.float64]
Dormant = tuple[int, ...] | tuple[KKTPoint, ...]

Dynamics = Literal["flow", "descent"]
MOST_DORMANT = 10_000
# Of a network at the origin, unless the user says otherwise: as many as NeuronPursuit has.
_HIDDEN_LAYERS = 2
_LEAST_DECADE = -250
ESCAPED = 0.03
"""‖w_z‖ as a share of ‖w_n‖ at which the dormant weights have escaped."""


@dataclass(frozen=True)
class SaddleSettings:
    """What a saddle flow does; :class:`~np_widgets.learning.saddles.flow.SaddleFlow` describes each field."""

    dormant: Dormant
    scale: float = 1e-3
    seed: int = 0
    dynamics: str = "flow"
    step_size: float = 0.02
    tolerance: float | None = None
    starts: int = 100
    weight_decay: float = 0.0
    turned: tuple[Turned, ...] = ()

    def __post_init__(self) -> None:
        checked = {
            "dormant": _checked_dormant(self.dormant),
            "scale": arguments.real("scale", self.scale, above=0),
            "seed": arguments.seed(self.seed),
            "dynamics": arguments.choice("dynamics", self.dynamics, get_args(Dynamics)),
            "step_size": arguments.real("step_size", self.step_size, above=0),
            "starts": arguments.whole("starts", self.starts, 1, MOST_STARTS),
            "weight_decay": arguments.real("weight_decay", self.weight_decay, least=0),
        }
        if self.tolerance is not None:
            checked["tolerance"] = arguments.real("tolerance", self.tolerance, least=1e-12, most=0.1)
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def what_flows(
    network: HomogeneousNetwork | None,
    problem: Problem,
    power: int | None,
    leak: float | None,
    hidden_layers: int | None,
) -> tuple[Problem, Activation, int]:
    """The problem in float64, the activation and the number of hidden layers, after checking that these fit."""
    if network is not None:
        if power is not None or leak is not None or hidden_layers is not None:
            raise TypeError("power, leak and hidden_layers belong to the network: they can be given only without one")
        return fitting(network, problem).to(dtype=torch.float64), network.activation, network.hidden_layers
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
    activation = Activation(1 if power is None else power, 0.0 if leak is None else leak)
    layers = _HIDDEN_LAYERS
    if hidden_layers is not None:
        layers = arguments.whole("hidden_layers", hidden_layers, 1, MOST_HIDDEN_LAYERS)
    require_representable(problem, activation.power, layers)
    return problem.to(dtype=torch.float64), activation, layers


@dataclass(frozen=True, eq=False)
class Start:
    """Where a flow begins."""

    layout: Layout  # of the whole network, dormant neurons included
    activation: Activation
    theta: Floats  # all weights, (P,)
    active: tuple[Flags, ...]  # of each hidden layer: those of the network come first, the dormant ones after them

    @property
    def is_origin(self) -> bool:
        """Whether no neuron is active."""
        return not any(flags.any() for flags in self.active)


def start_near(
    network: HomogeneousNetwork | None, problem: Problem, activation: Activation, settings: SaddleSettings
) -> Start:
    """The network with its dormant neurons; without a network only those.

    Random weights are normally distributed. Either way all dormant weights together have the norm ``scale``.
    """
    counts = dormant_counts(settings.dormant, network)
    before = (0,) * len(counts) if network is None else network.widths
    widths = [problem.input_size, *(old + new for old, new in zip(before, counts, strict=True)), problem.output_size]
    layout = Layout([(above, below) for below, above in pairwise(widths)], activation.power)
    active = tuple(np.arange(old + new) < old for old, new in zip(before, counts, strict=True))
    between_active = layout.active_entries(active)
    matrices = [np.zeros(shape) for shape in layout.shapes]
    points = points_among(settings.dormant)
    if points:
        _put_points(matrices, before, points)
    else:
        generator = np.random.default_rng(settings.seed)
        matrices = [generator.standard_normal(shape) for shape in layout.shapes]
    theta = np.where(between_active, 0.0, layout.vector(matrices))
    norm = float(np.linalg.norm(theta))
    if not 0 < norm < np.inf:
        raise ValueError(f"dormant must have weights that are finite and not all zero, got some of norm {norm:g}")
    theta = turned(theta * (settings.scale / norm), layout, active, settings.turned)
    if network is not None:
        whole = layout.matrices(theta)
        for matrix, weight in zip(whole, network.weights, strict=True):
            matrix[: weight.shape[0], : weight.shape[1]] = to_array(weight)
    return Start(layout, activation, theta, active)


def check_start(start: Start, settings: SaddleSettings, curvature: float | None, escape_norm: float | None) -> None:
    """Refuse a scale at which the dormant weights would have escaped already, and steps that diverge at once.

    ``curvature`` is the largest at the saddle, or at the origin the largest on the ray of the best KKT point up to
    where the loss is lowest; ``escape_norm`` the norm of dormant weights that counts as escaped; None if there is none.
    """
    if settings.dynamics == "descent" and curvature is not None and settings.step_size >= 2 / curvature:
        where = "along the ray of the best KKT point of this origin" if start.is_origin else "at this minimum"
        raise ValueError(
            f"step_size must be smaller than {2 / curvature:.3g}, 2 over the largest curvature of the loss {where}, "
            f"got {settings.step_size:g}: gradient descent would diverge"
        )
    if escape_norm is not None and settings.scale >= escape_norm:
        whose = "of the network's weights" if not start.is_origin else "that weights grow to from this origin"
        raise ValueError(
            f"scale must be smaller than {escape_norm:.3g}, {ESCAPED:.0%} of the norm {whose}, where the dormant "
            f"weights count as escaped; got {settings.scale:g}"
        )
    degree = sum(start.layout.power**layer for layer in range(len(start.layout.shapes) if start.is_origin else 2))
    least = float(10 ** (_LEAST_DECADE / degree))
    if settings.scale < least:
        raise ValueError(
            f"scale must be at least {least:.1e}, got {settings.scale:g}: the neural correlation function, of degree "
            f"{degree}, of smaller weights leaves the range of floating point"
        )


def everywhere(dormant: Any, layers: int) -> Any:
    """The same number of dormant neurons in every layer, if only one is given."""
    if isinstance(dormant, (int, np.integer)) and not isinstance(dormant, bool):
        return (int(dormant),) * layers
    return dormant


def dormant_counts(dormant: Dormant, network: HomogeneousNetwork | None) -> tuple[int, ...]:
    """How many dormant neurons each hidden layer has, after checking that they fit the network."""
    points = points_among(dormant)
    if points:
        # Without a network a point is one of the origin: its path goes through all hidden layers.
        layers = points[0].last if network is None else network.hidden_layers
        counts = [0] * layers
        for index, point in enumerate(points):
            layer = arguments.whole(f"dormant[{index}].layer", point.layer, 1, 1 if network is None else layers)
            arguments.whole(f"dormant[{index}].last", point.last, layers if network is None else layer, layers)
            for place in range(layer - 1, point.last):
                counts[place] += 1
        return tuple(counts)
    widths = tuple(count for count in dormant if isinstance(count, int))
    layers = len(widths) if network is None else network.hidden_layers
    if len(widths) != layers:
        raise ValueError(f"dormant must hold {layers} numbers, one for each hidden layer, got {len(widths)}")
    if network is None and min(widths) == 0:
        raise ValueError(f"dormant must be at least 1 in every hidden layer without a network, got {widths}")
    return widths


def points_among(dormant: Dormant) -> list[KKTPoint]:
    """The KKT points on whose rays the dormant neurons start; none if their weights are random."""
    return [point for point in dormant if isinstance(point, KKTPoint)]


def _checked_dormant(value: Any) -> Dormant:
    if isinstance(value, KKTPoint):
        return (value,)
    if isinstance(value, Sequence) and value and all(isinstance(point, KKTPoint) for point in value):
        return tuple(value)
    accepted = "a number of neurons for each hidden layer, or KKTPoints"
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        raise TypeError(f"dormant must be {accepted}, got {arguments.shown(value)}")
    counts = arguments.wholes("dormant", value, 0)
    for index, count in enumerate(counts):
        arguments.whole(f"dormant[{index}]", count, 0, MOST_DORMANT)
    if len(counts) > MOST_HIDDEN_LAYERS:
        raise ValueError(f"dormant must hold at most {MOST_HIDDEN_LAYERS} numbers, got {len(counts)}")
    if sum(counts) == 0:
        raise ValueError(
            f"dormant must be at least 1 in some hidden layer: without a dormant neuron nothing wakes up, got {counts}"
        )
    return counts


def _put_points(matrices: list[Floats], before: tuple[int, ...], points: list[KKTPoint]) -> None:
    """Write the new neurons of each path behind those that are there, which it sees and which see it at its ends."""
    sizes = [matrices[0].shape[1], *before, matrices[-1].shape[0]]
    place = list(before)
    for number, point in enumerate(points):
        first, last = point.layer, point.last
        wanted, given = (sizes[first - 1], sizes[last + 1]), (point.incoming.numel(), point.outgoing.numel())
        if given != wanted:
            raise ValueError(
                f"dormant[{number}] must have {wanted[0]} incoming and {wanted[1]} outgoing weights to fit a path from "
                f"layer {first} to layer {last}, got {given[0]} and {given[1]}"
            )
        matrices[first - 1][place[first - 1], : sizes[first - 1]] = to_array(point.incoming)
        for layer, weight in enumerate(point.inner, start=first):
            matrices[layer][place[layer], place[layer - 1]] = weight
        matrices[last][: sizes[last + 1], place[last - 1]] = to_array(point.outgoing)
        for layer in range(first, last + 1):
            place[layer - 1] += 1
