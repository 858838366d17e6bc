"""The dormant neurons of one hidden layer as directions in a plane, each on its trail towards a KKT point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.saddles.frames import Destination, SaddleFrame
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.stages import NOTHING_YET, Stage, point, spread, stage_at, stages

Floats = NDArray[np.float64]

MOST_NEURONS = 40
MOST_KKT_POINTS = 12
_MOST_STEPS = 200
# Two directions with a smaller sine between them span no plane that shows anything.
_FLAT = 0.1


@dataclass(frozen=True, eq=False)
class Trail:
    """The way of one neuron's unit direction since the saddle was reached.

    Attributes
    ----------
    neuron
        ``(layer, index)``.
    x, y
        Shape ``(q,)``: its coordinates in the plane; the last is where it points at the time shown.
    goal
        The row of the KKT point that it is predicted to go to, or None.
    """

    neuron: tuple[int, int]
    x: Floats
    y: Floats
    goal: int | None


@dataclass(frozen=True, eq=False)
class Plane:
    """Unit directions projected to a plane: on the unit circle lies what is in the plane, inside it what is not.

    A neuron's direction are its incoming weights from the inputs or the active neurons below and its outgoing weights
    to the outputs or the active neurons above, together of norm one. Near the origin of a network with more than one
    hidden layer there are no active neurons: its first layer shows incoming weights only, its last one outgoing only.

    Attributes
    ----------
    layer
        The hidden layer shown, from 1 to L−1; 0 if none can be.
    layers
        Those that can be: with dormant neurons, and something active or given below or above.
    trails
        One for each dormant neuron, at most the ``MOST_NEURONS`` largest.
    leader
        The row of the largest of them at the time shown, or None.
    points_x, points_y
        Shape ``(d,)``: the KKT points of the layer; the first lies at (1, 0).
    point_values
        Shape ``(d,)``: their values N*.
    point_visited
        Shape ``(d,)``: whether a neuron is predicted to go there.
    x_label, y_label
        What the axes are.
    note
        What is left out, in words; empty if nothing is.
    empty
        Why there is nothing to see, in words; empty if there is.
    """

    layer: int
    layers: tuple[int, ...]
    trails: tuple[Trail, ...]
    leader: int | None
    points_x: Floats
    points_y: Floats
    point_values: Floats
    point_visited: NDArray[np.bool_]
    x_label: str
    y_label: str
    note: str
    empty: str


def plane(frame: SaddleFrame, index: int | None = None, layer: int | None = None) -> Plane:
    """The directions of one hidden layer at the saddle that belongs to the time of point ``index`` of the record.

    Where a saddle was just reached and its KKT points are not known yet, the way to it is shown.

    The first axis is the KKT point of largest value that a neuron of the layer is predicted to go to (without such a
    prediction, the one of largest value), the second the next such point that is not parallel to it, made orthogonal.
    With only one, the second axis is the main component of the neurons' directions at the start that is orthogonal to
    the first.

    Parameters
    ----------
    frame
        Needs its history of weights.
    index
        The point of the record at which the time slider stands; by default the newest.
    layer
        From 1 to L−1; by default the layer of the best KKT point among those that can be shown.

    Raises
    ------
    TypeError, ValueError
        If there is no such layer or index.
    """
    hidden = len(frame.weights) - 1
    if layer is not None:
        layer = arguments.whole("layer", layer, 1, hidden)
    here = point(frame, index)
    if here < 0:
        return _nothing(layer or 0, (), NOTHING_YET)
    stage = _shown_stage(frame, here)
    layers = tuple(own for own in range(1, hidden + 1) if _rows(frame, stage, own).size and any(_sizes(stage, own)))
    destinations = () if stage.prediction is None else stage.prediction.destinations
    if layer is None:
        wanted = [_home(destination) for destination in destinations]
        layer = next((own for own in [*wanted, *layers] if own in layers), 0)
    if layer not in layers:
        return _nothing(layer, layers, _why_not(frame, stage, layer))
    if stage.prediction is None:
        return _nothing(layer, layers, "KKT points are not known yet: a search finds them")
    rows = _rows(frame, stage, layer)
    goals = np.full(len(frame.record.neurons), -1)
    goals[: len(stage.prediction.neuron_destination)] = stage.prediction.neuron_destination
    owners = [index for index, found in enumerate(destinations) if _direction(found, layer, hidden) is not None]
    # Where neurons go to comes first; the search has put the best in front.
    owners.sort(key=lambda owner: owner not in goals[rows])
    if not owners:
        return _nothing(layer, layers, f"No KKT point in layer {layer}: its neurons have no direction to go to")
    return _drawn(frame, stage, here, layer, layers, rows, goals, owners)


def _shown_stage(frame: SaddleFrame, here: int) -> Stage:
    stage = stage_at(frame, here)
    just_reached = stage.number > 0 and stage.prediction is None and here == stage.first
    return stages(frame)[stage.number - 1] if just_reached else stage


def _drawn(
    frame: SaddleFrame,
    stage: Stage,
    here: int,
    layer: int,
    layers: tuple[int, ...],
    rows: NDArray[np.int64],
    goals: NDArray[np.int64],
    owners: list[int],
) -> Plane:
    assert stage.prediction is not None
    destinations = stage.prediction.destinations
    left_out = max(len(rows) - MOST_NEURONS, 0)
    shown = owners[:MOST_KKT_POINTS]
    visited = np.isin(shown, goals[rows])
    size = np.nan_to_num(frame.record.neuron_norm)
    peaks = size[stage.first : stage.last, rows].max(axis=0, initial=0.0)
    rows = rows[np.sort(np.argsort(-peaks, kind="stable")[:MOST_NEURONS])]
    indices = [frame.record.neurons[row][1] for row in rows]
    moments = spread(stage.first, max(here + 1, stage.first + 1), _MOST_STEPS)
    directions = _directions(frame, stage, layer, indices, moments)
    points = np.array([_direction(destinations[owner], layer, len(frame.weights) - 1) for owner in owners])
    first, second, second_is_point = _axes(points, directions[0])
    x, y = directions @ first, directions @ second
    notes = [f"Not shown: {count(left_out, 'smaller neuron')}"] if left_out else []
    if len(owners) > len(shown):
        notes.append(f"{len(shown)} of {len(owners)} KKT points")
    return Plane(
        layer=layer,
        layers=layers,
        trails=tuple(
            Trail(
                frame.record.neurons[row],
                x[:, column],
                y[:, column],
                shown.index(goals[row]) if goals[row] in shown else None,
            )
            for column, row in enumerate(rows)
        ),
        leader=int(np.argmax(size[here, rows])),
        points_x=(points @ first)[: len(shown)],
        points_y=(points @ second)[: len(shown)],
        point_values=np.array([destinations[owner].value for owner in shown]),
        point_visited=visited,
        x_label=f"towards the KKT point with N* = {number(destinations[owners[0]].value)}",
        y_label="towards the next KKT point" if second_is_point else "main spread at the start",
        note="; ".join(notes),
        empty="",
    )


def _axes(points: Floats, starts: Floats) -> tuple[Floats, Floats, bool]:
    """Two orthonormal directions, and whether the second comes from a KKT point; zero if there is no second."""
    first = points[0]
    rest = points[1:] - np.outer(points[1:] @ first, first)
    lengths = np.linalg.norm(rest, axis=1)
    if (apart := np.flatnonzero(lengths > _FLAT)).size:
        return first, rest[apart[0]] / lengths[apart[0]], True
    rest = starts - np.outer(starts @ first, first)
    if not np.linalg.norm(rest) > _FLAT:
        return first, np.zeros_like(first), False
    second = np.linalg.svd(rest, full_matrices=False)[2][0]
    # Which of the two signs the decomposition gives is left to chance.
    return first, second * (1.0 if second[np.argmax(np.abs(second))] > 0 else -1.0), False


def _directions(frame: SaddleFrame, stage: Stage, layer: int, neurons: list[int], moments: NDArray[np.int64]) -> Floats:
    """Unit directions, of shape ``(times, neurons, size)``; zero where a neuron has no weights in it."""
    below, above = _ends(frame, stage, layer)
    incoming = np.stack([frame.history[moment][layer - 1] for moment in moments])[:, neurons][:, :, below]
    outgoing = np.stack([frame.history[moment][layer] for moment in moments])[:, above][:, :, neurons]
    both = np.concatenate([incoming, outgoing.transpose(0, 2, 1)], axis=2)
    lengths = np.linalg.norm(both, axis=2, keepdims=True)
    return np.divide(both, lengths, out=np.zeros_like(both), where=lengths > 0)


def _ends(frame: SaddleFrame, stage: Stage, layer: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the inputs or neurons below, and of the neurons or outputs above, a direction refers to."""
    below = stage.active[layer - 2] if layer > 1 else np.ones(frame.weights[0].shape[1], dtype=bool)
    above = stage.active[layer] if layer < len(stage.active) else np.ones(len(frame.weights[-1]), dtype=bool)
    return below, above


