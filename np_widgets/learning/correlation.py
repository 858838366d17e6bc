"""The neural correlation function (NCF) and its KKT points, at a network and at the origin.

Definitions and names follow Kumar & Haupt, *Learning Neural Networks by Neuron Pursuit* (arXiv 2509.12154).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.activation import Activation
from np_widgets.learning.direction import DirectionalCorrelation, OneSidedCorrelation, Profile, root_mean_square
from np_widgets.learning.network import ForwardPass, HomogeneousNetwork
from np_widgets.learning.search import DirectionSearch, FoundDirection
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem

_ROUNDINGS = 100
MOST_HIDDEN_LAYERS, MOST_STARTS = 64, 10**6


@dataclass(frozen=True, eq=False)
class KKTPoint:
    """A KKT point of the constrained NCF of one hidden layer, ``max N_l(a, b)`` subject to ``‖a‖² + ‖b‖² = 1``.

    Attributes
    ----------
    layer
        The hidden layer l, 1 … L−1.
    value
        ``N_l(a, b) > 0``. Adding ``ε·(a, b)`` lowers the loss by ``ε^{p+1}·value`` to leading order where
        :func:`correlation` promises it.
    incoming, outgoing
        ``b`` of shape ``(k_{l-1},)`` with ``‖b‖² = p/(p+1)``, and ``a`` of shape ``(k_{l+1},)``.
    residual
        ``‖∇N − (p+1)·N·(a, b)‖ / N``; where N has kinks, the smallest over Clarke's subdifferential.
    unseen
        Which NCF the value is of: it is that of :func:`correlation` with this ``unseen``.
    """

    layer: int
    value: float
    incoming: Tensor
    outgoing: Tensor
    residual: float
    unseen: bool = False


@dataclass(frozen=True, eq=False)
class OriginPoint:
    """A KKT point of the NCF at the origin, ``max (1/n) Σ_i r_iᵀ H(x_i; w)`` subject to ``‖w‖ = 1``.

    Attributes
    ----------
    value
        The value of the NCF, > 0.
    weights
        ``W_1 … W_L`` of a network with one neuron in every hidden layer, ``‖W_l‖² = p^{L-l}/D``.
    residual
        ``‖∇N − D·N·w‖ / N``; where N has kinks, the smallest over Clarke's subdifferential.
    """

    value: float
    weights: tuple[Tensor, ...]
    residual: float


class LayerSearch:
    """The search for the KKT points of some hidden layers of a network, as resumable steps.

    Parameters
    ----------
    network, problem
        On the same device and in the same precision.
    layers
        The hidden layers to search.
    starts
        Random starts for each layer.
    seed
        Of the starts.
    value_tolerance
        Values below ``value_tolerance · rms(s_{l+1}) · rms(h_{l-1})^p`` count as zero.
    upper
        Take the signals of samples that sit on a kink from its positive side: what they would be if the new neuron
        pushed them there. By default they come from the negative side.
    slopes
        Of the activations of each hidden layer, ``(n, k_l)``, for the signals, whatever the side.
    unseen
        Search the NCF of ``unseen=True`` where that can be done, see :func:`find_kkt_points`.
    rough
        Do not polish the points, and merge those that are not far from each other, see :class:`DirectionSearch`.
    """

    def __init__(
        self,
        network: HomogeneousNetwork,
        problem: Problem,
        layers: tuple[int, ...],
        starts: int,
        seed: int,
        value_tolerance: float,
        *,
        upper: bool = False,
        slopes: Sequence[Tensor] | None = None,
        unseen: bool = False,
        rough: bool = False,
    ) -> None:
        self.layers = layers
        self._power = network.power
        self._unseen = {
            layer: unseen and counts_unseen(network.activation, layer, network.hidden_layers) for layer in layers
        }
        self._value_tolerance = value_tolerance
        forward = network.forward(problem.inputs)
        residual = problem.loss.residual(forward.output, problem.targets)
        # What is left of a perfect fit is rounding, and any correlation with it means nothing.
        at_origin = problem.loss.residual(torch.zeros_like(forward.output), problem.targets)
        rounding = _ROUNDINGS * torch.finfo(network.dtype).eps
        largest = max(root_mean_square(at_origin), root_mean_square(forward.output))
        self._is_fitted = root_mean_square(residual) <= rounding * largest
        signals = network.signals(forward, residual, upper=upper, slopes=slopes)
        profile = Profile.of(network.activation)
        # Layer l's neurons see h_{l-1} and send to z_{l+1}: positions l−1 and l of the two tuples.
        self._fields: dict[int, DirectionalCorrelation] = {
            layer: DirectionalCorrelation(forward.hidden[layer - 1], signals[layer], profile) for layer in layers
        }
        below_last = network.hidden_layers - 1
        if network.activation.has_kink and self._unseen.get(below_last, False):
            # Neurons of the last hidden layer that are at their kinks respond to a push up as if they were linear. With
            # slopes given, those for the samples that some neuron below sees are known.
            z, below = forward.pre_activations[below_last], forward.hidden[below_last]
            at_kink = z == 0 if slopes is None else (below == 0).all(dim=1, keepdim=True)
            pushed = torch.where(at_kink, residual @ network.weights[-1], signals[below_last])
            if bool((pushed != signals[below_last]).any()):
                self._fields[below_last] = OneSidedCorrelation(
                    forward.hidden[below_last - 1], signals[below_last], pushed, profile
                )
        self.directions = DirectionSearch(self._fields, starts, seed, rough=rough)

    @property
    def points(self) -> list[KKTPoint]:
        """The KKT points with a positive value, best first; complete once the search has finished."""
        found = [f for f in self.directions.found if self._is_positive(f)]
        return sorted((self._point(f) for f in found), key=lambda point: -point.value)

    @property
    def maxima(self) -> dict[int, float]:
        """``max N_l`` of each layer searched, zero or below the tolerance included."""
        return {layer: self._share * self.directions.maximum(layer) for layer in self.layers}

    @property
    def _share(self) -> float:
        incoming, outgoing = neuron_norms(self._power)
        return outgoing * incoming**self._power

    def _is_positive(self, found: FoundDirection) -> bool:
        return not self._is_fitted and found.value > self._value_tolerance * self._fields[found.key].scale

    def _point(self, found: FoundDirection) -> KKTPoint:
        incoming, outgoing = neuron_norms(self._power)
        vector = self._fields[found.key].vector(found.direction)
        return KKTPoint(
            layer=found.key,
            value=self._share * found.value,
            incoming=incoming * found.direction,
            outgoing=outgoing * vector / vector.norm(),
            residual=found.residual / incoming,
            unseen=self._unseen[found.key],
        )


class OriginSearch:
    """The search for the KKT points at the origin of a chain of one neuron a hidden layer, as resumable steps.

    With the first layer's direction ``b`` and the signs of the inner weights fixed, all layers above act like one
    activation on ``bᵀx``, so that the search is one over directions for each pattern of signs that is alive.

    A ``rough`` one does not polish the points, and merges those that are not far from each other, see
    :class:`DirectionSearch`.
    """

    def __init__(
        self,
        problem: Problem,
        hidden_layers: int,
        activation: Activation,
        starts: int,
        seed: int,
        value_tolerance: float,
        *,
        rough: bool = False,
    ) -> None:
        self._value_tolerance = value_tolerance
        self._depth = hidden_layers + 1
        self._power = activation.power
        zero = torch.zeros(problem.samples, problem.output_size, dtype=problem.dtype, device=problem.device)
        residual = problem.loss.residual(zero, problem.targets)
        self._chains = chains(activation, hidden_layers)
        self._fields = {
            index: DirectionalCorrelation(problem.inputs, residual, profile)
            for index, (profile, _) in enumerate(self._chains)
        }
        self.directions = DirectionSearch(self._fields, starts, seed, rough=rough)

    @property
    def points(self) -> list[OriginPoint]:
        """The KKT points with a positive value, best first; complete once the search has finished."""
        tolerance = {key: self._value_tolerance * field.scale for key, field in self._fields.items()}
        found = [found for found in self.directions.found if found.value > tolerance[found.key]]
        return sorted((self._point(each) for each in found), key=lambda point: -point.value)

    def _point(self, found: FoundDirection) -> OriginPoint:
        norms, share = chain_norms(self._power, self._depth)
        _, signs = self._chains[found.key]
        vector = self._fields[found.key].vector(found.direction)
        inner = [found.direction.new_full((1, 1), sign * norm) for sign, norm in zip(signs, norms[1:-1], strict=True)]
        return OriginPoint(
            value=found.value * share,
            weights=(
                norms[0] * found.direction.reshape(1, -1),
                *inner,
                norms[-1] * (vector / vector.norm()).reshape(-1, 1),
            ),
            residual=found.residual / norms[0],
        )


def counts_unseen(activation: Activation, layer: int, hidden_layers: int) -> bool:
    """Whether a search of a hidden layer can take the NCF of ``unseen=True``.

    In the last layer but one each outgoing weight acts on its own. Below that what silent layers do with a push is not
    linear in the outgoing weights, not even piece by piece in each of them. In the last layer, and without kinks, there
    is no difference.
    """
    relu = activation.power == 1 and activation.leak == 0
    return not activation.has_kink or layer == hidden_layers or (relu and layer == hidden_layers - 1)


def neuron_norms(power: int) -> tuple[float, float]:
    """``‖b‖`` and ``‖a‖`` at a KKT point of a layer: of all with ``‖a‖² + ‖b‖² = 1`` they make ``‖a‖‖b‖^p`` largest."""
    return math.sqrt(power / (power + 1)), math.sqrt(1 / (power + 1))


def chain_norms(power: int, depth: int) -> tuple[list[float], float]:
    """``‖W_l‖`` at a KKT point of the origin, and how much smaller it makes the value than norms of one would."""
    powers = [power ** (depth - layer) for layer in range(1, depth + 1)]
    norms = [math.sqrt(each / sum(powers)) for each in powers]
    return norms, math.prod(norm**each for norm, each in zip(norms, powers, strict=True))


def chains(activation: Activation, hidden_layers: int) -> list[tuple[Profile, tuple[int, ...]]]:
    """For each pattern of inner signs that differs in effect: what the chain does to ``bᵀx``, and the signs."""
    first = Profile.of(activation)
    chains: dict[tuple[float, float], tuple[int, ...]] = {(first.positive, first.negative): ()}
    for _ in range(hidden_layers - 1):
        longer: dict[tuple[float, float], tuple[int, ...]] = {}
        for slopes, signs in chains.items():
            for sign in (1, -1):
                positive, negative = activation(sign * torch.tensor(slopes, dtype=torch.float64, device="cpu")).tolist()
                # The signs of b and of the output weights are free: they turn a chain into any of these.
                mirrored = {(positive, negative), (negative, positive)}
                mirrored |= {(-up, -down) for up, down in mirrored}
                if mirrored != {(0.0, 0.0)} and mirrored.isdisjoint(longer):
                    longer[positive, negative] = (*signs, sign)
        chains = longer
    power = activation.power**hidden_layers
    return [(Profile(power, up, down), signs) for (up, down), signs in chains.items()]


def correlation(
    network: HomogeneousNetwork, problem: Problem, layer: int, incoming: Any, outgoing: Any, *, unseen: bool = False
) -> float:
    """The neural correlation function ``N_l(a, b) = (1/n) Σ_i aᵀ s_{l+1}(x_i) · σ(bᵀ h_{l-1}(x_i))``.

    Adding the neuron ``ε·(a, b)`` changes the loss by ``−ε^{p+1}·N_l`` to leading order (Kumar & Haupt, arXiv
    2509.12154), wherever the layers above are differentiable. They are not where some ``z_m(x_i)``, m > l, is zero and
    the activation has a kink there. With ReLUs that is common: a sample to which no neuron of layer l responds leaves
    all layers above at their kinks. ``s_{l+1}`` is zero there, so that the definition leaves out what a new neuron that
    does respond would do for samples that no neuron sees.

    Parameters
    ----------
    network
        The network that the neuron would join.
    problem
        Gives the samples and, through its loss, the signals ``s``.
    layer
        The hidden layer l, 1 … L−1.
    incoming, outgoing
        ``b`` of shape ``(k_{l-1},)`` and ``a`` of shape ``(k_{l+1},)``.
    unseen
        False for the definition, with the slope α of the negative side at kinks. True to count at each kink what the
        layers above do on the side that the neuron pushes them to: this is what the loss falls by to leading order at
        *every* network, minus its one-sided derivative. Without samples at kinks above layer l both are the same.

    Returns
    -------
    float
        ``N_l(a, b)``.

    Raises
    ------
    TypeError, ValueError
        If the layer does not exist, a vector has the wrong shape, or network and problem do not fit.
    """
    problem = fitting(network, problem)
    layer = arguments.whole("layer", layer, 1, network.hidden_layers)
    below, above = network.weights[layer - 1].shape[1], network.weights[layer].shape[0]
    b = arguments.vector("incoming", incoming, below, dtype=network.dtype, device=network.device)
    a = arguments.vector("outgoing", outgoing, above, dtype=network.dtype, device=network.device)
    unseen = arguments.flag("unseen", unseen)
    forward = network.forward(problem.inputs)
    residual = problem.loss.residual(forward.output, problem.targets)
    if unseen:
        return one_sided_correlation(network, forward, residual, layer, b, a)
    signals = network.signals(forward, residual)
    return float(((signals[layer] @ a) * network.activation(forward.hidden[layer - 1] @ b)).mean())


def one_sided_correlation(
    network: HomogeneousNetwork, forward: ForwardPass, residual: Tensor, layer: int, incoming: Tensor, outgoing: Tensor
) -> float:
    """:func:`correlation` with ``unseen=True``, for a pass of the network and the residual there."""
    push = network.activation(forward.hidden[layer - 1] @ incoming).unsqueeze(1) * outgoing
    for z, weight in zip(forward.pre_activations[layer:-1], network.weights[layer + 1 :], strict=True):
        push = network.activation.change(z, push) @ weight.T
    return float((residual * push).sum(dim=1).mean())


def find_kkt_points(
    network: HomogeneousNetwork,
    problem: Problem,
    *,
    layers: tuple[int, ...] | None = None,
    starts: int = 50,
    seed: int = 0,
    value_tolerance: float = 1e-7,
    unseen: bool = False,
) -> list[KKTPoint]:
    """The KKT points of the constrained NCF that random starts lead to, best first; none if N vanishes.

    Parameters
    ----------
    network, problem
        Where to search. The problem's data are moved to the network's device and precision.
    layers
        The hidden layers to search, counted 1 … L−1; all of them if None.
    starts
        Random starts in each layer.
    seed
        Of the starts; the same seed gives the same points.
    value_tolerance
        Values below ``value_tolerance · rms(s_{l+1}) · rms(h_{l-1})^p`` count as zero.
    unseen
        Of which NCF, as in :func:`correlation`: False for the definition, True for what the loss really falls by to
        leading order, which gradient flow follows; it may have KKT points of much larger value. In layers below the
        last two (with leaky ReLUs, below the last) the search knows only the definition, and finds KKT points of that:
        ``point.unseen`` says which it is.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or network and problem do not fit.
    """
    problem = fitting(network, problem)
    starts = arguments.whole("starts", starts, 1, MOST_STARTS)
    seed = arguments.seed(seed)
    value_tolerance = arguments.real("value_tolerance", value_tolerance, least=0)
    if layers is None:
        layers = tuple(range(1, network.hidden_layers + 1))
    else:
        layers = arguments.wholes("layers", layers, 1)
        for layer in layers:
            arguments.whole("layers", layer, 1, network.hidden_layers)
    unseen = arguments.flag("unseen", unseen)
    search = LayerSearch(network, problem, layers, starts, seed, value_tolerance, unseen=unseen)
    search.directions.run()
    return search.points


def find_origin_points(
    problem: Problem,
    *,
    hidden_layers: int = 2,
    power: int = 1,
    leak: float = 0.0,
    starts: int = 50,
    seed: int = 0,
    value_tolerance: float = 1e-7,
) -> list[OriginPoint]:
    """The KKT points of the NCF at the origin, for one neuron in every hidden layer, best first.

    Parameters
    ----------
    problem
        Gives the samples; the residual is that of the zero network.
    hidden_layers
        The number of hidden layers, L − 1 ≥ 1.
    power, leak
        p and α of the activation.
    starts
        Random starts.
    seed
        Of the starts; the same seed gives the same points.
    value_tolerance
        Values of ``(1/n)‖Σ r_i g(b̂ᵀx_i)‖`` below ``value_tolerance · rms(r) · rms(x)^P`` count as zero, with g the
        chain of activations above the first layer and P its degree.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
    hidden_layers = arguments.whole("hidden_layers", hidden_layers, 1, MOST_HIDDEN_LAYERS)
    activation = Activation(power, leak)
    starts = arguments.whole("starts", starts, 1, MOST_STARTS)
    value_tolerance = arguments.real("value_tolerance", value_tolerance, least=0)
    require_representable(problem, activation.power, hidden_layers)
    search = OriginSearch(problem, hidden_layers, activation, starts, arguments.seed(seed), value_tolerance)
    search.directions.run()
    return search.points


def fitting(network: HomogeneousNetwork, problem: Problem) -> Problem:
    """The problem on the network's device and in its precision, after checking that the two fit together."""
    if not isinstance(network, HomogeneousNetwork):
        raise TypeError(f"network must be a HomogeneousNetwork, got {type(network).__name__}")
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
    if (network.input_size, network.output_size) != (problem.input_size, problem.output_size):
        raise ValueError(
            f"network must have {problem.input_size} inputs and {problem.output_size} outputs to fit the problem, "
            f"got {network.input_size} and {network.output_size}"
        )
    problem = problem.to(device=network.device, dtype=network.dtype)
    require_representable(problem, network.power, network.hidden_layers)
    return problem
