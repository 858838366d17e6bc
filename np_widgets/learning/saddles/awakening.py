"""What came of an escape, once the next saddle is reached, and what Neuron Pursuit makes of the same neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.minimizers.choice import STEP_BUDGETS, make_minimizer
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.frames import Awakening, Destination
from np_widgets.learning.saddles.layout import Flags, Layout
from np_widgets.learning.saddles.now import Now
from np_widgets.learning.saddles.recording import Sample
from np_widgets.learning.saddles.saddle import Saddle
from np_widgets.learning.saddles.settings import ESCAPED
from np_widgets.problems import Problem

Floats = NDArray[np.float64]

_COMPARISON = "gradient_descent"
_NEAR_LARGEST = 0.5
COMPARISON_STEPS = STEP_BUDGETS[_COMPARISON]


@dataclass(frozen=True, eq=False)
class Awoken:
    """What is found at the next saddle.

    Attributes
    ----------
    awakening
        What came of the escape.
    active
        For each hidden layer which neurons belong to the saddle reached.
    added
        The KKT points, as indices into the destinations, that the neurons which woke up were going to.
    """

    awakening: Awakening
    active: tuple[Flags, ...]
    added: tuple[int, ...]


def active_after(theta: Floats, active: Sequence[Flags], layout: Layout) -> tuple[Flags, ...]:
    """For each hidden layer which neurons are active at ``theta``: ``active`` before, or awake since."""
    norms, before = np.sqrt(sum(layout.squares(theta))), np.concatenate(list(active))
    # Where many have grown a little, at least the largest have woken up.
    least = min(ESCAPED * float(np.linalg.norm(theta)), _NEAR_LARGEST * float(norms[~before].max()))
    return tuple(np.split(before | (norms >= least), np.cumsum(layout.widths)[:-1]))


def awoken(sample: Sample, now: Now, layout: Layout, neurons: Sequence[tuple[int, int]]) -> Awoken:
    """Which neurons woke up on the way from ``now.place`` to ``sample``.

    ``neurons`` are those that were dormant at the very start, which ``now.going_to`` and ``now.highest`` tell of.
    """
    assert now.escaped is not None
    assert now.highest is not None
    active = active_after(sample.theta, now.place.active, layout)
    before, after = np.concatenate(list(now.place.active)), np.concatenate(list(active))
    awake = tuple(layout.neurons[index] for index in np.flatnonzero(after & ~before))
    is_active = dict(zip(layout.neurons, after, strict=True))
    highest = [high for neuron, high in zip(neurons, now.highest, strict=True) if not is_active[neuron]]
    rest = float(max(highest, default=0.0))
    active_norm = float(np.linalg.norm(sample.theta[layout.active_entries(active)]))
    awakening = Awakening(
        escape_time=now.escaped,
        time=sample.time,
        awake=awake,
        dormant_norm=rest,
        stayed_dormant=rest < ESCAPED * active_norm,
        loss=sample.loss,
        pursuit_loss=None,
    )
    added = {index for neuron, index in zip(neurons, now.going_to, strict=True) if neuron in awake and index >= 0}
    return Awoken(awakening, active, tuple(sorted(added)))


def pursuit_from(saddle: Saddle, destinations: Sequence[Destination], problem: Problem) -> Minimizer | None:
    """The training of what Neuron Pursuit would have trained: the saddle's network with these KKT points.

    From the origin it takes one point only, which is a neuron in every layer. None if there is nothing to train.
    """
    if saddle.network is None:
        destinations = destinations[:1]
    network = saddle.grown(destinations) if destinations else None
    if network is None:
        return None
    objective = Objective(problem, network, saddle.decay)
    return make_minimizer(_COMPARISON, objective, objective.initial, None)


def message(awakening: Awakening, why: str) -> str:
    """One sentence; ``why`` is what makes it a saddle."""
    awake = awakening.awake
    names = ", ".join(f"neuron {index + 1} of layer {layer}" for layer, index in awake[:4])
    more = f" and {len(awake) - 4} more" if len(awake) > 4 else ""
    who = f"{names}{more} woke up" if awake else "no neuron woke up"
    return f"The next saddle is reached at time {awakening.time:.4g}, loss {awakening.loss:.4g} ({why}): {who}."
