"""What holds of all public names: they are listed, print as one line, and end a run alike."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.minimizers.choice import MINIMIZERS, MinimizerName
from np_widgets.learning.one_line import one_line
from np_widgets.problems.losses import LOSSES, LossName
from tests import saddles


def test_the_package_lists_its_public_names_and_nothing_else():
    assert dir(npw) == sorted(npw.__all__)
    assert all(hasattr(npw, name) for name in dir(npw))
    with pytest.raises(AttributeError, match="has no attribute 'NeuronPursiut'"):
        npw.NeuronPursiut  # type: ignore[attr-defined] # noqa: B018


def test_names_that_a_type_checker_knows_are_those_there_are():
    assert set(get_args(MinimizerName)) == {"auto", *MINIMIZERS}
    assert set(get_args(LossName)) == set(LOSSES)


@pytest.fixture(scope="module")
def things():
    problem = npw.problems.kumar_haupt(samples=60)
    pursuit = npw.NeuronPursuit(problem, starts=5)
    untouched = npw.NeuronPursuit(problem)
    pursuit.run(1)
    flow = npw.SaddleFlow(saddles.saddle(), saddles.teacher(), 2, 1e-2)
    flow.run_to("escape")
    many = npw.pursue_many([problem], max_additions=0, starts=3)
    escapes = npw.escape_ensemble(saddles.saddle(), saddles.teacher(), 2, 1e-2, members=2, starts=5)
    frame = flow.frame()
    return [
        *(problem, problem.loss, pursuit, untouched, pursuit.frame(), untouched.frame(), pursuit.growth[1]),
        *(pursuit.growth[1].candidates[0], pursuit.settings, pursuit.network),
        *(many, many[0], escapes, flow, frame, flow.record, flow.prediction, *frame.predictions, *frame.events),
        *(flow.stationarity, flow.settings, *npw.find_kkt_points(pursuit.network, problem, starts=3)),
        *npw.find_origin_points(problem, starts=3),
    ]


def test_everything_prints_as_one_short_line_that_names_it(things):
    for thing in things:
        text = repr(thing)
        assert "\n" not in text
        assert len(text) <= 320, text
        assert type(thing).__name__ in text
        assert " object at 0x" not in text


def test_engines_say_where_they_are(things):
    pursuit = next(thing for thing in things if isinstance(thing, npw.NeuronPursuit))
    assert repr(pursuit) == (
        f'NeuronPursuit("authors\' example": widths={pursuit.network.widths}, loss={pursuit.loss:.4g}, additions)'
    )
    flow = next(thing for thing in things if isinstance(thing, npw.SaddleFlow))
    assert f"time={flow.frame().time:.5g}, loss={flow.loss:.4g}" in repr(flow)
    assert repr(npw.NeuronPursuit(pursuit.problem)) == 'NeuronPursuit("authors\' example": ready)'


def test_a_record_prints_small_things_as_they_are_and_large_ones_as_their_size():
    @dataclasses.dataclass
    class Record:
        number: float
        pair: tuple[int, ...]
        matrix: object
        parts: tuple[object, ...]
        words: str
        rest: str

        __repr__ = one_line

    record = Record(1 / 3, (2, 1), np.zeros((300, 2)), (torch.zeros(3),) * 7, "x" * 50, "y" * 90)
    text = repr(record)
    start = "Record(number=0.33333, pair=(2, 1), matrix=<300×2 float64>, parts=(7 of Tensor), "
    assert text.startswith(f"{start}words='{'x' * 39}…, rest='yy")
    assert text.endswith("y…)")
    assert len(text) == 160


# ------------------------------------------------------------------------------------------- the end of a run


def interrupt(frame):
    raise KeyboardInterrupt


@pytest.mark.parametrize("callback", [lambda frame: False, interrupt])
def test_a_callback_ends_a_run_and_the_next_goes_on_as_if_it_had_not(callback):
    problem = npw.problems.kumar_haupt(samples=60)
    whole, pursuit = npw.NeuronPursuit(problem, starts=4), npw.NeuronPursuit(problem, starts=4)
    whole.run(1)
    assert pursuit.run(1, callback=callback).kind == "interrupted"
    assert pursuit.loss is None
    assert pursuit.run(1, callback=lambda frame: None) == whole.finished
    assert all(map(torch.equal, pursuit.network.weights, whole.network.weights))


def test_a_callback_that_returns_false_at_the_end_does_not_change_what_it_was():
    pursuit = npw.NeuronPursuit(npw.problems.kumar_haupt(samples=60), starts=4)
    assert pursuit.run(0, callback=lambda frame: frame.finished is None).kind == "additions"


@pytest.mark.parametrize("callback", [lambda frame: False, interrupt])
def test_a_callback_ends_a_flow_which_then_goes_on(callback):
    flow = npw.SaddleFlow(saddles.saddle(), saddles.teacher(), 2, 1e-2)
    assert flow.run(1.0, callback=callback).startswith("Interrupted")
    assert flow.run(1.0) == "Time 1 is reached."
