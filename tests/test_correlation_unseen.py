"""The neural correlation function where samples are seen by no neuron of a ReLU layer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import np_widgets as npw
from np_widgets.learning.correlation.paths import all_paths
from np_widgets.learning.pursuit.searching import Searching
from np_widgets.learning.pursuit.settings import PursuitSettings

pytestmark = pytest.mark.rounding


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def case(seed, widths, *, power=1, leak=0.0, outputs=1, samples=60, loss="square"):
    """A random network of few neurons, so that each ReLU layer is silent at some samples, and a random problem."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [3, *widths, outputs]
    weights = [normal(generator, above, below) for below, above in pairwise(sizes)]
    weights = [weight / weight.norm(dim=1, keepdim=True) for weight in weights]
    network = npw.HomogeneousNetwork(weights, power=power, leak=leak)
    x = normal(generator, samples, 3)
    # Samples that are on a kink or far from all: so small steps do not cross any.
    clear = [((z == 0) | (z.abs() > 0.02)).all(dim=1) for z in network.forward(x).pre_activations[:-1]]
    x = x[torch.stack(clear).all(dim=0)]
    targets = torch.arange(len(x)) % outputs if loss == "cross_entropy" else normal(generator, len(x), outputs)
    return network, npw.Problem(x, targets, loss)


def silent(network, problem):
    """Whether there are samples that some layer does not respond to."""
    return any(bool((h == 0).all(dim=1).any()) for h in network.forward(problem.inputs).hidden[1:])


def loss_of(network, problem):
    return float(problem.loss.value(network(problem.inputs), problem.targets))


def assert_falls_by(network, problem, layer, incoming, outgoing, value):
    """Adding ``ε·(a, b)`` lowers the loss by ``ε^{p+1}·value``, with an error that vanishes as ε is halved."""
    power, before = network.power, loss_of(network, problem)
    scales = 0.01 * 0.5 ** np.arange(4)
    falls = np.array(
        [before - loss_of(network.with_neuron(layer, e * incoming, e * outgoing), problem) for e in scales]
    )
    errors = falls / scales ** (power + 1) - value
    rounding = 1e-13 * before / scales ** (power + 1)
    # The next order has another factor of ε^{p+1}, or more.
    assert np.all(np.abs(errors[1:]) <= 0.3 * np.abs(errors[:-1]) + rounding[1:])
    assert abs(errors[-1]) <= 0.1 * max(abs(value), 1.0) + rounding[-1]


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from([(1,), (2, 2), (1, 1), (2, 1, 2), (1, 1, 1), (2, 2, 1, 1)]),
    activation=st.sampled_from([(1, 0.0), (1, 0.0), (1, 0.2), (1, -0.5), (1, 1.0), (2, 0.0)]),
    outputs=st.sampled_from([("square", 1), ("square", 2), ("cross_entropy", 3)]),
)
def test_the_loss_falls_by_the_correlation_at_every_network(seed, widths, activation, outputs):
    (power, leak), (loss, count) = activation, outputs
    network, problem = case(seed, widths, power=power, leak=leak, outputs=count, loss=loss)
    generator = torch.Generator().manual_seed(seed + 1)
    for layer in range(1, len(widths) + 1):
        b = normal(generator, network.weights[layer - 1].shape[1])
        a = normal(generator, network.weights[layer].shape[0])
        b, a = b / b.norm(), a / a.norm()
        value = npw.correlation(network, problem, layer, b, a, unseen=True)
        assert_falls_by(network, problem, layer, b, a, value)
        if not silent(network, problem):
            defined = npw.correlation(network, problem, layer, b, a)
            assert value == pytest.approx(defined, rel=1e-9, abs=1e-12)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from([(1,), (2, 2), (1, 1), (2, 1, 2), (1, 1, 1)]),
    leak=st.sampled_from([0.0, 0.0, 0.0, 0.2]),
    unseen=st.booleans(),
)
def test_values_of_points_are_those_of_the_public_evaluator(seed, widths, leak, unseen):
    network, problem = case(seed, widths, leak=leak)
    for point in npw.find_kkt_points(network, problem, starts=5, seed=seed, unseen=unseen):
        assert point.residual < 1e-6
        assert point.unseen <= unseen
        assert point.unseen or not unseen or (leak and point.layer < len(widths)) or point.layer < len(widths) - 1
        value = npw.correlation(network, problem, point.layer, point.incoming, point.outgoing, unseen=point.unseen)
        assert value == pytest.approx(point.value, rel=1e-9)
        if point.unseen or not silent(network, problem):
            assert_falls_by(network, problem, point.layer, point.incoming, point.outgoing, point.value)


@pytest.mark.parametrize("widths", [(2, 2), (2, 1, 2)])
def test_what_the_definition_leaves_out_is_what_the_loss_falls_by(widths):
    # So that the properties above are about something.
    differs = 0
    for seed in range(10):
        network, problem = case(seed, widths)
        problem = npw.Problem(problem.inputs, problem.targets + 2)
        layer = len(widths) - 1
        for point in npw.find_kkt_points(network, problem, layers=(layer,), starts=5, unseen=True):
            defined = npw.correlation(network, problem, layer, point.incoming, point.outgoing)
            differs += defined < 0.99 * point.value
    assert differs >= 3


