"""PursuitWidget: watch a network grow, and steer it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import number
from np_widgets.pictures.labels import widths as written
from np_widgets.pictures.scene import Dots, Key
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session
from np_widgets.widgets.controls import Owner
from np_widgets.widgets.inspection import Inspection, InspectionEndedError
from np_widgets.widgets.live import LiveFloat, LiveInt, LiveTuple
from np_widgets.widgets.live_widget import LiveWidget, OwnPictures
from np_widgets.widgets.pursuit_controls import CONTROLS, VALUES, PursuitControls
from np_widgets.widgets.pursuit_pictures import pursuit_pictures
from np_widgets.widgets.render import Picture
from np_widgets.widgets.saddle import SaddleWidget
from np_widgets.widgets.selection import PursuitView
from np_widgets.widgets.sources import Sources
from np_widgets.widgets.time_slider import Point
from np_widgets.widgets.tree import close_tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = ("architecture", "weights", "function", "loss", "candidates", "choice")


class PursuitWidget(LiveWidget):
    """Neuron Pursuit, live: its pictures, and controls to steer it.

    Parameters
    ----------
    source
        A :class:`~np_widgets.problems.Problem` to learn, a
        :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit`, or the
        :class:`~np_widgets.sessions.session.Session` of one.
    hide
        Names of controls (``"play"``, ``"step"``, ``"add_neuron"``, ``"undo"``, ``"speed"``, ``"minimizer"``,
        ``"select"``, ``"add_this"``, ``"inspect"``, ``"time"``, ``"branch"``, ``"copy"``, ``"reset"``, ``"method"``,
        ``"seed"``, ``"hidden_layers"``, ``"power"``, ``"leak"``) and pictures (``"architecture"``, ``"weights"``,
        ``"function"``, ``"loss"``, ``"candidates"``, ``"choice"``) to leave out. Without ``"reset"`` the settings that
        it would apply go, too.
    lock
        Names of controls whose value is shown and cannot be changed there: ``"speed"``, ``"minimizer"``, ``"method"``,
        ``"seed"``, ``"hidden_layers"``, ``"power"``, ``"leak"``.
    rate
        How many times a second the pictures are drawn at most. They wait for a slower browser.
    size
        How many times larger letters, lines and pictures are, up to 3: 1.5 for a lecture hall.
    pictures
        More pictures, by their names: functions that make a :class:`~np_widgets.pictures.scene.Scene` of a frame.
    **options
        What :class:`~np_widgets.learning.pursuit.engine.NeuronPursuit` takes, with a problem.

    Attributes
    ----------
    session
        The session: every button is a method of it. One that was made for this widget is closed with it.
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
    is shown in the widget. They tell of the present also while the pictures show what the time slider has gone back to.

    In the browser ``ipywidgets.jsdlink((widget, "loss"), (text, "value"))`` links them. In the kernel a target must be
    able to take None, as ``loss`` is before the first network; else tell ``ipywidgets.dlink`` what to make of it:
    ``dlink((widget, "loss"), (text, "value"), lambda loss: 0.0 if loss is None else loss)``.
    """

    _subject = "Neuron Pursuit"
    _sources = Sources("PursuitWidget", NeuronPursuit)
    _control_names = CONTROLS
    _value_names = VALUES
    _panel_names = PANELS
    _controls: PursuitControls

    iteration = LiveInt(0, read_only=True)
    widths = LiveTuple(read_only=True)
    loss = LiveFloat(None, allow_none=True, read_only=True)

    def __init__(
        self,
        source: Problem | NeuronPursuit | Session,
        *,
        hide: Iterable[str] = (),
        lock: Iterable[str] = (),
        rate: float = 10.0,
        size: float = 1.0,
        pictures: OwnPictures | None = None,
        **options: Any,
    ) -> None:
        super().__init__(source, hide, lock, rate, options, pictures, size)
        self._inspection = Inspection(self._problem, rate, self._size, self._show_instead, self._miss)

    @property
    def inspected(self) -> SaddleWidget | None:
        """The widget of the saddle that is inspected, in the place of the pursuit's pictures; else None."""
        return self._inspection.widget

    @property
    def selected(self) -> Key | None:
        """What is highlighted in all pictures: ``("neuron", layer, index)``, ``("candidate", index)`` or None.

        Layers count from 1 and indices from 0, as in the frames. Set it to select something; a click on a mark does
        that, too.

        Raises
        ------
        TypeError, ValueError
            If there is no such neuron or candidate.
        """
        return self._controls.selection.value(self._on_show)

    @selected.setter
    def selected(self, value: Key | None) -> None:
        self._controls.selection.select(value, self._on_show)

    def inspect_saddle(self, **options: Any) -> SaddleWidget:
        """Pause the pursuit, and show the saddle that its network is at, in the place of the pursuit's pictures.

        Where the time slider has gone back, it is the network of then. Before the first it is the saddle at the origin.

        Parameters
        ----------
        **options
            What :class:`~np_widgets.learning.saddles.flow.SaddleFlow` takes, such as ``scale`` and ``dormant``; with
            ``polish=True`` a network that is still being trained is first brought to the minimum nearby.

        Returns
        -------
        SaddleWidget
            Also to be found in :attr:`inspected`. It has a session of its own, and nothing in it changes the pursuit.

        Raises
        ------
        TypeError, ValueError
            If the network is not at a minimum, or an option is wrong.
        RuntimeError
            If the session or the widget is closed.
        """
        self.session.pause()
        return self._inspection.begin(self._on_show, **options)

    def end_inspection(self) -> None:
        """Close the inspected saddle, and show the pursuit again; no effect without one."""
        self._inspection.end()

    def close(self) -> None:
        """Stop drawing, close a session that was made for this widget, and take everything out of the registry."""
        if self._publisher is not None:
            self._inspection.close()
            super().close()
            close_tree(*self._inspection.parts)

    def _made_controls(self, owner: Owner, hidden: frozenset[str]) -> PursuitControls:
        return PursuitControls(owner, hidden, self._inspect)

    def _points(self) -> Sequence[Point]:
        return [Point(kept) for kept in self.session.history.all_kept()]

    def _looked_at(self, frame: PursuitFrame, point: Point | None) -> PursuitView:
        then = frame if point is None else point.kept.frame
        selected = self._controls.selection.value(then)
        return PursuitView(then, selected, self._controls.drafts.of(selected, then))

    @property
    def _on_show(self) -> PursuitFrame:
        point = self._controls.past.time.chosen
        return self.session.frame if point is None else point.kept.frame

    def _where(self, look: PursuitView, frame: PursuitFrame, point: Point | None) -> str:
        if point is None:
            return "now"
        return f"step <b>{look.frame.total_steps:,}</b> of <b>{frame.total_steps:,}</b>"

    def _inspect(self) -> None:
        try:
            self._inspection.begin(self._on_show)
        except InspectionEndedError:
            pass  # as the user wished
        except Exception as error:  # noqa: BLE001 (on this thread nobody else would show it to the user)
            self._on_refusal(error)

    def _show_instead(self, widgets: Sequence[ipywidgets.Widget] | None) -> None:
        if self._publisher is not None:
            self._publisher.bring(widgets or ())
        self._body.children = self._content if widgets is None else [widgets[0], self._lines.notice, *widgets[1:]]
        self._miss()

    def _miss(self) -> None:
        if self._publisher is not None:
            self._publisher.miss()

    def _pictures(self) -> Mapping[str, Picture]:
        return pursuit_pictures(self._problem)

    def _clicked(self, key: Key) -> None:
        self._controls.selection.click(key, self._on_show)

    def _dragged(self, key: Key, mark: Dots, x: float, y: float) -> None:
        heights = [float(height) for height, (each,) in zip(mark.y, mark.keys, strict=True) if each[0] == key[0]]
        self._controls.drafts.drag(key, y, self._on_show, tuple(heights))

    def _traits_of(self, frame: PursuitFrame) -> Mapping[str, Any]:
        return {"iteration": frame.iteration, "widths": frame.widths, "loss": frame.loss}

    def _main_numbers(self, look: PursuitView) -> Sequence[tuple[str, str]]:
        frame = look.frame
        numbers = [("iteration", str(frame.iteration))]
        if frame.weights:
            numbers.append(("widths", written(frame.widths)))
        if frame.loss is not None:
            numbers.append(("loss", number(frame.loss)))
        if frame.test_loss is not None:
            numbers.append(("test loss", number(frame.test_loss)))
        return numbers

    def _figure(self) -> Figure:
        from np_widgets.plots import overview  # noqa: PLC0415 (matplotlib is heavy, and needed only for a display)

        return overview(self._kept_frame(), self._problem)
