"""From tensors to numpy arrays, for libraries that know no others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def to_array(tensor: Tensor) -> NDArray[np.float64]:
    """The same numbers in float64 on the CPU; they share their memory if they can."""
    return np.asarray(tensor.detach().double().cpu().numpy())


def copies(tensors: Iterable[Tensor]) -> tuple[NDArray[np.float64], ...]:
    """Arrays of their own with the same numbers."""
    return tuple(to_array(tensor).copy() for tensor in tensors)
