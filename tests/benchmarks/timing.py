"""What the benchmarks share: timing several functions in turn, so that what else the machine does falls on all."""

from __future__ import annotations

import time
from collections.abc import Callable


def alternate(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Call each function once a round, after one round that does not count, and return the seconds of each call."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds
