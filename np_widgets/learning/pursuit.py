"""Neuron Pursuit: grow a network neuron by neuron along KKT points of the neural correlation function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation import KKTPoint, LayerSearch, OriginPoint, OriginSearch
from np_widgets.learning.driving import drive
from np_widgets.learning.engine import Engine
from np_widgets.learning.growth import Candidate, Finish, Floats, GrowthRecord, PursuitFrame
from np_widgets.learning.minimizers.choice import STEP_BUDGETS, make_minimizer, resolved_name
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.ray import best_scale
from np_widgets.learning.settings import PursuitSettings
from np_widgets.learning.trace import Trace
from np_widgets.problems import Problem


class NeuronPursuit(Engine):
    """The Neuron Pursuit algorithm of Kumar & Haupt (arXiv 2509.12154).

    1. Start: from many random unit-norm starts ascend the neural correlation function (NCF) of the origin for the
       network with one neuron per hidden layer, and take the best KKT point.
    2. Minimize the training loss of the current network.
    3. Add: ascend the NCF of every hidden layer, take the KKT point of largest value, and give the new neuron its
       weights. Go to 2.

    Parameters
    ----------
    problem
        What is learned.
    hidden_layers
        The number of hidden layers, at least 1.
    power, leak
        p and α of the activation ``σ(z) = max(z, αz)^p``.
    seed
        Of all random starts; the k-th search (the origin is the 0th) uses ``seed + k``.
    device, dtype
        Where and in which precision everything is computed; the problem's precision if ``dtype`` is None.
    method
        ``"paper"`` is exactly the paper's algorithm: new weights are KKT points times ``scale``, minimized by gradient
        descent. ``"fast"`` differs in that it goes along the ray of the KKT point to where the loss is smallest, and
        minimizes from there by ``minimizer``; that it takes the best KKT point whose ray lowers the loss; that it looks
        for one with the other one-sided signals if there is none and samples sit on kinks of the trained network, where
        the expansion behind the NCF holds on one side only; and that it keeps the lowest point its minimizer saw. So
        with ``"fast"`` the loss never rises from one network to the next.
    minimizer
        ``"gradient_descent"``, ``"adam"``, ``"lbfgs"``, ``"levenberg_marquardt"``, ``"hybrid"`` (Levenberg–Marquardt or,
        for large networks, L-BFGS, alternated with Adam), or ``"auto"``: gradient descent for ``method="paper"``, the
        hybrid otherwise.
    learning_rate
        Of gradient descent, Adam and the hybrid's Adam; None for each one's own default (0.02, 0.01, 0.01).
    scale
        δ, by which KKT points are scaled for ``method="paper"``; for ``"fast"`` the loss is minimized along the ray
        between a thousandth of it and 10⁵ times it.
    starts
        Random starts in each hidden layer and at the origin.
    target_loss
        The pursuit has reached its goal when the training loss is at most this.
    max_steps
        The step budget for one network; None for the minimizer's own default.
    max_additions
        How many neurons may be added when a session drives the pursuit; :meth:`run` takes its own limit.
    value_tolerance
        NCF values below ``value_tolerance · rms(s_{l+1}) · rms(h_{l-1})^p`` count as zero.
    stop_when_test_rises
        Stop when the test loss of a trained network is larger than that of the network before.

    Attributes
    ----------
    problem
        The problem, on ``device`` and in ``dtype``.
    settings
        The settings in force.
    growth
        One :class:`~np_widgets.learning.growth.GrowthRecord` for each network whose training has ended.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; the message names it.
    """

    def __init__(
        self,
        problem: Problem,
        hidden_layers: int = 2,
        power: int = 1,
        leak: float = 0.0,
        seed: int = 0,
        device: Any = "cpu",
        *,
        dtype: torch.dtype | None = None,
        method: str = "fast",
        minimizer: str = "auto",
        learning_rate: float | None = None,
        scale: float = 1e-2,
        starts: int = 50,
        target_loss: float = 1e-9,
        max_steps: int | None = None,
        max_additions: int = 20,
        value_tolerance: float = 1e-7,
        stop_when_test_rises: bool = False,
    ) -> None:
        if not isinstance(problem, Problem):
            raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
        self.settings = PursuitSettings(
            hidden_layers=hidden_layers,
            power=power,
            leak=leak,
            seed=seed,
            method=method,
            minimizer=minimizer,
            learning_rate=learning_rate,
            scale=scale,
            starts=starts,
            target_loss=target_loss,
            max_steps=max_steps,
            max_additions=max_additions,
            value_tolerance=value_tolerance,
            stop_when_test_rises=stop_when_test_rises,
        )
        self.problem = problem.to(device=device, dtype=dtype)
        if self.settings.stop_when_test_rises and self.problem.test_inputs is None:
            raise ValueError("stop_when_test_rises=True needs a problem with a test set, got one without")
        self._begin()

    # ------------------------------------------------------------------------------------------ what can be read

    @property
    def network(self) -> HomogeneousNetwork | None:
        """A copy of the current network; None before the first."""
        return None if self._minimizer is None else self._current().copy()

    @property
    def loss(self) -> float | None:
        """The training loss of the current network; None before the first."""
        return None if self._minimizer is None else self._minimizer.loss

    @property
    def test_loss(self) -> float | None:
        """The test loss of the current network; None before the first, or without a test set."""
        if self._minimizer is None or self.problem.test_inputs is None:
            return None
        output = self._current().forward(self.problem.test_inputs).output
        return float(self.problem.loss.value(output, self.problem.test_targets))

    @property
    def finished(self) -> Finish | None:
        """Why the pursuit has stopped, or None."""
        return self._finished

    @property
    def phase(self) -> str:
        """``"ready"``, ``"origin"``, ``"minimizing"``, ``"searching"`` or ``"finished"``."""
        return "finished" if self._finished else self._phase

    # ------------------------------------------------------------------------------------------ what can be done

    def run(
        self,
        max_additions: int | None = None,
        *,
        progress: bool = False,
        callback: Callable[[PursuitFrame], None] | None = None,
    ) -> Finish:
        """Train the start network if there is none yet, then add neurons one by one until there is a reason to stop.

        Parameters
        ----------
        max_additions
            How many neurons this call may add, 0 or more; the setting of the same name if None.
        progress
            Show a text progress bar that names the phase.
        callback
            Called with a :class:`~np_widgets.learning.growth.PursuitFrame` after every quantum of work.

        Returns
        -------
        Finish
            The reason for stopping, also in :attr:`finished`. After Ctrl-C it is ``"interrupted"`` and the network is
            the one reached; calling ``run`` again goes on from there.

        Raises
        ------
        RuntimeError
            If a session drives this pursuit.
        """
        self.require_free("be run")
        most = self.settings.max_additions if max_additions is None else max_additions
        self._additions_left = arguments.whole("max_additions", most, 0)
        arguments.flag("progress", progress)
        arguments.callable_or_none("callback", callback, "called with a frame")
        if self._finished is not None and self._finished.kind in ("additions", "interrupted"):
            self._resume()
        if drive(self, progress=progress, callback=callback) and self._finished is None:
            self._finish("interrupted", "Interrupted; run it again to go on.")
        assert self._finished is not None
        return self._finished

    def add_neuron(self, layer: int | None = None) -> None:
        """Add the best neuron now, from where the weights are, whatever the state of the training.

        Parameters
        ----------
        layer
            The hidden layer, 1 … L−1; the best of all layers if None.

        Raises
        ------
        RuntimeError
            If there is no network yet.
        """
        if layer is not None:
            layer = arguments.whole("layer", layer, 1, self.settings.hidden_layers)
        if self._minimizer is None:
            raise RuntimeError("add_neuron needs a network: the first one is still to be found at the origin")
        if self._is_training:
            self._record("a neuron was added by hand")
        self._finished = None
        self._additions_left = max(self._additions_left, 1)
        self._begin_search(self._all_layers if layer is None else (layer,))

    def set_minimizer(self, minimizer: str) -> None:
        """Go on with another minimizer, from where the weights are."""
        self.settings = replace(self.settings, minimizer=minimizer)
        if self._minimizer is not None and self._is_training:
            self._minimizer = self._minimizer_at(self._minimizer.objective, self._minimizer.theta)

    def reset(
        self,
        *,
        seed: int | None = None,
        hidden_layers: int | None = None,
        power: int | None = None,
        leak: float | None = None,
        minimizer: str | None = None,
        method: str | None = None,
    ) -> None:
        """Start over, with some settings changed; None keeps a setting."""
        wanted = {
            "seed": seed,
            "hidden_layers": hidden_layers,
            "power": power,
            "leak": leak,
            "minimizer": minimizer,
            "method": method,
        }
        self.settings = replace(self.settings, **{name: value for name, value in wanted.items() if value is not None})
        self._begin()

    # ------------------------------------------------------------------------------------------ the engine

    def advance(self) -> None:
        """A batch of minimizer steps, or some sweeps of a search."""
        if self._finished is not None:
            return
        with torch.no_grad():
            if self._phase == "ready":
                self._phase = "origin"
                self._search = self._origin_search()
            elif self._phase == "minimizing":
                self._advance_minimizer()
            else:
                self._advance_search()

    def frame(self) -> PursuitFrame:
        """Where the pursuit stands."""
        return PursuitFrame(
            phase=self.phase,
            iteration=self._iteration,
            message=self._message(),
            progress=self._progress(),
            weights=() if self._minimizer is None else _as_arrays(self._current()),
            power=self.settings.power,
            leak=self.settings.leak,
            added=self._added,
            loss=self.loss,
            test_loss=self.test_loss,
            step=self._total_steps - self._first_step,
            total_steps=self._total_steps,
            trace_steps=self._trace.arrays()[0],
            trace_losses=self._trace.arrays()[1],
            growth=tuple(self.growth),
            candidates=self._candidates,
            finished=self._finished,
            hidden_layers=self.settings.hidden_layers,
            seed=self.settings.seed,
            method=self.settings.method,
            minimizer=self._minimizer_label(),
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here."""
        minimizer = self._minimizer
        plain = {name: getattr(self, name) for name in _PLAIN_STATE}
        return plain | {
            "settings": asdict(self.settings),
            "growth": tuple(self.growth),
            "trace": self._trace.state(),
            "weights": None if minimizer is None else tuple(w.clone() for w in self._current().weights),
            "minimizer": None if minimizer is None else minimizer.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""
        self.settings = PursuitSettings(**state["settings"])
        self._begin()
        for name in _PLAIN_STATE:
            setattr(self, name, state[name])
        self.growth = list(state["growth"])
        self._trace.restore(state["trace"])
        with torch.no_grad():
            if state["weights"] is not None:
                objective = Objective(self.problem, HomogeneousNetwork(state["weights"], **self._shape))
                name = state["minimizer"]["name"]
                self._minimizer = make_minimizer(name, objective, objective.initial, self.settings.learning_rate)
                self._minimizer.restore(state["minimizer"])
            # A search follows from the network and the seed: to do it again up to here is exact, and no state to keep.
            if self._phase in ("origin", "searching"):
                self._search = self._origin_search() if self._phase == "origin" else self._layer_search()
                for _ in range(self._search_quanta):
                    self._search.directions.advance()

    # ------------------------------------------------------------------------------------------ searching

    def _origin_search(self) -> OriginSearch:
        settings = self.settings
        return OriginSearch(
            self.problem,
            settings.hidden_layers,
            Activation(settings.power, settings.leak),
            settings.starts,
            settings.seed,
        )

    def _layer_search(self) -> LayerSearch:
        settings = self.settings
        seed = (settings.seed + self._iteration) % (arguments.LARGEST_SEED + 1)
        return LayerSearch(
            self._current(),
            self.problem,
            self._layers,
            settings.starts,
            seed,
            settings.value_tolerance,
            upper=self._upper,
        )

    def _begin_search(self, layers: tuple[int, ...], upper: bool = False) -> None:
        self._phase, self._layers, self._upper, self._search_quanta = "searching", layers, upper, 0
        self._search = self._layer_search()

    def _advance_search(self) -> None:
        assert self._search is not None
        self._search.directions.advance()
        self._search_quanta += 1
        if not self._search.directions.finished:
            return
        search, self._search = self._search, None
        if isinstance(search, OriginSearch):
            self._start_from(search.points)
        else:
            self._maxima = tuple(search.maxima.get(layer, 0.0) for layer in self._all_layers)
            self._add_best(search.points)

    def _start_from(self, points: list[OriginPoint]) -> None:
        self._candidates = tuple(Candidate(0, point.value, point.residual) for point in points)
        added = tuple((layer, 0) for layer in self._all_layers)
        for point in points:
            network = self._along_ray(lambda scale, point=point: self._started(point, scale))
            if network is not None:
                self._train(network, added, 0, point.value)
                return
        self._finish(
            "no_point", "No KKT point at the origin has a positive value: no network this small lowers the loss."
        )

    def _add_best(self, points: list[KKTPoint]) -> None:
        self._candidates = tuple(Candidate(point.layer, point.value, point.residual) for point in points)
        current = self._current()
        for point in points:
            network = self._along_ray(lambda scale, point=point: _grown(current, point, scale))
            if network is not None:
                self._additions_left -= 1
                self._train(network, ((point.layer, current.widths[point.layer - 1]),), point.layer, point.value)
                return
        if self._has_sample_on_kink() and not self._upper and self.settings.method != "paper":
            self._begin_search(self._layers, upper=True)
            return
        where = "any layer" if self._layers == self._all_layers else f"layer {self._layers[0]}"
        self._finish("no_point", f"No KKT point of {where} has a positive value and lowers the loss.")

    def _has_sample_on_kink(self) -> bool:
        """Whether some sample sits exactly on the kink of a neuron, where the NCF knows one side only."""
        network = self._current()
        forward = network.forward(self.problem.inputs)
        return network.activation.has_kink and any(bool((z == 0).any()) for z in forward.pre_activations[:-1])

    def _along_ray(self, network_at: Callable[[float], HomogeneousNetwork]) -> HomogeneousNetwork | None:
        """The network at δ in the paper's method, else where the loss is lowest along the ray, if that is any lower."""
        if self.settings.method == "paper":
            return network_at(self.settings.scale)

        def loss_at(scale: float) -> float:
            output = network_at(scale).forward(self.problem.inputs).output
            return float(self.problem.loss.value(output, self.problem.targets))

        scale = best_scale(loss_at, self.settings.scale)
        return None if scale is None else network_at(scale)

    def _started(self, point: OriginPoint, scale: float) -> HomogeneousNetwork:
        return HomogeneousNetwork([scale * weight for weight in point.weights], **self._shape)

    # ------------------------------------------------------------------------------------------ minimizing

    def _train(self, network: HomogeneousNetwork, added: tuple[tuple[int, int], ...], layer: int, value: float) -> None:
        self._phase = "minimizing"
        self._iteration += 1
        self._added, self._newest = added, (layer, value)
        self._first_step = self._total_steps
        objective = Objective(self.problem, network)
        self._minimizer = self._minimizer_at(objective, objective.initial)
        self._start_loss = self._minimizer.loss
        self._trace.add(self._total_steps, self._minimizer.loss, lasting=True)

    def _minimizer_at(self, objective: Objective, theta: Tensor) -> Minimizer:
        name = resolved_name(self.settings.minimizer, self.settings.method)
        return make_minimizer(name, objective, theta, self.settings.learning_rate)

    def _advance_minimizer(self) -> None:
        minimizer = self._minimizer
        assert minimizer is not None
        before = minimizer.steps
        steps = int(min(max(_OPERATIONS_PER_QUANTUM / minimizer.step_operations, 1), _MOST_STEPS_PER_QUANTUM))
        minimizer.advance(min(steps, self._budget - (self._total_steps - self._first_step)))
        self._total_steps += minimizer.steps - before
        self._trace.add(self._total_steps, minimizer.loss, lasting=minimizer.finished is not None)
        if minimizer.loss <= self.settings.target_loss:
            self._end_training("target loss met")
        elif minimizer.finished is not None:
            self._end_training(minimizer.finished)
        elif self._total_steps - self._first_step >= self._budget:
            self._end_training(f"step budget of {self._budget:,} used up")

    @property
    def _budget(self) -> int:
        assert self._minimizer is not None
        return self.settings.max_steps or STEP_BUDGETS[self._minimizer.name]

    def _record(self, stopped: str) -> None:
        assert self._minimizer is not None
        layer, value = self._newest
        self.growth.append(
            GrowthRecord(
                widths=self._current().widths,
                layer=layer,
                value=value,
                candidates=self._candidates,
                loss=self._minimizer.loss,
                test_loss=self.test_loss,
                first_step=self._first_step,
                steps=self._total_steps - self._first_step,
                stopped=stopped,
            )
        )

    def _end_training(self, stopped: str) -> None:
        assert self._minimizer is not None
        if self.settings.method != "paper":
            self._minimizer.settle()
        self._record(stopped)
        self._resume()

    def _resume(self) -> None:
        """What comes after the training of a network has ended, or after a stop that can be gone on from."""
        self._finished = None
        if self._phase != "minimizing" or self._is_training:
            return
        loss, stopped = self.growth[-1].loss, self.growth[-1].stopped
        if loss <= self.settings.target_loss:
            self._finish(
                "target", f"Training loss {loss:.3g} is at or below the target of {self.settings.target_loss:.3g}."
            )
        elif stopped.startswith("diverged"):
            self._finish("diverged", f"The minimizer {stopped}.")
        elif self.settings.stop_when_test_rises and self._test_rose():
            before, after = self.growth[-2].test_loss, self.growth[-1].test_loss
            self._finish("test_rising", f"The test loss rose from {before:.3g} to {after:.3g} with the last neuron.")
        elif self._additions_left == 0:
            self._finish("additions", "All neurons that may be added have been added.")
        else:
            self._begin_search(self._all_layers)

    def _test_rose(self) -> bool:
        if len(self.growth) < 2:
            return False
        before, after = self.growth[-2].test_loss, self.growth[-1].test_loss
        return before is not None and after is not None and after > before

    def _finish(self, kind: str, message: str) -> None:
        norm = None if self._minimizer is None else self._minimizer.gradient_norm
        self._finished = Finish(kind, message, self._maxima, norm)

    # ------------------------------------------------------------------------------------------ inside

    def _begin(self) -> None:
        self._phase = "ready"
        self._finished: Finish | None = None
        self._iteration = 0
        self._additions_left = self.settings.max_additions
        self.growth: list[GrowthRecord] = []
        self._added: tuple[tuple[int, int], ...] = ()
        self._newest = (0, 0.0)  # layer and NCF value of the point that the newest neuron came from
        self._candidates: tuple[Candidate, ...] = ()
        self._upper = False  # whether the search takes signals from the positive side of kinks
        self._maxima: tuple[float, ...] | None = None
        self._start_loss = 0.0
        self._first_step = self._total_steps = 0
        self._trace = Trace()
        self._minimizer: Minimizer | None = None
        self._search: LayerSearch | OriginSearch | None = None
        self._search_quanta = 0
        self._layers: tuple[int, ...] = self._all_layers

    @property
    def _is_training(self) -> bool:
        """Whether the current network's training is under way or suspended, not ended."""
        return self._phase == "minimizing" and len(self.growth) < self._iteration

    @property
    def _all_layers(self) -> tuple[int, ...]:
        return tuple(range(1, self.settings.hidden_layers + 1))

    @property
    def _shape(self) -> dict[str, Any]:
        return {"power": self.settings.power, "leak": self.settings.leak}

    def _current(self) -> HomogeneousNetwork:
        assert self._minimizer is not None
        return self._minimizer.objective.network(self._minimizer.theta)

    def _minimizer_label(self) -> str:
        name = resolved_name(self.settings.minimizer, self.settings.method)
        return f"auto: {name}" if self.settings.minimizer == "auto" else name

    def _progress(self) -> float | None:
        if self._finished is not None:
            return 1.0
        if self._phase == "minimizing":
            return (self._total_steps - self._first_step) / self._budget
        return self._search.directions.progress if self._search is not None else 0.0

    def _message(self) -> str:
        if self._finished is not None:
            return self._finished.message
        if self._phase == "ready":
            return "Ready: nothing has been computed yet."
        if self._phase == "origin":
            return "Searching the origin for the best network of one neuron per hidden layer."
        if self._phase == "searching":
            layers = " and ".join(map(str, self._layers))
            return f"Network {self._iteration} is trained; searching layer {layers} for the best neuron to add."
        assert self._minimizer is not None
        layer, _ = self._newest
        news = f"layer {layer} got a neuron" if layer else "one neuron per hidden layer"
        step = self._total_steps - self._first_step
        return (
            f"Network {self._iteration} · {news} · {self._minimizer.activity}: "
            f"loss {self._start_loss:.3g} → {self._minimizer.loss:.3g} at step {step:,}."
        )


_OPERATIONS_PER_QUANTUM = 2e7
_MOST_STEPS_PER_QUANTUM = 100
_PLAIN_STATE = (
    "_phase",
    "_finished",
    "_iteration",
    "_additions_left",
    "_added",
    "_newest",
    "_upper",
    "_candidates",
    "_maxima",
    "_start_loss",
    "_first_step",
    "_total_steps",
    "_search_quanta",
    "_layers",
)


def _grown(network: HomogeneousNetwork, point: KKTPoint, scale: float) -> HomogeneousNetwork:
    return network.with_neuron(point.layer, scale * point.incoming, scale * point.outgoing)


def _as_arrays(network: HomogeneousNetwork) -> tuple[Floats, ...]:
    return tuple(weight.cpu().double().numpy().copy() for weight in network.weights)
