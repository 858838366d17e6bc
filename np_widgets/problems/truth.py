"""The function behind the targets of a problem, if it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.standardization import Standardization

Truth = Callable[[Tensor], Tensor]


def checked_truth(truth: Any, inputs: Tensor, output_size: int) -> Truth | None:
    """A function that maps inputs to as many outputs, tried on two of these; or None."""
    function: Truth | None = arguments.callable_or_none("truth", truth, "of inputs (k, d)")
    if function is None:
        return None
    probe = inputs[:2].clone()
    with torch.no_grad():
        values: Any = function(probe)
    if not isinstance(values, Tensor):
        raise TypeError(f"truth must return a tensor, got {type(values).__name__}")
    expected = (len(probe), output_size)
    if values.shape != expected:
        raise ValueError(f"truth must map inputs {tuple(probe.shape)} to values {expected}, got {tuple(values.shape)}")
    return function


@dataclass(frozen=True)
class StandardizedFunction:
    """A function of the original inputs as one of the standardized inputs."""

    function: Truth
    inputs: Standardization
    targets: Standardization | None

    def __call__(self, inputs: Tensor) -> Tensor:
        """Its values at inputs of shape ``(k, d)``, standardized if the targets are."""
        values = self.function(self.inputs.backward(inputs))
        return values if self.targets is None else self.targets.forward(values)
