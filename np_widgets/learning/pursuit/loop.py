"""The loop of Neuron Pursuit: search for the next network, train it, decide what comes next."""

from __future__ import annotations

import math
from typing import Any

from np_widgets import arguments
from np_widgets.learning.correlation.paths import Path
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit import rules
from np_widgets.learning.pursuit.candidate import Candidate, judged
from np_widgets.learning.pursuit.chosen import Own, network_of, point_of
from np_widgets.learning.pursuit.growth import Finish
from np_widgets.learning.pursuit.next_network import NextNetwork
from np_widgets.learning.pursuit.now import Now
from np_widgets.learning.pursuit.recording import recorded
from np_widgets.learning.pursuit.searching import Searching, families, joined
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.pursuit.training import Training
from np_widgets.learning.trace import Trace
from np_widgets.problems import Problem


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
            self.searching = self.search_for(((1, self.settings.hidden_layers),))

    def go_on(self, additions: int | None = None) -> None:
        """Take up again what an end has cut short, as far as what may be added now allows."""
        if self.now.finished is not None and self.now.finished.kind == "validation":
            self.note(rises_seen=len(self.now.growth))
        self.note(finished=None, additions_left=self.now.additions_left if additions is None else additions)
        if self.aside is not None:
            self.training, self.aside = self.aside, None
            self.note(rises_seen=len(self.now.growth))
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
        if training is None or training.look_ahead is None:
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
            self.searching = self.search_for(paths)
        self.aside = None
        self.note(
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
        if search is None and training is not None and (now.taken is not None or training.look_ahead is not None):
            replaced = self.aside or training
            if replaced.stopped is not None:
                self.note(growth=now.growth[:-1])
        if search is None:
            network = network_of(chosen, self.problem, settings.power, settings.leak)
            paths = ((max(chosen.layer, 1), chosen.last),)
            search = Searching(self.problem, settings, network, paths, self._seed)
        found = search.grown(point_of(chosen, self.problem, settings.power), index)
        ceiling = replaced.ceiling if replaced is not None else self._ceiling
        if replaced is None:
            self.previous = training if settings.stop_when_test_rises else None
        counted = replaced is not None or bool(now.requests) or search.at_origin
        self.note(
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
        self.note(requests=(), own=None)
        self.interrupt()

    def interrupt(self) -> None:
        """Stop where it is."""
        self._finish(rules.interrupted())

    def end_training(self, reason: str) -> None:
        """End the training under way, if there is one, for a reason of somebody else's."""
        if self.training is not None and self.is_training:
            self.training.end(reason)
            self._follow(self.training)
            self.now = recorded(self.now, self.training, self.problem, self.settings.score)

    def set_minimizer(self, settings: PursuitSettings) -> None:
        """Go on with the minimizer of these settings."""
        if self.training is not None and self.is_training:
            self.training.change_minimizer(settings)
        self.settings = settings

    @property
    def _seed(self) -> int:
        """Of the search that comes after so many networks, and of the look-ahead after it."""
        return (self.settings.seed + len(self.now.growth)) % (arguments.LARGEST_SEED + 1)

    def note(self, **changes: Any) -> None:
        """Change where it stands."""
        self.now = self.now._replace(**changes)

    def search_for(self, paths: tuple[Path, ...], upper: bool = False, exact: bool = False) -> Searching:
        """The search for these paths from the network as it stands."""
        # A copy: a search outlives the working memory of the minimizer.
        network = None if self.training is None else self.training.network.copy()
        return Searching(self.problem, self.settings, network, paths, self._seed, upper, exact)

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
        self.note(candidates=candidates, taken=None, maxima=joined(self.now.maxima, search.maxima))
        if way_on is not None:
            self.searching = self.search_for(*way_on)
            return
        self.note(largest_value=search.largest_value)
        if not found:
            self.searching = None
            self._nothing_found(search.paths)
            return
        spent, ceiling = not search.at_origin and not self.now.requests, self._ceiling
        self.previous = self.training if self.settings.stop_when_test_rises else None
        self.note(additions_left=self.now.additions_left - spent)
        self._train(found, ceiling)

    @property
    def _ceiling(self) -> float:
        """Above which the objective of the next network may not come to lie."""
        return math.inf if self.training is None else self.training.end_objective

    def _train(self, found: list[NextNetwork], ceiling: float) -> None:
        """Train the most promising of these networks."""
        self.training = Training(self.problem, self.settings, found, self._seed, ceiling=ceiling)
        self.searching = None
        self.note(exhausted=(), maxima=None, own=None)
        self._follow(self.training)
        self.trace.add(self.total_steps, self.training.loss, lasting=True)

    def _nothing_found(self, paths: tuple[Path, ...]) -> None:
        asked, requests = self.now.requests[:1], self.now.requests[1:]
        self.note(exhausted=self.now.exhausted + paths)
        if asked and asked[0] in families(self.settings) and (others := self._not_exhausted) is not None:
            requests = (others, *requests)
        self.note(requests=requests)
        if asked and not requests:
            self._finish(rules.no_point(self.problem, self.settings, self.now.growth, asked[0]))
        else:
            self._decide()

    def _advance_training(self, training: Training) -> None:
        looked_ahead = training.look_ahead is not None
        training.advance()
        if looked_ahead and training.look_ahead is None:
            self._follow(training)
        stopped = training.stopped is not None
        if stopped:
            self.now = recorded(self.now, training, self.problem, self.settings.score)
        self.trace.add(self.total_steps, training.loss, lasting=stopped)
        if stopped:
            self.note(requests=self.now.requests[1:])
            self._decide()

    def _follow(self, training: Training) -> None:
        """Keep what the look-ahead found out about the candidates; until it ends, frames ask it."""
        candidates = judged(self.now.candidates, training.looked_at)
        decided = bool(candidates) and training.look_ahead is None
        self.note(candidates=candidates, taken=training.start.candidate if decided else None)

    def _decide(self) -> None:
        """What comes next where nothing is under way."""
        problem, settings, growth = self.problem, self.settings, self.now.growth
        if self.now.requests:
            self.searching = self.search_for(self.now.requests[0])
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
            way_on = self.search_for(searched).way_on(())
            if way_on is not None:
                return self.search_for(*way_on)
            self.note(exhausted=self.now.exhausted + searched)
        paths = self._not_exhausted
        return None if paths is None else self.search_for(paths)

    def _finish(self, finish: Finish) -> None:
        minimizer = None if self.training is None else self.training.minimizer
        told = rules.concluded(
            self.problem, self.settings, finish, minimizer, maxima=self.now.maxima, largest=self.now.largest_value
        )
        self.note(finished=told)