def _sizes(stage: Stage, layer: int) -> tuple[bool, bool]:
    """Whether a direction of that layer has incoming and outgoing weights at all."""
    return layer == 1 or bool(stage.active[layer - 2].any()), (
        layer == len(stage.active) or bool(stage.active[layer].any())
    )


def _home(destination: Destination) -> int:
    """A point at the origin has a neuron in every layer; the first is the one with all inputs."""
    return destination.layer or 1


def _direction(destination: Destination, layer: int, hidden: int) -> Floats | None:
    """What a neuron of that layer looks like at a KKT point: a unit vector, or None if it has no neuron there."""
    if destination.layer == layer:
        both = np.concatenate([destination.incoming, destination.outgoing])
    elif destination.layer == 0 and layer in (1, hidden):
        both = destination.incoming if layer == 1 else destination.outgoing
    else:
        return None
    length = float(np.linalg.norm(both))
    return both / length if length > 0 else None


def _rows(frame: SaddleFrame, stage: Stage, layer: int) -> NDArray[np.int64]:
    """Where in the record the dormant neurons of a layer stand."""
    return np.array(
        [row for row, (own, _) in enumerate(frame.record.neurons) if own == layer and stage.dormant[row]],
        dtype=np.int64,
    )


def _why_not(frame: SaddleFrame, stage: Stage, layer: int) -> str:
    if layer and _rows(frame, stage, layer).size:
        return f"No plane for layer {layer}: neither below nor above it is anything active yet"
    return f"No dormant neuron in layer {layer}" if layer else "No dormant neuron left"


def _nothing(layer: int, layers: tuple[int, ...], sentence: str) -> Plane:
    none = np.zeros(0)
    return Plane(layer, layers, (), None, none, none, none, np.zeros(0, dtype=bool), "", "", "", sentence)
