"""The candidates: what the last search found, by layer, which was taken, and what decided."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.growth import Candidate, PursuitFrame
from np_widgets.pictures.labels import count, number, span
from np_widgets.pictures.limits import round_above, round_below
from np_widgets.pictures.loss import SMALLEST

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST_A_PLACE = 30
LOSS_LABEL = "loss after the look-ahead"
_HALF_WIDTH = 0.36


@dataclass(frozen=True)
class Candidates:
    """Candidates side by side: each layer, and each path through several, has a place of width one.

    Attributes
    ----------
    x
        Shape ``(c,)``: within its place, around the place's index, from left to right by falling value.
    values
        Shape ``(c,)``: the value of the neural correlation function, N.
    losses
        Shape ``(c,)``: the training loss where the look-ahead left each; NaN where it was not tried, or where its steps
        led out of the range of numbers. Zeros are drawn at :data:`~np_widgets.pictures.loss.SMALLEST`.
    kkt
        Shape ``(c,)``: which are KKT points; the others are directions near one.
    owners
        For each candidate the index of its place.
    chosen
        The index of the candidate that the current network got, or None.
    low, high
        The ends of the axis of losses, round numbers.
    points_label, directions_label, chosen_label, losses_label
        What stands beside each marker in a legend; empty where there is nothing of the kind.
    places
        The names of the places: ``"origin"``, or each layer and then the paths that have candidates.
    nothing
        Why there is none; empty if there are some.
    notes
        What decided, and what is left out or missing, in words.
    """

    x: Floats
    values: Floats
    losses: Floats
    kkt: Flags
    owners: tuple[int, ...]
    chosen: int | None
    low: float
    high: float
    points_label: str
    directions_label: str
    chosen_label: str
    losses_label: str
    places: tuple[str, ...]
    nothing: str
    notes: tuple[str, ...]


def candidates(frame: PursuitFrame) -> Candidates:
    """The candidates of the frame's last search, at most ``MOST_A_PLACE`` of each layer or path, best first."""
    at_origin = any(candidate.layer == 0 for candidate in frame.candidates) or frame.iteration == 0
    paths = [(0, frame.hidden_layers)] if at_origin else [(layer, layer) for layer in range(1, frame.hidden_layers + 1)]
    longer = {(each.layer, each.last) for each in frame.candidates} - set(paths)
    paths += sorted(longer, key=lambda path: (path[1] - path[0], path))
    x: list[float] = []
    shown: list[int] = []
    owners: list[int] = []
    for place, path in enumerate(paths):
        own = _shown_of(path, frame)
        x += (place + _spread(len(own))).tolist()
        shown += own
        owners += [place] * len(own)
    found = [frame.candidates[index] for index in shown]
    points = sum(each.is_kkt_point for each in found)
    losses = _drawable(found)
    drawn = losses[np.isfinite(losses)]
    notes = _decision(frame)
    if left_out := len(frame.candidates) - len(shown):
        notes.append(f"not shown: {count(left_out, 'weaker candidate')}")
    if owners and (empty := [str(path[0]) for place, path in enumerate(paths) if place not in owners]):
        notes.append(f"no candidate in layer {', '.join(empty)}")
    if len({len(each.layers) for each in found}) > 1:
        notes.append("N of neurons and of paths of different length do not compare")
    return Candidates(
        x=np.array(x, dtype=np.float64),
        values=np.array([each.value for each in found], dtype=np.float64),
        losses=losses,
        kkt=np.array([each.is_kkt_point for each in found], dtype=bool),
        owners=tuple(owners),
        chosen=None if frame.taken is None else shown.index(frame.taken),
        points_label=count(points, "KKT point") if points else "",
        directions_label=_directions(found),
        chosen_label="" if frame.taken is None else _taken(frame.candidates[frame.taken]),
        low=round_below(float(drawn.min()) / 1.1) if len(drawn) else 0.1,
        high=round_above(float(drawn.max()) * 1.1) if len(drawn) else 1.0,
        losses_label=LOSS_LABEL if len(drawn) else "",
        places=("origin",) if at_origin else tuple(_name(*path) for path in paths),
        nothing="" if found else _nothing(frame),
        notes=tuple(notes),
    )


def _name(first: int, last: int) -> str:
    return f"layer{'s' * (first < last)} {span(first, last)}"


def _shown_of(path: tuple[int, int], frame: PursuitFrame) -> list[int]:
    """The indices of a path's candidates of largest value; the one taken is always among them."""
    own = [index for index, each in enumerate(frame.candidates) if (each.layer, each.last) == path]
    own.sort(key=lambda index: -frame.candidates[index].value)
    shown = own[:MOST_A_PLACE]
    if frame.taken in own[MOST_A_PLACE:]:
        shown[-1] = frame.taken
    return shown


def _drawable(found: list[Candidate]) -> Floats:
    losses = np.array([np.nan if each.loss is None else each.loss for each in found], dtype=np.float64)
    return np.where(np.isfinite(losses), np.maximum(losses, SMALLEST), np.nan)


def _spread(count: int) -> Floats:
    # A few candidates stay near the middle of their place.
    reach = min(_HALF_WIDTH, 0.05 * max(count - 1, 0))
    return np.linspace(-reach, reach, count) if count > 1 else np.zeros(count)


def _nothing(frame: PursuitFrame) -> str:
    ended = frame.finished is not None and frame.finished.kind == "no_point"
    return "None: no KKT point has a positive value." if ended else "None yet: a search finds them."


def _directions(found: list[Candidate]) -> str:
    residuals = [each.residual for each in found if not each.is_kkt_point]
    if not residuals:
        return ""
    named = count(len(residuals), "candidate direction")
    return f"{named}, residual up to {number(max(residuals))}" if math.isfinite(max(residuals)) else named


def _taken(taken: Candidate) -> str:
    kind = "KKT point" if taken.is_kkt_point else "direction"
    return f"taken: {kind} with N = {number(taken.value)}"


def _decision(frame: PursuitFrame) -> list[str]:
    """What decided, from the losses and penalties that did."""
    tried = [each for each in frame.candidates if each.loss is not None]
    if frame.taken is None:
        if tried and frame.phase == "minimizing":
            return [f"the look-ahead tries {count(len(tried), 'candidate')}; losses so far"]
        return []
    taken = frame.candidates[frame.taken]
    if taken.loss is None or len(tried) < 2:
        return []
    other = min((each for each in tried if each is not taken), key=_score)
    notes = [
        f"decided by the look-ahead: {number(taken.loss)} for the one taken, "
        f"{_loss(other)} for the best other (N = {number(other.value)}{_where(other)})"
    ]
    if _score(other) < _score(taken):
        notes.append("the other was given up on the way, when still others were lower")
    elif other.loss is not None and other.loss < taken.loss:
        notes.append(f"with its weight decay {number(_score(taken))} and {number(_score(other))}")
    return notes


def _score(candidate: Candidate) -> float:
    if candidate.loss is None or candidate.penalty is None:
        return math.inf
    return candidate.loss + candidate.penalty


def _loss(candidate: Candidate) -> str:
    assert candidate.loss is not None
    return number(candidate.loss) if math.isfinite(candidate.loss) else "no finite loss"


def _where(candidate: Candidate) -> str:
    return f", {_name(candidate.layer, candidate.last)}" if candidate.layer else ""
