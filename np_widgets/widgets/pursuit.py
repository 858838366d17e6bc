"""PursuitWidget: watch a network grow, and steer it."""

from __future__ import annotations

import base64
import difflib
import inspect
import io
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from typing import Any

import ipywidgets

from np_widgets import arguments
from np_widgets.learning.growth import PursuitFrame
from np_widgets.learning.pursuit import NeuronPursuit
from np_widgets.pictures.probe import probe
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session
from np_widgets.widgets.controls import CONTROLS, Controls
from np_widgets.widgets.live import LiveFloat, LiveInt, LiveTuple, LiveUnicode
from np_widgets.widgets.pacer import Pacer
from np_widgets.widgets.panels.architecture import ArchitecturePanel
from np_widgets.widgets.panels.candidates import CandidatesPanel
from np_widgets.widgets.panels.function import FunctionPanel
from np_widgets.widgets.panels.loss import LossPanel
from np_widgets.widgets.panels.panel import Panel
from np_widgets.widgets.panels.weights import WeightsPanel
from np_widgets.widgets.publisher import Moment, Publisher
from np_widgets.widgets.status import StatusLines
from np_widgets.widgets.tree import close_tree

PANELS = ("architecture", "weights", "function", "loss", "candidates")


class PursuitWidget(ipywidgets.VBox):
    """Neuron Pursuit, live: its pictures, and controls to steer it.

    Parameters
    ----------
    source
        A :class:`~np_widgets.problems.Problem` to learn, or the :class:`~np_widgets.sessions.session.Session` of a
        :class:`~np_widgets.learning.pursuit.NeuronPursuit` to show.
    hide
        Names of controls (``"play"``, ``"step"``, ``"add_neuron"``, ``"speed"``, ``"minimizer"``, ``"reset"``,
        ``"seed"``, ``"hidden_layers"``, ``"power"``, ``"leak"``) and pictures (``"architecture"``, ``"weights"``,
        ``"function"``, ``"loss"``, ``"candidates"``) to leave out. Without ``"reset"`` the settings that it would apply
        go, too.
    rate
        How many times a second the pictures are drawn at most. They wait for a slower browser.
    **options
        What :class:`~np_widgets.learning.pursuit.NeuronPursuit` takes, with a problem.

    Attributes
    ----------
    session
        The session: every button is a method of it. A session made for a problem is closed with the widget.
    status
        ``"paused"``, ``"running"``, ``"finished"``, ``"failed"`` or ``"closed"``.
    iteration
        Which network this is: 1 for the first, 0 before it.
    widths
        Its hidden widths.
    loss
        Its training loss, None before the first network.
    message
        One sentence that says what is happening.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or unknown; the message names it.

    Notes
    -----
    ``status``, ``iteration``, ``widths``, ``loss`` and ``message`` are traits to observe or to link from. They change
    at most ``rate`` times a second, and are up to date whenever the session is at rest. Observers run on the thread
    that draws, not on the main one: they may use the session's ``submit``, but should not do long work. What they raise
    is shown in the widget.
    """

    status = LiveUnicode("paused", read_only=True)
    iteration = LiveInt(0, read_only=True)
    widths = LiveTuple(read_only=True)
    loss = LiveFloat(None, allow_none=True, read_only=True)
    message = LiveUnicode("", read_only=True)

    _publisher: Publisher | None = None

    def __init__(
        self, source: Problem | Session, *, hide: Iterable[str] = (), rate: float = 10.0, **options: Any
    ) -> None:
        hidden = _checked_hidden(hide)
        rate = arguments.real("rate", rate, above=0, most=60)
        self.session = _session(source, options)
        self._owned = isinstance(source, Problem)
        self._refusal: BaseException | None = None
        problem: Problem = self.session.engine.problem  # type: ignore[attr-defined]
        self._problem = problem
        self._lines = StatusLines(problem.name)
        self._controls = Controls(self.session, hidden, self._refresh, self._on_refusal)
        panels = self._made_panels(hidden)
        grid = ipywidgets.Box([panel.box for panel in panels])
        grid.add_class("npw-grid")
        pacer = Pacer()
        super().__init__(
            [self._lines.heading, *self._controls.rows, self._lines.sentence, self._lines.notice, grid, pacer]
        )
        self.add_class("npw")
        parts: list[Callable[[Moment], None]] = [self._show_readouts]
        parts += [*(partial(_show_panel, panel) for panel in panels), self._show_traits]
        self._publisher = Publisher(self.session, parts, self._report, pacer, rate)
        self._publisher.start()

    def close(self) -> None:
        """Stop drawing, close a session that was made for this widget, and take everything out of the registry."""
        publisher, self._publisher = self._publisher, None
        if publisher is None:
            return
        if self._owned:
            self.session.close()
        publisher.stop()
        close_tree(self, *self._controls.widgets)

    def __repr__(self) -> str:
        return f"<PursuitWidget of {self._problem.name!r}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any] | None:
        """What a notebook keeps: the live widget, and a picture for where there is no kernel."""
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle["text/plain"] = repr(self)
            bundle["image/png"] = base64.b64encode(_png(self.session.frame, self._problem)).decode()
        return bundle

    def _made_panels(self, hidden: Container[str]) -> list[Panel]:
        makers: dict[str, Callable[[], Panel]] = {
            "architecture": ArchitecturePanel,
            "weights": lambda: WeightsPanel(self._refresh),
            "function": lambda: FunctionPanel(probe(self._problem), self._refresh),
            "loss": LossPanel,
            "candidates": CandidatesPanel,
        }
        return [make() for name, make in makers.items() if name not in hidden]

    def _show_readouts(self, moment: Moment) -> None:
        self._lines.show(moment.frame, moment.status)
        self._controls.show(moment.frame, moment.status)

    def _show_traits(self, moment: Moment) -> None:
        frame: PursuitFrame = moment.frame
        self.set_trait("iteration", frame.iteration)
        self.set_trait("widths", frame.widths)
        self.set_trait("loss", frame.loss)
        self.set_trait("message", frame.message)
        self.set_trait("status", moment.status)

    def _report(self, moment: Moment, errors: Sequence[Exception]) -> None:
        refusal = self._refusal
        if moment.status == "failed" and moment.error is not None:
            text = (
                f"The session failed: {_named(moment.error)}. Play goes on from the last good state, Reset starts over."
            )
        elif refusal is not None:
            text = f"Not done: {refusal}"
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

    def catch_up(self) -> None:
        """Wait until the traits and pictures show the session's present; reading one of the traits does that, too."""
        if self._publisher is not None:
            self._publisher.catch_up()


