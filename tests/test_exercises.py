"""Exercises: everyone has problems of her own, right answers pass, wrong ones get a fitting hint, garbage too."""

from __future__ import annotations

import re
import time

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import np_widgets as npw
from np_widgets import exercises
from np_widgets.exercises import drawing, layers, prices
from np_widgets.learning.hessian import Hessian
from np_widgets.learning.objective import Objective
from tests.exercise_answers import EXERCISES, answers, check, garbage

each_exercise = pytest.mark.parametrize("exercise", EXERCISES)
few = hypothesis.settings(max_examples=2, phases=[hypothesis.Phase.generate])


def made(exercise, **options):
    return getattr(exercises, exercise)(**options)


def tensors_of(thing):
    """All numbers of a task: inputs and targets of its problems, weights of its networks."""
    if isinstance(thing, tuple):
        return [tensor for each in thing for tensor in tensors_of(each)]
    if isinstance(thing, npw.Problem):
        return [thing.inputs, thing.targets]
    problem = thing.problem
    return [problem.inputs, problem.targets, *(thing.network.weights if thing.network is not None else ())]


@each_exercise
@few
@hypothesis.given(student=st.integers(0, 10**6))
def test_right_answers_pass_and_wrong_ones_fail_with_a_fitting_hint(exercise, student):
    right, wrong = answers(exercise, student)
    grade = check(exercise)(right, student=student)
    assert (grade.passed, grade.score) == (True, 1), grade
    assert len(wrong) >= 10
    for answer, said in wrong:
        grade = check(exercise)(answer, student=student)
        assert not grade.passed
        assert 0 <= grade.score < 1
        assert re.search(said, grade.feedback), (said, grade)
        assert "Hint: " in grade.feedback


@each_exercise
def test_garbage_gets_a_hint_and_no_traceback(exercise):
    for answer in garbage():
        grade = check(exercise)(answer)
        assert (grade.passed, grade.score) == (False, 0)
        assert re.search(r"could not be read: .*\nHint: an answer is ", grade.feedback), grade


@each_exercise
def test_everyone_has_a_problem_of_her_own_and_the_same_one_each_time(exercise):
    ada, again, grace = (tensors_of(made(exercise, student=name)) for name in ("Ada", "  ada ", "Grace"))
    assert all(map(torch.equal, ada, again))
    assert not any(map(torch.equal, ada[:2], grace[:2]))
    assert all(map(torch.equal, tensors_of(made(exercise, student=7)), tensors_of(made(exercise, student="7"))))


@each_exercise
@pytest.mark.parametrize(
    ("student", "error"), [(None, TypeError), (True, TypeError), (1.0, TypeError), ("  ", ValueError)]
)
def test_a_student_is_a_name_or_a_number(exercise, student, error):
    for call in (lambda: made(exercise, student=student), lambda: check(exercise)(1, student=student)):
        with pytest.raises(error, match=r"^student must be a name or a whole number, got "):
            call()


def test_a_name_means_the_same_on_every_machine():
    """Digests do not depend on the process, as ``hash`` does; the numbers are those of the first release."""
    task = exercises.stuck_pursuit(student="Ada")
    assert task.problem.inputs[0, :3].numpy() == pytest.approx(ADA, abs=1e-12)


ADA = [1.1857458156687275, -1.8007076600920515, -1.175067794429409]


@each_exercise
def test_a_right_answer_of_one_student_is_none_of_anothers(exercise):
    students = range(5)
    right, _ = answers(exercise, "Ada")
    assert not all(check(exercise)(right, student=student).passed for student in students)


def test_a_grade_prints_well():
    grade = exercises.check_escape_time([1.0, 2.0, 3.0])
    assert "\n" not in repr(grade)
    assert len(repr(grade)) <= 300
    assert repr(grade).startswith("Grade(not yet, score 0.00: Escape 1: 1 is ")
    assert str(grade) == f"not yet, score 0.00\n{grade.feedback}"
    assert grade._repr_markdown_().count("\n- ") == 3
    assert grade._repr_markdown_().startswith("**Not yet**, score 0.00\n\n- Escape 1: ")
    assert exercises.Grade(True, 1.0, "Well done.").verdict == "passed"
    assert exercises.Grade(False, 0.5, "").verdict == "in part"


@each_exercise
def test_what_a_student_gets_does_not_tell_the_answer(exercise):
    task = made(exercise, student="Ada")
    for thing in task if isinstance(task, tuple) else (task,):
        problem = thing if isinstance(thing, npw.Problem) else thing.problem
        assert (problem.truth, problem.recipe) == (None, None)
        assert not any(name in repr(thing) for name in exercises.ACTIVATIONS)


@each_exercise
def test_problems_and_checks_are_quick(exercise):
    start = time.process_time()
    made(exercise, student="quick")
    check(exercise)(None, student="quick")
    assert time.process_time() - start < 2


def saddles_of(student):
    stuck, own = exercises.stuck_pursuit(student=student), exercises.own_neuron(student=student)
    growing, escapes = exercises.growing_layer(student=student), exercises.escape_time(student=student)
    return [
        *((each.network, each.problem) for each in growing),
        *((each.network, each.problem) for each in escapes[:2]),
        (own.network, own.problem),
        (stuck.network, stuck.problem),
    ]


