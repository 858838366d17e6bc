"""Figures that pyplot knows nothing of, with the colors and sizes of the style that the user has chosen."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from np_widgets.pictures.looks import COLORS

SMALL, NORMAL, TITLE = 0.75, 0.85, 1.0
"""Shares of ``rcParams["font.size"]``."""
POINTS = 0.75
"""Of a pixel, as looks measure."""
_DISPLAY_SCALE = 1.5
# How wide a letter is, as a share of the size of its font.
LETTER = 0.52


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


def size(share: float) -> float:
    """A font size in points."""
    return share * float(mpl.rcParams["font.size"])


def color(name: str, axes: Axes) -> str:
    """One of the colors of looks as it is seen on these axes; text and paper are those of the user's style."""
    if name == "text":
        return str(mpl.rcParams["text.color"])
    if name == "surface":
        return to_hex(axes.get_facecolor())
    return COLORS[name][is_dark(axes)] if name in COLORS else name


def is_dark(axes: Axes) -> bool:
    """Whether these axes are dark."""
    return sum(to_rgb(axes.get_facecolor())) < 1.5


def inches(axes: Axes) -> float:
    """About how wide the axes will be."""
    whole = axes.get_figure(root=True)
    assert whole is not None
    # A layout that makes room for labels alone leaves more of it than the plain one that is there at first.
    return 1.1 * float(axes.get_position().width * whole.get_figwidth())


def wrapped(axes: Axes, note: str, share: float) -> list[str]:
    """A note in lines that fit under the axes."""
    room, font = 0.9 * 72 * inches(axes), FontProperties(size=size(share))
    lines = [""]
    for word in note.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_to_path.get_text_width_height_descent(longer, font, False)[0] > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [line for line in lines if line]


def caption(figure: Figure, lines: str) -> None:
    """What the whole figure shows, above it; dollar signs in it mean dollars."""
    width = max(int(72 * figure.get_figwidth() / (LETTER * size(TITLE))), 20)
    text = "\n".join(textwrap.fill(line, width) for line in lines.splitlines())
    figure.suptitle(text, fontsize=size(TITLE), x=0.01, ha="left", linespacing=1.5, parse_math=False)
