"""What is selected, set off in every picture: a ring, a broad line beneath, a frame, and its share of the function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from np_widgets import arguments
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.function import learned, outlines
from np_widgets.pictures.labels import number
from np_widgets.pictures.probe import Probe
from np_widgets.pictures.scene import Area, Cells, Curve, Dots, Edges, Floats, Key, Keys, Mark, Scene, joined
from np_widgets.pictures.ticks import round_limits_of

# Nothing to look at, or looked at as part of something else.
_NOT_RINGED = ("spot", "minus")
# A neuron matters where it changes the output by more than this share of the most that it does.
_MATTERS = 1e-3


def checked(selected: Any, frame: PursuitFrame, own: bool = False) -> Key | None:
    """The key of a neuron or a candidate of the frame, or of one that is made; None for nothing."""
    if selected is None:
        return None
    made = ', ("own", layer)' if own else ""
    wanted = f'selected must be ("neuron", layer, index), ("candidate", index){made} or None'
    found = tuple(selected) if isinstance(selected, (tuple, list)) else ()
    if not found or not isinstance(found[0], str):
        raise TypeError(f"{wanted}, got {arguments.shown(selected)}")
    if found not in selectable(frame, own):
        what = f"there are {sum(frame.widths)} neurons and {len(frame.candidates)} candidates"
        raise ValueError(f"{wanted} (layers count from 1, indices from 0; {what}), got {arguments.shown(selected)}")
    return found


def selectable(frame: PursuitFrame, own: bool = False) -> list[Key]:
    """What can be selected in a frame: its neurons by layers, neurons of one's ``own`` to be made, its candidates."""
    neurons = [("neuron", layer, index) for layer, width in enumerate(frame.widths, 1) for index in range(width)]
    made = [("own", layer) for layer in range(1, len(frame.widths) + 1) if own]
    return [*neurons, *made, *(("candidate", index) for index in range(len(frame.candidates)))]


def named(key: Key) -> str:
    """What is selected, in words."""
    if key[0] == "neuron":
        return f"neuron {int(key[2]) + 1} of layer {key[1]}"
    if key[0] == "own":
        return f"your own neuron of layer {key[1]}"
    return f"{key[0]} {int(key[1]) + 1}"


def highlighted(scene: Scene, selected: Key | None) -> Scene:
    """The scene with all that stands for what is selected set off; as it is if nothing does."""
    if selected is None:
        return scene
    found: dict[tuple[str, bool], Mark] = {}
    for mark in (new for each in scene.marks for new in _set_off(each, selected)):
        place = mark.role, mark.right
        found[place] = _together(found[place], mark) if place in found else mark
    if not (marks := tuple(found.values())):
        return scene
    return replace(scene, marks=scene.marks + marks, says=f"{scene.says}; selected: {named(selected)}")


def with_share(scene: Scene, frame: PursuitFrame, probe: Probe, selected: Key | None, output: int | None) -> Scene:
    """A picture of the function with what it would lose without the selected neuron."""
    if selected is None or selected[0] != "neuron" or probe.kind not in ("hypercube", "curve", "regions"):
        return scene
    whole, rest = learned(frame, probe, probe.points), learned(_without(frame, selected), probe, probe.points)
    if whole is None or rest is None:
        return scene
    place = (1 if probe.classes and probe.outputs == 2 else 0) if output is None else output
    share = whole - rest
    if probe.kind == "regions":
        x, y = probe.axes
        size = np.abs(share).max(axis=1) if probe.classes else np.abs(share[:, place])
        most = float(size.max())
        around = outlines(x, y, [size], [_MATTERS * most])
        mark, says = Curve("share", *around, f"where {named(selected)} matters"), f"by up to {number(most)}"
    else:
        mark = Curve("share", probe.axes[0], share[:, place], f"share of {named(selected)}")
        low, high = round_limits_of(np.array([scene.y.low, scene.y.high]), share[:, place])
        scene = replace(scene, y=replace(scene.y, low=low, high=high))
        says = f"from {number(float(share[:, place].min()))} to {number(float(share[:, place].max()))}"
    return replace(scene, marks=(*scene.marks, mark), says=f"{scene.says}; {named(selected)} changes it {says}")


def _without(frame: PursuitFrame, neuron: Key) -> PursuitFrame:
    layer, index = int(neuron[1]), int(neuron[2])
    weights = [weight.copy() for weight in frame.weights]
    weights[layer][:, index] = 0.0
    return replace(frame, weights=tuple(weights))


def _set_off(mark: Mark, selected: Key) -> Iterator[Mark]:
    chosen = _chosen(mark.keys, selected)
    label = f"selected: {named(selected)}"
    if isinstance(mark, Cells):
        across = _chosen(mark.across, selected)
        around = [_around(mark, slice(row, row + 1), slice(None)) for row in chosen]
        around += [_around(mark, slice(None), slice(column, column + 1)) for column in across]
        if around:
            yield Curve("selected frame", *joined(around), label)
    elif not chosen or mark.role in _NOT_RINGED:
        return
    elif isinstance(mark, Edges):
        yield Edges("selected edges", mark.x[chosen], mark.y[chosen], strengths=mark.strengths[chosen])
    elif isinstance(mark, Area):
        yield Curve("selected frame", *joined(zip(mark.x[chosen], mark.y[chosen], strict=True)), label, mark.right)
    elif isinstance(mark, Dots):
        # A ring lies over its dot, and takes the pointer from it.
        reads = tuple(mark.reads[member] for member in chosen) if mark.reads else ()
        keys = tuple(mark.keys_of(member) for member in chosen)
        yield Dots("selected", mark.x[chosen], mark.y[chosen], label, mark.right, reads=reads, keys=keys)
    elif isinstance(mark, Curve):
        yield Curve("selected line", mark.x, mark.y, label, mark.right)


def _together(one: Any, other: Any) -> Mark:
    """Two marks of one role and axis as one: a role is drawn once."""
    if isinstance(one, Curve):
        x, y = joined([(one.x, one.y), (other.x, other.y)])
        return replace(one, x=x, y=y)
    names = ["x", "y", *(("strengths",) if isinstance(one, Edges) else ())]
    arrays: dict[str, Any] = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names}
    if isinstance(one, Dots):
        bare = not (one.reads and other.reads)
        arrays |= {"keys": one.keys + other.keys, "reads": () if bare else one.reads + other.reads}
    return replace(one, **arrays)


def _chosen(keys: Sequence[Keys], selected: Key) -> list[int]:
    return [member for member, own in enumerate(keys) if selected in own]


def _around(cells: Cells, rows: slice, columns: slice) -> tuple[Floats, Floats]:
    x, y = cells.x[columns], cells.y[rows]
    left, right, low, high = x.min() - 0.5, x.max() + 0.5, y.min() - 0.5, y.max() + 0.5
    return np.array([left, right, right, left, left]), np.array([low, low, high, high, low])
