"""Monotone ascent of φ on the unit sphere from many starts, in batches."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from np_widgets.learning.correlation.field import DirectionalCorrelation

_BATCH = 64
SUFFICIENT_INCREASE = 1e-4
_SMALLEST_STEP = 1e-6
_SWEEPS = 5
_MOST_SWEEPS = 40
_QUANTUM = 2**24  # multiplications


class Ends(NamedTuple):
    """Where starts arrived: columns of a ``(k, E)`` tensor, φ there, and the norm of φ's tangential gradient over φ."""

    directions: Tensor
    values: Tensor
    residuals: Tensor


class _Climb(NamedTuple):
    """Starts under way, as columns, with φ and its gradient, their step sizes, and φ at the last two reviews."""

    directions: Tensor
    gradients: Tensor
    values: Tensor
    steps: Tensor
    reviewed: Tensor


class Ascent:
    """Projected gradient ascent of ``log φ`` with a backtracking step size of its own for each start.

    Parameters
    ----------
    field
        What to ascend.
    starts
        Unit vectors as the columns of a ``(k, S)`` tensor. Those at which φ vanishes are turned around, and dropped if
        it vanishes there, too.
    tolerance
        A start has arrived when its φ grew by less than this share over ten sweeps, or after 40 sweeps.
    nearness
        A start whose direction comes this near (one minus the cosine) to that of a better one is given up.

    Attributes
    ----------
    ends
        Of the starts that have arrived.

    Notes
    -----
    With step size 1 a step is ``b ← ∇φ/‖∇φ‖`` for p = 1, the generalized power iteration. A step is taken only if it
    increases φ enough (Armijo), else the step size of that start is halved.
    """

    def __init__(self, field: DirectionalCorrelation, starts: Tensor, tolerance: float, nearness: float) -> None:
        self._field, self._starts = field, starts
        self._tolerance, self._nearness = tolerance, nearness
        nothing = starts[0, :0]
        self.ends = Ends(starts[:, :0], nothing, nothing)
        self._climb = _Climb(starts[:, :0], starts[:, :0], nothing, nothing, nothing.expand(2, 0))
        self._begun = 0
        self._sweeps = 0

    @property
    def finished(self) -> bool:
        """Whether every start has arrived or was given up."""
        return self._left == 0

    @property
    def progress(self) -> float:
        """Which share of the starts has arrived or was given up."""
        total = self._starts.shape[1]
        return 1 - self._left / total

    @property
    def _left(self) -> int:
        return self._climb.values.numel() + self._starts.shape[1] - self._begun

    def advance(self) -> None:
        """A few steps of every start in the present batch; with very many samples, a single one."""
        if not self._climb.values.numel():
            self._begin()
            return
        work = 0
        while work < _QUANTUM:
            self._sweep()
            work += self._climb.directions.numel() * len(self._field.features)
            if self._sweeps % _SWEEPS == 0:
                self._review()
                return

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; nothing will change the tensors in it."""
        return {
            "tolerances": (self._tolerance, self._nearness),
            "starts": self._starts,
            "begun": self._begun,
            "climb": self._climb,
            "sweeps": self._sweeps,
            "ends": self.ends,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        self._tolerance, self._nearness = state["tolerances"]
        self._starts, self._begun = state["starts"], state["begun"]
        self._climb, self._sweeps = state["climb"], state["sweeps"]
        self.ends = state["ends"]

    def _begin(self) -> None:
        directions = self._starts[:, self._begun : self._begun + _BATCH]
        self._begun += directions.shape[1]
        self._sweeps = 0
        values, gradients = self._field.evaluate(directions)
        if bool((values == 0).any()):
            directions = torch.where(values == 0, -directions, directions)
            values, gradients = self._field.evaluate(directions)
        climb = _Climb(directions, gradients, values, torch.ones_like(values), torch.stack([values / 2] * 2))
        self._climb = _part(climb, values > 0)

    def _sweep(self) -> None:
        """Try one step of every start."""
        directions, gradients, values, steps, reviewed = self._climb
        # By Euler's theorem the gradient along b is pφ.
        tangents = (gradients / values).sub_(directions, alpha=self._field.profile.power)
        slopes = torch.linalg.vector_norm(tangents, dim=0)
        lengths = steps * slopes
        trials = torch.addcmul(directions, steps, tangents)
        trials /= torch.linalg.vector_norm(trials, dim=0)
        trial_values, trial_gradients = self._field.evaluate(trials)
        better = trial_values >= torch.addcmul(values, values, lengths.mul_(slopes), value=SUFFICIENT_INCREASE)
        self._climb = _Climb(
            torch.where(better, trials, directions),
            torch.where(better, trial_gradients, gradients),
            torch.where(better, trial_values, values),
            torch.where(better, 2 * steps, steps / 2),
            reviewed,
        )
        self._sweeps += 1

    def _review(self) -> None:
        """Take out those that have arrived and those that are near better ones."""
        climb = self._climb
        kept = self._without_better_nearby()
        arrived = (climb.values <= climb.reviewed[0] * (1 + self._tolerance)) | (climb.steps <= _SMALLEST_STEP)
        arrived |= self._sweeps >= _MOST_SWEEPS
        there = _part(climb, kept & arrived)
        if there.values.numel():
            tangents = there.gradients / there.values - self._field.profile.power * there.directions
            ends = Ends(there.directions, there.values, torch.linalg.vector_norm(tangents, dim=0))
            self.ends = Ends(*(torch.cat(parts, dim=-1) for parts in zip(self.ends, ends, strict=True)))
        under_way = _part(climb, kept & ~arrived)
        self._climb = under_way._replace(reviewed=torch.stack([under_way.reviewed[1], under_way.values]))

    def _without_better_nearby(self) -> Tensor:
        """For each start under way whether no better one is near."""
        climb, ends = self._climb, self.ends
        best_first = climb.values.argsort(descending=True, stable=True)
        alone = torch.zeros_like(climb.values, dtype=torch.bool)
        alone[best_first[distinct(climb.directions[:, best_first], self._nearness, self._field)]] = True
        near = cosines(climb.directions, ends.directions, self._field) >= 1 - self._nearness
        return alone & ~(near & (ends.values >= climb.values.unsqueeze(1))).any(dim=1)


def distinct(directions: Tensor, nearness: float, field: DirectionalCorrelation) -> list[int]:
    """Which columns of ``directions`` have none kept before them whose cosine with them is at least 1 − nearness."""
    free = np.ones(directions.shape[1], dtype=bool)
    kept = []
    for begin in range(0, len(free), _BATCH):
        near = cosines(directions[:, begin : begin + _BATCH], directions, field) >= 1 - nearness
        for index, row in enumerate(near.cpu().numpy(), start=begin):
            if free[index]:
                kept.append(index)
                free[row] = False
    return kept


def cosines(first: Tensor, second: Tensor, field: DirectionalCorrelation) -> Tensor:
    """Between the columns of two tensors; mirror images count as the same where they are one neuron."""
    products = first.T @ second
    return products.abs() if field.profile.is_symmetric else products


def _part(climb: _Climb, which: Tensor) -> _Climb:
    return _Climb(*(entries[..., which] for entries in climb))
