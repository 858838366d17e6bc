"""Whatever is raised in the middle of a quantum leaves an engine as it was before, and it goes on as if nothing was."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import np_widgets
from np_widgets import NeuronPursuit, SaddleFlow
from np_widgets.learning.correlation.ascent import Ascent
from np_widgets.learning.correlation.search import DirectionSearch
from np_widgets.learning.engine import Engine
from np_widgets.learning.interruption import deferred_interrupt
from np_widgets.learning.saddles import passage
from np_widgets.problems import Problem, kumar_haupt
from tests.bits import bits
from tests.session_engines import Counter

PACKAGE = str(Path(np_widgets.__file__).parent)
SPARED = ("engine.py", "interruption.py", "states.py")


@contextmanager
def raising_at_line(number: int, error: BaseException) -> Iterator[list[tuple[str, int]]]:
    """Raise at the ``number``-th line of the package's code that is reached; yields which have been."""
    reached: list[tuple[str, int]] = []

    def trace(frame: FrameType, event: str, _: object) -> Any:
        path = frame.f_code.co_filename
        if not path.startswith(PACKAGE) or path.endswith(SPARED):
            return None
        if event == "line":
            reached.append((path, frame.f_lineno))
            if len(reached) == number:
                sys.settrace(None)
                raise error
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield reached
    finally:
        sys.settrace(before)


def assert_undone_wherever_it_fails(engine: Engine, twin: Engine, chance: random.Random, most: int) -> int:
    """Run the engine beside an undisturbed twin, at most so many quanta; now and then one fails at a random line."""
    failures = 0
    for _ in range(most):
        if twin.finished is not None:
            break
        if chance.random() < 0.6:
            before = bits(engine.state())
            error = chance.choice([KeyboardInterrupt(), MemoryError(), ValueError("bad")])
            try:
                with raising_at_line(round(10 ** chance.uniform(0, 3.5)), error):
                    engine.advance()
            except type(error):
                failures += 1
                assert bits(engine.state()) == before
                assert not engine.broken
            else:
                twin.advance()
                assert bits(engine.state()) == bits(twin.state())
        engine.advance()
        twin.advance()
    assert bits(engine.state()) == bits(twin.state())
    return failures


MINIMIZERS = ["auto", "hybrid", "gradient_descent", "adam", "lbfgs", "levenberg_marquardt", "minibatch_adam"]


@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_a_pursuit_undoes_a_quantum_that_fails_anywhere(minimizer):
    def pursuit() -> NeuronPursuit:
        problem = kumar_haupt(samples=40, seed=1)
        return NeuronPursuit(problem, seed=3, starts=5, max_steps=400, max_additions=2, minimizer=minimizer)

    failures = assert_undone_wherever_it_fails(pursuit(), pursuit(), random.Random(minimizer), 1000)
    assert failures > 10


def test_a_pursuit_of_the_paper_undoes_a_quantum_that_fails_anywhere():
    def pursuit() -> NeuronPursuit:
        problem = kumar_haupt(samples=40, seed=1)
        return NeuronPursuit(problem, seed=3, starts=5, max_steps=400, max_additions=2, method="paper")

    failures = assert_undone_wherever_it_fails(pursuit(), pursuit(), random.Random("paper"), 1000)
    assert failures > 10


@pytest.mark.parametrize("dynamics", ["flow", "descent"])
def test_a_saddle_flow_undoes_a_quantum_that_fails_anywhere(dynamics, monkeypatch):
    monkeypatch.setattr(passage, "_MOST_STEPS_PER_QUANTUM", 8)  # the escape is among forty quanta all the same

    def flow() -> SaddleFlow:
        problem = kumar_haupt(samples=30, seed=1)
        return SaddleFlow(None, problem, (2, 2), scale=2e-2, power=2, dynamics=dynamics, starts=5)

    failures = assert_undone_wherever_it_fails(flow(), flow(), random.Random(dynamics), 40)
    assert failures > 10


