"""Data of any size: a right result, or a refusal that names them and the remedy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import np_widgets as npw

X = np.random.default_rng(0).standard_normal((40, 3))
Y = np.maximum(X[:, 0], 0) - 0.5 * np.maximum(X[:, 1], 0)
NETWORK = npw.HomogeneousNetwork([np.ones((1, 3)), np.ones((1, 1))])
USES = {
    "fast": lambda problem: npw.NeuronPursuit(problem, hidden_layers=1),
    "paper": lambda problem: npw.NeuronPursuit(problem, hidden_layers=1, method="paper"),
    "reset": lambda problem: npw.NeuronPursuit(problem, hidden_layers=1).reset(power=2, hidden_layers=3),
    "origin": lambda problem: npw.find_origin_points(problem, hidden_layers=1, starts=2),
    "points": lambda problem: npw.find_kkt_points(NETWORK, problem, starts=2),
    "correlation": lambda problem: npw.correlation(NETWORK, problem, 1, [1.0, 0, 0], [1.0]),
    "flow": lambda problem: npw.SaddleFlow(None, problem),
    "flow near a network": lambda problem: npw.SaddleFlow(NETWORK, problem),
    "many": lambda problem: npw.pursue_many([problem], hidden_layers=1),
}


@pytest.mark.parametrize("size", [1e-200, 1e200])
@pytest.mark.parametrize("name", ["inputs", "targets"])
@pytest.mark.parametrize("use", USES)
def test_what_leaves_the_range_of_floating_point_is_refused_by_name(use, name, size):
    problem = npw.Problem(X * size, Y) if name == "inputs" else npw.Problem(X, Y * size)
    with pytest.raises(ValueError, match=rf"^{name} must be of a size between .*standardized\("):
        USES[use](problem)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_the_remedy_helps(size):
    problem = npw.Problem(X * size, Y * size).standardized(targets=True)
    np.testing.assert_allclose(problem.inputs[:, :3], (X - X.mean(0)) / X.std(0), rtol=1e-12)
    np.testing.assert_allclose(problem.targets[:, 0], (Y - Y.mean()) / Y.std(), rtol=1e-12)


@pytest.mark.parametrize("size", [1e-120, 1e-30, 1e30, 1e120])
@pytest.mark.parametrize("name", ["inputs", "targets"])
def test_the_size_of_the_data_is_of_little_consequence(name, size):
    plain = npw.NeuronPursuit(npw.Problem(X, Y), hidden_layers=1)
    problem = npw.Problem(X * size, Y) if name == "inputs" else npw.Problem(X, Y * size)
    sized = npw.NeuronPursuit(problem, hidden_layers=1)
    for pursuit in (plain, sized):
        pursuit.run(0)
    assert sized.loss / problem.zero_loss == pytest.approx(plain.loss / plain.problem.zero_loss, rel=1e-2)


def test_single_precision_and_depth_have_narrower_ranges():
    npw.NeuronPursuit(npw.Problem(X * 1e20, Y))
    with pytest.raises(ValueError, match="inputs must be of a size"):
        npw.NeuronPursuit(npw.Problem(X * 1e20, Y), dtype=torch.float32)
    with pytest.raises(ValueError, match="inputs must be of a size"):
        npw.NeuronPursuit(npw.Problem(X * 1e20, Y), power=3, hidden_layers=2)


def test_a_refused_reset_changes_nothing():
    pursuit = npw.NeuronPursuit(npw.Problem(X * 1e20, Y), hidden_layers=1)
    before = pursuit.settings
    with pytest.raises(ValueError, match="inputs must be of a size"):
        pursuit.reset(power=3, hidden_layers=2)
    assert pursuit.settings == before


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_scale_of_the_paper_s_method_that_cannot_be_computed_with_is_refused(scale):
    with pytest.raises(ValueError, match="scale must be between 1e-42 and 1e42"):
        npw.NeuronPursuit(npw.Problem(X, Y), method="paper", scale=scale)
    fast = npw.NeuronPursuit(npw.Problem(X, Y), hidden_layers=1, scale=scale, max_steps=20)
    fast.run(0)
    assert math.isfinite(fast.loss)
    assert fast.loss < fast.problem.zero_loss
