"""The walk from face to face of a φ with kinks.

With a kink (p = 1, α ≠ 1) φ is piecewise smooth and its maximizers usually sit on kinks, where plain ascent zigzags. On
a *face* (some samples held at their kink, the signs of all others fixed) φ(b) = ‖J b‖, whose maximizer is a singular
vector of J. So the walk goes along great circles on which φ is known in closed form between two kinks; on a stationary
face the multipliers of the kinked samples say where to leave it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.field import Field, Floats
from np_widgets.learning.correlation.newton import nearest_top_singular_vector, norm, unit
from np_widgets.learning.correlation.shortest import shortest

_MOST_MOVES = 500
_REACH = 0.1
_TRIAL_DIRECTIONS, _PROMISING = 64, 16
_TRIAL_SWEEPS = 30


@dataclass(frozen=True)
class _Kinks:
    """Samples on their kink at some direction, those with parallel features taken together.

    Along ``d`` a group adds ``right·t`` for ``t = axisᵀd > 0`` and ``left·t`` for ``t < 0`` to the derivative of φ.
    """

    axes: Floats  # (K, k), unit rows
    right: Floats
    left: Floats

    def change(self, directions: Floats) -> Floats:
        """What the kinked samples add to the one-sided derivative along the columns of ``directions``."""
        t = self.axes @ directions
        return (np.where(t > 0, self.right[:, None], self.left[:, None]) * t).sum(axis=0)

    def slope(self, directions: Floats) -> Floats:
        """The gradient of :meth:`change`, of the shape of ``directions``."""
        t = self.axes @ directions
        return self.axes.T @ np.where(t > 0, self.right[:, None], self.left[:, None])


@dataclass(frozen=True)
class _Place:
    """Where a walk is."""

    direction: Floats
    z: Floats  # bᵀh_i, exactly zero for the kinked samples
    kinked: NDArray[np.intp]
    axes: Floats  # the kinked samples' features, of unit length
    span: Floats  # an orthonormal basis, as rows, of what they span
    jacobian: Floats  # J of shape (q, k): u(b) = J b on this face
    vector: Floats  # u
    value: float  # its norm φ

    def onto_face(self, vector: Floats) -> Floats:
        """The part of a vector, or of each row of a matrix, that keeps the kinked samples where they are."""
        return vector - (vector @ self.span.T) @ self.span if len(self.span) else vector


class FaceWalk:
    """Ascent of φ from face to face, with signals that do not depend on the direction."""

    def __init__(self, field: Field, signals: Tensor, tolerance: float) -> None:
        self.field, self.profile, self.tolerance = field, field.profile, tolerance
        self.signals = to_array(signals)
        self.eps = torch.finfo(field.features.dtype).eps
        self.norms = field.norms
        self.kink_tolerance = 1e3 * self.eps * self.norms

    def run(self, direction: Floats) -> tuple[Floats, float, float]:
        """The direction where the walk ends, φ there, and the residual."""
        place = self._place(unit(direction))
        residual = None
        for _ in range(_MOST_MOVES):
            if place.value == 0:
                return place.direction, 0.0, 0.0
            moved = self._toward_face_maximizer(place)
            if moved is None:
                residual, leave = self._stationarity(place)
                moved = None if leave is None else self._walk(place, leave, math.pi / 2)
            if moved is None:
                break
            new = self._place(moved, place)
            if new.value <= place.value * (1 - 1e4 * self.eps):
                break  # rounding has the last word
            stuck = new.value <= place.value * (1 + 8 * self.eps) and norm(moved - place.direction) < 100 * self.eps
            place, residual = new, None
            if stuck:
                break
        if residual is None:
            residual, _ = self._stationarity(place)
        return place.direction, place.value, residual

    def _place(self, direction: Floats, before: _Place | None = None) -> _Place:
        z = self.field.along(direction)
        kinked = np.flatnonzero(np.abs(z) <= self.kink_tolerance)
        axes = span = np.empty((0, len(direction)))
        if before is not None and len(before.kinked):
            added = kinked[before.z[kinked] != 0]
            if len(added) + len(before.kinked) == len(kinked):  # none was left
                axes, span, kinked = before.axes, before.span, np.concatenate([before.kinked, added])
        if len(kinked) > len(axes):
            new = kinked[len(axes) :]
            axes = np.concatenate([axes, self._rows(new) / self.norms[new, None]])
            span = _row_space(axes) if len(new) > 1 else _extended(span, axes[-1])
        z[kinked] = 0.0
        if 0 < len(span) < len(direction):
            direction = unit(direction - (span @ direction) @ span)
        slopes = self.profile.slopes(z)
        slopes[kinked] = 0.0
        jacobian = self.field.weighted(self.signals.T * slopes)
        vector = jacobian @ direction
        return _Place(direction, z, kinked, axes, span, jacobian, vector, norm(vector))

    def _rows(self, index: NDArray[np.intp]) -> Floats:
        return to_array(self.field.features[torch.from_numpy(index).to(self.field.features.device)])

    def _toward_face_maximizer(self, place: _Place) -> Floats | None:
        """A better direction on the same face, or None if this one is stationary there."""
        direction = place.direction
        if len(direction) - len(place.span) <= 1:
            return None
        target = nearest_top_singular_vector(place.onto_face(place.jacobian), direction)
        cosine = target @ direction
        if cosine < 0:
            target = -target
        across = target - (target @ direction) * direction
        sine = norm(across)
        if sine < 1e4 * self.eps:
            return None
        return self._walk(place, across / sine, math.atan2(sine, abs(cosine)))

    def _walk(self, place: _Place, tangent: Floats, furthest: float) -> Floats | None:
        """The first local maximum of φ along the great circle from the place towards ``tangent``, or a better one near.

        Between two kinks φ² = A cos²θ + B sin²θ + 2C sinθ cosθ. Returns None if φ does not rise at first.
        """
        direction, z, kinked, signals = place.direction, place.z, place.kinked, self.signals
        tangent = unit(tangent - (tangent @ direction) * direction)
        dz = self.field.along(tangent)
        # u(θ) = cosθ·cosine + sinθ·sine, with a jump of both at each kink that is crossed.
        sine = place.jacobian @ tangent
        if len(kinked):
            leaving = dz[kinked]
            leaving[np.abs(leaving) <= self.kink_tolerance[kinked]] = 0.0
            sine = sine + (self.profile.slopes(leaving) * leaving) @ signals[kinked]
        crossing = np.flatnonzero((z * dz < 0) & (np.abs(z) < math.tan(furthest) * np.abs(dz)))
        angle = np.arctan(-z[crossing] / dz[crossing])
        order = np.argsort(angle)
        crossing, angle = crossing[order], angle[order]
        z, dz = z[crossing], dz[crossing]
        jump = (-(self.profile.positive + self.profile.negative) * np.sign(z))[:, None] * signals[crossing]
        cosine = np.concatenate([place.vector[None], jump * z[:, None]]).cumsum(axis=0)
        sine = np.concatenate([sine[None], jump * dz[:, None]]).cumsum(axis=0)
        left, right = np.concatenate([[0.0], angle]), np.concatenate([angle, [furthest]])
        a, b, c = (cosine * cosine).sum(axis=1), (sine * sine).sum(axis=1), (cosine * sine).sum(axis=1)

        if 2 * c[0] <= 8 * self.eps * a[0]:
            return None
        # On a piece φ² is the mean of A and B plus a sinusoid of 2θ: tops inside it, or at its ends.
        top = np.clip(0.5 * np.arctan2(2 * c, a - b), left, right)
        height = a * np.cos(top) ** 2 + b * np.sin(top) ** 2 + c * np.sin(2 * top)
        falls = np.flatnonzero(top < right)
        first = int(falls[0]) if len(falls) else len(top) - 1
        near = max(first + 1, int(np.searchsorted(left, _REACH)))
        theta = float(top[height[:near].argmax()])
        return unit(math.cos(theta) * direction + math.sin(theta) * tangent)

    def _stationarity(self, place: _Place) -> tuple[float, Floats | None]:
        """The relative residual, and a tangent along which φ rises (None if there is none)."""
        direction, value = place.direction, place.value
        outgoing = place.vector / value
        smooth = outgoing @ place.jacobian
        smooth = smooth - (smooth @ direction) * direction
        if not len(place.kinked):
            residual = norm(smooth) / value
            return residual, smooth if residual > self.tolerance else None
        coefficient = self.signals[place.kinked] @ outgoing
        kinks = self._grouped(place.axes, coefficient * self.norms[place.kinked])
        if len(kinks.axes) == len(place.span):
            return self._independent(kinks, smooth, value)
        low, high = np.minimum(kinks.left, kinks.right), np.maximum(kinks.left, kinks.right)
        steepest = smooth + shortest(smooth, kinks.axes.T, low, high) @ kinks.axes
        residual = norm(steepest) / value
        if residual > self.tolerance:
            return residual, steepest
        return residual, self._one_sided_ascent(kinks, smooth, direction, value)

    def _independent(self, kinks: _Kinks, smooth: Floats, value: float) -> tuple[float, Floats | None]:
        """The same with linearly independent axes, where each kink can be left without the others."""
        ways = np.linalg.pinv(kinks.axes)  # as columns: along the j-th the j-th axis rises by 1, and all others stay
        multipliers = -smooth @ ways
        forward, backward = kinks.right - multipliers, multipliers - kinks.left
        gains = np.maximum(forward, backward)
        low, high = np.minimum(kinks.left, kinks.right), np.maximum(kinks.left, kinks.right)
        residual = norm(smooth + np.clip(multipliers, low, high) @ kinks.axes) / value
        if gains.max() > self.tolerance * value:
            steps = np.where(forward > backward, gains, -gains) * (gains > 0)
            return residual, np.asarray(ways @ steps, dtype=np.float64)
        return residual, None

    def _grouped(self, axes: Floats, weight: Floats) -> _Kinks:
        """The kinked samples, with how much each weighs."""
        # Parallel axes have the same product, up to its sign, with a vector that no others are likely to share it with.
        products = axes @ np.random.default_rng(0).standard_normal(axes.shape[1])
        order = np.argsort(np.abs(products))
        axes, weight, mirrored = axes[order], weight[order], products[order] < 0
        starts = np.flatnonzero(np.diff(np.abs(products[order]), prepend=-1.0) > 1e-9)
        axes = np.where(mirrored[:, None], -axes, axes)
        positive, negative = self.profile.positive, self.profile.negative
        merged = np.add.reduceat(axes, starts)
        return _Kinks(
            merged / np.sqrt((merged * merged).sum(axis=1, keepdims=True)),
            np.add.reduceat(weight * np.where(mirrored, negative, positive), starts),
            np.add.reduceat(-weight * np.where(mirrored, positive, negative), starts),
        )

    def _one_sided_ascent(self, kinks: _Kinks, smooth: Floats, direction: Floats, value: float) -> Floats | None:
        """A tangent with a positive one-sided derivative, where a convex kink makes the multipliers inconclusive."""
        convex = kinks.right - kinks.left > 1e-12 * value
        if not convex.any():
            return None
        random = np.random.default_rng(0).standard_normal((len(direction), _TRIAL_DIRECTIONS))
        axes = kinks.axes[convex].T[:, :_TRIAL_DIRECTIONS]
        trials = _tangents(np.concatenate([axes, -axes, random], axis=1), direction)
        best, best_rise = trials[:, 0], -math.inf
        for _ in range(_TRIAL_SWEEPS):
            rises = smooth @ trials + kinks.change(trials)
            if rises.max() > best_rise:
                best_rise, best = float(rises.max()), trials[:, rises.argmax()]
            if best_rise > 1e3 * self.tolerance * value:
                return best
            trials = trials[:, np.argsort(-rises)[:_PROMISING]]
            trials = _tangents(trials + (smooth[:, None] + kinks.slope(trials)) / value, direction)
        return best if best_rise > self.tolerance * value else None


def _row_space(rows: Floats) -> Floats:
    """An orthonormal basis, as rows, of what the unit rows span."""
    if len(rows) > rows.shape[1]:
        rows = np.asarray(np.linalg.qr(rows, mode="r"))
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    return right[singular > 1e-9 * singular[0]]


def _extended(span: Floats, axis: Floats) -> Floats:
    """The orthonormal basis with one more row, if the unit vector ``axis`` is not in what it spans."""
    for _ in range(2):  # the second time for what rounding left
        axis = axis - (span @ axis) @ span
    length = norm(axis)
    return np.concatenate([span, axis[None] / length]) if length > 1e-9 else span


def _tangents(vectors: Floats, direction: Floats) -> Floats:
    """The columns' parts across the direction, of unit length."""
    tangents = vectors - direction[:, None] * (direction @ vectors)
    norms = np.sqrt((tangents * tangents).sum(axis=0))
    return tangents[:, norms > 1e-12] / norms[norms > 1e-12]
