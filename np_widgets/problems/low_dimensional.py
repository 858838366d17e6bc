"""Ready-made problems that can be drawn whole: a curve, and classes in the plane. Both have a constant input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.problem import Display, Problem
from np_widgets.problems.sampling import stream

Function = Callable[[Tensor], Tensor]


def _sine(x: Tensor) -> Tensor:
    return torch.sin(torch.pi * x)


def _hat(x: Tensor) -> Tensor:
    return torch.relu(1 - 2 * x.abs())


def _sawtooth(x: Tensor) -> Tensor:
    return 2 * x - torch.floor(2 * x) - 0.5


CURVES: dict[str, Function] = {
    "sine": _sine,
    "absolute": torch.abs,
    "parabola": torch.square,
    "hat": _hat,
    "step": torch.sign,
    "sawtooth": _sawtooth,
}


def curve(
    function: str | Function = "sine",
    *,
    samples: int = 100,
    noise: float = 0.0,
    test_samples: int = 200,
    seed: int = 0,
) -> Problem:
    """A function of one variable on [−1, 1], with a constant second input in place of a bias.

    Parameters
    ----------
    function
        ``"sine"`` ``sin(πx)``, ``"absolute"`` ``|x|``, ``"parabola"`` ``x²``, ``"hat"`` ``max(0, 1 − 2|x|)``,
        ``"step"`` ``sign(x)``, ``"sawtooth"`` (two teeth of height one on each side of 0); or a function that maps a
        tensor of shape ``(k,)`` to one of its shape. ReLU networks represent ``"absolute"`` and ``"hat"`` exactly.
    samples, test_samples
        How many x to draw uniformly, independently; without test samples there is no test set.
    noise
        Standard deviation of the normal noise on the training targets; test targets have none.
    seed
        Determines the data.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range; the message names it.
    """
    chosen, title = _chosen_function(function)
    samples = arguments.whole("samples", samples, 1)
    test_samples = arguments.whole("test_samples", test_samples, 0)
    noise = arguments.real("noise", noise, least=0)
    seed = arguments.seed(seed)
    truth = CurveFunction(chosen)
    inputs = _with_constant(stream(seed, "train").uniform(-1, 1, (samples, 1)))
    targets = truth(inputs) + noise * torch.from_numpy(stream(seed, "noise").standard_normal((samples, 1)))
    test = None
    if test_samples > 0:
        test_inputs = _with_constant(stream(seed, "test").uniform(-1, 1, (test_samples, 1)))
        test = (test_inputs, truth(test_inputs))
    return Problem(inputs, targets, "square", test, truth=truth, name=f"curve, {title}", display=Display("curve", (0,)))


@dataclass(frozen=True)
class CurveFunction:
    """A function of the first input."""

    function: Function

    def __call__(self, inputs: Tensor) -> Tensor:
        """The values, of shape ``(k, 1)``, at inputs of shape ``(k, d)``."""
        return self.function(inputs[:, 0]).unsqueeze(1)


def two_moons(samples: int = 200, *, noise: float = 0.1, test_samples: int = 1000, seed: int = 0) -> Problem:
    """Two interleaved half circles to tell apart, with a constant third input in place of a bias.

    Parameters
    ----------
    samples, test_samples
        How many points to draw, half of them in each class, independently; without test samples there is no test set.
    noise
        Standard deviation of the normal noise on the points; the circles have radius one.
    seed
        Determines the data.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or is out of range; the message names it.
    """
    samples = arguments.whole("samples", samples, 2)
    test_samples = arguments.whole("test_samples", test_samples, 0)
    noise = arguments.real("noise", noise, least=0)
    seed = arguments.seed(seed)
    test = _moons(test_samples, noise, stream(seed, "test")) if test_samples > 0 else None
    return Problem(
        *_moons(samples, noise, stream(seed, "train")),
        "cross_entropy",
        test,
        classes=2,
        name="two moons",
        display=Display("regions", (0, 1)),
    )


def _moons(count: int, noise: float, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    labels = np.arange(count) % 2
    angles = generator.uniform(0, np.pi, count)
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # The second moon is the first, turned by half a circle about the middle of both.
    middle = np.array([0.5, 0.25])
    points = np.where(labels[:, None] == 0, upper - middle, middle - upper)
    return _with_constant(points + noise * generator.standard_normal((count, 2))), torch.from_numpy(labels)


def _with_constant(columns: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.concatenate([columns, np.ones((len(columns), 1))], axis=1))


def _chosen_function(function: Any) -> tuple[Function, str]:
    if not callable(function):
        return CURVES[arguments.choice("function", function, CURVES)], str(function)
    probe = torch.zeros(2, dtype=torch.float64, device="cpu")
    values = function(probe)
    if not isinstance(values, Tensor) or values.shape != probe.shape:
        found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"function must map a tensor (k,) to one of its shape, got {found} for k = 2")
    return function, "custom function"
