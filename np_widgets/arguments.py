"""Checks of what a caller passed in: each returns the clean value or raises an error that names the argument."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

LARGEST_SEED = 2**63 - 1
Name = TypeVar("Name", bound=str)
_LARGEST_INT64 = 2**63 - 1
_LARGEST_EXACT_INTEGER = 2**53


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """An integer within ``[least, most]``; booleans and floats are refused."""
    return int(_number(name, value, "an integer", operator.index, least=least, most=most))


def seed(value: Any, name: str = "seed") -> int:
    """A seed: an integer from 0 to 2⁶³ − 1."""
    return whole(name, value, 0, LARGEST_SEED)


def real(
    name: str, value: Any, *, above: float | None = None, least: float | None = None, most: float | None = None
) -> float:
    """A finite real number, greater than ``above`` and within ``[least, most]``."""
    return float(_number(name, value, "a finite number", _finite, above=above, least=least, most=most))


def _number(
    name: str,
    value: Any,
    kind: str,
    convert: Callable[[Any], float],
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> float:
    wanted = kind + ("" if above is None else f" greater than {above:g}") + _range(least, most)
    try:
        if _is_boolean(value):
            raise TypeError
        number = convert(value)
    except TypeError:
        raise TypeError(f"{name} must be {wanted}, got {shown(value)}") from None
    inside = (above is None or number > above) and (least is None or number >= least)
    if not inside or number == math.inf or (most is not None and number > most):
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}")
    return number


def _finite(value: Any) -> float:
    if not isinstance(value, numbers.Real):
        raise TypeError
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    return number if math.isfinite(number) else math.inf  # so that no comparison lets a NaN through


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def choice(name: str, value: Any, options: Iterable[Name]) -> Name:
    """One of the given names."""
    names = list(options)
    accepted = ", ".join(repr(option) for option in names)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {accepted}, got {shown(value)}")
    if value not in names:
        raise ValueError(f"{name} must be one of {accepted}, got {value!r}")
    return names[names.index(value)]


def wholes(name: str, value: Any, least: int | None = None, *, empty: bool = False) -> tuple[int, ...]:
    """A sequence of integers, each at least ``least``; not an empty one unless ``empty``."""
    items = _items(name, value, f"integers{_range(least, None)}")
    if len(items) == 0 and not empty:
        raise ValueError(f"{name} must hold at least one integer, got none")
    return tuple(whole(f"{name}[{index}]", item, least) for index, item in enumerate(items))


def reals(name: str, value: Any) -> tuple[float, ...]:
    """A sequence of finite numbers, perhaps an empty one."""
    items = _items(name, value.detach().tolist() if isinstance(value, Tensor) else value, "numbers")
    return tuple(real(f"{name}[{index}]", item) for index, item in enumerate(items))


def _items(name: str, value: Any, kind: str) -> Any:
    is_sequence = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim > 0)
    if isinstance(value, (str, bytes)) or not is_sequence:
        raise TypeError(f"{name} must be a sequence of {kind}, got {shown(value)}")
    return value


def all_finite(values: torch.Tensor) -> bool:
    """Whether no entry is NaN or infinite; without the memory that a mask of all entries would take."""
    return not values.numel() or bool(torch.isfinite(torch.stack(torch.aminmax(values))).all())


def floats(
    name: str,
    value: Any,
    *,
    dimensions: Sequence[int],
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Tensor:
    """A finite, non-empty tensor of ``dimensions`` made from numbers, an array or a tensor: always a copy.

    False and True count as 0 and 1. Refused are integers that floating point would round, and numbers too large for
    ``dtype``, too.
    """
    array = (_from_tensor if isinstance(value, Tensor) else _from_array)(name, value)
    if array.ndim not in dimensions:
        accepted = " or ".join(str(d) for d in dimensions)
        raise ValueError(f"{name} must have {accepted} dimensions, got shape {tuple(array.shape)}")
    if array.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(array.shape)}")
    if not array.dtype.is_floating_point and _largest_magnitude(array) > _LARGEST_EXACT_INTEGER:
        raise ValueError(f"{name} holds integers beyond ±2^53, which floating point cannot represent exactly")
    result = array.detach().to(dtype=dtype, device=device, copy=True)
    if not all_finite(result):
        bad = int((~torch.isfinite(result)).sum())
        raise ValueError(f"{name} must be finite, got {bad} entries that are NaN, infinite or too large for {dtype}")
    return result


def vector(name: str, value: Any, size: int, *, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """A finite floating-point tensor of shape ``(size,)``: always a copy."""
    result = floats(name, value, dimensions=(1,), dtype=dtype, device=device)
    if len(result) != size:
        raise ValueError(f"{name} must have shape ({size},), got ({len(result)},)")
    return result


def matrices(name: str, weights: Any) -> tuple[Tensor, ...]:
    """At least two finite matrices that chain, in one precision on one device: always copies."""
    if isinstance(weights, (str, bytes)) or not hasattr(weights, "__len__"):
        raise TypeError(f"{name} must be a list of matrices [W_1, …, W_L], got {type(weights).__name__}")
    if len(weights) < 2:
        raise ValueError(f"{name} must hold at least two matrices (one hidden layer), got {len(weights)}")
    like = next((w for w in weights if isinstance(w, Tensor) and w.dtype.is_floating_point), None)
    precision = torch.float64 if like is None else dtype(f"the dtype of {name}", like.dtype)
    place = torch.device("cpu") if like is None else like.device
    checked = tuple(
        floats(f"{name}[{index}]", weight, dimensions=(2,), dtype=precision, device=place)
        for index, weight in enumerate(weights)
    )
    for index in range(1, len(checked)):
        below, above = checked[index - 1].shape[0], checked[index].shape[1]
        if below != above:
            raise ValueError(
                f"{name}[{index}] must have {below} columns, as many as {name}[{index - 1}] has rows; "
                f"got shape {tuple(checked[index].shape)}"
            )
    return checked


def dtype(name: str, value: Any) -> torch.dtype:
    """``torch.float32`` or ``torch.float64``, also by their names."""
    known = {"float32": torch.float32, "float64": torch.float64}
    accepted = "torch.float32 or torch.float64"
    if not isinstance(value, (str, torch.dtype)):
        raise TypeError(f"{name} must be {accepted}, got {shown(value)}")
    found = known.get(value) if isinstance(value, str) else value
    if found is None or found not in known.values():
        raise ValueError(f"{name} must be {accepted}, got {shown(value)}")
    return found


def device(name: str, value: Any) -> torch.device:
    """A torch device on which a tensor can really be made."""
    if not isinstance(value, (str, torch.device)):
        raise TypeError(f"{name} must be a torch device such as 'cpu' or 'cuda', got {shown(value)}")
    try:
        found = torch.device(value)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise ValueError(f"{name}={str(value)!r} is not available on this machine: {reason}") from None
    if found.type == "meta":
        raise ValueError(f"{name} must be a device that holds data, got 'meta'")
    return found


def callable_or_none(name: str, value: Any, purpose: str) -> Any:
    """A function, or None; ``purpose`` says what kind, for example "of a frame"."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function {purpose} or None, got {shown(value)}")
    return value


