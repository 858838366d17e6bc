"""Pursuits that are steered, stopped, saved and fed with unusual data: what was promised still holds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

import np_widgets as npw

pytestmark = pytest.mark.rounding


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    return generator.standard_normal((40, 3))


def test_run_adds_no_more_neurons_than_allowed_whatever_came_before(data):
    problem = npw.Problem(data, np.maximum(data[:, 0], 0) - np.maximum(data[:, 1], 0))
    for steps in (20, 50, 400):
        pursuit = npw.NeuronPursuit(problem, 2, starts=3, max_steps=steps)
        pursuit.run(2)
        assert len(pursuit.growth) <= 3
        pursuit.run(1)
        assert len(pursuit.growth) <= 4
    folded = npw.Problem(-np.abs(data), np.abs(data[:, 0]) - data[:, 1])
    pursuit = npw.NeuronPursuit(folded, 2, starts=6, max_steps=400)
    pursuit.run(2)
    assert len(pursuit.growth) <= 3


def test_neuron_asked_for_comes_on_top_of_what_a_run_may_add(data):
    pursuit = npw.NeuronPursuit(npw.Problem(data, np.sin(3 * data[:, 0])), 1, starts=5, max_steps=100)
    pursuit.run(0)
    pursuit.add_neuron()
    pursuit.run(0)
    assert [record.widths for record in pursuit.growth] == [(1,), (2,)]
    pursuit.add_neuron()
    pursuit.run(1)
    assert [record.widths for record in pursuit.growth] == [(1,), (2,), (3,), (4,)]


def test_minimizer_that_does_not_take_the_network_changes_nothing():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((30, 2100))
    pursuit = npw.NeuronPursuit(npw.Problem(x, x[:, 0]), 1, starts=2, max_steps=500)
    while pursuit.phase != "minimizing":
        pursuit.advance()
    with pytest.raises(ValueError, match="levenberg_marquardt"):
        pursuit.set_minimizer("levenberg_marquardt")
    assert pursuit.settings.minimizer == "auto"
    pursuit.restore(pursuit.state())
    assert pursuit.phase == "minimizing"


def test_a_minimizer_for_smaller_networks_does_not_spoil_what_is_stored():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((30, 2100))
    pursuit = npw.NeuronPursuit(npw.Problem(x, x[:, 0]), 1, starts=2, max_steps=20)
    pursuit.run(0)
    pursuit.set_minimizer("levenberg_marquardt")  # of the networks to come, which may be other ones after a reset
    state = pursuit.state()
    restored = npw.NeuronPursuit(npw.Problem(x, x[:, 0]), 1)
    restored.restore(state)
    assert restored.loss == pursuit.loss
    assert restored.settings.minimizer == "levenberg_marquardt"


@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_steps_that_lead_out_of_the_range_of_numbers_lose_nothing(rate):
    problem = npw.problems.kumar_haupt(samples=100, seed=0)
    pursuit = npw.NeuronPursuit(problem, learning_rate=rate, starts=5, target_loss=0.0)
    pursuit.run(2, callback=lambda _: None)
    losses = [record.loss for record in pursuit.growth]
    assert len(losses) == 3
    assert all(later <= earlier for earlier, later in pairwise(losses))
    assert losses[0] < problem.loss.value(0 * problem.targets, problem.targets)


def test_network_that_grows_too_large_for_its_minimizer_leaves_the_record_as_it_is():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((50, 900))
    y = 3 * np.sign(x[:, 0]) + generator.standard_normal(50)
    pursuit = npw.NeuronPursuit(npw.Problem(x, y), 1, starts=2, max_steps=1, minimizer="levenberg_marquardt")
    for _ in range(2):
        with pytest.raises(ValueError, match="levenberg_marquardt"):
            pursuit.run(5)
        assert [record.widths for record in pursuit.growth] == [(1,), (2,)]
    pursuit.set_minimizer("lbfgs")
    pursuit.run(1)
    assert [record.widths for record in pursuit.growth] == [(1,), (2,), (3,)]


def test_new_minimizer_has_a_budget_of_its_own_and_starts_at_the_lowest_point():
    problem = npw.problems.kumar_haupt(samples=200, seed=0)
    pursuit = npw.NeuronPursuit(problem, minimizer="gradient_descent", target_loss=0.0, starts=5)
    while pursuit.phase != "minimizing" or pursuit.frame().step < 1500:
        pursuit.advance()
    pursuit.set_minimizer("levenberg_marquardt")
    before = pursuit.frame().step
    pursuit.run(0)
    assert pursuit.growth[0].steps > before
    assert pursuit.frame().progress <= 1


@pytest.mark.parametrize("interference", ["set_minimizer", "add_neuron"])
def test_interference_in_an_excursion_does_not_raise_the_loss(data, interference):
    pursuit = npw.NeuronPursuit(npw.Problem(data, np.sin(3 * data[:, 0])), 1, starts=5, learning_rate=3.0)
    pursuit.run(1)
    pursuit.add_neuron()
    for _ in range(3000):
        pursuit.advance()
        if pursuit.loss > pursuit.growth[-1].loss or pursuit.finished:
            break
    pursuit.set_minimizer("levenberg_marquardt") if interference == "set_minimizer" else pursuit.add_neuron()
    pursuit.run(0)
    losses = [record.loss for record in pursuit.growth]
    assert losses == sorted(losses, reverse=True)


def test_layer_with_nothing_to_offer_does_not_end_the_pursuit(data):
    problem = npw.problems.kumar_haupt(samples=1000, seed=0)
    pursuit = npw.NeuronPursuit(problem, starts=10, target_loss=0.0, value_tolerance=1e-3)
    pursuit.run(0)
    pursuit.add_neuron(layer=2)
    while pursuit.finished is None:
        pursuit.advance()
    assert pursuit.finished.kind == "no_point"
    assert pursuit.finished.layer_maxima[0] is None
    pursuit.run(1)
    assert pursuit.network.widths == (2, 1)


@pytest.mark.parametrize(("inputs", "targets"), [(1e-8, 1e8), (1e8, 1e-8), (1.0, 1e100), (1e-60, 1.0), (1e40, 1.0)])
@pytest.mark.parametrize("power", [1, 2])
def test_units_of_the_data_do_not_matter(data, inputs, targets, power):
    y = np.maximum(data @ [1.0, -1.0, 0.5], 0) ** power
    reference = npw.NeuronPursuit(npw.Problem(data, y), 1, power, starts=5, max_steps=1)
    pursuit = npw.NeuronPursuit(npw.Problem(inputs * data, targets * y), 1, power, starts=5, max_steps=1)
    for each in (reference, pursuit):
        while each.phase != "minimizing":
            each.advance()
    assert pursuit.loss / targets**2 == pytest.approx(reference.loss, abs=1e-6 * float((y**2).mean()))


def test_inputs_too_large_for_the_power_are_named(data):
    with pytest.raises(ValueError, match="inputs"):
        npw.NeuronPursuit(npw.Problem(1e4 * data, data[:, 0]), 4, power=3).run(0)
    with pytest.raises(ValueError, match="starts"):
        npw.find_origin_points(npw.Problem(data, data[:, 0]), starts=10**12)


def test_noise_of_rounding_is_no_point_at_the_origin(data):
    x = np.concatenate([data, -data])
    odd = np.concatenate([data[:, 0] ** 3, -(data[:, 0] ** 3)])
    assert npw.find_origin_points(npw.Problem(x, odd), hidden_layers=1, leak=-1.0, starts=5) == []


def test_state_of_another_problem_is_refused_before_anything_is_lost(data):
    pursuit = npw.NeuronPursuit(npw.Problem(data, data[:, 0]), 1, starts=2, max_steps=5)
    pursuit.run(1)
    other = npw.NeuronPursuit(npw.Problem(data[:, :2], data[:, 0]), 1, starts=2, max_steps=5)
    other.run(1)
    before = [weight.clone() for weight in pursuit.network.weights]
    growth = list(pursuit.growth)
    with pytest.raises(ValueError, match="inputs"):
        pursuit.restore(other.state())
    assert pursuit.growth == growth
    assert all(torch.equal(weight, old) for weight, old in zip(pursuit.network.weights, before, strict=True))


def test_paper_method_does_not_call_a_saddle_a_minimum(data):
    pursuit = npw.NeuronPursuit(npw.Problem(data, data[:, 0] ** 2), method="paper", power=2, max_steps=300)
    pursuit.run(0)
    assert pursuit.growth[0].steps == 300
    assert "budget" in pursuit.growth[0].stopped
