"""Many flows from the same saddle, each from its own random start, as one batch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.points import fitting
from np_widgets.learning.driving import own_torch_threads
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.one_line import one_line
from np_widgets.learning.passes import Passes
from np_widgets.learning.saddles.following import batch_integrator
from np_widgets.learning.saddles.frames import Destination
from np_widgets.learning.saddles.integration import Piece, Point, crossing
from np_widgets.learning.saddles.minimum import at_minimum, reporting
from np_widgets.learning.saddles.now import NOTHING_LEFT
from np_widgets.learning.saddles.passage import Passage
from np_widgets.learning.saddles.settings import (
    ESCAPED,
    SaddleSettings,
    Start,
    check_start,
    dormant_counts,
    everywhere,
    start_near,
)
from np_widgets.problems import Problem

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_MEMBERS = 100_000
# Entries of one layer's outputs for all members together: bounds the memory of a batch to some 100 MiB.
_BATCH_ENTRIES = 2**21
_STEPS_BETWEEN_LOOKS = 20


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


def escape_ensemble(
    network: HomogeneousNetwork,
    problem: Problem,
    dormant: int | tuple[int, ...] = 10,
    scale: float = 1e-3,
    seed: int = 0,
    *,
    members: int = 100,
    until: float | None = None,
    starts: int = 100,
    polish: bool = False,
    weight_decay: float = 0.0,
    progress: bool = False,
) -> EscapeEnsemble:
    """Follow gradient flow from many random starts near one saddle, as one batch, up to each one's escape.

    Parameters
    ----------
    network, problem, dormant, scale, starts, polish, weight_decay
        As for :class:`~np_widgets.learning.saddles.flow.SaddleFlow`.
    seed
        The i-th start has the seed ``seed + i``; the search for KKT points has ``seed``.
    members
        How many starts.
    until
        When to give up; None for ten times the escape time that is predicted for the first start.
    progress
        Show a progress bar of the check of the minimum, then of how many have escaped.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, the network is not at a minimum, or no escape from it is predicted.
    """
    members = arguments.whole("members", members, 1, MOST_MEMBERS)
    progress = arguments.flag("progress", progress)
    if until is not None:
        until = arguments.real("until", until, above=0)
    if not isinstance(network, HomogeneousNetwork):
        raise TypeError(f"network must be a HomogeneousNetwork, got {type(network).__name__}")
    polish = arguments.flag("polish", polish)
    settings = SaddleSettings(
        everywhere(dormant, network.hidden_layers), scale, seed, starts=starts, weight_decay=weight_decay
    )
    dormant_counts(settings.dormant, network)
    with reporting(progress) as report:
        network, problem, found = at_minimum(
            network, fitting(network, problem), polish, report=report, weight_decay=settings.weight_decay
        )
    first = start_near(network, problem, network.activation, settings)
    check_start(first, settings, found.curvatures.largest, ESCAPED * found.weight_norm)
    with torch.no_grad(), own_torch_threads(1):
        batch = _Batch(network, problem, first, settings, until)
        seeds = settings.seed + np.arange(members)
        with tqdm(total=members, disable=not progress, desc="escaped") as bar:
            for begin in range(0, members, batch.size):
                for _ in batch.escapes(seeds[begin : begin + batch.size], begin):
                    bar.update()
    outcomes = [batch.found.get(index, (math.nan, 0, -1, -1, math.nan)) for index in range(members)]
    times, layers, neurons, destinations, cosines = zip(*outcomes, strict=True)
    return EscapeEnsemble(
        seeds=seeds,
        escape_time=np.array(times, dtype=np.float64),
        layer=np.array(layers),
        neuron=np.array(neurons),
        destination=np.array(destinations),
        cosine=np.array(cosines, dtype=np.float64),
        destinations=batch.destinations,
    )


class _Batch:
    """Follows batches of members; ``found`` has for each that escaped its time, neuron, KKT point and cosine."""

    def __init__(
        self, network: HomogeneousNetwork, problem: Problem, first: Start, settings: SaddleSettings, until: float | None
    ) -> None:
        self._network, self._problem, self._settings = network, problem, settings
        passage = Passage(problem, first, settings)
        now = passage.begun()
        if passage.saddle.is_fitted:
            raise ValueError(f"network must be at a saddle: {NOTHING_LEFT}")
        while not now.predictions:
            now = passage.advance(now)
        prediction = now.predictions[-1]
        self._saddle, self._layout, self._objective = passage.saddle, passage.layout, passage.objective
        self.destinations = prediction.destinations
        if prediction.escape_time is None or prediction.escape_norm is None:
            raise ValueError("network must have a KKT point of positive value to escape along, got one without")
        self._until = 10 * prediction.escape_time if until is None else until
        self._escape_norm = prediction.escape_norm
        self._dormant = ~self._layout.active_entries(first.active)
        self.size = max(1, _BATCH_ENTRIES // (max(self._layout.widths) * problem.samples))
        self.found: dict[int, tuple[float, int, int, int, float]] = {}

    def escapes(self, seeds: Integers, offset: int) -> Iterator[None]:
        """Follow the members of these seeds; once for each that escapes."""
        size = self._layout.size
        field = BatchGradient(self._objective)
        integrator = batch_integrator(field, self._objective, self._settings, self._dormant)
        members = np.arange(len(seeds))
        point = Point(0.0, np.concatenate([self._start(int(seed)) for seed in seeds]))
        while len(members) and point.time < self._until:
            escaped: dict[int, tuple[float, Floats]] = {}
            pieces = integrator(len(members)).pieces(point, self._until)
            for piece, _ in zip(pieces, range(_STEPS_BETWEEN_LOOKS), strict=False):
                point = piece.end
                norms = np.linalg.norm(point.y.reshape(-1, size)[:, self._dormant], axis=1)
                for place in np.flatnonzero(norms >= self._escape_norm).tolist():
                    if place not in escaped:
                        escaped[place] = self._crossed(piece, place)
            for place, (time, theta) in escaped.items():
                self.found[offset + int(members[place])] = (time, *self._arrival(theta))
                yield
            if escaped:
                kept = [place for place in range(len(members)) if place not in escaped]
                members = members[kept]
                point = replace(point, y=point.y.reshape(-1, size)[kept].reshape(-1))

    def _start(self, seed: int) -> Floats:
        settings = replace(self._settings, seed=seed)
        return start_near(self._network, self._problem, self._network.activation, settings).theta

    def _crossed(self, piece: Piece, place: int) -> tuple[float, Floats]:
        size = self._layout.size
        own = slice(place * size, (place + 1) * size)
        time = crossing(piece, lambda y: float(np.linalg.norm(y[own][self._dormant])) - self._escape_norm)
        assert piece.between is not None
        return time, np.asarray(piece.between(time))[own].copy()

    def _arrival(self, theta: Floats) -> tuple[int, int, int, float]:
        """The largest dormant neuron's layer and index, the KKT point nearest to its direction, and the cosine."""
        incoming, outgoing = self._layout.squares(theta)
        norms = dict(zip(self._layout.neurons, incoming + outgoing, strict=True))
        cosines = self._saddle.cosines(theta, self.destinations)
        layer, index = max(cosines, key=lambda each: float(norms[each]))
        own = np.nan_to_num(cosines[layer, index], nan=-1.0)
        nearest = int(own.argmax())
        return layer, index, nearest, float(own[nearest])


class BatchGradient:
    """``−∇𝓛`` of several networks of one architecture, whose weights follow one another in one vector.

    Parameters
    ----------
    objective
        The training loss of one of them.
    """

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
        problem.loss.evaluate(passes.forward().mT, problem.targets, self._residual.mT)
        passes.backward(self._residual)
        blocks = [gradient.flatten(1) for gradient in passes.gradients]
        return to_array(torch.cat(blocks, dim=1).reshape(-1)) / problem.samples - objective.weight_decay * y
