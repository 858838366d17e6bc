"""The candidates: what the last search found, by layer or path, where the look-ahead took each, and which was taken."""

from __future__ import annotations

import math

import numpy as np

from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import count, number, span, typeset
from np_widgets.pictures.neurons import joined_with
from np_widgets.pictures.scene import Axis, Curve, Dots, Floats, Keys, Mark, Scene, upright
from np_widgets.pictures.ticks import SMALLEST, log_limits, round_limits

MOST_A_PLACE = 30
LOSS_LABEL = "look-ahead loss"
_HALF_WIDTH = 0.36


def candidates(frame: PursuitFrame) -> Scene:
    """The candidates of the frame's last search, at most ``MOST_A_PLACE`` of each layer or path.

    Each layer, and each path through several, has a place of width one, where they stand by falling NCF value; on the
    axis on the right, the loss where the look-ahead left each.
    """
    if not frame.candidates:
        return Scene("Candidates", empty=why_none(frame))
    paths = _paths(frame)
    x, shown, owners = [], [], []
    for place, path in enumerate(paths):
        own = _shown_of(path, frame)
        x += (place + _spread(len(own))).tolist()
        shown += own
        owners += [place] * len(own)
    found = [frame.candidates[index] for index in shown]
    notes = _decision(frame)
    if left_out := len(frame.candidates) - len(shown):
        notes.append(f"Not shown: {count(left_out, 'weaker candidate')}")
    if empty := [str(path[0]) for place, path in enumerate(paths) if place not in owners]:
        notes.append(f"No candidate in layer {', '.join(empty)}")
    if len({len(each.layers) for each in found}) > 1:
        notes.append("N of neurons and of paths of different length do not compare")
    values = np.array([each.value for each in found])
    low = round_limits(float(values.min()), float(values.max()))[0] if values.min() < 0 else 0.0
    high = round_limits(0.0, float(values.max()))[1] if values.max() > 0 else 1.0
    losses = _drawable(found)
    tried = bool(np.isfinite(losses).any())
    names = [_name(*path) for path in paths]
    taken = None if frame.taken is None else frame.candidates[frame.taken]
    return Scene(
        "Candidates",
        tuple(_marks(frame, shown, np.array(x), values, losses)),
        Axis("layers that would get a neuron", -0.5, len(paths) - 0.5, ticks=tuple(enumerate(map(_tick, paths)))),
        Axis("NCF value", low, high),
        Axis(LOSS_LABEL, *log_limits(losses), log=True) if tried else None,
        notes=tuple(notes),
        says=f"{count(len(frame.candidates), 'candidate')} in {', '.join(names)}; "
        + ("none is taken yet" if taken is None else f"{_taken(taken)}{_where(taken)}"),
    )


def why_none(frame: PursuitFrame) -> str:
    """Why a frame has no candidates."""
    if frame.finished is not None and frame.finished.kind in ("no_point", "optimal"):
        return typeset(frame.finished.message.partition(". ")[0].rstrip("."))
    return "No candidates yet: a search finds them"


def _marks(frame: PursuitFrame, shown: list[int], x: Floats, values: Floats, losses: Floats) -> list[Mark]:
    found = [frame.candidates[index] for index in shown]
    taken = None if frame.taken is None else frame.candidates[frame.taken]
    is_taken = np.array(shown) == frame.taken
    kkt = np.array([each.is_kkt_point for each in found])
    tried = np.isfinite(losses)
    reads = [_read(each) for each in found]
    # The one taken is what the newest neurons came from.
    newest = joined_with(frame, frame.iteration)
    keys: list[Keys] = [(("candidate", index), *(newest if index == frame.taken else ())) for index in shown]

    def dots(role: str, heights: Floats, chosen: Floats, label: str, right: bool = False) -> Dots:
        own = np.flatnonzero(chosen).tolist()
        texts, names = tuple(reads[index] for index in own), tuple(keys[index] for index in own)
        return Dots(role, x[chosen], heights[chosen], label, right, reads=texts, keys=names)

    points, others = int(kkt.sum()), int((~kkt).sum())
    return [
        Curve("stem", *upright(x, 0.0, values)),
        dots("point", values, kkt & ~is_taken, count(points, "KKT point")),
        dots("direction", values, ~kkt & ~is_taken, _unconverged(found, others)),
        dots("taken", values, is_taken, "" if taken is None else _taken(taken)),
        dots("look-ahead", losses, tried, LOSS_LABEL, True),
    ]


