"""A resumable search for the maximizers of several directional correlations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from np_widgets.learning.ascent import Ascent
from np_widgets.learning.direction import DirectionalCorrelation
from np_widgets.learning.polish import PolishedPoint, polish

_SWEEPS = 10
_POLISHES = 2
_ALREADY_THERE = 1e-3
_SAME_DIRECTION = 1e-8
_MOST_REPOLISHES, _ROUNDING = 5, 1e-9


@dataclass(frozen=True)
class FoundDirection:
    """A KKT point of φ on the sphere: ``key`` says of which correlation; value and residual as in PolishedPoint."""

    key: int
    direction: Tensor
    value: float
    residual: float


class DirectionSearch:
    """Ascend each correlation from many random starts, polish what the starts arrived at, and merge what is the same.

    Parameters
    ----------
    fields
        The correlations to search, by a key of the caller's.
    starts
        The number of random starts for each.
    seed
        Of the starts. Each key draws from a stream of its own, so a correlation's starts do not depend on the others.

    Attributes
    ----------
    found
        The distinct KKT points with φ > 0, in the order of ``φ·scale``, largest first; complete once :attr:`finished`.
    """

    def __init__(self, fields: Mapping[int, DirectionalCorrelation], starts: int, seed: int) -> None:
        self._fields = dict(fields)
        self._ascents = {key: _started(field, starts, seed, key) for key, field in self._fields.items()}
        self._polished: dict[int, list[PolishedPoint]] = {key: [] for key in self._fields}
        self._waiting: dict[int, list[int]] = {}
        self.found: list[FoundDirection] = []
        self.finished = False

    @property
    def progress(self) -> float:
        """Roughly which share of the work is done, 0 … 1."""
        shares = []
        for key, ascent in self._ascents.items():
            starts = ascent.values.numel()
            left = len(self._waiting.get(key, range(starts)))
            shares.append(1 - left / starts if starts else 1.0)
        return float(np.mean(shares)) if shares else 1.0

    def advance(self) -> None:
        """Some sweeps of one ascent, or the polish of a few points."""
        for key, ascent in self._ascents.items():
            if not ascent.finished:
                for _ in range(_SWEEPS):
                    if not ascent.finished:
                        ascent.sweep()
                return
            waiting = self._waiting.setdefault(key, ascent.values.argsort(descending=True, stable=True).tolist())
            if waiting:
                self._polish_some(key, waiting)
                return
        if not self.finished:
            self.found = self._merged()
            self.finished = True

    def run(self) -> list[FoundDirection]:
        """Advance to the end and return :attr:`found`."""
        while not self.finished:
            self.advance()
        return self.found

    def maximum(self, key: int) -> float:
        """The largest φ·scale found for one correlation; 0 if no start found a positive value."""
        return max((found.value for found in self.found if found.key == key), default=0.0)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, given the same correlations, starts and seed."""
        return {
            "ascents": {key: ascent.state() for key, ascent in self._ascents.items()},
            "polished": {key: list(points) for key, points in self._polished.items()},
            "waiting": {key: list(indices) for key, indices in self._waiting.items()},
            "found": list(self.found),
            "finished": self.finished,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        for key, ascent in self._ascents.items():
            ascent.restore(state["ascents"][key])
        self._polished = {key: list(points) for key, points in state["polished"].items()}
        self._waiting = {key: list(indices) for key, indices in state["waiting"].items()}
        self.found = list(state["found"])
        self.finished = state["finished"]

    def _polish_some(self, key: int, waiting: list[int]) -> None:
        field, ascent = self._fields[key], self._ascents[key]
        for _ in range(_POLISHES):
            if not waiting:
                return
            index = waiting.pop(0)
            direction, value = ascent.directions[:, index], float(ascent.values[index])
            # Starts are taken best first, so one beside a polished point cannot lead to anything better than it.
            there = any(
                value <= point.value and _same(field, point.direction, direction, _ALREADY_THERE)
                for point in self._polished[key]
            )
            if not there:
                self._polished[key].append(_polished(field, direction))

    def _merged(self) -> list[FoundDirection]:
        found = []
        for key, points in self._polished.items():
            field = self._fields[key]
            kept: list[PolishedPoint] = []
            for point in sorted(points, key=lambda p: -p.value):
                if not any(_same(field, point.direction, other.direction, _SAME_DIRECTION) for other in kept):
                    kept.append(point)
            found += [FoundDirection(key, p.direction, p.value * field.scale, p.residual) for p in kept if p.value > 0]
        return sorted(found, key=lambda f: -f.value)


def _started(field: DirectionalCorrelation, starts: int, seed: int, key: int) -> Ascent:
    stream = int(np.random.SeedSequence((seed, key)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    generator = torch.Generator().manual_seed(stream)
    directions = torch.randn(field.size, starts, generator=generator, dtype=torch.float64)
    directions = (directions / directions.norm(dim=0)).to(field.features)
    # Polishing is exact and monotone, so with a kink, where ascent zigzags, it is enough to come near.
    return Ascent(field, directions, 1e-4 if field.profile.has_kink else 1e-6)


def _polished(field: DirectionalCorrelation, direction: Tensor) -> PolishedPoint:
    """The KKT point near a direction."""
    point = polish(field.fixed(direction), direction)
    for _ in range(_MOST_REPOLISHES):
        # Where signals depend on the direction, it may have left those it was polished with.
        value = float(field.vector(point.direction).norm())
        if abs(value - point.value) <= _ROUNDING * point.value:
            break
        point = polish(field.fixed(point.direction), point.direction)
    return point


def _same(field: DirectionalCorrelation, first: Tensor, second: Tensor, tolerance: float) -> bool:
    profile = field.profile
    cosine = float(first @ second)
    mirror_image = abs(profile.positive) == abs(profile.negative)  # g is odd or even: b and −b are one neuron
    return 1 - (abs(cosine) if mirror_image else cosine) <= tolerance
