"""What the browser has got of what was sent, and sending the rest again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import ipywidgets
from ipywidgets.widgets.widget import _remove_buffers

from np_widgets.widgets.pacer import Ask, Pacer
from np_widgets.widgets.tree import tree


class Delivery:
    """Finds out whether what is sent from threads of our own gets lost, and sends it again where it does.

    Some front ends (Colab's is one) deliver only what is sent while a message of theirs is handled. A page that misses
    a tick which was sent before an answer that it has got will never get it, as messages arrive in order: then it is
    ``pulled``, and everything has to be sent in answer to its asking.
    """

    def __init__(self, pacer: Pacer, widgets: Callable[[], Iterable[ipywidgets.Widget]]) -> None:
        self.pulled = False
        self._pacer = pacer
        self._widgets = widgets
        self._answered: dict[str, int] = {}  # the tick before the last answer to each page
        self._opened: set[str] = set()
        self._brought: set[str] = set()  # by another thread, and not delivered yet
        self._bringing = threading.Lock()
        self._complete = False

    def begin(self) -> None:
        """Note that what there is now was sent by the cell that made it."""
        self._opened = {widget.model_id for widget in self._widgets()}

    def hear(self, ask: Ask) -> None:
        """Learn from what a page asks."""
        if not self.pulled and ask.heard < self._answered.get(ask.asker, 0):
            self.pulled, self._complete = True, False

    def lapse(self) -> None:
        """Nobody asks any more."""
        self.pulled = False

    def miss(self) -> None:
        """Something was sent from another thread, beside what is published."""
        self._complete = False

    def bring(self, widgets: Iterable[ipywidgets.Widget]) -> None:
        """Note what another thread is about to show: it may come while a picture is published, and is not delivered."""
        with self._bringing:
            self._brought |= {widget.model_id for widget in tree(*widgets)} - self._opened

    def send_missing(self) -> None:
        """Send again what is not delivered; only on the thread that handles a message of the browser."""
        was_complete, self._complete = self._complete, True  # until something is missed from now on
        widgets = self._open()
        unknown = [widget for widget in widgets if widget.model_id not in self._opened]
        if was_complete and not unknown:
            return
        for widget in unknown:
            state, paths, buffers = _remove_buffers(widget.get_state())
            widget.comm.open(
                data={"state": state, "buffer_paths": paths},
                metadata={"version": ipywidgets.__protocol_version__},
                buffers=buffers,
            )
        for widget in widgets:
            if widget.model_id in self._opened:
                widget.send_state()
        with self._bringing:
            self._opened = {widget.model_id for widget in widgets}
            self._brought -= self._opened

    def published(self) -> None:
        """Note that what there is now has been delivered."""
        with self._bringing:
            self._opened = {widget.model_id for widget in self._open()} - self._brought

    def _open(self) -> list[ipywidgets.Widget]:
        return [widget for widget in self._widgets() if widget.comm is not None]

    def answer(self, ask: Ask, seconds: float) -> None:
        """Answer a page."""
        self._answered[ask.asker] = self._pacer.tick
        self._pacer.answer(ask, pulled=self.pulled, seconds=seconds)
