"""Neuron Pursuit from the first network to a stated reason for stopping."""

from __future__ import annotations

import dataclasses
import signal

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import np_widgets as npw
from np_widgets.learning.pursuit.growth import PHASES


@pytest.fixture(scope="module")
def example():
    return npw.problems.kumar_haupt(samples=1000, seed=0)


def small(seed=0, **settings):
    problem = npw.problems.random_teacher(inputs=4, widths=(2, 2), samples=80, seed=seed)
    return npw.NeuronPursuit(problem, **({"starts": 6, "max_steps": 400, "max_additions": 3} | settings))


def weights_of(pursuit):
    return [] if pursuit.network is None else [weight.tolist() for weight in pursuit.network.weights]


# --------------------------------------------------------------------------------------------------- known answers


@pytest.mark.rounding
def test_paper_method_walks_the_published_widths():
    # The widths and the first losses as published; the same ladder, with as many steps at most, as an independent
    # implementation's.
    problem = npw.problems.kumar_haupt(samples=1000, seed=2)
    pursuit = npw.NeuronPursuit(problem, method="paper", max_steps=20_000)
    pursuit.run(max_additions=4)
    assert [record.widths for record in pursuit.growth] == [(1, 1), (2, 1), (2, 2), (3, 2), (4, 2)]
    losses = [record.loss for record in pursuit.growth]
    assert losses[:3] == pytest.approx([1.41, 1.22, 0.96], abs=0.05)
    assert losses[3] == pytest.approx(0.066, abs=0.02)
    assert losses[4] < 1e-8
    assert npw.problems.hypercube_error(pursuit.network, problem) < 1e-3


@pytest.mark.rounding
def test_paper_method_scales_by_delta_and_takes_plain_gradient_steps(example):
    pursuit = npw.NeuronPursuit(example, method="paper", scale=1e-3, max_steps=500)
    while pursuit.phase != "minimizing":
        pursuit.advance()
    point = npw.find_origin_points(example, hidden_layers=2)[0]
    expected = [1e-3 * weight for weight in point.weights]
    assert all(torch.equal(w, v) for w, v in zip(pursuit.network.weights, expected, strict=True))
    pursuit.run(0)
    parameters = [weight.clone().requires_grad_() for weight in expected]
    for _ in range(500):
        h = example.inputs
        for weight in parameters[:-1]:
            h = torch.relu(h @ weight.T)
        loss = (h @ parameters[-1].T - example.targets).square().mean() / 2
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for weight, gradient in zip(parameters, gradients, strict=True):
                weight.sub_(0.02 * gradient)
    for weight, other in zip(pursuit.network.weights, parameters, strict=True):
        assert torch.allclose(weight, other, rtol=1e-9, atol=1e-15)


@pytest.mark.rounding
def test_new_neurons_start_on_the_rays_of_kkt_points(example):
    pursuit = npw.NeuronPursuit(example)
    pursuit.run(0)
    before = pursuit.network
    points = npw.find_kkt_points(before, example, starts=50, seed=1, unseen=True)
    pursuit.add_neuron()
    while pursuit.phase == "searching":
        pursuit.advance()
    added, (layer, index) = pursuit.network, pursuit.frame().added[0]
    new = torch.cat([added.weights[layer - 1][index], added.weights[layer][:, index]])
    rays = [torch.cat([point.incoming, point.outgoing]) for point in points if point.layer == layer]
    assert max(float(new @ ray / (new.norm() * ray.norm())) for ray in rays) > 0.98
    assert float(new[: len(added.weights[layer - 1][index])].norm()) == pytest.approx(float(new.norm()) / 2**0.5)
    assert pursuit.loss < float(example.loss.value(before(example.inputs), example.targets))
    # Those tried are the best of each layer, and the candidates that are shown are all that were found.
    shown = {layer: [each.value for each in pursuit.frame().candidates if each.layer == layer] for layer in (1, 2)}
    for layer, values in shown.items():
        best = max(point.value for point in points if point.layer == layer) if values else 0
        assert max(values, default=0) == pytest.approx(best, rel=0.01)


