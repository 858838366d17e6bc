"""Which candidate a pursuit took, what decided, and what is a KKT point: recomputed, and as the pictures show it."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.correlation.paths import all_paths
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.searching import Searching
from np_widgets.pictures.candidates import candidates


def waves(outputs: int = 1) -> npw.Problem:
    x = np.random.default_rng(0).standard_normal((40, 3))
    return npw.Problem(x, np.sin(3 * x[:, :outputs]))


PURSUITS = {
    "example": lambda **o: npw.NeuronPursuit(npw.problems.kumar_haupt(samples=100, seed=0), starts=10, **o),
    "example 1": lambda **o: npw.NeuronPursuit(npw.problems.kumar_haupt(samples=100, seed=1), starts=10, **o),
    "example 2": lambda **o: npw.NeuronPursuit(npw.problems.kumar_haupt(samples=100, seed=2), starts=10, **o),
    "teacher": lambda **o: npw.NeuronPursuit(
        npw.problems.random_teacher(inputs=4, widths=(3, 3), samples=80, seed=0), starts=10, **o
    ),
    "squares": lambda **o: npw.NeuronPursuit(
        npw.problems.random_teacher(inputs=4, widths=(3, 2), power=2, samples=80, seed=0), power=2, starts=10, **o
    ),
    "leaky": lambda **o: npw.NeuronPursuit(
        npw.problems.random_teacher(inputs=4, widths=(3, 3), leak=0.2, samples=80, seed=1), leak=0.2, starts=10, **o
    ),
    "parity": lambda **o: npw.NeuronPursuit(npw.problems.sparse_parity(6, 2, samples=60, seed=0), starts=10, **o),
    "classes": lambda **o: npw.NeuronPursuit(npw.problems.two_moons(samples=60, seed=0), 1, starts=10, **o),
    "waves": lambda **o: npw.NeuronPursuit(waves(), 1, starts=10, **o),
    "two waves": lambda **o: npw.NeuronPursuit(waves(2), starts=10, **o),
}
ADDITIONS = 3


@lru_cache
def watched(name: str) -> tuple[npw.NeuronPursuit, list[PursuitFrame]]:
    pursuit = PURSUITS[name]()
    frames: list[PursuitFrame] = []
    pursuit.run(ADDITIONS, callback=frames.append)
    return pursuit, frames


PLACES = {(0, 1): "origin", (0, 2): "origin", (0, 3): "origin", (1, 1): "1", (2, 2): "2", (3, 3): "3"}
PLACES |= {(1, 2): "1–2", (2, 3): "2–3", (1, 3): "1–3"}


@pytest.mark.parametrize("name", PURSUITS)
def test_the_picture_marks_the_candidate_that_the_record_tells_of(name):
    marked = 0
    _, frames = watched(name)
    for frame, following in pairwise(frames):
        if len(following.growth) > len(frame.growth) and frame.phase == "minimizing":
            record, picture = following.growth[-1], candidates(frame)
            assert picture["taken"].y.tolist() == [record.value]
            assert picture.x.ticks[round(picture["taken"].x[0])][1] == PLACES[record.layer, record.last]
            marked += 1
    assert marked > 0


@pytest.mark.parametrize("name", PURSUITS)
def test_the_candidate_taken_is_the_neuron_that_the_network_got(name):
    pursuit, frames = watched(name)
    problem, settings = pursuit.problem, pursuit.settings
    recomputed = 0
    for number, record in enumerate(pursuit.growth[1:], start=1):
        before = next(f for f in reversed(frames) if f.phase == "searching" and len(f.growth) == number)
        during = [f for f in frames if f.phase == "minimizing" and len(f.growth) == number]
        frame = next(f for f in during if f.taken is not None)
        taken = frame.candidates[frame.taken]
        assert record.taken == frame.taken
        assert record.candidates == frame.candidates
        for layer, width in enumerate(before.network.widths, start=1):
            assert frame.network.widths[layer - 1] == width + (layer in taken.layers)
        assert [f.taken for f in during] == sorted((f.taken for f in during), key=lambda index: index is not None)

        paths = all_paths(settings.hidden_layers, 1, 1)
        if any(each.last > each.layer for each in frame.candidates):
            paths = all_paths(settings.hidden_layers)
        search = Searching(problem, settings, before.network, paths, settings.seed + number)
        while not search.finished:
            search.advance()
        tried = search.outcome()
        if not tried or tried[0].silent:
            continue  # then the other one-sided signals decide
        ahead = LookAhead(problem, [each.network for each in tried], settings.seed + number)
        ahead.advance(300)
        recomputed += 1
        assert (taken.layer, taken.value) == (tried[ahead.best].layer, tried[ahead.best].value)
        loss = float(problem.loss.value(ahead.network(problem.inputs), problem.targets))
        assert taken.loss == pytest.approx(loss, rel=1e-3, abs=1e-6 * float(problem.targets.double().square().mean()))
        assert sum(each.loss is not None for each in frame.candidates) == len(tried)
        # Those that got to the end were compared by their loss and the weight decay; the lowest was taken.
        scores = [each.loss + each.penalty for each in frame.candidates if each.loss is not None]
        assert taken.loss + taken.penalty <= sorted(scores)[min(1, len(scores) - 1)]
    assert recomputed > 0


def test_nothing_is_taken_while_it_is_not_decided():
    _, frames = watched("example")
    assert all(f.taken is None for f in frames if f.phase in ("ready", "origin", "searching"))
    undecided = [f for f in frames if f.phase == "minimizing" and f.taken is None]
    assert undecided
    for frame in undecided:
        assert any(each.loss is not None for each in frame.candidates)
        assert "taken" not in candidates(frame)
        assert "look-ahead tries" in candidates(frame).notes[0]


def test_an_end_without_addition_took_nothing():
    pursuit = npw.NeuronPursuit(npw.Problem(torch.linspace(-1, 1, 41).reshape(-1, 1), torch.zeros(41)))
    assert pursuit.run().kind == "no_point"
    assert pursuit.frame().taken is None
    x = torch.linspace(-1, 1, 41, dtype=torch.float64).reshape(-1, 1)
    pursuit = npw.NeuronPursuit(npw.Problem(x, 2 * x), 1, leak=1.0, target_loss=0.0)
    assert pursuit.run().kind == "no_point"
    assert pursuit.frame().taken is None
    assert "taken" not in candidates(pursuit.frame())


def test_without_a_look_ahead_the_largest_value_is_taken():
    pursuit = PURSUITS["example"](method="paper", max_steps=20)
    pursuit.run(1)
    for record in pursuit.growth:
        assert record.taken == 0
        assert record.value == max(each.value for each in record.candidates)
        assert all(each.loss is None for each in record.candidates)
        assert all(each.is_kkt_point for each in record.candidates)


def test_every_search_draws_starts_of_its_own():
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuit = npw.NeuronPursuit(problem, method="paper", starts=1, max_steps=20, target_loss=0.0)
    pursuit.run(0)
    same = []
    for number in (1, 2, 3):
        network = pursuit.network
        pursuit.run(1)
        found = [each.value for each in pursuit.growth[number].candidates]
        own, first = (
            [point.value for point in npw.find_kkt_points(network, problem, starts=1, seed=seed)]
            for seed in (number, 0)
        )
        assert found == pytest.approx(own, rel=1e-9)
        same.append(own == pytest.approx(first, rel=1e-9))
    assert not all(same)


@pytest.mark.parametrize("cut", [5, 12, 20, 40])
def test_what_was_taken_survives_a_saved_state(cut):
    pursuit, other = PURSUITS["example"](), PURSUITS["example"]()
    for _ in range(cut):
        pursuit.advance()
    other.restore(pursuit.state())
    for _ in range(20):
        here, there = pursuit.frame(), other.frame()
        assert (here.taken, here.candidates) == (there.taken, there.candidates)
        assert here.growth == there.growth
        pursuit.advance()
        other.advance()


def test_an_ensemble_records_it_too():
    problems = [npw.problems.kumar_haupt(samples=100, seed=seed) for seed in range(3)]
    for result in npw.pursue_many(problems, max_additions=2, starts=10):
        for record in result.growth:
            taken = record.candidates[record.taken]
            assert (taken.layer, taken.value) == (record.layer, record.value)
            if taken.loss is not None:  # not where it went on alone with a silent neuron
                scores = [each.loss + each.penalty for each in record.candidates if each.loss is not None]
                assert taken.loss + taken.penalty <= sorted(scores)[min(1, len(scores) - 1)]
            assert record.loss <= record.candidates[record.taken].loss * (1 + 1e-6) + 1e-6


@pytest.mark.parametrize("hidden_layers", [2, 3])
def test_without_a_point_the_maxima_are_those_of_the_network_as_it_stands(hidden_layers):
    problem = npw.problems.sparse_parity(5, 2, samples=40, seed=0)
    pursuit = npw.NeuronPursuit(problem, hidden_layers, starts=10, value_tolerance=1e-6)
    finish = pursuit.run(12)
    if finish.kind != "no_point":
        assert finish.layer_maxima is None  # nothing was searched for the network as it stands
        return
    seed = pursuit.settings.seed + len(pursuit.growth)
    points = npw.find_kkt_points(pursuit.network, problem, starts=10, seed=seed, value_tolerance=0.0, unseen=True)
    for layer, most in enumerate(finish.layer_maxima, start=1):
        expected = max((point.value for point in points if point.layer == layer), default=0.0)
        assert most == pytest.approx(expected, rel=1e-6, abs=1e-9)
    frame = pursuit.frame()
    assert frame.taken is None
    assert all(each.value <= max(finish.layer_maxima) * (1 + 1e-9) for each in frame.candidates)
    assert all(each.loss is None for each in frame.candidates)
    assert candidates(frame).empty == ("" if frame.candidates else finish.message.partition(".")[0])
