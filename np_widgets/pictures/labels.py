"""How pictures write numbers and names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from np_widgets.learning.pursuit.growth import named_widths
from np_widgets.problems import Problem

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# Of a message: numbers, but for those within names and code, and those that have commas already.
_NUMBER = re.compile(r"(?<![\w.,=)+-])(-?)(\d+(?:\.\d+)?)(?:e([+-]\d+))?(?![\w]|[.,]\d)")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

widths = named_widths


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


def shortened(name: str, most: int = 8) -> str:
    """A name of at most so many letters."""
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


def count(number: int, noun: str) -> str:
    """``count(1, "neuron")`` is ``"1 neuron"``, ``count(1200, "class")`` is ``"1,200 classes"``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def number(value: float) -> str:
    """Three significant digits, or all before the point: ``"0"``, ``"−0.123"``, ``"12,345"``, ``"5.8×10⁻²⁵"``.

    What rounds to less than a thousandth, or to a million and more, is a multiple of a power of ten.
    """
    if not math.isfinite(value):
        return f"{value:g}".replace("-", "−")
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    if 1e3 <= abs(rounded) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    if 1e-3 <= abs(rounded) < 1e3:
        return f"{rounded:g}".replace("-", "−")
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return power_of_ten(int(exponent), f"{float(mantissa):g}")


def percent(share: float) -> str:
    """``percent(0.123)`` is ``"12.3%"``; all and nothing are said of nothing else."""
    if share in (0, 1):
        return f"{share:.0%}"
    return f"{min(max(share, 1e-3), 1 - 1e-3):.1%}"


def typeset(text: str) -> str:
    """A message with its numbers as :func:`number` writes them, but for their digits: ``"−10⁻⁹"`` for ``"-1e-09"``."""
    return _NUMBER.sub(_typeset, text)


def _typeset(found: re.Match[str]) -> str:
    sign, digits, exponent = "−" if found[1] else "", found[2], found[3]
    if exponent is None and digits.startswith("0.000") and (value := float(digits)):
        digits, exponent = f"{value:.{len(digits.lstrip('0.')) - 1}e}".split("e")
    if exponent is not None:
        return sign + power_of_ten(int(exponent), digits)
    whole, point, rest = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{rest}"


def power_of_ten(exponent: int, factor: str = "1") -> str:
    """``power_of_ten(-3)`` is ``"10⁻³"``, ``power_of_ten(-3, "-2.5")`` is ``"−2.5×10⁻³"``."""
    factor = {"1": "", "-1": "−"}.get(factor, f"{factor.replace('-', '−')}×")
    return f"{factor}10{str(exponent).translate(_SUPERSCRIPTS)}"


def sentence(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


def span(first: int, last: int) -> str:
    """Consecutive hidden layers as short as can be: ``"2"`` or ``"1–3"``."""
    return str(first) if first == last else f"{first}–{last}"


def shown(parts: Iterable[str]) -> str:
    """A note on what is left out; empty if nothing is."""
    text = ", ".join(part for part in parts if part)
    return f"Shown: {text}" if text else ""
