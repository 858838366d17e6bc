"""The vertices of the hypercube {−1, +1}^d in order, and the error of a network over all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.display import LARGEST_DIMENSION
from np_widgets.problems.problem import Problem

LARGEST_SWEEP = 30
"""Over more inputs than this, going through every vertex is a matter of hours."""


def hypercube_vertices(
    dimension: int, start: int = 0, stop: int | None = None, *, dtype: Any = torch.float64, device: Any = "cpu"
) -> Tensor:
    """Vertices of {−1, +1}^d in lexicographic order, from ``(1, …, 1)`` to ``(−1, …, −1)``.

    Parameters
    ----------
    dimension
        The number of inputs d, at most 62.
    start, stop
        Which of the 2^d vertices, as in ``range``; all of them by default. Take many in chunks: one million vertices of
        20 inputs fill 160 MB.
    dtype, device
        Of the result.

    Returns
    -------
    Tensor
        Shape ``(stop − start, dimension)``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer or out of range.
    """
    dimension = arguments.whole("dimension", dimension, 1, LARGEST_DIMENSION)
    start = arguments.whole("start", start, 0, 2**dimension)
    stop = 2**dimension if stop is None else arguments.whole("stop", stop, start, 2**dimension)
    precision, place = arguments.dtype("dtype", dtype), arguments.device("device", device)
    numbers = torch.arange(start, stop, device=place)
    # The first input is the highest bit of a vertex's number; a bit that is set means −1.
    shifts = torch.arange(dimension - 1, -1, -1, device=place)
    bits = (numbers.unsqueeze(1) >> shifts) & 1
    return 1.0 - 2.0 * bits.to(precision)


@torch.no_grad()
def hypercube_error(network: Callable[[Tensor], Tensor], problem: Problem, *, chunk: int = 2**15) -> float:
    """The largest error of a network over all 2^d vertices of the hypercube.

    Parameters
    ----------
    network
        Maps inputs ``(k, d)`` to outputs ``(k, m)``: a network, a module or any other function.
    problem
        One with a known ``truth``, of at most 30 inputs.
    chunk
        How many vertices are held at once.

    Returns
    -------
    float
        ``max |H(x) − f(x)|`` over all vertices and outputs; NaN if an output is not a number.

    Raises
    ------
    TypeError, ValueError
        If the truth is not known, there are too many vertices, or the outputs have another shape than the truth's.
    """
    if not callable(network):
        raise TypeError(f"network must be a function of inputs (k, d), got {arguments.shown(network)}")
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {arguments.shown(problem)}")
    if problem.truth is None:
        raise ValueError(f"problem must know its truth, and {problem.name!r} does not")
    chunk = arguments.whole("chunk", chunk, 1)
    if problem.input_size > LARGEST_SWEEP:
        raise ValueError(f"problem must have at most {LARGEST_SWEEP} inputs, got {problem.input_size}")
    vertices = 2**problem.input_size
    worst = torch.zeros((), dtype=problem.dtype, device=problem.device)
    for start in range(0, vertices, chunk):
        stop = min(start + chunk, vertices)
        inputs = hypercube_vertices(problem.input_size, start, stop, dtype=problem.dtype, device=problem.device)
        outputs, truth = network(inputs), problem.truth(inputs)
        if outputs.shape != truth.shape:
            raise ValueError(f"network must give outputs {tuple(truth.shape)}, got {tuple(outputs.shape)}")
        # torch.maximum, unlike max(), keeps a NaN.
        worst = torch.maximum(worst, (outputs - truth).abs().max().to(worst))
    return float(worst)
