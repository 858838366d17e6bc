"""Many pursuits as one batch: the same mathematics as one alone, and as good an end."""

from __future__ import annotations

import concurrent.futures
import signal
import threading
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

import np_widgets as npw
from np_widgets import arguments
from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.columns import forward, signals
from np_widgets.learning.correlation.clarke import clarke_gradient_norm
from np_widgets.learning.correlation.field import DirectionalCorrelation
from np_widgets.learning.ensemble.batch import Data, unpadded
from np_widgets.learning.ensemble.candidates import scales_of_rays
from np_widgets.learning.ensemble.growing import candidates_at_origin, candidates_of_neurons
from np_widgets.learning.ensemble.lockstep import Lockstep
from np_widgets.learning.ensemble.member import Member
from np_widgets.learning.ensemble.search import BatchCorrelation, ascend
from np_widgets.learning.gauss_newton import gauss_newton
from np_widgets.learning.network import HomogeneousNetwork, padded
from np_widgets.learning.objective import Objective
from np_widgets.learning.searching import Searching
from np_widgets.learning.settings import PursuitSettings
from np_widgets.problems import hypercube_error
from np_widgets.sessions import many


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(seed: int, sizes: tuple[int, ...], power: int = 1, leak: float = 0.0) -> HomogeneousNetwork:
    weights = [normal(seed + layer, sizes[layer + 1], sizes[layer]) for layer in range(len(sizes) - 1)]
    return HomogeneousNetwork(weights, power=power, leak=leak)


def problem(seed: int = 0, samples: int = 50, outputs: int = 1, loss: str = "square") -> npw.Problem:
    inputs = normal(seed, samples, 4)
    if loss == "cross_entropy":
        return npw.Problem(inputs, inputs[:, :outputs].argmax(dim=1), loss="cross_entropy")
    return npw.Problem(inputs, normal(seed + 1, samples, outputs))


def data_of(problems: list[npw.Problem]) -> Data:
    inputs = torch.stack([each.inputs.T for each in problems])
    targets = torch.stack([each.targets for each in problems])
    return Data(inputs, targets, problems[0].output_size, problems[0].loss)


# ------------------------------------------------------------------------------------- the parts against those of one

activations = st.sampled_from([Activation(1, 0.0), Activation(1, 0.3), Activation(2, 0.0), Activation(3, -0.5)])
widths_of_two = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=3)


@settings(max_examples=30)
@given(widths_of_two, activations, st.sampled_from([("square", 1), ("square", 3), ("cross_entropy", 3)]))
def test_padded_networks_have_the_outputs_signals_and_models_of_each(widths, activation, kind):
    loss, outputs = kind
    problems = [problem(10 * i, outputs=outputs, loss=loss) for i in range(len(widths))]
    networks = [
        network(100 + i, (4, *each, outputs), activation.power, activation.leak) for i, each in enumerate(widths)
    ]
    data, weights = data_of(problems), padded(networks, more=1)
    passed = forward(weights, data.inputs, activation)
    residual = data.loss.residual(passed.output, data.targets)
    sent = signals(weights, passed, residual, activation)
    losses, gradients, matrices = gauss_newton(weights, data.inputs, data.targets, data.loss, activation, 17)
    for index, (own, each) in enumerate(zip(problems, networks, strict=True)):
        alone = each.forward(own.inputs)
        torch.testing.assert_close(passed.output[index], alone.output, rtol=1e-12, atol=1e-12)
        expected = each.signals(alone, own.loss.residual(alone.output, own.targets))
        for layer, one in enumerate(expected):
            torch.testing.assert_close(sent[layer][index, : one.shape[1]].T, one, rtol=1e-10, atol=1e-12)
        objective = Objective(own, each)
        model = objective.gauss_newton(objective.initial)
        places = torch.cat(
            [
                torch.nn.functional.pad(torch.ones_like(w), (0, p.shape[2] - w.shape[1], 0, p.shape[1] - w.shape[0]))
                .flatten()
                .bool()
                for w, p in zip(each.weights, weights, strict=True)
            ]
        )
        size = float(model.matrix.abs().max())
        assert float(losses[index]) == pytest.approx(model.loss, rel=1e-12)
        torch.testing.assert_close(gradients[index][places], model.gradient, rtol=1e-10, atol=1e-10 * size)
        found = matrices[index][places][:, places]
        torch.testing.assert_close(found, model.matrix, rtol=1e-10, atol=1e-10 * size)
        assert not gradients[index][~places].any()
        assert not matrices[index][~places].any()


