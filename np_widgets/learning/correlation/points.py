"""The neural correlation function (NCF) and its KKT points, at a network and at the origin.

Definitions and names follow Kumar & Haupt, *Learning Neural Networks by Neuron Pursuit* (arXiv 2509.12154).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.paths import KKTPoint, PathSearch, all_paths
from np_widgets.learning.network import ForwardPass, HomogeneousNetwork
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem

MOST_HIDDEN_LAYERS, MOST_STARTS = 64, 10**6


def correlation(
    network: HomogeneousNetwork,
    problem: Problem,
    layer: int,
    incoming: Any,
    outgoing: Any,
    *,
    inner: Any = (),
    unseen: bool = False,
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
        ``b`` of shape ``(k_{l-1},)`` and ``a`` of shape ``(k_{l+1},)``; of a path that ends in layer m ``(k_{m+1},)``.
    inner
        For a path of neurons in the layers l … m the weights ``c_{l+1}, …, c_m`` from each to the next. Its NCF is that
        of :mod:`np_widgets.learning.correlation.paths`, and the loss changes by ``−ε^D`` times that.
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
    layer, links = network.checked_path(layer, inner)
    last = layer + len(links)
    below, above = network.weights[layer - 1].shape[1], network.weights[last].shape[0]
    b = arguments.vector("incoming", incoming, below, dtype=network.dtype, device=network.device)
    a = arguments.vector("outgoing", outgoing, above, dtype=network.dtype, device=network.device)
    unseen = arguments.flag("unseen", unseen)
    forward = network.forward(problem.inputs)
    residual = problem.criterion.residual(forward.output, problem.goals)
    if unseen:
        return float(one_sided_terms(network, forward, residual, layer, b, links, a).mean())
    signals = network.signals(forward, residual)
    return float(((signals[last] @ a) * response(network, forward, layer, b, links)).mean())


def response(
    network: HomogeneousNetwork, forward: ForwardPass, layer: int, incoming: Tensor, inner: Sequence[float]
) -> Tensor:
    """What the last neuron of a new path answers to each sample, of shape ``(n,)``."""
    answer = network.activation(forward.hidden[layer - 1] @ incoming)
    for weight in inner:
        answer = network.activation(weight * answer)
    return answer


def one_sided_terms(
    network: HomogeneousNetwork,
    forward: ForwardPass,
    residual: Tensor,
    layer: int,
    incoming: Tensor,
    inner: Sequence[float],
    outgoing: Tensor,
) -> Tensor:
    """What each sample adds to the mean that :func:`correlation` with ``unseen=True`` is, ``(n,)``, after a pass."""
    last = layer + len(inner)
    push = response(network, forward, layer, incoming, inner).unsqueeze(1) * outgoing
    for z, weight in zip(forward.pre_activations[last:-1], network.weights[last + 1 :], strict=True):
        push = network.activation.change(z, push) @ weight.T
    return (residual * push).sum(dim=1)


def find_kkt_points(
    network: HomogeneousNetwork,
    problem: Problem,
    *,
    layers: tuple[int, ...] | None = None,
    longest: int | None = 1,
    starts: int = 50,
    seed: int = 0,
    value_tolerance: float = 1e-7,
    unseen: bool = False,
) -> list[KKTPoint]:
    """The KKT points of the constrained NCF that random starts lead to; none if N vanishes.

    Those of lower degree come first, and within a degree the best: values of different degree say nothing of each
    other.

    Parameters
    ----------
    network, problem
        Where to search. The problem's data are moved to the network's device and precision.
    layers
        The hidden layers in which a path may begin, counted 1 … L−1; all of them if None.
    longest
        How many neurons a path may have: 1 for single neurons only, None for as many as there are layers.
    starts
        Random starts for each path.
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
    if longest is not None:
        longest = arguments.whole("longest", longest, 1)
    unseen = arguments.flag("unseen", unseen)
    paths = [path for path in all_paths(network.hidden_layers, 1, longest) if path[0] in layers]
    search = PathSearch(network, problem, paths, starts, seed, value_tolerance, unseen=unseen)
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
) -> list[KKTPoint]:
    """The KKT points of the NCF at the origin, ``max (1/n) Σ_i r_iᵀ H(x_i; w)`` subject to ``‖w‖ = 1``, best first.

    Here H has one neuron in every hidden layer: these are the points of the path through all layers of a network
    without neurons. :attr:`KKTPoint.weights` are its matrices.

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
    empty = HomogeneousNetwork.empty(problem, hidden_layers, activation)
    path = (1, hidden_layers)
    search = PathSearch(empty, problem, [path], starts, arguments.seed(seed), value_tolerance)
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
