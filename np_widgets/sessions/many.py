"""Many pursuits, on any executor."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from numbers import Real
from time import perf_counter
from typing import Any

import torch
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.choice import MinimizerName
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.ensemble import PursuitEnsemble, PursuitResult, pursue_together
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord, PursuitFrame
from np_widgets.learning.pursuit.rules import interrupted
from np_widgets.learning.pursuit.settings import Method, PursuitSettings, given
from np_widgets.learning.pursuit.validation import Score
from np_widgets.problems import Problem
from np_widgets.sessions.batches import Batches, Client, checked_executor, parts, without_truth
from np_widgets.sessions.checkpoint import Checkpoint
from np_widgets.sessions.storage import fingerprint

MOST_MEMBERS = 100_000
# Samples of all members of a batch together: more of them gain little, and a processor's caches hold no more.
_SAMPLES, _SAMPLES_ON_GPU = 2**14, 2**20
# Members of one thread, and samples of these: look-aheads that wait for each other take memory.
_MOST_WAITING, _SAMPLES_WAITING = 32, 2**18

# The network, its growth, why it ended, seconds, and which record is the network's.
_Outcome = tuple[HomogeneousNetwork | None, tuple[GrowthRecord, ...], Finish, float, int]


def pursue_many(
    problems_or_seeds: Sequence[Problem] | Sequence[int],
    problem: Problem | None = None,
    *,
    seed: int = 0,
    hidden_layers: int = 2,
    power: int = 1,
    leak: float = 0.0,
    device: Any = "cpu",
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
    callback: Callable[[PursuitFrame], object] | None = None,
    executor: Executor | Client | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> PursuitEnsemble:
    """Neuron Pursuit on many problems, or from many seeds: for error bars, sweeps and classrooms.

    Each pursuit is that of :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit` with the same settings and seed,
    on a CPU to the bit, whatever others there are, in whatever order and on whatever executor: one of them can be
    looked at alone. What they share is the arithmetic of their look-aheads, as batches.

    Parameters
    ----------
    problems_or_seeds
        The problems, one for each pursuit, which all use ``seed``; or whole numbers, one seed for each pursuit of
        ``problem``.
    problem
        What is learned, if seeds are given.
    seed
        Of all pursuits, if problems are given.
    hidden_layers, power, leak, device, dtype, method, minimizer, learning_rate, batch_size, scale, starts
        As in :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit`.
    target_loss, max_steps, max_additions, value_tolerance, stop_when_test_rises, patience, score, longest_path
        As there.
    weight_decay, validation, network
        As there; a share for ``validation`` is chosen by each pursuit's seed. With a validation set the results are of
        the network that was best on it.
    callback
        Called with a frame of a pursuit after every quantum of its work, where it is computed; each pursuit has a
        ``copy.copy`` of it. Where it returns False, that pursuit ends as ``"interrupted"``.
    executor
        Who computes: any :class:`concurrent.futures.Executor` (of threads, of processes, loky's) or a
        ``dask.distributed.Client``; None for this process. It does not change the results, and is not shut down.
        What is sent to processes must be fit to be pickled; the ``truth`` of problems stays here. Batches of a few
        pursuits are the units of work. The batch of a worker that is lost is computed again, by new processes where
        that has broken the executor; after several losses without any progress that is an error.
    checkpoint
        A folder that keeps what has been finished; given again, with the same or with other executors, only the rest is
        computed. Nothing in its files is ever run. Not for a ``score`` or a loss of one's own, which are no data.
    threads
        Without an executor: how many threads compute, each some of the pursuits; one if None, and on a GPU. With small
        problems Python itself is the limit: use processes.
    progress
        Show a text progress bar.

    Returns
    -------
    PursuitEnsemble
        The results in the order of the first argument. After Ctrl-C those that were under way are as far as they have
        come, if they are computed in this process; others have no network.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; the message names it.
    FileError
        If there is a file in the checkpoint that is damaged, or none of this package's; a ``ValueError``.
    RuntimeError
        If the executor loses its workers again and again.
    """
    settings = PursuitSettings(**given(locals()))
    problems, seeds = _members(problems_or_seeds, problem, settings.seed)
    if threads is not None:
        threads = arguments.whole("threads", threads, 1)
        if executor is not None:
            raise ValueError(f"threads must be None with an executor, which has workers of its own, got {threads}")
    executor = checked_executor(executor)
    progress = arguments.flag("progress", progress)
    callback = arguments.callable_or_none("callback", callback, "called with a frame after every quantum")
    pair: Any = validation
    if pair is not None and not isinstance(pair, Real):
        apart = {id(each): each.with_validation(pair) for each in problems}
        problems, validation = [apart[id(each)] for each in problems], None
    moved = _moved(problems, device, dtype)
    shared = _Shared(validation, network, callback)
    for each in {id(each): each for each in moved}.values():
        shared.made(each, settings)  # refuses now what members would
    kept = Checkpoint(checkpoint, "pursuits")
    keys = _keys(moved, settings, seeds, shared) if checkpoint is not None else [""] * len(moved)
    results: list[PursuitResult | None] = [None] * len(moved)

    def take(index: int, outcome: _Outcome) -> None:
        results[index] = PursuitResult(moved[index], seeds[index], *outcome)

    for index, key in enumerate(keys):
        if key in kept.found:
            take(index, _checked_outcome(kept.found[key]))
    left = [index for index, result in enumerate(results) if result is None]
    threads = 1 if threads is None or moved[0].device.type != "cpu" else threads
    together = _parts(left, moved, threads, executor)
    bare = {id(each): without_truth(each) for each in moved}
    batches = [[(bare[id(moved[index])], replace(settings, seed=seeds[index])) for index in part] for part in together]
    with tqdm(total=len(moved), initial=len(moved) - len(left), desc="pursuits", disable=not progress) as bar:

        def come(number: int, outcomes: Sequence[_Outcome]) -> None:
            ended = dict(zip(together[number], outcomes, strict=True))
            kept.keep({keys[index]: each for index, each in ended.items() if each[2].kind != "interrupted"})
            for index, outcome in ended.items():
                take(index, outcome)
            bar.update(len(outcomes))

        Batches(shared.pursue, executor, threads).run(batches, come)
    return PursuitEnsemble(
        tuple(
            result or PursuitResult(each, own, None, (), interrupted())
            for result, each, own in zip(results, moved, seeds, strict=True)
        )
    )


@dataclass(frozen=True)
class _Shared:
    """What all pursuits have beside their problems and settings."""

    validation: Any
    network: HomogeneousNetwork | None
    callback: Callable[[PursuitFrame], object] | None

    def made(self, problem: Problem, settings: PursuitSettings) -> NeuronPursuit:
        """A pursuit."""
        more = {"device": problem.device, "validation": self.validation, "network": self.network}
        return NeuronPursuit(problem, **vars(settings), **more)

    def pursue(self, batch: Sequence[tuple[Problem, PursuitSettings]], stopped: Callable[[], bool]) -> list[_Outcome]:
        """What comes of pursuits that are computed together."""
        pursuits = [self.made(problem, own) for problem, own in batch]
        callbacks = [copy.copy(self.callback) for _ in pursuits]
        seconds = pursue_together(pursuits, most_together(batch[0][0]), stopped, callbacks, perf_counter)
        for pursuit in pursuits:
            if pursuit.finished is None:
                pursuit.cut_short()
        results = [PursuitResult.of(pursuit, spent) for pursuit, spent in zip(pursuits, seconds, strict=True)]
        return [(each.network, each.growth, each.finished, each.seconds, each.index) for each in results]


def _checked_outcome(outcome: Any) -> _Outcome:
    states.require(
        "an outcome of the checkpoint",
        outcome,
        tuple[HomogeneousNetwork | None, tuple[GrowthRecord, ...], Finish, float, int],
    )
    found: _Outcome = outcome
    return found


def _keys(problems: Sequence[Problem], settings: PursuitSettings, seeds: Sequence[int], shared: _Shared) -> list[str]:
    """What each pursuit is called in a checkpoint."""
    if callable(settings.score):
        raise ValueError("checkpoint must be None with a score of one's own: nobody can tell whether it is the same")
    try:
        data = {id(problem): fingerprint(problem) for problem in problems}
    except TypeError as error:
        raise ValueError(f"checkpoint must be None with this problem: {error}") from error
    more = fingerprint((shared.validation, shared.network))
    own = [repr(sorted(vars(replace(settings, seed=seed)).items())) for seed in seeds]
    texts = [f"{data[id(problem)]} {problem.device} {each} {more}" for problem, each in zip(problems, own, strict=True)]
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def _members(
    problems_or_seeds: Sequence[Problem] | Sequence[int], problem: Problem | None, seed: int
) -> tuple[list[Problem], list[int]]:
    wanted = "a list of problems, or of seeds together with one problem"
    if isinstance(problems_or_seeds, (str, bytes, Problem)) or not hasattr(problems_or_seeds, "__iter__"):
        raise TypeError(f"problems_or_seeds must be {wanted}, got {type(problems_or_seeds).__name__}")
    given = list(problems_or_seeds)
    if not 1 <= len(given) <= MOST_MEMBERS:
        raise ValueError(f"problems_or_seeds must have 1 to {MOST_MEMBERS:,} members, got {len(given)}")
    if problem is None:
        problems = [each for each in given if isinstance(each, Problem)]
        if len(problems) < len(given):
            other = next(each for each in given if not isinstance(each, Problem))
            raise TypeError(f"problems_or_seeds must be {wanted}, got {type(other).__name__} and no problem")
        return problems, [seed] * len(given)
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
    seeds = [
        arguments.whole(f"problems_or_seeds[{index}]", each, 0, arguments.LARGEST_SEED)
        for index, each in enumerate(given)
    ]
    return [problem] * len(given), seeds


def _moved(problems: Sequence[Problem], device: Any, dtype: torch.dtype | None) -> list[Problem]:
    """On the device and in the precision; a problem that occurs many times is moved once."""
    once = {id(problem): problem.to(device=device, dtype=dtype) for problem in problems}
    return [once[id(problem)] for problem in problems]


def most_together(problem: Problem) -> int:
    """Of how many pursuits look-aheads are one batch."""
    most = _SAMPLES if problem.device.type == "cpu" else _SAMPLES_ON_GPU
    return max(1, most // problem.samples)


def _parts(
    left: Sequence[int], problems: Sequence[Problem], threads: int, executor: Executor | Client | None
) -> list[Sequence[int]]:
    """The indices of those that are pursued together."""
    if not left:
        return []
    each = max(1, min(_MOST_WAITING, _SAMPLES_WAITING // max(problems[index].samples for index in left)))
    if executor is not None:
        return parts(left, executor, each)
    each = min(each, -(-len(left) // threads))
    return [left[begin : begin + each] for begin in range(0, len(left), each)]
