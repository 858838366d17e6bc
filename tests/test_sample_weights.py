"""Sample weights: whole numbers are repeated rows, zero is a row left out, equal ones are none, wherever they count."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, log_loss, r2_score
from torch import Tensor

import np_widgets as npw
from np_widgets.learning import blocks
from np_widgets.learning.course import _same_data
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.minimizers.choice import stages
from np_widgets.learning.minimizers.minibatch_adam import _Batch
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.duality import gap_of
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.rules import _are_separated
from np_widgets.learning.saddles.ensemble import BatchGradient
from np_widgets.learning.subset import some_samples
from np_widgets.pictures.choice import choice
from np_widgets.pictures.probe import probe
from np_widgets.problems import Problem
from np_widgets.problems.samples import FIELDS
from np_widgets.sessions.values import Packer, unpacked
from tests.bits import bits
from tests.test_losses import Huber

QUICK: dict[str, Any] = {"hidden_layers": 1, "starts": 4, "max_steps": 40}
LOSSES = ["square", "cross_entropy", "own"]
Pair = tuple[Problem, Problem]


def data(seed: int, samples: int, outputs: int = 2) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Inputs, targets that depend on them, and whole numbers from 1 to 4 that are not all equal."""
    generator = np.random.default_rng(seed)
    inputs = generator.standard_normal((samples, 3))
    targets = np.maximum(inputs @ generator.standard_normal((3, outputs)), 0)
    targets += 0.3 * generator.standard_normal((samples, outputs))
    return inputs, targets, np.concatenate([[1, 4], generator.integers(1, 5, samples - 2)])


def pair(seed: int = 0, samples: int = 12, loss: str = "square", outputs: int = 2, **options: Any) -> Pair:
    """A problem with weights, and the one with the rows repeated."""
    inputs, targets, weights = data(seed, samples, outputs)
    wanted: Any = targets
    if loss == "cross_entropy":
        wanted, options = targets.argmax(axis=1), {"classes": outputs, **options}
    kind: Any = Huber() if loss == "own" else loss
    weighted = Problem(inputs, wanted, kind, sample_weight=0.7 * weights, **options)
    return weighted, Problem(np.repeat(inputs, weights, axis=0), np.repeat(wanted, weights, axis=0), kind, **options)


def network(seed: int = 0, power: int = 1, leak: float = 0.2, outputs: int = 2) -> HomogeneousNetwork:
    generator = np.random.default_rng(seed)
    sizes = (3, 4, 3, outputs)
    weights = [0.7 * generator.standard_normal((above, below)) for below, above in pairwise(sizes)]
    return HomogeneousNetwork(weights, power=power, leak=leak)


def close(found: Any, expected: Any, rtol: float = 1e-9) -> None:
    torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected), rtol=rtol, atol=1e-11)


