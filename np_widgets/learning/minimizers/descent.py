"""Minimizers one after the other, from one network, until there is a reason to stop."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Self

from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.choice import automatic, make_minimizer, require_fit, stages
from np_widgets.learning.minimizers.minimizer import TARGET_MET, Minimizer
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem

DIVERGED = "diverged"
"""What the reason why a descent stopped begins with if its steps were too large."""
_OPERATIONS_PER_QUANTUM = 2e7
_MOST_STEPS_PER_QUANTUM = 100
_ENTRIES = {
    "steps": states.whole,
    "stopped": str | None,
    "budget_from": states.whole,
    "minimizer": dict[str, Any],
}


class Means(NamedTuple):
    """By what a network is minimized."""

    minimizer: str
    method: str  # whose "auto"; by the fast one the lowest point seen is kept, in balanced weights
    target_loss: float
    learning_rate: float | None
    batch_size: int | None
    weight_decay: float
    max_steps: int | None  # None for the budget of each minimizer
    seed: int
    renewed: bool = False  # whether the next minimizer gets all of them again

    @classmethod
    def of(cls, settings: Any, target_loss: float, seed: int) -> Means:
        """Those that the settings of an engine name."""
        own = {name: getattr(settings, name) for name in cls._fields if name not in ("target_loss", "seed", "renewed")}
        return cls(**own, target_loss=target_loss, seed=seed)

    def names(self, objective: Objective) -> tuple[str, ...]:
        """Of the minimizers to be used one after the other."""
        if self.minimizer != "auto":
            return (self.minimizer,)
        return automatic(self.method, objective, self.batch_size)


class Worker(Protocol):
    """What takes steps of known cost."""

    @property
    def step_operations(self) -> float:
        """Roughly how many arithmetic operations a step takes."""


def steps_of_a_quantum(worker: Worker) -> int:
    """How many steps take some milliseconds."""
    return int(min(max(_OPERATIONS_PER_QUANTUM / worker.step_operations, 1), _MOST_STEPS_PER_QUANTUM))


class Descent:
    """The minimization of the training loss of one network, from its ``steps``-th step on."""

    def __init__(
        self, problem: Problem, network: HomogeneousNetwork, means: Means, steps: int = 0, first: str | None = None
    ) -> None:
        self._problem, self.means, self.steps = problem, means, steps
        self.stopped: str | None = None
        self.budget_from = steps  # when the minimizer was last changed
        objective = Objective(problem, network, means.weight_decay)
        name = means.names(objective)[0] if first is None else first
        require_fit(name, objective.size)
        self.minimizer = self._made(name, objective, objective.initial)

    @classmethod
    def restored(
        cls, problem: Problem, network: HomogeneousNetwork, means: Means, name: str, state: dict[str, Any]
    ) -> Self:
        """The descent as it was when ``state``, called ``name`` in errors, was taken."""
        descent = cls(problem, network, means, first=_minimizer_of(name, state))
        descent.restore(name, state)
        return descent

    @property
    def loss(self) -> float:
        """The training loss."""
        return self.minimizer.loss - self.penalty

    @property
    def penalty(self) -> float:
        """The price of the weights."""
        return self.minimizer.objective.penalty(self.minimizer.theta)

    @property
    def network(self) -> HomogeneousNetwork:
        """The network as it stands; it may share its weights with the minimizer."""
        return self.minimizer.objective.network(self.minimizer.theta)

    @property
    def budget(self) -> int:
        """At how many steps it ends."""
        most = self._most_steps
        return self.budget_from + self.minimizer.budget if most is None else most

    @property
    def _most_steps(self) -> int | None:
        own, begin = self.means.max_steps, self.budget_from if self.means.renewed else 0
        return None if own is None else begin + own

    @property
    def own_budget(self) -> int:
        """How many steps the minimizer at work gets."""
        return self.budget - self.budget_from

    def advance(self) -> None:
        """A batch of steps; sets :attr:`stopped` when there is a reason to."""
        minimizer, budget, before = self.minimizer, self.budget, self.minimizer.steps
        minimizer.advance(max(min(steps_of_a_quantum(minimizer), budget - self.steps), 0))
        self.steps += minimizer.steps - before
        if minimizer.finished == TARGET_MET:
            self.stopped = TARGET_MET
        elif minimizer.finished is not None:
            names = self.means.names(minimizer.objective)
            later = names[names.index(minimizer.name) + 1 :] if minimizer.name in names else ()
            if later:
                self._change_to(later[0])
            else:
                self.stopped = self._reason(minimizer.finished)
        elif self.steps >= budget:
            self.stopped = f"step budget of {budget:,} used up"
        if self.stopped is not None and self.means.method == "fast":
            minimizer.settle()

    def change(self, means: Means) -> None:
        """Go on by other means, or by the same anew."""
        name = means.names(self.minimizer.objective)[0]
        require_fit(name, self.minimizer.objective.size)
        self.means = means
        self._change_to(name)
        self.stopped = None

    def end(self, reason: str) -> None:
        """Stop for a reason of somebody else's, where it is, or at the lowest point seen if that is to be kept."""
        self.stopped = reason
        self.minimizer.measure()
        if self.means.method == "fast" and self.minimizer.lowest_loss < self.minimizer.loss:
            self.minimizer.settle()

    def replace(self, network: HomogeneousNetwork) -> None:
        """Let another network stand here."""
        objective = Objective(self._problem, network, self.means.weight_decay)
        self.minimizer = self._made(self.minimizer.name, objective, objective.initial)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, given the problem, a network of the same shape and the means."""
        own = {"steps": self.steps, "stopped": self.stopped, "budget_from": self.budget_from}
        return {**own, "minimizer": self.minimizer.state()}

    def restore(self, name: str, state: dict[str, Any]) -> None:
        """Go back to where ``state``, called ``name`` in errors, was taken."""
        kind = _minimizer_of(name, state)
        arguments.whole(f"{name}['budget_from']", state["budget_from"], 0, state["steps"])
        self.steps, self.stopped, self.budget_from = state["steps"], state["stopped"], state["budget_from"]
        objective = self.minimizer.objective
        self.minimizer = self._made(kind, objective, objective.initial)
        self.minimizer.restore(state["minimizer"])

    def _change_to(self, name: str) -> None:
        old = self.minimizer
        old.measure()
        theta = old.lowest_theta if self.means.method == "fast" else old.theta
        self.budget_from = self.steps
        self.minimizer = self._made(name, old.objective, theta)

    def _made(self, name: str, objective: Objective, theta: Tensor) -> Minimizer:
        means, most = self.means, self._most_steps
        minimizer = make_minimizer(
            name,
            objective,
            theta,
            means.learning_rate,
            brief=means.minimizer == "auto",
            batch_size=means.batch_size,
            duration=None if most is None else max(most - self.steps, 1),
            seed=means.seed,
        )
        if means.weight_decay == 0:  # else what it minimizes is another number
            minimizer.target_loss = means.target_loss
        return minimizer

    def _reason(self, reason: str) -> str:
        """Why the minimizer has ended, in words that hold for the network that is kept."""
        minimizer = self.minimizer
        rate = minimizer.learning_rate
        if rate is None:
            return reason
        too_large = f"the step of {rate:.3g} is too large for these data"
        layer = _silent_layer(self.network, self._problem)
        if layer is not None and self.steps > 0:
            reason = f"{DIVERGED}: {too_large} (all neurons of layer {layer} silent after step {self.steps:,})"
        elif reason.startswith(DIVERGED):
            reason = f"{reason}; {too_large}"
        if self.means.method == "fast" and minimizer.lowest_loss < minimizer.loss:
            reason = f"{reason}; the lowest point before is kept"
        return reason


def _minimizer_of(name: str, state: dict[str, Any]) -> str:
    """What is at work in a saved state: means that have changed since it stopped may name another one."""
    states.require(name, state, _ENTRIES)
    return arguments.choice(f"{name}['minimizer']['name']", state["minimizer"].get("name"), stages())


def _silent_layer(network: HomogeneousNetwork, problem: Problem) -> int | None:
    """The first hidden layer whose neurons respond to no sample, so that no gradient comes through."""
    if network.leak != 0:
        return None
    for layer, hidden in enumerate(network.forward(problem.inputs).hidden[1:], start=1):
        if not bool(hidden.any()):
            return layer
    return None
