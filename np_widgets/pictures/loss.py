"""The loss as a staircase: one stair a network, its steps from left to right, on a log scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import count, number, span, widths
from np_widgets.pictures.neurons import joined_with
from np_widgets.pictures.scene import Axis, Curve, Dots, Floats, Mark, Scene, Texts, apart, spots, upright
from np_widgets.pictures.stages import along, spread
from np_widgets.pictures.ticks import SMALLEST, log_limits, round_below

# So many letters fit under, or along, the axis.
_LETTERS = 60
# Below the last level that missed the target the axis goes on for so much; what has met it is drawn at its end.
_BELOW_THE_LEVELS = 20.0
# What a network's loss rises to beside that of the one before, to be spoken of.
_CLIMBS = 2.0


@dataclass(frozen=True)
class _Stair:
    """One network: where its training began and how long it was, and what it came to."""

    first: int
    steps: int
    widths: tuple[int, ...]
    joined: str
    loss: float
    test_loss: float | None
    over: bool


def loss(frame: PursuitFrame) -> Scene:
    """The loss of a frame; losses that are not finite are left out, tiny ones drawn at :data:`SMALLEST`.

    All networks have the same room, however many steps each took: else the slowest one would be all that is seen.
    """
    stairs = _stairs(frame)
    if not stairs or (not len(frame.trace_steps) and frame.loss is None):
        return Scene("Loss", empty="No step taken yet")
    x, losses, owners = _trace(frame, stairs)
    levels = np.array([stair.loss for stair in stairs])
    tests = [(number + 1.0, stair.test_loss) for number, stair in enumerate(stairs) if stair.test_loss is not None]
    test_x, test_losses = _drawable(*np.array(tests, dtype=np.float64).reshape(-1, 2).T)
    low, high = log_limits(losses, test_losses)
    met = frame.finished is not None and frame.finished.kind == "target"
    if met:
        before = levels[:-1] if len(levels) > 1 else losses[:1]
        floor = round_below(float(np.nanmin(np.maximum(before, SMALLEST))) / _BELOW_THE_LEVELS)
        low = max(low, floor) if floor < high else low
        met = bool(len(losses)) and low > losses.min()
    inside = np.maximum(losses, low)
    marks: list[Mark] = [Curve("learned", x, inside, "training")]
    marks += [Curve("test", test_x, np.maximum(test_losses, low), "test"), *_best(frame, low)]
    # Room for the names of layers above everything, and for what stands under the lowest level.
    bottom, top = low / (high / low) ** 0.16, high * (high / low) ** 0.2
    marks += [_levels(stairs, low), *_additions(frame, stairs, x, inside, (low, high, top))]
    tested = np.ceil(test_x).astype(np.int64) - 1
    marks.append(
        spots(
            _read(stairs, "loss", x, losses, owners, low),
            _read(stairs, "test loss", test_x, test_losses, tested, low),
        )
    )
    y = Axis("loss", bottom, top, log=True)
    notes = []
    if met:
        y = replace(y, ticks=((math.log10(low), "target"), *(tick for tick in y.all_ticks if 10 ** tick[0] > 2 * low)))
        target = "" if frame.target_loss is None else f", {number(frame.target_loss)},"
        notes.append(f"The target{target} is met: losses below {number(low)} are drawn at the end of the axis")
    notes += _climb(stairs, x, losses)
    ends = f"from {number(float(losses[0]))} to {number(float(levels[-1]))}" if len(losses) else "not finite"
    return Scene(
        "Loss",
        tuple(marks),
        Axis("networks, by hidden widths", 0.0, float(len(stairs)), ticks=_ticks(stairs)),
        y,
        notes=tuple(notes),
        says=f"Training loss {ends} over {count(len(stairs), 'network')} and {count(frame.total_steps, 'step')}"
        + (f"; lowest test loss {number(float(test_losses.min()))}" if len(test_losses) else ""),
    )


def _stairs(frame: PursuitFrame) -> list[_Stair]:
    stairs = [
        _Stair(
            first=record.first_step,
            steps=record.steps,
            widths=record.widths,
            joined=span(record.layer, record.last) if record.layer else "",
            loss=record.loss,
            test_loss=record.test_loss,
            over=True,
        )
        for record in frame.growth
    ]
    current = frame.total_steps - frame.step
    known = {record.first_step for record in frame.growth}
    if frame.iteration > len(frame.growth) and frame.loss is not None and (current not in known or not stairs):
        new = span(frame.added[0][0], frame.added[-1][0]) if frame.added else ""
        stairs.append(_Stair(current, frame.step, frame.widths, new, frame.loss, frame.test_loss, over=False))
    return stairs


def _trace(frame: PursuitFrame, stairs: list[_Stair]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Places and losses of the trace, with the level at the end of each stair, and whose they are."""
    chosen = spread(0, len(frame.trace_steps))
    steps = np.asarray(frame.trace_steps, dtype=np.float64)[chosen]
    losses = np.asarray(frame.trace_losses, dtype=np.float64)[chosen]
    starts = np.array([stair.first for stair in stairs], dtype=np.float64)
    lengths = np.array([max(stair.steps, 1) for stair in stairs], dtype=np.float64)
    owners = np.searchsorted(starts[1:], steps, side="left")
    # Where one network ends another begins: of several losses at that step the last is the new one's.
    last = (np.diff(steps, append=np.inf) > 0) & (np.diff(steps, prepend=-np.inf) == 0)
    owners[last] = np.searchsorted(starts[1:], steps[last], side="right")
    places = owners + np.clip((steps - starts[owners]) / lengths[owners], 0.0, 1.0)
    ends = np.arange(len(stairs))
    behind = np.searchsorted(owners, ends, side="right")
    levels = [stair.loss for stair in stairs]
    found = np.insert(losses, behind, levels)
    x, drawable = _drawable(np.insert(places.astype(np.float64), behind, ends + 1.0), found)
    return x, drawable, np.insert(owners, behind, ends)[np.isfinite(found)]


