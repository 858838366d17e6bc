"""Ready-made problems on the hypercube {−1, +1}^d: the authors' example, and sparse parities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.problem import Problem
from np_widgets.problems.sampling import sampled_problem


def kumar_haupt(samples: int = 1000, seed: int = 0, test_samples: int = 1000) -> Problem:
    """The worked example of Kumar & Haupt (arXiv 2509.12154): a two-hidden-layer ReLU network on {−1, +1}^20.

    ``f(x) = 2σ(σ(2x₁+x₃) − σ(x₃−x₂)) − σ(σ(2x₂+x₄) + σ(x₄+x₃))`` with σ = ReLU, on inputs drawn uniformly. Hidden
    widths (4, 2) represent it exactly; it depends on the first 4 of the 20 inputs.

    Parameters
    ----------
    samples, test_samples
        How many training and test inputs to draw, independently; without test samples there is no test set.
    seed
        Determines both.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer or out of range.
    """
    return sampled_problem(
        _kumar_haupt_function,
        20,
        distribution="hypercube",
        samples=samples,
        test_samples=test_samples,
        seed=arguments.seed(seed),
        name="authors' example",
    )


def _kumar_haupt_function(inputs: Tensor) -> Tensor:
    x1, x2, x3, x4 = inputs[:, :4].unbind(dim=1)
    first = torch.relu(torch.relu(2 * x1 + x3) - torch.relu(x3 - x2))
    second = torch.relu(torch.relu(2 * x2 + x4) + torch.relu(x4 + x3))
    return (2 * first - second).unsqueeze(1)


def sparse_parity(
    inputs: int = 20, degree: int = 2, *, samples: int = 1000, test_samples: int = 1000, seed: int = 0
) -> Problem:
    """The parity of the first few inputs, ``f(x) = x₁ ⋯ x_k`` on {−1, +1}^d, as a regression with targets ±1.

    With one hidden layer and ``power=1`` a bias-free network is the sum of a linear and an even function, so parities
    of odd degree k ≥ 3 need two hidden layers.

    Parameters
    ----------
    inputs
        The number of inputs d.
    degree
        The number k of inputs that matter, at most ``inputs``.
    samples, test_samples
        How many training and test inputs to draw, independently; without test samples there is no test set.
    seed
        Determines the data.

    Raises
    ------
    TypeError, ValueError
        If an argument is not an integer or out of range; the message names it.
    """
    inputs = arguments.whole("inputs", inputs, 1)
    degree = arguments.whole("degree", degree, 1, inputs)
    return sampled_problem(
        Parity(degree),
        inputs,
        distribution="hypercube",
        samples=samples,
        test_samples=test_samples,
        seed=arguments.seed(seed),
        name=f"parity of {degree} of {inputs} inputs",
    )


@dataclass(frozen=True)
class Parity:
    """The product of the first ``degree`` inputs."""

    degree: int

    def __call__(self, inputs: Tensor) -> Tensor:
        """The values, of shape ``(k, 1)``, at inputs of shape ``(k, d)``."""
        return inputs[:, : self.degree].prod(dim=1, keepdim=True)
