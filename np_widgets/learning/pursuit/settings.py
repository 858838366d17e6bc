"""The settings of a Neuron Pursuit: one frozen, checked record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from np_widgets import arguments
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.points import MOST_HIDDEN_LAYERS, MOST_STARTS
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE

Method = Literal["fast", "paper"]
MinimizerName = Literal["auto", "hybrid", "gradient_descent", "adam", "lbfgs", "levenberg_marquardt", "minibatch_adam"]
_DECADES = 125  # what a first network may compute on either side of one; its square is to be represented, too


@dataclass(frozen=True)
class PursuitSettings:
    """What a pursuit does; :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit` describes each field."""

    hidden_layers: int = 2
    power: int = 1
    leak: float = 0.0
    seed: int = 0
    method: str = "fast"
    minimizer: str = "auto"
    learning_rate: float | None = None
    batch_size: int | None = None
    scale: float = 1e-2
    starts: int = 50
    target_loss: float | None = None
    max_steps: int | None = None
    max_additions: int = 20
    value_tolerance: float = 1e-7
    stop_when_test_rises: bool = False
    longest_path: int | None = None
    weight_decay: float = 0.0

    @property
    def longest(self) -> int:
        """How many neurons a path may have."""
        return self.hidden_layers if self.longest_path is None else min(self.longest_path, self.hidden_layers)

    def __post_init__(self) -> None:
        checked = {
            "hidden_layers": arguments.whole("hidden_layers", self.hidden_layers, 1, MOST_HIDDEN_LAYERS),
            "power": Activation(self.power, self.leak).power,
            "leak": Activation(self.power, self.leak).leak,
            "seed": arguments.seed(self.seed),
            "method": arguments.choice("method", self.method, get_args(Method)),
            "minimizer": arguments.choice("minimizer", self.minimizer, get_args(MinimizerName)),
            "scale": arguments.real("scale", self.scale, above=0),
            "starts": arguments.whole("starts", self.starts, 1, MOST_STARTS),
            "max_additions": arguments.whole("max_additions", self.max_additions, 0),
            "weight_decay": arguments.real("weight_decay", self.weight_decay, least=0),
            "value_tolerance": arguments.real("value_tolerance", self.value_tolerance, least=0),
            "stop_when_test_rises": arguments.flag("stop_when_test_rises", self.stop_when_test_rises),
        }
        if self.learning_rate is not None:
            checked["learning_rate"] = arguments.real("learning_rate", self.learning_rate, above=0, most=LARGEST_RATE)
        if self.target_loss is not None:
            checked["target_loss"] = arguments.real("target_loss", self.target_loss, least=0)
        if self.batch_size is not None:
            checked["batch_size"] = arguments.whole("batch_size", self.batch_size, 1)
            if self.method == "paper":
                raise ValueError(
                    f"batch_size must be None for method='paper', whose gradient descent always takes all samples, got "
                    f"{self.batch_size}"
                )
        if self.longest_path is not None:
            checked["longest_path"] = arguments.whole("longest_path", self.longest_path, 1)
        if self.max_steps is not None:
            checked["max_steps"] = arguments.whole("max_steps", self.max_steps, 1)
        if self.method == "paper":
            degree = sum(self.power**layer for layer in range(self.hidden_layers + 1))
            decades = _DECADES / degree
            if abs(math.log10(self.scale)) > decades:
                raise ValueError(
                    f"scale must be between 1e-{decades:.0f} and 1e{decades:.0f} for method='paper' and "
                    f"{self.hidden_layers} hidden layers of power {self.power}, got {self.scale:g}: the output of the "
                    f"first network is of degree {degree} in it, and leaves the range of floating point"
                )
        if self.method == "paper" and self.minimizer not in ("auto", "gradient_descent"):
            raise ValueError(f"minimizer must be 'gradient_descent' for method='paper', got {self.minimizer!r}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some values, as the ``locals()`` of a function that spells them, that are settings."""
    return {field.name: values[field.name] for field in fields(PursuitSettings) if field.name in values}
