"""A picture as data: marks with roles, axes, notes and a sentence. One description serves every way of drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from np_widgets.pictures.looks import LOOKS, Look
from np_widgets.pictures.ticks import linear_ticks, log_ticks

Floats = NDArray[np.float64]


Key = tuple[str | int, ...]
"""What a mark stands for, in whatever picture it is: ``("neuron", layer, index)``, ``("candidate", index)`` of the last
search, ``("network", index)`` of the growth, ``("input", index)`` or ``("sample", index)``; layers count from 1, all
else from 0."""
Keys = tuple[Key, ...]


@dataclass(frozen=True, eq=False)
class Mark:
    """What a picture is made of.

    Attributes
    ----------
    role
        What it means: a key of :data:`~np_widgets.pictures.looks.LOOKS`, which says how it is drawn.
    x, y
        Where, in units of the axes; whatever is given becomes arrays of floats.
    label
        What the legend calls it; empty for what needs no entry.
    right
        Whether its heights belong to the axis on the right.
    keys
        What each of its members stands for (each dot, text, edge, polygon or row of cells), or the whole mark if there
        is one entry; the first key of an entry is what a click means. Empty for what cannot be selected.
    tints
        A color of each dot, or one for the whole mark; empty for that of its role.
    """

    role: str
    x: Any
    y: Any
    label: str = ""
    right: bool = False
    keys: tuple[Keys, ...] = field(default=(), kw_only=True)
    tints: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))

    @property
    def look(self) -> Look:
        """How it is drawn."""
        look = LOOKS[self.role]
        return look if not self.tints else replace(look, color=self.tints[0])

    def keys_of(self, member: int) -> Keys:
        """What one of its members stands for."""
        return () if not self.keys else self.keys[0 if len(self.keys) == 1 else member]


@dataclass(frozen=True, eq=False)
class Curve(Mark):
    """One or several lines, with NaN between them."""

    @property
    def alone(self) -> NDArray[np.bool_]:
        """Which points have no neighbor that a line could go to."""
        known = np.isfinite(np.pad(self.y, 1, constant_values=np.nan))
        return known[1:-1] & ~known[:-2] & ~known[2:]


@dataclass(frozen=True, eq=False)
class Area(Mark):
    """Polygons: one a row of ``x`` and ``y``, both of shape ``(n, k)``."""


@dataclass(frozen=True, eq=False)
class Dots(Mark):
    """Markers; ``reads`` says of each what a pointer on it reads, ``values`` gives each a color of ``shades``.

    Those that have ``moves`` can be dragged in a widget: ``"up"`` and down, or ``"freely"``.
    """

    reads: tuple[str, ...] = ()
    moves: str = ""
    values: Floats | None = None
    shades: Shades | None = None


@dataclass(frozen=True, eq=False)
class Edges(Mark):
    """Straight lines, one a row of ``x`` and ``y`` of shape ``(n, 2)``, as strong as ``strengths`` from 0 to 1 say."""

    strengths: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, eq=False)
class Texts(Mark):
    """Words ``"above"``, ``"below"``, ``"left"``, ``"right"`` of their places, or in the ``"middle"`` of them."""

    texts: tuple[str, ...] = ()
    place: str = "above"


@dataclass(frozen=True, eq=False)
class Cells(Mark):
    """Colors on a grid: ``x`` and ``y`` are the middles of its columns and rows, ``values`` of shape ``(y, x)``.

    ``texts`` are written into the cells, if there are any; ``smooth`` colors may run into each other. ``keys`` are of
    the rows, ``across`` of the columns.
    """

    values: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    shades: Shades | None = None
    texts: NDArray[np.str_] | None = None
    smooth: bool = False
    across: tuple[Keys, ...] = ()


@dataclass(frozen=True)
class Shades:
    """Colors for values from ``low`` to ``high``; ``ends`` says in words what the two are, ``label`` what all is."""

    colors: tuple[str, ...]
    low: float
    high: float
    label: str = ""
    ends: tuple[str, str] = ("", "")

    def dark(self, values: Floats) -> NDArray[np.bool_]:
        """Which values have colors that want light letters."""
        lights = _luminances(self.colors)
        # There black and white letters are equally easy to read.
        return np.interp(values, np.linspace(self.low, self.high, len(lights)), lights) < 0.18


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``; ``ticks`` are ``(place, text)``, None for round numbers.

    A hidden axis has limits only.
    """

    label: str = ""
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None
    reverse: bool = False
    hidden: bool = False

    @property
    def all_ticks(self) -> tuple[tuple[float, str], ...]:
        """Where ticks stand, of a log axis as base-ten logarithms, and what stands at them."""
        if self.ticks is not None:
            return self.ticks
        return log_ticks(self.low, self.high) if self.log else linear_ticks(self.low, self.high)


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture.

    Attributes
    ----------
    title
        What it shows, in a few words.
    marks
        In the order of the legend; which lies upon which follows from their roles.
    x, y, right
        The axes; without one on the right all heights belong to the left one.
    notes
        Lines of text below.
    empty
        Why there is nothing to see, in words; empty if there is.
    says
        What is seen, in a sentence.
    equal
        Whether both axes have the same unit.
    """

    title: str
    marks: tuple[Mark, ...] = ()
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    right: Axis | None = None
    notes: tuple[str, ...] = ()
    empty: str = ""
    says: str = ""
    equal: bool = False

    def __post_init__(self) -> None:
        drawn = () if self.empty and not self.marks else self.marks
        object.__setattr__(self, "marks", tuple(mark for mark in drawn if mark.x.size and mark.y.size))
        object.__setattr__(self, "notes", tuple(note for note in self.notes if note))

    def __getitem__(self, role: str) -> Any:
        """The first mark of a role, of whichever kind that is."""
        return next(mark for mark in self.marks if mark.role == role)

    def __contains__(self, role: object) -> bool:
        return any(mark.role == role for mark in self.marks)

    @property
    def legend(self) -> tuple[tuple[str, Look], ...]:
        """``(label, look)`` of the marks that have a name, each once."""
        return tuple({mark.label: mark.look for mark in self.marks if mark.label}.items())

    @property
    def shades(self) -> Shades | None:
        """The colors that need a scale."""
        found = (getattr(mark, "shades", None) for mark in self.marks)
        return next((shades for shades in found if shades is not None and shades.label), None)

    def __str__(self) -> str:
        parts = [f"{self.title}.", self.says or self.empty, *self.notes]
        return " ".join(part if part.endswith((".", ":")) else f"{part}." for part in parts if part)


@lru_cache
def _luminances(colors: tuple[str, ...]) -> Floats:
    """Relative luminances, by the formula of the Web Content Accessibility Guidelines."""
    parts = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in colors])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722], dtype=np.float64)


def joined(curves: Iterable[tuple[ArrayLike, ArrayLike]]) -> tuple[Floats, Floats]:
    """Several curves as one, with gaps; it does not end with one."""
    parts = [(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)) for x, y in curves]
    parts = [(x, y) for x, y in parts if len(x)]
    if not parts:
        return np.zeros(0), np.zeros(0)
    x = np.concatenate([np.append(x, x[-1]) for x, _ in parts])[:-1]
    return x, np.concatenate([np.append(y, np.nan) for _, y in parts])[:-1]


def upright(places: Iterable[float], low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats]:
    """Vertical lines as one curve."""
    x = np.repeat(np.array(list(places), dtype=np.float64), 3)
    y = np.full(len(x), np.nan)
    y[0::3], y[1::3] = low, high
    return x[:-1], y[:-1]


def boxes(left: ArrayLike, right: ArrayLike, low: ArrayLike, high: ArrayLike) -> tuple[Floats, Floats]:
    """Rectangles as polygons."""
    left, right, low, high = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, float)) for v in (left, right, low, high))
    )
    return np.stack([left, right, right, left, left], axis=1), np.stack([low, low, high, high, low], axis=1)


def spots(*read: tuple[ArrayLike, ArrayLike, Sequence[str]], keys: tuple[Keys, ...] = ()) -> Dots:
    """Places ``(x, y, what is read there)`` along lines, for a pointer: markers that are not seen."""
    x, y = (np.concatenate([np.asarray(each[way], dtype=np.float64) for each in read]) for way in (0, 1))
    return Dots("spot", x, y, reads=tuple(text for _, _, texts in read for text in texts), keys=keys)


def apart(places: Sequence[float], texts: Sequence[str], letter: float) -> list[int]:
    """Which labels to write so that none covers another, a ``letter`` that wide: the last, and others before it."""
    halves, kept = [letter * (len(text) + 1) / 2 for text in texts], list[int]()
    for index in reversed(range(len(places))):
        if all(abs(places[index] - places[other]) >= halves[index] + halves[other] for other in kept):
            kept.insert(0, index)
    return kept
