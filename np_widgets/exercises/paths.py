"""Exercise: free a stuck pursuit with a path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.exercises.drawing import Student, first_clear, remembered
from np_widgets.exercises.grade import Grade, grade, graded
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.problems import Problem

Floats = NDArray[np.float64]

_INPUTS, _OUTPUTS, _SAMPLES = 6, 4, 60
_ENOUGH, _HUGE = 0.95, 1e100
_FORM = (
    "a path (incoming, inner, outgoing): six numbers into layer 1, one number from there to layer 2, and four numbers "
    "out of it, such as ([1, 0, 0, 0, 0, 0], 0.5, [0, 0, 1, 0])"
)


@dataclass(frozen=True)
class StuckPursuit:
    """A linear network of two hidden layers that no single neuron helps.

    Attributes
    ----------
    network
        Of widths (1, 1) and with α = 1: the best matrix of rank one.
    problem
        A matrix of rank three to learn. The inputs are uncorrelated and of unit variance, exactly.
    loss
        The network's loss.
    """

    network: HomogeneousNetwork
    problem: Problem
    loss: float

    __repr__ = one_line


@dataclass(frozen=True)
class _Answer:
    """The truth: singular vectors as columns, and singular values, the largest first."""

    left: Floats
    values: tuple[float, ...]
    right: Floats


def stuck_pursuit(*, student: Student = 0) -> StuckPursuit:
    """A saddle at which the NCF of every single neuron vanishes; asked for is a path of two neurons that leads on.

    Parameters
    ----------
    student
        A name or a seed: everyone has a matrix of her own.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    return first_clear("stuck pursuit", student, _draw)[0]


def check_stuck_pursuit(answer: object, *, student: Student = 0) -> Grade:
    """Grade a path ``(incoming, inner, outgoing)`` for the network of :func:`stuck_pursuit`.

    It passes if it lowers the loss by at least 95 % of what the best path does, without any further training.
    """
    task, truth = remembered("stuck pursuit", student, _draw)
    return graded(lambda: _judged(answer, task, truth), _FORM)


def _judged(answer: object, task: StuckPursuit, truth: _Answer) -> Grade:
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        raise TypeError(f"it must be a path (incoming, inner, outgoing), got {type(answer).__name__}")
    incoming = arguments.vector("incoming", answer[0], _INPUTS, dtype=torch.float64, device="cpu").numpy()
    inner = float(arguments.vector("inner", np.atleast_1d(answer[1]), 1, dtype=torch.float64, device="cpu"))
    outgoing = arguments.vector("outgoing", answer[2], _OUTPUTS, dtype=torch.float64, device="cpu").numpy()
    with np.errstate(over="ignore"):
        added = inner * np.outer(outgoing, incoming)
    if not np.abs(added).max() < _HUGE:
        return grade(0, "With this path the loss is no longer a number.", "Hint: its weights are far too large.")
    if not added.any():
        return grade(0, "Nothing comes through this path.", "Hint: all its weights are multiplied; none may be zero.")
    missing = truth.left[:, 1:] * truth.values[1:] @ truth.right[:, 1:].T
    gained = float((missing * added).sum() - (added**2).sum() / 2)
    best = truth.values[1] ** 2 / 2
    if gained >= _ENOUGH * best:
        return grade(1, f"It lowers the loss from {task.loss:.3f} to {task.loss - gained:.3f}. The pursuit is free.")
    said = f"lowers the loss by {gained:.3g}" if gained > 0 else f"raises the loss by {-gained:.3g}"
    return grade(
        min(max(gained / (_ENOUGH * best), 0), 0.99),
        f"This path {said}, from {task.loss:.3f}. The best one lowers it by {best:.3g}.",
        f"Hint: {_hint(added, missing, truth, gained)}",
    )


def _hint(added: Floats, missing: Floats, truth: _Answer, gained: float) -> str:
    factor = float((missing * added).sum() / (added**2).sum())
    along = np.abs(truth.left.T @ added @ truth.right) / np.linalg.norm(added)
    if along[0, 0] > 0.7:
        return "this is what the network knows already. Look at the residual, not at the targets."
    if abs(factor) * np.linalg.norm(added) < 0.1 * truth.values[2]:
        return "it hardly correlates with the residual. What are the singular vectors of mean(r xᵀ)?"
    if factor < 0:
        return "it has the wrong sign: turn one of its three factors around."
    if factor**2 * float((added**2).sum()) / 2 > 1.02 * max(gained, 0):
        much = "too small" if factor > 1 else "too large"
        return f"it is {much}: with {factor:.2g} times its inner weight it would lower the loss more."
    if along[2, 2] > 0.9:
        return "this is a KKT point of paths, but not the one of the largest value."
    return "the direction is near, not at the best one. mean(r xᵀ) has singular vectors: what are they good for?"


def _draw(generator: np.random.Generator) -> tuple[StuckPursuit, _Answer]:
    def orthonormal(rows: int, columns: int) -> Floats:
        q, r = np.linalg.qr(generator.standard_normal((rows, columns)))
        return np.asarray(q * np.sign(np.diag(r)))

    values = np.array([3.0, 2.0, 1.0]) + generator.uniform(-0.3, 0.3, 3)
    inputs = np.sqrt(_SAMPLES) * orthonormal(_SAMPLES, _INPUTS)
    left, right = orthonormal(_OUTPUTS, 3), orthonormal(_INPUTS, 3)
    problem = Problem(inputs, inputs @ (left * values @ right.T).T, name="a matrix of rank 3")
    size = np.cbrt(values[0])
    weights = [size * right[:, :1].T, np.array([[size]]), size * left[:, :1]]
    loss = float((values[1:] ** 2).sum()) / 2
    return StuckPursuit(HomogeneousNetwork(weights, leak=1.0), problem, loss), _Answer(left, tuple(values), right)
