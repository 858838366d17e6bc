"""The training of one network of a pursuit."""

from __future__ import annotations

from typing import Any

from np_widgets.learning.minimizers.choice import STEP_BUDGETS, make_minimizer, resolved_name
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.searching import NextNetwork
from np_widgets.learning.settings import PursuitSettings
from np_widgets.problems import Problem

_OPERATIONS_PER_QUANTUM = 2e7
_MOST_STEPS_PER_QUANTUM = 100
_PLAIN_START = ("added", "layer", "value", "silent", "searched")


class Training:
    """The minimization of the training loss, from a network that a search came up with.

    Attributes
    ----------
    start
        That network; its weights may have been replaced by later ones.
    minimizer
        The minimizer at work.
    steps
        Steps taken, by all minimizers together.
    stopped
        Why the training has ended, or None.
    """

    def __init__(
        self, problem: Problem, settings: PursuitSettings, start: NextNetwork, minimizer: str | None = None
    ) -> None:
        self.start = start
        self.steps = 0
        self.stopped: str | None = None
        objective = Objective(problem, start.network)
        name = minimizer or resolved_name(settings.minimizer, settings.method)
        self.minimizer = make_minimizer(name, objective, objective.initial, settings.learning_rate)
        self._start_loss = self.minimizer.loss
        self._budget_from = 0  # steps when the minimizer was last changed

    @property
    def network(self) -> HomogeneousNetwork:
        """The current network; it shares its weights with the minimizer."""
        return self.minimizer.objective.network(self.minimizer.theta)

    @property
    def message(self) -> str:
        """What is happening, as a sentence."""
        news = f"layer {self.start.layer} got a neuron" if self.start.layer else "one neuron in each hidden layer"
        losses = f"loss {self._start_loss:.3g} → {self.minimizer.loss:.3g}"
        return f"{news}; {self.minimizer.activity}, {losses} at step {self.steps:,}."

    def progress(self, settings: PursuitSettings) -> float:
        """Which share of the step budget is used, 0 … 1."""
        return min(1.0, self.steps / self._budget(settings))

    def _budget(self, settings: PursuitSettings) -> int:
        # Each minimizer has a budget of its own, unless the user has set one for the network.
        return settings.max_steps or self._budget_from + STEP_BUDGETS[self.minimizer.name]

    def advance(self, settings: PursuitSettings) -> None:
        """A batch of minimizer steps; sets :attr:`stopped` when there is a reason to."""
        minimizer, before = self.minimizer, self.minimizer.steps
        batch = int(min(max(_OPERATIONS_PER_QUANTUM / minimizer.step_operations, 1), _MOST_STEPS_PER_QUANTUM))
        budget = self._budget(settings)
        minimizer.advance(max(min(batch, budget - self.steps), 0))
        self.steps += minimizer.steps - before
        if minimizer.loss <= settings.target_loss:
            self.stopped = "target loss met"
        elif minimizer.finished is not None:
            self.stopped = minimizer.finished
        elif self.steps >= budget:
            self.stopped = f"step budget of {budget:,} used up"
        if self.stopped is not None and settings.method != "paper":
            minimizer.settle()

    def change_minimizer(self, settings: PursuitSettings) -> None:
        """Go on with the minimizer that the settings name, from the lowest point seen so far."""
        name = resolved_name(settings.minimizer, settings.method)
        old = self.minimizer
        theta = old.theta if settings.method == "paper" else old.lowest_theta
        self.minimizer = make_minimizer(name, old.objective, theta, settings.learning_rate)
        self._budget_from = self.steps

    def end(self, settings: PursuitSettings, reason: str) -> None:
        """Stop for a reason of somebody else's, where it is, or at the lowest point seen if that is lower."""
        self.stopped = reason
        if settings.method != "paper" and self.minimizer.lowest_loss < self.minimizer.loss:
            self.minimizer.settle()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "weights": tuple(weight.clone() for weight in self.network.weights),
            "start": {name: getattr(self.start, name) for name in _PLAIN_START},
            "start_loss": self._start_loss,
            "steps": self.steps,
            "stopped": self.stopped,
            "budget_from": self._budget_from,
            "minimizer": self.minimizer.state(),
        }

    @classmethod
    def restored(cls, problem: Problem, settings: PursuitSettings, state: dict[str, Any]) -> Training:
        """The training as it was when ``state`` was taken."""
        weights = [weight.to(device=problem.device, dtype=problem.dtype) for weight in state["weights"]]
        network = HomogeneousNetwork(weights, power=settings.power, leak=settings.leak)
        saved = state["minimizer"]
        training = cls(problem, settings, NextNetwork(network, **state["start"]), saved["name"])
        training.minimizer.restore(saved)
        training._start_loss, training._budget_from = state["start_loss"], state["budget_from"]
        training.steps, training.stopped = state["steps"], state["stopped"]
        return training