@pytest.mark.parametrize("student", [1, 2])
def test_networks_of_exercises_stand_still_at_a_minimum(student):
    for network, problem in saddles_of(student):
        objective = Objective(problem, network)
        hessian = Hessian(objective, objective.initial)
        curvatures = np.linalg.eigvalsh(hessian.whole())
        assert float(hessian.gradient.norm()) < 1e-9 * curvatures[-1]
        assert curvatures[0] > -1e-8 * curvatures[-1]


def test_the_times_are_those_of_the_flow():
    escape = exercises.escape_time(student="Ada")[0]
    (right, *_), _ = answers("escape_time", "Ada")
    flow = npw.SaddleFlow(escape.network, escape.problem, dormant=escape.point, scale=escape.start_norm)
    flow.run(1.1 * right)
    seen = np.interp(np.log(escape.end_norm), np.log(flow.record.dormant_norm), flow.record.time)
    assert seen == pytest.approx(right, rel=0.02)


def test_the_losses_told_are_those_of_the_networks():
    task, stuck = exercises.own_neuron(student=3), exercises.stuck_pursuit(student=3)
    for told in (task, stuck):
        residual = told.problem.targets - told.network(told.problem.inputs)
        assert told.loss == pytest.approx(float(residual.square().sum(dim=1).mean()) / 2, rel=1e-9)
    point, sizes = task.point, np.linspace(0.01, 20, 2000)
    losses = []
    for size in sizes:
        grown = task.network.with_neuron(1, point.incoming, size * point.outgoing)
        losses.append(float((task.problem.targets - grown(task.problem.inputs)).square().mean()) / 2)
    assert min(losses) == pytest.approx(task.loss_to_beat, rel=1e-3)
    (incoming, inner, outgoing), _ = answers("stuck_pursuit", 3)
    grown = stuck.network.with_path(1, incoming, [inner], outgoing)
    left = float((stuck.problem.targets - grown(stuck.problem.inputs)).square().sum(dim=1).mean()) / 2
    said = exercises.check_stuck_pursuit((incoming, inner, outgoing), student=3).feedback
    assert said.startswith(f"It lowers the loss from {stuck.loss:.3f} to {left:.3f}.")


def test_no_single_neuron_frees_the_stuck_pursuit_and_a_path_does():
    task = exercises.stuck_pursuit(student=5)
    points = npw.find_kkt_points(task.network, task.problem, starts=10, longest=2)
    assert {(point.layer, point.last) for point in points} == {(1, 2)}


def test_the_pursuit_with_a_price_learns_what_the_check_says():
    problem = exercises.price_on_weights(student=2)
    price, _ = answers("price_on_weights", 2)
    pursuit = npw.NeuronPursuit(problem, hidden_layers=1, leak=1.0, weight_decay=price, starts=10)
    pursuit.run(12)
    learned = pursuit.network.weights[1] @ pursuit.network.weights[0]
    left, values, right = np.linalg.svd(
        (problem.targets.T @ problem.inputs / problem.samples).numpy(), full_matrices=False
    )
    assert learned.numpy() == pytest.approx((left * np.maximum(values - price, 0)) @ right, abs=0.02 * values[0])
    assert f"has {pursuit.network.widths[0]} neuron" in exercises.check_price_on_weights(price, student=2).feedback


def test_three_neurons_of_the_right_activation_find_a_secret_teacher_and_others_do_not():
    problem, (secret, *_) = exercises.secret_teacher(student="Ada")[0], answers("secret_teacher", "Ada")[0]
    losses = {}
    for name, options in exercises.ACTIVATIONS.items():
        pursuit = npw.NeuronPursuit(problem, hidden_layers=1, starts=10, max_steps=300, **options)
        pursuit.run(2)
        losses[name] = pursuit.loss / problem.zero_loss
    assert min(losses, key=losses.__getitem__) == secret
    assert losses[secret] < 1e-6
    assert sorted(losses.values())[1] > 1e-3


def test_the_test_loss_of_a_price_is_that_of_what_is_learned():
    problem, truth = drawing.remembered("price on weights", 2, prices._draw)
    seen = (problem.targets.T @ problem.inputs / problem.samples).numpy()
    left, values, right = np.linalg.svd(seen, full_matrices=False)
    tried = np.array([0.0, 0.3, 0.7]) * values[0]
    learned = [left * np.maximum(values - price, 0) @ right for price in tried]
    losses = [((each - truth) ** 2).sum() / 2 for each in learned]
    assert prices._losses(seen, truth, tried) == pytest.approx(losses)


def test_a_layer_that_is_nearly_as_good_is_not_the_right_one():
    offer = layers._Offer((1.0, 0.9, 0.1), (1.0, 2.0, 1.0), (1.0, 1.0, 2.0))
    grade = layers._judged([1, 2, 3], [offer] * 3)
    assert grade.score == pytest.approx(1 / 3)
    said = grade.feedback.splitlines()
    assert said[0] == "Saddle 1: layer 1 is right."
    assert "another layer offers 1.1 times as much. Hint: the error signal is largest above it" in said[1]
    assert "another layer offers 10.0 times as much. Hint: what comes in from below is largest there" in said[2]


def test_each_layer_is_the_right_one_sometimes():
    offers = [drawing.first_clear(name, student, layers._draw)[1] for student in range(8) for name in layers._NAMES]
    assert {offer.values.index(max(offer.values)) for offer in offers} == {0, 1, 2}
