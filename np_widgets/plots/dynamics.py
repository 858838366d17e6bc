"""A saddle flow over time: norms beside their prediction, the loss with its plateaus, cosines to KKT points."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from np_widgets.pictures.alignment import Alignment
from np_widgets.pictures.norms import Growth, Norms
from np_widgets.pictures.plateaus import Plateaus
from np_widgets.plots import style
from np_widgets.plots.network import DASHES

MEASURED, PREDICTED = style.BLUE, style.ORANGE
DOTS = (0, (1.0, 1.6))
# How each kind of event is marked in every picture over time, and what the legend calls it.
EVENTS = {"aligned": ("^", "aligned"), "escaped": ("D", "escaped"), "saddle": ("s", "next saddle")}
# A plateau of less than this share of the time shown has no room for a number, which then stands beside it; and of two
# that end nearer to each other than that, the second goes without one.
_SHORT, _CROWDED = 0.08, 0.06
_LAYERS = ("solid", DASHES, DOTS, (0, (4, 1.5, 1, 1.5)))


def draw_norms(axes: Axes, picture: Norms, *, cursor: bool = False) -> None:
    """Norms on a log scale, predicted growth dashed; ``cursor`` marks the time at which the time slider stands."""
    if picture.empty:
        style.head(axes, "Norms")
        style.say(axes, picture.empty)
        return
    entries: list[tuple[Artist, str]] = []
    single = "." if len(picture.time) == 1 else None
    for row, awake in zip(picture.neurons, picture.neuron_awake, strict=True):
        color, width = (style.GREEN, 1.0) if awake else (style.GRAY, 0.6)
        axes.plot(picture.time, row, color=color, lw=width, alpha=0.7, marker=single)
    for growth in picture.growths:
        axes.plot(growth.time, growth.norm, color=MEASURED, lw=2.0, marker=single)
    entries.append((Line2D([], [], color=MEASURED, lw=2.0), "dormant weights ‖w_z‖"))
    entries += _draw_predictions(axes, picture.growths)
    if len(picture.neurons):
        entries.append((Line2D([], [], color=style.GRAY, lw=0.6), "each dormant neuron"))
    if picture.neuron_awake.any():
        entries.append((Line2D([], [], color=style.GREEN, lw=1.0), "neuron that woke up"))
    if len(picture.shift):
        (shift,) = axes.plot(picture.shift_time, picture.shift, color=style.BROWN, lw=1.4, ls=DOTS, marker=single)
        entries.append((shift, "shift of active weights"))
    entries += _draw_marks(axes, [(mark.kind, mark.time, mark.value) for mark in picture.marks])
    axes.set_yscale("log")
    axes.set_ylim(picture.low, picture.high)
    axes.yaxis.set_major_locator(LogLocator(numticks=7))
    axes.yaxis.set_minor_formatter(NullFormatter())
    _over_time(axes, picture.left, picture.right, picture.now if cursor else None)
    style.tidy(axes, "time", "norm", picture.summary, picture.note)
    style.head(axes, "Norms", entries, columns=3)


def _draw_predictions(axes: Axes, growths: tuple[Growth, ...]) -> list[tuple[Artist, str]]:
    curves: list[Line2D] = []
    thresholds: list[Line2D] = []
    escapes: list[Line2D] = []
    for growth in growths:
        if len(growth.predicted_time):
            curves += axes.plot(growth.predicted_time, growth.predicted_norm, color=PREDICTED, lw=1.6, ls=DASHES)
        if growth.escape_norm is not None:
            ends = [growth.start, growth.end]
            thresholds += axes.plot(ends, [growth.escape_norm] * 2, color=style.GRAY, lw=0.9, ls="-.")
            if growth.predicted_escape is not None:
                axes.plot(growth.predicted_escape, growth.escape_norm, "D", ms=9.0, mfc="none", color=PREDICTED)
                escapes = [Line2D([], [], marker="D", ms=5.5, mfc="none", color=PREDICTED, ls="")]
    found = ((curves, "predicted by the NCF"), (thresholds, "counts as escaped"), (escapes, "predicted escape"))
    return [(artists[0], label) for artists, label in found if artists]


def draw_plateaus(axes: Axes, picture: Plateaus, *, cursor: bool = False) -> None:
    """The loss; the time near each saddle is shaded and has the loss there written to it."""
    if picture.empty:
        style.head(axes, "Loss")
        style.say(axes, picture.empty)
        return
    single = "." if len(picture.time) == 1 else None
    (loss,) = axes.plot(picture.time, picture.losses, color=MEASURED, lw=1.8, marker=single)
    entries: list[tuple[Artist, str]] = [(loss, "training loss")]
    span, last = picture.right - picture.left, picture.left - np.inf
    for plateau in picture.plateaus:
        axes.axvspan(plateau.start, plateau.end, color=style.GRAY, alpha=0.15, lw=0)
        if plateau.end - last < _CROWDED * span:
            continue
        last = plateau.end
        # On the side of the line where there is more room, and not across the ends of a short plateau.
        above = plateau.level < (picture.low + picture.high) / 2
        short = plateau.end - plateau.start < _SHORT * span
        aside = -1 if plateau.end > picture.right - _SHORT * span else 1
        axes.annotate(
            plateau.label,
            (plateau.end if short else (plateau.start + plateau.end) / 2, plateau.level),
            xytext=(5 * aside if short else 0, 5 if above else -5),
            textcoords="offset points",
            ha=("left" if aside > 0 else "right") if short else "center",
            va="bottom" if above else "top",
            fontsize=style.SMALL,
        )
    if picture.plateaus:
        entries.append((Patch(color=style.GRAY, alpha=0.3, lw=0), "plateau: near a saddle"))
    entries += _draw_marks(axes, [(mark.kind, mark.time, mark.value) for mark in picture.marks])
    reached = [(c.time, c.pursuit_loss) for c in picture.comparisons if c.pursuit_loss is not None]
    if reached:
        times, losses = zip(*reached, strict=True)
        axes.plot(times, losses, "o", ms=9, mfc="none", color=PREDICTED)
        entries.append((Line2D([], [], marker="o", ms=6, mfc="none", color=PREDICTED, ls=""), "Neuron Pursuit"))
    axes.set_ylim(picture.low, picture.high)
    # Neither an offset that somebody has to add to every number, nor so few digits that ticks look the same.
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    _over_time(axes, picture.left, picture.right, picture.now if cursor else None)
    style.tidy(axes, "time", "loss", *[comparison.label for comparison in picture.comparisons[-1:]])
    style.head(axes, "Loss", entries, columns=3)


def draw_alignment(axes: Axes, picture: Alignment, *, cursor: bool = False) -> None:
    """A line for each neuron, dashed by its layer; the largest neuron's is bold."""
    if picture.empty:
        style.head(axes, "Cosine to the KKT point")
        style.say(axes, picture.empty)
        return
    entries: list[tuple[Artist, str]] = []
    single = "." if len(picture.time) == 1 else None
    for row, ((layer, _), cosine) in enumerate(zip(picture.neurons, picture.cosines, strict=True)):
        look: dict[str, Any] = {
            "color": style.SERIES[(layer - 1) % len(style.SERIES)],
            "ls": _LAYERS[(layer - 1) % len(_LAYERS)],
        }
        first = row == 0 or picture.neurons[row - 1][0] != layer
        if first:
            entries.append((Line2D([], [], lw=1.0, **look), f"layer {layer}"))
        leads = row == picture.leader
        axes.plot(picture.time, cosine, lw=2.4 if leads else 0.9, marker=single, zorder=3 if leads else 2, **look)
    if picture.leader is not None:
        entries.append((Line2D([], [], color=style.ink(), lw=2.4), "largest neuron"))
    for time in picture.starts:
        axes.axvline(time, color=style.GRAY, lw=0.9, ls="-.")
    entries += _draw_marks(axes, [("aligned", time, 1.0) for time in picture.aligned])
    if picture.starts:
        entries.append((Line2D([], [], color=style.GRAY, lw=0.9, ls="-."), "next saddle"))
    axes.set_ylim(-1.08, 1.08)
    axes.set_yticks([-1.0, -0.5, 0.0, 0.5, 1.0], ["−1", "−0.5", "0", "0.5", "1"])
    _over_time(axes, picture.left, picture.right, picture.now if cursor else None)
    style.tidy(axes, "time", "cosine", picture.note)
    style.head(axes, "Cosine to the KKT point", entries, columns=3)


def _draw_marks(axes: Axes, marks: list[tuple[str, float, float]]) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = []
    for kind, (marker, label) in EVENTS.items():
        found = np.array([(time, value) for own, time, value in marks if own == kind]).reshape(-1, 2)
        if len(found):
            look: dict[str, Any] = {
                "marker": marker,
                "ms": 5.0,
                "color": style.PINK,
                "mec": style.ink(),
                "mew": 0.6,
                "ls": "",
            }
            entries += [(line, label) for line in axes.plot(found[:, 0], found[:, 1], zorder=4, **look)]
    return entries


def _over_time(axes: Axes, left: float, right: float, now: float | None) -> None:
    if now is not None:
        axes.axvline(now, color=style.ink(), lw=0.8)
    # Half a marker's room at both ends.
    room = 0.02 * (right - left)
    axes.set_xlim(left - room, right + room)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: f"{time:,.6g}"))
