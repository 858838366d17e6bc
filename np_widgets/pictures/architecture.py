"""The architecture: neurons in columns, signed weights between them, and what the current iteration added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import count, number, percent, shortened, widths
from np_widgets.pictures.neurons import neurons
from np_widgets.pictures.probe import Probe, names_of
from np_widgets.pictures.scene import Axis, Dots, Edges, Floats, Key, Mark, Scene, Texts

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
# Where a pointer on an edge reads its weight, and of how many: the strongest.
_READ_AT = (0.35, 0.65)
_MOST_READ = 60
# From so many matrices on there is no room for long names of columns; how far apart two lines of those are, and the
# share of a narrow picture that a letter takes.
_CROWDED = 4
_LINE = 0.09
_LETTER = 0.025
_NO_NETWORK = {
    "ready": "No network yet: press Play or Step",
    "finished": "No network: the search at the origin led to none",
}
_UNDER_WAY = "No network yet: its search at the origin is under way"


@dataclass(frozen=True)
class _Node:
    """What stands for an input, a neuron or an output, or with ``members`` for the rest of its column."""

    label: str
    name: str
    read: str
    added: bool = False
    color: str = ""
    keys: tuple[Key, ...] = ()


class _Edge(NamedTuple):
    """The weight between two nodes, or with sign 0 the norm of many of them; as strong as it is beside the largest."""

    low: _Node
    high: _Node
    x: tuple[int, int]
    y: tuple[float, float]
    value: float
    sign: float
    strength: float

    @property
    def added(self) -> bool:
        return self.low.added or self.high.added

    @property
    def keys(self) -> tuple[Key, ...]:
        return self.high.keys + self.low.keys

    @property
    def read(self) -> str:
        what = "weight" if self.sign else "norm of the weights"
        return f"{what} {number(self.value)}, from {self.low.name} to {self.high.name}"


@dataclass(frozen=True)
class _Column:
    """The nodes drawn in one column: those of ``shown`` of its ``size`` members, and one more for the rest if any."""

    size: int
    shown: NDArray[np.int64]
    nodes: tuple[_Node, ...]

    @property
    def heights(self) -> Floats:
        # Few neurons stay close together instead of being torn to the edges of the picture.
        nodes = len(self.nodes)
        spacing = min(0.22, 1 / max(nodes - 1, 1))
        return 0.5 + spacing * ((nodes - 1) / 2 - np.arange(nodes, dtype=np.float64))

    @property
    def added(self) -> Flags:
        return np.array([node.added for node in self.nodes], dtype=bool)


def architecture(frame: PursuitFrame, probe: Probe | None = None) -> Scene:
    """The architecture of the frame's network: inputs at x = 0, hidden layer l at x = l, outputs at x = L.

    At most ``MOST_INPUTS`` inputs and outputs and ``MOST_NEURONS`` neurons of a layer are drawn, those with the
    largest weights and those just added; one more node stands for the rest, and its edges for the norm of all their
    weights. Edges weaker than ``FAINTEST`` of the largest weight of their matrix are left out, unless just added. A
    probe of what is learned knows what inputs and outputs are called, and which samples the neurons answer to.
    """
    weights = [np.asarray(weight, dtype=np.float64) for weight in frame.weights]
    if not weights:
        return Scene("Architecture", empty=_NO_NETWORK.get(frame.phase, _UNDER_WAY))
    columns, last = _columns(frame, weights, probe), len(weights)
    heights = np.concatenate([column.heights for column in columns])
    names = [_column_name(layer, last, column.size, frame.classes) for layer, column in enumerate(columns)]
    below = np.full(last + 1, heights.min() - 0.08)
    if last >= _CROWDED:  # what stands at the ends is longer
        below[[0, -1]] -= _LINE
    left, right = (
        _LETTER * max(max(len(node.label) for node in columns[end].nodes) + 1, (len(names[end]) + 1) / 2)
        for end in (0, -1)
    )
    across = last / (1 - left - right)
    new = [f"neuron {index + 1} of layer {layer}" for layer, index in frame.added]
    return Scene(
        "Architecture",
        (
            *_edges(weights, columns),
            *_nodes(columns),
            Texts("aside", np.arange(last + 1), below, texts=tuple(names), place="below"),
        ),
        Axis(low=-left * across, high=last + right * across, hidden=True),
        Axis(low=float(below.min()) - 0.1, high=float(heights.max()) + 0.05, hidden=True),
        notes=(_note(columns),),
        says=f"A network of {count(columns[0].size, 'input')}, hidden widths {widths(frame.widths)} and "
        f"{count(columns[-1].size, 'output')}" + (f"; just added: {', '.join(new)}" if new else ""),
    )


def _columns(frame: PursuitFrame, weights: list[Floats], probe: Probe | None) -> list[_Column]:
    names = names_of(weights, frame.classes, probe)
    norms_in = [np.linalg.norm(weight, axis=1) for weight in weights]
    norms_out = [np.linalg.norm(weight, axis=0) for weight in weights]
    inputs = [_Node(shortened(name), name, name, keys=(("input", index),)) for index, name in enumerate(names.inputs)]
    columns = [_column(norms_out[0], inputs, MOST_INPUTS)]
    active = None if probe is None else probe.active_shares(frame)
    for own, into, out in zip(neurons(frame), norms_in, norms_out[1:], strict=False):
        nodes = []
        for neuron in own:
            read = [f"norm in {number(float(into[neuron.place]))}, out {number(float(out[neuron.place]))}"]
            if active is not None:
                read.append(f"active on {percent(float(active[neuron.layer - 1][neuron.place]))} of the samples")
            if neuron.network:
                read.append(f"since network {neuron.network}")
            label, added = str(neuron.place + 1), (neuron.layer, neuron.place) in frame.added
            read_out = f"{neuron.name}: {', '.join(read)}"
            nodes.append(_Node(label, neuron.name, read_out, added, neuron.color, (neuron.key,)))
        # What a neuron can contribute is the product of what comes in and what goes out.
        columns.append(_column(into * out, nodes, MOST_NEURONS))
    # A node has room for the number of a class only.
    outputs = [_Node(short, name, name) for short, name in zip(names.short, names.outputs, strict=True)]
    return [*columns, _column(norms_in[-1], outputs, MOST_INPUTS)]


def _column(score: Floats, nodes: Sequence[_Node], most: int) -> _Column:
    size = len(nodes)
    if size <= most:
        return _Column(size, np.arange(size), tuple(nodes))
    old = np.array([not node.added for node in nodes])
    ranked = np.lexsort((np.arange(size), -score, old))
    shown = np.sort(ranked[: most - 1])
    rest = size - len(shown)
    others = _Node(f"+{rest:,}", f"{rest:,} more", f"{rest:,} more, with smaller weights")
    return _Column(size, shown, (*(nodes[index] for index in shown), others))


def _edges(weights: list[Floats], columns: list[_Column]) -> list[Mark]:
    # Strong edges last, so that faint ones do not cross them out.
    layers = enumerate(zip(weights, pairwise(columns), strict=True))
    found = [edge for layer, (weight, ends) in layers for edge in _edges_between(layer, weight, *ends)]
    edges = sorted(found, key=lambda edge: edge.strength)
    marks: list[Mark] = []
    for new in (False, True):
        for sign, name in ((1, "positive"), (-1, "negative"), (0, "many")):
            own = [edge for edge in edges if edge.sign == sign and edge.added == new]
            x, y = (np.array([getattr(edge, way) for edge in own]).reshape(-1, 2) for way in ("x", "y"))
            strengths, keys = np.array([edge.strength for edge in own]), tuple(edge.keys for edge in own)
            label = "" if not sign else ADDED if new else name
            marks.append(Edges(f"new {name}" if new and sign else name, x, y, label, strengths=strengths, keys=keys))
    dotted = [edge for edge in edges if edge.sign < 0 and (edge.strength >= _DOT_FROM or edge.added)][-_MOST_DOTS:]
    return [*marks, _dots("spot", edges[-_MOST_READ:], *_READ_AT), _dots("minus", dotted, _DOT_AT)]


def _dots(role: str, edges: Sequence[_Edge], *shares: float) -> Dots:
    """Dots on edges, so far along each, that read the weights."""
    ends = np.array([(edge.x, edge.y) for edge in edges] * len(shares), dtype=np.float64).reshape(-1, 2, 2)
    x, y = (ends[..., 0] + np.repeat(shares, len(edges))[:, None] * (ends[..., 1] - ends[..., 0])).T
    reads, keys = ([getattr(edge, name) for edge in edges] * len(shares) for name in ("read", "keys"))
    return Dots(role, x, y, reads=tuple(reads), keys=tuple(keys))


def _edges_between(layer: int, weight: Floats, below: _Column, above: _Column) -> Iterator[_Edge]:
    blocks = _with_rest(_with_rest(weight, below).T, above).T
    largest = float(np.abs(blocks).max())
    strengths = np.abs(blocks) / largest if largest > 0 else np.zeros_like(blocks)
    added = above.added[:, None] | below.added[None, :]
    heights = below.heights.tolist(), above.heights.tolist()
    for to, fro in np.argwhere((strengths >= FAINTEST) | (added & (blocks != 0))).tolist():
        many = to >= len(above.shown) or fro >= len(below.shown)
        yield _Edge(
            below.nodes[fro],
            above.nodes[to],
            (layer, layer + 1),
            (heights[0][fro], heights[1][to]),
            float(blocks[to, fro]),
            0.0 if many else float(np.sign(blocks[to, fro])),
            float(strengths[to, fro]),
        )


def _with_rest(weight: Floats, column: _Column) -> Floats:
    """The columns of ``weight`` that are shown, and one more with the norm of all others if there are others."""
    if len(column.shown) == column.size:
        return weight
    rest = np.delete(weight, column.shown, axis=1)
    return np.concatenate([weight[:, column.shown], np.linalg.norm(rest, axis=1, keepdims=True)], axis=1)


def _nodes(columns: list[_Column]) -> list[Mark]:
    last = len(columns) - 1
    nodes = [node for column in columns for node in column.nodes]
    x = np.repeat(np.arange(last + 1.0), [len(column.nodes) for column in columns])
    y = np.concatenate([column.heights for column in columns])
    inner, colored = (x > 0) & (x < last), np.array([bool(node.color) for node in nodes])
    added = np.array([node.added for node in nodes])

    def dots(role: str, chosen: Flags) -> Dots:
        own = [nodes[index] for index in np.flatnonzero(chosen)]
        tints = tuple(node.color for node in own) if role == "neuron" else ()
        reads, keys = tuple(node.read for node in own), tuple(node.keys for node in own)
        return Dots(role, x[chosen], y[chosen], reads=reads, keys=keys, tints=tints)

    def texts(role: str, place: str, chosen: Flags) -> Texts:
        own = tuple(nodes[index].label for index in np.flatnonzero(chosen))
        return Texts(role, x[chosen], y[chosen], texts=own, place=place)

    return [
        dots("neuron", colored),
        dots("new neuron", added),
        dots("rest", inner & ~colored),
        dots("end", ~inner),
        texts("words", "left", x == 0),
        texts("on neurons", "middle", colored),
        texts("words", "middle", inner & ~colored),
        texts("words", "right", x == last),
    ]


def _column_name(layer: int, last: int, size: int, classes: bool) -> str:
    if 0 < layer < last:
        return f"layer {layer}: {size:,}" if last < _CROWDED else f"{size:,}"
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
