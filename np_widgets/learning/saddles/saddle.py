"""One saddle, and what theory says of the flow near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.paths import KKTPoint, PathSearch, all_paths
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.ray import losses_of_path, lowest_on_ray
from np_widgets.learning.pursuit.rules import TARGET_SHARE
from np_widgets.learning.saddles.directions import Directions
from np_widgets.learning.saddles.fields import CorrelationFlow, JointFlow
from np_widgets.learning.saddles.frames import Destination
from np_widgets.learning.saddles.layout import Flags, Layout
from np_widgets.learning.saddles.minimum import shortest
from np_widgets.learning.saddles.origin import VALUE_TOLERANCE, origin_ray, origin_search
from np_widgets.learning.saddles.settings import ESCAPED
from np_widgets.problems import Problem

Floats = NDArray[np.float64]
WayOut = tuple[CorrelationFlow | JointFlow, tuple[KKTPoint, ...]]

# Values of the NCF at a minimum that is not quite reached are uncertain by about ‖g‖/‖w‖^p, and never by less than
# rounding, here relative to the largest curvature.
_UNCERTAINTIES, _ROUNDING = 2.0, 1e-14
_NEAR = 1e-3  # from a minimum: what a step along the gradient as long as the weights would gain, as a share of the loss
_ON_RAY = 0.99  # the cosine between a path of dormant neurons and the KKT point whose ray they start near


@dataclass(frozen=True, eq=False)
class Place:
    """A saddle as plain arrays."""

    time: float
    theta: Floats  # all weights, dormant ones included, (P,)
    active: tuple[Flags, ...]  # for each hidden layer which neurons belong to it


class Saddle:
    """What surrounds a place, in a network of this layout whose training loss is ``whole``.

    ``network`` is the active one, and ``curvature`` the largest eigenvalue of its Hessian; None at the origin.
    ``fields`` are the NCFs of the hidden layers with dormant neurons; none near the origin with more than one hidden
    layer, where neurons of different layers do not decouple. Values of the NCF up to ``least_value`` count as zero: the
    distance from the minimum may account for them. ``is_fitted`` says whether nothing is left to explain, ``has_paths``
    whether consecutive hidden layers have dormant neurons, which together may lower the loss where no single one does.
    """

    def __init__(
        self, place: Place, layout: Layout, activation: Activation, whole: Objective, starts: int, seed: int
    ) -> None:
        problem, layers = whole.problem, len(layout.widths)
        self.place, self.decay, self._whole = place, whole.weight_decay, whole
        self._layout, self._activation, self._problem = layout, activation, problem
        self.network: HomogeneousNetwork | None = None
        self.curvature: float | None = None
        self._uncertain = self.least_value = 0.0
        self._is_near = True
        # A layer without dormant neurons has nothing to search for.
        wanting = tuple(layer for layer in range(1, layers + 1) if not place.active[layer - 1].all())
        self.has_paths = any(upper == lower + 1 for lower, upper in pairwise(wanting))
        self.directions = Directions(layout, activation, place.active)
        if any(flags.any() for flags in place.active):
            self.network = self._active_network()
            objective = Objective(problem, self.network, self.decay)
            loss = objective.loss(objective.initial)
            found = shortest(objective, objective.initial)
            self.curvature = Hessian(objective, objective.initial, found.slopes).largest()
            size = float(objective.initial.norm())
            uncertain = found.norm + _ROUNDING * abs(self.curvature) * size
            self._uncertain = self.least_value = _UNCERTAINTIES * uncertain / size**activation.power
            self._is_near = found.norm * size <= _NEAR * loss
            paths = [(layer, layer) for layer in wanting]
            # Of several neurons a layer the theory of paths says nothing that is simple.
            alone = len(wanting) > 1 and all(np.sum(~place.active[layer - 1]) == 1 for layer in wanting)
            if alone and wanting[-1] - wanting[0] == len(wanting) - 1:
                paths = [path for path in all_paths(layers, 1, layers) if set(path) <= set(wanting)]
            self.search = PathSearch(
                self.network, problem, paths, starts, seed, VALUE_TOLERANCE, slopes=found.slopes, unseen=True
            )
        else:
            loss = problem.zero_loss
            self.search = origin_search(problem, layers, activation, starts, seed)
        profile, self._is_joint = Profile.of(activation), self.network is None and layers > 1
        self.fields = {
            layer: self.search.signals.field(layer, layer, profile, unseen=self.network is not None)
            for layer in (() if self._is_joint else wanting)
        }
        if activation.power == 1 and self.decay and not self._is_joint:
            # What grows has to be worth more than its price, which active neurons are worth exactly.
            self.least_value += (1 + VALUE_TOLERANCE) * self.decay / 2
        self.is_fitted = loss <= TARGET_SHARE * problem.zero_loss

    # the way out

    @property
    def flow(self) -> CorrelationFlow | JointFlow:
        """The flow of the NCF alone; known once the search has finished."""
        return self._way_out[0]

    @property
    def points(self) -> tuple[KKTPoint, ...]:
        """The KKT points found of a value above the least one, best first; complete once the search has finished.

        Where there are none of single neurons, the shortest path's on whose ray the dormant neurons start.
        """
        return self._way_out[1]

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The same as plain arrays."""
        return tuple(
            Destination(
                0 if self._is_joint else each.layer, each.value, each.residual, to_array(each.incoming),
                to_array(each.outgoing), each.inner,
            )
            for each in self.points
        )  # fmt: skip

    @property
    def degree(self) -> int:
        """The degree of homogeneity of the NCF."""
        joint = isinstance(self.flow, JointFlow)
        if joint and self.points:
            return self.points[0].degree
        return sum(self._activation.power**layer for layer in range(len(self._layout.shapes) if joint else 2))

    @property
    def _way_out(self) -> WayOut:
        return self._found_way_out if self.search.directions.finished else self._neurons_alone(())

    @cached_property
    def _found_way_out(self) -> WayOut:
        points = self.search.points
        if self._is_joint:
            return self._neurons_alone(tuple(points))
        singles = tuple(point for point in points if not point.inner and point.value > self.least_value)
        paths = [point for point in points if point.inner and point.value > self._uncertain]
        if not singles:
            for point in paths:
                flow = self._path_flow(point.layer, point.last)
                near = self._with_signs_of(point, self.place.theta[flow.positions])
                if point.degree == paths[0].degree and self.directions.path_cosine(self.place.theta, near) >= _ON_RAY:
                    return flow, (near,)
        return self._neurons_alone(singles)

    def _neurons_alone(self, points: tuple[KKTPoint, ...]) -> WayOut:
        if self._is_joint:
            return JointFlow(self._whole, np.arange(self._whole.size)), points
        layers = [(field, *self.directions.positions[layer]) for layer, field in self.fields.items()]
        return CorrelationFlow(layers, self.decay), points

    def _path_flow(self, layer: int, last: int) -> JointFlow:
        """That of a path: a network of one neuron a layer, from what enters layer ``layer`` to ``s_{last+1}``."""
        ends = Problem(*self.search.signals.ends(layer, last))
        sizes = [ends.input_size, *[1] * (last - layer + 1), ends.output_size]
        weights = [ends.inputs.new_ones(above, below) for below, above in pairwise(sizes)]
        chain = HomogeneousNetwork._of(weights, self._activation)
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

    @property
    def without_destination(self) -> str:
        """Why no KKT point is a destination, as the beginning of a sentence."""
        best = max((point.value for point in self.search.points if not point.inner), default=0.0)
        if self._activation.power == 1 and 0 < best <= (1 + VALUE_TOLERANCE) * self.decay / 2:
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

    def grown(self, chosen: Sequence[int]) -> HomogeneousNetwork | None:
        """The active network with these of the KKT points as neurons, each where the loss is lowest along its ray.

        That is how Neuron Pursuit goes on from here. A point along whose ray the loss is lower nowhere is left out;
        None if that is true of all.
        """
        inputs, layers = self._problem.inputs, len(self._layout.widths)
        start = network = self.network or HomogeneousNetwork.empty(self._problem, layers, self._activation)
        for point in (self.points[index] for index in chosen):
            # Neurons that were added before it know nothing of this one.
            below, above = network.weights[point.layer - 1].shape[1], network.weights[point.last].shape[0]
            incoming, outgoing = (
                pad(ends, (0, size - len(ends))) for ends, size in ((point.incoming, below), (point.outgoing, above))
            )
            own = replace(point, incoming=incoming, outgoing=outgoing)
            losses = losses_of_path(network, network.forward(inputs), own, self._problem, self.decay)
            lowest = lowest_on_ray(losses, 1e-2)
            if lowest is not None:
                scale = lowest[0]
                inner = [scale * weight for weight in own.inner]
                network = network.with_path(own.layer, scale * own.incoming, inner, scale * own.outgoing)
        return None if network is start else network

    def _active_network(self) -> HomogeneousNetwork:
        matrices = self._layout.matrices(self.place.theta)
        ends = [np.ones(self._problem.input_size, bool), *self.place.active, np.ones(self._problem.output_size, bool)]
        weights = [
            torch.from_numpy(matrix[np.ix_(above, below)]).to(self._problem.inputs)
            for matrix, (below, above) in zip(matrices, pairwise(ends), strict=True)
        ]
        return HomogeneousNetwork._of(weights, self._activation)
