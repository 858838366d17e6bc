"""A table of many runs as curves with error bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from np_widgets.pictures.labels import count, number
from np_widgets.pictures.looks import LOOKS
from np_widgets.pictures.scene import Axis, Curve, Dots, Floats, Mark, Scene, upright
from np_widgets.pictures.ticks import SMALLEST, log_limits, round_limits

Bars = Literal["quartiles", "deviation"]
MOST_CURVES = sum(role.startswith("session ") for role in LOOKS)
_WORDS = {
    "quartiles": ("median", "median and quartiles"),
    "deviation": ("mean", "mean and standard deviation"),
    "share": ("share", "share of runs and 95% interval"),
}
# From where on an axis is logarithmic: the largest by the smallest.
_WIDE_X, _WIDE_Y = 8.0, 30.0
_APART = 0.008  # of the axis, from curve to curve
_SURE = 1.959964  # standard deviations of 95%


def study(
    columns: Mapping[str, Sequence[Any]],
    x: str,
    y: str,
    by: str | None,
    bars: Bars,
    log_x: bool | None,
    log_y: bool | None,
) -> Scene:
    """What runs have come to against a setting, one curve for each value of another; of truth values the share."""
    names = [None] * len(columns[x]) if by is None else list(columns[by])
    groups = list(dict.fromkeys(names))
    kind = "share" if _are_truths(columns[y]) else bars
    places, ticks = _places(columns[x])
    values = np.array([math.nan if value is None else float(value) for value in columns[y]], dtype=np.float64)
    title = f"{_plain(y)} against {_plain(x)}"
    known = np.isfinite(values)
    if not known.any():
        return Scene(title, empty="No run has a number")
    curves: list[tuple[Floats, Floats]] = []
    counts: list[int] = []
    for group in groups:
        own = known & np.array([name == group for name in names])
        at = np.unique(places[own])
        found = [values[own & (places == place)] for place in at]
        counts += map(len, found)
        curves.append((at, np.array([_center_and_bar(each, kind) for each in found]).reshape(-1, 3).T))
    centers = np.concatenate([heights[1] for _, heights in curves])
    is_log_x = not ticks and _is_log("log_x", places[known], log_x, _WIDE_X)
    is_log_y = kind != "share" and _is_log("log_y", centers, log_y, _WIDE_Y)
    notes = [_runs(counts)]
    if not known.all():
        notes.append(f"{count(int((~known).sum()), 'run')} without a finite number left out.")
    if is_log_y and bool((np.concatenate([heights.ravel() for _, heights in curves]) < SMALLEST).any()):
        notes.append(f"What is below {number(SMALLEST)} is drawn there.")
    if len(groups) > 1:
        notes.append("Curves stand a little apart sideways, so that all bars are seen.")
    across, moved = _across(_plain(x), places[known], ticks, is_log_x, len(groups))
    marks: list[Mark] = []
    for index, (group, (at, heights)) in enumerate(zip(groups, curves, strict=True)):
        if len(at):
            low, middle, high = np.maximum(heights, SMALLEST) if is_log_y else heights
            label, color = _WORDS[kind][0] if by is None else str(group), LOOKS[f"session {index}"].color
            if not ticks:  # between names there is nothing
                marks.append(Curve(f"session {index}", moved(at, index), middle, label))
            marks.append(Curve("stem", *upright(moved(at, index), low, high), tints=(color,)))
            marks.append(Dots(f"samples {index}", moved(at, index), middle, label if ticks else ""))
    said = [
        f"{'' if by is None else f'{group} '}{number(float(heights[1, 0]))}"
        + (f" at {_said(at[0], ticks)} to {number(float(heights[1, -1]))} at {_said(at[-1], ticks)}")
        for group, (at, heights) in zip(groups, curves, strict=True)
        if len(at)
    ]
    return Scene(
        title,
        tuple(marks),
        across,
        _upward(f"{_plain(y)}: {_WORDS[kind][1]}", marks, kind, is_log_y),
        notes=(" ".join(notes),),
        says=f"The {_WORDS[kind][0]} goes from {'; from '.join(said)}",
    )


def _are_truths(values: Sequence[Any]) -> bool:
    told = [each for each in values if each is not None and not (isinstance(each, float) and math.isnan(each))]
    return bool(told) and all(isinstance(each, (bool, np.bool_)) for each in told)


def _places(values: Sequence[Any]) -> tuple[Floats, tuple[tuple[float, str], ...]]:
    """Where the values of a setting stand; what is no number side by side, with its name as a tick."""
    if all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.float64), ()
    names = [str(value) for value in values]
    order = list(dict.fromkeys(names))
    return np.array([order.index(name) for name in names], dtype=np.float64), tuple(
        (float(place), name) for place, name in enumerate(order)
    )


def _center_and_bar(values: Floats, kind: str) -> tuple[float, float, float]:
    """Where the bar begins, where the curve is, where the bar ends."""
    if kind == "quartiles":
        low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
        return float(low), float(middle), float(high)
    mean, runs = float(values.mean()), len(values)
    if kind == "deviation":
        deviation = float(values.std(ddof=1)) if runs > 1 else 0.0
        return mean - deviation, mean, mean + deviation
    # The score interval of Wilson (1927).
    square = _SURE**2 / runs
    middle = (mean + square / 2) / (1 + square)
    half = _SURE * math.sqrt(mean * (1 - mean) / runs + square / (4 * runs)) / (1 + square)
    return min(max(middle - half, 0.0), mean), mean, max(min(middle + half, 1.0), mean)


def _is_log(name: str, values: Floats, wanted: bool | None, wide: float) -> bool:
    if wanted and bool((values < 0).any() if name == "log_y" else (values <= 0).any()):
        raise ValueError(f"{name} must be False where there are values that are not positive, got True")
    above = values[values > 0]
    if wanted is None:
        return bool((values >= 0).all()) and len(above) > 1 and bool(above.max() >= wide * above.min())
    return wanted


def _across(
    label: str, places: Floats, ticks: tuple[tuple[float, str], ...], log: bool, groups: int
) -> tuple[Axis, Any]:
    """The axis of the setting, and where on it the points of a curve stand."""
    inside = np.log(places) if log else places
    low, high = float(inside.min()), float(inside.max())
    width = (high - low) or 1.0
    apart = (0.06 if ticks else _APART) * width / (max(len(ticks) - 1, 1) if ticks else 1)
    room = 0.04 * width + apart * groups / 2 + (0.3 if ticks else 0.0)

    def moved(at: Floats, index: int) -> Floats:
        own = (np.log(at) if log else at) + apart * (index - (groups - 1) / 2)
        return np.asarray(np.exp(own) if log else own, dtype=np.float64)

    ends = (low - room, high + room)
    first, last = (math.exp(end) for end in ends) if log else ends
    return Axis(label, first, last, log=log, ticks=ticks or None), moved


def _upward(label: str, marks: Sequence[Mark], kind: str, log: bool) -> Axis:
    if kind == "share":
        return Axis(label, -0.04, 1.04)
    heights = np.concatenate([mark.y[np.isfinite(mark.y)] for mark in marks])
    if log:
        low, high = log_limits(heights)
        return Axis(label, low, high, log=True)
    return Axis(label, *round_limits(float(heights.min()), float(heights.max())))


def _runs(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{count(most, 'run')} a point." if least == most else f"{least:,} to {most:,} runs a point."


def _said(place: float, ticks: tuple[tuple[float, str], ...]) -> str:
    return ticks[int(place)][1] if ticks else number(float(place))


def _plain(name: str) -> str:
    return name.replace("_", " ")
