"""Dormant neurons whose directions at the start a user has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.saddles.layout import Flags, Layout

Floats = NDArray[np.float64]
Turned = tuple[int, int, tuple[float, ...], tuple[float, ...]]
"""A layer, the index of a dormant neuron in it, from 0, and the directions of its incoming and outgoing weights."""


def turned(theta: Floats, layout: Layout, active: Sequence[Flags], turns: Sequence[Turned]) -> Floats:
    """The weights with some dormant neurons turned; norms stay, and so do weights between dormant neurons."""
    theta = theta.copy()
    for own, neuron, *directions in turns:
        layer = arguments.whole("layer", own, 1, len(active))
        index = arguments.whole("neuron", neuron, 0, len(active[layer - 1]) - 1)
        if active[layer - 1][index]:
            raise ValueError(f"neuron must be a dormant one, got {index}, which is active, of layer {layer}")
        places = [where[(~active[layer - 1])[:index].sum()] for where in layout.positions(active, layer)]
        parts = [
            vector(name, value, len(where))
            for name, value, where in zip(("incoming", "outgoing"), directions, places, strict=True)
        ]
        both, where = np.concatenate(parts), np.concatenate(places)
        if not both.any():
            raise ValueError("incoming and outgoing must have a direction together, got zeros only")
        both = both / np.abs(both).max()
        theta[where] = np.linalg.norm(theta[where]) * both / np.linalg.norm(both)
    return theta


def vector(name: str, value: Any, size: int) -> Floats:
    """So many finite numbers."""
    return np.asarray(arguments.vector(name, value, size, dtype=torch.float64, device="cpu").numpy(), dtype=np.float64)
