"""Pictures of one's own in every widget, and SessionWidget: any engine, live, with nothing but such pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from np_widgets import arguments
from np_widgets.learning.engine import Engine
from np_widgets.pictures.labels import number
from np_widgets.sessions.session import Session
from np_widgets.widgets.controls import PAST, Controls, Owner
from np_widgets.widgets.live_widget import LiveWidget, OwnPictures
from np_widgets.widgets.render import Picture
from np_widgets.widgets.settings import Settings
from np_widgets.widgets.sources import Adopted, Sources
from np_widgets.widgets.time_slider import Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONTROLS = ("play", "step", "undo", *PAST, "reset")


class _View(NamedTuple):
    """What the pictures show."""

    frame: Any


class _Controls(Controls):
    """What every session has; an engine without ``reset`` cannot start over."""

    def __init__(self, owner: Owner, hidden: frozenset[str]) -> None:
        super().__init__(owner, Settings((), hidden))
        if not hasattr(owner.session.engine, "reset"):
            hidden |= {"reset"}
        self._arrange(hidden, {"play": self._play, "step": self._step, "undo": self.past.undo}, {})


class SessionWidget(LiveWidget):
    """A session of any engine, live, with the pictures that are given.

    Parameters
    ----------
    source
        An :class:`~np_widgets.learning.engine.Engine`, such as one of your own, or a
        :class:`~np_widgets.sessions.session.Session` of one. If its frames have a ``message``, that is the sentence
        above the pictures; a ``progress`` from 0 to 1 is shown as a bar.
    pictures
        Functions that make a :class:`~np_widgets.pictures.scene.Scene` of a frame, by the names of their pictures; by
        default what the engine has as ``pictures``.
    hide
        Names of controls (``"play"``, ``"step"``, ``"undo"``, ``"time"``, ``"branch"``, ``"copy"``, ``"reset"``) and
        pictures to leave out.
    rate
        How many times a second the pictures are drawn at most.
    size
        How many times larger letters, lines and pictures are, up to 3: 1.5 for a lecture hall.

    Attributes
    ----------
    session
        The session: every button is a method of it. One that was made for this widget is closed with it.
    status
        ``"paused"``, ``"running"``, ``"finished"``, ``"failed"`` or ``"closed"``.
    message
        One sentence that says what is happening.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind; the message names it.
    """

    _subject = "Session"
    _sources = Sources("SessionWidget", Engine)  # type: ignore[type-abstract]  # whichever
    _control_names = CONTROLS
    _panel_names = ()

    def __init__(
        self,
        source: Engine | Session,
        pictures: OwnPictures | None = None,
        *,
        hide: Iterable[str] = (),
        rate: float = 10.0,
        size: float = 1.0,
    ) -> None:
        if not isinstance(source, (Engine, Session, Adopted)):
            raise TypeError(f"source must be an Engine or a Session of one, got {arguments.shown(source)}")
        engine = getattr(getattr(source, "session", source), "engine", source)
        shown = getattr(engine, "pictures", None) if pictures is None else pictures
        super().__init__(source, hide, (), rate, {}, shown, size)

    def _made_controls(self, owner: Owner, hidden: frozenset[str]) -> Controls:
        return _Controls(owner, hidden)

    def _points(self) -> Sequence[Point]:
        return [Point(kept) for kept in self.session.history.all_kept()]

    def _looked_at(self, frame: Any, point: Point | None) -> _View:
        return _View(frame if point is None else point.kept.frame)

    def _where(self, look: Any, frame: Any, point: Point | None) -> str:
        return "now" if point is None else "before"

    def _pictures(self) -> Mapping[str, Picture]:
        return {}

    def _main_numbers(self, look: Any) -> Sequence[tuple[str, str]]:
        loss = getattr(look.frame, "loss", None)
        return [("loss", number(loss))] if isinstance(loss, float) else []

    def _figure(self) -> Figure:
        from np_widgets.plots.page import arranged  # noqa: PLC0415 (matplotlib is heavy)

        self.catch_up()
        return arranged(self._lines.text, [panel.scene for panel in self._panels.values()], 12.0)
