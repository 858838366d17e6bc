"""What comes after an escape: the next saddle, who woke up, and how it ends."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.pursuit.rules import TARGET_SHARE
from tests import saddles
from tests.saddles import double

pytestmark = pytest.mark.rounding

LEVEL = 0.005  # the share of itself by which the loss of the awake neurons alone may fall


@pytest.fixture(scope="module")
def second():
    """From the (1, 1) saddle of the authors' example to the next one."""
    flow = npw.SaddleFlow(saddles.example_saddle(2), saddles.example(), 3, 1e-5, starts=15)
    message = flow.run_to("next saddle")
    return flow, message


def test_the_neurons_that_woke_up_are_at_rest_there(second):
    require_level(second[0])


def test_what_wakes_up_is_what_was_going_to_a_kkt_point_and_the_rest_stays_dormant(second):
    flow, message = second
    (awakening,) = flow.awakenings
    assert message == flow.events[-1].message == flow.finished
    assert [event.kind for event in flow.events] == ["aligned", "escaped", "saddle"]
    assert flow.events[0].time < awakening.escape_time == flow.events[1].time < awakening.time == flow.time
    assert awakening.awake
    assert {layer for layer, _ in awakening.awake} == {1}  # the NCF of layer 2 vanishes at this saddle
    assert awakening.stayed_dormant
    assert 0 < awakening.dormant_norm < 0.03 * flow.frame().record.dormant_norm[-1]
    assert [sum(flags) for flags in flow.frame().active] == [1 + len(awakening.awake), 1]


def test_the_loss_there_is_the_one_that_pursuit_reaches(second):
    flow, _ = second
    awakening = flow.awakenings[0]
    assert awakening.loss == pytest.approx(flow.loss, rel=1e-9)
    assert awakening.pursuit_loss == pytest.approx(awakening.loss, rel=0.05)
    pursuit = npw.NeuronPursuit(saddles.example(), method="fast", seed=0)
    pursuit.run(max_additions=1)
    assert pursuit.network.widths == (2, 1)
    assert awakening.loss == pytest.approx(pursuit.loss, rel=0.05)


def test_just_after_an_escape_from_a_minimum_on_a_kink_no_saddle_is_reached():
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuit = npw.NeuronPursuit(problem)
    pursuit.run(max_additions=0)
    flow = npw.SaddleFlow(pursuit.network, problem, (2, 2), 1e-2, starts=10, polish=True)
    flow.run_to("escape")
    flow.run(flow.time + 2)
    # The dormant weights grow, and the loss falls ever faster.
    assert [event.kind for event in flow.events if event.kind != "aligned"] == ["escaped"]


def require_level(flow):
    """The awake neurons alone lower the loss by half a percent at most in four e-foldings, and that is said."""
    before, after = saddles.awake_alone(flow.frame(), flow.problem, 2 / flow.predictions[0].value)
    assert before - after < 1.1 * LEVEL * before
    fall, time = told(flow)
    assert time == pytest.approx(2 / flow.predictions[0].value, rel=0.01)
    assert fall == pytest.approx(before - after, abs=1e-3 * before)


def told(flow):
    """By how much the awake neurons alone lower the loss, and in what time, as the last event says."""
    found = re.search(r"alone lower it by (\S+) in the next (\S+) units of time", flow.events[-1].message)
    assert found is not None, flow.events[-1].message
    return map(float, found.groups())


@pytest.mark.parametrize(("seed", "wait"), [(3, 20), (5, 50)])
def test_no_saddle_is_where_the_awake_neurons_still_move_along_kinks(seed, wait):
    problem = npw.problems.kumar_haupt(samples=60, seed=seed)
    pursuit = npw.NeuronPursuit(problem)
    pursuit.run(max_additions=0)
    flow = npw.SaddleFlow(pursuit.network, problem, (2, 2), 1e-2, starts=10, polish=True)
    flow.run_to("escape")
    left, escape = flow.loss, flow.time
    flow.aim("next saddle")
    while flow.finished is None and flow.time < escape + wait:
        flow.advance()
    if flow.finished is None:  # neurons are still moving: no saddle so far
        assert [event.kind for event in flow.events if event.kind != "aligned"] == ["escaped"]
        return
    # The loss has fallen by more than its error along kinks, and the neurons awake have come to rest.
    assert left - flow.loss > 3e-3 * flow.loss
    require_level(flow)


def test_a_loss_that_keeps_falling_to_zero_is_at_no_saddle_before_nothing_is_left():
    x = double(np.linspace(0.2, 1, 20))[:, None]
    flow = npw.SaddleFlow(None, npw.Problem(x, 2 * x), (2,), 1e-3, starts=5)
    reason = flow.run_to("next saddle")
    zero_loss = float((2 * x).square().mean() / 2)
    assert flow.loss <= TARGET_SHARE * zero_loss
    assert "of that of the output zero" in flow.events[-1].message
    assert flow.events[-1].message in reason


