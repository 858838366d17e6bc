"""How pictures write numbers and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from np_widgets.problems import Problem

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SCIENTIFIC = re.compile(r"(?<![\w.])(-?)(\d+(?:\.\d+)?)e([+-]\d+)(?!\w)")
_WITH_MINUS = re.compile(r"(?<![\w.)])-(?=\d)")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(name: str, index: int) -> str:
    """``subscript("x", 12)`` is ``"x₁₂"``."""
    return name + str(index).translate(_SUBSCRIPTS)


@dataclass(frozen=True)
class Names:
    """What inputs and outputs are called, and the outputs where there is room for a few letters."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    short: tuple[str, ...]

    @classmethod
    def plain(cls, inputs: int, outputs: int, classes: bool) -> Names:
        """``x₁ x₂ …``; the number of a class, or ``y``, with a number if there are several."""
        own = [str(index) for index in range(outputs)] if classes else ["y"]
        if not classes and outputs > 1:
            own = [subscript("y", index + 1) for index in range(outputs)]
        long = tuple(f"class {name}" for name in own) if classes else tuple(own)
        return cls(tuple(subscript("x", index + 1) for index in range(inputs)), long, tuple(own))

    @classmethod
    def of(cls, problem: Problem) -> Names:
        """As the problem says."""
        classes = problem.loss.name == "cross_entropy"
        names = cls.plain(problem.input_size, problem.output_size, classes)
        if problem.input_names is not None:
            names = replace(names, inputs=problem.input_names)
        if problem.output_names is not None:
            names = replace(names, outputs=problem.output_names, short=tuple(map(shortened, problem.output_names)))
        return names


def shortened(name: str, most: int = 7) -> str:
    """A name of at most so many letters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def count(number: int, noun: str) -> str:
    """``count(1, "neuron")`` is ``"1 neuron"``, ``count(1200, "class")`` is ``"1,200 classes"``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def number(value: float) -> str:
    """Three significant digits, or all before the point: ``"0"``, ``"−0.123"``, ``"12,345"``, ``"5.8×10⁻²⁵"``."""
    if value == 0:
        return "0"
    digits = f"{value:.3g}"
    if 1e3 <= abs(value) < 1e6:
        digits = f"{value:,.0f}"
    return typeset(digits) if "e" in digits else digits.replace("-", "−")


def typeset(text: str) -> str:
    """The numbers of a message as pictures write them: ``"−10⁻⁹"`` for ``"-1e-09"``, with true minus signs."""
    return _WITH_MINUS.sub("−", _SCIENTIFIC.sub(_as_power, text))


def power_of_ten(exponent: int, factor: str = "1") -> str:
    """``power_of_ten(-3)`` is ``"10⁻³"``, ``power_of_ten(-3, "2.5")`` is ``"2.5×10⁻³"``."""
    return ("" if factor == "1" else f"{factor}×") + "10" + str(exponent).translate(_SUPERSCRIPTS)


def _as_power(found: re.Match[str]) -> str:
    return found[1] + power_of_ten(int(found[3]), found[2])


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
