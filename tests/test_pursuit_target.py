"""What a Neuron Pursuit aims at, and what it calls reached."""

from __future__ import annotations

import math

import numpy as np
import pytest

import np_widgets as npw


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
