"""However a pursuit is cut into calls, steps, pauses and requests, it takes the same way to the last bit."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import np_widgets as npw
from np_widgets.learning.pursuit.growth import PursuitFrame

ADDITIONS = 3


def normal(samples, inputs, seed=0):
    return np.random.default_rng(seed).standard_normal((samples, inputs))


X = normal(16, 3)
FOLDED = -np.abs(X)
# What is learned, and the settings: pursuits that reach their goal, that come to limits of several kinds, that find no
# KKT point, whose neurons start silently, and whose samples sit on kinks.
PURSUITS: dict[str, tuple[npw.Problem, dict]] = {
    "target": (npw.Problem(X, np.maximum(X[:, 0], 0)), {"hidden_layers": 1}),
    "limit": (npw.Problem(X, np.sin(3 * X[:, 0])), {"hidden_layers": 1}),
    "two layers": (npw.Problem(X, np.abs(X[:, 0]) - X[:, 1]), {}),
    "three layers": (npw.Problem(X, np.abs(X[:, 0]) - X[:, 1]), {"hidden_layers": 3}),
    "parity": (npw.problems.sparse_parity(4, 2, samples=12, seed=0), {}),
    "parity, silent": (npw.problems.sparse_parity(6, 2, samples=8, seed=1), {}),
    "parity, silent, three layers": (npw.problems.sparse_parity(3, 2, samples=20, seed=0), {"hidden_layers": 3}),
    "folded, silent": (npw.Problem(FOLDED, np.abs(X[:, 0]) - X[:, 1]), {}),
    "separable": (npw.Problem(X, (X[:, 0] > 0).astype(int), "cross_entropy"), {}),
    "moons on kinks": (npw.problems.two_moons(samples=20, seed=0), {}),
    "linear, no point": (npw.Problem(X, X[:, 0]), {"leak": 1.0, "target_loss": 0.0}),
    "nothing": (npw.Problem(X, 0 * X[:, 0]), {}),
    "squares": (npw.Problem(X, X[:, 0] ** 2 - X[:, 1] ** 2), {"power": 2}),
    "outputs": (npw.Problem(X, np.maximum(X, 0)), {"hidden_layers": 1, "leak": 0.1}),
    "rising": (
        npw.Problem(normal(12, 4), normal(12, 1, 1), test=(normal(20, 4, 2), normal(20, 1, 3))),
        {"stop_when_test_rises": True},
    ),
}


def pursuit_of(name: str, method: str) -> npw.NeuronPursuit:
    problem, options = PURSUITS[name]
    given = {"starts": 2, "max_steps": 30, "max_additions": ADDITIONS, "method": method, **options}
    if method == "paper":
        given |= {"learning_rate": 0.1, "scale": 0.3}
    return npw.NeuronPursuit(problem, **given)


class Slicing:
    """A pursuit that is carried on in pieces, with no more neurons than one call would add."""

    def __init__(self, make: Callable[[], npw.NeuronPursuit]) -> None:
        self.make, self.pursuit = make, make()
        self.due = 0  # additions that there will be when what was asked for is there

    @property
    def additions(self) -> int:
        return max(self.pursuit.frame().iteration - 1, 0)

    @property
    def left(self) -> int:
        return ADDITIONS - max(self.additions, self.due)

    @property
    def has_seen_a_rise(self) -> bool:
        """A run that is asked for after that goes on, which one call does not."""
        finished = self.pursuit.finished
        return finished is not None and finished.kind == "test_rising"

    def run(self, number: int) -> None:
        if not self.has_seen_a_rise:
            self.pursuit.run(min(number % 3, self.left))

    def interrupt(self, number: int) -> None:
        count = 0

        def press(_: PursuitFrame) -> None:
            nonlocal count
            count += 1
            if count == number:
                signal.raise_signal(signal.SIGINT)

        if not self.has_seen_a_rise:
            self.pursuit.run(self.left, callback=press)

    def advance(self, number: int) -> None:
        for _ in range(number):
            self.pursuit.advance()

    def play(self, number: int) -> None:
        with npw.Session(self.pursuit) as session:
            session.step(number)

    def restore(self, number: int) -> None:
        state = self.pursuit.state()
        self.advance(number)  # must not reach into the state
        self.pursuit = self.make()
        self.pursuit.restore(state)

    def add(self, number: int) -> None:
        """Ask for the neuron that would come next anyway."""
        losses = [record.loss for record in self.pursuit.growth]
        gained = len(losses) == 1 or (losses and losses[-1] < losses[-2] * (1 - 1e-5))
        finished = self.pursuit.finished
        comes_next = self.pursuit.phase == "searching" or (
            finished is not None and finished.kind == "additions" and gained
        )
        if comes_next and self.left > 0 and self.due <= self.additions:
            self.pursuit.add_neuron()
            self.due = self.additions + 1


pieces = st.lists(
    st.tuples(st.sampled_from(["run", "interrupt", "advance", "play", "restore", "add"]), st.integers(1, 25)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("method", ["fast", "paper"])
@pytest.mark.parametrize("name", PURSUITS)
@settings(max_examples=5)
@given(pieces=pieces)
def test_every_composition_gives_the_bits_of_one_call(name, method, pieces):
    slicing = Slicing(lambda: pursuit_of(name, method))
    for piece, number in pieces:
        getattr(slicing, piece)(number)
    pursuit = slicing.pursuit
    if not slicing.has_seen_a_rise:
        pursuit.run(slicing.left)
    assert_same_bits(pursuit.frame(), in_one_call(name, method))


@functools.cache
def in_one_call(name: str, method: str) -> PursuitFrame:
    whole = pursuit_of(name, method)
    whole.run(ADDITIONS)
    return whole.frame()


def assert_same_bits(frame: PursuitFrame, twin: PursuitFrame) -> None:
    assert frame.growth == twin.growth
    assert all(np.array_equal(one, other) for one, other in zip(frame.weights, twin.weights, strict=True))
    for name in ("phase", "iteration", "message", "loss", "test_loss", "step", "total_steps", "candidates", "finished"):
        assert getattr(frame, name) == getattr(twin, name), name
    assert np.array_equal(frame.trace_losses, twin.trace_losses)
    assert np.array_equal(frame.trace_steps, twin.trace_steps)


def test_what_ends_in_pieces_is_what_ends_in_one_call():
    # A neuron that starts silently at (2, 1) is of no use, but one from the other side of the kinks is.
    problem = npw.problems.sparse_parity(20, 2, samples=1000, seed=0)
    whole, pieces = npw.NeuronPursuit(problem), npw.NeuronPursuit(problem)
    whole.run(8)
    for _ in range(9):
        pieces.run(1)
    assert_same_bits(pieces.frame(), whole.frame())


def test_a_run_of_no_neurons_keeps_a_search_that_is_under_way():
    pursuit = pursuit_of("limit", "fast")
    whole = pursuit_of("limit", "fast")
    whole.run(1)
    while pursuit.phase != "searching":
        pursuit.advance()
    assert pursuit.run(0).kind == "additions"
    assert len(pursuit.growth) == 1
    pursuit.run(1)
    assert_same_bits(pursuit.frame(), whole.frame())