# ---------------------------------------------------------------------------------- repeated rows: the mathematics


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10_000),
    samples=st.integers(3, 12),
    loss=st.sampled_from(LOSSES),
    power=st.integers(1, 2),
    decay=st.sampled_from([0.0, 0.1]),
    entries=st.sampled_from([30, 10**6]),
)
def test_the_objective_and_all_its_derivatives(seed, samples, loss, power, decay, entries):
    weighted, repeated = pair(seed, samples, loss)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_ENTRIES", entries)  # some samples at a time, or all at once
        one = Objective(weighted, network(seed, power), decay)
        total = blocks.mean_loss(network(seed, power), weighted.inputs, weighted.goals, weighted.criterion)
    other, theta = Objective(repeated, network(seed, power), decay), one.initial
    for found, expected in zip(one.loss_and_gradient(theta), other.loss_and_gradient(theta), strict=True):
        close(found, expected)
    close(one.loss(theta), other.loss(theta))
    close(total, other.loss(theta) - other.penalty(theta))
    for found, expected in zip(one.gauss_newton(theta, 4), other.gauss_newton(theta), strict=True):
        close(found, expected)
    close(Hessian(one, theta).whole(), Hessian(other, theta).whole())
    both = np.tile(theta.numpy(), 2)
    close(BatchGradient(one)(both), BatchGradient(other)(both))
    assert weighted.zero_loss == pytest.approx(repeated.zero_loss, rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", stages())
def test_the_steps_of_every_minimizer(name: str, loss: str):
    found = []
    steps = 8 if loss == "own" else 3
    for problem in pair(3, 12, loss):
        objective = Objective(problem, network(), 0.05)
        minimizer = stages()[name](objective, objective.initial)
        minimizer.advance(steps)
        found.append(minimizer.theta)
    assert bool((found[0] != Objective(pair(3, 12, loss)[0], network(), 0.05).initial).any())
    close(found[0], found[1], rtol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("power", [1, 2])
def test_the_neural_correlation_function_and_its_points(loss: str, power: int):
    active = network(1, power)
    for layer in (1, 2):
        incoming, outgoing = np.arange(1.0, 1 + (3, 4)[layer - 1]), np.array([1.0, -2.0, 0.5])[: (3, 2)[layer - 1]]
        values = [
            npw.correlation(active, problem, layer=layer, incoming=incoming, outgoing=outgoing)
            for problem in pair(1, 12, loss)
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-10)
    best = [npw.find_kkt_points(active, problem, starts=8, seed=0)[0] for problem in pair(1, 12, loss)]
    assert best[0].value == pytest.approx(best[1].value, rel=1e-6)
    origin = [
        npw.find_origin_points(problem, hidden_layers=1, power=power, starts=8, seed=0)[0]
        for problem in pair(1, 12, loss)
    ]
    assert origin[0].value == pytest.approx(origin[1].value, rel=1e-6)


def test_the_look_ahead():
    found = []
    for problem in pair(2, 14):
        ahead = LookAhead(problem, [network(seed) for seed in range(3)], seed=0, weight_decay=0.01)
        ahead.advance(5)
        found.append([*ahead.left, (ahead.loss, 0.0)])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)  # it is in single precision


def test_those_of_several_problems_with_weights_are_one_batch():
    problems = pair(0, 14)[0], pair(1, 14)[0], Problem(*data(0, 14)[:2])
    one, other, without = (LookAhead(problem, [network()], seed=0).shape for problem in problems)
    assert one == other
    assert one != without


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_the_duality_gap(loss: str):
    generator = np.random.default_rng(0)
    net = HomogeneousNetwork([generator.standard_normal((2, 3)), generator.standard_normal((2, 2))])
    gaps = [gap_of(problem, net, 0.2, 0.1) for problem in pair(5, 12, loss)]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-10)
    problem = pair(5, 12, loss)[0]
    pursuit = npw.NeuronPursuit(problem, hidden_layers=1, weight_decay=0.3, starts=8)
    finish = pursuit.run(6)
    assert finish.kind == "optimal"
    assert finish.gap <= 3e-5


def test_the_flow_from_the_origin_and_its_prediction():
    flows = []
    for problem in pair(4, 12):
        flow = npw.SaddleFlow(None, problem, dormant=(3,), power=2, scale=1e-2, seed=0)
        flow.run(until=1.0)
        flows.append(flow)
    one, other = flows
    close(one.record.loss[-1], other.record.loss[-1], rtol=1e-6)
    assert one.prediction.escape_time == pytest.approx(other.prediction.escape_time, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_mini_batches_are_right_on_average(seed: int):
    weighted, _ = pair(seed, 12)
    objective = Objective(weighted, network(), 0.1)
    batch = _Batch(objective, 3)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(12)).split(3)
    gradients = [batch.gradient(objective.initial, samples).clone() for samples in order]
    close(torch.stack(gradients).mean(dim=0), objective.loss_and_gradient(objective.initial)[1])


def test_a_random_choice_of_samples_takes_their_weights_along():
    weighted, _ = pair(0, 12)
    part = some_samples(weighted, 5, 0)
    rows = [weighted.inputs.tolist().index(row) for row in part.inputs.tolist()]
    assert len(rows) == 5
    assert torch.equal(part.sample_weight, weighted.sample_weight[rows])


