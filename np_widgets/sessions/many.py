"""Many pursuits at once: in batches that compute in lockstep, on several threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import torch
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning.ensemble.lockstep import Lockstep
from np_widgets.learning.ensemble.results import PursuitEnsemble, PursuitResult
from np_widgets.learning.growth import Finish
from np_widgets.learning.interruption import deferred_interrupt
from np_widgets.learning.pursuit import NeuronPursuit
from np_widgets.learning.settings import PursuitSettings
from np_widgets.learning.units import require_representable
from np_widgets.problems import Problem
from np_widgets.sessions.torch_threads import set_own_torch_threads

MOST_MEMBERS = 100_000
# So many fill the caches of a processor; more of them gain little, and keep other threads waiting.
_MEMBERS = 8
# Samples of all members together: it bounds the memory of a batch, and large problems gain nothing from batches.
_SAMPLES, _SAMPLES_ON_GPU = 2**14, 2**20
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
    """Neuron Pursuit on many problems, or from many seeds, several times as fast as one after the other.

    It is for error bars, sweeps and classrooms. The method is ``"fast"`` of
    :class:`~np_widgets.learning.pursuit.NeuronPursuit`, with the arithmetic of many pursuits as one batch: networks of
    different widths are padded with zeros, and pursuits that have come to their ends leave the batch. A pursuit of
    an ensemble begins its searches with the same random starts as one on its own, and minimizes less exactly until the
    last network is near; so the networks are as good, but not the same. Problems of more than 16,384 samples, which
    fill a processor alone (on a GPU 2^20), and those with a price on weights are pursued as by
    :class:`~np_widgets.learning.pursuit.NeuronPursuit`.

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
        As in :class:`~np_widgets.learning.pursuit.NeuronPursuit`.
    longest_path, weight_decay
        As there.
    threads
        How many threads compute, each a batch of eight pursuits or, of more than 2,048 samples, fewer; torch's own
        number if None. It does not change the results. A GPU takes batches as large as fit, one after the other.
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
    problems, seeds = _members(problems_or_seeds, problem, arguments.seed(seed))
    settings = PursuitSettings(
        hidden_layers=hidden_layers,
        power=power,
        leak=leak,
        starts=starts,
        target_loss=target_loss,
        max_additions=max_additions,
        value_tolerance=value_tolerance,
        longest_path=longest_path,
        weight_decay=weight_decay,
    )
    threads = torch.get_num_threads() if threads is None else arguments.whole("threads", threads, 1)
    progress = arguments.flag("progress", progress)
    moved = _moved(problems, device, dtype)
    for each in {id(each): each for each in moved}.values():
        require_representable(each, settings.power, settings.hidden_layers)
    results: list[PursuitResult | None] = [None] * len(moved)
    batches = _batches(moved)
    on_gpu = moved[0].device.type != "cpu"
    stop = threading.Event()
    bar = tqdm(total=len(moved), desc="pursuits", disable=not progress)

    def run_alone(index: int) -> None:
        pursuit = NeuronPursuit(moved[index], **vars(replace(settings, seed=seeds[index])))
        while pursuit.finished is None and not stop.is_set():
            pursuit.advance()
        finished = pursuit.finished or _INTERRUPTED
        results[index] = PursuitResult(pursuit.problem, seeds[index], pursuit.network, tuple(pursuit.growth), finished)

    def run(batch: Sequence[int]) -> None:
        if settings.weight_decay > 0 or moved[batch[0]].samples > _most_samples(moved[batch[0]]):
            for index in batch:
                run_alone(index)
            return
        with torch.no_grad():
            lockstep = Lockstep([moved[index] for index in batch], [seeds[index] for index in batch], settings)
            while not lockstep.finished and not stop.is_set():
                lockstep.advance()
        for index, member in zip(batch, lockstep.members, strict=True):
            finished = member.finished or _INTERRUPTED
            results[index] = PursuitResult(member.problem, member.seed, member.network, tuple(member.growth), finished)

    workers = 1 if on_gpu else min(threads, len(batches))
    with (
        bar,
        deferred_interrupt() as interrupted,
        ThreadPoolExecutor(workers, "pursue_many", set_own_torch_threads, (1,)) as pool,
    ):
        waiting = {pool.submit(run, batch): len(batch) for batch in batches}
        try:
            while waiting:
                for future in wait(waiting, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done:
                    bar.update(waiting.pop(future))
                    if not future.cancelled():
                        future.result()
                if interrupted() and not stop.is_set():
                    stop.set()
                    for future in waiting:
                        future.cancel()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    return PursuitEnsemble(
        tuple(
            result or PursuitResult(each, own, None, (), _INTERRUPTED)
            for result, each, own in zip(results, moved, seeds, strict=True)
        )
    )


_INTERRUPTED = Finish("interrupted", "Interrupted.")


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


def _most_samples(problem: Problem) -> int:
    """Of all members of a batch together; what has more is a pursuit on its own."""
    return _SAMPLES if problem.device.type == "cpu" else _SAMPLES_ON_GPU


def _batches(problems: Sequence[Problem]) -> list[list[int]]:
    """The indices of problems of one shape, as many as go into a batch. How many threads there are does not matter."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, each in enumerate(problems):
        shape = (each.samples, each.input_size, each.output_size, each.loss.name, each.dtype)
        groups.setdefault(shape, []).append(index)
    batches = []
    for indices in groups.values():
        first = problems[indices[0]]
        size = max(1, _most_samples(first) // first.samples)
        if first.device.type == "cpu":
            size = min(size, _MEMBERS)
        batches += [indices[begin : begin + size] for begin in range(0, len(indices), size)]
    return batches