@pytest.mark.rounding
@pytest.mark.parametrize("hidden_layers", [1, 2, 3, 4])
@pytest.mark.parametrize(("power", "leak"), [(1, 0.0), (1, 0.1), (2, 0.0)])
@pytest.mark.parametrize("distribution", ["gaussian", "hypercube"])
def test_loss_never_rises_over_additions(hidden_layers, power, leak, distribution):
    problem = npw.problems.random_teacher(
        inputs=5, widths=(2,) * hidden_layers, power=power, leak=leak, samples=120, distribution=distribution, seed=1
    )
    pursuit = npw.NeuronPursuit(problem, hidden_layers, power, leak, starts=10, max_steps=500)
    finish = pursuit.run(max_additions=2)
    assert finish.kind in ("target", "additions", "no_point")
    losses = [record.loss for record in pursuit.growth]
    assert losses == sorted(losses, reverse=True)
    baseline = float(problem.targets.square().mean() / 2)
    assert losses[0] < baseline


@pytest.mark.rounding
@pytest.mark.parametrize("widths", [(1,), (1, 1), (1, 1, 1), (1, 1, 1, 1)])
@pytest.mark.parametrize("power", [1, 2])
def test_teacher_of_one_neuron_a_layer_is_found_at_once(widths, power):
    problem = npw.problems.random_teacher(inputs=6, widths=widths, power=power, samples=300, seed=3)
    pursuit = npw.NeuronPursuit(problem, len(widths), power)
    pursuit.run(0)
    assert pursuit.finished.kind == "target", pursuit.growth


@pytest.mark.rounding
def test_vector_targets_and_cross_entropy():
    teacher = npw.problems.random_teacher(inputs=5, widths=(2, 2), outputs=3, samples=200, seed=0)
    pursuit = npw.NeuronPursuit(teacher, starts=20)
    pursuit.run(max_additions=8)
    assert pursuit.network(teacher.inputs).shape == (200, 3)
    assert pursuit.loss < 1e-2 * float(teacher.targets.square().sum(dim=1).mean() / 2)
    moons = npw.problems.two_moons(seed=0)
    pursuit = npw.NeuronPursuit(moons, 1, starts=10)
    pursuit.run(max_additions=4)
    predicted = pursuit.network(moons.inputs).argmax(dim=1)
    assert float((predicted == moons.targets).double().mean()) > 0.98


# --------------------------------------------------------------------------------------------------- as an engine


@settings(max_examples=4)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=4), minimizer=st.sampled_from(["auto", "adam", "lbfgs"]))
def test_saved_and_restored_anywhere_it_ends_with_the_same_bits(cuts, minimizer):
    reference = small(minimizer=minimizer, max_additions=1)
    reference.run()
    pursuit = small(minimizer=minimizer, max_additions=1)
    for cut in cuts:
        for _ in range(cut):
            pursuit.advance()
        state = pursuit.state()
        for _ in range(7):
            pursuit.advance()  # must not reach into the state
        pursuit = small(seed=0, minimizer=minimizer, max_additions=1)
        pursuit.restore(state)
    while pursuit.finished is None:
        pursuit.advance()
    assert weights_of(pursuit) == weights_of(reference)
    assert [r.loss for r in pursuit.growth] == [r.loss for r in reference.growth]
    assert np.array_equal(pursuit.frame().trace_losses, reference.frame().trace_losses)


def test_restored_pursuit_is_quantum_for_quantum_where_the_other_is():
    first = small()
    for _ in range(40):
        first.advance()
    second = small()
    second.restore(first.state())
    for _ in range(200):
        first.advance()
        second.advance()
        assert first.phase == second.phase
        assert weights_of(first) == weights_of(second)


