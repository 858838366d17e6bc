"""The shortest subgradient against values worked out by hand, brute force, and minima that lie on kinks."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import Tensor

from np_widgets.learning.correlation.clarke import clarke_gradient_norm, shortest_subgradient
from np_widgets.learning.correlation.shortest import shortest
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem

pytestmark = pytest.mark.rounding


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _objective(seed: int, sizes: tuple[int, ...], power: int = 1, leak: float = 0.0, samples: int = 8) -> Objective:
    problem = Problem(_normal(seed, samples, sizes[0]), _normal(seed + 1, samples, sizes[-1]))
    weights = [_normal(seed + 2 + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return Objective(problem, HomogeneousNetwork(weights, power=power, leak=leak))


def _plain(objective: Objective) -> float:
    return float(objective.loss_and_gradient(objective.initial)[1].norm())


@given(st.integers(0, 1000), st.integers(1, 3), st.sampled_from([-1.0, 0.0, 0.2, 1.0]))
def test_without_kinks_it_is_the_norm_of_the_gradient(seed, power, leak):
    objective = _objective(seed, (3, 2, 2, 1), power, leak)
    norm = clarke_gradient_norm(objective, objective.initial, 1e-14)
    # A layer without an active neuron leaves exact zeros above it, which no weight can change.
    assert norm == pytest.approx(_plain(objective), rel=1e-12)


@pytest.mark.parametrize(("power", "leak"), [(2, 0.0), (3, 0.5), (1, 1.0)])
def test_smooth_activations_have_no_kinks(power, leak):
    problem = Problem([[1.0, 0.0], [0.0, 1.0]], [1.0, 3.0])
    objective = Objective(problem, HomogeneousNetwork([[[0.0, 1.0]], [[1.0]]], power=power, leak=leak))
    assert clarke_gradient_norm(objective, objective.initial, 1.0) == _plain(objective)


@pytest.mark.parametrize("leak", [-0.5, 0.0, 0.25, 0.75])
@pytest.mark.parametrize("pull", [-4.0, -1.5, 0.0, 0.5, 3.0])
def test_one_kink_worked_out_by_hand(leak, pull):
    # Sample 1 is at the kink with residual −2; sample 2 is active with residual `pull`. With the slope s at the kink
    # the gradient by the incoming weights is ½(2s − pull, −pull), and ½(−pull) by the outgoing one.
    problem = Problem([[1.0, 0.0], [1.0, 1.0]], [-2.0, 1.0 + pull])
    objective = Objective(problem, HomogeneousNetwork([[[0.0, 1.0]], [[1.0]]], leak=leak))
    slope = min(max(pull / 2, leak), 1.0)
    expected = 0.5 * math.sqrt((2 * slope - pull) ** 2 + 2 * pull**2)
    assert clarke_gradient_norm(objective, objective.initial) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_tolerance_decides_what_is_a_kink():
    problem = Problem([[1.0, 0.0], [1.0, 1.0]], [-2.0, 2.0])
    objective = Objective(problem, HomogeneousNetwork([[[1e-6, 1.0]], [[1.0]]]))
    plain = _plain(objective)
    assert clarke_gradient_norm(objective, objective.initial, 1e-7) == plain
    assert clarke_gradient_norm(objective, objective.initial, 1e-5) < 0.9 * plain


def _kinked(seed: int, leak: float) -> tuple[Objective, list[tuple[int, int, int]]]:
    """Three hidden layers, one neuron of each moved onto the kink of one sample: (layer, sample, neuron)."""
    objective = _objective(seed, (4, 3, 3, 2, 1), leak=leak)
    network = objective.network(objective.initial.clone())
    places = [(0, 1, 2), (1, 2, 0), (2, 1, 1)]
    for layer, sample, neuron in places:
        hidden = network.forward(objective.problem.inputs).hidden[layer][sample]
        row = network.weights[layer][neuron]
        row -= (row @ hidden) / (hidden @ hidden).clamp(min=1e-300) * hidden
    return Objective(objective.problem, network), places


def _gradient_with_slopes(objective: Objective, slopes: dict[tuple[int, int, int], float]) -> Tensor:
    """By automatic differentiation of a network whose activations are multiplications by given slopes."""
    weights = [weight.clone().requires_grad_() for weight in objective.network(objective.initial).weights]
    values = objective.problem.inputs
    for layer, weight in enumerate(weights[:-1]):
        z = values @ weight.T
        slope = objective.activation.derivative(z.detach())
        for (at, sample, neuron), chosen in slopes.items():
            if at == layer:
                slope[sample, neuron] = chosen
        values = z * slope
    output = values @ weights[-1].T
    loss = objective.problem.loss.value(output, objective.problem.targets)
    return torch.cat([gradient.reshape(-1) for gradient in torch.autograd.grad(loss, weights)])


@settings(max_examples=20)
@given(st.integers(0, 200), st.sampled_from([-1.0, -0.4, 0.1, 0.5]))
def test_kinks_in_several_layers_against_brute_force(seed, leak):
    objective, places = _kinked(seed, leak)

    def length(slopes: Any) -> float:
        return float(_gradient_with_slopes(objective, dict(zip(places, slopes, strict=True))).norm())

    coarse = min(itertools.product(np.linspace(leak, 1.0, 4), repeat=3), key=length)
    shortest = minimize(length, coarse, bounds=[(leak, 1.0)] * 3, method="Powell").fun
    found = clarke_gradient_norm(objective, objective.initial)
    assert found == pytest.approx(shortest, rel=1e-2)
    assert found <= _plain(objective) * (1 + 1e-12)


def test_a_minimum_on_a_kink_is_stationary_though_the_gradient_is_not_zero():
    # Along the first weight the loss is an absolute value: two samples pull from both sides.
    inputs, targets = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [-1.0, -1.0, 2.0, 0.0]
    objective = Objective(Problem(inputs, targets), HomogeneousNetwork([[[0.3, 1.1]], [[1.0]]]))
    minimizer = LBFGS(objective, objective.initial)
    minimizer.advance(200)
    assert minimizer.loss == pytest.approx(0.25, rel=1e-9)
    assert minimizer.gradient_norm > 0.1
    assert clarke_gradient_norm(objective, minimizer.theta, 1e-6) < 1e-6


@pytest.mark.exact_data(reason="samples that are exactly on a kink")
def test_layers_that_nothing_arrives_at_are_at_no_kink():
    # Two samples pull at the first weight, and the first sample, on its kink, holds them with a slope of ½;
    # no neuron sees the others, which is no kink, however many they are.
    silent = 600
    inputs = [[1.0, 0.0], [1.0, 1.0], [-1.0, 1.0]] + silent * [[0.0, -1.0]]
    targets = [-2.0, 1.5, 0.5] + silent * [1.0]
    network = HomogeneousNetwork([[[0.0, 1.0]], [[1.0], [1.0]], [[0.5, 0.5]]])
    objective = Objective(Problem(inputs, targets), network)
    found = shortest_subgradient(objective, objective.initial)
    assert found.kinks == 1  # one sample, one neuron: the two above it are on as soon as that is
    assert found.norm == clarke_gradient_norm(objective, objective.initial)
    assert found.norm < 1e-3 * _plain(objective)


def test_a_kink_that_is_no_minimum_is_told_from_one():
    # As above, but the first sample pulls three times as hard as its slope can hold.
    problem = Problem([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], [1.0, 5.0, 0.0])
    objective = Objective(problem, HomogeneousNetwork([[[0.0, 1.0]], [[1.0]]], leak=0.5))
    assert clarke_gradient_norm(objective, objective.initial) > 1.0


@pytest.mark.exact_data(reason="the gradient is compared with a number")
def test_a_neuron_without_weights_is_at_the_kink_of_every_sample():
    inputs = _normal(0, 30, 3)
    problem = Problem(inputs, torch.relu(inputs[:, 0]))
    network = HomogeneousNetwork([[[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[1.0, 1.0]]])
    objective = Objective(problem, network)
    assert clarke_gradient_norm(objective, objective.initial) == 0
    shifted = Objective(Problem(inputs, torch.relu(inputs[:, 0]) - 1), network)
    assert clarke_gradient_norm(shifted, shifted.initial) <= _plain(shifted)


def test_cross_entropy_and_single_precision():
    inputs = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    problem = Problem(inputs, torch.tensor([0, 0, 1]), "cross_entropy", dtype=torch.float32)
    network = HomogeneousNetwork([torch.tensor([[0.0, 1.0]]), torch.tensor([[-1.0], [1.0]])])
    objective = Objective(problem, network)
    # Away from the kink both samples of class 0 are pushed towards class 1; the slope 0 of both is the best choice.
    assert clarke_gradient_norm(objective, objective.initial) == pytest.approx(_plain(objective), rel=1e-6)
    assert _plain(objective) > 0


@pytest.mark.parametrize(
    ("theta", "tolerance", "message"),
    [
        ([1.0, 2.0], 1e-9, "theta must be a tensor"),
        (torch.ones(3), 1e-9, r"theta must have shape \(12,\), got \(3,\)"),
        (torch.ones(12), -1.0, "kink_tolerance"),
        (torch.ones(12), math.nan, "kink_tolerance"),
    ],
)
def test_bad_arguments_are_refused(theta, tolerance, message):
    with pytest.raises((TypeError, ValueError), match=message):
        clarke_gradient_norm(_objective(0, (3, 2, 2, 1)), theta, tolerance)


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 150), st.sampled_from([0.1, 1.0, 30.0]))
def test_the_shortest_vector_is_stationary_within_its_bounds(seed, rows, count, size):
    generator = np.random.default_rng(seed)
    vector, columns = size * generator.standard_normal(rows), generator.standard_normal((rows, count))
    low = generator.standard_normal(count)
    high = low + generator.choice([0.0, 1.0, 3.0], count)
    found = shortest(vector, columns, low, high)
    assert ((low <= found) & (found <= high)).all()
    # Along each coefficient it gets no shorter, except across a bound.
    pull = columns.T @ (vector + columns @ found) / (np.linalg.norm(columns, axis=0) * np.linalg.norm(vector))
    assert (pull[found < high - 1e-9] >= -1e-6).all()
    assert (pull[found > low + 1e-9] <= 1e-6).all()