def test_a_pursuit_by_the_papers_method_is_the_one_of_repeated_rows():
    pursuits = [npw.NeuronPursuit(problem, method="paper", starts=4, max_steps=100) for problem in pair(6, 12)]
    for pursuit in pursuits:
        pursuit.run(1)
    one, other = (pursuit.growth[0] for pursuit in pursuits)
    assert one.widths == other.widths
    assert one.value == pytest.approx(other.value, rel=1e-7)
    assert one.loss == pytest.approx(other.loss, rel=1e-6)


# --------------------------------------------------------------------------------------------- zero, and all equal


@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_of_weight_zero_is_left_out_to_the_bit(loss: str):
    inputs, targets, weights = data(0, 16)
    kind: Any = Huber() if loss == "own" else loss
    wanted = targets.argmax(axis=1) if loss == "cross_entropy" else targets
    weights[[2, 5, 11]], kept = 0, np.delete(np.arange(16), [2, 5, 11])
    one = Problem(inputs, wanted, kind, sample_weight=weights)
    other = Problem(inputs[kept], wanted[kept], kind, sample_weight=weights[kept])
    assert one.samples == 13
    found = []
    for problem in (one, other):
        pursuit = npw.NeuronPursuit(problem.split(0.2, seed=1).standardized(), **QUICK)
        pursuit.run(1)
        found.append(bits((pursuit.growth, pursuit.network)))
    assert found[0] == found[1]


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_weights_are_none(loss: str):
    inputs, targets, _ = data(0, 10)
    kind: Any = Huber() if loss == "own" else loss
    wanted = targets.argmax(axis=1) if loss == "cross_entropy" else targets
    problem = Problem(inputs, wanted, kind, (inputs, wanted, np.full(10, 3)), sample_weight=np.full(10, 0.1))
    assert problem.sample_weight is problem.test_sample_weight is None
    assert problem.criterion is problem.loss
    assert problem.goals is problem.targets
    assert "weighted" not in repr(problem)


@settings(max_examples=20)
@given(weights=st.lists(st.floats(1e-300, 1e300), min_size=2, max_size=9))
def test_only_ratios_matter_and_weights_of_a_problem_stay_as_they_are(weights: list[float]):
    problem = Problem(np.arange(len(weights))[:, None], np.ones(len(weights)), sample_weight=weights)
    weights = [each for each in weights if each / max(weights) > 0]  # others are as good as zero
    if len(set(weights)) == 1:
        assert problem.sample_weight is None
        return
    found = problem.sample_weight.numpy()
    assert found.mean() == pytest.approx(1)
    assert found / found.max() == pytest.approx(np.array(weights) / max(weights), rel=1e-12, abs=1e-300)
    again = Problem(problem.inputs, problem.targets, sample_weight=found)
    assert torch.equal(again.sample_weight, problem.sample_weight)


# ------------------------------------------------------------------------------------------ where the weights go


def test_they_go_with_their_samples_through_splits_and_scales():
    inputs, targets, weights = data(0, 40)
    whole = Problem(inputs, targets, sample_weight=weights)
    problem = whole.split(0.25, seed=3, validation=0.2).standardized(targets=True)
    seen = 0
    for which in ("", "test_", "validation_"):
        own = getattr(problem, f"{which}sample_weight").numpy()
        rows = problem.scaling.inputs.backward(getattr(problem, f"{which}inputs")).numpy()
        place = np.abs(rows[:, None] - inputs).sum(axis=2).argmin(axis=1)
        np.testing.assert_allclose(own, weights[place] / weights[place].mean(), rtol=1e-12)
        seen += len(set(place))
    assert seen == 40
    counts = problem.sample_weight.numpy()
    for values in (problem.inputs.numpy()[:, :3], problem.targets.numpy()):
        np.testing.assert_allclose(np.average(values, axis=0, weights=counts), 0, atol=1e-12)
        np.testing.assert_allclose(np.average(values**2, axis=0, weights=counts), 1, rtol=1e-12)
    for moved in (problem.to(dtype=torch.float32), problem.to(dtype=torch.float32).to(dtype=torch.float64)):
        np.testing.assert_allclose(moved.sample_weight.numpy(), counts, rtol=1e-6)
        assert moved.goals.dtype == moved.sample_weight.dtype == moved.dtype


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
@pytest.mark.parametrize("kind", ["pursuit", "fixed"])
def test_training_test_and_validation_losses_count_them(loss: str, kind: str):
    weighted, _ = pair(0, 40, loss)
    problem = weighted.split(0.25, validation=0.25)
    engine: Any = (
        npw.NeuronPursuit(problem, **QUICK) if kind == "pursuit" else npw.FixedNetwork(problem, (3,), max_steps=9)
    )
    engine.run(1) if kind == "pursuit" else engine.run()
    for which, found in (
        ("", engine.loss),
        ("test_", engine.test_loss),
        ("validation_", engine.growth[-1].validation if kind == "pursuit" else None),
    ):
        if found is None:
            continue
        inputs, targets, counts = (
            getattr(problem, f"{which}{name}") for name in ("inputs", "targets", "sample_weight")
        )
        outputs = engine.network(inputs)
        if loss == "square":
            expected = np.average((outputs - targets).square().sum(dim=1) / 2, weights=counts)
        else:
            expected = log_loss(targets, outputs.softmax(dim=1), sample_weight=counts, labels=[0, 1])
        assert found == pytest.approx(expected, rel=1e-9)


