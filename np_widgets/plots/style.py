"""Figures that pyplot knows nothing of, with the colors and sizes of the style that the user has chosen."""

from __future__ import annotations

import io
import sys
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
_POINTS = 0.75  # of a pixel, as looks measure
_DISPLAY_SCALE = 1.5
_DESCRIBED = {"png": "Description", "svg": "Description", "pdf": "Subject"}
# Axes with less room than so many ems each way are drawn smaller, but not by more than that.
_ROOM = (21.0, 16.5)
_SMALLEST = 0.8
# How wide a letter is, as a share of the size of its font.
_LETTER = 0.52


class Plot(Figure):
    """A figure that pyplot knows nothing of, so nobody has to close it, and that a notebook shows all the same."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.says: list[str] = []
        super().__init__(*args, **options)
        _show_by_itself()

    def clear(self, keep_observers: bool = False) -> None:
        """Take everything off."""
        super().clear(keep_observers)
        self.says = []

    @property
    def description(self) -> str:
        """What is seen, in words: the alt text of the picture."""
        return " ".join([self.get_suptitle().replace("\n", ". "), *self.says]).strip()

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save as :meth:`matplotlib.figure.Figure.savefig` does, with fonts that journals accept in PDF and PS.

        PNG, SVG and PDF files have the description of what is seen in their metadata.
        """
        kind = options.get("format") or str(fname).rpartition(".")[2].lower()
        if (field := _DESCRIBED.get(kind)) and self.description:
            options["metadata"] = {field: self.description} | (options.get("metadata") or {})
        with mpl.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
            super().savefig(fname, **options)

    def draw(self, renderer: RendererBase) -> None:
        """Draw as :meth:`matplotlib.figure.Figure.draw` does, never by TeX, which reads names otherwise."""
        with mpl.rc_context({"text.usetex": False}):
            for text in self.findobj(Text):
                text.set_usetex(False)
            super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        image = io.BytesIO()
        self.savefig(image, format="png", dpi=_DISPLAY_SCALE * self.dpi)
        width, height = (round(inches * self.dpi) for inches in self.get_size_inches())
        return image.getvalue(), {"width": width, "height": height, "alt": self.description}


def _show_by_itself() -> None:
    """Let notebooks ask a plot for its picture: pyplot brings a formatter for all figures, without words."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(Plot, Plot._repr_png_)


def figure(width: float, height: float) -> Plot:
    """An empty figure of that size in inches whose parts make room for each other."""
    return Plot(figsize=(width, height), layout="constrained")


def size(share: float, axes: Axes) -> float:
    """A font size in points."""
    return share * scale(axes) * float(mpl.rcParams["font.size"])


def points(axes: Axes) -> float:
    """How many points a pixel of a look has."""
    return _POINTS * scale(axes)


def scale(axes: Axes) -> float:
    """How large letters and marks are beside those of large axes: 1, or less where there is little room."""
    whole, place = axes.get_figure(root=True), axes.get_position()
    assert whole is not None
    em = float(mpl.rcParams["font.size"]) / 72
    rooms = place.width * whole.get_figwidth() / em, place.height * whole.get_figheight() / em
    return max(_SMALLEST, min(1.0, *(room / wanted for room, wanted in zip(rooms, _ROOM, strict=True))))


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


def inches(axes: Axes, upright: bool = False) -> float:
    """About how wide, or how high, the axes will be."""
    whole, place = axes.get_figure(root=True), axes.get_position()
    assert whole is not None
    if upright:  # the legend and notes take their share
        return 0.8 * float(place.height * whole.get_figheight())
    # A layout that makes room for labels alone leaves more of it than the plain one that is there at first.
    return 1.1 * float(place.width * whole.get_figwidth())


def wrapped(axes: Axes, note: str, share: float, upright: bool = False) -> list[str]:
    """A note in lines that fit under, or beside, the axes."""
    room, font = 0.9 * 72 * inches(axes, upright), size(share, axes)
    lines = [""]
    for word in note.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and wide(longer, font) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [line for line in lines if line]


def most_lines(axes: Axes) -> int:
    """How many lines may stand under axes, so that most of the room is left to the picture."""
    return int(0.4 * 72 * inches(axes, upright=True) / (1.2 * size(NORMAL, axes)))


def wide(text: str, font: float) -> float:
    """How many points a text takes in a font of that size."""
    return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=font), False)[0])


def caption(figure: Figure, lines: str) -> None:
    """What the whole figure shows, above it; dollar signs in it mean dollars."""
    font = TITLE * float(mpl.rcParams["font.size"])
    width = max(int(72 * figure.get_figwidth() / (_LETTER * font)), 20)
    text = "\n".join(textwrap.fill(line, width) for line in lines.splitlines())
    figure.suptitle(text, fontsize=font, x=0.01, ha="left", linespacing=1.5, parse_math=False)
