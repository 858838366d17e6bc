"""The ascent of the neural correlation functions of several pursuits as one batch.

See :mod:`np_widgets.learning.correlation.field` for φ, of which there is one for each pursuit here.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from np_widgets.learning.activation import Profile
from np_widgets.learning.correlation.ascent import SUFFICIENT_INCREASE
from np_widgets.learning.correlation.search import ROUGHLY_SAME

_SWEEPS_OF_ALL, _SWEEPS_OF_SOME, _SOME = 8, 16, 12


class Points(NamedTuple):
    """The best directions of each pursuit, and how good they are. Where a pursuit has fewer, φ is zero.

    Attributes
    ----------
    directions
        Of unit norm, shape ``(G, C, k)``.
    values
        φ there, in the data's units, ``(G, C)``.
    outgoing
        The best outgoing weights, of unit norm, ``(G, C, q)``.
    residuals
        The norm of φ's tangential gradient over φ, ``(G, C)``.
    """

    directions: Tensor
    values: Tensor
    outgoing: Tensor
    residuals: Tensor


class BatchCorrelation:
    """φ of G pursuits, in single precision.

    Parameters
    ----------
    features
        ``h_i``, of shape ``(G, k, n)``.
    signals
        ``s_i``, of shape ``(G, q, n)``.
    profile
        ``g``.
    pushed
        The signals for positive outgoing weights, if they are others than those for negative ones; see
        :class:`~np_widgets.learning.correlation.field.OneSidedCorrelation`.
    """

    def __init__(self, features: Tensor, signals: Tensor, profile: Profile, pushed: Tensor | None = None) -> None:
        self.profile = profile
        self._one_sided = pushed is not None
        both = signals if pushed is None else torch.cat([signals, pushed], dim=1)
        feature_size, signal_size = _root_mean_square(features), _root_mean_square(both)
        self.scale = (signal_size * feature_size**profile.power).reshape(-1, 1)
        self._features = (features / feature_size).float()
        self._signals = (both / (signal_size * features.shape[2])).float()

    def cast(self, directions: Tensor) -> Tensor:
        """The same on the device and in the precision of this."""
        return directions.to(self._features)

    def evaluate(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """φ and its gradient at ``directions`` of shape ``(G, S, k)``: shapes ``(G, S)`` and ``(G, S, k)``."""
        z = directions @ self._features
        values, outgoing = self._best_outgoing(self.profile.value(z))
        gradient = self.profile.weighted_derivative(z, outgoing @ self._signals) @ self._features.mT
        return values, gradient

    def outgoing(self, directions: Tensor) -> Tensor:
        """The best outgoing weights, of unit norm and of shape ``(G, S, q)``."""
        _, outgoing = self._best_outgoing(self.profile.value(directions @ self._features))
        if not self._one_sided:
            return outgoing
        down, up = outgoing.chunk(2, dim=2)
        return down + up

    def _best_outgoing(self, responses: Tensor) -> tuple[Tensor, Tensor]:
        sums = responses @ self._signals.mT
        if self._one_sided:
            down, up = sums.chunk(2, dim=2)
            rises, falls = up.clamp(min=0), (-down).clamp(min=0)
            sums = torch.where(rises >= falls, rises, -falls)
        norms = torch.linalg.vector_norm(sums, dim=2)
        outgoing = sums / norms.clamp(min=torch.finfo(sums.dtype).tiny).unsqueeze(2)
        if self._one_sided:
            outgoing = torch.cat([outgoing.clamp(max=0), outgoing.clamp(min=0)], dim=2)
        return norms, outgoing


def ascend(field: BatchCorrelation, starts: Tensor, count: int) -> Points:
    """Ascend from ``starts`` of shape ``(G, S, k)``, and take the best ``count`` that are not near to each other."""
    directions = field.cast(starts)
    values, gradients = field.evaluate(directions)
    if bool((values == 0).any()):
        directions = torch.where((values == 0).unsqueeze(2), -directions, directions)
        values, gradients = field.evaluate(directions)
    climb = _Climb(directions, values, gradients, torch.ones_like(values))
    for _ in range(_SWEEPS_OF_ALL):
        climb = _sweep(field, climb)
    climb = climb.part(_apart(field, climb.directions, climb.values, min(_SOME, starts.shape[1])))
    for _ in range(_SWEEPS_OF_SOME):
        climb = _sweep(field, climb)
    climb = climb.part(_apart(field, climb.directions, climb.values, count))
    residuals = torch.linalg.vector_norm(_tangents(field, climb), dim=2)
    return Points(climb.directions, climb.values * field.scale, field.outgoing(climb.directions), residuals)


class _Climb(NamedTuple):
    """Starts under way, with φ and its gradient, and the step size of each."""

    directions: Tensor
    values: Tensor
    gradients: Tensor
    steps: Tensor

    def part(self, chosen: tuple[Tensor, Tensor]) -> _Climb:
        """Those of the indices ``(G, C)``, with φ = 0 for those that do not count."""
        index, counts = chosen
        rows = index.unsqueeze(2).expand(-1, -1, self.directions.shape[2])
        return _Climb(
            self.directions.gather(1, rows),
            self.values.gather(1, index) * counts,
            self.gradients.gather(1, rows),
            self.steps.gather(1, index),
        )


def _sweep(field: BatchCorrelation, climb: _Climb) -> _Climb:
    """Try one step of every start, as :class:`~np_widgets.learning.correlation.ascent.Ascent` does."""
    directions, values, gradients, steps = climb
    tiny = torch.finfo(values.dtype).tiny
    tangents = _tangents(field, climb)
    slopes = torch.linalg.vector_norm(tangents, dim=2)
    trials = directions + steps.unsqueeze(2) * tangents
    trials /= torch.linalg.vector_norm(trials, dim=2, keepdim=True).clamp(min=tiny)
    trial_values, trial_gradients = field.evaluate(trials)
    better = trial_values >= values * (1 + SUFFICIENT_INCREASE * steps * slopes**2)
    better &= values > 0
    rows = better.unsqueeze(2)
    return _Climb(
        torch.where(rows, trials, directions),
        torch.where(better, trial_values, values),
        torch.where(rows, trial_gradients, gradients),
        torch.where(better, 2 * steps, steps / 2),
    )


def _tangents(field: BatchCorrelation, climb: _Climb) -> Tensor:
    """The tangential gradient of φ over φ; by Euler's theorem the gradient along b is pφ."""
    values = climb.values.clamp(min=torch.finfo(climb.values.dtype).tiny).unsqueeze(2)
    return climb.gradients / values - field.profile.power * climb.directions


def _apart(field: BatchCorrelation, directions: Tensor, values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Indices ``(G, count)`` of the best that are not near to a better one, and whether there are so many."""
    cosines = directions @ directions.mT
    near = (cosines.abs() if field.profile.is_symmetric else cosines) >= 1 - ROUGHLY_SAME
    left = values.clone()
    chosen, counts = [], []
    for _ in range(count):
        best, index = left.max(dim=1)
        chosen.append(index)
        counts.append(best > 0)
        row = near.gather(1, index.reshape(-1, 1, 1).expand(-1, 1, near.shape[2])).squeeze(1)
        left = left.masked_fill(row, 0).scatter(1, index.unsqueeze(1), 0)
    return torch.stack(chosen, dim=1), torch.stack(counts, dim=1)


def _root_mean_square(values: Tensor) -> Tensor:
    """Of all entries of each pursuit, of shape ``(G, 1, 1)``; one where there is nothing but zeros."""
    size = values.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return torch.where(size > 0, size, 1.0)
