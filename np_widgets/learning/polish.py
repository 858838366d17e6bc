"""From a direction near a maximizer of φ to the maximizer itself.

With a kink (p = 1, α ≠ 1) φ is piecewise smooth and its maximizers usually sit on kinks, where plain ascent zigzags. On
a *face* (some samples held at their kink, the signs of all others fixed) φ(b) = ‖M b‖, whose maximizer is a singular
vector of M. So the polish walks from face to face, along great circles on which φ is known in closed form between two
kinks; on a stationary face the multipliers of the kinked samples say where to leave it. Without kinks it is Newton's
method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import lsq_linear
from torch import Tensor

from np_widgets.learning.direction import DirectionalCorrelation

_MOST_MOVES = 500
_TRIAL_DIRECTIONS = 64
_TRIAL_SWEEPS = 30


@dataclass(frozen=True)
class PolishedPoint:
    """A point that polishing stopped at.

    Attributes
    ----------
    direction
        The unit vector b, of shape ``(k,)``.
    value
        φ(b).
    residual
        The smallest norm over Clarke's subdifferential of φ on the sphere at b, divided by φ(b).
    """

    direction: Tensor
    value: float
    residual: float


def polish(field: DirectionalCorrelation, direction: Tensor) -> PolishedPoint:
    """Ascend φ from ``direction`` to a KKT point: residual below 10⁻⁸ (float64), and no one-sided ascent left."""
    tolerance = max(1e-8, 100 * torch.finfo(direction.dtype).eps)
    if field.profile.has_kink:
        return _FaceWalk(field, tolerance).run(direction)
    return _newton(field, direction, tolerance)


# ----------------------------------------------------------------------------------------------- smooth: Newton


def _newton(field: DirectionalCorrelation, direction: Tensor, tolerance: float) -> PolishedPoint:
    direction = direction / direction.norm()
    if field.profile.power == 1:
        # Linear: φ(b) = ‖Mb‖, so the answer is known.
        matrix = field.signals.T @ (field.profile.positive * field.features)
        direction = _nearest_top_singular_vector(matrix, direction)
    value, tangent = _value_and_tangent(field, direction)
    for _ in range(_MOST_MOVES):
        if float(tangent.norm()) <= tolerance * value:
            break
        step = _newton_step(field, direction, tangent)
        moved = _backtrack(field, direction, value, step)
        if moved is None:
            moved = _backtrack(field, direction, value, tangent / value)
        if moved is None:
            break
        direction = moved
        value, tangent = _value_and_tangent(field, direction)
    return PolishedPoint(direction, value, float(tangent.norm()) / value if value > 0 else 0.0)


def _value_and_tangent(field: DirectionalCorrelation, direction: Tensor) -> tuple[float, Tensor]:
    value, gradient = field.evaluate(direction.unsqueeze(1))
    gradient = gradient[:, 0]
    return float(value), gradient - (gradient @ direction) * direction


def _backtrack(field: DirectionalCorrelation, direction: Tensor, value: float, step: Tensor) -> Tensor | None:
    """The first of ever shorter steps that raises φ, or, next to the top where rounding hides a rise, keeps it."""
    slope = _value_and_tangent(field, direction)[1]
    for halvings in range(30):
        trial = direction + step / 2**halvings
        trial = trial / trial.norm()
        trial_value, trial_slope = _value_and_tangent(field, trial)
        level = abs(trial_value - value) <= 1e-14 * value and float(trial_slope.norm()) < 0.9 * float(slope.norm())
        if trial_value > value * (1 + 1e-14) or level:
            return trial
    return None


def _newton_step(field: DirectionalCorrelation, direction: Tensor, tangent: Tensor) -> Tensor:
    """A truncated Newton step on the sphere by conjugate gradients; stops at directions of positive curvature."""
    z = field.features @ direction
    slope, curvature = field.profile.derivative(z), None
    vector = field.signals.T @ field.profile.value(z)
    value = vector.norm()
    outgoing = vector / value
    coefficient = field.signals @ outgoing
    if field.profile.power > 1:
        curvature = coefficient * field.profile.second_derivative(z)
    radial = field.features.T @ (coefficient * slope) @ direction

    def negative_hessian(v: Tensor) -> Tensor:
        change = field.features @ v
        turned = field.signals.T @ (slope * change)
        turned = (turned - (outgoing @ turned) * outgoing) / value
        result = field.features.T @ (slope * (field.signals @ turned))
        if curvature is not None:
            result = result + field.features.T @ (curvature * change)
        result = result - radial * v
        return (result @ direction) * direction - result

    step = torch.zeros_like(direction)
    residual = tangent.clone()
    search = residual.clone()
    norm = residual @ residual
    goal = float(norm) * min(0.25, float(norm.sqrt() / value)) ** 2
    for _ in range(2 * len(direction)):
        image = negative_hessian(search)
        bend = search @ image
        if float(bend) <= 1e-14 * float(value) * float(search @ search):
            return step if bool(step.any()) else tangent / value
        length = norm / bend
        step = step + length * search
        residual = residual - length * image
        new_norm = residual @ residual
        if float(new_norm) <= goal:
            break
        search = residual + (new_norm / norm) * search
        norm = new_norm
    return step


def _nearest_top_singular_vector(matrix: Tensor, direction: Tensor) -> Tensor:
    """The projection of ``direction`` on the top right singular space of ``matrix``, of unit length."""
    _, singular, right = torch.linalg.svd(matrix, full_matrices=False)
    top = right[singular >= singular[0] * (1 - 1e-12)]
    projected = top.T @ (top @ direction)
    if float(projected.norm()) < 1e-8:
        projected = top[0]
    return projected / projected.norm()


# ----------------------------------------------------------------------------------------------- kinks: face walk


@dataclass(frozen=True)
class _Kinks:
    """Samples on their kink at some direction, those with parallel features taken together.

    Along ``d`` a group adds ``right·t`` for ``t = axisᵀd > 0`` and ``left·t`` for ``t < 0`` to the derivative of φ.
    """

    axes: Tensor  # (K, k), unit rows
    right: Tensor
    left: Tensor

    def change(self, directions: Tensor) -> Tensor:
        """What the kinked samples add to the one-sided derivative along the columns of ``directions``."""
        t = self.axes @ directions
        return (torch.where(t > 0, self.right.unsqueeze(1), self.left.unsqueeze(1)) * t).sum(dim=0)

    def slope(self, directions: Tensor) -> Tensor:
        """The gradient of :meth:`change`, of the shape of ``directions``."""
        t = self.axes @ directions
        return self.axes.T @ torch.where(t > 0, self.right.unsqueeze(1), self.left.unsqueeze(1))


class _FaceWalk:
    def __init__(self, field: DirectionalCorrelation, tolerance: float) -> None:
        self.field = field
        self.tolerance = tolerance
        self.norms = field.features.norm(dim=1)
        self.eps = torch.finfo(field.features.dtype).eps
        self.kink_tolerance = 1e3 * self.eps

    def run(self, direction: Tensor) -> PolishedPoint:
        direction = direction / direction.norm()
        value = float(self.field.vector(direction).norm())
        residual = float("inf")
        for _ in range(_MOST_MOVES):
            if value == 0:
                return PolishedPoint(direction, 0.0, 0.0)
            kinked, z = self._kinked(direction)
            basis = self._face(kinked, len(direction))
            if basis is not None:
                direction = self._onto(basis, direction)
            moved = self._toward_face_maximizer(direction, kinked, z, basis)
            if moved is None:
                residual, leave = self._stationarity(direction, kinked, z)
                moved = None if leave is None else self._walk(direction, leave, torch.pi / 2)
            if moved is None:
                break
            new_value = float(self.field.vector(moved).norm())
            if new_value <= value * (1 - 1e4 * self.eps):
                break  # rounding has the last word
            stuck = new_value <= value * (1 + 8 * self.eps) and bool((moved - direction).norm() < 100 * self.eps)
            direction, value, residual = moved, new_value, float("inf")
            if stuck:
                break
        if residual == float("inf"):
            kinked, z = self._kinked(direction)
            residual, _ = self._stationarity(direction, kinked, z)
        return PolishedPoint(direction, value, residual)

    def _kinked(self, direction: Tensor) -> tuple[Tensor, Tensor]:
        z = self.field.features @ direction
        return z.abs() <= self.kink_tolerance * self.norms, z

    def _face(self, kinked: Tensor, size: int) -> Tensor | None:
        """An orthonormal basis, as columns, of the directions that keep the kinked samples at zero; None for all."""
        if not bool(kinked.any()):
            return None
        rows = self.field.features[kinked] / self.norms[kinked].unsqueeze(1)
        if len(rows) > size:
            rows = torch.linalg.qr(rows, mode="r")[1]
        _, singular, right = torch.linalg.svd(rows, full_matrices=True)
        rank = int((singular > 1e-9 * singular[0]).sum())
        return right[rank:].T

    def _onto(self, basis: Tensor, direction: Tensor) -> Tensor:
        if basis.shape[1] == 0:
            return direction
        projected = basis @ (basis.T @ direction)
        return projected / projected.norm()

    def _toward_face_maximizer(
        self, direction: Tensor, kinked: Tensor, z: Tensor, basis: Tensor | None
    ) -> Tensor | None:
        """A better direction on the same face, or None if this one is stationary there."""
        if basis is not None and basis.shape[1] <= 1:
            return None
        slope = torch.where(kinked, 0.0, self.field.profile.derivative(z))
        matrix = self.field.signals.T @ (slope.unsqueeze(1) * self.field.features)
        if basis is None:
            target = _nearest_top_singular_vector(matrix, direction)
        else:
            target = basis @ _nearest_top_singular_vector(matrix @ basis, basis.T @ direction)
        cosine = target @ direction
        if float(cosine) < 0:
            target = -target
        across = target - (target @ direction) * direction
        sine = float(across.norm())
        if sine < 1e4 * self.eps:
            return None
        return self._walk(direction, across / sine, float(np.arctan2(sine, abs(float(cosine)))))

    def _walk(self, direction: Tensor, tangent: Tensor, furthest: float) -> Tensor | None:
        """The first local maximum of φ along the great circle from ``direction`` towards ``tangent``.

        Between two kinks φ² = A cos²θ + B sin²θ + 2C sinθ cosθ. Returns None if φ does not rise at all.
        """
        field, profile = self.field, self.field.profile
        tangent = tangent - (tangent @ direction) * direction
        tangent = tangent / tangent.norm()
        z, dz = field.features @ direction, field.features @ tangent
        still = z.abs() <= self.kink_tolerance * self.norms
        z = torch.where(still, 0.0, z)
        dz = torch.where(dz.abs() <= self.kink_tolerance * self.norms, 0.0, dz)
        side = torch.where(still, dz, z)
        slope = profile.derivative(side)
        # u(θ) = cosθ·cosine + sinθ·sine, with a jump of both at each kink that is crossed.
        crossing = torch.nonzero(z * dz < 0).flatten()
        angle = torch.atan(-z[crossing] / dz[crossing])
        crossing, angle = crossing[angle < furthest], angle[angle < furthest]
        angle, order = angle.sort()
        crossing = crossing[order]
        jump = (profile.derivative(-z[crossing]) - slope[crossing]).unsqueeze(1) * field.signals[crossing]
        cosine = torch.cat([(field.signals.T @ (slope * z)).unsqueeze(0), jump * z[crossing].unsqueeze(1)]).cumsum(0)
        sine = torch.cat([(field.signals.T @ (slope * dz)).unsqueeze(0), jump * dz[crossing].unsqueeze(1)]).cumsum(0)
        left = torch.cat([angle.new_zeros(1), angle])
        right = torch.cat([angle, angle.new_full((1,), furthest)])
        a, b, c = cosine.square().sum(1), sine.square().sum(1), (cosine * sine).sum(1)

        def rise(theta: Tensor) -> Tensor:
            return 2 * c * torch.cos(2 * theta) - (a - b) * torch.sin(2 * theta)

        kink_top = rise(left) <= 8 * self.eps * a[0]
        if bool(kink_top[0]):
            return None
        stops = kink_top | (rise(right) <= 0)
        if bool(stops.any()):
            piece = int(torch.nonzero(stops)[0])
            if bool(kink_top[piece]):
                theta = float(left[piece])
            else:
                theta = float(0.5 * torch.atan2(2 * c[piece], a[piece] - b[piece]))
                theta = min(max(theta, float(left[piece])), float(right[piece]))
        else:
            theta = furthest
        moved = np.cos(theta) * direction + np.sin(theta) * tangent
        return moved / moved.norm()

    def _stationarity(self, direction: Tensor, kinked: Tensor, z: Tensor) -> tuple[float, Tensor | None]:
        """The relative residual at ``direction``, and a tangent along which φ rises (None if there is none)."""
        field = self.field
        vector = field.vector(direction)
        value = float(vector.norm())
        coefficient = field.signals @ (vector / value)
        slope = torch.where(kinked, 0.0, field.profile.derivative(z))
        smooth = field.features.T @ (coefficient * slope)
        smooth = smooth - (smooth @ direction) * direction
        if not bool(kinked.any()):
            residual = float(smooth.norm()) / value
            return residual, smooth if residual > self.tolerance else None
        kinks = self._grouped(kinked, coefficient)
        steepest = smooth + self._closest_multipliers(kinks, smooth)
        residual = float(steepest.norm()) / value
        if residual > self.tolerance:
            return residual, steepest
        ascent = self._one_sided_ascent(kinks, smooth, direction, value)
        return residual, ascent

    def _grouped(self, kinked: Tensor, coefficient: Tensor) -> _Kinks:
        profile = self.field.profile
        axes = self.field.features[kinked] / self.norms[kinked].unsqueeze(1)
        weight = coefficient[kinked] * self.norms[kinked]
        leading = axes.abs().max(dim=1, keepdim=True).indices
        mirrored = axes.gather(1, leading) < 0
        axes = torch.where(mirrored, -axes, axes)
        mirrored = mirrored[:, 0]
        right = weight * torch.where(mirrored, profile.negative, profile.positive)
        left = -weight * torch.where(mirrored, profile.positive, profile.negative)
        _, group = torch.unique((axes * 1e8).round(), dim=0, return_inverse=True)
        count = int(group.max()) + 1
        merged = axes.new_zeros(count, axes.shape[1]).index_add_(0, group, axes)
        return _Kinks(
            merged / merged.norm(dim=1, keepdim=True),
            axes.new_zeros(count).index_add_(0, group, right),
            axes.new_zeros(count).index_add_(0, group, left),
        )

    def _closest_multipliers(self, kinks: _Kinks, smooth: Tensor) -> Tensor:
        """``Σ τ_j axis_j``, each τ between the group's two slopes, such that ``smooth`` plus it is smallest."""
        low = torch.minimum(kinks.left, kinks.right).cpu().double().numpy()
        high = torch.maximum(kinks.left, kinks.right).cpu().double().numpy()
        axes = kinks.axes.T.cpu().double().numpy()
        goal = -smooth.cpu().double().numpy()
        span = np.maximum(high - low, 0.0)
        free = span > 1e-14 * max(float(np.abs(high).max()), float(np.abs(low).max()), 1e-300)
        fixed = axes @ np.where(free, low, (low + high) / 2)
        total = fixed.copy()
        if free.any():
            scaled = axes[:, free] * span[free]
            method = "bvls" if free.sum() <= 100 else "trf"
            size = max(float(np.linalg.norm(goal)), float(np.abs(scaled).max()), 1e-300)
            solution = lsq_linear(scaled / size, (goal - fixed) / size, (0.0, 1.0), method=method, tol=1e-15)
            total += scaled @ solution.x
        return torch.as_tensor(total, dtype=smooth.dtype, device=smooth.device)

    def _one_sided_ascent(self, kinks: _Kinks, smooth: Tensor, direction: Tensor, value: float) -> Tensor | None:
        """A tangent with a positive one-sided derivative, where a convex kink makes the multipliers inconclusive."""
        convex = kinks.right - kinks.left > 1e-12 * value
        if not bool(convex.any()):
            return None
        generator = torch.Generator().manual_seed(0)
        random = torch.randn(len(direction), _TRIAL_DIRECTIONS, generator=generator, dtype=smooth.dtype)
        axes = kinks.axes[convex].T[:, :_TRIAL_DIRECTIONS]
        trials = self._tangent(torch.cat([axes, -axes, random.to(smooth.device)], dim=1), direction)
        best, best_rise = trials[:, 0], -torch.inf
        for _ in range(_TRIAL_SWEEPS):
            rises = smooth @ trials + kinks.change(trials)
            if float(rises.max()) > best_rise:
                best_rise, best = float(rises.max()), trials[:, int(rises.argmax())]
            if best_rise > 1e3 * self.tolerance * value:
                return best
            trials = self._tangent(trials + (smooth.unsqueeze(1) + kinks.slope(trials)) / value, direction)
        return best if best_rise > self.tolerance * value else None

    def _tangent(self, vectors: Tensor, direction: Tensor) -> Tensor:
        tangent = vectors - direction.unsqueeze(1) * (direction @ vectors)
        norm = tangent.norm(dim=0)
        return tangent[:, norm > 1e-12] / norm[norm > 1e-12]