def test_scores_count_them():
    inputs, targets, weights = data(0, 20)
    pursuit = npw.NeuronPursuit(Problem(inputs, targets), **QUICK)
    pursuit.run(0)
    expected = r2_score(targets, pursuit.predict(inputs), sample_weight=weights)
    assert pursuit.score(inputs, targets, weights) == pytest.approx(expected, rel=1e-10)
    labels = np.where(targets[:, 0] > 0.2, "yes", "no")
    problem = Problem(inputs, labels, "cross_entropy", sample_weight=weights).split(0, validation=0.4)
    pursuit = npw.NeuronPursuit(problem, score="accuracy", **QUICK)
    pursuit.run(0)
    assert pursuit.score(inputs, labels, weights) == pytest.approx(
        accuracy_score(labels, pursuit.predict(inputs), sample_weight=weights), rel=1e-12
    )
    rows = problem.validation_inputs
    right = pursuit.network(rows).argmax(dim=1) == problem.validation_targets
    assert pursuit.growth[0].validation == pytest.approx(np.average(right, weights=problem.validation_sample_weight))


def test_of_a_test_set_alone():
    inputs, targets, weights = data(0, 10)
    problem = Problem(inputs, targets, test=(inputs, targets, weights))
    assert problem.sample_weight is None
    expected = np.average((targets**2).sum(axis=1) / 2, weights=weights)
    assert problem.test_zero_loss == pytest.approx(expected, rel=1e-12)
    assert problem.zero_loss == pytest.approx((targets**2).sum(axis=1).mean() / 2, rel=1e-12)
    pursuit = npw.NeuronPursuit(problem, validation=(inputs, targets, weights), **QUICK)
    assert torch.equal(pursuit.problem.validation_sample_weight, problem.test_sample_weight)


def test_a_column_of_a_frame():
    pd = pytest.importorskip("pandas")
    inputs, targets, weights = data(0, 10, 1)
    frame = pd.DataFrame(inputs, columns=["a", "b", "c"]).assign(count=weights, y=targets[:, 0])
    problem = Problem.from_frame(frame, "y", sample_weight="count", test=frame[::-1])
    assert problem.input_names == ("a", "b", "c")
    np.testing.assert_allclose(problem.sample_weight, weights / weights.mean())
    np.testing.assert_allclose(problem.test_sample_weight, weights[::-1] / weights.mean())
    given_apart = Problem.from_frame(frame.drop(columns="count"), "y", sample_weight=frame["count"])
    assert torch.equal(given_apart.sample_weight, problem.sample_weight)
    for wrong in ("y", "weight"):
        with pytest.raises(ValueError, match=f"^sample_weight must be another column of frame, .*got '{wrong}'"):
            Problem.from_frame(frame, "y", sample_weight=wrong)


