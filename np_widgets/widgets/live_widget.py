"""What the widgets share: a session that is shown live, controls that steer it, and pictures of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from np_widgets import arguments
from np_widgets.problems import Problem
from np_widgets.sessions import history
from np_widgets.widgets.branches import Branches
from np_widgets.widgets.controls import Controls, Owner
from np_widgets.widgets.publisher import Moment
from np_widgets.widgets.render import Picture
from np_widgets.widgets.sources import Adopted, Sources, checked_names
from np_widgets.widgets.status import StatusLines
from np_widgets.widgets.time_slider import Point
from np_widgets.widgets.view import View


class LiveWidget(View):
    """A session, live: its pictures, and controls to steer it."""

    _remedy = "Play goes on from the last good state, Reset starts over."
    _subject: ClassVar[str]
    _sources: ClassVar[Sources]
    _control_names: ClassVar[Sequence[str]]
    _panel_names: ClassVar[Sequence[str]]

    def __init__(self, source: Any, hide: Iterable[str], rate: float, options: dict[str, Any]) -> None:
        hidden = checked_names(hide, (*self._control_names, *self._panel_names))
        rate = arguments.real("rate", rate, above=0, most=60)
        self.session = self._sources.session(source, options)
        self._owned = self.session is not source
        self._problem: Problem = self.session.engine.problem
        self._lines = StatusLines(self._subject, self._problem.name)
        self._hide, self._rate = hidden, rate
        owner = Owner(self.session, self._refresh, self._on_refusal, self._points, self.branch)
        self._controls = self._made_controls(owner, hidden)
        self._branches = Branches()
        pictures = {name: each for name, each in self._pictures().items() if name not in hidden}
        self._begin(rate, self._controls.rows, pictures, below=[self._branches.box], rests=self._owned)

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

    def go_to(self, moment: history.Moment | None) -> None:
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

    def branch(self, moment: history.Moment | None = None) -> Self:
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
        made: Self = like(Adopted(self.session.branch(at)), hide=self._hide, rate=self._rate)
        self._branches.add(made, "the present" if at is None else at.label)
        return made

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

    @abstractmethod
    def _said(self, look: Any) -> str:
        """The sentence above the pictures."""

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
        return f"<{type(self).__name__} of {self._problem.name!r}>"
