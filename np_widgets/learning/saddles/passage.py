"""The way from one saddle to the next, quantum by quantum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles import wording
from np_widgets.learning.saddles.departure import COMPARISON_STEPS, Departure, awoken
from np_widgets.learning.saddles.fields import JointFlow
from np_widgets.learning.saddles.following import correlation_integrator, flow_integrator, tolerance_of
from np_widgets.learning.saddles.frames import Event
from np_widgets.learning.saddles.integration import Integrator, Piece, Point, crossing
from np_widgets.learning.saddles.now import Moment, Now
from np_widgets.learning.saddles.patience import Patience
from np_widgets.learning.saddles.prediction import Course
from np_widgets.learning.saddles.recording import Recorder, Sample, Series
from np_widgets.learning.saddles.saddle import Place, Saddle
from np_widgets.learning.saddles.settings import SaddleSettings, Start
from np_widgets.problems import Problem

Floats = NDArray[np.float64]

_ALIGNED = 0.999
_OPERATIONS_PER_QUANTUM, _MOST_STEPS_PER_QUANTUM = 3e8, 60
_COMPARISON_BATCH, _SAMPLES_TO_ESCAPE = 100, 250


class Passage:
    """Everything that the present place determines, and how one quantum of work leads from one ``Now`` to the next.

    ``layout``, ``objective`` and ``recorder`` are of the whole network, dormant neurons included; ``saddle`` is the one
    left last.
    """

    saddle: Saddle
    _patience: Patience
    _departure: Departure
    _integrator: Integrator | None = None
    _comparison: Minimizer | None = None

    def __init__(self, problem: Problem, start: Start, settings: SaddleSettings) -> None:
        self._problem, self._start, self._settings = problem, start, settings
        self.layout = start.layout
        quantum = _OPERATIONS_PER_QUANTUM / (12 * problem.samples * self.layout.size)
        self._steps = int(min(max(quantum, 1), _MOST_STEPS_PER_QUANTUM))
        self.objective = Objective(problem, self.network(start.theta), settings.weight_decay)
        self.recorder = Recorder(start.layout, self.objective, start.theta, start.active)
        self._arrive(Place(0.0, start.theta, start.active))

    def network(self, theta: Floats) -> HomogeneousNetwork:
        """The whole network with these weights, copied."""
        weights = [torch.from_numpy(matrix.copy()).to(self._problem.inputs) for matrix in self.layout.matrices(theta)]
        return HomogeneousNetwork._of(weights, self._start.activation)

    def begun(self) -> Now:
        """Where the flow begins."""
        place = self.saddle.place
        return self._without_search(Now(Point(place.time, place.theta), place))

    def stands_at(self, now: Now) -> bool:
        """Whether everything belongs to the place of ``now`` and has searched as much."""
        return self.saddle.place is now.place and self.saddle.search.directions.quanta == now.rounds

    def arrive_at(self, now: Now) -> None:
        """Make everything that belongs to the place of ``now``, searched as much."""
        self._arrive(now.place)
        directions = self.saddle.search.directions
        directions.catch_up(now.rounds, None)
        if directions.quanta != now.rounds:
            raise ValueError(
                f"state['now'].rounds must be at most {directions.quanta}, where this search ends, got {now.rounds}"
            )

    def forget(self) -> None:
        """Nothing but ``now`` tells how it goes on."""
        self._integrator = self._comparison = None

    def advance(self, now: Now) -> Now:
        """One quantum of work."""
        steps = {
            "searching": self._searched,
            "predicting": self._predicted,
            "flowing": self._flowed,
            "comparing": self._compared,
        }
        return steps[now.phase](now)

    def measure(self, now: Now, time: float, theta: Floats, *, lasting: bool = False) -> Sample:
        """Measure the network on its way."""
        predicted = None if now.course is None else now.course.at(time, self.saddle)
        return self.recorder.measure(
            time, theta, self.saddle, now.destinations, now.going_to, predicted, lasting=lasting
        )

    def _warning(self, samples: Sequence[Sample]) -> str:
        return wording.warning(self._settings, samples)

    # near the saddle: what theory says

    def _arrive(self, place: Place) -> None:
        """Make everything that belongs to a place."""
        settings, layout = self._settings, self.layout
        self.saddle = Saddle(place, layout, self._start.activation, self.objective, settings.starts, settings.seed)
        tolerance = tolerance_of(settings, kinked=self._start.activation.has_kink)
        self._patience = Patience(self.saddle, layout, tolerance, settings.scale)
        self._departure = Departure(self.saddle, layout, self.objective, settings)
        self.forget()

    def _without_search(self, now: Now) -> Now:
        """The same if there is something to search for; where nothing is left to explain, what follows from that."""
        if not self.saddle.is_fitted:
            return now
        return self._predicted(replace(now, course=Course.starting(self.saddle), escape_norm=self.saddle.escape_norm()))

    def _searched(self, now: Now) -> Now:
        search = self.saddle.search.directions
        search.advance()
        now = replace(now, rounds=now.rounds + 1)
        if not search.finished:
            return now
        return replace(
            now,
            destinations=self.saddle.destinations,
            escape_norm=self.saddle.escape_norm(),
            phase="predicting",
            course=Course.starting(self.saddle),
        )

    def _predicted(self, now: Now) -> Now:
        course = now.course
        assert course is not None
        if now.destinations:
            value, kinked = now.destinations[0].value, self._start.activation.has_kink
            integrator = correlation_integrator(
                self.saddle.flow, self._settings, course.states[0], value, self.saddle.degree, kinked=kinked
            )
            course = course.advanced(integrator, now.escape_norm, self._patience.ray_time(now))
            now = replace(now, course=course)
            if not course.finished:
                return now
        prediction = course.prediction(
            self.saddle, now.destinations, self.recorder.neurons, self.layout, now.escape_norm
        )
        going_to, predictions = prediction.neuron_destination, (*now.predictions, prediction)
        now = replace(now, going_to=going_to, predictions=predictions, phase="flowing")
        if not now.series.samples and course.escape_time is not None:
            now = replace(now, series=Series((), course.escape_time / _SAMPLES_TO_ESCAPE))
        now, sample = self._marked(now)
        now = replace(now, highest=sample.neuron_norm)
        if self.saddle.is_fitted:
            return now.at_end(wording.fitted(now, sample.loss))
        if now.destinations or self.saddle.has_paths:
            return now
        return now.at_dead_end(wording.no_way_out(self.saddle))

    # the flow

    def _flowed(self, now: Now) -> Now:
        goal, steps = now.goal if isinstance(now.goal, float) else math.inf, self._steps
        if now.trial is not None:
            return self._unless_reached(*self._departure.tried(now, self._following(now), steps))
        # Where nothing moves one step may be longer than anybody waits.
        overdue = self._patience.ends(now)
        until = min(goal, overdue) if overdue > now.point.time else goal
        for piece in islice(self._following(now).pieces(now.point, until), steps):
            now = self._passed(now, piece)
            if now.finished is not None or now.phase != "flowing" or now.trial is not None:
                return now
        if now.point.time >= goal:
            now, _ = self._marked(now)
            return replace(now, finished=f"Time {now.point.time:.4g} is reached.{self._warning(now.series.samples)}")
        # Where no time is worth waiting for, since nothing moves any more, it ends before that time.
        if now.dead_end is None or not isinstance(now.goal, float):
            return now
        rest = self._patience.at_rest(now)
        if not rest:
            return now if rest is None else replace(now, earlier=now.point)
        now, _ = self._marked(replace(now, earlier=None))
        return replace(now, finished=rest + self._warning(now.series.samples))

    def _following(self, now: Now) -> Integrator:
        if self._integrator is None:
            prediction = now.predictions[-1]
            expected = None if prediction.escape_time is None else prediction.escape_time - prediction.start
            if not prediction.destinations:
                expected = math.inf  # what paths of several neurons take
            small, curvature = ~self.recorder.entries, self.saddle.curvature
            self._integrator = flow_integrator(self.objective, self._settings, small, curvature, expected)
        return self._integrator

    def _passed(self, now: Now, piece: Piece) -> Now:
        """What one step leads to."""
        inside, escape, norm = now.series.times_in(piece), math.inf, now.escape_norm
        size = self._patience.dormant_norm
        if now.escaped is None and norm is not None and size(piece.end.y) >= norm:
            escape = crossing(piece, lambda y: size(y) - norm)
        now = self._recorded_inside(now, piece, inside[inside < escape])
        if escape < math.inf:
            y = piece.end.y if piece.between is None else np.asarray(piece.between(escape))
            now = self._at_escape(replace(now, point=replace(piece.end, time=escape, y=y)))
            if now.goal == "escape":
                return replace(now, finished=now.events[-1].message)
            now = self._recorded_inside(now, piece, inside[inside > escape])
        now = replace(now, point=piece.end)
        if now.series.due(piece.end.time):
            now = self._recorded(now, piece.end.time, piece.end.y)
            if now.escaped is not None and now.dead_end is None:
                return self._unless_reached(*self._departure.look(now))
        if self._patience.is_over(now):
            until_now = now.series.with_sample(self.measure(now, now.point.time, now.point.y))
            return now.at_dead_end(wording.overdue(now) + self._warning(until_now.samples))
        return now

    def _marked(self, now: Now) -> tuple[Now, Sample]:
        """With a lasting sample of the present, and that."""
        sample = self.measure(now, now.point.time, now.point.y, lasting=True)
        return replace(now, series=now.series.with_sample(sample)), sample

    def _recorded_inside(self, now: Now, piece: Piece, times: Floats) -> Now:
        for time in times:
            assert piece.between is not None
            now = self._recorded(now, time, np.asarray(piece.between(time)))
        return now

    def _recorded(self, now: Now, time: float, theta: Floats) -> Now:
        sample = self.measure(now, time, theta)
        highest = sample.neuron_norm if now.highest is None else np.maximum(now.highest, sample.neuron_norm)
        now = replace(now, series=now.series.with_sample(sample), highest=highest)
        if now.aligned or now.escaped is not None or not now.destinations:
            return now
        together = isinstance(self.saddle.flow, JointFlow)
        cosine, what = self.saddle.directions.best_cosine(theta, now.destinations, together=together)
        if cosine < _ALIGNED:
            return now
        text = f"At time {time:.4g} {what} points along a KKT point: cosine {cosine:.4f}."
        return replace(now, aligned=True, events=(*now.events, Event("aligned", time, sample.loss, text)))

    def _at_escape(self, now: Now) -> Now:
        now, sample = self._marked(now)
        text = wording.escaped(now, sample.time) + self._warning(now.series.samples)
        events = (*now.events, Event("escaped", sample.time, sample.loss, text))
        return replace(now, events=events, escaped=sample.time, dead_end=None)

    # the next saddle

    def _unless_reached(self, now: Now, moment: Moment | None, why: str) -> Now:
        if moment is None:
            return now
        series = now.series.until(moment.point.time)
        now = replace(now, point=moment.point, series=series, highest=moment.highest, trial=None)
        now, sample = self._marked(now)
        now = awoken(sample, now, self.layout, self.recorder.neurons)
        text = wording.reached(now.awakenings[-1], why) + self._warning(now.series.samples)
        now = replace(now, events=(*now.events, Event("saddle", sample.time, sample.loss, text)))
        self._comparison = self._departure.comparison(now.added)
        return self._onward(now) if self._comparison is None else now

    def _compared(self, now: Now) -> Now:
        training = self._comparison
        if training is None:  # restored in the middle of it
            training = self._comparison = self._departure.comparison(now.added)
            assert training is not None
            if now.comparison is not None:
                training.restore(now.comparison)
        training.advance(_COMPARISON_BATCH)
        if training.finished is None and training.steps < COMPARISON_STEPS:
            return replace(now, comparison=training.state())
        awakening = replace(now.awakenings[-1], pursuit_loss=training.lowest_loss)
        return self._onward(replace(now, awakenings=(*now.awakenings[:-1], awakening)))

    def _onward(self, now: Now) -> Now:
        """From the saddle reached on, as from a new place."""
        assert now.next_active is not None
        place, message = Place(now.point.time, now.point.y, now.next_active), now.events[-1].message
        if all(flags.all() for flags in place.active):
            return replace(now, phase="flowing").at_dead_end(f"{message} No dormant neuron is left.")
        self._arrive(place)
        onward = Now(
            point=now.point,
            place=place,
            series=now.series,
            goal=now.goal,
            finished=message if now.goal == "next saddle" else None,
            events=now.events,
            awakenings=now.awakenings,
            predictions=now.predictions,
            first_step=now.point.steps,
        )
        return self._without_search(onward)
