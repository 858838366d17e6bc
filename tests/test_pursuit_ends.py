"""What a pursuit says when it ends: why, how good what it leaves is, and what one can do next."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.learning.minimizers.choice import MinimizerName
from np_widgets.learning.minimizers.first_order import GradientDescent
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit import rules
from np_widgets.learning.pursuit.growth import GrowthRecord
from np_widgets.learning.pursuit.standing import STEPS

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((40, 3))
BOTH = ((1, 1), (2, 2))
RAW = X * [1.0, 30.0, 200.0] + [0.0, 50.0, 400.0]


def raw_pursuit(**options):
    return npw.NeuronPursuit(npw.Problem(RAW, 150 + 10 * X[:, 0]), starts=5, **options)


def record_of(loss=0.1, test_loss=None, stopped="no further decrease", widths=(1, 1)):
    return GrowthRecord(
        widths=widths,
        layer=0,
        value=1.0,
        candidates=(),
        loss=loss,
        test_loss=test_loss,
        first_step=0,
        steps=1,
        stopped=stopped,
    )


def noisy(**options):
    """Of which every further neuron learns the noise."""
    generator = np.random.default_rng(2)
    x, y = generator.standard_normal((12, 4)), generator.standard_normal(12)
    held_out = generator.standard_normal((60, 4)), generator.standard_normal(60)
    return npw.NeuronPursuit(npw.Problem(x, y, test=held_out), starts=3, max_steps=100, **options)


@pytest.mark.parametrize("options", [{"method": "paper"}, {"minimizer": "gradient_descent"}])
def test_steps_that_silence_all_neurons_are_called_too_large(options):
    pursuit = raw_pursuit(**options)
    finish = pursuit.run(2)
    assert (finish.kind, finish.outcome) == ("diverged", "stuck")
    assert "the step of 0.02 is too large for these data" in finish.message
    assert "learning_rate" in finish.advice
    assert "standardized()" in finish.advice
    assert "sizes of the inputs differ by a factor of" in finish.advice
    assert "vanishes" not in pursuit.growth[-1].stopped
    output = pursuit.network(pursuit.problem.inputs)
    if options.get("method") == "paper":
        assert "silent after step" in finish.message
        assert not output.any()
        assert finish.gradient_norm == 0
        before = raw_pursuit(**options, max_steps=pursuit.growth[0].steps - 1) if pursuit.growth[0].steps > 1 else None
        if before is not None:
            before.run(0)
            assert before.network(before.problem.inputs).any()
    else:
        assert finish.message.endswith("the lowest point before is kept.")
        assert pursuit.loss < pursuit.problem.zero_loss
        assert finish.gradient_norm > 0


def test_paper_method_above_the_loss_of_the_zero_output_says_so():
    # Targets so small that KKT points times the usual scale are far too large for them.
    problem = npw.Problem(X, 1e-5 * (np.maximum(X[:, 0], 0) - np.maximum(X[:, 1], 0)))
    pursuit = npw.NeuronPursuit(problem, 1, method="paper", max_steps=300, starts=5)
    finish = pursuit.run(2)
    assert pursuit.loss > problem.zero_loss
    assert (finish.kind, finish.outcome) == ("diverged", "stuck")
    assert "that of the output zero" in finish.message
    assert "scale=0.01 is too large" in finish.message
    assert "smaller scale" in finish.advice


def test_a_rise_of_the_test_loss_ends_with_the_network_before_and_can_be_gone_on_from():
    pursuit = noisy(stop_when_test_rises=True)
    watched = noisy()
    finish = pursuit.run(8)
    assert (finish.kind, finish.outcome) == ("test_rising", "limit")
    *_, before, after = pursuit.growth
    assert after.test_loss > before.test_loss
    assert f"{before.test_loss:.3g} to {after.test_loss:.3g}" in finish.message
    assert pursuit.network.widths == before.widths
    assert (pursuit.loss, pursuit.test_loss) == (before.loss, before.test_loss)
    assert pursuit.frame().iteration == len(pursuit.growth) - 1
    assert pursuit.frame().widths == before.widths
    restored = noisy(stop_when_test_rises=True)
    restored.restore(pursuit.state())
    # Asked to go on, it takes the same way as one that does not watch the test loss.
    for each in (pursuit, restored):
        each.run(1)
    watched.run(len(pursuit.growth) - 1)
    assert pursuit.growth == restored.growth == watched.growth
    assert watched.growth[-2] == after


def test_a_test_loss_that_stays_has_not_risen():
    # No network without biases changes its output for inputs of zero.
    problem = npw.Problem(X, X[:, 0] * X[:, 1], test=(np.zeros((2, 3)), [1.0, -1.0]))
    pursuit = npw.NeuronPursuit(problem, starts=3, max_steps=50, target_loss=0.0, stop_when_test_rises=True)
    assert pursuit.run(2).kind == "additions"
    assert [record.test_loss for record in pursuit.growth] == [0.5] * 3


@pytest.mark.parametrize(
    ("method", "minimizer"), [*(("fast", name) for name in get_args(MinimizerName)), ("paper", "auto")]
)
def test_a_training_ends_with_its_step_budget(method, minimizer):
    problem = npw.Problem(X, np.sin(3 * X[:, 0]) * X[:, 1])
    budget = 7 if method == "paper" else STEPS + 7
    options = {"method": method, "minimizer": minimizer, "max_steps": budget}
    pursuit = npw.NeuronPursuit(problem, 1, starts=3, max_additions=1, target_loss=0.0, **options)  # type: ignore[arg-type]
    quanta = 0
    while pursuit.finished is None:
        pursuit.advance()
        quanta += 1
        assert quanta < 2000
    assert len(pursuit.growth) == 2
    for record in pursuit.growth:
        told = record.stopped == f"step budget of {budget} used up"
        assert record.steps == budget if told else record.steps < budget
    slow = minimizer in ("gradient_descent", "adam", "minibatch_adam", "hybrid")
    assert any("budget" in record.stopped for record in pursuit.growth) or not slow


def test_after_a_rise_a_neuron_that_is_asked_for_joins_the_network_before():
    pursuit = noisy(stop_when_test_rises=True)
    pursuit.run(8)
    kept = pursuit.network
    pursuit.add_neuron()
    while pursuit.requested:
        pursuit.advance()
    assert sum(pursuit.growth[-1].widths) == sum(kept.widths) + 1


def test_best_on_test_is_the_record_of_the_lowest_test_loss():
    pursuit = noisy()
    pursuit.run(4)
    losses = [record.test_loss for record in pursuit.growth]
    assert pursuit.best_on_test == int(np.argmin(losses)) == pursuit.frame().best_on_test
    assert npw.NeuronPursuit(npw.Problem(X, X[:, 0])).best_on_test is None


def test_equal_test_losses_are_no_rise():
    problem = noisy().problem
    settings = noisy(stop_when_test_rises=True).settings
    level = [record_of(0.2, 0.5), record_of(0.1, 0.5)]
    assert rules.ending(problem, settings, level, 1e-9) is None
    risen = [record_of(0.2, 0.5), record_of(0.1, np.nextafter(0.5, 1))]
    assert rules.ending(problem, settings, risen, 1e-9).kind == "test_rising"
    assert rules.ending(problem, settings, risen, 1e-9, rises_seen=2) is None
    assert rules.ending(problem, dataclasses.replace(settings, stop_when_test_rises=False), risen, 1e-9) is None


@pytest.mark.parametrize("kind", ["target", "additions", "no_point"])
def test_a_fit_that_generalizes_worse_than_the_zero_output_is_told(kind):
    problem, settings = noisy().problem, noisy().settings
    nothing = problem.test_zero_loss
    growth = [record_of(0.2, 0.5 * nothing), record_of(0.1, 7 * nothing, widths=(2, 1))]
    finish = {
        "target": lambda records: rules.ending(problem, settings, records, 0.15),
        "additions": lambda records: rules.limit(problem, records),
        "no_point": lambda records: rules.no_point(problem, settings, records, BOTH),
    }[kind]
    told = finish(growth)
    assert told.kind == kind
    assert f"worse than the output zero: loss {7 * nothing:.3g}, not {nothing:.3g}" in told.message
    assert f"network 1, of widths (1, 1): {0.5 * nothing:.3g}" in told.message
    assert "stop_when_test_rises" in told.advice
    assert "test set" not in str(finish([record_of(0.1, 0.5 * nothing)]))


def test_a_pursuit_of_noise_says_that_it_is_worse_than_nothing():
    pursuit = noisy(target_loss=1e-3)
    finish = pursuit.run(8)
    assert ("worse than the output zero" in finish.message) == (pursuit.test_loss >= pursuit.problem.test_zero_loss)
    assert pursuit.test_loss >= pursuit.problem.test_zero_loss


def test_target_limit_and_stuck_are_three_sentences_each_with_a_way_on():
    problem, settings = npw.Problem(X, X[:, 0]), noisy().settings
    growth = [record_of(0.1)]
    target = rules.ending(problem, settings, growth, 0.2)
    limit = rules.limit(problem, growth)
    stuck = rules.no_point(problem, settings, growth, BOTH)
    assert [each.outcome for each in (target, limit, stuck)] == ["target", "limit", "stuck"]
    assert len({each.message for each in (target, limit, stuck)}) == 3
    assert all(each.advice and str(each) == f"{each.message} {each.advice}" for each in (target, limit, stuck))
    assert rules.interrupted().outcome == "limit"


@pytest.mark.exact_data(reason="a column that is exactly constant")
@pytest.mark.parametrize("constant", [False, True])
def test_advice_leaves_out_what_is_there_already(constant):
    inputs = np.c_[X, np.ones(len(X))] if constant else X
    problem = npw.Problem(inputs, X[:, 0])
    settings = npw.NeuronPursuit(problem, leak=0.1 if constant else 0.0).settings
    advice = rules.no_point(problem, settings, [record_of()], BOTH).advice
    assert ("constant" in advice) == (not constant)
    assert ("leak=0.1" in advice) == (not constant)
    one = rules.no_point(problem, settings, [record_of()], ((2, 2),))
    assert "layer 2" in one.message
    assert "another layer" in one.advice


def test_an_end_without_any_network_does_not_claim_a_search():
    pursuit = npw.NeuronPursuit(npw.Problem(X, 0 * X[:, 0]))
    finish = pursuit.run()
    frame = pursuit.frame()
    assert (frame.phase, frame.widths, finish.outcome) == ("finished", (), "stuck")
    assert "nothing to learn" in frame.message
    assert "earch" not in frame.message


def test_gradient_descent_that_silences_all_neurons_ends_with_the_step_that_did():
    problem = npw.Problem(np.abs(X), -5 * np.abs(X[:, 0]))
    objective = Objective(problem, npw.HomogeneousNetwork([np.full((1, 3), 0.5), np.full((1, 1), 0.5)]))
    theta, steps = objective.initial, 0
    while (gradient := objective.loss_and_gradient(theta)[1]).any():
        theta, steps = theta - 0.5 * gradient, steps + 1
        assert steps < 1000
    minimizer = GradientDescent(objective, objective.initial, learning_rate=0.5)
    minimizer.advance(2000)
    assert minimizer.finished == "the gradient vanishes"
    assert minimizer.steps == steps > 0