def _paths(frame: PursuitFrame) -> list[tuple[int, int]]:
    if any(candidate.layer == 0 for candidate in frame.candidates) or frame.iteration == 0:
        return [(0, frame.hidden_layers)]
    layers = [(layer, layer) for layer in range(1, frame.hidden_layers + 1)]
    longer = {(each.layer, each.last) for each in frame.candidates} - set(layers)
    return layers + sorted(longer, key=lambda path: (path[1] - path[0], path))


def _name(first: int, last: int) -> str:
    return f"layer{'s' * (first < last)} {span(first, last)}" if first else "origin"


def _tick(path: tuple[int, int]) -> str:
    return span(*path) if path[0] else "origin"


def _shown_of(path: tuple[int, int], frame: PursuitFrame) -> list[int]:
    """The indices of a path's candidates of largest value; the one taken is always among them."""
    own = [index for index, each in enumerate(frame.candidates) if (each.layer, each.last) == path]
    if path[0] == 0:
        own = [index for index, each in enumerate(frame.candidates) if each.layer == 0]
    own.sort(key=lambda index: -frame.candidates[index].value)
    kept = own[:MOST_A_PLACE]
    if frame.taken in own[MOST_A_PLACE:]:
        kept[-1] = frame.taken
    return kept


def _drawable(found: list[Candidate]) -> Floats:
    losses = np.array([np.nan if each.loss is None else each.loss for each in found], dtype=np.float64)
    return np.where(np.isfinite(losses), np.maximum(losses, SMALLEST), np.nan)


def _spread(count: int) -> Floats:
    # A few candidates stay near the middle of their place.
    reach = min(_HALF_WIDTH, 0.05 * max(count - 1, 0))
    return np.linspace(-reach, reach, count) if count > 1 else np.zeros(count)


def _unconverged(found: list[Candidate], others: int) -> str:
    worst = max((each.residual for each in found if not each.is_kkt_point), default=0.0)
    return f"{others:,} unconverged" + (f", residual ≤ {number(worst)}" if math.isfinite(worst) else "")


def _read(each: Candidate) -> str:
    after = "" if each.loss is None else f", look-ahead {_loss(each)}"
    place = _name(each.layer, each.last)
    return f"{place}: {_kind(each)}, N = {number(each.value)}, residual {number(each.residual)}{after}"


def _taken(taken: Candidate) -> str:
    return f"taken: {_kind(taken)}, N = {number(taken.value)}"


def _kind(candidate: Candidate) -> str:
    return "KKT point" if candidate.is_kkt_point else "unconverged"


def _decision(frame: PursuitFrame) -> list[str]:
    """What decided, from the losses and penalties that did."""
    tried = [each for each in frame.candidates if each.loss is not None]
    if frame.taken is None:
        if tried and frame.phase == "minimizing":
            return [f"The look-ahead tries {count(len(tried), 'candidate')}; losses so far"]
        return []
    taken = frame.candidates[frame.taken]
    if taken.loss is None or len(tried) < 2:
        return []
    other = min((each for each in tried if each is not taken), key=_score)
    notes = [
        f"Decided by the look-ahead: {number(taken.loss)} for the one taken, "
        f"{_loss(other)} for the best other (N = {number(other.value)}{_where(other)})"
    ]
    if _score(other) < _score(taken):
        notes.append("The other was given up on the way, when still others were lower")
    elif other.loss is not None and other.loss < taken.loss:
        notes.append(f"With its weight decay {number(_score(taken))} and {number(_score(other))}")
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
