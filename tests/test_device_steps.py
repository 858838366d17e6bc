"""Steps that ask the host for nothing: they are the steps that the CPU takes, and no cut, save or divergence shows.

Here they run without a graph; on a GPU the same function is captured and replayed.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from np_widgets.learning.minimizers.first_order import Adam, FirstOrderMinimizer, GradientDescent, Moments
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem


class _GradientDescentInBatches(GradientDescent):
    _in_batches = True


class _AdamInBatches(Adam):
    _in_batches = True


PAIRS = [(GradientDescent, _GradientDescentInBatches), (Adam, _AdamInBatches)]
IN_BATCHES = [in_batches for _, in_batches in PAIRS]
_NEVER = StoppingRule(gradient_tolerance=0.0, patience=10**9, least_decrease=0.0)


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _objective(
    power: int = 1, leak: float = 0.2, seed: int = 0, dtype: str = "float64", classes: int | None = None
) -> Objective:
    sizes = (4, 3, 2, classes or 1)
    inputs = _normal(seed, 40, sizes[0])
    if classes is None:
        problem = Problem(inputs, _normal(seed + 1, 40, 1))
    else:
        problem = Problem(inputs, torch.arange(40) % classes, "cross_entropy")
    weights = [0.5 * _normal(seed + 2 + layer, sizes[layer + 1], sizes[layer]) for layer in range(3)]
    network = HomogeneousNetwork(weights, power=power, leak=leak)
    return Objective(problem.to(dtype=dtype), network.to(dtype=dtype))


def _equal(first: object, second: object) -> bool:
    """Whether two states hold the same bits."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    return first == second


# ------------------------------------------------------------------------------------------------ the steps themselves


@pytest.mark.parametrize(("alone_kind", "kind"), PAIRS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("power", "leak"), [(1, 0.0), (1, 0.2), (1, 1.0), (2, 0.0), (3, 0.3), (2, -1.0)])
@pytest.mark.parametrize("classes", [None, 3])
def test_steps_in_batches_are_the_steps_one_by_one(alone_kind, kind, power, leak, classes, dtype):
    objective = _objective(power, leak, dtype=dtype, classes=classes)
    alone, in_batches = (each(objective, objective.initial, stopping=_NEVER) for each in (alone_kind, kind))
    alone.advance(130)
    in_batches.advance(130)
    assert alone.steps == 130
    assert _equal(alone.state(), in_batches.state())


@pytest.mark.parametrize(("alone_kind", "kind"), PAIRS)
def test_samples_gone_through_in_blocks_change_nothing(alone_kind, kind, monkeypatch):
    monkeypatch.setattr("np_widgets.learning.blocks.BLOCK_ENTRIES", 100)
    objective = _objective()
    assert objective._blocks is not None
    alone, in_batches = (each(objective, objective.initial) for each in (alone_kind, kind))
    alone.advance(250)
    in_batches.advance(250)
    assert _equal(alone.state(), in_batches.state())


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.0), (0.8, 0.99)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_adams_formula_is_the_same_whoever_counts_its_steps(betas, dtype):
    counted, on_device = torch.ones(7, dtype=dtype), torch.ones(7, dtype=dtype)
    moments = [Moments(counted, betas, 1e-8) for _ in range(2)]
    number = torch.zeros((), dtype=torch.float64)
    for step in range(1, 301):
        gradient = _normal(step, 7).to(dtype)
        number.add_(1)
        moments[0].step(counted, gradient, step, 0.03, out=counted)
        moments[1].step(on_device, gradient, number, 0.03, out=on_device)
    assert torch.equal(on_device, counted)
    assert all(map(torch.equal, moments[0].means, moments[1].means))


