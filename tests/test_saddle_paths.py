"""Saddles that only a path of neurons leaves: predicted by the path's own law, or said to be without a prediction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

import np_widgets as npw
from np_widgets.learning.correlation.paths import PathSearch
from np_widgets.learning.saddles.prediction import ray_time
from tests.saddles import double
from tests.test_paths import linear_problem

pytestmark = pytest.mark.rounding


def rank_one(problem, values, hidden):
    """The minimum of one neuron a layer: the best fit of rank one, in balanced weights."""
    left, _, right = np.linalg.svd((problem.targets.T @ problem.inputs / problem.samples).numpy())
    size = values[0] ** (1 / (hidden + 1))
    inner = [[[size]]] * (hidden - 1)
    return npw.HomogeneousNetwork([size * right[:1], *inner, size * left[:, :1]], leak=1.0)


@pytest.fixture(scope="module", params=[2, 3])
def case(request):
    problem, values = linear_problem()
    network = rank_one(problem, values, request.param)
    points = npw.find_kkt_points(network, problem, starts=10, longest=None)
    return problem, values, network, next(point for point in points if point.inner), request.param + 1


def exact_time(value, depth, start, end):
    """How long a chain of balanced linear weights w takes: dw/dt = w^(depth−1) (value − w^depth), from norm to norm."""
    ends = [norm / math.sqrt(depth) for norm in (start, end)]
    return quad(lambda w: 1 / (w ** (depth - 1) * (value - w**depth)), *ends, epsrel=1e-10, limit=200)[0]


def test_a_path_on_its_ray_escapes_when_the_law_of_its_degree_says(case):
    problem, values, network, point, depth = case
    assert (point.layer, point.last, point.degree) == (1, depth - 1, depth)
    assert point.value == pytest.approx(values[1] * depth ** (-depth / 2), rel=1e-5)
    scale = 1e-2 if depth == 3 else 4e-2
    flow = npw.SaddleFlow(network, problem, point, scale, starts=10)
    flow.run_to("escape")
    prediction = flow.prediction
    assert prediction.degree == depth
    assert prediction.value == pytest.approx(point.value, rel=1e-6)
    assert (prediction.neuron_destination[0], prediction.neuron_destination[-1]) == (0, 0)
    assert prediction.destinations[0].inner == pytest.approx(point.inner, rel=1e-6) or depth > 2
    law = ray_time(point.value, depth, scale, prediction.escape_norm)
    assert prediction.escape_time == pytest.approx(law, rel=1e-5)
    assert flow.time == pytest.approx(exact_time(values[1], depth, scale, prediction.escape_norm), rel=1e-3)
    assert flow.time == pytest.approx(prediction.escape_time, rel=2e-3)
    # N* at the start, of the weights that flow together.
    assert flow.record.correlation[0] == pytest.approx(point.value, rel=1e-5)
    assert flow.events[0].message.count("path's weights") == 1
    assert "predicted" in flow.finished


def test_a_mirror_image_of_the_path_is_the_same_path(case):
    problem, _, network, point, depth = case
    if depth == 3:
        mirrored = npw.KKTPoint(
            1, point.value, -point.incoming, point.outgoing, point.residual, inner=tuple(-c for c in point.inner)
        )
        flows = [npw.SaddleFlow(network, problem, each, 2e-2, starts=10) for each in (point, mirrored)]
        for flow in flows:
            flow.run(1.0)
        assert flows[0].prediction.escape_time == pytest.approx(flows[1].prediction.escape_time, rel=1e-9)


def test_where_the_start_is_near_no_ray_there_is_no_prediction_and_it_flows():
    problem, values = linear_problem()
    network = rank_one(problem, values, 2)
    for dormant in ((1, 1), (2, 2)):
        flow = npw.SaddleFlow(network, problem, dormant, 1e-2, seed=3, starts=10)
        flow.run(2.0)
        assert flow.prediction.escape_time is None
        assert flow.prediction.destinations == ()
        assert flow.time == 2.0
        flow.aim(None)
        assert "no escape is predicted" in flow.frame().message
        assert "consecutive layers" in flow.frame().message


def test_pictures_show_a_path_from_both_of_its_ends(case):
    problem, _, network, point, depth = case
    flow = npw.SaddleFlow(network, problem, point, 3e-2, starts=10)
    flow.run(1.0)
    frame = flow.frame()
    from np_widgets.pictures.plane import plane

    for layer in (1, depth - 1):
        scene = plane(frame, layer)
        assert not scene.empty
    cosines = np.array(frame.record.neuron_cosine[-1])
    ends = [cosines[0], cosines[-1]]
    assert ends == pytest.approx([1.0, 1.0], abs=1e-4)


def predicted(flow):
    while flow.prediction is None:
        flow.advance()
    return flow


def test_time_to_escape_grows_by_the_inverse_of_the_scale():
    problem, values = linear_problem()
    network = rank_one(problem, values, 2)
    point = next(each for each in npw.find_kkt_points(network, problem, starts=10, longest=None) if each.inner)
    times = []
    for scale in (2e-2, 1e-2):
        flow = npw.SaddleFlow(network, problem, point, scale, starts=3)
        flow.run_to("escape")
        times.append(flow.time)
    # For D = 3 the slope against 1/δ is 1/(3N*).
    assert (times[1] - times[0]) / (1 / 1e-2 - 1 / 2e-2) == pytest.approx(1 / (3 * point.value), rel=2e-3)


def test_what_the_distance_from_the_minimum_hides_is_no_path_of_lower_degree():
    problem, _ = linear_problem()
    pursuit = npw.NeuronPursuit(problem, hidden_layers=3, leak=1.0, seed=0, minimizer="gradient_descent")
    pursuit.run(max_additions=0)
    points = npw.find_kkt_points(pursuit.network, problem, starts=10, longest=None)
    point = next(each for each in points if each.degree == 4)
    # As if the training had stopped a little earlier: this gives every path a value.
    weights = [weight * (1 + 1e-10 * index) for index, weight in enumerate(pursuit.network.weights, 1)]
    weights[0][:, 0] += 1e-10
    weights[-1][0] -= 1e-10
    network = npw.HomogeneousNetwork(weights, leak=1.0)
    assert any(each.degree == 3 for each in npw.find_kkt_points(network, problem, starts=10, longest=None))
    flow = predicted(npw.SaddleFlow(network, problem, point, 3e-2, starts=3))
    assert flow.prediction.degree == 4
    law = ray_time(point.value, 4, 3e-2, flow.prediction.escape_norm)
    assert flow.prediction.escape_time == pytest.approx(law, rel=1e-5)


def test_the_words_name_the_path_and_the_next_saddle_is_the_fit_of_the_next_rank():
    problem, values = linear_problem()
    network = rank_one(problem, values, 2)
    point = next(each for each in npw.find_kkt_points(network, problem, starts=10, longest=None) if each.inner)
    flow = predicted(npw.SaddleFlow(network, problem, point, 5e-2, starts=3))
    said = f"predicted at {flow.prediction.escape_time:.4g}, along a path of one neuron in each of the layers 1 to 2."
    assert said in flow.frame().message
    restored = npw.SaddleFlow(network, problem, point, 5e-2, starts=3)
    restored.restore(flow.state())
    for each in (flow, restored):
        each.run_to("escape")
    np.testing.assert_array_equal(restored.record.neuron_agreement, flow.record.neuron_agreement)
    np.testing.assert_array_equal(restored.record.dormant_norm, flow.record.dormant_norm)
    flow.run_to("next saddle")
    (awakening,) = flow.awakenings
    assert awakening.awake == ((1, 1), (2, 1))
    least = np.linalg.lstsq(problem.inputs.numpy(), problem.targets.numpy(), rcond=None)[0]
    unexplained = float((problem.targets - problem.inputs @ torch.from_numpy(least)).square().sum(1).mean()) / 2
    rank_two = unexplained + float(np.square(values[2:]).sum()) / 2
    assert awakening.loss == pytest.approx(rank_two, rel=0.05)
    assert awakening.pursuit_loss == pytest.approx(rank_two, rel=0.05)


def test_two_neurons_a_layer_have_no_prediction_and_the_words_say_where_there_is_one():
    problem, values = linear_problem()
    network = rank_one(problem, values, 2)
    flow = predicted(npw.SaddleFlow(network, problem, 2, starts=3))
    assert flow.prediction.escape_time is None
    assert "no escape is predicted" in flow.frame().message
    assert "one dormant neuron a layer that start near the ray of their path" in flow.frame().message


@pytest.fixture(scope="module")
def quadratic():
    """A minimum of σ(z) = z², two hidden layers, that learned ``x₁⁴`` of ``x₁⁴ + r(x₂)``, and the path that is left.

    On a grid, with a residual r(x₂) orthogonal to 1 and x₂², every single-neuron NCF vanishes. Of a path with incoming
    weights b it is ``a·c²·b₂⁴·mean(r·x₂⁴)``.
    """
    x = np.linspace(-1.5, 1.5, 7)
    lower = np.stack([np.ones_like(x), x**2], axis=1)
    left = 3 * (x**4 - lower @ np.linalg.lstsq(lower, x**4)[0])
    first, second = (each.reshape(-1) for each in np.meshgrid(x, x, indexing="ij"))
    problem = npw.Problem(np.stack([first, second], axis=1), first**4 + np.tile(left, 7))
    squares = np.array([4, 2, 1]) / 7  # of the incoming, inner and outgoing weights where they are balanced
    best = math.sqrt(squares[2]) * squares[1] * squares[0] ** 2  # of a·c²·b⁴ at norm one
    b, c, a = np.sqrt(squares) * best ** (-1 / 7)
    network = npw.HomogeneousNetwork([[[b, 0.0]], [[c]], [[a]]], power=2, leak=-1.0)
    return problem, network, best * float((left * x**4).mean())


def test_squared_neurons_leave_along_a_path_when_the_law_of_degree_seven_says(quadratic):
    problem, network, value = quadratic
    assert npw.find_kkt_points(network, problem, starts=10) == []
    point = npw.find_kkt_points(network, problem, starts=10, longest=None)[0]
    assert (point.layer, point.last, point.degree) == (1, 2, 7)
    assert point.value == pytest.approx(value, rel=1e-9)
    scale = 0.044
    flow = npw.SaddleFlow(network, problem, point, scale, starts=5)
    flow.run_to("escape")
    prediction = flow.prediction
    assert (prediction.degree, prediction.rate) == (7, None)
    assert prediction.value == pytest.approx(value, rel=1e-9)
    # dρ/dt = D·N*·ρ^(D−1), with D = 7.
    law = (scale**-5 - prediction.escape_norm**-5) / (7 * 5 * value)
    assert prediction.escape_time == pytest.approx(law, rel=1e-6)
    assert flow.time == pytest.approx(law, rel=1e-4)
    assert flow.record.drift.max() < 1e-5


def test_squared_neurons_off_that_ray_have_no_prediction_and_flow(quadratic):
    problem, network, _ = quadratic
    for dormant in ((1, 1), (2, 1), (2, 2)):
        flow = npw.SaddleFlow(network, problem, dormant, 0.044, seed=1, starts=5)
        flow.run(10.0)
        assert (flow.time, flow.prediction.escape_time, flow.prediction.destinations) == (10.0, None, ())
        flow.aim(None)
        message = flow.frame().message
        assert "no escape is predicted: no KKT point has a positive value for a single neuron" in message


def test_where_a_path_of_lower_degree_leaves_a_longer_one_says_nothing_of_the_escape(case, monkeypatch):
    problem, _, network, point, depth = case
    if depth == 4:
        # As small weights shrink, the lowest degree rules: here one of the paths of two neurons, made up.
        size = 3**-0.5
        incoming = torch.eye(problem.input_size, dtype=torch.float64)[0]
        lower = npw.KKTPoint(1, 1.0, size * incoming, double([size]), 0.0, inner=(size,))
        found = vars(PathSearch)["points"].fget
        monkeypatch.setattr(PathSearch, "points", property(lambda self: [lower, *found(self)]))
        flow = predicted(npw.SaddleFlow(network, problem, point, 4e-2, starts=3))
        assert flow.prediction.escape_time is None
        assert "no escape is predicted" in flow.frame().message
