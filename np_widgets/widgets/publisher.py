"""The one writer of pictures and readouts: a thread that shows a session's newest frame."""

from __future__ import annotations

import atexit
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets

from np_widgets.sessions.session import Session
from np_widgets.sessions.torch_threads import set_own_torch_threads
from np_widgets.widgets.delivery import Delivery
from np_widgets.widgets.pacer import Ask, Pacer
from np_widgets.widgets.writing import together

# Time spent on pictures is taken from the session's thread, as only one thread at a time runs Python.
LARGEST_SHARE = 0.03
# A browser that draws all the time answers no click, and on a small machine it takes the session's processor.
LARGEST_SHARE_OF_BROWSER = 0.15
_LONGEST_WAIT_FOR_BROWSER = 1.0
_SECONDS_BETWEEN_TICKS = 0.5
# A page that asks is sent a tick so much later, when no message of its is handled any more: does it hear that?
_SECONDS_TO_A_TRIAL = 0.2
_SECONDS_BETWEEN_ASKS_AT_REST = 1.0
# A page that has not asked for so long is not there any more, or the kernel is busy: then nothing else can be done.
_LONGEST_BETWEEN_ASKS = 10.0
_SECONDS_BETWEEN_LOOKS = 0.05
_LONGEST_CATCHING_UP = 5.0
_FOREVER = 3600.0


@dataclass(frozen=True)
class Moment:
    """What a widget shows: a frame, and how the session stood then."""

    frame: Any
    status: str
    pace: tuple[float | None, bool]
    error: BaseException | None
    resting: str | None


