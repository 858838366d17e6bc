"""Scenes drawn with bqplot: marks are made when their role first appears, and then only what has changed is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import bqplot
import ipywidgets
import numpy as np

from np_widgets.pictures.looks import LOOKS
from np_widgets.pictures.scene import Axis, Dots, Key, Mark, Scene
from np_widgets.pictures.selection import highlighted
from np_widgets.widgets import legend
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.elements import text_widget
from np_widgets.widgets.marks import parts
from np_widgets.widgets.mover import Mover
from np_widgets.widgets.theme import size_class, sized
from np_widgets.widgets.writing import same, update

# So many letters have room side by side along a picture, and a wide one, where it is narrowest.
_LETTERS_ALONG = (36, 60)
_ORDER = {role: place for place, role in enumerate(LOOKS)}


@dataclass(frozen=True)
class Choice:
    """What a user may choose of a picture: ``options(shown)`` are ``(label, value)``, the first the default."""

    name: str
    tooltip: str
    options: Callable[[Any], Sequence[tuple[str, int]]]
    width: str = "185px"


@dataclass(frozen=True)
class Picture:
    """One entry of a widget's table of pictures: ``scene(shown, choice)`` makes it, ``how`` says how to read it.

    As long as ``of(shown)`` stays the same, so does the picture. One that is ``movable`` may have dots to be dragged.
    """

    scene: Callable[[Any, int | None], Scene]
    how: str = ""
    wide: bool = False
    height: str = "230px"
    choice: Choice | None = None
    of: Callable[[Any], Any] | None = None
    movable: bool = False


class Panel:
    """A picture with a heading, its legend above the data instead of on them, a figure, and notes.

    Parameters
    ----------
    picture
        What to draw.
    on_choice
        Called when the user has chosen something else to be drawn.
    on_click
        Called with what was clicked.
    on_drag
        Called with what was dragged, the mark that it belongs to, and where it was left.
    size
        How many times larger than in a notebook of one's own.
    """

    def __init__(
        self,
        picture: Picture,
        on_choice: Callable[[], None] = lambda: None,
        on_click: Callable[[Key], None] = lambda _: None,
        on_drag: Callable[[Key, Dots, float, float], None] = lambda *_: None,
        size: float = 1.0,
    ) -> None:
        self._picture, self._size, self._height = picture, size, sized(picture.height)
        self.scene = Scene("")  # what is shown
        self._on_click, self._on_drag = on_click, on_drag
        self._clickable: dict[tuple[str, str], Mark] = {}
        self._marks: dict[tuple[str, str], bqplot.Mark] = {}
        self._held: dict[tuple[str, str], dict[str, Any]] = {}  # what those that are seen were given
        self._moved: set[tuple[str, str]] = set()
        self._axes_shown: tuple[Any, ...] = ()
        self._told: tuple[Any, ...] = ()
        self._of: Any = None
        self._scales = {side: bqplot.LinearScale(min=0.0, max=1.0) for side in ("x", "y", "right")}
        self._axes = {
            "x": _axis(self._scales["x"], label_offset=self._pixels(30)),
            "y": _axis(self._scales["y"], side="left", label_offset=self._pixels(56)),
            "right": _axis(self._scales["right"], side="right", label_offset=self._pixels(62)),
        }
        self.figure = bqplot.Figure(
            axes=list(self._axes.values()),
            fig_margin={"top": 16, "bottom": 8, "left": 8, "right": 8},
            padding_y=0.0,
            background_style={"fill": "none"},
            animation_duration=0,
            display_toolbar=False,
            layout={"width": "100%", "height": self._height, "min_width": "0"},
        )
        self.figure.add_class("npw-figure")
        self._heading = text_widget("npw-panel-title")
        self._legend, self._note = text_widget("npw-legend"), text_widget("npw-note")
        choice, self._chooser = picture.choice, None
        if choice is not None:
            self._chooser = Chooser(choice.name, choice.tooltip, on_choice, choice.width)
        head = ipywidgets.HBox([self._heading, *([self._chooser.box] if self._chooser else [])])
        head.add_class("npw-panel-head")
        self._mover = Mover(on_choice, on_drag) if picture.movable else None
        moving = [self._mover.box] if self._mover else []
        self.box = ipywidgets.VBox([head, self._legend, self.figure, *moving, self._note])
        self.box.add_class("npw-panel")
        if picture.wide:
            self.box.add_class("npw-wide")

    def show(self, shown: Any, selected: Key | None = None) -> None:
        """Draw what there is to see of it, and set off what is selected; on the publisher's thread."""
        value = None
        if self._chooser is not None and self._picture.choice is not None:
            self._chooser.offer(self._picture.choice.options(shown))
            value = self._chooser.value
        moving = self._mover.chosen if self._mover else 0
        of = None if self._picture.of is None else (self._picture.of(shown), value, selected, moving)
        # What the browser has moved is drawn anew, wherever it belongs now.
        moved, self._moved = self._moved, set()
        if of is not None and of == self._of and not moved:
            return
        self._of = None  # until it is drawn
        self.scene = scene = highlighted(self._picture.scene(shown, value), selected)
        self._show_axes(scene)
        held, self._held = self._held, {}
        for mark in scene.marks:
            for part, make, values in parts(mark, scene, self._size):
                key = mark.role, part + (" right" if mark.right else "")
                before, self._held[key] = held.pop(key, {}), values
                before = {} if key in moved else before
                self._clickable[key] = mark
                drawn = self._mark(key, make, mark)
                # Asking a widget what it holds takes longer than remembering what it was given.
                if len(before) != len(values) or not all(same(before.get(name), new) for name, new in values.items()):
                    update(drawn, visible=True, **values)
        for key in held:
            update(self._marks[key], visible=False)
        if self._mover is not None:
            self._mover.show(scene)
        self._tell(scene)
        self._of = of

    def _tell(self, scene: Scene) -> None:
        told = scene.title, scene.legend, scene.shades, scene.empty, scene.notes, scene.says
        if told == self._told:
            return
        self._told, how = told, escape(self._picture.how)
        sign = f' <span class="npw-help" title="{how}">?</span>' if how else ""
        update(self._heading, value=f'<span role="heading" aria-level="3">{escape(scene.title)}</span>{sign}')
        update(self._legend, value=legend.html(scene))
        notes = "<br>".join(escape(note) for note in scene.notes if note)
        if scene.empty:
            notes = f'<div class="npw-empty">{escape(scene.empty)}</div>{notes}'
        # What a screen reader says of the figure: the pacer gives it to it.
        update(self._note, value=f'{notes}<span class="npw-says" hidden>{escape(str(scene))}</span>')

    def _mark(self, key: tuple[str, str], make: Callable[..., bqplot.Mark], mark: Mark) -> bqplot.Mark:
        if key not in self._marks:
            scales = {"x": self._scales["x"], "y": self._scales["right" if mark.right else "y"]}
            shades = getattr(mark, "shades", None)
            if shades is not None:
                scales["color"] = bqplot.ColorScale(colors=list(shades.colors), min=shades.low, max=shades.high)
            self._marks[key] = make(scales=scales)
            if getattr(mark, "reads", ()):
                self._marks[key].tooltip = tooltip = bqplot.Tooltip(fields=["name"], show_labels=False)
                tooltip.add_class(size_class(self._size))  # it is no part of the widget, but of the page
            if isinstance(mark, Dots):
                self._marks[key].on_element_click(lambda _, content: self._clicked(key, content))
                self._marks[key].on_drag_end(lambda _, content: self._dragged(key, content))
            order = sorted(self._marks, key=lambda each: _ORDER[each[0]])
            self.figure.marks = [self._marks[each] for each in order]
        elif getattr(mark, "shades", None) is not None:
            scale, shades = self._marks[key].scales["color"], mark.shades  # type: ignore[attr-defined]
            update(scale, colors=list(shades.colors), min=float(shades.low), max=float(shades.high))
        return self._marks[key]

    def _clicked(self, place: tuple[str, str], content: Any) -> None:
        data, mark = content.get("data") or {}, self._clickable[place]
        member = data.get("index")
        if isinstance(member, int) and member < max(len(mark.keys), 1) and (keys := mark.keys_of(member)):
            self._on_click(keys[0])

    def _dragged(self, place: tuple[str, str], content: Any) -> None:
        mark, point, member = self._clickable[place], content.get("point") or {}, content.get("index")
        self._moved.add(place)
        known = isinstance(member, int) and member < len(getattr(mark, "keys", ())) and len(point) == 2
        if isinstance(mark, Dots) and mark.moves and known:
            self._on_drag(mark.keys[member][0], mark, float(point["x"]), float(point["y"]))

    def _show_axes(self, scene: Scene) -> None:
        axes = scene.x, scene.y, scene.right, bool(scene.marks)
        if axes == self._axes_shown:
            return
        self._axes_shown = axes
        for side, axis in (("x", scene.x), ("y", scene.y), ("right", scene.right)):
            visible = axis is not None and not axis.hidden and bool(scene.marks)
            update(self._axes[side], visible=visible)
            if axis is None or not scene.marks:
                continue
            low, high = (math.log10(end) if axis.log else float(end) for end in (axis.low, axis.high))
            update(self._scales[side], min=low, max=high, reverse=axis.reverse)
            if visible:
                update(self._axes[side], label=axis.label, **_ticks(axis))
            if side == "x":
                turned = self._is_crowded(axis)
                # Beneath what stands at the ticks, which is turned where there is much of it.
                longest = max((len(text) for _, text in axis.all_ticks), default=0)
                offset = 24 + 4.4 * longest if turned else 30 if longest else 14
                update(self._axes["x"], label_offset=self._pixels(round(offset)), **_turn(turned))
        if scene.marks:
            margin = {
                "top": 16,
                "bottom": 4 if scene.x.hidden else _below(scene.x) + 38 * self._is_crowded(scene.x),
                "left": 8 if scene.y.hidden else 70,
                "right": 76 if scene.right is not None else 8 if scene.y.hidden else 14,
            }
            update(self.figure, fig_margin={side: round(self._size * pixels) for side, pixels in margin.items()})
        if scene.equal:  # a square
            update(self.figure.layout, width=self._height, margin="0 auto")

    def _pixels(self, pixels: float) -> str:
        """A length that bqplot can read, and not only the browser."""
        return f"{self._size * pixels:g}px"

    def _is_crowded(self, axis: Axis) -> bool:
        """Whether the names along an axis would run into each other where the picture is narrow."""
        names = [text for _, text in axis.ticks or ()]
        room = _LETTERS_ALONG[self._picture.wide]
        return not axis.hidden and max(map(len, names), default=0) * len(names) > room


def _below(axis: Axis) -> int:
    """The room for what stands under an axis."""
    return 18 * bool(axis.label) + (22 if axis.all_ticks else 6)


def _axis(scale: bqplot.Scale, **options: Any) -> bqplot.Axis:
    return bqplot.Axis(scale=scale, grid_lines="none", **options)


def _turn(turned: bool) -> dict[str, Any]:
    return {"tick_rotate": -45 if turned else 0, "tick_style": {"text-anchor": "end" if turned else "middle"}}


def _ticks(axis: Axis) -> dict[str, Any]:
    ticks = axis.all_ticks
    places = np.array([place for place, _ in ticks], dtype=np.float64)
    labels = {_javascript(place): text for place, text in ticks}
    return {"tick_values": places, "tick_labels": labels} | ({} if labels else {"num_ticks": 0})


def _javascript(value: float) -> str:
    """A number as JavaScript writes it: that is how bqplot looks a label up."""
    if value == int(value):
        return str(int(value))
    if abs(value) >= 1e-6:
        return np.format_float_positional(value, trim="-")
    return repr(value).replace("e-0", "e-")
