"""What all figures share: colors that color-blind people can tell apart, sizes in points, and where legends go."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.text import Text

# After Okabe and Ito; whatever a color says, a dash, a marker or a label says too.
BLUE = "#0072b2"
ORANGE = "#d55e00"
GREEN = "#009e73"
PINK = "#b5508a"
SKY = "#2a93d5"
BROWN = "#9a6a00"
GRAY = "#808080"
POSITIVE, NEGATIVE = BLUE, ORANGE
LEARNED, TRUTH, ADDED = BLUE, ORANGE, PINK
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, BROWN, GRAY, "#4b3b8f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
CLASSES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#999999", "#9a6324", "#b2df8a")
DIVERGING = ("#0072b2", "#7fb8d9", "#f2f2f2", "#f0b27f", "#d55e00")
SEQUENTIAL = "cividis"

SMALL, NORMAL, TITLE = 7.5, 8.5, 10.0
# Points that a row of a legend takes, and letters that fit under a narrow picture.
_LEGEND_ROW = 13.0
_NOTE_WIDTH = 54
_DISPLAY_SCALE = 1.5
_LETTERS_PER_INCH = 14


class Plot(Figure):
    """A figure that pyplot knows nothing of, so nobody has to close it, and that a notebook shows all the same."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save as :meth:`matplotlib.figure.Figure.savefig` does, with fonts that journals accept in PDF and PS."""
        with mpl.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
            super().savefig(fname, **options)

    def draw(self, renderer: RendererBase) -> None:
        """Draw as :meth:`matplotlib.figure.Figure.draw` does, never by TeX, which reads names otherwise."""
        with mpl.rc_context({"text.usetex": False}):
            for text in self.findobj(Text):
                text.set_usetex(False)
            super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        image = io.BytesIO()
        self.savefig(image, format="png", dpi=_DISPLAY_SCALE * self.dpi)
        width, height = (round(inches * self.dpi) for inches in self.get_size_inches())
        return image.getvalue(), {"width": width, "height": height}


def figure(width: float, height: float) -> Plot:
    """An empty figure of that size in inches whose parts make room for each other."""
    return Plot(figsize=(width, height), layout="constrained")


def ink() -> str:
    """The color of text in the style that the user has chosen."""
    return str(mpl.rcParams["text.color"])


def paper() -> str:
    """The color behind the data in that style."""
    return str(mpl.rcParams["axes.facecolor"])


def caption(figure: Figure, lines: str) -> None:
    """What the whole figure shows, above it; dollar signs in it mean dollars."""
    width = int(figure.get_figwidth() * _LETTERS_PER_INCH)
    text = "\n".join(textwrap.fill(line, width) for line in lines.splitlines())
    figure.suptitle(text, fontsize=TITLE, x=0.01, ha="left", linespacing=1.5, parse_math=False)


def tidy(axes: Axes, x_label: str = "", y_label: str = "", *notes: str) -> None:
    """Label the axes, with notes in words under the horizontal one, and take away what carries no data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", labelsize=SMALL)
    written = [line for note in notes for line in textwrap.wrap(note, _NOTE_WIDTH)]
    axes.set_xlabel("\n".join([x_label, *written] if x_label else written), fontsize=NORMAL)
    axes.set_ylabel(y_label, fontsize=NORMAL)


def head(axes: Axes, title: str, entries: Sequence[tuple[Artist, str]] = (), columns: int = 4) -> None:
    """A title with the legend between it and the picture, where it covers no data."""
    rows = -(-len(entries) // columns)
    axes.set_title(title, loc="left", fontsize=TITLE, fontweight="bold", pad=6 + _LEGEND_ROW * rows)
    if entries:
        axes.legend(
            [artist for artist, _ in entries],
            [label for _, label in entries],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            frameon=False,
            fontsize=SMALL,
            borderaxespad=0.2,
            borderpad=0.1,
            handlelength=2.2,
            columnspacing=1.4,
            labelspacing=0.3,
        )


def scale(axes: Axes, colored: ScalarMappable, label: str) -> None:
    """What the colors mean, in a bar beside the picture."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(colored, ax=axes, shrink=0.9, aspect=25, pad=0.02)
    bar.set_label(label, fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)


def say(axes: Axes, sentence: str) -> None:
    """In place of a picture that there is nothing for yet."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, sentence, ha="center", va="center", transform=axes.transAxes, fontsize=NORMAL, color=GRAY)
