"""What a Neuron Pursuit aims at, and what it calls reached."""

from __future__ import annotations

import math

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.learning.minimizers.choice import MINIMIZERS
from np_widgets.learning.minimizers.first_order import FirstOrderMinimizer
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.pursuit.look_ahead import LookAhead


def difference(unit: float, samples: int = 200) -> npw.Problem:
    """The difference of two rectified inputs, in some unit."""
    inputs = np.random.default_rng(0).standard_normal((samples, 4))
    return npw.Problem(inputs, unit * (np.maximum(inputs[:, 0], 0) - np.maximum(inputs[:, 1], 0)))


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e6])
def test_target_is_a_share_of_the_loss_of_the_zero_output_whatever_the_unit(unit):
    problem = difference(unit)
    pursuit = npw.NeuronPursuit(problem, 1, starts=10)
    assert pursuit.settings.target_loss is None
    assert pursuit.target_loss == pytest.approx(1e-9 * float(problem.targets.square().mean() / 2), rel=1e-12)
    finish = pursuit.run(4)
    assert finish.kind == finish.outcome == "target"
    assert pursuit.loss <= pursuit.target_loss
    result = npw.pursue_many([problem], hidden_layers=1, starts=10, max_additions=4)[0]
    assert result.finished.kind == "target"
    assert result.growth[-1].loss <= pursuit.target_loss


def test_loss_of_the_zero_output():
    problem = difference(1.0)
    assert problem.zero_loss == pytest.approx(float(problem.targets.square().mean() / 2), rel=1e-12)
    assert problem.test_zero_loss is None
    moons = npw.problems.two_moons(seed=0)
    assert moons.zero_loss == pytest.approx(math.log(2), rel=1e-12)
    classes = npw.Problem([[1.0], [2.0]], [0, 2], "cross_entropy", ([[1.0]], [1]), classes=3)
    assert classes.test_zero_loss == pytest.approx(math.log(3), rel=1e-12)


@pytest.mark.parametrize("above", [1.0, 1.5])
def test_a_target_that_needs_no_neuron_is_refused_by_name(above):
    problem = difference(1e-5)
    with pytest.raises(ValueError, match="target_loss must be less than"):
        npw.NeuronPursuit(problem, target_loss=above * problem.zero_loss)
    with pytest.raises(ValueError, match="target_loss must be less than"):
        npw.pursue_many([problem], target_loss=above * problem.zero_loss)
    pursuit = npw.NeuronPursuit(problem, target_loss=0.5 * problem.zero_loss)
    assert pursuit.target_loss == 0.5 * problem.zero_loss


def objective_and_start():
    problem = npw.problems.random_teacher(inputs=4, widths=(2, 2), samples=60, seed=0)
    generator = np.random.default_rng(3)
    weights = [0.5 * generator.standard_normal(shape) for shape in ((2, 4), (2, 2), (1, 2))]
    objective = Objective(problem, npw.HomogeneousNetwork(weights))
    return objective, objective.initial


@pytest.mark.parametrize(
    ("kind", "batches"),
    [(kind, False) for kind in MINIMIZERS.values()]
    + [(kind, True) for kind in MINIMIZERS.values() if issubclass(kind, FirstOrderMinimizer)],
)
def test_every_minimizer_ends_at_the_first_step_that_meets_the_target(kind, batches, monkeypatch):
    objective, theta = objective_and_start()
    step_by_step = kind(objective, theta)
    target = 0.5 * step_by_step.loss
    while step_by_step.loss > target:
        step_by_step.advance(1)
    monkeypatch.setattr(FirstOrderMinimizer, "_in_batches", batches)
    minimizer = kind(objective, theta)
    minimizer.target_loss = target
    minimizer.advance(10_000)
    assert minimizer.finished == "target loss met"
    assert minimizer.steps == step_by_step.steps > 0
    assert minimizer.loss == pytest.approx(step_by_step.loss, rel=1e-9)
    minimizer.settle()
    assert minimizer.loss <= target
    again = kind(objective, theta)
    again.target_loss = again.loss
    again.advance(5)
    assert again.steps == 0


def test_look_ahead_ends_at_the_first_step_that_meets_the_target():
    problem = npw.problems.random_teacher(inputs=4, widths=(2, 2), samples=60, seed=0)
    points = npw.find_origin_points(problem, starts=10)[:2]
    networks = [npw.HomogeneousNetwork(list(point.weights)) for point in points]
    step_by_step = LookAhead(problem, networks, 0)
    target = 0.7 * step_by_step.loss
    losses = []
    while not step_by_step.finished:
        step_by_step.advance(1)
        losses.append(step_by_step.loss)
    first = next(index for index, loss in enumerate(losses) if loss <= target)
    look_ahead = LookAhead(problem, networks, 0, target_loss=target)
    restored = LookAhead(problem, networks, 0, target_loss=target)
    look_ahead.advance(300)
    assert look_ahead.finished
    assert look_ahead.steps_taken <= first + 1
    assert look_ahead.loss <= target
    restored.restore(look_ahead.state())
    assert restored.finished
    assert restored.best == look_ahead.best


def test_other_targets_give_other_networks_none_of_which_is_fitted_beyond_its_target():
    # Three classes that can be told apart, so that cross entropy has no minimum.
    generator = np.random.default_rng(0)
    inputs = np.c_[generator.standard_normal((60, 3)), np.ones(60)]
    problem = npw.Problem(inputs, np.argmax(inputs @ generator.standard_normal((4, 3)), axis=1), "cross_entropy")
    found = []
    for target in (1e-6, 1e-2, 5e-2):
        frames: list[PursuitFrame] = []
        pursuit = npw.NeuronPursuit(problem, 1, starts=5, target_loss=target)
        assert pursuit.run(4, callback=frames.append).kind == "target"
        assert pursuit.growth[-1].stopped == "target loss met"
        below = [frame for frame in frames if frame.loss is not None and frame.loss <= target]
        assert all(frame.step == frames[-1].step and frame.widths == frames[-1].widths for frame in below)
        found.append(pursuit.loss)
    assert found[0] < found[1] < found[2]


def test_a_target_that_the_last_step_of_an_advance_meets_is_met():
    objective, theta = objective_and_start()
    step_by_step = MINIMIZERS["gradient_descent"](objective, theta)
    step_by_step.advance(7)
    minimizer = MINIMIZERS["gradient_descent"](objective, theta)
    minimizer.target_loss = step_by_step.loss
    minimizer.advance(7)
    assert minimizer.finished == "target loss met"


@pytest.mark.parametrize("share", [0.05, 0.01])
def test_an_ensemble_stops_at_the_first_step_that_meets_the_target(share):
    problem = difference(1.0, samples=100)
    target = share * problem.zero_loss
    result = npw.pursue_many([problem], hidden_layers=1, starts=5, target_loss=target)[0]
    assert result.finished.kind == "target"
    last = result.growth[-1]
    assert 0 < last.steps < 300
    # No step of the look-ahead halves the loss.
    assert target / 2 < last.loss <= target
