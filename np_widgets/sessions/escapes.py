"""Many flows from the same saddle, each from its own random start, on any executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial

import numpy as np
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.saddles.ensemble import Escape, EscapeEnsemble, Escapes
from np_widgets.learning.saddles.minimum import reporting
from np_widgets.learning.saddles.settings import SaddleSettings, everywhere
from np_widgets.problems import Problem
from np_widgets.sessions.batches import Batches, Client, checked_executor, without_truth
from np_widgets.sessions.checkpoint import Checkpoint
from np_widgets.sessions.many import MOST_MEMBERS
from np_widgets.sessions.storage import fingerprint


def escape_ensemble(
    network: HomogeneousNetwork,
    problem: Problem,
    dormant: int | tuple[int, ...] = 10,
    scale: float = 1e-3,
    seed: int = 0,
    *,
    members: int = 100,
    until: float | None = None,
    starts: int = 100,
    polish: bool = False,
    weight_decay: float = 0.0,
    executor: Executor | Client | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> EscapeEnsemble:
    """Follow gradient flow from many random starts near one saddle, up to each one's escape.

    Parameters
    ----------
    network, problem, dormant, scale, starts, polish, weight_decay
        As for :class:`~np_widgets.learning.saddles.flow.SaddleFlow`.
    seed
        The i-th start has the seed ``seed + i``; the search for KKT points has ``seed``.
    members
        How many starts.
    until
        When to give up; None for ten times the escape time that is predicted for the first start.
    executor, checkpoint
        As for :func:`~np_widgets.sessions.many.pursue_many`: who computes, batch by batch, and a folder to go on from.
        The results are the same bits whoever computes.
    progress
        Show a progress bar of the check of the minimum, then of how many flows are done.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, the network is not at a minimum, or no escape from it is predicted.
    FileError, RuntimeError
        As for :func:`~np_widgets.sessions.many.pursue_many`.
    KeyboardInterrupt
        After Ctrl-C; with a checkpoint the next call goes on.
    """
    members = arguments.whole("members", members, 1, MOST_MEMBERS)
    progress = arguments.flag("progress", progress)
    if until is not None:
        until = arguments.real("until", until, above=0)
    if not isinstance(network, HomogeneousNetwork):
        raise TypeError(f"network must be a HomogeneousNetwork, got {type(network).__name__}")
    polish = arguments.flag("polish", polish)
    executor = checked_executor(executor)
    settings = SaddleSettings(
        everywhere(dormant, network.hidden_layers), scale, seed, starts=starts, weight_decay=weight_decay
    )
    kept = Checkpoint(checkpoint, "escapes")
    with reporting(progress) as report:
        escapes = Escapes.near(network, problem, settings, until, polish, report)
    batches = escapes.batches(members)
    key = fingerprint((escapes.network, escapes.problem, settings, escapes.until)) if checkpoint is not None else ""
    found: dict[int, tuple[Escape, ...]] = {}
    for number, batch in enumerate(batches):
        if (before := kept.found.get(f"{key} {batch}")) is not None:
            states.require("outcomes of the checkpoint", before, tuple[tuple[float, int, int, int, float], ...])
            found[number] = before
    left = [number for number in range(len(batches)) if number not in found]
    done = sum(len(batches[number]) for number in found)
    with tqdm(total=members, initial=done, disable=not progress, desc="escaped") as bar:

        def come(index: int, escaped: tuple[Escape, ...] | None) -> None:
            if escaped is not None:
                found[left[index]] = escaped
                kept.keep({f"{key} {batches[left[index]]}": escaped})
                bar.update(len(escaped))

        sent = replace(escapes, problem=without_truth(escapes.problem))
        Batches(partial(_follow, sent), executor).run([batches[number] for number in left], come)
    if len(found) < len(batches):
        raise KeyboardInterrupt
    outcomes = [each for number in range(len(batches)) for each in found[number]]
    times, layers, neurons, destinations, cosines = zip(*outcomes, strict=True)
    return EscapeEnsemble(
        seeds=settings.seed + np.arange(members),
        escape_time=np.array(times, dtype=np.float64),
        layer=np.array(layers),
        neuron=np.array(neurons),
        destination=np.array(destinations),
        cosine=np.array(cosines, dtype=np.float64),
        destinations=escapes.destinations,
    )


def _follow(escapes: Escapes, seeds: Sequence[int], stopped: Callable[[], bool]) -> tuple[Escape, ...] | None:
    return escapes.escaped(seeds, stopped)
