"""The rows that an estimator learns from, each with a weight: equal rows made one, and dealt into folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Inputs ``(n, d)``, targets ``(n, m)`` or classes ``(n,)``, and a positive weight for each row."""

    inputs: Floats
    targets: NDArray[Any]
    weights: Floats

    @classmethod
    def distinct(cls, inputs: Floats, targets: NDArray[Any], weights: Floats) -> Rows:
        """Equal rows become one with the sum of their weights, rows without weight none; in an order of their own.

        So a row of weight two is exactly two rows, and what is learned does not depend on the order of rows.
        """
        kept = weights > 0
        inputs, targets, weights = inputs[kept] + 0.0, targets[kept], weights[kept]  # + 0.0: zero has one sign
        table = np.column_stack([inputs, targets.astype(np.float64) + 0.0])
        keys = np.ascontiguousarray(table).view(np.dtype((np.void, table.shape[1] * table.itemsize))).ravel()
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        return cls(inputs[first], targets[first], np.bincount(place, weights).astype(np.float64))

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, chosen: NDArray[Any]) -> Rows:
        return Rows(self.inputs[chosen], self.targets[chosen], self.weights[chosen])

    def folds(self, count: int, rng: np.random.RandomState) -> list[tuple[Rows, Rows]]:
        """Pairs of rows to learn from and rows to validate on: shuffled and dealt, classes evenly."""
        order = rng.permutation(len(self))
        if self.targets.ndim == 1:
            order = order[np.argsort(self.targets[order], kind="stable")]
        fold = np.empty(len(self), dtype=int)
        fold[order] = np.arange(len(self)) % count
        return [(self[fold != each], self[fold == each]) for each in range(count)]
