"""The functions that ready-made problems are made of, by their names, or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from np_widgets import arguments

Link = Callable[[Tensor], Tensor]  # a function with a name, and no lambda: problems can be pickled


def _leaky_relu(t: Tensor) -> Tensor:
    return torch.maximum(t, 0.1 * t)


def identity(t: Tensor) -> Tensor:
    """The argument itself."""
    return t


def _squared_relu(t: Tensor) -> Tensor:
    return torch.relu(t).square()


def _cube(t: Tensor) -> Tensor:
    return t**3


def _alternating_relus(t: Tensor) -> Tensor:
    signs = torch.ones_like(t)
    signs[:, 1::2] = -1
    return (signs * torch.relu(t)).sum(dim=1)


def _maximum(t: Tensor) -> Tensor:
    return t.amax(dim=1)


def _norm(t: Tensor) -> Tensor:
    return t.square().sum(dim=1).sqrt()


def product(t: Tensor) -> Tensor:
    """The product of the entries of each row."""
    return t.prod(dim=1)


def _sine(x: Tensor) -> Tensor:
    return torch.sin(torch.pi * x)


def _hat(x: Tensor) -> Tensor:
    return torch.relu(1 - 2 * x.abs())


def _sawtooth(x: Tensor) -> Tensor:
    return 2 * x - torch.floor(2 * x) - 0.5


SingleIndexLink = Literal["relu", "leaky_relu", "absolute", "linear", "squared_relu", "square", "cube"]
MultiIndexLink = Literal["alternating_relus", "maximum", "norm", "product"]
Curve = Literal["sine", "absolute", "parabola", "hat", "step", "sawtooth"]
SINGLE_INDEX_LINKS: dict[SingleIndexLink, Link] = {
    "relu": torch.relu,
    "leaky_relu": _leaky_relu,
    "absolute": torch.abs,
    "linear": identity,
    "squared_relu": _squared_relu,
    "square": torch.square,
    "cube": _cube,
}
MULTI_INDEX_LINKS: dict[MultiIndexLink, Link] = {
    "alternating_relus": _alternating_relus,
    "maximum": _maximum,
    "norm": _norm,
    "product": product,
}
CURVES: dict[Curve, Link] = {
    "sine": _sine,
    "absolute": torch.abs,
    "parabola": torch.square,
    "hat": _hat,
    "step": torch.sign,
    "sawtooth": _sawtooth,
}


def chosen_link(name: str, value: Any, known: Mapping[Any, Link], shape: Sequence[int]) -> tuple[Link, str]:
    """A function by its name, or one of the user's after a try, and its title."""
    if not callable(value):
        return known[arguments.choice(name, value, known)], str(value).replace("_", " ")
    probe = torch.zeros(*shape, dtype=torch.float64, device="cpu")
    values = value(probe)
    found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
    if len(shape) == 1 and found != probe.shape:
        raise ValueError(f"{name} must map a tensor (k,) to one of its shape, got {found} for k = {shape[0]}")
    if not isinstance(values, Tensor) or values.ndim not in (1, 2) or len(values) != len(probe):
        raise ValueError(f"{name} must map a tensor {tuple(probe.shape)} to one of as many rows, got {found}")
    return value, f"custom {name}"
