"""The flow of the penalized loss near a saddle, against closed forms."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import np_widgets as npw
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.prediction import ray_time
from tests.test_paths import linear_problem

pytestmark = pytest.mark.rounding
DECAY = 0.5


@pytest.fixture(scope="module")
def case():
    """One linear neuron at the minimum of the penalized loss: the largest singular value, less the price."""
    problem, values = linear_problem()
    matrix = (problem.targets.T @ problem.inputs / problem.samples).numpy()
    left, found, right = np.linalg.svd(matrix)
    assert found[:3] == pytest.approx(values, rel=1e-9)
    size = math.sqrt(values[0] - DECAY)
    network = npw.HomogeneousNetwork([size * right[:1], size * left[:, :1]], leak=1.0)
    points = npw.find_kkt_points(network, problem, starts=10)
    return problem, values, network, points


def test_a_neuron_grows_at_twice_its_value_less_the_price(case):
    problem, values, network, points = case
    assert points[0].value == pytest.approx(values[1] / 2, rel=1e-8)
    scale, rate = 1e-4, values[1] - DECAY
    flow = npw.SaddleFlow(network, problem, points[0], scale, weight_decay=DECAY, starts=10)
    flow.run_to("escape")
    norm = flow.prediction.escape_norm
    assert flow.prediction.escape_time == pytest.approx(math.log(norm / scale) / rate, rel=1e-6)
    # Beside its neighbours it is a logistic curve of its own.
    odds = [size**2 / (2 * rate) / (1 - size**2 / (2 * rate)) for size in (scale, norm)]
    assert flow.time == pytest.approx(math.log(odds[1] / odds[0]) / (2 * rate), rel=1e-4)
    weights = flow.network.weights
    loss = float(problem.loss.value(flow.network(problem.inputs), problem.targets))
    assert flow.loss == pytest.approx(loss + DECAY / 2 * sum(float(w.square().sum()) for w in weights), rel=1e-9)


def test_what_a_price_changes_of_the_balance_is_no_error(case):
    problem, _, network, _ = case
    flow = npw.SaddleFlow(network, problem, 3, 1e-2, seed=1, weight_decay=DECAY, starts=10)
    flow.run(3.0)
    assert flow.record.drift.max() < 1e-5
    balance = [
        (w1.square().sum(1) - w2.square().sum(0)).numpy()
        for w1, w2 in (flow._passage.network(flow.state()["start"]).weights, flow.network.weights)
    ]
    assert balance[1] == pytest.approx(math.exp(-2 * DECAY * 3.0) * balance[0], abs=1e-9)


def test_what_is_not_worth_its_price_does_not_grow():
    problem, values = linear_problem()
    decay = 2.5  # above the second singular value
    matrix = (problem.targets.T @ problem.inputs / problem.samples).numpy()
    left, _, right = np.linalg.svd(matrix)
    size = math.sqrt(values[0] - decay)
    network = npw.HomogeneousNetwork([size * right[:1], size * left[:, :1]], leak=1.0)
    flow = npw.SaddleFlow(network, problem, 2, 1e-3, weight_decay=decay, starts=10)
    reason = flow.run_to("escape")
    assert "worth more than the price" in reason
    assert flow.prediction.escape_time is None
    flow.run(flow.time + 3.0)
    assert flow.record.dormant_norm[-1] < flow.record.dormant_norm[0]


def test_an_unpenalized_minimum_is_refused_as_a_saddle_of_the_penalized_loss(case):
    problem, values, network, _ = case
    free = npw.HomogeneousNetwork(
        [math.sqrt(values[0] / (values[0] - DECAY)) ** 1 * w for w in network.weights], leak=1.0
    )
    npw.SaddleFlow(free, problem, 1)
    with pytest.raises(ValueError, match="minimum"):
        npw.SaddleFlow(free, problem, 1, weight_decay=DECAY)
    with pytest.raises(ValueError, match="minimum"):
        npw.SaddleFlow(network, problem, 1)
    with pytest.raises((TypeError, ValueError), match="weight_decay"):
        npw.SaddleFlow(network, problem, 1, weight_decay=-1.0)


def test_an_ensemble_escapes_at_the_same_rate(case):
    problem, values, network, _ = case
    times = [
        npw.escape_ensemble(network, problem, 2, scale, members=4, weight_decay=DECAY, starts=10).escape_time
        for scale in (1e-3, 1e-5)
    ]
    slope = (times[1] - times[0]) / math.log(100)
    assert slope == pytest.approx(np.full(4, 1 / (values[1] - DECAY)), rel=0.02)
    alone = npw.SaddleFlow(network, problem, 2, 1e-3, seed=2, weight_decay=DECAY, starts=10)
    alone.run_to("escape")
    assert alone.time == pytest.approx(times[0][2], rel=1e-5)


@settings(max_examples=30)
@given(
    value=st.floats(0.05, 2.0),
    degree=st.integers(2, 4),
    decay=st.floats(0.01, 1.0),
    start=st.floats(0.01, 0.5),
    factor=st.floats(1.1, 3.0),
)
def test_the_time_along_a_ray_solves_its_equation(value, degree, decay, start, factor):
    end = factor * start
    time = ray_time(value, degree, start, end, decay)
    rate = degree * value * start ** (degree - 2) - decay
    if rate <= 0:
        assert time == math.inf
        return
    solution = solve_ivp(
        lambda _, rho: degree * value * rho ** (degree - 1) - decay * rho, (0, time), [start], rtol=1e-10, atol=1e-12
    )
    assert solution.y[0, -1] == pytest.approx(end, rel=1e-6)


def test_the_hessian_has_the_price(case):
    problem, _, network, _ = case
    theta = Objective(problem, network).initial
    plain, priced = (Hessian(Objective(problem, network, decay), theta) for decay in (0.0, DECAY))
    assert torch.allclose(
        torch.from_numpy(priced.whole() - plain.whole()), DECAY * torch.eye(len(theta), dtype=theta.dtype), atol=1e-12
    )
    assert torch.allclose(priced.gradient, Objective(problem, network, DECAY).loss_and_gradient(theta)[1], atol=1e-9)


def test_a_reset_to_another_price_starts_near_its_minimum_and_can_be_undone(case):
    problem, values, network, _ = case
    flow = npw.SaddleFlow(network, problem, 2, 1e-3, weight_decay=DECAY, starts=10)
    flow.run(1.0)
    state, bits = flow.state(), flow.frame().weights[0].tobytes()
    for decay in (0.2, 0.0):
        flow.reset(weight_decay=decay)
        assert flow.frame().weight_decay == flow.settings.weight_decay == decay
        # The largest singular value, less the price.
        active = flow.frame().weights[0][:1]
        assert float(np.square(active).sum()) == pytest.approx(values[0] - decay, rel=1e-6)
        while flow.prediction is None:
            flow.advance()
        assert flow.prediction.rate == pytest.approx(values[1] - decay, rel=1e-6)
        rate = f"at a rate of 2N* {f'− λ = {values[1]:.4g} − {decay:g} ' if decay else ''}= {values[1] - decay:.4g}"
        assert rate in flow.frame().message
        assert copy.deepcopy(flow).frame().weights[0].tobytes() == flow.frame().weights[0].tobytes()
    before = flow.frame()
    with pytest.raises(ValueError, match="weight_decay must leave every neuron of the network some weights, got 20"):
        flow.reset(weight_decay=20.0)
    assert flow.frame().weight_decay == before.weight_decay
    flow.restore(state)
    assert flow.frame().weights[0].tobytes() == bits
    assert flow.settings.weight_decay == DECAY
    flow.reset(seed=1)
    flow.reset(weight_decay=0.2)
    flow.reset(weight_decay=DECAY)  # the network that was given, to the bit
    assert flow.frame().weights[0][:1].tobytes() == network.weights[0].numpy().tobytes()


def test_at_the_origin_a_price_can_be_reset_too():
    problem, values = linear_problem()
    flow = npw.SaddleFlow(None, problem, (2,), 1e-3, leak=1.0, starts=10)
    flow.reset(weight_decay=DECAY)
    while flow.prediction is None:
        flow.advance()
    assert flow.prediction.rate == pytest.approx(values[0] - DECAY, rel=1e-6)
    assert f"2N* − λ = {values[0]:.4g} − {DECAY:g}" in flow.frame().message
