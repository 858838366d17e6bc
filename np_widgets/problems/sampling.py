"""Random data for ready-made problems."""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.display import Display
from np_widgets.problems.problem import Problem
from np_widgets.problems.streams import stream
from np_widgets.problems.truth import Truth

Distribution = Literal["gaussian", "hypercube"]
_LARGEST_DRAWN = 40  # hypercubes of more inputs are not drawn vertex by vertex
_COMMON = {
    "distribution": 'Of the inputs: ``"gaussian"`` (standard normal) or ``"hypercube"`` (uniform on {−1, +1}^d).',
    "noise": "Standard deviation of the normal noise on the training targets; test targets have none.",
    "samples": "How many training inputs to draw.",
    "test_samples": "How many test inputs to draw, independently; without them there is no test set.",
    "test_fraction": "How much of the data to hold out, 0 … 0.9; 0 means no test set.",
    "seed": "Determines all that is random.",
}
_RAISES = """
Raises
------
TypeError, ValueError
    If an argument has the wrong type or is out of range; the message names it.
"""

Make = TypeVar("Make", bound=Callable[..., Problem])


def ready_made(make: Make) -> Make:
    """A problem with a recipe; its docstring, which may end with a section on parameters, gets those in common."""
    own = inspect.cleandoc(make.__doc__ or "")
    common = [name for name in inspect.signature(make).parameters if name in _COMMON and f"\n{name}\n" not in own]
    entries = "".join(f"\n{name}\n{textwrap.indent(_COMMON[name], '    ')}" for name in common)
    heading = "" if "\nParameters\n" in own else "\n\nParameters\n----------"

    @functools.wraps(make)
    def making(*args: Any, **kwargs: Any) -> Problem:
        problem = make(*args, **kwargs)
        given = [*args, *kwargs.values()]
        if all(type(each) in (bool, int, float, str, type(None)) for each in given):
            written = [*map(repr, args), *(f"{name}={each!r}" for name, each in kwargs.items())]
            problem.recipe = f"problems.{make.__name__}({', '.join(written)})"
        return problem

    making.__doc__ = f"{own}{heading}{entries}\n{_RAISES}"
    return cast(Make, making)


def draw(
    distribution: Distribution | Literal["interval"], count: int, inputs: int, generator: np.random.Generator
) -> Tensor:
    """``count`` independent inputs of shape ``(count, inputs)``; of an ``"interval"`` the last is the constant 1."""
    if distribution == "gaussian":
        return torch.from_numpy(generator.standard_normal((count, inputs)))
    if distribution == "interval":
        return with_constant(generator.uniform(-1, 1, (count, inputs - 1)))
    bits = generator.integers(0, 2, size=(count, inputs), dtype=np.int8)
    return torch.from_numpy(1.0 - 2.0 * bits)


def with_constant(columns: Any) -> Tensor:
    """The columns of an array, and one of ones."""
    return torch.from_numpy(np.concatenate([columns, np.ones((len(columns), 1))], axis=1))


def sampled_problem(
    truth: Truth,
    inputs: int,
    *,
    distribution: Distribution | Literal["interval"],
    samples: int,
    test_samples: int,
    seed: int,
    name: str,
    noise: float = 0.0,
    display: Display | None = None,
) -> Problem:
    """A problem with square loss whose targets are ``truth`` of random inputs."""
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
    if distribution == "hypercube" and inputs <= _LARGEST_DRAWN and targets.shape[1] == 1:
        display = Display("hypercube")
    return Problem(train_inputs, targets, "square", test, truth=truth, name=name, display=display)
