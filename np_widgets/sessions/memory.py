"""How much memory values take."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

import numpy as np
import torch


def new_bytes(values: list[Any], seen: set[int]) -> int:
    """The memory that values take beside what has been seen, by its address; that stays while they are kept."""
    total, waiting = 0, list[Any](values)
    while waiting:
        each = waiting.pop()
        if isinstance(each, torch.Tensor):
            storage = each.untyped_storage()
            key, size = storage.data_ptr(), storage.nbytes()
        else:
            while isinstance(each, np.ndarray) and isinstance(each.base, np.ndarray):
                each = each.base
            if isinstance(each, np.ndarray):
                key, size = each.__array_interface__["data"][0], each.nbytes
            else:
                key, size = id(each), _size(each)
        if key in seen:
            continue
        seen.add(key)
        total += size
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, (tuple, list)):
            waiting += each
        elif is_dataclass(each):
            waiting.append(vars(each))
    return total


def _size(value: Any) -> int:
    """About how many bytes an object takes without what it holds, whatever the interpreter shares or has cached."""
    if value is None or isinstance(value, (int, float)):
        return 0  # they are counted with what holds them
    if isinstance(value, (str, bytes)):
        return 56 + len(value)
    return 64 + 40 * len(value) if isinstance(value, (dict, tuple, list)) else 32
