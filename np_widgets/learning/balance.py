"""Weights of the same function that gradient flow from a small start would nearly have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from np_widgets.learning.arrays import to_array

_MOST_SWEEPS, _BALANCED = 500, 1e-9


def balanced(weights: Sequence[Tensor], power: int) -> list[Tensor]:
    """The weights of ``HomogeneousNetwork.balanced()``, of one network or of many: ``(..., k_l, k_{l-1})``."""
    # In numpy, which takes a small part of torch's time for so small arrays.
    squares = [to_array(weight.square()).copy() for weight in weights]
    factors = [np.ones(weight.shape[:-1]) for weight in weights[:-1]]
    with np.errstate(all="ignore"):  # neurons without weights, and weights out of range
        for _ in range(_MOST_SWEEPS):
            largest = 0.0
            for factor, below, above in zip(factors, squares[:-1], squares[1:], strict=True):
                ratio = power * above.sum(axis=-2) / below.sum(axis=-1)
                change = ratio ** (1 / (power + 1))
                change[~(np.isfinite(change) & (change > 0))] = 1.0
                np.multiply(below, change[..., :, None], out=below)
                np.divide(above, (change**power)[..., None, :], out=above)
                np.multiply(factor, np.sqrt(change), out=factor)
                largest = max(largest, float(np.abs(change - 1).max()))
            if largest < _BALANCED:
                break
    found = [weight.clone() for weight in weights]
    for factor, below_weight, above_weight in zip(factors, found[:-1], found[1:], strict=True):
        scale = torch.from_numpy(factor).to(below_weight)
        below_weight.mul_(scale.unsqueeze(-1))
        above_weight.div_((scale**power).unsqueeze(-2))
    return found
