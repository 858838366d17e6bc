"""The training loss and its derivatives against automatic differentiation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, jacrev

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem

pytestmark = pytest.mark.rounding


def _objective(
    loss: Any, sizes: list[int], power: int = 1, leak: float = 0.0, seed: int = 0, samples: int = 9
) -> Objective:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, sizes[0], generator=generator, dtype=torch.float64)
    if loss == "square":
        targets = torch.randn(samples, sizes[-1], generator=generator, dtype=torch.float64)
        problem = Problem(inputs, targets)
    else:
        labels = torch.randint(sizes[-1], (samples,), generator=generator)
        problem = Problem(inputs, labels, loss, classes=sizes[-1])
    weights = [
        torch.randn(sizes[layer + 1], sizes[layer], generator=generator, dtype=torch.float64)
        for layer in range(len(sizes) - 1)
    ]
    return Objective(problem, HomogeneousNetwork(weights, power=power, leak=leak))


def _flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


objectives = st.builds(
    _objective,
    loss=st.sampled_from(["square", "cross_entropy"]),
    sizes=st.lists(st.integers(2, 4), min_size=3, max_size=5),
    power=st.integers(1, 3),
    leak=st.sampled_from([-1.0, -0.3, 0.0, 0.2, 1.0]),
    seed=st.integers(0, 10_000),
)


@given(objectives)
def test_loss_and_gradient_are_those_of_automatic_differentiation(objective):
    problem = objective.problem
    module = objective.network(objective.initial).to_module()
    expected = problem.loss.value(module(problem.inputs), problem.targets)
    gradient = _flat(list(torch.autograd.grad(expected, list(module.parameters()))))
    loss, found = objective.loss_and_gradient(objective.initial)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert objective.loss(objective.initial) == loss
    torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-10 * max(float(gradient.abs().max()), 1e-9))


@settings(max_examples=40)
@given(objectives, st.sampled_from([None, 1, 4, 100]))
def test_gauss_newton_matrix_is_that_of_the_jacobian_and_the_curvature_of_the_loss(objective, chunk):
    problem = objective.problem
    module = objective.network(objective.initial).to_module()
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    jacobians = jacrev(lambda values: functional_call(module, values, (problem.inputs,)))(parameters)
    jacobian = torch.cat([jacobians[name].flatten(2) for name in parameters], dim=2)  # (n, m, P)
    outputs = module(problem.inputs).detach()
    if problem.loss.name == "square":
        curvature = torch.eye(outputs.shape[1], dtype=torch.float64).expand(len(outputs), -1, -1)
    else:
        share = outputs.softmax(dim=1)
        curvature = torch.diag_embed(share) - share.unsqueeze(2) * share.unsqueeze(1)
    expected = torch.einsum("nap,nab,nbq->pq", jacobian, curvature, jacobian) / len(outputs)
    model = objective.gauss_newton(objective.initial, chunk)
    loss, gradient = objective.loss_and_gradient(objective.initial)
    # Where the softmax is saturated the curvature is a difference of nearly equal numbers.
    rounding = 1e-15 * float(jacobian.square().max())
    atol = 1e-11 * max(float(expected.abs().max()), 1e-9) + rounding
    torch.testing.assert_close(model.matrix, expected, rtol=1e-9, atol=atol)
    torch.testing.assert_close(model.gradient, gradient, rtol=1e-9, atol=1e-10 * max(float(gradient.abs().max()), 1e-9))
    assert model.loss == pytest.approx(loss, rel=1e-12)


def test_gauss_newton_matrix_is_the_hessian_where_the_residuals_vanish():
    objective = _objective("square", [3, 3, 2, 1], power=2)
    teacher = objective.initial
    outputs = objective.network(teacher)(objective.problem.inputs)
    objective = Objective(Problem(objective.problem.inputs, outputs), objective.network(teacher))

    def loss(theta: Tensor) -> Tensor:
        values = objective.problem.inputs
        parts = [part.view(shape) for part, shape in zip(theta.split(objective.sizes), objective.shapes, strict=True)]
        for weight in parts[:-1]:
            values = torch.relu(values @ weight.T) ** 2
        return (values @ parts[-1].T - outputs).square().sum() / (2 * len(outputs))

    hessian = torch.autograd.functional.hessian(loss, teacher)
    torch.testing.assert_close(objective.gauss_newton(teacher).matrix, hessian, rtol=1e-9, atol=1e-9)


@pytest.mark.exact_data(reason="the sample is exactly on the kink")
def test_gradient_at_a_kink_is_that_of_the_negative_side():
    # z = 0 for the only sample; its target pulls the output up.
    problem = Problem([[1.0, 0.0]], [1.0])
    for leak in (0.0, 0.25, -0.5):
        objective = Objective(problem, HomogeneousNetwork([[[0.0, 1.0]], [[2.0]]], leak=leak))
        _, gradient = objective.loss_and_gradient(objective.initial)
        assert gradient.tolist() == [-2.0 * leak, 0.0, 0.0]


def test_later_evaluations_leave_earlier_gradients_alone():
    objective = _objective("square", [3, 2, 1])
    theta = objective.initial
    _, first = objective.loss_and_gradient(theta)
    kept = first.clone()
    objective.loss_and_gradient(2 * theta)
    objective.loss(3 * theta)
    assert torch.equal(first, kept)
    assert torch.equal(objective.loss_and_gradient(theta)[1], kept)


def test_weights_that_require_a_gradient_are_only_read():
    objective = _objective("cross_entropy", [3, 2, 3])
    theta = objective.initial.clone().requires_grad_()
    loss, gradient = objective.loss_and_gradient(theta)
    assert (loss, gradient.requires_grad) == (objective.loss(objective.initial), False)
    assert not objective.gauss_newton(theta).matrix.requires_grad


def test_evaluations_are_counted():
    objective = _objective("square", [3, 2, 1])
    objective.loss(objective.initial)
    objective.loss_and_gradient(objective.initial)
    objective.gauss_newton(objective.initial)
    assert objective.evaluations == 3


def test_theta_is_the_weights_row_by_row():
    network = HomogeneousNetwork([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]])
    objective = Objective(Problem([[1.0, 1.0]], [0.0]), network)
    assert objective.initial.tolist() == [1, 2, 3, 4, 5, 6]
    assert objective.size == 6
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(objective.network(objective.initial).weights, network.weights, strict=True)
    )


def test_single_precision_stays_single():
    double = _objective("square", [4, 3, 2, 1])
    single = Objective(double.problem.to(dtype="float32"), double.network(double.initial).to(dtype="float32"))
    loss, gradient = single.loss_and_gradient(single.initial)
    expected = double.loss_and_gradient(double.initial)
    assert gradient.dtype == single.gauss_newton(single.initial).matrix.dtype == torch.float32
    assert loss == pytest.approx(expected[0], rel=1e-5)
    torch.testing.assert_close(gradient.double(), expected[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (HomogeneousNetwork([[[1.0] * 2], [[1.0]]]), "inputs, 3, got 2"),
        (HomogeneousNetwork([[[1.0] * 3], [[1.0]] * 2]), "outputs, 1, got 2"),
        (HomogeneousNetwork([torch.ones(1, 3), torch.ones(1, 1)]), "dtype, torch.float64, got torch.float32"),
    ],
)
def test_networks_that_do_not_fit_the_problem_are_refused(network, message):
    with pytest.raises(ValueError, match=message):
        Objective(Problem([[1.0, 2.0, 3.0]], [1.0]), network)