def test_padding_and_its_inverse():
    networks = [network(i, (4, *widths, 2)) for i, widths in enumerate([(1, 3), (2, 2), (4, 1)])]
    again = unpadded(padded(networks, more=2), [each.widths for each in networks], Activation())
    for one, other in zip(networks, again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


@settings(max_examples=30)
@given(activations, st.integers(1, 3), st.booleans(), st.integers(0, 100))
def test_the_correlation_of_a_batch_is_that_of_each(activation, outputs, one_sided, seed):
    features, sent, pushed = normal(seed, 2, 5, 40), normal(seed + 1, 2, outputs, 40), normal(seed + 2, 2, outputs, 40)
    profile = Profile.of(activation)
    batch = BatchCorrelation(features, sent, profile, pushed if one_sided else None)
    directions = torch.nn.functional.normalize(normal(seed + 3, 2, 7, 5), dim=2)
    values, gradients = batch.evaluate(directions.float())
    for index in range(2):
        parts = features[index].T, sent[index].T
        alone = (
            DirectionalCorrelation(*parts, profile, pushed[index].T)
            if one_sided
            else DirectionalCorrelation(*parts, profile)
        )
        expected, slopes = alone.evaluate(directions[index].T)
        found = values[index].double() * batch.scale[index] / alone.scale
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        slope = gradients[index].T.double() * batch.scale[index] / alone.scale
        kept = expected > 1e-3  # elsewhere single precision may choose other signs
        torch.testing.assert_close(slope[:, kept], slopes[:, kept], rtol=1e-2, atol=1e-3)


@pytest.mark.rounding
def test_ascent_of_a_batch_arrives_where_that_of_each_does():
    problems = [npw.problems.kumar_haupt(samples=300, seed=seed) for seed in range(3)]
    grown = []
    for own in problems:
        pursuit = npw.NeuronPursuit(own, starts=10)
        pursuit.run(1)
        grown.append(pursuit.network)
    found, maxima = candidates_of_neurons(grown, data_of(problems), 50, [0, 1, 2], 1e-7)
    for index, (own, each) in enumerate(zip(problems, grown, strict=True)):
        points = npw.find_kkt_points(each, own, starts=50, seed=index, unseen=True)
        for layer in (1, 2):
            best = max((point.value for point in points if point.layer == layer), default=0.0)
            # Where kinks abound only polishing climbs the last few percent.
            assert 0.9 * best <= maxima[index][layer - 1] <= best * (1 + 1e-5)
        order = found.values[index]
        assert bool((order[:-1] >= order[1:]).all())


@pytest.mark.rounding
def test_candidates_are_the_trained_networks_with_a_neuron_of_that_value_more():
    problems = [problem(seed) for seed in (0, 10)]
    grown = [network(3, (4, 2, 1, 1)), network(7, (4, 1, 3, 1))]
    found, _ = candidates_of_neurons(grown, data_of(problems), 20, [0, 0], 1e-7)
    weights = found.at(torch.ones_like(found.values))
    for index, (own, each) in enumerate(zip(problems, grown, strict=True)):
        for place in range(found.values.shape[1]):
            value, layer = float(found.values[index, place]), int(found.layers[index, place])
            if value <= 0:
                continue
            widths = list(each.widths)
            widths[layer - 1] += 1
            bigger = unpadded([w[index : index + 1, place] for w in weights], [widths], Activation())[0]
            incoming, outgoing = bigger.weights[layer - 1][-1], bigger.weights[layer][:, -1]
            expected = each.with_neuron(layer, incoming, outgoing)
            assert all(torch.allclose(a, b) for a, b in zip(bigger.weights, expected.weights, strict=True))
            assert float(incoming @ incoming) == pytest.approx(0.5, rel=1e-5)
            assert float(outgoing @ outgoing) == pytest.approx(0.5, rel=1e-5)
            defined = npw.correlation(each, own, layer, incoming, outgoing)
            # In layer 1 the value counts what the definition does not: samples that layer 1 does not respond to.
            assert defined == pytest.approx(value, rel=1e-4) if layer == 2 else defined <= value * (1 + 1e-4)


def test_rays_end_where_the_loss_is_lowest():
    problems = [problem(seed) for seed in (0, 10)]
    data = data_of(problems)
    found = candidates_at_origin(data, Activation(), 2, 20, [0, 1], 1e-7)
    single = Data(data.inputs.float(), data.targets.float(), 1, data.loss)
    scales, usable = scales_of_rays(found, single, Activation())
    for index, own in enumerate(problems):
        for place in range(found.values.shape[1]):
            if not usable[index, place]:
                continue

            def loss(scale: float, index: int = index, place: int = place, own: npw.Problem = own) -> float:
                weights = [w[index, place] * scale for w in found.neurons]
                output = HomogeneousNetwork(weights).forward(own.inputs).output
                return float(own.loss.value(output, own.targets))

            best = min(loss(scale) for scale in np.geomspace(1e-2, 1e2, 2000))
            assert loss(float(scales[index, place])) <= best + 0.02 * (loss(0.0) - best)


@pytest.mark.rounding
def test_ascent_gives_points_apart_from_each_other():
    field = BatchCorrelation(normal(0, 2, 6, 80), normal(1, 2, 1, 80), Profile.of(Activation()))
    starts = torch.nn.functional.normalize(normal(2, 2, 30, 6), dim=2)
    points = ascend(field, starts, 4)
    for directions, values in zip(points.directions, points.values, strict=True):
        kept = directions[values > 0]
        cosines = kept @ kept.T - torch.eye(len(kept))
        assert float(cosines.max()) < 0.98
        assert float(values[0]) == float(values.max())


# ------------------------------------------------------------------------------------- the whole


@pytest.mark.rounding
def test_the_authors_example_is_recovered_by_all():
    problems = [npw.problems.kumar_haupt(samples=1000, seed=seed) for seed in range(10)]
    ensemble = npw.pursue_many(problems, max_additions=8)
    assert all(result.finished.kind == "target" for result in ensemble)
    errors = [hypercube_error(own, result.network) for own, result in zip(problems, ensemble, strict=True)]
    assert sum(error < 1e-3 for error in errors) >= 9
    assert sum(result.widths <= (4, 2) for result in ensemble) >= 7
    for result in ensemble:
        assert result.loss == pytest.approx(
            Objective(result.problem, result.network).loss(
                torch.cat([weight.flatten() for weight in result.network.weights])
            ),
            rel=1e-6,
            abs=1e-20,
        )


@settings(max_examples=12)
@given(
    st.integers(1, 3),
    st.sampled_from([(1, 0.0), (1, 0.3), (2, 0.0), (1, 1.0)]),
    st.sampled_from([("square", 1), ("square", 2), ("cross_entropy", 3)]),
    st.integers(0, 1000),
)
def test_losses_never_rise_and_what_is_recorded_is_so(hidden_layers, shape, kind, seed):
    power, leak = shape
    loss, outputs = kind
    problems = [problem(seed + i, samples=30, outputs=outputs, loss=loss) for i in range(3)]
    ensemble = npw.pursue_many(
        problems, hidden_layers=hidden_layers, power=power, leak=leak, max_additions=2, starts=10, threads=1
    )
    ladder = ensemble.ladder
    assert ladder.shape[0] == 3
    for row, own, result in zip(ladder, problems, ensemble, strict=True):
        start = float(own.loss.value(torch.zeros(30, outputs, dtype=torch.float64), own.targets))
        assert all(later <= earlier * (1 + 1e-9) for earlier, later in zip([start, *row], row, strict=False))
        widths = [record.widths for record in result.growth]
        assert widths[0] == (1,) * hidden_layers
        for before, after, record in zip(widths, widths[1:], result.growth[1:], strict=False):
            expected = [width + (layer in record.layers) for layer, width in enumerate(before, start=1)]
            assert list(after) == expected
        assert result.network.widths == widths[-1] == result.widths
        assert result.finished.kind in {"target", "additions", "no_point"}
        assert [record.first_step for record in result.growth] == [
            sum(r.steps for r in result.growth[:i]) for i in range(len(widths))
        ]


def test_threads_and_repetition_change_no_bit():
    problems = [problem(seed) for seed in range(10)]
    one, two, three = (npw.pursue_many(problems, max_additions=2, threads=threads) for threads in (1, 1, 2))
    for results in zip(one, two, three, strict=True):
        for other in results[1:]:
            assert all(
                torch.equal(a, b) for a, b in zip(results[0].network.weights, other.network.weights, strict=True)
            )


def test_problems_of_different_shapes_come_back_in_order():
    problems = [problem(0, 30), problem(1, 40), problem(2, 30, 2), problem(3, 40), problem(4, 30, 3, "cross_entropy")]
    ensemble = npw.pursue_many(problems, max_additions=1, starts=5)
    assert [result.problem.samples for result in ensemble] == [30, 40, 30, 40, 30]
    assert [result.network.output_size for result in ensemble] == [1, 1, 2, 1, 3]


def test_seeds_of_one_problem():
    own = npw.problems.kumar_haupt(samples=200, seed=0)
    ensemble = npw.pursue_many(range(3), own, max_additions=1, starts=3)
    assert [result.seed for result in ensemble] == [0, 1, 2]
    same = npw.pursue_many([own, own, own], seed=1, max_additions=1, starts=3)
    assert [result.loss for result in same] == pytest.approx([same[0].loss] * 3, rel=1e-9)
    assert same[0].loss == pytest.approx(ensemble[1].loss, rel=1e-6)


def test_the_largest_seed_is_followed_by_the_first():
    own = npw.problems.kumar_haupt(samples=100, seed=0)
    result = npw.pursue_many([arguments.LARGEST_SEED], own, max_additions=1, starts=3)[0]
    assert len(result.growth) == 2
    member = Member(own, arguments.LARGEST_SEED, PursuitSettings())
    assert member.next_seed == arguments.LARGEST_SEED
    member.growth.append(result.growth[0])
    assert member.next_seed == 0


@pytest.mark.rounding
@pytest.mark.parametrize(("inputs", "targets"), [(1e4, 1e-3), (1e-5, 1e6)])
def test_units_of_the_data_do_not_matter(inputs, targets):
    own = npw.problems.kumar_haupt(samples=300, seed=1)
    scaled = npw.Problem(own.inputs * inputs, own.targets * targets)
    # Beyond that, rounding may decide between candidates that are as good as each other.
    one = npw.pursue_many([own], max_additions=1)[0]
    other = npw.pursue_many([scaled], max_additions=1, target_loss=1e-9 * targets**2)[0]
    assert [record.widths for record in one.growth] == [record.widths for record in other.growth]
    for record, expected in zip(other.growth, one.growth, strict=True):
        assert record.loss / targets**2 == pytest.approx(expected.loss, rel=1e-3)


@pytest.mark.rounding
def test_nothing_to_learn_ends_as_a_pursuit_alone_does():
    zero = npw.Problem(normal(0, 20, 3), torch.zeros(20, 1))
    alone = npw.NeuronPursuit(zero)
    alone.run()
    ensemble = npw.pursue_many([zero, zero])
    assert [result.finished.kind for result in ensemble] == [alone.finished.kind] * 2
    assert ensemble[0].network is None
    assert np.isnan(ensemble.losses).all()
    assert ensemble.ladder.shape == (2, 0)
    assert ensemble.neurons.shape == (2, 0)


@pytest.mark.rounding
def test_where_no_neuron_is_of_use_it_ends():
    # A single linear neuron is all there is.
    inputs = normal(0, 40, 2)
    linear = npw.Problem(inputs, inputs[:, :1])
    result = npw.pursue_many([linear], hidden_layers=1, leak=1.0, target_loss=0.0, max_additions=5)[0]
    assert result.loss < 1e-20
    assert result.finished.kind in {"no_point", "additions"}


def test_a_member_ends_as_a_pursuit_alone_does():
    own = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuit = npw.NeuronPursuit(own)
    pursuit.run(0)
    member = Member(own, 0, PursuitSettings(max_additions=3))
    member.trained(pursuit.network, 0, 2, 1.0, 5, "diverged: step 3 led from a loss of 1 to inf")
    assert member.finished.kind == "diverged"
    assert member.finished.message == "The minimizer diverged: step 3 led from a loss of 1 to inf."


@pytest.mark.rounding
def test_an_end_without_a_point_is_judged_by_clarkes_gradient(monkeypatch):
    # One hidden neuron at its kink for the first sample: Clarke's subdifferential holds a shorter element.
    kinked = npw.Problem([[1.0, 0.0], [1.0, 1.0]], [-2.0, 1.5])
    member = Member(kinked, 0, PursuitSettings(hidden_layers=1, starts=5))
    member.network = npw.HomogeneousNetwork([[[0.0, 1.0]], [[1.0]]])
    member.loss = member.loss_of(member.network)
    monkeypatch.setattr(Searching, "outcome", lambda search: [])
    member.go_on_alone()
    objective = Objective(kinked, member.network)
    norm = clarke_gradient_norm(objective, objective.initial)
    assert member.finished.kind == "no_point"
    assert member.finished.gradient_norm == pytest.approx(norm, rel=1e-12)
    assert norm < 0.99 * float(objective.loss_and_gradient(objective.initial)[1].norm())


@pytest.mark.rounding
def test_classes_are_learned():
    moons = [npw.problems.two_moons(seed=seed) for seed in range(2)]
    for own, result in zip(moons, npw.pursue_many(moons, hidden_layers=1, max_additions=8), strict=True):
        right = result.network(own.inputs).argmax(dim=1) == own.targets
        assert float(right.double().mean()) > 0.97


def test_test_losses_and_the_numbers_of_neurons():
    inputs = normal(0, 60, 4)
    targets = inputs[:, :1].relu()
    own = npw.Problem(inputs[:40], targets[:40], test=(inputs[40:], targets[40:]))
    ensemble = npw.pursue_many([own, own], max_additions=1)
    assert ensemble.test_losses.shape == (2,)
    output = ensemble[0].network(own.test_inputs)
    assert ensemble.test_losses[0] == pytest.approx(float(own.loss.value(output, own.test_targets)))
    assert ensemble.neurons.shape == (2, 2)
    assert "2 pursuits" in repr(ensemble)
    assert len(list(ensemble)) == len(ensemble) == 2


def test_interrupted_it_keeps_what_there_is(monkeypatch):
    problems = [npw.problems.kumar_haupt(samples=100, seed=seed) for seed in range(40)]
    begun, look = threading.Event(), concurrent.futures.wait

    def press(*arguments):
        """Ctrl-C, once, at the first look: some work has been done then, and a great deal is still to be done."""
        monkeypatch.setattr(many, "wait", look)
        assert begun.wait(60)
        signal.raise_signal(signal.SIGINT)
        return look(*arguments)

    class Noticed(Lockstep):
        def advance(self) -> None:
            super().advance()
            begun.set()

    monkeypatch.setattr(many, "wait", press)
    monkeypatch.setattr(many, "Lockstep", Noticed)
    ensemble = npw.pursue_many(problems, target_loss=0.0, max_additions=30, threads=1)
    assert len(ensemble) == 40
    assert "interrupted" in {result.finished.kind for result in ensemble}
    for result in ensemble:
        assert result.network is None or result.network.widths == result.widths


def test_large_networks_are_minimized_without_matrices():
    inputs = normal(0, 60, 1200)
    wide = npw.Problem(inputs, inputs[:, :2])
    result = npw.pursue_many([wide], hidden_layers=1, max_additions=1, starts=4)[0]
    assert result.network.parameter_count > 2000
    assert result.growth[1].loss < result.growth[0].loss < wide.loss.value(0 * wide.targets, wide.targets)


def test_large_problems_are_pursued_alone(monkeypatch):
    monkeypatch.setattr(many, "_SAMPLES", 100)
    own = npw.problems.kumar_haupt(samples=200, seed=0)
    small = npw.problems.kumar_haupt(samples=80, seed=0)
    ensemble = npw.pursue_many([small, own], seed=3, max_additions=1, starts=5)
    alone = npw.NeuronPursuit(own, seed=3, starts=5)
    alone.run(1)
    assert [record.loss for record in ensemble[1].growth] == [record.loss for record in alone.growth]
    assert ensemble[1].finished.kind == "additions"
    assert ensemble[0].growth[-1].stopped in {"no further decrease", "target loss met"}


@pytest.mark.rounding
def test_no_loss_rises_when_next_to_nothing_is_left():
    problems = [npw.problems.random_teacher(inputs=5, widths=(2, 2), samples=100, seed=seed) for seed in range(6)]
    ensemble = npw.pursue_many(problems, target_loss=0.0, max_additions=6)
    for row, own in zip(np.sqrt(ensemble.ladder), problems, strict=True):
        # Each residual is known to some units in the last place of the targets, and no better.
        rounding = 10 * np.finfo(np.float64).eps * float(own.targets.abs().max())
        assert all(later <= earlier + rounding for earlier, later in pairwise(row))


@pytest.mark.parametrize(
    ("positional", "keywords", "error", "match"),
    [
        (([],), {}, ValueError, "problems_or_seeds must have 1 to"),
        ((3,), {}, TypeError, "problems_or_seeds must be a list of problems"),
        (("ab",), {}, TypeError, "problems_or_seeds"),
        ((problem(),), {}, TypeError, "problems_or_seeds"),
        (([0, 1],), {}, TypeError, "got int and no problem"),
        (([0, 1], "x"), {}, TypeError, "problem must be a Problem, got str"),
        (([0, 1.5], problem()), {}, TypeError, r"problems_or_seeds\[1\]"),
        (([-1], problem()), {}, ValueError, r"problems_or_seeds\[0\]"),
        (([problem()],), {"seed": -1}, ValueError, "seed"),
        (([problem()],), {"threads": 0}, ValueError, "threads"),
        (([problem()],), {"progress": "yes"}, TypeError, "progress"),
        (([problem()],), {"hidden_layers": 0}, ValueError, "hidden_layers"),
        (([problem()],), {"leak": 2}, ValueError, "leak"),
        (([problem()],), {"starts": 0}, ValueError, "starts"),
        (([problem()],), {"device": "nowhere"}, ValueError, "device"),
        (([problem()],), {"max_additions": -1}, ValueError, "max_additions"),
    ],
)
def test_bad_input_is_named(positional, keywords, error, match):
    with pytest.raises(error, match=match):
        npw.pursue_many(*positional, **keywords)
