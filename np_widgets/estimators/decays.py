"""The choice of the price on weights and of the number of neurons: both by the error on held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from np_widgets.estimators.fit import Growth
from np_widgets.estimators.rows import Rows

DECAYS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
_DECAYS_PATIENCE, _NETWORKS_PATIENCE = 2, 3
"""The path, and the growth with one decay, end when so many in turn were hardly better than the best before."""
_LEVEL, _NOTHING = 1.01, 1e-4
"""Errors that differ by no more than this factor, or by so much, are level."""

Record = dict[str, float]
Begin = Callable[[Rows, float], Growth]


class Choice(NamedTuple):
    """The decay and the number of networks to grow with it, and a record of each decay that was tried."""

    decay: float
    networks: int
    records: list[Record]


def choose(begin: Begin, folds: Sequence[tuple[Rows, Rows]]) -> Choice:
    """What has the lowest error on the held-out rows; ``begin`` takes rows to learn from and a decay.

    Of what is level it is the largest decay, and the smallest network.
    """
    records: list[Record] = []
    lengths: list[int] = []
    for decay in DECAYS:
        length, record = _grown(decay, [begin(learned, decay) for learned, _ in folds], folds)
        records.append(record)
        lengths.append(length)
        best = _first_of_the_lowest([record["validation_error"] for record in records])
        if len(records) - 1 - best >= _DECAYS_PATIENCE:
            break
    return Choice(records[best]["weight_decay"], lengths[best], records)


def _grown(decay: float, growths: Sequence[Growth], folds: Sequence[tuple[Rows, Rows]]) -> tuple[int, Record]:
    """Grow networks on all folds side by side until that is of no use; how many of them do best, and how well."""
    errors: list[float] = []
    best = 0
    while any([growth.advance() for growth in growths]):  # noqa: C419 - every one of them
        held_out = [growth.fits[-1].error(rows) for growth, (_, rows) in zip(growths, folds, strict=True)]
        errors.append(float(np.mean(held_out)))
        best = _first_of_the_lowest(errors)
        if len(errors) - 1 - best >= _NETWORKS_PATIENCE:
            break
    # Where a fold has come to its end before, its last network stands for those after it.
    taken = [(growth, min(best, len(growth.fits) - 1)) for growth in growths]
    fits = [growth.fits[index] for growth, index in taken]
    return best + 1, {
        "weight_decay": decay,
        "neurons": float(np.mean([sum(fit.network.widths) for fit in fits])),
        "training_error": float(np.mean([fit.error(rows) for fit, (rows, _) in zip(fits, folds, strict=True)])),
        "validation_error": errors[best],
        "gap": float(np.max([growth.gap(index) for growth, index in taken])),
    }


def _first_of_the_lowest(errors: Sequence[float]) -> int:
    return next(index for index, error in enumerate(errors) if error <= _LEVEL * min(errors) + _NOTHING)


def table(records: list[dict[str, Any]]) -> Any:
    """A DataFrame where there is pandas, else the records."""
    return import_module("pandas").DataFrame(records) if find_spec("pandas") is not None else records