class _Recorder(TorchDispatchMode):
    """The names of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.names.append(str(function).removeprefix("aten."))
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("kind", IN_BATCHES)
@pytest.mark.parametrize("classes", [None, 3])
def test_the_host_neither_waits_for_a_step_nor_sends_anything(kind, classes):
    objective = _objective(power=2, classes=classes)
    minimizer = kind(objective, objective.initial)
    minimizer.advance(1)
    with _Recorder() as recorder:
        minimizer._device_steps._step(minimizer._propose)
    assert any(name.startswith("mm") for name in recorder.names)
    # Reading a value, results whose shape depends on values, and constants that come from the host.
    waiting = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal", "_to_copy", "lift_fresh", "index", "unique")
    assert not [name for name in recorder.names if name.split(".")[0] in waiting]


@pytest.mark.parametrize("kind", IN_BATCHES)
def test_all_tensors_keep_their_places(kind):
    objective = _objective()
    minimizer = kind(objective, objective.initial)
    minimizer.advance(1)

    def places() -> Sequence[int]:
        tensors = [minimizer._theta, minimizer._gradient, minimizer._lowest_theta, *minimizer._means]
        return [tensor.data_ptr() for tensor in tensors]

    steps, before = minimizer._device_steps, places()
    minimizer.advance(250)
    assert minimizer._device_steps is steps
    assert places() == before


@pytest.mark.parametrize("kind", IN_BATCHES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_batch_is_undone_even_if_its_losses_become_finite_again(kind, bad):
    objective = _objective()
    minimizer = kind(objective, objective.initial)
    minimizer.advance(3)
    before, steps = minimizer.state(), minimizer._device_steps

    def propose(theta: Tensor, number: Tensor) -> None:
        minimizer._propose(theta, number)
        theta.nan_to_num_(0.1, 0.1, 0.1).mul_(bad if number == 6 else 1.0)

    batch = steps.take(8, propose)
    assert math.isfinite(batch.loss)
    assert not batch.is_taken
    assert _equal(minimizer.state(), before)
    # The count of steps, on which Adam's corrections depend, has been undone as well.
    whole = kind(objective, objective.initial)
    whole.advance(20)
    minimizer.advance(17)
    assert _equal(minimizer.state(), whole.state())


# ----------------------------------------------------------------------------------------------------- whole minimizers


@settings(max_examples=40)
@given(
    st.sampled_from(IN_BATCHES), st.lists(st.integers(0, 130), min_size=1, max_size=5), st.integers(0, 100), st.data()
)
def test_neither_cuts_nor_saves_change_a_bit(kind, slices, seed, data):
    objective = _objective(seed=seed)
    whole, cut = kind(objective, objective.initial), kind(objective, objective.initial)
    whole.advance(sum(slices))
    for steps in slices:
        cut.advance(steps)
        if data.draw(st.booleans()):
            state = cut.state()
            stored = pickle.dumps(state)
            cut.advance(data.draw(st.integers(0, 3)))
            assert _equal(state, pickle.loads(stored)), "later steps changed an earlier state"
            if data.draw(st.booleans()):
                cut = kind(objective, objective.initial)
            cut.restore(pickle.loads(stored))
    assert _equal(whole.state(), cut.state())
    assert whole.gradient_norm == cut.gradient_norm


@pytest.mark.parametrize(("alone_kind", "kind"), PAIRS)
@pytest.mark.parametrize("learning_rate", [0.05, 1.2])
def test_the_lowest_point_is_kept_where_the_loss_rises(alone_kind, kind, learning_rate):
    objective = _objective()
    alone, in_batches = (
        each(objective, objective.initial, learning_rate=learning_rate, stopping=_NEVER) for each in (alone_kind, kind)
    )
    rises = 0
    for steps in (1, 2, 3, 30, 5, 7, 60, 11):
        alone.advance(steps)
        in_batches.advance(steps)
        assert _equal(alone.state(), in_batches.state())
        assert in_batches.lowest_loss == objective.loss(in_batches.lowest_theta)
        rises += in_batches.lowest_loss < in_batches.loss
    assert rises or learning_rate < 0.1
    for minimizer in (alone, in_batches):
        minimizer.settle()
        minimizer.advance(10)
    assert _equal(alone.state(), in_batches.state())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("kinds", "rate"), [(PAIRS[0], 0.5), (PAIRS[0], 1.0), (PAIRS[0], 1e30), (PAIRS[1], 1e30)])
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 7])
def test_divergence_inside_a_batch_ends_at_the_last_finite_point(kinds, rate, dtype, cut):
    objective = _objective(power=3, dtype=dtype)
    alone, in_batches = (kind(objective, objective.initial, learning_rate=rate, stopping=_NEVER) for kind in kinds)
    alone.advance(300)
    in_batches.advance(cut)
    in_batches.advance(300 - cut)
    assert in_batches.finished is not None
    assert in_batches.finished.startswith(f"diverged: step {in_batches.steps + 1} led from a loss of ")
    assert (in_batches.finished, in_batches.steps) == (alone.finished, alone.steps)
    assert math.isfinite(in_batches.loss)
    assert in_batches.loss == objective.loss(in_batches.theta)
    assert bool(torch.isfinite(in_batches.theta).all())
    for name in ("theta", "gradient", "lowest_theta"):
        assert torch.equal(getattr(in_batches, name), getattr(alone, name))
    state = in_batches.state()
    in_batches.advance(100)
    assert _equal(in_batches.state(), state)


@pytest.mark.parametrize(("alone_kind", "kind"), PAIRS)
def test_batches_end_where_the_stopping_rule_is_looked_at(alone_kind, kind):
    rule = StoppingRule(gradient_tolerance=0.0, patience=300, least_decrease=0.2)
    objective = _objective()
    alone, in_batches = (each(objective, objective.initial, stopping=rule) for each in (alone_kind, kind))
    alone.advance(5000)
    in_batches.advance(5000)
    assert in_batches.finished is not None
    assert in_batches.finished.startswith("no further decrease: ")
    assert in_batches.steps % 100 == 0
    assert _equal(alone.state(), in_batches.state())


@pytest.mark.exact_data(reason="the gradient is exactly zero")
@pytest.mark.parametrize("kind", IN_BATCHES)
def test_a_point_without_gradient_ends_the_run_before_its_first_step(kind):
    objective = Objective(Problem([[1.0], [2.0]], [1.0, 2.0]), HomogeneousNetwork([[[1.0]], [[1.0]]]))
    minimizer = kind(objective, objective.initial)
    minimizer.advance(10)
    assert minimizer.steps == 0
    assert minimizer.finished == "the gradient vanishes"


@pytest.mark.parametrize("kind", IN_BATCHES)
def test_evaluations_are_counted(kind):
    objective = _objective()
    minimizer = kind(objective, objective.initial)
    before = objective.evaluations
    minimizer.advance(130)
    assert objective.evaluations == before + 130


@pytest.mark.parametrize("steps", [-1, 1.5, True])
@pytest.mark.parametrize("kind", IN_BATCHES)
def test_steps_must_be_a_number_of_steps(kind, steps):
    objective = _objective()
    with pytest.raises((TypeError, ValueError), match="steps"):
        kind(objective, objective.initial).advance(steps)


def test_only_a_gpu_takes_steps_in_batches():
    objective = _objective()
    minimizers: list[FirstOrderMinimizer] = [kind(objective, objective.initial) for kind, _ in PAIRS]
    minimizers.append(Adam(objective, objective.initial, duration=10))
    for minimizer in minimizers:
        minimizer.advance(3)
        assert minimizer.steps == 3
        assert minimizer._device_steps is None


def test_with_a_duration_the_step_size_falls_to_zero_along_a_cosine():
    objective = _objective()
    minimizer = GradientDescent(objective, objective.initial, learning_rate=0.05, duration=8, stopping=_NEVER)
    for step in range(8):
        theta, gradient = minimizer.theta, minimizer.gradient
        minimizer.advance(1)
        rate = 0.05 * math.cos(math.pi * step / 16) ** 2
        torch.testing.assert_close(minimizer.theta, theta - rate * gradient, rtol=1e-12, atol=1e-15)
