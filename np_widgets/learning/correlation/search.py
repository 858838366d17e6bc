"""A resumable search for the maximizers of several directional correlations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from np_widgets.learning.correlation.ascent import Ascent, cosines, distinct
from np_widgets.learning.correlation.field import DirectionalCorrelation
from np_widgets.learning.correlation.polish import PolishedPoint, polish
from np_widgets.learning.interruption import uninterrupted

Key = tuple[int, ...]

_ON_THE_WAY, _ALREADY_THERE = 1e-4, 1e-3
_SAME_DIRECTION = 1e-8
ROUGHLY_SAME = 0.02
_AROUND, _AROUND_ANGLE, _AROUND_POLISHES = 32, 0.1, 2


@dataclass(frozen=True)
class FoundDirection:
    """A direction on the sphere, and which correlation's it is: its key.

    Value and residual are those of a PolishedPoint, with the value times the scale of the correlation. In a rough
    search the residual is the norm of φ's tangential gradient over φ, which kinks keep from vanishing.
    """

    key: Key
    direction: Tensor
    value: float
    residual: float


class DirectionSearch:
    """Ascend each correlation from many random starts, polish what the starts arrived at, and merge what is the same.

    With a kink there are often several maximizers next to each other, and chance decides between them. So all is done
    a second time with starts around the best point.

    Parameters
    ----------
    fields
        The correlations to search, by a key of the caller's.
    starts
        The number of random starts for each.
    seed
        Of the starts. Each key draws from a stream of its own, so a correlation's starts do not depend on the others.
    rough
        Take what the starts arrived at as it is, and for the same what has a cosine above 0.98.

    Attributes
    ----------
    found
        The distinct KKT points with φ > 0, in the order of ``φ·scale``, largest first; complete once :attr:`finished`.
    quanta
        How often :meth:`advance` has been called.
    """

    def __init__(
        self, fields: Mapping[Key, DirectionalCorrelation], starts: int, seed: int, *, rough: bool = False
    ) -> None:
        self._fields = dict(fields)
        self._rough = rough
        self._seed, self._starts = seed, starts
        self._ascents = {key: self._started(key, starts) for key in self._fields}
        self._looked_around: set[Key] = set()
        self._polished: dict[Key, list[PolishedPoint]] = {key: [] for key in self._fields}
        self._waiting: dict[Key, list[int]] = {}
        self.found: list[FoundDirection] = []
        self.finished = False
        self.quanta = 0

    @property
    def progress(self) -> float:
        """Roughly which share of the work is done, 0 … 1."""
        if self.finished:
            return 1.0
        shares = []
        for key, ascent in self._ascents.items():
            polished = 0.0
            if key in self._waiting:
                polished = 1 - len(self._waiting[key]) / max(ascent.ends.values.numel(), 1)
            share = ascent.progress if self._rough else (ascent.progress + polished) / 2
            rounds = 2 if self._looks_around(key) else 1
            shares.append((share + (key in self._looked_around)) / rounds)
        return float(np.mean(shares))

    def advance(self) -> None:
        """Some sweeps of one ascent, or the polish of a point; all or nothing, whatever is raised meanwhile."""
        before = self.state()
        try:
            self._advance()
            self.quanta += 1
        except BaseException:
            with uninterrupted():
                self.restore(before)
            raise

    def catch_up(self, quanta: int, beside: DirectionSearch | None) -> None:
        """Advance a new search to where it is after so many quanta, or to its end.

        That is at once if ``beside`` is the same and stands there.

        A search follows from the correlations and the seed, so to do it again is exact and simple, but takes its time.
        """
        if beside is not None and beside.quanta == quanta and self._is_like(beside):
            self.restore(beside.state())
        while self.quanta < quanta and not self.finished:
            self.advance()

    def _is_like(self, other: DirectionSearch) -> bool:
        """Whether another search takes the same steps."""
        if (self._seed, self._rough, self._starts) != (other._seed, other._rough, other._starts):
            return False
        return self._fields.keys() == other._fields.keys() and all(
            field.is_like(other._fields[key]) for key, field in self._fields.items()
        )

    def _advance(self) -> None:
        for key, ascent in self._ascents.items():
            if not ascent.finished:
                ascent.advance()
                return
            if self._rough:
                continue
            if key not in self._waiting:
                self._waiting[key] = ascent.ends.values.argsort(descending=True, stable=True).tolist()
                if key in self._looked_around:
                    del self._waiting[key][_AROUND_POLISHES:]
            if self._waiting[key]:
                self._polish_next(key)
                return
            if self._looks_around(key) and key not in self._looked_around and self._polished[key]:
                self._look_around(key)
                return
        if not self.finished:
            self.found = sorted(
                (found for key in self._fields for found in self._distinct(key)), key=lambda found: -found.value
            )
            self.finished = True

    def run(self) -> list[FoundDirection]:
        """Advance to the end and return :attr:`found`."""
        while not self.finished:
            self.advance()
        return self.found

    def maximum(self, key: Key) -> float:
        """The largest φ·scale found for one correlation; 0 if no start found a positive value."""
        return max((found.value for found in self.found if found.key == key), default=0.0)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, given the same correlations, starts and seed."""
        return {
            "ascents": {key: ascent.state() for key, ascent in self._ascents.items()},
            "polished": {key: list(points) for key, points in self._polished.items()},
            "waiting": {key: list(indices) for key, indices in self._waiting.items()},
            "found": list(self.found),
            "looked_around": set(self._looked_around),
            "finished": self.finished,
            "quanta": self.quanta,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        for key, ascent in self._ascents.items():
            ascent.restore(state["ascents"][key])
        self._polished = {key: list(points) for key, points in state["polished"].items()}
        self._waiting = {key: list(indices) for key, indices in state["waiting"].items()}
        self._looked_around = set(state["looked_around"])
        self.found = list(state["found"])
        self.finished, self.quanta = state["finished"], state["quanta"]

    def _started(self, key: Key, starts: int) -> Ascent:
        field = self._fields[key]
        directions = torch.randn(
            field.size, starts, generator=stream(self._seed, key), dtype=torch.float64, device="cpu"
        )
        directions = (directions / directions.norm(dim=0)).to(field.features)
        if self._rough:
            return Ascent(field, directions, 1e-3, ROUGHLY_SAME)
        # Polishing is exact and monotone, so with a kink, where ascent zigzags, it is enough to come near.
        return Ascent(field, directions, 1e-4 if field.profile.has_kink else 1e-6, _ON_THE_WAY)

    def _looks_around(self, key: Key) -> bool:
        return self._fields[key].profile.has_kink and not self._rough

    def _look_around(self, key: Key) -> None:
        field = self._fields[key]
        best = max(self._polished[key], key=lambda point: point.value).direction
        random = torch.randn(
            field.size, _AROUND, generator=stream(self._seed, key), dtype=torch.float64, device="cpu"
        ).to(best)
        starts = best.unsqueeze(1) + _AROUND_ANGLE / math.sqrt(field.size) * random
        self._ascents[key] = Ascent(field, starts / starts.norm(dim=0), 1e-5, 1e-6)
        self._looked_around.add(key)
        del self._waiting[key]

    def _polish_next(self, key: Key) -> None:
        field, ends, polished = self._fields[key], self._ascents[key].ends, self._polished[key]
        index = self._waiting[key].pop(0)
        direction, value = ends.directions[:, index], float(ends.values[index])
        # Ends are taken best first, so one beside a polished point cannot lead to anything much better than it.
        better = [point.direction for point in polished if point.value >= value]
        if better and key not in self._looked_around:
            near = cosines(torch.stack(better, dim=1), direction.unsqueeze(1), field) >= 1 - _ALREADY_THERE
            if bool(near.any()):
                return
        polished.append(polish(field, direction))

    def _distinct(self, key: Key) -> list[FoundDirection]:
        """What was found for one correlation, without what is the same as something better."""
        field = self._fields[key]
        points = self._polished[key]
        if self._rough:
            ends = self._ascents[key].ends
            points = [
                PolishedPoint(direction, value, residual)
                for direction, value, residual in zip(
                    ends.directions.T, ends.values.tolist(), ends.residuals.tolist(), strict=True
                )
            ]
        points = sorted((point for point in points if point.value > 0), key=lambda point: -point.value)
        if not points:
            return []
        directions = torch.stack([point.direction for point in points], dim=1)
        kept = distinct(directions, ROUGHLY_SAME if self._rough else _SAME_DIRECTION, field)
        if field.profile.is_symmetric:
            # Of mirror images the one with a positive largest entry, so that rounding does not choose.
            directions = directions * directions.gather(0, directions.abs().argmax(dim=0, keepdim=True)).sign()
        return [FoundDirection(key, directions[:, i], points[i].value * field.scale, points[i].residual) for i in kept]


def stream(seed: int, key: Key) -> torch.Generator:
    """The random numbers from which the starts for one key are drawn."""
    number = int(np.random.SeedSequence((seed, *key)).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator("cpu").manual_seed(number)
