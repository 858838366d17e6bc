"""Neuron Pursuit: grow a network neuron by neuron along KKT points of the neural correlation function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.driving import drive, require_way
from np_widgets.learning.engine import Engine, all_or_nothing
from np_widgets.learning.minimizers.choice import MinimizerName
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.chosen import checked_choice, own_neuron
from np_widgets.learning.pursuit.frame import frame_of
from np_widgets.learning.pursuit.growth import Finish, PursuitFrame
from np_widgets.learning.pursuit.loop import Loop
from np_widgets.learning.pursuit.next_network import checked, fits
from np_widgets.learning.pursuit.readings import Readings
from np_widgets.learning.pursuit.saved import restored, state_of
from np_widgets.learning.pursuit.settings import Method, PursuitSettings, checked_problem, documented, given
from np_widgets.learning.pursuit.validation import Score
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem


@documented
class NeuronPursuit(Readings, Engine):
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
    {settings}
    device, dtype
        Where and in which precision everything is computed; the problem's precision if ``dtype`` is None.
    validation
        Samples to stop by, apart from the test set: a share of the training samples, chosen by ``seed`` and not learned
        from; a pair of inputs and targets in the units of the original data; or None for those that the problem has.
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
        patience: int = 3,
        score: Score = "loss",
        longest_path: int | None = None,
        weight_decay: float = 0.0,
        validation: float | tuple[Any, ...] | None = None,
        network: HomogeneousNetwork | None = None,
    ) -> None:
        settings = PursuitSettings(**given(locals()))
        self.problem = checked_problem(problem, settings, validation).to(device=device, dtype=dtype)
        require_representable(self.problem, power, hidden_layers)
        self._data = states.fingerprint(self.problem)
        self._given = None if network is None else checked(network, self.problem, settings)
        with torch.no_grad():
            self._loop = Loop(self.problem, settings, self._given)

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
        require_way(progress, callback, torch_threads)
        self._loop.go_on(most)
        if drive(self, progress=progress, callback=callback, torch_threads=torch_threads) and self.finished is None:
            self._loop.interrupt()
        assert self.finished is not None
        return self.finished

    @all_or_nothing
    def add_neuron(
        self,
        layer: int | None = None,
        last: int | None = None,
        *,
        candidate: int | None = None,
        incoming: Any = None,
        outgoing: Any = None,
    ) -> None:
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
        candidate
            Instead of the best the one of this index in the frame's ``candidates``, which are what the last search
            found: added at once to the network that was searched. If another one of that search was added and trained
            meanwhile, this one takes its place, and that training is forgotten.
        incoming, outgoing
            Instead of the best a neuron of your own for ``layer``, with weights of these directions, of shape
            ``(k_{l-1},)`` and ``(k_{l+1},)``: their norms are chosen like those of a neuron that was found. Without
            ``outgoing`` those that are best for ``incoming``. A search comes first, so that the frame says how its NCF
            value compares with the best.

        Raises
        ------
        TypeError, ValueError
            If there is no such layer or candidate, weights do not fit, or arguments do not go together.
        RuntimeError
            If there is no network yet, or for a neuron of your own if others that were asked for are still to come.
        """
        paths = None
        if candidate is not None:
            if any(each is not None for each in (layer, last, incoming, outgoing)):
                raise TypeError("candidate must be the only argument: it says layer and weights")
            candidate = checked_choice(candidate, self._loop.candidates)
            self._loop.take(candidate)
            return
        if incoming is None and outgoing is not None:
            raise TypeError("outgoing must come with incoming")
        if incoming is not None and (layer is None or last is not None):
            raise TypeError("incoming must come with layer, and without last: it is of a single neuron")
        if layer is not None:
            layer = arguments.whole("layer", layer, 1, self.settings.hidden_layers)
            last = layer if last is None else arguments.whole("last", last, layer, self.settings.hidden_layers)
            paths = ((layer, last),)
        elif last is not None:
            raise ValueError(f"last must be None without a layer to begin with, got {last!r}")
        if self._loop.training is None:
            raise RuntimeError("add_neuron needs a network: the first one is still to be found at the origin")
        own = None
        if incoming is not None:
            if self._loop.now.requests:
                raise RuntimeError("a neuron of your own fits the network as it stands: first those asked for")
            unseen = self.settings.method != "paper"
            own = own_neuron(self._loop.training.network, self.problem, layer, incoming, outgoing, unseen=unseen)
        self._loop.ask_for(paths, own)

    @all_or_nothing
    def cut_short(self) -> None:
        """End here, with the network as it stands on the record."""
        self._loop.cut_short()

    @all_or_nothing
    def set_minimizer(self, minimizer: MinimizerName) -> None:
        """Go on with another minimizer, with ``method="fast"`` from the lowest point seen so far.

        Raises
        ------
        TypeError, ValueError
            If the name is unknown, or the minimizer does not take a network of this size.
        """
        self._loop.set_minimizer(replace(self.settings, minimizer=minimizer))

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
        settings = self.settings.changed({name: each for name, each in given(locals()).items() if each is not None})
        require_representable(self.problem, settings.power, settings.hidden_layers)
        begins_given = self._given is not None and fits(self._given, settings)
        self._loop = Loop(self.problem, settings, self._given if begins_given else None)

    def claim(self, driver: str) -> None:
        """Let ``driver`` alone advance this pursuit; one that was interrupted goes on."""
        super().claim(driver)
        if self.finished is not None and self.finished.kind == "interrupted":
            self._loop.go_on()

    def _advance(self) -> None:
        self._loop.advance()

    def frame(self) -> PursuitFrame:
        """Where the pursuit stands."""
        return frame_of(self._loop)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here."""
        return {"problem": self._data, **state_of(self._loop)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken.

        Raises
        ------
        TypeError, ValueError
            If the state is of other data or not sound; the message names the entry, and nothing has changed.
        """
        with torch.no_grad():
            self._loop = restored(self.problem, state, self._loop)

    def __getstate__(self) -> dict[str, Any]:
        # Working memory is made anew.
        return {**super().__getstate__(), "_loop": None, "state": self.settled_state()}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        state = kept.pop("state")
        vars(self).update(kept)
        self.restore(state)
