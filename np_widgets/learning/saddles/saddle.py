"""One saddle, and what theory says of the flow near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.paths import KKTPoint, PathSearch
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.ray import Losses, losses_of_path, lowest_on_ray
from np_widgets.learning.rules import TARGET_SHARE
from np_widgets.learning.saddles.fields import CorrelationFlow, NeuronField, OriginFlow, neuron_fields
from np_widgets.learning.saddles.frames import Destination
from np_widgets.learning.saddles.layout import Flags, Layout
from np_widgets.learning.saddles.minimum import shortest
from np_widgets.learning.saddles.settings import ESCAPED
from np_widgets.learning.subset import some_samples
from np_widgets.problems import Problem

Floats = NDArray[np.float64]

_VALUE_TOLERANCE = 1e-7
# Values of the NCF at a minimum that is not quite reached are uncertain by about ‖g‖/‖w‖^p, and never by less than
# rounding, here relative to the largest curvature.
_UNCERTAINTIES, _ROUNDING = 2.0, 1e-14
_NEAR = 1e-3  # from a minimum: what a step along the gradient as long as the weights would gain, as a share of the loss
_SAMPLES_FOR_ROUGH, _STARTS_FOR_ROUGH = 1000, 10
_POINTS_OF_RAY = 200


@dataclass(frozen=True, eq=False)
class Place:
    """A saddle as plain arrays.

    Attributes
    ----------
    time
        When the flow was there.
    theta
        All weights, dormant ones included, of shape ``(P,)``.
    active
        For each hidden layer which neurons belong to it.
    """

    time: float
    theta: Floats
    active: tuple[Flags, ...]


class Saddle:
    """What surrounds a saddle.

    Parameters
    ----------
    place
        Where it is.
    layout, activation, problem
        Of the whole network; the problem in float64.
    whole
        The training loss of the whole network.
    starts, seed
        Of the search for KKT points.

    Attributes
    ----------
    fields
        The NCF of each hidden layer; none near the origin with more than one hidden layer, where neurons of different
        layers do not decouple.
    flow
        The flow of the NCF alone.
    curvature
        The largest eigenvalue of the active network's Hessian, to about a hundredth; None at the origin.
    least_value
        Values of the NCF up to this one count as zero: the distance from the minimum may account for them.
    is_fitted
        Whether nothing is left to explain: the loss of the active network is where Neuron Pursuit would end.
    has_paths
        Whether consecutive hidden layers have dormant neurons, which together may lower the loss where the NCF of every
        single one vanishes.
    degree
        The degree of homogeneity of the NCF.
    """

    def __init__(
        self,
        place: Place,
        layout: Layout,
        activation: Activation,
        problem: Problem,
        whole: Objective,
        starts: int,
        seed: int,
    ) -> None:
        self.place = place
        self._layout, self._activation, self._problem = layout, activation, problem
        self._whole = whole
        self.degree = activation.power + 1
        self.network: HomogeneousNetwork | None = None
        self.curvature: float | None = None
        self.least_value = 0.0
        self._is_near = True
        self.fields: dict[int, NeuronField] = {}
        self.flow: CorrelationFlow | OriginFlow
        layers = len(layout.widths)
        # A layer without dormant neurons has nothing to search for.
        wanting = tuple(layer for layer in range(1, layers + 1) if not place.active[layer - 1].all())
        self.has_paths = any(upper == lower + 1 for lower, upper in pairwise(wanting))
        if any(flags.any() for flags in place.active):
            self.network = self._active_network()
            objective = Objective(problem, self.network)
            loss = objective.loss(objective.initial)
            found = shortest(objective, objective.initial)
            slopes = found.slopes
            self.curvature = Hessian(objective, objective.initial, slopes).largest()
            size = float(objective.initial.norm())
            uncertain = found.norm + _ROUNDING * abs(self.curvature) * size
            self.least_value = _UNCERTAINTIES * uncertain / size**activation.power
            self._is_near = found.norm * size <= _NEAR * loss
            self.fields = neuron_fields(self.network, objective, slopes)
            self.flow = CorrelationFlow(layout, place.active, self.fields)
            singles = [(layer, layer) for layer in wanting]
            self.search = PathSearch(
                self.network, problem, singles, starts, seed, _VALUE_TOLERANCE, slopes=slopes, unseen=True
            )
        else:
            loss = problem.zero_loss
            self.search = origin_search(problem, layers, activation, starts, seed)
            if layers == 1:
                self.fields = {1: NeuronField(problem.inputs, self._residual_at_origin(), activation)}
                self.flow = CorrelationFlow(layout, place.active, self.fields)
            else:
                self.flow = OriginFlow(whole)
                self.degree = sum(activation.power**layer for layer in range(layers + 1))
        self.is_fitted = loss <= TARGET_SHARE * problem.zero_loss

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The KKT points found of a value above the least one, best first; complete once the search has finished."""
        return tuple(self._destination(point) for point in self.search.points if point.value > self.least_value)

    @property
    def without_destination(self) -> str:
        """Why no KKT point is a destination, as the beginning of a sentence."""
        best = max((point.value for point in self.search.points), default=0.0)
        if best <= 0 or self._is_near:
            return "no KKT point has a positive value"
        return (
            f"no KKT point has a value above {self.least_value:.2g}, for which the distance from the minimum may "
            f"account (the best has {best:.2g})"
        )

    def escape_norm(self) -> float | None:
        """3 % of ``‖w_n‖``; at the origin, of the norm where the loss is lowest on the best KKT point's ray.

        At a saddle that the flow has reached with dormant weights that were not that small, twice their norm.
        """
        entries = self._layout.active_entries(self.place.active)
        active, dormant = (float(np.linalg.norm(self.place.theta[part])) for part in (entries, ~entries))
        norm: float | None = ESCAPED * active
        if self.network is None:
            norm = origin_ray(self.search.points, self._problem, self._activation)[0]
        return norm if norm is None or dormant < norm else 2 * dormant

    def grown(self, destinations: Sequence[Destination]) -> HomogeneousNetwork | None:
        """The active network with these KKT points as neurons, each where the loss is lowest along its ray.

        That is how Neuron Pursuit goes on from here. A point along whose ray the loss is lower nowhere is left out;
        None if that is true of all.
        """
        network = self.network
        for destination in destinations:
            lowest = lowest_on_ray(self._losses_along(network, destination), 1e-2)
            if lowest is not None:
                network = self._with(network, destination, lowest[0])
        return None if network is self.network else network

    def directions(self, theta: Floats, layer: int) -> tuple[Floats, Floats]:
        """The directions of the dormant neurons of a layer, normalized to ``‖a‖² + ‖b‖² = 1``; see the layout's."""
        incoming, outgoing = self._layout.directions(theta, self.place.active, layer)
        norm = np.sqrt((incoming**2).sum(axis=1) + (outgoing**2).sum(axis=1))
        norm = np.maximum(norm, np.finfo(float).tiny)[:, None]
        return incoming / norm, outgoing / norm

    def cosines(self, theta: Floats, destinations: Sequence[Destination]) -> dict[tuple[int, int], Floats]:
        """The cosine of each dormant neuron's direction with each destination; NaN with those of other layers.

        Near the origin of a deeper network only the neurons of the first and the last hidden layer have directions of
        their own: that of what comes from the inputs, and that of what goes to the outputs.
        """
        found: dict[tuple[int, int], Floats] = {}
        for layer, flags in enumerate(self.place.active, start=1):
            incoming, outgoing = self.directions(theta, layer)
            for place, index in enumerate(np.flatnonzero(~flags)):
                found[layer, int(index)] = np.array(
                    [self._cosine(layer, incoming[place], outgoing[place], each) for each in destinations]
                )
        return found

    def chain_cosine(self, theta: Floats, destination: Destination) -> float:
        """How near all weights near the origin of a deeper network are to a KKT point's direction, at most 1.

        Neurons of a layer may share what one neuron does: for p = 1 weights ``W_1 = u_1 b̂ᵀ``, ``W_l = u_l u_{l-1}ᵀ``,
        ``W_L = â u_{L-1}ᵀ`` are a KKT point, too. So this is the cosine to the nearest of these.
        """
        matrices = self._layout.matrices(theta)
        depth, power = len(matrices), self._activation.power
        norms = np.sqrt(np.array([power ** (depth - layer) for layer in range(1, depth + 1)]) / self.degree)
        along = np.maximum(matrices[0] @ _unit(destination.incoming), 0 if self._activation.leak >= 0 else -np.inf)
        parts = [float(np.linalg.norm(along))]
        for matrix in matrices[1:-1]:
            along = matrix @ _unit(along)
            if self._activation.leak >= 0:
                along = np.maximum(along, 0)
            parts.append(float(np.linalg.norm(along)))
        parts.append(float(_unit(destination.outgoing) @ matrices[-1] @ _unit(along)))
        return float(norms @ np.array(parts)) / max(float(np.linalg.norm(theta)), np.finfo(float).tiny)

    def _cosine(self, layer: int, incoming: Floats, outgoing: Floats, destination: Destination) -> float:
        if destination.layer == layer:
            return float(incoming @ destination.incoming + outgoing @ destination.outgoing)
        if destination.layer == 0:
            if layer == 1:
                return float(_unit(incoming) @ _unit(destination.incoming))
            if layer == len(self.place.active):
                return float(_unit(outgoing) @ _unit(destination.outgoing))
        return float("nan")

    def _destination(self, point: KKTPoint) -> Destination:
        return Destination(
            0 if self.network is None and point.last > 1 else point.layer,
            point.value,
            point.residual,
            to_array(point.incoming),
            to_array(point.outgoing),
            point.inner,
        )

    def _active_network(self) -> HomogeneousNetwork:
        matrices = self._layout.matrices(self.place.theta)
        ends = [np.ones(self._problem.input_size, bool), *self.place.active, np.ones(self._problem.output_size, bool)]
        weights = [
            torch.from_numpy(matrix[np.ix_(above, below)]).to(self._problem.inputs)
            for matrix, below, above in zip(matrices, ends, ends[1:], strict=False)
        ]
        return HomogeneousNetwork._of(weights, self._activation)

    def _residual_at_origin(self) -> Tensor:
        problem = self._problem
        zero = problem.inputs.new_zeros(problem.samples, problem.output_size)
        return problem.loss.residual(zero, problem.targets)

    def _with(self, network: HomogeneousNetwork | None, destination: Destination, scale: float) -> HomogeneousNetwork:
        if network is None:
            network = HomogeneousNetwork.empty(self._problem, len(self._layout.widths), self._activation)
        first = max(destination.layer, 1)
        last = first + len(destination.inner)
        # Neurons that were added before it know nothing of this one.
        incoming, outgoing = np.zeros(network.weights[first - 1].shape[1]), np.zeros(network.weights[last].shape[0])
        incoming[: len(destination.incoming)] = destination.incoming
        outgoing[: len(destination.outgoing)] = destination.outgoing
        inner = [scale * weight for weight in destination.inner]
        return network.with_path(first, scale * incoming, inner, scale * outgoing)

    def _losses_along(self, network: HomogeneousNetwork | None, destination: Destination) -> Losses:
        def loss_at(scale: float) -> float:
            output = self._with(network, destination, scale).forward(self._problem.inputs).output
            return float(self._problem.loss.value(output, self._problem.targets))

        return lambda scales: np.array([loss_at(scale) for scale in scales.tolist()])


