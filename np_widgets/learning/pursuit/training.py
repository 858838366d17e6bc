"""The training of one network of a pursuit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from np_widgets.learning import states
from np_widgets.learning.blocks import mean_loss
from np_widgets.learning.minimizers.choice import require_fit
from np_widgets.learning.minimizers.descent import Descent, Means, steps_of_a_quantum
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.next_network import NextNetwork, vanished
from np_widgets.learning.pursuit.rules import target_in_force
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.pursuit.standing import STEPS
from np_widgets.problems import Problem

_USELESS_DECREASE = 1e-6
_ROUNDING = 1e-9  # of the penalized loss
_ENTRIES = {
    "candidates": list[dict[str, Any]],
    "seed": states.whole,
    "ceiling": states.number,
    "start_loss": states.finite_number,
    "looked_at": dict[int, tuple[float, float]],
    "removed": tuple[tuple[int, int], ...],
    "look_ahead": dict[str, Any] | None,
    "descent": dict[str, Any] | None,
}


class Training:
    """The minimization of the training loss, from the networks that a search came up with.

    With ``method="fast"`` all of them are minimized side by side for a while, and the one that is ahead then goes on.
    """

    def __init__(
        self,
        problem: Problem,
        settings: PursuitSettings,
        candidates: Sequence[NextNetwork],
        seed: int = 0,
        state: dict[str, Any] | None = None,
        ceiling: float = math.inf,
    ) -> None:
        self._problem, self.settings = problem, settings
        self._candidates, self._seed = tuple(candidates), seed
        # The objective of the network before. A search may look at some of the samples only: where its best network
        # lies above this on all of them, the new neuron starts without outgoing weights, so that the loss never rises.
        self.ceiling, self._decay = ceiling, settings.weight_decay
        self._target_loss = target_in_force(problem, settings.target_loss)
        self.start = self._candidates[0]
        self.removed: tuple[tuple[int, int], ...] = ()
        self.look_ahead: LookAhead | None = None
        self.descent: Descent | None = None
        self._looked_at: dict[int, tuple[float, float]] = {}  # where the look-ahead ended
        self._tested: tuple[object, float] | None = None
        if state is None:
            self._begin()
        else:
            self._restore(state)

    @property
    def minimizer(self) -> Minimizer | None:
        """The one at work; None while it looks ahead."""
        return None if self.descent is None else self.descent.minimizer

    @property
    def steps(self) -> int:
        """How many have been taken."""
        if self.look_ahead is not None:
            return self.look_ahead.steps_taken
        assert self.descent is not None
        return self.descent.steps

    @property
    def stopped(self) -> str | None:
        """Why it has ended, or None."""
        return None if self.descent is None else self.descent.stopped

    @property
    def loss(self) -> float:
        """The training loss."""
        if self.look_ahead is not None:
            return self.look_ahead.loss if self.steps else self.start_loss
        assert self.descent is not None
        return self.descent.loss

    @property
    def objective(self) -> float:
        """The loss and the price of the weights, ``𝓛 + ½λ‖W‖²``."""
        return self.loss + self._penalty

    @property
    def _penalty(self) -> float:
        return self._price(self.network) if self.descent is None else self.descent.penalty

    def _price(self, network: HomogeneousNetwork) -> float:
        return 0.5 * self._decay * network.squared_norm if self._decay else 0.0

    @property
    def next_look_ahead(self) -> LookAhead | None:
        """The look-ahead if it has not begun: an ensemble may advance it."""
        look_ahead = self.look_ahead
        return None if look_ahead is None or look_ahead.steps_taken or look_ahead.finished else look_ahead

    @property
    def looked_at(self) -> dict[int, tuple[float, float]]:
        """The loss and the weight decay at which the look-ahead left the candidates that it tried, or has them now.

        The keys are their indices among all that the search found.
        """
        if self.look_ahead is None:
            return self._looked_at
        return {each.candidate: left for each, left in zip(self._candidates, self.look_ahead.left, strict=False)}

    @property
    def end_loss(self) -> float:
        """The loss of a network that has been trained: a silent neuron changes nothing but, perhaps, the last digit."""
        return min(self.loss, self.ceiling) if self.start.silent and self._decay == 0 else self.loss

    @property
    def end_objective(self) -> float:
        """Above which no later network may lie."""
        return self.end_loss + self._penalty

    @property
    def was_of_no_use(self) -> bool:
        """Whether a neuron that started silently has not lowered the loss."""
        return self.start.silent and self.objective >= self.ceiling * (1 - _USELESS_DECREASE)

    @property
    def network(self) -> HomogeneousNetwork:
        """The current network; it shares its weights with the minimizer."""
        if self.look_ahead is not None:
            return self.look_ahead.network if self.steps else self.start.network
        assert self.descent is not None
        return self.descent.network

    @property
    def test_loss(self) -> float | None:
        """The test loss of :attr:`network`; None without a test set."""
        inputs, goals = self._problem.test_inputs, self._problem.test_goals
        if inputs is None or goals is None:
            return None
        # On mini-batches the weights stay the same between two measurements, and so does the loss.
        point = None if self.minimizer is None else self.minimizer.point
        if point is not None and self._tested is not None and self._tested[0] is point:
            return self._tested[1]
        loss = mean_loss(self.network, inputs, goals, self._problem.criterion)
        self._tested = None if point is None else (point, loss)
        return loss

    @property
    def progress(self) -> float:
        """Which share of the step budget is used, 0 … 1."""
        most = STEPS if self.settings.max_steps is None else self.settings.max_steps
        return min(1.0, self.steps / (most if self.descent is None else self.descent.budget))

    def advance(self) -> None:
        """A batch of steps; sets :attr:`stopped` when there is a reason to."""
        if self.look_ahead is not None:
            self.look_ahead.advance(steps_of_a_quantum(self.look_ahead))
            self.start = self._candidates[self.look_ahead.best]
            if self.look_ahead.finished:
                self._end_look_ahead()
            return
        assert self.descent is not None
        self.descent.advance()
        if self.stopped is not None:
            self._remove_vanished()

    def change_minimizer(self, settings: PursuitSettings) -> None:
        """Go on with the minimizer that the settings name, from the lowest point seen so far."""
        self._require_fit(settings)
        self.settings = settings
        if self.descent is not None:  # else it begins after the look-ahead
            self.descent.change(self._means)

    def end(self, reason: str) -> None:
        """Stop for a reason of somebody else's, where it is, or at the lowest point seen if that is lower."""
        if self.look_ahead is not None:
            self._end_look_ahead()
        assert self.descent is not None
        self.descent.end(reason)
        self._remove_vanished()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "candidates": [each.state() for each in self._candidates],
            "seed": self._seed,
            "ceiling": self.ceiling,
            "start_loss": self.start_loss,
            "looked_at": dict(self._looked_at),
            "removed": self.removed,
            "look_ahead": None if self.look_ahead is None else self.look_ahead.state(),
            "descent": None if self.descent is None else self.descent.state(),
        }

    @classmethod
    def restored(cls, problem: Problem, settings: PursuitSettings, state: dict[str, Any]) -> Training:
        """The training as it was when ``state`` was taken."""
        states.require("state['training']", state, _ENTRIES)
        if (state["look_ahead"] is None) == (state["descent"] is None) or not state["candidates"]:
            raise ValueError("state['training'] must have candidates, and either 'look_ahead' or 'descent'")
        candidates = [
            NextNetwork.restored(f"state['training']['candidates'][{index}]", saved, problem, settings)
            for index, saved in enumerate(state["candidates"])
        ]
        return cls(problem, settings, candidates, state["seed"], state, state["ceiling"])

    def _begin(self) -> None:
        self._require_fit(self.settings)
        if self.settings.method == "paper":
            self.descent = self._descent(self.start.network)
        elif self.start.last == 0:  # a given network
            self.descent = self._descent(self.start.network.balanced())
        elif _look_ahead_steps(self.settings) == 0:
            self.descent = self._descent(self._lowest(self.start.network))
            self._candidates = (self.start,)
        else:
            self.look_ahead = self._looking_ahead()
            self.start = self._candidates[self.look_ahead.best]
        self.start_loss = self._loss_of(self.start.network)

    def _restore(self, state: dict[str, Any]) -> None:
        self.start_loss, self.removed = state["start_loss"], state["removed"]
        self._looked_at = dict(state["looked_at"])
        if state["look_ahead"] is None:
            name, saved = "state['training']['descent']", state["descent"]
            self.descent = Descent.restored(self._problem, self.start.network, self._means, name, saved)
        else:
            self.look_ahead = self._looking_ahead()
            self.look_ahead.restore(state["look_ahead"])
            self.start = self._candidates[self.look_ahead.best]

    def _require_fit(self, settings: PursuitSettings) -> None:
        """Raise a ValueError if the minimizer of the settings cannot take one of the candidates."""
        require_fit(settings.minimizer, max(each.network.parameter_count for each in self._candidates))

    def _looking_ahead(self) -> LookAhead:
        networks = [candidate.network for candidate in self._candidates]
        return LookAhead(
            self._problem,
            networks,
            self._seed,
            _look_ahead_steps(self.settings),
            self.settings.learning_rate,
            self._target_loss if self._decay == 0 else None,
            self._decay,
        )

    def _end_look_ahead(self) -> None:
        """Go on from the network that is ahead; from where it started if that is lower, so that no loss ever rises."""
        lowest, steps = self._lowest(self.start.network, self.network), self.steps
        self._looked_at, self.look_ahead = self.looked_at, None
        self.descent = self._descent(lowest.balanced(), steps)
        self._candidates = (self.start,)

    def _lowest(self, *networks: HomogeneousNetwork) -> HomogeneousNetwork:
        """The lowest of these; the network before with a silent neuron more if all of them lie above it."""
        loss, index = min((self._objective_of(network), index) for index, network in enumerate(networks))
        if loss <= self.ceiling or self.start.silent:
            return networks[index]
        self.start = self.start.silenced(free=self._decay == 0)
        return self.start.network

    def _descent(self, network: HomogeneousNetwork, steps: int = 0) -> Descent:
        return Descent(self._problem, network, self._means, steps)

    @property
    def _means(self) -> Means:
        return Means.of(self.settings, self._target_loss, self._seed)

    def _remove_vanished(self) -> None:
        """Remove the neurons that their price has made vanish, at least one of each layer kept."""
        descent = self.descent
        if self._decay == 0 or descent is None or not (neurons := vanished(descent.network)):
            return
        smaller = self.start.without(neurons, descent.network)
        if self._objective_of(smaller.network) <= descent.minimizer.loss * (1 + _ROUNDING):
            self.removed, self.start, self._candidates = neurons, smaller, (smaller,)
            descent.replace(smaller.network)

    def _objective_of(self, network: HomogeneousNetwork) -> float:
        return self._loss_of(network) + self._price(network)

    def _loss_of(self, network: HomogeneousNetwork) -> float:
        return mean_loss(network, self._problem.inputs, self._problem.goals, self._problem.criterion)


def _look_ahead_steps(settings: PursuitSettings) -> int:
    """At most half of what the user grants to a network."""
    return STEPS if settings.max_steps is None else min(STEPS, settings.max_steps // 2)
