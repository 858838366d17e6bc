"""A network of fixed widths: descent from random weights, by hand and by what its initialization promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.problems import kumar_haupt, two_moons
from tests.bits import bits

PROBLEM = kumar_haupt(samples=40, seed=1, test_samples=20)


@pytest.mark.parametrize("problem", [PROBLEM, two_moons(40, seed=2, test_samples=10)], ids=["square", "cross entropy"])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_it_is_plain_gradient_descent(problem, decay):
    fixed = npw.FixedNetwork(problem, (5, 4), leak=0.2, seed=3, weight_decay=decay, learning_rate=0.05, max_steps=40)
    module = fixed.network.to_module()
    targets = problem.targets
    for _ in range(40):
        module.zero_grad()
        output = module(problem.inputs)
        square = 0.5 * (output - targets).square().sum(dim=1).mean() if targets.is_floating_point() else None
        loss = torch.nn.functional.cross_entropy(output, targets) if square is None else square
        (loss + 0.5 * decay * sum(each.square().sum() for each in module.parameters())).backward()
        with torch.no_grad():
            for each in module.parameters():
                each.sub_(0.05 * each.grad)
    finish = fixed.run()
    assert finish.kind == "steps"
    assert "40 steps" in finish.message
    for own, wanted in zip(fixed.network.weights, module.parameters(), strict=True):
        torch.testing.assert_close(own, wanted.detach())
    output = module(problem.test_inputs).detach()
    assert fixed.test_loss == pytest.approx(problem.loss.value(output, problem.test_targets).item())
    prices = [0.5 * decay * float(each.square().sum()) for each in fixed.network.weights]
    assert fixed.objective == pytest.approx(fixed.loss + sum(prices))


@pytest.mark.parametrize("leak", [0.0, 0.5, 1.0])
def test_standard_weights_keep_the_size_of_what_goes_through_and_small_ones_are_a_share_of_them(leak):
    rows = np.random.default_rng(0).normal(size=(200, 300))
    problem = npw.Problem(rows, rows[:, 0])
    standard, small = (
        npw.FixedNetwork(problem, (400, 300, 300), kind, leak=leak, scale=0.125, seed=5).network
        for kind in ("standard", "small")
    )
    for layer, matrix in enumerate(standard.weights):
        size, fan_in = matrix.numel(), matrix.shape[1]
        # The mean of so many squares of normal numbers is within five of its standard deviations.
        variance = 2 / ((1 + leak**2) * fan_in)
        assert float(matrix.square().mean()) == pytest.approx(variance, rel=5 * math.sqrt(2 / size))
        torch.testing.assert_close(small.weights[layer], 0.125 * matrix, rtol=1e-15, atol=0)
    sizes = [float(z.square().mean()) for z in standard.forward(problem.inputs).pre_activations[:-1]]
    assert max(sizes) < 2 * min(sizes)


def test_its_frame_is_that_of_a_pursuit_of_one_network():
    fixed = npw.FixedNetwork(PROBLEM, 3, "small", max_steps=250)
    assert (fixed.frame().phase, fixed.frame().message) == ("ready", "Ready: nothing has been computed yet.")
    fixed.advance()
    frame = fixed.frame()
    assert (frame.phase, frame.widths, frame.growth, frame.added) == ("minimizing", (3,), (), ())
    assert frame.progress == frame.step / 250
    fixed.run()
    frame = fixed.frame()
    assert (frame.phase, frame.total_steps, frame.trace_steps[-1]) == ("finished", 250, 250)
    assert frame.loss == frame.trace_losses[-1] == frame.growth[0].loss == fixed.loss
    assert frame.growth[0].test_loss == fixed.test_loss
    np.testing.assert_array_equal(frame.weights[0], fixed.network.weights[0])
    npw.plots.overview(fixed)


def test_it_ends_for_a_reason_and_goes_on_with_another_minimizer():
    x = np.linspace(-1, 1, 9)[:, None]
    linear = npw.FixedNetwork(npw.Problem(x, 2 * x), 2, leak=1.0, minimizer="levenberg_marquardt", seed=1)
    assert linear.run().kind == "target"
    assert linear.loss <= linear.target_loss
    wild = npw.FixedNetwork(PROBLEM, (5, 4), leak=1.0, learning_rate=10)
    assert wild.run().kind == "diverged"
    assert math.isfinite(wild.loss)
    dead = npw.FixedNetwork(npw.Problem(x, 2 * x), 1, power=2, minimizer="adam", max_steps=200)
    dead.run()
    before = dead.loss
    dead.set_minimizer("levenberg_marquardt")
    assert (dead.finished, dead.loss) == (None, before)
    assert dead.run().kind == "minimum"
    assert dead.loss <= before
    priced = npw.FixedNetwork(PROBLEM, 4, minimizer="adam", weight_decay=1e-5, target_loss=1.0, max_steps=5000)
    assert priced.run().kind == "target"


def test_mini_batches_know_where_they_are_when_another_minimizer_takes_over():
    fixed = npw.FixedNetwork(PROBLEM, 4, minimizer="minibatch_adam", batch_size=8, max_steps=900)
    fixed.advance()
    fixed.set_minimizer("lbfgs")
    value = PROBLEM.loss.value(fixed.network(PROBLEM.inputs), PROBLEM.targets).item()
    assert fixed.loss == pytest.approx(value)
    assert fixed.settings.batch_size is None


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("widths", {"widths": ()}),
        ("widths", {"widths": (3, 0)}),
        ("widths", {"widths": (3,) * 99}),
        ("widths", {"widths": 10**6}),
        ("initialization", {"initialization": "tiny"}),
        ("scale", {"scale": 0.0}),
        ("minimizer", {"minimizer": "auto"}),
        ("batch_size", {"batch_size": 8}),
        ("learning_rate", {"learning_rate": -1}),
        ("weight_decay", {"weight_decay": -1}),
        ("target_loss", {"target_loss": 99.0}),
        ("max_steps", {"max_steps": 0}),
        ("seed", {"seed": -1}),
        ("problem", {"problem": 3}),
    ],
)
def test_bad_arguments_are_named_and_a_reset_to_them_changes_nothing(argument, options):
    with pytest.raises((TypeError, ValueError), match=argument):
        npw.FixedNetwork(**{"problem": PROBLEM, "widths": 3} | options)
    fixed = npw.FixedNetwork(PROBLEM, 3)
    fixed.advance()
    before = bits(fixed.state())
    if argument != "problem":
        with pytest.raises((TypeError, ValueError), match=argument):
            fixed.reset(**options)
    with pytest.raises(ValueError, match="a setting"):
        fixed.reset(width=3)
    assert bits(fixed.state()) == before


def test_a_state_with_other_weights_is_refused_before_memory_is_taken():
    fixed = npw.FixedNetwork(PROBLEM, 3)
    state = fixed.state()
    with pytest.raises(ValueError, match="63 weights"):
        npw.FixedNetwork(PROBLEM, 2).restore(
            {**state, "descent": {**state["descent"], "minimizer": {"theta": torch.zeros(62)}}}
        )
    state["settings"]["widths"] = (10_000,) * 8
    before = bits(fixed.state())
    with pytest.raises(ValueError, match="700,210,000 weights"):
        fixed.restore(state)
    assert bits(fixed.state()) == before
