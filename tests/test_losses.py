"""The losses against automatic differentiation and values worked out by hand."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import np_widgets as npw
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import ElementwiseLoss
from np_widgets.problems.losses import LOSSES
from np_widgets.sessions.values import Packer


class Huber(ElementwiseLoss):
    """½e² up to 1, and a straight line from there."""

    name = "Huber"

    def of(self, error: Tensor) -> Tensor:
        return torch.where(error.abs() <= 1, error.square() / 2, error.abs() - 0.5)

    def slope(self, error: Tensor) -> Tensor:
        return error.clamp(-1, 1)

    def curvature(self, error: Tensor) -> Tensor:
        return (error.abs() <= 1).to(error)


ALL = {**LOSSES, "Huber": Huber()}


def _data(name: str, seed: int, samples: int, outputs: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = 3 * torch.randn(samples, outputs, generator=generator, dtype=torch.float64)
    if name != "cross_entropy":
        return values, torch.randn(samples, outputs, generator=generator, dtype=torch.float64)
    return values, torch.randint(outputs, (samples,), generator=generator)


shapes = {"seed": st.integers(0, 10_000), "samples": st.integers(1, 6), "outputs": st.integers(2, 5)}


def test_square_loss_is_half_the_mean_squared_distance():
    outputs = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    targets = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    assert LOSSES["square"].value(outputs, targets).item() == pytest.approx((5 / 2 + 16 / 2) / 2)


def test_cross_entropy_of_equal_scores_is_the_logarithm_of_the_number_of_classes():
    value = LOSSES["cross_entropy"].value(torch.full((3, 7), 2.5, dtype=torch.float64), torch.tensor([0, 3, 6]))
    assert value.item() == pytest.approx(math.log(7), rel=1e-14)


def test_cross_entropy_of_two_classes_is_the_logistic_loss():
    margins = torch.tensor([-3.0, 0.5, 8.0], dtype=torch.float64)
    outputs = torch.stack([margins, torch.zeros(3, dtype=torch.float64)], dim=1)
    value = LOSSES["cross_entropy"].value(outputs, torch.zeros(3, dtype=torch.int64))
    assert value.item() == pytest.approx(torch.log1p(torch.exp(-margins)).mean().item(), rel=1e-12)


def test_cross_entropy_stays_finite_for_huge_scores():
    outputs = torch.tensor([[1e5, -1e5], [1e5, -1e5]], dtype=torch.float64)
    targets = torch.tensor([0, 1])
    loss = LOSSES["cross_entropy"]
    assert loss.value(outputs, targets).item() == pytest.approx(1e5)
    torch.testing.assert_close(
        loss.residual(outputs, targets), torch.tensor([[0.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
    )
    assert bool(torch.isfinite(loss.whiten(torch.ones(2, 2, 3, dtype=torch.float64), outputs, targets)).all())


@pytest.mark.parametrize("name", ALL)
@given(**shapes)
def test_residual_is_minus_the_gradient_of_each_sample(name: str, seed: int, samples: int, outputs: int):
    values, targets = _data(name, seed, samples, outputs)
    values.requires_grad_()
    total = samples * ALL[name].value(values, targets)
    (gradient,) = torch.autograd.grad(total, values)
    torch.testing.assert_close(ALL[name].residual(values.detach(), targets), -gradient)


@pytest.mark.parametrize("name", ALL)
@given(**shapes)
def test_gram_matrix_of_the_whitened_jacobian_is_the_gauss_newton_matrix(
    name: str, seed: int, samples: int, outputs: int
):
    values, targets = _data(name, seed, samples, outputs)
    generator = torch.Generator().manual_seed(seed + 1)
    jacobian = torch.randn(samples, outputs, 4, generator=generator, dtype=torch.float64)

    def loss_of_linear_model(theta: Tensor) -> Tensor:
        # Linear in theta, so that its Hessian is the Gauss–Newton matrix.
        return ALL[name].value(values + jacobian @ theta, targets)

    hessian = torch.autograd.functional.hessian(loss_of_linear_model, torch.zeros(4, dtype=torch.float64))
    root = ALL[name].whiten(jacobian, values, targets).reshape(-1, 4)
    torch.testing.assert_close(root.T @ root / samples, hessian, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_leading_dimensions_are_independent_networks(name: str):
    values, targets = _data(name, 0, 5, 3)
    batch = torch.stack([torch.stack([values, -values]), torch.stack([2 * values, values + 1])])
    loss = ALL[name]
    assert loss.value(batch, targets).shape == (2, 2)
    for i in range(2):
        for j in range(2):
            torch.testing.assert_close(loss.value(batch, targets)[i, j], loss.value(batch[i, j], targets))
            torch.testing.assert_close(loss.residual(batch, targets)[i, j], loss.residual(batch[i, j], targets))


def test_cross_entropy_of_certain_and_right_predictions_is_zero_without_a_sign():
    loss = LOSSES["cross_entropy"]
    outputs = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], dtype=torch.float64)
    assert f"{float(loss.value(outputs, torch.tensor([0, 1]))):g}" == "0"


def contaminated(samples: int, outliers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two neurons on two of three inputs and a constant, and some targets that are far off."""
    generator = np.random.default_rng(seed)
    inputs = np.column_stack([generator.standard_normal((samples, 3)), np.ones(samples)])
    targets = 2 * np.maximum(inputs[:, 0], 0) - np.maximum(inputs[:, 1] + 0.5, 0)
    targets[:outliers] += 30
    return inputs, targets


