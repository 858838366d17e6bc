"""A trial: another homogeneous activation is one line of one file, and all mathematics follows it.

The signed power ``σ(z) = z|z|^{p−1}`` for even p is none of the family ``max(z, αz)^p``, in which σ(−1) ≥ 0 then.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import np_widgets as npw
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.clarke import clarke_gradient_norm
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.objective import Objective
from tests.bits import bits

LEAK = 0.5


@pytest.fixture(autouse=True)
def signed_powers(monkeypatch):
    """The whole change."""
    monkeypatch.setattr(Activation, "negative", property(lambda self: -(abs(self.leak) ** self.power)))


def sigma(z: Tensor) -> Tensor:
    return torch.where(z > 0, z**2, -((LEAK * z) ** 2))


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(*widths: int, seed: int = 0) -> npw.HomogeneousNetwork:
    sizes = (3, *widths, 1)
    weights = [normal(seed + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return npw.HomogeneousNetwork(weights, power=2, leak=LEAK)


def output(weights: list[Tensor], inputs: Tensor) -> Tensor:
    hidden = inputs
    for weight in weights[:-1]:
        hidden = sigma(hidden @ weight.T)
    return hidden @ weights[-1].T


def taught(*widths: int, samples: int = 60) -> npw.Problem:
    inputs = normal(50, samples, 3)
    return npw.Problem(inputs, output(list(network(*widths, seed=20).weights), inputs))


@pytest.mark.parametrize("widths", [(2,), (2, 3)])
def test_networks_and_their_derivatives_are_those_of_the_formula(widths):
    problem, own = taught(2), network(*widths)
    objective = Objective(problem, own)
    theta = objective.initial

    def loss(theta: Tensor) -> Tensor:
        weights = [part.view(shape) for part, shape in zip(theta.split(objective.sizes), objective.shapes, strict=True)]
        return (output(weights, problem.inputs) - problem.targets).square().mean() / 2

    assert torch.allclose(own(problem.inputs), output(list(own.weights), problem.inputs))
    assert torch.allclose(own.to_module()(problem.inputs), own(problem.inputs))
    value, gradient = objective.loss_and_gradient(theta)
    expected = torch.autograd.functional.jacobian(loss, theta)
    assert value == pytest.approx(float(loss(theta)))
    assert torch.allclose(gradient, expected)
    assert torch.allclose(objective.gauss_newton(theta).gradient, expected)
    assert np.allclose(Hessian(objective, theta).whole(), torch.autograd.functional.hessian(loss, theta).numpy())
    assert clarke_gradient_norm(objective, theta) == pytest.approx(float(expected.norm()))


@pytest.mark.parametrize("layer", [1, 2])
def test_the_loss_falls_by_what_the_correlation_foresees(layer):
    problem, own = taught(2, 2), network(1, 1)
    point = next(p for p in npw.find_kkt_points(own, problem, starts=5) if p.layer == layer)
    assert point.residual < 1e-6
    assert npw.correlation(own, problem, layer, point.incoming, point.outgoing) == pytest.approx(point.value)
    start, changes = Objective(problem, own), []
    for scale in (1e-2, 5e-3):
        grown = own.with_neuron(layer, scale * point.incoming, scale * point.outgoing)
        changes.append(
            (start.loss(start.initial) - Objective(problem, grown).loss(torch.cat([*map(torch.ravel, grown.weights)])))
            / scale**3
        )
    assert changes[-1] == pytest.approx(point.value, rel=1e-2)
    # No direction on the sphere is worth more.
    below = problem.inputs if layer == 1 else own.forward(problem.inputs).hidden[1]
    signal = own.signals(own.forward(problem.inputs), problem.targets - own(problem.inputs))[layer]
    directions = torch.nn.functional.normalize(normal(3, 2000, below.shape[1]), dim=1)
    phi = (sigma(below @ directions.T).T @ signal).norm(dim=1) / problem.samples
    assert float(phi.max()) * math.sqrt(1 / 3) * (2 / 3) <= point.value * (1 + 1e-9)


def test_at_the_origin_too():
    problem = taught(2)
    point = npw.find_origin_points(problem, hidden_layers=2, power=2, leak=LEAK, starts=10)[0]
    assert point.residual < 1e-6
    value = problem.targets.T @ output(list(point.weights), problem.inputs) / problem.samples
    assert float(value) == pytest.approx(point.value)


@pytest.mark.parametrize("minimizer", ["auto", "hybrid"])
def test_a_pursuit_recovers_what_such_a_network_taught(minimizer):
    problem = taught(2)
    pursuit = npw.NeuronPursuit(problem, 1, power=2, leak=LEAK, starts=10, minimizer=minimizer)
    finish = pursuit.run(max_additions=3)
    assert finish.kind == "target"
    again = npw.NeuronPursuit(problem, 1, power=2, leak=LEAK, starts=10, minimizer=minimizer)
    again.restore(pursuit.state())
    assert bits(again.network.weights) == bits(pursuit.network.weights)
    assert torch.allclose(output(list(again.network.weights), problem.inputs), problem.targets, atol=1e-3)


def test_flows_keep_what_it_conserves():
    problem = taught(2)
    pursuit = npw.NeuronPursuit(problem, 1, power=2, leak=LEAK, starts=5)
    pursuit.run(max_additions=0)
    flow = npw.SaddleFlow(pursuit.network, problem, dormant=(2,), scale=0.05, seed=0, starts=5)
    flow.run(until=1.0)
    assert flow.record.drift.max() < 1e-3
