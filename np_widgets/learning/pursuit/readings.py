"""What can be read of a pursuit at any moment."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from np_widgets.learning.engine import Landmark
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.predicting import Predicts
from np_widgets.learning.pursuit.frame import phase_of
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord, best_on_test, named_layers
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.loop import Loop
from np_widgets.learning.pursuit.per_network import scalars
from np_widgets.learning.pursuit.settings import PursuitSettings


class Readings(Predicts):
    """What can be read of a pursuit, the predictions of its network included."""

    _loop: Loop

    @property
    def settings(self) -> PursuitSettings:
        """The settings in force."""
        return self._loop.settings

    @property
    def target_loss(self) -> float:
        """The training loss to reach."""
        return self._loop.target_loss

    @property
    def growth(self) -> list[GrowthRecord]:
        """One :class:`~np_widgets.learning.pursuit.growth.GrowthRecord` for each network whose training has ended."""
        return list(self._loop.now.growth)

    @property
    def network(self) -> HomogeneousNetwork | None:
        """A copy of the current network; None before the first."""
        return None if self._loop.training is None else self._loop.training.network.copy()

    @property
    def loss(self) -> float | None:
        """The training loss of the current network; None before the first."""
        return None if self._loop.training is None else self._loop.training.loss

    @property
    def objective(self) -> float | None:
        """The training loss and the price of the weights, ``𝓛 + ½λ‖W‖²``; None before the first network."""
        return None if self._loop.training is None else self._loop.training.objective

    @property
    def test_loss(self) -> float | None:
        """The test loss of the current network; None before the first, or without a test set."""
        return None if self._loop.training is None else self._loop.training.test_loss

    @property
    def best_network(self) -> HomogeneousNetwork | None:
        """A copy of the network with the best score on the validation set; None without one, or before the first."""
        best, settings = self._loop.now.best, self.settings
        return HomogeneousNetwork(best, power=settings.power, leak=settings.leak) if best else None

    @property
    def best_on_test(self) -> int | None:
        """The index in :attr:`growth` of the network with the lowest test loss; None without one, or a test set."""
        return best_on_test(self._loop.now.growth)

    def growth_to_frame(self) -> Any:
        """A pandas DataFrame: a row for each network whose training has ended, with its plain numbers."""
        rows = [scalars(record, number) for number, record in enumerate(self.growth, start=1)]
        return import_module("pandas").DataFrame(rows)

    @property
    def requested(self) -> bool:
        """Whether a neuron that was asked for is still to be found, added or trained."""
        return bool(self._loop.now.requests)

    @property
    def landmark(self) -> Landmark | None:
        """The last network that was begun or trained; None before the first."""
        training, growth = self._loop.training, self._loop.now.growth
        if training is not None and training.stopped is None:
            start = training.start
            got = "" if start.layer == 0 else f": {named_layers(start.layer, start.last)} got a neuron"
            return Landmark(len(growth) + 1, f"network {len(growth) + 1} begun{got}", complete=False)
        return Landmark(len(growth), f"network {len(growth)} trained: loss {growth[-1].loss:.4g}") if growth else None

    @property
    def finished(self) -> Finish | None:
        """Why the pursuit has stopped, or None."""
        return self._loop.now.finished

    @property
    def phase(self) -> str:
        """``"ready"``, ``"origin"``, ``"minimizing"``, ``"searching"`` or ``"finished"``."""
        return phase_of(self._loop)

    @property
    def next_look_ahead(self) -> LookAhead | None:
        """The look-ahead that is next, if it has not begun: an ensemble may advance it."""
        loop = self._loop
        if loop.now.finished is not None or loop.searching is not None or loop.training is None:
            return None
        return loop.training.next_look_ahead

    def __repr__(self) -> str:
        training, end = self._loop.training, self.finished
        reached = "" if training is None else f"widths={training.network.widths}, loss={training.loss:.4g}, "
        return f"{type(self).__name__}({self.problem.name!r}: {reached}{self.phase if end is None else end.kind})"
