"""Tables as people have them: columns of numbers with their names, or a refusal that names the column."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments

Names = tuple[str, ...]
_LARGEST_EXACT_INTEGER = 2**53


def is_frame(value: Any) -> bool:
    """Whether this is a DataFrame, of pandas, polars or their like."""
    return all(hasattr(value, name) for name in ("columns", "dtypes", "shape"))


def is_column(value: Any) -> bool:
    """Whether this is a Series, or an array of pandas's own kinds."""
    return hasattr(value, "to_numpy") and hasattr(value, "dtype") and not is_frame(value)


def names_of(value: Any) -> Names | None:
    """What the columns of a DataFrame, or a Series, are called; None where they are only counted, or of other data."""
    if not is_frame(value) and not is_column(value):
        return None
    labels = list(value.columns) if is_frame(value) else [getattr(value, "name", None)]
    nameless = labels in ([None], list(range(len(labels))))
    return None if nameless else tuple(map(str, labels))


def numbers(name: str, value: Any) -> Any:
    """The numbers of a DataFrame, a Series, or an array of Python objects; anything else as it is.

    Raises
    ------
    TypeError, ValueError
        If a column does not hold numbers; the message names it and a remedy.
    """
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} must be dense, got a sparse {type(value).__name__}: .toarray() makes it so")
    if is_frame(value):
        labels = list(value.columns)
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise ValueError(f"{name} must have columns of different names, got {twice!r} more than once")
        columns = [_numbers(f"{name} must hold numbers, but column {label!r}", value[label]) for label in labels]
        return np.column_stack(columns) if columns else np.empty(value.shape)
    if is_column(value):
        return _numbers(f"{name} must hold numbers, but it", value)
    if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 2 and value.size:
        columns = [_numbers(f"{name} must hold numbers, but column {k}", column) for k, column in enumerate(value.T)]
        return np.column_stack(columns)
    return value


def parts(name: str, frame: Any, target: Any, weight: Any = None) -> tuple[Any, Any, Any]:
    """The columns of a DataFrame but ``target``, which is one or several, and ``weight``; these; None for no weight."""
    if not is_frame(frame):
        raise TypeError(f"{name} must be a DataFrame, got {type(frame).__name__}")
    labels, several = list(frame.columns), isinstance(target, (list, tuple))
    wanted = list(target) if several else [target]
    if unknown := [label for label in wanted if label not in labels]:
        raise ValueError(f"target must be one of the columns of {name}, {arguments.shown(labels)}, got {unknown[0]!r}")
    if weight is not None and (weight not in labels or weight in wanted):
        raise ValueError(f"sample_weight must be another column of {name}, {arguments.shown(labels)}, got {weight!r}")
    others = [label for label in labels if label not in wanted and (weight is None or label != weight)]
    if not others or not wanted:
        raise ValueError(f"target must leave columns to learn from, got {arguments.shown(target)}")
    return frame[others], frame[wanted] if several else frame[target], None if weight is None else frame[weight]


def holds_labels(column: Any) -> bool:
    """Whether a Series is of text, booleans or categories."""
    categories = str(column.dtype).lower().startswith(("category", "categorical", "enum"))
    return categories or entries(column.to_numpy()).dtype.kind in "UTb"


def inputs(name: str, value: Any, dtype: torch.dtype, columns: int | None = None) -> Tensor:
    """Inputs ``(n, d)``, of a Series ``(n, 1)``; of so many columns."""
    found = numbers(name, value)
    result = arguments.floats(name, found[:, None] if is_column(value) else found, dimensions=(2,), dtype=dtype)
    if columns is not None and result.shape[1] != columns:
        raise ValueError(f"{name} must have {columns} columns, got shape {tuple(result.shape)}")
    return result


def targets(name: str, value: Any, dtype: torch.dtype, columns: int | None = None) -> Tensor:
    """Targets ``(n, m)``, also of one-dimensional ones; of so many columns."""
    found = arguments.floats(name, numbers(name, value), dimensions=(1, 2), dtype=dtype)
    found = found.reshape(len(found), -1)
    if columns is not None and found.shape[1] != columns:
        raise ValueError(f"{name} must have {columns} columns, got {found.shape[1]}")
    return found


def require_rows(name: str, targets: Tensor, inputs: Tensor) -> None:
    """Raise a ValueError if there are not as many targets as inputs."""
    if len(targets) != len(inputs):
        raise ValueError(f"{name} must have {len(inputs)} rows, as many as its inputs, got {len(targets)}")


