"""The search for the next network: the first one at the origin, or one neuron more for a trained one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation import KKTPoint, LayerSearch, OriginSearch, one_sided_correlation
from np_widgets.learning.growth import Candidate
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.ray import best_scale, losses_of_neuron, losses_of_origin_point
from np_widgets.learning.settings import PursuitSettings
from np_widgets.learning.subset import some_samples
from np_widgets.problems import Problem

POINTS_TRIED = 4
"""Of each layer, by the fast method."""
MOST_SAMPLES, MOST_ENTRIES = 2**18, 2**26
"""Of the samples that the fast method searches; entries are inputs, hidden outputs and outputs: 512 MiB in float64."""

Maxima = tuple[float | None, ...] | None


@dataclass(frozen=True)
class NextNetwork:
    """A network to train next, and the candidate that its new neurons came from.

    Attributes
    ----------
    added
        ``(layer, index)`` of the new neurons.
    layer, value
        The hidden layer of the candidate (0 at the origin), and its NCF value.
    candidate
        Its index among the candidates of the search.
    silent
        Whether the new neuron starts without outgoing weights, because the loss is lower nowhere along its ray.
    searched
        The hidden layers that were searched for it.
    """

    network: HomogeneousNetwork
    added: tuple[tuple[int, int], ...]
    layer: int
    value: float
    candidate: int = 0
    silent: bool = False
    searched: tuple[int, ...] = ()

    def silenced(self) -> NextNetwork:
        """The same with new neurons that have incoming weights of norm one and no outgoing ones."""
        network = self.network.copy()
        for layer, index in self.added:
            incoming = network.weights[layer - 1][index]
            incoming.div_(torch.linalg.vector_norm(incoming).clamp(min=torch.finfo(incoming.dtype).tiny))
            network.weights[layer][:, index] = 0
        return replace(self, network=network, silent=True)


class OriginSearching:
    """The search at the origin."""

    maxima: Maxima = None

    def __init__(self, problem: Problem, settings: PursuitSettings) -> None:
        self._settings, self._all = settings, problem.samples
        self._problem = problem = _searched(problem, settings, problem.input_size + problem.output_size, settings.seed)
        activation = Activation(settings.power, settings.leak)
        self._search = OriginSearch(
            problem,
            settings.hidden_layers,
            activation,
            settings.starts,
            settings.seed,
            settings.value_tolerance,
            rough=settings.method != "paper",
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
        """What was found, best first."""
        return tuple(Candidate(0, point.value, point.residual) for point in self._search.points)

    @property
    def message(self) -> str:
        """What is happening, as a sentence."""
        share = _share(self._problem, self._all)
        what = f"the best network of one neuron per hidden layer{share}: round {self.directions.quanta}"
        return f"Searching the origin for {what}."

    def advance(self) -> None:
        """One quantum of the search."""
        self.directions.advance()

    def outcome(self) -> list[NextNetwork]:
        """The networks that may be trained first, that of the best KKT point first; none if nothing lowers the loss."""
        problem, settings = self._problem, self._settings
        added = tuple((layer, 0) for layer in range(1, settings.hidden_layers + 1))
        found: list[NextNetwork] = []
        for index, point in enumerate(self._search.points):
            scale: float | None = settings.scale
            if settings.method != "paper":
                losses = losses_of_origin_point(point, problem, power=settings.power, leak=settings.leak)
                scale = best_scale(losses, settings.scale)
            if scale is not None:
                weights = [scale * weight for weight in point.weights]
                network = HomogeneousNetwork(weights, power=settings.power, leak=settings.leak)
                found.append(NextNetwork(network, added, 0, point.value, index))
            if len(found) == _most(settings):
                break
        return found


class NeuronSearching:
    """The search for the neuron to add to a trained network.

    Parameters
    ----------
    layers
        The hidden layers it may join.
    seed
        Of the random starts.
    upper
        Take the signals of samples that sit on a kink of the network from its positive side.
    exact
        Polish what is found to KKT points, as ``method="paper"`` always does.
    """

    def __init__(
        self,
        problem: Problem,
        settings: PursuitSettings,
        network: HomogeneousNetwork,
        layers: tuple[int, ...],
        seed: int,
        upper: bool = False,
        exact: bool = False,
    ) -> None:
        self._settings, self._network, self._all = settings, network, problem.samples
        entries = problem.input_size + sum(network.widths) + problem.output_size
        self._problem = problem = _searched(problem, settings, entries, seed)
        fast = settings.method != "paper"
        self.layers, self.upper, self.exact = layers, upper, exact or not fast
        self._forward = network.forward(problem.inputs)
        self._search = LayerSearch(
            network,
            problem,
            layers,
            settings.starts,
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
        """What was found, best first."""
        return tuple(Candidate(point.layer, point.value, point.residual, unseen=point.unseen) for point in self.points)

    @property
    def maxima(self) -> Maxima:
        """``max N_l`` of every hidden layer; None for those not searched, or not with the signals of the NCF."""
        if self.upper:
            return None
        found = self._search.maxima
        return tuple(found.get(layer) for layer in range(1, self._network.hidden_layers + 1))

    @property
    def message(self) -> str:
        """What is happening, as a sentence."""
        where = "layer " + " and ".join(map(str, self.layers)) if len(self.layers) < 3 else "all layers"
        sides = ", at kinks too" if self.upper else ", exactly" if self.exact else ""
        share = _share(self._problem, self._all)
        return f"Searching {where} for the best neuron to add{sides}{share}: round {self.directions.quanta}."

    def advance(self) -> None:
        """One quantum of the search."""
        self.directions.advance()

    def outcome(self) -> list[NextNetwork]:
        """The grown networks that may be trained next, that of the best KKT point first; none if nothing is of use."""
        points = self.points
        found: list[NextNetwork] = []
        for layer in self.layers:
            own = [index for index, point in enumerate(points) if point.layer == layer]
            # Signals from the positive side of a kink hold only for neurons that push that way: all are worth a trial.
            for index in own if self.upper else own[: _most(self._settings)]:
                point = points[index]
                scale = self._scale(point)
                if scale is not None:
                    found.append(self._grown(point, index, scale * point.incoming, scale * point.outgoing))
        found.sort(key=lambda each: -each.value)
        if self._settings.method == "paper":
            return found[:1]
        if found or self.upper or self.exact or not points:
            return found
        # A trained ReLU network may sit on kinks of its own, where the expansion behind the NCF holds on one side only.
        # A neuron without outgoing weights leaves the loss as it is, and the minimizer finds what there is to gain.
        return [self._grown(points[0], 0, points[0].incoming, torch.zeros_like(points[0].outgoing), silent=True)]

    @property
    def points(self) -> list[KKTPoint]:
        """What was found, by falling value."""
        points = self._search.points
        if not self.upper:
            return points
        # Found with signals that hold for some neurons only: what counts is what each of them does. They are no KKT
        # points of that.
        residual = self._problem.loss.residual(self._forward.output, self._problem.targets)
        measured = [
            replace(
                point,
                value=one_sided_correlation(
                    self._network, self._forward, residual, point.layer, point.incoming, point.outgoing
                ),
                residual=math.inf,
                unseen=True,
            )
            for point in points
        ]
        return sorted(measured, key=lambda point: -point.value)

    def _scale(self, point: KKTPoint) -> float | None:
        if self._settings.method == "paper":
            return self._settings.scale
        losses = losses_of_neuron(self._network, self._forward, point, self._problem)
        return best_scale(losses, self._settings.scale)

    def _grown(
        self, point: KKTPoint, index: int, incoming: Tensor, outgoing: Tensor, silent: bool = False
    ) -> NextNetwork:
        network = self._network.with_neuron(point.layer, incoming, outgoing)
        added = ((point.layer, self._network.widths[point.layer - 1]),)
        return NextNetwork(network, added, point.layer, point.value, index, silent, self.layers)

    def way_on(self) -> tuple[bool, bool] | None:
        """Where nothing is of use: ``upper`` and ``exact`` of the next search of the same network; None after the last.

        First, if some sample sits exactly on a kink of the network, with the other one-sided signals. Last comes an
        exact search: its maxima and its points are the truth about the network as it stands.
        """
        if self.exact:
            return None
        on_kink = any(bool((z == 0).any()) for z in self._forward.pre_activations[:-1])
        upper = on_kink and self._network.activation.has_kink and not self.upper
        return upper, not upper


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


def _share(searched: Problem, samples: int) -> str:
    return "" if searched.samples == samples else f" on {searched.samples:,} of {samples:,} samples"
