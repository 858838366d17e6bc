"""Monotone ascent of φ on the unit sphere from many starts, as one batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from np_widgets.learning.direction import DirectionalCorrelation

_SUFFICIENT_INCREASE = 1e-4
_SMALLEST_STEP = 1e-6
_PATIENCE = 10


class Ascent:
    """Projected gradient ascent of ``log φ`` with a backtracking step size of its own for each start.

    Parameters
    ----------
    field
        What to ascend.
    directions
        The starts, unit vectors as the columns of a ``(k, S)`` tensor. Starts at which φ vanishes are turned around,
        and dropped if it vanishes there, too.
    tolerance
        A start has arrived when its φ grew by less than this share over ten sweeps.

    Notes
    -----
    With step size 1 a step is ``b ← ∇φ/‖∇φ‖`` for p = 1, the generalized power iteration. A step is taken only if it
    increases φ enough (Armijo), else the step size of that start is halved.
    """

    def __init__(self, field: DirectionalCorrelation, directions: Tensor, tolerance: float) -> None:
        self._field = field
        self._tolerance = tolerance
        value, gradient = field.evaluate(directions)
        if bool((value == 0).any()):
            directions = torch.where(value == 0, -directions, directions)
            value, gradient = field.evaluate(directions)
        alive = value > 0
        self.directions = directions[:, alive]
        self.values = value[alive]
        self._gradients = gradient[:, alive]
        self._steps = torch.ones_like(self.values)
        self._references = self.values.clone()
        self._active = torch.ones_like(self.values, dtype=torch.bool)
        self._sweeps = 0

    @property
    def finished(self) -> bool:
        """Whether every start has arrived."""
        return not bool(self._active.any())

    def sweep(self) -> None:
        """Try one step of every start that has not arrived."""
        index = torch.nonzero(self._active).flatten()
        direction, value, gradient = self.directions[:, index], self.values[index], self._gradients[:, index]
        tangent = (gradient - (gradient * direction).sum(dim=0) * direction) / value
        trial = direction + self._steps[index] * tangent
        trial = trial / trial.norm(dim=0)
        trial_value, trial_gradient = self._field.evaluate(trial)
        gain = _SUFFICIENT_INCREASE * self._steps[index] * tangent.square().sum(dim=0)
        better = trial_value >= value * (1 + gain)
        self.directions[:, index] = torch.where(better, trial, direction)
        self.values[index] = torch.where(better, trial_value, value)
        self._gradients[:, index] = torch.where(better, trial_gradient, gradient)
        self._steps[index] = torch.where(better, 2 * self._steps[index], self._steps[index] / 2)
        self._sweeps += 1
        self._active[index] = self._steps[index] > _SMALLEST_STEP
        if self._sweeps % _PATIENCE == 0:
            self._active &= self.values > self._references * (1 + self._tolerance)
            self._references = self.values.clone()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as tensors that nothing else will change."""
        return {name: value.clone() for name, value in self._tensors().items()} | {"sweeps": self._sweeps}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        for name in self._tensors():
            setattr(self, name, state[name].clone())
        self._sweeps = state["sweeps"]

    def _tensors(self) -> dict[str, Tensor]:
        names = ("directions", "values", "_gradients", "_steps", "_references", "_active")
        return {name: getattr(self, name) for name in names}