def _numbers(what: str, column: Any) -> NDArray[Any]:
    kind = str(column.dtype).lower()
    if kind.startswith("sparse"):
        raise TypeError(f"{what} is sparse: .sparse.to_dense() makes it dense")
    if kind.startswith(("category", "categorical", "enum")):
        raise TypeError(f"{what} holds categories: encode them, as by get_dummies")
    array = column.to_numpy() if hasattr(column, "to_numpy") else column
    known = entries(array)
    if known.dtype.kind in "UST":
        raise TypeError(f"{what} holds text: encode it as numbers, as by get_dummies, or leave it out")
    if known.dtype.kind in "mM" or (known.dtype == object and isinstance(known[0], _TIMES)):
        raise TypeError(f"{what} holds dates or times: make numbers of them, such as days since the first")
    if known.dtype.kind not in "biuf":
        found = type(known[0]).__name__ if known.dtype == object else known.dtype
        raise TypeError(f"{what} holds {found}: make numbers of it, or leave it out")
    if gaps := len(array) - len(known):
        raise ValueError(f"{what} has {gaps} gap{'s' * (gaps > 1)}: drop these rows, or fill them, as by fillna")
    if known.dtype.kind == "f" and not np.isfinite(known).all():
        raise ValueError(f"{what} has infinite entries: drop or bound them")
    if known.dtype.kind in "iu" and known.size and max(int(known.max()), -int(known.min())) > _LARGEST_EXACT_INTEGER:
        raise ValueError(f"{what} holds integers beyond ±2^53, which floating point cannot represent exactly")
    return known.astype(known.dtype if known.dtype.kind == "f" else np.float64)


_TIMES = (dt.date, dt.time, dt.timedelta)


def entries(array: NDArray[Any]) -> NDArray[Any]:
    """Those entries that are no gaps, of their own type even if the array is one of Python objects."""
    if array.dtype != object:
        return array[~np.isnan(array)] if array.dtype.kind in "fc" else array
    known = [entry for entry in array.tolist() if not _is_gap(entry)]
    try:
        return np.asarray(known, dtype=None if known else np.float64)
    except (ValueError, OverflowError):  # entries of different lengths
        return np.asarray(known, dtype=object)


def _is_gap(entry: Any) -> bool:
    # Of pandas's own there is no need to know more than the names.
    missing = entry is None or type(entry).__name__ in ("NAType", "NaTType")
    return missing or (isinstance(entry, float) and math.isnan(entry))


def checked_names(name: str, value: Any, data: Any, size: int) -> Names | None:
    """So many different names, as a tuple: those given, or those that the data have; None if neither are."""
    if value is not None and is_frame(data) and names_of(data) is not None:
        raise ValueError(f"{name} must be None for a DataFrame, whose columns have names, got {arguments.shown(value)}")
    value = names_of(data) if value is None else value
    if value is None:
        return None
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        raise TypeError(f"{name} must be a sequence of {size} strings or None, got {arguments.shown(value)}")
    names = tuple(str(arguments.text(f"{name}[{index}]", each)) for index, each in enumerate(value))
    if len(names) != size:
        raise ValueError(f"{name} must hold {size} strings, got {len(names)}")
    if len(set(names)) < size:
        twice = next(each for each in names if names.count(each) > 1)
        raise ValueError(f"{name} must be different from each other, got {twice!r} more than once")
    return names


def with_constant(names: Names) -> Names:
    """These names, and one for a constant that none of them is."""
    free = (f"constant{'_' * count}" for count in itertools.count())
    return (*names, next(each for each in free if each not in names))


def in_order(name: str, value: Any, names: Names | None, of: str) -> Any:
    """A DataFrame with its columns in the order of ``names``, which it must have; anything else as it is."""
    found = names_of(value) if is_frame(value) else None
    if names is None or found is None or found == names:
        return value
    lacking = [repr(each) for each in names if each not in found]
    foreign = [repr(each) for each in found if each not in names]
    if lacking or foreign:
        wrong = [f"{', '.join(lacking)} missing"] * bool(lacking) + [f"{', '.join(foreign)} unknown"] * bool(foreign)
        raise ValueError(f"{name} must have the columns of {of}, got {' and '.join(wrong)}")
    labels = dict(zip(found, value.columns, strict=True))
    return value[[labels[each] for each in names]]