def test_from_the_next_saddle_it_goes_on_with_the_rest(second):
    flow, _ = second
    message = flow.run_to("escape")
    assert flow.events[-1].kind == "escaped"
    assert message == flow.finished
    assert len(flow.predictions) == 2
    assert flow.prediction.start == flow.awakenings[0].time
    record = flow.record
    assert np.all(np.diff(record.time) > 0)
    woken = flow.awakenings[0].awake
    for place, neuron in enumerate(record.neurons):
        assert np.isnan(record.neuron_value[-1, place]) == (neuron in woken)


@pytest.mark.parametrize("seed", [4, 5])
def test_the_next_saddle_is_searched_from_the_starts_of_the_same_seed(seed):
    # One start, so that the seed tells which of several KKT points is found: at every saddle as by find_kkt_points.
    problem = saddles.teacher(1, 1, 0.0, 1, outputs=2)
    flow = npw.SaddleFlow(saddles.saddle(1, 1, 0.0, 1, outputs=2), problem, 2, 1e-2, seed=seed, starts=1)
    flow.run_to("next saddle")
    flow.aim("escape")
    while len(flow.predictions) < 2:
        flow.advance()
    frame = flow.frame()
    active = npw.HomogeneousNetwork([frame.weights[0][frame.active[0]], frame.weights[1][:, frame.active[0]]])
    values = [
        npw.find_kkt_points(active, problem, starts=1, seed=each, unseen=True)[0].value for each in (seed, seed + 1)
    ]
    assert flow.prediction.destinations[0].value == pytest.approx(values[0], rel=1e-6)
    assert seed == 5 or values[1] != pytest.approx(values[0], rel=1e-2)


# ------------------------------------------------------------------------------------------------------ a ladder


def ladder(values):
    """Linear targets of these singular values on whitened inputs: as many saddles, far from one another."""
    columns = np.random.default_rng(3).standard_normal((30, len(values)))
    x = np.linalg.qr(columns)[0] * math.sqrt(30)
    return npw.Problem(x, x @ np.diag(values))


def test_from_the_origin_every_saddle_of_the_ladder_is_visited_and_the_end_has_a_reason():
    flow = npw.SaddleFlow(None, ladder((2.0, 1.0, 0.5)), (6,), 1e-5, leak=1.0, starts=10)
    flow.run_to("next saddle")
    assert flow.loss == pytest.approx((1.0**2 + 0.5**2) / 2, rel=0.01)
    fall, time = told(flow)
    before, after = saddles.awake_alone(flow.frame(), flow.problem, time)
    assert fall == pytest.approx(before - after, rel=0.2)
    assert before - after < LEVEL * before
    assert flow.awakenings[0].pursuit_loss == pytest.approx((1.0**2 + 0.5**2) / 2, rel=1e-6)
    reason = flow.run_to("next saddle")
    assert flow.loss == pytest.approx(0.5**2 / 2, rel=0.01)
    # All that wake up at one rung do so in one direction: a linear layer of six has woken up after a few rungs.
    while len(flow.awakenings) < 4 and "No dormant neuron is left" not in reason:
        reason = flow.run_to("next saddle")
    assert "No dormant neuron is left" in reason
    losses = [awakening.loss for awakening in flow.awakenings]
    assert losses == sorted(losses, reverse=True)
    awake = [neuron for awakening in flow.awakenings for neuron in awakening.awake]
    assert sorted(awake) == [(1, index) for index in range(6)]


def test_relu_neurons_leave_the_origin_one_kkt_point_after_the_other():
    # Two directions that share no sample: a positive and a smaller negative half line.
    x = double(np.concatenate([np.linspace(-1, -0.1, 20), np.linspace(0.1, 1, 20)]))[:, None]
    problem = npw.Problem(x, torch.relu(2 * x) + 0.7 * torch.relu(-x))
    right = npw.find_origin_points(problem, hidden_layers=1)
    assert len(right) == 2
    flow = npw.SaddleFlow(None, problem, (4,), 1e-4, starts=10)
    flow.run_to("next saddle")
    (first,) = flow.awakenings
    on_right = [(1, j) for j in range(4) if flow.network.weights[0][j, 0] > 0]
    assert set(first.awake) <= set(on_right)
    assert first.loss == pytest.approx(float((0.7 * torch.relu(-x)).square().mean() / 2), rel=0.02)
    assert first.pursuit_loss == pytest.approx(first.loss, rel=0.02)
    assert first.stayed_dormant
    flow.run_to("next saddle")
    second = flow.awakenings[-1]
    assert second.loss <= TARGET_SHARE * problem.zero_loss
    assert not set(second.awake) & set(first.awake)


