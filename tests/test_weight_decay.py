"""A price on weights: closed forms, certificates that are recomputed, and what is removed."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import np_widgets as npw
from np_widgets.learning.correlation.clarke import clarke_gradient_norm
from np_widgets.learning.minimizers.choice import make_minimizer, stages
from np_widgets.learning.minimizers.sizes import SizesObjective, fitted_sizes
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit import rules
from np_widgets.learning.pursuit.duality import relative_gap
from np_widgets.learning.pursuit.next_network import NextNetwork
from tests.test_paths import linear_problem

pytestmark = pytest.mark.rounding


def curved(seed, loss="square", samples=60):
    random = np.random.default_rng(seed)
    inputs = np.c_[random.standard_normal((samples, 2)), np.ones(samples)]
    truth = np.sin(2 * inputs[:, 0]) + inputs[:, 1] ** 2
    targets = truth + 0.1 * random.standard_normal(samples) if loss == "square" else (truth > 1).astype(int)
    return npw.Problem(inputs, targets, loss=loss)


def penalized(network, problem, decay):
    loss = float(problem.loss.value(network(problem.inputs), problem.targets))
    return loss + 0.5 * decay * sum(float(weight.square().sum()) for weight in network.weights)


@pytest.fixture(scope="module")
def example():
    random = np.random.default_rng(0)
    network = npw.HomogeneousNetwork([random.standard_normal((3, 3)), random.standard_normal((1, 3))])
    return network, curved(0), 0.05


# ------------------------------------------------------------------------------------------------ the objective


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_the_objective_and_its_derivatives_have_the_price(loss):
    problem = curved(1, loss)
    random = np.random.default_rng(2)
    weights = [random.standard_normal((3, 3)), random.standard_normal((problem.output_size, 3))]
    plain, priced = (Objective(problem, npw.HomogeneousNetwork(weights), decay) for decay in (0.0, 0.3))
    theta = plain.initial
    assert priced.loss(theta) == pytest.approx(plain.loss(theta) + 0.15 * float(theta @ theta), rel=1e-12)
    loss_value, gradient = priced.loss_and_gradient(theta)
    assert loss_value == priced.loss(theta)
    assert torch.allclose(gradient, plain.loss_and_gradient(theta)[1] + 0.3 * theta, rtol=1e-12)
    on_device = torch.empty_like(theta)
    assert float(priced.evaluate_on_device(theta, on_device)) == pytest.approx(loss_value, rel=1e-12)
    assert torch.allclose(on_device, gradient, rtol=1e-12)
    model, without = priced.gauss_newton(theta), plain.gauss_newton(theta)
    assert model.loss == pytest.approx(loss_value, rel=1e-12)
    assert torch.allclose(model.gradient, gradient, rtol=1e-10)
    assert torch.allclose(model.matrix, without.matrix + 0.3 * torch.eye(len(theta), dtype=theta.dtype), rtol=1e-12)
    assert clarke_gradient_norm(priced, theta) == pytest.approx(float(gradient.norm()), rel=1e-9)


@pytest.mark.parametrize("name", sorted(stages()))
def test_every_minimizer_lowers_what_has_a_price(name, example):
    network, problem, decay = example
    objective = Objective(problem, network, decay)
    minimizer = make_minimizer(name, objective, objective.initial, None, batch_size=20, duration=200)
    minimizer.advance(200)
    minimizer.settle()
    assert minimizer.loss == pytest.approx(penalized(objective.network(minimizer.theta), problem, decay), rel=1e-9)
    assert minimizer.loss < 0.9 * penalized(network, problem, decay)


def test_sizes_for_given_directions_are_those_of_a_group_lasso(example):
    network, problem, decay = example
    hidden = network.forward(problem.inputs).hidden[1]
    norms = network.weights[0].norm(dim=1)
    answers = (hidden / norms).numpy()
    lasso = sklearn.linear_model.Lasso(alpha=decay, fit_intercept=False, tol=1e-12, max_iter=10**6)
    expected = lasso.fit(answers, problem.targets[:, 0].numpy()).coef_
    # From sizes of the same signs: through zero no gradient leads.
    start = torch.from_numpy(np.where(expected < 0, -1.0, 1.0)[None])
    sizes, outgoing = fitted_sizes(problem, hidden / norms, norms, start, decay)
    assert (sizes * outgoing)[0].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert sizes.abs().tolist() == pytest.approx(outgoing[0].abs().tolist(), abs=1e-4)


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_the_sizes_objective_has_the_derivatives_it_gives(loss):
    problem, random = curved(1, loss), np.random.default_rng(0)
    outputs = problem.output_size
    answers, sizes, outgoing = (
        torch.from_numpy(random.standard_normal(shape)) for shape in ((problem.samples, 4), 4, (outputs, 4))
    )
    objective = SizesObjective(problem, answers, sizes, outgoing, 0.1)
    theta = objective.initial.clone().requires_grad_()

    def value(theta):
        sizes, out = objective.parts(theta)
        return problem.loss.value(answers @ (sizes * out).T, problem.targets) + 0.05 * theta @ theta

    loss_value, gradient = objective.loss_and_gradient(objective.initial)
    assert loss_value == pytest.approx(float(value(theta).detach()), rel=1e-12)
    assert torch.allclose(gradient, torch.autograd.grad(value(theta), theta)[0], rtol=1e-10, atol=1e-12)
    model = objective.gauss_newton(objective.initial)
    assert torch.allclose(model.matrix, torch.autograd.functional.hessian(value, theta.detach()), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_neurons_slide_to_where_each_is_worth_its_price(loss):
    problem, decay, random = curved(3, loss), 0.05, np.random.default_rng(1)
    weights = [random.standard_normal((4, 3)), random.standard_normal((problem.output_size, 4))]
    objective = Objective(problem, npw.HomogeneousNetwork(weights), decay)
    minimizer = make_minimizer("sliding", objective, objective.initial, None)
    losses = [minimizer.loss]
    while minimizer.finished is None and minimizer.steps < 30:
        minimizer.advance(1)
        losses.append(minimizer.loss)
    assert all(later <= earlier for earlier, later in pairwise(losses))
    start, network = (objective.network(theta) for theta in (objective.initial, minimizer.theta))
    norms = start.weights[0].norm(dim=1)
    answers = start.forward(problem.inputs).hidden[1] / norms
    sizes, outgoing = fitted_sizes(problem, answers, norms, start.weights[1], decay)
    where_they_were = npw.HomogeneousNetwork([sizes.unsqueeze(1) * start.weights[0] / norms.unsqueeze(1), outgoing])
    assert minimizer.loss < 0.99 * penalized(where_they_were, problem, decay)
    assert minimizer.loss == pytest.approx(penalized(network, problem, decay), rel=1e-12)
    residual = problem.loss.residual(network(problem.inputs), problem.targets)
    sizes = network.weights[0].norm(dim=1) * network.weights[1].norm(dim=0)
    for neuron in torch.nonzero(sizes > 1e-3).flatten():
        row = network.weights[0][neuron]
        answers = network.activation(problem.inputs @ row) / row.norm()
        assert float((answers @ residual / problem.samples).norm()) == pytest.approx(decay, rel=1e-4)


def test_two_neurons_of_one_direction_become_one():
    inputs = torch.from_numpy(np.random.default_rng(0).standard_normal((30, 2)))
    problem = npw.Problem(inputs, inputs[:, :1].clamp(min=0))
    network = npw.HomogeneousNetwork([[[1.0, 0.1], [2.0, 0.2]], [[0.5, 0.5]]])
    objective = Objective(problem, network, 0.01)
    minimizer = make_minimizer("sliding", objective, objective.initial, None)
    minimizer.advance(30)
    sizes = objective.network(minimizer.theta).weights[0].norm(dim=1)
    assert sorted((sizes > 0).tolist()) == [False, True]


# ------------------------------------------------------------------------------------------------ pursuits


@pytest.mark.parametrize("decay", [0.1, 0.5, 1.5])
def test_linear_neurons_on_whitened_inputs_threshold_the_singular_values(decay):
    problem, values = linear_problem()
    pursuit = npw.NeuronPursuit(problem, 1, leak=1.0, weight_decay=decay, starts=10)
    finish = pursuit.run(10)
    assert (finish.kind, finish.outcome) == ("optimal", "target")
    network = pursuit.network
    found = torch.linalg.svdvals(network.weights[1] @ network.weights[0])
    expected = np.maximum(values - decay, 0)
    # What is left is quadratically small in the objective.
    assert found[: len(values)].tolist() == pytest.approx(expected, abs=1e-6)
    optimum = 0.5 * float((np.minimum(values, decay) ** 2).sum()) + decay * float(expected.sum())
    assert pursuit.objective == pytest.approx(optimum, rel=1e-8)
    assert 0 <= finish.gap <= 1e-8


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
@pytest.mark.parametrize("seed", range(2))
def test_the_gap_is_what_it_is_recomputed_to_be(loss, seed):
    problem, decay = curved(seed, loss, samples=40), 0.05
    pursuit = npw.NeuronPursuit(problem, 1, weight_decay=decay, seed=seed)
    finish = pursuit.run(60)
    assert finish.kind == "optimal"
    network = pursuit.network
    objective = penalized(network, problem, decay)
    assert pursuit.objective == pytest.approx(objective, rel=1e-9)
    assert pursuit.frame().objective == pursuit.objective
    assert pursuit.loss < pursuit.objective
    assert f"{finish.gap:.1e}" in finish.message
    best = 2 * finish.layer_maxima[0]
    independent = 2 * max(point.value for point in npw.find_kkt_points(network, problem, starts=100, seed=7))
    assert best == pytest.approx(independent, rel=0.01)
    residual = problem.loss.residual(network(problem.inputs), problem.targets).numpy()
    share = min(1.0, decay / best)
    if loss == "square":
        targets = problem.targets.numpy()
        bound = np.mean(np.sum(share * residual * targets - 0.5 * (share * residual) ** 2, axis=1))
    else:
        chances = network(problem.inputs).softmax(dim=1).numpy()
        mixed = (1 - share) * np.eye(problem.output_size)[problem.targets.numpy()] + share * chances
        bound = -np.mean(np.sum(mixed * np.log(np.maximum(mixed, 1e-300)), axis=1))
    gap = (objective - bound) / objective
    assert gap == pytest.approx(finish.gap, rel=1e-6, abs=1e-9)
    assert 0 <= gap <= 1e-4


def optimum_by_kinks(problem, decay):
    """The least penalized loss of any width for two inputs: a group lasso over all directions between and on kinks."""
    inputs = problem.inputs.numpy()
    kinks = np.arctan2(inputs[:, 1], inputs[:, 0])
    angles = np.concatenate([np.linspace(0, 2 * np.pi, 361)[:-1], kinks + np.pi / 2, kinks - np.pi / 2])
    answers = np.maximum(inputs @ np.array([np.cos(angles), np.sin(angles)]), 0)
    products = group_lasso(answers, problem, decay)
    output = torch.from_numpy(answers @ products)
    return float(problem.loss.value(output, problem.targets)) + decay * np.linalg.norm(products, axis=1).sum()


def group_lasso(answers, problem, decay, sweeps=4000):
    """Proximal gradient steps with Nesterov's momentum (FISTA)."""
    step = problem.samples / np.linalg.norm(answers, 2) ** 2
    products = ahead = np.zeros((answers.shape[1], problem.output_size))
    momentum = 1.0
    for _ in range(sweeps):
        residual = problem.loss.residual(torch.from_numpy(answers @ ahead), problem.targets).numpy()
        moved = ahead + step * answers.T @ residual / problem.samples
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        moved *= np.maximum(1 - step * decay / np.maximum(norms, 1e-300), 0)
        after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        products, ahead, momentum = moved, moved + (momentum - 1) / after * (moved - products), after
    return products


