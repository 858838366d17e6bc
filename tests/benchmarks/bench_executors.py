"""Many pursuits on threads, processes, loky and a Dask cluster, one worker killed, and a thousand interrupted twice.

Run it on a quiet machine from the root of the repository: ``python -m tests.benchmarks.bench_executors``, and with
names of executors for these alone. Beside other work only the processor seconds mean something: two cores of one's own
need, at the least, half of those that the work takes.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import resource
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

import np_widgets as npw
from tests.benchmarks.timing import versions
from tests.bits import bits

_WORKERS = 2
_TARGET = 1.8


class KillsOnce:
    """Ends the process that computes seed 5, but only once."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self, frame: Any) -> None:
        if frame.seed == 5 and frame.growth and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run: 8 pursuits, and 40 for the thousand")
    parser.add_argument("executors", nargs="*", help="these alone, and not the thousand")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(versions())
    _same_bits(8 if given.quick else 64, given.executors)
    if not given.executors:
        _interrupted(40 if given.quick else 1000)


def _same_bits(members: int, names: Sequence[str]) -> None:
    problem = npw.problems.kumar_haupt(samples=200, seed=0)
    wanted: dict[str, Any] = {"max_additions": 2}
    npw.pursue_many([0], problem, **wanted)  # what is loaded late is loaded
    expected: list[str] = []
    usual, processor = 0.0, 0.0
    print(f"\n{members} pursuits of the authors' example with 200 samples, {_WORKERS} workers\n")
    print("| who | bits | seconds | speed | target | processor seconds here | of workers | their start | all / none |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, made in _EXECUTORS.items():
        if names and name not in ("none", *names):
            continue
        before = _of_children()
        with made() as executor:
            _begin(executor, problem)
        start = _of_children() - before
        for killed in (False, True) if name in ("processes", "loky", "Dask") else (False,):
            before = _of_children()
            with made() as executor, tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # that a process was lost
                _begin(executor, problem)
                kills = KillsOnce(Path(folder) / "mark") if killed else None
                began, own = time.perf_counter(), time.process_time()
                ensemble = npw.pursue_many(range(members), problem, executor=executor, callback=kills, **wanted)
                seconds, own = time.perf_counter() - began, time.process_time() - own
                if kills is not None:
                    assert kills.mark.exists()
            workers = _of_children() - before - start
            found = [bits((each.network and each.network.weights, each.growth, each.finished)) for each in ensemble]
            expected, usual, processor = expected or found, usual or seconds, processor or own
            same = "identical" if found == expected else "OTHERS"
            target = f"≥ {_TARGET}" if name == "processes" and not killed else ""
            who = f"{name}, one killed" if killed else name
            cells = who, same, f"{seconds:.1f}", f"{usual / seconds:.2f}", target, f"{own:.1f}", f"{workers:.1f}"
            print(f"| {' | '.join(cells)} | {start:.1f} | {(own + workers) / processor:.3f} |", flush=True)


def _begin(executor: Any, problem: npw.Problem) -> None:
    """Have all workers at work for a moment."""
    if executor is not None:
        npw.pursue_many(range(4 * _WORKERS), problem, executor=executor, max_additions=0)


def _of_children() -> float:
    """Processor seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _interrupted(members: int) -> None:
    inputs = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    problem = npw.Problem(inputs, inputs[:, :1].relu())
    wanted: dict[str, Any] = {"hidden_layers": 1, "starts": 3, "max_additions": 0, "max_steps": 20}
    ends = dict.fromkeys(range(members), 0)
    lock, left = threading.Lock(), [members // 4]

    def count(frame: Any) -> None:
        if frame.finished is not None:
            with lock:
                ends[frame.seed] += 1
                left[0] -= 1
                if left[0] == 0:
                    signal.raise_signal(signal.SIGINT)

    print(f"\n{members:,} small pursuits with a checkpoint, interrupted twice\n")
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(_WORKERS) as executor:
        for attempt in range(3):
            left[0] = members // 4 if attempt < 2 else -1
            ensemble = npw.pursue_many(
                range(members), problem, executor=executor, checkpoint=folder, callback=count, **wanted
            )
            kinds = [each.finished.kind for each in ensemble]
            print(f"- {sum(kind != 'interrupted' for kind in kinds):,} are there")
    alone = npw.pursue_many(range(members), problem, **wanted)
    same = all(bits(a.growth) == bits(b.growth) for a, b in zip(ensemble, alone, strict=True))
    print(f"- lost: {kinds.count('interrupted')}; computed twice: {sum(times > 1 for times in ends.values())}")
    print(f"- {'identical' if same else 'OTHER'} bits")


def _loky() -> Any:
    import loky

    return loky.ProcessPoolExecutor(_WORKERS)


class _Dask:
    def __enter__(self) -> Any:
        from distributed import Client, LocalCluster

        self._cluster = LocalCluster(n_workers=_WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=60)
        self._client = Client(self._cluster)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._cluster.close()


_EXECUTORS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "none": nullcontext,
    "threads": lambda: concurrent.futures.ThreadPoolExecutor(_WORKERS),
    "processes": lambda: concurrent.futures.ProcessPoolExecutor(_WORKERS),
    "loky": _loky,
    "Dask": _Dask,
}

if __name__ == "__main__":
    main()