def test_pursuits_with_and_without_side_by_side_are_each_alone_to_the_bit():
    weighted, _ = pair(0, 24)
    problems = [weighted, Problem(weighted.inputs, weighted.targets), pair(9, 24)[0]]
    wanted: dict[str, Any] = {"hidden_layers": 1, "starts": 3, "max_steps": 30, "max_additions": 1}
    for problem, result in zip(problems, npw.pursue_many(problems, seed=2, threads=1, **wanted), strict=True):
        alone = npw.NeuronPursuit(problem, seed=2, **wanted)
        alone.run()
        assert bits(result.growth) == bits(tuple(alone.growth))


def test_they_are_saved_and_states_of_other_weights_are_refused():
    weighted, _ = pair(0, 30)
    problem = weighted.split(0.2, validation=0.2)
    packer = Packer()
    packer.pack(problem)
    saved = unpacked(map(json.loads, packer.nodes), packer.arrays)
    for field in FIELDS:
        assert torch.equal(getattr(saved, field), getattr(problem, field))
    pursuit = npw.NeuronPursuit(problem, **QUICK)
    pursuit.run(0)
    other = npw.NeuronPursuit(saved, **QUICK)
    other.restore(pursuit.state())
    for each in (pursuit, other):
        each.run(1)
    assert bits(other.state()) == bits(pursuit.state())
    for field in ("sample_weight", "validation_sample_weight"):
        changed = problem.changed(**{field: getattr(problem, field).flip(0)})
        with pytest.raises(ValueError, match=r"state\['problem'\] must be of the data that this engine has"):
            npw.NeuronPursuit(changed, **QUICK).restore(pursuit.state())
        assert _same_data(problem, saved)
    assert not _same_data(problem, problem.changed(sample_weight=None))


def test_the_picture_of_the_choice_multiplies_to_the_value_of_the_search():
    weighted, _ = pair(0, 20)
    pursuit = npw.NeuronPursuit(weighted, **QUICK)
    pursuit.run(1)
    said = str(choice(pursuit.frame(), probe(weighted)))
    assert "N = " in said
    assert "on other samples" not in said  # which it would say if the two differed


def test_classes_are_separated_only_if_the_sample_of_least_weight_is():
    problem = Problem([[1.0], [2.0]], [0, 1], "cross_entropy", sample_weight=[1, 9])
    # Its loss is log 2, that of the other nothing: the mean is a tenth of log 2.
    assert not _are_separated(problem, 0.1 * np.log(2))
    assert _are_separated(problem, 0.099 * np.log(2))


def test_it_is_seen_that_a_problem_has_weights():
    weighted, repeated = pair()
    assert repr(weighted).endswith("loss='square', weighted)")
    assert "weighted" not in repr(repeated)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1.0] * 9, "must have shape (10,), a weight for each row of the inputs, got 9"),
        ([1.0] * 9 + [-2.0], "must not be negative, got -2"),
        ([0.0] * 10, "must have at least one entry that is not zero"),
        ([1.0] * 9 + [np.nan], "must be finite, got 1"),
        (np.ones((10, 1)), "must have 1 dimensions"),
        ("balanced", "must"),
        (np.array(["a"] * 10, dtype=object), "must"),
    ],
)
def test_bad_weights_are_refused_by_name(weights: Any, said: str):
    inputs, targets, _ = data(0, 10)
    with pytest.raises((TypeError, ValueError), match="^sample_weight " + re.escape(said)):
        Problem(inputs, targets, sample_weight=weights)
    with pytest.raises((TypeError, ValueError), match="^test sample_weight " + re.escape(said)):
        Problem(inputs, targets, test=(inputs, targets, weights))


def test_a_loss_of_ones_own_that_mixes_samples_up_is_refused():
    class Blind(Huber):
        """Without room for samples with targets of their own."""

        def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return super().value(outputs, targets) if outputs.ndim == 2 else super().value(outputs, 0 * targets)

    inputs, targets, weights = data(0, 10)
    Problem(inputs, targets, Blind())
    with pytest.raises(ValueError, match=r"^loss.residual must be minus the derivative of loss.value"):
        Problem(inputs, targets, Blind(), sample_weight=weights)
