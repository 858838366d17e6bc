"""How soon Neuron Pursuit recovers the authors' example: against gromo, and against the paper written plainly.

Run it on a quiet machine from the root of the repository, with OMP_NUM_THREADS=1:
``python -m tests.benchmarks.bench_pursuit``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch

import np_widgets as npw
from np_widgets.problems import Problem, hypercube_error
from tests.benchmarks.peers import Recovery, gromo_pursuit, plain_pursuit
from tests.benchmarks.timing import spread, versions

Run = Callable[[Problem, int], Recovery]
"""Learns a problem, with a seed."""

_TARGET_ERROR = 1e-3
_MAX_ADDITIONS = 8
_LIMIT = 10.0
"""Seconds that count for a run that does not recover the function."""
_OURS = "np_widgets"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="of data sets")
    parser.add_argument("--plain", type=int, default=3, help="of them for the paper's algorithm, which takes minutes")
    parser.add_argument("--quick", action="store_true", help="a short run: 5 seeds, and the paper's algorithm left out")
    arguments = parser.parse_args()
    seeds, slow = (5, 0) if arguments.quick else (arguments.seeds, arguments.plain)
    torch.set_num_threads(1)
    print(versions())
    print(f"\nThe authors' example, 1000 samples: largest error over all 2^20 vertices below {_TARGET_ERROR:g}")
    print("\n| run | recovered | widths ≤ (4, 2) | ≤ 5 hidden neurons | seconds | seconds / ours |")
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    runs: dict[str, Run] = {_OURS: partial(_ours, "fast")}
    if find_spec("gromo") is not None:
        # The first was laid down before anything was timed, the second is the fastest found.
        runs["gromo, 200 steps a phase"] = partial(_gromo, 200)
        runs["gromo, 50 steps a phase"] = partial(_gromo, 50)
    ours = _compare(runs, seeds, [])
    _compare({'np_widgets, method="paper"': partial(_ours, "paper"), "the paper, plainly": _plain}, slow, ours)
    print(f"\nMedians and quartiles. A run that fails counts as {_LIMIT:g} s, checks do not count.")
    if find_spec("gromo") is None:
        print("gromo is not installed: pip install gromo==0.1.0")


def _compare(runs: dict[str, Run], seeds: int, ours: list[float]) -> list[float]:
    """Let the runs take turns on each data set and print a row for each; the first one's seconds.

    ``ours`` are the seconds to compare with; those of the first run if empty.
    """
    results: dict[str, list[Recovery]] = {name: [] for name in runs}
    for seed in range(seeds):
        problem = npw.problems.kumar_haupt(samples=1000, seed=seed)
        for name, run in runs.items():
            results[name].append(run(problem, seed))
    seconds = {name: [_seconds(each) for each in recoveries] for name, recoveries in results.items()}
    first = next(iter(seconds.values()))
    for name, recoveries in results.items() if seeds else ():
        found = [each.widths for each in recoveries if each.recovered]
        small = sum(widths[0] <= 4 and widths[1] <= 2 for widths in found)
        few = sum(sum(widths) <= 5 for widths in found)
        ratios = [a / b for a, b in zip(seconds[name], ours or first, strict=False)]
        print(
            f"| {name} | {len(found)} of {seeds} | {small / seeds:.0%} | {few / seeds:.0%} | {spread(seconds[name])} "
            f"| {spread(ratios)} |",
            flush=True,
        )
    return first


def _seconds(result: Recovery) -> float:
    """The seconds that count; a failure that took longer than the limit counts in full."""
    return result.seconds if result.recovered else max(_LIMIT, result.seconds)


def _ours(method: Any, problem: Problem, seed: int) -> Recovery:
    began = time.perf_counter()
    pursuit = npw.NeuronPursuit(problem, seed=seed, method=method)
    pursuit.run(max_additions=_MAX_ADDITIONS, torch_threads=1)
    seconds = time.perf_counter() - began
    error = hypercube_error(pursuit.network, problem)
    return Recovery(error < _TARGET_ERROR, seconds, pursuit.network.widths, error)


def _gromo(phase_steps: int, problem: Problem, seed: int) -> Recovery:
    return gromo_pursuit(
        problem,
        seed,
        phase_steps=phase_steps,
        target_error=_TARGET_ERROR,
        max_additions=_MAX_ADDITIONS,
        time_limit=_LIMIT,
    )


def _plain(problem: Problem, seed: int) -> Recovery:
    return plain_pursuit(problem, seed, target_error=_TARGET_ERROR, max_additions=_MAX_ADDITIONS)


if __name__ == "__main__":
    main()
