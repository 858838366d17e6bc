"""Products with all samples, and with vectors of a few entries.

Only the former are left to torch: for the latter NumPy takes a third of the time.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.field import DirectionalCorrelation

Floats = NDArray[np.float64]


class Samples:
    """Products with the features and signals of all samples: computed where these are, in their precision."""

    def __init__(self, field: DirectionalCorrelation, signals: Tensor) -> None:
        self._features = field.features
        self.signals = to_array(signals)

    def along(self, direction: Floats) -> Floats:
        """``bᵀh_i``, of shape ``(n,)``."""
        return to_array(self._features @ self._tensor(direction))

    def total(self, slopes: Floats) -> Floats:
        """``Σ_i s_i·slope_i·h_iᵀ``, of shape ``(q, k)``."""
        return to_array(self._tensor(self.signals.T * slopes) @ self._features)

    def weighted(self, weights: Floats) -> Floats:
        """``Σ_i w_i·h_i``, of shape ``(k,)``."""
        return to_array(self._tensor(weights) @ self._features)

    def rows(self, index: NDArray[np.intp]) -> Floats:
        """The features of some samples."""
        return to_array(self._features[torch.from_numpy(index).to(self._features.device)])

    def _tensor(self, array: Floats) -> Tensor:
        return torch.from_numpy(array).to(self._features)


def unit(vector: Floats) -> Floats:
    """The vector divided by its length."""
    return vector / math.sqrt(vector @ vector)


def norm(vector: Floats) -> float:
    """The length of the vector."""
    return math.sqrt(vector @ vector)


def nearest_top_singular_vector(matrix: Floats, direction: Floats) -> Floats:
    """The projection of ``direction`` on the top right singular space of ``matrix``, of unit length."""
    if len(matrix) == 1:
        return unit(matrix[0]) if matrix.any() else direction
    _, singular, right = np.linalg.svd(matrix, full_matrices=False)
    top = right[singular >= singular[0] * (1 - 1e-12)]
    projected = top.T @ (top @ direction)
    return unit(projected if norm(projected) >= 1e-8 else top[0])
