"""The loop of Neuron Pursuit: search for the next network, train it, decide what comes next."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, get_type_hints

from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.correlation.paths import Path
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit import rules
from np_widgets.learning.pursuit.chosen import Own, network_of, own_neuron, point_of
from np_widgets.learning.pursuit.growth import Candidate, Finish, GrowthRecord, judged
from np_widgets.learning.pursuit.next_network import NextNetwork
from np_widgets.learning.pursuit.searching import Maxima, Searching, families, joined
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.pursuit.training import Training
from np_widgets.learning.pursuit.validation import best_validated, validated
from np_widgets.learning.trace import Trace
from np_widgets.problems import Problem


class Now(NamedTuple):
    """Where a pursuit stands, beside the search or the training that is under way."""

    additions_left: int
    finished: Finish | None = None
    requests: tuple[tuple[Path, ...], ...] = ()  # paths of each addition asked for and not yet trained, in turn
    exhausted: tuple[Path, ...] = ()  # of which a search from the current network found none of use
    growth: tuple[GrowthRecord, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    taken: int | None = None  # which of them, if that is decided
    maxima: Maxima = None  # of the current network, as far as its layers have been searched
    largest_value: float = 0.0  # of the NCF, that the last search that came to its end has found
    rises_seen: int = 0  # how many networks there were when the user went on after a rise, or the end of patience
    best: tuple[Tensor, ...] = ()  # the weights of the network that did best on the validation set
    own: Own | None = None  # the neuron that the first request is for, where that is the user's


_THREE = tuple[dict[str, Any] | None, dict[str, Any] | None, dict[str, Any] | None]
_ENTRIES = get_type_hints(Now) | {
    "problem": states.Fingerprint,
    "settings": dict[str, Any],
    "largest_value": states.finite_number,
    "rises_seen": states.whole,
    "own": tuple[int, Tensor, Tensor] | None,
    "trace": dict[str, Any],
    "trainings": _THREE,
    "searching": tuple[int, tuple[tuple[int, int], ...], bool, bool] | None,
}


class Loop:
    """Searches and trainings in turn, until there is a reason to stop.

    It begins with the search at the origin, or by training a network that is given. What comes next never depends on
    how the way there was cut into calls of :meth:`advance`.
    """

    def __init__(self, problem: Problem, settings: PursuitSettings, network: HomogeneousNetwork | None = None) -> None:
        self.problem, self.settings = problem, settings
        self.target_loss = rules.target_in_force(problem, settings.target_loss)
        self.now = Now(settings.max_additions)
        self.trace = Trace()
        self.searching: Searching | None = None
        self.training: Training | None = None
        self.previous: Training | None = None  # of the network before, kept if a rise of the test loss is to be undone
        self.aside: Training | None = None  # of the network with which it rose
        if network is not None:
            start = NextNetwork(network.copy(), added=(), layer=0, last=0, value=0.0)
            self.training = Training(problem, settings, [start], self._seed)

    @property
    def is_training(self) -> bool:
        """Whether the current network is still being trained."""
        return self.training is not None and self.training.stopped is None

    @property
    def iteration(self) -> int:
        """Which network the current one is, counted from 1; 0 before the first."""
        return len(self.now.growth) + self.is_training - (self.aside is not None)

    @property
    def total_steps(self) -> int:
        """Minimizer steps of all networks together."""
        under_way = self.training.steps if self.training is not None and self.is_training else 0
        return sum(record.steps for record in self.now.growth) + under_way

    def advance(self) -> None:
        """A batch of minimizer steps, or some sweeps of a search."""
        if self.searching is not None:
            self._advance_search(self.searching)
        elif self.training is not None:
            self._advance_training(self.training)
        else:
            self.searching = self._search(((1, self.settings.hidden_layers),))

    def go_on(self, additions: int | None = None) -> None:
        """Take up again what an end has cut short, as far as what may be added now allows."""
        if self.now.finished is not None and self.now.finished.kind == "validation":
            self._note(rises_seen=len(self.now.growth))
        self._note(finished=None, additions_left=self.now.additions_left if additions is None else additions)
        if self.aside is not None:
            self.training, self.aside = self.aside, None
            self._note(rises_seen=len(self.now.growth))
        if self.searching is not None and not self.searching.at_origin:
            if not self.now.requests and self.now.additions_left <= 0:
                self._finish(rules.limit(self.problem, self.now.growth))
        elif self.searching is None and not self.is_training and (self.training is not None or self.now.exhausted):
            self._decide()

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What the last search found, or has found so far, with what the look-ahead knows of it by now."""
        if self.searching is not None:
            return self.searching.candidates
        training = self.training
        if training is None or not training.looks_ahead:
            return self.now.candidates
        return judged(self.now.candidates, training.looked_at)

    def ask_for(self, paths: tuple[Path, ...] | None, own: Own | None = None) -> None:
        """Add the best of these paths now, or after what was asked for before; None for what is due anyway.

        A neuron of the user's own is added after a search for the best single ones, to be compared with those.
        """
        searching, waiting = self.searching, bool(self.now.requests)
        adopted = None if waiting or searching is None or searching.at_origin else searching
        due = families(self.settings)
        if own is not None:
            paths = due[0]
        elif paths is None:
            paths = adopted.paths if adopted is not None and adopted.paths in due else due[0]
        if not waiting and (adopted is None or adopted.paths != paths):
            if self.training is not None and self.is_training:
                self.end_training("a neuron was asked for")
                own = own and own.without(self.training.removed)
            self.searching = self._search(paths)
        self.aside = None
        self._note(
            requests=(*self.now.requests, paths),
            rises_seen=len(self.now.growth),
            additions_left=max(self.now.additions_left - 1, 0),
            finished=None,
            own=own or self.now.own,
        )

    def take(self, index: int) -> None:
        """Add this candidate to the network that was searched, in the place of the one that came from that search."""
        settings, search, training, now = self.settings, self.searching, self.training, self.now
        candidates = self.candidates
        chosen = candidates[index]
        replaced = None
        if search is None and training is not None and (now.taken is not None or training.looks_ahead):
            replaced = self.aside or training
            if replaced.stopped is not None:
                self._note(growth=now.growth[:-1])
        if search is None:
            network = network_of(chosen, self.problem, settings.power, settings.leak)
            paths = ((max(chosen.layer, 1), chosen.last),)
            search = Searching(self.problem, settings, network, paths, self._seed)
        found = search.grown(point_of(chosen, self.problem, settings.power), index)
        ceiling = replaced.ceiling if replaced is not None else self._ceiling
        if replaced is None:
            self.previous = training if settings.stop_when_test_rises else None
        counted = replaced is not None or bool(now.requests) or search.at_origin
        self._note(
            candidates=candidates,
            requests=now.requests or (search.paths,),
            additions_left=now.additions_left if counted else max(now.additions_left - 1, 0),
            rises_seen=len(self.now.growth),
            finished=None,
        )
        self.aside = None
        if replaced is not None:
            self.trace.back_to(sum(record.steps for record in self.now.growth))
        self._train([found], ceiling)

    def cut_short(self) -> None:
        """End here, with the network as it stands on the record."""
        self.end_training("interrupted")
        self.searching = None
        self._note(requests=(), own=None)
        self.interrupt()

    def interrupt(self) -> None:
        """Stop where it is."""
        self._finish(rules.interrupted())

    def end_training(self, reason: str) -> None:
        """End the training under way, if there is one, for a reason of somebody else's."""
        if self.training is not None and self.is_training:
            self.training.end(reason)
            self._follow(self.training)
            self._record(self.training)

    def set_minimizer(self, settings: PursuitSettings) -> None:
        """Go on with the minimizer of these settings."""
        if self.training is not None and self.is_training:
            self.training.change_minimizer(settings)
        self.settings = settings

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here, but for the problem."""
        trainings = self.training, self.previous, self.aside
        return {
            **self.now._asdict(),
            "settings": dict(vars(self.settings)),
            "trace": self.trace.state(),
            "trainings": tuple(None if each is None else each.state() for each in trainings),
            "searching": None if self.searching is None else self.searching.state(),
        }

    @classmethod
    def restored(cls, problem: Problem, state: dict[str, Any], before: Loop | None = None) -> Loop:
        """The loop as it was when ``state`` was taken; what ``before`` has searched is not searched again."""
        states.require("state", state, _ENTRIES)
        states.require_fingerprint(state["problem"], problem)
        states.require("state['settings']", state["settings"], dict.fromkeys(vars(PursuitSettings()), Any))
        if state["taken"] is not None:
            arguments.whole("state['taken']", state["taken"], 0, len(state["candidates"]) - 1)
        loop = cls(problem, PursuitSettings(**state["settings"]))
        loop.now = Now(**{name: state[name] for name in Now._fields})
        loop.trace.restore(state["trace"])
        loop.training, loop.previous, loop.aside = (
            None if saved is None else Training.restored(problem, loop.settings, saved) for saved in state["trainings"]
        )
        if state["own"] is not None:
            if loop.training is None or state["searching"] is None:
                raise ValueError("state['own'] must be None where no neuron is searched for")
            loop._note(own=own_neuron(loop.training.network, problem, *state["own"]))
        if state["searching"] is not None:
            loop.searching = loop._restored_search(state["searching"], None if before is None else before.searching)
        return loop

    # inside

    @property
    def _seed(self) -> int:
        """Of the search that comes after so many networks, and of the look-ahead after it."""
        return (self.settings.seed + len(self.now.growth)) % (arguments.LARGEST_SEED + 1)

    def _note(self, **changes: Any) -> None:
        self.now = self.now._replace(**changes)

    def _search(self, paths: tuple[Path, ...], upper: bool = False, exact: bool = False) -> Searching:
        # A copy: a search outlives the working memory of the minimizer.
        network = None if self.training is None else self.training.network.copy()
        return Searching(self.problem, self.settings, network, paths, self._seed, upper, exact)

    def _restored_search(self, state: Any, beside: Searching | None) -> Searching:
        quanta, paths, *options = state
        layers = self.settings.hidden_layers
        for layer, last in paths:
            arguments.whole("state['searching'][1]", layer, 1, layers)
            arguments.whole("state['searching'][1]", last, layer, layers)
        if self.training is None and paths != ((1, layers),):
            raise ValueError("state['searching'] must be of the path through all layers before the first training")
        if self.is_training:
            raise ValueError("state['searching'] must be None while a training is under way")
        searching = self._search(paths, *options)
        searching.directions.catch_up(quanta, None if beside is None else beside.directions)
        if searching.directions.quanta != quanta:
            most = searching.directions.quanta
            raise ValueError(f"state['searching'][0] must be at most {most}, where this search ends, got {quanta}")
        return searching

    def _advance_search(self, search: Searching) -> None:
        search.advance()
        if not search.finished:
            return
        own, candidates = self.now.own, search.candidates
        if own is None:
            found = search.outcome()
            way_on = search.way_on(found)
        else:
            mine, point = search.own(own)
            candidates, way_on = (*candidates, mine), None
            found = [search.grown(point, len(candidates) - 1)]
        self._note(candidates=candidates, taken=None, maxima=joined(self.now.maxima, search.maxima))
        if way_on is not None:
            self.searching = self._search(*way_on)
            return
        self._note(largest_value=search.largest_value)
        if not found:
            self.searching = None
            self._nothing_found(search.paths)
            return
        spent, ceiling = not search.at_origin and not self.now.requests, self._ceiling
        self.previous = self.training if self.settings.stop_when_test_rises else None
        self._note(additions_left=self.now.additions_left - spent)
        self._train(found, ceiling)

    @property
    def _ceiling(self) -> float:
        """Above which the objective of the next network may not come to lie."""
        return math.inf if self.training is None else self.training.end_objective

    def _train(self, found: list[NextNetwork], ceiling: float) -> None:
        """Train the most promising of these networks."""
        self.training = Training(self.problem, self.settings, found, self._seed, ceiling=ceiling)
        self.searching = None
        self._note(exhausted=(), maxima=None, own=None)
        self._follow(self.training)
        self.trace.add(self.total_steps, self.training.loss, lasting=True)

    def _nothing_found(self, paths: tuple[Path, ...]) -> None:
        asked, requests = self.now.requests[:1], self.now.requests[1:]
        self._note(exhausted=self.now.exhausted + paths)
        if asked and asked[0] in families(self.settings) and (others := self._not_exhausted) is not None:
            requests = (others, *requests)
        self._note(requests=requests)
        if asked and not requests:
            self._finish(rules.no_point(self.problem, self.settings, self.now.growth, asked[0]))
        else:
            self._decide()

    def _advance_training(self, training: Training) -> None:
        looks_ahead = training.looks_ahead
        training.advance()
        if looks_ahead and not training.looks_ahead:
            self._follow(training)
        stopped = training.stopped is not None
        if stopped:
            self._record(training)
        self.trace.add(self.total_steps, training.loss, lasting=stopped)
        if stopped:
            self._note(requests=self.now.requests[1:])
            self._decide()

    def _follow(self, training: Training) -> None:
        """Keep what the look-ahead found out about the candidates; until it ends, frames ask it."""
        candidates = judged(self.now.candidates, training.looked_at)
        decided = bool(candidates) and not training.looks_ahead
        self._note(candidates=candidates, taken=training.start.candidate if decided else None)

    def _record(self, training: Training) -> None:
        assert training.stopped is not None
        growth, start = self.now.growth, training.start
        record = GrowthRecord(
            widths=training.network.widths,
            layer=start.layer,
            last=start.last,
            value=start.value,
            candidates=self.now.candidates,
            taken=self.now.taken,
            loss=training.end_loss,
            test_loss=training.test_loss,
            first_step=sum(record.steps for record in growth),
            steps=training.steps,
            stopped=training.stopped,
            removed=training.removed,
            validation=validated(self.problem, self.settings.score, training.network),
        )
        self._note(growth=(*growth, record))
        if best_validated(self.now.growth, self.settings.score) == len(growth):
            self._note(best=training.network.copy().weights)

    def _decide(self) -> None:
        """What comes next where nothing is under way."""
        problem, settings, growth = self.problem, self.settings, self.now.growth
        if self.now.requests:
            self.searching = self._search(self.now.requests[0])
        elif self.training is None:
            self._finish(rules.no_point(problem, settings, growth))
        elif finish := rules.ending(problem, settings, growth, self.target_loss, self.now.rises_seen):
            if finish.kind == "test_rising":
                self.training, self.aside = self.previous, self.training
            self._finish(finish)
        elif (search := self._next_search(self.training)) is None:
            self._finish(rules.no_point(problem, settings, growth, families(settings)[0]))
        elif self.now.additions_left <= 0:
            self._finish(rules.limit(problem, growth))
        else:
            self.searching = search

    @property
    def _not_exhausted(self) -> tuple[Path, ...] | None:
        """The paths to search next at the current network, if some are left."""
        wanted = families(self.settings)
        return next((paths for paths in wanted if not set(paths) <= set(self.now.exhausted)), None)

    def _next_search(self, training: Training) -> Searching | None:
        """For the network that has been trained; None if there is nothing left to find."""
        searched = training.start.searched
        if training.was_of_no_use and not set(searched) <= set(self.now.exhausted):
            # From the side of the kinks that the signals came from there is nothing to gain: perhaps from the other.
            way_on = self._search(searched).way_on(())
            if way_on is not None:
                return self._search(*way_on)
            self._note(exhausted=self.now.exhausted + searched)
        paths = self._not_exhausted
        return None if paths is None else self._search(paths)

    def _finish(self, finish: Finish) -> None:
        minimizer = None if self.training is None else self.training.minimizer
        told = rules.concluded(
            self.problem, self.settings, finish, minimizer, maxima=self.now.maxima, largest=self.now.largest_value
        )
        self._note(finished=told)
