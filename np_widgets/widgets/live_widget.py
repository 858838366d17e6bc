"""What the widgets share: a session that is shown live, controls that steer it, and pictures of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar, Self

from np_widgets import arguments
from np_widgets.pictures.scene import Scene
from np_widgets.problems import Problem
from np_widgets.sessions.moments import Moment as PastMoment
from np_widgets.sessions.session import Session
from np_widgets.widgets.branches import Branches
from np_widgets.widgets.controls import Controls, Owner
from np_widgets.widgets.kernel import nobody_looks
from np_widgets.widgets.publisher import Moment
from np_widgets.widgets.render import Picture
from np_widgets.widgets.sources import Adopted, Sources, checked_names
from np_widgets.widgets.status import StatusLines, said_of
from np_widgets.widgets.time_slider import Point
from np_widgets.widgets.view import View, checked_size

_LONGEST_FOR_A_PICTURE = 20.0

OwnPictures = Mapping[str, Callable[[Any], Scene]]
"""Functions that make a scene of a frame, by the names of their pictures."""


class LiveWidget(View):
    """A session, live: its pictures, and controls to steer it."""

    _remedy = "Play goes on from the last good state, Reset starts over."
    _subject: ClassVar[str]
    _sources: ClassVar[Sources]
    _control_names: ClassVar[Sequence[str]]
    _value_names: ClassVar[Sequence[str]] = ()
    _panel_names: ClassVar[Sequence[str]]

    def __init__(
        self,
        source: Any,
        hide: Iterable[str],
        lock: Iterable[str],
        rate: float,
        options: dict[str, Any],
        pictures: OwnPictures | None,
        size: float,
    ) -> None:
        self._own = _checked(pictures, self._panel_names)
        hidden = checked_names("hide", hide, (*self._control_names, *self._panel_names, *self._own))
        locked = checked_names("lock", lock, self._value_names)
        rate, size = arguments.real("rate", rate, above=0, most=60), checked_size(size)
        self.session = self._sources.session(source, options)
        self._owned = self.session is not source
        engine = self.session.engine
        self._problem: Problem = getattr(engine, "problem", None)  # type: ignore[assignment]  # an engine of one's own
        self._name: str = getattr(self._problem, "name", type(engine).__name__)
        self._lines = StatusLines(self._subject, self._name)
        self._hide, self._lock, self._rate, self._size = hidden, locked, rate, size
        owner = Owner(self.session, self._refresh, self._on_refusal, self._points, self.branch)
        self._controls = self._made_controls(owner, hidden)
        self._controls.lock(locked)
        self._branches = Branches()
        all_pictures = {**self._pictures(), **{name: _own(name, scene) for name, scene in self._own.items()}}
        shown = {name: each for name, each in all_pictures.items() if name not in hidden}
        self._begin(rate, self._controls.rows, shown, below=[self._branches.box], rests=self._owned, size=size)

    def close(self) -> None:
        """Stop drawing, close a session that was made for this widget, and take everything out of the registry."""
        if self._publisher is not None:
            self._branches.close()
            if self._owned:
                self.session.close()
            self._end(*self._controls.widgets)

    @property
    def branches(self) -> tuple[Self, ...]:
        """The widgets of the branches that were made with :meth:`branch` and are open, below this one's pictures."""
        return self._branches.widgets

    def go_to(self, moment: PastMoment | None) -> None:
        """Show a moment of the session's history, as the time slider does; the session goes on meanwhile.

        Parameters
        ----------
        moment
            One of ``session.history.moments``; None for the present, as it moves on.

        Raises
        ------
        TypeError, ValueError
            If it is no such moment.
        """
        if moment is None:
            self._controls.past.time.to_newest()
        else:
            self._controls.past.time.go_to(self.session.history.kept(moment))

    def branch(self, moment: PastMoment | None = None) -> Self:
        """Go on from a moment in a new session, paused, and show that below; this one stays as it is.

        Parameters
        ----------
        moment
            One of ``session.history.moments``; None for the one that is looked at. Where a session cannot go on, the
            last one before it that can.

        Returns
        -------
        The widget of the new session, which is closed with this one, or before; also among :attr:`branches`.

        Raises
        ------
        TypeError, ValueError
            If it is no such moment.
        RuntimeError
            If the widget is closed.
        """
        if self._publisher is None:
            raise RuntimeError("the widget is closed")
        past, point = self.session.history, self._controls.past.time.chosen
        kept = past.kept(moment) if moment is not None else None if point is None else point.kept
        at = None if kept is None else past.last_to_go_on(kept).moment
        like: Any = type(self)
        options: dict[str, Any] = {"hide": self._hide, "pictures": self._own, "rate": self._rate, "size": self._size}
        if self._lock:  # which not every widget has values for
            options["lock"] = self._lock
        made: Self = like(Adopted(self.session.branch(at)), **options)
        self._branches.add(made, "the present" if at is None else at.label)
        return made

    def _kept_frame(self) -> Any:
        """What a notebook keeps a picture of: of a run that is over, where nobody is there to press Play."""
        session = self.session
        if not (self._owned and nobody_looks() and session.status == "paused" and not session.history.can_undo):
            return session.frame
        with closing(session.branch()) as copy:
            self._aim(copy)
            copy.resume()
            copy.wait(_LONGEST_FOR_A_PICTURE)
            return copy.frame

    def _aim(self, session: Session) -> None:
        """Let a session run to where there is something to see."""

    @abstractmethod
    def _points(self) -> Sequence[Point]:
        """What the time slider can go to, the present last; on any thread."""

    @abstractmethod
    def _made_controls(self, owner: Owner, hidden: frozenset[str]) -> Controls:
        """The controls, without those that are hidden."""

    @abstractmethod
    def _pictures(self) -> Mapping[str, Picture]:
        """The pictures, by their names."""

    @abstractmethod
    def _looked_at(self, frame: Any, point: Point | None) -> Any:
        """What the pictures show: the newest frame, or that of a point of the time slider."""

    @abstractmethod
    def _main_numbers(self, look: Any) -> Sequence[tuple[str, str]]:
        """``(name, value)`` of what the line above the pictures says."""

    def _said(self, look: Any) -> str:
        """The sentence above the pictures."""
        return said_of(look.frame)

    @abstractmethod
    def _where(self, look: Any, frame: Any, point: Point | None) -> str:
        """What stands beside the time slider, as HTML."""

    def _show_readouts(self, moment: Moment) -> None:
        # Once for all pictures: what is looked at may be the user's choice, and change meanwhile.
        point = self._controls.past.time.chosen
        self._look = look = self._looked_at(moment.frame, point)
        said = ("" if point is None else "Looking back: ") + self._said(look)
        self._lines.show(moment.frame, moment.status, self._main_numbers(look), said)
        self._controls.show(moment.frame, moment.status, look, self._where(look, moment.frame, point))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._name!r}>"


def _checked(pictures: Any, names: Sequence[str]) -> dict[str, Callable[[Any], Scene]]:
    if pictures is None:
        return {}
    if not isinstance(pictures, Mapping):
        raise TypeError(f"pictures must be a mapping of names to functions of a frame, got {arguments.shown(pictures)}")
    for name, scene in pictures.items():
        if not isinstance(name, str) or name in names:
            raise ValueError(f"pictures must have names other than {', '.join(names) or 'none'}, got {name!r}")
        if not callable(scene):
            raise TypeError(f"pictures[{name!r}] must be a function of a frame, got {arguments.shown(scene)}")
    return dict(pictures)


def _own(name: str, scene: Callable[[Any], Scene]) -> Picture:
    def made(look: Any, _: int | None) -> Scene:
        found = scene(look.frame)
        if not isinstance(found, Scene):
            raise TypeError(f"pictures[{name!r}] must return a Scene, got {arguments.shown(found)}")
        return found

    return Picture(made)
