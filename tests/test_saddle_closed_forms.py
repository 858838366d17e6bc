"""Trajectories that can be written down, or worked out by other means, against those that are computed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import np_widgets as npw
from tests import saddles
from tests.saddles import double

pytestmark = pytest.mark.rounding


def whitened(samples: int = 30, inputs: int = 4) -> np.ndarray:
    """Inputs with ``XᵀX/n = 1``."""
    columns = np.random.default_rng(3).standard_normal((samples, inputs))
    return np.linalg.qr(columns)[0] * math.sqrt(samples)


def logistic(start: float, end: float, time: np.ndarray) -> np.ndarray:
    """Solves ``m' = 2m(end − m)``."""
    return end / (1 + (end / start - 1) * np.exp(-2 * end * time))


LEFT = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))[0]
RIGHT = np.linalg.qr(np.random.default_rng(5).standard_normal((4, 4)))[0]
VALUES = (2.0, 1.2, 0.7)


def linear_problem() -> npw.Problem:
    """Targets with the singular values ``VALUES``, some of them out of reach of a linear network."""
    x = whitened()
    noise = np.random.default_rng(6).standard_normal((30, 3))
    noise -= x @ (x.T @ noise) / 30
    return npw.Problem(x, x @ RIGHT[:, :3] @ np.diag(VALUES) @ LEFT.T + 0.3 * noise)


def mode_point(mode: int) -> npw.KKTPoint:
    return npw.KKTPoint(
        layer=1,
        value=VALUES[mode] / 2,
        incoming=double(RIGHT[:, mode] / math.sqrt(2)),
        outgoing=double(LEFT[:, mode] / math.sqrt(2)),
        residual=0.0,
    )


def assert_modes_are_logistic(flow, neurons: dict[int, tuple[int, float]]):
    """``neurons``: of each the mode that it is in, and the strength of that mode at the start."""
    frame = flow.frame()
    time = frame.record.time
    assert len(time) > 50
    for index, (mode, start) in neurons.items():
        strength = np.sqrt(logistic(start, VALUES[mode], time))
        incoming = np.array([matrices[0][index] for matrices in frame.history])
        outgoing = np.array([matrices[1][:, index] for matrices in frame.history])
        np.testing.assert_allclose(incoming, strength[:, None] * RIGHT[:, mode], atol=1e-5)
        np.testing.assert_allclose(outgoing, strength[:, None] * LEFT[:, mode], atol=1e-5)


def test_from_near_the_origin_a_linear_network_learns_the_largest_singular_value_as_a_logistic_curve():
    point = npw.find_origin_points(linear_problem(), hidden_layers=1, leak=1.0)[0]
    assert point.value == pytest.approx(VALUES[0] / 2, rel=1e-9)
    flow = npw.SaddleFlow(None, linear_problem(), point, 1e-3, leak=1.0, starts=10)
    flow.run(7.0)
    assert flow.time == 7.0
    sign = np.sign(float(point.weights[0][0] @ double(RIGHT[:, 0])))
    frame = flow.frame()
    strength = np.sqrt(logistic(1e-6 / 2, VALUES[0], frame.record.time))
    assert strength[-1] > 0.999 * math.sqrt(VALUES[0])
    incoming = np.array([matrices[0][0] for matrices in frame.history])
    np.testing.assert_allclose(incoming, sign * strength[:, None] * RIGHT[:, 0], atol=1e-5)
    assert frame.record.drift.max() < 1e-6


