"""Flows near saddles and the origin against what the theory of Kumar & Haupt says of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import np_widgets as npw
from tests import saddles

pytestmark = pytest.mark.rounding


@cache
def escapes(neurons: int) -> dict[float, npw.SaddleFlow]:
    """Flows from a saddle of the authors' example to their escapes, by δ."""
    flows = {}
    for scale in (1e-4, 1e-6):
        flow = npw.SaddleFlow(
            saddles.example_saddle(neurons), saddles.example(), (2, 0) if neurons == 2 else (0, 2), scale, starts=15
        )
        saddles.escape_time(flow)
        flows[scale] = flow
    return flows


@cache
def points(neurons: int) -> list[npw.KKTPoint]:
    return npw.find_kkt_points(saddles.example_saddle(neurons), saddles.example(), starts=40, seed=77, unseen=True)


# ---------------------------------------------------------------------------------------------------- kinked, p = 1


@pytest.mark.parametrize("neurons", [2, 3])
@pytest.mark.parametrize("scale", [1e-4, 1e-6])
def test_an_aligned_neuron_grows_at_twice_the_value_of_its_kkt_point(neurons, scale):
    frame = escapes(neurons)[scale].frame()
    point, cosine, largest = saddles.reached_point(frame, points(neurons))
    assert cosine >= 0.999
    record = frame.record
    norm = record.neuron_norm[:, largest]
    aligned = (record.neuron_cosine[:, largest] >= 0.999) & (norm < 0.1 * norm[-1])
    assert aligned.sum() > 15
    assert saddles.slope(record.time[aligned], np.log(norm[aligned])) == pytest.approx(2 * point.value, rel=0.02)


@pytest.mark.parametrize("neurons", [2, 3])
def test_escape_time_rises_with_the_logarithm_of_the_scale(neurons):
    flows = escapes(neurons)
    found = {scale: saddles.reached_point(flow.frame(), points(neurons))[0] for scale, flow in flows.items()}
    assert found[1e-4] is found[1e-6]
    times = [flow.events[-1].time for flow in flows.values()]
    measured = saddles.slope([np.log(1 / scale) for scale in flows], times)
    assert measured == pytest.approx(1 / (2 * found[1e-4].value), rel=0.03)


@pytest.mark.parametrize("neurons", [2, 3])
@pytest.mark.parametrize("scale", [1e-4, 1e-6])
def test_until_the_escape_directions_are_those_of_the_flow_of_the_ncf_alone(neurons, scale):
    flow = escapes(neurons)[scale]
    record, prediction = flow.record, flow.prediction
    largest = record.neuron_norm[-1].argmax()
    agreement = record.neuron_agreement[:, largest]
    assert np.isfinite(agreement).sum() > 100
    assert np.nanmin(agreement) >= 0.999
    assert np.nanmax(agreement) <= 1 + 1e-12
    assert prediction.escape_time == pytest.approx(flow.events[-1].time, rel=0.02)
    independent, _, _ = saddles.reached_point(flow.frame(), points(neurons))
    assert prediction.value == pytest.approx(independent.value, rel=1e-5)


@pytest.mark.parametrize("neurons", [2, 3])
def test_the_active_weights_move_like_the_square_of_the_dormant_norm(neurons):
    record = escapes(neurons)[1e-6].record
    inside = (record.dormant_norm > 1e-3) & (record.dormant_norm < 0.5 * record.dormant_norm[-1])
    measured = saddles.slope(np.log(record.dormant_norm[inside]), np.log(record.active_shift[inside]))
    assert measured == pytest.approx(2, abs=0.1)


def test_ten_dormant_neurons_a_layer_keep_what_the_flow_conserves():
    flow = npw.SaddleFlow(saddles.example_saddle(2), saddles.example(), 10, 1e-3, starts=15)
    saddles.escape_time(flow)
    assert flow.record.drift.max() <= 1e-4
    kinds = [event.kind for event in flow.events]
    assert kinds == ["aligned", "escaped"]
    point, cosine, _ = saddles.reached_point(flow.frame(), points(2))
    assert cosine >= 0.999
    assert point.value == pytest.approx(flow.prediction.value, rel=1e-5)


