"""From an escape to the next saddle: where that is, who woke up on the way, and what Neuron Pursuit makes of it.

A saddle is a minimum of its active network. So the next one is where the loss of the awake neurons alone is level: in
the time of a few e-foldings of the dormant weights at their escape it falls by at most a small share of itself. The
others may grow meanwhile, for that is the next escape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.minimizers.choice import MINIMIZERS, make_minimizer
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.rules import TARGET_SHARE
from np_widgets.learning.saddles.following import tolerance_of
from np_widgets.learning.saddles.frames import Awakening
from np_widgets.learning.saddles.integration import Integrator, Point
from np_widgets.learning.saddles.layout import Flags, Layout
from np_widgets.learning.saddles.now import Moment, Now, Trial
from np_widgets.learning.saddles.prediction import ray_time
from np_widgets.learning.saddles.recording import Sample
from np_widgets.learning.saddles.saddle import Saddle
from np_widgets.learning.saddles.settings import ESCAPED, SaddleSettings

Floats = NDArray[np.float64]

_LEVEL_TIME, _LEVEL = 4.0, 0.005
# Following them alone costs time. It is worth trying where in the time of half an e-folding the whole loss falls by at
# most a tenth of what it has fallen since the saddle left, which must be more than its error, and by at most 0.2 % of
# itself; and of such moments where it falls least before it falls faster again, or as good as not at all.
_WINDOW, _DONE, _SLOW = 0.5, 0.1, 0.002
_STANDING, _RISEN = 0.1, 1.5
# Along kinks the recorded loss may rise by so many times the tolerance of itself.
_ERROR_ALONG_KINKS = 300.0
_NEAR_LARGEST = 0.5
_COMPARISON = "gradient_descent"
COMPARISON_STEPS = MINIMIZERS[_COMPARISON].usual_steps


class Departure:
    """The way from a saddle to the next one, once the flow has escaped."""

    def __init__(self, saddle: Saddle, layout: Layout, objective: Objective, settings: SaddleSettings) -> None:
        self._saddle, self._layout, self._objective = saddle, layout, objective
        self._left = self._loss(saddle.place.theta)
        kinked = objective.activation.has_kink
        self._error = _ERROR_ALONG_KINKS * tolerance_of(settings, kinked=kinked) if kinked else 0.0

    def look(self, now: Now) -> tuple[Now, Moment | None, str]:
        """After a sample: at which moment the flow was at the next saddle, if at any, and why; or what to try."""
        sample, window = now.series.samples[-1], _WINDOW * self._e_folding(now)
        assert now.highest is not None
        moment = Moment(sample.loss, now.point, now.highest)
        if sample.loss <= TARGET_SHARE * self._objective.problem.zero_loss:
            return now, moment, f"at most {TARGET_SHARE:.0e} of that of the output zero"
        recent, levelest = (*now.recent, moment), now.levelest
        while recent[0].point.time + window <= sample.time:
            first, *rest = recent
            recent = tuple(rest)
            first = replace(first, fall=first.loss - sample.loss)
            slow = self._slow(first.loss)
            if first.fall <= slow and (levelest is None or first.fall < levelest.fall):
                levelest = first
            if levelest is not None and (first.fall > _RISEN * levelest.fall or levelest.fall <= _STANDING * slow):
                return replace(now, recent=recent, levelest=None, trial=self._trial(now, levelest)), None, ""
        return replace(now, recent=recent, levelest=levelest), None, ""

    def tried(self, now: Now, integrator: Integrator, steps: int) -> tuple[Now, Moment | None, str]:
        """Some steps of the trial; it ends where the loss is not level, or has been so for long enough."""
        trial = now.trial
        assert trial is not None
        until = _LEVEL_TIME * self._e_folding(now)
        for piece in islice(integrator.pieces(trial.point, until), steps):
            trial = replace(trial, point=piece.end)
        fall = trial.loss - self._loss(trial.point.y)
        if fall > _LEVEL * trial.loss:
            return replace(now, trial=None), None, ""
        if trial.point.time < until:
            return replace(now, trial=trial), None, ""
        # Back to where it was: that is the saddle, and what came after belongs to the next stretch.
        why = f"the awake neurons alone lower it by {max(fall, 0.0):.1e} in the next {until:.3g} units of time"
        return now, trial.moment, why

    def comparison(self, added: Sequence[int]) -> Minimizer | None:
        """The training of what Neuron Pursuit would have trained: the saddle's network with these KKT points.

        From the origin it takes one point only, which is a neuron in every layer. None if there is nothing to train.
        """
        network = self._saddle.grown(added[:1] if self._saddle.network is None else added)
        if network is None:
            return None
        objective = Objective(self._objective.problem, network, self._saddle.decay)
        return make_minimizer(_COMPARISON, objective, objective.initial, None)

    def _e_folding(self, now: Now) -> float:
        """The time in which the dormant weights' norm grew by a factor of e at the escape."""
        norm, degree = now.escape_norm, self._saddle.degree
        assert norm is not None
        assert now.escaped is not None
        if now.destinations:
            value = now.predictions[-1].value or now.destinations[0].value
        else:  # by the law of a path through all layers, which took as long as it did
            degree = sum(self._layout.power**layer for layer in range(len(self._layout.shapes)))
            start = float(np.linalg.norm(now.place.theta[~self._layout.active_entries(now.place.active)]))
            value = ray_time(1.0, degree, start, norm) / (now.escaped - now.place.time)
        rate = degree * value * norm ** (degree - 2)
        return 1 / (rate - self._saddle.decay if rate > self._saddle.decay else rate)

    def _slow(self, loss: float) -> float:
        """How much a loss that may be level may fall in the window; minus infinity if it has not fallen yet."""
        done = _DONE * (self._left - loss)
        return min(done, _SLOW * loss) if done > self._error * loss else -np.inf

    def _trial(self, now: Now, moment: Moment) -> Trial:
        """Of the neurons that are awake then, alone: those of no weights stay so."""
        theta = moment.point.y
        awake = active_after(theta, now.place.active, self._layout)
        y = np.where(self._layout.active_entries(awake), theta, 0.0)
        return Trial(moment, Point(0.0, y), self._loss(y))

    def _loss(self, theta: Floats) -> float:
        return self._objective.loss(torch.from_numpy(theta).to(self._objective.initial))


def active_after(theta: Floats, active: Sequence[Flags], layout: Layout) -> tuple[Flags, ...]:
    """For each hidden layer which neurons are active at ``theta``: ``active`` before, or awake since."""
    norms, before = layout.norms(theta), np.concatenate(list(active))
    # Where many have grown a little, at least the largest have woken up.
    least = min(ESCAPED * float(np.linalg.norm(theta)), _NEAR_LARGEST * float(norms[~before].max()))
    return tuple(np.split(before | (norms >= least), np.cumsum(layout.widths)[:-1]))


def awoken(sample: Sample, now: Now, layout: Layout, neurons: Sequence[tuple[int, int]]) -> Now:
    """With what is found at the next saddle, ``sample``: who woke up, and which KKT points these were going to.

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
    awakening = Awakening(
        escape_time=now.escaped,
        time=sample.time,
        awake=awake,
        dormant_norm=rest,
        stayed_dormant=rest < ESCAPED * float(np.linalg.norm(sample.theta[layout.active_entries(active)])),
        loss=sample.loss,
        pursuit_loss=None,
    )
    added = {index for neuron, index in zip(neurons, now.going_to, strict=True) if neuron in awake and index >= 0}
    return replace(
        now, awakenings=(*now.awakenings, awakening), next_active=active, added=tuple(sorted(added)), phase="comparing"
    )
