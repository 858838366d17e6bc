"""The dormant neurons of one hidden layer as directions in a plane, each on its trail towards a KKT point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.learning.saddles.frames import Destination, SaddleFrame
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.scene import Axis, Curve, Dots, Floats, Key, Mark, Scene, joined
from np_widgets.pictures.stages import NOTHING_YET, Stage, point, spread, stage_at, stages

MOST_NEURONS = 40
MOST_KKT_POINTS = 12
_MOST_STEPS = 200
# Two directions with a smaller sine between them span no plane that shows anything.
_FLAT = 0.1
_LIMIT = 1.12
_AROUND = np.linspace(0.0, 2 * np.pi, 121)
_TITLE = "Directions in a plane"


def plane(frame: SaddleFrame, index: int | None = None, layer: int | None = None) -> Scene:
    """The directions of one hidden layer at the saddle that belongs to the time of point ``index`` of the record.

    A neuron's direction are its incoming weights from the inputs or the active neurons below and its outgoing weights
    to the outputs or the active neurons above, together of norm one. Near the origin of a network with more than one
    hidden layer there are no active neurons: its first layer shows incoming weights only, its last one outgoing only.
    On the unit circle lies what is in the plane, inside it what is not.

    The first axis is the KKT point of largest value that a neuron of the layer is predicted to go to (without such a
    prediction, the one of largest value), the second the next such point that is not parallel to it, made orthogonal.
    With only one, the second axis is the main component of the neurons' directions at the start that is orthogonal to
    the first. Where a saddle was just reached and its KKT points are not known yet, the way to it is shown.

    ``layer`` is from 1 to L−1; by default the layer of the best KKT point among those that can be shown.
    """
    hidden = len(frame.weights) - 1
    if layer is not None:
        layer = arguments.whole("layer", layer, 1, hidden)
    here = point(frame, index)
    if here < 0:
        return Scene(_TITLE, empty=NOTHING_YET, equal=True)
    stage = _shown_stage(frame, here)
    layers = tuple(own for own in range(1, hidden + 1) if _rows(frame, stage, own).size and any(_sizes(stage, own)))
    layer = best_layer(frame, index) if layer is None else layer
    if layer not in layers:
        return Scene(_TITLE, empty=_why_not(frame, stage, layer), equal=True)
    if stage.prediction is None:
        return Scene(_TITLE, empty="KKT points are not known yet: a search finds them", equal=True)
    rows = _rows(frame, stage, layer)
    goals, owners = _goals(frame, stage, layer, rows)
    if not owners:
        why = f"No KKT point in layer {layer}: its neurons have no direction to go to"
        return Scene(_TITLE, empty=why, equal=True)
    return _drawn(frame, stage, here, layer, rows, goals, owners)


def direction_at(frame: SaddleFrame, layer: int, x: float, y: float) -> tuple[Floats, Floats]:
    """The incoming and outgoing weights of the direction at a place of the plane that is shown of a flow's start."""
    stage = _shown_stage(frame, 0)
    rows = _rows(frame, stage, layer)
    _, owners = _goals(frame, stage, layer, rows)
    *_, first, second, _ = _plane(frame, stage, layer, _largest(frame, stage, rows), owners, np.array([stage.first]))
    below = int(_ends(frame, stage, layer)[0].sum())
    both = x * first + y * second
    return both[:below], both[below:]


def best_layer(frame: SaddleFrame, index: int | None = None) -> int:
    """The hidden layer of the best KKT point among those that can be shown; 0 if none can be."""
    here = point(frame, index)
    if here < 0:
        return 0
    stage = _shown_stage(frame, here)
    hidden = range(1, len(frame.weights))
    layers = [own for own in hidden if _rows(frame, stage, own).size and any(_sizes(stage, own))]
    # A point at the origin has a neuron in every layer; the first is the one with all inputs.
    wanted = [] if stage.prediction is None else [found.layer or 1 for found in stage.prediction.destinations]
    return next((own for own in [*wanted, *layers] if own in layers), 0)


def _shown_stage(frame: SaddleFrame, here: int) -> Stage:
    stage = stage_at(frame, here)
    just_reached = stage.number > 0 and stage.prediction is None and here == stage.first
    return stages(frame)[stage.number - 1] if just_reached else stage