class Publisher:
    """Shows a session on a thread of its own: the newest moment only, and always the last.

    A page that does not get what is sent from that thread asks for it, and is shown it on the thread that handles its
    message; then this thread only looks on.
    """

    def __init__(
        self,
        session: Session,
        parts: Sequence[Callable[[Moment], None]],
        report: Callable[[Moment, Sequence[Exception]], None],
        pacer: Pacer,
        rate: float = 10.0,
        look: Callable[[], None] = lambda: None,
        delivery: Delivery | None = None,
    ) -> None:
        self._session = session
        self._parts = parts
        self._report = report
        self._pacer = pacer
        self._interval = 1 / rate
        self._look = look
        self._changed = threading.Condition()
        self._shown: Moment | None = None
        self._drawn = 0
        self._asked = -math.inf
        self._drawing = 0.0
        self._wanted = 0  # how often a refresh was asked for, and how many of those are served
        self._served = 0
        self._hurry = False
        self._stopping = False
        self._abandoned = False
        self._delivery = Delivery(pacer, list) if delivery is None else delivery
        self._writing = threading.RLock()
        self._writer: int | None = None  # the thread that is publishing
        self._hearers = {threading.main_thread().ident}
        self._trial, self._heard = math.inf, -math.inf
        pacer.on_drawn(self._on_drawn)
        pacer.on_ask(self._on_ask)
        self._thread = threading.Thread(target=self._run, name="widget publisher", daemon=True)

    def start(self) -> None:
        """Publish the session's present, then go on publishing in the background."""
        self._publish_now()
        self._delivery.begin()
        atexit.register(self._abandon)
        self._thread.start()

    def stop(self) -> None:
        """Publish what the session shows now, if it is not shown yet, and end the thread; may be repeated."""
        atexit.unregister(self._abandon)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()
        if self._delivery.pulled and not self._abandoned and not self._is_shown():
            self._publish_here()

    def refresh(self) -> None:
        """Publish at once, although it is not time yet or the session has not moved: the user has done something."""
        with self._changed:
            self._wanted += 1
            self._changed.notify_all()

    def catch_up(self) -> None:
        """Wait until the session's present is published; of a running session, until it is shown as running.

        So whoever waited for the session finds in the widget what the session shows, and whoever set an input what
        that changes. It returns at once on the thread that is publishing.
        """
        if threading.current_thread() is self._thread or self._writer == threading.get_ident():
            return
        if self._is_pulled and threading.get_ident() in self._hearers:
            if not self._has_caught_up():
                self._publish_here()
            return
        with self._changed:
            if self._has_caught_up():
                return
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._has_caught_up() or not self._thread.is_alive(), _LONGEST_CATCHING_UP)
            self._hurry = False

    def _run(self) -> None:
        # A second torch thread would take a core from the session for a picture of some hundred points.
        set_own_torch_threads(1)
        while self._wait_for_news():
            began, cpu = time.monotonic(), time.thread_time()
            self._publish_now()
            cost = time.thread_time() - cpu
            self._wait_for_browser()
            interval = max(self._interval, cost / LARGEST_SHARE, self._drawing / LARGEST_SHARE_OF_BROWSER)
            self._pause(began + interval - time.monotonic())
        if not self._abandoned and not self._delivery.pulled and not self._is_shown():
            self._publish_now()

    def miss(self) -> None:
        """Note that something of the widget was sent beside what is published, and from any thread."""
        self._delivery.miss()

    def bring(self, widgets: Iterable[ipywidgets.Widget]) -> None:
        """Note that these are about to be shown, from any thread."""
        self._delivery.bring(widgets)

    def _abandon(self) -> None:
        """At the end of the interpreter: nobody looks any more, and a thread inside torch could crash the process."""
        self._abandoned = True
        self.stop()

    def _publish_here(self) -> None:
        """Publish on a thread that handles a message of the browser, and all that was sent in vain."""
        with self._as_writer():
            self._delivery.send_missing()
            if self._is_stale() or not self._is_shown():
                self._publish_now()
                self._delivery.published()

    def _publish_now(self) -> None:
        with self._as_writer():
            self._publish()

    @contextmanager
    def _as_writer(self) -> Iterator[None]:
        with self._writing:
            before, self._writer = self._writer, threading.get_ident()
            try:
                yield
            finally:
                self._writer = before

    def _publish(self) -> None:
        with self._changed:
            wanted = self._wanted
        session = self._session
        moment = Moment(session.frame, session.status, _pace(session), session.error, session.resting)
        errors = []
        with together():
            for part in self._parts:
                try:
                    part(moment)
                except Exception as error:  # noqa: BLE001 (the user has to see it, and the thread has to live on)
                    errors.append(error)
            self._report(moment, errors)
        with self._changed:
            self._shown = moment
            self._served = wanted
            self._changed.notify_all()

    def _wait_for_news(self) -> bool:
        """Wait until there is something to publish; False if it is time to stop."""
        while not self._stopping:
            self._look()
            if self._is_pulled:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, _SECONDS_BETWEEN_LOOKS)
                continue
            if self._trial < time.monotonic():
                self._trial = math.inf
                self._pacer.send_tick()
            if self._is_stale() or not self._is_shown():
                return True
            if self._session.status == "closed":
                self._pause(_FOREVER)
            else:
                self._session.next_frame(self._session.frame, _SECONDS_BETWEEN_LOOKS, attending=False)
        return False

    @property
    def _is_pulled(self) -> bool:
        """Whether pages have to ask for everything, and do."""
        if self._delivery.pulled and time.monotonic() - self._heard > _LONGEST_BETWEEN_ASKS:
            self._delivery.lapse()
        return self._delivery.pulled

    def _is_shown(self) -> bool:
        shown, session = self._shown, self._session
        return shown is not None and (shown.frame is session.frame) and self._is_alike(shown)

    def _is_alike(self, shown: Moment) -> bool:
        return shown.status == self._session.status and shown.pace == _pace(self._session)

    def _is_stale(self) -> bool:
        return self._served != self._wanted

    def _has_caught_up(self) -> bool:
        shown = self._shown
        if self._is_stale():
            return False
        return self._is_shown() or (shown is not None and shown.status == "running" and self._is_alike(shown))

    def _wait_for_browser(self) -> None:
        """Ask the browser to answer once it has drawn, and see how long that takes.

        An answer costs browser and kernel about as much as a picture, so it is not asked for each time.
        """
        sent = time.monotonic()
        if sent - self._asked >= _SECONDS_BETWEEN_TICKS:
            self._asked = sent
            tick = self._pacer.send_tick()
            self._pause(_LONGEST_WAIT_FOR_BROWSER, lambda: self._drawn >= tick)
            if self._drawn >= tick:
                self._drawing = time.monotonic() - sent

    def _pause(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, unless it is enough or somebody wants to see something."""
        if seconds > 0:
            with self._changed:
                self._changed.wait_for(lambda: enough() or self._is_stale() or self._hurry or self._stopping, seconds)

    def _on_drawn(self, drawn: int) -> None:
        with self._changed:
            self._drawn = max(self._drawn, drawn)
            self._changed.notify_all()

    def _on_ask(self, ask: Ask) -> None:
        """A page asks, because it hears nothing or because it is pulling; on the thread that handles its message."""
        began, cpu = time.monotonic(), time.thread_time()
        self._hearers.add(threading.get_ident())
        self._heard = began
        self._delivery.hear(ask)
        if self._delivery.pulled:
            self._publish_here()
        else:
            self._trial = min(self._trial, began + _SECONDS_TO_A_TRIAL)
        running = self._session.status == "running"
        cost = (time.thread_time() - cpu) / LARGEST_SHARE
        self._delivery.answer(ask, max(self._interval if running else _SECONDS_BETWEEN_ASKS_AT_REST, cost))


def _pace(session: Session) -> tuple[float | None, bool]:
    return session.speed, session.pauses
