"""Ready-made problems whose targets depend on a few directions of the inputs.

A bias-free network with L weight layers and activation power p is positively homogeneous of degree ``p^(L−1)`` in its
inputs. On Gaussian inputs it can only represent functions of that degree; on the hypercube, where all inputs have one
norm, the degree is no restriction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.problem import Problem
from np_widgets.problems.sampling import DISTRIBUTIONS, sampled_problem, stream

Link = Callable[[Tensor], Tensor]


def _leaky_relu(t: Tensor) -> Tensor:
    return torch.maximum(t, 0.1 * t)


def _identity(t: Tensor) -> Tensor:
    return t


def _squared_relu(t: Tensor) -> Tensor:
    return torch.relu(t).square()


def _cube(t: Tensor) -> Tensor:
    return t**3


SINGLE_INDEX_LINKS: dict[str, Link] = {
    "relu": torch.relu,
    "leaky_relu": _leaky_relu,
    "absolute": torch.abs,
    "linear": _identity,
    "squared_relu": _squared_relu,
    "square": torch.square,
    "cube": _cube,
}


def single_index(
    inputs: int = 10,
    *,
    link: str | Link = "relu",
    distribution: str = "gaussian",
    noise: float = 0.0,
    samples: int = 1000,
    test_samples: int = 1000,
    seed: int = 0,
) -> Problem:
    """A function of one direction, ``f(x) = g(uᵀx)`` with a random unit vector u.

    Parameters
    ----------
    inputs
        The number of inputs d.
    link
        g: ``"relu"``, ``"leaky_relu"`` (slope 0.1), ``"absolute"``, ``"linear"`` (degree 1 in x); ``"squared_relu"``,
        ``"square"`` (degree 2: one hidden layer with ``power=2``); ``"cube"`` (degree 3: ``power=3``); or a function
        that maps a tensor to one of its shape, elementwise.
    distribution
        Of the inputs: ``"gaussian"`` (standard normal) or ``"hypercube"`` (uniform on {−1, +1}^d).
    noise
        Standard deviation of the noise on the training targets; test targets have none.
    samples, test_samples
        How many training and test inputs to draw, independently; without test samples there is no test set.
    seed
        Determines the direction and the data.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range; the message names it.
    """
    inputs = arguments.whole("inputs", inputs, 1)
    arguments.choice("distribution", distribution, DISTRIBUTIONS)
    seed = arguments.seed(seed)
    function, title = _chosen_link(link, SINGLE_INDEX_LINKS, torch.zeros(2, 1, dtype=torch.float64, device="cpu"))
    truth = IndexFunction(_orthonormal(1, inputs, seed), function)
    return sampled_problem(
        truth,
        inputs,
        distribution=distribution,
        samples=samples,
        test_samples=test_samples,
        seed=seed,
        name=f"single index, {title}",
        noise=noise,
    )


def _alternating_relus(t: Tensor) -> Tensor:
    signs = torch.ones_like(t)
    signs[:, 1::2] = -1
    return (signs * torch.relu(t)).sum(dim=1)


def _maximum(t: Tensor) -> Tensor:
    return t.amax(dim=1)


def _norm(t: Tensor) -> Tensor:
    return t.square().sum(dim=1).sqrt()


def _product(t: Tensor) -> Tensor:
    return t.prod(dim=1)


MULTI_INDEX_LINKS: dict[str, Link] = {
    "alternating_relus": _alternating_relus,
    "maximum": _maximum,
    "norm": _norm,
    "product": _product,
}


def multi_index(
    inputs: int = 10,
    directions: int = 2,
    *,
    link: str | Link = "alternating_relus",
    distribution: str = "gaussian",
    noise: float = 0.0,
    samples: int = 1000,
    test_samples: int = 1000,
    seed: int = 0,
) -> Problem:
    """A function of a few directions, ``f(x) = g(u₁ᵀx, …, u_rᵀx)`` with random orthonormal u.

    Parameters
    ----------
    inputs
        The number of inputs d.
    directions
        The number of directions r, at most ``inputs``.
    link
        g: ``"alternating_relus"`` ``σ(t₁) − σ(t₂) + …`` (r neurons in one hidden layer), ``"maximum"``
        ``max(t₁, …, t_r)`` (one hidden layer for r = 2, more layers for more), ``"norm"`` ``‖t‖`` (approximated only),
        all of degree 1 in x; ``"product"`` ``t₁ ⋯ t_r`` (degree r: one hidden layer with ``power=r``); or a function
        that maps a tensor ``(k, r)`` to one of shape ``(k,)`` or ``(k, m)``.
    distribution
        Of the inputs: ``"gaussian"`` (standard normal) or ``"hypercube"`` (uniform on {−1, +1}^d).
    noise
        Standard deviation of the noise on the training targets; test targets have none.
    samples, test_samples
        How many training and test inputs to draw, independently; without test samples there is no test set.
    seed
        Determines the directions and the data.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range; the message names it.
    """
    inputs = arguments.whole("inputs", inputs, 1)
    directions = arguments.whole("directions", directions, 1, inputs)
    arguments.choice("distribution", distribution, DISTRIBUTIONS)
    seed = arguments.seed(seed)
    function, title = _chosen_link(
        link, MULTI_INDEX_LINKS, torch.zeros(2, directions, dtype=torch.float64, device="cpu")
    )
    truth = IndexFunction(_orthonormal(directions, inputs, seed), function)
    return sampled_problem(
        truth,
        inputs,
        distribution=distribution,
        samples=samples,
        test_samples=test_samples,
        seed=seed,
        name=f"{directions}-index, {title}",
        noise=noise,
    )


@dataclass(frozen=True)
class IndexFunction:
    """``g(Ux)``.

    Attributes
    ----------
    directions
        U, of shape ``(r, d)``, with orthonormal rows.
    link
        g, which maps ``(k, r)`` to ``(k,)`` or ``(k, m)``.
    """

    directions: Tensor
    link: Link

    def __call__(self, inputs: Tensor) -> Tensor:
        """The values, of shape ``(k, m)``, at inputs of shape ``(k, d)``."""
        return self.link(inputs @ self.directions.to(inputs).T).reshape(len(inputs), -1)


def _orthonormal(count: int, inputs: int, seed: int) -> Tensor:
    gaussian = stream(seed, "teacher").standard_normal((inputs, count))
    columns, triangle = np.linalg.qr(gaussian)
    # With a positive diagonal the decomposition is unique, and the first direction is that of the first Gaussian.
    return torch.from_numpy(np.ascontiguousarray((columns * np.sign(np.diag(triangle))).T))


def _chosen_link(link: Any, known: dict[str, Link], probe: Tensor) -> tuple[Link, str]:
    if not callable(link):
        return known[arguments.choice("link", link, known)], str(link).replace("_", " ")
    values = link(probe)
    if not isinstance(values, Tensor) or values.ndim not in (1, 2) or len(values) != len(probe):
        found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"link must map a tensor {tuple(probe.shape)} to one of as many rows, got {found}")
    return link, "custom link"
