"""The controls: each queues a command of the session and returns at once."""

from __future__ import annotations

from collections.abc import Callable, Container
from concurrent.futures import Future
from html import escape
from typing import Any

import ipywidgets

from np_widgets.learning.growth import PursuitFrame
from np_widgets.learning.settings import MINIMIZER_NAMES
from np_widgets.sessions.session import Session
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.panels.panel import text_widget
from np_widgets.widgets.settings import SettingControls
from np_widgets.widgets.writing import update

CONTROLS = ("play", "step", "add_neuron", "speed", "minimizer", "reset", "seed", "hidden_layers", "power", "leak")

_SPEEDS: dict[str, float | None] = {"full speed": None, "20 a second": 20.0, "5 a second": 5.0, "1 a second": 1.0}


class Controls:
    """Buttons and inputs.

    The values of inputs belong to the user; buttons are readouts, too, and those are written by :meth:`show`, on the
    publisher's thread.

    Parameters
    ----------
    session
        What to steer.
    hidden
        Names from :data:`CONTROLS` to leave out.
    on_change
        Called when the user has changed an input, so that what depends on it be shown again.
    on_refusal
        Called with what made a command be refused, or with None when a command was accepted.

    Attributes
    ----------
    rows
        What to display, without what is hidden.
    widgets
        All controls, the hidden ones included.
    """

    def __init__(
        self,
        session: Session,
        hidden: Container[str],
        on_change: Callable[[], None],
        on_refusal: Callable[[BaseException | None], None],
    ) -> None:
        self._session = session
        self._on_refusal = on_refusal
        self._play = _button("Play", "play", "Run until something stops it, or pause", self._play_or_pause)
        self._step = _button("Step", "step-forward", "One step of what is going on, then pause", self._one_step)
        self._add = _button("Add neuron", "plus", "Search now and add the best neuron", self._add_neuron)
        self._layer = Chooser("Layer", "Which hidden layer gets the neuron", on_change, "130px")
        self._reset = _button("Reset", "refresh", "Start over with these settings", self._start_over)
        self._settings = SettingControls(session.frame, hidden, on_change)
        # The session may have come with a speed of its own.
        self._speeds = _SPEEDS | {_speed_name(session.speed): session.speed}
        speeds, speed = list(self._speeds), _speed_name(session.speed)
        self._speed = _dropdown("Speed", speeds, speed, "Steps of the session in a second", "160px")
        self._speed.observe(lambda change: self._set_speed(change["new"]), "value")
        minimizer = session.engine.settings.minimizer  # type: ignore[attr-defined]
        self._minimizer = _dropdown("Minimizer", _minimizers(), minimizer, "What minimizes the loss", "230px")
        self._minimizer.observe(lambda change: self._send("set_minimizer", change["new"]), "value")
        self._pending = text_widget("npw-pending")
        self.widgets = [self._play, self._step, self._add, self._layer.box, self._reset, self._speed, self._minimizer]
        self.widgets += [*self._settings.widgets, self._pending]
        rows = [self._first_row(hidden), self._second_row(hidden)]
        self.rows = [_box("npw-row", widgets) for widgets in rows if widgets]

    def show(self, frame: PursuitFrame, status: str) -> None:
        """Let buttons and choices fit the frame."""
        running, over = status == "running", status in ("finished", "closed")
        update(self._play, description="Pause" if running else "Play", icon="pause" if running else "play")
        update(self._play, disabled=over)
        update(self._step, disabled=over)
        update(self._add, disabled=not frame.weights or status == "closed")
        update(self._reset, disabled=status == "closed")
        self._layer.offer([("best", 0), *((f"{layer}", layer) for layer in range(1, frame.hidden_layers + 1))])
        changes = self._settings.pending(frame)
        text = f"Reset will start with <b>{escape(', '.join(changes))}</b>" if changes else ""
        update(self._pending, value=text)

    def _first_row(self, hidden: Container[str]) -> list[ipywidgets.Widget]:
        row = [widget for name, widget in (("play", self._play), ("step", self._step)) if name not in hidden]
        if "add_neuron" not in hidden:
            row.append(_box("npw-group", [self._add, self._layer.box]))
        if "speed" not in hidden:
            row.append(self._speed)
        if "minimizer" not in hidden and self._session.frame.method != "paper":  # the paper's algorithm has but one
            row.append(self._minimizer)
        return row

    def _second_row(self, hidden: Container[str]) -> list[ipywidgets.Widget]:
        if "reset" in hidden:  # settings without it would have no effect
            return []
        return [self._reset, *self._settings.shown, self._pending]

    def _play_or_pause(self) -> None:
        # What the button says is what the user asks for, whatever the session has become meanwhile.
        self._send("pause" if self._play.description == "Pause" else "resume")

    def _one_step(self) -> None:
        self._send("step")

    def _add_neuron(self) -> None:
        self._send("add_neuron", layer=self._layer.value or None)

    def _start_over(self) -> None:
        self._send("reset", **self._settings.values)

    def _set_speed(self, name: str) -> None:
        try:
            self._session.speed = self._speeds[name]
        except (RuntimeError, ValueError) as error:
            self._on_refusal(error)

    def _send(self, command: str, *args: Any, **kwargs: Any) -> None:
        try:
            future = self._session.submit(command, *args, **kwargs)
        except (RuntimeError, TypeError, ValueError) as error:
            self._on_refusal(error)
        else:
            future.add_done_callback(self._hear)

    def _hear(self, future: Future[Any]) -> None:
        if not future.cancelled():
            self._on_refusal(future.exception())


def _button(name: str, icon: str, tooltip: str, on_click: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=name, icon=icon, tooltip=tooltip, layout={"width": "auto"})
    button.on_click(lambda _: on_click())
    return button


def _dropdown(name: str, options: Any, value: Any, tooltip: str, width: str) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(
        options=options,
        value=value,
        description=name,
        tooltip=tooltip,
        style={"description_width": "initial"},
        layout={"width": width},
    )


def _speed_name(speed: float | None) -> str:
    return "full speed" if speed is None else f"{speed:g} a second"


def _minimizers() -> list[tuple[str, str]]:
    names = {"lbfgs": "L-BFGS", "levenberg_marquardt": "Levenberg–Marquardt", "adam": "Adam"}
    return [(names.get(name, name.replace("_", " ")), name) for name in MINIMIZER_NAMES]


def _box(css_class: str, children: list[ipywidgets.Widget]) -> ipywidgets.HBox:
    box = ipywidgets.HBox(children)
    box.add_class(css_class)
    return box
