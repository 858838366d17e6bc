"""What counts as a local minimum, and is accepted as a saddle to start near, and what is refused."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.minimum import polished
from tests import saddles
from tests.saddles import double

pytestmark = pytest.mark.rounding


def problem_of(hidden, power, leak, seed, distribution="gaussian"):
    return npw.problems.random_teacher(
        inputs=3, widths=(2,) * hidden, power=power, leak=leak, samples=60, distribution=distribution, seed=seed
    )


def near(network, problem, **options):
    return npw.SaddleFlow(network, problem, 1, 1e-6, starts=3, **options)


def assert_is_lowest_nearby(flow, network, tolerance):
    """The flow starts at the network itself, and no step of a hundredth in any of many directions lowers the loss."""
    assert flow.finished is None
    assert flow.frame().started_active == network.widths
    problem, generator = flow.problem, torch.Generator().manual_seed(0)
    active = [weight[: old.shape[0], : old.shape[1]] for weight, old in zip(
        flow.network.weights, network.weights, strict=True
    )]  # fmt: skip
    assert all(torch.equal(weight, old) for weight, old in zip(active, network.weights, strict=True))

    def loss(weights):
        moved = npw.HomogeneousNetwork(weights, power=network.power, leak=network.leak)
        return float(problem.loss.value(moved(problem.inputs), problem.targets))

    size = 0.01 * math.sqrt(sum(float(weight.square().sum()) for weight in active))
    for _ in range(200):
        step = [torch.randn(weight.shape, generator=generator, dtype=torch.float64) for weight in active]
        norm = math.sqrt(sum(float(part.square().sum()) for part in step))
        moved = [weight + size / norm * part for weight, part in zip(active, step, strict=True)]
        assert loss(moved) > loss(active) * (1 - tolerance)


@pytest.mark.parametrize(("power", "leak"), [(1, 0.0), (1, 0.2), (1, 1.0), (2, 0.0), (3, 0.0)])
@pytest.mark.parametrize(
    ("hidden", "distribution"), [(1, "gaussian"), (1, "hypercube"), (2, "hypercube"), (3, "gaussian")]
)
def test_what_a_fast_pursuit_stops_at_is_accepted(power, leak, hidden, distribution):
    problem = problem_of(hidden, power, leak, hidden, distribution)
    pursuit = npw.NeuronPursuit(problem, hidden, power, leak, seed=1, starts=8)
    for additions in (0, 1):
        finish = pursuit.run(max_additions=additions)
        flow = near(pursuit.network, problem)
        assert all(
            torch.equal(weight[: old.shape[0], : old.shape[1]], old)
            for weight, old in zip(flow.network.weights, pursuit.network.weights, strict=True)
        )
        if finish.kind != "additions":
            break


@pytest.mark.parametrize(
    ("hidden", "power", "leak", "seed"), [(1, 1, 0.0, 0), (1, 1, 0.3, 0), (1, 2, 0.0, 0), (2, 1, 0.2, 1)]
)
def test_what_gradient_descent_has_settled_at_is_accepted(hidden, power, leak, seed):
    problem = problem_of(hidden, power, leak, seed)
    pursuit = npw.NeuronPursuit(problem, hidden, power, leak, method="paper", starts=8, scale=0.1, seed=seed)
    pursuit.run(max_additions=0)
    assert "no further decrease" in pursuit.growth[0].stopped
    assert_is_lowest_nearby(near(pursuit.network, problem), pursuit.network, 1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_cross_entropy_minima_of_overlapping_classes_are_accepted(seed):
    moons = npw.problems.two_moons(samples=100, noise=0.3, seed=seed)
    pursuit = npw.NeuronPursuit(moons, 1, starts=8, minimizer="hybrid")
    pursuit.run(max_additions=0)
    flow = near(pursuit.network, moons)
    assert flow.loss == pytest.approx(pursuit.loss, rel=1e-5)
    assert_is_lowest_nearby(flow, pursuit.network, 1e-9)


def test_single_precision_networks_are_polished_in_double_precision():
    problem = saddles.teacher()
    single = saddles.saddle().to(dtype=torch.float32)
    flow = near(single, problem, polish=True)
    assert flow.problem.dtype == flow.network.dtype == torch.float64
    assert float(flow.network.weights[0][0] @ saddles.saddle().weights[0][0]) > 0
    with torch.no_grad():
        assert flow.loss == pytest.approx(
            float(problem.loss.value(saddles.saddle()(problem.inputs), problem.targets)), rel=1e-6
        )


# ----------------------------------------------------------------------------------------------------- refusals


def refused(network, problem, **options):
    """The message, which names the network, and the gradient's norm in it."""
    before = [weight.clone() for weight in network.weights]
    with pytest.raises(ValueError, match="network must") as caught:
        near(network, problem, **options)
    assert all(torch.equal(weight, old) for weight, old in zip(network.weights, before, strict=True))
    found = re.search(r"gradient of norm ([\d.e+-]+)", str(caught.value))
    return str(caught.value), float(found.group(1)) if found else None


