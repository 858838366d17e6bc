"""Whether anybody can see a widget, and the rest of its session if nobody can."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from contextlib import suppress

from np_widgets.sessions.session import Session
from np_widgets.widgets.kernel import Cell, Hearing, current_cell
from np_widgets.widgets.kernel import hearing as kernel_hearing
from np_widgets.widgets.pacer import Pacer

# After so long without an answer from any view of a widget, the session that was made for it rests.
SECONDS_WITHOUT_VIEW = 10.0
_SECONDS_BETWEEN_QUESTIONS = 2.0
_LONGEST_BETWEEN_LOOKS = 5.0


class Audience:
    """Lets a session rest when no view of its widget answers any more, or when the widget was replaced.

    A notebook that is run again, or a widget that is made anew for every position of a slider, leaves the old ones
    behind, and nothing tells them: the registry of ipywidgets keeps every widget, and a closed tab says no farewell.
    """

    def __init__(
        self,
        session: Session,
        pacer: Pacer,
        hearing: Hearing = kernel_hearing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shown = False
        self._session = session
        self._pacer = pacer
        self._hearing = hearing
        self._clock = clock
        self._looked = self._asked = clock()
        self._silence = 0.0
        self._attentions = session.attentions
        hearing.begin()
        pacer.on_alive(self._on_answer)
        _replace_earlier(self, current_cell())

    def look(self) -> None:
        """Ask the views whether they are there, and let the session rest if it is time; call it again and again."""
        now, attentions = self._clock(), self._session.attentions
        elapsed, self._looked = now - self._looked, now
        if attentions != self._attentions or self._session.status != "running":
            self._silence, self._attentions = 0.0, attentions
        elif not (self.shown and self._hearing.deaf):
            self._silence += min(elapsed, _LONGEST_BETWEEN_LOOKS)  # more: this process was stopped for a while
        if self._silence >= SECONDS_WITHOUT_VIEW:
            self._silence = 0.0
            self._rest(f"resting: no view of this widget has answered for {SECONDS_WITHOUT_VIEW:g} s; Play goes on")
        elif min(self._silence, now - self._asked) >= _SECONDS_BETWEEN_QUESTIONS:
            self._asked = now
            self._pacer.send_tick()

    def replaced(self) -> None:
        """The cell that made the widget has made another."""
        self._rest("resting: the cell of this widget was executed again; Play goes on")

    def _rest(self, reason: str) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self._session.submit("rest", reason)

    def _on_answer(self) -> None:
        self.shown = True
        self._session.attend()


_of_cells: dict[str, tuple[str, weakref.WeakSet[Audience]]] = {}


def _replace_earlier(audience: Audience, cell: Cell | None) -> None:
    if cell is None:
        return
    execution, audiences = _of_cells.get(cell.name, ("", weakref.WeakSet[Audience]()))
    if execution != cell.execution:
        for earlier in list(audiences):
            earlier.replaced()
        audiences = weakref.WeakSet()
        _of_cells[cell.name] = (cell.execution, audiences)
    audiences.add(audience)
