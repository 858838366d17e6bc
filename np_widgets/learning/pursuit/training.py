"""The training of one network of a pursuit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.blocks import mean_loss
from np_widgets.learning.minimizers.choice import automatic, make_minimizer, require_fit, stages
from np_widgets.learning.minimizers.minimizer import TARGET_MET, Minimizer
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.growth import named_layers
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.next_network import NextNetwork
from np_widgets.learning.pursuit.rules import DIVERGED, target_in_force
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.pursuit.side_by_side import STEPS
from np_widgets.problems import Problem

_OPERATIONS_PER_QUANTUM = 2e7
_MOST_STEPS_PER_QUANTUM = 100
_USELESS_DECREASE = 1e-6
# Of the largest neuron's squared weights, and of the penalized loss.
_VANISHED, _ROUNDING = 1e-5, 1e-9
_ENTRIES = {
    "candidates": list[dict[str, Any]],
    "seed": states.whole,
    "ceiling": states.number,
    "start_loss": states.finite_number,
    "steps": states.whole,
    "stopped": str | None,
    "budget_from": states.whole,
    "looked_at": dict[int, tuple[float, float]],
    "removed": tuple[tuple[int, int], ...],
    "look_ahead": dict[str, Any] | None,
    "minimizer": dict[str, Any] | None,
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
        self.removed: tuple[tuple[int, int], ...] = ()
        self._paper = settings.method == "paper"
        self._target_loss = target_in_force(problem, settings.target_loss)
        self.start = self._candidates[0]
        self.steps = 0
        self.stopped: str | None = None
        self._budget_from = 0  # steps when the minimizer was last changed
        self._tested: tuple[Tensor, float] | None = None
        self._looked_at: dict[int, tuple[float, float]] = {}  # where the look-ahead ended
        self._look_ahead: LookAhead | None = None
        self.minimizer: Minimizer | None = None
        if state is None:
            self._begin()
        else:
            self._restore(state)

    @property
    def loss(self) -> float:
        if self._look_ahead is not None:
            return self._look_ahead.loss if self.steps else self._start_loss
        assert self.minimizer is not None
        return self.minimizer.loss - self._penalty

    @property
    def objective(self) -> float:
        """The loss and the price of the weights, ``𝓛 + ½λ‖W‖²``."""
        return self.loss + self._penalty

    @property
    def _penalty(self) -> float:
        if self._decay == 0:
            return 0.0
        if self.minimizer is None:
            return self._price(self.network)
        return self.minimizer.objective.penalty(self.minimizer.theta)

    def _price(self, network: HomogeneousNetwork) -> float:
        return 0.5 * self._decay * sum(float(weight.square().sum()) for weight in network.weights)

    @property
    def looks_ahead(self) -> bool:
        """Whether it is still to be seen which candidate is taken."""
        return self._look_ahead is not None

    @property
    def next_look_ahead(self) -> LookAhead | None:
        """The look-ahead if it has not begun: an ensemble may advance it."""
        look_ahead = self._look_ahead
        return None if look_ahead is None or look_ahead.steps_taken or look_ahead.finished else look_ahead

    @property
    def looked_at(self) -> dict[int, tuple[float, float]]:
        """The loss and the weight decay at which the look-ahead left the candidates that it tried, or has them now.

        The keys are their indices among all that the search found.
        """
        if self._look_ahead is None:
            return self._looked_at
        return {each.candidate: left for each, left in zip(self._candidates, self._look_ahead.left, strict=False)}

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
        if self._look_ahead is not None:
            return self._look_ahead.network if self.steps else self.start.network
        assert self.minimizer is not None
        return self.minimizer.objective.network(self.minimizer.theta)

    @property
    def test_loss(self) -> float | None:
        """The test loss of :attr:`network`; None without a test set."""
        inputs, targets = self._problem.test_inputs, self._problem.test_targets
        if inputs is None or targets is None:
            return None
        # As long as the weights are the same tensor, as between two measurements on mini-batches, so is the loss.
        theta = None if self.minimizer is None else self.minimizer.theta
        if theta is not None and self._tested is not None and self._tested[0] is theta:
            return self._tested[1]
        loss = mean_loss(self.network, inputs, targets, self._problem.loss)
        self._tested = None if theta is None else (theta, loss)
        return loss

    @property
    def message(self) -> str:
        """What is happening, as a sentence."""
        losses = f"loss {self._start_loss:.3g} → {self.loss:.3g} at step {self.steps:,}."
        new = named_layers(self.start.layer, self.start.last)
        if self._look_ahead is not None and self._look_ahead.count > 1:
            what = f"neurons (ahead: one in {new})" if self.start.layer else "first networks"
            return f"trying {self._look_ahead.count} {what} side by side, {losses}"
        if self.start.layer:
            news = f"{new} got a neuron"
        else:
            news = "one neuron in each hidden layer" if self.start.last else "the network it began with"
        activity = "first steps by Adam" if self.minimizer is None else self.minimizer.activity
        return f"{news}; {activity}, {losses}"

    @property
    def progress(self) -> float:
        """Which share of the step budget is used, 0 … 1."""
        return min(1.0, self.steps / self._budget)

    @property
    def _budget(self) -> int:
        # Each minimizer has a budget of its own, unless the user has set one for the network.
        if self.settings.max_steps is not None:
            return self.settings.max_steps
        if self._look_ahead is not None:
            return STEPS
        assert self.minimizer is not None
        return self._budget_from + self.minimizer.budget

    def advance(self) -> None:
        """A batch of steps; sets :attr:`stopped` when there is a reason to."""
        if self._look_ahead is not None:
            self._look_ahead.advance(steps_of_a_quantum(self._look_ahead))
            self.steps = self._look_ahead.steps_taken
            self.start = self._candidates[self._look_ahead.best]
            if self._look_ahead.finished:
                self._end_look_ahead()
        else:
            self._advance_minimizer()

    def _advance_minimizer(self) -> None:
        minimizer = self.minimizer
        assert minimizer is not None
        before, budget = minimizer.steps, self._budget
        minimizer.advance(max(min(steps_of_a_quantum(minimizer), budget - self.steps), 0))
        self.steps += minimizer.steps - before
        if minimizer.finished == TARGET_MET:
            self.stopped = TARGET_MET
        elif minimizer.finished is not None and (after := self._after(minimizer)) is not None:
            self._change_to(after)
            return
        elif minimizer.finished is not None:
            self.stopped = self._reason(minimizer, minimizer.finished)
        elif self.steps >= budget:
            self.stopped = f"step budget of {budget:,} used up"
        if self.stopped is not None and self.settings.method != "paper":
            minimizer.settle()
        if self.stopped is not None:
            self._remove_vanished()

    def _remove_vanished(self) -> None:
        """Remove the neurons that their price has made vanish, at least one of each layer kept."""
        minimizer = self.minimizer
        if self._decay == 0 or minimizer is None:
            return
        network = minimizer.objective.network(minimizer.theta)
        smaller = network.without(vanished := _vanished(network))
        if not vanished or self._objective_of(smaller) > minimizer.loss * (1 + _ROUNDING):
            return
        self.removed = vanished
        added = tuple(_renumbered(each, vanished) for each in self.start.added if each not in vanished)
        self.start = replace(self.start, network=smaller, added=added)
        self._candidates = (self.start,)
        objective = Objective(self._problem, smaller, self._decay)
        self.minimizer = self._minimizer(minimizer.name, objective, objective.initial)

    def _reason(self, minimizer: Minimizer, reason: str) -> str:
        """Why a minimizer has ended, in words that hold for the network that is kept."""
        rate = minimizer.learning_rate
        if rate is None:
            return reason
        layer = _silent_layer(minimizer.objective.network(minimizer.theta), self._problem)
        too_large = f"the step of {rate:.3g} is too large for these data"
        if layer is not None and self.steps > 0:
            reason = f"{DIVERGED}: {too_large} (all neurons of layer {layer} silent after step {self.steps:,})"
        elif reason.startswith(DIVERGED):
            reason = f"{reason}; {too_large}"
        if not self._paper and minimizer.lowest_loss < minimizer.loss:
            reason = f"{reason}; the lowest point before is kept"
        return reason

    def _end_look_ahead(self) -> None:
        """Go on from the network that is ahead; from where it started if that is lower, so that no loss ever rises."""
        lowest = self._lowest(self.start.network, self.network)
        self._looked_at, self._look_ahead = self.looked_at, None
        self.minimizer = self._made(lowest.balanced())
        self._candidates = (self.start,)
        self._budget_from = self.steps

    def _lowest(self, *networks: HomogeneousNetwork) -> HomogeneousNetwork:
        """The lowest of these; the network before with a silent neuron more if all of them lie above it."""
        loss, index = min((self._objective_of(network), index) for index, network in enumerate(networks))
        if loss <= self.ceiling or self.start.silent:
            return networks[index]
        self.start = self.start.silenced(free=self._decay == 0)
        return self.start.network

    def change_minimizer(self, settings: PursuitSettings) -> None:
        """Go on with the minimizer that the settings name, from the lowest point seen so far."""
        self._require_fit(settings)
        self.settings = settings
        old = self.minimizer
        if old is None:
            return  # it begins after the look-ahead
        self._change_to(_names(settings, old.objective)[0])

    def _after(self, minimizer: Minimizer) -> str | None:
        """The name of the minimizer that comes after one, or None."""
        names = _names(self.settings, minimizer.objective)
        rest = names[names.index(minimizer.name) + 1 :] if minimizer.name in names else ()
        return rest[0] if rest else None

    def _change_to(self, name: str) -> None:
        old = self.minimizer
        assert old is not None
        old.measure()
        theta = old.theta if self.settings.method == "paper" else old.lowest_theta
        self.minimizer = self._minimizer(name, old.objective, theta)
        self._budget_from = self.steps

    def end(self, reason: str) -> None:
        """Stop for a reason of somebody else's, where it is, or at the lowest point seen if that is lower."""
        if self._look_ahead is not None:
            self._end_look_ahead()
        assert self.minimizer is not None
        self.stopped = reason
        self.minimizer.measure()
        if self.settings.method != "paper" and self.minimizer.lowest_loss < self.minimizer.loss:
            self.minimizer.settle()
        self._remove_vanished()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "candidates": [each.state() for each in self._candidates],
            "seed": self._seed,
            "ceiling": self.ceiling,
            "start_loss": self._start_loss,
            "steps": self.steps,
            "stopped": self.stopped,
            "budget_from": self._budget_from,
            "looked_at": dict(self._looked_at),
            "removed": self.removed,
            "look_ahead": None if self._look_ahead is None else self._look_ahead.state(),
            "minimizer": None if self.minimizer is None else self.minimizer.state(),
        }

    @classmethod
    def restored(cls, problem: Problem, settings: PursuitSettings, state: dict[str, Any]) -> Training:
        """The training as it was when ``state`` was taken."""
        states.require("state['training']", state, _ENTRIES)
        if (state["look_ahead"] is None) == (state["minimizer"] is None) or not state["candidates"]:
            raise ValueError("state['training'] must have candidates, and either 'look_ahead' or 'minimizer'")
        candidates = [
            NextNetwork.restored(f"state['training']['candidates'][{index}]", saved, problem, settings)
            for index, saved in enumerate(state["candidates"])
        ]
        return cls(problem, settings, candidates, state["seed"], state, state["ceiling"])

    def _begin(self) -> None:
        self._require_fit(self.settings)
        if self.settings.method == "paper":
            self.minimizer = self._made(self.start.network)
        elif self.start.last == 0:  # a given network
            self.minimizer = self._made(self.start.network.balanced())
        elif _look_ahead_steps(self.settings) == 0:
            self.minimizer = self._made(self._lowest(self.start.network))
            self._candidates = (self.start,)
        else:
            self._look_ahead = self._looking_ahead()
            self.start = self._candidates[self._look_ahead.best]
        self._start_loss = self._loss_of(self.start.network)

    def _restore(self, state: dict[str, Any]) -> None:
        self._start_loss, self._budget_from = state["start_loss"], state["budget_from"]
        self.steps, self.stopped = state["steps"], state["stopped"]
        self._looked_at, self.removed = dict(state["looked_at"]), state["removed"]
        if state["look_ahead"] is None:
            # Not always the one that the settings name: they may have changed since this training stopped.
            saved = state["minimizer"]
            arguments.choice("state['training']['minimizer']['name']", saved.get("name"), stages())
            objective = Objective(self._problem, self.start.network, self._decay)
            self.minimizer = self._minimizer(saved["name"], objective, objective.initial)
            self.minimizer.restore(saved)
        else:
            self._look_ahead = self._looking_ahead()
            self._look_ahead.restore(state["look_ahead"])
            self.start = self._candidates[self._look_ahead.best]

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

    def _made(self, network: HomogeneousNetwork) -> Minimizer:
        objective = Objective(self._problem, network, self._decay)
        return self._minimizer(_names(self.settings, objective)[0], objective, objective.initial)

    def _minimizer(self, name: str, objective: Objective, theta: Tensor) -> Minimizer:
        minimizer = make_minimizer(
            name,
            objective,
            theta,
            self.settings.learning_rate,
            brief=self.settings.minimizer == "auto",
            batch_size=self.settings.batch_size,
            duration=None if self.settings.max_steps is None else max(self.settings.max_steps - self.steps, 1),
            seed=self._seed,
        )
        if self._decay == 0:  # else what it minimizes is another number
            minimizer.target_loss = self._target_loss
        return minimizer

    def _objective_of(self, network: HomogeneousNetwork) -> float:
        return self._loss_of(network) + self._price(network)

    def _loss_of(self, network: HomogeneousNetwork) -> float:
        return mean_loss(network, self._problem.inputs, self._problem.targets, self._problem.loss)


