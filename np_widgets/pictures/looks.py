"""How each role is drawn: one table for both themes, and for paper.

Colors come from the palette of Okabe and Ito, which color-blind people can tell apart; wherever a color means
something, a dash, a marker or a label says it too.
"""

from __future__ import annotations

from dataclasses import dataclass

COLORS = {
    "blue": ("#0072b2", "#56b4e9"),
    "orange": ("#d55e00", "#f5963d"),
    "green": ("#008a64", "#2bd0a0"),
    "pink": ("#b5508a", "#e9a3cb"),
    "sky": ("#2a93d5", "#a6d8f5"),
    "brown": ("#9a6a00", "#f0e442"),
    "muted": ("#616161", "#bdbdbd"),
    "faint": ("#c8c8c8", "#5a5a5a"),
    "text": ("#212121", "#ffffff"),
    "surface": ("#ffffff", "#111111"),
    # Of neurons: none of the blue and orange of signs, and letters of the color of the page can be read on them.
    "violet": ("#5b4bb5", "#b3a6ff"),
    "leaf": ("#117a4b", "#4fd59b"),
    "crimson": ("#b02a4c", "#ff8ba3"),
    "teal": ("#0f7380", "#5ad5e0"),
    "gold": ("#7d6608", "#e6cf5a"),
    "magenta": ("#a23b8f", "#f28fdc"),
    "earth": ("#6b4a2b", "#d2ab86"),
    "slate": ("#4a5a6a", "#aebfcf"),
}
"""``(on light, on dark)`` of each color; of muted, faint, text and surface a page has its own."""
NEURONS = ("violet", "leaf", "crimson", "teal", "gold", "magenta", "earth", "slate")

SIGNS = ("#0072b2", "#7fb8d9", "#f2f2f2", "#f0b27f", "#d55e00")[::-1]
VALUES = ("#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838")
CLASSES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#999999", "#9a6324", "#b2df8a")
"""Of images, which look the same in every theme: negative to positive, small to large, and one for each class."""

MARKERS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")


@dataclass(frozen=True)
class Look:
    """A color of :data:`COLORS` (or one of an image) and what does without color; widths and sizes in pixels."""

    color: str
    width: float = 2.0
    dash: str = "solid"
    marker: str = ""
    size: float = 7.0
    opacity: float = 1.0
    filled: bool = True
    rim: str = ""
    area: bool = False


def neuron_color(number: int) -> str:
    """The color of the neuron of that number: they repeat, so wherever one means something its name is beside it."""
    return NEURONS[number % len(NEURONS)]


def pale(color: str) -> str:
    """Half way to white."""
    return "#" + "".join(f"{(int(color[i : i + 2], 16) + 255) // 2:02x}" for i in (1, 3, 5))


def class_colors(classes: int) -> tuple[str, ...]:
    """One for each class; those of two classes have all shades between them."""
    if classes == 2:
        return (pale(CLASSES[0]), "#f7f7f7", pale(CLASSES[1]))
    return tuple(pale(CLASSES[each % len(CLASSES)]) for each in range(classes))


def class_role(label: int) -> str:
    """The role of the data of a class."""
    return f"class {label % len(CLASSES)}"


# Of runs that are compared: each has a color and a dash, and its number at the end of its line.
_SESSIONS = (
    Look("blue", 2.2),
    Look("orange", 2.2, "dashed"),
    Look("green", 2.2, "dash_dotted"),
    Look("pink", 2.4, "dotted"),
    Look("text", 1.4),
    Look("brown", 1.8, "dashed"),
    Look("sky", 1.8, "dash_dotted"),
    Look("muted", 2.4, "dotted"),
)

