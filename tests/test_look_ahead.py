"""The look-ahead: its steps, its units, and that networks side by side do not disturb one another."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

import np_widgets as npw
from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.passes import Passes, padded
from np_widgets.learning.pursuit import look_ahead as module
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.side_by_side import SideBySide, advance_together, begun
from np_widgets.learning.pursuit.standing import Task
from np_widgets.learning.units import Units
from tests.bits import bits

pytestmark = pytest.mark.rounding


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
    inputs = [each.inputs for each in problems] if groups > 1 else problems[0].inputs
    passes = Passes(
        inputs, [(most[0], 4), (most[1], most[0]), (outputs, most[1])], Activation(power, leak), len(networks)
    )
    # With groups the first layers of each begin at a full cache line, so that groups stay an axis of their own.
    weights, gradients = (
        [[network for group in part for network in group] if groups > 1 else part for part in parts]
        for parts in (passes.weights, passes.gradients)
    )
    for index, each in enumerate(networks):
        for place, weight in zip(weights, each.weights, strict=True):
            place[index][: weight.shape[0], : weight.shape[1]] = weight
    output = passes.forward()
    own = [problems[index // len(widths)] for index in range(len(networks))]
    residual = torch.stack([(own[i].targets.T - output[i]) for i in range(len(networks))])
    passes.backward(residual)
    for index, each in enumerate(networks):
        objective = Objective(own[index], each)
        _, expected = objective.loss_and_gradient(objective.initial)
        parts = expected.split(objective.sizes)
        for gradient, part, shape in zip(gradients, parts, objective.shapes, strict=True):
            found = -gradient[index] / own[index].samples
            scale = 1e-10 * max(float(expected.abs().max()), 1e-9)
            torch.testing.assert_close(found[: shape[0], : shape[1]].reshape(-1), part, rtol=1e-10, atol=scale)
            assert not found[shape[0] :].any()
            assert not found[:, shape[1] :].any()


# ---------------------------------------------------------------------------------------------- the look-ahead


def test_steps_are_those_of_adam_with_weight_decay_and_a_falling_step_size():
    data, start = problem(), network(5, (4, 2, 2, 1))
    ahead = LookAhead(data, [start], 0, steps=40)
    units = Units(data.inputs, data.targets, start.degree)
    factors = units.factors(3)
    scaled = HomogeneousNetwork([factor * weight for factor, weight in zip(factors, start.weights, strict=True)])
    model = scaled.balanced().to_module()
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


def side_by_side(
    problems: list[npw.Problem],
    networks: list[list[HomogeneousNetwork]],
    steps: int,
    targets: torch.Tensor | None = None,
) -> SideBySide:
    """The networks of each group on the problem of that group."""
    weights = padded([each for group in networks for each in group])
    shape = len(networks), len(networks[0])
    nothing = torch.zeros(len(networks), dtype=weights[0].dtype)
    task = Task(
        tuple(each.inputs for each in problems),
        torch.stack([each.targets for each in problems]),
        problems[0].loss,
        networks[0][0].activation,
        nothing - math.inf if targets is None else targets,
        nothing,
        steps,
    )
    return begun(task, [each.view(*shape, *each.shape[1:]) for each in weights])


def test_networks_side_by_side_are_as_if_alone():
    problems = [problem(0), problem(5)]
    widths = ((2, 2), (2, 3), (3, 2))
    networks = [[network(20 * g + i, (4, *each, 1)) for i, each in enumerate(widths)] for g in range(2)]
    together = side_by_side(problems, networks, 100)
    together.advance(50)
    for group in range(2):
        for index in (1, 2):
            # The weight decay follows from the first network, so the first is the same in all.
            pair = side_by_side([problems[group]], [[networks[group][0], networks[group][index]]], 100)
            pair.advance(50)
            for all_weights, pair_weights in zip(together.weights, pair.weights, strict=True):
                rows, columns = pair_weights.shape[2:]
                own = all_weights[group, index, :rows, :columns]
                torch.testing.assert_close(own, pair_weights[0, 1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("count", "expected"), [(1, [1, 1, 1]), (3, [3, 3, 2]), (8, [8, 4, 2]), (12, [12, 6, 3])])
def test_the_worse_half_is_given_up_after_a_quarter_and_a_half_of_the_steps(count, expected):
    data = problem()
    ahead = side_by_side([data], [[network(20 + i, (4, 2, 2, 1)) for i in range(count)]], 100)
    counts = []
    for steps in (20, 20, 20):
        ahead.advance(steps)
        counts.append(ahead.count)
    assert counts == expected
    assert 0 <= int(ahead.best) < count
    ahead.advance(40)
    assert float(ahead.best_losses) in ahead.losses.flatten().tolist()
    # Those that go on do so as if they had been alone, but for the weight decay of the first.
    best = int(ahead.best)
    alone = side_by_side([data], [[network(20 + i, (4, 2, 2, 1)) for i in {0, best}]], 100)
    alone.advance(100)
    for one, other in zip(ahead.best_weights, alone.weights, strict=True):
        torch.testing.assert_close(one[0], other[0, -1 if best else 0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("lost", [(True, True), (True, False)])
def test_groups_that_leave_the_range_of_numbers_are_put_back(lost):
    # In single precision the squares of such targets are infinite, their gradients are not.
    each: list[SideBySide] = []
    starts: list[list[Tensor]] = []
    for group, is_lost in enumerate(lost):
        data = problem(5 * group)
        data = npw.Problem(data.inputs, (1e19 if is_lost else 1.0) * data.targets).to(dtype=torch.float32)
        networks = [network(20 * group + i, (4, 2, 1)).to(dtype=torch.float32) for i in range(2)]
        starts.append(padded(networks))
        each.append(side_by_side([data], [networks], 10))
    advance_together(each, 5)
    for one, weights, is_lost in zip(each, starts, lost, strict=True):
        assert one.finished == is_lost
        for found, start in zip(one.weights, weights, strict=True):
            assert torch.equal(found[0], start) == is_lost


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
    # A perfect fit by weights that cancel each other, and almost one by small weights.
    wasteful = HomogeneousNetwork([[[30.0, 0, 0, 0], [29.0, 0, 0, 0]], [[1.0, -1.0]]])
    almost = HomogeneousNetwork([[[0.99, 0, 0, 0]], [[1.0]]])
    assert LookAhead(data, [poor, wasteful, almost], 0).best == 2


def test_cut_saved_and_restored_it_goes_on_with_the_same_bits():
    data, networks = problem(), [network(i, (4, 2, 1)) for i in range(8)]
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
    assert ahead.step_operations == 6 * 100 * 2 * (4 * 5 + 5)
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


def test_each_stays_where_it_first_meets_its_target_whatever_others_do_beside_it():
    networks = [[network(20 * g + i, (4, 2, 1)) for i in range(4)] for g in range(2)]

    def made(group: int, target: float | None = None) -> SideBySide:
        targets = None if target is None else torch.tensor([target], dtype=torch.float64)
        return side_by_side([problem(5 * group)], [networks[group]], 100, targets)

    bound: list[SideBySide] = []
    expected = []
    # At its lowest so far, each at another step, one before and one after some networks are given up.
    for group, at in enumerate((20, 45)):
        free = made(group)
        losses, weights = [], []
        for _ in range(at):
            losses.append(float(free.losses.min()))
            weights.append(free.best_weights)
            free.advance(1)
        step = min(range(at), key=losses.__getitem__)
        expected.append((step, losses[step], weights[step]))
        bound.append(made(group, losses[step]))
    advance_together(bound, 5)
    advance_together(bound, 100)
    for one, (step, loss, best) in zip(bound, expected, strict=True):
        assert one.finished
        assert (one.steps_taken, float(one.best_losses)) == (step, loss)
        assert all(map(torch.equal, one.best_weights, best))


@settings(max_examples=25)
@given(
    groups=st.permutations(range(4)).flatmap(lambda each: st.integers(1, 4).map(lambda count: each[:count])),
    widths=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    candidates=st.integers(1, 6),
    samples=st.integers(20, 90),
    outputs=st.integers(1, 2),
    shape=st.sampled_from([(1, 0.0), (1, 0.3), (2, 0.0), (4, -0.5)]),
    rate=st.sampled_from([None, None, 1e6]),
    target=st.sampled_from([None, 0.6]),
    cut=st.integers(1, 40),
)
def test_together_each_takes_the_steps_that_it_takes_alone(
    groups, widths, candidates, samples, outputs, shape, rate, target, cut
):
    def made(group: int) -> LookAhead:
        networks = [network(7 * group + i, (4, *widths, outputs), *shape) for i in range(candidates)]
        # Of equal targets, so that step sizes given in their units are equal.
        data = npw.Problem(normal(10 * group, samples, 4), normal(1, samples, outputs))
        return LookAhead(data, networks, 0, 40, rate, target)

    together = [made(group) for group in groups]
    assert len({each.shape for each in together}) == 1
    LookAhead.advance_together(together, 40)
    for group, one in zip(groups, together, strict=True):
        alone = made(group)
        while not alone.finished:
            alone.advance(cut)
        assert one.finished
        assert (one.best, one.steps_taken) == (alone.best, alone.steps_taken)
        assert bits(one.left) == bits(alone.left)
        assert bits(one.network.weights) == bits(alone.network.weights)


def test_groups_begin_at_full_cache_lines():
    # What products of a group come to may depend on where it lies in a line.
    inputs = [normal(seed, 21, 5).float() for seed in range(3)]
    passes = Passes(inputs, [(3, 5), (1, 3)], Activation(), 6)
    starts = [part[group].data_ptr() for part in (passes.weights[0], passes.gradients[0]) for group in range(3)]
    assert {start % 64 for start in starts} == {0}
    assert {each.stride(1) % 16 for each in (passes.output, passes.residual)} == {0}
    assert len(passes.theta) % 16 == 0