@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_no_network_of_any_width_is_better_than_the_optimal_one(loss):
    random, decay = np.random.default_rng(5), 0.03
    inputs = random.standard_normal((25, 2))
    truth = np.sin(3 * inputs[:, 0]) + inputs[:, 1] ** 2
    problem = npw.Problem(inputs, truth if loss == "square" else (truth > 1).astype(int), loss=loss)
    pursuit = npw.NeuronPursuit(problem, 1, weight_decay=decay)
    finish = pursuit.run(40)
    assert finish.kind == "optimal"
    best = optimum_by_kinks(problem, decay)
    assert pursuit.objective == pytest.approx(best, rel=1e-4)
    assert pursuit.objective * (1 - finish.gap) <= best * (1 + 1e-6)


@given(seed=st.integers(0, 50), decay=st.floats(0.01, 1.0), loss=st.sampled_from(["square", "cross_entropy"]))
@settings(max_examples=20)
def test_no_network_is_below_the_bound(seed, decay, loss):
    problem, random = curved(0, loss, samples=20), np.random.default_rng(seed)
    weights = [random.standard_normal((4, 3)), random.standard_normal((problem.output_size, 4))]
    networks = [npw.HomogeneousNetwork([size * each for each in weights]) for size in (0.3, 1.0)]
    lowest = min(penalized(network, problem, decay) for network in networks)
    for network in networks:
        residual = problem.loss.residual(network(problem.inputs), problem.targets)
        # The largest correlation of all is at most that of the lengths.
        bound_on_correlation = float((residual.norm(dim=1) * problem.inputs.norm(dim=1)).mean())
        objective = penalized(network, problem, decay)
        gap = relative_gap(problem, network(problem.inputs), objective, bound_on_correlation, decay)
        assert objective * (1 - gap) <= lowest * (1 + 1e-12)


