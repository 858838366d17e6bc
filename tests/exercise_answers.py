"""Answers to the exercises: right ones by ways of their own, ten wrong ones with what must be said of each, garbage."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import np_widgets as npw
from np_widgets import exercises
from np_widgets.exercises import drawing, prices, teachers

EXERCISES = ("growing_layer", "own_neuron", "escape_time", "stuck_pursuit", "price_on_weights", "secret_teacher")
Wrong = list[tuple[Any, str]]


def check(exercise: str) -> Callable[..., exercises.Grade]:
    found: Callable[..., exercises.Grade] = getattr(exercises, f"check_{exercise}")
    return found


def answers(exercise: str, student: int | str) -> tuple[Any, Wrong]:
    """The right answer, and ten or more wrong ones, each with a regular expression for the feedback."""
    found: tuple[Any, Wrong] = globals()[f"_of_{exercise}"](student)
    return found


def _of_growing_layer(student):
    saddles = exercises.growing_layer(student=student)
    right = [npw.find_kkt_points(each.network, each.problem, starts=20)[0].layer for each in saddles]
    others = [list(each) for each in itertools.product((1, 2, 3), repeat=3) if list(each) != right]
    several = [each for each in others if len(set(each)) > 1]
    alike = [each for each in others if len(set(each)) == 1]
    chosen = [several[index] for index in np.linspace(0, len(several) - 1, 9).astype(int)]
    wrong = [
        (each, r"not layer [123]\. Its best neuron has .* another layer offers .* as much\. Hint: ") for each in chosen
    ]
    return right, [*wrong, (alike[0], "three saddles are different"), (alike[-1], "three saddles are different")]


def _best_neuron(task):
    """The best of many random directions at its best size, and one of the worst."""
    residual = (task.problem.targets - task.network(task.problem.inputs)).squeeze(1)
    loudness = task.problem.inputs.std(dim=0)
    incoming = torch.from_numpy(np.random.default_rng(0).standard_normal((2000, 4))) / loudness
    fires = task.network.activation(task.problem.inputs @ incoming.T)
    outgoing = (residual @ fires) / fires.square().sum(dim=0)
    gains = (outgoing * (residual @ fires)).nan_to_num() / 2 / len(residual)
    neurons = [(incoming[index].tolist(), float(outgoing[index])) for index in gains.argsort()]
    return neurons[-1], neurons[5]


def _of_own_neuron(student):
    task = exercises.own_neuron(student=student)
    (incoming, outgoing), usual = _best_neuron(task)
    residual = (task.problem.targets - task.network(task.problem.inputs)).squeeze(1)
    answer = task.network.activation(task.problem.inputs @ task.point.incoming) * task.point.outgoing
    factor = float(residual @ answer / (answer @ answer))
    kkt, above = task.point.incoming.tolist(), float(task.point.outgoing)
    return (incoming, outgoing), [
        ((kkt, factor * above), "KKT point's own direction"),
        ((kkt, 10 * factor * above), "better than the size: with 0.1 times"),
        ((kkt, 0.1 * factor * above), "better than the size: with 10 times"),
        ((kkt, -factor * above), "raises the loss .*\n.*wrong sign"),
        ((incoming, -outgoing), "wrong sign"),
        ((incoming, 5 * outgoing), "with 0.2 times its outgoing weight"),
        ((incoming, 1e-3 * outgoing), "with 1e.03 times its outgoing weight"),
        (([0.0] * 4, outgoing), "answers 0 to every sample"),
        ((incoming, 0.0), "answers 0 to every sample"),
        (usual, r"mean\(r·f\)² .* quiet"),
        ((incoming[:3], outgoing), r"incoming must have shape \(4,\)"),
        ((incoming, [outgoing, 1.0]), r"outgoing must have shape \(1,\)"),
        ((incoming, 1e200), "no longer a number|far too large|raises the loss"),
    ]


def _of_escape_time(student):
    task = exercises.escape_time(student=student)
    right, logarithms, endless, tenth = [], [], [], []
    for escape in task:
        value, degree, start, end = escape.point.value, escape.point.degree, escape.start_norm, escape.end_norm
        logarithms.append(math.log(end / start) / (2 * value))
        tenth.append(math.log10(end / start) / (2 * value))
        if degree == 2:
            right.append(logarithms[-1])
            endless.append(-math.log(start) / (2 * value))
        else:
            power = 2 - degree
            right.append((start**power - end**power) / (degree * (degree - 2) * value))
            endless.append(start**power / (degree * (degree - 2) * value))
    return right, [
        ([2 * time for time in right], "2 times the time.* which rate does the norm grow"),
        ([3 * time for time in right], "Escape 3: .*count the factor D once"),
        (logarithms, "Escape 1: .* is right.*\n.*law of degree 2. The degree here is 3.*\n.*law of degree 2"),
        (tenth, "logarithm to base 10"),
        (endless, "but where does it end.*\n.*time to grow without end"),
        ([0, 0, 0], "no time that anything takes.*begins at the smaller norm"),
        ([-time for time in right], "no time that anything takes"),
        ([1.1 * time for time in right], r"1.1 times the time.*compound interest.*\n.*Separate the variables"),
        ([*right[:2], 0.5 * right[2]], "Escape 1: .* right.*\nEscape 2: .* right.*\nEscape 3: .* 0.5 times the time"),
        (right[:2], "must hold 3 times, got 2"),
        ([*right, 1.0], "must hold 3 times, got 4"),
    ]


def _of_stuck_pursuit(student):
    task = exercises.stuck_pursuit(student=student)
    inputs, residual = task.problem.inputs, task.problem.targets - task.network(task.problem.inputs)
    left, values, right = np.linalg.svd((residual.T @ inputs / len(inputs)).numpy(), full_matrices=True)
    known = np.linalg.svd((task.problem.targets.T @ inputs / len(inputs)).numpy())
    best = right[0], values[0], left[:, 0]
    incoming, inner, outgoing = best
    return best, [
        ((known[2][0], known[1][0], known[0][:, 0]), "what the network knows already"),
        ((right[1], values[1], left[:, 1]), "not the one of the largest value"),
        ((incoming, -inner, outgoing), "raises the loss .*\n.*wrong sign"),
        ((incoming, 0.5 * inner, outgoing), "too small: with 2 times"),
        ((incoming, 0.01 * inner, outgoing), "too small: with 1e.02 times"),
        ((incoming, 4 * inner, outgoing), "too large: with 0.25 times"),
        ((incoming, 0.0, outgoing), "Nothing comes through"),
        ((known[2][5], inner, known[0][:, 3]), "hardly correlates"),
        ((incoming + 0.5 * right[1], 0.8 * inner, outgoing), "the direction is near|lower the loss more"),
        ((incoming[:5], inner, outgoing), r"incoming must have shape \(6,\)"),
        ((outgoing, inner, incoming), r"incoming must have shape \(6,\), got \(4,\)"),
        ((incoming, outgoing), r"must be a path \(incoming, inner, outgoing\)"),
        ((incoming, 1e200, outgoing), "no longer a number"),
    ]


def _of_price_on_weights(student):
    problem = exercises.price_on_weights(student=student)
    inputs, targets = problem.inputs.numpy(), problem.targets.numpy()
    seen = targets.T @ inputs / len(inputs)
    grid = np.linspace(0, np.linalg.norm(seen, 2), 301)
    right = float(grid[prices._held_out(inputs, targets, grid).argmin()])
    losses = prices._losses(seen, drawing.remembered("price on weights", student, prices._draw)[1], grid)
    passing = np.flatnonzero(losses <= 1.25 * losses.min())
    low, high, top = (float(grid[index]) for index in (passing[0] - 1, passing[-1] + 1, -1))  # just not
    return right, [
        (0, "8 neurons.*\n.*as if it were truth.*too small"),
        (0.01 * low, "too small"),
        (0.5 * low, "too small"),
        (low, "too small"),
        (high, "too large: "),
        (high + 0.5 * (top - high), "too large: "),
        (1.01 * top, "0 neurons.*\n.*nothing is worth its weights"),
        (10 * top, "nothing is worth its weights"),
        (-right, "must be a finite number of at least 0"),
        (str(right), "must be a finite number of at least 0"),
        ([right], "must be a finite number of at least 0"),
    ]


def _of_secret_teacher(student):
    right = list(drawing.remembered("secret teacher", student, teachers._draw)[1])
    names, power = list(exercises.ACTIVATIONS), {name: each["power"] for name, each in exercises.ACTIVATIONS.items()}
    wrong = []
    for place, name in itertools.product(range(3), names):
        if name != right[place]:
            same = power[name] == power[right[place]]
            said = "its power p is right" if same else "not of its power p, either"
            wrong.append(
                ([*right[:place], name, *right[place + 1 :]], f"Teacher {place + 1}: not {name}.*{said}.*Hint: ")
            )
    return right, [*wrong, ([right[0]] * 3, "no two teachers have the same"), (right[:2], "a list of 3 names")]


class Hostile:
    """It raises whatever is done to it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("hostile")

    def __len__(self) -> int:
        raise RuntimeError("hostile")

    def __iter__(self) -> Any:
        raise RuntimeError("hostile")

    def __repr__(self) -> str:
        raise RuntimeError("hostile")


def garbage() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return [
        *(None, "", "forty-two", b"42", 3 + 1j, math.nan, math.inf, True, object(), {}, {1, 2, 3}, {"answer": 1}),
        *(
            [],
            [[]],
            [None] * 3,
            [math.nan] * 3,
            ["1", "2", "3"],
            endless,
            np.zeros((2, 2, 2)),
            np.array([]),
            torch.eye(2),
        ),
        *(
            len,
            int,
            torch.eye(2),
            iter([1, 2, 3]),
            range(0),
            np.array([1, "x", None], dtype=object),
            10**400,
            [10**400] * 3,
        ),
        *(Hostile(), [Hostile()] * 3, (Hostile(), Hostile()), "\n" * 5),
    ]