def origin_search(
    problem: Problem, layers: int, activation: Activation, starts: int, seed: int, *, rough: bool = False
) -> PathSearch:
    """The search for the KKT points of the origin."""
    empty = HomogeneousNetwork.empty(problem, layers, activation)
    return PathSearch(empty, problem, [(1, layers)], starts, seed, _VALUE_TOLERANCE, rough=rough)


def origin_ray(
    points: Sequence[KKTPoint], problem: Problem, activation: Activation
) -> tuple[float | None, float | None]:
    """3 % of the norm where the loss is lowest on the best KKT point's ray, and the largest curvature on the way there.

    None and None if it is lower nowhere.
    """
    for point in points:
        empty = HomogeneousNetwork.empty(problem, point.last, activation)
        losses = losses_of_path(empty, empty.forward(problem.inputs), point, problem)
        lowest = lowest_on_ray(losses, 1.0)
        if lowest is not None:
            scale = lowest[0]
            bends = np.diff(losses(np.linspace(0, scale, _POINTS_OF_RAY + 1)), 2)
            return ESCAPED * scale, float(np.abs(bends).max()) * (_POINTS_OF_RAY / scale) ** 2
    return None, None


def rough_origin_ray(
    problem: Problem, layers: int, activation: Activation, seed: int
) -> tuple[float | None, float | None]:
    """About the same, from a quick search on some of the samples."""
    problem = some_samples(problem, _SAMPLES_FOR_ROUGH, seed)
    search = origin_search(problem, layers, activation, _STARTS_FOR_ROUGH, seed, rough=True)
    search.directions.run()
    return origin_ray(search.points, problem, activation)


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.linalg.norm(vector)), np.finfo(float).tiny)
