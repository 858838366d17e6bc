"""The learned function, beside the truth or the data."""

from __future__ import annotations

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from np_widgets.pictures.function import Confusion, Lines, Regions, Scatter
from np_widgets.plots import style
from np_widgets.plots.regions import draw_regions

# In a larger confusion matrix numbers would be too small to read.
_MOST_WRITTEN = 10

Entries = list[tuple[Artist, str]]


def draw_function(axes: Axes, picture: Lines | Regions | Scatter | Confusion, classes: int) -> None:
    """Whichever picture the problem asks for; ``classes`` is how many there are to tell apart, 0 for values."""
    if isinstance(picture, Lines):
        entries, title = _draw_lines(axes, picture), "learned and true" if picture.truth is not None else "learned"
    elif isinstance(picture, Regions):
        entries, title = draw_regions(axes, picture, classes), "learned, and the data"
    elif isinstance(picture, Scatter):
        entries, title = _draw_scatter(axes, picture), "learned against target"
    else:
        entries, title = _draw_confusion(axes, picture), "true and predicted classes"
    style.tidy(axes, picture.x_label, picture.y_label, picture.summary)
    style.head(axes, f"Function: {title}", entries)


def _draw_lines(axes: Axes, picture: Lines) -> Entries:
    entries: Entries = []
    vertices = picture.kind == "hypercube"
    if len(picture.data_x):
        (data,) = axes.plot(picture.data_x, picture.data_y, "o", ms=3.2, color=style.GRAY, alpha=0.8, mew=0)
        entries.append((data, "training data"))
    if picture.truth is not None:
        # A broad band under a thin line: where they agree, the line lies in the band.
        (truth,) = axes.plot(picture.x, picture.truth, color=style.TRUTH, alpha=0.5, lw=2.4 if vertices else 4.0)
        entries.append((truth, "truth"))
    if picture.learned is not None:
        (learned,) = axes.plot(picture.x, picture.learned, color=style.LEARNED, lw=0.7 if vertices else 1.4)
        entries.append((learned, "learned"))
    if vertices:
        axes.set_xticks([])
    axes.set_xlim(picture.x[0], picture.x[-1])
    return entries


def _draw_scatter(axes: Axes, picture: Scatter) -> Entries:
    (line,) = axes.plot([picture.low, picture.high], [picture.low, picture.high], color=style.GRAY, lw=1, ls="--")
    entries: Entries = [(line, "learned = target")]
    if picture.predictions is None:
        return entries
    kinds = ((~picture.is_test, "o", style.LEARNED, "training"), (picture.is_test, "^", style.TRUTH, "test"))
    for chosen, marker, color, label in kinds:
        if chosen.any():
            targets, predictions = picture.targets[chosen], picture.predictions[chosen]
            (dots,) = axes.plot(targets, predictions, marker, ms=3.6, color=color, alpha=0.65, mew=0)
            entries.append((dots, label))
    return entries


def _draw_confusion(axes: Axes, picture: Confusion) -> Entries:
    count = len(picture.classes)
    axes.set_xticks(range(count), [str(label) for label in picture.classes])
    axes.set_yticks(range(count), [str(label) for label in picture.classes])
    axes.set_aspect("equal")
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    if picture.shares is None:
        return []
    image = axes.imshow(picture.shares, cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    style.scale(axes, image, "share of the true class")
    if count <= _MOST_WRITTEN:
        for row, shares in enumerate(picture.shares):
            for column, share in enumerate(shares):
                if share > 0:
                    color = "black" if share > 0.5 else "white"
                    axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=6.5, color=color)
    return []
