"""What a session's memory costs: its size after 10⁷ steps, recording, looking back, going back, and many sessions."""

from __future__ import annotations

import dataclasses
import random
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import np_widgets as npw
from np_widgets.learning.engine import Engine, Landmark
from np_widgets.problems import kumar_haupt
from tests import test_files

STEPS, STEPS_AN_ADVANCE, STEPS_A_NETWORK = 10**7, 100, 10**5


class Long(Engine):
    """A pursuit of the authors' example that has been trained, and from then on only counts its steps.

    Its frames and states are those of the pursuit, with arrays of their own.
    """

    def __init__(self) -> None:
        pursuit = npw.NeuronPursuit(kumar_haupt())
        pursuit.run()
        self.problem, self.steps = pursuit.problem, 0
        self._frame, self._state = pursuit.frame(), pursuit.state()

    @property
    def finished(self) -> str | None:
        return "all steps are made" if self.steps >= STEPS else None

    @property
    def landmark(self) -> Landmark | None:
        trained = self.steps // STEPS_A_NETWORK
        return Landmark(trained, f"network {trained} trained")

    def _advance(self) -> None:
        self.steps += STEPS_AN_ADVANCE

    def frame(self) -> Any:
        copies = {name: getattr(self._frame, name).copy() for name in ("trace_steps", "trace_losses")}
        weights = tuple(weight.copy() for weight in self._frame.weights)
        return dataclasses.replace(self._frame, total_steps=self.steps, weights=weights, **copies)

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps, "state": {name: _copied(each) for name, each in self._state.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]


class Copying(Long):
    """The same, with cheap states between landmarks: of an attempt nothing has to be undone here."""

    def state(self) -> dict[str, Any]:
        return super().state() if self.steps % STEPS_A_NETWORK == 0 else {"steps": self.steps}


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (tuple, list) else value


def resident() -> float:
    """The memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def main() -> None:
    with npw.Session(Copying()) as session:
        session.resume()
        session.wait()
        history = session.history
        print(f"{STEPS:,} steps: {len(history.moments)} moments, {history.nbytes / 1e6:.1f} MB", flush=True)
        look_back(session)
    pursuit_costs()
    many()
    files()


def look_back(session: npw.Session) -> None:
    """How long a widget takes to show a moment, from the move of the slider."""

    class Shown(npw.PursuitWidget):
        _sources = dataclasses.replace(npw.PursuitWidget._sources, engine=Long)

    widget = Shown(session)
    moments, chance, took = session.history.moments, random.Random(0), []
    for _ in range(100):
        began = time.perf_counter()
        widget.go_to(chance.choice(moments))
        widget.catch_up()
        took.append(time.perf_counter() - began)
    print(
        f"a moment is shown within {1e3 * np.median(took):.0f} ms (p95 {1e3 * np.quantile(took, 0.95):.0f} ms)",
        flush=True,
    )
    widget.close()


def recording_share(seed: int) -> float:
    """Which share of the time recording takes, of the authors' example after the first 3,000 advances."""
    pursuit = npw.NeuronPursuit(kumar_haupt(), method="paper", seed=seed, max_steps=20_000, target_loss=1e-12)
    with npw.Session(pursuit) as session:
        session.step(3000)
        worker, history = session._worker, session.history
        spent = {"all": 0.0, "recording": 0.0}
        frame, keep, advance = pursuit.frame, history.keep, worker._advance

        def timed(function: Any, name: str) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                began = time.thread_time()
                try:
                    return function(*args, **kwargs)
                finally:
                    spent[name] += time.thread_time() - began

            return call

        def kept() -> Any:
            # Frames for the present are made ten times a second, with or without a history.
            return timed(frame, "recording" if history.is_due else "all")()

        pursuit.frame = kept  # type: ignore[method-assign]
        history.keep = timed(keep, "recording")  # type: ignore[method-assign]
        worker._advance = timed(advance, "all")  # type: ignore[method-assign]
        session.step(3000)
        del pursuit.frame
        print(f"  stride {history.stride}, {1e6 * spent['all'] / 3000:.0f} µs an advance")
        return spent["recording"] / spent["all"]


def pursuit_costs() -> None:
    """Of the authors' example: recording beside advancing, and going on from an addition."""
    shares = [recording_share(seed) for seed in range(3)]
    print(f"recording takes {100 * np.median(shares):.2f} % of the time (after the first 3,000 advances)", flush=True)
    took = []
    with npw.Session(npw.NeuronPursuit(kumar_haupt())) as session:
        session.resume()
        session.wait()
        for moment in session.history.moments:
            if moment.can_go_on:
                kept = session.history.kept(moment)
                began = time.thread_time()
                branch = session.branch(moment)
                took.append((time.thread_time() - began, kept.label))
                branch.close()
    print(f"going on from a kept moment takes {1e3 * max(took)[0]:.0f} ms at most, of {len(took)}", flush=True)


def many() -> None:
    """Sessions that are made, run and closed."""
    problem, sizes = kumar_haupt(samples=60), []
    for _ in range(200):
        with npw.Session(npw.NeuronPursuit(problem, starts=3, max_steps=60, max_additions=1)) as session:
            session.resume()
            session.wait()
        sizes.append(resident())
    print(f"200 sessions: {sizes[49]:.0f} MB after 50, {sizes[-1]:.0f} MB after all", flush=True)


def files() -> None:
    """2,000 damaged files, and a process that is killed 100 times while it saves."""
    warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that another precision cannot hold
    with TemporaryDirectory() as name:
        good, path = Path(name) / "good", Path(name) / "file"
        with npw.Session(test_files.pursuit()) as session:
            session.step(9)
            session.set_minimizer("adam")
            session.step(9)
            session.save(good)
        test_files.refuses_what_is_damaged(good, path, 1000, 500, 500)
        print("2,000 damaged files are refused, each within a second", flush=True)
        test_files.survives_kills(good, path, 100)
        print("killed 100 times while saving: always whole, never older", flush=True)


if __name__ == "__main__":
    parts = [globals()[name] for name in sys.argv[1:]] or [main]
    for part in parts:
        part()
