"""What the widgets share: a session that is shown live, controls that steer it, and pictures of it."""

from __future__ import annotations

import base64
import io
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import ipywidgets

from np_widgets import arguments
from np_widgets.pictures.scene import Key
from np_widgets.problems import Problem
from np_widgets.sessions import history
from np_widgets.widgets.audience import Audience
from np_widgets.widgets.branches import Branches
from np_widgets.widgets.controls import Controls, Owner
from np_widgets.widgets.delivery import Delivery
from np_widgets.widgets.live import LiveUnicode
from np_widgets.widgets.pacer import Pacer
from np_widgets.widgets.publisher import Moment, Publisher
from np_widgets.widgets.render import Panel, Picture
from np_widgets.widgets.sources import Adopted, Sources, checked_names
from np_widgets.widgets.status import StatusLines
from np_widgets.widgets.time_slider import Point
from np_widgets.widgets.tree import close_tree, tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LiveWidget(ipywidgets.VBox):
    """A session, live: its pictures, and controls to steer it."""

    _subject: ClassVar[str]
    _sources: ClassVar[Sources]
    _control_names: ClassVar[Sequence[str]]
    _panel_names: ClassVar[Sequence[str]]

    status = LiveUnicode("paused", read_only=True)
    message = LiveUnicode("", read_only=True)

    _publisher: Publisher | None = None

    def __init__(self, source: Any, hide: Iterable[str], rate: float, options: dict[str, Any]) -> None:
        hidden = checked_names(hide, (*self._control_names, *self._panel_names))
        rate = arguments.real("rate", rate, above=0, most=60)
        self.session = self._sources.session(source, options)
        self._owned = self.session is not source
        self._refusal: BaseException | None = None
        self._problem: Problem = self.session.engine.problem  # type: ignore[attr-defined]
        self._lines = StatusLines(self._subject, self._problem.name)
        self._hide, self._rate = hidden, rate
        owner = Owner(self.session, self._refresh, self._on_refusal, self._points, self.branch)
        self._controls = self._made_controls(owner, hidden)
        self._branches = Branches()
        pictures = [each for name, each in self._pictures().items() if name not in hidden]
        self._panels = panels = [Panel(each, self._refresh, self._clicked) for each in pictures]
        grid = ipywidgets.Box([panel.box for panel in panels])
        grid.add_class("npw-grid")
        pacer = Pacer()
        self._content = [*self._controls.rows, self._lines.sentence, self._lines.notice, grid]
        self._body = ipywidgets.VBox(self._content)
        self._body.add_class("npw-body")
        super().__init__([self._lines.heading, self._body, self._branches.box, pacer])
        self.add_class("npw")
        parts: list[Callable[[Moment], None]] = [self._show_readouts]
        parts += [*(partial(self._show_panel, panel) for panel in panels), self._show_traits]
        pacer.on_alive(self.session.attend)
        self._audience = Audience(self.session, pacer) if self._owned else None
        look = (lambda: None) if self._audience is None else self._audience.look
        delivery = Delivery(pacer, lambda: tree(self, *self._content))
        self._publisher = Publisher(self.session, parts, self._report, pacer, rate, look, delivery)
        self._publisher.start()

    def close(self) -> None:
        """Stop drawing, close a session that was made for this widget, and take everything out of the registry."""
        publisher, self._publisher = self._publisher, None
        if publisher is None:
            return
        self._branches.close()
        if self._owned:
            self.session.close()
        publisher.stop()
        close_tree(self, *self._content, *self._controls.widgets)

    def catch_up(self) -> None:
        """Wait until the traits and pictures show the session's present; reading one of the traits does that, too."""
        if self._publisher is not None:
            self._publisher.catch_up()

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
    def _traits_of(self, frame: Any) -> Mapping[str, Any]:
        """The values of the traits beside ``status`` and ``message``."""

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

    @abstractmethod
    def _figure(self) -> Figure:
        """A picture for where there is no kernel."""

    def _clicked(self, key: Key) -> None:
        """What a mark that was clicked stands for."""

    def _show_readouts(self, moment: Moment) -> None:
        # Once for all pictures: what is looked at may be the user's choice, and change meanwhile.
        point = self._controls.past.time.chosen
        self._look = look = self._looked_at(moment.frame, point)
        said = ("" if point is None else "Looking back: ") + self._said(look)
        self._lines.show(moment.frame, moment.status, self._main_numbers(look), said)
        self._controls.show(moment.frame, moment.status, look, self._where(look, moment.frame, point))

    def _show_panel(self, panel: Panel, moment: Moment) -> None:
        panel.show(self._look, getattr(self._look, "selected", None))

    def _show_traits(self, moment: Moment) -> None:
        values = {**self._traits_of(moment.frame), "message": moment.frame.message, "status": moment.status}
        with self.hold_sync():  # one message
            for name, value in values.items():
                self.set_trait(name, value)

    def _report(self, moment: Moment, errors: Sequence[Exception]) -> None:
        refusal = self._refusal
        if moment.status == "failed" and moment.error is not None:
            text = (
                f"The session failed: {_named(moment.error)}. Play goes on from the last good state, Reset starts over."
            )
        elif refusal is not None:
            text = f"Not done: {refusal}"
        elif moment.resting is not None:
            text = moment.resting
        elif errors:
            text = f"Not everything could be shown: {_named(errors[0])}"
        else:
            text = ""
        self._lines.tell(text)

    def _on_refusal(self, error: BaseException | None) -> None:
        self._refusal = error
        self._refresh()

    def _refresh(self) -> None:
        if self._publisher is not None:
            self._publisher.refresh()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._problem.name!r}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        """What a notebook keeps: the live widget, and a picture for where there is no kernel."""
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            if self._audience is not None:
                self._audience.shown = True
            bundle["text/plain"] = repr(self)
            buffer = io.BytesIO()
            try:
                self._figure().savefig(buffer, format="png", dpi=72)
            except Exception as error:  # noqa: BLE001 (it costs this picture, and not the live view)
                bundle["text/plain"] += f" without a picture, which failed: {_named(error)}"
            else:
                bundle["image/png"] = base64.b64encode(buffer.getvalue()).decode()
        return bundle


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
