"""The controls that every session has: each queues a command of the session and returns at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets

from np_widgets.sessions.session import Session
from np_widgets.widgets.elements import button, group, row, text_widget
from np_widgets.widgets.inputs import Input
from np_widgets.widgets.past import Past
from np_widgets.widgets.settings import Settings
from np_widgets.widgets.time_slider import Point
from np_widgets.widgets.writing import update

PAST = ("time", "branch", "copy")


@dataclass(frozen=True)
class Owner:
    """What controls ask of the widget that they belong to."""

    session: Session
    on_change: Callable[[], None]
    """The user has chosen something else to see."""
    on_refusal: Callable[[BaseException | None], None]
    """A command was refused, or with None accepted."""
    points: Callable[[], Sequence[Point]]
    """What the time slider can go to."""
    branch: Callable[[], object]


class Controls:
    """Buttons and inputs.

    The values of inputs belong to the user, and no command is sent but the user's; buttons are readouts, too, and those
    are written by :meth:`show`, on the publisher's thread. All that makes time pass, Undo and Reset bring the time
    slider to the present: what they do would not be seen otherwise. A subclass adds its own controls and calls
    :meth:`_arrange`.
    """

    def __init__(self, owner: Owner, settings: Settings) -> None:
        self._session = owner.session
        self._settings = settings
        self._on_refusal = owner.on_refusal
        self.past = Past(owner.session, owner.points, owner.on_change, self._undo, self._branch)
        self._owner = owner
        self._play = button("Play", "play", "Run until something stops it, or pause", self._play_or_pause)
        self._step = button("Step", "step-forward", "One step of what is going on, then pause", self._one_step)
        self._reset = button("Reset", "refresh", "Start over with these settings", self._start_over)
        self._pending = text_widget("npw-pending")
        self.rows: list[ipywidgets.Widget] = []
        self.widgets = [self._reset, *settings.widgets, self._pending]

    def show(self, frame: Any, status: str, look: Any, words: str) -> None:
        """Let buttons and choices fit the newest frame, and what is looked at; ``words`` say which moment that is."""
        self.past.show(status, words)
        running, over = status == "running", self._is_over(frame, status)
        update(self._play, description="Pause" if running else "Play", icon="pause" if running else "play")
        update(self._play, disabled=over)
        update(self._step, disabled=over)
        update(self._reset, disabled=status == "closed")
        self._settings.follow(frame)
        changes = ", ".join(str(setting) for setting in self._settings.changes(frame))
        text = f"Reset will start with <b>{escape(changes)}</b>" if changes else ""
        update(self._pending, value=text)

    def lock(self, names: frozenset[str]) -> None:
        """Let these values be seen, and not be changed; before anything is shown."""
        for name in names:
            for each in self._inputs_of(name):
                each.lock()

    def _inputs_of(self, name: str) -> Sequence[Input]:
        return self._settings.inputs_of(name)

    def _arrange(self, hidden: frozenset[str], *rows: Mapping[str, ipywidgets.Widget]) -> None:
        """Put controls, by their names, in rows: those that steer, settings, and what to look at.

        Groups stay together, and so no control is left alone on a line.
        """
        past = {"branch": self.past.branch, "copy": self.past.code}
        time = {"time": self.past.time.box}
        *steering, looking = rows

        def shown(named: Mapping[str, ipywidgets.Widget]) -> list[ipywidgets.Widget]:
            return [widget for name, widget in named.items() if name not in hidden]

        groups = [[group(named) for each in part if (named := shown(each))] for part in (steering, (looking, past))]
        # Settings without it would have no effect.
        settings = [] if "reset" in hidden else [self._reset, *self._settings.shown, self._pending]
        self.rows = [row(line) for line in (groups[0], settings, [*shown(time), *groups[1]]) if line]
        self.widgets += [widget for named in (*rows, time, past) for widget in named.values()]

    def _is_over(self, frame: Any, status: str) -> bool:
        """Whether nothing is left to run."""
        return status in ("finished", "closed")

    def _play_or_pause(self) -> None:
        # What the button says is what the user asks for, whatever the session has become meanwhile.
        if self._play.description == "Pause":
            self._send("pause")
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._do("resume")

    def _one_step(self) -> None:
        self._do("step")

    def _undo(self) -> None:
        self._do("undo")

    def _branch(self) -> None:
        try:
            self._owner.branch()
        except Exception as error:  # noqa: BLE001 (nobody else would show it to the user)
            self._on_refusal(error)

    def _start_over(self) -> None:
        changes = self._settings.changes(self._session.frame)
        self._do("reset", **{setting.name: setting.value for setting in changes})

    def _do(self, command: str, *args: Any, **kwargs: Any) -> None:
        """Queue a command whose consequences are to be seen; see :meth:`_send`."""
        self.past.time.to_newest()
        self._send(command, *args, **kwargs)

    def _send(
        self,
        command: str,
        *args: Any,
        then: Callable[[], None] = lambda: None,
        settled: Callable[[], None] = lambda: None,
        **kwargs: Any,
    ) -> None:
        """Queue a command; ``then`` is called when it has been obeyed, ``settled`` also when it was refused."""

        def hear(future: Future[Any]) -> None:
            settled()
            if future.cancelled():
                return
            refusal = future.exception()
            self._on_refusal(refusal)
            if refusal is None:
                then()

        try:
            future = self._session.submit(command, *args, **kwargs)
        except (RuntimeError, TypeError, ValueError) as error:
            settled()
            self._on_refusal(error)
        else:
            future.add_done_callback(hear)
