"""What the memory of a session is good for: looking back, undoing, branching off, and its code."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from np_widgets.sessions.session import Session
from np_widgets.widgets.code import CopyAsCode
from np_widgets.widgets.elements import button
from np_widgets.widgets.time_slider import Point, TimeSlider
from np_widgets.widgets.writing import update

# Of a running session the code changes with every advance.
_SECONDS_BETWEEN_CODES = 1.0


class Past:
    """The time slider, *Undo*, *Branch here* and *Copy as code*."""

    def __init__(
        self,
        session: Session,
        points: Callable[[], Sequence[Point]],
        on_change: Callable[[], None],
        undo: Callable[[], None],
        branch: Callable[[], None],
    ) -> None:
        self._session = session
        self._written = 0.0
        self.time = TimeSlider(points, on_change)
        self.undo = button("Undo", "undo", "Go back to before the last addition or command", undo)
        tooltip = "A new session that goes on from here, or from the last moment before that can; this one stays"
        self.branch = button("Branch here", "code-fork", tooltip, branch)
        self.code = CopyAsCode()

    def show(self, status: str, words: str) -> None:
        """Let buttons and code fit the session; on the publisher's thread."""
        closed = status == "closed"
        self.time.show(words)
        update(self.undo, disabled=closed or not self._session.history.can_undo)
        update(self.branch, disabled=closed)
        if status != "running" or time.monotonic() - self._written > _SECONDS_BETWEEN_CODES:
            self._written = time.monotonic()
            try:
                code = self._session.to_code()
            except TypeError as error:  # an engine of one's own
                code = f"# {error}"
            update(self.code, code=code)
