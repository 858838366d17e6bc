"""The architecture: neurons in columns, signed weights between them, and what the current iteration added."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import count, number, output_name, subscript, widths
from np_widgets.pictures.scene import Axis, Dots, Edges, Floats, Mark, Scene, Texts

Flags = NDArray[np.bool_]

MOST_INPUTS = 24
MOST_NEURONS = 12
# Below this share of the largest weight of its layer an edge would be thinner than a pixel.
FAINTEST = 0.02
ADDED = "added by this iteration"
# How far along its edge the dot of a negative weight stands, and how strong the edge must be to get one.
_DOT_AT = 0.84
_DOT_FROM = 0.2
_MOST_DOTS = 60
_NO_NETWORK = {
    "ready": "No network yet: press Play or Step.",
    "finished": "No network: the search at the origin led to none.",
}
_UNDER_WAY = "No network yet: its search at the origin is under way."


@dataclass(frozen=True)
class _Column:
    """The nodes drawn in one column: some of its ``size`` members, and one more for the rest if there is one."""

    size: int
    shown: NDArray[np.int64]
    labels: tuple[str, ...]
    reads: tuple[str, ...]
    added: Flags

    @property
    def heights(self) -> Floats:
        # Few neurons stay close together instead of being torn to the edges of the picture.
        nodes = len(self.labels)
        spacing = min(0.22, 1 / max(nodes - 1, 1))
        return 0.5 + spacing * ((nodes - 1) / 2 - np.arange(nodes, dtype=np.float64))


def architecture(frame: PursuitFrame) -> Scene:
    """The architecture of the frame's network: inputs at x = 0, hidden layer l at x = l, outputs at x = L.

    At most ``MOST_INPUTS`` inputs and outputs and ``MOST_NEURONS`` neurons of a layer are drawn, those with the
    largest weights and those just added; one more node stands for the rest, and its edges for the norm of all their
    weights. Edges weaker than ``FAINTEST`` of the largest weight of their matrix are left out, unless just added.
    """
    weights = [np.asarray(weight, dtype=np.float64) for weight in frame.weights]
    if not weights:
        return Scene("Architecture", empty=_NO_NETWORK.get(frame.phase, _UNDER_WAY))
    columns, last = _columns(weights, set(frame.added), frame.classes), len(weights)
    heights = np.concatenate([column.heights for column in columns])
    names = [_column_name(layer, last, column.size, frame.classes) for layer, column in enumerate(columns)]
    below = np.full(last + 1, heights.min() - 0.08)
    new = [f"neuron {index + 1} of layer {layer}" for layer, index in frame.added]
    return Scene(
        "Architecture",
        (
            *_edges(weights, columns),
            *_nodes(columns),
            Texts("aside", np.arange(last + 1), below, texts=tuple(names), place="below"),
        ),
        Axis(low=-0.11 * last, high=1.11 * last, hidden=True),
        Axis(low=float(heights.min()) - 0.18, high=float(heights.max()) + 0.05, hidden=True),
        notes=(_note(columns),),
        says=f"A network of {count(columns[0].size, 'input')}, hidden widths {widths(frame.widths)} and "
        f"{count(columns[-1].size, 'output')}" + (f"; just added: {', '.join(new)}" if new else ""),
    )


def _columns(weights: list[Floats], added: set[tuple[int, int]], classes: bool) -> list[_Column]:
    norms_in = [np.linalg.norm(weight, axis=1) for weight in weights]
    norms_out = [np.linalg.norm(weight, axis=0) for weight in weights]
    inputs, outputs = weights[0].shape[1], weights[-1].shape[0]
    names = [subscript("x", j + 1) for j in range(inputs)]
    columns = [_column(norms_out[0], names, MOST_INPUTS, np.zeros(inputs, bool), names)]
    for layer, (into, out) in enumerate(zip(norms_in[:-1], norms_out[1:], strict=True), start=1):
        fresh = np.array([(layer, index) in added for index in range(len(into))], dtype=bool)
        reads = [
            f"neuron {index + 1} of layer {layer}: norm in {number(float(a))}, out {number(float(b))}"
            for index, (a, b) in enumerate(zip(into, out, strict=True))
        ]
        # What a neuron can contribute is the product of what comes in and what goes out.
        columns.append(_column(into * out, [str(index + 1) for index in range(len(into))], MOST_NEURONS, fresh, reads))
    names = [output_name(index, outputs, classes) for index in range(outputs)]
    # A node has room for the number of a class only.
    short = [name.removeprefix("class ") for name in names]
    columns.append(_column(norms_in[-1], short, MOST_INPUTS, np.zeros(outputs, bool), names))
    return columns


def _column(score: Floats, names: list[str], most: int, added: Flags, reads: list[str]) -> _Column:
    size = len(names)
    if size <= most:
        return _Column(size, np.arange(size), tuple(names), tuple(reads), added)
    ranked = np.lexsort((np.arange(size), -score, ~added))
    shown = np.sort(ranked[: most - 1])
    rest = f"{size - len(shown):,}"
    return _Column(
        size,
        shown,
        (*(names[index] for index in shown), f"+{rest}"),
        (*(reads[index] for index in shown), f"{rest} more, with smaller weights"),
        np.append(added[shown], False),
    )


def _edges(weights: list[Floats], columns: list[_Column]) -> list[Mark]:
    parts = [
        _edges_between(weight, layer, below, above)
        for layer, (weight, (below, above)) in enumerate(zip(weights, pairwise(columns), strict=True))
    ]
    x, y, signs, strengths, added = (np.concatenate(each) for each in zip(*parts, strict=True))
    # Strong edges last, so that faint ones do not cross them out.
    order = np.argsort(strengths, kind="stable")
    x, y, signs, strengths, added = x[order], y[order], signs[order], strengths[order], added[order]
    marks: list[Mark] = []
    for new in (False, True):
        for sign, name in ((1, "positive"), (-1, "negative"), (0, "many")):
            chosen = (signs == sign) & (added == new)
            role = f"new {name}" if new and sign else name
            label = "" if not sign else ADDED if new else name
            marks.append(Edges(role, x[chosen], y[chosen], label, strengths=strengths[chosen]))
    dotted = np.flatnonzero((signs < 0) & ((strengths >= _DOT_FROM) | added))[-_MOST_DOTS:]
    dots = (ends[dotted, 0] + _DOT_AT * (ends[dotted, 1] - ends[dotted, 0]) for ends in (x, y))
    return [*marks, Dots("minus", *dots)]


def _edges_between(
    weight: Floats, layer: int, below: _Column, above: _Column
) -> tuple[Floats, Floats, Floats, Floats, Flags]:
    """Places, signs (0 for an edge that stands for many), strengths and newness of the edges into one column."""
    blocks = _with_rest(_with_rest(weight, below).T, above).T
    lone = np.zeros(blocks.shape, dtype=bool)
    lone[: len(above.shown), : len(below.shown)] = True
    largest = float(np.abs(blocks).max())
    strengths = np.abs(blocks) / largest if largest > 0 else np.zeros_like(blocks)
    added = above.added[:, None] | below.added[None, :]
    to, fro = np.nonzero((strengths >= FAINTEST) | (added & (blocks != 0)))
    return (
        np.tile([layer, layer + 1.0], (len(to), 1)),
        np.stack([below.heights[fro], above.heights[to]], axis=1),
        np.where(lone[to, fro], np.sign(blocks[to, fro]), 0.0),
        strengths[to, fro],
        added[to, fro],
    )


def _with_rest(weight: Floats, column: _Column) -> Floats:
    """The columns of ``weight`` that are shown, and one more with the norm of all others if there are others."""
    if len(column.shown) == column.size:
        return weight
    rest = np.delete(weight, column.shown, axis=1)
    return np.concatenate([weight[:, column.shown], np.linalg.norm(rest, axis=1, keepdims=True)], axis=1)


def _nodes(columns: list[_Column]) -> list[Mark]:
    last = len(columns) - 1
    x = np.repeat(np.arange(last + 1.0), [len(column.labels) for column in columns])
    y = np.concatenate([column.heights for column in columns])
    added = np.concatenate([column.added for column in columns])
    labels, reads = ([text for column in columns for text in getattr(column, name)] for name in ("labels", "reads"))
    inner = (x > 0) & (x < last)

    def of(texts: list[str], chosen: Flags) -> tuple[str, ...]:
        return tuple(texts[index] for index in np.flatnonzero(chosen))

    dots = (("neuron", inner & ~added), ("new neuron", inner & added), ("end", ~inner))
    names = (("left", x == 0), ("middle", inner), ("right", x == last))
    return [
        *(Dots(role, x[chosen], y[chosen], reads=of(reads, chosen)) for role, chosen in dots),
        *(Texts("words", x[chosen], y[chosen], texts=of(labels, chosen), place=place) for place, chosen in names),
    ]


def _column_name(layer: int, last: int, size: int, classes: bool) -> str:
    if 0 < layer < last:
        return f"layer {layer}: {size:,}"
    if layer == 0:
        return count(size, "input")
    return count(size, "class") if classes else "output" if size == 1 else count(size, "output")


def _note(columns: list[_Column]) -> str:
    names = ["inputs", *(f"neurons of layer {layer}" for layer in range(1, len(columns) - 1)), "outputs"]
    parts = [
        f"{len(column.shown)} of {column.size:,} {name}"
        for name, column in zip(names, columns, strict=True)
        if len(column.shown) < column.size
    ]
    return f"Shown: {', '.join(parts)} (largest weights)" if parts else ""