def text(name: str, value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {shown(value)}")
    return value


def shown(value: Any) -> str:
    """How a message shows a value: its ``repr``, cut short."""
    try:
        written = repr(value)
    except ValueError:  # an integer of more digits than Python agrees to print
        return f"{type(value).__name__} with too many digits to show"
    return written if len(written) <= 60 else f"{type(value).__name__} {written[:40]}…"


def _is_boolean(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_)) or (isinstance(value, Tensor) and value.dtype == torch.bool)


def _from_tensor(name: str, value: Tensor) -> Tensor:
    if value.dtype.is_complex:
        raise TypeError(f"{name} must hold real numbers, got {value.dtype}")
    if value.layout != torch.strided or value.device.type == "meta":
        raise TypeError(f"{name} must be a dense tensor that holds data, got {value.layout} on {value.device}")
    if value.dtype == torch.uint64 and bool((value.view(torch.int64) < 0).any()):
        raise ValueError(_too_large(name))
    # Torch cannot compare most unsigned integers.
    return value if value.dtype.is_floating_point else value.to(torch.int64)


def _from_array(name: str, value: Any) -> Tensor:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{name} must be a rectangular array of numbers: {error}") from None
    if np.ma.is_masked(value):
        raise ValueError(f"{name} must not have masked entries")
    kind = array.dtype.kind
    if kind == "u" and array.size and int(array.max()) > _LARGEST_INT64:
        raise ValueError(_too_large(name))
    # Of Python integers beyond 64 bits NumPy makes objects, or rounded floats if they stand beside smaller ones.
    if array is not value and (kind == "O" or (kind == "f" and bool((np.abs(array) >= 2.0**63).any()))):
        entries = np.asarray(value, dtype=object).flat
        if any(isinstance(entry, int) and abs(entry) > _LARGEST_INT64 for entry in entries):
            raise ValueError(_too_large(name))
    if kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {shown(value)} of kind {array.dtype}")
    # A copy in native byte order and positive strides, of a type that torch knows.
    wanted = np.int64 if kind != "f" else np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(array, dtype=wanted, order="C"))


def _too_large(name: str) -> str:
    return f"{name} holds integers beyond 64 bits (±2^63)"


def _largest_magnitude(array: Tensor) -> int:
    return max(abs(int(array.max())), abs(int(array.min())))


def _range(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}"
    if most is not None:
        return f" of at most {most}"
    return ""
