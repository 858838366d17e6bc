"""Ready-made problems with a known truth, and two moons.

A bias-free network with L weight layers and activation power p is positively homogeneous of degree ``p^(L−1)`` in its
inputs. On Gaussian inputs it can only represent functions of that degree; on the hypercube, where all inputs have one
norm, the degree is no restriction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.display import Display
from np_widgets.problems.links import (
    CURVES,
    MULTI_INDEX_LINKS,
    SINGLE_INDEX_LINKS,
    Curve,
    Link,
    MultiIndexLink,
    SingleIndexLink,
    chosen_link,
    identity,
    product,
)
from np_widgets.problems.problem import Problem
from np_widgets.problems.sampling import Distribution, ready_made, sampled_problem, with_constant
from np_widgets.problems.streams import stream


def _kumar_haupt(x: Tensor) -> Tensor:
    x1, x2, x3, x4 = x.unbind(dim=1)
    first = torch.relu(torch.relu(2 * x1 + x3) - torch.relu(x3 - x2))
    second = torch.relu(torch.relu(2 * x2 + x4) + torch.relu(x4 + x3))
    return 2 * first - second


@dataclass(frozen=True)
class IndexFunction:
    """``g(Ux)``, with U of shape ``(r, d)`` and a link g that maps ``(k, r)`` to ``(k,)`` or ``(k, m)``."""

    directions: Tensor
    link: Link

    def __call__(self, inputs: Tensor) -> Tensor:
        """The values, of shape ``(k, m)``, at inputs of shape ``(k, d)``."""
        return self.link(inputs @ self.directions.to(inputs).T).reshape(len(inputs), -1)


@dataclass(frozen=True)
class FirstInputs:
    """A function of the first ``count`` inputs: of a vector if that is one, else of the columns of a matrix."""

    count: int
    function: Link

    def __call__(self, inputs: Tensor) -> Tensor:
        """The values, of shape ``(k, 1)``, at inputs of shape ``(k, d)``."""
        return self.function(inputs[:, 0] if self.count == 1 else inputs[:, : self.count]).unsqueeze(1)


@ready_made
def kumar_haupt(samples: int = 1000, seed: int = 0, test_samples: int = 1000) -> Problem:
    """The worked example of Kumar & Haupt (arXiv 2509.12154): a two-hidden-layer ReLU network on {−1, +1}^20.

    ``f(x) = 2σ(σ(2x₁+x₃) − σ(x₃−x₂)) − σ(σ(2x₂+x₄) + σ(x₄+x₃))`` with σ = ReLU, on inputs drawn uniformly. Hidden
    widths (4, 2) represent it exactly; it depends on the first 4 of the 20 inputs.
    """
    truth, seed = FirstInputs(4, _kumar_haupt), arguments.seed(seed)
    options: dict[str, Any] = {"samples": samples, "test_samples": test_samples, "seed": seed}
    return sampled_problem(truth, 20, distribution="hypercube", name="authors' example", **options)


@ready_made
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
    """
    inputs = arguments.whole("inputs", inputs, 1)
    degree = arguments.whole("degree", degree, 1, inputs)
    truth = FirstInputs(degree, product if degree > 1 else identity)
    name = f"parity of {degree} of {inputs} inputs"
    options: dict[str, Any] = {"samples": samples, "test_samples": test_samples, "seed": arguments.seed(seed)}
    return sampled_problem(truth, inputs, distribution="hypercube", name=name, **options)


