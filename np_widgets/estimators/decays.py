"""The choice of the price on weights: a path of decays, from large to small, validated on held-out rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from np_widgets.estimators.fit import Fit
from np_widgets.estimators.rows import Rows
from np_widgets.learning.network import HomogeneousNetwork

DECAYS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
_PATIENCE, _MUCH_WORSE = 2, 1.1
"""The path ends when so many decays in turn were worse than the best before, or one by this factor."""

Record = dict[str, float]


FitTo = Callable[[Rows, float, HomogeneousNetwork | None], Fit]


def choose(fit: FitTo, folds: Sequence[tuple[Rows, Rows]]) -> tuple[float, list[Record]]:
    """The decay of lowest validation error, and a record of each that was tried.

    ``fit`` takes rows, a decay, and the network to begin with: on each fold that of the decay before.
    """
    records: list[Record] = []
    starts: list[HomogeneousNetwork | None] = [None] * len(folds)
    best = 0
    for decay in DECAYS:
        fits = [fit(learned, decay, start) for (learned, _), start in zip(folds, starts, strict=True)]
        starts = [each.network if max(each.network.widths) else None for each in fits]
        records.append(_record(decay, fits, folds))
        error, lowest = records[-1]["validation_error"], records[best]["validation_error"]
        if error < lowest:
            best = len(records) - 1
        elif len(records) - 1 - best >= _PATIENCE or error > _MUCH_WORSE * lowest:
            break
    return records[best]["weight_decay"], records


def _record(decay: float, fits: Sequence[Fit], folds: Sequence[tuple[Rows, Rows]]) -> Record:
    gaps = [None if fit.pursuit.finished is None else fit.pursuit.finished.gap for fit in fits]
    pairs = list(zip(fits, folds, strict=True))
    return {
        "weight_decay": decay,
        "neurons": float(np.mean([sum(fit.network.widths) for fit in fits])),
        "training_error": float(np.mean([fit.error(learned) for fit, (learned, _) in pairs])),
        "validation_error": float(np.mean([fit.error(held_out) for fit, (_, held_out) in pairs])),
        "gap": max(gap for gap in gaps if gap is not None) if None not in gaps else math.nan,
    }


def table(records: list[dict[str, Any]]) -> Any:
    """A DataFrame where there is pandas, else the records."""
    return import_module("pandas").DataFrame(records) if find_spec("pandas") is not None else records
