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

DECAYS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
_PATIENCE = 2
"""The path ends when so many decays in turn were worse than the best before."""

Record = dict[str, float]


def choose(fit: Callable[[Rows, float], Fit], folds: Sequence[tuple[Rows, Rows]]) -> tuple[float, list[Record]]:
    """The decay of lowest validation error, and a record of each that was tried."""
    records: list[Record] = []
    best = 0
    for decay in DECAYS:
        records.append(_record(decay, [(fit(learned, decay), learned, held_out) for learned, held_out in folds]))
        if records[-1]["validation_error"] < records[best]["validation_error"]:
            best = len(records) - 1
        elif len(records) - 1 - best >= _PATIENCE:
            break
    return records[best]["weight_decay"], records


def _record(decay: float, fits: Sequence[tuple[Fit, Rows, Rows]]) -> Record:
    gaps = [fit.pursuit.finished.gap for fit, _, _ in fits if fit.pursuit.finished is not None]
    return {
        "weight_decay": decay,
        "neurons": float(np.mean([sum(fit.network.widths) for fit, _, _ in fits])),
        "training_error": float(np.mean([fit.error(learned) for fit, learned, _ in fits])),
        "validation_error": float(np.mean([fit.error(held_out) for fit, _, held_out in fits])),
        "gap": max((math.nan if gap is None else gap for gap in gaps), default=math.nan),
    }


def table(records: list[dict[str, Any]]) -> Any:
    """A DataFrame where there is pandas, else the records."""
    return import_module("pandas").DataFrame(records) if find_spec("pandas") is not None else records
