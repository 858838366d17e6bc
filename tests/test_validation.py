"""Stopping by samples that are set apart: when a pursuit ends, which network it keeps, and that it can go on."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.pursuit import rules
from np_widgets.learning.pursuit.growth import GrowthRecord
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.sessions.values import Packer, unpacked

QUICK: dict[str, Any] = {"hidden_layers": 1, "starts": 4, "max_steps": 30}


def noisy(count: int = 40, **options: Any) -> npw.Problem:
    """Few samples of much noise: what is learned of them soon is the noise."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(5, 3, size=(count, 4))
    targets = np.maximum(inputs[:, 0] - 5, 0) + 2 * generator.normal(size=count)
    return npw.Problem(inputs, targets, **options)


def two_classes(count: int = 40) -> npw.Problem:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(count, 3))
    labels = np.where(inputs[:, 0] + generator.normal(size=count) > 0, "yes", "no")
    return npw.Problem(inputs, labels, "cross_entropy")


def loss_of(network: npw.HomogeneousNetwork, problem: npw.Problem) -> float:
    return float(problem.loss.value(network(problem.validation_inputs), problem.validation_targets))


@pytest.fixture(scope="module")
def stopped() -> npw.NeuronPursuit:
    problem = noisy().split(0.2).standardized(targets=True)
    pursuit = npw.NeuronPursuit(problem, validation=0.3, patience=2, **QUICK)
    pursuit.run(15)
    return pursuit


def test_it_ends_after_as_many_networks_in_turn_as_patience_says_and_keeps_the_best(stopped: npw.NeuronPursuit):
    values = [record.validation for record in stopped.growth]
    best = int(np.argmin(values))
    assert stopped.finished.kind == "validation"
    assert stopped.finished.outcome == "limit"
    assert len(values) == best + 1 + 2
    assert stopped.best_network.widths == stopped.growth[best].widths
    assert loss_of(stopped.best_network, stopped.problem) == pytest.approx(values[best])
    assert loss_of(stopped.network, stopped.problem) == pytest.approx(values[-1])
    widths = ", ".join(map(str, stopped.growth[best].widths))
    assert f"network {best + 1}, of widths ({widths})" in str(stopped.finished)
    assert f"no better than {values[best]:.3g}" in str(stopped.finished)


def test_the_samples_set_apart_are_neither_learned_from_nor_tested_on(stopped: npw.NeuronPursuit):
    problem, whole = stopped.problem, noisy().split(0.2).standardized(targets=True)
    parts = [problem.inputs, problem.validation_inputs]
    assert [len(part) for part in parts] == [22, 10]
    assert torch.equal(torch.cat(parts).sort(dim=0).values, whole.inputs.sort(dim=0).values)
    assert torch.equal(problem.test_inputs, whole.test_inputs)


def test_it_can_go_on_and_a_better_network_takes_the_place_of_the_best(stopped: npw.NeuronPursuit):
    pursuit = pickle.loads(pickle.dumps(stopped))
    before = len(pursuit.growth)
    pursuit.run(1)
    assert pursuit.finished.kind == "additions"
    pursuit.run(1)
    best = int(np.argmin([record.validation for record in pursuit.growth]))
    waited = len(pursuit.growth) - max(best + 1, before)
    assert (pursuit.finished.kind == "validation") == (waited >= 2)
    assert len(pursuit.growth) == before + 2
    assert loss_of(pursuit.best_network, pursuit.problem) == pytest.approx(loss_of_best(pursuit))


def loss_of_best(pursuit: npw.NeuronPursuit) -> float:
    return min(record.validation for record in pursuit.growth)


