"""When a session is saved by itself, and where."""

from __future__ import annotations

import os
import time
from pathlib import Path

from np_widgets.learning.engine import Engine
from np_widgets.sessions.files import write
from np_widgets.sessions.history import History

_SECONDS_BETWEEN = 30.0
# Landmarks may follow each other so fast that saving at each would take most of the time.
_SHARE = 50


class Autosave:
    """Every 30 s, at landmarks, and where the session stops."""

    def __init__(self, path: str | os.PathLike[str], torch_threads: int | None) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 (its own error for what is no path)
        self._torch_threads = torch_threads
        self._last = time.monotonic()
        self._took = 0.0

    def if_due(self, engine: Engine, history: History, *, stopped: bool, landmark: bool = False) -> None:
        """Save, if it is time to."""
        since = time.monotonic() - self._last
        if stopped or since > _SECONDS_BETWEEN or (landmark and since > _SHARE * self._took):
            began = self._last = time.monotonic()
            write(self._path, engine, engine.state(), history, self._torch_threads)
            self._took = time.monotonic() - began
