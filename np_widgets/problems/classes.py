"""Labels of any kind as numbers 0, 1, …, and the classes that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.tables import entries, is_column, is_frame, names_of, numbers

Label = bool | int | str
Classes = tuple[Label, ...]


def encoded(name: str, value: Any, classes: Any = None) -> tuple[Tensor, Classes]:
    """Labels ``(n,)`` or ``(n, 1)``, or one-hot rows ``(n, m)``, as int64 codes ``(n,)``; and the class of each code.

    ``classes`` are those that there are, in the order of their codes; a number k stands for 0 … k−1, and None for the
    labels that occur, sorted.
    """
    array = _array(name, value)
    if array.ndim == 2 and array.shape[1] > 1:
        columns, labels = _one_hot(name, value)
        wanted = columns if classes is None else checked_classes(classes)
        if len(wanted) != len(columns):
            raise ValueError(f"{name} must have a column for each of {len(wanted)} classes, got {len(columns)}")
        return labels, wanted
    found = _labels(name, array)
    distinct, codes = np.unique(found, return_inverse=True)
    present: Classes = tuple(distinct.tolist())
    wanted = _completed(name, present) if classes is None else checked_classes(classes, present)
    places = {label: code for code, label in enumerate(wanted)}
    if unknown := [label for label in present if label not in places]:
        raise ValueError(
            f"{name} must be of the classes {arguments.shown(wanted)}, got {arguments.shown(unknown[0])}: "
            "give classes= if there are more"
        )
    return torch.from_numpy(np.array([places[label] for label in present])[codes.reshape(-1)]), wanted


def names_of_classes(classes: Classes) -> tuple[str, ...] | None:
    """What they are called; None if they are only counted."""
    counted = classes == tuple(range(len(classes))) and not isinstance(classes[0], bool)
    return None if counted else tuple(map(str, classes))


def _completed(name: str, present: Classes) -> Classes:
    if len(present) > 1:
        return present
    if isinstance(present[0], bool):
        return (False, True)
    if present[0] in (0, 1):
        return (0, 1)
    raise ValueError(
        f"{name} must be of at least two classes, got {present[0]!r} alone: give classes= if there are more"
    )


def checked_classes(classes: Any, present: Classes = ()) -> Classes:
    """The classes that a caller gave, of labels that are present: labels, or their number."""
    if isinstance(classes, (str, bytes)) or not isinstance(classes, (Sequence, np.ndarray)):
        largest = max((label for label in present if isinstance(label, int)), default=0)
        return tuple(range(arguments.whole("classes", classes, max(largest + 1, 2))))
    given = tuple(each.item() if isinstance(each, np.generic) else each for each in classes)
    for index, label in enumerate(given):
        if not isinstance(label, (bool, int, str)):
            raise TypeError(f"classes[{index}] must be a whole number, text or a boolean, got {arguments.shown(label)}")
    if len(given) < 2 or len(set(given)) < len(given):
        raise ValueError(f"classes must be at least two different labels, got {arguments.shown(given)}")
    return given


def _array(name: str, value: Any) -> NDArray[Any]:
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if is_column(value) or is_frame(value):
        return np.asarray(value.to_numpy())
    try:
        array = np.asarray(value)
        # Beside text, numbers and gaps would have become text.
        return np.asarray(value, dtype=object) if array.dtype.kind == "U" and array is not value else array
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{name} must be labels of shape (n,): {error}") from None


def _labels(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """One-dimensional labels: whole numbers, text or booleans."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must be labels of shape (n,), or one-hot rows, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    known = entries(array)
    if gaps := len(array) - len(known):
        raise ValueError(f"{name} must be labels, but has {gaps} gap{'s' * (gaps > 1)}: drop these rows")
    kind = known.dtype.kind
    if kind in "biu":
        return known
    if kind in "UT" and (array.dtype != object or all(isinstance(each, str) for each in array.tolist())):
        return known
    found = arguments.shown(array.tolist()[0])
    if kind == "f":
        whole = (known == np.round(known)) & (np.abs(known) < 2**53)
        if whole.all():
            return known.astype(np.int64)
        found = f"{known[~whole][0]:g}: loss='square' takes any numbers"
    raise TypeError(f"{name} must be labels (whole numbers, text or booleans) for loss='cross_entropy', got {found}")


def _one_hot(name: str, value: Any) -> tuple[Classes, Tensor]:
    """The classes and the codes of rows with a single one among zeros."""
    rows = arguments.floats(name, numbers(name, value), dimensions=(2,))
    if not bool(((rows == 0) | (rows == 1)).all()) or not bool((rows.sum(dim=1) == 1).all()):
        raise ValueError(f"{name} must be labels of shape (n,), or one-hot rows, got {tuple(rows.shape)} other numbers")
    return names_of(value) or tuple(range(rows.shape[1])), rows.argmax(dim=1)
