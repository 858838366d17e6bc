"""A random choice of the samples of a problem, where all of them would be more than is of use."""

from __future__ import annotations

import copy

import numpy as np
import torch

from np_widgets.problems import Problem

_STREAM = 2**32 - 1
"""Tells this use of a seed from others: the look-ahead after a search is to see other samples than the search did."""


def some_samples(problem: Problem, most: int, seed: int) -> Problem:
    """The problem with ``most`` of its training samples, in their order; the problem itself if it has no more.

    The choice depends on the seed and the number of samples alone. Sample weights stay as they are: so the loss is that
    of all samples on average over choices.
    """
    most = max(1, most)
    if problem.samples <= most:
        return problem
    generator = np.random.default_rng((seed, _STREAM))
    chosen = np.sort(generator.choice(problem.samples, most, replace=False, shuffle=False))
    indices = torch.from_numpy(chosen).to(problem.device)
    part = copy.copy(problem)
    part.inputs, part.targets = problem.inputs[indices], problem.targets[indices]
    part.sample_weight = None if problem.sample_weight is None else problem.sample_weight[indices]
    return part