def _drawable(x: Floats, losses: Floats) -> tuple[Floats, Floats]:
    finite = np.isfinite(losses)
    return x[finite], np.maximum(losses[finite], SMALLEST)


def _best(frame: PursuitFrame, low: float) -> list[Mark]:
    best = frame.best_on_test
    if best is None or len(frame.growth) < 2:
        return []
    record = frame.growth[best]
    assert record.test_loss is not None
    reads = (f"lowest test loss {number(record.test_loss)}, at widths {widths(record.widths)}",)
    return [Dots("best", [best + 1.0], [max(record.test_loss, low)], "best on test", reads=reads)]


def _climb(stairs: list[_Stair], x: Floats, losses: Floats) -> list[str]:
    """The highest climb in words, if there is one: it would be taken for a fault of the picture."""
    peaks = [losses[(x > place) & (x <= place + 1)].max(initial=0.0) for place in range(1, len(stairs))]
    shares = [peak / max(before.loss, SMALLEST) for peak, before in zip(peaks, stairs, strict=False)]
    if not shares or max(shares) < _CLIMBS:
        return []
    place = int(np.argmax(shares))
    return [f"Network {place + 2} rose to {number(peaks[place])} on its way: steps large beside what was left to learn"]


def _additions(
    frame: PursuitFrame, stairs: list[_Stair], x: Floats, losses: Floats, levels: tuple[float, float, float]
) -> list[Mark]:
    """Where neurons joined, with lines from the lowest to the highest loss, and on top the names of their layers."""
    low, high, top = levels
    new = [number for number, stair in enumerate(stairs) if stair.joined]
    if not new:
        return []
    places = np.array(new, dtype=np.float64)
    heights = np.exp(np.interp(places, x, np.log(losses))) if len(x) else np.full(len(places), low)
    reads = tuple(
        f"network {number + 1}: {count(sum(stairs[number].widths) - sum(stairs[number - 1].widths), 'neuron')} more in "
        f"layer {stairs[number].joined}, after {count(stairs[number].first, 'step')}"
        for number in new
    )
    keys = tuple((*joined_with(frame, number + 1), ("network", number)) for number in new)
    shown = apart(places.tolist(), [stairs[number].joined for number in new], len(stairs) / _LETTERS)
    names = tuple(stairs[new[index]].joined for index in shown)
    return [
        Curve("drop", *upright(places, low, high)),
        Dots("addition", places, heights, "a neuron joined this layer", reads=reads, keys=keys),
        # Above all curves: a marker of a test loss may be where the triangle is.
        Texts("words", places[shown], np.full(len(shown), top), texts=names, place="below"),
    ]


def _levels(stairs: list[_Stair], low: float) -> Texts:
    """What each training came to, written under its end, the newest first."""
    over = [stair for stair in stairs if stair.over and np.isfinite(stair.loss)]
    places, texts = [stairs.index(stair) + 0.5 for stair in over], [number(stair.loss) for stair in over]
    shown = apart(places, texts, len(stairs) / _LETTERS)[::-1]
    heights = [max(over[index].loss, low) for index in shown]
    return Texts(
        "aside", [places[each] for each in shown], heights, texts=tuple(texts[each] for each in shown), place="below"
    )


def _read(
    stairs: list[_Stair], name: str, x: Floats, losses: Floats, owners: NDArray[np.int64], low: float
) -> tuple[Floats, Floats, list[str]]:
    """Where a pointer reads network, step and loss along a line."""

    def says(index: int) -> str:
        # Where one stair ends the next begins: the place alone does not tell whose loss it is.
        own, place = int(owners[index]), float(x[index])
        step = round(stairs[own].first + (place - own) * stairs[own].steps)
        return f"network {own + 1} {widths(stairs[own].widths)}, step {step:,}: {name} {_smallest(losses[index])}"

    return along(x, np.maximum(losses, low), says)


def _smallest(value: float) -> str:
    return number(value) if value > SMALLEST else f"at most {number(SMALLEST)}"


def _ticks(stairs: list[_Stair]) -> tuple[tuple[float, str], ...]:
    names = [widths(stair.widths) for stair in stairs]
    every = max(1, -(-sum(len(name) + 1 for name in names) // _LETTERS))
    return tuple((index + 0.5, names[index]) for index in range(len(names) - 1, -1, -every))[::-1]
