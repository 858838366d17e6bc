"""Exercise: choose the activation for a secret teacher."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from np_widgets import arguments
from np_widgets.exercises.drawing import Student, first_clear, remembered
from np_widgets.exercises.grade import Grade, grade, graded
from np_widgets.problems import Problem

ACTIVATIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "ReLU": MappingProxyType({"power": 1, "leak": 0.0}),
        "leaky ReLU": MappingProxyType({"power": 1, "leak": 0.2}),
        "absolute value": MappingProxyType({"power": 1, "leak": -1.0}),
        "squared ReLU": MappingProxyType({"power": 2, "leak": 0.0}),
    }
)
"""What the secret teachers may have: names, and the options of :class:`~np_widgets.NeuronPursuit`."""

_INPUTS, _NEURONS, _SAMPLES = 4, 3, 120
_FORM = f"three names, one for each teacher, each of {', '.join(map(repr, ACTIVATIONS))}"


def secret_teacher(*, student: Student = 0) -> tuple[Problem, ...]:
    """Samples of three teachers, whose activations are asked for; each has one hidden layer of three neurons.

    One of :data:`ACTIVATIONS`; no two teachers have the same.

    Parameters
    ----------
    student
        A name or a seed: everyone has teachers of her own.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    return first_clear("secret teacher", student, _draw)[0]


def check_secret_teacher(answer: object, *, student: Student = 0) -> Grade:
    """Grade the names of three activations for the teachers of :func:`secret_teacher`."""
    _, secret = remembered("secret teacher", student, _draw)
    return graded(lambda: _judged(answer, secret), _FORM)


def _judged(answer: object, secret: tuple[str, ...]) -> Grade:
    if not isinstance(answer, (tuple, list)) or len(answer) != len(secret):
        raise TypeError(f"it must be a list of {len(secret)} names, got {arguments.shown(answer)}")
    known = {name.casefold(): name for name in ACTIVATIONS}
    named = [known.get(each.strip().casefold(), each) if isinstance(each, str) else each for each in answer]
    chosen = [arguments.choice(f"answer[{index}]", each, ACTIVATIONS) for index, each in enumerate(named)]
    remarks, right = [], 0
    for number, (name, truth) in enumerate(zip(chosen, secret, strict=True), start=1):
        if name == truth:
            right += 1
            remarks.append(f"Teacher {number}: {name} is right.")
        elif ACTIVATIONS[name]["power"] != ACTIVATIONS[truth]["power"]:
            remarks.append(
                f"Teacher {number}: not {name}, and not of its power p, either. Hint: how do the targets of large "
                "inputs compare with those of small ones? Grow a student of each kind: whose loss is lowest?"
            )
        else:
            remarks.append(
                f"Teacher {number}: not {name}; its power p is right, its slope α for negative numbers is not. Hint: "
                "with the right activation three neurons are enough for a loss of nearly zero. Which need more?"
            )
    if right < len(secret) and len(set(chosen)) < len(chosen):
        remarks.append("Hint: no two teachers have the same activation.")
    return grade(right / len(secret), *remarks)


def _draw(generator: np.random.Generator) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    secret = tuple(str(name) for name in generator.permutation(list(ACTIVATIONS))[:3])
    return tuple(_taught(name, f"secret teacher {number}", generator) for number, name in enumerate(secret, 1)), secret


def _taught(activation: str, title: str, generator: np.random.Generator) -> Problem:
    """Neurons at right angles and of like weight: none is like another, and none is too small to be found."""
    incoming = np.linalg.qr(generator.standard_normal((_INPUTS, _INPUTS)))[0][:, :_NEURONS]
    outgoing = generator.uniform(1, 2, _NEURONS) * generator.choice([-1.0, 1.0], _NEURONS)
    inputs = generator.standard_normal((_SAMPLES, _INPUTS))
    power, leak = ACTIVATIONS[activation]["power"], ACTIVATIONS[activation]["leak"]
    z = inputs @ incoming
    return Problem(inputs, np.maximum(z, leak * z) ** power @ outgoing, name=title)
