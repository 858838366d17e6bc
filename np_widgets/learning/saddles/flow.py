"""The flow near a saddle, simulated, beside what theory predicts for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.correlation.points import MOST_HIDDEN_LAYERS, fitting
from np_widgets.learning.driving import drive
from np_widgets.learning.engine import Engine, Landmark, all_or_nothing
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.saddles import wording
from np_widgets.learning.saddles.frames import Awakening, Event, Prediction, SaddleFrame, SaddleRecord
from np_widgets.learning.saddles.minimum import (
    CURVATURE_TOLERANCE,
    GRADIENT_TOLERANCE,
    Ground,
    Report,
    Stationarity,
    at_minimum,
    reporting,
)
from np_widgets.learning.saddles.now import GOALS, NOTHING_LEFT, Goal, Now, require_fit
from np_widgets.learning.saddles.origin import rough_origin_ray
from np_widgets.learning.saddles.passage import Passage
from np_widgets.learning.saddles.recording import Sample
from np_widgets.learning.saddles.settings import (
    ESCAPED,
    HIDDEN_LAYERS,
    Dormant,
    Dynamics,
    SaddleSettings,
    Start,
    check_start,
    dormant_counts,
    everywhere,
    start_near,
)
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem

Floats = NDArray[np.float64]


class SaddleFlow(Engine):
    """Gradient flow near a saddle with dormant neurons, or near the origin, beside what theory predicts.

    Kumar & Haupt (arXiv 2402.09226, 2403.08121, 2502.15952) show that weights that start small near a saddle stay small
    for long while their directions converge to KKT points of the constrained neural correlation function (NCF).

    Parameters
    ----------
    network
        The active neurons, at a local minimum of the training loss; None for the origin, where no neuron is active.
    problem
        Whose training loss is flowed down.
    dormant
        How many dormant neurons each hidden layer gets, of random weights: a number for all layers, ten by default, or
        one for each.
        Or dormant neurons, paths included, on the rays of one or more
        :class:`~np_widgets.learning.correlation.paths.KKTPoint`: of the network, or without one of the origin.
    scale
        δ, the norm of all dormant weights together at the start: less than what counts as escaped (see the notes).
    seed
        Of the dormant weights and of the search for KKT points.
    power, leak
        p and α of the activation, at the origin (None for 1 and 0, a ReLU); otherwise they are the network's.
    hidden_layers
        How many there are, at the origin: None for two, or for as many as ``dormant`` says; otherwise the network's.
    dynamics
        ``"flow"``, gradient flow by an adaptive integrator; or ``"descent"``, gradient descent.
    step_size
        Of gradient descent; a step is so much time.
    tolerance
        The relative tolerance of the integrator; None for 10⁻⁸, and 10⁻⁶ where the activation has a kink. Where the
        flow slides along kinks the error is larger, but proportional to it (see the notes).
    starts
        Random starts of the search for KKT points in each layer.
    polish
        Descend to a minimum first, with Levenberg–Marquardt and L-BFGS.
    gradient_tolerance
        Largest ``‖g‖ / (λ_max·‖w_n‖)`` of a network that counts as being at a minimum, with g the shortest subgradient
        in Clarke's sense and λ_max the largest eigenvalue of the Hessian: a lower bound on how far away the minimum is.
    curvature_tolerance
        The lowest eigenvalue of the Hessian may be minus so many times the largest.
    weight_decay
        λ: the flow is that of the penalized loss ``𝓛 + ½λ‖W‖²``, which is what :attr:`loss` and the record hold, and
        the network has to be at a minimum of that. Near the saddle a single neuron grows for p = 1 like
        ``exp((2N* − λ)t)``, so that only KKT points with N* > λ/2 count; for degrees above 2 small weights shrink.
    progress
        Show a bar while the minimum is checked, and descended to; or a function of what is going on, as a text, and of
        the share of it that is done.

    Attributes
    ----------
    problem
        The problem, in float64 on the network's device.
    settings
        The settings in force.
    stationarity
        How far the network is from a local minimum, and in its ``unchecked`` what was not looked at; None at the
        origin.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or does not fit, or the network is not at a minimum; the message names it.

    Notes
    -----
    The flow has *escaped* when ``‖w_z‖`` has reached 3 % of ``‖w_n‖``; from the origin, 3 % of the norm where the loss
    is lowest on the ray of the best KKT point. The neurons with 3 % of all weights' norm (or, if none
    has it, half of the largest dormant one's) then count as awake. The *next saddle* is where the loss of the awake
    neurons is level: followed alone for four e-foldings of the dormant weights at their escape, they lower it by at
    most 0.5 % of itself. The others may be about to escape already, which the next prediction tells; if they do so
    before the awake neurons are at rest there is no saddle between the two escapes. Tried are the moments after which
    the loss falls least; for half an e-folding, by at most 0.2 % of itself and a tenth of what it has fallen
    since the saddle left (which along kinks must be more than its error). The last one, a minimum, is reached where
    the loss is 10⁻⁹ of that of the output zero. The flow can go on from there with the rest as the dormant ones.

    Smooth flows (p ≥ 2, or α = 1) are followed by an adaptive method of order 8, or an implicit one if they are stiff.
    With kinks an adaptive method of order 5 takes turns with Heun's method at steps of 0.15 over the largest curvature,
    at the default tolerance, and proportionally smaller or larger ones at others (from 2 · 10⁻⁶ down to 10⁻⁹).
    ``record.drift`` tells the error. Along kinks it is that of these steps: it is about 3000 times the tolerance, and
    the recorded loss may rise by 300 times the tolerance of itself from one sample to the next. A tenth of that costs a
    tenth of the tolerance, and ten times the steps: for a drift of 10⁻⁴, 3 · 10⁻⁸ and thirty times the steps.

    The NCF, and the search for its KKT points, is the one that gradient flow follows also where samples are seen by no
    neuron of a ReLU layer: that of ``find_kkt_points(..., unseen=True)``.
    """

    settings: SaddleSettings

    def __init__(
        self,
        network: HomogeneousNetwork | None,
        problem: Problem,
        dormant: int | KKTPoint | Dormant = 10,
        scale: float = 1e-3,
        seed: int = 0,
        *,
        power: int | None = None,
        leak: float | None = None,
        hidden_layers: int | None = None,
        dynamics: Dynamics = "flow",
        step_size: float = 0.02,
        tolerance: float | None = None,
        starts: int = 100,
        polish: bool = False,
        gradient_tolerance: float = GRADIENT_TOLERANCE,
        curvature_tolerance: float = CURVATURE_TOLERANCE,
        weight_decay: float = 0.0,
        progress: bool | Report = False,
    ) -> None:
        polish = arguments.flag("polish", polish)
        self._tolerances = (
            arguments.real("gradient_tolerance", gradient_tolerance, least=0),
            arguments.real("curvature_tolerance", curvature_tolerance, least=0),
        )
        if network is None:
            if not isinstance(problem, Problem):
                raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
            activation = Activation(1 if power is None else power, 0.0 if leak is None else leak)
            layers = HIDDEN_LAYERS
            if hidden_layers is not None:
                layers = arguments.whole("hidden_layers", hidden_layers, 1, MOST_HIDDEN_LAYERS)
            require_representable(problem, activation.power, layers)
        else:
            if power is not None or leak is not None or hidden_layers is not None:
                raise TypeError(
                    "power, leak and hidden_layers belong to the network: they can be given only without one"
                )
            problem = fitting(network, problem)
            activation, layers = network.activation, network.hidden_layers
        problem = problem.to(dtype=torch.float64)
        settings = SaddleSettings(
            everywhere(dormant, layers), scale, seed, dynamics, step_size, tolerance, starts, weight_decay
        )
        counts = dormant_counts(settings.dormant, network)
        if hidden_layers is not None and len(counts) != layers:
            raise ValueError(f"dormant must be for {layers} hidden layers, as hidden_layers says, got {len(counts)}")
        self.problem, self._activation, self._data = problem, activation, states.fingerprint(problem)
        with reporting(progress) as report:
            self._given = self._ground_of(network, settings, polish, report)
        self._begin(settings, self._given)

    # what a user may ask for

    @property
    def network(self) -> HomogeneousNetwork:
        """A copy of the current network, dormant neurons included."""
        return self._passage.network(self._now.point.y)

    @property
    def stationarity(self) -> Stationarity | None:
        """How far the active network is from a local minimum, and what was not looked at; None at the origin."""
        return self._ground.stationarity

    @property
    def time(self) -> float:
        """The time reached."""
        return self._now.point.time

    @property
    def loss(self) -> float:
        """The current training loss."""
        return self._samples[-1].loss

    @property
    def record(self) -> SaddleRecord:
        """What was measured over time."""
        return self._passage.recorder.record(self._samples)

    @property
    def prediction(self) -> Prediction | None:
        """What theory says of the escape from the saddle left last; None before that is computed."""
        return self._now.predictions[-1] if self._now.predictions else None

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """The same for each saddle so far."""
        return self._now.predictions

    @property
    def events(self) -> tuple[Event, ...]:
        """What has happened, in order."""
        return self._now.events

    @property
    def awakenings(self) -> tuple[Awakening, ...]:
        """What came of each escape whose next saddle is reached."""
        return self._now.awakenings

    @property
    def landmark(self) -> Landmark | None:
        """The last event; None before the first."""
        events = self._now.events
        return Landmark(len(events), events[-1].message) if events else None

    @property
    def finished(self) -> str | None:
        """Why nothing is left to do, as a sentence: mostly, that the goal is reached; else None."""
        return self._now.finished

    def run(
        self,
        until: float,
        *,
        progress: bool = False,
        callback: Callable[[SaddleFrame], object] | None = None,
        torch_threads: int | None = 1,
    ) -> str:
        """Follow the flow up to the time ``until``.

        Parameters
        ----------
        until
            A time later than the present one. Gradient descent ends with the first step at or after it; a flow that no
            goal is left for ends before it where it is at rest: where 2000 steps have moved the weights by at most
            ten times the tolerance, and no neuron grows.
        progress
            Show a progress bar.
        callback
            Called with a frame after every quantum; the run ends where it returns False.
        torch_threads
            How many threads torch uses inside one operation meanwhile; None leaves its own setting.

        Returns
        -------
        str
            Why it ended; where it was interrupted, it can be run again and goes on.

        Raises
        ------
        TypeError, ValueError
            If ``until`` is not a later time.
        ArithmeticError
            If gradient descent diverges; the flow stands where it was before that.
        RuntimeError
            If a session drives it.
        """
        until = arguments.real("until", until, above=self._now.point.time)
        return self._drive(until, progress, callback, torch_threads)

    def run_to(
        self,
        goal: Goal,
        *,
        progress: bool = False,
        callback: Callable[[SaddleFrame], object] | None = None,
        torch_threads: int | None = 1,
    ) -> str:
        """Follow the flow up to its next escape or to the next saddle.

        Parameters
        ----------
        goal
            ``"escape"`` or ``"next saddle"``.
        progress, callback, torch_threads
            As for :meth:`run`, which says what is returned and raised.

        Raises
        ------
        ValueError
            Where nothing is left to explain: at a minimum that is no saddle.
        """
        return self._drive(arguments.choice("goal", goal, GOALS), progress, callback, torch_threads)

    @all_or_nothing
    def aim(self, goal: Goal | float | None) -> None:
        """Set what a session runs to: ``"escape"``, ``"next saddle"``, a later time, or None to go on for ever.

        Raises
        ------
        TypeError, ValueError
            If it is none of these, or no time where nothing is left to explain.
        """
        if goal is not None and not isinstance(goal, str):
            goal = arguments.real("goal", goal, above=self._now.point.time)
        elif goal is not None:
            goal = arguments.choice("goal", goal, GOALS)
            if self._passage.saddle.is_fitted:
                raise ValueError(f"goal must be a time here, got {goal!r}: {NOTHING_LEFT}")
        self._now = self._now.aiming(goal)

    @all_or_nothing
    def reset(
        self,
        *,
        seed: int | None = None,
        scale: float | None = None,
        dormant: int | KKTPoint | Dormant | None = None,
        dynamics: Dynamics | None = None,
        step_size: float | None = None,
        weight_decay: float | None = None,
    ) -> None:
        """Start over, with some settings changed; None keeps a setting.

        A network that is at no minimum of the loss with another ``weight_decay`` descends to one first.
        """
        layers = len(self._start.active)
        asked = {
            "seed": seed,
            "scale": scale,
            "dormant": None if dormant is None else everywhere(dormant, layers),
            "dynamics": dynamics,
            "step_size": step_size,
            "weight_decay": weight_decay,
        }
        changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        settings, ground = replace(self.settings, **changes), self._ground
        if (given := len(dormant_counts(settings.dormant, ground.network))) != layers:
            raise ValueError(f"dormant must hold {layers} numbers, one for each hidden layer, got {given}")
        if settings.weight_decay != ground.weight_decay:
            ground = self._given
            if settings.weight_decay != ground.weight_decay:
                ground = self._ground_of(ground.network, settings, polish=True)
        self._begin(settings, ground)

    # the engine

    def __repr__(self) -> str:
        now = self._now
        reached = f"time={now.point.time:.5g}, loss={self.loss:.4g}"
        return f"SaddleFlow({self.problem.name!r}: {reached}{'' if now.finished is None else ', finished'})"

    def _advance(self) -> None:
        """A round of the search, some steps of an integrator, or a batch of gradient descent."""
        with torch.no_grad():
            self._now = self._passage.advance(self._now)

    def frame(self) -> SaddleFrame:
        """Where the flow stands."""
        now, settings = self._now, self.settings
        samples = self._samples
        message = wording.message(now, self._passage.saddle, samples[-1].loss, self.stationarity)
        warning = wording.warning(settings, samples)
        return SaddleFrame(
            phase=wording.phase(now),
            message=message if "this is no flow" in message else message + warning,
            progress=wording.progress(now, self._passage.saddle),
            classes=self.problem.loss.name == "cross_entropy",
            time=now.point.time,
            steps=now.point.steps,
            loss=self._samples[-1].loss,
            weights=tuple(self._start.layout.matrices(now.point.y)),
            active=now.place.active,
            started_active=tuple(int(flags.sum()) for flags in self._start.active),
            record=self._passage.recorder.record(samples),
            history=tuple(tuple(self._start.layout.matrices(sample.theta)) for sample in samples),
            predictions=now.predictions,
            events=now.events,
            awakenings=now.awakenings,
            origin=self._start.is_origin,
            power=self._activation.power,
            leak=self._activation.leak,
            scale=settings.scale,
            dormant=tuple(int((~flags).sum()) for flags in self._start.active),
            seed=settings.seed,
            dynamics=settings.dynamics,
            step_size=settings.step_size,
            weight_decay=settings.weight_decay,
            goal=now.goal,
            finished=now.finished,
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here."""
        own = {"ground": self._ground, "start": self._start.theta, "settings": self.settings, "now": self._now}
        return {"problem": self._data, **own}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken.

        Raises
        ------
        TypeError, ValueError
            If the state is of other data or another network, or not sound; the message names the entry, and nothing has
            changed.
        """
        kinds = {"problem": states.Fingerprint, "ground": Ground, "start": np.ndarray, "settings": SaddleSettings}
        states.require("state", state, {**kinds, "now": Now})
        states.require_fingerprint(state["problem"], self.problem)
        ground, settings, now = state["ground"], state["settings"], state["now"]
        if ground.network is not None:
            fitting(ground.network, self.problem)
        start, passage = self._start, self._passage
        if settings is not self.settings or ground is not self._ground:
            start, passage = self._made(settings, ground)
        require_fit(now, start, state["start"])
        with torch.no_grad():
            if not passage.stands_at(now):
                passage = Passage(self.problem, start, settings)
                passage.arrive_at(now)
            passage.forget()
        vars(self).update(settings=settings, _ground=ground, _start=start, _passage=passage, _now=now, _kept=None)

    def __getstate__(self) -> dict[str, Any]:
        # What follows from the settings, and working memory, is made anew.
        own, anew = super().__getstate__(), ("_start", "_passage", "_now", "_ground")
        own = {name: each for name, each in own.items() if name not in anew}
        return {**own, "_kept": None, "state": self.settled_state()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        state = kept.pop("state")
        vars(self).update(kept)
        self._begin(state["settings"], state["ground"])
        self.restore(state)

    # inside

    _given: Ground
    _ground: Ground
    _start: Start
    _passage: Passage
    _now: Now
    _kept: tuple[Now, tuple[Sample, ...]] | None

    def _ground_of(
        self, network: HomogeneousNetwork | None, settings: SaddleSettings, polish: bool, report: Report | None = None
    ) -> Ground:
        """What a flow with these settings starts near, descended to a minimum if that is wanted."""
        decay = settings.weight_decay
        if network is None:
            layers = len(dormant_counts(settings.dormant, None))
            ray = rough_origin_ray(self.problem, layers, self._activation, settings.seed, decay)
            return Ground(None, None, *ray, decay)
        network, found = at_minimum(network, self.problem, polish, self._tolerances, report, decay)
        return Ground(network, found, ESCAPED * found.weight_norm, found.curvatures.largest, decay)

    def _begin(self, settings: SaddleSettings, ground: Ground) -> None:
        start, passage = self._made(settings, ground)
        with torch.no_grad():
            now = passage.begun()
        vars(self).update(settings=settings, _ground=ground, _start=start, _passage=passage, _now=now, _kept=None)

    def _made(self, settings: SaddleSettings, ground: Ground) -> tuple[Start, Passage]:
        start = start_near(ground.network, self.problem, self._activation, settings)
        check_start(start, settings, ground.curvature, ground.escape_norm)
        with torch.no_grad():
            return start, Passage(self.problem, start, settings)

    @property
    def _samples(self) -> tuple[Sample, ...]:
        """Those recorded, and one of the present."""
        now = self._now
        samples = now.series.samples
        if samples and samples[-1].time == now.point.time:
            return samples
        if self._kept is None or self._kept[0] is not now:
            with torch.no_grad():
                sample = self._passage.measure(now, now.point.time, now.point.y)
            self._kept = (now, (*samples, sample))
        return self._kept[1]

    def _drive(self, goal: Any, progress: bool, callback: Any, torch_threads: int | None) -> str:
        self.require_free("be run")
        progress = arguments.flag("progress", progress)
        callback = arguments.callable_or_none("callback", callback, "called with a frame after every quantum")
        if torch_threads is not None:
            arguments.whole("torch_threads", torch_threads, 1)
        self.aim(goal)
        interrupted = drive(self, progress=progress, callback=callback, torch_threads=torch_threads)
        if interrupted and self._now.finished is None:
            return "Interrupted; run it again to go on."
        assert self._now.finished is not None
        return self._now.finished
