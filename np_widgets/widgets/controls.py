"""The controls that every session has: each queues a command of the session and returns at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from html import escape
from typing import Any

import ipywidgets

from np_widgets.sessions.session import Session
from np_widgets.widgets.elements import button, row, text_widget
from np_widgets.widgets.settings import Settings
from np_widgets.widgets.writing import update

OnRefusal = Callable[[BaseException | None], None]


class Controls:
    """Buttons and inputs.

    The values of inputs belong to the user, and no command is sent but the user's; buttons are readouts, too, and those
    are written by :meth:`show`, on the publisher's thread. A subclass adds its own controls and calls :meth:`_arrange`.
    """

    def __init__(self, session: Session, settings: Settings, on_refusal: OnRefusal) -> None:
        self._session = session
        self._settings = settings
        self._on_refusal = on_refusal
        self._play = button("Play", "play", "Run until something stops it, or pause", self._play_or_pause)
        self._step = button("Step", "step-forward", "One step of what is going on, then pause", self._one_step)
        self._reset = button("Reset", "refresh", "Start over with these settings", self._start_over)
        self._pending = text_widget("npw-pending")
        self.rows: list[ipywidgets.Widget] = []
        self.widgets = [self._reset, *settings.widgets, self._pending]

    def show(self, frame: Any, status: str) -> None:
        """Let buttons and choices fit the frame."""
        running, over = status == "running", self._is_over(frame, status)
        update(self._play, description="Pause" if running else "Play", icon="pause" if running else "play")
        update(self._play, disabled=over)
        update(self._step, disabled=over)
        update(self._reset, disabled=status == "closed")
        self._settings.follow(frame)
        changes = ", ".join(str(setting) for setting in self._settings.changes(frame))
        text = f"Reset will start with <b>{escape(changes)}</b>" if changes else ""
        update(self._pending, value=text)

    def _arrange(self, hidden: frozenset[str], *rows: Mapping[str, ipywidgets.Widget]) -> None:
        """Put controls, by their names, in rows, and the settings in a last one."""
        shown = [[widget for name, widget in named.items() if name not in hidden] for named in rows]
        if "reset" not in hidden:  # settings without it would have no effect
            shown.append([self._reset, *self._settings.shown, self._pending])
        # One row that flows: no control is left alone on a line of its own before all others are on theirs.
        self.rows = [row([widget for widgets in shown for widget in widgets])] if any(shown) else []
        self.widgets += [widget for named in rows for widget in named.values()]

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
        self._send("resume")

    def _one_step(self) -> None:
        self._send("step")

    def _start_over(self) -> None:
        changes = self._settings.changes(self._session.frame)
        self._send("reset", **{setting.name: setting.value for setting in changes})

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
