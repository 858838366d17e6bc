"""What draws the marks of a scene with bqplot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import bqplot
import numpy as np

from np_widgets.pictures.looks import LOOKS
from np_widgets.pictures.scene import Area, Cells, Curve, Dots, Edges, Floats, Mark, Scene, Texts
from np_widgets.widgets.theme import css

# Edges have one stroke width a mark: (least strength, share of the width of their role).
_LEVELS = ((0.0, 0.4), (0.3, 0.75), (0.65, 1.3))
_ALIGN = {"above": ("middle", 0, -10), "below": ("middle", 0, 9), "middle": ("middle", 0, 0)}
_ALIGN |= {"left": ("end", -9, 0), "right": ("start", 9, 0)}
# Many names side by side are written small.
_MANY_NAMES = 14

# The traits of marks that are in pixels, and the power of a widget's size that they grow with: a dot's is an area.
_PIXELS = {"stroke_width": 1, "default_size": 2, "x_offset": 1, "y_offset": 1}


class Markers(bqplot.Scatter):
    """Markers whose one writer is who publishes them: on which of them a pointer is concerns the browser alone."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the browser has changed, such as where a dot was dragged."""
        kept = {name: value for name, value in sync_data.items() if name != "hovered_point"}
        if kept:
            super().set_state(kept)


Part = tuple[str, Callable[..., bqplot.Mark], dict[str, Any]]


def parts(mark: Mark, scene: Scene, size: float = 1.0) -> Iterator[Part]:
    """What draws a mark, so many times larger: a name for each part, what makes it, and what it has to hold now."""
    for name, make, values in _parts(mark, scene):
        letters = {"default_size": size * values["default_size"]} if "default_size" in values else {}
        yield name, partial(_larger, make, size), values | letters


def _larger(make: Callable[..., bqplot.Mark], size: float, **options: Any) -> bqplot.Mark:
    made = make(**options)
    for name in filter(made.has_trait, _PIXELS if size != 1 else ()):
        setattr(made, name, round(getattr(made, name) * size ** _PIXELS[name]))
    return made


def _parts(mark: Mark, scene: Scene) -> Iterator[Part]:
    axis = scene.right if mark.right and scene.right is not None else scene.y
    x = np.log10(mark.x) if scene.x.log else mark.x
    y = np.log10(mark.y) if axis.log else mark.y
    if isinstance(mark, Curve):
        yield from _curve(mark, x, y)
    elif isinstance(mark, Area):
        yield "area", _maker(mark, bqplot.Lines, fill="inside", stroke_width=0.0), _lines(x, y)
    elif isinstance(mark, Edges):
        yield from _edges(mark, x, y)
    elif isinstance(mark, Dots):
        values: dict[str, Any] = {"x": x, "y": y}
        if mark.reads:
            values["names"] = np.array(mark.reads)
        if mark.values is not None:
            values["color"] = mark.values
        if mark.tints:
            values["colors"] = [css(tint) for tint in mark.tints]
        values |= {"enable_move": bool(mark.moves), "restrict_y": mark.moves == "up"}
        yield "dots", _maker(mark, Markers), values
    elif isinstance(mark, Texts):
        yield mark.place, _words(mark.role, mark.place), _label(x, y, mark.texts)
    elif isinstance(mark, Cells):
        yield from _cells(mark, x, y)


def _curve(mark: Curve, x: Floats, y: Floats) -> Iterator[Part]:
    # bqplot writes a label at the last point of a line, even an empty one, and complains if that is a gap.
    known = np.flatnonzero(np.isfinite(y))
    if not len(known):
        return
    end = int(known[-1]) + 1
    if end > 1:
        yield "curve", _maker(mark, bqplot.Lines), {"x": x[:end], "y": y[:end]}
    if mark.look.marker:
        yield "points", _maker(mark, Markers), {"x": x[:end], "y": y[:end]}
    elif (alone := mark.alone).any():
        yield "alone", _maker(mark, Markers, marker="circle", default_size=20), {"x": x[alone], "y": y[alone]}


