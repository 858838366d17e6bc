"""Paths of new neurons, and the search for the KKT points of their neural correlation functions (NCF).

A path has one new neuron in each of the consecutive hidden layers ``l … m``. With ``M = m − l + 2`` factors of weights,
incoming ``b``, inner ``c_{l+1} … c_m`` and outgoing ``a``, it changes the loss to leading order by minus

    N_{l:m}(a, c, b) = (1/n) Σ_i aᵀ s_{m+1}(x_i) · σ(c_m σ(… c_{l+1} σ(bᵀ h_{l-1}(x_i))))

which is homogeneous of degree ``D = 1 + p + … + p^{M−1}``. A single neuron is the path ``l = m``; the origin is the
path through all layers of the network without neurons. Kumar & Haupt (arXiv 2509.12154) search single neurons and the
origin; that a pursuit may add longer paths is our reading of their "adding neuron(s)".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.correlation.search import DirectionSearch, FoundDirection, Key
from np_widgets.learning.correlation.signals import Signals
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.problems import Problem

Path = tuple[int, int]
"""The first and the last hidden layer of a path."""


@dataclass(frozen=True, eq=False)
class KKTPoint:
    """A KKT point of the constrained NCF of a path of new neurons: ``max N`` at weights of norm one in all.

    Attributes
    ----------
    layer
        The first hidden layer l of the path, 1 … L−1.
    value
        ``N > 0``. Adding ``ε`` times its weights lowers the loss by ``ε^degree·value`` to leading order where
        :func:`~np_widgets.learning.correlation.points.correlation` promises it.
    incoming, outgoing
        ``b`` of shape ``(k_{l-1},)`` and ``a`` of shape ``(k_{m+1},)``. Of the M factors, counted from the outgoing
        one, the j-th has the squared norm ``p^j/D``: ``‖a‖² = 1/D``, ``‖b‖² = p^{M-1}/D``.
    residual
        ``‖∇N − D·N·(a, c, b)‖ / N``; where N has kinks, the smallest over Clarke's subdifferential.
    unseen
        Which NCF the value is of: it is that of :func:`~np_widgets.learning.correlation.points.correlation` with this
        ``unseen``.
    inner
        ``c_{l+1}, …, c_m``: the weight from the new neuron of each layer to that of the next one. None for a single
        neuron.
    power
        p of the activation.
    """

    layer: int
    value: float
    incoming: Tensor
    outgoing: Tensor
    residual: float
    unseen: bool = False
    inner: tuple[float, ...] = ()
    power: int = 1

    __repr__ = one_line

    @property
    def last(self) -> int:
        """The last hidden layer m of the path; that of a single neuron is its :attr:`layer`."""
        return self.layer + len(self.inner)

    @property
    def degree(self) -> int:
        """The degree D of homogeneity of the NCF: p + 1 for a single neuron."""
        return sum(self.power**factor for factor in range(len(self.inner) + 2))

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """As matrices of a network of the path alone: ``(1, k_{l-1})``, ``(1, 1)`` for each inner, ``(k_{m+1}, 1)``."""
        inner = [self.incoming.new_full((1, 1), weight) for weight in self.inner]
        return self.incoming.reshape(1, -1), *inner, self.outgoing.reshape(-1, 1)


@dataclass(frozen=True)
class Chain:
    """What the new neurons of a path do to ``bᵀh``, for one pattern of signs of the inner weights."""

    profile: Profile
    signs: tuple[int, ...]


class PathSearch:
    """The search for the KKT points of some paths, as resumable steps.

    With the direction of ``b`` and the signs of the inner weights fixed, the neurons of a path act like one activation
    on ``bᵀh``: so it is one search over directions for each path and each pattern of signs that is alive. Where the
    network has nothing to start from or to lead to, there is nothing to find. Values below ``value_tolerance ·
    rms(s_{m+1}) · rms(h_{l-1})^P``, with P the degree of the chain, count as zero. ``unseen`` asks for that NCF where
    it can be searched; ``upper`` and ``slopes`` are those of Signals, ``rough`` is that of DirectionSearch.
    """

    def __init__(
        self,
        network: HomogeneousNetwork,
        problem: Problem,
        paths: Sequence[Path],
        starts: int,
        seed: int,
        value_tolerance: float,
        *,
        upper: bool = False,
        slopes: Sequence[Tensor] | None = None,
        unseen: bool = False,
        rough: bool = False,
    ) -> None:
        sizes = [network.input_size, *network.widths, network.output_size]
        self.paths = tuple((layer, last) for layer, last in paths if sizes[layer - 1] and sizes[last + 1])
        self.signals = Signals(network, problem, upper=upper, slopes=slopes)
        self._activation = network.activation
        self._value_tolerance = value_tolerance
        at_origin = not any(network.widths)
        self._unseen = {
            path: unseen and not at_origin and counts_unseen(network.activation, path[1], network.hidden_layers)
            for path in self.paths
        }
        self._chains: dict[Key, tuple[Path, Chain]] = {}
        self._fields: dict[Key, Field] = {}
        for path in self.paths:
            for index, chain in enumerate(chains(network.activation, path[1] - path[0] + 1)):
                key = key_of(path, index, at_origin)
                self._chains[key] = path, chain
                self._fields[key] = self.signals.field(*path, chain.profile, unseen=self._unseen[path])
        self.directions = DirectionSearch(self._fields, starts, seed, rough=rough)

    @property
    def points(self) -> list[KKTPoint]:
        """The KKT points with a positive value, lower degrees first, then best first; complete once it has finished."""
        found = [self._point(each) for each in self.directions.found if self._is_positive(each)]
        return sorted(found, key=lambda point: (point.degree, -point.value))

    @property
    def maxima(self) -> dict[Path, float]:
        """``max N`` of each path searched, zero or below the tolerance included."""
        maxima: dict[Path, float] = dict.fromkeys(self.paths, 0.0)
        for key, (path, _) in self._chains.items():
            share = chain_norms(self._activation.power, path[1] - path[0] + 2)[1]
            maxima[path] = max(maxima[path], share * self.directions.maximum(key))
        return maxima

    def _is_positive(self, found: FoundDirection) -> bool:
        path, _ = self._chains[found.key]
        counts_unseen = self._unseen[path] and self._activation.has_kink
        if self.signals.is_fitted or (path[1] in self.signals.cancelled and not counts_unseen):
            return False
        return found.value > self._value_tolerance * self._fields[found.key].scale

    def _point(self, found: FoundDirection) -> KKTPoint:
        (layer, last), chain = self._chains[found.key]
        norms, share = chain_norms(self._activation.power, last - layer + 2)
        vector = self._fields[found.key].vector(found.direction)
        return KKTPoint(
            layer=layer,
            value=share * found.value,
            incoming=norms[0] * found.direction,
            outgoing=norms[-1] * vector / vector.norm(),
            residual=found.residual / norms[0],
            unseen=self._unseen[layer, last],
            inner=tuple(sign * norm for sign, norm in zip(chain.signs, norms[1:-1], strict=True)),
            power=self._activation.power,
        )


def key_of(path: Path, index: int, at_origin: bool = False) -> Key:
    """What a correlation of a path is called, with that of its chains: its random starts follow from it."""
    layer, last = path
    if at_origin:
        return (index,)
    return (layer,) if layer == last else (layer, last, index)


def all_paths(hidden_layers: int, shortest: int = 1, longest: int | None = None) -> tuple[Path, ...]:
    """All paths of ``shortest`` to ``longest`` neurons (as many as there are layers if None), the short ones first."""
    lengths = range(shortest, min(longest or hidden_layers, hidden_layers) + 1)
    return tuple((layer, layer + more - 1) for more in lengths for layer in range(1, hidden_layers - more + 2))


def counts_unseen(activation: Activation, last: int, hidden_layers: int) -> bool:
    """Whether a search of paths that end in a hidden layer can take the NCF of ``unseen=True``.

    In the last layer but one each outgoing weight acts on its own. Below that what silent layers do with a push is not
    linear in the outgoing weights, not even piece by piece in each of them. In the last layer, and without kinks, there
    is no difference.
    """
    return not activation.has_kink or last == hidden_layers or (activation.is_relu and last == hidden_layers - 1)


def chain_norms(power: int, factors: int) -> tuple[list[float], float]:
    """The norms of the factors of a path at its KKT points, incoming first, and what they make of the value.

    Of all with squares that add up to one they make ``‖a‖·|c_m|^p·…·‖b‖^{p^{M-1}}`` largest.
    """
    powers = [power ** (factors - place) for place in range(1, factors + 1)]
    norms = [math.sqrt(each / sum(powers)) for each in powers]
    return norms, math.prod(norm**each for norm, each in zip(norms, powers, strict=True))


def chains(activation: Activation, neurons: int) -> list[Chain]:
    """One for each pattern of inner signs of so many neurons that differs in effect."""
    first = Profile.of(activation)
    found: dict[tuple[float, float], tuple[int, ...]] = {(first.positive, first.negative): ()}
    for _ in range(neurons - 1):
        longer: dict[tuple[float, float], tuple[int, ...]] = {}
        for slopes, signs in found.items():
            for sign in (1, -1):
                positive, negative = activation(sign * torch.tensor(slopes, dtype=torch.float64, device="cpu")).tolist()
                # The signs of b and of the output weights are free: they turn a chain into any of these.
                mirrored = {(positive, negative), (negative, positive)}
                mirrored |= {(-up, -down) for up, down in mirrored}
                if mirrored != {(0.0, 0.0)} and mirrored.isdisjoint(longer):
                    longer[positive, negative] = (*signs, sign)
        found = longer
    power = activation.power**neurons
    return [Chain(Profile(power, up, down), signs) for (up, down), signs in found.items()]