@pytest.fixture(scope="module")
def silent_case():
    """Two hidden layers of ReLUs; about a quarter of the samples are seen by no neuron of the first."""
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(400, 5, generator=generator, dtype=torch.float64)
    weights = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((2, 5), (2, 2), (1, 2))]
    weights[2] = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    network = npw.HomogeneousNetwork(weights)
    seen = (network.forward(inputs).hidden[1] > 0).any(dim=1, keepdim=True)
    targets = torch.where(seen, network(inputs), 2.0) + 0.1 * torch.randn(400, 1, generator=generator).double()
    problem = npw.Problem(inputs, targets)
    assert 0.5 < float(seen.double().mean()) < 0.9
    return network, problem


def test_the_points_with_unseen_samples_may_be_worth_much_more(silent_case):
    network, problem = silent_case
    plain = npw.find_kkt_points(network, problem, layers=(1,))[0]
    whole = npw.find_kkt_points(network, problem, layers=(1,), unseen=True)[0]
    assert whole.value > 1.5 * plain.value


def test_no_direction_of_a_scan_does_better(silent_case):
    network, problem = silent_case
    best = npw.find_kkt_points(network, problem, layers=(1,), unseen=True)[0].value
    generator = np.random.default_rng(0)
    for _ in range(300):
        vector = generator.standard_normal(7)
        vector /= np.linalg.norm(vector)
        value = npw.correlation(network, problem, 1, vector[:5], vector[5:], unseen=True)
        assert value <= best * (1 + 1e-9)


@pytest.mark.exact_data(reason="a sample is on a kink")
def test_a_sample_on_the_kink_of_one_neuron_is_counted_on_the_side_it_is_pushed_to():
    # z_2 of the first neuron is zero at the first sample, of the second neuron at the second; neither is silent.
    network = npw.HomogeneousNetwork([[[1.0, 0.0], [0.0, 1.0]], [[1.0, -1.0], [1.0, -2.0]], [[1.0, 1.0]]])
    problem = npw.Problem([[1.0, 1.0], [2.0, 1.0]], [3.0, 4.0])
    points = npw.find_kkt_points(network, problem, layers=(1,), unseen=True)
    assert points
    for point in points:
        value = npw.correlation(network, problem, 1, point.incoming, point.outgoing, unseen=True)
        assert value == pytest.approx(point.value, rel=1e-9)
        assert_falls_by(network, problem, 1, point.incoming, point.outgoing, point.value)


def test_nothing_changes_where_every_sample_is_seen_or_the_layer_is_the_last(silent_case):
    network, problem = silent_case
    last = [npw.find_kkt_points(network, problem, layers=(2,), unseen=unseen) for unseen in (False, True)]
    assert [p.value for p in last[0]] == [p.value for p in last[1]]
    leaky = npw.HomogeneousNetwork(network.weights, leak=0.1)
    both = [npw.find_kkt_points(leaky, problem, unseen=unseen) for unseen in (False, True)]
    assert [p.value for p in both[0]] == [p.value for p in both[1]]


@pytest.mark.parametrize("method", ["fast", "paper"])
@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
def test_the_record_says_which_correlation_its_value_is_of(method, hidden_layers):
    problem = npw.problems.kumar_haupt(samples=60, seed=1)
    pursuit = npw.NeuronPursuit(problem, hidden_layers, method=method, starts=10, max_steps=60)
    pursuit.run(0)
    before = pursuit.network
    pursuit.run(1)
    settings = PursuitSettings(method=method, hidden_layers=hidden_layers, starts=10)
    search = Searching(problem, settings, before, all_paths(hidden_layers, 1, 1), 1)
    while not search.finished:
        search.advance()
    record = pursuit.growth[-1]
    assert record.unseen == record.candidates[record.taken].unseen
    assert not pursuit.growth[0].unseen
    for candidate, point in zip(record.candidates, search.points, strict=True):
        assert (candidate.layer, candidate.value) == (point.layer, point.value)
        value = npw.correlation(
            before, problem, candidate.layer, point.incoming, point.outgoing, unseen=candidate.unseen
        )
        assert value == pytest.approx(candidate.value, rel=1e-9)
        assert candidate.unseen == (method == "fast" and candidate.layer >= hidden_layers - 1)


def test_the_other_one_sided_signals_lead_to_candidates_of_true_value():
    # Layer 2 is at its kink for all samples that layer 1 does not see: the other side has signals there.
    network, problem = case(7, (1, 1))
    search = Searching(problem, PursuitSettings(starts=10), network, all_paths(2, 1, 1), 0, upper=True)
    while not search.finished:
        search.advance()
    assert search.points
    assert [p.value for p in search.points] == sorted((p.value for p in search.points), reverse=True)
    for point, candidate in zip(search.points, search.candidates, strict=True):
        value = npw.correlation(network, problem, point.layer, point.incoming, point.outgoing, unseen=True)
        assert candidate.value == pytest.approx(value, rel=1e-9, abs=1e-15)
        assert candidate.unseen
        assert not candidate.is_kkt_point


def test_unseen_is_a_flag(silent_case):
    flag: Any = 1
    network, problem = silent_case
    with pytest.raises(TypeError, match="unseen must be True or False, got 1"):
        npw.find_kkt_points(network, problem, unseen=flag)
    with pytest.raises(TypeError, match="unseen must be True or False, got 1"):
        npw.correlation(network, problem, 1, [1.0] * 5, [1.0] * 2, unseen=flag)