LOOKS = {
    # From bottom to top.
    "cells": Look("muted"),
    "tile": Look("muted", opacity=0.0, area=True),
    "plateau": Look("muted", opacity=0.15, area=True),
    "quartiles": Look("blue", opacity=0.2, area=True),
    "bar": Look("blue", area=True),
    "other bar": Look("muted", area=True),
    "grid": Look("faint", 1.0),
    "circle": Look("muted", 1.0, opacity=0.6),
    "stem": Look("muted", 1.3),
    "drop": Look("muted", 1.0, "dotted"),
    "diagonal": Look("muted", 1.3, "dashed"),
    "threshold": Look("text", 1.2, "dotted"),
    "target": Look("green", 1.6, "dashed"),
    # Beneath all lines and markers that can be selected.
    "selected edges": Look("sky", 9.0, opacity=0.5),
    "selected line": Look("sky", 7.0, opacity=0.5),
    "each": Look("muted", 1.0, opacity=0.6),
    "awake": Look("green", 1.6, "dash_dotted"),
    "shift": Look("brown", 1.8, "dotted"),
    "truth": Look("orange", 6.0, opacity=0.45),
    # On images, which are the same in every theme, and in the legend beside them.
    "true boundary": Look("#c04000", 2.0, "dotted"),
    "true level": Look("#ff9a4d", 1.6, "dotted"),
    "boundary": Look("#7b4fb5", 1.8),
    "level": Look("muted", 1.2),
    "answer": Look("text", 2.2),
    "data": Look("muted", marker="circle", size=4.8, opacity=0.7),
    "valued": Look("muted", marker="circle", size=6.2, rim="#ffffff"),
    **{
        f"class {label}": Look(color, marker=MARKERS[label % len(MARKERS)], size=6.6, rim="#404040")
        for label, color in enumerate(CLASSES)
    },
    "silent": Look("muted", marker="cross", size=4.5, opacity=0.7),
    "opposing": Look("orange", marker="triangle-down", size=6.5, rim="surface"),
    "agreeing": Look("blue", marker="circle", size=6.0, rim="surface"),
    "training": Look("blue", marker="circle", size=5.0, opacity=0.6),
    "learned": Look("blue", 2.0),
    "thin": Look("blue", 1.4),
    "main": Look("blue", 2.6),
    "test": Look("orange", 1.3, "dashed", marker="square", size=6.5),
    **{f"session {index}": look for index, look in enumerate(_SESSIONS)},
    **{
        f"samples {index}": Look(look.color, marker=MARKERS[index % len(MARKERS)], size=5.0, opacity=0.6)
        for index, look in enumerate(_SESSIONS)
    },
    "testing": Look("orange", marker="square", size=5.0, opacity=0.6),
    "predicted": Look("orange", 2.0, "dashed"),
    "negative": Look("orange", 2.6, marker="circle"),
    "positive": Look("blue", 2.6),
    "many": Look("muted", 2.0),
    "new negative": Look("orange", 2.6, "dashed", marker="circle"),
    "new positive": Look("blue", 2.6, "dashed"),
    "spot": Look("muted", marker="circle", size=12.0, opacity=0.0),
    # Above what is read along a line: they say more.
    "predicted escape": Look("orange", marker="circle", size=9.0, filled=False),
    "compared": Look("green", marker="square", size=12.0, filled=False),
    "best": Look("text", marker="square", size=12.0, filled=False),
    "minus": Look("orange", marker="circle", size=5.6),
    "end": Look("text", marker="circle", size=6.8),
    "rest": Look("surface", marker="circle", size=18.0, rim="text"),
    "neuron": Look("text", marker="circle", size=18.0),
    "new neuron": Look("pink", marker="circle", size=24.0, filled=False),
    "edge of a frame": Look("surface", 5.0),
    "active": Look("green", 2.4),
    "dormant": Look("pink", 2.4, "dashed"),
    "new": Look("pink", 2.4, "dashed"),
    "other point": Look("muted", marker="diamond", size=9.0, filled=False),
    "trail": Look("blue", 1.0, opacity=0.6),
    "head": Look("blue", marker="circle", size=5.5),
    "goal": Look("orange", marker="diamond", size=12.0, rim="text"),
    "leading trail": Look("pink", 2.6),
    "leader": Look("pink", 2.6, marker="square", size=9.0, rim="surface"),
    "point": Look("blue", marker="circle", size=7.0),
    "direction": Look("blue", marker="triangle-up", size=7.0, filled=False),
    "look-ahead": Look("orange", marker="square", size=7.0, filled=False),
    "taken": Look("pink", marker="diamond", size=12.5, rim="text"),
    "addition": Look("pink", marker="triangle-down", size=8.0),
    "aligned": Look("green", marker="circle", size=9.0, rim="surface"),
    "escaped": Look("pink", marker="triangle-up", size=9.5, rim="surface"),
    "next saddle": Look("text", marker="diamond", size=9.5, rim="surface"),
    "handle": Look("pink", marker="square", size=8.0, rim="text"),
    "selected": Look("sky", marker="circle", size=23.0, filled=False),
    "selected frame": Look("sky", 3.0),
    "share": Look("sky", 2.4, "dash_dotted"),
    "cursor": Look("text", 1.4),
    "words": Look("text"),
    "on neurons": Look("surface"),
    "aside": Look("muted"),
    "in cells": Look("#000000"),
    "in dark cells": Look("#ffffff"),
}
