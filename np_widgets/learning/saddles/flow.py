"""The flow near a saddle, simulated, beside what theory predicts for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.driving import drive, require_way
from np_widgets.learning.engine import all_or_nothing
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.learning.saddles.ground import Ground, ground_near
from np_widgets.learning.saddles.journey import Journey
from np_widgets.learning.saddles.minimum import CURVATURE_TOLERANCE, GRADIENT_TOLERANCE, Report, reporting
from np_widgets.learning.saddles.now import GOALS, NOTHING_LEFT, Goal
from np_widgets.learning.saddles.settings import (
    Dormant,
    Dynamics,
    SaddleSettings,
    dormant_counts,
    everywhere,
    what_flows,
)
from np_widgets.problems import Problem


class SaddleFlow(Journey):
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
        problem, activation, layers = what_flows(network, problem, power, leak, hidden_layers)
        settings = SaddleSettings(
            everywhere(dormant, layers), scale, seed, dynamics, step_size, tolerance, starts, weight_decay
        )
        counts = dormant_counts(settings.dormant, network)
        if hidden_layers is not None and len(counts) != layers:
            raise ValueError(f"dormant must be for {layers} hidden layers, as hidden_layers says, got {len(counts)}")
        self.problem, self._activation, self._data = problem, activation, states.fingerprint(problem)
        with reporting(progress) as report:
            self._given = self._ground_near(network, settings, polish=polish, report=report)
        self._begin(settings, self._given)

    # what a user may ask for

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
        if seed is not None or dormant is not None:
            changes["turned"] = ()  # they are other neurons
        settings, ground = replace(self.settings, **changes), self._ground
        if (given := len(dormant_counts(settings.dormant, ground.network))) != layers:
            raise ValueError(f"dormant must hold {layers} numbers, one for each hidden layer, got {given}")
        if settings.weight_decay != ground.weight_decay:
            ground = self._given
            if settings.weight_decay != ground.weight_decay:
                ground = self._ground_near(ground.network, settings, polish=True)
        self._begin(settings, ground)

    # inside

    def _ground_near(self, network: HomogeneousNetwork | None, settings: SaddleSettings, **options: Any) -> Ground:
        own = {"tolerances": self._tolerances, **options}
        return ground_near(network, self.problem, self._activation, settings, **own)

    def _drive(self, goal: Any, progress: bool, callback: Any, torch_threads: int | None) -> str:
        self.require_free("be run")
        require_way(progress, callback, torch_threads)
        self.aim(goal)
        interrupted = drive(self, progress=progress, callback=callback, torch_threads=torch_threads)
        if interrupted and self._now.finished is None:
            return "Interrupted; run it again to go on."
        assert self._now.finished is not None
        return self._now.finished
