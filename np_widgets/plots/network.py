"""The network itself: its architecture, and the weights of one layer."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from np_widgets.pictures.architecture import Architecture
from np_widgets.pictures.labels import count
from np_widgets.pictures.weights import Weights
from np_widgets.plots import style

NO_NETWORK = "No network yet"
DASHES = (0, (3.0, 2.0))
# How far along its edge the dot of a negative weight stands, and how strong the edge must be to get one.
_DOT_AT = 0.8
_DOT_FROM = 0.2
_MOST_DOTS = 60
# With more points than this, markers at all of them would run into each other; then a line has only a few.
_MOST_MARKERS = 40
_SPARSE_MARKERS = 12


def draw_architecture(axes: Axes, picture: Architecture) -> None:
    """Neurons in columns with signed weights between them; what the current iteration added is dashed."""
    if not picture.column_labels:
        style.head(axes, "Architecture")
        style.say(axes, NO_NETWORK)
        return
    _draw_edges(axes, picture)
    _draw_nodes(axes, picture)
    sizes = zip(picture.column_x, picture.column_labels, picture.column_sizes, strict=True)
    lowest = float(picture.node_y.min())
    for x, label, size in sizes:
        below = f"{label}\n{count(size, 'neuron')}" if label.startswith("layer") else _end_label(label, size)
        axes.text(x, lowest - 0.06, below, ha="center", va="top", fontsize=style.SMALL)
    axes.set_xlim(-0.12, 1.12)
    axes.set_ylim(lowest - 0.17, float(picture.node_y.max()) + 0.04)
    style.tidy(axes, "", "", picture.note)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    entries: list[tuple[Artist, str]] = [
        (Line2D([], [], color=style.POSITIVE, lw=2.2), "positive"),
        (Line2D([], [], color=style.NEGATIVE, lw=2.2, marker="o", ms=4), "negative"),
    ]
    if picture.edge_added.any():
        added = Line2D([], [], color=style.ink(), lw=1.4, ls=DASHES, marker="o", mfc=style.ADDED, ms=6)
        entries.append((added, "added by this iteration"))
    style.head(axes, "Architecture", entries)


def _draw_edges(axes: Axes, picture: Architecture) -> None:
    colors = {1.0: style.POSITIVE, -1.0: style.NEGATIVE, 0.0: style.GRAY}
    # Strong edges last, so that faint ones do not cross them out.
    order = np.argsort(picture.edge_strengths, kind="stable")
    strengths, added = picture.edge_strengths[order], picture.edge_added[order]
    signs = picture.edge_signs[order]
    ends = np.stack([picture.edge_x[order], picture.edge_y[order]], axis=-1)
    alphas = np.where(added, 0.6, 0.25) + np.where(added, 0.4, 0.75) * strengths
    axes.add_collection(
        LineCollection(
            list(ends),
            colors=[colors[sign] for sign in signs.tolist()],
            alpha=alphas.tolist(),
            linewidths=(0.6 + 2.2 * strengths).tolist(),
            linestyles=[DASHES if new else "solid" for new in added],
            zorder=1,
        )
    )
    dotted = np.flatnonzero((signs < 0) & ((strengths >= _DOT_FROM) | added))[-_MOST_DOTS:]
    dots = ends[dotted, 0] + _DOT_AT * (ends[dotted, 1] - ends[dotted, 0])
    axes.scatter(dots[:, 0], dots[:, 1], s=14, color=style.NEGATIVE, linewidths=0, zorder=2)


def _draw_nodes(axes: Axes, picture: Architecture) -> None:
    last = len(picture.column_x) - 1
    x, y, columns = picture.node_x, picture.node_y, picture.node_columns
    inner = (columns > 0) & (columns < last)
    ink = style.ink()
    for chosen, fill in ((inner & ~picture.node_added, style.paper()), (inner & picture.node_added, style.ADDED)):
        axes.scatter(x[chosen], y[chosen], s=150, color=fill, edgecolors=ink, linewidths=1.0, zorder=3)
    axes.scatter(x[~inner], y[~inner], s=16, color=ink, zorder=3)
    for node_x, node_y, label, column, added in zip(
        x, y, picture.node_labels, columns, picture.node_added, strict=True
    ):
        side = -1 if column == 0 else 1 if column == last else 0
        axes.annotate(
            label,
            (node_x, node_y),
            xytext=(5 * side, 0),
            textcoords="offset points",
            ha={-1: "right", 0: "center", 1: "left"}[side],
            va="center_baseline" if side == 0 else "center",
            fontsize=style.SMALL - 0.5,
            color="white" if added else ink,
            zorder=4,
        )


def _end_label(label: str, size: int) -> str:
    return label if label == "output" else count(size, label.removesuffix("s"))


def draw_weights(axes: Axes, picture: Weights) -> None:
    """One line for each neuron over what it listens to; the other matrices are written out below."""
    if picture.layer == 0:
        style.head(axes, "Weights")
        style.say(axes, NO_NETWORK)
        return
    entries: list[tuple[Artist, str]] = []
    every = 1 if len(picture.x) <= _MOST_MARKERS else len(picture.x) // _SPARSE_MARKERS
    axes.axhline(0, color=style.GRAY, lw=0.6, zorder=0)
    for index, (row, label, added) in enumerate(zip(picture.rows, picture.labels, picture.added, strict=True)):
        (line,) = axes.plot(
            picture.x,
            row,
            color=style.SERIES[index % len(style.SERIES)],
            marker=style.MARKERS[index % len(style.MARKERS)],
            # Not at the same places, so that one marker does not hide another.
            markevery=(index % every, every),
            ms=4,
            lw=1.3,
            ls=DASHES if added else "solid",
        )
        entries.append((line, f"{label} (added)" if added else label))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    style.tidy(axes, picture.x_label, picture.y_label, picture.note, *picture.printed)
    style.head(axes, f"Weights: {picture.y_label.removeprefix('weight in ')}", entries)
