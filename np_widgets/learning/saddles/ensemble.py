"""Many flows from the same saddle, each from its own random start, as one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.points import fitting
from np_widgets.learning.driving import own_torch_threads
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.one_line import one_line
from np_widgets.learning.passes import Passes
from np_widgets.learning.saddles.following import batch_integrator
from np_widgets.learning.saddles.frames import Destination
from np_widgets.learning.saddles.ground import ground_near
from np_widgets.learning.saddles.integration import Piece, Point, crossing
from np_widgets.learning.saddles.minimum import Report
from np_widgets.learning.saddles.now import NOTHING_LEFT
from np_widgets.learning.saddles.passage import Passage
from np_widgets.learning.saddles.settings import (
    SaddleSettings,
    Start,
    check_start,
    dormant_counts,
    start_near,
)
from np_widgets.problems import Problem

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# When, by the neuron of which layer, towards which KKT point, and the cosine to that.
Escape = tuple[float, int, int, int, float]
# Entries of one layer's outputs for all members together: bounds the memory of a batch to some 100 MiB.
_BATCH_ENTRIES = 2**21
_STEPS_BETWEEN_LOOKS = 20
_MEMBERS = 32


@dataclass(frozen=True, eq=False)
class EscapeEnsemble:
    """How each of B flows escaped.

    Attributes
    ----------
    seeds
        The seed of each start, ``(B,)``: ``SaddleFlow(…, seed=seeds[i])`` starts as the i-th.
    escape_time
        When each escaped, ``(B,)``; NaN where it had not by ``until``.
    layer, neuron
        Which dormant neuron was the largest at its escape, ``(B,)`` each; 0 and −1 where it did not escape.
    destination
        The KKT point nearest to that neuron's direction, as an index into ``destinations``; −1 without one, ``(B,)``.
    cosine
        The cosine to it, ``(B,)``; NaN without one.
    destinations
        The KKT points found by search, best first.
    """

    seeds: Integers
    escape_time: Floats
    layer: Integers
    neuron: Integers
    destination: Integers
    cosine: Floats
    destinations: tuple[Destination, ...]

    __repr__ = one_line

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row for each flow."""
        names = ("seeds", "escape_time", "layer", "neuron", "destination", "cosine")
        columns = {"seed" if name == "seeds" else name: getattr(self, name) for name in names}
        return import_module("pandas").DataFrame(columns)


