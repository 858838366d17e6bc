"""Many pursuits on threads, processes, loky and a Dask cluster, with a worker killed, and a thousand interrupted twice.

Run it on a quiet machine from the root of the repository: ``python -m tests.benchmarks.bench_executors``.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
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
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    print(versions())
    _same_bits(8 if quick else 64)
    _interrupted(40 if quick else 1000)


def _same_bits(members: int) -> None:
    problem = npw.problems.kumar_haupt(samples=200, seed=0)
    wanted: dict[str, Any] = {"max_additions": 2}
    npw.pursue_many([0], problem, **wanted)  # what is loaded late is loaded
    expected: list[str] = []
    usual = 0.0
    print(f"\n{members} pursuits of the authors' example with 200 samples, {_WORKERS} workers\n")
    print("| who | bits | seconds | seconds of this process | speed | target |\n|---|---|--:|--:|--:|--:|")
    for name, made in _EXECUTORS.items():
        for killed in (False, True) if name in ("processes", "loky", "Dask") else (False,):
            with made() as executor, tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # that a process was lost
                if executor is not None:
                    npw.pursue_many(range(4 * _WORKERS), problem, executor=executor, max_additions=0)  # all are there
                kills = KillsOnce(Path(folder) / "mark") if killed else None
                began, own = time.perf_counter(), time.process_time()
                ensemble = npw.pursue_many(range(members), problem, executor=executor, callback=kills, **wanted)
                seconds, own = time.perf_counter() - began, time.process_time() - own
                if kills is not None:
                    assert kills.mark.exists()
            found = [bits((each.network and each.network.weights, each.growth, each.finished)) for each in ensemble]
            expected, usual = expected or found, usual or seconds
            same = "identical" if found == expected else "OTHERS"
            target = f"≥ {_TARGET}" if name == "processes" and not killed else ""
            who = f"{name}, one killed" if killed else name
            print(f"| {who} | {same} | {seconds:.1f} | {own:.1f} | {usual / seconds:.2f} | {target} |", flush=True)


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