def test_what_is_not_worth_its_price_is_not_added():
    problem = curved(0)
    pursuit = npw.NeuronPursuit(problem, 1, weight_decay=100.0)
    finish = pursuit.run(5)
    assert finish.kind == "optimal"
    assert pursuit.network is None
    assert finish.gap == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("minimizer", ["auto", "lbfgs"])
def test_neurons_that_vanish_are_removed_and_the_record_says_so(minimizer):
    inputs = np.random.default_rng(4).standard_normal((60, 1))
    problem = npw.Problem(inputs, np.maximum(inputs, 0))
    # The second neuron sees what the targets do not depend on: it is not worth its weights.
    network = npw.HomogeneousNetwork([[[1.0], [-1.0], [0.5]], [[0.6, 0.3, 0.4]]])
    pursuit = npw.NeuronPursuit(problem, 1, weight_decay=0.05, starts=10, minimizer=minimizer, network=network)
    pursuit.run(2)
    assert pursuit.growth[0].removed == ((1, 1),)
    width = 3 - 1
    assert pursuit.growth[0].widths == (width,)
    for record in pursuit.growth[1:]:
        width += 1 - len(record.removed)
        assert record.widths == (width,)
        assert all(layer == 1 and 0 <= index < width + len(record.removed) for layer, index in record.removed)
    assert pursuit.network.widths == (width,)
    assert pursuit.objective == pytest.approx(penalized(pursuit.network, problem, 0.05), rel=1e-9)


@pytest.mark.parametrize("seed", [1, 6])
def test_a_certificate_rests_on_a_thorough_search_however_few_starts_are_asked_for(seed):
    def normal(columns):
        return torch.randn(30, columns, generator=generator, dtype=torch.float64)

    generator = torch.Generator().manual_seed(seed)
    problem = npw.Problem(normal(2), normal(1))
    pursuit = npw.NeuronPursuit(problem, 1, weight_decay=0.05, starts=1, seed=seed)
    assert pursuit.run(15).kind == "optimal"
    angles = np.linspace(0, 2 * np.pi, 40_001)
    hidden = (problem.inputs @ torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)]))).relu()
    output = pursuit.network(problem.inputs)
    largest = float(((problem.targets - output).T @ hidden).abs().max()) / problem.samples
    gap = relative_gap(problem, output, pursuit.objective, largest, 0.05)
    assert pursuit.finished.gap == pytest.approx(gap, abs=1e-6)


def test_neurons_that_stay_are_counted_anew_when_others_go():
    network = npw.HomogeneousNetwork([torch.randn(8, 2), torch.randn(4, 8), torch.randn(1, 4)])
    grown = NextNetwork(network, ((1, 1), (1, 5), (1, 7), (2, 3)), 1, 2, 0.0)
    smaller = grown.without(((1, 2), (1, 7), (2, 0)), network)
    assert smaller.added == ((1, 1), (1, 4), (2, 2))
    for old, new in zip(((1, 1), (1, 5), (2, 3)), smaller.added, strict=True):
        assert smaller.network.weights[new[0]][-1, new[1]] == network.weights[old[0]][-1, old[1]]


