"""The look-ahead: its steps, its units, and that networks side by side do not disturb one another."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

import np_widgets as npw
from np_widgets.learning import look_ahead as module
from np_widgets.learning.activation import Activation
from np_widgets.learning.look_ahead import LookAhead
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.passes import Passes


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(seed: int, sizes: tuple[int, ...], power: int = 1, leak: float = 0.0) -> HomogeneousNetwork:
    weights = [normal(seed + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return HomogeneousNetwork(weights, power=power, leak=leak)


def problem(seed: int = 0, samples: int = 60, outputs: int = 1) -> npw.Problem:
    return npw.Problem(normal(seed, samples, 4), normal(seed + 1, samples, outputs))


# ---------------------------------------------------------------------------------------------- passes of a batch


@settings(max_examples=40)
@given(
    widths=st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=2), min_size=1, max_size=3),
    groups=st.sampled_from([1, 2]),
    power=st.integers(1, 3),
    leak=st.sampled_from([-0.5, 0.0, 0.3, 1.0]),
    outputs=st.integers(1, 3),
)
def test_a_padded_batch_has_the_gradient_of_every_single_network(widths, groups, power, leak, outputs):
    networks = [network(10 * i, (4, *each, outputs), power, leak) for i, each in enumerate(widths * groups)]
    problems = [problem(seed, outputs=outputs) for seed in range(groups)]
    most = [max(each[layer] for each in widths) for layer in range(2)]
    inputs = torch.stack([each.inputs for each in problems]) if groups > 1 else problems[0].inputs
    passes = Passes(
        inputs, [(most[0], 4), (most[1], most[0]), (outputs, most[1])], Activation(power, leak), len(networks)
    )
    for index, each in enumerate(networks):
        for place, weight in zip(passes.weights, each.weights, strict=True):
            place[index, : weight.shape[0], : weight.shape[1]] = weight
    output = passes.forward()
    own = [problems[index // len(widths)] for index in range(len(networks))]
    residual = torch.stack([(own[i].targets.T - output[i]) for i in range(len(networks))])
    passes.backward(residual)
    for index, each in enumerate(networks):
        objective = Objective(own[index], each)
        _, expected = objective.loss_and_gradient(objective.initial)
        parts = expected.split(objective.sizes)
        for gradient, part, shape in zip(passes.gradients, parts, objective.shapes, strict=True):
            found = -gradient[index] / own[index].samples
            scale = 1e-10 * max(float(expected.abs().max()), 1e-9)
            torch.testing.assert_close(found[: shape[0], : shape[1]].reshape(-1), part, rtol=1e-10, atol=scale)
            assert not found[shape[0] :].any()
            assert not found[:, shape[1] :].any()


# ---------------------------------------------------------------------------------------------- the look-ahead


def test_steps_are_those_of_adam_with_weight_decay_and_a_falling_step_size():
    data, start = problem(), network(5, (4, 2, 2, 1))
    ahead = LookAhead(data, [start], 0, steps=40)
    units = module._Units(data.inputs, data.targets, start)
    model = units.enter(start).to_module()
    squares = sum(float(p.detach().square().sum()) for p in model.parameters())
    loss = data.loss.value(model(units.inputs), units.targets).item()
    decay = 2 * 0.1 * loss / squares
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, weight_decay=decay)
    for step in range(40):
        optimizer.param_groups[0]["lr"] = 7.5e-3 * 0.5 * (1 + math.cos(math.pi * step / 40))
        optimizer.zero_grad()
        data.loss.value(model(units.inputs), units.targets).backward()
        optimizer.step()
    ahead.advance(100)
    assert ahead.finished
    with torch.no_grad():
        expected = model(units.inputs) * units.factor**-start.degree
        assert torch.allclose(ahead.network(data.inputs), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("widths", [((2, 2), (2, 3), (3, 2))])
def test_networks_side_by_side_are_as_if_alone(widths):
    data = problem()
    networks = [network(20 + i, (4, *each, 1)) for i, each in enumerate(widths)]
    # The weight decay follows from the first network, so the first is the same in all.
    together = LookAhead(data, networks, 0, steps=30)
    together.advance(30)
    for index in (1, 2):
        pair = LookAhead(data, [networks[0], networks[index]], 0, steps=30)
        pair.advance(30)
        for all_weights, pair_weights in zip(together._passes.weights, pair._passes.weights, strict=True):
            rows, columns = pair_weights.shape[1:]
            torch.testing.assert_close(all_weights[index, :rows, :columns], pair_weights[1], rtol=1e-4, atol=1e-5)


@given(st.sampled_from([1e-6, 1e-2, 1e5]), st.sampled_from([1e-8, 1e3, 1e7]), st.integers(1, 2))
@settings(max_examples=12)
def test_units_of_the_data_do_not_matter(inputs, targets, power):
    data = problem()
    scaled = npw.Problem(inputs * data.inputs, targets * data.targets)
    networks = [network(3 + i, (4, 2, 2, 1), power) for i in range(3)]
    factor = targets ** (1 / networks[0].degree)
    same = [
        HomogeneousNetwork([factor / inputs * first, *(factor * each for each in rest)], power=power)
        for first, *rest in (each.weights for each in networks)
    ]
    one, other = LookAhead(data, networks, 0, steps=50), LookAhead(scaled, same, 0, steps=50)
    one.advance(50)
    other.advance(50)
    assert one.best == other.best
    expected = targets * one.network(data.inputs)
    found = other.network(scaled.inputs)
    assert torch.allclose(found, expected, rtol=2e-2, atol=2e-3 * float(expected.abs().max()))


def test_the_best_is_the_one_of_the_lowest_loss_and_small_weights():
    data = npw.Problem(normal(0, 50, 4), normal(0, 50, 4)[:, :1].relu())
    perfect = HomogeneousNetwork([[[1.0, 0, 0, 0]], [[1.0]]])
    poor = HomogeneousNetwork([[[0, 1.0, 0, 0]], [[1.0]]])
    assert LookAhead(data, [poor, perfect], 0).best == 1
    # The same function by weights that cancel each other.
    wasteful = HomogeneousNetwork([[[30.0, 0, 0, 0], [29.0, 0, 0, 0]], [[1.0, -1.0]]])
    assert LookAhead(data, [poor, wasteful, perfect], 0).best == 2


def test_cut_saved_and_restored_it_goes_on_with_the_same_bits():
    data, networks = problem(), [network(i, (4, 2, 1)) for i in range(2)]
    whole, cut = LookAhead(data, networks, 0, steps=25), LookAhead(data, networks, 0, steps=25)
    whole.advance(25)
    cut.advance(11)
    resumed = LookAhead(data, networks, 0, steps=25)
    resumed.restore(cut.state())
    resumed.advance(14)
    assert whole.best == resumed.best
    assert all(torch.equal(a, b) for a, b in zip(whole.network.weights, resumed.network.weights, strict=True))


def test_many_samples_and_many_networks_are_bounded(monkeypatch):
    data = problem(samples=300)
    monkeypatch.setattr(module, "_MOST_SAMPLES", 100)
    monkeypatch.setattr(module, "_MOST_ENTRIES", 1000)
    networks = [network(i, (4, 5, 1)) for i in range(6)]
    ahead = LookAhead(data, networks, 0, steps=5)
    assert ahead.count == 2
    assert ahead._passes.samples == 100
    again = LookAhead(data, networks, 0, steps=5)
    ahead.advance(5)
    again.advance(5)
    assert torch.equal(ahead.network.weights[0], again.network.weights[0])
    tiny = LookAhead(data, [network(0, (4, 50, 1))], 0)
    assert tiny.count == 1


def test_classification_is_looked_ahead_too():
    moons = npw.problems.two_moons(seed=0)
    networks = [network(i, (3, 3, 2)) for i in range(3)]
    ahead = LookAhead(moons, networks, 0)
    losses = [float(moons.loss.value(each(moons.inputs), moons.targets)) for each in networks]
    ahead.advance(300)
    assert float(moons.loss.value(ahead.network(moons.inputs), moons.targets)) < 0.5 * min(losses)
