"""From many pursuits to a figure: how their losses fall, and which architectures they end with."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from np_widgets.learning.ensemble.results import PursuitEnsemble
from np_widgets.pictures.labels import count, number
from np_widgets.pictures.ladder import MOST_ROWS, Endings, Ladder
from np_widgets.pictures.ladder import endings as endings_picture
from np_widgets.pictures.ladder import ladder as ladder_picture
from np_widgets.plots import style
from np_widgets.plots.sources import named

# A few lines may be seen one by one; of many only where they are dense.
_FAINTEST, _STRONGEST, _INK_OF_LINES = 0.12, 0.6, 8.0
_BAR = 0.62


def ensemble(ensemble: PursuitEnsemble) -> Figure:
    """Many pursuits: the loss over the neurons added, with median and quartiles, and how often each architecture ended.

    Parameters
    ----------
    ensemble
        What :func:`~np_widgets.sessions.many.pursue_many` returns.

    Raises
    ------
    TypeError
        If ``ensemble`` is anything else.
    """
    if not isinstance(ensemble, PursuitEnsemble):
        raise TypeError(f"ensemble must be a PursuitEnsemble, as pursue_many returns, got {named(ensemble)}")
    figure = style.figure(9.6, 3.8)
    falling, ending = figure.subplots(1, 2, width_ratios=[1.5, 1], gridspec_kw={"wspace": 0.06})
    draw_ladder(falling, ladder_picture(ensemble))
    draw_endings(ending, endings_picture(ensemble))
    return figure


def draw_ladder(axes: Axes, picture: Ladder) -> None:
    """A faint line for each pursuit under the median and the shaded quartiles, on a log scale."""
    if picture.empty:
        style.head(axes, "Loss")
        style.say(axes, picture.empty)
        return
    # A single column is as wide as a bar, as a line of one point could not be seen.
    single = len(picture.neurons) == 1
    x = np.array([-_BAR / 2, _BAR / 2]) if single else picture.neurons
    losses, median, lower, upper = (
        np.repeat(values, 2, axis=-1) if single else values
        for values in (picture.losses, picture.median, picture.lower, picture.upper)
    )
    entries: list[tuple[Artist, str]] = []
    if picture.pursuits > 1:
        faint = float(np.clip(_INK_OF_LINES / len(losses), _FAINTEST, _STRONGEST))
        segments = [np.column_stack([x, row]) for row in losses]
        axes.add_collection(LineCollection(segments, colors=style.GRAY, linewidths=0.7, alpha=faint, zorder=2))
        entries.append((Line2D([], [], color=style.GRAY, lw=0.9), "each pursuit"))
    marker = None if single else "o"
    (line,) = axes.plot(x, median, color=style.LEARNED, lw=2.2, marker=marker, ms=4.5, zorder=3, clip_on=False)
    entries.insert(0, (line, "median" if picture.pursuits > 1 else "the only pursuit"))
    if len(lower):
        band = axes.fill_between(x, lower, upper, color=style.LEARNED, alpha=0.2, lw=0, zorder=1)
        entries.insert(1, (band, "between the quartiles"))
    _log_axis(axes, picture)
    room = _BAR if single else 0.02 * float(np.ptp(x))
    axes.set_xlim(x[0] - room, x[-1] + room)
    axes.xaxis.set_major_locator(FixedLocator([0]) if single else MaxNLocator(8, integer=True))
    style.tidy(axes, "neurons added to the first network", "training loss", picture.note)
    style.head(axes, f"Loss of {count(picture.pursuits, 'pursuit')}", entries)


def _log_axis(axes: Axes, picture: Ladder) -> None:
    axes.set_yscale("log")
    # The lowest line is not to lie on the axis.
    room = (picture.high / picture.low) ** 0.03
    axes.set_ylim(picture.low / room, picture.high * room)
    # Over one or two decades powers of ten alone would be hardly any ticks.
    narrow = picture.high / picture.low < 1e3
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,), numticks=9))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if narrow:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def draw_endings(axes: Axes, picture: Endings) -> None:
    """A bar for each architecture, the most frequent on top, with the number of pursuits at its end."""
    title = "Final hidden widths"
    if picture.empty:
        style.head(axes, title)
        style.say(axes, picture.empty)
        return
    rows = np.arange(len(picture.counts))
    colors: list[Any] = [style.LEARNED] * len(rows)
    if picture.others:
        colors[-1] = style.GRAY
    bars = axes.barh(rows, picture.counts, height=_BAR, color=colors)
    axes.bar_label(bars, [f"{times:,}" for times in picture.counts.tolist()], padding=3, fontsize=style.SMALL)
    axes.set_yticks(rows, picture.labels)
    # A few bars keep the thickness of many, and stand on top.
    axes.set_ylim(max(len(rows), MOST_ROWS // 2) - 0.5, -0.5)
    # Room for the number at the end of the longest.
    axes.set_xlim(0, 1.12 * float(picture.counts.max()))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda times, _: f"{times:,.0f}"))
    axes.tick_params(axis="y", length=0)
    style.tidy(axes, "pursuits", "", picture.note)
    entries: list[tuple[Artist, str]] = [(bars[0], "ended with these widths")]
    if picture.others:
        entries.append((bars[-1], "others together"))
    style.head(axes, title, entries)
