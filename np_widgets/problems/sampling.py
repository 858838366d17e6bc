"""Random data for ready-made problems: every use of a seed has a stream of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.problem import Display, Problem, Truth

DISTRIBUTIONS = ("gaussian", "hypercube")
_STREAMS = ("train", "test", "teacher", "noise", "split")
# Hypercubes of more inputs than this are not drawn vertex by vertex.
_LARGEST_DRAWN = 40


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator for one purpose; streams of one seed are independent of each other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAMS.index(name),)))


def draw(distribution: str, count: int, inputs: int, generator: np.random.Generator) -> Tensor:
    """``count`` independent inputs of shape ``(count, inputs)``: standard normal, or uniform on {−1, +1}^d."""
    if distribution == "gaussian":
        return torch.from_numpy(generator.standard_normal((count, inputs)))
    bits = generator.integers(0, 2, size=(count, inputs), dtype=np.int8)
    return torch.from_numpy(1.0 - 2.0 * bits)


def sampled_problem(
    truth: Truth,
    inputs: int,
    *,
    distribution: str,
    samples: int,
    test_samples: int,
    seed: int,
    name: str,
    noise: float = 0.0,
) -> Problem:
    """A problem with square loss whose targets are ``truth`` of random inputs.

    Normal noise of standard deviation ``noise`` is added to the training targets only, so that the test loss measures
    how far the network is from the function itself. Without test samples there is no test set.
    """
    samples = arguments.whole("samples", samples, 1)
    test_samples = arguments.whole("test_samples", test_samples, 0)
    noise = arguments.real("noise", noise, least=0)
    train_inputs = draw(distribution, samples, inputs, stream(seed, "train"))
    targets = truth(train_inputs)
    if noise > 0:
        targets = targets + noise * torch.from_numpy(stream(seed, "noise").standard_normal(tuple(targets.shape)))
    test = None
    if test_samples > 0:
        test_inputs = draw(distribution, test_samples, inputs, stream(seed, "test"))
        test = (test_inputs, truth(test_inputs))
    drawable = distribution == "hypercube" and inputs <= _LARGEST_DRAWN and targets.shape[1] == 1
    display = Display("hypercube") if drawable else None
    return Problem(train_inputs, targets, "square", test, truth=truth, name=name, display=display)
