"""Gradients, residuals and Hessians that saddle flows are made of, against automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.correlation.clarke import shortest_subgradient
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.correlation.signals import Signals
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.ensemble import BatchGradient
from np_widgets.learning.saddles.fields import CorrelationFlow, JointFlow
from np_widgets.learning.saddles.layout import Layout
from tests import saddles
from tests.saddles import double

ACTIVATIONS = [(1, 0.0), (1, 0.3), (1, 1.0), (1, -1.0), (2, 0.0), (2, -1.0), (3, 0.5)]


def normal(seed, *shape):
    return double(np.random.default_rng(seed).standard_normal(shape))


def sigma(z, power, leak):
    return torch.maximum(z, leak * z) ** power


def neuron_fields(network, problem):
    signals, profile = Signals(network, problem), Profile.of(network.activation)
    return {layer: signals.field(layer, layer, profile, unseen=True) for layer in range(1, network.hidden_layers + 1)}


def flow_of(layout, flags, fields):
    return CorrelationFlow([(field, *layout.positions(flags, layer)) for layer, field in fields.items()], 0.0)


def network_of(sizes, power, leak, seed=0):
    weights = [normal(seed + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return npw.HomogeneousNetwork(weights, power=power, leak=leak)


@pytest.mark.parametrize(("power", "leak"), ACTIVATIONS)
def test_gradient_and_value_of_each_neuron_are_those_of_the_ncf(power, leak):
    features, signals = normal(1, 20, 4), normal(2, 20, 3)
    field = Field(features, signals, Profile.of(Activation(power, leak)))
    b, a = normal(3, 5, 4).requires_grad_(), normal(4, 5, 3).requires_grad_()
    values = torch.stack([((signals @ a[j]) * sigma(features @ b[j], power, leak)).mean() for j in range(5)])
    by_b, by_a = torch.autograd.grad(values.sum(), [b, a])
    found = field.gradient(b.detach().numpy(), a.detach().numpy())
    np.testing.assert_allclose(found[0], by_b, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found[1], by_a, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(field.value(b.detach().numpy(), a.detach().numpy()), values.detach(), rtol=1e-10)


@pytest.mark.parametrize(("power", "leak"), ACTIVATIONS)
def test_without_kinks_the_residual_is_what_the_definition_says(power, leak):
    features, signals = normal(1, 20, 4), normal(2, 20, 3)
    field = Field(features, signals, Profile.of(Activation(power, leak)))
    b, a = normal(15, 6, 4).numpy(), normal(16, 6, 3).numpy()
    norm = np.sqrt((b**2).sum(1) + (a**2).sum(1))[:, None]
    b, a = b / norm, a / norm
    value, (by_b, by_a) = field.value(b, a), field.gradient(b, a)
    off = np.hstack([by_b - (power + 1) * value[:, None] * b, by_a - (power + 1) * value[:, None] * a])
    with np.errstate(divide="ignore"):
        expected = np.where(value > 0, np.linalg.norm(off, axis=1) / value, np.nan)
    assert 0 < np.isfinite(expected).sum() < 6
    np.testing.assert_allclose(field.residual(b, a), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("hidden", "power", "leak", "seed", "kinked"),
    [(1, 1, 0.0, 0, 0), (1, 1, 0.0, 2, 1), (2, 1, 0.0, 5, 1), (1, 1, 0.3, 0, 0), (1, 2, 0.0, 1, 0)],
)
def test_the_residual_vanishes_at_kkt_points_on_kinks_or_not(hidden, power, leak, seed, kinked):
    network, problem = saddles.saddle(hidden, power, leak, seed), saddles.teacher(hidden, power, leak, seed)
    points = npw.find_kkt_points(network, problem, starts=30, seed=4, unseen=True)
    assert points
    fields = neuron_fields(network, problem)
    on_kinks = 0
    for point in points:
        b, a = point.incoming.numpy()[None], point.outgoing.numpy()[None]
        field = fields[point.layer]
        features = field.features.numpy()
        on_kinks += bool(((np.abs(features @ b[0]) < 1e-9) & features.any(axis=1)).any())
        assert field.value(b, a)[0] == pytest.approx(point.value, rel=1e-9)
        assert field.residual(b, a)[0] < 1e-5
        # A little less in, a little more out is no KKT point any more.
        assert field.residual(0.9 * b, a * np.sqrt((1 - 0.81 * (b**2).sum()) / (a**2).sum()))[0] > 0.01
    assert on_kinks >= kinked


def dormant_case(power, leak, seed=0):
    """A network of widths (2, 3), and itself among some dormant neurons whose weights to active ones are small."""
    active = network_of((4, 2, 3, 2), power, leak, seed)
    widths = (4, 5, 5, 2)
    layout = Layout([(widths[layer + 1], widths[layer]) for layer in range(3)], power)
    flags = (np.arange(5) < 2, np.arange(5) < 3)
    matrices = [normal(20 + layer, *shape).numpy() for layer, shape in enumerate(layout.shapes)]
    theta = np.where(layout.active_entries(flags), 0.0, layout.vector(matrices))
    return active, layout, flags, theta


@pytest.mark.parametrize(("power", "leak"), [(1, 0.3), (1, 1.0), (2, 0.0)])
def test_the_flow_of_the_ncf_is_its_gradient_by_the_dormant_weights(power, leak):
    active, layout, flags, theta = dormant_case(power, leak)
    problem = npw.Problem(normal(8, 30, 4), normal(9, 30, 2))
    flow = flow_of(layout, flags, neuron_fields(active, problem))
    assert len(flow.positions) == len(set(flow.positions.tolist())) == 3 * (4 + 3) + 2 * (2 + 2)
    forward = active.forward(problem.inputs)
    signals = active.signals(forward, problem.loss.residual(forward.output, problem.targets))
    weights = double(theta).requires_grad_()
    parts = [p.view(s) for p, s in zip(weights.split(layout.sizes), layout.shapes, strict=True)]
    first = sigma(problem.inputs @ parts[0][2:].T, power, leak) @ parts[1][:3, 2:].T
    second = sigma(forward.hidden[1] @ parts[1][3:, :2].T, power, leak) @ parts[2][:, 3:].T
    together = (first * signals[1]).sum(1).mean() + (second * signals[2]).sum(1).mean()
    (gradient,) = torch.autograd.grad(together, weights)
    np.testing.assert_allclose(flow(theta[flow.positions]), gradient[flow.positions.tolist()], rtol=1e-9, atol=1e-13)
    rest = np.delete(gradient.numpy(), flow.positions)
    assert not rest.any()


@pytest.mark.parametrize("scale", [1e-3, 1e-4])
def test_the_flow_of_the_ncf_is_the_gradient_flow_of_the_whole_network_to_leading_order(scale):
    active, layout, flags, theta = dormant_case(1, 0.3)
    problem = npw.Problem(normal(8, 30, 4), normal(9, 30, 2))
    flow = flow_of(layout, flags, neuron_fields(active, problem))
    whole = scale * theta
    for matrix, weight in zip(layout.matrices(whole), active.weights, strict=True):
        matrix[: weight.shape[0], : weight.shape[1]] = weight
    network = npw.HomogeneousNetwork(layout.matrices(whole), leak=0.3)
    _, gradient = Objective(problem, network).loss_and_gradient(double(whole))
    by_ncf = flow(whole[flow.positions])
    assert np.abs(by_ncf).max() > 0.1 * scale
    assert np.abs(by_ncf + gradient.numpy()[flow.positions]).max() < 100 * scale**2


@pytest.mark.parametrize(("power", "leak"), [(1, 0.0), (1, 0.3), (2, 0.0)])
@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_the_flow_at_the_origin_is_the_gradient_of_its_ncf(power, leak, loss):
    network = network_of((4, 3, 2, 2), power, leak)
    targets = normal(9, 30, 2) if loss == "square" else torch.arange(30) % 2
    problem = npw.Problem(normal(8, 30, 4), targets, loss)
    objective = Objective(problem, network)
    flow = JointFlow(objective, np.arange(objective.size))
    residual = problem.loss.residual(torch.zeros(30, 2, dtype=torch.float64), problem.targets)
    theta = objective.initial.clone().requires_grad_()
    parts = [p.view(s) for p, s in zip(theta.split(objective.sizes), objective.shapes, strict=True)]
    hidden = problem.inputs
    for weight in parts[:-1]:
        hidden = sigma(hidden @ weight.T, power, leak)
    value = ((hidden @ parts[-1].T) * residual).sum(1).mean()
    (gradient,) = torch.autograd.grad(value, theta)
    y = theta.detach().numpy()
    np.testing.assert_allclose(flow(y), gradient, rtol=1e-9, atol=1e-13)
    assert flow.value(y) == pytest.approx(value.item(), rel=1e-9)


@pytest.mark.parametrize(("power", "leak"), [(1, 0.0), (2, -0.5)])
@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_a_batch_of_members_has_the_gradient_of_each(power, leak, loss):
    problem = npw.Problem(normal(8, 30, 4), normal(9, 30, 2) if loss == "square" else torch.arange(30) % 2, loss)
    members = [network_of((4, 3, 2, 2), power, leak, seed=10 * member) for member in range(4)]
    objectives = [Objective(problem, member) for member in members]
    together = BatchGradient(objectives[0])(torch.cat([each.initial for each in objectives]).numpy())
    alone = torch.cat([-each.loss_and_gradient(each.initial)[1] for each in objectives])
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-13)


def test_the_slopes_of_the_shortest_subgradient_give_its_norm():
    # Three samples of the first layer and at least one of the second are at kinks.
    problem = npw.Problem(normal(8, 12, 4), normal(9, 12, 2))
    network = network_of((4, 3, 3, 2), 1, 0.0, seed=40)
    first, second = network.weights[0], network.weights[1]
    for neuron, sample in ((0, 1), (1, 4), (2, 7)):
        x = problem.inputs[sample]
        first[neuron] -= (first[neuron] @ x) / (x @ x) * x
    outputs = network.forward(problem.inputs).hidden[1]
    hidden = outputs[int(outputs.norm(dim=1).argmax())]
    second[0] -= (second[0] @ hidden) / (hidden @ hidden) * hidden
    objective = Objective(problem, network)
    found = shortest_subgradient(objective, objective.initial)
    assert found.kinks >= 4
    plain = float(objective.loss_and_gradient(objective.initial)[1].norm())
    assert found.norm < plain
    slopes = [slope.requires_grad_(False) for slope in found.slopes]
    assert all(float(slope.min()) >= 0 and float(slope.max()) <= 1 for slope in slopes)
    weights = [weight.clone().requires_grad_() for weight in network.weights]
    values = problem.inputs
    for weight, slope in zip(weights, slopes, strict=False):
        values = (values @ weight.T) * slope
    loss = (values @ weights[-1].T - problem.targets).square().sum(1).mean() / 2
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, weights)])
    assert float(gradient.norm()) == pytest.approx(found.norm, rel=1e-9)
