"""A pursuit that begins with a given network."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import pytest
import torch

import np_widgets as npw

PROBLEM = npw.problems.kumar_haupt(samples=60, seed=0)


def start(widths: tuple[int, ...] = (2, 1), power: int = 1, leak: float = 0.0) -> npw.HomogeneousNetwork:
    generator = torch.Generator().manual_seed(0)
    sizes = [PROBLEM.input_size, *widths, 1]
    weights = [0.3 * torch.randn(above, below, generator=generator).double().abs() for below, above in pairwise(sizes)]
    return npw.HomogeneousNetwork(weights, power=power, leak=leak)


def test_it_minimizes_that_network_first_and_then_adds():
    network = start()
    before = float(PROBLEM.loss.value(network(PROBLEM.inputs), PROBLEM.targets))
    pursuit = npw.NeuronPursuit(PROBLEM, network=network, starts=5)
    assert pursuit.loss == pytest.approx(before, rel=1e-9)
    assert pursuit.phase == "minimizing"
    assert pursuit.frame().message.startswith("Network 1: the network it began with; ")
    assert "Adam" not in pursuit.frame().message  # there is nothing to compare it with
    assert pursuit.frame().added == ()
    pursuit.run(max_additions=1)
    first, second = pursuit.growth
    assert first.widths == (2, 1)
    assert (first.layers, first.candidates, first.taken) == ((), (), None)
    assert second.loss <= first.loss < before
    assert sum(second.widths) > 3
    assert second.taken is not None


def test_a_neuron_can_be_added_at_once():
    pursuit = npw.NeuronPursuit(PROBLEM, network=start(), starts=5)
    pursuit.add_neuron()
    assert (pursuit.growth[0].candidates, pursuit.growth[0].taken) == ((), None)
    npw.NeuronPursuit(PROBLEM, starts=5).restore(pursuit.state())
    pursuit.run(max_additions=0)
    assert len(pursuit.growth) == 2


def test_it_is_saved_and_begun_again():
    pursuit = npw.NeuronPursuit(PROBLEM, network=start(), starts=5)
    for _ in range(3):
        pursuit.advance()
    other = npw.NeuronPursuit(PROBLEM, starts=5)
    other.restore(pursuit.state())
    third = pickle.loads(pickle.dumps(pursuit))
    losses = [(each.run(max_additions=1), each.loss)[1] for each in (pursuit, other, third)]
    assert losses[0] == losses[1] == losses[2]
    pursuit.reset()
    assert pursuit.network.widths == (2, 1)
    pursuit.run(max_additions=1)
    assert pursuit.loss == losses[0]
    pursuit.reset(leak=0.1)
    assert pursuit.network is None


def test_an_optimum_is_the_same_from_anywhere():
    problem = npw.Problem([[1.0, 1], [2, 1], [3, 1], [4, 1]], [1.0, 2, 2, 1])
    cold = npw.NeuronPursuit(problem, hidden_layers=1, weight_decay=0.03, starts=10)
    cold.run()
    network = npw.HomogeneousNetwork([[[1.0, -5]], [[2.0]]])
    warm = npw.NeuronPursuit(problem, hidden_layers=1, weight_decay=0.03, starts=10, network=network)
    warm.run()
    assert cold.finished.kind == warm.finished.kind == "optimal"
    assert warm.objective == pytest.approx(cold.objective, rel=3e-5)


@pytest.mark.parametrize("network", [start((2,)), start(leak=0.1), start(power=2)])
def test_another_kind_of_network_is_refused(network):
    with pytest.raises(ValueError, match="network must have 20 inputs, 1 outputs, hidden_layers=2, power=1 and leak=0"):
        npw.NeuronPursuit(PROBLEM, network=network)


def test_so_is_what_is_none():
    mine: Any = "mine"
    with pytest.raises(TypeError, match="network must be a HomogeneousNetwork or None, got 'mine'"):
        npw.NeuronPursuit(PROBLEM, network=mine)
    wide = npw.HomogeneousNetwork([torch.ones(1, 3), torch.ones(1, 1), torch.ones(1, 1)])
    with pytest.raises(ValueError, match=r"network must have 20 inputs.* got HomogeneousNetwork\(3 inputs"):
        npw.NeuronPursuit(PROBLEM, network=wide)
