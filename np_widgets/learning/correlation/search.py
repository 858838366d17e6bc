"""A resumable search for the maximizers of several directional correlations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from np_widgets.learning.correlation.ascent import Ascent, cosines, distinct
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.correlation.polish import PolishedPoint, polish

Key = tuple[int, ...]

_ON_THE_WAY, _ALREADY_THERE = 1e-4, 1e-3
_SAME_DIRECTION = 1e-8
ROUGHLY_SAME = 0.02
_AROUND, _AROUND_ANGLE, _AROUND_POLISHES = 32, 0.1, 2


@dataclass(frozen=True)
class FoundDirection:
    """A direction on the sphere, and the key of the correlation whose it is.

    Value and residual are those of a PolishedPoint, with the value times the scale of the correlation. In a rough
    search the residual is the norm of φ's tangential gradient over φ, which kinks keep from vanishing.
    """

    key: Key
    direction: Tensor
    value: float
    residual: float


class _Part(NamedTuple):
    """The search of one correlation: the ends of its ascent wait to be polished, best first."""

    ascent: Ascent
    polished: tuple[PolishedPoint, ...] = ()
    waiting: tuple[int, ...] | None = None
    is_around: bool = False  # whether it is the second one, around the best point of the first


class _Now(NamedTuple):
    parts: dict[Key, _Part]
    found: tuple[FoundDirection, ...] = ()
    finished: bool = False
    quanta: int = 0


class DirectionSearch:
    """Ascend each correlation from many random starts, polish what the starts arrived at, and merge what is the same.

    With a kink there are often several maximizers next to each other, and chance decides between them. So all is done
    a second time with starts around the best point. Each key draws its starts from a stream of its own, so that they do
    not depend on the other correlations. A ``rough`` search takes what the starts arrived at as it is, and for the same
    what has a cosine above 0.98. Where it is, is one value that is replaced: a copy of a search goes its own way.
    """

    def __init__(self, fields: Mapping[Key, Field], starts: int, seed: int, *, rough: bool = False) -> None:
        self._fields = dict(fields)
        self._rough = rough
        self._seed, self._starts = seed, starts
        self.now = _Now({key: _Part(self._started(key, starts)) for key in self._fields})

    @property
    def found(self) -> tuple[FoundDirection, ...]:
        """The distinct KKT points with φ > 0 by falling ``φ·scale``; before the end, what it has come to."""
        return self.now.found if self.finished else self._sorted()

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.now.finished

    @property
    def quanta(self) -> int:
        """How often :meth:`advance` has been called."""
        return self.now.quanta

    @property
    def progress(self) -> float:
        """Roughly which share of the work is done, 0 … 1."""
        if self.finished:
            return 1.0
        shares = []
        for key, part in self.now.parts.items():
            polished = 0.0
            if part.waiting is not None:
                polished = 1 - len(part.waiting) / max(part.ascent.ends.values.numel(), 1)
            share = part.ascent.progress if self._rough else (part.ascent.progress + polished) / 2
            rounds = 2 if self._looks_around(key) else 1
            shares.append((share + part.is_around) / rounds)
        return float(np.mean(shares))

    def advance(self) -> None:
        """Some sweeps of one ascent, or the polish of a point; all or nothing, whatever is raised meanwhile."""
        self.now = self._next()._replace(quanta=self.now.quanta + 1)

    def catch_up(self, quanta: int, beside: DirectionSearch | None) -> None:
        """Advance a new search to where it is after so many quanta, or to its end.

        That is at once if ``beside`` is the same and stands there.

        A search follows from the correlations and the seed, so to do it again is exact and simple, but takes its time.
        """
        if beside is not None and beside.quanta == quanta and self._is_like(beside):
            self.now = beside.now
        while self.quanta < quanta and not self.finished:
            self.advance()

    def run(self) -> tuple[FoundDirection, ...]:
        """Advance to the end and return :attr:`found`."""
        while not self.finished:
            self.advance()
        return self.found

    def maximum(self, key: Key) -> float:
        """The largest φ·scale found for one correlation; 0 if no start found a positive value."""
        return max((found.value for found in self.found if found.key == key), default=0.0)

    def _is_like(self, other: DirectionSearch) -> bool:
        """Whether another search takes the same steps."""
        if (self._seed, self._rough, self._starts) != (other._seed, other._rough, other._starts):
            return False
        return self._fields.keys() == other._fields.keys() and all(
            field.is_like(other._fields[key]) for key, field in self._fields.items()
        )

    def _next(self) -> _Now:
        for key, part in self.now.parts.items():
            advanced = self._advanced(key, part)
            if advanced is not None:
                return self.now._replace(parts={**self.now.parts, key: advanced})
        if self.finished:
            return self.now
        return self.now._replace(found=self._sorted(), finished=True)

    def _sorted(self) -> tuple[FoundDirection, ...]:
        found = [each for key, part in self.now.parts.items() for each in self._distinct(key, part)]
        return tuple(sorted(found, key=lambda each: -each.value))

    def _advanced(self, key: Key, part: _Part) -> _Part | None:
        """One correlation a quantum later, or None if it has been searched."""
        if not part.ascent.finished:
            return part._replace(ascent=part.ascent.advanced())
        if self._rough:
            return None
        waiting = part.waiting
        if waiting is None:
            waiting = tuple(part.ascent.ends.values.argsort(descending=True, stable=True).tolist())
            waiting = waiting[:_AROUND_POLISHES] if part.is_around else waiting
        if waiting:
            point = self._polished(key, part, waiting[0])
            return part._replace(waiting=waiting[1:], polished=part.polished + (() if point is None else (point,)))
        if self._looks_around(key) and not part.is_around and part.polished:
            return _Part(self._around(key, part), part.polished, is_around=True)
        return None

    def _started(self, key: Key, starts: int) -> Ascent:
        field = self._fields[key]
        directions = torch.randn(
            field.size, starts, generator=stream(self._seed, key), dtype=torch.float64, device="cpu"
        )
        directions = (directions / directions.norm(dim=0)).to(field.features)
        if self._rough:
            return Ascent.of(field, directions, 1e-3, ROUGHLY_SAME, brief=True)
        # Polishing is exact and monotone, so with a kink, where ascent zigzags, it is enough to come near.
        return Ascent.of(field, directions, 1e-4 if field.profile.has_kink else 1e-6, _ON_THE_WAY)

    def _looks_around(self, key: Key) -> bool:
        return self._fields[key].profile.has_kink and not self._rough

    def _around(self, key: Key, part: _Part) -> Ascent:
        field = self._fields[key]
        best = max(part.polished, key=lambda point: point.value).direction
        random = torch.randn(
            field.size, _AROUND, generator=stream(self._seed, key), dtype=torch.float64, device="cpu"
        ).to(best)
        starts = best.unsqueeze(1) + _AROUND_ANGLE / math.sqrt(field.size) * random
        return Ascent.of(field, starts / starts.norm(dim=0), 1e-5, 1e-6)

    def _polished(self, key: Key, part: _Part, index: int) -> PolishedPoint | None:
        field, ends = self._fields[key], part.ascent.ends
        direction, value = ends.directions[:, index], float(ends.values[index])
        # Ends are taken best first, so one beside a polished point cannot lead to anything much better than it.
        better = [point.direction for point in part.polished if point.value >= value]
        if better and not part.is_around:
            near = cosines(torch.stack(better, dim=1), direction.unsqueeze(1), field) >= 1 - _ALREADY_THERE
            if bool(near.any()):
                return None
        return polish(field, direction)

    def _distinct(self, key: Key, part: _Part) -> list[FoundDirection]:
        """What was found for one correlation, without what is the same as something better."""
        field, rough = self._fields[key], self._unpolished(part)
        points = sorted((each for each in (*part.polished, *rough) if each.value > 0), key=lambda point: -point.value)
        if not points:
            return []
        directions = torch.stack([point.direction for point in points], dim=1)
        kept = distinct(directions, ROUGHLY_SAME if rough else _SAME_DIRECTION, field)
        if field.profile.is_symmetric:
            # Of mirror images the one with a positive largest entry, so that rounding does not choose.
            directions = directions * directions.gather(0, directions.abs().argmax(dim=0, keepdim=True)).sign()
        return [FoundDirection(key, directions[:, i], points[i].value * field.scale, points[i].residual) for i in kept]

    def _unpolished(self, part: _Part) -> list[PolishedPoint]:
        """Where the starts are that wait to be polished; of a rough search all."""
        ends = part.ascent.reached
        chosen = range(len(ends.values)) if self._rough or part.waiting is None else part.waiting
        values, residuals = ends.values.tolist(), ends.residuals.tolist()
        return [PolishedPoint(ends.directions[:, each], values[each], residuals[each]) for each in chosen]


def stream(seed: int, key: Key) -> torch.Generator:
    """The random numbers from which the starts for one key are drawn."""
    number = int(np.random.SeedSequence((seed, *key)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator("cpu").manual_seed(number)
