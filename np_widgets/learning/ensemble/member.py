"""One pursuit of an ensemble."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from np_widgets import arguments
from np_widgets.learning.growth import Candidate, Finish, GrowthRecord, judged
from np_widgets.learning.minimizers.choice import STEP_BUDGETS, make_minimizer
from np_widgets.learning.minimizers.lbfgs import LBFGS
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.minimizer import TARGET_MET
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.learning.rules import ending, gradient_norm_at_end, limit, no_point, target_in_force
from np_widgets.learning.searching import NextNetwork, Searching, SearchOptions, families
from np_widgets.learning.settings import PursuitSettings
from np_widgets.learning.training import Training
from np_widgets.learning.units import Units
from np_widgets.problems import Problem

_USELESS_DECREASE = 1e-6
# On kinks L-BFGS gets to where Levenberg–Marquardt can go on, but takes its time to come to an end.
_SETTLING = ((LBFGS.name, 500), (LevenbergMarquardt.name, STEP_BUDGETS[LevenbergMarquardt.name]))


class Member:
    """One pursuit of an ensemble, and what it does on its own.

    Parameters
    ----------
    problem
        What is learned.
    seed
        Of its searches: the k-th uses ``seed + k``, as that of a pursuit on its own does.
    settings
        Of all pursuits.

    Attributes
    ----------
    units
        In which the batch computes.
    network, loss
        In the problem's units; None and infinite at first.
    growth, finished, target_loss
        As in :class:`~np_widgets.learning.pursuit.NeuronPursuit`.
    """

    def __init__(self, problem: Problem, seed: int, settings: PursuitSettings) -> None:
        self.problem, self.seed, self._settings = problem, seed, settings
        degree = sum(settings.power**layer for layer in range(settings.hidden_layers + 1))
        self.units = Units(problem.inputs, problem.targets, degree)
        self.network: HomogeneousNetwork | None = None
        self.loss = math.inf
        self.growth: list[GrowthRecord] = []
        self.finished: Finish | None = None
        self._maxima: tuple[float | None, ...] | None = None
        self._candidates: tuple[Candidate, ...] = ()
        self._taken: int | None = None
        self._steps = 0
        self.target_loss = target_in_force(problem, settings.target_loss)

    @property
    def next_seed(self) -> int:
        """Of the next search."""
        return (self.seed + len(self.growth)) % (arguments.LARGEST_SEED + 1)

    def found(self, candidates: tuple[Candidate, ...], maxima: tuple[float | None, ...] | None) -> None:
        """Keep what a search found, for the record of the network to come."""
        self._candidates, self._taken, self._maxima = candidates, None, maxima

    def took(self, taken: int, looked_at: Mapping[int, tuple[float, float]]) -> None:
        """Keep which candidate was taken, and where a look-ahead left those that it tried."""
        self._candidates, self._taken = judged(self._candidates, looked_at), taken

    def trained(
        self,
        network: HomogeneousNetwork,
        layer: int,
        last: int,
        value: float,
        steps: int,
        stopped: str | None = None,
        *,
        silent: bool = False,
    ) -> None:
        """Go on with a network that has been trained, and decide whether that was the last one."""
        problem, settings = self.problem, self._settings
        self.network = network
        loss = self.loss_of(network)
        # A silent neuron changes nothing but, perhaps, the last digits.
        self.loss = min(loss, self.loss) if silent else loss
        is_met = self.loss <= self.target_loss
        stopped = stopped or (TARGET_MET if is_met else "no further decrease")
        test_loss = None
        if problem.test_inputs is not None and problem.test_targets is not None:
            output = network.forward(problem.test_inputs).output
            test_loss = float(problem.loss.value(output, problem.test_targets))
        self.growth.append(
            GrowthRecord(
                widths=network.widths,
                layer=layer,
                last=last,
                value=value,
                candidates=self._candidates,
                loss=self.loss,
                test_loss=test_loss,
                first_step=self._steps,
                steps=steps,
                stopped=stopped,
                taken=self._taken,
            )
        )
        self._steps += steps
        self._maxima = None  # those of the network before
        if finish := ending(problem, settings, self.growth, self.target_loss):
            self._finish(finish)
        elif len(self.growth) > settings.max_additions:
            self._finish(limit(problem, self.growth))

    def loss_of(self, network: HomogeneousNetwork) -> float:
        """The training loss of a network."""
        return float(self.problem.loss.value(network.forward(self.problem.inputs).output, self.problem.targets))

    def settled(self, network: HomogeneousNetwork) -> tuple[HomogeneousNetwork, int]:
        """The network in a minimum near by, and how many steps led there."""
        steps = 0
        for name, budget in _SETTLING:
            objective = Objective(self.problem, network)
            if name == LevenbergMarquardt.name and not LevenbergMarquardt.suits(self.problem, objective.size):
                continue
            minimizer = make_minimizer(name, objective, objective.initial, None, brief=True)
            minimizer.target_loss = self.target_loss
            minimizer.advance(budget)
            minimizer.settle()
            network, steps = objective.network(minimizer.theta), steps + minimizer.steps
            if minimizer.loss <= self.target_loss:
                break
        return network, steps

    def go_on_alone(self) -> None:
        """The next network as a pursuit on its own finds it, where the batch has found nothing of use."""
        wanted = [((1, self._settings.hidden_layers),)] if self.network is None else families(self._settings)
        for paths in wanted:
            options: SearchOptions | None = (paths, False, False)
            while options is not None:
                search = Searching(self.problem, self._settings, self.network, options[0], self.next_seed, *options[1:])
                while not search.finished:
                    search.advance()
                found = search.outcome()
                self.found(search.candidates, search.maxima)
                options = search.way_on(found)
                if found and options is None and self._train(found):
                    return
                if found and options is None:
                    options = search.way_on(())
        self._finish(no_point(self.problem, self._settings, self.growth, () if self.network is None else wanted[0]))

    def _train(self, found: list[NextNetwork]) -> bool:
        """Whether a network was of use."""
        training = Training(self.problem, self._settings, found, self.next_seed, ceiling=self.loss)
        while training.stopped is None:
            training.advance(self._settings)
        start = training.start
        if start.silent and training.loss >= self.loss * (1 - _USELESS_DECREASE):
            return False
        self.took(start.candidate, training.looked_at)
        self.trained(
            training.network.copy(),
            start.layer,
            start.last,
            start.value,
            training.steps,
            training.stopped,
            silent=start.silent,
        )
        return True

    def _finish(self, finish: Finish) -> None:
        norm = None
        if self.network is not None:
            objective = Objective(self.problem, self.network)
            norm = gradient_norm_at_end(finish.kind, objective, objective.initial)
        self.finished = replace(finish, layer_maxima=self._maxima, gradient_norm=norm)
