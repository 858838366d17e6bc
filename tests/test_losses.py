"""The losses against automatic differentiation and values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from np_widgets.problems.losses import LOSSES


def _data(name: str, seed: int, samples: int, outputs: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = 3 * torch.randn(samples, outputs, generator=generator, dtype=torch.float64)
    if name == "square":
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
    assert bool(torch.isfinite(loss.whiten(torch.ones(2, 2, 3, dtype=torch.float64), outputs)).all())


@pytest.mark.parametrize("name", LOSSES)
@given(**shapes)
def test_residual_is_minus_the_gradient_of_each_sample(name: str, seed: int, samples: int, outputs: int):
    values, targets = _data(name, seed, samples, outputs)
    values.requires_grad_()
    total = samples * LOSSES[name].value(values, targets)
    (gradient,) = torch.autograd.grad(total, values)
    torch.testing.assert_close(LOSSES[name].residual(values.detach(), targets), -gradient)


@pytest.mark.parametrize("name", LOSSES)
@given(**shapes)
def test_gram_matrix_of_the_whitened_jacobian_is_the_gauss_newton_matrix(
    name: str, seed: int, samples: int, outputs: int
):
    values, targets = _data(name, seed, samples, outputs)
    generator = torch.Generator().manual_seed(seed + 1)
    jacobian = torch.randn(samples, outputs, 4, generator=generator, dtype=torch.float64)

    def loss_of_linear_model(theta: Tensor) -> Tensor:
        # Linear in theta, so that its Hessian is the Gauss–Newton matrix.
        return LOSSES[name].value(values + jacobian @ theta, targets)

    hessian = torch.autograd.functional.hessian(loss_of_linear_model, torch.zeros(4, dtype=torch.float64))
    root = LOSSES[name].whiten(jacobian, values).reshape(-1, 4)
    torch.testing.assert_close(root.T @ root / samples, hessian, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_leading_dimensions_are_independent_networks(name: str):
    values, targets = _data(name, 0, 5, 3)
    batch = torch.stack([torch.stack([values, -values]), torch.stack([2 * values, values + 1])])
    loss = LOSSES[name]
    assert loss.value(batch, targets).shape == (2, 2)
    for i in range(2):
        for j in range(2):
            torch.testing.assert_close(loss.value(batch, targets)[i, j], loss.value(batch[i, j], targets))
            torch.testing.assert_close(loss.residual(batch, targets)[i, j], loss.residual(batch[i, j], targets))


def test_cross_entropy_of_certain_and_right_predictions_is_zero_without_a_sign():
    loss = LOSSES["cross_entropy"]
    outputs = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], dtype=torch.float64)
    assert f"{float(loss.value(outputs, torch.tensor([0, 1]))):g}" == "0"
