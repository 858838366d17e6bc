"""How records print: as one line, whatever they hold."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from torch import Tensor

_LONGEST, _LONGEST_TEXT = 160, 40


def one_line(record: Any) -> str:
    """The ``__repr__`` of a dataclass that may hold a great deal: of arrays the shape, of many things how many."""
    text = ", ".join(f"{field.name}={_brief(getattr(record, field.name))}" for field in fields(record))
    room = _LONGEST - len(type(record).__name__) - 2
    return f"{type(record).__name__}({text if len(text) <= room else text[: room - 1] + '…'})"


def _brief(value: Any) -> str:
    if isinstance(value, (Tensor, np.ndarray)):
        return f"<{'×'.join(map(str, value.shape)) or 'one'} {str(value.dtype).removeprefix('torch.')}>"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, (tuple, list)):
        plain = len(value) <= 4 and all(isinstance(each, (int, float, str)) for each in value)
        inside = [_brief(each) for each in value] if plain else [f"{len(value)} of {type(value[0]).__name__}"]
        return f"({', '.join(inside)}{',' * (plain and len(value) == 1)})"
    text = repr(value).replace("\n", " ")
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
