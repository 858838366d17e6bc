"""Bad input to Problem, the ready-made ones and HomogeneousNetwork: errors name the argument, and nothing changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from np_widgets import problems
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems import Display, Problem

HUGE = 10**400


@dataclass
class World:
    """Everything that a refused call might have changed."""

    inputs: np.ndarray = field(default_factory=lambda: np.arange(8.0).reshape(4, 2))
    targets: np.ndarray = field(default_factory=lambda: np.array([1.0, -1.0, 0.5, 2.0]))
    labels: np.ndarray = field(default_factory=lambda: np.array([0, 1, 2, 1]))
    problem: Problem = field(default_factory=lambda: problems.sparse_parity(4, 2, samples=6, test_samples=3))
    network: HomogeneousNetwork = field(
        default_factory=lambda: HomogeneousNetwork([np.ones((3, 4)), np.ones((2, 3)), np.ones((1, 2))], leak=0.5)
    )

    def contents(self) -> list[Any]:
        problem, network = self.problem, self.network
        tensors: list[Tensor | None] = [problem.inputs, problem.targets, problem.test_inputs, problem.test_targets]
        tensors += [*network.weights, torch.get_rng_state()]
        settings = [problem.dtype, problem.loss, problem.truth, problem.name, problem.display, network.activation]
        arrays = [array.tolist() for array in (self.inputs, self.targets, self.labels)]
        return [*arrays, *settings, *[None if tensor is None else tensor.tolist() for tensor in tensors]]


Case = tuple[Callable[[World], Any], type[Exception], str]

PROBLEM: dict[str, Case] = {
    "inputs of one dimension": (lambda w: Problem(w.targets, w.targets), ValueError, "inputs"),
    "inputs ragged": (lambda w: Problem([[1, 2], [3], [4], [5]], w.targets), ValueError, "inputs"),
    "inputs NaN": (lambda w: Problem(w.inputs * np.nan, w.targets), ValueError, "inputs"),
    "inputs infinite": (lambda w: Problem(w.inputs + np.inf, w.targets), ValueError, "inputs"),
    "inputs without rows": (lambda w: Problem(w.inputs[:0], w.targets[:0]), ValueError, "inputs"),
    "inputs without columns": (lambda w: Problem(w.inputs[:, :0], w.targets), ValueError, "inputs"),
    "inputs strings": (lambda w: Problem(w.inputs.astype(str), w.targets), TypeError, "inputs"),
    "inputs objects": (lambda w: Problem([[None, w]] * 4, w.targets), TypeError, "inputs"),
    "inputs complex": (lambda w: Problem(w.inputs * 1j, w.targets), TypeError, "inputs"),
    "inputs uint64 beyond int64": (
        lambda w: Problem(np.full((4, 2), 2**63 + 1, dtype=np.uint64), w.targets),
        ValueError,
        "inputs",
    ),
    "inputs Python integers beyond int64": (lambda w: Problem([[1, HUGE]] * 4, w.targets), ValueError, "inputs"),
    "inputs integers that floats round": (lambda w: Problem([[1, 2**60 + 1]] * 4, w.targets), ValueError, "inputs"),
    "inputs too large for float32": (
        lambda w: Problem(w.inputs * 1e300, w.targets, dtype=torch.float32),
        ValueError,
        "inputs",
    ),
    "inputs masked": (lambda w: Problem(np.ma.masked_less(w.inputs, 2), w.targets), ValueError, "inputs"),
    "targets of three dimensions": (lambda w: Problem(w.inputs, w.inputs[:, :, None]), ValueError, "targets"),
    "targets too few": (lambda w: Problem(w.inputs, w.targets[:3]), ValueError, "targets"),
    "targets NaN": (lambda w: Problem(w.inputs, w.targets * np.nan), ValueError, "targets"),
    "targets None": (lambda w: Problem(w.inputs, None), TypeError, "targets"),
    "targets without columns": (lambda w: Problem(w.inputs, w.inputs[:, :0]), ValueError, "targets"),
    "labels floats": (lambda w: Problem(w.inputs, w.targets, "cross_entropy"), TypeError, "targets"),
    "labels beyond int64": (lambda w: Problem(w.inputs, [0, 1, 2, HUGE], "cross_entropy"), TypeError, "targets"),
    "loss unknown": (lambda w: Problem(w.inputs, w.targets, "absolute"), ValueError, "loss"),  # type: ignore[arg-type]
    "loss no string": (lambda w: Problem(w.inputs, w.targets, torch.nn.MSELoss()), TypeError, "loss"),  # type: ignore[arg-type]
    "classes below the labels": (
        lambda w: Problem(w.inputs, w.labels, "cross_entropy", classes=2),
        ValueError,
        "classes",
    ),
    "classes a boolean": (
        lambda w: Problem(w.inputs, [0, 0, 0, 0], "cross_entropy", classes=True),
        TypeError,
        "classes",
    ),
    "classes of a regression": (lambda w: Problem(w.inputs, w.targets, classes=3), ValueError, "classes"),
    "test no pair": (lambda w: Problem(w.inputs, w.targets, test=w.inputs), TypeError, "test"),  # type: ignore[arg-type]
    "test inputs of other width": (
        lambda w: Problem(w.inputs, w.targets, test=(w.inputs[:, :1], w.targets)),
        ValueError,
        "test inputs",
    ),
    "test inputs NaN": (
        lambda w: Problem(w.inputs, w.targets, test=(w.inputs * np.nan, w.targets)),
        ValueError,
        "test inputs",
    ),
    "test targets of other length": (
        lambda w: Problem(w.inputs, w.targets, test=(w.inputs, w.targets[:2])),
        ValueError,
        "test targets",
    ),
    "test targets of other width": (
        lambda w: Problem(w.inputs, w.targets, test=(w.inputs, w.inputs)),
        ValueError,
        "test targets",
    ),
    "test labels of an unknown class": (
        lambda w: Problem(w.inputs, w.labels, "cross_entropy", (w.inputs, w.labels + 1)),
        ValueError,
        "test targets",
    ),
    "truth no function": (lambda w: Problem(w.inputs, w.targets, truth=w.targets), TypeError, "truth"),  # type: ignore[arg-type]
    "truth of wrong shape": (lambda w: Problem(w.inputs, w.targets, truth=lambda x: x), ValueError, "truth"),
    "truth no tensor": (lambda w: Problem(w.inputs, w.targets, truth=lambda x: 0), TypeError, "truth"),  # type: ignore[arg-type, return-value]
    "name no string": (lambda w: Problem(w.inputs, w.targets, name=7), TypeError, "name"),  # type: ignore[arg-type]
    "display a string": (lambda w: Problem(w.inputs, w.targets, display="curve"), TypeError, "display"),  # type: ignore[arg-type]
    "display of a missing column": (
        lambda w: Problem(w.inputs, w.targets, display=Display("curve", (2,))),
        ValueError,
        "display",
    ),
    "display of a hypercube too large to number": (
        lambda w: Problem(np.ones((4, 63)), w.targets, display=Display("hypercube")),
        ValueError,
        "display",
    ),
    "display kind unknown": (lambda w: Display("pie"), ValueError, "kind"),  # type: ignore[arg-type]
    "display columns missing": (lambda w: Display("regions", (0,)), ValueError, "columns"),
    "display columns twice the same": (lambda w: Display("regions", (1, 1)), ValueError, "columns"),
    "display columns negative": (lambda w: Display("curve", (-1,)), ValueError, "columns"),
    "display columns floats": (lambda w: Display("curve", (0.5,)), TypeError, "columns"),  # type: ignore[arg-type]
    "dtype half": (lambda w: Problem(w.inputs, w.targets, dtype=torch.float16), ValueError, "dtype"),
    "to an unavailable device": (lambda w: w.problem.to(device="cuda:4096"), ValueError, "device"),
    "to a device that does not exist": (lambda w: w.problem.to(device="abacus"), ValueError, "device"),
    "to a device by number": (lambda w: w.problem.to(device=0), TypeError, "device"),
    "to integers": (lambda w: w.problem.to(dtype=torch.int32), ValueError, "dtype"),
    "to a precision too small": (
        lambda w: Problem(w.inputs * 1e300, w.targets).to(dtype=torch.float32),
        ValueError,
        "dtype",
    ),
    "standardized by a number": (lambda w: w.problem.standardized(1), TypeError, "constant"),  # type: ignore[arg-type]
    "standardized labels": (
        lambda w: Problem(w.inputs, w.labels, "cross_entropy").standardized(targets=True),
        ValueError,
        "targets",
    ),
}

READY_MADE: dict[str, Case] = {
    "samples zero": (lambda w: problems.kumar_haupt(0), ValueError, "samples"),
    "samples a float": (lambda w: problems.kumar_haupt(1e3), TypeError, "samples"),  # type: ignore[arg-type]
    "test_samples negative": (lambda w: problems.kumar_haupt(test_samples=-1), ValueError, "test_samples"),
    "seed negative": (lambda w: problems.kumar_haupt(seed=-1), ValueError, "seed"),
    "seed beyond int64": (lambda w: problems.curve(seed=2**64), ValueError, "seed"),
    "seed a boolean": (lambda w: problems.two_moons(seed=True), TypeError, "seed"),
    "seed None": (lambda w: problems.digits(seed=None), TypeError, "seed"),  # type: ignore[arg-type]
    "inputs zero": (lambda w: problems.single_index(0), ValueError, "inputs"),
    "more directions than inputs": (lambda w: problems.multi_index(3, 4), ValueError, "directions"),
    "link unknown": (lambda w: problems.single_index(link="sigmoid"), ValueError, "link"),  # type: ignore[arg-type]
    "link no function": (lambda w: problems.multi_index(link=3), TypeError, "link"),  # type: ignore[arg-type]
    "link of wrong shape": (lambda w: problems.multi_index(link=torch.sum), ValueError, "link"),
    "distribution unknown": (
        lambda w: problems.random_teacher(distribution="uniform"),  # type: ignore[arg-type]
        ValueError,
        "distribution",
    ),
    "noise negative": (lambda w: problems.single_index(noise=-0.1), ValueError, "noise"),
    "noise NaN": (lambda w: problems.random_teacher(noise=float("nan")), ValueError, "noise"),
    "noise beyond floats": (lambda w: problems.two_moons(noise=HUGE), ValueError, "noise"),
    "degree above the inputs": (lambda w: problems.sparse_parity(3, 4), ValueError, "degree"),
    "widths empty": (lambda w: problems.random_teacher(widths=()), ValueError, "widths"),
    "widths with a zero": (lambda w: problems.random_teacher(widths=(3, 0)), ValueError, "widths"),
    "widths a number": (lambda w: problems.random_teacher(widths=3), TypeError, "widths"),  # type: ignore[arg-type]
    "outputs zero": (lambda w: problems.random_teacher(outputs=0), ValueError, "outputs"),
    "teacher's power zero": (lambda w: problems.random_teacher(power=0), ValueError, "power"),
    "teacher's leak above one": (lambda w: problems.random_teacher(leak=1.5), ValueError, "leak"),
    "function unknown": (lambda w: problems.curve("cosine"), ValueError, "function"),  # type: ignore[arg-type]
    "function of wrong shape": (lambda w: problems.curve(torch.sum), ValueError, "function"),
    "test_fraction one": (lambda w: problems.digits(test_fraction=1), ValueError, "test_fraction"),
    "test_fraction a string": (lambda w: problems.diabetes(test_fraction="0.2"), TypeError, "test_fraction"),  # type: ignore[arg-type]
    "dimension too large": (lambda w: problems.hypercube_vertices(63), ValueError, "dimension"),
    "start beyond the last vertex": (lambda w: problems.hypercube_vertices(3, 9), ValueError, "start"),
    "stop before start": (lambda w: problems.hypercube_vertices(3, 5, 4), ValueError, "stop"),
    "error without a truth": (
        lambda w: problems.hypercube_error(w.network, Problem(w.inputs, w.targets)),
        ValueError,
        "problem",
    ),
    "error over too many vertices": (
        lambda w: problems.hypercube_error(lambda x: x[:, :1], problems.sparse_parity(31, 2, samples=2)),
        ValueError,
        "problem",
    ),
    "error of no network": (lambda w: problems.hypercube_error(None, w.problem), TypeError, "network"),  # type: ignore[arg-type]
    "error of outputs of wrong shape": (
        lambda w: problems.hypercube_error(lambda x: x[:, 0], w.problem),
        ValueError,
        "network",
    ),
    "error in empty chunks": (lambda w: problems.hypercube_error(w.network, w.problem, chunk=0), ValueError, "chunk"),
    "error in the old order": (lambda w: problems.hypercube_error(w.problem, w.network), TypeError, "network"),  # type: ignore[arg-type]
}

NETWORK: dict[str, Case] = {
    "weights a number": (lambda w: HomogeneousNetwork(3), TypeError, "weights"),  # type: ignore[arg-type]
    "weights empty": (lambda w: HomogeneousNetwork([]), ValueError, "weights"),
    "weights of one layer": (lambda w: HomogeneousNetwork([np.ones((1, 2))]), ValueError, "weights"),
    "weights that do not chain": (
        lambda w: HomogeneousNetwork([np.ones((3, 2)), np.ones((1, 2))]),
        ValueError,
        "weights[1]",
    ),
    "weights of one dimension": (
        lambda w: HomogeneousNetwork([np.ones((3, 2)), np.ones(3)]),
        ValueError,
        "weights[1]",
    ),
    "weights NaN": (
        lambda w: HomogeneousNetwork([np.full((1, 2), np.nan), np.ones((1, 1))]),
        ValueError,
        "weights[0]",
    ),
    "weights of width zero": (
        lambda w: HomogeneousNetwork([np.ones((0, 2)), np.ones((1, 0))]),
        ValueError,
        "weights[0]",
    ),
    "weights strings": (lambda w: HomogeneousNetwork([["a"], ["b"]]), TypeError, "weights[0]"),
    "power zero": (lambda w: HomogeneousNetwork(w.network.weights, power=0), ValueError, "power"),
    "power a float": (lambda w: HomogeneousNetwork(w.network.weights, power=1.5), TypeError, "power"),  # type: ignore[arg-type]
    "leak below −1": (lambda w: HomogeneousNetwork(w.network.weights, leak=-1.1), ValueError, "leak"),
    "leak NaN": (lambda w: HomogeneousNetwork(w.network.weights, leak=float("nan")), ValueError, "leak"),
    "inputs of the wrong width": (lambda w: w.network(np.ones((2, 3))), ValueError, "inputs"),
    "inputs of a vector": (lambda w: w.network(np.ones(4)), ValueError, "inputs"),
    "inputs NaN for a network": (lambda w: w.network(np.full((2, 4), np.nan)), ValueError, "inputs"),
    "layer zero": (lambda w: w.network.with_neuron(0, np.ones(4), np.ones(2)), ValueError, "layer"),
    "layer above the last hidden": (lambda w: w.network.with_neuron(3, np.ones(3), np.ones(1)), ValueError, "layer"),
    "layer a boolean": (lambda w: w.network.with_neuron(True, np.ones(4), np.ones(2)), TypeError, "layer"),
    "incoming too short": (lambda w: w.network.with_neuron(1, np.ones(3), np.ones(2)), ValueError, "incoming"),
    "outgoing too long": (lambda w: w.network.with_neuron(1, np.ones(4), np.ones(3)), ValueError, "outgoing"),
    "outgoing NaN": (lambda w: w.network.with_neuron(1, np.ones(4), [1, np.nan]), ValueError, "outgoing"),
    "network to an unavailable device": (lambda w: w.network.to(device="cuda:4096"), ValueError, "device"),
    "network to half precision": (lambda w: w.network.to(dtype="float16"), ValueError, "dtype"),
}

CASES = {**PROBLEM, **READY_MADE, **NETWORK}
assert len(CASES) == len(PROBLEM) + len(READY_MADE) + len(NETWORK)


@pytest.mark.parametrize(("call", "error", "argument"), CASES.values(), ids=CASES.keys())
def test_refused_with_the_name_of_the_argument_before_anything_changes(
    call: Callable[[World], Any], error: type[Exception], argument: str
):
    world = World()
    before = world.contents()
    with pytest.raises(error, match=rf"^{re.escape(argument)}(?!\w)") as raised:
        call(world)
    assert type(raised.value) is error
    # It says more than the name: what is accepted, and mostly what came.
    assert len(str(raised.value)) > len(argument) + 15
    assert world.contents() == before
