"""Neuron Pursuit: grow a network neuron by neuron along KKT points of the neural correlation function."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.correlation.paths import Path
from np_widgets.learning.driving import drive
from np_widgets.learning.engine import Engine, Landmark, all_or_nothing
from np_widgets.learning.minimizers.minibatch_adam import MinibatchAdam
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.growth import (
    Candidate,
    Finish,
    GrowthRecord,
    PursuitFrame,
    best_on_test,
    judged,
    named_layers,
)
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.next_network import NextNetwork
from np_widgets.learning.pursuit.rules import (
    certified,
    ending,
    gradient_norm_at_end,
    interrupted,
    limit,
    no_point,
    target_in_force,
)
from np_widgets.learning.pursuit.searching import Maxima, Searching, families, joined
from np_widgets.learning.pursuit.settings import Method, MinimizerName, PursuitSettings, given
from np_widgets.learning.pursuit.training import Training
from np_widgets.learning.trace import Trace
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem

_THREE = tuple[dict[str, Any] | None, dict[str, Any] | None, dict[str, Any] | None]
_ENTRIES = {
    "problem": states.Fingerprint,
    "settings": dict[str, Any],
    "finished": Finish | None,
    "additions_left": int,
    "requests": tuple[tuple[tuple[int, int], ...], ...],
    "exhausted": tuple[tuple[int, int], ...],
    "growth": tuple[GrowthRecord, ...],
    "candidates": tuple[Candidate, ...],
    "taken": int | None,
    "maxima": tuple[float | None, ...] | None,
    "largest_value": states.finite_number,
    "trace": dict[str, Any],
    "trainings": _THREE,
    "rises_seen": states.whole,
    "searching": tuple[int, tuple[tuple[int, int], ...], bool, bool] | None,
}


class NeuronPursuit(Engine):
    """The Neuron Pursuit algorithm of Kumar & Haupt (arXiv 2509.12154).

    1. Start: from many random unit-norm starts ascend the neural correlation function (NCF) of the origin for the
       network with one neuron per hidden layer, and take the best KKT point.
    2. Minimize the training loss of the current network.
    3. Add: ascend the NCF of every hidden layer, take the KKT point of largest value, and give the new neuron its
       weights. Go to 2. Where no single neuron has a positive value, as at the minima of deep linear networks (it
       counts as zero if the distance from the minimum accounts for it, and the loss falls along its ray by less than a
       10⁻⁴th), a *path* is added: one neuron in each of some consecutive hidden layers (see
       :mod:`np_widgets.learning.correlation.paths`); of those that have a positive value the shortest, which lead away
       from the saddle first. The paper speaks of adding "neuron(s)" and spells out single ones: paths are our reading.

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
        descent. ``"fast"`` differs in this:

        - It takes up to four KKT points of every layer, as near as ascent comes to them, and goes along the ray of each
          to where the loss is lowest. If it is lower nowhere, the neuron starts without outgoing weights.
        - It looks ahead: all of these networks are minimized side by side by 300 steps of Adam with weight decay; after
          a quarter and after half of the steps the worse half is given up. The one that is lowest at the end goes on,
          by ``minimizer``, without weight decay.
        - The NCF counts what a new neuron does at samples to which the last hidden layer but one does not respond; see
          ``unseen`` in :func:`~np_widgets.learning.correlation.points.find_kkt_points`.
        - It keeps the lowest point seen, in balanced weights, so the loss never rises from one network to the next.
        - Of more than 2^18 samples it searches a random choice of so many, another for each search; of fewer, if they
          would have more than 2^26 inputs, hidden outputs and outputs together. The loss on all samples still never
          rises. ``"paper"`` searches all of them.
        - Paths compete with single neurons wherever none of these lowers the loss along its ray by a hundredth (three
          tenths for p > 1).
        - Where no KKT point is of use and samples sit on kinks of the trained network, it searches once more with the
          other one-sided signals.
    minimizer
        ``"gradient_descent"``, ``"adam"``, ``"lbfgs"``, ``"levenberg_marquardt"``, ``"hybrid"`` (Levenberg–Marquardt
        or, for large networks, L-BFGS, alternated with Adam: slow and thorough), ``"minibatch_adam"`` (on
        ``batch_size`` samples a step), or ``"auto"``: gradient descent for ``method="paper"``, otherwise
        ``"minibatch_adam"`` if ``batch_size`` is given, or if there are more than 10⁵ samples and more than 10⁸ samples
        times weights; L-BFGS for large networks; and for others Levenberg–Marquardt, with L-BFGS after it where the
        activation has kinks and the loss is the square loss.
    learning_rate
        Of gradient descent, Adam, the hybrid's Adam, mini-batch Adam and the look-ahead; None for each one's own
        default (0.02, 0.01, 0.01, and one that fits the scale of the data for the last two).
    batch_size
        How many samples a step of mini-batch Adam sees, at least 1; all of them if there are no more. None for 1,024 if
        ``minimizer`` leads to mini-batches at all. Not for ``method="paper"``.
    scale
        δ, by which KKT points are scaled for ``method="paper"``; for ``"fast"`` the loss is minimized along the ray
        between a thousandth of it and 10⁵ times it.
    starts
        Random starts in each hidden layer and at the origin.
    target_loss
        The pursuit has reached its goal when the training loss is at most this; None for 1e-9 times the loss of the
        output zero.
    max_steps
        The step budget for one network, of which the look-ahead takes at most half; None for the 300 steps of the
        look-ahead and each minimizer's own default (on mini-batches ten epochs, yet at least 3,000 steps).
    max_additions
        How many neurons may be added when a session drives the pursuit; :meth:`run` takes its own limit.
    value_tolerance
        NCF values below ``value_tolerance · rms(s_{l+1}) · rms(h_{l-1})^p`` count as zero.
    stop_when_test_rises
        Stop when the test loss of a trained network is larger than that of the network before, and end with the
        network before. :meth:`run` goes on from the other one, :meth:`add_neuron` from the one it ended with.
    longest_path
        How many neurons may be added at once, one in each of some consecutive hidden layers, where no single neuron is
        of use; None for as many as there are hidden layers, 1 for single neurons only.
    weight_decay
        λ, the price on weights: minimizers, rays and the look-ahead lower :attr:`objective` ``= 𝓛 + ½λ‖W‖²``. Neurons
        that vanish are removed. The pursuit ends as ``"optimal"`` when no neuron and no path is worth its weights; with
        one hidden layer and p = 1, where a neuron is if the largest value of the NCF is above λ/2, ``finished.gap``
        says how far that is from the best network of any width; with ``minimizer="auto"`` neurons are added until that
        is at most 3·10⁻⁵ of the objective, unless there are too many samples and weights. ``target_loss`` is one of 𝓛.
    network
        Begin with this network, of the same hidden layers and activation, instead of the origin: it is minimized first.
        :meth:`reset` to others begins at the origin.

    Attributes
    ----------
    problem
        The problem, on ``device`` and in ``dtype``.
    settings
        The settings in force.
    target_loss
        The training loss to reach.
    growth
        One :class:`~np_widgets.learning.pursuit.growth.GrowthRecord` for each network whose training has ended.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; the message names it.

    Notes
    -----
    Beside the data ``method="fast"`` takes a bounded amount of memory, whatever the number of samples. Measured for
    narrow networks and a million samples: 1.4 GiB in single precision with 1,000 inputs, 0.6 GiB with 100 (0.8 GiB in
    double precision). Searches take most of it; minimizing on mini-batches takes 50 MiB for widths of (256, 256).
    """

    growth: list[GrowthRecord]
    _finished: Finish | None
    _additions_left: int
    _requests: tuple[tuple[Path, ...], ...]  # paths of each addition asked for and not yet trained, in turn
    _exhausted: tuple[Path, ...]  # of which a search from the current network found none of use
    _candidates: tuple[Candidate, ...]
    _taken: int | None  # which of them, if that is decided
    _maxima: Maxima  # of the current network, as far as its layers have been searched
    _largest_value: float  # of the NCF, that the last search that came to its end has found
    _trace: Trace
    _training: Training | None
    _previous: Training | None  # of the network before, kept if a rise of the test loss is to be undone
    _aside: Training | None  # of the network with which it rose
    _rises_seen: int  # how many networks there were when the user went on after a rise
    _searching: Searching | None

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
        method: Method = "fast",
        minimizer: MinimizerName = "auto",
        learning_rate: float | None = None,
        batch_size: int | None = None,
        scale: float = 1e-2,
        starts: int = 50,
        target_loss: float | None = None,
        max_steps: int | None = None,
        max_additions: int = 20,
        value_tolerance: float = 1e-7,
        stop_when_test_rises: bool = False,
        longest_path: int | None = None,
        weight_decay: float = 0.0,
        network: HomogeneousNetwork | None = None,
    ) -> None:
        settings = given(locals())
        if not isinstance(problem, Problem):
            raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
        self.settings = PursuitSettings(**settings)
        if self.settings.batch_size is not None and minimizer not in ("auto", MinibatchAdam.name):
            raise ValueError(
                f"batch_size={batch_size} needs minimizer='auto' or '{MinibatchAdam.name}', got {minimizer!r}, which "
                "always takes all samples"
            )
        self.problem = problem.to(device=device, dtype=dtype)
        require_representable(self.problem, power, hidden_layers)
        self._data = states.fingerprint(self.problem)
        if self.settings.stop_when_test_rises and self.problem.test_inputs is None:
            raise ValueError("stop_when_test_rises=True needs a problem with a test set, got one without")
        self.target_loss = target_in_force(self.problem, self.settings.target_loss)
        self._given = None if network is None else _checked(network, self.problem, self.settings)
        self._begin()

    # what can be read

    @property
    def network(self) -> HomogeneousNetwork | None:
        """A copy of the current network; None before the first."""
        return None if self._training is None else self._training.network.copy()

    @property
    def loss(self) -> float | None:
        """The training loss of the current network; None before the first."""
        return None if self._training is None else self._training.loss

    @property
    def objective(self) -> float | None:
        """The training loss and the price of the weights, ``𝓛 + ½λ‖W‖²``; None before the first network."""
        return None if self._training is None else self._training.objective

    @property
    def test_loss(self) -> float | None:
        """The test loss of the current network; None before the first, or without a test set."""
        return None if self._training is None else self._training.test_loss

    @property
    def best_on_test(self) -> int | None:
        """The index in :attr:`growth` of the network with the lowest test loss; None without one, or a test set."""
        return best_on_test(self.growth)

    @property
    def requested(self) -> bool:
        """Whether a neuron that was asked for is still to be found, added or trained."""
        return bool(self._requests)

    @property
    def landmark(self) -> Landmark | None:
        """The last network that was begun or trained; None before the first."""
        training, trained = self._training, len(self.growth)
        if training is not None and training.stopped is None:
            start = training.start
            got = "" if start.layer == 0 else f": {named_layers(start.layer, start.last)} got a neuron"
            return Landmark(trained + 1, f"network {trained + 1} begun{got}")
        return Landmark(trained, f"network {trained} trained: loss {self.growth[-1].loss:.4g}") if trained else None

    @property
    def finished(self) -> Finish | None:
        """Why the pursuit has stopped, or None."""
        return self._finished

    @property
    def phase(self) -> str:
        """``"ready"``, ``"origin"``, ``"minimizing"``, ``"searching"`` or ``"finished"``."""
        if self._finished is not None:
            return "finished"
        if self._searching is not None:
            return "origin" if self._searching.at_origin else "searching"
        return "ready" if self._training is None else "minimizing"

    @property
    def next_look_ahead(self) -> LookAhead | None:
        """The look-ahead that is next, if it has not begun; see :mod:`np_widgets.learning.pursuit.ensemble`."""
        if self._finished is not None or self._searching is not None or self._training is None:
            return None
        return self._training.next_look_ahead

    # what can be done

    def run(
        self,
        max_additions: int | None = None,
        *,
        progress: bool = False,
        callback: Callable[[PursuitFrame], object] | None = None,
        torch_threads: int | None = 1,
    ) -> Finish:
        """Train the start network if there is none yet, then add neurons one by one until there is a reason to stop.

        Parameters
        ----------
        max_additions
            How many neurons this call may add, 0 or more; the setting of the same name if None.
        progress
            Show a text progress bar that names the phase.
        callback
            Called with a :class:`~np_widgets.learning.pursuit.growth.PursuitFrame` after every quantum of work; where
            it returns False, or is interrupted itself, the run ends as ``"interrupted"``.
        torch_threads
            How many threads torch uses inside one operation meanwhile. On small problems a second one costs more than
            it gains; None leaves torch's own setting. Equal seeds give equal bits for an equal number.

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
        most = arguments.whole("max_additions", most, 0)
        progress = arguments.flag("progress", progress)
        callback = arguments.callable_or_none("callback", callback, "called with a frame after every quantum")
        if torch_threads is not None:
            arguments.whole("torch_threads", torch_threads, 1)
        self._additions_left = most
        self._go_on()
        if drive(self, progress=progress, callback=callback, torch_threads=torch_threads) and self._finished is None:
            self._finish(interrupted())
        assert self._finished is not None
        return self._finished

    @all_or_nothing
    def add_neuron(self, layer: int | None = None, last: int | None = None) -> None:
        """Ask for the best neuron, or the best path of neurons, now, whatever the state of the training.

        It is added, however many were before, to the network as it stands, with ``method="fast"`` to the lowest that
        its training has seen. If another one that was asked for is still to be found, added or trained, its turn comes
        after that; a search for it that is under way anyway goes on. It counts as one of ``max_additions``, but not of
        what a later :meth:`run` may add.

        Parameters
        ----------
        layer
            The hidden layer, 1 … L−1. If None the best neuron of all layers, or a path where no single neuron is of
            use.
        last
            A path of one neuron in each of the layers ``layer … last``; None for a single neuron.

        Raises
        ------
        TypeError, ValueError
            If there is no such layer.
        RuntimeError
            If there is no network yet.
        """
        paths = families(self.settings)[0]
        if layer is not None:
            layer = arguments.whole("layer", layer, 1, self.settings.hidden_layers)
            last = layer if last is None else arguments.whole("last", last, layer, self.settings.hidden_layers)
            paths = ((layer, last),)
        elif last is not None:
            raise ValueError(f"last must be None without a layer to begin with, got {last!r}")
        if self._training is None:
            raise RuntimeError("add_neuron needs a network: the first one is still to be found at the origin")
        searching = self._searching
        adopted = not self._requests and searching is not None and not searching.at_origin
        if adopted and searching is not None and (layer is None and searching.paths in families(self.settings)):
            paths = searching.paths
        if not self._requests and not (adopted and searching is not None and searching.paths == paths):
            self._end_training("a neuron was asked for")
            self._searching = self._search(paths)
        self._requests += (paths,)
        self._aside, self._rises_seen = None, len(self.growth)
        self._additions_left = max(self._additions_left - 1, 0)
        self._finished = None

    @all_or_nothing
    def cut_short(self) -> None:
        """End here, with the network as it stands on the record."""
        self._end_training("interrupted")
        self._searching, self._requests = None, ()
        self._finish(interrupted())

    @all_or_nothing
    def set_minimizer(self, minimizer: MinimizerName) -> None:
        """Go on with another minimizer, with ``method="fast"`` from the lowest point seen so far.

        Raises
        ------
        TypeError, ValueError
            If the name is unknown, or the minimizer does not take a network of this size.
        """
        settings = replace(self.settings, minimizer=minimizer)
        if self._training is not None and self._training.stopped is None:
            self._training.change_minimizer(settings)
        self.settings = settings

    @all_or_nothing
    def reset(
        self,
        *,
        seed: int | None = None,
        hidden_layers: int | None = None,
        power: int | None = None,
        leak: float | None = None,
        minimizer: MinimizerName | None = None,
        method: Method | None = None,
    ) -> None:
        """Start over, with some settings changed; None keeps a setting.

        With another method comes that method's own minimizer, unless one is named, and the paper's knows no batches.
        """
        changes = {name: value for name, value in given(locals()).items() if value is not None}
        if minimizer is None and changes.get("method", self.settings.method) != self.settings.method:
            changes["minimizer"] = "auto"
        if method == "paper":
            changes["batch_size"] = None
        settings = replace(self.settings, **changes)
        require_representable(self.problem, settings.power, settings.hidden_layers)
        self.settings = settings
        self._begin()

    # the engine

    def claim(self, driver: str) -> None:
        """Let ``driver`` alone advance this pursuit; one that was interrupted goes on."""
        super().claim(driver)
        if self._finished is not None and self._finished.kind == "interrupted":
            self._go_on()

    def _advance(self) -> None:
        """A batch of minimizer steps, or some sweeps of a search."""
        with torch.no_grad():
            if self._searching is not None:
                self._advance_search()
            elif self._training is not None:
                self._advance_training()
            else:
                self._searching = self._search(((1, self.settings.hidden_layers),))

    def __repr__(self) -> str:
        training, end = self._training, self._finished
        reached = "" if training is None else f"widths={training.network.widths}, loss={training.loss:.4g}, "
        return f"NeuronPursuit({self.problem.name!r}: {reached}{self.phase if end is None else end.kind})"

    def frame(self) -> PursuitFrame:
        """Where the pursuit stands."""
        training, settings = self._training, self.settings
        steps, losses = self._trace.arrays()
        weights = () if training is None else training.network.weights
        minimizer = None if training is None else training.minimizer
        candidates = self._candidates
        if training is not None and training.looks_ahead:
            candidates = judged(candidates, training.looked_at)
        return PursuitFrame(
            phase=self.phase,
            iteration=self._iteration,
            message=self._message(),
            progress=self._progress(),
            weights=tuple(weight.detach().cpu().double().numpy().copy() for weight in weights),
            power=settings.power,
            leak=settings.leak,
            added=() if training is None or training.start.layer == 0 else training.start.added,
            loss=self.loss,
            objective=self.objective,
            test_loss=self.test_loss,
            step=0 if training is None else training.steps,
            total_steps=self._total_steps,
            trace_steps=steps,
            trace_losses=losses,
            growth=tuple(self.growth),
            candidates=candidates,
            taken=None if self._searching is not None else self._taken,
            finished=self._finished,
            hidden_layers=settings.hidden_layers,
            classes=self.problem.loss.name == "cross_entropy",
            seed=settings.seed,
            method=settings.method,
            minimizer=f"auto: {minimizer.name}" if settings.minimizer == "auto" and minimizer else settings.minimizer,
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here."""
        searching = self._searching
        return {
            "problem": self._data,
            "settings": dict(vars(self.settings)),
            "finished": self._finished,
            "additions_left": self._additions_left,
            "requests": self._requests,
            "exhausted": self._exhausted,
            "growth": tuple(self.growth),
            "candidates": self._candidates,
            "taken": self._taken,
            "maxima": self._maxima,
            "largest_value": self._largest_value,
            "trace": self._trace.state(),
            "trainings": tuple(None if each is None else each.state() for each in self._trainings),
            "rises_seen": self._rises_seen,
            "searching": None
            if searching is None
            else (searching.directions.quanta, searching.paths, searching.upper, searching.exact),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken.

        Raises
        ------
        TypeError, ValueError
            If the state is of other data or not sound; the message names the entry, and nothing has changed.
        """
        states.require("state", state, _ENTRIES)
        states.require_fingerprint(state["problem"], self.problem)
        states.require("state['settings']", state["settings"], dict.fromkeys(vars(self.settings), Any))
        settings = PursuitSettings(**state["settings"])
        target = target_in_force(self.problem, settings.target_loss)
        if state["taken"] is not None:
            arguments.whole("state['taken']", state["taken"], 0, len(state["candidates"]) - 1)
        with torch.no_grad():
            training, before, aside = (
                None if saved is None else Training.restored(self.problem, settings, saved)
                for saved in state["trainings"]
            )
            searching = None if state["searching"] is None else self._restored_search(settings, training, state)
        trace = Trace()
        trace.restore(state["trace"])
        # In one piece: nothing can come in between.
        vars(self).update(
            settings=settings,
            target_loss=target,
            growth=list(state["growth"]),
            _finished=state["finished"],
            _additions_left=state["additions_left"],
            _requests=state["requests"],
            _exhausted=state["exhausted"],
            _candidates=state["candidates"],
            _maxima=state["maxima"],
            _largest_value=state["largest_value"],
            _taken=state["taken"],
            _trace=trace,
            _training=training,
            _previous=before,
            _aside=aside,
            _rises_seen=state["rises_seen"],
            _searching=searching,
        )

    def _restored_search(
        self, settings: PursuitSettings, training: Training | None, state: dict[str, Any]
    ) -> Searching:
        quanta, paths, upper, exact = state["searching"]
        for layer, last in paths:
            arguments.whole("state['searching'][1]", layer, 1, settings.hidden_layers)
            arguments.whole("state['searching'][1]", last, layer, settings.hidden_layers)
        if training is None and paths != ((1, settings.hidden_layers),):
            raise ValueError("state['searching'] must be of the path through all layers before the first training")
        if training is not None and training.stopped is None:
            raise ValueError("state['searching'] must be None while a training is under way")
        seed = _seed(settings, len(state["growth"]))
        searching = _search(self.problem, settings, training, seed, paths, upper, exact)
        searching.directions.catch_up(quanta, None if self._searching is None else self._searching.directions)
        if searching.directions.quanta != quanta:
            raise ValueError(
                f"state['searching'][0] must be at most {searching.directions.quanta}, where this search ends, got "
                f"{quanta}"
            )
        return searching

    def __getstate__(self) -> dict[str, Any]:
        # Working memory is made anew.
        nothing = dict.fromkeys(("_training", "_previous", "_aside", "_searching"))
        return {**super().__getstate__(), **nothing, "state": self.settled_state()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        state = kept.pop("state")
        vars(self).update(kept)
        self.restore(state)

    # inside

    def _begin(self) -> None:
        self._finished = None
        self._additions_left = self.settings.max_additions
        self._requests = ()
        self._exhausted = ()
        self.growth = []
        self._candidates, self._taken = (), None
        self._maxima, self._largest_value = None, 0.0
        self._trace = Trace()
        self._training = self._previous = self._aside = None
        self._rises_seen = 0
        self._searching = None
        if self._given is not None and _fits(self._given, self.settings):
            start = NextNetwork(self._given.copy(), added=(), layer=0, last=0, value=0.0)
            with torch.no_grad():
                self._training = Training(self.problem, self.settings, [start], self._next_seed)

    @property
    def _next_seed(self) -> int:
        return _seed(self.settings, len(self.growth))

    @property
    def _trainings(self) -> tuple[Training | None, ...]:
        return self._training, self._previous, self._aside

    @property
    def _iteration(self) -> int:
        under_way = self._training is not None and self._training.stopped is None
        return len(self.growth) + under_way - (self._aside is not None)

    @property
    def _total_steps(self) -> int:
        training = self._training
        under_way = 0 if training is None or training.stopped is not None else training.steps
        return sum(record.steps for record in self.growth) + under_way

    def _search(self, paths: tuple[Path, ...], upper: bool = False, exact: bool = False) -> Searching:
        return _search(self.problem, self.settings, self._training, self._next_seed, paths, upper, exact)

    def _go_on(self) -> None:
        """Take up again what an end has cut short, as far as what may be added now allows."""
        self._finished = None
        if self._aside is not None:
            self._training, self._aside = self._aside, None
            self._rises_seen = len(self.growth)
        if self._searching is not None and not self._searching.at_origin:
            if not self._requests and self._additions_left <= 0:
                self._finish(limit(self.problem, self.growth))
        elif self._searching is None and (self._training is None or self._training.stopped is not None):
            self._decide()

    def _advance_search(self) -> None:
        search = self._searching
        assert search is not None
        search.advance()
        if not search.finished:
            return
        found = search.outcome()
        if (way_on := search.way_on(found)) is not None:
            self._searching = self._search(*way_on)
            self._candidates, self._taken = search.candidates, None
            self._maxima = joined(self._maxima, search.maxima)
            return
        # What can fail comes first: it must leave everything as it is.
        before = math.inf if self._training is None else self._training.end_objective
        training = Training(self.problem, self.settings, found, self._next_seed, ceiling=before) if found else None
        self._searching = None
        self._candidates, self._taken = search.candidates, None
        self._maxima = joined(self._maxima, search.maxima)
        self._largest_value = search.largest_value
        if training is not None:
            self._previous = self._training if self.settings.stop_when_test_rises else None
            self._training, self._exhausted, self._maxima = training, (), None
            self._follow()
            if not search.at_origin and not self._requests:
                self._additions_left -= 1
            self._trace.add(self._total_steps, training.loss, lasting=True)
        else:
            self._exhausted += search.paths
            asked, self._requests = self._requests[:1], self._requests[1:]
            if asked and asked[0] in families(self.settings) and (others := self._not_exhausted) is not None:
                self._requests = (others, *self._requests)
            if asked and not self._requests:
                self._finish(no_point(self.problem, self.settings, self.growth, asked[0]))
            else:
                self._decide()

    def _follow(self) -> None:
        """Keep what the look-ahead found out about the candidates; until it ends, frames ask it."""
        assert self._training is not None
        self._candidates = judged(self._candidates, self._training.looked_at)
        decided = bool(self._candidates) and not self._training.looks_ahead
        self._taken = self._training.start.candidate if decided else None

    def _advance_training(self) -> None:
        training = self._training
        assert training is not None
        looks_ahead = training.looks_ahead
        training.advance(self.settings)
        if looks_ahead and not training.looks_ahead:
            self._follow()
        stopped = training.stopped is not None
        if stopped:
            self._record()
        self._trace.add(self._total_steps, training.loss, lasting=stopped)
        if stopped:
            self._requests = self._requests[1:]
            self._decide()

    def _end_training(self, reason: str) -> None:
        """End the training under way, if there is one, for a reason of somebody else's."""
        if self._training is not None and self._training.stopped is None:
            with torch.no_grad():
                self._training.end(self.settings, reason)
            self._follow()
            self._record()

    def _record(self) -> None:
        training = self._training
        assert training is not None
        assert training.stopped is not None
        self.growth.append(
            GrowthRecord(
                widths=training.network.widths,
                layer=training.start.layer,
                last=training.start.last,
                value=training.start.value,
                candidates=self._candidates,
                taken=self._taken,
                loss=training.end_loss,
                test_loss=self.test_loss,
                first_step=sum(record.steps for record in self.growth),
                steps=training.steps,
                stopped=training.stopped,
                removed=training.removed,
            )
        )

    def _decide(self) -> None:
        """What comes next where nothing is under way. It does not depend on how the way there was cut into calls."""
        problem, settings = self.problem, self.settings
        if self._requests:
            self._searching = self._search(self._requests[0])
        elif self._training is None:
            if self._exhausted:
                self._finish(no_point(problem, settings, self.growth))
        elif finish := ending(problem, settings, self.growth, self.target_loss, self._rises_seen):
            if finish.kind == "test_rising":
                self._training, self._aside = self._previous, self._training
            self._finish(finish)
        elif (search := self._next_search()) is None:
            self._finish(no_point(problem, settings, self.growth, families(settings)[0]))
        elif self._additions_left <= 0:
            self._finish(limit(problem, self.growth))
        else:
            self._searching = search

    @property
    def _not_exhausted(self) -> tuple[Path, ...] | None:
        """The paths to search next at the current network, if some are left."""
        wanted = families(self.settings)
        return next((paths for paths in wanted if not set(paths) <= set(self._exhausted)), None)

    def _next_search(self) -> Searching | None:
        """For the network that has been trained; None if there is nothing left to find."""
        training = self._training
        assert training is not None
        searched = training.start.searched
        if training.was_of_no_use and not set(searched) <= set(self._exhausted):
            # From the side of the kinks that the signals came from there is nothing to gain: perhaps from the other.
            way_on = self._search(searched).way_on(())
            if way_on is not None:
                return self._search(*way_on)
            self._exhausted += searched
        paths = self._not_exhausted
        return None if paths is None else self._search(paths)

    def _finish(self, finish: Finish) -> None:
        norm = None
        minimizer = None if self._training is None else self._training.minimizer
        if minimizer is not None:
            objective, theta = minimizer.objective, minimizer.theta
            at_end = finish.kind in ("no_point", "optimal")
            norm = gradient_norm_at_end(finish.kind, objective, theta) if at_end else minimizer.gradient_norm
        self._finished = replace(finish, layer_maxima=self._maxima, gradient_norm=norm)
        if finish.kind == "optimal":
            self._finished = certified(self.problem, self.settings, self._finished, self.network, self._largest_value)

    def _progress(self) -> float | None:
        if self._finished is not None:
            return 1.0
        if self._searching is not None:
            return self._searching.progress
        return None if self._training is None else self._training.progress(self.settings)

    def _message(self) -> str:
        if self._finished is not None:
            return str(self._finished)
        now = self._searching or self._training
        if now is None:
            return "Ready: nothing has been computed yet."
        return f"Network {self._iteration}: {now.message}" if self._iteration else now.message


def _seed(settings: PursuitSettings, number: int) -> int:
    """Of the search with that number, and of the look-ahead after it."""
    return (settings.seed + number) % (arguments.LARGEST_SEED + 1)


def _search(
    problem: Problem,
    settings: PursuitSettings,
    training: Training | None,
    seed: int,
    paths: tuple[Path, ...],
    upper: bool,
    exact: bool,
) -> Searching:
    # A copy: a search outlives the working memory of the minimizer.
    network = None if training is None else training.network.copy()
    return Searching(problem, settings, network, paths, seed, upper, exact)


def _fits(network: HomogeneousNetwork, settings: PursuitSettings) -> bool:
    found = (network.hidden_layers, network.power, network.leak)
    return found == (settings.hidden_layers, settings.power, settings.leak)


def _checked(network: Any, problem: Problem, settings: PursuitSettings) -> HomogeneousNetwork:
    """A copy of the network to begin with, where the problem is."""
    if not isinstance(network, HomogeneousNetwork):
        raise TypeError(f"network must be a HomogeneousNetwork or None, got {arguments.shown(network)}")
    sizes = (problem.input_size, problem.output_size)
    if not _fits(network, settings) or (network.input_size, network.output_size) != sizes:
        raise ValueError(
            f"network must have {problem.input_size} inputs, {problem.output_size} outputs, "
            f"hidden_layers={settings.hidden_layers}, power={settings.power} and leak={settings.leak:g}, got {network}"
        )
    return network.to(device=problem.device, dtype=problem.dtype)
