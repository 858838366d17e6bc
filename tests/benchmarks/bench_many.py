"""Many pursuits as an ensemble against the same ones one after another.

Run it on a quiet machine from the root of the repository: ``python -m tests.benchmarks.bench_many``, and with
``--device cuda`` where there is a GPU.
"""

from __future__ import annotations

import argparse
import time

import torch

import np_widgets as npw
from np_widgets.problems import Problem, hypercube_error
from tests.benchmarks.timing import spread, versions

_TARGET_ERROR, _MAX_ADDITIONS = 1e-3, 8
_TARGETS = {"cpu": 2.0, "cuda": 20.0}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=tuple(_TARGETS), default="cpu")
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2, help="on the CPU")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a short run: 8 pursuits, one round")
    arguments = parser.parse_args()
    members, rounds = (8, 1) if arguments.quick else (arguments.members, arguments.rounds)
    torch.set_num_threads(arguments.threads)
    print(versions())
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("no GPU")
        return
    problems = [npw.problems.kumar_haupt(samples=1000, seed=seed) for seed in range(members)]
    _together(problems[:2], arguments.device, arguments.threads)
    together, alone = [], []
    for _ in range(rounds):
        seconds, ensemble = _together(problems, arguments.device, arguments.threads)
        together.append(seconds)
        seconds, networks = _one_after_another(problems, arguments.device)
        alone.append(seconds)
    print(
        f"\nThe authors' example, {members} data seeds, {arguments.device}; medians and quartiles of {rounds} rounds\n"
    )
    print("| | recovered | widths ≤ (4, 2) | seconds | throughput | target |\n|---|--:|--:|--:|--:|--:|")
    ratios = [a / b for a, b in zip(alone, together, strict=True)]
    ends = [result.network for result in ensemble]
    threads = f", {arguments.threads} threads" if arguments.device == "cpu" else ""
    print(f"| one after another | {_quality(problems, networks)} | {spread(alone)} | 1 | |")
    print(
        f"| `pursue_many`{threads} | {_quality(problems, ends)} | {spread(together)} | {spread(ratios)} "
        f"| ≥ {_TARGETS[arguments.device]:g} |"
    )


def _together(problems: list[Problem], device: str, threads: int) -> tuple[float, npw.PursuitEnsemble]:
    began = time.perf_counter()
    ensemble = npw.pursue_many(problems, max_additions=_MAX_ADDITIONS, device=device, threads=threads)
    return time.perf_counter() - began, ensemble


def _one_after_another(problems: list[Problem], device: str) -> tuple[float, list[npw.HomogeneousNetwork | None]]:
    began = time.perf_counter()
    networks = []
    for problem in problems:
        pursuit = npw.NeuronPursuit(problem, device=device)
        pursuit.run(max_additions=_MAX_ADDITIONS)
        networks.append(pursuit.network)
    return time.perf_counter() - began, networks


def _quality(problems: list[Problem], networks: list[npw.HomogeneousNetwork | None]) -> str:
    """How many are right on every vertex of the hypercube, and how many of these are small."""
    right = [
        network.widths
        for problem, network in zip(problems, networks, strict=True)
        if network is not None and hypercube_error(network.to(device="cpu"), problem) < _TARGET_ERROR
    ]
    small = sum(first <= 4 and second <= 2 for first, second in right)
    return f"{len(right)} of {len(problems)} | {small / len(problems):.0%}"


if __name__ == "__main__":
    main()
