"""Newton's method on the sphere, where φ has no kinks."""

from __future__ import annotations

import math

import numpy as np

from np_widgets.learning.correlation.field import DirectionalCorrelation
from np_widgets.learning.correlation.samples import Floats, Samples, nearest_top_singular_vector, norm, unit

_MOST_MOVES = 500


class Newton:
    """Ascent of φ without kinks; for a power of 1, where φ(b) = ‖Jb‖, the answer is known."""

    def __init__(self, field: DirectionalCorrelation, tolerance: float) -> None:
        self.samples = Samples(field, field.signals)
        self.profile = field.profile
        self.tolerance = tolerance

    def run(self, direction: Floats) -> tuple[Floats, float, float]:
        """The direction where it ends, φ there, and the residual."""
        direction = unit(direction)
        if self.profile.power == 1:
            slopes = np.full(len(self.samples.signals), self.profile.positive)
            direction = unit(nearest_top_singular_vector(self.samples.total(slopes), direction))
        value, tangent = self._value_and_tangent(direction)
        for _ in range(_MOST_MOVES):
            if norm(tangent) <= self.tolerance * value:
                break
            moved = self._backtrack(direction, value, tangent, self._step(direction, tangent))
            if moved is None:
                moved = self._backtrack(direction, value, tangent, tangent / value)
            if moved is None:
                break
            direction = moved
            value, tangent = self._value_and_tangent(direction)
        return direction, value, norm(tangent) / value if value > 0 else 0.0

    def _value_and_tangent(self, direction: Floats) -> tuple[float, Floats]:
        z = self.samples.along(direction)
        vector = self.profile.values(z) @ self.samples.signals
        value = norm(vector)
        weights = (self.samples.signals @ (vector / max(value, 1e-300))) * self.profile.slopes(z)
        gradient = self.samples.weighted(weights)
        return value, gradient - (gradient @ direction) * direction

    def _backtrack(self, direction: Floats, value: float, tangent: Floats, step: Floats) -> Floats | None:
        """The first of ever shorter steps that raises φ, or, next to the top where rounding hides a rise, keeps it."""
        for halvings in range(30):
            trial = unit(direction + step / 2**halvings)
            trial_value, trial_tangent = self._value_and_tangent(trial)
            level = abs(trial_value - value) <= 1e-14 * value and norm(trial_tangent) < 0.9 * norm(tangent)
            if trial_value > value * (1 + 1e-14) or level:
                return trial
        return None

    def _step(self, direction: Floats, tangent: Floats) -> Floats:
        """A truncated Newton step on the sphere by conjugate gradients; stops at directions of positive curvature."""
        samples, profile = self.samples, self.profile
        z = samples.along(direction)
        slope = profile.slopes(z)
        vector = profile.values(z) @ samples.signals
        value = norm(vector)
        outgoing = vector / value
        coefficient = samples.signals @ outgoing
        curvature = coefficient * profile.curvatures(z)
        radial = samples.weighted(coefficient * slope) @ direction

        def negative_hessian(v: Floats) -> Floats:
            change = samples.along(v)
            turned = (slope * change) @ samples.signals
            turned = (turned - (outgoing @ turned) * outgoing) / value
            result = samples.weighted(slope * (samples.signals @ turned) + curvature * change) - radial * v
            return (result @ direction) * direction - result

        step = np.zeros_like(direction)
        residual = search = tangent
        square = residual @ residual
        goal = square * min(0.25, math.sqrt(square) / value) ** 2
        for _ in range(2 * len(direction)):
            image = negative_hessian(search)
            bend = search @ image
            if bend <= 1e-14 * value * (search @ search):
                return step if step.any() else tangent / value
            length = square / bend
            step = step + length * search
            residual = residual - length * image
            new_square = residual @ residual
            if new_square <= goal:
                break
            search = residual + (new_square / square) * search
            square = new_square
        return step
