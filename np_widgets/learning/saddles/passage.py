"""The way from one saddle to the next, quantum by quantum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.rules import TARGET_SHARE
from np_widgets.learning.saddles.awakening import COMPARISON_STEPS, active_after, awoken, message, pursuit_from
from np_widgets.learning.saddles.fields import JointFlow
from np_widgets.learning.saddles.following import correlation_integrator, flow_integrator, tolerance_of
from np_widgets.learning.saddles.frames import Event
from np_widgets.learning.saddles.integration import Integrator, Piece, Point, crossing
from np_widgets.learning.saddles.now import NOTHING_LEFT, Moment, Now, Trial
from np_widgets.learning.saddles.prediction import Course, ray_time
from np_widgets.learning.saddles.recording import Recorder, Sample, Series, drift
from np_widgets.learning.saddles.saddle import Place, Saddle
from np_widgets.learning.saddles.settings import SaddleSettings, Start
from np_widgets.problems import Problem

Floats = NDArray[np.float64]

_ALIGNED = 0.999
# A saddle is a minimum of its active network. So the next one is where the loss of the awake neurons alone is level: in
# the time of so many e-foldings of the dormant weights at their escape it falls by at most such a share of itself. The
# others may grow meanwhile, for that is the next escape.
_LEVEL_TIME, _LEVEL = 4.0, 0.005
# Following them alone costs time. It is worth trying where in the time of half an e-folding the whole loss falls by at
# most a tenth of what it has fallen since the saddle left, which must be more than its error, and by at most 0.2 % of
# itself; and of such moments where it falls least before it falls faster again, or as good as not at all.
_WINDOW, _DONE, _SLOW = 0.5, 0.1, 0.002
_STANDING, _RISEN = 0.1, 1.5
# Along kinks the recorded loss may rise by so many times the tolerance of itself.
_ERROR_ALONG_KINKS = 300.0
_OPERATIONS_PER_QUANTUM, _MOST_STEPS_PER_QUANTUM = 3e8, 60
_COMPARISON_BATCH = 100
_SAMPLES_TO_ESCAPE = 250
# A flow that has not escaped after so many times as long as predicted is not expected to escape any more, unless in the
# second half of that time its dormant weights have grown by such a factor: near a minimum on kinks they may grow some
# times more slowly than theory has it.
_OVERDUE, _STILL_GROWING = 2.0, 1.5
_MOST_STEPS_WITHOUT_KKT_POINT = 3000
_MOST_SAMPLES_IN_A_STEP = 8
# Where nothing is left to wait for, a flow is at rest once so many steps have moved it by no more than so many times
# the tolerance.
_STEPS_AT_REST, _MOVES_AT_REST = 2000, 10.0
# Gradient descent with a drift above this, or whose loss has risen by such a share, does not follow the flow.
_NO_FLOW, _NO_FLOW_LOSS = 0.1, 1e-2


class Passage:
    """Everything that the present place determines, and how one quantum of work leads from one ``Now`` to the next.

    Parameters
    ----------
    problem, start, settings
        Of the flow; the problem in float64.

    Attributes
    ----------
    layout, objective, recorder
        Of the whole network, dormant neurons included.
    saddle
        The saddle left last.
    """

    def __init__(self, problem: Problem, start: Start, settings: SaddleSettings) -> None:
        self._problem, self._start, self._settings = problem, start, settings
        self.layout = start.layout
        self.objective = Objective(problem, self.network(start.theta), settings.weight_decay)
        self.recorder = Recorder(start.layout, self.objective, start.theta, start.active)
        self.arrive(Place(0.0, start.theta, start.active), 0)

    saddle: Saddle
    _integrator: Integrator | None
    _comparison: Minimizer | None

    def network(self, theta: Floats) -> HomogeneousNetwork:
        """The whole network with these weights, copied."""
        weights = [torch.from_numpy(matrix.copy()).to(self._problem.inputs) for matrix in self.layout.matrices(theta)]
        return HomogeneousNetwork._of(weights, self._start.activation)

    def arrive(self, place: Place, number: int) -> None:
        """Make everything that belongs to a place, the ``number``-th so far."""
        seed = (self._settings.seed + number) % (arguments.LARGEST_SEED + 1)
        self.saddle = Saddle(
            place,
            self.layout,
            self._start.activation,
            self._problem,
            self.objective,
            self._settings.starts,
            seed,
        )
        self._left = self._loss(place.theta)
        self._dormant = ~self.layout.active_entries(place.active)
        self._integrator = None
        self._comparison = None

    def begun(self) -> Now:
        """Where the flow begins."""
        place = self.saddle.place
        return self._without_search(Now(Point(place.time, place.theta), place))

    def _without_search(self, now: Now) -> Now:
        """The same if there is something to search for; where nothing is left to explain, what follows from that."""
        if not self.saddle.is_fitted:
            return now
        return self._predicted(replace(now, course=Course.starting(self.saddle), escape_norm=self.saddle.escape_norm()))

    def stands_at(self, now: Now) -> bool:
        """Whether everything belongs to the place of ``now`` and has searched as much."""
        return self.saddle.place is now.place and self.saddle.search.directions.quanta == now.rounds

    def arrive_at(self, now: Now) -> None:
        """Make everything that belongs to the place of ``now``, searched as much."""
        self.arrive(now.place, len(now.predictions) - (now.phase in ("flowing", "comparing")))
        directions = self.saddle.search.directions
        directions.catch_up(now.rounds, None)
        if directions.quanta != now.rounds:
            raise ValueError(
                f"state['now'].rounds must be at most {directions.quanta}, where this search ends, got {now.rounds}"
            )

    def forget(self) -> None:
        """Nothing but ``now`` tells how it goes on."""
        self._integrator = None
        self._comparison = None

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

    def warning(self, samples: Sequence[Sample]) -> str:
        """A sentence, to be put behind another, if steps of gradient descent are too large to follow the flow."""
        if self._settings.dynamics != "descent":
            return ""
        found, losses = float(drift(samples)[-1]), np.array([sample.loss for sample in samples])
        rises = bool((losses[1:] > (1 + _NO_FLOW_LOSS) * losses[:-1]).any())
        if found <= _NO_FLOW and not rises:
            return ""
        risen = " and the loss has risen" if rises else ""
        return (
            f" Steps of {self._settings.step_size:g} are too large, this is no flow: the drift is {found:.2g}{risen}."
        )

    # near the saddle: what theory says

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
        assert now.course is not None
        if now.destinations:
            integrator = correlation_integrator(
                self.saddle.flow,
                self._settings,
                now.course.states[0],
                now.destinations[0].value,
                self.saddle.degree,
                kinked=self._start.activation.has_kink,
            )
            now = replace(now, course=now.course.advanced(integrator, now.escape_norm, self._ray_time(now)))
            assert now.course is not None
            if not now.course.finished:
                return now
        course = now.course
        assert course is not None
        prediction = course.prediction(
            self.saddle, now.destinations, self.recorder.neurons, self.layout, now.escape_norm
        )
        now = replace(
            now,
            going_to=prediction.neuron_destination,
            predictions=(*now.predictions, prediction),
            phase="flowing",
        )
        if not now.series.samples and course.escape_time is not None:
            now = replace(now, series=Series((), course.escape_time / _SAMPLES_TO_ESCAPE))
        sample = self.measure(now, now.point.time, now.point.y, lasting=True)
        now = replace(now, series=now.series.with_sample(sample), highest=sample.neuron_norm)
        if self.saddle.is_fitted:
            reached = f"{now.events[-1].message} " if now.events else ""
            nothing = NOTHING_LEFT[0].upper() + NOTHING_LEFT[1:]
            return now.at_end(f"{reached}{nothing}: the loss is {sample.loss:.2g}.")
        if now.destinations or self.saddle.has_paths:
            return now
        nothing = self.saddle.without_destination
        minimum = " With one hidden layer that is a minimum, not a saddle." if len(self.layout.widths) == 1 else ""
        return now.at_dead_end(
            f"{nothing[0].upper()}{nothing[1:]}: nothing makes the dormant weights grow, so this is as far as the flow "
            f"goes.{minimum}"
        )

    # the flow

    def _flowed(self, now: Now) -> Now:
        goal = now.goal if isinstance(now.goal, float) else math.inf
        steps = self._steps_per_quantum
        if now.trial is not None:
            return self._tried(now, now.trial, steps)
        # Where nothing moves one step may be longer than anybody waits.
        overdue = self._overdue(now) if now.escaped is None and now.dead_end is None else math.inf
        until = min(goal, overdue) if overdue > now.point.time else goal
        for piece in islice(self._following(now).pieces(now.point, until), steps):
            now = self._passed(now, piece)
            if now.finished is not None or now.phase != "flowing" or now.trial is not None:
                return now
        if now.point.time >= goal:
            sample = self.measure(now, now.point.time, now.point.y, lasting=True)
            now = replace(now, series=now.series.with_sample(sample))
            warning = self.warning(now.series.samples)
            return replace(now, finished=f"Time {now.point.time:.4g} is reached.{warning}")
        return self._unless_at_rest(now)

    @property
    def _steps_per_quantum(self) -> int:
        operations = 12.0 * self._problem.samples * self.layout.size
        return int(min(max(_OPERATIONS_PER_QUANTUM / operations, 1), _MOST_STEPS_PER_QUANTUM))

    def _unless_at_rest(self, now: Now) -> Now:
        """Where no time is worth waiting for, since nothing moves any more, it ends before that time."""
        if now.dead_end is None or not isinstance(now.goal, float):
            return now
        point, earlier = now.point, now.earlier
        if earlier is None:
            return replace(now, earlier=point)
        if point.steps - earlier.steps < _STEPS_AT_REST:
            return now
        share = _MOVES_AT_REST * tolerance_of(self._settings, kinked=self._start.activation.has_kink)
        moved = float(np.linalg.norm(point.y - earlier.y))
        before, after = (np.sqrt(np.add(*self.layout.squares(y))) for y in (earlier.y, point.y))
        grows = bool((after > before + share * (before + self._settings.scale)).any())
        if grows or moved > share * float(np.linalg.norm(point.y)):
            return replace(now, earlier=point)
        sample = self.measure(now, point.time, point.y, lasting=True)
        now = replace(now, series=now.series.with_sample(sample), earlier=None)
        text = (
            f"At rest at time {point.time:.4g}: in the last {point.time - earlier.time:.3g} units of time the weights "
            f"have moved by at most {share:.0e} of their norm. What comes after is not followed."
        )
        return replace(now, finished=text + self.warning(now.series.samples))

    def _following(self, now: Now) -> Integrator:
        if self._integrator is None:
            prediction = now.predictions[-1]
            expected = None if prediction.escape_time is None else prediction.escape_time - prediction.start
            if not prediction.destinations:
                expected = math.inf  # what paths of several neurons take
            curvature = self.saddle.curvature
            small = ~self.recorder.entries
            self._integrator = flow_integrator(self.objective, self._settings, small, curvature, expected)
        return self._integrator

    def _passed(self, now: Now, piece: Piece) -> Now:
        """What one step leads to."""
        inside = self._times_between(now, piece)
        escape = self._escape_in(now, piece)
        now = self._recorded_inside(now, piece, inside[inside < escape])
        if escape < math.inf:
            y = piece.end.y if piece.between is None else np.asarray(piece.between(escape))
            now = self._at_escape(now, escape, y)
            if now.goal == "escape":
                return replace(now, point=replace(piece.end, time=escape, y=y), finished=now.events[-1].message)
            now = self._recorded_inside(now, piece, inside[inside > escape])
        now = replace(now, point=piece.end)
        if now.series.due(piece.end.time):
            now = self._recorded(now, piece.end.time, piece.end.y)
            if now.escaped is not None and now.dead_end is None:
                return self._look_for_next_saddle(now)
        if now.escaped is None and now.dead_end is None and self._is_overdue(now):
            predicted = now.predictions[-1].escape_time
            beside = "theory predicts none" if predicted is None else f"theory predicts it at {predicted:.4g}"
            text = f"No escape by time {now.point.time:.4g} ({beside}): none is expected any more."
            return now.at_dead_end(text + self.warning(self._until_now(now)))
        return now

    def _escape_in(self, now: Now, piece: Piece) -> float:
        """When the dormant weights escape within the step; infinite if they do not."""
        norm = now.escape_norm
        if now.escaped is not None or norm is None or self._dormant_norm(piece.end.y) < norm:
            return math.inf
        return crossing(piece, lambda y: self._dormant_norm(y) - norm)

    def _recorded_inside(self, now: Now, piece: Piece, times: Floats) -> Now:
        for time in times:
            assert piece.between is not None
            now = self._recorded(now, time, np.asarray(piece.between(time)))
        return now

    def _until_now(self, now: Now) -> tuple[Sample, ...]:
        """Those recorded, and one of the present."""
        return now.series.with_sample(self.measure(now, now.point.time, now.point.y)).samples

    def _is_overdue(self, now: Now) -> bool:
        # Nobody has predicted how long several neurons together take: then steps are counted.
        waited = not now.destinations and now.point.steps - now.first_step >= _MOST_STEPS_WITHOUT_KKT_POINT
        return waited or (now.point.time >= self._overdue(now) and not self._still_grows(now))

    def _still_grows(self, now: Now) -> bool:
        middle = (now.place.time + now.point.time) / 2
        earlier = next((each.theta for each in reversed(now.series.samples) if each.time <= middle), now.place.theta)
        return self._dormant_norm(now.point.y) >= _STILL_GROWING * self._dormant_norm(earlier)

    def _overdue(self, now: Now) -> float:
        """When an escape that has not come is not expected any more."""
        start, predicted = now.place.time, now.predictions[-1].escape_time
        if predicted is not None:
            return start + _OVERDUE * (predicted - start)
        # Active weights that are not quite at rest may still change the NCF: as much time again as it took so far.
        ray_time = self._ray_time(now)
        return start + (min(ray_time, start) if start > 0 else ray_time)

    def _ray_time(self, now: Now) -> float:
        """How long the escape along the ray of the best KKT point takes."""
        start = self._dormant_norm(now.place.theta)
        if not now.destinations or now.escape_norm is None or start == 0:
            return math.inf
        decay = self._settings.weight_decay
        return ray_time(now.destinations[0].value, self.saddle.degree, start, now.escape_norm, decay)

    def _times_between(self, now: Now, piece: Piece) -> Floats:
        """When to record inside a long step."""
        if piece.between is None or not now.series.samples or now.series.interval <= 0:
            return np.zeros(0)
        last = now.series.samples[-1].time
        count = min(int((piece.end.time - last) / now.series.interval), _MOST_SAMPLES_IN_A_STEP)
        times = np.linspace(last, piece.end.time, count + 1)[1:-1] if count > 1 else np.zeros(0)
        return np.asarray(times[times > piece.start.time])

    def _recorded(self, now: Now, time: float, theta: Floats) -> Now:
        sample = self.measure(now, time, theta)
        highest = sample.neuron_norm if now.highest is None else np.maximum(now.highest, sample.neuron_norm)
        now = replace(now, series=now.series.with_sample(sample), highest=highest)
        if not now.aligned and now.escaped is None:
            cosine, what = self._largest_cosine(now, sample)
            if cosine >= _ALIGNED:
                text = f"At time {time:.4g} {what} points along a KKT point: cosine {cosine:.4f}."
                event = Event("aligned", time, sample.loss, text)
                now = replace(now, aligned=True, events=(*now.events, event))
        return now

    def _largest_cosine(self, now: Now, sample: Sample) -> tuple[float, str]:
        """How well the largest dormant neuron is aligned with a KKT point; near a deeper origin, all weights."""
        if not now.destinations:
            return -1.0, ""
        if isinstance(self.saddle.flow, JointFlow):
            best = max(self.saddle.joint_cosine(sample.theta, each) for each in now.destinations)
            whose = "all weights" if self.saddle.network is None else "the path's weights"
            return best, f"the direction of {whose}"
        cosines = self.saddle.cosines(sample.theta, now.destinations)
        norms = dict(zip(self.recorder.neurons, sample.neuron_norm, strict=True))
        layer, index = max(cosines, key=lambda neuron: norms[neuron])
        cosine = float(np.nan_to_num(cosines[layer, index], nan=-1.0).max())
        return cosine, f"the largest dormant neuron (neuron {index + 1} of layer {layer})"

    def _dormant_norm(self, theta: Floats) -> float:
        return float(np.linalg.norm(theta[self._dormant]))

    def _at_escape(self, now: Now, time: float, y: Floats) -> Now:
        sample = self.measure(now, time, y, lasting=True)
        predicted = now.predictions[-1].escape_time
        beside = "" if predicted is None else f" (predicted: {predicted:.4g})"
        series = now.series.with_sample(sample)
        text = f"Escaped at time {time:.4g}{beside}: the dormant weights have reached a norm of {now.escape_norm:.3g}."
        text += self.warning(series.samples)
        return replace(
            now,
            events=(*now.events, Event("escaped", time, sample.loss, text)),
            series=series,
            escaped=time,
            dead_end=None,
        )

    # the next saddle

    def _e_folding(self, now: Now) -> float:
        """The time in which the dormant weights' norm grew by a factor of e at the escape."""
        norm, degree = now.escape_norm, self.saddle.degree
        assert norm is not None
        assert now.escaped is not None
        if now.destinations:
            value = now.predictions[-1].value or now.destinations[0].value
        else:  # by the law of a path through all layers, which took as long as it did
            degree = sum(self._start.activation.power**layer for layer in range(len(self.layout.shapes)))
            value = ray_time(1.0, degree, self._dormant_norm(now.place.theta), norm) / (now.escaped - now.place.time)
        rate = degree * value * norm ** (degree - 2) - self._settings.weight_decay
        return 1 / rate if rate > 0 else 1 / (degree * value * norm ** (degree - 2))

    def _look_for_next_saddle(self, now: Now) -> Now:
        sample, window = now.series.samples[-1], _WINDOW * self._e_folding(now)
        assert now.highest is not None
        moment = Moment(sample.loss, now.point, now.highest)
        if sample.loss <= TARGET_SHARE * self._problem.zero_loss:
            return self._at_next_saddle(now, moment, f"at most {TARGET_SHARE:.0e} of that of the output zero")
        recent, levelest = (*now.recent, moment), now.levelest
        while recent[0].point.time + window <= sample.time:
            first, *rest = recent
            recent = tuple(rest)
            first = replace(first, fall=first.loss - sample.loss)
            slow = self._slow(first.loss)
            if first.fall <= slow and (levelest is None or first.fall < levelest.fall):
                levelest = first
            if levelest is not None and (first.fall > _RISEN * levelest.fall or levelest.fall <= _STANDING * slow):
                return replace(now, recent=recent, levelest=None, trial=self._trial(now, levelest))
        return replace(now, recent=recent, levelest=levelest)

    def _slow(self, loss: float) -> float:
        """How much a loss that may be level may fall in the window; minus infinity if it has not fallen yet."""
        kinked = self._start.activation.has_kink
        error = _ERROR_ALONG_KINKS * tolerance_of(self._settings, kinked=kinked) * loss if kinked else 0.0
        done = _DONE * (self._left - loss)
        return min(done, _SLOW * loss) if done > error else -math.inf

    def _trial(self, now: Now, moment: Moment) -> Trial:
        """Of the neurons that are awake then, alone: those of no weights stay so."""
        theta = moment.point.y
        awake = active_after(theta, now.place.active, self.layout)
        y = np.where(self.layout.active_entries(awake), theta, 0.0)
        return Trial(moment, Point(0.0, y), self._loss(y))

    def _tried(self, now: Now, trial: Trial, steps: int) -> Now:
        """Some steps of the trial; it ends where the loss is not level, or has been so for long enough."""
        until = _LEVEL_TIME * self._e_folding(now)
        for piece in islice(self._following(now).pieces(trial.point, until), steps):
            trial = replace(trial, point=piece.end)
        fall = trial.loss - self._loss(trial.point.y)
        if fall > _LEVEL * trial.loss:
            return replace(now, trial=None)
        if trial.point.time < until:
            return replace(now, trial=trial)
        # Back to where it was: that is the saddle, and what came after belongs to the next stretch.
        text = f"the awake neurons alone lower it by {max(fall, 0.0):.1e} in the next {until:.3g} units of time"
        return self._at_next_saddle(now, trial.moment, text)

    def _loss(self, theta: Floats) -> float:
        return self.objective.loss(torch.from_numpy(theta).to(self.objective.initial))

    def _at_next_saddle(self, now: Now, moment: Moment, why: str) -> Now:
        point = moment.point
        now = replace(now, point=point, series=now.series.until(point.time), highest=moment.highest, trial=None)
        sample = self.measure(now, point.time, point.y, lasting=True)
        found = awoken(sample, now, self.layout, self.recorder.neurons)
        text = message(found.awakening, why) + self.warning(now.series.with_sample(sample).samples)
        event = Event("saddle", sample.time, sample.loss, text)
        now = replace(
            now,
            series=now.series.with_sample(sample),
            events=(*now.events, event),
            awakenings=(*now.awakenings, found.awakening),
            phase="comparing",
            next_active=found.active,
            added=found.added,
        )
        self._comparison = self._pursuit_from(now)
        return self._onward(now) if self._comparison is None else now

    def _pursuit_from(self, now: Now) -> Minimizer | None:
        return pursuit_from(self.saddle, [now.destinations[index] for index in now.added], self._problem)

    def _compared(self, now: Now) -> Now:
        training = self._comparison
        if training is None:  # restored in the middle of it
            training = self._comparison = self._pursuit_from(now)
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
        place = Place(now.point.time, now.point.y, now.next_active)
        reached = now.events[-1].message
        if all(flags.all() for flags in place.active):
            return replace(now, phase="flowing").at_dead_end(f"{reached} No dormant neuron is left.")
        self.arrive(place, len(now.predictions))
        onward = Now(
            point=now.point,
            place=place,
            series=now.series,
            goal=now.goal,
            finished=reached if now.goal == "next saddle" else None,
            events=now.events,
            awakenings=now.awakenings,
            predictions=now.predictions,
            first_step=now.point.steps,
        )
        return self._without_search(onward)
