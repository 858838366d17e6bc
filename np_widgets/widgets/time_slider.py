"""Going back over what a session remembers: a slider, a replay of it, and the way back to the present."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import anywidget
import ipywidgets
import traitlets

from np_widgets.sessions.moments import Kept
from np_widgets.widgets.elements import button, dropdown, group, text_widget
from np_widgets.widgets.writing import update

_NEWEST = 100.0
_SECONDS_BETWEEN_TICKS = 0.1


class Point(NamedTuple):
    """A place on the slider: a moment of the history, or the last before it where a frame's own record is finer."""

    kept: Kept
    time: float | None = None


class Replay(anywidget.AnyWidget):
    """A button that ticks while it is pressed: in the browser, as some browsers hear nothing of a kernel's threads."""

    playing = traitlets.Bool(False).tag(sync=True)
    tick = traitlets.Int(0).tag(sync=True)
    period = traitlets.Float(1000 * _SECONDS_BETWEEN_TICKS).tag(sync=True)

    _esm = """
    export default {
      initialize({ model }) {
        let timer;
        const follow = () => {
          clearInterval(timer);
          if (model.get("playing")) timer = setInterval(() => {
            model.set("tick", model.get("tick") + 1);
            model.save_changes();
          }, model.get("period"));
        };
        model.on("change:playing", follow);
        follow();
        return () => { clearInterval(timer); model.off("change:playing", follow); };
      },
      render({ model, el }) {
        const button = document.createElement("button");
        button.className = "jupyter-widgets jupyter-button widget-button npw-button";
        button.title = "Show one moment after the other, from here or from the beginning to the present";
        const say = () => { button.textContent = model.get("playing") ? "■ Stop replay" : "▷ Replay"; };
        button.addEventListener("click", () => {
          model.set("playing", !model.get("playing"));
          model.save_changes();
        });
        model.on("change:playing", say);
        say();
        el.append(button);
        return () => model.off("change:playing", say);
      }
    };
    """


class TimeSlider:
    """From the beginning of a session to its newest frame, where it stays while the session goes on.

    Its value is the user's, and so is the moment chosen: that stays the same while moments are added and thinned out.
    The readout beside it is the publisher's.
    """

    def __init__(self, points: Callable[[], Sequence[Point]], on_change: Callable[[], None]) -> None:
        self._points = points
        self._on_change = on_change
        self.chosen: Point | None = None
        self._slider = ipywidgets.FloatSlider(
            value=_NEWEST,
            min=0.0,
            max=_NEWEST,
            step=0.1,
            readout=False,
            description="Time",
            tooltip="Go back over what was computed; the right end is the present",
            style={"description_width": "initial"},
            layout={"width": "auto"},
        )
        self._slider.observe(self._on_value, "value")
        self._live = button("Live", "fast-forward", "Back to the present", self.to_newest)
        self._replay = Replay()
        self._replay.observe(self._on_playing, "playing")
        self._replay.observe(self._on_tick, "tick")
        paces = [(f"{seconds} s", float(seconds)) for seconds in (5, 20, 60)]
        self._pace = dropdown("in", paces, 20.0, "How long a replay takes", "85px")
        self._readout = text_widget("npw-when")
        self.box = group([self._slider, self._live, self._replay, self._pace, self._readout])
        self.box.add_class("npw-time")

    def to_newest(self) -> None:
        """Look at the present again: on the kernel's side only, whose widgets these are."""
        self._replay.playing = False
        self._slider.value = _NEWEST

    def go_to(self, kept: Kept) -> None:
        """Look at a moment; on the kernel's side only."""
        points = self._points()
        place = next(index for index, point in enumerate(points) if point.kept.number >= kept.number)
        # The slider stands beside it, where it has not so many places; the right end is for the present.
        self._slider.value = min(_NEWEST * place / max(len(points) - 1, 1), _NEWEST - 0.1)
        self._choose(points[place]._replace(kept=kept))

    def show(self, words: str) -> None:
        """Say which moment is looked at; on the publisher's thread."""
        update(self._readout, value=words)
        update(self._live, disabled=self.chosen is None)

    def _on_value(self, change: dict[str, Any]) -> None:
        points, share = self._points(), change["new"] / _NEWEST
        place = round(share * (len(points) - 1))
        self._choose(points[place] if share < 1 and place < len(points) - 1 else None)

    def _choose(self, point: Point | None) -> None:
        self.chosen = point
        self._on_change()

    def _on_playing(self, change: dict[str, Any]) -> None:
        if change["new"] and self._slider.value >= _NEWEST:
            self._slider.value = 0.0

    def _on_tick(self, _: object) -> None:
        if self._replay.playing:
            value = self._slider.value + _NEWEST * _SECONDS_BETWEEN_TICKS / self._pace.value
            if value >= _NEWEST:
                self.to_newest()
            else:
                self._slider.value = value
