"""How fast the search for KKT points is: against a loop over single starts, and with more of everything.

Run it on a quiet machine from the root of the repository, with OMP_NUM_THREADS=1:
``python -m tests.benchmarks.bench_search``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import np_widgets as npw
from np_widgets.learning.correlation.paths import KKTPoint, PathSearch
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems import Problem
from tests.benchmarks.timing import alternate

_STARTS, _STEPS = 50, 200
_ROUGH, _POLISHED, _LOOP = "rough", "polished", "loop"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--samples", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    _against_the_loop(arguments.rounds)
    _scaling(arguments.samples)


def _against_the_loop(rounds: int) -> None:
    print(f"{_STARTS} starts, 1000 samples of 20 inputs; medians in ms, and how often the loop's time (quartiles)\n")
    print(f"{'search':24}{'loop':>8}{'polished':>10}{'ratio':>20}{'rough':>8}{'ratio':>20}  values against the loop's")
    for seed in (0, 1):
        problem = npw.problems.kumar_haupt(samples=1000, seed=seed)
        zero = problem.loss.residual(torch.zeros_like(problem.targets), problem.targets)
        # At three layers a value is φ / 3^(3/2), that of a neuron is φ / 2.
        _compare(
            f"origin, seed {seed}",
            partial(_origin_points, problem),
            partial(_loop, problem.inputs, zero, 3**-1.5),
            rounds,
        )
        pursuit = npw.NeuronPursuit(problem, seed=seed)
        for additions in (1, 2):
            pursuit.run(max_additions=additions)
            network = pursuit.network
            forward = network.forward(problem.inputs)
            signals = network.signals(forward, problem.loss.residual(forward.output, problem.targets))
            for layer in (1, 2):
                _compare(
                    f"{network.widths}, layer {layer}, seed {seed}",
                    partial(_points, network, problem, layer, _STARTS),
                    partial(_loop, forward.hidden[layer - 1], signals[layer], 0.5),
                    rounds,
                )


def _compare(
    name: str,
    points: Callable[[bool], Sequence[KKTPoint]],
    loop: Callable[[], float],
    rounds: int,
) -> None:
    times = alternate({_LOOP: loop, _POLISHED: lambda: points(False), _ROUGH: lambda: points(True)}, rounds)
    line = f"{name:24}{1e3 * statistics.median(times[_LOOP]):8.0f}"
    for kind in (_POLISHED, _ROUGH):
        ratios = [a / b for a, b in zip(times[_LOOP], times[kind], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        line += f"{1e3 * statistics.median(times[kind]):{10 if kind == _POLISHED else 8}.1f}"
        line += f"{f'{middle:.0f} ({low:.0f} to {high:.0f})':>20}"
    value = loop()
    for kind in (_POLISHED, _ROUGH):
        found = points(kind == _ROUGH)
        if found:
            line += f"  {kind} {found[0].value / value - 1:+.1e}, residual {max(p.residual for p in found):.0e}"
    print(line, flush=True)


def _points(network: HomogeneousNetwork, problem: Problem, layer: int, starts: int, rough: bool) -> list[KKTPoint]:
    search = PathSearch(network, problem, [(layer, layer)], starts, 0, 1e-7, rough=rough)
    search.directions.run()
    return search.points


def _origin_points(problem: Problem, rough: bool) -> list[KKTPoint]:
    activation = npw.HomogeneousNetwork([[[1.0]], [[1.0]]]).activation
    empty = HomogeneousNetwork.empty(problem, 2, activation)
    search = PathSearch(empty, problem, [(1, 2)], _STARTS, 0, 1e-7, rough=rough)
    search.directions.run()
    return search.points


def _loop(features: Tensor, signals: Tensor, scale: float) -> float:
    """The largest scale·φ that normalized gradient ascent finds from one start after the other, in plain torch."""
    generator = torch.Generator().manual_seed(0)
    best = 0.0
    for _ in range(_STARTS):
        direction = torch.randn(features.shape[1], generator=generator, dtype=features.dtype)
        direction /= direction.norm()
        for step in range(_STEPS):
            z = features @ direction
            vector = signals.T @ torch.relu(z) / len(features)
            value = vector.norm()
            if value == 0:
                break
            best = max(best, float(value))
            gradient = features.T @ ((signals @ (vector / value)) * (z > 0))
            direction = direction + gradient / (gradient.norm() * (1 + step / 10))
            direction /= direction.norm()
    return scale * best


def _scaling(samples: Sequence[int]) -> None:
    print("\nSeconds with more of everything, and the exponent of a fitted power law\n")

    def case(count: int = 1000, width: int = 2, starts: int = _STARTS, layer: int = 1) -> Callable[[bool], object]:
        problem = npw.problems.kumar_haupt(samples=count, seed=0)
        generator = torch.Generator().manual_seed(0)
        shapes = ((width, 20), (1, width), (1, 1))
        network = npw.HomogeneousNetwork([torch.randn(s, generator=generator).double().abs() for s in shapes])
        return partial(_points, network, problem, layer, starts)

    more: dict[str, tuple[Sequence[int], Callable[[int], Callable[[bool], object]]]] = {
        "samples": (samples, lambda count: case(count=count)),
        "starts": ((10, 30, 100, 300, 1000), lambda count: case(starts=count)),
        "width, layer 2": ((16, 64, 256, 1024), lambda count: case(width=count, layer=2)),
    }
    for what, (values, make) in more.items():
        for rough in (False, True):
            times, memory = [], 0
            for value in values:
                search = partial(make(value), rough)
                began = time.perf_counter()
                memory = _peak_memory(search)
                times.append(time.perf_counter() - began)
            exponent = np.polyfit(np.log(values), np.log(times), 1)[0]
            row = "".join(f"{f'{value}: {seconds:.3f}':>18}" for value, seconds in zip(values, times, strict=True))
            kind = _ROUGH if rough else _POLISHED
            print(f"{what:16}{kind:10}{row}   exponent {exponent:.2f}, peak {memory / 2**20:.0f} MiB at the last")


def _peak_memory(function: Callable[[], object]) -> int:
    """How many bytes the process grew by at most during a call; only Linux tells."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far is forgotten
    before = _status("VmRSS")
    function()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
