"""The Hessian of the training loss against automatic differentiation, and its extremes against all its eigenvalues."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning import hessian
from np_widgets.learning.correlation.clarke import shortest_subgradient
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.objective import Objective

ACTIVATIONS = [(1, 1.0), (1, 0.0), (1, 0.3), (1, -1.0), (2, 0.0), (2, -1.0), (3, -0.5)]


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def objective_of(sizes=(3, 2, 2, 2), power=1, leak=0.0, loss="square", samples=30):
    targets = normal(9, samples, sizes[-1])
    if loss == "cross_entropy":
        targets = targets.argmax(axis=1)
    problem = npw.Problem(normal(8, samples, sizes[0]), targets, loss)
    weights = [normal(layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return Objective(problem, npw.HomogeneousNetwork(weights, power=power, leak=leak))


def automatic(objective, slopes=None):
    """The Hessian by automatic differentiation; with slopes, of the network in which these are held."""
    problem, activation = objective.problem, objective.activation

    def loss(theta):
        hidden = problem.inputs
        parts = [p.view(s) for p, s in zip(theta.split(objective.sizes), objective.shapes, strict=True)]
        for layer, weight in enumerate(parts[:-1]):
            z = hidden @ weight.T
            bent = torch.maximum(z, activation.leak * z) ** activation.power
            hidden = bent if slopes is None else z * slopes[layer]
        return problem.loss.value(hidden @ parts[-1].T, problem.targets)

    return torch.autograd.functional.hessian(loss, objective.initial)


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
@pytest.mark.parametrize(("power", "leak"), ACTIVATIONS)
def test_it_is_that_of_automatic_differentiation(power, leak, loss):
    objective = objective_of(power=power, leak=leak, loss=loss)
    exact = automatic(objective)
    with torch.no_grad():
        found = Hessian(objective, objective.initial)
        np.testing.assert_allclose(found.whole(), exact, atol=1e-12 * float(exact.abs().max()))
        vector = torch.from_numpy(normal(3, objective.size))
        torch.testing.assert_close(found.times(vector), exact @ vector)
        torch.testing.assert_close(found.gradient, objective.loss_and_gradient(objective.initial)[1])
    values = np.linalg.eigvalsh(exact)
    curvatures = found.curvatures()
    assert (curvatures.lowest, curvatures.largest) == pytest.approx((values[0], values[-1]), abs=1e-12 * values[-1])
    assert (curvatures.steps, curvatures.resolution) == (0, 0.0)
    assert found.largest() == pytest.approx(values[-1], rel=1e-2)


def test_slopes_at_kinks_are_held():
    objective = objective_of((4, 3, 3, 2), samples=12)
    first = objective.network(objective.initial).weights[0]
    for neuron, sample in ((0, 1), (1, 4), (2, 7)):
        x = objective.problem.inputs[sample]
        first[neuron] -= (first[neuron] @ x) / (x @ x) * x
    held = shortest_subgradient(objective, objective.initial)
    assert held.kinks >= 3
    exact = automatic(objective, held.slopes)
    found = Hessian(objective, objective.initial, held.slopes)
    np.testing.assert_allclose(found.whole(), exact, atol=1e-12 * float(exact.abs().max()))
    assert float(found.gradient.norm()) == pytest.approx(held.norm, rel=1e-6)


def test_slopes_at_too_many_kinks_are_not_weighed(monkeypatch):
    objective = objective_of((4, 3, 3, 2), samples=12)
    first = objective.network(objective.initial).weights[0]
    x = objective.problem.inputs[1]
    first[0] -= (first[0] @ x) / (x @ x) * x
    found = shortest_subgradient(objective, objective.initial)
    assert found.kinks >= 1
    monkeypatch.setattr("np_widgets.learning.correlation.clarke._MOST_WORK", objective.size * found.kinks**2 - 1)
    bounded = shortest_subgradient(objective, objective.initial)
    assert bounded.kinks == 0
    assert bounded.norm == float(objective.loss_and_gradient(objective.initial)[1].norm()) >= found.norm


def test_many_vectors_are_multiplied_in_blocks(monkeypatch):
    objective = objective_of()
    vectors = torch.from_numpy(normal(3, 5, objective.size))
    together = Hessian(objective, objective.initial).times(vectors)
    monkeypatch.setattr(hessian, "_BLOCK_ENTRIES", 2 * 30 * 2)
    torch.testing.assert_close(Hessian(objective, objective.initial).times(vectors), together)


@pytest.mark.parametrize(("power", "leak"), ACTIVATIONS)
def test_of_larger_networks_the_extremes_are_found_within_what_is_stated(power, leak, monkeypatch):
    objective = objective_of((20, 9, 6, 2), power, leak, samples=60)
    values = np.linalg.eigvalsh(Hessian(objective, objective.initial).whole())
    monkeypatch.setattr(hessian, "MOST_WEIGHTS", 10)
    shares: list[float] = []
    found = Hessian(objective, objective.initial).curvatures(shares.append)
    assert 100 < found.steps < 200
    assert found.resolution == 2e-3
    beyond = found.resolution * (found.largest - found.lowest)
    assert values[0] - 1e-9 * values[-1] <= found.lowest <= values[0] + beyond
    assert values[-1] - beyond <= found.largest <= values[-1] * (1 + 1e-9)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.1
    assert 0.9 < shares[-1] < 1


@pytest.mark.parametrize("dip", [-3e-3, -5e-3])
def test_a_shallow_dip_among_thousands_of_flat_directions_is_seen(dip, monkeypatch):
    objective = objective_of((300, 10, 1), samples=5)
    size = objective.size
    assert size > hessian.MOST_WEIGHTS
    spectrum = torch.zeros(size, dtype=torch.float64)
    spectrum[: size // 2] = torch.linspace(0, 1, size // 2, dtype=torch.float64)
    spectrum[size // 3] = dip
    products = []

    def times(self, vector):
        products.append(vector)
        return spectrum * vector

    monkeypatch.setattr(Hessian, "times", times)
    found = Hessian(objective, objective.initial).curvatures()
    assert len(products) == found.steps
    assert dip * (1 + 1e-9) <= found.lowest <= dip + found.resolution
    # The bound of Kuczyński and Woźniakowski, worked out anew.
    doubt = 1.648 * math.sqrt(size) * math.exp(-math.sqrt(found.resolution) * (2 * found.steps - 1))
    assert doubt <= 1e-4


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_where_only_few_curvatures_differ_lanczos_ends_early(rank, monkeypatch):
    objective = objective_of((300, 10, 1), samples=5)
    spectrum = torch.zeros(objective.size, dtype=torch.float64)
    spectrum[:rank] = torch.arange(1.0, rank + 1)
    monkeypatch.setattr(Hessian, "times", lambda self, vector: spectrum * vector)
    found = Hessian(objective, objective.initial).curvatures()
    assert (found.lowest, found.largest) == pytest.approx((0, rank), abs=1e-9)
    assert found.steps <= rank + 2


@pytest.mark.parametrize("sizes", [(100, 4, 2, 1), (20, 20, 20, 1), (40, 60, 60, 1)])
def test_the_check_of_a_minimum_needs_a_bounded_number_of_passes_over_the_data(sizes, monkeypatch):
    x = normal(8, 300, sizes[0])
    problem = npw.Problem(x, np.maximum(x[:, 0], 0) - np.maximum(x[:, 1], 0))
    network = npw.HomogeneousNetwork([normal(layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)])
    passes = 0
    loss = type(problem.loss)

    def counting(own):
        def counted(*arguments, **options):
            nonlocal passes
            passes += 1
            return own(*arguments, **options)

        return counted

    for name in ("evaluate", "residual", "value"):
        monkeypatch.setattr(loss, name, counting(getattr(loss, name)))
    told: list[tuple[str, float]] = []
    with pytest.raises(ValueError, match="network must be at a local minimum"):
        npw.SaddleFlow(network, problem, progress=lambda text, share: told.append((text, share)))
    assert passes < 200
    assert told[0] == ("Checking that this is a minimum", 0.0)
    assert len(told) >= 5
