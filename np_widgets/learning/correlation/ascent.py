"""Monotone ascent of φ on the unit sphere from many starts, in batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from np_widgets.learning.correlation.field import Field

_BATCH = 64
SUFFICIENT_INCREASE = 1e-4
_SMALLEST_STEP = 1e-6
_SWEEPS = 5
_MOST_SWEEPS, _MOST_SWEEPS_BRIEFLY = 40, 25
_SWEEPS_OF_ALL, _SOME = 10, 12
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


@dataclass(frozen=True, eq=False)
class Ascent:
    """Projected gradient ascent of ``log φ`` with a backtracking step size of its own for each start.

    With step size 1 a step is ``b ← ∇φ/‖∇φ‖`` for p = 1, the generalized power iteration. A step is taken only if it
    increases φ enough (Armijo), else the step size of that start is halved. An ascent is a value: :meth:`advanced` is
    the next one.
    """

    field: Field
    starts: Tensor  # unit vectors as columns; where φ vanishes they are turned around, or dropped if it still does
    tolerance: float  # a start has arrived when its φ grew by less than this share over ten sweeps, or after 40
    nearness: float  # a start is given up this near (one minus the cosine) to a better one
    brief: bool  # whether after ten sweeps only the best twelve go on, and after 25 all have arrived
    climb: _Climb
    ends: Ends
    begun: int = 0
    sweeps: int = 0

    @classmethod
    def of(cls, field: Field, starts: Tensor, tolerance: float, nearness: float, *, brief: bool = False) -> Ascent:
        """An ascent that is about to begin."""
        none, nothing = starts[:, :0], starts[0, :0]
        climb = _Climb(none, none, nothing, nothing, nothing.expand(2, 0))
        return cls(field, starts, tolerance, nearness, brief, climb, Ends(none, nothing, nothing))

    @property
    def finished(self) -> bool:
        """Whether every start has arrived or was given up."""
        return self._left == 0

    @property
    def progress(self) -> float:
        """Which share of the starts has arrived or was given up."""
        return 1 - self._left / self.starts.shape[1]

    @property
    def reached(self) -> Ends:
        """Where the starts are that have begun and were not given up, whether they have arrived or not."""
        return self._with(self.climb)

    @property
    def _left(self) -> int:
        return self.climb.values.numel() + self.starts.shape[1] - self.begun

    def advanced(self) -> Ascent:
        """After a few steps of every start in the present batch; with very many samples, after a single one."""
        if not self.climb.values.numel():
            return self._with_next_batch()
        climb, sweeps, work = self.climb, self.sweeps, 0
        while work < _QUANTUM:
            climb, sweeps = self._swept(climb), sweeps + 1
            work += climb.directions.numel() * len(self.field.features)
            if sweeps % _SWEEPS == 0:
                return self._reviewed(climb, sweeps)
        return replace(self, climb=climb, sweeps=sweeps)

    def _with_next_batch(self) -> Ascent:
        directions = self.starts[:, self.begun : self.begun + _BATCH]
        begun = self.begun + directions.shape[1]
        values, gradients = self.field.evaluate(directions)
        if bool((values == 0).any()):
            directions = torch.where(values == 0, -directions, directions)
            values, gradients = self.field.evaluate(directions)
        climb = _Climb(directions, gradients, values, torch.ones_like(values), torch.stack([values / 2] * 2))
        return replace(self, climb=_part(climb, values > 0), begun=begun, sweeps=0)

    def _swept(self, climb: _Climb) -> _Climb:
        """Try one step of every start."""
        directions, gradients, values, steps, reviewed = climb
        # By Euler's theorem the gradient along b is pφ.
        tangents = (gradients / values).sub_(directions, alpha=self.field.profile.power)
        slopes = torch.linalg.vector_norm(tangents, dim=0)
        lengths = steps * slopes
        trials = torch.addcmul(directions, steps, tangents)
        trials /= torch.linalg.vector_norm(trials, dim=0)
        trial_values, trial_gradients = self.field.evaluate(trials)
        better = trial_values >= torch.addcmul(values, values, lengths.mul_(slopes), value=SUFFICIENT_INCREASE)
        return _Climb(
            torch.where(better, trials, directions),
            torch.where(better, trial_gradients, gradients),
            torch.where(better, trial_values, values),
            torch.where(better, 2 * steps, steps / 2),
            reviewed,
        )

    def _reviewed(self, climb: _Climb, sweeps: int) -> Ascent:
        """Without those that have arrived and those that are near better ones."""
        kept = self._without_better_nearby(climb)
        if self.brief and sweeps == _SWEEPS_OF_ALL:
            rank = torch.where(kept, climb.values, -1.0).argsort(descending=True, stable=True)
            kept[rank[_SOME:]] = False
        arrived = (climb.values <= climb.reviewed[0] * (1 + self.tolerance)) | (climb.steps <= _SMALLEST_STEP)
        arrived |= sweeps >= (_MOST_SWEEPS_BRIEFLY if self.brief else _MOST_SWEEPS)
        ends = self._with(_part(climb, kept & arrived))
        under_way = _part(climb, kept & ~arrived)
        under_way = under_way._replace(reviewed=torch.stack([under_way.reviewed[1], under_way.values]))
        return replace(self, climb=under_way, sweeps=sweeps, ends=ends)

    def _with(self, there: _Climb) -> Ends:
        """The ends, and these."""
        if not there.values.numel():
            return self.ends
        tangents = there.gradients / there.values - self.field.profile.power * there.directions
        more = Ends(there.directions, there.values, torch.linalg.vector_norm(tangents, dim=0))
        return Ends(*(torch.cat(parts, dim=-1) for parts in zip(self.ends, more, strict=True)))

    def _without_better_nearby(self, climb: _Climb) -> Tensor:
        """For each start under way whether no better one is near."""
        best_first = climb.values.argsort(descending=True, stable=True)
        alone = torch.zeros_like(climb.values, dtype=torch.bool)
        alone[best_first[distinct(climb.directions[:, best_first], self.nearness, self.field)]] = True
        near = cosines(climb.directions, self.ends.directions, self.field) >= 1 - self.nearness
        return alone & ~(near & (self.ends.values >= climb.values.unsqueeze(1))).any(dim=1)


def distinct(directions: Tensor, nearness: float, field: Field) -> list[int]:
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


def cosines(first: Tensor, second: Tensor, field: Field) -> Tensor:
    """Between the columns of two tensors; mirror images count as the same where they are one neuron."""
    products = first.T @ second
    return products.abs() if field.profile.is_symmetric else products


def _part(climb: _Climb, which: Tensor) -> _Climb:
    return _Climb(*(entries[..., which] for entries in climb))
