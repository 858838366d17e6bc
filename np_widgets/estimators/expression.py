"""A network in original units, as a table and as a formula."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

import numpy as np

from np_widgets.estimators.fit import Fit
from np_widgets.estimators.rows import Floats
from np_widgets.learning.activation import Activation

_MOST_OF_IT = 0.9


@dataclass(frozen=True)
class Expression:
    """``h_l = σ(W_l h_{l−1} + c_l)`` in original units, the outgoing weights of each hidden neuron of norm one.

    Attributes
    ----------
    weights, offsets
        ``W_l`` and ``c_l``; the last are those of the outputs.
    effects
        The incoming weights of the first hidden layer for inputs of unit variance.
    inputs, outputs
        Names.
    """

    weights: tuple[Floats, ...]
    offsets: tuple[Floats, ...]
    effects: Floats
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    activation: Activation

    @classmethod
    def of(cls, fit: Fit, inputs: Sequence[str], outputs: Sequence[str]) -> Expression:
        """The network of a fit. Of two classes there is one output, the log odds of the second."""
        weights = [weight.numpy().copy() for weight in fit.network.weights]
        offset = np.zeros(weights[-1].shape[0])
        if fit.targets is not None:
            deviation = fit.targets.deviation.numpy()
            weights[-1] *= np.where(np.isfinite(deviation), deviation, 0.0)[:, None]
            offset = fit.targets.mean.numpy()
        elif len(outputs) == 2:
            weights[-1] = weights[-1][1:] - weights[-1][:1]
            outputs, offset = [outputs[1].replace("score", "log odds", 1)], np.zeros(1)
        power = fit.network.power
        for layer in range(len(weights) - 1, 0, -1):  # σ(cz) = c^p σ(z)
            size = np.linalg.norm(weights[layer], axis=0)
            size[size == 0] = 1.0
            weights[layer] /= size
            weights[layer - 1] *= size[:, None] ** (1 / power)
        effects = weights[0][:, :-1].copy()
        inverse = 1 / fit.inputs.deviation.numpy()  # zero where nothing varies
        constant = weights[0][:, -1]
        weights[0] = effects * inverse
        first = constant - weights[0] @ fit.inputs.mean.numpy()
        offsets = [first, *(np.zeros(len(weight)) for weight in weights[1:-1]), offset]
        activation = fit.network.activation
        return cls(tuple(weights), tuple(offsets), effects, tuple(inputs), tuple(outputs), activation)

    def records(self) -> list[dict[str, Any]]:
        """A dictionary for each neuron of the first hidden layer."""
        found = []
        for index, (row, effect) in enumerate(zip(self.weights[0], self.effects, strict=True)):
            record: dict[str, Any] = {"neuron": index + 1, "sees": ", ".join(self._seen(effect))}
            record |= dict(zip(self.inputs, row.tolist(), strict=True))
            record["offset"] = float(self.offsets[0][index])
            if len(self.weights) == 2:
                record |= dict(zip(self.outputs, self.weights[1][:, index].tolist(), strict=True))
            found.append(record)
        return found

    def _seen(self, effect: Floats) -> list[str]:
        """The inputs that make up most of the squared effects, the largest first."""
        order = np.argsort(-np.abs(effect), kind="stable")
        shares = np.cumsum(effect[order] ** 2) / max(float(effect @ effect), np.finfo(float).tiny)
        count = int(np.searchsorted(shares, _MOST_OF_IT)) + 1
        return [self.inputs[column] for column in order[:count] if effect[column] != 0]

    def text(self, digits: int, latex: bool) -> str:
        """The formula: a line for each neuron, then one for each output."""
        write = _LaTeX(digits) if latex else _Lines(digits)
        below = [write.name(name) for name in self.inputs]
        prefix = _prefix(self.inputs)
        lines, count = [], 0
        for weight, offset in zip(self.weights[:-1], self.offsets[:-1], strict=True):
            names = [write.neuron(prefix, count + index + 1) for index in range(len(weight))]
            count += len(names)
            for name, row, constant in zip(names, weight, offset, strict=True):
                lines.append((name, write.activated(write.sum(row, below, constant), self.activation)))
            below = names
        for name, row, constant in zip(self.outputs, self.weights[-1], self.offsets[-1], strict=True):
            lines.append((write.name(name), write.sum(row, below, constant)))
        return write.lines(lines)


def _prefix(names: Sequence[str]) -> str:
    """What the names of neurons begin with, so that no input has one of them."""
    prefixes = itertools.chain(("h", "n"), (f"neuron{'_' * count}" for count in itertools.count(1)))
    return next(each for each in prefixes if not any(re.fullmatch(rf"{each}\d+", name) for name in names))


class _Lines:
    """Lines that Python understands, but for names in backticks."""

    times, maximum = "*", "max"

    def __init__(self, digits: int) -> None:
        self._digits = digits

    def name(self, name: str) -> str:
        """Of an input or an output."""
        return name if name.isidentifier() and not iskeyword(name) else "`" + name.replace("`", "'") + "`"

    def neuron(self, prefix: str, number: int) -> str:
        """The name of a neuron."""
        return f"{prefix}{number}"

    def number(self, value: float) -> str:
        """So many significant digits of it."""
        return f"{value:.{self._digits}g}"

    def power(self, base: str, exponent: int) -> str:
        """A power of what stands in brackets."""
        return base if exponent == 1 else f"{base}**{exponent}"

    def activated(self, z: str, activation: Activation) -> str:
        """``σ(z) = max(z, αz)^p``."""
        least = "0" if activation.leak == 0 else f"{self.number(activation.leak)}{self.times}({z})"
        return self.power(f"{self.maximum}({least}, {z})", activation.power)

    def sum(self, factors: Floats, names: Sequence[str], constant: float) -> str:
        """``Σ_k factor_k name_k + constant``, without what is zero."""
        terms = [(value, self._term(value, name)) for value, name in zip(factors, names, strict=True) if value != 0]
        if constant != 0 or not terms:
            terms.append((constant, self.number(abs(constant))))
        (first, text), *rest = terms
        return ("-" if first < 0 else "") + text + "".join(f" {'-' if v < 0 else '+'} {term}" for v, term in rest)

    def _term(self, value: float, name: str) -> str:
        factor = self.number(abs(value))
        return name if factor == "1" else f"{factor}{self.times}{name}"

    def lines(self, equations: Sequence[tuple[str, str]]) -> str:
        """The equations under one another."""
        return "\n".join(f"{name} = {value}" for name, value in equations)


class _LaTeX(_Lines):
    """An ``aligned`` environment."""

    times, maximum = r"\,", r"\max"

    def name(self, name: str) -> str:
        escaped = "".join(_ESCAPES.get(letter, letter) for letter in name)
        return rf"\text{{{escaped}}}"

    def neuron(self, prefix: str, number: int) -> str:
        return rf"{prefix if len(prefix) == 1 else self.name(prefix)}_{{{number}}}"

    def number(self, value: float) -> str:
        mantissa, _, exponent = super().number(value).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def power(self, base: str, exponent: int) -> str:
        return base if exponent == 1 else f"{base}^{{{exponent}}}"

    def lines(self, equations: Sequence[tuple[str, str]]) -> str:
        rows = " \\\\\n".join(f"{name} &= {value}" for name, value in equations)
        return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"


_ESCAPES = {
    **{letter: "\\" + letter for letter in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}
