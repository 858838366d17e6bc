"""How training went: the loss over all steps, and the candidates for the next neuron."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from np_widgets.pictures.candidates import Candidates
from np_widgets.pictures.labels import number
from np_widgets.pictures.loss import Loss
from np_widgets.plots import style

# Labels nearer than this share of the axis would overlap; they are joined.
_NEAR = 0.03

# No power of ten of its own above the axis, where the legend is.
_plain = FuncFormatter(lambda value, _: number(value))


def draw_loss(axes: Axes, picture: Loss) -> None:
    """The loss on a log scale; each addition is marked with the layer that the neuron joined."""
    if len(picture.steps) == 0:
        style.head(axes, "Loss")
        style.say(axes, "No step taken yet")
        return
    marker = "o" if len(picture.steps) == 1 else None
    (trace,) = axes.plot(picture.steps, picture.losses, color=style.LEARNED, lw=1.5, marker=marker)
    entries: list[tuple[Artist, str]] = [(trace, "training")]
    if len(picture.test_steps):
        (test,) = axes.plot(picture.test_steps, picture.test_losses, "s", ms=4, color=style.TRUTH, mfc="none")
        entries.append((test, "test, after each training"))
    if len(picture.best_steps):
        (best,) = axes.plot(picture.best_steps, picture.best_losses, "s", ms=8, color=style.ink(), mfc="none", mew=1.4)
        entries.append((best, "best on test"))
    if len(picture.addition_steps):
        axes.vlines(picture.addition_steps, 1e-300, picture.addition_losses, color=style.GRAY, lw=0.6, ls=":")
        (marks,) = axes.plot(picture.addition_steps, picture.addition_losses, "v", ms=5.5, color=style.ADDED)
        entries.append((marks, "a neuron joined this layer"))
        _number_additions(axes, picture)
    _log_axis(axes, picture.low, picture.high)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    style.tidy(axes, "minimizer steps, all networks together", "loss")
    style.head(axes, "Loss", entries)


def _log_axis(axes: Axes, low: float, high: float) -> None:
    axes.set_yscale("log")
    # Room for what stands over a marker, and below the lowest.
    room = (high / low) ** 0.06
    axes.set_ylim(low / room**0.5, high * room)
    # Over one or two decades powers of ten alone would be hardly any ticks.
    narrow = high / low < 1e3
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,), numticks=7))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if narrow:
        axes.yaxis.set_major_formatter(_plain)


def _number_additions(axes: Axes, picture: Loss) -> None:
    reach = _NEAR * max(float(np.ptp(picture.steps)), 1.0)
    groups: list[list[int]] = []
    for index, step in enumerate(picture.addition_steps):
        if groups and step - picture.addition_steps[groups[-1][-1]] < reach:
            groups[-1].append(index)
        else:
            groups.append([index])
    for group in groups:
        axes.annotate(
            ", ".join(picture.addition_labels[index] for index in group),
            (float(picture.addition_steps[group].mean()), float(picture.addition_losses[group].max())),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=style.SMALL,
        )


def draw_candidates(axes: Axes, picture: Candidates) -> None:
    """The NCF value of each candidate of the last search, by layer, which was taken, and what decided."""
    if len(picture.x) == 0:
        style.head(axes, "Candidates")
        style.say(axes, picture.nothing)
        return
    axes.vlines(picture.x, 0, picture.values, color=style.GRAY, lw=0.8)
    taken = np.arange(len(picture.x)) == picture.chosen
    tried = np.isfinite(picture.losses)
    entries: list[tuple[Artist, str]] = []
    for which, marker, label in (
        (picture.kkt, "o", picture.points_label),
        (~picture.kkt, "^", picture.directions_label),
    ):
        axes.plot(picture.x[which & ~taken], picture.values[which & ~taken], marker, ms=4, color=style.LEARNED)
        if label:
            entries.append((Line2D([], [], color=style.LEARNED, marker=marker, ms=4, ls=""), label))
    if picture.chosen is not None:
        (mark,) = axes.plot(picture.x[taken], picture.values[taken], "D", ms=7, color=style.ADDED, mec=style.ink())
        entries.append((mark, picture.chosen_label))
    if tried.any():
        right = axes.twinx()
        (mark,) = right.plot(picture.x[tried], picture.losses[tried], "s", ms=5, mfc="none", color=style.TRUTH)
        entries.append((mark, picture.losses_label))
        _log_axis(right, picture.low, picture.high)
        right.set_ylabel(picture.losses_label, fontsize=style.NORMAL)
        right.tick_params(which="both", labelsize=style.SMALL)
        right.spines[["top", "left"]].set_visible(False)
    axes.set_xlim(-0.5, len(picture.places) - 0.5)
    axes.set_xticks(range(len(picture.places)), picture.places)
    axes.yaxis.set_major_formatter(_plain)
    axes.set_ylim(min(0.0, float(picture.values.min())) * 1.08, max(float(picture.values.max()) * 1.08, 1e-300))
    style.tidy(axes, "hidden layer that a neuron would join", "NCF value", *picture.notes)
    style.head(axes, "Candidates", entries, columns=1)
