"""Neurons that are asked for: each is found, added and trained, in the order of asking, whatever the limits."""

from __future__ import annotations

import numpy as np
import pytest

import np_widgets as npw

X = np.random.default_rng(0).standard_normal((30, 3))


def pursuit_of(**options):
    given = {"starts": 2, "max_steps": 40, "max_additions": 2} | options
    return npw.NeuronPursuit(npw.Problem(X, np.sin(3 * X[:, 0]) + np.abs(X[:, 1])), **given)


def widths_of(pursuit):
    return [record.widths for record in pursuit.growth]


def serve(pursuit):
    while pursuit.requested:
        pursuit.advance()


@pytest.mark.parametrize("served_by", ["run", "advance"])
def test_three_requests_in_a_row_are_three_neurons(served_by):
    pursuit = pursuit_of()
    pursuit.run(0)
    for _ in range(3):
        pursuit.add_neuron(1)
    assert pursuit.requested
    assert pursuit.finished is None
    pursuit.run(0) if served_by == "run" else serve(pursuit)
    assert widths_of(pursuit) == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert not pursuit.requested
    assert pursuit.growth[-1].stopped != "a neuron was asked for"


def test_requests_go_beyond_the_limit_and_count_towards_it():
    pursuit = pursuit_of(max_additions=1)
    while pursuit.finished is None:
        pursuit.advance()
    assert pursuit.finished.kind == "additions"
    pursuit.add_neuron(1)
    pursuit.add_neuron(2)
    serve(pursuit)
    assert [record.layer for record in pursuit.growth[-2:]] == [1, 2]
    assert pursuit.finished.kind == "additions"
    within = pursuit_of(max_additions=2)
    while within.phase != "searching":
        within.advance()
    within.add_neuron()
    while within.finished is None:
        within.advance()
    assert len(within.growth) == 3


def test_a_request_adopts_a_search_for_the_same_layers_and_replaces_another():
    pursuit = pursuit_of()
    while pursuit.phase != "searching" or pursuit.frame().progress < 0.3:
        pursuit.advance()
    progress = pursuit.frame().progress
    pursuit.add_neuron()
    assert pursuit.frame().progress == progress
    other = pursuit_of()
    other.restore(pursuit.state())
    assert other.requested
    serve(other)
    serve(pursuit)
    assert other.growth == pursuit.growth
    while pursuit.phase != "searching":
        pursuit.advance()
    pursuit.advance()
    pursuit.add_neuron(2)
    assert "layer 2" in pursuit.frame().message
    serve(pursuit)
    assert pursuit.growth[-1].layer == 2


def test_a_request_during_a_requested_search_or_training_waits_for_its_turn():
    pursuit = pursuit_of()
    pursuit.run(0)
    pursuit.add_neuron(1)
    pursuit.advance()
    pursuit.add_neuron(2)
    while pursuit.phase != "minimizing":
        pursuit.advance()
    pursuit.add_neuron(1)
    assert pursuit.phase == "minimizing"
    pursuit.run(0)
    assert [record.layer for record in pursuit.growth] == [0, 1, 2, 1]
    assert pursuit.frame().total_steps == sum(record.steps for record in pursuit.growth)


def test_a_request_that_finds_nothing_lets_the_next_have_its_turn_and_says_so_if_it_is_the_last():
    # At a minimum with one neuron a layer max N_2 vanishes identically.
    settings = {"method": "paper", "learning_rate": 0.1, "scale": 0.3, "max_steps": 4000, "value_tolerance": 1e-2}
    pursuit = pursuit_of(**settings)
    pursuit.run(0)
    pursuit.add_neuron(2)
    pursuit.add_neuron(1)
    serve(pursuit)
    assert widths_of(pursuit) == [(1, 1), (2, 1)]
    pursuit = pursuit_of(**settings)
    pursuit.run(0)
    pursuit.add_neuron(2)
    serve(pursuit)
    assert pursuit.finished.kind == "no_point"
    assert "layer 2" in pursuit.finished.message
    pursuit.run(1)
    assert widths_of(pursuit) == [(1, 1), (2, 1)]
