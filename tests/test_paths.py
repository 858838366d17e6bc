"""Paths of neurons: their NCF against its definition, closed forms and finite differences; pursuits that need them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import np_widgets as npw
from np_widgets.learning.correlation.paths import all_paths, chain_norms
from np_widgets.learning.pursuit import rules
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.loss import loss as loss_picture

pytestmark = pytest.mark.rounding


def network_and_problem(power=1, leak=0.0, seed=0, widths=(3, 2, 3), outputs=2, samples=60):
    random = np.random.default_rng(seed)
    sizes = (4, *widths, outputs)
    weights = [0.5 * random.standard_normal(shape) for shape in zip(sizes[1:], sizes, strict=False)]
    network = npw.HomogeneousNetwork(weights, power=power, leak=leak)
    return network, npw.Problem(random.standard_normal((samples, 4)), random.standard_normal((samples, outputs)))


def loss_of(network, problem):
    return float(problem.loss.value(network(problem.inputs), problem.targets))


def linear_problem(rank=3, seed=0, samples=100):
    """Targets of that rank, on whitened inputs: the best fits of lower rank are known."""
    random = np.random.default_rng(seed)
    inputs = math.sqrt(samples) * np.linalg.qr(random.standard_normal((samples, 5)))[0]
    left, right = (np.linalg.qr(random.standard_normal((size, rank)))[0] for size in (4, 5))
    values = np.arange(rank, 0, -1.0)
    return npw.Problem(inputs, inputs @ (left * values @ right.T).T), values


# ------------------------------------------------------------------------------------------------ the function


@settings(max_examples=40)
@given(
    path=st.sampled_from(all_paths(3, 2)),
    power=st.sampled_from([1, 2]),
    leak=st.sampled_from([0.0, 0.3, 1.0]),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 2),
    seed=st.integers(0, 99),
)
def test_a_small_path_changes_the_loss_by_its_correlation(path, power, leak, signs, seed):
    network, problem = network_and_problem(power, leak, seed)
    layer, last = path
    random = np.random.default_rng(seed + 1)
    incoming = random.standard_normal(network.weights[layer - 1].shape[1])
    outgoing = random.standard_normal(network.weights[last].shape[0])
    inner = [sign * (0.5 + random.random()) for sign in signs[: last - layer]]
    value = npw.correlation(network, problem, layer, incoming, outgoing, inner=inner, unseen=True)
    degree = sum(power**factor for factor in range(last - layer + 2))
    assume(abs(value) > 1e-3)
    before, errors = loss_of(network, problem), []
    for share in (1e-6, 1e-8):
        scale = (share * before / abs(value)) ** (1 / degree)
        added = network.with_path(layer, scale * incoming, [scale * each for each in inner], scale * outgoing)
        errors.append(abs((before - loss_of(added, problem)) / scale**degree - value) / abs(value))
    # The error is of the order of the share, be it by curvature or by the samples that are carried over a kink.
    assert errors[1] <= 0.3 * errors[0] + 1e-3


@pytest.mark.parametrize("leak", [0.0, -0.5, 0.4, 1.0])
@pytest.mark.parametrize("power", [1, 2])
def test_a_point_is_of_its_value_and_balanced(power, leak):
    network, problem = network_and_problem(power, leak, seed=3)
    points = npw.find_kkt_points(network, problem, longest=None, starts=20)
    assert {(point.layer, point.last) for point in points} == set(all_paths(3))
    assert [point.degree for point in points] == sorted(point.degree for point in points)
    for _, same in itertools.groupby(points, key=lambda point: point.degree):
        values = [point.value for point in same]
        assert values == sorted(values, reverse=True)
    for point in points:
        assert len(point.inner) == point.last - point.layer
        value = npw.correlation(network, problem, point.layer, point.incoming, point.outgoing, inner=point.inner)
        assert value == pytest.approx(point.value, rel=1e-9)
        squares = [float(weight.square().sum()) for weight in point.weights]
        assert sum(squares) == pytest.approx(1)
        expected = [power ** (len(squares) - 1 - place) / point.degree for place in range(len(squares))]
        assert squares == pytest.approx(expected)
        assert point.residual < 1e-5


@pytest.mark.parametrize("power", [1, 2])
def test_at_a_point_the_gradient_is_along_the_weights(power):
    # Linear neurons, or squares on both sides: nothing has kinks.
    network, problem = network_and_problem(power, 1.0 if power == 1 else -1.0, seed=5)
    points = npw.find_kkt_points(network, problem, longest=None, starts=10)
    for path in all_paths(3, 2):
        point = next(point for point in points if (point.layer, point.last) == path)
        sizes = [point.incoming.numel(), len(point.inner), point.outgoing.numel()]
        vector = torch.cat([point.incoming, torch.tensor(point.inner, dtype=torch.float64), point.outgoing])

        def value_at(weights, sizes=sizes, layer=point.layer):
            incoming, inner, outgoing = weights.split(sizes)
            return npw.correlation(network, problem, layer, incoming, outgoing, inner=inner)

        steps = 1e-5 * torch.eye(len(vector), dtype=torch.float64)
        gradient = torch.tensor([(value_at(vector + step) - value_at(vector - step)) / 2e-5 for step in steps])
        assert torch.allclose(
            gradient.double(), point.degree * point.value * vector, atol=1e-6 * abs(point.value) + 1e-8
        )


def test_the_best_path_of_linear_neurons_is_the_largest_singular_value():
    network, problem = network_and_problem(leak=1.0, seed=7)
    forward = network.forward(problem.inputs)
    signals = network.signals(forward, problem.loss.residual(forward.output, problem.targets))
    points = npw.find_kkt_points(network, problem, longest=None, starts=20)
    for layer, last in all_paths(3):
        best = next(point for point in points if (point.layer, point.last) == (layer, last))
        matrix = signals[last].T @ forward.hidden[layer - 1] / problem.samples
        factors = last - layer + 2
        expected = factors ** (-factors / 2) * float(torch.linalg.matrix_norm(matrix, 2))
        assert best.value == pytest.approx(expected, rel=1e-6)


def test_the_origin_is_the_path_through_a_network_without_neurons():
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    for point in npw.find_origin_points(problem, hidden_layers=3, starts=10):
        assert (point.layer, point.last, point.degree) == (1, 3, 4)
        output = npw.HomogeneousNetwork(point.weights)(problem.inputs)
        assert float((output * problem.targets).mean()) == pytest.approx(point.value, rel=1e-9)
        assert [tuple(weight.shape) for weight in point.weights] == [(1, 20), (1, 1), (1, 1), (1, 1)]


@given(power=st.integers(1, 4), factors=st.integers(2, 5), seed=st.integers(0, 99))
def test_no_other_split_of_the_norm_is_better(power, factors, seed):
    norms, share = chain_norms(power, factors)
    other = np.random.default_rng(seed).random(factors) + 1e-3
    other /= np.linalg.norm(other)
    powers = [power ** (factors - 1 - place) for place in range(factors)]
    assert math.prod(norm**each for norm, each in zip(other, powers, strict=True)) <= share * (1 + 1e-12)
    assert math.hypot(*norms) == pytest.approx(1)


WRONG: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "inner beyond the last layer": (ValueError, "inner", {"layer": 2, "inner": [1.0, 1.0]}),
    "inner not finite": (ValueError, r"inner\[0\]", {"layer": 1, "inner": [math.nan]}),
    "inner a word": (TypeError, "inner", {"layer": 1, "inner": "1"}),
    "outgoing of the first layer": (ValueError, "outgoing", {"layer": 1, "inner": [1.0], "outgoing": [1.0, 1.0]}),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_path_that_does_not_fit_is_refused_by_name(case):
    error, name, changes = WRONG[case]
    network, problem = network_and_problem(widths=(3, 2, 3))
    layer = changes["layer"]
    fits = {"incoming": np.ones(network.weights[layer - 1].shape[1]), "outgoing": np.ones(3)}
    options: dict[str, Any] = fits | changes
    with pytest.raises(error, match=name):
        npw.correlation(network, problem, **options)
    with pytest.raises(error, match=name):
        network.with_path(**options)


@pytest.mark.parametrize("longest", [0, -1, 1.5, True])
def test_the_longest_path_is_at_least_one_neuron(longest):
    network, problem = network_and_problem()
    for call in (
        lambda: npw.find_kkt_points(network, problem, longest=longest),
        lambda: npw.NeuronPursuit(problem, longest_path=longest),
    ):
        with pytest.raises((ValueError, TypeError), match="longest"):
            call()


# ------------------------------------------------------------------------------------------------ pursuits


@pytest.mark.parametrize("hidden_layers", [1, 2, 3, 4])
def test_a_deep_linear_pursuit_walks_the_ladder_of_ranks(hidden_layers):
    problem, values = linear_problem(seed=hidden_layers)
    pursuit = npw.NeuronPursuit(problem, hidden_layers, leak=1.0, starts=10)
    assert pursuit.run(5).kind == "target"
    ladder = [float((values[rank:] ** 2).sum() / 2) for rank in (1, 2, 3)]
    assert [record.loss for record in pursuit.growth] == pytest.approx(ladder, abs=1e-6)
    assert pursuit.network.widths == (3,) * hidden_layers
    everywhere = tuple(range(1, hidden_layers + 1))
    assert [record.layers for record in pursuit.growth] == [everywhere] * 3
    assert pursuit.growth[0].layer == 0


def test_the_papers_method_takes_a_path_only_where_no_neuron_has_a_positive_value():
    problem, values = linear_problem(rank=2)
    options: dict[str, Any] = {"leak": 1.0, "starts": 10, "method": "paper", "learning_rate": 0.05, "scale": 0.1}
    pursuit = npw.NeuronPursuit(problem, 2, **options)
    pursuit.run(1)
    first, second = pursuit.growth
    assert first.loss == pytest.approx(values[1] ** 2 / 2, abs=1e-6)
    assert second.layers == (1, 2)
    assert second.candidates[second.taken].layers == (1, 2)
    assert second.loss < 1e-6
    alone = npw.NeuronPursuit(problem, 2, **options, longest_path=1)
    alone.run(1)
    assert [len(record.layers) for record in alone.growth] in ([2], [2, 1])  # rounding may still seem to lead on
    assert alone.growth[-1].loss == pytest.approx(first.loss, rel=1e-3)


def test_the_end_of_a_pursuit_of_single_neurons_names_paths_as_a_way_on():
    problem = npw.problems.kumar_haupt(samples=40, seed=0)
    for longest in (1, None):
        settings = npw.NeuronPursuit(problem, longest_path=longest).settings
        finish = rules.no_point(problem, settings, (), ((1, 1), (2, 2)))
        assert ("longest_path=None" in finish.advice) == (longest == 1)
        assert ("path" in finish.message) == (longest is None)


def few_samples(seed):
    inputs = np.random.default_rng(seed).standard_normal((10, 30))
    return npw.Problem(inputs, np.maximum(inputs[:, 0], 0) - np.maximum(inputs[:, 1], 0))


def separable(seed):
    inputs = np.random.default_rng(seed).standard_normal((80, 4))
    return npw.Problem(inputs, (inputs[:, 0] + inputs[:, 1] > 0).astype(int), loss="cross_entropy")


@pytest.mark.parametrize("make", [few_samples, separable])
@pytest.mark.parametrize("seed", range(3))
def test_where_single_neurons_have_nothing_left_a_path_leads_on(make, seed):
    pursuit = npw.NeuronPursuit(make(seed), 2, seed=seed)
    assert pursuit.run(12).kind == "target"
    ensemble = npw.pursue_many([make(seed)], hidden_layers=2, seed=seed, max_additions=12)
    assert ensemble[0].finished.kind == "target"


@pytest.fixture(scope="module")
def grown_by_a_path():
    frames: list[PursuitFrame] = []
    pursuit = npw.NeuronPursuit(npw.problems.kumar_haupt(samples=60, seed=0), 3, starts=5, max_steps=400)
    pursuit.run(0)
    pursuit.add_neuron(2, last=3)
    while pursuit.requested:
        pursuit.advance()
        frames.append(pursuit.frame())
    return pursuit, frames


def test_a_path_that_was_asked_for_is_added(grown_by_a_path):
    pursuit, frames = grown_by_a_path
    assert any("layers 2–3" in frame.message and frame.phase == "searching" for frame in frames)
    record = pursuit.growth[-1]
    assert (record.layer, record.last, record.layers) == (2, 3, (2, 3))
    assert record.widths == (1, 2, 2)
    assert {each.layers for each in record.candidates} == {(2, 3)}
    assert next(frame for frame in frames if frame.phase == "minimizing").added == ((2, 1), (3, 1))


def test_pictures_show_a_path_as_one(grown_by_a_path):
    _, frames = grown_by_a_path
    assert loss_picture(frames[-1])["words"].texts == ("2–3",)
    picture = candidates(next(frame for frame in frames if frame.taken is not None))
    assert [text for _, text in picture.x.ticks] == ["1", "2", "3", "2–3"]
    assert picture.x.label == "layers that would get a neuron"
    assert set(np.round(picture["stem"].x)) == {3}
    assert np.round(picture["taken"].x).tolist() == [3]


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ((2, 1), ValueError, "last"),
        ((1, 3), ValueError, "last"),
        ((None, 2), ValueError, "last"),
        ((1, "2"), TypeError, "last"),
    ],
)
def test_a_path_that_cannot_be_is_refused_by_name(arguments, error, name):
    pursuit = npw.NeuronPursuit(npw.problems.kumar_haupt(samples=40, seed=0), max_steps=20, starts=2)
    pursuit.run(0)
    with pytest.raises(error, match=name):
        pursuit.add_neuron(*arguments)
    with npw.Session(pursuit) as session, pytest.raises(error, match=name):
        session.add_neuron(*arguments)


@pytest.mark.parametrize("hidden", [2, 3])
def test_signals_that_cancel_to_rounding_are_no_reason_to_add_a_neuron(hidden):
    problem, values = linear_problem()
    left, _, right = np.linalg.svd((problem.targets.T @ problem.inputs / problem.samples).numpy())
    size = values[0] ** (1 / (hidden + 1))
    weights = [size * right[:1], *([[[size]]] * (hidden - 1)), size * left[:, :1]]
    points = npw.find_kkt_points(npw.HomogeneousNetwork(weights, leak=1.0), problem, starts=10, longest=None)
    assert {(point.layer, point.last) for point in points} == {(1, hidden)}
    assert points[0].value == pytest.approx(values[1] * (hidden + 1) ** (-(hidden + 1) / 2), rel=1e-8)
