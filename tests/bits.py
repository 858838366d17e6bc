"""The bits of what an engine's state holds, for comparison."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from torch import Tensor

from np_widgets import HomogeneousNetwork


def bits(value: Any) -> Any:
    """Nested tuples of plain values and bytes that are equal where all values, their types and shapes are."""
    if isinstance(value, Tensor):
        return str(value.dtype), str(value.device), *bits(value.detach().cpu().numpy())
    if isinstance(value, (np.ndarray, np.generic)):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, HomogeneousNetwork):
        return value.power, bits(value.leak), *map(bits, value.weights)
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return tuple((key, bits(each)) for key, each in value.items())
    if isinstance(value, (list, tuple, set)):
        return type(value).__name__, *map(bits, value)
    if is_dataclass(value):
        return type(value).__name__, *((each.name, bits(getattr(value, each.name))) for each in fields(value))
    return value
