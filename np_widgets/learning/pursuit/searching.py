"""The search for the next network: the first one at the origin, or one neuron more for a trained one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from np_widgets.learning.activation import Activation
from np_widgets.learning.arrays import copies
from np_widgets.learning.correlation.clarke import clarke_gradient_norm
from np_widgets.learning.correlation.paths import KKTPoint, Path, PathSearch, all_paths
from np_widgets.learning.correlation.points import one_sided_terms
from np_widgets.learning.minimizers.sliding import Sliding
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.chosen import Own
from np_widgets.learning.pursuit.duality import gap_of, has_bound
from np_widgets.learning.pursuit.next_network import NextNetwork
from np_widgets.learning.pursuit.ray import losses_of_path, lowest_on_ray
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.subset import some_samples
from np_widgets.problems import Problem

POINTS_TRIED = 4
"""Of each path, by the fast method."""
MOST_SAMPLES, MOST_ENTRIES = 2**18, 2**26
"""Of the samples that the fast method searches; entries are inputs, hidden outputs and outputs: 512 MiB in float64."""

# By which share of itself a single neuron has to lower the loss along its ray, or paths are searched as well. By the
# paper's method it need not if its value is more than what is left of the way to a minimum accounts for: the value of
# the NCF near a gradient g is uncertain by about ‖g‖/‖W‖^p.
# With p > 1 paths are worth a look sooner: they are about as strong, and save many single neurons.
_ENOUGH = {"fast": 1e-2, "paper": 1e-4}
_ENOUGH_OF_POWERS = 0.3
_UNCERTAINTIES = 2.0
# Where a certificate can be had, neurons are added until the penalized loss is within such a share of the best.
_SMALL_GAP = 3e-5
_LEAST_DECREASE, _LEAST_CERTIFIED = 1e-7, 1e-13
# Numbers: candidates stay on the record of each network.
_MOST_KEPT = 2**15
# For the search on which a certificate rests: so many times more starts, and at least so many.
_MORE_STARTS, _CERTIFYING_STARTS = 16, 400

Maxima = tuple[float | None, ...] | None
SearchOptions = tuple[tuple[Path, ...], bool, bool]
"""The paths of a search, whether its signals come from the positive sides of kinks, and whether it is exact."""


class Searching:
    """The search for the neurons to add to a trained network, or for the first ones."""

    def __init__(
        self,
        problem: Problem,
        settings: PursuitSettings,
        network: HomogeneousNetwork | None,
        paths: Sequence[Path],
        seed: int,
        upper: bool = False,
        exact: bool = False,
    ) -> None:
        self._settings, self.all_samples = settings, problem.samples
        self.at_origin = network is None
        if network is None:
            network = HomogeneousNetwork.empty(
                problem, settings.hidden_layers, Activation(settings.power, settings.leak)
            )
        self._network = network
        entries = problem.input_size + sum(network.widths) + problem.output_size
        self._problem = problem = _searched(problem, settings, entries, seed)
        self.samples = problem.samples
        fast = settings.method != "paper"
        self.paths, self.upper, self.exact = tuple(paths), upper, exact or not fast
        self._forward = network.forward(problem.inputs)
        self._loss = float(problem.criterion.value(self._forward.output, problem.goals))
        self._certifies = (
            settings.hidden_layers == settings.power == 1
            and has_bound(problem)
            and settings.minimizer == "auto"
            and fast
            and Sliding.suits(Objective(problem, network, settings.weight_decay))
        )
        starts = settings.starts
        if self._certifies and self.exact:
            starts = max(_MORE_STARTS * starts, _CERTIFYING_STARTS)
        self._search = PathSearch(
            network,
            problem,
            paths,
            starts,
            seed,
            settings.value_tolerance,
            upper=upper,
            unseen=fast,
            rough=not self.exact,
        )
        self.directions = self._search.directions

    @property
    def finished(self) -> bool:
        """Whether the search is complete."""
        return self.directions.finished

    @property
    def progress(self) -> float:
        """Roughly which share of the search is done."""
        return self.directions.progress

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What was found, those of lower degree first, and best first."""
        network, room, found = copies(self._network.weights), _MOST_KEPT, []
        for point in self.points:
            layer = 0 if self.at_origin else point.layer
            each = Candidate(layer, point.value, point.residual, unseen=point.unseen, last=point.last)
            room -= sum(factor.numel() for factor in point.weights)
            found.append(replace(each, factors=copies(point.weights), network=network) if room >= 0 else each)
        return tuple(found)

    @property
    def largest_value(self) -> float:
        """The largest value of the NCF of a path that was searched, of any degree."""
        return max(self._search.maxima.values(), default=0.0)

    @property
    def maxima(self) -> Maxima:
        """``max N_l`` of every hidden layer; None for those not searched, or not with the signals of the NCF."""
        if self.upper or self.at_origin:
            return None
        found = self._search.maxima
        return tuple(found.get((layer, layer)) for layer in range(1, self._network.hidden_layers + 1))

    def state(self) -> tuple[int, tuple[Path, ...], bool, bool]:
        """How far it has come, and what it searches: the rest follows from the network and the seed."""
        return self.directions.quanta, self.paths, self.upper, self.exact

    def advance(self) -> None:
        """One quantum of the search."""
        self.directions.advance()

    def outcome(self) -> list[NextNetwork]:
        """The grown networks that may be trained next, the most promising first; none if nothing is of use."""
        points, found = self.points, []
        decay = self._settings.weight_decay
        if self._certifies and gap_of(self._problem, self._network, self.largest_value, decay) <= _SMALL_GAP:
            return []
        for path in self._tried(points):
            own = [index for index, point in enumerate(points) if (point.layer, point.last) == path]
            of_use = 0
            for index in own:
                lowest = self._lowest(points[index])
                if lowest is not None:
                    found.append(self._grown(points[index], index, *lowest))
                    of_use += 1
                # Signals from the positive side of a kink hold only for neurons that push that way: all are tried then.
                if of_use == _most(self._settings) and not self.upper:
                    break
        found.sort(key=lambda each: (each.last - each.layer, -each.value))
        if self._settings.method == "paper":
            return found[:1]
        if found or self.upper or self.exact or self.at_origin or not points or self._settings.weight_decay > 0:
            return found
        # A trained ReLU network may sit on kinks of its own, where the expansion behind the NCF holds on one side only.
        # A neuron without outgoing weights leaves the loss as it is, and the minimizer finds what there is to gain.
        return [self._grown(points[0], 0, 1.0, math.inf).silenced()]

    @property
    def points(self) -> list[KKTPoint]:
        """What was found, those of lower degree first, by falling value."""
        points = self._search.points
        if not self.upper:
            return points
        # Found with signals that hold for some neurons only: what counts is what each of them does. They are no KKT
        # points of that.
        residual = self._problem.criterion.residual(self._forward.output, self._problem.goals)
        measured = [
            replace(
                point,
                value=float(
                    one_sided_terms(
                        self._network, self._forward, residual, point.layer, point.incoming, point.inner, point.outgoing
                    ).mean()
                ),
                residual=math.inf,
                unseen=True,
            )
            for point in points
        ]
        return sorted(measured, key=lambda point: (point.degree, -point.value))

    def _tried(self, points: Sequence[KKTPoint]) -> Sequence[Path]:
        """The paths whose points are tried: by the paper's method the shortest with a value that counts."""
        if self._settings.method != "paper":
            return self.paths
        for degree in sorted({point.degree for point in points}):
            best = next(point for point in points if point.degree == degree)
            if self.at_origin or degree > points[0].degree or self._is_enough(best, self._on_ray(best)):
                return [(best.layer, best.last)]
        return [(points[0].layer, points[0].last)] if points else []

    def _satisfies(self, found: Sequence[NextNetwork]) -> bool:
        """Whether one of these single neurons may be trained without a look at longer paths."""
        best = min(found, key=lambda each: each.ray_loss)
        point = self.points[best.candidate]
        lowest = self._on_ray(point) if self._settings.method == "paper" else (0.0, best.ray_loss)
        return self._is_enough(point, lowest)

    def _is_enough(self, point: KKTPoint, lowest: tuple[float, float] | None) -> bool:
        """Whether a single neuron is taken without a look at longer paths."""
        fast = self._settings.method != "paper"
        enough = _ENOUGH_OF_POWERS if fast and self._settings.power > 1 else _ENOUGH[self._settings.method]
        if lowest is not None and lowest[1] <= (1 - enough) * self._loss:
            return True
        if fast:
            return False
        objective = Objective(self._problem, self._network)
        norm = clarke_gradient_norm(objective, objective.initial)
        return point.value > _UNCERTAINTIES * norm / float(objective.initial.norm()) ** self._network.power

    def _on_ray(self, point: KKTPoint) -> tuple[float, float] | None:
        settings = self._settings
        losses = losses_of_path(self._network, self._forward, point, self._problem, settings.weight_decay)
        return lowest_on_ray(losses, settings.scale, _LEAST_CERTIFIED if self._certifies else _LEAST_DECREASE)

    def _lowest(self, point: KKTPoint) -> tuple[float, float] | None:
        """How far to go along the ray of a point, and the loss there; None if it is of no use."""
        if self._settings.method != "paper":
            return self._on_ray(point)
        if self._settings.weight_decay == 0:
            return self._settings.scale, math.inf
        # With a price on weights a small neuron has to be worth it, and a small path never is.
        lowest = self._on_ray(point)
        return (self._settings.scale, lowest[1]) if lowest is not None and point.degree == 2 else lowest

    def own(self, own: Own) -> tuple[Candidate, KKTPoint]:
        """A user's neuron beside those that were found: as a candidate, and as a point to go along the ray of."""
        point = own.at(self._network, self._problem, unseen=self._settings.method != "paper")
        found = Candidate(own.layer, point.value, point.residual, unseen=point.unseen, own=True)
        return replace(found, factors=copies(point.weights), network=copies(self._network.weights)), point

    def grown(self, point: KKTPoint, index: int) -> NextNetwork:
        """The network with a point that a user has chosen: a little of it where it lowers the loss nowhere."""
        return self._grown(point, index, *(self._lowest(point) or (self._settings.scale, math.inf)))

    def _grown(self, point: KKTPoint, index: int, scale: float, loss: float) -> NextNetwork:
        inner = [scale * weight for weight in point.inner]
        network = self._network.with_path(point.layer, scale * point.incoming, inner, scale * point.outgoing)
        layers = range(point.layer, point.last + 1)
        added = tuple((layer, self._network.widths[layer - 1]) for layer in layers)
        first = 0 if self.at_origin else point.layer
        return NextNetwork(network, added, first, point.last, point.value, index, loss, searched=self.paths)

    def way_on(self, found: Sequence[NextNetwork]) -> SearchOptions | None:
        """What to search next at the same network, before anything is trained; None to go on with what was found.

        Where nothing is of use, first come the other one-sided signals, if some sample sits exactly on a kink of the
        network. Last comes an exact search of the same paths: its maxima and its points are the truth about the network
        as it stands. Where single neurons promise little, they have to compete with paths.
        """
        if self.at_origin:
            return None if found or self.exact else (self.paths, False, True)
        if found:
            wanted = families(self._settings)
            if self.paths != wanted[0] or len(wanted) == 1 or self._satisfies(found):
                return None
            return wanted[1], False, False
        if self.exact:
            return None
        on_kink = any(bool((z == 0).any()) for z in self._forward.pre_activations[:-1])
        upper = on_kink and self._network.activation.has_kink and not self.upper
        return self.paths, upper, not upper


def families(settings: PursuitSettings) -> list[tuple[Path, ...]]:
    """The paths that a pursuit searches together: single neurons, and if these are not enough paths of all lengths.

    The fast method compares them by where they lead; for the paper's the shortest rule, which lead away first.
    """
    singles, all_lengths = (all_paths(settings.hidden_layers, 1, longest) for longest in (1, settings.longest))
    return [singles] if singles == all_lengths else [singles, all_lengths]


def joined(before: Maxima, found: Maxima) -> Maxima:
    """The ``max N_l`` of one network that several searches of some layers each found: the later ones count."""
    if before is None or found is None:
        return found or before
    return tuple(old if new is None else new for old, new in zip(before, found, strict=True))


def _most(settings: PursuitSettings) -> int:
    """How many KKT points of a layer are tried."""
    return 1 if settings.method == "paper" else POINTS_TRIED


def _searched(problem: Problem, settings: PursuitSettings, entries: int, seed: int) -> Problem:
    """The samples to search, with so many entries each: all of them, or a random choice."""
    most = min(MOST_SAMPLES, MOST_ENTRIES // entries)
    return problem if settings.method == "paper" else some_samples(problem, most, seed)
