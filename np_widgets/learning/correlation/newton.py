"""Newton's method on the sphere, where φ has no kinks."""

from __future__ import annotations

import math

import numpy as np

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.field import Field, Floats

_MOST_MOVES = 500


class Newton:
    """Ascent of φ without kinks; for a power of 1, where φ(b) = ‖Jb‖, the answer is known."""

    def __init__(self, field: Field, tolerance: float) -> None:
        self.field, self.profile, self.tolerance = field, field.profile, tolerance
        self.signals = to_array(field.signals)

    def run(self, direction: Floats) -> tuple[Floats, float, float]:
        """The direction where it ends, φ there, and the residual."""
        direction = unit(direction)
        if self.profile.power == 1:
            jacobian = self.field.weighted(self.signals.T * self.profile.positive)
            direction = unit(nearest_top_singular_vector(jacobian, direction))
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
        z = self.field.along(direction)
        vector = self.profile.values(z) @ self.signals
        value = norm(vector)
        weights = (self.signals @ (vector / max(value, 1e-300))) * self.profile.slopes(z)
        gradient = self.field.weighted(weights)
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
        field, signals, profile = self.field, self.signals, self.profile
        z = field.along(direction)
        slope = profile.slopes(z)
        vector = profile.values(z) @ signals
        value = norm(vector)
        outgoing = vector / value
        coefficient = signals @ outgoing
        curvature = coefficient * profile.curvatures(z)
        radial = field.weighted(coefficient * slope) @ direction

        def negative_hessian(v: Floats) -> Floats:
            change = field.along(v)
            turned = (slope * change) @ signals
            turned = (turned - (outgoing @ turned) * outgoing) / value
            result = field.weighted(slope * (signals @ turned) + curvature * change) - radial * v
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


def unit(vector: Floats) -> Floats:
    """The vector divided by its length: of a few entries NumPy takes a third of torch's time."""
    return vector / math.sqrt(vector @ vector)


def norm(vector: Floats) -> float:
    """The length of the vector."""
    return math.sqrt(vector @ vector)


def nearest_top_singular_vector(matrix: Floats, direction: Floats) -> Floats:
    """The projection of ``direction`` on the top right singular space of ``matrix``, of unit length."""
    if len(matrix) == 1:
        return unit(matrix[0]) if matrix.any() else direction
    _, singular, right = np.linalg.svd(matrix, full_matrices=False)
    top = right[singular >= singular[0] * (1 - 1e-12)]
    projected = top.T @ (top @ direction)
    return unit(projected if norm(projected) >= 1e-8 else top[0])