def _vanished(network: HomogeneousNetwork) -> tuple[tuple[int, int], ...]:
    squares = [
        (below.square().sum(dim=1) + above.square().sum(dim=0)).tolist() for below, above in pairwise(network.weights)
    ]
    least = _VANISHED * max(map(max, squares))
    found = []
    for layer, own in enumerate(squares, start=1):
        small = [(layer, index) for index, square in enumerate(own) if square <= least]
        found += small if len(small) < len(own) else small[1:]
    return tuple(found)


def _renumbered(neuron: tuple[int, int], removed: Sequence[tuple[int, int]]) -> tuple[int, int]:
    layer, index = neuron
    return layer, index - sum(other < index for own, other in removed if own == layer)


def _names(settings: PursuitSettings, objective: Objective) -> tuple[str, ...]:
    """The minimizers to be used one after the other."""
    if settings.minimizer != "auto":
        return (settings.minimizer,)
    return automatic(settings.method, objective, settings.batch_size)


def _silent_layer(network: HomogeneousNetwork, problem: Problem) -> int | None:
    """The first hidden layer whose neurons respond to no sample, so that no gradient comes through."""
    if network.leak != 0:
        return None
    for layer, hidden in enumerate(network.forward(problem.inputs).hidden[1:], start=1):
        if not bool(hidden.any()):
            return layer
    return None


def _look_ahead_steps(settings: PursuitSettings) -> int:
    """At most half of what the user grants to a network."""
    return STEPS if settings.max_steps is None else min(STEPS, settings.max_steps // 2)


def steps_of_a_quantum(worker: Minimizer | LookAhead) -> int:
    """How many steps take some milliseconds."""
    return int(min(max(_OPERATIONS_PER_QUANTUM / worker.step_operations, 1), _MOST_STEPS_PER_QUANTUM))