def test_first_layer_neurons_whose_push_unseen_samples_undo_do_not_grow():
    # A quarter of the samples switch on no neuron of the first layer. Without what becomes of them once a dormant one
    # responds, the NCF of that layer would promise an escape.
    network, problem = saddles.example_saddle(3), saddles.example()
    assert npw.find_kkt_points(network, problem, layers=(1,), starts=20)
    assert npw.find_kkt_points(network, problem, layers=(1,), starts=20, unseen=True) == []
    flow = npw.SaddleFlow(network, problem, (2, 0), 1e-4, starts=15)
    assert "No KKT point has a positive value" in flow.run_to("escape")
    flow.run(15.0)
    assert flow.record.dormant_norm.max() <= 1.001e-4


@pytest.mark.parametrize("leak", [0.3, 1.0])
def test_leaky_and_linear_neurons_grow_at_the_predicted_rate(leak):
    flow = npw.SaddleFlow(saddles.saddle(1, 1, leak, outputs=2), saddles.teacher(1, 1, leak, outputs=2), 1, 1e-6)
    saddles.escape_time(flow)
    network, problem = saddles.saddle(1, 1, leak, outputs=2), saddles.teacher(1, 1, leak, outputs=2)
    found = npw.find_kkt_points(network, problem, starts=30, seed=5)
    point, cosine, largest = saddles.reached_point(flow.frame(), found)
    assert cosine >= 0.999
    record = flow.record
    aligned = (record.neuron_cosine[:, largest] >= 0.9999) & (record.dormant_norm < 0.1 * record.dormant_norm[-1])
    rate = saddles.slope(record.time[aligned], np.log(record.dormant_norm[aligned]))
    assert rate == pytest.approx(2 * point.value, rel=0.02)
    assert record.drift.max() <= 1e-4


# ------------------------------------------------------------------------------------------------------ p = 2


@pytest.mark.parametrize("scale", [1e-2, 1e-3, 1e-6])
def test_a_squared_neuron_on_the_ray_escapes_when_the_formula_says(scale):
    point = saddles.best_point(1, 2, seed=1)
    flow = npw.SaddleFlow(saddles.saddle(1, 2, seed=1), saddles.teacher(1, 2, seed=1), (point,), scale, starts=8)
    time = saddles.escape_time(flow)
    norm = 0.03 * np.sqrt(sum(float(w.square().sum()) for w in saddles.saddle(1, 2, seed=1).weights))
    # As exactly as the moment of its crossing is found, a million units of time after the start.
    assert flow.record.dormant_norm[-1] == pytest.approx(norm, rel=1e-8)
    assert time == pytest.approx((1 / scale - 1 / norm) / (3 * point.value), rel=0.01)
    assert flow.prediction.escape_time == pytest.approx(time, rel=1e-3)
    record = flow.record
    assert record.drift.max() <= 1e-4
    assert record.neuron_cosine.min() >= 1 - 1e-6
    # The direction stays, so ρ(t) is the formula's at every time, not at the end alone.
    ahead = [saddles.ray_time(point.value, 3, scale, rho) for rho in record.dormant_norm[1:]]
    assert record.time[1:] == pytest.approx(np.array(ahead), rel=0.01, abs=1e-6 * time)


@pytest.mark.parametrize("scale", [1e-3, 1e-5])
def test_a_squared_neuron_in_a_deeper_network_escapes_when_the_formula_says(scale):
    network, problem = saddles.saddle(2, 2, seed=2), saddles.teacher(2, 2, seed=2)
    point = saddles.best_point(2, 2, seed=2)
    flow = npw.SaddleFlow(network, problem, (point,), scale, starts=8)
    time = saddles.escape_time(flow)
    assert time == pytest.approx(saddles.ray_time(point.value, 3, scale, flow.record.dormant_norm[-1]), rel=0.01)


