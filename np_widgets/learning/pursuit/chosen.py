"""What a user adds in the place of what the method would: a candidate of the last search, or a neuron of one's own."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.correlation.points import correlation, response
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.problems import Problem


class Own(NamedTuple):
    """A neuron of the user's own; of its weights only the directions count."""

    layer: int
    incoming: Tensor
    outgoing: Tensor

    def without(self, removed: Collection[tuple[int, int]]) -> Own:
        """The same beside a network from which these neurons, ``(layer, index)`` from 0, have been removed."""
        return self._replace(
            incoming=_left(self.incoming, self.layer - 1, removed),
            outgoing=_left(self.outgoing, self.layer + 1, removed),
        )

    def at(self, network: HomogeneousNetwork, problem: Problem, *, unseen: bool) -> KKTPoint:
        """With norms as those of a KKT point, and the value of that NCF."""
        power = network.power
        incoming, outgoing = _unit(self.incoming), _unit(self.outgoing)
        incoming, outgoing = incoming * math.sqrt(power / (power + 1)), outgoing / math.sqrt(power + 1)
        value = correlation(network, problem, self.layer, incoming, outgoing, unseen=unseen)
        return KKTPoint(self.layer, value, incoming, outgoing, math.inf, unseen, power=power)


def checked_choice(index: Any, candidates: Sequence[Candidate]) -> int:
    """The index of a candidate that can be added."""
    if not candidates:
        raise ValueError(f"candidate must be None before a search has found any, got {index!r}")
    index = arguments.whole("candidate", index, 0, len(candidates) - 1)
    if not candidates[index].factors:
        raise ValueError(f"candidate {index} has no weights any more: there were too many to keep them all")
    return index


def own_neuron(
    network: HomogeneousNetwork, problem: Problem, layer: Any, incoming: Any, outgoing: Any, *, unseen: bool = False
) -> Own:
    """A user's neuron for a network, by default with the outgoing weights that are best for the incoming ones."""
    layer = arguments.whole("layer", layer, 1, network.hidden_layers)
    like = {"dtype": network.dtype, "device": network.device}
    incoming = _direction("incoming", incoming, network.weights[layer - 1].shape[1], like)
    if outgoing is None:
        forward = network.forward(problem.inputs)
        signals = network.signals(forward, problem.criterion.residual(forward.output, problem.goals))[layer]
        outgoing = signals.T @ response(network, forward, layer, incoming, ()) / len(signals)
        if not bool(outgoing.any()):
            raise ValueError(
                "outgoing must be given: with these incoming weights no outgoing ones lower the loss to leading order"
            )
        # Beside kinks the other side may be the better one.
        pair = Own(layer, incoming, outgoing), Own(layer, incoming, -outgoing)
        return max(pair, key=lambda own: own.at(network, problem, unseen=unseen).value)
    return Own(layer, incoming, _direction("outgoing", outgoing, network.weights[layer].shape[0], like))


def point_of(candidate: Candidate, problem: Problem, power: int) -> KKTPoint:
    """A candidate of a search as the point that was found."""
    incoming, *inner, outgoing = (torch.from_numpy(factor).to(problem.inputs).flatten() for factor in candidate.factors)
    links = tuple(float(weight) for weight in inner)
    layer = max(candidate.layer, 1)
    return KKTPoint(layer, candidate.value, incoming, outgoing, candidate.residual, candidate.unseen, links, power)


def network_of(candidate: Candidate, problem: Problem, power: int, leak: float) -> HomogeneousNetwork | None:
    """The network that was searched; None if that was the search at the origin."""
    if candidate.layer == 0:
        return None
    weights = [torch.from_numpy(weight).to(problem.inputs) for weight in candidate.network]
    return HomogeneousNetwork(weights, power=power, leak=leak)


def _direction(name: str, value: Any, size: int, like: dict[str, Any]) -> Tensor:
    vector = arguments.vector(name, value, size, **like)
    if not bool(vector.any()):
        raise ValueError(f"{name} must have a direction, got zeros only")
    return vector


def _unit(vector: Tensor) -> Tensor:
    # First by the largest entry: squares of very small or large ones leave the range of numbers.
    vector = vector / vector.abs().max()
    return vector / torch.linalg.vector_norm(vector)


def _left(weights: Tensor, layer: int, removed: Collection[tuple[int, int]]) -> Tensor:
    gone = [index for own, index in removed if own == layer]
    return weights[torch.from_numpy(np.delete(np.arange(len(weights)), gone)).to(weights.device)]