def test_frames_are_frozen_copies_and_go_through_the_phases():
    pursuit = small()
    frames = [pursuit.frame()]
    while pursuit.finished is None:
        pursuit.advance()
        frames.append(pursuit.frame())
    phases = list(dict.fromkeys(frame.phase for frame in frames))
    assert phases == list(PHASES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        frames[0].phase = "ready"
    last = frames[-1]
    last.weights[0][:] = 7.0
    assert not (pursuit.frame().weights[0] == 7.0).any()
    for frame in frames:
        assert frame.message.strip()
        assert frame.progress is None or 0 <= frame.progress <= 1
        assert len(frame.trace_steps) == len(frame.trace_losses) <= 2100
        assert frame.total_steps >= frame.step
    assert [r.first_step for r in last.growth] == np.cumsum([0, *[r.steps for r in last.growth[:-1]]]).tolist()
    assert last.total_steps == sum(record.steps for record in last.growth)


def test_neurons_can_be_added_by_hand_in_any_state():
    pursuit = small(minimizer="gradient_descent")
    with pytest.raises(RuntimeError, match="network"):
        pursuit.add_neuron()
    while pursuit.phase != "minimizing":
        pursuit.advance()
    pursuit.advance()
    before = pursuit.network
    pursuit.add_neuron(layer=1)
    assert pursuit.growth[-1].stopped == "a neuron was asked for"
    while pursuit.phase == "searching":
        pursuit.advance()
    assert pursuit.network.widths == (2, 1)
    assert pursuit.frame().added == ((1, 1),)
    first = torch.nn.functional.cosine_similarity(pursuit.network.weights[0][:1], before.weights[0])
    assert float(first) == pytest.approx(1)
    pursuit.run()
    widths = pursuit.network.widths
    pursuit.add_neuron(layer=2)
    assert pursuit.finished is None
    while pursuit.finished is None:
        pursuit.advance()
    assert pursuit.network.widths in ((widths[0], widths[1] + 1), widths)


def test_minimizer_can_be_changed_under_way_and_settings_by_reset():
    pursuit = small(minimizer="gradient_descent")
    while pursuit.phase != "minimizing":
        pursuit.advance()
    pursuit.advance()
    weights = weights_of(pursuit)
    pursuit.set_minimizer("adam")
    assert weights_of(pursuit) == weights
    assert pursuit.frame().minimizer == "adam"
    with pytest.raises(ValueError, match="minimizer"):
        pursuit.set_minimizer("newton")
    pursuit.reset(seed=5, hidden_layers=3, leak=0.1)
    assert (pursuit.phase, pursuit.network, pursuit.growth) == ("ready", None, [])
    assert pursuit.settings.minimizer == "adam"
    with pytest.raises(ValueError, match="power"):
        pursuit.reset(power=0)
    assert (pursuit.settings.seed, pursuit.settings.hidden_layers, pursuit.settings.power) == (5, 3, 1)
    pursuit.run(0)
    assert pursuit.network.hidden_layers == 3


# --------------------------------------------------------------------------------------------------- reasons to stop


def test_run_counts_its_own_additions_and_goes_on_in_the_next_call(example):
    pursuit = npw.NeuronPursuit(example, starts=20)
    assert pursuit.run(0).kind == "additions"
    assert pursuit.network.widths == (1, 1)
    assert pursuit.run(1).kind == "additions"
    assert sum(pursuit.network.widths) == 3
    finish = pursuit.run(max_additions=7)
    assert finish.kind == "target"
    assert finish is pursuit.finished
    assert f"{pursuit.target_loss:.3g}" in str(finish)
    assert pursuit.target_loss == 1e-9 * float(example.targets.square().mean() / 2)


def test_constant_zero_targets_stop_at_the_origin():
    pursuit = npw.NeuronPursuit(npw.Problem(torch.randn(20, 3), torch.zeros(20)))
    finish = pursuit.run()
    assert finish.kind == "no_point"
    assert pursuit.network is None


@pytest.mark.rounding
def test_no_point_reports_every_layer_and_the_gradient():
    x = torch.linspace(-1, 1, 41, dtype=torch.float64).reshape(-1, 1)
    problem = npw.Problem(x, 2 * x)
    pursuit = npw.NeuronPursuit(problem, 1, leak=1.0, target_loss=0.0)
    finish = pursuit.run()
    assert finish.kind == "no_point"
    assert len(finish.layer_maxima) == 1
    assert finish.layer_maxima[0] < 1e-6
    assert finish.gradient_norm < 1e-6


def test_divergence_is_reported_and_the_last_finite_weights_are_kept(example):
    pursuit = npw.NeuronPursuit(example, minimizer="gradient_descent", learning_rate=1e3, leak=0.5)
    finish = pursuit.run()
    assert finish.kind == "diverged"
    assert all(bool(torch.isfinite(weight).all()) for weight in pursuit.network.weights)


def test_rising_test_loss_stops_when_asked():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 10, generator=generator), torch.randn(30, generator=generator)
    held_out = torch.randn(200, 10, generator=generator), torch.randn(200, generator=generator)
    pursuit = npw.NeuronPursuit(npw.Problem(x, y, test=held_out), starts=10, stop_when_test_rises=True)
    finish = pursuit.run()
    assert finish.kind == "test_rising"
    assert pursuit.growth[-1].test_loss > pursuit.growth[-2].test_loss
    with pytest.raises(ValueError, match="stop_when_test_rises"):
        npw.NeuronPursuit(npw.Problem(x, y), stop_when_test_rises=True)


