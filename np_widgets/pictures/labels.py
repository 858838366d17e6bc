"""How pictures write numbers and names."""

from __future__ import annotations

from collections.abc import Iterable

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(name: str, index: int) -> str:
    """``subscript("x", 12)`` is ``"x₁₂"``."""
    return name + str(index).translate(_SUBSCRIPTS)


def output_name(index: int, outputs: int, classes: bool) -> str:
    """What an output of a network is called: by its class, or ``"y"`` with a number if there are several."""
    if classes:
        return f"class {index}"
    return "y" if outputs == 1 else subscript("y", index + 1)


def count(number: int, noun: str) -> str:
    """``count(1, "neuron")`` is ``"1 neuron"``, ``count(1200, "class")`` is ``"1,200 classes"``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def number(value: float) -> str:
    """Three significant digits with a true minus sign, ``"0"`` for zero, ``"12,300"`` for 12345."""
    if value == 0:
        return "0"
    digits = f"{value:.3g}"
    if 1e3 <= abs(value) < 1e6:
        digits = f"{float(digits):,.0f}"
    return digits.replace("-", "−")


def span(first: int, last: int) -> str:
    """Consecutive hidden layers as short as can be: ``"2"`` or ``"1–3"``."""
    return str(first) if first == last else f"{first}–{last}"


def widths(sizes: Iterable[int]) -> str:
    """``"(4, 2)"``."""
    return f"({', '.join(str(size) for size in sizes)})"


def shown(parts: Iterable[str]) -> str:
    """A note on what is left out; empty if nothing is."""
    text = ", ".join(part for part in parts if part)
    return f"Shown: {text}" if text else ""
