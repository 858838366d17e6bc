"""Where the learned function is looked at: chosen once for a problem, used for every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.subset import some_samples
from np_widgets.pictures.labels import Names, number
from np_widgets.problems import Problem

Floats = NDArray[np.float64]

MOST_POINTS = 512
MOST_DATA = 300
MOST_SEEN, MOST_NUMBERS = 2**14, 2**22
GRID = 40


@dataclass(frozen=True)
class Probe:
    """The points at which pictures evaluate networks that learn a problem, and what it calls inputs and outputs.

    ``data_*`` are the training samples that are drawn, in a scatter those of the test set, too; ``data_samples`` says
    which they are.
    """

    problem: Problem
    kind: str
    points: Tensor
    axes: tuple[Floats, ...]
    axis_labels: tuple[str, ...]
    truth: Floats | None
    data_points: Tensor
    data_inputs: Floats
    data_values: Floats
    data_is_test: NDArray[np.bool_]
    data_samples: NDArray[np.int64]
    outputs: int
    classes: bool

    @property
    def choices(self) -> tuple[str, ...]:
        """The names of the outputs among which a picture of one output can choose; none if it shows all of them."""
        one_picture = self.kind == "confusion" or (self.kind == "regions" and self.classes)
        if one_picture or self.outputs == 1:
            return ()
        return tuple(self.output_name(output) for output in range(self.outputs))

    @cached_property
    def names(self) -> Names:
        """What inputs and outputs are called."""
        return Names.of(self.problem)

    def output_name(self, output: int) -> str:
        """What the values of an output are called."""
        name = self.names.outputs[output]
        return f"probability of {name}" if self.classes else name

    @cached_property
    def seen(self) -> Problem:
        """The problem with some of its training samples, on the CPU and in double precision."""
        most = min(MOST_SEEN, MOST_NUMBERS // self.problem.input_size)
        return some_samples(self.problem, most, 0).to(device="cpu", dtype=torch.float64)

    @cached_property
    def places(self) -> Floats:
        """Where the samples of :attr:`seen` stand on the axes, ``(n, axes)``."""
        return self.seen.inputs[:, list(self.problem.display.columns)].numpy()

    @cached_property
    def point_names(self) -> list[str]:
        """What a pointer on a line reads of each point: the value of its input, or the signs of a vertex."""
        if self.kind == "curve":
            return [f"{self.axis_labels[0]} = {number(value)}" for value in self.axes[0].tolist()]
        return [f"vertex ({''.join('+' if x > 0 else '−' for x in point)})" for point in self.points.tolist()]

    @cached_property
    def samples(self) -> Tensor:
        """Some training inputs, evenly spread among all."""
        return _cpu(self.problem.inputs[_spread(self.problem.samples, MOST_DATA)])

    def active_shares(self, frame: PursuitFrame) -> list[Floats]:
        """On which share of :attr:`samples` each neuron of each hidden layer is active: its pre-activation positive."""
        if frame.network is None:
            return []
        with torch.no_grad():
            passed = frame.network.forward(self.samples)
        return [(z > 0).double().mean(dim=0).numpy() for z in passed.pre_activations[:-1]]

    def values(self, outputs: Tensor) -> Floats:
        """What a network says, ``(k, m)``: its outputs, or the probabilities of the classes."""
        values = outputs.detach().to("cpu", torch.float64)
        return np.asarray((values.softmax(dim=-1) if self.classes else values).numpy(), dtype=np.float64)


def names_of(weights: Sequence[Floats], classes: bool, probe: Probe | None) -> Names:
    """What the inputs and outputs of a network of these weights are called: as a probe says, if there is one."""
    return Names.plain(weights[0].shape[1], len(weights[-1]), classes) if probe is None else probe.names


def probe(problem: Problem, points: int = MOST_POINTS) -> Probe:
    """Choose where to look at what is learned of a problem, as its ``display`` asks.

    Deterministic: the same problem gives the same points.
    """
    arguments.whole("points", points, 2, 100_000)
    kind = problem.display.kind
    if kind == "hypercube":
        return _hypercube(problem, points)
    if kind == "curve":
        return _curve(problem, points)
    if kind == "regions":
        return _regions(problem)
    return _scatter(problem)


def _hypercube(problem: Problem, points: int) -> Probe:
    if problem.truth is None:
        # Only at the data is it known what should come out, so the data are the vertices.
        chosen = _spread(problem.samples, points)
        inputs = _cpu(problem.inputs)[chosen]
        order = np.lexsort((-inputs.numpy()).T[::-1])
        inputs, chosen = inputs[order], chosen[order]
        return _probe(
            problem,
            "hypercube",
            inputs,
            (_positions(inputs),),
            ("vertex",),
            _target_values(problem, problem.targets[chosen]),
        )
    inputs = sample_vertices(problem.input_size, points)
    truth = _truth(problem, inputs)
    return _probe(problem, "hypercube", inputs, (_positions(inputs),), ("vertex",), truth)


def sample_vertices(size: int, points: int) -> Tensor:
    """Vertices of {−1, +1}^size in lexicographic order from (1, …, 1) to (−1, …, −1), of shape ``(k, size)``.

    All of them if there are at most ``points``. Otherwise the first inputs go through all their combinations, one
    vertex each, and the other inputs are random: every k-th vertex would vary only the first inputs and hold all others
    still, so that half of the function would never be seen.
    """
    leading = min(size, int(np.log2(points)))
    bins = np.arange(2**leading)
    bits = (bins[:, None] >> np.arange(leading - 1, -1, -1)) & 1
    rest = np.random.default_rng(0).integers(0, 2, size=(len(bins), size - leading))
    return torch.from_numpy(1.0 - 2.0 * np.concatenate([bits, rest], axis=1))


def _positions(vertices: Tensor) -> Floats:
    """How far along the lexicographic order each vertex stands, 0 … 1."""
    bits = (1.0 - vertices.numpy()) / 2
    places = 0.5 ** np.arange(1, bits.shape[1] + 1)
    return np.asarray(bits @ places / places.sum(), dtype=np.float64)


def _curve(problem: Problem, points: int) -> Probe:
    (column,) = problem.display.columns
    axis = _axis(problem, column, points)
    inputs = _cpu(problem.inputs).mean(dim=0).repeat(points, 1)
    inputs[:, column] = torch.from_numpy(axis)
    return _probe(problem, "curve", inputs, (axis,), (Names.of(problem).inputs[column],), _truth(problem, inputs))


def _regions(problem: Problem) -> Probe:
    columns = problem.display.columns
    sides = tuple(_axis(problem, column, GRID) for column in columns)
    inputs = _cpu(problem.inputs).mean(dim=0).repeat(GRID * GRID, 1)
    grid = np.meshgrid(*sides)
    for column, values in zip(columns, grid, strict=True):
        inputs[:, column] = torch.from_numpy(values.reshape(-1))
    labels = tuple(Names.of(problem).inputs[column] for column in columns)
    return _probe(problem, "regions", inputs, sides, labels, _truth(problem, inputs))


def _scatter(problem: Problem) -> Probe:
    sets = [(problem.inputs, problem.targets)]
    if problem.test_inputs is not None and problem.test_targets is not None:
        sets.append((problem.test_inputs, problem.test_targets))
    chosen = [_spread(len(inputs), MOST_DATA) for inputs, _ in sets]
    inputs = torch.cat([_cpu(inputs[own]) for (inputs, _), own in zip(sets, chosen, strict=True)])
    truth = [_target_values(problem, targets[own]) for (_, targets), own in zip(sets, chosen, strict=True)]
    kind = "confusion" if problem.loss.name == "cross_entropy" else "scatter"
    return replace(
        _probe(problem, kind, inputs, (), (), np.concatenate(truth)),
        data_is_test=np.repeat(np.arange(len(sets)) > 0, [len(own) for own in chosen]),
        data_samples=np.concatenate(chosen),
    )


def _probe(
    problem: Problem,
    kind: str,
    points: Tensor,
    axes: tuple[Floats, ...],
    labels: tuple[str, ...],
    truth: Floats | None,
) -> Probe:
    chosen = _spread(problem.samples, MOST_DATA)
    data, columns = _cpu(problem.inputs[chosen]), list(problem.display.columns)
    return Probe(
        problem=problem,
        kind=kind,
        points=points,
        axes=axes,
        axis_labels=labels,
        truth=truth,
        data_points=data,
        data_inputs=data[:, columns].numpy(),
        data_values=_target_values(problem, problem.targets[chosen]),
        data_is_test=np.zeros(len(chosen), dtype=bool),
        data_samples=chosen,
        outputs=problem.output_size,
        classes=problem.loss.name == "cross_entropy",
    )


def _axis(problem: Problem, column: int, points: int) -> Floats:
    values = problem.inputs[:, column]
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, points)


def _truth(problem: Problem, points: Tensor) -> Floats | None:
    if problem.truth is None:
        return None
    values = _cpu(problem.truth(points.to(device=problem.device, dtype=problem.dtype)))
    if problem.loss.name == "cross_entropy":
        values = values.softmax(dim=-1)
    return np.asarray(values.numpy(), dtype=np.float64)


def _target_values(problem: Problem, targets: Tensor) -> Floats:
    if problem.loss.name == "cross_entropy":
        targets = torch.nn.functional.one_hot(targets, problem.output_size)
    return np.asarray(_cpu(targets).numpy(), dtype=np.float64)


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` indices below ``count``, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float64)