def test_interrupt_leaves_a_consistent_network_and_can_be_gone_on_from(example):
    pursuit = npw.NeuronPursuit(example, starts=20)

    def press(frame):
        if frame.iteration == 2 and frame.phase == "minimizing":
            signal.raise_signal(signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    finish = pursuit.run(max_additions=8, callback=press)
    assert finish.kind == "interrupted"
    assert signal.getsignal(signal.SIGINT) is handler
    output = pursuit.network(example.inputs)
    assert float(example.loss.value(output, example.targets)) == pytest.approx(pursuit.loss, rel=1e-12)
    finish = pursuit.run(max_additions=8)
    undisturbed = npw.NeuronPursuit(example, starts=20)
    undisturbed.run(max_additions=8)
    assert weights_of(pursuit) == weights_of(undisturbed)


def test_progress_bar_names_the_phase(example, capsys):
    npw.NeuronPursuit(example, starts=5, max_steps=50).run(1, progress=True)
    shown = capsys.readouterr().err
    assert "nothing has been computed yet" in shown
    assert "All neurons that may be added have been added." in shown


def test_driven_pursuit_refuses_to_be_run(example):
    pursuit = npw.NeuronPursuit(example)
    pursuit.claim("a Session")
    with pytest.raises(RuntimeError, match="Session"):
        pursuit.run()
    pursuit.release()


@pytest.mark.rounding
def test_single_precision_and_test_loss():
    problem = npw.problems.kumar_haupt(samples=300, seed=1)
    pursuit = npw.NeuronPursuit(problem, dtype=torch.float32, target_loss=1e-5, starts=10, max_steps=500)
    pursuit.run(1)
    assert pursuit.network.dtype == torch.float32
    if problem.test_inputs is not None:
        assert pursuit.test_loss == pursuit.growth[-1].test_loss


@pytest.mark.rounding
def test_network_that_is_on_kinks_is_left_by_the_other_one_sided_signals():
    # With one neuron a layer, cross entropy on two moons drives the weights up until the samples that are on have no
    # residual left, and the others sit exactly on the kink of layer 2: the plain signals vanish altogether.
    moons = npw.problems.two_moons(seed=0)
    pursuit = npw.NeuronPursuit(moons, 2)
    pursuit.run(max_additions=10)
    losses = [record.loss for record in pursuit.growth]
    assert losses == sorted(losses, reverse=True)
    predicted = pursuit.network(moons.inputs).argmax(dim=1)
    assert float((predicted == moons.targets).double().mean()) > 0.98


@pytest.mark.rounding
def test_where_no_ray_leads_down_the_neuron_starts_silently_and_the_end_is_near(monkeypatch):
    pursuit = small(hidden_layers=1, minimizer="gradient_descent", max_steps=50)
    pursuit.run(0)
    before = pursuit.network
    monkeypatch.setattr("np_widgets.learning.pursuit.searching.lowest_on_ray", lambda *_: None)
    monkeypatch.setattr("np_widgets.learning.pursuit.training._USELESS_DECREASE", 1.0)
    pursuit.add_neuron(layer=1)
    while pursuit.phase == "searching":
        pursuit.advance()
    assert not pursuit.network.weights[1][:, -1].any()
    x = pursuit.problem.inputs
    assert torch.allclose(pursuit.network(x), before(x), rtol=1e-12)
    while pursuit.requested:
        pursuit.advance()
    pursuit.run(1)
    assert pursuit.finished.kind == "no_point"
    assert pursuit.growth[1].loss <= pursuit.growth[0].loss


@pytest.mark.parametrize("method", ["fast", "paper"])
def test_the_trace_goes_forward_and_its_last_point_is_the_present(method):
    problem = npw.problems.kumar_haupt(samples=60, test_samples=60, seed=0)
    pursuit = npw.NeuronPursuit(problem, method=method, starts=5, max_steps=400, stop_when_test_rises=True)

    def look(frame):
        assert np.all(np.diff(frame.trace_steps) >= 0)
        if frame.phase == "minimizing":
            assert frame.trace_steps[-1] == frame.total_steps

    for _ in range(3):
        pursuit.run(1, callback=look)
        frame = pursuit.frame()
        look(frame)
        assert frame.trace_steps[-1] == frame.total_steps == sum(record.steps for record in frame.growth)
        ends = [record.first_step + record.steps for record in frame.growth]
        for end, record in zip(ends, frame.growth, strict=True):
            assert record.loss in frame.trace_losses[frame.trace_steps == end]