@ready_made
def single_index(
    inputs: int = 10,
    *,
    link: SingleIndexLink | Link = "relu",
    distribution: Distribution = "gaussian",
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
    """
    inputs = arguments.whole("inputs", inputs, 1)
    function, title = chosen_link("link", link, SINGLE_INDEX_LINKS, (2, 1))
    options: dict[str, Any] = {"noise": noise, "samples": samples, "test_samples": test_samples}
    return _index_model(function, 1, inputs, distribution, seed, name=f"single index, {title}", **options)


@ready_made
def multi_index(
    inputs: int = 10,
    directions: int = 2,
    *,
    link: MultiIndexLink | Link = "alternating_relus",
    distribution: Distribution = "gaussian",
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
    """
    inputs = arguments.whole("inputs", inputs, 1)
    directions = arguments.whole("directions", directions, 1, inputs)
    function, title = chosen_link("link", link, MULTI_INDEX_LINKS, (2, directions))
    options: dict[str, Any] = {"noise": noise, "samples": samples, "test_samples": test_samples}
    return _index_model(
        function, directions, inputs, distribution, seed, name=f"{directions}-index, {title}", **options
    )


@ready_made
def curve(
    function: Curve | Link = "sine", *, samples: int = 100, noise: float = 0.0, test_samples: int = 200, seed: int = 0
) -> Problem:
    """A function of one variable, drawn uniformly from [−1, 1], with a constant second input in place of a bias.

    Parameters
    ----------
    function
        ``"sine"`` ``sin(πx)``, ``"absolute"`` ``|x|``, ``"parabola"`` ``x²``, ``"hat"`` ``max(0, 1 − 2|x|)``,
        ``"step"`` ``sign(x)``, ``"sawtooth"`` (two teeth of height one on each side of 0); or a function that maps a
        tensor of shape ``(k,)`` to one of its shape. ReLU networks represent ``"absolute"`` and ``"hat"`` exactly.
    """
    chosen, title = chosen_link("function", function, CURVES, (2,))
    options: dict[str, Any] = {"noise": noise, "samples": samples, "test_samples": test_samples}
    options |= {"seed": arguments.seed(seed), "display": Display("curve", (0,))}
    return sampled_problem(FirstInputs(1, chosen), 2, distribution="interval", name=f"curve, {title}", **options)


@ready_made
def two_moons(samples: int = 200, *, noise: float = 0.1, test_samples: int = 1000, seed: int = 0) -> Problem:
    """Two interleaved half circles to tell apart, with a constant third input in place of a bias.

    Half of the points are of each class.

    Parameters
    ----------
    noise
        Standard deviation of the normal noise on the points; the circles have radius one.
    """
    samples = arguments.whole("samples", samples, 2)
    test_samples = arguments.whole("test_samples", test_samples, 0)
    noise, seed = arguments.real("noise", noise, least=0), arguments.seed(seed)
    train = _moons(samples, noise, stream(seed, "train"))
    test = _moons(test_samples, noise, stream(seed, "test")) if test_samples > 0 else None
    options: dict[str, Any] = {"classes": 2, "name": "two moons", "display": Display("regions", (0, 1))}
    options["input_names"] = ("x₁", "x₂", "constant")
    return Problem(*train, "cross_entropy", test, **options)


def _moons(count: int, noise: float, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    labels = np.arange(count) % 2
    angles = generator.uniform(0, np.pi, count)
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # The second moon is the first, turned by half a circle about the middle of both.
    middle = np.array([0.5, 0.25])
    points = np.where(labels[:, None] == 0, upper - middle, middle - upper)
    return with_constant(points + noise * generator.standard_normal((count, 2))), torch.from_numpy(labels)


def _index_model(
    link: Link, directions: int, inputs: int, distribution: Distribution, seed: int, **options: Any
) -> Problem:
    arguments.choice("distribution", distribution, get_args(Distribution))
    seed = arguments.seed(seed)
    truth = IndexFunction(_orthonormal(directions, inputs, seed), link)
    return sampled_problem(truth, inputs, distribution=distribution, seed=seed, **options)


def _orthonormal(count: int, inputs: int, seed: int) -> Tensor:
    gaussian = stream(seed, "teacher").standard_normal((inputs, count))
    columns, triangle = np.linalg.qr(gaussian)
    # With a positive diagonal the decomposition is unique, and the first direction is that of the first Gaussian.
    return torch.from_numpy(np.ascontiguousarray((columns * np.sign(np.diag(triangle))).T))
