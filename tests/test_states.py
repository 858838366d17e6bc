"""Every engine goes on from any of fifty random moments to the bit, put back into one that has gone elsewhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

import np_widgets as npw
from np_widgets.learning.engine import Engine
from tests.bits import bits

_DATA = npw.problems.kumar_haupt(samples=60, seed=0)
_CLASSES = npw.Problem(_DATA.inputs[:, :4], (_DATA.inputs[:, 0] > 0).long() + (_DATA.inputs[:, 1] > 0), "cross_entropy")
_MOMENTS, _QUANTA, _AHEAD = 9, 60, 4


def _pursuit(problem: npw.Problem = _DATA, **options: Any) -> Callable[[], Engine]:
    return lambda: npw.NeuronPursuit(problem, starts=5, max_additions=2, **options)


def _flow() -> Engine:
    pursuit = npw.NeuronPursuit(_DATA, starts=5)
    pursuit.run(0)
    return npw.SaddleFlow(pursuit.network, _DATA, dormant=(2, 2), scale=1e-3, seed=0, gradient_tolerance=1.0)


ENGINES = {
    "fast": _pursuit(),
    "paper": _pursuit(method="paper", max_steps=400),
    "mini-batches": _pursuit(batch_size=16, max_steps=900),
    "weight decay": _pursuit(weight_decay=0.01),
    "classes": _pursuit(_CLASSES),
    "saddle flow": _flow,
}


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_goes_on_from_any_moment_to_the_bit(name):
    engine, other = ENGINES[name](), ENGINES[name]()
    states: list[dict[str, Any]] = []
    expected: list[Any] = []
    while engine.finished is None and len(states) < _QUANTA:
        states.append(engine.state())
        expected.append(bits(states[-1]))
        engine.advance()
    assert len(states) > _AHEAD
    for moment in random.Random(name).sample(range(len(states) - _AHEAD), min(_MOMENTS, len(states) - _AHEAD)):
        other.restore(states[moment])
        assert bits(other.state()) == expected[moment]
        for _ in range(_AHEAD):
            other.advance()
        assert bits(other.state()) == expected[moment + _AHEAD]
    assert [bits(state) for state in states] == expected  # nothing has changed what was handed out
    assert torch.is_grad_enabled()