# --------------------------------------------------------------------------------------------- nothing to wait for


def test_once_all_neurons_are_awake_goals_are_finished_at_once_but_times_are_not():
    x = double(np.linspace(0.2, 1, 20))[:, None]
    point = npw.find_origin_points(npw.Problem(x, 2 * x), hidden_layers=1)[0]
    flow = npw.SaddleFlow(None, npw.Problem(x, 2 * x), point, 1e-3, starts=5)
    reason = flow.run_to("next saddle")
    assert "No dormant neuron is left" in reason
    assert flow.awakenings[0].awake == ((1, 0),)
    assert flow.awakenings[0].dormant_norm == 0
    time = flow.time
    for goal in ("escape", "next saddle"):
        assert flow.run_to(goal) == reason
    assert flow.time == time
    flow.run(time + 10)
    assert flow.time == time + 10
    assert flow.loss < 1e-9


def test_a_neuron_that_no_sample_switches_on_never_escapes_and_that_is_said():
    x = double(np.random.default_rng(0).uniform(0.2, 1, (40, 3)))
    problem = npw.Problem(x, torch.relu(x @ double([1, -1, 0.3])) + 0.5 * torch.relu(x @ double([-1, 0.2, 1])))
    pursuit = npw.NeuronPursuit(problem, 1)
    pursuit.run(max_additions=0)
    dead = npw.KKTPoint(1, 1.0, double([-0.5, -0.5, -0.2]), double([0.7]), 0.0)
    flow = npw.SaddleFlow(pursuit.network, problem, (dead,), 1e-2, starts=10)
    reason = flow.run_to("escape")
    assert "No escape by time" in reason
    assert "theory predicts none" in reason
    assert flow.prediction.escape_time is None
    assert np.ptp(flow.record.neuron_norm[:, 0]) == 0
    flow.run(flow.time + 1)


@pytest.mark.parametrize("seed", [0, 5, 10])
def test_an_escape_from_a_minimum_on_kinks_comes_when_it_is_predicted(seed):
    # A sample that an active neuron slides along answers a push up by all of what it does to the layer above, and one
    # down by the share that this neuron's slope has. Without that the escapes of seed 10 come three times as late.
    problem = npw.problems.kumar_haupt(samples=60, seed=seed)
    pursuit = npw.NeuronPursuit(problem)
    pursuit.run(max_additions=0)
    flow = npw.SaddleFlow(pursuit.network, problem, (2, 2), 1e-2, starts=10, polish=True)
    assert flow.stationarity.kinks > 0
    reason = flow.run_to("escape")
    assert "Escaped at time" in reason
    assert flow.time == pytest.approx(flow.prediction.escape_time, rel=0.08)
    agreement = flow.record.neuron_agreement[:, flow.record.neuron_norm[-1].argmax()]
    assert np.nanmin(agreement) > 0.99


def test_a_dead_neuron_near_the_origin_is_not_waited_for():
    x = double(np.linspace(0.2, 1, 20))[:, None]
    dead = npw.KKTPoint(1, 1.0, double([-0.5]), double([0.5]), 0.0)
    flow = npw.SaddleFlow(None, npw.Problem(x, 2 * x), dead, 1e-3, starts=5)
    for goal in ("escape", "next saddle"):
        assert "none is expected any more" in flow.run_to(goal)
    assert 0 < flow.time < 1e3
    flow.aim(None)
    for _ in range(20):
        flow.advance()
    assert flow.finished is None
    assert math.isfinite(flow.time)
    assert np.isfinite(flow.record.time).all()


def test_descent_goes_from_saddle_to_saddle_as_the_flow_does():
    x = double(np.concatenate([np.linspace(-1, -0.1, 20), np.linspace(0.1, 1, 20)]))[:, None]
    problem = npw.Problem(x, torch.relu(2 * x) + 0.7 * torch.relu(-x))
    flows = [
        npw.SaddleFlow(None, problem, (4,), 1e-3, starts=10, dynamics=dynamics, step_size=0.02)
        for dynamics in ("flow", "descent")
    ]
    for flow in flows:
        flow.run_to("next saddle")
    assert flows[0].awakenings[0].awake == flows[1].awakenings[0].awake
    assert flows[1].awakenings[0].escape_time == pytest.approx(flows[0].awakenings[0].escape_time, rel=0.03)
    assert flows[1].frame().steps == round(flows[1].time / 0.02)
