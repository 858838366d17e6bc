"""Large data: blocks, mini-batches and searches of some samples give what full passes over everything would give."""

from __future__ import annotations

import math
import pickle
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import np_widgets as npw
from np_widgets.learning import blocks
from np_widgets.learning.correlation.clarke import clarke_gradient_norm
from np_widgets.learning.minimizers import choice
from np_widgets.learning.minimizers.choice import automatic
from np_widgets.learning.minimizers.first_order import Adam
from np_widgets.learning.minimizers.minibatch_adam import MinibatchAdam
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit import searching
from np_widgets.learning.pursuit.growth import GrowthRecord
from np_widgets.learning.pursuit.next_network import NextNetwork
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.pursuit.training import Training
from np_widgets.learning.subset import some_samples


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_of(sizes: tuple[int, ...], seed: int = 0, power: int = 1, leak: float = 0.0) -> npw.HomogeneousNetwork:
    weights = [normal(seed + 10 + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return npw.HomogeneousNetwork(weights, power=power, leak=leak)


def problem_of(samples: int, inputs: int = 4, outputs: int = 2, loss: Any = "square", seed: int = 0) -> npw.Problem:
    x, y = normal(seed, samples, inputs), normal(seed + 1, samples, outputs)
    return npw.Problem(x, y) if loss == "square" else npw.Problem(x, y.argmax(dim=1), loss, classes=outputs)


def taught(samples: int = 5000, seed: int = 0, power: int = 1, leak: float = 0.0) -> npw.Problem:
    """Data of a teacher with one hidden layer of three neurons."""
    teacher = network_of((8, 3, 1), seed, power, leak)
    x = normal(seed + 5, samples, 8)
    return npw.Problem(x, teacher(x))


def close(first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-12 * max(float(second.abs().max()), 1e-3))


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few samples."""
    monkeypatch.setattr(blocks, "BLOCK_ENTRIES", 40)


# ------------------------------------------------------------------------------------------------------------ blocks


@settings(max_examples=40)
@given(
    samples=st.integers(1, 40),
    entries=st.integers(1, 400),
    loss=st.sampled_from(["square", "cross_entropy"]),
    power=st.integers(1, 2),
    seed=st.integers(0, 1000),
)
def test_blocks_of_any_size_give_what_one_pass_gives(samples, entries, loss, power, seed):
    problem, network = problem_of(samples, loss=loss, seed=seed), network_of((4, 5, 3, 2), seed, power, 0.1)
    whole = Objective(problem, network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_ENTRIES", entries)
        blocked = Objective(problem, network)
        total = blocks.mean_loss(network, problem.inputs, problem.targets, problem.loss)
    for theta in (whole.initial, 0.5 * whole.initial):  # twice: nothing of the first is left behind
        loss_there, gradient = blocked.loss_and_gradient(theta)
        expected, expected_gradient = whole.loss_and_gradient(theta)
        assert loss_there == pytest.approx(expected, rel=1e-12)
        assert blocked.loss(theta) == pytest.approx(expected, rel=1e-12)
        close(gradient, expected_gradient)
        residual = normal(seed + 3, samples, 2)
        close(blocked.gradient_along(theta, residual), whole.gradient_along(theta, residual))
        place = torch.empty_like(theta)
        on_device = blocked.evaluate_on_device(theta, place)
        assert float(on_device) == pytest.approx(expected, rel=1e-12)
        assert on_device.dtype == theta.dtype
        close(place, expected_gradient)
    assert total == pytest.approx(whole.loss(whole.initial), rel=1e-12)


def test_samples_in_two_blocks_count_once(small_blocks):
    # Blocks of four samples: the last shares two with the one before.
    problem, network = problem_of(10), network_of((4, 5, 3, 2))
    objective = Objective(problem, network)
    residual = torch.zeros(10, 2, dtype=torch.float64)
    ones = normal(7, 10, 2)
    total = torch.zeros(objective.size, dtype=torch.float64)
    for sample in range(10):
        residual.zero_()
        residual[sample] = ones[sample]
        single = Objective(npw.Problem(problem.inputs[[sample]], problem.targets[[sample]]), network)
        alone = single.gradient_along(objective.initial, ones[[sample]]) / 10
        close(objective.gradient_along(objective.initial, residual), alone)
        total += alone
    close(objective.gradient_along(objective.initial, ones), total)


def test_small_problems_are_one_block():
    problem, network = problem_of(1000), network_of((4, 50, 50, 2))
    objective = Objective(problem, network)
    assert objective._blocks is None
    output = network.forward(problem.inputs).output
    assert blocks.mean_loss(network, problem.inputs, problem.targets, problem.loss) == float(
        problem.loss.value(output, problem.targets)
    )


@pytest.mark.rounding
@pytest.mark.parametrize("layers", [(2, 3, 1), (2, 3, 2, 1)])
def test_the_shortest_subgradient_is_the_same_in_blocks(monkeypatch, layers):
    # Integer inputs and weights put many samples exactly on kinks of the first layer.
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(-2, 3, (60, 2), generator=generator).double()
    first = torch.randint(-1, 2, (layers[1], 2), generator=generator).double()
    weights = [first, *(normal(layer, layers[layer + 1], layers[layer]) for layer in range(1, len(layers) - 1))]
    network = npw.HomogeneousNetwork(weights)
    problem = npw.Problem(x, normal(2, 60, 1))
    whole = clarke_gradient_norm(Objective(problem, network), Objective(problem, network).initial)
    plain = float(Objective(problem, network).loss_and_gradient(Objective(problem, network).initial)[1].norm())
    assert whole < plain
    monkeypatch.setattr(blocks, "BLOCK_ENTRIES", 40)
    objective = Objective(problem, network)
    assert clarke_gradient_norm(objective, objective.initial) == pytest.approx(whole, rel=1e-9)


@pytest.mark.rounding
def test_a_pursuit_in_blocks_grows_the_same_networks(monkeypatch):
    problem = npw.problems.kumar_haupt(samples=300, seed=0, test_samples=200)
    whole = npw.NeuronPursuit(problem, starts=10)
    whole.run(3)
    monkeypatch.setattr(blocks, "BLOCK_ENTRIES", 500)
    blocked = npw.NeuronPursuit(problem, starts=10)
    blocked.run(3)
    assert [record.widths for record in blocked.growth] == [record.widths for record in whole.growth]
    for own, other in zip(blocked.growth[:2], whole.growth[:2], strict=True):
        assert own.loss == pytest.approx(other.loss, rel=1e-5)
        assert own.test_loss == pytest.approx(other.test_loss, rel=1e-3)


# ------------------------------------------------------------------------------------------------------ mini-batches


def minimizer_of(problem: npw.Problem, sizes: tuple[int, ...], **options: Any) -> MinibatchAdam:
    objective = Objective(problem, network_of(sizes, 50, leak=0.1))
    return MinibatchAdam(objective, objective.initial, **options)


@pytest.mark.parametrize("batch_size", [30, 31, 10**12])
def test_one_batch_of_all_samples_takes_adams_steps(batch_size):
    minimizer = minimizer_of(problem_of(30), (4, 3, 2), batch_size=batch_size, learning_rate=0.01, duration=10**9)
    adam = Adam(minimizer.objective, minimizer.objective.initial, learning_rate=0.01)
    for _ in range(30):
        minimizer.advance(1)
        adam.advance(1)
        torch.testing.assert_close(minimizer.theta, adam.theta, rtol=1e-9, atol=1e-12)
        assert minimizer.loss == pytest.approx(adam.loss, rel=1e-9)


@given(samples=st.integers(2, 60), batch_size=st.integers(1, 59), seed=st.integers(0, 2**63 - 1))
def test_every_sample_is_visited_once_an_epoch(samples, batch_size, seed):
    minimizer = minimizer_of(problem_of(samples), (4, 2, 2), batch_size=batch_size, seed=seed)
    steps = math.ceil(samples / min(batch_size, samples))
    orders = []
    for epoch in range(2):
        batches = []
        for step in range(steps):
            minimizer.steps = epoch * steps + step
            batches.append(minimizer._samples())
        sizes = [len(batch) for batch in batches]
        assert max(sizes) <= batch_size
        assert max(sizes) - min(sizes) <= 1
        orders.append(torch.cat(batches).tolist())
        assert sorted(orders[-1]) == list(range(samples))
    if samples > 20:
        assert orders[0] != orders[1]


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_the_gradient_of_a_batch_is_that_of_its_samples(loss):
    problem = problem_of(50, loss=loss)
    minimizer = minimizer_of(problem, (4, 3, 2), batch_size=7)
    for count in (7, 6, 7):
        chosen = torch.randperm(50)[:count]
        classes = None if loss == "square" else problem.output_size
        part = npw.Problem(problem.inputs[chosen], problem.targets[chosen], loss, classes=classes)
        _, expected = Objective(part, network_of((4, 3, 2), leak=0.1)).loss_and_gradient(minimizer.theta)
        close(minimizer._batch.gradient(minimizer.theta, chosen), expected)


@settings(max_examples=30)
@given(
    batch_size=st.integers(1, 60),
    slices=st.lists(st.integers(0, 120), min_size=1, max_size=3),
    after=st.integers(1, 150),
    seed=st.integers(0, 100),
)
def test_cutting_and_saving_change_nothing(batch_size, slices, after, seed):
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "duration": 300}
    problem = problem_of(50)
    whole = minimizer_of(problem, (4, 3, 2), **options)
    whole.advance(sum(slices))
    cut = minimizer_of(problem, (4, 3, 2), **options)
    for steps in slices:
        cut.advance(steps)
        stored = pickle.dumps(cut.state())
        cut = minimizer_of(problem, (4, 3, 2), batch_size=13)
        cut.restore(pickle.loads(stored))
    for minimizer in (whole, cut):
        minimizer.advance(after)
        minimizer.measure()
    assert torch.equal(whole.theta, cut.theta)
    assert torch.equal(whole.gradient, cut.gradient)
    assert torch.equal(whole.lowest_theta, cut.lowest_theta)
    assert (whole.loss, whole.lowest_loss, whole.steps) == (cut.loss, cut.lowest_loss, cut.steps)
    assert (whole.finished, whole.activity) == (cut.finished, cut.activity)


def test_seeds_decide_about_the_steps():
    ends = []
    for seed in (0, 0, 1):
        minimizer = minimizer_of(problem_of(50), (4, 3, 2), batch_size=10, seed=seed)
        minimizer.advance(300)
        ends.append(minimizer.theta)
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_losses_are_of_measured_points_alone():
    problem = problem_of(600)
    minimizer = minimizer_of(problem, (4, 3, 2), batch_size=3)
    evaluations, seen = minimizer.objective.evaluations, []
    for _ in range(50):
        minimizer.advance(25)
        assert minimizer.loss == minimizer.objective.loss(minimizer.theta)
        seen.append(minimizer.loss)
        assert minimizer.lowest_loss == min([seen[0], *seen, minimizer.lowest_loss])
    assert len(set(seen)) == 1250 // 200 + 1
    assert minimizer.objective.evaluations == evaluations + 1250 // 200 + 50
    expected = minimizer.objective.loss_and_gradient(minimizer.theta)[1]
    assert torch.equal(minimizer.gradient, expected)
    assert minimizer.gradient_norm == float(expected.norm())


@pytest.mark.rounding
def test_settling_takes_the_last_steps_into_account():
    minimizer = minimizer_of(taught(), (8, 3, 1), batch_size=5)
    first = minimizer.loss
    minimizer.advance(300)
    assert minimizer.loss == first  # an epoch has a thousand steps
    minimizer.settle()
    assert minimizer.loss == minimizer.lowest_loss < 0.9 * first
    assert torch.equal(minimizer.theta, minimizer.lowest_theta)
    assert minimizer.loss == minimizer.objective.loss(minimizer.theta)


def test_it_ends_when_its_step_size_is_zero():
    minimizer = minimizer_of(problem_of(50), (4, 3, 2), batch_size=20, duration=250)
    minimizer.advance(400)
    assert minimizer.steps == 250
    assert "fallen to zero in 250 steps" in minimizer.finished
    assert minimizer.loss == minimizer.objective.loss(minimizer._walker)
    assert minimizer_of(problem_of(50), (4, 3, 2)).duration == 3000
    assert minimizer_of(problem_of(5000), (4, 3, 2), batch_size=10).duration == 5000


def test_divergence_ends_at_a_finite_point():
    minimizer = minimizer_of(problem_of(50), (4, 3, 3, 3, 3, 3, 2), batch_size=10, learning_rate=1e30)
    first = minimizer.loss
    minimizer.advance(1000)
    assert minimizer.finished.startswith("diverged")
    minimizer.settle()
    assert math.isfinite(minimizer.loss)
    assert minimizer.loss <= first * (1 + 1e-12)


@pytest.mark.parametrize(("size", "scale"), [(1.0, 1.0), (1e4, 1e-3), (1e-5, 1e6)])
def test_the_step_size_fits_the_scale_of_the_data(size, scale):
    problem = taught()
    scaled = npw.Problem(problem.inputs * scale, problem.targets * size)
    network = network_of((8, 3, 1), 50)
    factor = size**0.5 / scale**0.5  # of degree two, so that all is the same in other units
    bigger = npw.HomogeneousNetwork([w * factor for w in network.weights])
    ends = []
    for data, start, unit in ((problem, network, 1.0), (scaled, bigger, size)):
        objective = Objective(data, start)
        minimizer = MinibatchAdam(objective, objective.initial, batch_size=250)
        minimizer.advance(100)
        minimizer.measure()
        ends.append(minimizer.loss / unit**2)
    assert ends[1] == pytest.approx(ends[0], rel=1e-3)


@pytest.mark.rounding
@pytest.mark.parametrize("leak", [1.0, 0.0])
def test_a_teacher_is_found_on_mini_batches(leak):
    pursuit = npw.NeuronPursuit(taught(leak=leak), 1, leak=leak, batch_size=250, starts=10)
    pursuit.run(4)
    assert pursuit.finished.kind == "target"
    assert pursuit.loss <= pursuit.target_loss
    assert pursuit.frame().minimizer == "auto: minibatch_adam"


# ----------------------------------------------------------------------------------------------- pursuits by batches


@pytest.mark.rounding
def test_a_pursuit_on_mini_batches_learns_and_never_rises():
    messages = set()
    pursuit = npw.NeuronPursuit(npw.problems.kumar_haupt(samples=1000, seed=0), batch_size=250)
    pursuit.run(2, callback=lambda frame: messages.add(frame.message))
    losses = [record.loss for record in pursuit.growth]
    assert losses[-1] < 0.6
    assert losses == sorted(losses, reverse=True)
    assert any(re.search(r"mini-batch Adam \(250 samples a step, epoch \d+ of 750\)", each) for each in messages)


def test_a_pursuit_on_mini_batches_can_be_stored_and_cut():
    def start() -> npw.NeuronPursuit:
        return npw.NeuronPursuit(taught(800), 1, batch_size=50, starts=4, max_additions=2, max_steps=500, seed=3)

    whole, stored = start(), start()
    while whole.finished is None:
        whole.advance()
    quanta = 0
    while stored.finished is None:
        stored.advance()
        quanta += 1
        if quanta % 3 == 0:
            state = pickle.dumps(stored.state())
            stored = start()
            stored.restore(pickle.loads(state))
    assert [record.loss for record in stored.growth] == [record.loss for record in whole.growth]
    assert all(torch.equal(a, b) for a, b in zip(stored.network.weights, whole.network.weights, strict=True))
    assert all(record.steps <= 500 for record in whole.growth)


def test_steps_between_measurements_are_not_lost():
    pursuit = npw.NeuronPursuit(taught(), 1, batch_size=5, starts=4, max_steps=600, max_additions=1)
    while pursuit.frame().phase != "minimizing" or pursuit.frame().step < 500:
        pursuit.advance()
    minimizer = pursuit._loop.training.minimizer
    assert isinstance(minimizer, MinibatchAdam)
    assert minimizer._measured < minimizer.steps
    pursuit.add_neuron()
    assert minimizer._measured == minimizer.steps
    assert pursuit.settings.batch_size == 5
    pursuit.run(0)
    pursuit.set_minimizer("lbfgs")  # a batch size does not keep anyone from full batches later
    assert pursuit.settings.minimizer == "lbfgs"


BAD_BATCHES = {
    "zero": (ValueError, 0),
    "negative": (ValueError, -1),
    "fraction": (TypeError, 1.5),
    "boolean": (TypeError, True),
    "text": (TypeError, "x"),
}


@pytest.mark.parametrize(("error", "size"), BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_a_bad_batch_size_is_refused(error, size):
    problem = problem_of(20)
    with pytest.raises(error, match="batch_size must be an integer of at least 1"):
        npw.NeuronPursuit(problem, batch_size=size)
    with pytest.raises(error, match="batch_size must be an integer of at least 1"):
        minimizer_of(problem, (4, 2, 2), batch_size=size)


def test_batches_where_they_mean_nothing_are_refused():
    problem = problem_of(20)
    with pytest.raises(ValueError, match="batch_size must be None for method='paper'"):
        npw.NeuronPursuit(problem, method="paper", batch_size=5)
    with pytest.raises(ValueError, match="batch_size=5 needs minimizer='auto' or 'minibatch_adam', got 'lbfgs'"):
        npw.NeuronPursuit(problem, minimizer="lbfgs", batch_size=5)
    with pytest.raises(ValueError, match="minimizer must be 'gradient_descent' for method='paper'"):
        npw.NeuronPursuit(problem, minimizer="minibatch_adam", method="paper")
    pursuit = npw.NeuronPursuit(problem, batch_size=10**30)
    pursuit.reset(seed=1)
    assert pursuit.settings.batch_size == 10**30
    pursuit.reset(method="paper")
    assert pursuit.settings.batch_size is None


def test_auto_takes_mini_batches_of_very_large_data(monkeypatch):
    objective = Objective(problem_of(200), network_of((4, 3, 2)))
    assert "minibatch_adam" not in automatic("fast", objective)
    assert automatic("fast", objective, 50) == ("minibatch_adam",)
    monkeypatch.setattr(choice, "MANY_SAMPLES", 199)
    assert "minibatch_adam" not in automatic("fast", objective)
    monkeypatch.setattr(choice, "MUCH_WORK", 200 * objective.size - 1)
    assert automatic("fast", objective) == ("minibatch_adam",)
    assert automatic("paper", objective) == ("gradient_descent",)
    assert "10⁵ samples and more than 10⁸" in npw.NeuronPursuit.__doc__


# --------------------------------------------------------------------------------------------- searches of some samples


def test_some_samples_are_different_ones_in_their_order():
    problem = npw.Problem(np.arange(100.0)[:, None], np.arange(100.0), test=([[1.0]], [1.0]))
    part = some_samples(problem, 30, 5)
    assert part.samples == len(set(part.targets.flatten().tolist())) == 30
    assert torch.equal(part.inputs, part.inputs.sort(dim=0).values)
    assert torch.equal(part.inputs, problem.inputs[part.targets.flatten().long()])
    assert torch.equal(part.inputs, some_samples(problem, 30, 5).inputs)
    assert not torch.equal(part.inputs, some_samples(problem, 30, 6).inputs)
    assert problem.samples == 100
    assert some_samples(problem, 100, 5) is problem
    assert some_samples(problem, 0, 5).samples == 1


def searched(pursuit: npw.NeuronPursuit) -> int:
    return pursuit._loop.searching._problem.samples


@pytest.mark.parametrize("method", ["fast", "paper"])
def test_a_search_is_bounded_and_deterministic(monkeypatch, method):
    monkeypatch.setattr(searching, "MOST_SAMPLES", 300)
    monkeypatch.setattr(searching, "MOST_ENTRIES", 300 * 15)
    bounded = method == "fast"
    problem = taught(600)
    options: dict[str, Any] = {"method": method, "starts": 5, "max_steps": 100, "max_additions": 2, "seed": 2}

    def start() -> npw.NeuronPursuit:
        return npw.NeuronPursuit(problem, 2, **options)

    whole, stored, sizes, messages = start(), start(), [], []
    while whole.finished is None:
        whole.advance()
        if whole._loop.searching is not None:
            sizes.append(searched(whole))
            messages.append(whole.frame().message)
    while stored.finished is None:
        stored.advance()
        if stored._loop.searching is not None:
            state = pickle.dumps(stored.state())
            stored = start()
            stored.restore(pickle.loads(state))
    assert whole.growth == stored.growth
    assert len(whole.growth) > 1
    if not bounded:
        assert set(sizes) == {600}
        return
    assert max(sizes) == 300
    assert any(" on 300 of 600 samples" in message for message in messages)
    # The wider the network, the fewer.
    widest = max(sum(record.widths) for record in whole.growth[:-1])
    assert min(sizes) == min(300, 300 * 15 // (9 + widest))
    losses = [record.loss for record in whole.growth]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.rounding
def test_the_loss_does_not_rise_where_a_search_was_misled(monkeypatch):
    # Three samples of two thousand say little about the others.
    monkeypatch.setattr(searching, "MOST_SAMPLES", 3)
    trainings: list[Training] = []
    original = Training._lowest

    def spied(self: Training, *networks: npw.HomogeneousNetwork) -> npw.HomogeneousNetwork:
        trainings.append(self)
        return original(self, *networks)

    monkeypatch.setattr(Training, "_lowest", spied)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 6))
    for seed in range(6):
        pursuit = npw.NeuronPursuit(npw.Problem(x, rng.normal(size=2000)), 1, starts=5, max_steps=20, seed=seed)
        pursuit.run(3)
        losses = [record.loss for record in pursuit.growth]
        assert all(after <= before * (1 + 1e-12) for before, after in pairwise(losses))
    silenced = sum(training.start.silent for training in trainings)
    assert silenced > 0


def test_a_silenced_neuron_changes_nothing():
    network = network_of((4, 3, 2, 2))
    grown = network.with_neuron(2, normal(1, 3) * 1e-4, normal(2, 2))
    silenced = NextNetwork(grown, ((2, 2),), 2, 2, 1.0).silenced()
    x = normal(3, 50, 4)
    assert silenced.silent
    assert torch.equal(silenced.network(x), network(x))
    assert float(silenced.network.weights[1][2].norm()) == pytest.approx(1)
    assert not torch.equal(grown(x), network(x))


def test_a_training_below_the_ceiling_is_left_alone():
    problem, network = problem_of(50), network_of((4, 3, 2))
    candidate = NextNetwork(network, ((1, 2),), 1, 1, 1.0)
    loss = blocks.mean_loss(network, problem.inputs, problem.targets, problem.loss)
    options = PursuitSettings(hidden_layers=1, max_steps=1)
    for ceiling, silent in ((math.inf, False), (loss, False), (loss * 0.999, True)):
        training = Training(problem, options, [candidate], ceiling=ceiling)
        assert training.start.silent is silent
        again = Training.restored(problem, options, pickle.loads(pickle.dumps(training.state())))
        assert torch.equal(again.minimizer.theta, training.minimizer.theta)
        assert again.start.silent is silent


# -------------------------------------------------------------------------------------------------------- test losses


def test_the_test_loss_is_that_of_the_current_network_at_any_time():
    x = normal(0, 400, 5)
    problem = npw.Problem(x[:300], x[:300, :1].relu(), test=(x[300:], x[300:, :1].relu()))
    pursuit = npw.NeuronPursuit(problem, 1, batch_size=20, starts=4, max_steps=400, max_additions=1)
    while pursuit.finished is None:
        pursuit.advance()
        if pursuit.network is not None:
            output = pursuit.network(problem.test_inputs)
            assert pursuit.test_loss == pytest.approx(
                float(problem.loss.value(output, problem.test_targets)), rel=1e-12
            )
    record: GrowthRecord = pursuit.growth[-1]
    assert record.test_loss == pursuit.test_loss
    assert re.match("step budget|target", record.stopped)
