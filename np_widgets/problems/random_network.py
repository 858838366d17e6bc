"""A ready-made problem whose targets come from a random network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.problem import Problem
from np_widgets.problems.sampling import Distribution, draw, ready_made, sampled_problem
from np_widgets.problems.streams import stream

_REFERENCE_SAMPLES = 4096
# A neuron that is positive less often than this would hardly be seen in the data.
_LEAST_ACTIVE = 0.05


@ready_made
def random_teacher(
    inputs: int = 10,
    widths: Sequence[int] = (3, 2),
    outputs: int = 1,
    *,
    power: int = 1,
    leak: float = 0.0,
    distribution: Distribution = "gaussian",
    noise: float = 0.0,
    samples: int = 1000,
    test_samples: int = 1000,
    seed: int = 0,
) -> Problem:
    """A bias-free network with random weights, which a student of the same widths represents exactly.

    The rows of the weight matrices have Gaussian directions, and such lengths that every neuron and every output has a
    mean square of one over the distribution of the inputs (up to 4096 draws). Neurons that would hardly ever be
    positive get the opposite sign, so that none is dead. The ``truth`` of the problem is a :class:`TeacherNetwork`,
    which has the weights.

    Parameters
    ----------
    inputs
        The number of inputs d.
    widths
        The widths of the hidden layers, at least one.
    outputs
        The number of outputs m.
    power, leak
        p and α of the activation ``σ(z) = max(z, αz)^p``.
    """
    sizes = [arguments.whole("inputs", inputs, 1), *arguments.wholes("widths", widths, 1)]
    outputs = arguments.whole("outputs", outputs, 1)
    power = arguments.whole("power", power, 1)
    leak = arguments.real("leak", leak, least=-1, most=1)
    arguments.choice("distribution", distribution, get_args(Distribution))
    seed = arguments.seed(seed)
    truth = _random_network([*sizes, outputs], power, leak, distribution, seed)
    return sampled_problem(
        truth,
        inputs,
        distribution=distribution,
        samples=samples,
        test_samples=test_samples,
        seed=seed,
        name=f"random teacher ({', '.join(str(width) for width in sizes[1:])})",
        noise=noise,
    )


@dataclass(frozen=True)
class TeacherNetwork:
    """``W_L σ(… σ(W_1 x))`` with ``σ(z) = max(z, αz)^p`` and ``W_l`` of shape ``(k_l, k_{l-1})``."""

    weights: tuple[Tensor, ...]
    power: int
    leak: float

    def __call__(self, inputs: Tensor) -> Tensor:
        """The outputs, of shape ``(k, m)``, at inputs of shape ``(k, d)``."""
        hidden = inputs
        for weight in self.weights[:-1]:
            hidden = _activated(hidden @ weight.to(inputs).T, self.power, self.leak)
        return hidden @ self.weights[-1].to(inputs).T


def _activated(z: Tensor, power: int, leak: float) -> Tensor:
    return torch.maximum(z, leak * z) ** power


def _random_network(sizes: list[int], power: int, leak: float, distribution: Distribution, seed: int) -> TeacherNetwork:
    generator = stream(seed, "teacher")
    hidden = draw(distribution, _REFERENCE_SAMPLES, sizes[0], generator)
    weights = []
    for below, above in itertools.pairwise(sizes[:-1]):
        weight = torch.from_numpy(generator.standard_normal((above, below)))
        z = hidden @ weight.T
        sign = torch.where((z > 0).double().mean(dim=0) < _LEAST_ACTIVE, -1.0, 1.0)
        length = _activated(z * sign, power, leak).square().mean(dim=0).sqrt() ** (-1 / power)
        weights.append(weight * (sign * length).unsqueeze(1))
        hidden = _activated(z * sign * length, power, leak)
    last = torch.from_numpy(generator.standard_normal((sizes[-1], sizes[-2])))
    weights.append(last / (hidden @ last.T).square().mean(dim=0).sqrt().unsqueeze(1))
    return TeacherNetwork(tuple(weights), power, leak)
