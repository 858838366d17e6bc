"""One saddle, and what theory says of the flow near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.correlation.paths import KKTPoint, PathSearch, all_paths
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.ray import Losses, losses_of_path, lowest_on_ray
from np_widgets.learning.pursuit.rules import TARGET_SHARE
from np_widgets.learning.saddles.fields import CorrelationFlow, JointFlow
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
_ON_RAY = 0.99  # the cosine between a path of dormant neurons and the KKT point whose ray they start near
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
    decay
        λ, the price on weights.
    curvature
        The largest eigenvalue of the active network's Hessian, to about a hundredth; None at the origin.
    least_value
        Values of the NCF up to this one count as zero: the distance from the minimum may account for them.
    is_fitted
        Whether nothing is left to explain: the loss of the active network is where Neuron Pursuit would end.
    has_paths
        Whether consecutive hidden layers have dormant neurons, which together may lower the loss where the NCF of every
        single one vanishes.
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
        self.decay = whole.weight_decay
        self.network: HomogeneousNetwork | None = None
        self.curvature: float | None = None
        self._uncertain = self.least_value = 0.0
        self._is_near = True
        self.fields: dict[int, Field] = {}
        layers = len(layout.widths)
        # A layer without dormant neurons has nothing to search for.
        wanting = tuple(layer for layer in range(1, layers + 1) if not place.active[layer - 1].all())
        self.has_paths = any(upper == lower + 1 for lower, upper in pairwise(wanting))
        if any(flags.any() for flags in place.active):
            self.network = self._active_network()
            objective = Objective(problem, self.network, self.decay)
            loss = objective.loss(objective.initial)
            found = shortest(objective, objective.initial)
            slopes = found.slopes
            self.curvature = Hessian(objective, objective.initial, slopes).largest()
            size = float(objective.initial.norm())
            uncertain = found.norm + _ROUNDING * abs(self.curvature) * size
            self._uncertain = self.least_value = _UNCERTAINTIES * uncertain / size**activation.power
            if activation.power == 1 and self.decay:
                # What grows has to be worth more than its price, which active neurons are worth exactly.
                self.least_value += (1 + _VALUE_TOLERANCE) * self.decay / 2
            self._is_near = found.norm * size <= _NEAR * loss
            paths = [(layer, layer) for layer in wanting]
            # Of several neurons a layer the theory of paths says nothing that is simple.
            alone = len(wanting) > 1 and all(np.sum(~place.active[layer - 1]) == 1 for layer in wanting)
            if alone and wanting[-1] - wanting[0] == len(wanting) - 1:
                paths = [path for path in all_paths(layers, 1, layers) if set(path) <= set(wanting)]
            self.search = PathSearch(
                self.network, problem, paths, starts, seed, _VALUE_TOLERANCE, slopes=slopes, unseen=True
            )
            profile = Profile.of(activation)
            self.fields = {layer: self.search.signals.field(layer, layer, profile, unseen=True) for layer in wanting}
        else:
            loss = problem.zero_loss
            self.search = origin_search(problem, layers, activation, starts, seed)
            if layers == 1:
                self.fields = {1: self.search.signals.field(1, 1, Profile.of(activation), unseen=False)}
                self.least_value = self.decay / 2 if activation.power == 1 else 0.0
        self.is_fitted = loss <= TARGET_SHARE * problem.zero_loss

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The KKT points found of a value above the least one, best first; complete once the search has finished.

        Where there are none of single neurons, the shortest path's on whose ray the dormant neurons start.
        """
        found = self._way_out[1]
        return tuple(self._destination(point) for point in found)

    @property
    def degree(self) -> int:
        """The degree of homogeneity of the NCF."""
        found = self._way_out[1]
        joint = isinstance(self.flow, JointFlow)
        if joint and found:
            return found[0].degree
        return sum(self._activation.power**layer for layer in range(len(self._layout.shapes) if joint else 2))

    @property
    def flow(self) -> CorrelationFlow | JointFlow:
        """The flow of the NCF alone; known once the search has finished."""
        return self._way_out[0]

    @property
    def _way_out(self) -> tuple[CorrelationFlow | JointFlow, tuple[KKTPoint, ...]]:
        return self._found_way_out if self.search.directions.finished else self._neurons_alone(())

    @cached_property
    def _found_way_out(self) -> tuple[CorrelationFlow | JointFlow, tuple[KKTPoint, ...]]:
        points = self.search.points
        if self.network is None and len(self._layout.widths) > 1:
            return self._neurons_alone(tuple(points))
        singles = tuple(point for point in points if not point.inner and point.value > self.least_value)
        paths = [point for point in points if point.inner and point.value > self._uncertain]
        if not singles and self.network is not None:
            for point in paths:
                flow = self._path_flow(point.layer, point.last)
                near = self._with_signs_of(point, self.place.theta[flow.positions])
                if point.degree == paths[0].degree and self._path_cosine(self.place.theta, near) >= _ON_RAY:
                    return flow, (near,)
        return self._neurons_alone(singles)

    def _neurons_alone(self, points: tuple[KKTPoint, ...]) -> tuple[CorrelationFlow | JointFlow, tuple[KKTPoint, ...]]:
        if self.network is None and len(self._layout.widths) > 1:
            return JointFlow(self._whole, np.arange(self._whole.size)), points
        return CorrelationFlow(self._layout, self.place.active, self.fields, self.decay), points

    def _path_flow(self, layer: int, last: int) -> JointFlow:
        """That of a path: a network of one neuron a layer, from what enters layer ``layer`` to ``s_{last+1}``."""
        assert self.network is not None
        ends = Problem(*self.search.signals.ends(layer, last))
        hidden = last - layer + 1
        weights = [torch.ones(1, ends.input_size), *[torch.ones(1, 1)] * (hidden - 1), torch.ones(ends.output_size, 1)]
        chain = HomogeneousNetwork._of([weight.to(ends.inputs) for weight in weights], self._activation)
        positions = self._layout.path_positions(self.place.active, layer, last)
        return JointFlow(Objective(ends, chain, self.decay), positions)

    def _with_signs_of(self, point: KKTPoint, weights: Floats) -> KKTPoint:
        """The same KKT point, with signs of neurons as at ``weights`` where a neuron and its mirror image are one."""
        power, leak = self._activation.power, self._activation.leak
        if abs(leak) != 1:
            return point
        size = point.incoming.numel()
        chain = [point.incoming, *(point.incoming.new_tensor([each]) for each in point.inner), point.outgoing]
        wanted = [weights[:size], *(weights[size + index : size + index + 1] for index in range(len(point.inner)))]
        for index, own in enumerate(wanted):
            if float(to_array(chain[index]) @ own) < 0:
                chain[index] = -chain[index]
                if leak == 1 and power % 2:
                    chain[index + 1] = -chain[index + 1]
        inner = tuple(float(each) for each in chain[1:-1])
        return replace(point, incoming=chain[0], inner=inner, outgoing=chain[-1])

    def _path_cosine(self, theta: Floats, point: KKTPoint | Destination) -> float:
        """Between all dormant weights and a path's KKT point."""
        last = point.layer + len(point.inner)
        dormant = theta[~self._layout.active_entries(self.place.active)]
        positions = self._layout.path_positions(self.place.active, point.layer, last)
        ends = [np.asarray(each, dtype=np.float64) for each in (point.incoming, point.outgoing)]
        direction = np.concatenate([ends[0].reshape(-1), np.array(point.inner), ends[1].reshape(-1)])
        return float(direction @ theta[positions]) / max(float(np.linalg.norm(dormant)), np.finfo(float).tiny)

    @property
    def without_destination(self) -> str:
        """Why no KKT point is a destination, as the beginning of a sentence."""
        best = max((point.value for point in self.search.points if not point.inner), default=0.0)
        if self._activation.power == 1 and 0 < best <= (1 + _VALUE_TOLERANCE) * self.decay / 2:
            return (
                f"no KKT point is worth more than the price of its weights, λ/2 = {self.decay / 2:.3g} (the best has a "
                f"value of {best:.3g})"
            )
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
            norm = origin_ray(self.search.points, self._problem, self._activation, self.decay)[0]
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

    def joint_cosine(self, theta: Floats, destination: Destination) -> float:
        """How near the weights that flow together are to a KKT point's direction, at most 1.

        Neurons of a layer may share what one neuron does: for p = 1 weights ``W_1 = u_1 b̂ᵀ``, ``W_l = u_l u_{l-1}ᵀ``,
        ``W_L = â u_{L-1}ᵀ`` are a KKT point, too. So this is the cosine to the nearest of these.
        """
        if self.network is not None:
            return self._path_cosine(theta, destination)
        matrices = self._layout.matrices(theta)
        depth, power = len(matrices), self._activation.power
        norms = np.sqrt(np.array([power ** (depth - layer) for layer in range(1, depth + 1)]) / self.degree)
        along = np.maximum(matrices[0] @ unit(destination.incoming), 0 if self._activation.leak >= 0 else -np.inf)
        parts = [float(np.linalg.norm(along))]
        for matrix in matrices[1:-1]:
            along = matrix @ unit(along)
            if self._activation.leak >= 0:
                along = np.maximum(along, 0)
            parts.append(float(np.linalg.norm(along)))
        parts.append(float(unit(destination.outgoing) @ matrices[-1] @ unit(along)))
        return float(norms @ np.array(parts)) / max(float(np.linalg.norm(theta)), np.finfo(float).tiny)

    def _cosine(self, layer: int, incoming: Floats, outgoing: Floats, destination: Destination) -> float:
        b, a = destination.seen_from(layer)
        if b is not None and a is not None:
            return float(incoming @ b + outgoing @ a)
        if b is not None:
            return float(unit(incoming) @ unit(b))
        return float("nan") if a is None else float(unit(outgoing) @ unit(a))

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
            price = 0.5 * self.decay * scale**2
            return float(self._problem.loss.value(output, self._problem.targets)) + price

        return lambda scales: np.array([loss_at(scale) for scale in scales.tolist()])


def origin_search(
    problem: Problem, layers: int, activation: Activation, starts: int, seed: int, *, rough: bool = False
) -> PathSearch:
    """The search for the KKT points of the origin."""
    empty = HomogeneousNetwork.empty(problem, layers, activation)
    return PathSearch(empty, problem, [(1, layers)], starts, seed, _VALUE_TOLERANCE, rough=rough)


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


def unit(vector: Floats) -> Floats:
    """Divided by its norm."""
    return vector / max(float(np.linalg.norm(vector)), np.finfo(float).tiny)
