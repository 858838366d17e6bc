"""The settings of a network of fixed widths, and the random weights that it begins with."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import ClassVar

import torch

from np_widgets import arguments
from np_widgets.learning.correlation.points import MOST_HIDDEN_LAYERS
from np_widgets.learning.minimizers.choice import MINIMIZERS
from np_widgets.learning.minimizers.minibatch_adam import MinibatchAdam
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.problems import Problem

INITIALIZATIONS = ("standard", "small")
_WIDEST = 10_000


@dataclass(frozen=True)
class FixedSettings:
    """What a :class:`~np_widgets.learning.fixed.engine.FixedNetwork` does; it describes each field."""

    method: ClassVar[str] = "fixed"

    widths: tuple[int, ...]
    initialization: str = "standard"
    power: int = 1
    leak: float = 0.0
    scale: float = 0.03
    seed: int = 0
    minimizer: str = "gradient_descent"
    learning_rate: float | None = None
    batch_size: int | None = None
    weight_decay: float = 0.0
    target_loss: float | None = None
    max_steps: int | None = None

    def __post_init__(self) -> None:
        widths = arguments.wholes("widths", self.widths if hasattr(self.widths, "__len__") else (self.widths,), 1)
        if len(widths) > MOST_HIDDEN_LAYERS or max(widths) > _WIDEST:
            raise ValueError(f"widths must be at most {MOST_HIDDEN_LAYERS} of at most {_WIDEST:,}, got {widths}")
        arguments.choice("initialization", self.initialization, INITIALIZATIONS)
        arguments.choice("minimizer", self.minimizer, MINIMIZERS)
        if self.batch_size is not None and self.minimizer != MinibatchAdam.name:
            raise ValueError(f"batch_size needs minimizer={MinibatchAdam.name!r}, got {self.minimizer!r}")
        # The others mean what they mean to a pursuit.
        names = [each.name for each in fields(self) if each.name not in ("widths", "initialization")]
        checked = PursuitSettings(len(widths), **{name: getattr(self, name) for name in names})
        for name in names:
            object.__setattr__(self, name, getattr(checked, name))
        object.__setattr__(self, "widths", widths)


def shapes(problem: Problem, settings: FixedSettings) -> list[tuple[int, int]]:
    """Of ``W_1 … W_L``."""
    sizes = [problem.input_size, *settings.widths, problem.output_size]
    return [(above, below) for below, above in pairwise(sizes)]


def random_network(problem: Problem, settings: FixedSettings) -> HomogeneousNetwork:
    """Random weights, drawn on the CPU in double precision: the same ones on every device."""
    chance = torch.Generator().manual_seed(settings.seed)
    factor = settings.scale if settings.initialization == "small" else 1.0
    weights = [
        factor
        * math.sqrt(2 / ((1 + settings.leak**2) * below))
        * torch.randn(above, below, generator=chance, dtype=torch.float64, device="cpu")
        for above, below in shapes(problem, settings)
    ]
    network = HomogeneousNetwork(weights, power=settings.power, leak=settings.leak)
    return network.to(device=problem.device, dtype=problem.dtype)