def _show_panel(panel: Panel, moment: Moment) -> None:
    panel.show(moment.frame)


def _png(frame: PursuitFrame, problem: Problem) -> bytes:
    from np_widgets.plots import overview  # noqa: PLC0415 (matplotlib is heavy, and needed only when something is displayed)

    buffer = io.BytesIO()
    overview(frame, problem).savefig(buffer, format="png", dpi=72)
    return buffer.getvalue()


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _checked_hidden(hide: Iterable[str]) -> frozenset[str]:
    if isinstance(hide, str) or not isinstance(hide, Iterable):
        raise TypeError(f"hide must be a list of names such as ['reset', 'seed'], got {hide!r}")
    return frozenset(arguments.choice("hide", name, (*CONTROLS, *PANELS)) for name in hide)


def _session(source: Any, options: dict[str, Any]) -> Session:
    """The session to show: the given one, or a new one of a pursuit with these options."""
    accepted = list(inspect.signature(NeuronPursuit).parameters)[1:]
    for name in options:
        if name not in accepted:
            close = difflib.get_close_matches(name, [*accepted, "hide", "rate"], 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(
                f"PursuitWidget does not know {name!r}{hint} (it takes hide, rate, and with a problem what "
                f"NeuronPursuit takes: {', '.join(accepted)})"
            )
    if isinstance(source, Problem):
        return Session(NeuronPursuit(source, **options))
    if not isinstance(source, Session):
        hint = "; show it as Session(pursuit)" if isinstance(source, NeuronPursuit) else ""
        raise TypeError(f"source must be a Problem or a Session, got {type(source).__name__}{hint}")
    if options:
        raise TypeError(f"{next(iter(options))!r} belongs to a new pursuit: it cannot be given with a session")
    if not isinstance(source.engine, NeuronPursuit):
        raise TypeError(f"source must be a session of a NeuronPursuit, got one of a {type(source.engine).__name__}")
    return source
