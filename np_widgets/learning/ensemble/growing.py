"""The KKT points of several pursuits, as the networks that may be trained next."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.columns import Forward, forward, signals
from np_widgets.learning.correlation.paths import chain_norms, chains, counts_unseen, key_of
from np_widgets.learning.correlation.search import Key, stream
from np_widgets.learning.ensemble.batch import Data
from np_widgets.learning.ensemble.candidates import Candidates, joined
from np_widgets.learning.ensemble.search import BatchCorrelation, Points, ascend
from np_widgets.learning.network import HomogeneousNetwork, padded
from np_widgets.learning.searching import POINTS_TRIED


def candidates_at_origin(
    data: Data,
    activation: Activation,
    hidden_layers: int,
    starts: int,
    seeds: Sequence[int],
    value_tolerance: float,
) -> Candidates:
    """First networks, of one neuron in each hidden layer."""
    count, size, _ = data.inputs.shape
    outputs = data.inputs.new_zeros(count, data.samples, data.outputs)
    residual = data.loss.residual(outputs, data.targets).mT
    norms, share = chain_norms(activation.power, hidden_layers + 1)
    parts = []
    for index, chain in enumerate(chains(activation, hidden_layers)):
        field = BatchCorrelation(data.inputs, residual, chain.profile)
        points = ascend(
            field,
            _starts([size] * count, starts, seeds, key_of((1, hidden_layers), index, at_origin=True)),
            POINTS_TRIED,
        )
        shape = points.values.shape
        ones = data.inputs.new_ones(*shape, 1, 1)
        weights = [
            norms[0] * points.directions.to(data.inputs).unsqueeze(2),
            *(sign * norm * ones for sign, norm in zip(chain.signs, norms[1:-1], strict=True)),
            norms[-1] * points.outgoing.to(data.inputs).unsqueeze(3),
        ]
        layers = torch.zeros(shape, dtype=torch.int64, device=ones.device)
        nothing = [torch.zeros_like(each) for each in weights]
        values = share * torch.where(points.values > value_tolerance * field.scale, points.values, 0.0)
        parts.append(Candidates(nothing, weights, layers, values, points.residuals))
    return joined(parts).best_first(POINTS_TRIED)


def candidates_of_neurons(
    networks: Sequence[HomogeneousNetwork], data: Data, starts: int, seeds: Sequence[int], value_tolerance: float
) -> tuple[Candidates, list[tuple[float, ...]]]:
    """Trained networks with one more neuron; and ``max N_l`` of each pursuit and hidden layer."""
    activation = networks[0].activation
    weights = padded(networks)
    passed = forward(weights, data.inputs, activation)
    residual = data.loss.residual(passed.output, data.targets)
    sent = signals(weights, passed, residual, activation)
    trained = padded(networks, more=1)
    power = activation.power
    share = chain_norms(power, 2)[1]
    parts, maxima = [], []
    for layer in range(1, len(weights)):
        field = BatchCorrelation(
            passed.hidden[layer - 1],
            sent[layer],
            Profile.of(activation),
            _pushed(weights, passed, residual, activation, sent, layer),
        )
        sizes = [network.weights[layer - 1].shape[1] for network in networks]
        points = ascend(field, _starts(sizes, starts, seeds, key_of((layer, layer), 0)), POINTS_TRIED)
        maxima.append((share * points.values[:, 0]).tolist())
        counts = points.values > value_tolerance * field.scale
        values = torch.where(counts, share * points.values, 0.0)
        widths = [network.widths[layer - 1] for network in networks]
        neurons = _neurons(points, trained, layer, widths, power)
        layers = torch.full(values.shape, layer, device=values.device)
        most = values.shape[1]
        repeated = [each.unsqueeze(1).expand(-1, most, -1, -1) for each in trained]
        parts.append(Candidates(repeated, neurons, layers, values, points.residuals))
    found = joined(parts)
    return found.best_first(found.values.shape[1]), list(zip(*maxima, strict=True))


def _neurons(points: Points, trained: Sequence[Tensor], layer: int, widths: Sequence[int], power: int) -> list[Tensor]:
    """The weights of the new neurons alone, where their networks have room for them."""
    count, most, size = points.directions.shape
    neurons = [each.new_zeros(count, most, *each.shape[1:]) for each in trained]
    rows = torch.arange(count, device=points.directions.device)
    places = torch.tensor(widths, device=rows.device)
    (incoming, outgoing), _ = chain_norms(power, 2)
    neurons[layer - 1][rows, :, places, :size] = incoming * points.directions.to(trained[0])
    neurons[layer][rows, :, : points.outgoing.shape[2], places] = outgoing * points.outgoing.to(trained[0])
    return neurons


def _pushed(
    weights: Sequence[Tensor],
    passed: Forward,
    residual: Tensor,
    activation: Activation,
    sent: Sequence[Tensor],
    layer: int,
) -> Tensor | None:
    """The signals for a push up in the last hidden layer but one; see ``PathSearch``."""
    hidden_layers = len(weights) - 1
    if layer == hidden_layers or not activation.has_kink or not counts_unseen(activation, layer, hidden_layers):
        return None
    pushed = torch.where(passed.pre_activations[layer] == 0, weights[-1].mT @ residual.mT, sent[layer])
    return pushed if bool((pushed != sent[layer]).any()) else None


def _starts(sizes: Sequence[int], starts: int, seeds: Sequence[int], key: Key) -> Tensor:
    """Random unit vectors, padded with zeros: shape ``(G, S, k)``. Those that a pursuit on its own begins with."""
    directions = torch.zeros(len(sizes), starts, max(sizes), dtype=torch.float64, device="cpu")
    for place, size, seed in zip(directions, sizes, seeds, strict=True):
        drawn = torch.randn(size, starts, generator=stream(seed, key), dtype=torch.float64, device="cpu")
        place[:, :size] = (drawn / drawn.norm(dim=0)).T
    return directions
