"""A network to train next: what a search hands to a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.correlation.paths import Path
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.problems import Problem

_VANISHED = 1e-5  # of the largest neuron's squared weights
_ENTRIES = {
    "added": tuple[tuple[int, int], ...],
    "layer": states.whole,
    "last": states.whole,
    "value": states.finite_number,
    "candidate": states.whole,
    "ray_loss": states.number,
    "silent": bool,
    "searched": tuple[tuple[int, int], ...],
    "weights": tuple[Tensor, ...],
}


@dataclass(frozen=True)
class NextNetwork:
    """A network to train next, and the candidate that its new neurons came from."""

    network: HomogeneousNetwork
    added: tuple[tuple[int, int], ...]  # (layer, index) of the new neurons
    layer: int  # the first hidden layer of the candidate, 0 at the origin
    last: int
    value: float  # of the NCF
    candidate: int = 0  # which of the candidates of the search
    ray_loss: float = math.inf  # where it starts, on the samples that were searched
    silent: bool = False  # starts without outgoing weights, because the loss is lower nowhere along its ray
    searched: tuple[Path, ...] = ()

    def silenced(self, free: bool = True) -> NextNetwork:
        """The same with new neurons that have incoming weights of norm one, and the last of them no outgoing ones.

        Where weights have a price they have no incoming weights either, and will be removed.
        """
        network = self.network.copy()
        for layer, index in self.added:
            incoming = network.weights[layer - 1][index]
            incoming.div_(torch.linalg.vector_norm(incoming).clamp(min=torch.finfo(incoming.dtype).tiny)).mul_(free)
        layer, index = self.added[-1]
        network.weights[layer][:, index] = 0
        return replace(self, network=network, silent=True)

    def without(self, neurons: Sequence[tuple[int, int]], network: HomogeneousNetwork) -> NextNetwork:
        """The same with what has become of its network, but for some neurons."""
        left = [neuron for neuron in self.added if neuron not in neurons]
        renumbered = [
            (layer, index - sum(other < index for own, other in neurons if own == layer)) for layer, index in left
        ]
        return replace(self, network=network.without(neurons), added=tuple(renumbered))

    def state(self) -> dict[str, Any]:
        """Everything that makes it up, as arrays and plain values."""
        return {name: self.network.weights if name == "weights" else getattr(self, name) for name in _ENTRIES}

    @classmethod
    def restored(cls, name: str, state: Any, problem: Problem, settings: PursuitSettings) -> NextNetwork:
        """What ``state``, called ``name`` in errors, was made of."""
        states.require(name, state, _ENTRIES)
        for weight in state["weights"]:
            if weight.dtype != problem.dtype:
                raise ValueError(f"{name}['weights'] must be in {problem.dtype}, got {weight.dtype}")
        try:
            weights = [weight.to(device=problem.device) for weight in state["weights"]]
            network = HomogeneousNetwork(weights, power=settings.power, leak=settings.leak)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        found = (network.hidden_layers, network.input_size, network.output_size)
        wanted = (settings.hidden_layers, problem.input_size, problem.output_size)
        if found != wanted:
            raise ValueError(f"{name}['weights'] must have (hidden layers, inputs, outputs) {wanted}, got {found}")
        return cls(network, **{entry: state[entry] for entry in _ENTRIES if entry != "weights"})


def vanished(network: HomogeneousNetwork) -> tuple[tuple[int, int], ...]:
    """The neurons ``(layer, index)`` of next to no weights; in each layer one is kept."""
    squares = [
        (below.square().sum(dim=1) + above.square().sum(dim=0)).tolist() for below, above in pairwise(network.weights)
    ]
    least = _VANISHED * max(map(max, squares))
    found = []
    for layer, own in enumerate(squares, start=1):
        small = [(layer, index) for index, square in enumerate(own) if square <= least]
        found += small if len(small) < len(own) else small[1:]
    return tuple(found)


def fits(network: HomogeneousNetwork, settings: PursuitSettings) -> bool:
    """Whether a network has the hidden layers and the activation of the settings."""
    found = (network.hidden_layers, network.power, network.leak)
    return found == (settings.hidden_layers, settings.power, settings.leak)


def checked(network: Any, problem: Problem, settings: PursuitSettings) -> HomogeneousNetwork:
    """A copy of the network to begin with, where the problem is."""
    if not isinstance(network, HomogeneousNetwork):
        raise TypeError(f"network must be a HomogeneousNetwork or None, got {arguments.shown(network)}")
    sizes = (problem.input_size, problem.output_size)
    if not fits(network, settings) or (network.input_size, network.output_size) != sizes:
        raise ValueError(
            f"network must have {problem.input_size} inputs, {problem.output_size} outputs, "
            f"hidden_layers={settings.hidden_layers}, power={settings.power} and leak={settings.leak:g}, got {network}"
        )
    return network.to(device=problem.device, dtype=problem.dtype)
