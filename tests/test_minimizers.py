"""The minimizers: known minima, known steps, and that cutting or saving a run changes not one bit."""

from __future__ import annotations

import math
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from np_widgets.learning.minimizers.choice import MINIMIZERS, make_minimizer
from np_widgets.learning.minimizers.first_order import Adam, GradientDescent
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem

KINDS = list(MINIMIZERS.values())
DESCENTS = [LBFGS, LevenbergMarquardt]


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _objective(
    sizes: tuple[int, ...] = (4, 3, 2, 1), power: int = 1, leak: float = 0.2, seed: int = 0, samples: int = 40
) -> Objective:
    """Targets that no network fits, so that every minimizer has something to do for long."""
    inputs, targets = _normal(seed, samples, sizes[0]), _normal(seed + 1, samples, sizes[-1])
    weights = [0.5 * _normal(seed + 2 + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return Objective(Problem(inputs, targets), HomogeneousNetwork(weights, power=power, leak=leak))


def _least_squares() -> tuple[Objective, float]:
    """A linear network of one output, and the smallest loss that a linear function has."""
    objective = _objective((5, 2, 1), leak=1.0)
    inputs, targets = objective.problem.inputs.numpy(), objective.problem.targets.numpy()
    solution = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    return objective, float(((inputs @ solution - targets) ** 2).mean() / 2)


def _valley() -> Objective:
    """One neuron whose minimum, of loss 1/4, lies on the kink of two samples that pull from both sides.

    Along the first weight the loss has the shape of an absolute value; the other two fit the third sample.
    """
    inputs, targets = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [-1.0, -1.0, 2.0, 0.0]
    return Objective(Problem(inputs, targets), HomogeneousNetwork([[[0.3, 1.1]], [[1.0]]]))


def _same(first: Minimizer, second: Minimizer) -> bool:
    return (
        torch.equal(first.theta, second.theta)
        and torch.equal(first.gradient, second.gradient)
        and torch.equal(first.lowest_theta, second.lowest_theta)
        and (first.loss, first.steps, first.finished) == (second.loss, second.steps, second.finished)
    )


def _equal(first: object, second: object) -> bool:
    """Whether two states hold the same bits."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    return first == second


# ------------------------------------------------------------------------------------------------ what all of them do


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(0, 100))
def test_cutting_a_run_changes_nothing(kind, slices, seed):
    objective = _objective(seed=seed)
    whole, cut = kind(objective, objective.initial), kind(objective, objective.initial)
    whole.advance(sum(slices))
    for steps in slices:
        cut.advance(steps)
    assert _same(whole, cut)


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.integers(0, 120), st.integers(1, 60), st.integers(0, 100))
def test_a_saved_run_goes_on_as_if_it_had_not_been_saved(kind, before, after, seed):
    objective = _objective(seed=seed)
    minimizer = kind(objective, objective.initial)
    minimizer.advance(before)
    state = minimizer.state()
    stored = pickle.dumps(state)
    minimizer.advance(after)
    assert _equal(state, pickle.loads(stored)), "later steps changed an earlier state"

    other = _objective(seed=seed)
    resumed = kind(other, torch.zeros(other.size))
    resumed.restore(pickle.loads(stored))
    assert resumed.steps <= before
    resumed.advance(after)
    assert _same(minimizer, resumed)
    minimizer.restore(state)
    minimizer.advance(after)
    assert _same(minimizer, resumed)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_reported_belongs_to_the_current_weights(kind):
    objective = _objective()
    minimizer = kind(objective, objective.initial)
    lowest = minimizer.loss
    for _ in range(30):
        minimizer.advance(7)
        loss, gradient = objective.loss_and_gradient(minimizer.theta)
        assert minimizer.loss == loss
        assert torch.equal(minimizer.gradient, gradient)
        assert minimizer.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-14)
        lowest = min(lowest, loss)
        assert minimizer.lowest_loss <= lowest
        assert minimizer.lowest_loss == objective.loss(minimizer.lowest_theta)
    assert minimizer.steps == 210 or minimizer.finished


@pytest.mark.parametrize("kind", KINDS)
def test_the_callers_weights_and_those_handed_out_stay_as_they_are(kind):
    objective = _objective()
    start = objective.initial.clone()
    minimizer = kind(objective, start)
    handed_out = minimizer.theta
    minimizer.advance(20)
    assert torch.equal(start, objective.initial)
    assert torch.equal(handed_out, start)
    current = minimizer.theta.clone()
    start.zero_()
    assert torch.equal(minimizer.theta, current)
    assert not torch.equal(minimizer.theta, handed_out)


@pytest.mark.rounding
@pytest.mark.parametrize("kind", KINDS)
def test_a_least_squares_problem_is_solved(kind):
    objective, smallest = _least_squares()
    minimizer = kind(objective, objective.initial)
    minimizer.advance(6000)
    assert minimizer.lowest_loss == pytest.approx(smallest, rel=1e-9)
    assert minimizer.lowest_loss >= smallest * (1 - 1e-12)
    assert minimizer.gradient_norm < 1e-4


@pytest.mark.rounding
@pytest.mark.parametrize("kind", KINDS)
def test_constant_inputs_are_classified_by_how_frequent_each_class_is(kind):
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    problem = Problem(torch.ones(10, 1), labels, "cross_entropy")
    weights = [torch.tensor([[1.0]]).double(), torch.zeros(3, 1).double()]
    objective = Objective(problem, HomogeneousNetwork(weights, leak=1.0))
    minimizer = kind(objective, objective.initial)
    minimizer.advance(3000)
    frequencies = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    entropy = -float((frequencies * frequencies.log()).sum())
    assert minimizer.loss == pytest.approx(entropy, rel=1e-6)


@pytest.mark.rounding
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("power", [1, 2])
def test_a_teacher_nearby_is_found(kind, power):
    objective = _objective((4, 3, 1), power=power, leak=0.0, samples=100)
    teacher = objective.initial
    targets = objective.network(teacher)(objective.problem.inputs)
    objective = Objective(Problem(objective.problem.inputs, targets), objective.network(teacher))
    minimizer = kind(objective, teacher + 0.02 * _normal(9, objective.size))
    first = minimizer.loss
    minimizer.advance(6000)
    assert minimizer.lowest_loss < 1e-2 * first
    if kind in DESCENTS:
        assert minimizer.loss < 1e-18
        assert minimizer.finished


@pytest.mark.exact_data(reason="the gradient is exactly zero")
@pytest.mark.parametrize("kind", KINDS)
def test_a_point_without_gradient_ends_the_run_before_its_first_step(kind):
    objective = Objective(Problem([[1.0], [2.0]], [1.0, 2.0]), HomogeneousNetwork([[[1.0]], [[1.0]]]))
    minimizer = kind(objective, objective.initial)
    minimizer.advance(10)
    assert minimizer.steps == 0
    assert minimizer.finished is not None
    assert "the gradient vanishes" in minimizer.finished
    before = minimizer.state()
    minimizer.advance(10)
    assert _equal(minimizer.state(), before)


@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_stays_single(kind):
    double = _objective()
    network = double.network(double.initial).to(dtype="float32")
    objective = Objective(double.problem.to(dtype="float32"), network)
    minimizer = kind(objective, objective.initial)
    first = minimizer.loss
    minimizer.advance(400)
    assert minimizer.theta.dtype == minimizer.gradient.dtype == torch.float32
    assert minimizer.lowest_loss < 0.95 * first


@pytest.mark.rounding
@pytest.mark.parametrize("kind", KINDS)
def test_a_plateau_is_not_taken_for_a_minimum(kind):
    # A neuron that is all but asleep: the loss falls by a part in 10⁹ at first, and by a third in the end.
    inputs = _normal(3, 200, 3)
    targets = torch.relu(inputs @ torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64))
    objective = Objective(
        Problem(inputs, targets),
        HomogeneousNetwork([[[1e-5, 1e-6, -1e-6]], [[1e-6]]]),
    )
    minimizer = kind(objective, objective.initial)
    first = minimizer.loss
    minimizer.advance(20_000)
    assert minimizer.lowest_loss < 1e-3 * first


# ------------------------------------------------------------------------------------------- gradient descent and Adam


def _trained(objective: Objective, optimizer: type[torch.optim.Optimizer], steps: int, **options: Any) -> Tensor:
    module = objective.network(objective.initial).to_module()
    steps_of = optimizer(module.parameters(), **options)
    for _ in range(steps):
        steps_of.zero_grad()
        objective.problem.loss.value(module(objective.problem.inputs), objective.problem.targets).backward()
        steps_of.step()
    return torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])


def test_gradient_descent_takes_the_steps_of_torch():
    objective = _objective()
    minimizer = GradientDescent(objective, objective.initial, learning_rate=0.05)
    minimizer.advance(60)
    expected = _trained(objective, torch.optim.SGD, 60, lr=0.05)
    torch.testing.assert_close(minimizer.theta, expected, rtol=1e-9, atol=1e-12)


def test_adam_takes_the_steps_of_torch():
    objective = _objective()
    minimizer = Adam(objective, objective.initial, learning_rate=0.03, betas=(0.8, 0.99), epsilon=1e-6)
    minimizer.advance(60)
    expected = _trained(objective, torch.optim.Adam, 60, lr=0.03, betas=(0.8, 0.99), eps=1e-6)
    torch.testing.assert_close(minimizer.theta, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.rounding
@pytest.mark.parametrize("kind", [GradientDescent, Adam])
def test_divergence_ends_at_the_last_finite_point(kind):
    objective = _objective(power=3)
    minimizer = kind(objective, objective.initial, learning_rate=1e30)
    minimizer.advance(100)
    assert minimizer.finished is not None
    assert minimizer.finished.startswith("diverged")
    assert math.isfinite(minimizer.loss)
    assert minimizer.loss == objective.loss(minimizer.theta)
    assert bool(torch.isfinite(minimizer.theta).all())


@pytest.mark.rounding
@pytest.mark.parametrize("kind", KINDS)
def test_settling_leads_to_the_lowest_point_seen(kind):
    objective = _objective()
    minimizer = kind(objective, objective.initial)
    minimizer.advance(90)
    minimizer.settle()
    assert torch.equal(minimizer.theta, minimizer.lowest_theta)
    assert minimizer.loss == minimizer.lowest_loss == objective.loss(minimizer.theta)
    assert torch.equal(minimizer.gradient, objective.loss_and_gradient(minimizer.theta)[1])


@pytest.mark.parametrize("kind", [GradientDescent, Adam])
def test_the_lowest_point_is_that_of_the_lowest_loss_seen(kind):
    objective = _valley()
    minimizer = kind(objective, objective.initial, learning_rate=0.1)  # it bounces around the kink: the loss also rises
    seen = [minimizer.loss]
    for _ in range(60):
        minimizer.advance(1)
        seen.append(minimizer.loss)
    assert any(later > earlier for earlier, later in pairwise(seen))
    assert minimizer.lowest_loss == min(seen) == objective.loss(minimizer.lowest_theta)


@pytest.mark.rounding
def test_gradient_descent_ends_after_exactly_its_patience():
    # On the kink it bounces from side to side, and the lowest loss stays what it is.
    objective = _valley()
    rule = StoppingRule(gradient_tolerance=0.0, patience=300, least_decrease=1.0)
    minimizer = GradientDescent(objective, objective.initial, stopping=rule)
    minimizer.advance(1000)
    assert minimizer.steps == 300


@pytest.mark.rounding
def test_gradient_descent_that_bounces_around_a_kink_says_that_it_gets_nowhere():
    objective = _valley()
    minimizer = GradientDescent(objective, objective.initial)
    minimizer.advance(20_000)
    assert minimizer.finished is not None
    assert "no further decrease" in minimizer.finished
    assert minimizer.gradient_norm > 0.1
    assert minimizer.lowest_loss == pytest.approx(0.25, abs=0.01)


# ------------------------------------------------------------------------------------- L-BFGS and Levenberg–Marquardt


@pytest.mark.rounding
@settings(max_examples=20)
@given(st.sampled_from(DESCENTS), st.integers(0, 1000), st.integers(1, 2), st.sampled_from([-1.0, 0.0, 0.3, 1.0]))
def test_descents_never_go_up(kind, seed, power, leak):
    objective = _objective(power=power, leak=leak, seed=seed)
    minimizer = kind(objective, objective.initial)
    for _ in range(40):
        before = minimizer.loss
        minimizer.advance(1)
        assert minimizer.loss <= before


@pytest.mark.rounding
@pytest.mark.parametrize("kind", DESCENTS)
def test_descents_end_where_they_cannot_go_on(kind):
    objective = _objective(leak=0.0)
    minimizer = kind(objective, objective.initial)
    minimizer.advance(5000)
    assert minimizer.finished is not None
    assert minimizer.steps < 5000
    assert minimizer.loss < objective.loss(objective.initial)


@pytest.mark.rounding
def test_lbfgs_finds_a_minimum_on_a_kink():
    objective = _valley()
    minimizer = LBFGS(objective, objective.initial)
    minimizer.advance(200)
    assert minimizer.loss == pytest.approx(0.25, rel=1e-9)
    assert minimizer.finished is not None


def test_lbfgs_direction_is_that_of_the_two_loops():
    objective = _objective(power=2, samples=30)
    minimizer = LBFGS(objective, objective.initial, memory=4)
    minimizer.advance(9)
    pairs = list(zip(minimizer._displacements, minimizer._changes, strict=True))
    assert len(pairs) == 4
    # Nocedal & Wright, Numerical Optimization, algorithm 7.4.
    direction, shares = minimizer.gradient.clone(), []
    for displacement, change in reversed(pairs):
        shares.append(displacement @ direction / (displacement @ change))
        direction = direction - shares[-1] * change
    displacement, change = pairs[-1]
    direction = direction * (displacement @ change) / (change @ change)
    for (displacement, change), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + (share - change @ direction / (displacement @ change)) * displacement
    torch.testing.assert_close(minimizer._direction(), -direction, rtol=1e-8, atol=1e-10)


@pytest.mark.rounding
def test_levenberg_marquardt_needs_few_steps_where_the_residuals_vanish():
    objective = _objective((6, 4, 1), power=2, leak=0.0, samples=200)
    teacher = objective.initial
    targets = objective.network(teacher)(objective.problem.inputs)
    objective = Objective(Problem(objective.problem.inputs, targets), objective.network(teacher))
    minimizer = LevenbergMarquardt(objective, teacher + 0.1 * _normal(9, objective.size))
    minimizer.advance(60)
    assert minimizer.loss < 1e-15


def test_levenberg_marquardt_solves_the_damped_normal_equations():
    objective = _objective(power=2, leak=1.0)
    minimizer = LevenbergMarquardt(objective, objective.initial, damping=1e3)
    model = objective.gauss_newton(objective.initial)
    damping = 1e3 * float(model.matrix.diagonal().max())
    shift = torch.linalg.solve(model.matrix + damping * torch.eye(objective.size, dtype=torch.float64), -model.gradient)
    minimizer.advance(1)
    torch.testing.assert_close(minimizer.theta, objective.initial + shift, rtol=1e-9, atol=1e-12)


def test_levenberg_marquardt_refuses_more_weights_than_fit():
    objective = _objective()
    with pytest.raises(ValueError, match=r"at most most_weights=10 weights, got 20.*'lbfgs' or 'adam'"):
        LevenbergMarquardt(objective, objective.initial, most_weights=10)


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("kind", "options", "argument"),
    [
        (GradientDescent, {"learning_rate": 0.0}, "learning_rate"),
        (GradientDescent, {"learning_rate": math.nan}, "learning_rate"),
        (GradientDescent, {"learning_rate": "fast"}, "learning_rate"),
        (Adam, {"learning_rate": -1.0}, "learning_rate"),
        (Adam, {"betas": (0.9,)}, "betas"),
        (Adam, {"betas": (0.9, 1.0)}, r"betas\[1\]"),
        (Adam, {"betas": (-0.1, 0.9)}, r"betas\[0\]"),
        (Adam, {"epsilon": 0}, "epsilon"),
        (LBFGS, {"memory": 0}, "memory"),
        (LBFGS, {"memory": 2.5}, "memory"),
        (LevenbergMarquardt, {"damping": 0.0}, "damping"),
        (LevenbergMarquardt, {"most_weights": 0}, "most_weights"),
    ],
)
def test_settings_out_of_range_are_refused(kind, options, argument):
    objective = _objective()
    with pytest.raises((TypeError, ValueError), match=argument):
        kind(objective, objective.initial, **options)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"gradient_tolerance": -1.0}, "gradient_tolerance"),
        ({"patience": 0}, "patience"),
        ({"least_decrease": 1.5}, "least_decrease"),
    ],
)
def test_stopping_rules_out_of_range_are_refused(options, argument):
    with pytest.raises(ValueError, match=argument):
        StoppingRule(**options)


@pytest.mark.parametrize("kind", KINDS)
def test_starts_that_make_no_sense_are_refused(kind):
    objective = _objective()
    with pytest.raises(TypeError, match="theta"):
        kind(objective, objective.initial.tolist())
    with pytest.raises(ValueError, match=r"theta must have shape \(20,\), got \(3,\)"):
        kind(objective, torch.ones(3))
    with pytest.raises(ValueError, match="theta must have a finite loss"):
        kind(objective, torch.full((20,), math.nan))


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_states_are_refused_and_change_nothing(kind):
    objective = _objective()
    minimizer = kind(objective, objective.initial)
    minimizer.advance(3)
    before = minimizer.state()
    foreign = next(other for other in KINDS if other is not kind)(objective, objective.initial).state()
    with pytest.raises(ValueError, match=f"state must come from '{kind.name}'"):
        minimizer.restore(foreign)
    smaller = _objective((2, 1, 1))
    with pytest.raises(ValueError, match=r"state\['theta'\] must have shape"):
        minimizer.restore(kind(smaller, smaller.initial).state())
    assert _equal(minimizer.state(), before)


@pytest.mark.parametrize("steps", [-1, 1.5, True])
def test_steps_must_be_a_number_of_steps(steps):
    objective = _objective()
    with pytest.raises((TypeError, ValueError), match="steps"):
        GradientDescent(objective, objective.initial).advance(steps)


def test_a_rule_may_grant_so_many_steps_and_auto_grants_few_where_there_are_kinks():
    kinked = _objective(leak=0.0)
    minimizer = LevenbergMarquardt(kinked, kinked.initial, stopping=StoppingRule(most_steps=3))
    minimizer.advance(10)
    assert minimizer.steps == 3
    assert minimizer.finished.startswith("3 steps are enough")
    brief = make_minimizer("levenberg_marquardt", kinked, kinked.initial, None, brief=True)
    smooth = _objective(leak=1.0)
    thorough = make_minimizer("levenberg_marquardt", smooth, smooth.initial, None, brief=True)
    assert brief.stopping.most_steps is not None
    assert thorough.stopping.most_steps is None