def test_near_a_saddle_of_a_linear_network_two_singular_values_grow_side_by_side_as_logistic_curves():
    scale = math.sqrt(VALUES[0])
    network = npw.HomogeneousNetwork([scale * RIGHT[:, :1].T, scale * LEFT[:, :1]], leak=1.0)
    flow = npw.SaddleFlow(network, linear_problem(), (mode_point(1), mode_point(2)), 1e-3, starts=10)
    flow.run(16.0)
    # Each has half of the squared norm 1e-6, half of that in its incoming weights.
    assert_modes_are_logistic(flow, {0: (0, VALUES[0]), 1: (1, 1e-6 / 4), 2: (2, 1e-6 / 4)})
    assert float(flow.network.weights[1][:, 2].norm()) > 0.99 * math.sqrt(VALUES[2])
    unexplained = float((linear_problem().targets - flow.network(linear_problem().inputs)).square().sum(1).mean() / 2)
    assert flow.loss == pytest.approx(unexplained, rel=1e-12)


def test_descent_of_a_linear_network_follows_the_recursion_of_its_mode():
    scale = math.sqrt(VALUES[0])
    network = npw.HomogeneousNetwork([scale * RIGHT[:, :1].T, scale * LEFT[:, :1]], leak=1.0)
    flow = npw.SaddleFlow(
        network, linear_problem(), (mode_point(1),), 1e-2, starts=10, dynamics="descent", step_size=0.05
    )
    flow.run(9.97)
    steps = flow.frame().steps
    assert steps == 200
    assert flow.time == pytest.approx(10.0)
    strength = 1e-2 / math.sqrt(2)
    for _ in range(steps):
        strength += 0.05 * strength * (VALUES[1] - strength**2)
    np.testing.assert_allclose(flow.network.weights[0][1].numpy(), strength * RIGHT[:, 1], rtol=1e-9, atol=1e-12)


def test_a_relu_neuron_that_all_samples_switch_on_learns_as_a_logistic_curve():
    x = np.random.default_rng(0).uniform(0.5, 2.0, 40)
    problem = npw.Problem(x[:, None], 1.5 * x)
    point = npw.find_origin_points(problem, hidden_layers=1)[0]
    moment = float((x**2).mean())
    assert point.value == pytest.approx(1.5 * moment / 2, rel=1e-12)
    flow = npw.SaddleFlow(None, problem, point, 1e-2, starts=5, tolerance=1e-8)
    flow.run(8.0)
    frame = flow.frame()
    # In time moment·t the product of the two weights is a logistic curve.
    strength = np.sqrt(logistic(1e-4 / 2, 1.5, moment * frame.record.time))
    for layer in (0, 1):
        np.testing.assert_allclose([m[layer][0, 0] for m in frame.history], strength, atol=1e-5)
    assert strength[-1] == pytest.approx(math.sqrt(1.5), rel=1e-4)


def squared_neuron_time(a: float, root: float) -> float:
    """An antiderivative of ``1/(a²(root³ − a³))``, by partial fractions."""
    inner = -math.log(root - a) + math.log(a * a + root * a + root * root) / 2
    inner -= math.sqrt(3) * math.atan((2 * a + root) / (root * math.sqrt(3)))
    return (-1 / a + inner / (3 * root)) / root**3


@pytest.mark.parametrize("scale", [3e-2, 1e-3])
def test_a_squared_neuron_of_one_input_learns_as_its_exact_solution(scale):
    x = np.random.default_rng(0).uniform(0.5, 1.5, 40)
    problem = npw.Problem(x[:, None], 0.8 * x**2)
    point = npw.find_origin_points(problem, hidden_layers=1, power=2)[0]
    flow = npw.SaddleFlow(None, problem, point, scale, power=2, starts=5)
    # With b² = 2a² the flow is a' = 4M·a²·(c/2 − a³), M the mean of x⁴ and c = 0.8.
    moment, root = float((x**4).mean()), (0.8 / 2) ** (1 / 3)
    start = scale / math.sqrt(3)
    end = 0.999 * root
    flow.run((squared_neuron_time(end, root) - squared_neuron_time(start, root)) / (4 * moment))
    frame = flow.frame()
    for time, (incoming, outgoing) in list(zip(frame.record.time, frame.history, strict=True))[1::7]:
        exact = brentq(
            lambda a, time=time: squared_neuron_time(a, root)
            - squared_neuron_time(start, root)
            - 4 * moment * time,
            start / 2,
            0.9999 * root,
            xtol=1e-13,
        )  # fmt: skip
        assert outgoing[0, 0] == pytest.approx(exact, abs=1e-5)
        assert incoming[0, 0] == pytest.approx(math.sqrt(2) * exact, abs=1e-5)
    assert frame.history[-1][1][0, 0] == pytest.approx(end, abs=1e-5)


