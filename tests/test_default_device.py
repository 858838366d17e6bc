"""Whatever device the user has made torch's default, every tensor of ours lies where its problem does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.minimizers.choice import MINIMIZERS

X = np.random.default_rng(0).standard_normal((30, 3))


@pytest.fixture(autouse=True)
def default_device():
    # Tensors on this device hold no data: whatever is computed with one fails.
    with torch.device("meta"):
        yield


@pytest.fixture(scope="module")
def trained():
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuit = npw.NeuronPursuit(problem, max_steps=600)
    pursuit.run(0)
    return pursuit


MADE = ["curve", "kumar_haupt", "multi_index", "random_teacher", "single_index", "sparse_parity", "two_moons"]


@pytest.mark.parametrize("name", MADE)
def test_problems(name):
    problem = getattr(npw.problems, name)()
    assert problem.standardized(constant=True).inputs.device.type == "cpu"
    assert problem.zero_loss > 0


@pytest.mark.parametrize("method", ["fast", "paper"])
@pytest.mark.parametrize("targets", [np.maximum(X[:, 0], 0), (X[:, 0] > 0).astype(int)], ids=["square", "classes"])
def test_pursuits(method, targets):
    loss: Any = "square" if targets.dtype == float else "cross_entropy"
    pursuit = npw.NeuronPursuit(npw.Problem(X, targets, loss=loss), leak=0.1, method=method, max_steps=50)
    pursuit.run(1)
    assert np.isfinite(pursuit.loss)
    assert {weight.device.type for weight in pursuit.network.weights} == {"cpu"}
    assert npw.plots.overview(pursuit).axes


@pytest.mark.parametrize("minimizer", sorted(MINIMIZERS))
def test_minimizers(minimizer):
    problem = npw.Problem(X, np.maximum(X[:, 0], 0))
    pursuit = npw.NeuronPursuit(problem, hidden_layers=1, minimizer=minimizer, max_steps=40)
    pursuit.run(0)
    assert np.isfinite(pursuit.loss)


def test_searches_networks_and_ensembles(trained):
    network, problem = trained.network, trained.problem
    for point in npw.find_kkt_points(network, problem, starts=4, unseen=True):
        found = npw.correlation(network, problem, point.layer, point.incoming, point.outgoing, unseen=point.unseen)
        assert found == pytest.approx(point.value)
    assert npw.find_origin_points(problem, starts=4)
    assert npw.HomogeneousNetwork.from_state_dict(network.state_dict()).widths == network.widths
    assert network.to_module()(problem.inputs).device.type == "cpu"
    assert npw.problems.hypercube_error(network, problem) > 0
    assert len(npw.pursue_many([0, 1], problem, max_additions=0).losses) == 2


def test_estimators_and_fixed_networks(monkeypatch):
    monkeypatch.setattr("np_widgets.estimators.decays.DECAYS", (0.1, 0.001))
    few: dict[str, Any] = {"max_neurons": 2, "starts": 2, "max_steps": 20}
    fitted = npw.NeuronPursuitRegressor(**few).fit(X, np.maximum(X[:, 0], 0))
    assert fitted.score(X, np.maximum(X[:, 0], 0)) > 0.5
    told = npw.NeuronPursuitClassifier(**few).fit(X, X[:, 0] > 0)
    assert told.score(X, X[:, 0] > 0) > 0.5
    fixed = npw.FixedNetwork(npw.Problem(X, X[:, 0]), (5,), "small", max_steps=5)
    fixed.run()
    assert np.isfinite(fixed.loss)


def test_saddles(trained):
    flow = npw.SaddleFlow(trained.network, trained.problem, dormant=(2, 2), scale=1e-2, starts=4, polish=True)
    flow.run(until=0.1)
    assert flow.prediction.destinations
    assert npw.plots.saddle_overview(flow).axes
    origin = npw.SaddleFlow(None, trained.problem, scale=1e-3, hidden_layers=1, starts=4)
    origin.run(until=0.1)
    assert origin.time == pytest.approx(0.1)
