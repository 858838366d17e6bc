"""What runs have been from their beginnings to now, as arrays: for comparing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.problems import Problem

Floats = NDArray[np.float64]
MOST = 8
_BUDGETS = ("max_steps", "max_additions", "progress")  # they tell no run from another
_NAMES = {"NeuronPursuit": "Neuron Pursuit", "FixedNetwork": "fixed network", "SaddleFlow": "saddle flow"}


@dataclass(frozen=True, eq=False)
class Course:
    """One run: its moments since its engine last started over, and where it stands.

    Attributes
    ----------
    name
        What it is called.
    frame
        Its newest frame.
    status
        ``"running"``, ``"paused"``, ``"finished"``, ``"failed"`` or ``"closed"``.
    steps, seconds
        The steps made at each moment, and the seconds of computing they took, of shape ``(k,)``.
    losses, test_losses
        The losses there, NaN where there is none, ``(k,)``.
    neurons
        How many hidden neurons there were, of a saddle flow those that were awake, ``(k,)``.
    """

    name: str
    frame: Any
    status: str
    steps: Floats
    seconds: Floats
    losses: Floats
    test_losses: Floats
    neurons: Floats

    @classmethod
    def of(cls, name: str, status: str, moments: Iterable[tuple[Any, float]]) -> Course:
        """Of frames and the seconds that led to them; a TypeError if the frames have no losses, steps and weights."""
        frames, seconds = zip(*moments, strict=True)
        if not all(hasattr(frames[-1], needed) for needed in ("loss", "weights")) or _steps(frames[-1]) is None:
            kind = type(frames[-1]).__name__
            raise TypeError(f"{name} cannot be compared: its frames need loss, steps and weights, got {kind}")
        values = [
            (_steps(frame), time, frame.loss, getattr(frame, "test_loss", None), sum(hidden_widths(frame)))
            for frame, time in zip(frames, seconds, strict=True)
        ]
        table = np.array(values, dtype=np.float64).T
        begin = int(np.append(np.flatnonzero(np.diff(table[0]) < 0), -1).max()) + 1 if len(values) > 1 else 0
        if begin:
            table[1] -= table[1, begin - 1]
        steps, times, losses, test_losses, neurons = table[:, begin:]
        return cls(name, frames[-1], status, steps, times, losses, test_losses, neurons)

    def curve(self, against: str, test: bool = False) -> tuple[Floats, Floats]:
        """Losses over ``"steps"`` or ``"seconds"``: of all moments, and of the steps between them that a frame knows.

        Between two moments steps are taken to be equally long.
        """
        x, losses = getattr(self, against), self.test_losses if test else self.losses
        steps = np.asarray(getattr(self.frame, "trace_steps", ()), dtype=np.float64)
        between = ~np.isin(steps, self.steps)
        if not test and between.any():
            # Of what was before the first moment no time is known.
            places = steps[between] if against == "steps" else np.interp(steps[between], self.steps, x, left=np.nan)
            x = np.concatenate([x, places])
            losses = np.concatenate([losses, np.asarray(self.frame.trace_losses, dtype=np.float64)[between]])
            order = np.argsort(x, kind="stable")
            x, losses = x[order], losses[order]
        finite = np.isfinite(losses) & np.isfinite(x)
        return x[finite], losses[finite]

    @property
    def row(self) -> dict[str, Any]:
        """Where it stands, in numbers, and why it ended."""
        finished, loss = getattr(self.frame, "finished", None), self.frame.loss
        return {
            "name": self.name,
            "widths": hidden_widths(self.frame),
            "weights": sum(int(np.size(matrix)) for matrix in self.frame.weights),
            "loss": None if loss is None else float(loss),
            "test_loss": getattr(self.frame, "test_loss", None),
            "steps": int(self.steps[-1]),
            # Nobody has measured those of an engine that had run before.
            "seconds": None if self.steps[0] else float(self.seconds[-1]),
            "ended": self.status if finished is None else str(finished),
        }


def hidden_widths(frame: Any) -> tuple[int, ...]:
    """The hidden widths of a frame's network; of a saddle flow those of the neurons that are awake."""
    active = getattr(frame, "active", None)
    if active is not None:
        return tuple(int(own.sum()) for own in active)
    return tuple(len(matrix) for matrix in frame.weights[:-1])


def names_of(engines: Sequence[Any], names: Sequence[str] | None = None) -> tuple[str, ...]:
    """What to call runs in a comparison: by what differs, if no names are given.

    Raises
    ------
    TypeError, ValueError
        If there are too many or none, they do not learn from the same data, or the names do not fit.
    """
    if not 1 <= len(engines) <= MOST:
        raise ValueError(f"sessions must be 1 to {MOST}, got {len(engines)}")
    problems = [getattr(engine, "problem", None) for engine in engines]
    for index, problem in enumerate(problems):
        if not isinstance(problem, Problem):
            kind = type(engines[index]).__name__
            raise TypeError(f"sessions[{index}] must be of an engine that learns a Problem, got one of a {kind}")
        if not _same_data(problem, engines[0].problem):
            raise ValueError(f"sessions must learn from the same data and loss, but sessions[{index}] and [0] do not")
    if names is not None:
        chosen = tuple(arguments.text("names", name) for name in names) if not isinstance(names, str) else (names,)
        if len(chosen) != len(engines) or len(set(chosen)) != len(chosen):
            raise ValueError(f"names must be {len(engines)} different ones, got {arguments.shown(names)}")
        return chosen
    found = [_named(engine, [other for other in engines if type(other) is type(engine)]) for engine in engines]
    return tuple(
        name if found.count(name) == 1 else f"{name} ({found[: index + 1].count(name)})"
        for index, name in enumerate(found)
    )


def _named(engine: Any, alike: Sequence[Any]) -> str:
    """Its kind, and what it does otherwise than others of its kind: the usual numbers go without saying."""
    kind, settings = type(engine).__name__, getattr(engine, "settings", None)
    parts = [_NAMES.get(kind, kind)]
    for each in fields(settings) if is_dataclass(settings) else ():
        own = getattr(settings, each.name)
        others = [getattr(other.settings, each.name) for other in alike]
        told = each.name not in _BUDGETS and (isinstance(own, str) or own != each.default)
        if told and any(other != own for other in others):
            parts.append(own.replace("_", " ") if isinstance(own, str) else f"{each.name.replace('_', ' ')} {own}")
    return ", ".join(parts)


def _steps(frame: Any) -> int | None:
    return getattr(frame, "total_steps", getattr(frame, "steps", None))


def _same_data(one: Problem, other: Problem) -> bool:
    if one is other:
        return True
    pairs: list[tuple[torch.Tensor | None, torch.Tensor | None]]
    pairs = [(one.inputs, other.inputs), (one.goals, other.goals)]
    pairs += [(one.test_inputs, other.test_inputs), (one.test_goals, other.test_goals)]
    return one.loss.name == other.loss.name and all(
        a is b or (a is not None and b is not None and a.shape == b.shape and _alike(a, b)) for a, b in pairs
    )


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    # They may be in another precision, on another device.
    return torch.allclose(one.double().cpu(), other.double().cpu(), rtol=1e-5, atol=1e-6)
