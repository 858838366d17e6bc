"""A trial: another minimizer is a file of its own and an entry in one table, and everybody offers it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

import np_widgets as npw
from np_widgets.learning.minimizers import choice
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.widgets import pursuit_controls
from tests.bits import bits

NAME: Any = "halving"  # what type checkers know of is in the table, too


class Halving(Minimizer):
    """Steps along the gradient, doubled after each that leads down and halved after each that does not."""

    name: ClassVar[str] = "halving"
    title: ClassVar[str] = "halved steps"
    usual_steps: ClassVar[int] = 300
    _length = 0.1

    def state(self):
        return {**super().state(), "length": self._length}

    def restore(self, state):
        super().restore(state)
        self._length = state["length"]

    @property
    def _entries(self):
        return {**super()._entries, "length": float}

    def _step(self):
        theta = self.theta - self._length * self.gradient
        loss, gradient = self.objective.loss_and_gradient(theta)
        if loss < self.loss:
            self._move(theta, loss, gradient)
        self._length *= 2 if loss <= self.loss else 0.5


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    """The whole change."""
    monkeypatch.setitem(choice.MINIMIZERS, Halving.name, Halving)


def problem() -> npw.Problem:
    inputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return npw.Problem(inputs, inputs[:, :1].relu() + inputs[:, 1:2])


def test_a_pursuit_trains_with_it_saves_it_and_names_it():
    def start() -> npw.NeuronPursuit:
        return npw.NeuronPursuit(problem(), 1, minimizer=NAME, starts=5, max_additions=1)

    whole, cut = start(), start()
    messages = set()
    whole.run(callback=lambda frame: messages.add(frame.message))
    while cut.finished is None:
        cut.advance()
        state = cut.state()
        cut = start()
        cut.restore(state)
    assert bits(cut.growth) == bits(whole.growth)
    assert any("halved steps" in each for each in messages)
    assert whole.growth[0].steps <= 300 + 300
    assert whole.growth[1].loss < whole.growth[0].loss
    whole.set_minimizer("lbfgs")
    whole.set_minimizer(NAME)


def test_others_offer_it_too():
    fixed = npw.FixedNetwork(problem(), 2, minimizer=NAME)
    before = fixed.loss
    fixed.run()
    assert fixed.loss < before
    assert ("halved steps", "halving") in pursuit_controls._minimizers()
    with pytest.raises(ValueError, match="'halving'"):
        npw.FixedNetwork(problem(), 2, minimizer="doubling")