def test_a_pursuit_with_a_loss_of_ones_own_lets_outliers_be():
    errors = {}
    for loss in (Huber(), "square"):
        problem = npw.Problem(*contaminated(80, 8, 0), loss, test=contaminated(200, 0, 1))
        pursuit = npw.NeuronPursuit(problem, hidden_layers=1, starts=8, max_steps=100)
        pursuit.run(2)
        missed = pursuit.network(problem.test_inputs) - problem.test_targets
        errors[problem.loss.name] = float(missed.square().mean())
    assert errors["Huber"] < 0.1
    assert errors["square"] > 20 * errors["Huber"]


@pytest.mark.parametrize("minimizer", ["lbfgs", "levenberg_marquardt", "adam"])
def test_every_minimizer_takes_it(minimizer):
    problem = npw.Problem(*contaminated(40, 4, 0), Huber())
    pursuit = npw.NeuronPursuit(problem, hidden_layers=1, starts=4, max_steps=40, minimizer=minimizer)
    pursuit.run(1)
    assert pursuit.loss < 0.95 * problem.zero_loss
    objective = Objective(problem, pursuit.network)
    theta = objective.initial.clone().requires_grad_()
    loss = problem.loss.value(objective.network(theta).forward(problem.inputs).output, problem.targets)
    (gradient,) = torch.autograd.grad(loss, theta)
    torch.testing.assert_close(objective.loss_and_gradient(objective.initial)[1], gradient)
    torch.testing.assert_close(objective.gauss_newton(objective.initial).gradient, gradient)


def test_with_a_price_on_weights_it_ends_without_a_certificate_that_nobody_has():
    problem = npw.Problem(*contaminated(30, 3, 0), Huber())
    pursuit = npw.NeuronPursuit(problem, hidden_layers=1, starts=4, weight_decay=0.5)
    finish = pursuit.run(6)
    assert finish.gap is None
    assert "separated" not in str(finish)


def test_a_session_with_it_says_that_it_cannot_be_saved():
    with pytest.raises(TypeError, match=r"^a session with a loss of one's own cannot be saved: Huber\(\)"):
        Packer().pack(npw.Problem(*contaminated(10, 1, 0), Huber()))
    Packer().pack(copy.deepcopy(npw.Problem(*contaminated(10, 1, 0))))


class Backwards(Huber):
    def slope(self, error: Tensor) -> Tensor:
        return -error.clamp(-1, 1)


class Shapeless(Huber):
    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).abs()


class Squared(Huber):
    name = "square"


@pytest.mark.parametrize(
    ("loss", "error", "said"),
    [
        (Backwards(), ValueError, "loss.residual must be minus the derivative of loss.value"),
        (Shapeless(), ValueError, "loss must have a value of shape ()"),
        (Squared(), ValueError, "loss.name must be another than 'square', 'cross_entropy', got 'square'"),
        (Huber, TypeError, "loss must be one of 'square', 'cross_entropy', or an object with value, residual,"),
        (torch.nn.HuberLoss(), TypeError, "loss must be one of"),
    ],
)
def test_a_loss_that_contradicts_itself_is_refused(loss, error: type[Exception], said: str):
    with pytest.raises(error, match="^" + re.escape(said)):
        npw.Problem(*contaminated(10, 1, 0), loss)


def test_its_curvature_depends_on_the_targets():
    problem = npw.Problem([[1.0], [1.0]], [0.5, 9.0], Huber())
    network = HomogeneousNetwork([[[1.0]], [[1.0]]])
    matrix = Objective(problem, network).gauss_newton(torch.ones(2, dtype=torch.float64)).matrix
    torch.testing.assert_close(matrix, torch.full((2, 2), 0.5, dtype=torch.float64))
