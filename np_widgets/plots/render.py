"""Scenes drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation
from matplotlib.transforms import BboxBase

from np_widgets.pictures.looks import LOOKS, Look
from np_widgets.pictures.scene import Area, Cells, Curve, Dots, Edges, Floats, Mark, Scene, Shades, Texts
from np_widgets.plots import style
from np_widgets.plots.axes import show_axis

_DASHES = {"solid": "solid", "dashed": (0, (3.0, 2.0)), "dotted": (0, (1.0, 1.6)), "dash_dotted": (0, (4, 1.5, 1, 1.5))}
_MARKERS = {"circle": "o", "square": "s", "triangle-up": "^", "triangle-down": "v", "diamond": "D", "cross": "X"}
_PLACES = {
    "above": ((0, 4), "center", "bottom"),
    "below": ((0, -4), "center", "top"),
    "left": ((-7, 0), "right", "center"),
    "right": ((7, 0), "left", "center"),
    "middle": ((0, 0), "center", "center_baseline"),
}
_ORDER = {role: 2 + place / 100 for place, role in enumerate(LOOKS)}
_WORDS = 3.5
_MANY_NAMES = 14
_MARGIN = 12  # pixels


def draw(axes: Axes, scene: Scene) -> None:
    """Draw a scene: its title and legend above the data, its notes below them."""
    if isinstance(whole := axes.get_figure(root=True), style.Plot):
        whole.says.append(str(scene))
    if not scene.marks:
        _head(axes, scene)
        axes.set_axis_off()
        say = "\n".join(style.wrapped(axes, scene.empty, style.NORMAL))
        look: dict[str, Any] = {"ha": "center", "va": "center", "color": style.color("muted", axes)}
        axes.text(0.5, 0.5, say, transform=axes.transAxes, fontsize=style.size(style.NORMAL, axes), **look)
        return
    right: Axes | None = None
    if scene.right is not None:
        right = axes.twinx()
        show_axis(right, "y", scene.right)
        right.spines[["top", "left"]].set_visible(False)
    show_axis(axes, "x", scene.x, *scene.notes)
    show_axis(axes, "y", scene.y)
    axes.spines[["top", "right"]].set_visible(False)
    if scene.y.hidden or any(isinstance(mark, Cells) and not mark.smooth for mark in scene.marks):
        axes.spines[:].set_visible(False)
        axes.tick_params(which="both", length=0)
    if scene.equal:
        axes.set_aspect("equal")
    for mark in scene.marks:
        _draw_mark(right if mark.right and right is not None else axes, mark)
    _head(axes, scene)


class _Around(BboxBase):
    """The axes with a margin, wherever a layout puts them: markers and thick lines on an axis are seen whole."""

    def __init__(self, axes: Axes) -> None:
        super().__init__()
        self._inside = axes.bbox
        self.set_children(axes.bbox)

    def get_points(self) -> Any:
        return self._inside.padded(_MARGIN).get_points()


class _Word(Annotation):
    """A text that is left out where it would cover one that was added to its axes before."""

    seen = True

    def draw(self, renderer: Any) -> None:
        assert self.axes is not None
        before = takewhile(lambda other: other is not self, self.axes.texts)
        boxes = [other.get_window_extent(renderer) for other in before if getattr(other, "seen", False)]
        # Letters do not fill their boxes.
        own = self.get_window_extent(renderer).expanded(1.0, 0.8)
        self.seen = not any(own.overlaps(box) for box in boxes)
        if self.seen:
            super().draw(renderer)


def _draw_mark(axes: Axes, mark: Mark) -> None:
    look, order = mark.look, _ORDER[mark.role]
    if not look.opacity:
        return  # it is there for a pointer
    color = style.color(look.color, axes)
    if isinstance(mark, Curve):
        drawn = axes.plot(mark.x, mark.y, zorder=order, **_line(look, axes) | _marker(look, axes))
        if not look.marker and (alone := mark.alone).any():
            axes.plot(mark.x[alone], mark.y[alone], "o", color=color, ms=4, zorder=order, alpha=look.opacity)
        if look.marker or mark.role in ("main", "edge of a frame"):
            drawn[0].set_clip_box(_Around(axes))
    elif isinstance(mark, Area):
        polygons = list(np.stack([mark.x, mark.y], axis=-1))
        axes.add_collection(PolyCollection(polygons, facecolors=color, alpha=look.opacity, lw=0, zorder=order))
    elif isinstance(mark, Edges):
        _draw_edges(axes, mark, color)
    elif isinstance(mark, Dots):
        if mark.values is not None and mark.shades is not None:
            colors: dict[str, Any] = {"c": mark.values, "cmap": _colormap(mark.shades), "norm": _norm(mark.shades)}
            rim = style.color(look.rim, axes)
            axes.scatter(
                mark.x, mark.y, s=(style.points(axes) * look.size) ** 2, ec=rim, lw=0.6, zorder=order, **colors
            )
        elif len(mark.tints) > 1:
            tints = [style.color(tint, axes) for tint in mark.tints]
            size, shape = (style.points(axes) * look.size) ** 2, _MARKERS[look.marker]
            axes.scatter(mark.x, mark.y, s=size, c=tints, marker=shape, lw=0, zorder=order).set_clip_box(_Around(axes))
        else:
            axes.plot(mark.x, mark.y, ls="", zorder=order, **_marker(look, axes))[0].set_clip_box(_Around(axes))
    elif isinstance(mark, Texts):
        small = style.size(style.SMALL, axes) * (0.85 if len(mark.texts) > _MANY_NAMES else 1.0)
        offset, ha, va = _PLACES[mark.place]
        for x, y, text in zip(mark.x, mark.y, mark.texts, strict=True):
            axes.add_artist(
                _Word(
                    text, (x, y), xytext=offset, textcoords="offset points", ha=ha, va=va, fontsize=small, color=color,
                    zorder=_WORDS, annotation_clip=True, clip_on=False,
                )
            )  # fmt: skip
    elif isinstance(mark, Cells):
        _draw_cells(axes, mark, order)


def _draw_edges(axes: Axes, mark: Edges, color: str) -> None:
    new = mark.look.dash != "solid"
    axes.add_collection(
        LineCollection(
            list(np.stack([mark.x, mark.y], axis=-1)),
            colors=color,
            alpha=np.clip((0.6 if new else 0.25) + (0.4 if new else 0.75) * mark.strengths, 0, 1).tolist(),
            linewidths=(style.scale(axes) * (0.6 + 2.2 * mark.strengths)).tolist(),
            linestyles=[_DASHES[mark.look.dash]],
            zorder=_ORDER[mark.role],
        )
    )


def _draw_cells(axes: Axes, mark: Cells, order: float) -> None:
    assert mark.shades is not None
    options: dict[str, Any] = {"cmap": _colormap(mark.shades), "norm": _norm(mark.shades), "rasterized": True}
    if mark.smooth:
        cells = axes.pcolormesh(mark.x, mark.y, mark.values, shading="gouraud", zorder=order, **options)
    else:
        cells = axes.pcolormesh(
            _borders(mark.x), _borders(mark.y), mark.values, shading="flat", zorder=order, **options
        )
    dark = mark.shades.dark(mark.values)
    for i, row in enumerate(() if mark.texts is None else mark.texts.tolist()):
        for j, text in enumerate(row):
            ink = "white" if dark[i, j] else "black"
            if text:
                axes.text(
                    mark.x[j], mark.y[i], text, ha="center", va="center", color=ink, zorder=4,
                    fontsize=style.size(style.SMALL, axes),
                )  # fmt: skip
    if mark.shades.label:
        figure = axes.get_figure(root=True)
        assert figure is not None
        bar = figure.colorbar(cells, ax=axes, shrink=0.9, aspect=25, pad=0.02)
        bar.set_label(mark.shades.label, fontsize=style.size(style.NORMAL, axes))
        bar.set_ticks([mark.shades.low, mark.shades.high], labels=list(mark.shades.ends))
        bar.ax.tick_params(labelsize=style.size(style.SMALL, axes))


def _borders(middles: Floats) -> Floats:
    half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else 0.5
    return np.append(middles - half, middles[-1] + half)


def _colormap(shades: Shades) -> LinearSegmentedColormap | ListedColormap:
    if shades.label:
        return LinearSegmentedColormap.from_list("shades", shades.colors)
    return ListedColormap(shades.colors)


def _norm(shades: Shades) -> Normalize:
    return Normalize(shades.low, shades.high)


def _line(look: Look, axes: Axes) -> dict[str, Any]:
    options = {"color": style.color(look.color, axes), "lw": style.points(axes) * look.width, "alpha": look.opacity}
    return options | {"ls": _DASHES[look.dash], "solid_capstyle": "butt"}


def _marker(look: Look, axes: Axes) -> dict[str, Any]:
    if not look.marker:
        return {}
    color = style.color(look.color, axes)
    rim = style.color(look.rim, axes) if look.rim else color
    width = 2.0 if look.rim == "pink" else 1.3 if not look.filled else 0.8 if look.rim else 0.0
    face = color if look.filled else "none"
    options = {
        "marker": _MARKERS[look.marker],
        "ms": style.points(axes) * look.size,
        "mfc": face,
        "mec": rim,
        "mew": width,
    }
    return options | {"color": color, "alpha": look.opacity}


def _head(axes: Axes, scene: Scene) -> None:
    """A title with the legend between it and the picture, where it covers no data."""
    lined = {mark.label for mark in scene.marks if isinstance(mark, (Curve, Edges))}
    entries = [(_key(look, label in lined, axes), label) for label, look in scene.legend]
    labels, small = [label for _, label in entries], style.size(style.SMALL, axes)
    columns = _columns([style.wide(label, 1.0) for label in labels], 72 * style.inches(axes) / small)
    rows = -(-len(entries) // columns)
    pad = 3 + 1.5 * small * rows
    title = "\n".join(style.wrapped(axes, scene.title, 1.2 * style.TITLE))  # bold letters are broad
    axes.set_title(title, loc="left", fontsize=style.size(style.TITLE, axes), fontweight="bold", pad=pad)
    if entries:
        axes.legend(
            [artist for artist, _ in entries],
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            frameon=False,
            fontsize=small,
            borderaxespad=0.2,
            borderpad=0.1,
            handlelength=2.0,
            handletextpad=0.6,
            columnspacing=1.2,
            labelspacing=0.3,
        )


def _key(look: Look, line: bool, axes: Axes) -> Artist:
    if look.area:
        return Patch(color=style.color(look.color, axes), alpha=look.opacity, lw=0)
    options = _line(look, axes) if line else {"ls": ""}
    marker = _marker(look, axes)
    if marker:
        marker["ms"] = min(marker["ms"], 6.0)
    return Line2D([], [], **(options | marker))


def _columns(labels: Sequence[float], room: float) -> int:
    """How many columns of a legend fit, widths in units of its letters' size; legends fill column after column."""
    for columns in range(len(labels), 1, -1):
        # As matplotlib does: the first columns have one more where they are not even.
        ends = np.cumsum([0, *(len(part) for part in np.array_split(np.arange(len(labels)), columns))])
        if sum(3.8 + max(labels[start:end]) for start, end in pairwise(ends)) <= room:
            return columns
    return 1
