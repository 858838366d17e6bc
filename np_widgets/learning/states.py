"""States of engines: whether two are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def same(one: Any, other: Any) -> bool:
    """Whether two states hold equal values of equal types; in doubt (as with NaN) they are not the same."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.device == other.device and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    try:
        return bool(one == other)
    except (TypeError, ValueError, RuntimeError):  # something with an array inside
        return False