def _drawn(
    frame: SaddleFrame,
    stage: Stage,
    here: int,
    layer: int,
    rows: NDArray[np.int64],
    goals: NDArray[np.int64],
    owners: list[int],
) -> Scene:
    assert stage.prediction is not None
    destinations = stage.prediction.destinations
    left_out = max(len(rows) - MOST_NEURONS, 0)
    size, rows = np.nan_to_num(frame.record.neuron_norm), _largest(frame, stage, rows)
    moments = spread(stage.first, max(here + 1, stage.first + 1), _MOST_STEPS)
    directions, points, first, second, second_is_point = _plane(frame, stage, layer, rows, owners, moments)
    # Where a flow starts is the user's choice.
    moves = "freely" if here == 0 else ""
    leader = int(np.argmax(size[here, rows]))
    values = [destinations[owner].value for owner in owners[:MOST_KKT_POINTS]]
    more = ", …" if len(values) > 3 else ""
    up = "towards the next KKT point" if second_is_point else "main spread at the start"
    notes = [
        f"Layer {layer} · KKT points N* = {', '.join(number(value) for value in values[:3])}{more}",
        f"→ towards the KKT point with N* = {number(values[0])}",
        f"↑ {up}",
        f"Not shown: {count(left_out, 'smaller neuron')}" if left_out else "",
        f"{len(values)} of {len(owners)} KKT points" if len(owners) > len(values) else "",
        "The start: drag a neuron, and the flow starts over from there" if moves else "",
    ]
    visited = np.isin(owners[: len(values)], goals[rows])
    keys: list[Key] = [("dormant", *frame.record.neurons[row]) for row in rows]
    names = [f"neuron {int(key[2]) + 1}" for key in keys]
    axis = Axis(low=-_LIMIT, high=_LIMIT, hidden=True)
    return Scene(
        _TITLE,
        (
            *_trails(directions @ first, directions @ second, leader, names, keys, moves),
            *_points(points[: len(values)] @ first, points[: len(values)] @ second, visited, values),
            Curve("circle", np.cos(_AROUND), np.sin(_AROUND)),
            Curve("grid", *joined([([-1, 1], [0, 0]), ([0, 0], [-1, 1])])),
        ),
        axis,
        axis,
        notes=tuple(notes),
        says=f"{count(len(rows), 'dormant neuron')} of layer {layer} as directions, {names[leader]} the largest, and "
        f"{count(len(values), 'KKT point')}",
        equal=True,
    )


def _trails(x: Floats, y: Floats, leader: int, names: list[str], keys: list[Key], moves: str) -> list[Mark]:
    """Trails of shape ``(times, neurons)``, each with a head where its neuron points at the time shown."""
    others = [column for column in range(x.shape[1]) if column != leader]
    reads, own = tuple(names[column] for column in others), tuple((keys[column],) for column in others)
    name, key = (names[leader],), ((keys[leader],),)
    return [
        Curve("leading trail", *joined([(x[:, leader], y[:, leader])])),
        Dots("leader", x[-1:, leader], y[-1:, leader], "largest neuron", reads=name, keys=key, moves=moves),
        Curve("trail", *joined((x[:, column], y[:, column]) for column in others)),
        Dots("head", x[-1, others], y[-1, others], "other neurons", reads=reads, keys=own, moves=moves),
    ]


def _points(x: Floats, y: Floats, visited: NDArray[np.bool_], values: list[float]) -> list[Mark]:
    marks = []
    for role, chosen, label in (
        ("goal", visited, "KKT point that neurons go to"),
        ("other point", ~visited, "other KKT point"),
    ):
        reads = tuple(f"KKT point, N* = {number(values[index])}" for index in np.flatnonzero(chosen))
        marks.append(Dots(role, x[chosen], y[chosen], label, reads=reads))
    return list(marks)


def _goals(
    frame: SaddleFrame, stage: Stage, layer: int, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[int]]:
    """Where each neuron of the record goes to, and the KKT points to show, those first that neurons go to."""
    assert stage.prediction is not None
    goals = np.full(len(frame.record.neurons), -1)
    goals[: len(stage.prediction.neuron_destination)] = stage.prediction.neuron_destination
    seen = [each.seen_from(layer) for each in stage.prediction.destinations]
    owners = [index for index, parts in enumerate(seen) if any(part is not None for part in parts)]
    # The search has put the best in front.
    owners.sort(key=lambda owner: owner not in goals[rows])
    return goals, owners


def _largest(frame: SaddleFrame, stage: Stage, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The neurons that become largest, as many as can be shown."""
    sizes = np.nan_to_num(frame.record.neuron_norm)[stage.first : stage.last, rows].max(axis=0, initial=0.0)
    return rows[np.sort(np.argsort(-sizes, kind="stable")[:MOST_NEURONS])]


def _plane(
    frame: SaddleFrame,
    stage: Stage,
    layer: int,
    rows: NDArray[np.int64],
    owners: list[int],
    moments: NDArray[np.int64],
) -> tuple[Floats, Floats, Floats, Floats, bool]:
    """Directions of neurons at some moments, of KKT points, and the axes of the plane."""
    assert stage.prediction is not None
    directions = _directions(frame, stage, layer, [frame.record.neurons[row][1] for row in rows], moments)
    points = np.array([_direction(stage.prediction.destinations[owner], layer, frame, stage) for owner in owners])
    return directions, points, *_axes(points, directions[0])


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


def _direction(destination: Destination, layer: int, frame: SaddleFrame, stage: Stage) -> Floats:
    """What a neuron of that layer looks like at a KKT point: a unit vector of what leads from and to active neurons."""
    counts = [frame.weights[0].shape[1], *(int(flags.sum()) for flags in stage.active), frame.weights[-1].shape[0]]
    sizes = counts[layer - 1], counts[layer + 1]
    found = destination.seen_from(layer)
    both = np.concatenate([np.zeros(size) if part is None else part for part, size in zip(found, sizes, strict=True)])
    return np.asarray(both / max(float(np.linalg.norm(both)), np.finfo(float).tiny))


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
