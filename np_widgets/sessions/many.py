"""Many pursuits at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import torch
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning.interruption import deferred_interrupt
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.ensemble import PursuitEnsemble, PursuitResult, pursue_together
from np_widgets.learning.pursuit.rules import interrupted
from np_widgets.learning.pursuit.settings import PursuitSettings, given
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem
from np_widgets.sessions.torch_threads import set_own_torch_threads

MOST_MEMBERS = 100_000
# Samples of all members of a batch together: more of them gain little, and a processor's caches hold no more.
_SAMPLES, _SAMPLES_ON_GPU = 2**14, 2**20
# Members of one thread, and samples of these: look-aheads that wait for each other take memory.
_MOST_WAITING, _SAMPLES_WAITING = 32, 2**18
_SECONDS_BETWEEN_LOOKS = 0.1


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
    starts: int = 50,
    target_loss: float | None = None,
    max_additions: int = 20,
    value_tolerance: float = 1e-7,
    longest_path: int | None = None,
    weight_decay: float = 0.0,
    threads: int | None = None,
    progress: bool = False,
) -> PursuitEnsemble:
    """Neuron Pursuit on many problems, or from many seeds, faster than one after the other.

    It is for error bars, sweeps and classrooms. Each pursuit is that of
    :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit` with the same settings and seed, on a CPU to the bit,
    whatever others there are, in whatever order and on however many threads: one of them can be looked at alone. What
    they share is the arithmetic of their look-aheads, as batches.

    Parameters
    ----------
    problems_or_seeds
        The problems, one for each pursuit, which all use ``seed``; or whole numbers, one seed for each pursuit of
        ``problem``.
    problem
        What is learned, if seeds are given.
    seed
        Of all pursuits, if problems are given.
    hidden_layers, power, leak, device, dtype, starts, target_loss, max_additions, value_tolerance
        As in :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit`.
    longest_path, weight_decay
        As there.
    threads
        How many threads compute, each some of the pursuits; one if None, and on a GPU. It does not change the results.
        More are of use for large problems only: with small ones Python itself is the limit.
    progress
        Show a text progress bar.

    Returns
    -------
    PursuitEnsemble
        The results in the order of the first argument. After Ctrl-C those that were under way are as far as they have
        come, and the others have no network.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range; the message names it.
    """
    settings = PursuitSettings(**given(locals()))
    problems, seeds = _members(problems_or_seeds, problem, settings.seed)
    threads = 1 if threads is None else arguments.whole("threads", threads, 1)
    progress = arguments.flag("progress", progress)
    moved = _moved(problems, device, dtype)
    for each in {id(each): each for each in moved}.values():
        require_representable(each, settings.power, settings.hidden_layers)
    results: list[PursuitResult | None] = [None] * len(moved)
    workers = 1 if moved[0].device.type != "cpu" else threads
    pools = _pools(moved, workers)
    stop = threading.Event()
    bar = tqdm(total=len(moved), desc="pursuits", disable=not progress)

    def run(pool: Sequence[int]) -> None:
        pursuits = [NeuronPursuit(moved[index], **vars(replace(settings, seed=seeds[index]))) for index in pool]
        pursue_together(pursuits, _most_together(moved[pool[0]]), stop.is_set)
        for index, pursuit in zip(pool, pursuits, strict=True):
            if pursuit.finished is None:
                pursuit.cut_short()
            assert pursuit.finished is not None
            results[index] = PursuitResult(
                pursuit.problem, seeds[index], pursuit.network, tuple(pursuit.growth), pursuit.finished
            )

    with (
        bar,
        deferred_interrupt() as is_interrupted,
        ThreadPoolExecutor(min(workers, len(pools)), "pursue_many", set_own_torch_threads, (1,)) as executor,
    ):
        waiting = {executor.submit(run, pool): len(pool) for pool in pools}
        try:
            while waiting:
                for future in wait(waiting, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done:
                    bar.update(waiting.pop(future))
                    if not future.cancelled():
                        future.result()
                if is_interrupted() and not stop.is_set():
                    stop.set()
                    for future in waiting:
                        future.cancel()
        finally:
            stop.set()
            executor.shutdown(cancel_futures=True)
    return PursuitEnsemble(
        tuple(
            result or PursuitResult(each, own, None, (), interrupted())
            for result, each, own in zip(results, moved, seeds, strict=True)
        )
    )


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


def _most_together(problem: Problem) -> int:
    """Of how many pursuits look-aheads are one batch."""
    most = _SAMPLES if problem.device.type == "cpu" else _SAMPLES_ON_GPU
    return max(1, most // problem.samples)


def _pools(problems: Sequence[Problem], threads: int) -> list[range]:
    """The indices of those that one thread pursues together."""
    most = _SAMPLES_WAITING // max(problem.samples for problem in problems)
    each = max(1, min(_MOST_WAITING, most, -(-len(problems) // threads)))
    return [range(begin, min(begin + each, len(problems))) for begin in range(0, len(problems), each)]