@pytest.mark.parametrize(("hidden", "seed", "scale", "exponent"), [(1, 0, 2e-3, 3), (2, 2, 5e-4, 2)])
def test_near_a_squared_network_the_active_weights_move_like_the_cube_or_in_flat_directions_the_square(
    hidden, seed, scale, exponent
):
    # With three layers of weights some directions among the active ones are flat.
    network, problem = saddles.saddle(hidden, 2, seed=seed), saddles.teacher(hidden, 2, seed=seed)
    point = saddles.best_point(hidden, 2, seed=seed)
    flow = npw.SaddleFlow(network, problem, (point,), scale, starts=8, tolerance=1e-11, polish=True)
    saddles.escape_time(flow)
    record = flow.record
    inside = (record.dormant_norm > 5e-3) & (record.dormant_norm < 1.5e-2)
    assert inside.sum() >= 8
    # Whether it is measured at the end of a step or inside one.
    scaled = record.active_shift[inside] / record.dormant_norm[inside] ** exponent
    assert np.ptp(scaled) < 0.2 * scaled.mean()
    measured = saddles.slope(np.log(record.dormant_norm[inside]), np.log(record.active_shift[inside]))
    assert measured == pytest.approx(exponent, abs=0.1)


def test_from_a_random_start_a_squared_neuron_takes_at_least_as_long_as_on_the_ray():
    network, problem = saddles.saddle(1, 2, seed=1), saddles.teacher(1, 2, seed=1)
    value = saddles.best_point(1, 2, seed=1).value
    scaled = {}
    for scale in (1e-3, 1e-4, 1e-5):
        flow = npw.SaddleFlow(network, problem, 2, scale, starts=8)
        time = saddles.escape_time(flow)
        assert time >= 0.999 * saddles.ray_time(value, 3, scale, flow.record.dormant_norm[-1])
        scaled[scale] = time * scale
    assert abs(scaled[1e-5] / scaled[1e-4] - 1) < min(0.02, abs(scaled[1e-4] / scaled[1e-3] - 1))


# ------------------------------------------------------------------------------------------------------ the origin


@pytest.mark.parametrize(("hidden", "power", "degree"), [(1, 1, 2), (2, 1, 3), (1, 2, 3)])
@pytest.mark.parametrize("scale", [1e-2, 1e-4])
def test_from_the_origin_along_the_ray_the_escape_takes_as_long_as_the_law_says(hidden, power, degree, scale):
    problem = saddles.teacher(2, seed=1)
    point = npw.find_origin_points(problem, hidden_layers=hidden, power=power, starts=20, seed=3)[0]
    flow = npw.SaddleFlow(None, problem, point, scale, power=power, starts=20)
    time = saddles.escape_time(flow)
    assert time == pytest.approx(saddles.ray_time(point.value, degree, scale, flow.record.dormant_norm[-1]), rel=0.01)
    assert flow.prediction.escape_time == pytest.approx(time, rel=0.02)
    assert flow.prediction.degree == degree
    assert flow.record.drift.max() <= 1e-4
    assert flow.record.dormant_norm[0] == pytest.approx(scale, rel=1e-12)


def test_the_origin_of_the_example_is_left_as_the_law_says():
    point = npw.find_origin_points(saddles.example(), starts=20)[0]
    flow = npw.SaddleFlow(None, saddles.example(), point, 1e-3, starts=20)
    time = saddles.escape_time(flow)
    assert time == pytest.approx(saddles.ray_time(point.value, 3, 1e-3, flow.record.dormant_norm[-1]), rel=0.01)


# ---------------------------------------------------------------------------------------------- gradient descent


@pytest.mark.parametrize(("power", "leak", "outputs"), [(1, 0.0, 1), (1, 1.0, 2), (2, 0.0, 1)])
def test_what_descent_does_not_conserve_is_in_proportion_to_its_step(power, leak, outputs):
    network, problem = saddles.saddle(1, power, leak, 1, outputs=outputs), saddles.teacher(1, power, leak, 1, outputs)
    drifts = []
    for step in (0.02, 0.01):
        flow = npw.SaddleFlow(network, problem, 2, 1e-2, starts=8, dynamics="descent", step_size=step)
        flow.run(25.0)
        drifts.append(flow.record.drift.max())
    assert drifts[0] / drifts[1] == pytest.approx(2, rel=0.15)
    assert drifts[1] < 0.05
