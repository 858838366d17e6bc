"""Small problems with saddles, made once for all tests, and the formulas that flows near them must obey."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import np_widgets as npw
from np_widgets.learning.saddles.frames import SaddleFrame

Floats = NDArray[np.float64]


@cache
def example() -> npw.Problem:
    """The authors' example."""
    return npw.problems.kumar_haupt(samples=1000, seed=2)


@cache
def example_saddle(neurons: int) -> npw.HomogeneousNetwork:
    """Its (1, 1) saddle, or with three neurons its (2, 1) saddle."""
    pursuit = npw.NeuronPursuit(example(), minimizer="hybrid", seed=0)
    pursuit.run(max_additions=neurons - 2)
    assert pursuit.network.widths == {2: (1, 1), 3: (2, 1)}[neurons]
    return pursuit.network


@cache
def teacher(
    hidden: int = 1, power: int = 1, leak: float = 0.0, seed: int = 0, outputs: int = 1, samples: int = 60
) -> npw.Problem:
    """A small random teacher with two neurons a layer; three if there is one layer."""
    return npw.problems.random_teacher(
        inputs=3, widths=(3,) if hidden == 1 else (2,) * hidden, outputs=outputs, power=power, leak=leak,
        samples=samples, test_samples=1, seed=seed,
    )  # fmt: skip


@cache
def saddle(hidden: int = 1, power: int = 1, leak: float = 0.0, seed: int = 0, **options: Any) -> npw.HomogeneousNetwork:
    """Where one neuron a layer ends on that problem."""
    pursuit = npw.NeuronPursuit(
        teacher(hidden, power, leak, seed, **options), hidden, power, leak, starts=20, minimizer="hybrid"
    )
    pursuit.run(max_additions=0)
    return pursuit.network


@cache
def best_point(hidden: int = 1, power: int = 1, leak: float = 0.0, seed: int = 0, **options: Any) -> npw.KKTPoint:
    """The best KKT point there, from a search that no flow has a part in."""
    network, problem = saddle(hidden, power, leak, seed, **options), teacher(hidden, power, leak, seed, **options)
    return npw.find_kkt_points(network, problem, starts=30, seed=91)[0]


def fitted() -> tuple[npw.HomogeneousNetwork, npw.Problem]:
    """A network of one neuron, and a problem that it fits."""
    x = double(np.random.default_rng(0).standard_normal((30, 2)))
    network = npw.HomogeneousNetwork([[[1.0, -0.5]], [[1.25**0.5]]])
    return network, npw.Problem(x, network(x))


@cache
def deep_linear_saddle() -> tuple[npw.HomogeneousNetwork, npw.Problem]:
    """The best rank 1 of targets of rank 3, by a linear network of three hidden layers: every NCF vanishes there."""
    x = np.random.default_rng(0).standard_normal((30, 3))
    x = np.linalg.qr(x)[0] * math.sqrt(30)
    left = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    right = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))[0]
    problem = npw.Problem(x, x @ right @ np.diag((2.0, 1.0, 0.5)) @ left.T)
    size = 2.0**0.25
    weights = [size * right[:, :1].T, [[size]], [[size]], size * left[:, :1]]
    return npw.HomogeneousNetwork(weights, leak=1.0), problem


def best_linear_fit() -> tuple[npw.HomogeneousNetwork, npw.Problem]:
    """One linear neuron, and a problem of which it explains what can be explained."""
    x = np.linspace(-1, 1, 40)
    return npw.HomogeneousNetwork([[[2.0**0.5]], [[2.0**0.5]]], leak=1.0), npw.Problem(x[:, None], 2 * x + x**2)


def awake_alone(frame: SaddleFrame, problem: npw.Problem, time: float) -> tuple[float, float]:
    """The loss of the neurons that are active in a frame, without the others: at once, and ``time`` later."""
    ends = [np.ones(frame.weights[0].shape[1], bool), *frame.active, np.ones(frame.weights[-1].shape[0], bool)]
    weights = [double(w[np.ix_(above, below)]) for w, below, above in zip(frame.weights, ends, ends[1:], strict=False)]
    losses = []
    for _ in range(math.ceil(time / 0.01) + 1):
        weights, hidden = [weight.requires_grad_() for weight in weights], problem.inputs
        for weight in weights[:-1]:
            z = hidden @ weight.T
            hidden = torch.maximum(z, frame.leak * z) ** frame.power
        loss = (hidden @ weights[-1].T - problem.targets).square().sum(dim=1).mean() / 2
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, weights)
        weights = [(weight - 0.01 * each).detach() for weight, each in zip(weights, gradients, strict=True)]
    return losses[0], losses[-1]


def small_flow(seed: int = 0, **options: Any) -> npw.SaddleFlow:
    """A flow that escapes within a second, near the saddle of a ReLU network with one hidden layer."""
    defaults: dict[str, Any] = {"dormant": 2, "scale": 1e-3, "starts": 8}
    return npw.SaddleFlow(saddle(), teacher(), seed=seed, **(defaults | options))


def escape_time(flow: npw.SaddleFlow) -> float:
    """Run to the escape."""
    flow.run_to("escape")
    event = flow.events[-1]
    assert event.kind == "escaped", flow.finished
    return event.time


def ray_time(value: float, degree: int, start: float, end: float) -> float:
    """How long ``dρ/dt = degree·value·ρ^(degree−1)`` takes, as the theory's formulas have it."""
    if degree == 2:
        return math.log(end / start) / (2 * value)
    return (start ** (2 - degree) - end ** (2 - degree)) / (degree * (degree - 2) * value)


def neuron(frame: SaddleFrame, layer: int, index: int, moment: int = -1) -> tuple[Floats, Floats]:
    """The unit direction of a neuron, from and to the neurons that were active at the start."""
    matrices = frame.history[moment]
    below = frame.started_active[layer - 2] if layer > 1 else None
    above = frame.started_active[layer] if layer < len(frame.started_active) else None
    incoming, outgoing = matrices[layer - 1][index, :below], matrices[layer][:above, index]
    norm = math.hypot(float(np.linalg.norm(incoming)), float(np.linalg.norm(outgoing)))
    return incoming / norm, outgoing / norm


def reached_point(frame: SaddleFrame, points: list[npw.KKTPoint]) -> tuple[npw.KKTPoint, float, int]:
    """The KKT point that the largest dormant neuron points at, the cosine, and which of the neurons that is."""
    largest = int(frame.record.neuron_norm[-1].argmax())
    layer, index = frame.record.neurons[largest]
    incoming, outgoing = neuron(frame, layer, index)
    cosines = [
        float(incoming @ point.incoming.numpy() + outgoing @ point.outgoing.numpy()) if point.layer == layer else -1.0
        for point in points
    ]
    return points[int(np.argmax(cosines))], max(cosines), largest


def slope(x: Any, y: Any) -> float:
    """Of the straight line through these points."""
    return float(np.polyfit(np.asarray(x), np.asarray(y), 1)[0])


def double(values: Any) -> torch.Tensor:
    """A tensor of float64."""
    return torch.as_tensor(values, dtype=torch.float64)
