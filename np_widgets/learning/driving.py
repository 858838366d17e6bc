"""Run an engine to some end in the calling thread, with a progress bar and an orderly Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning.engine import Engine
from np_widgets.learning.interruption import deferred_interrupt


def drive(
    engine: Engine,
    *,
    until: Callable[[], bool] = lambda: False,
    progress: bool = False,
    callback: Callable[[Any], object] | None = None,
    torch_threads: int | None = 1,
) -> bool:
    """Advance ``engine`` until it has finished or ``until()`` holds; True if Ctrl-C or the callback ends it before."""
    with own_torch_threads(torch_threads), deferred_interrupt() as interrupted, _Bar(engine, progress) as bar:
        while engine.finished is None and not until():
            if interrupted():
                return True
            engine.advance()
            bar.update()
            if callback is not None and not engine.show(callback):
                return True
        return interrupted()


def require_way(progress: Any, callback: Any, torch_threads: Any) -> None:
    """Raise an error that names what of this says no way to be driven."""
    arguments.flag("progress", progress)
    arguments.callable_or_none("callback", callback, "called with a frame after every quantum")
    if torch_threads is not None:
        arguments.whole("torch_threads", torch_threads, 1)


class _Bar:
    """A tqdm bar over the current phase; nothing at all if it is not wanted."""

    def __init__(self, engine: Engine, wanted: bool) -> None:
        self._engine = engine
        layout = "{percentage:3.0f}% {bar:20} {elapsed} {desc}"
        desc = engine.frame().message if wanted else None
        self._bar = tqdm(total=1.0, miniters=0, bar_format=layout, desc=desc) if wanted else None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self.update()
            self._bar.refresh()
            self._bar.close()

    def update(self) -> None:
        if self._bar is not None:
            frame = self._engine.frame()
            self._bar.set_description_str(frame.message, refresh=False)
            self._bar.n = 1.0 if frame.progress is None else min(frame.progress, 1.0)
            self._bar.update(0)  # tqdm decides when it is time to print again


@contextmanager
def own_torch_threads(count: int | None) -> Iterator[None]:
    """Within it, torch uses so many threads inside one operation; None leaves its own setting."""
    usual = torch.get_num_threads()
    torch.set_num_threads(usual if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
