"""What a saddle flow says where there is no escape to wait for: at minima, and where every NCF vanishes."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.rules import TARGET_SHARE
from np_widgets.learning.saddles import minimum, saddle
from tests import saddles
from tests.test_saddle_flow import fingerprint


def nearly_fitted(share):
    """The fit of ``saddles.fitted()`` with so large a share of the loss of the output zero left to no neuron."""
    network, problem = saddles.fitted()
    rest = torch.from_numpy(np.random.default_rng(1).standard_normal(30))[:, None]
    hidden = torch.relu(problem.inputs @ network.weights[0].T)
    # Where the neuron responds, neither its own weights nor the inputs explain any of it.
    jacobian = torch.cat([hidden, problem.inputs * (hidden > 0), problem.inputs], dim=1)
    rest -= jacobian @ torch.linalg.lstsq(jacobian, rest).solution
    rest *= math.sqrt(share * problem.zero_loss / float(rest.square().mean() / 2))
    return network, npw.Problem(problem.inputs, problem.targets + rest)


@pytest.mark.parametrize("share", [0.0, 1e-20, 0.5 * TARGET_SHARE])
def test_at_a_fitted_optimum_nothing_is_left_to_explain_and_goals_are_refused(share):
    network, problem = nearly_fitted(share)
    flow = npw.SaddleFlow(network, problem, 3, 1e-3, starts=8)
    assert "othing is left to explain here, this is a minimum, not a saddle" in flow.finished
    frame = flow.frame()
    assert (frame.phase, frame.message, frame.goal, frame.time) == ("finished", flow.finished, None, 0.0)
    assert flow.prediction.escape_time is None
    assert flow.prediction.destinations == ()
    before = fingerprint(frame)
    for ask in (flow.run_to, flow.aim):
        for goal in ("escape", "next saddle"):
            with pytest.raises(ValueError, match=f"goal must be a time here, got '{goal}': nothing is left to explain"):
                ask(goal)
    flow.advance()
    assert fingerprint(flow.frame()) == before
    flow.run(40.0)
    assert flow.time == 40.0
    assert flow.events == ()
    assert flow.record.dormant_norm.max() <= 1e-3 * (1 + 1e-4)
    assert flow.record.drift.max() < 1e-4
    state = flow.state()
    flow.reset(seed=1)
    assert "othing is left to explain" in flow.finished
    flow.restore(state)
    assert flow.time == 40.0


def test_what_is_left_above_the_target_of_a_pursuit_is_worth_a_search():
    network, problem = nearly_fitted(10 * TARGET_SHARE)
    flow = npw.SaddleFlow(network, problem, 3, 1e-6, starts=8)
    assert flow.finished is None
    assert flow.frame().phase == "ready"


def test_where_the_zero_output_is_right_the_origin_is_a_minimum():
    flow = npw.SaddleFlow(None, npw.Problem([[1.0], [2.0]], [0.0, 0.0]), 2, 1e-3, starts=3)
    assert "othing is left to explain" in flow.finished


def test_at_the_end_of_a_pursuit_nothing_is_left_to_explain():
    problem = saddles.teacher(samples=40)
    pursuit = npw.NeuronPursuit(problem, 1, starts=20)
    assert pursuit.run().kind == "target"
    flow = npw.SaddleFlow(pursuit.network, problem, 2, 1e-4, starts=5, gradient_tolerance=1.0)
    assert "othing is left to explain" in flow.finished


def test_a_flow_that_arrives_at_a_fitted_minimum_says_so(monkeypatch):
    monkeypatch.setattr("np_widgets.learning.saddles.saddle.TARGET_SHARE", 0.01)
    x = np.linspace(0.2, 1, 20)[:, None]
    flow = npw.SaddleFlow(None, npw.Problem(x, 2 * x), (4,), 1e-3, starts=5)
    reason = flow.run_to("next saddle")
    assert flow.frame().goal is None
    assert reason.startswith(flow.events[-1].message)
    assert "othing is left to explain" in reason
    assert flow.prediction.start == flow.time
    with pytest.raises(ValueError, match="nothing is left to explain"):
        flow.run_to("escape")
    flow.run(flow.time + 1)


def test_one_hidden_layer_that_explains_what_it_can_is_at_a_minimum():
    flow = npw.SaddleFlow(*saddles.best_linear_fit(), dormant=2, scale=1e-3, starts=5)
    reason = flow.run_to("escape")
    assert "No KKT point has a positive value" in reason
    assert "a minimum, not a saddle" in reason
    assert flow.prediction.escape_time is None
    assert flow.time == 0.0
    flow.run(5.0)
    assert flow.record.dormant_norm.max() <= 1e-3 * (1 + 1e-6)


@pytest.mark.parametrize("moved", [0.0, 1e-12, 1e-8, 1e-5])
def test_where_every_single_neuron_correlation_vanishes_the_search_is_short_and_the_flow_flows(moved):
    network, problem = saddles.deep_linear_saddle()
    noise = np.random.default_rng(0)
    weights = [weight + moved * torch.from_numpy(noise.standard_normal(weight.shape)) for weight in network.weights]
    network = npw.HomogeneousNetwork(weights, leak=1.0)
    flow = npw.SaddleFlow(network, problem, 10, 1e-3, starts=30)
    advances = 0
    while flow.prediction is None:
        flow.advance()
        advances += 1
        assert advances <= 100
    assert flow.prediction.escape_time is None
    assert flow.prediction.destinations == ()
    assert flow.prediction.value is None
    message = flow.frame().message
    assert "no escape is predicted: no KKT point has a positive value for a single neuron" in message
    # What the search finds is what the distance from the minimum accounts for.
    found = npw.find_kkt_points(network, problem, starts=5)
    objective = Objective(problem, network)
    gradient = float(objective.loss_and_gradient(objective.initial)[1].norm())
    assert all(point.value < 10 * gradient + 1e-13 for point in found)
    assert flow.finished is None
    flow.run(5.0)
    assert flow.time == 5.0
    assert flow.frame().record.dormant_norm[-1] == pytest.approx(1e-3, rel=1e-2)


def test_several_neurons_together_leave_by_a_law_of_higher_degree():
    network, problem = saddles.deep_linear_saddle()
    times = []
    for scale in (0.06, 0.03):
        flow = npw.SaddleFlow(network, problem, 1, scale, seed=1, starts=3)
        times.append(saddles.escape_time(flow))
        assert flow.prediction.escape_time is None
    assert "next saddle is reached" in flow.run_to("next saddle")
    assert flow.loss == pytest.approx(0.5**2 / 2, rel=0.02)
    assert len(flow.awakenings[0].awake) == 3
    # A path through all layers has degree four: dρ/dt = 4N·ρ³, so that T·δ² tends to a constant.
    assert 3 < times[1] / times[0] < 6


def test_a_flow_that_nothing_leaves_is_given_up_after_so_many_steps(monkeypatch):
    monkeypatch.setattr("np_widgets.learning.saddles.patience._MOST_STEPS_WITHOUT_KKT_POINT", 20)
    network, problem = saddles.deep_linear_saddle()
    flow = npw.SaddleFlow(network, problem, 1, 1e-6, starts=3)
    flow.aim("escape")
    for _ in range(200):
        flow.advance()
    reason = flow.finished
    assert "No escape by time" in str(reason)
    assert 20 <= flow.frame().steps <= 21
    assert flow.run_to("next saddle") == reason


def test_a_prediction_that_gets_nowhere_is_given_up_after_so_many_steps(monkeypatch):
    for most, predicted in ((20_000, True), (5, False)):
        monkeypatch.setattr("np_widgets.learning.saddles.prediction._MOST_STEPS", most)
        flow = saddles.small_flow(scale=1e-8)
        while flow.prediction is None:
            flow.advance()
        assert (flow.prediction.escape_time is not None) == predicted


def test_a_gradient_that_happens_to_vanish_leaves_rounding(monkeypatch):
    shortest = minimum.shortest
    monkeypatch.setattr(saddle, "shortest", lambda *at: dataclasses.replace(shortest(*at), norm=0.0))
    network, problem = saddles.deep_linear_saddle()
    flow = npw.SaddleFlow(network, problem, 1, 1e-3, starts=10)
    while flow.prediction is None:
        flow.advance()
    assert flow.prediction.destinations == ()


@pytest.mark.parametrize("dormant", [(1, 0, 1), (0, 2, 0)])
def test_without_dormant_neurons_in_consecutive_layers_nothing_leaves_together(dormant):
    network, problem = saddles.deep_linear_saddle()
    reason = npw.SaddleFlow(network, problem, dormant, 1e-3, starts=3).run_to("escape")
    assert "No KKT point has a positive value" in reason
    assert "minimum" not in reason


def test_what_the_check_of_a_large_network_left_open_is_said(monkeypatch):
    network, problem = saddles.saddle(), saddles.teacher()
    whole = npw.SaddleFlow(network, problem, 1, starts=3)
    assert whole.stationarity.unchecked == ""
    assert "Lanczos" not in whole.frame().message
    monkeypatch.setattr("np_widgets.learning.hessian.MOST_WEIGHTS", 0)
    flow = npw.SaddleFlow(network, problem, 1, starts=3)
    found = flow.stationarity.curvatures
    assert flow.stationarity.unchecked in flow.frame().message
    assert f"in {found.steps} Lanczos steps" in flow.stationarity.unchecked
    assert found.largest == pytest.approx(whole.stationarity.curvatures.largest, rel=1e-9)


def test_polishing_ends_after_so_much_work(monkeypatch):
    network, problem = saddles.saddle(), saddles.teacher()
    moved = npw.HomogeneousNetwork([1.1 * weight for weight in network.weights])
    told: list[float] = []
    npw.SaddleFlow(moved, problem, 1, starts=3, polish=True, progress=lambda _, share: told.append(share))
    assert all(0 <= share <= 1 for share in told)
    monkeypatch.setattr("np_widgets.learning.saddles.minimum._MOST_WORK", 0.0)
    with pytest.raises(ValueError, match="network must be at a local minimum"):
        npw.SaddleFlow(moved, problem, 1, starts=3, polish=True)


def test_from_the_origin_no_escape_is_over_before_it_has_begun(monkeypatch):
    # Should the quick search beforehand think that a scale is small enough, and the thorough one not.
    monkeypatch.setattr("np_widgets.learning.saddles.ground.rough_origin_ray", lambda *_: (None, None))
    flow = npw.SaddleFlow(None, saddles.teacher(), (2,), scale=0.3, starts=3)
    flow.run_to("escape")
    assert flow.prediction.escape_norm == pytest.approx(0.6)
    assert flow.time > 0


# ---------------------------------------------------------------------------------------- steps that are too large


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("leak", [0.0, 1.0])
def test_steps_too_large_for_the_way_from_the_origin_are_refused(layers, leak):
    problem = saddles.teacher(layers, leak=leak)

    def flow_with(step):
        options = {"hidden_layers": layers, "leak": leak, "starts": 5}
        return npw.SaddleFlow(None, problem, 2, 1e-2, dynamics="descent", step_size=step, **options)

    with pytest.raises(ValueError, match=r"step_size must be smaller than .* this origin, got 1000: ") as told:
        flow_with(1e3)
    limit = float(str(told.value).split("smaller than ")[1].split(",")[0])
    point = npw.find_origin_points(problem, hidden_layers=layers, leak=leak, starts=30)[0]

    def loss(norm):
        network = npw.HomogeneousNetwork([norm * weight for weight in point.weights], leak=leak)
        return float((network(problem.inputs) - problem.targets).square().mean() / 2)

    # The largest second derivative on the way down, from scratch.
    norms = np.linspace(0, 6, 1201)
    losses = np.array([loss(norm) for norm in norms])
    down = int(losses.argmin())
    assert 0 < down < 1000
    bend = np.abs(np.diff(losses[: down + 2], 2)).max() / (norms[1] - norms[0]) ** 2
    assert limit == pytest.approx(2 / bend, rel=0.05)
    flow = flow_with(0.9 * limit)
    with pytest.raises(ValueError, match="step_size must be smaller than"):
        flow.reset(step_size=1e3)
    assert flow.frame().step_size == 0.9 * limit


@pytest.mark.parametrize("step", [1000.0, 0.1])
def test_descent_that_does_not_follow_the_flow_says_so(monkeypatch, step):
    monkeypatch.setattr("np_widgets.learning.saddles.ground.rough_origin_ray", lambda *_: (None, None))
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    flow = npw.SaddleFlow(None, problem, (2, 2), 1e-2, starts=5, dynamics="descent", step_size=step)
    frame, ended = flow.frame(), flow.run_to("escape")
    assert "no flow" not in frame.message
    told = [ended, flow.frame().message, *(event.message for event in flow.events if event.kind == "escaped")]
    sentence = f" Steps of {step:g} are too large, this is no flow: the drift is {flow.record.drift[-1]:.2g}"
    assert [sentence in text for text in told] == [step == 1000.0] * len(told)
    if step == 0.1:
        assert "no flow" not in flow.run(flow.time + 3.0)


def test_an_escape_that_is_no_flow_is_called_so(monkeypatch):
    # Whatever drift counts as too large.
    monkeypatch.setattr("np_widgets.learning.saddles.wording._NO_FLOW", 1e-9)
    flow = saddles.small_flow(scale=1e-2, dynamics="descent", step_size=0.1)
    reason = flow.run_to("escape")
    (event,) = (event for event in flow.events if event.kind == "escaped")
    assert event.message == reason == flow.frame().message
    assert f"Steps of 0.1 are too large, this is no flow: the drift is {flow.record.drift[-1]:.2g}." in reason


# ------------------------------------------------------------------------------------------------------- at rest


@pytest.mark.parametrize("make", [saddles.fitted, saddles.best_linear_fit])
@pytest.mark.parametrize("dynamics", ["flow", "descent"])
def test_at_rest_a_flow_does_not_go_on_for_a_time_that_never_comes(monkeypatch, make, dynamics):
    monkeypatch.setattr("np_widgets.learning.saddles.patience._STEPS_AT_REST", 200)
    network, problem = make()
    flow = npw.SaddleFlow(network, problem, 2, 1e-3, starts=4, dynamics=dynamics, step_size=0.1)
    flow.aim(1e12)
    quanta = 0
    while flow.finished is None:
        flow.advance()
        quanta += 1
        assert quanta < 60
    assert "At rest at time" in flow.finished
    before, time = flow.frame().weights, flow.time
    assert f"At rest at time {time:.4g}" in flow.finished
    flow.run(time + 50.0)
    for one, other in zip(before, flow.frame().weights, strict=True):
        assert np.abs(one - other).max() < 1e-4


def test_where_a_neuron_still_grows_a_flow_is_not_at_rest(monkeypatch):
    # Given up long before it escapes, it goes on all the same; all that moves is smaller than any tolerance.
    monkeypatch.setattr("np_widgets.learning.saddles.patience._OVERDUE", 0.01)
    monkeypatch.setattr("np_widgets.learning.saddles.patience._STEPS_AT_REST", 1)
    monkeypatch.setattr("np_widgets.learning.saddles.passage._MOST_STEPS_PER_QUANTUM", 1)
    x = math.sqrt(30) * np.linalg.qr(np.random.default_rng(0).standard_normal((30, 2)))[0]
    network = npw.HomogeneousNetwork([[[2.0**0.5, 0.0]], [[2.0**0.5], [0.0]]], leak=1.0)
    flow = npw.SaddleFlow(network, npw.Problem(x, x * [2.0, 1.0]), 2, 1e-8, starts=5)
    flow.aim(1e9)
    while not flow.events or flow.events[-1].kind != "escaped":
        flow.advance()
        assert flow.finished is None
    assert flow.record.dormant_norm[0] == pytest.approx(1e-8)


def test_what_the_distance_from_the_minimum_hides_is_not_called_zero():
    network, problem = saddles.example_saddle(2), saddles.example()
    moved = npw.HomogeneousNetwork([1.1 * network.weights[0], *network.weights[1:]])
    flow = npw.SaddleFlow(moved, problem, 2, 1e-6, starts=5, gradient_tolerance=10.0, curvature_tolerance=10.0)
    while flow.prediction is None:
        flow.advance()
    least, best = map(float, re.search(r"value above (\S+), .*the best has ([^)]+)", flow.frame().message).groups())
    assert 0 < best <= least
