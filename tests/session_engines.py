"""Small engines for the tests of sessions: every bit of their state depends on every call and on the order of calls."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from np_widgets.learning.engine import Engine

WORDS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


@dataclass(frozen=True)
class CounterFrame:
    count: int
    values: bytes
    log: tuple[object, ...]
    finished: str | None


class Counter(Engine):
    """Scrambles three words and three chaotic numbers; finished after ``limit`` advances."""

    def __init__(self, limit: int = 10**9, seed: int = 0) -> None:
        self.limit = limit
        self.frames_made = 0
        self._start(seed)

    def _start(self, seed: int) -> None:
        self.count = 0
        self.words = WORDS * np.uint64(2 * seed + 1)
        self.numbers = np.array([0.1, 0.2, 0.3]) + seed * 1e-3
        self.rate = 3.9
        self.log: tuple[object, ...] = ()

    def _advance(self) -> None:
        self.count += 1
        self.words = np.roll(self.words, 1) * WORDS + (self.words >> np.uint64(29))
        self.numbers = self.rate * self.numbers * (1 - self.numbers)

    @property
    def finished(self) -> str | None:
        return f"all {self.limit} advances are made" if self.count >= self.limit else None

    @property
    def even(self) -> bool:
        return self.count % 2 == 0

    def frame(self) -> CounterFrame:
        self.frames_made += 1
        return CounterFrame(self.count, self.words.tobytes() + self.numbers.tobytes(), self.log, self.finished)

    def state(self) -> dict[str, Any]:
        kept = ("count", "limit", "words", "numbers", "rate", "log")
        return {name: getattr(self, name) for name in kept}

    def restore(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def run(self) -> None:
        self.require_free("run")
        while self.finished is None:
            self.advance()

    def add_neuron(self, layer: int | None = None) -> None:
        """Something to do for five advances more."""
        if layer is not None and layer < 1:
            raise ValueError(f"layer must be at least 1, got {layer}")
        self.words = self.words ^ np.uint64(layer or 7)
        self.limit = max(self.limit, self.count) + 5

    def set_minimizer(self, name: str) -> None:
        self.rate = {"slow": 3.7, "fast": 3.99}[name]

    def reset(self, *, seed: int | None = None) -> None:
        self._start(0 if seed is None else seed)

    def note(self, entry: object) -> int:
        """Append to the log, and say how long it is."""
        self.log = (*self.log, entry)
        self.words = self.words + np.uint64(len(self.log))
        return len(self.log)

    def break_midway(self, error: BaseException) -> None:
        """Raise when half of the work is done."""
        self.words = self.words * np.uint64(3)
        self.log = (*self.log, "half")
        raise error


class Asked(Counter):
    """A neuron takes five advances to be found and trained; what is asked for meanwhile comes after it."""

    def _start(self, seed: int) -> None:
        super()._start(seed)
        self.asked = 0
        self.neurons = 0

    @property
    def requested(self) -> bool:
        return self.asked > 0

    def _advance(self) -> None:
        super()._advance()
        if self.asked:
            self.asked -= 1
            self.neurons += self.asked % 5 == 0

    def add_neuron(self, layer: int | None = None) -> None:
        limit = self.limit
        super().add_neuron(layer)
        self.asked += 5
        self.limit = max(limit, self.count + self.asked)

    def state(self) -> dict[str, Any]:
        return super().state() | {"asked": self.asked, "neurons": self.neurons}


class Faulty(Counter):
    """Raises ``error`` from the method ``where`` from ``count == at`` on, half of the work done."""

    def __init__(self, error: BaseException | None, at: int = 3, where: str = "advance", limit: int = 10**9) -> None:
        self.error = error
        self.at = at
        self.where = where
        super().__init__(limit)

    def _stumble(self, where: str) -> None:
        if where == self.where and self.count >= self.at and self.error is not None:
            raise self.error

    def repair(self) -> None:
        self.error = None

    def _advance(self) -> None:
        if self.error is not None and self.where in ("advance", "restore") and self.count >= self.at:
            self.words = self.words * np.uint64(5)
            raise self.error
        super()._advance()

    def frame(self) -> CounterFrame:
        self._stumble("frame")
        return super().frame()

    def state(self) -> dict[str, Any]:
        self._stumble("state")
        return super().state()

    def restore(self, state: dict[str, Any]) -> None:
        self._stumble("restore")
        super().restore(state)


class Gated(Counter):
    """Waits in the middle of every advance until the test lets it through."""

    def __init__(self, limit: int = 10**9) -> None:
        super().__init__(limit)
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def _advance(self) -> None:
        self.entered.release()
        if not self.gate.acquire(timeout=60):
            raise RuntimeError("nobody opened the gate")
        super()._advance()