@pytest.mark.parametrize(("power", "leak"), [(1, 1.0), (2, 0.0)])
def test_a_random_network_is_refused_with_its_gradient_norm_and_mended_by_polish(power, leak):
    problem = problem_of(1, power, leak, 0)
    network = npw.HomogeneousNetwork([[[0.5, -1.0, 0.3]], [[0.8]]], power=power, leak=leak)
    message, norm = refused(network, problem)
    weights = [weight.clone().requires_grad_() for weight in network.weights]
    z = problem.inputs @ weights[0].T
    loss = (torch.maximum(z, leak * z) ** power @ weights[1].T - problem.targets).square().mean() / 2
    gradients = torch.autograd.grad(loss, weights)
    assert norm == pytest.approx(float(torch.cat([g.reshape(-1) for g in gradients]).norm()), rel=1e-2)
    assert "polish=True" in message
    flow = near(network, problem, polish=True)
    assert flow.loss < loss.item()
    near(npw.HomogeneousNetwork([w[:1] if i == 0 else w[:, :1] for i, w in enumerate(flow.network.weights)],
                                power=power, leak=leak), problem)  # fmt: skip


@pytest.mark.parametrize("size", [0.1, 0.02])
@pytest.mark.parametrize(("power", "leak"), [(1, 0.0), (1, 1.0), (2, 0.0)])
def test_a_minimum_that_is_disturbed_is_refused_and_mended_by_polish(power, leak, size):
    problem, network = saddles.teacher(1, power, leak), saddles.saddle(1, power, leak)
    generator = torch.Generator().manual_seed(3)
    moved = [
        weight + size * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        for weight in network.weights
    ]
    disturbed = npw.HomogeneousNetwork(moved, power=power, leak=leak)
    _, norm = refused(disturbed, problem)
    assert norm > 1e-3
    assert near(disturbed, problem, polish=True).loss == pytest.approx(near(network, problem).loss, rel=1e-6)


def test_how_far_from_a_minimum_is_accepted_can_be_said():
    problem, network = saddles.teacher(), saddles.saddle()
    moved = npw.HomogeneousNetwork([network.weights[0] * 1.005, network.weights[1]])
    refused(moved, problem)
    with pytest.raises(ValueError, match="downwards"):
        near(moved, problem, gradient_tolerance=0.1)
    near(moved, problem, gradient_tolerance=0.1, curvature_tolerance=0.1)
    refused(network, problem, gradient_tolerance=0.0)


def strict_saddle(size, power=1):
    """The network of a minimum, with one more neuron as small as ``size`` along a KKT point."""
    point = saddles.best_point(1, power)
    network = saddles.saddle(1, power).with_neuron(1, size * point.incoming, size * point.outgoing)
    return network, saddles.teacher(1, power)


def test_a_strict_saddle_among_the_active_weights_is_refused_though_its_gradient_is_tiny():
    network, problem = strict_saddle(1e-7)
    message, _ = refused(network, problem)
    value = saddles.best_point().value
    assert "downwards" in message
    lowest, norm = re.search(r"from (\S+) to .*gradient norm (\S+)\)", message).groups()
    assert float(lowest) == pytest.approx(-2 * value, rel=0.05)
    assert float(norm) < 1e-5


def test_polish_leaves_a_strict_saddle_for_the_minimum_below():
    network, problem = strict_saddle(1e-2)
    refused(network, problem)
    flow = near(network, problem, polish=True)
    assert flow.loss < 0.999 * near(saddles.saddle(), problem).loss


@pytest.mark.parametrize("layer", [1, 2])
def test_a_neuron_without_any_weights_is_refused_and_named(layer):
    network = saddles.saddle(2, 1, 0.2)
    below, above = network.weights[layer - 1].shape[1], network.weights[layer].shape[0]
    message, _ = refused(network.with_neuron(layer, np.zeros(below), np.zeros(above)), saddles.teacher(2, 1, 0.2))
    assert f"layer {layer}, neuron 1" in message
    assert "count it in dormant" in message


def test_a_network_that_separates_the_classes_is_refused_as_there_is_no_minimum():
    x = double([[1.0, 0.2], [0.8, -0.5], [-1.0, 0.3], [-0.7, -0.1]])
    problem = npw.Problem(x, torch.tensor([0, 0, 1, 1]), "cross_entropy")
    network = npw.HomogeneousNetwork([[[1.0, 0.0], [-1.0, 0.0]], [[9.0, -9.0], [-9.0, 9.0]]])
    for polish in (False, True):
        message, _ = refused(network, problem, polish=polish)
        assert "cross-entropy of separable data has none" in message
    with pytest.raises(ValueError, match="network must be at a minimum"):
        npw.escape_ensemble(network, problem, 1, 1e-3, members=2)


def test_a_minimum_on_kinks_is_accepted_though_its_gradient_is_not_small():
    # Along the first weight the loss is an absolute value: two samples pull from both sides.
    inputs, targets = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [-1.0, -1.0, 2.0, 0.0]
    problem = npw.Problem(inputs, targets)
    strength = 2.0**0.5
    network = npw.HomogeneousNetwork([[[1e-12, strength]], [[strength]]])
    flow = near(network, problem)
    flow.run(5.0)
    assert float((flow.network.weights[0][0] - network.weights[0][0]).abs().max()) < 0.05


@pytest.mark.parametrize("bounds", [{"_POLISH_STEPS": 20, "_SLIDING_STEPS": 20}, {"_MOST_WORK": 1.0}])
def test_a_polish_takes_so_many_steps_and_so_much_work(monkeypatch, bounds):
    problem = problem_of(2, 1, 0.0, 0)
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((2, 3), (2, 2), (1, 2))]
    objective = Objective(problem, npw.HomogeneousNetwork(weights))
    for name, most in bounds.items():
        monkeypatch.setattr(f"np_widgets.learning.saddles.minimum.{name}", most)
    told: list[str] = []
    polished(objective, objective.initial, lambda what, _: told.append(what))
    # Twenty steps between two reports, and four minimizers in turn.
    assert len(told) == 4
