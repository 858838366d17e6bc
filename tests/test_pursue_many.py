"""Many pursuits: each is the one alone, to the bit, whatever others there are."""

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
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.problems import hypercube_error
from np_widgets.sessions import batches, many
from tests.bits import bits


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(seed: int = 0, samples: int = 50, outputs: int = 1, loss: str = "square") -> npw.Problem:
    inputs = normal(seed, samples, 4)
    if loss == "cross_entropy":
        return npw.Problem(inputs, inputs[:, :outputs].argmax(dim=1), loss="cross_entropy")
    return npw.Problem(inputs, normal(seed + 1, samples, outputs))


# ------------------------------------------------------------------------------------- no member knows of the others


@settings(max_examples=6)
@given(
    order=st.permutations(range(3)),
    threads=st.integers(1, 3),
    shape=st.sampled_from([(1, 1, 0.0), (2, 1, 0.0), (2, 1, 0.3), (2, 2, 0.0), (3, 1, 0.0)]),
    kind=st.sampled_from([("square", 1, 0.0), ("square", 2, 0.0), ("square", 1, 0.01), ("cross_entropy", 3, 0.0)]),
    samples=st.integers(20, 40),
)
def test_a_member_is_the_pursuit_alone_to_the_bit(order, threads, shape, kind, samples):
    hidden_layers, power, leak = shape
    loss, outputs, weight_decay = kind
    wanted = {"hidden_layers": hidden_layers, "power": power, "leak": leak, "starts": 4, "max_additions": 1}
    wanted["max_steps"] = 80
    problems = [problem(10 * i, samples=samples, outputs=outputs, loss=loss) for i in range(3)]
    together = npw.pursue_many(
        [problems[i] for i in order], weight_decay=weight_decay, seed=3, threads=threads, **wanted
    )
    for i in order[:1]:
        alone = npw.NeuronPursuit(problems[i], weight_decay=weight_decay, seed=3, **wanted)
        alone.run()
        result = together[order.index(i)]
        assert bits(result.growth) == bits(tuple(alone.growth))
        assert result.finished == alone.finished
        assert bits(result.network and result.network.weights) == bits(alone.network and alone.network.weights)


def test_pursuits_of_the_authors_example_are_one_batch_and_change_no_bit():
    data = npw.problems.kumar_haupt(samples=100, seed=0)
    sizes = []
    advance_together = LookAhead.advance_together

    def counted(each, steps):
        sizes.append(len(each))
        advance_together(each, steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LookAhead, "advance_together", counted)
        together = npw.pursue_many(range(4), data, max_additions=2, starts=10, threads=1)
    assert max(sizes) == 4
    for seed, result in enumerate(together):
        alone = npw.pursue_many([seed], data, max_additions=2, starts=10)[0]
        assert bits(alone.growth) == bits(result.growth)


# ------------------------------------------------------------------------------------- the whole


@pytest.mark.rounding
def test_the_authors_example_is_recovered():
    # Rounding differs between processors, and now and then it tips a run. Of data seeds 0–59 all were recovered; with
    # 99 in 100 fewer than 9 of 10 would be once in 230 processors.
    problems = [npw.problems.kumar_haupt(samples=1000, seed=seed) for seed in range(10)]
    ensemble = npw.pursue_many(problems, max_additions=8)
    for result in ensemble:
        losses = [record.loss for record in result.growth]
        assert losses == sorted(losses, reverse=True)
    assert sum(result.finished.kind == "target" for result in ensemble) >= 9
    errors = [hypercube_error(result.network, own) for own, result in zip(problems, ensemble, strict=True)]
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


@settings(max_examples=4)
@given(
    st.integers(1, 3),
    st.sampled_from([(1, 0.0), (1, 0.3), (2, 0.0), (1, 1.0)]),
    st.sampled_from([("square", 1), ("square", 2), ("cross_entropy", 3)]),
    st.integers(0, 1000),
)
def test_losses_never_rise_and_what_is_recorded_is_so(hidden_layers, shape, kind, seed):
    power, leak = shape
    loss, outputs = kind
    problems = [problem(seed + i, samples=30, outputs=outputs, loss=loss) for i in range(2)]
    ensemble = npw.pursue_many(
        problems, hidden_layers=hidden_layers, power=power, leak=leak, max_additions=2, starts=10, threads=1
    )
    ladder = ensemble.ladder
    assert ladder.shape[0] == 2
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
    problems = [problem(seed) for seed in range(5)]
    one, two, three = (
        npw.pursue_many(problems, max_additions=2, starts=5, max_steps=80, threads=threads) for threads in (1, 1, 2)
    )
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
        monkeypatch.setattr(batches, "wait", look)
        assert begun.wait(60)
        signal.raise_signal(signal.SIGINT)
        return look(*arguments)

    class Noticed(npw.NeuronPursuit):
        def advance(self) -> None:
            super().advance()
            begun.set()

    monkeypatch.setattr(batches, "wait", press)
    monkeypatch.setattr(many, "NeuronPursuit", Noticed)
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


def test_look_aheads_of_many_samples_are_batches_of_their_own(monkeypatch):
    monkeypatch.setattr(many, "_SAMPLES", 100)
    monkeypatch.setattr(many, "_SAMPLES_WAITING", 500)
    problems = [npw.problems.kumar_haupt(samples=200, seed=seed) for seed in range(3)]
    sizes = []
    advance_together = LookAhead.advance_together

    def counted(each, steps):
        sizes.append(len(each))
        advance_together(each, steps)

    monkeypatch.setattr(LookAhead, "advance_together", counted)
    ensemble = npw.pursue_many(problems, max_additions=1, starts=5)
    assert set(sizes) == {1}
    assert [result.finished.kind for result in ensemble] == ["additions"] * 3


@pytest.mark.rounding
def test_no_loss_rises_when_next_to_nothing_is_left():
    problems = [npw.problems.random_teacher(inputs=5, widths=(2, 2), samples=100, seed=seed) for seed in range(4)]
    ensemble = npw.pursue_many(problems, target_loss=0.0, max_additions=5, starts=10)
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
