"""A neuron that the user chooses: a candidate of the last search, or one of the user's own."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from tests.bits import bits

X = np.random.default_rng(0).standard_normal((40, 3))
FEW = npw.Problem(X, np.abs(X).sum(axis=1) - 2 * np.abs(X[:, 0] + X[:, 1]))


def pursuit_of(problem: npw.Problem = FEW, **options: Any) -> npw.NeuronPursuit:
    return npw.NeuronPursuit(problem, **{"starts": 8, "max_steps": 60, "max_additions": 2, "seed": 3} | options)


def serve(pursuit: npw.NeuronPursuit) -> npw.NeuronPursuit:
    assert pursuit.requested
    while pursuit.requested:
        pursuit.advance()
    return pursuit


def until(pursuit: npw.NeuronPursuit, reached: Any) -> npw.NeuronPursuit:
    while not reached(pursuit):
        pursuit.advance()
    return pursuit


@functools.cache
def _trained(networks: int, options: tuple[tuple[str, Any], ...]) -> npw.NeuronPursuit:
    pursuit = pursuit_of(**dict(options))
    pursuit.run(networks - 1)
    return pursuit


def trained(networks: int = 1, **options: Any) -> npw.NeuronPursuit:
    return copy.copy(_trained(networks, tuple(options.items())))


def another(pursuit: npw.NeuronPursuit) -> int:
    """A candidate that was not taken."""
    frame = pursuit.frame()
    return next(index for index in range(len(frame.candidates)) if index != frame.taken)


@pytest.mark.parametrize("method", ["fast", "paper"])
@pytest.mark.parametrize("when", ["looking ahead or minimizing", "trained"])
def test_a_candidate_takes_the_place_of_the_one_that_was_added(method, when):
    pursuit = pursuit_of(method=method, max_additions=1)
    until(pursuit, lambda each: each.frame().iteration == 2 and each.phase == "minimizing")
    searched = pursuit.frame().candidates
    if when == "trained":
        until(pursuit, lambda each: each.finished)
        assert len(pursuit.growth) == 2
    before = pursuit.growth[0]
    index = another(pursuit)
    pursuit.add_neuron(candidate=index)
    frame = pursuit.frame()
    assert pursuit.growth == [before]
    assert frame.iteration == 2
    assert frame.total_steps == before.steps
    assert list(frame.trace_steps) == sorted(frame.trace_steps)
    assert frame.trace_steps[-1] == before.steps
    assert pursuit.finished is None
    serve(pursuit)
    record = pursuit.growth[1]
    assert record.taken == index
    assert (record.layer, record.value) == (searched[index].layer, searched[index].value)
    assert record.loss <= before.loss
    assert np.subtract(record.widths, before.widths).tolist() == [layer in record.layers for layer in (1, 2)]


def test_the_network_begins_with_the_candidates_weights_along_its_ray():
    pursuit = pursuit_of(max_additions=1, method="paper", scale=1e-2)
    until(pursuit, lambda each: each.finished)
    index = another(pursuit)
    pursuit.add_neuron(candidate=index)
    chosen, frame = pursuit.frame().candidates[index], pursuit.frame()
    before = [torch.from_numpy(weight) for weight in chosen.network]
    (layer, index), grown = frame.added[0], frame.weights
    np.testing.assert_allclose(grown[layer - 1][index], 1e-2 * chosen.factors[0][0], rtol=1e-12)
    np.testing.assert_allclose(grown[layer][:, index], 1e-2 * chosen.factors[-1][:, 0], rtol=1e-12)
    np.testing.assert_array_equal(np.delete(grown[layer - 1], index, 0), before[layer - 1])
    np.testing.assert_array_equal(np.delete(grown[layer], index, 1), before[layer])


def test_the_first_network_can_be_chosen_too():
    pursuit = pursuit_of(max_additions=0)
    until(pursuit, lambda each: each.phase == "minimizing")
    index = another(pursuit)
    pursuit.add_neuron(candidate=index)
    serve(pursuit)
    assert [record.taken for record in pursuit.growth] == [index]
    assert pursuit.growth[0].layer == 0


def test_a_candidate_of_a_search_under_way_ends_it_and_counts_as_one_addition():
    pursuit = pursuit_of(max_additions=2)
    until(pursuit, lambda each: each.phase == "searching" and each.frame().candidates)
    found = pursuit.frame().candidates
    pursuit.add_neuron(candidate=0)
    assert pursuit.phase == "minimizing"
    serve(pursuit)
    assert pursuit.growth[1].candidates[0].value == found[0].value
    while pursuit.finished is None:
        pursuit.advance()
    assert len(pursuit.growth) == 3


def test_a_rise_of_the_test_loss_can_be_answered_with_another_candidate():
    x = np.random.default_rng(1).standard_normal((12, 4))
    noisy = npw.Problem(x, np.random.default_rng(2).standard_normal(12), test=(x + 1.0, np.ones(12)))
    pursuit = pursuit_of(noisy, stop_when_test_rises=True, max_additions=6)
    until(pursuit, lambda each: each.finished)
    assert pursuit.finished is not None
    assert pursuit.finished.kind == "test_rising"
    kept = pursuit.growth[:-1]
    index = another(pursuit)
    pursuit.add_neuron(candidate=index)
    assert pursuit.growth == kept
    assert pursuit.frame().iteration == len(kept) + 1
    serve(pursuit)
    assert pursuit.growth[len(kept)].taken == index


@pytest.mark.parametrize("method", ["fast", "paper"])
def test_a_neuron_of_ones_own_is_scored_beside_the_best_and_added(method):
    pursuit = trained(method=method)
    network = pursuit.network
    assert network is not None
    incoming, outgoing = np.array([3.0, -1.0, 0.5]), [2.0]
    pursuit.add_neuron(1, incoming=incoming, outgoing=outgoing)
    assert "Yours is added then" in pursuit.frame().message
    until(pursuit, lambda each: each.phase == "minimizing")
    frame = pursuit.frame()
    *found, own = frame.candidates
    b, a = incoming / np.linalg.norm(incoming) * np.sqrt(0.5), np.array(outgoing) / 2 * np.sqrt(0.5)
    value = npw.correlation(network, FEW, 1, b, a, unseen=method == "fast")
    assert own.own
    assert own.value == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(own.factors[0][0], b, rtol=1e-12)
    best = max(each.value for each in found)
    assert f"Your neuron has the NCF value {value:.3g}, the best is {best:.3g}." in frame.message
    serve(pursuit)
    record = pursuit.growth[1]
    assert record.widths == (network.widths[0] + 1, network.widths[1])
    assert record.taken is not None
    assert record.candidates[record.taken].own
    assert record.loss <= pursuit.growth[0].loss


def test_the_best_outgoing_weights_are_found_where_none_are_given():
    pursuit = trained()
    network = pursuit.network
    assert network is not None
    pursuit.add_neuron(1, incoming=[1.0, 0.0, -1.0])
    until(pursuit, lambda each: each.phase == "minimizing")
    own = pursuit.frame().candidates[-1]
    b = own.factors[0][0]
    for sign in (1.0, -1.0):
        assert own.value >= npw.correlation(network, FEW, 1, b, [sign * np.sqrt(0.5)]) - 1e-12
    assert own.value > 0


def test_a_neuron_that_would_raise_the_loss_costs_nothing():
    pursuit = trained(max_steps=30)
    pursuit.add_neuron(1, incoming=[1.0, 0.0, -1.0])
    until(pursuit, lambda each: each.phase == "minimizing")
    b, a = pursuit.frame().candidates[-1].factors[0][0], pursuit.frame().candidates[-1].factors[-1][:, 0]
    other = trained(max_steps=30)
    other.add_neuron(1, incoming=b, outgoing=-a)
    serve(other)
    assert other.growth[1].value < 0
    assert other.growth[1].loss <= other.growth[0].loss * (1 + 1e-12)


def test_weights_of_any_size_are_directions():
    own = []
    for size in (1e-200, 1.0, 1e200):
        pursuit = trained()
        pursuit.add_neuron(1, incoming=size * np.array([1.0, 2.0, 2.0]), outgoing=[-size])
        until(pursuit, lambda each: each.phase == "minimizing")
        own.append(pursuit.frame().candidates[-1])
    for each in own:
        assert each.value == pytest.approx(own[1].value, rel=1e-12)
        np.testing.assert_allclose(each.factors[0], own[1].factors[0], rtol=1e-12)


def test_neurons_that_vanish_with_the_end_of_a_training_are_left_out_of_ones_own():
    grown = npw.HomogeneousNetwork([[[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]], [[1.0, 0.0]], [[1.0]]])
    begun = npw.NeuronPursuit(FEW, network=grown, weight_decay=0.05, starts=4, max_steps=60, max_additions=1)
    begun.advance()
    assert begun.frame().widths == (2, 1)
    begun.add_neuron(2, incoming=[1.0, 5.0])
    assert begun.frame().widths == (1, 1)
    until(begun, lambda each: each.phase == "minimizing")
    assert begun.frame().candidates[-1].factors[0].shape == (1, 1)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"candidate": 99}, ValueError, "candidate must be"),
        ({"candidate": -1}, ValueError, "candidate must be"),
        ({"candidate": 0.5}, TypeError, "candidate must be"),
        ({"candidate": 0, "layer": 1}, TypeError, "the only argument"),
        ({"incoming": [1, 2, 3]}, TypeError, "incoming must come with layer"),
        ({"layer": 1, "last": 2, "incoming": [1, 2, 3]}, TypeError, "without last"),
        ({"layer": 1, "incoming": [1, 2]}, ValueError, r"incoming must have shape \(3,\)"),
        ({"layer": 1, "incoming": [0, 0, 0]}, ValueError, "direction"),
        ({"layer": 1, "incoming": [1, 2, float("nan")]}, ValueError, "incoming"),
        ({"layer": 1, "outgoing": [1]}, TypeError, "outgoing must come with incoming"),
        ({"layer": 9, "incoming": [1, 2, 3]}, ValueError, "layer must be"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(given, error, message):
    pursuit = trained(2)
    before = bits(pursuit.state())
    with pytest.raises(error, match=message):
        pursuit.add_neuron(**given)
    assert bits(pursuit.state()) == before


def test_there_has_to_be_something_to_choose_from():
    pursuit = pursuit_of()
    with pytest.raises(ValueError, match="before a search"):
        pursuit.add_neuron(candidate=0)
    pursuit.run(0)
    pursuit.add_neuron(1)
    with pytest.raises(RuntimeError, match="fits the network as it stands"):
        pursuit.add_neuron(1, incoming=[1, 2, 3])
    pursuit.add_neuron(2)
    serve(pursuit)
    assert [record.layer for record in pursuit.growth] == [0, 1, 2]


def test_a_request_behind_ones_own_neuron_waits_for_it():
    pursuit = trained()
    pursuit.add_neuron(1, incoming=[1, 2, 3])
    pursuit.add_neuron(2)
    serve(pursuit)
    assert [record.layer for record in pursuit.growth] == [0, 1, 2]
    assert [record.candidates[record.taken or 0].own for record in pursuit.growth[1:]] == [True, False]


def test_sessions_undo_replay_save_and_write_choices(tmp_path):
    with npw.Session(pursuit_of(max_steps=20, max_additions=1)) as session:
        session.resume()
        session.wait()
        session.add_neuron(candidate=len(session.frame.candidates) - 1)
        session.step(2)
        session.wait()
        session.add_neuron(candidate=0)
        session.wait()
        before, widths = bits(session.engine.state()), session.frame.widths
        session.add_neuron(layer=1, incoming=torch.tensor([0.1, 0.2, -0.7], dtype=torch.float64))
        session.step(2)
        session.save(tmp_path / "file")
        code = session.to_code()
        assert "add_neuron(candidate=0)" in code
        with pytest.raises(TypeError, match="the only argument"):
            session.add_neuron(1, candidate=0)
        assert "incoming=(0.1, 0.2, -0.7)" in code
        made: dict[str, Any] = {"inputs": FEW.inputs, "targets": FEW.targets}
        exec(code, made)
        with npw.load(tmp_path / "file") as loaded, made["session"] as again:
            for each in (loaded, again):
                assert bits(each.engine.state()) == bits(session.engine.state())
            for each in (session, loaded):
                each.resume()
                each.wait()
            assert bits(loaded.engine.state()) == bits(session.engine.state())
        assert bits(session.replay().state()) == bits(session.engine.state())
        assert session.frame.widths != widths
        session.undo()
        assert bits(session.engine.state()) == before
