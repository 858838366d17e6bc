"""What tells the kernel that the browser has drawn what it was sent, and that there is a view at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anywidget
import traitlets

from np_widgets.widgets.theme import STYLESHEET


@dataclass(frozen=True)
class Ask:
    """The browser asks for what is new: which page asks, for which time, and which tick was the last that it heard."""

    asker: str
    number: int
    heard: int


class Pacer(anywidget.AnyWidget):
    """An invisible widget that answers each ``tick`` once the browser has painted, and brings the stylesheet.

    Messages arrive in order, so everything sent before the tick has been handled when the tick is. The next animation
    frame draws it, and what is put off in that frame happens when it is over. A hidden tab has no animation frames and
    does not answer so. But every view says at once that it is there, with ``alive``, from a hidden tab, too; it is the
    view that does, because the model stays in the browser when the last view has gone. It gives figures their
    descriptions, too. Where no ticks come the browser asks by itself, see :class:`Ask`.
    """

    tick = traitlets.Int(0).tag(sync=True)
    drawn = traitlets.Int(0).tag(sync=True)
    alive = traitlets.Int(-1).tag(sync=True)

    _css = STYLESHEET
    _esm = Path(__file__).with_name("pacer.js").read_text(encoding="utf-8")

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})

    def send_tick(self) -> int:
        """Ask the browser to answer; returns the number that it will put into ``drawn``."""
        self.tick += 1
        return int(self.tick)

    def answer(self, ask: Ask, *, pulled: bool, seconds: float) -> None:
        """Answer; a page that is to pull asks again after so many seconds, or when its user has done something."""
        self.send({"asker": ask.asker, "number": ask.number, "pulled": pulled, "after": 1000 * seconds})

    def on_drawn(self, callback: Callable[[int], None]) -> None:
        """Call ``callback(drawn)`` for each answer, on whichever thread receives the kernel's messages."""
        self.observe(lambda change: callback(change["new"]), "drawn")

    def on_alive(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever a view says that it is there, on whichever thread receives the messages."""
        self.observe(lambda _: callback(), "alive")
        self.on_ask(lambda _: callback())

    def on_ask(self, callback: Callable[[Ask], None]) -> None:
        """Call ``callback`` with what the browser asks, on the thread that handles its message."""
        self.on_msg(lambda _, said, __: callback(Ask(str(said["asker"]), int(said["ask"]), int(said["heard"]))))