def _edges(mark: Edges, x: Floats, y: Floats) -> Iterator[Part]:
    level = np.searchsorted([least for least, _ in _LEVELS], mark.strengths, side="right") - 1
    new = mark.look.dash != "solid"
    # Steps of opacity, so that an edge that hardly changes is not sent again.
    opacity = np.maximum(np.round(0.25 + 0.75 * mark.strengths, 1), 0.6 if new else 0.0)
    for index, (_, width) in enumerate(_LEVELS):
        chosen = level == index
        if chosen.any():
            make = _maker(mark, bqplot.Lines, stroke_width=width * mark.look.width)
            yield f"edges {index}", make, _lines(x[chosen], y[chosen]) | {"opacities": opacity[chosen].tolist()}


def _cells(mark: Cells, x: Floats, y: Floats) -> Iterator[Part]:
    # A heat map needs two cells each way to know how large they are: a single one is drawn as two halves.
    values = mark.values
    middles = []
    for way, places in ((0, y), (1, x)):
        values = np.repeat(values, 2, axis=way) if len(places) == 1 else values
        middles.append(places + np.array([-0.25, 0.25]) if len(places) == 1 else places)
    yield "cells", _maker(mark, bqplot.HeatMap), {"x": middles[1], "y": middles[0], "color": values}
    if mark.texts is None or mark.shades is None:
        return
    dark, written = mark.shades.dark(mark.values), mark.texts != ""
    for role, own in (("in cells", ~dark & written), ("in dark cells", dark & written)):
        rows, columns = np.nonzero(own)
        if len(rows):
            yield role, _words(role, "middle"), _label(x[columns], y[rows], mark.texts[rows, columns].tolist())


def _lines(x: Floats, y: Floats) -> dict[str, Any]:
    """Several lines of the same length; of a single one bqplot wants plain arrays."""
    return {"x": x[0], "y": y[0]} if len(x) == 1 else {"x": x, "y": y}


def _label(x: Floats, y: Floats, texts: Sequence[str]) -> dict[str, Any]:
    return {"x": x, "y": y, "text": np.array(texts), "default_size": 11.0 if len(texts) <= _MANY_NAMES else 9.0}


def _words(role: str, place: str) -> Callable[..., bqplot.Mark]:
    align, x_offset, y_offset = _ALIGN[place]
    return lambda **more: bqplot.Label(
        x=np.zeros(0), y=np.zeros(0), text=np.zeros(0, dtype=str), font_weight="normal", align=align, x_offset=x_offset,
        y_offset=y_offset, colors=[css(LOOKS[role].color)], **more,
    )  # fmt: skip


def _maker(mark: Mark, kind: type[bqplot.Mark], **options: Any) -> Callable[..., bqplot.Mark]:
    """What makes the bqplot mark for a role."""
    look = mark.look
    color = css(look.color)
    nothing = np.zeros(2)
    if kind is bqplot.HeatMap:
        return lambda **more: kind(x=np.arange(2.0), y=np.arange(2.0), color=np.zeros((2, 2)), **more)
    if kind is bqplot.Lines:
        defaults = {"stroke_width": look.width, "line_style": look.dash, "colors": [color], "opacities": [look.opacity]}
        if look.area:
            # Its fill has both opacities.
            defaults |= {"fill_colors": [color], "fill_opacities": [look.opacity], "opacities": [1.0]}
        return lambda **more: kind(x=nothing, y=nothing, **(defaults | options), **more)
    defaults = {
        "marker": look.marker,
        "default_size": round(math.pi / 4 * look.size**2),
        "opacities": [look.opacity],
        "colors": [color],
        "fill": look.filled,
        "display_names": False,
        # What dots read changes, and is alike for some: bqplot would know them by it, and leave some unstyled.
        "names_unique": False,
        "stroke_width": 3.0 if look.rim == "pink" else 1.8 if not look.filled else 1.2,
    }
    if look.rim or not look.filled:
        defaults["stroke"] = css(look.rim) if look.rim else color
    return lambda **more: kind(x=nothing, y=nothing, **(defaults | options), **more)
