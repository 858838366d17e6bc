"""The search for the next network: the first one at the origin, or one neuron more for a trained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation import KKTPoint, LayerSearch, OriginPoint, OriginSearch
from np_widgets.learning.growth import Candidate
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.ray import best_scale
from np_widgets.learning.settings import PursuitSettings
from np_widgets.problems import Problem


@dataclass(frozen=True)
class NextNetwork:
    """A network to train next, and the KKT point that its new neurons came from.

    Attributes
    ----------
    added
        ``(layer, index)`` of the new neurons.
    layer, value
        The hidden layer of the KKT point (0 at the origin), and its NCF value.
    silent
        Whether the new neuron starts without outgoing weights, because the loss is lower nowhere along its ray.
    searched
        The hidden layers that were searched for it.
    """

    network: HomogeneousNetwork
    added: tuple[tuple[int, int], ...]
    layer: int
    value: float
    silent: bool = False
    searched: tuple[int, ...] = ()


class OriginSearching:
    """The search at the origin.

    Attributes
    ----------
    quanta
        How often :meth:`advance` has been called.
    """

    maxima: tuple[float | None, ...] | None = None

    def __init__(self, problem: Problem, settings: PursuitSettings) -> None:
        self._problem, self._settings = problem, settings
        activation = Activation(settings.power, settings.leak)
        self._search = OriginSearch(
            problem, settings.hidden_layers, activation, settings.starts, settings.seed, settings.value_tolerance
        )
        self.quanta = 0

    @property
    def finished(self) -> bool:
        """Whether the search is complete."""
        return self._search.directions.finished

    @property
    def progress(self) -> float:
        """Roughly which share of the search is done."""
        return self._search.directions.progress

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What was found, best first."""
        return tuple(Candidate(0, point.value, point.residual) for point in self._search.points)

    @property
    def message(self) -> str:
        """What is happening, as a sentence."""
        return f"Searching the origin for the best network of one neuron per hidden layer: round {self.quanta}."

    def advance(self) -> None:
        """One quantum of the search."""
        self._search.directions.advance()
        self.quanta += 1

    def outcome(self) -> NextNetwork | None:
        """The network to train first; None if nothing lowers the loss."""
        added = tuple((layer, 0) for layer in range(1, self._settings.hidden_layers + 1))
        for point in self._search.points:
            network = _along_ray(partial(_scaled, point, self._settings), self._problem, self._settings)
            if network is not None:
                return NextNetwork(network, added, 0, point.value)
        return None


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
    """

    def __init__(
        self,
        problem: Problem,
        settings: PursuitSettings,
        network: HomogeneousNetwork,
        layers: tuple[int, ...],
        seed: int,
        upper: bool = False,
    ) -> None:
        self._problem, self._settings, self._network = problem, settings, network
        self.layers, self.upper = layers, upper
        self._search = LayerSearch(
            network, problem, layers, settings.starts, seed, settings.value_tolerance, upper=upper
        )
        self.quanta = 0

    @property
    def finished(self) -> bool:
        """Whether the search is complete."""
        return self._search.directions.finished

    @property
    def progress(self) -> float:
        """Roughly which share of the search is done."""
        return self._search.directions.progress

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What was found, best first."""
        return tuple(Candidate(point.layer, point.value, point.residual) for point in self._search.points)

    @property
    def maxima(self) -> tuple[float | None, ...]:
        """``max N_l`` of every hidden layer; None for those that were not searched."""
        found = self._search.maxima
        return tuple(found.get(layer) for layer in range(1, self._network.hidden_layers + 1))

    @property
    def message(self) -> str:
        """What is happening, as a sentence."""
        where = "layer " + " and ".join(map(str, self.layers)) if len(self.layers) < 3 else "all layers"
        sides = ", at kinks too" if self.upper else ""
        return f"Searching {where} for the best neuron to add{sides}: round {self.quanta}."

    def advance(self) -> None:
        """One quantum of the search."""
        self._search.directions.advance()
        self.quanta += 1

    def outcome(self) -> NextNetwork | None:
        """The network grown by the best KKT point; None if there is none that is of use."""
        # Signals from the positive side of a kink hold only for neurons that push that way: each has to prove itself.
        for point in self._search.points if self.upper else self._search.points[:1]:
            network = _along_ray(partial(_grown, self._network, point), self._problem, self._settings)
            if network is not None:
                return self._next(network, point, silent=False)
        if self.upper or not self._search.points:
            return None
        # A trained ReLU network may sit on kinks of its own, where the expansion behind the NCF holds on one side only.
        # A neuron without outgoing weights leaves the loss as it is, and the minimizer finds what there is to gain.
        point = self._search.points[0]
        network = self._network.with_neuron(point.layer, point.incoming, torch.zeros_like(point.outgoing))
        return self._next(network, point, silent=True)

    def _next(self, network: HomogeneousNetwork, point: KKTPoint, *, silent: bool) -> NextNetwork:
        added = ((point.layer, self._network.widths[point.layer - 1]),)
        return NextNetwork(network, added, point.layer, point.value, silent, self.layers)

    def has_another_side(self) -> bool:
        """Whether some sample sits exactly on a kink of the network, so that there are other one-sided signals."""
        forward = self._network.forward(self._problem.inputs)
        on_kink = any(bool((z == 0).any()) for z in forward.pre_activations[:-1])
        return on_kink and self._network.activation.has_kink and not self.upper


def _scaled(point: OriginPoint, settings: PursuitSettings, scale: float) -> HomogeneousNetwork:
    weights = [scale * weight for weight in point.weights]
    return HomogeneousNetwork(weights, power=settings.power, leak=settings.leak)


def _grown(network: HomogeneousNetwork, point: KKTPoint, scale: float) -> HomogeneousNetwork:
    return network.with_neuron(point.layer, scale * point.incoming, scale * point.outgoing)


def _along_ray(
    network_at: Callable[[float], HomogeneousNetwork], problem: Problem, settings: PursuitSettings
) -> HomogeneousNetwork | None:
    """The network at δ in the paper's method, else where the loss is lowest along the ray, if that is any lower."""
    if settings.method == "paper":
        return network_at(settings.scale)

    def loss_at(scale: float) -> float:
        return float(problem.loss.value(network_at(scale).forward(problem.inputs).output, problem.targets))

    scale = best_scale(loss_at, settings.scale)
    return None if scale is None else network_at(scale)