def test_the_objective_never_rises_and_two_layers_have_a_price_too():
    problem = npw.problems.kumar_haupt(samples=200, seed=0)
    pursuit, objectives = npw.NeuronPursuit(problem, 2, weight_decay=1e-3, starts=10), []
    for additions in (0, 1, 1, 1):
        pursuit.run(additions)
        objectives.append(pursuit.objective)
        network = pursuit.network
        assert pursuit.objective == pytest.approx(penalized(network, problem, 1e-3), rel=1e-9)
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(objectives))
    assert pursuit.finished.gap is None


@pytest.mark.parametrize("method", ["fast", "paper"])
def test_a_priced_pursuit_goes_on_from_any_state(method):
    problem = curved(4)
    options: dict[str, Any] = {"weight_decay": 0.05, "starts": 10, "max_steps": 700, "max_additions": 4}
    whole = npw.NeuronPursuit(problem, 1, method=method, **options)
    sliced = copy.copy(whole)
    whole.run(4)
    random = np.random.default_rng(0)
    while sliced.finished is None:
        for _ in range(int(random.integers(1, 30))):
            sliced.advance()
        state = sliced.state()
        sliced = npw.NeuronPursuit(problem, 1, method=method, **options)
        sliced.restore(state)
    assert sliced.growth == whole.growth
    assert all(torch.equal(a, b) for a, b in zip(sliced.network.weights, whole.network.weights, strict=True))
    assert (sliced.finished.kind, sliced.finished.gap) == (whole.finished.kind, whole.finished.gap)


def test_a_neuron_that_one_layer_has_none_of_does_not_make_the_network_optimal():
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuit = npw.NeuronPursuit(problem, 2, weight_decay=0.3, starts=5, max_steps=400)
    pursuit.run(0)
    for paths, kind in ((((2, 2),), "no_point"), (((1, 1), (2, 2)), "optimal")):
        assert rules.no_point(problem, pursuit.settings, pursuit.growth, paths).kind == kind


def test_separated_classes_are_said_to_need_a_price():
    inputs = np.random.default_rng(0).standard_normal((40, 3))
    problem = npw.Problem(inputs, (inputs[:, 0] > 0).astype(int), loss="cross_entropy")
    finish = npw.NeuronPursuit(problem, 1).run(5)
    assert finish.kind == "target"
    assert "no minimum" in finish.message
    assert "weight_decay" in finish.advice
    priced = npw.NeuronPursuit(problem, 1, weight_decay=0.01)
    assert "no minimum" not in priced.run(20).message
    assert priced.finished.kind == "optimal"


def test_an_ensemble_takes_a_price():
    problem = curved(0)
    ensemble = npw.pursue_many([problem], hidden_layers=1, weight_decay=0.05, max_additions=30)
    alone = npw.NeuronPursuit(problem, 1, weight_decay=0.05, max_additions=30)
    alone.run(30)
    assert ensemble[0].finished.kind == alone.finished.kind == "optimal"
    assert all(torch.equal(a, b) for a, b in zip(ensemble[0].network.weights, alone.network.weights, strict=True))


@pytest.mark.parametrize("decay", [-1e-3, float("nan"), float("inf"), "0.1"])
def test_a_price_that_is_none_is_refused_by_name(decay):
    with pytest.raises((ValueError, TypeError), match="weight_decay"):
        npw.NeuronPursuit(curved(0), weight_decay=decay)
    with pytest.raises((ValueError, TypeError), match="weight_decay"):
        npw.pursue_many([curved(0)], weight_decay=decay)
