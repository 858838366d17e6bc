"""States of engines: whether two are the same, and whether one is sound and of these data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch

from np_widgets import arguments
from np_widgets.problems import Problem

_ROUNDING = 1e4


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


Fingerprint = tuple[tuple[int, int, int, str, str], float, float, float]


def fingerprint(problem: Problem) -> Fingerprint:
    """The kind of a problem's data, and for inputs and goals one number each that other data would hardly have."""
    kind = (problem.samples, problem.input_size, problem.output_size, problem.loss.name, str(problem.dtype))
    apart = (problem.validation_inputs, problem.validation_goals)
    held_out = sum(_weighted_sum(each) for each in apart if each is not None)
    return kind, _weighted_sum(problem.inputs), _weighted_sum(problem.goals), float(held_out)


def require_fingerprint(found: Fingerprint, problem: Problem) -> None:
    """Raise a ValueError if a state's fingerprint is not that of a problem."""
    kind, *sums = fingerprint(problem)
    require("state['problem']", found, Fingerprint)
    # On another device sums are rounded otherwise.
    tolerance = _ROUNDING * torch.finfo(problem.dtype).eps * math.sqrt(problem.samples)
    alike = all(abs(own - its) <= tolerance * max(abs(own), 1e-300) for own, its in zip(sums, found[1:], strict=True))
    if kind != found[0] or not alike:
        raise ValueError(
            "state['problem'] must be of the data that this engine has, got a state of others: (samples, inputs, "
            f"outputs, loss, precision) are {found[0]}, here {kind}"
        )


def _weighted_sum(values: torch.Tensor) -> float:
    """``Σ w_ij |v_ij|`` plus a part that knows signs, with positive weights that differ from entry to entry."""
    rows = values.reshape(len(values), -1)
    rows = rows if rows.dtype.is_floating_point else rows.double()
    count = torch.arange(1, max(rows.shape) + 1, device=rows.device, dtype=torch.float64)
    weights = (1.5 + torch.sin(count)).to(rows)
    size = float(rows.abs().max()) or 1.0
    positive, all_of_it = (weights[: len(rows)] @ part for part in ((rows / size).abs(), rows / size))
    return size * (2 * float(positive @ weights[: rows.shape[1]]) + float(all_of_it @ weights[: rows.shape[1]]))


def require(name: str, value: Any, kind: Any) -> None:
    """Raise a TypeError or a ValueError that names what in ``value`` is not of a kind.

    A kind is an annotation; a dictionary of the kinds of entries; or a function of a name and a value that raises.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return
    if isinstance(kind, dict):
        _require_instance(name, value, dict)
        if differing := sorted(map(repr, kind.keys() ^ value.keys())):
            raise ValueError(f"{name} must hold what a state of this kind holds, got one that differs in {differing}")
        for key, each in kind.items():
            require(f"{name}[{key!r}]", value[key], each)
    elif origin in (Union, UnionType):
        _require_one_of(name, value, parts)
    elif origin in (tuple, list, dict):
        _require_items(name, value, origin, parts)
    elif kind is int:
        arguments.whole(name, value)
    elif kind is float:
        _require_instance(name, value, (int, float))
    elif isinstance(kind, type) or origin is not None:
        _require_instance(name, value, origin or kind)
        if isinstance(kind, type) and is_dataclass(kind):
            for field, each in _hints(kind).items():
                require(f"{name}.{field}", getattr(value, field), each)
    elif callable(kind):
        kind(name, value)


def whole(name: str, value: Any) -> None:
    """Require an integer of at least zero."""
    arguments.whole(name, value, 0)


def within(least: int, most: int | None = None) -> Callable[[str, Any], int]:
    """Require an integer within these bounds."""
    return lambda name, value: arguments.whole(name, value, least, most)


def finite_number(name: str, value: Any) -> None:
    """Require a finite number."""
    arguments.real(name, value)


def number(name: str, value: Any) -> None:
    """Require a number, which may be infinite."""
    _require_instance(name, value, (int, float))
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, got nan")


def like(tensor: torch.Tensor, *, rows: bool = False, finite: bool = False) -> Callable[[str, Any], None]:
    """Require a tensor of the shape and precision of another, or of any number of rows of that shape."""

    def require_like(name: str, value: Any) -> None:
        _require_instance(name, value, torch.Tensor)
        shape = tuple(value.shape)[1:] if rows else tuple(value.shape)
        if shape != tuple(tensor.shape) or value.dim() != tensor.dim() + rows or value.dtype != tensor.dtype:
            wanted = f"{'rows of ' if rows else ''}shape {tuple(tensor.shape)} and {tensor.dtype}"
            raise ValueError(f"{name} must have {wanted}, got shape {tuple(value.shape)} and {value.dtype}")
        if finite and not arguments.all_finite(value):
            raise ValueError(f"{name} must be finite")

    return require_like


def _require_instance(name: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise TypeError(f"{name} must be of type {wanted}, got {arguments.shown(value)}")


def _require_one_of(name: str, value: Any, kinds: tuple[Any, ...]) -> None:
    if value is None and NoneType in kinds:
        return
    rest = [kind for kind in kinds if kind is not NoneType]
    for kind in rest[:-1]:
        try:
            require(name, value, kind)
        except (TypeError, ValueError):
            continue
        return
    require(name, value, rest[-1])


def _require_items(name: str, value: Any, kind: type, parts: tuple[Any, ...]) -> None:
    _require_instance(name, value, kind)
    if kind is dict:
        for key, each in value.items():
            require(f"a key of {name}", key, parts[0])
            require(f"{name}[{key!r}]", each, parts[1])
        return
    if kind is list or parts[-1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(value) != len(parts):
        raise ValueError(f"{name} must have {len(parts)} items, got {len(value)}")
    for index, (each, part) in enumerate(zip(value, parts, strict=True)):
        require(f"{name}[{index}]", each, part)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