def reference(flow: npw.SaddleFlow, until: float, power: int, leak: float) -> np.ndarray:
    """The same flow by another program: automatic differentiation and scipy's integrator in one go."""
    problem, start = flow.problem, flow.frame().history[0]
    shapes = [matrix.shape for matrix in start]
    sizes = np.cumsum([matrix.size for matrix in start])[:-1]

    def field(_: float, y: np.ndarray) -> np.ndarray:
        parts = [
            double(part.reshape(shape)).requires_grad_() for part, shape in zip(np.split(y, sizes), shapes, strict=True)
        ]
        hidden = problem.inputs
        for weight in parts[:-1]:
            z = hidden @ weight.T
            hidden = torch.maximum(z, leak * z) ** power
        loss = problem.loss.value(hidden @ parts[-1].T, problem.targets)
        gradient = torch.autograd.grad(loss, parts)
        return -np.concatenate([part.numpy().reshape(-1) for part in gradient])

    y = np.concatenate([matrix.reshape(-1) for matrix in start])
    return solve_ivp(field, (0, until), y, method="DOP853", rtol=1e-8, atol=1e-11).y[:, -1]


@pytest.mark.parametrize(
    ("hidden", "power", "leak", "until"), [(1, 1, 1.0, 30.0), (2, 1, 1.0, 30.0), (1, 2, 0.0, 60.0), (2, 2, -1.0, 20.0)]
)
def test_smooth_flows_agree_with_another_integration(hidden, power, leak, until):
    problem = saddles.teacher(hidden, power, leak, seed=1, samples=40)
    network = saddles.saddle(hidden, power, leak, seed=1, samples=40)
    flow = npw.SaddleFlow(network, problem, 2, 0.01, starts=3)
    flow.run(until)
    found = np.concatenate([weight.numpy().reshape(-1) for weight in flow.network.weights])
    np.testing.assert_allclose(found, reference(flow, until, power, leak), atol=1e-5)


def test_a_kinked_flow_without_sliding_agrees_with_another_integration():
    flow = npw.SaddleFlow(saddles.saddle(leak=0.5), saddles.teacher(leak=0.5), 2, 0.01, starts=3, tolerance=1e-8)
    flow.run(10.0)
    found = np.concatenate([weight.numpy().reshape(-1) for weight in flow.network.weights])
    np.testing.assert_allclose(found, reference(flow, 10.0, 1, 0.5), atol=1e-4)


# ------------------------------------------------------------------------------------------------------ along kinks


def test_along_kinks_the_error_is_proportional_to_the_tolerance_and_the_loss_rises_by_no_more():
    # A minimum with samples at kinks, along which the flow slides from the start.
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuit = npw.NeuronPursuit(problem, starts=10, seed=0)
    pursuit.run(max_additions=0)
    drifts = {}
    for tolerance in (1e-6, 1e-7):
        flow = npw.SaddleFlow(pursuit.network, problem, 1, 1e-2, starts=3, polish=True, tolerance=tolerance)
        flow.run(0.75)
        record = flow.record
        drifts[tolerance] = record.drift.max()
        rises = np.diff(record.loss) / record.loss[:-1]
        assert rises.max() <= 300 * tolerance
        assert 10 * tolerance < drifts[tolerance] < 3000 * tolerance
    assert drifts[1e-7] < drifts[1e-6] / 4
