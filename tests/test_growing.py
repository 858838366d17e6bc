"""The parts that a pursuit is made of: the way along a ray, balanced weights, the hybrid minimizer, the trace."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings

import np_widgets as npw
from np_widgets.learning.minimizers.choice import MINIMIZERS, MinimizerName, automatic, make_minimizer
from np_widgets.learning.minimizers.hybrid import Hybrid
from np_widgets.learning.objective import Objective
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.pursuit.look_ahead import LookAhead
from np_widgets.learning.pursuit.ray import lowest_on_ray
from np_widgets.learning.trace import Trace

# --------------------------------------------------------------------------------------------------- along a ray


@given(power=st.integers(1, 6), best=st.floats(1e-4, 1e2), height=st.floats(1e-6, 1e6))
def test_the_minimum_of_a_loss_along_a_ray_is_found(power, best, height):
    scale, loss = lowest_on_ray(lambda scale: height * ((scale**power / best**power - 1) ** 2 + 1), 1e-2)
    assert scale == pytest.approx(best, rel=1e-4)
    assert loss == pytest.approx(height, rel=1e-7)


@pytest.mark.rounding
def test_a_ray_along_which_nothing_is_lower_has_no_minimum_and_overflow_is_survived():
    assert lowest_on_ray(lambda scales: 1 + scales, 1e-2) is None
    assert lowest_on_ray(np.ones_like, 1e-2) is None
    asked = []

    def costly(scales):
        asked.append(len(scales))
        return 1 + scales**2

    assert lowest_on_ray(costly, 1e-2) is None
    assert len(asked) == 2  # nothing, and the scales: there is no need to go further down
    found, _ = lowest_on_ray(lambda scales: np.where(scales < 10, (scales - 3) ** 2, math.inf), 1e-2)
    assert found == pytest.approx(3, rel=1e-4)
    assert lowest_on_ray(lambda scales: np.where(scales > 1, math.nan, 1 - scales), 1e-2)[0] <= 1


# --------------------------------------------------------------------------------------------------- balanced weights


def imbalance(network):
    """The largest ``|p‖out‖² − ‖in‖²|`` of a neuron relative to either."""
    worst = 0.0
    for below, above in pairwise(network.weights):
        incoming, outgoing = below.square().sum(dim=1), network.power * above.square().sum(dim=0)
        larger = torch.maximum(incoming, outgoing).clamp(min=1e-300)
        worst = max(worst, float(((incoming - outgoing).abs() / larger).max()))
    return worst


@pytest.mark.rounding
@given(
    seed=st.integers(0, 1000),
    widths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    power=st.integers(1, 3),
    leak=st.sampled_from([-1.0, 0.0, 0.2, 1.0]),
)
def test_balanced_weights_give_the_same_function_and_are_balanced(seed, widths, power, leak):
    generator = torch.Generator().manual_seed(seed)
    sizes = [3, *widths, 2]
    weights = [torch.randn(above, below, generator=generator, dtype=torch.float64) for below, above in pairwise(sizes)]
    weights[0] *= 1e3
    network = npw.HomogeneousNetwork(weights, power=power, leak=leak)
    balanced = network.balanced()
    x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    reference = network(x)
    assume(bool(reference.isfinite().all()))  # deep networks of a high power leave the range of floating point
    assert torch.allclose(balanced(x), reference, rtol=1e-9, atol=1e-12 * float(reference.abs().max()))
    assert imbalance(balanced) < 1e-6


def waves():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    return npw.Problem(x, torch.sin(2 * x[:, 0]) * x[:, 1])


@pytest.mark.rounding
@pytest.mark.parametrize("minimizer", get_args(MinimizerName))
def test_every_network_of_the_fast_method_starts_and_ends_in_balanced_weights(minimizer):
    pursuit = npw.NeuronPursuit(waves(), starts=5, minimizer=minimizer, max_steps=330, target_loss=0.0)
    frames: list[PursuitFrame] = []
    pursuit.run(1, callback=frames.append)
    ends = [after for before, after in pairwise(frames) if len(after.growth) > len(before.growth)]
    starts = [
        after
        for before, after in pairwise(frames)
        if len(after.growth) == len(before.growth) and before.taken is None and after.taken is not None
    ]
    assert len(ends) == 2
    assert starts
    for frame in (*starts, *ends):
        assert imbalance(frame.network) < 1e-6


@pytest.mark.rounding
def test_how_the_weights_of_a_neuron_are_shared_out_changes_no_way():
    problem, network = waves(), objective().network(objective().initial)
    network = npw.HomogeneousNetwork([network.weights[0][:, :3], *network.weights[1:]])
    shared = [16.0 * network.weights[0], network.weights[1] / 16, network.weights[2]]
    for other in (npw.HomogeneousNetwork(shared), network):
        hybrid = Hybrid(Objective(problem, other), Objective(problem, other).initial)
        assert imbalance(hybrid.objective.network(hybrid.state()["inner"]["theta"])) < 1e-6
    ahead = [LookAhead(problem, [each], seed=0) for each in (npw.HomogeneousNetwork(shared), network)]
    for each in ahead:
        each.advance(3)
    assert ahead[0].loss == pytest.approx(ahead[1].loss, rel=1e-3)


def test_neurons_without_incoming_or_outgoing_weights_stay():
    network = npw.HomogeneousNetwork([[[1.0, 2.0], [0.0, 0.0]], [[0.0, 3.0]]])
    balanced = network.balanced()
    assert all(torch.equal(w, v) for w, v in zip(balanced.weights, network.weights, strict=True))


# --------------------------------------------------------------------------------------------------- minimizers


def objective(seed=0, loss="square"):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    y = torch.randn(60, 1, generator=generator) if loss == "square" else torch.arange(60) % 3
    problem = npw.Problem(x, y, loss)
    weights = [
        torch.randn(*shape, generator=generator).double() for shape in ((3, 4), (2, 3), (problem.output_size, 2))
    ]
    return Objective(problem, npw.HomogeneousNetwork(weights))


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 120), min_size=1, max_size=5))
def test_any_slicing_and_any_restart_of_the_hybrid_give_the_same_bits(cuts):
    target = objective()
    whole = make_minimizer(Hybrid.name, target, target.initial, None)
    whole.advance(sum(cuts))
    sliced = make_minimizer(Hybrid.name, target, target.initial, None)
    for cut in cuts:
        sliced.advance(cut)
        state = sliced.state()
        sliced.advance(3)
        sliced = make_minimizer(Hybrid.name, objective(), objective().initial, None)
        sliced.restore(state)
    assert torch.equal(whole.theta, sliced.theta)
    assert whole.loss == sliced.loss
    assert (whole.steps, whole.finished) == (sliced.steps, sliced.finished)


@pytest.mark.rounding
@pytest.mark.parametrize("loss", ["square", "cross_entropy"])
def test_hybrid_ends_at_the_lowest_point_it_saw(loss):
    target = objective(3, loss)
    minimizer = Hybrid(target, target.initial, excursion=50)
    lowest = minimizer.loss
    while minimizer.finished is None and minimizer.steps < 3000:
        minimizer.advance(1)
        lowest = min(lowest, minimizer.loss)
    assert minimizer.finished is not None
    assert minimizer.loss == pytest.approx(lowest, rel=1e-11)
    assert minimizer.loss == target.loss(minimizer.theta)
    network = target.network(minimizer.theta)
    assert all(
        torch.allclose(w, v, rtol=1e-6) for w, v in zip(network.weights, network.balanced().weights, strict=True)
    )


def test_hybrid_takes_lbfgs_where_levenberg_marquardt_is_too_large():
    x = torch.randn(50, 40, dtype=torch.float64)
    problem = npw.Problem(x, torch.randn(50))
    large = npw.HomogeneousNetwork([torch.randn(60, 40).double(), torch.randn(1, 60).double()])
    assert "L-BFGS" in Hybrid(Objective(problem, large), Objective(problem, large).initial).activity
    small = npw.HomogeneousNetwork([torch.randn(2, 40).double(), torch.randn(1, 2).double()])
    assert "Levenberg" in Hybrid(Objective(problem, small), Objective(problem, small).initial).activity


def test_every_minimizer_has_a_name_a_title_and_a_budget():
    assert set(get_args(MinimizerName)) == {"auto", *MINIMIZERS}
    assert all(kind.usual_steps > 0 for kind in MINIMIZERS.values())
    assert all(kind.title for kind in MINIMIZERS.values())


def test_auto_is_the_minimizer_that_suits_method_and_size():
    small, x = objective(), torch.randn(50, 40, dtype=torch.float64)
    network = npw.HomogeneousNetwork(
        [torch.randn(60, 40, dtype=torch.float64), torch.randn(1, 60, dtype=torch.float64)]
    )
    large = Objective(npw.Problem(x, x[:, :1]), network)
    assert automatic("fast", small) == ("levenberg_marquardt", "lbfgs")
    assert automatic("fast", large) == ("lbfgs",)
    assert automatic("paper", small) == ("gradient_descent",)
    squared = npw.HomogeneousNetwork([[[1.0, 0.5]], [[1.0]]], power=2)
    assert automatic("fast", Objective(npw.Problem([[1.0, 2.0]], [[1.0]]), squared)) == ("levenberg_marquardt",)


# --------------------------------------------------------------------------------------------------- trace


@given(gaps=st.lists(st.integers(1, 50), min_size=1, max_size=600), capacity=st.integers(10, 60), data=st.data())
def test_trace_is_bounded_keeps_the_ends_and_what_lasts(gaps, capacity, data):
    steps = np.cumsum(gaps)
    lasting = set(data.draw(st.lists(st.sampled_from([int(s) for s in steps]), max_size=4)))
    trace = Trace(capacity)
    cut = data.draw(st.integers(0, len(steps)))
    for index, step in enumerate(int(s) for s in steps):
        if index == cut:
            state, trace = trace.state(), Trace(capacity)
            trace.restore(state)
        trace.add(step, 2.0 * step, lasting=step in lasting)
    kept, values = trace.arrays()
    assert len(kept) <= capacity + 1
    assert np.all(np.diff(kept) > 0)
    assert np.array_equal(values, 2 * kept)
    assert (kept[0], kept[-1]) == (steps[0], steps[-1])
    assert lasting <= set(kept.astype(int).tolist())
    assert np.diff(kept).max(initial=0) <= max(gaps) + 4 * (steps[-1] - steps[0]) / capacity