@dataclass(frozen=True, eq=False)
class Escapes:
    """What flows from one saddle have in common, up to their escapes: plain enough to be sent to other machines."""

    network: HomogeneousNetwork
    problem: Problem
    settings: SaddleSettings
    until: float
    escape_norm: float
    destinations: tuple[Destination, ...]

    @classmethod
    def near(
        cls,
        network: HomogeneousNetwork,
        problem: Problem,
        settings: SaddleSettings,
        until: float | None,
        polish: bool,
        report: Report | None,
    ) -> Escapes:
        """At a saddle, checked and searched; ``until`` None is ten times the time that is predicted for one start."""
        dormant_counts(settings.dormant, network)
        problem = fitting(network, problem).to(dtype=torch.float64)
        ground = ground_near(network, problem, network.activation, settings, polish=polish, report=report)
        assert ground.network is not None
        first = start_near(ground.network, problem, network.activation, settings)
        check_start(first, settings, ground.curvature, ground.escape_norm)
        with torch.no_grad(), own_torch_threads(1):
            passage = Passage(problem, first, settings)
            now = passage.begun()
            if passage.saddle.is_fitted:
                raise ValueError(f"network must be at a saddle: {NOTHING_LEFT}")
            while not now.predictions:
                now = passage.advance(now)
        prediction = now.predictions[-1]
        if prediction.escape_time is None or prediction.escape_norm is None:
            raise ValueError("network must have a KKT point of positive value to escape along, got one without")
        until = 10 * prediction.escape_time if until is None else until
        return cls(ground.network, problem, settings, until, prediction.escape_norm, prediction.destinations)

    def batches(self, members: int) -> list[tuple[int, ...]]:
        """Their seeds, batch by batch. Members of one share its steps: who computes must not decide about batches."""
        size = max(
            1,
            min(_MEMBERS, _BATCH_ENTRIES // (max(self.start(self.settings.seed).layout.widths) * self.problem.samples)),
        )
        seeds = [self.settings.seed + index for index in range(members)]
        return [tuple(seeds[begin : begin + size]) for begin in range(0, members, size)]

    def start(self, seed: int) -> Start:
        """Of the member with that seed."""
        own = replace(self.settings, seed=seed)
        return start_near(self.network, self.problem, self.network.activation, own)

    def escaped(self, seeds: Sequence[int], stopped: Callable[[], bool]) -> tuple[Escape, ...] | None:
        """How the flows with these seeds escape, as one batch; None if it is stopped before."""
        with torch.no_grad():
            return _Batch(self).escaped(seeds, stopped)


class _Batch:
    """Follows flows side by side."""

    def __init__(self, shared: Escapes) -> None:
        self._shared = shared
        first = shared.start(shared.settings.seed)
        passage = Passage(shared.problem, first, shared.settings)
        self._saddle, self._layout, self._objective = passage.saddle, passage.layout, passage.objective
        self.destinations, self._escape_norm = shared.destinations, shared.escape_norm
        self._dormant = ~self._layout.active_entries(first.active)

    def escaped(self, seeds: Sequence[int], stopped: Callable[[], bool]) -> tuple[Escape, ...] | None:
        """How those with these seeds escape; None if it is stopped before."""
        size, until = self._layout.size, self._shared.until
        found: dict[int, Escape] = {}
        field = BatchGradient(self._objective)
        integrator = batch_integrator(field, self._objective, self._shared.settings, self._dormant)
        members = np.arange(len(seeds))
        point = Point(0.0, np.concatenate([self._shared.start(seed).theta for seed in seeds]))
        while len(members) and point.time < until:
            if stopped():
                return None
            escaped: dict[int, tuple[float, Floats]] = {}
            pieces = integrator(len(members)).pieces(point, until)
            for piece, _ in zip(pieces, range(_STEPS_BETWEEN_LOOKS), strict=False):
                point = piece.end
                norms = np.linalg.norm(point.y.reshape(-1, size)[:, self._dormant], axis=1)
                for place in np.flatnonzero(norms >= self._escape_norm).tolist():
                    if place not in escaped:
                        escaped[place] = self._crossed(piece, place)
            for place, (time, theta) in escaped.items():
                found[int(members[place])] = (time, *self._arrival(theta))
            if escaped:
                kept = [place for place in range(len(members)) if place not in escaped]
                members = members[kept]
                point = replace(point, y=point.y.reshape(-1, size)[kept].reshape(-1))
        return tuple(found.get(index, (math.nan, 0, -1, -1, math.nan)) for index in range(len(seeds)))

    def _crossed(self, piece: Piece, place: int) -> tuple[float, Floats]:
        size = self._layout.size
        own = slice(place * size, (place + 1) * size)
        time = crossing(piece, lambda y: float(np.linalg.norm(y[own][self._dormant])) - self._escape_norm)
        assert piece.between is not None
        return time, np.asarray(piece.between(time))[own].copy()

    def _arrival(self, theta: Floats) -> tuple[int, int, int, float]:
        """The largest dormant neuron's layer and index, the KKT point nearest to its direction, and the cosine."""
        norms = np.where(self._saddle.directions.dormant, self._layout.norms(theta), -1.0)
        largest = int(norms.argmax())
        own = np.nan_to_num(self._saddle.directions.cosines(theta, self.destinations)[largest], nan=-1.0)
        nearest = int(own.argmax())
        return (*self._layout.neurons[largest], nearest, float(own[nearest]))


class BatchGradient:
    """``−∇𝓛`` of several networks of the objective's architecture, whose weights follow one another in one vector."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._passes: Passes | None = None

    def __call__(self, y: Floats) -> Floats:
        """Of shape ``(B·P,)``, as ``y``."""
        objective, problem = self._objective, self._objective.problem
        networks = len(y) // objective.size
        if self._passes is None or self._passes.networks != networks:
            self._passes = Passes(problem.inputs, objective.shapes, objective.activation, networks)
            self._residual = torch.empty_like(self._passes.output)
        passes = self._passes
        theta = torch.from_numpy(y).to(problem.inputs).view(networks, -1)
        for weight, part in zip(passes.weights, theta.split(objective.sizes, dim=1), strict=True):
            weight.copy_(part.view_as(weight))
        objective.criterion.evaluate(passes.forward().mT, objective.goals, self._residual.mT)
        passes.backward(self._residual)
        blocks = [gradient.flatten(1) for gradient in passes.gradients]
        return to_array(torch.cat(blocks, dim=1).reshape(-1)) / problem.samples - objective.weight_decay * y