def test_whatever_is_taken_up_again_stops_at_the_same_network(stopped: npw.NeuronPursuit):
    pursuit = npw.NeuronPursuit(noisy().split(0.2).standardized(targets=True), validation=0.3, patience=2, **QUICK)
    pursuit.run(1)
    packer = Packer()
    packer.pack(pursuit.state())
    saved = unpacked(map(json.loads, packer.nodes), packer.arrays)
    other = npw.NeuronPursuit(pursuit.problem, patience=2, **QUICK)
    other.restore(saved)
    assert all(map(torch.equal, other.best_network.weights, pursuit.best_network.weights))
    other.run(15)
    assert [record.validation for record in other.growth] == [record.validation for record in stopped.growth]
    assert all(map(torch.equal, other.best_network.weights, stopped.best_network.weights))


def test_a_state_is_refused_where_other_samples_are_set_apart(stopped: npw.NeuronPursuit):
    other = npw.NeuronPursuit(stopped.problem.changed(validation_inputs=stopped.problem.validation_inputs + 1), **QUICK)
    with pytest.raises(ValueError, match=r"state\['problem'\] must be of the data that this engine has"):
        other.restore(stopped.state())


def test_code_written_of_a_ready_made_problem_sets_the_same_samples_apart():
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    with npw.Session(npw.NeuronPursuit(problem, validation=0.25, patience=4, seed=7, **QUICK)) as session:
        code = session.to_code()
    made: dict[str, Any] = {}
    exec(code.replace("session = npw.Session(engine)", ""), made)
    expected = npw.NeuronPursuit(problem, validation=0.25, patience=4, seed=7, **QUICK).problem
    assert torch.equal(made["engine"].problem.validation_inputs, expected.validation_inputs)
    assert made["engine"].settings.patience == 4
    assert torch.equal(made["engine"].problem.inputs, expected.inputs)


def test_a_pair_is_in_the_units_of_the_original_data():
    problem = noisy().standardized(targets=True)
    others = noisy(60)
    pursuit = npw.NeuronPursuit(problem, validation=(others.inputs, others.targets), **QUICK)
    torch.testing.assert_close(pursuit.problem.validation_inputs, problem.transform(others.inputs))
    torch.testing.assert_close(problem.scaling.targets.backward(pursuit.problem.validation_targets), others.targets)
    assert pursuit.problem.samples == 40


def test_a_problem_that_was_split_needs_no_more():
    problem = noisy().split(0.2, validation=0.2).standardized(targets=True)
    pursuit = npw.NeuronPursuit(problem, **QUICK)
    pursuit.run(0)
    assert loss_of(pursuit.network, problem) == pytest.approx(pursuit.growth[0].validation)


def test_accuracy_and_functions_are_the_larger_the_better():
    problem = two_classes().split(0, validation=0.4).standardized()

    def right(outputs: torch.Tensor, targets: torch.Tensor) -> float:
        return 100 * float((outputs.argmax(dim=1) == targets).double().mean())

    one, other = (npw.NeuronPursuit(problem, score=score, patience=2, **QUICK) for score in ("accuracy", right))
    one.run(6)
    other.run(6)
    values = [record.validation for record in one.growth]
    assert [record.validation for record in other.growth] == pytest.approx([100 * value for value in values])
    best = int(np.argmax(values))
    assert one.best_network.widths == other.best_network.widths == one.growth[best].widths
    assert one.score(problem.scaling.inputs.backward(problem.validation_inputs), labels(problem)) == max(values)
    if one.finished.kind == "validation":
        assert "accuracy on the validation set" in str(one.finished)


def labels(problem: npw.Problem) -> list[str]:
    return [problem.classes[code] for code in problem.validation_targets.tolist()]


def records(*values: float | None) -> list[GrowthRecord]:
    return [GrowthRecord((1,), 1, 1.0, (), 0.5, None, 0, 1, "", validation=value) for value in values]