def test_a_saddle_flow_undoes_a_search_that_has_gone_on(monkeypatch):
    def flow() -> SaddleFlow:
        return SaddleFlow(None, kumar_haupt(samples=30, seed=1), (2, 2), scale=2e-2, starts=2)

    engine, twin = flow(), flow()
    search, failures = DirectionSearch.advance, [MemoryError()]

    def advance_and_fail_once(self: DirectionSearch) -> None:
        search(self)
        if failures:
            raise failures.pop()

    for _ in range(2):
        engine.advance()
        twin.advance()
    monkeypatch.setattr(DirectionSearch, "advance", advance_and_fail_once)
    with pytest.raises(MemoryError):
        engine.advance()
    while twin.frame().phase == "searching":
        engine.advance()
        twin.advance()
        assert bits(engine.state()) == bits(twin.state())


def test_a_saddle_flow_goes_back_within_the_training_that_it_is_compared_with(monkeypatch):
    monkeypatch.setattr(passage, "_COMPARISON_BATCH", 1)
    x = np.linspace(0.2, 1, 20)[:, None]
    flow = SaddleFlow(None, Problem(np.concatenate([x, -x]), np.concatenate([2 * x, 0.7 * x])), (4,), 1e-3, starts=5)
    while flow.frame().phase != "comparing":
        flow.advance()
    ways = []
    state = flow.state()
    for _ in range(2):
        flow.restore(state)
        flow.advance()
        assert flow.frame().phase == "comparing"
        ways.append(bits(flow.state()))
    assert ways[0] == ways[1]


@pytest.mark.parametrize("action", ["add_neuron", "set_minimizer", "reset"])
def test_an_action_that_fails_anywhere_is_undone(action):
    pursuit = NeuronPursuit(kumar_haupt(samples=40, seed=1), seed=3, starts=5)
    while pursuit.frame().step < 310:  # beyond the look-ahead
        pursuit.advance()
    assert pursuit.phase == "minimizing"
    before = bits(pursuit.state())
    arguments = ("adam",) if action == "set_minimizer" else ()
    state = pursuit.state()
    with raising_at_line(0, KeyboardInterrupt()) as reached:
        getattr(pursuit, action)(*arguments)
    pursuit.restore(state)
    # Each line where it is come by first, and last.
    numbered = list(enumerate(reached, start=1))
    numbers = sorted({number for way in (numbered, numbered[::-1]) for number in {p: n for n, p in way}.values()})
    for number in numbers:
        with pytest.raises(KeyboardInterrupt), raising_at_line(number, KeyboardInterrupt()):
            getattr(pursuit, action)(*arguments)
        assert bits(pursuit.state()) == before
    assert len(numbers) > 5
    getattr(pursuit, action)(*arguments)
    assert bits(pursuit.state()) != before


class Counted:
    """Counts calls of a method of a class."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.calls = 0
        method = getattr(owner, name)

        def counting(*args: Any) -> Any:
            self.calls += 1
            return method(*args)

        monkeypatch.setattr(owner, name, counting)


@pytest.mark.parametrize("kind", ["pursuit", "flow"])
def test_the_way_back_does_no_search_again(kind, monkeypatch):
    problem = kumar_haupt(samples=30, seed=1)
    engine: Engine = NeuronPursuit(problem) if kind == "pursuit" else SaddleFlow(None, problem, (2, 2), scale=1e-4)
    for _ in range(4):
        engine.advance()
    before = bits(engine.state())
    monkeypatch.setattr(Ascent, "_reviewed", failing)
    sweeps = Counted(monkeypatch, DirectionSearch, "_next")
    with pytest.raises(MemoryError):
        engine.advance()
    assert bits(engine.state()) == before
    assert sweeps.calls == 1
    assert not engine.broken


def failing(*_: object) -> None:
    raise MemoryError


def test_the_second_ctrl_c_raises_and_those_that_follow_do_nothing():
    steps = []
    with deferred_interrupt() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
            steps.append("put in order")
    assert steps == ["put in order"]


def test_ctrl_c_waits_until_the_way_back_is_done(monkeypatch):
    engine = Counter()
    engine.advance()
    before = bits(engine.state())
    restored = []

    def restore(state: dict[str, Any]) -> None:
        signal.raise_signal(signal.SIGINT)
        engine.__dict__.update(state)
        restored.append(state)

    monkeypatch.setattr(engine, "restore", restore)
    with pytest.raises(KeyboardInterrupt):
        engine.attempt(lambda: engine.break_midway(MemoryError()))
    assert len(restored) == 1
    assert bits(engine.state()) == before