@pytest.mark.parametrize(
    ("values", "score", "seen", "ends"),
    [
        ((3.0, 2.0, 2.5, 2.5), "loss", 0, True),
        ((3.0, 2.0, 2.5), "loss", 0, False),
        ((3.0, 2.0, 2.5, 1.9), "loss", 0, False),
        ((3.0, 2.0, 2.0, 2.0), "loss", 0, True),  # of equal ones the first is the best
        ((3.0, 2.0, 2.5, 2.5), "loss", 4, False),
        ((3.0, 2.0, 2.5, 2.5, 2.5), "loss", 4, False),
        ((3.0, 2.0, 2.5, 2.5, 2.5, 2.5), "loss", 4, True),
        ((0.5, 0.7, 0.6, 0.6), "accuracy", 0, True),
        ((0.7, 0.6, 0.5, 0.8), "accuracy", 0, False),
        ((float("nan"), 2.0, float("nan")), "loss", 0, False),
        ((2.0, float("nan"), float("nan")), "loss", 0, True),
        ((None, None, None, None), "loss", 0, False),
    ],
)
def test_the_rule_of_patience(values: tuple, score: Any, seen: int, ends: bool):
    settings = PursuitSettings(patience=2, score=score)
    finish = rules.ending(noisy(), settings, records(*values), 1e-9, rises_seen=seen)
    assert (finish is not None and finish.kind == "validation") == ends


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"validation": 0.0}, ValueError, "validation must be a finite number greater than 0"),
        ({"validation": 0.95}, ValueError, "validation must be a finite number from 0 to 0.9"),
        ({"validation": "0.2"}, TypeError, "validation must be a pair (inputs, targets)"),
        ({"validation": (np.ones((2, 3)), [1.0, 2.0])}, ValueError, "validation inputs must have 4 columns"),
        ({"validation": (np.ones((2, 4)), [1.0])}, ValueError, "validation targets must have 2 rows"),
        ({"patience": 0}, ValueError, "patience must be an integer of at least 1"),
        ({"score": "f1"}, ValueError, "score must be one of 'loss', 'accuracy'"),
        ({"score": "accuracy"}, ValueError, "score='accuracy' needs classes"),
    ],
)
def test_bad_settings_are_refused_by_name(options: dict, error: type[Exception], said: str):
    with pytest.raises(error, match="^" + re.escape(said)):
        npw.NeuronPursuit(noisy(), **options)


def test_without_a_validation_set_there_is_no_best_network():
    pursuit = npw.NeuronPursuit(noisy().standardized(targets=True), **QUICK)
    pursuit.run(1)
    assert pursuit.best_network is None
    assert [record.validation for record in pursuit.growth] == [None, None]


def test_predictions_are_those_of_the_best_network_in_original_units(stopped: npw.NeuronPursuit):
    rows = noisy(7).inputs
    scaling = stopped.problem.scaling
    expected = scaling.targets.backward(stopped.best_network(scaling.inputs.forward(rows)))
    np.testing.assert_allclose(stopped.predict(rows), expected[:, 0])
    targets = noisy(7).targets
    unexplained = ((expected - targets) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    assert stopped.score(rows, targets) == pytest.approx(1 - float(unexplained))
    with pytest.raises(ValueError, match=r"^predict_proba needs classes"):
        stopped.predict_proba(rows)


def test_predictions_of_classes_are_labels():
    problem = two_classes().standardized()
    pursuit = npw.NeuronPursuit(problem, weight_decay=0.01, **QUICK)
    with pytest.raises(RuntimeError, match=r"^predict needs a network: run the NeuronPursuit first"):
        pursuit.predict(np.ones((1, 3)))
    pursuit.run(1)
    rows = two_classes().inputs
    chances = pursuit.predict_proba(rows)
    np.testing.assert_allclose(chances, pursuit.network(problem.inputs).softmax(dim=1))
    assert pursuit.predict(rows).tolist() == [problem.classes[code] for code in chances.argmax(axis=1)]
    wanted = np.array(problem.classes)[problem.targets]
    assert pursuit.score(rows, wanted) == pytest.approx((pursuit.predict(rows) == wanted).mean())


def test_networks_of_fixed_widths_predict_too():
    problem = noisy().standardized(targets=True)
    fixed = npw.FixedNetwork(problem, 3, max_steps=5)
    fixed.run()
    np.testing.assert_allclose(
        fixed.predict(noisy().inputs), problem.scaling.targets.backward(fixed.network(problem.inputs))[:, 0]
    )
