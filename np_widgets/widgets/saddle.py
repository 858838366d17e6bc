"""SaddleWidget: watch dormant weights stay small, turn, and grow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.alignment import alignment
from np_widgets.pictures.labels import Names, number
from np_widgets.pictures.norms import norms
from np_widgets.pictures.plane import direction_at, plane
from np_widgets.pictures.plateaus import plateaus
from np_widgets.pictures.scene import Dots, Key
from np_widgets.pictures.weights import saddle_weights
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session
from np_widgets.widgets.chooser import weight_matrices
from np_widgets.widgets.controls import Owner
from np_widgets.widgets.live import LiveFloat, LiveUnicode
from np_widgets.widgets.live_widget import LiveWidget, OwnPictures
from np_widgets.widgets.render import Choice, Picture
from np_widgets.widgets.saddle_controls import CONTROLS, VALUES, SaddleControls, SaddleView
from np_widgets.widgets.sources import Sources
from np_widgets.widgets.time_slider import Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = ("norms", "alignment", "plane", "loss", "weights")


class SaddleWidget(LiveWidget):
    """The flow near a saddle, live, beside what theory predicts: its pictures, and controls to steer it.

    Parameters
    ----------
    source
        A :class:`~np_widgets.learning.saddles.flow.SaddleFlow`, the :class:`~np_widgets.sessions.session.Session` of
        one, or a :class:`~np_widgets.problems.Problem` to make one for: by default at the origin.
    hide
        Names of controls (``"play"``, ``"step"``, ``"to_escape"``, ``"to_next_saddle"``, ``"undo"``, ``"time"``,
        ``"branch"``, ``"copy"``, ``"reset"``, ``"scale"``, ``"dormant"``, ``"dynamics"``, ``"step_size"``,
        ``"weight_decay"``, ``"seed"``) and pictures (``"norms"``, ``"alignment"``, ``"plane"``, ``"loss"``,
        ``"weights"``) to leave out. Without ``"reset"`` the settings that it would apply go, too.
    lock
        Names of controls whose value is shown and cannot be changed there: ``"scale"``, ``"dormant"``, ``"dynamics"``,
        ``"step_size"``, ``"weight_decay"``, ``"seed"``.
    rate
        How many times a second the pictures are drawn at most. They wait for a slower browser.
    size
        How many times larger letters, lines and pictures are, up to 3: 1.5 for a lecture hall.
    pictures
        More pictures, by their names: functions that make a :class:`~np_widgets.pictures.scene.Scene` of a frame.
    **options
        What :class:`~np_widgets.learning.saddles.flow.SaddleFlow` takes, ``network`` included, with a problem.

    Attributes
    ----------
    session
        The session: every button is one or two of its commands, *To escape* ``session.apply("aim", "escape")`` and
        ``session.resume()``. One that was made for this widget is closed with it.
    status
        ``"paused"``, ``"running"``, ``"finished"`` (also where a goal is reached), ``"failed"`` or ``"closed"``.
    phase
        What is going on: see :class:`~np_widgets.learning.saddles.frames.SaddleFrame`.
    time
        The time reached.
    loss
        The training loss there.
    message
        One sentence that says what is happening.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or unknown; the message names it.

    Notes
    -----
    ``status``, ``phase``, ``time``, ``loss`` and ``message`` are traits to observe or to link from, as those of
    :class:`~np_widgets.widgets.pursuit.PursuitWidget` are. They tell of the present also while the pictures show what
    the time slider has gone back to.
    """

    _subject = "Saddle dynamics"
    _sources = Sources("SaddleWidget", SaddleFlow, defaults=(("network", None),))
    _control_names = CONTROLS
    _value_names = VALUES
    _panel_names = PANELS
    _controls: SaddleControls

    phase = LiveUnicode("ready", read_only=True)
    time = LiveFloat(0.0, read_only=True)
    loss = LiveFloat(None, allow_none=True, read_only=True)

    def __init__(
        self,
        source: Problem | SaddleFlow | Session,
        *,
        hide: Iterable[str] = (),
        lock: Iterable[str] = (),
        rate: float = 10.0,
        size: float = 1.0,
        pictures: OwnPictures | None = None,
        **options: Any,
    ) -> None:
        super().__init__(source, hide, lock, rate, options, pictures, size)

    def _made_controls(self, owner: Owner, hidden: frozenset[str]) -> SaddleControls:
        return SaddleControls(owner, hidden)

    def _points(self) -> Sequence[Point]:
        """Moments before the flow started over, and then the points of its record, which are more."""
        past, record = self.session.history, self.session.frame.record.time
        kept = past.all_kept()
        own = [each for each in kept if past.is_of_this_run(each)]
        if not len(record):
            return [Point(each) for each in kept]
        times = [each.frame.time for each in own]
        within = np.maximum(np.searchsorted(times, record, side="right") - 1, 0)
        before = [Point(each) for each in kept if not past.is_of_this_run(each)]
        return before + [Point(own[place], float(time)) for place, time in zip(within, record, strict=True)]

    def _looked_at(self, frame: SaddleFrame, point: Point | None) -> SaddleView:
        if point is None:
            return SaddleView(frame)
        if point.time is None or not self.session.history.is_of_this_run(point.kept):
            return SaddleView(point.kept.frame)
        return SaddleView(frame, int(np.abs(frame.record.time - point.time).argmin()))

    def _said(self, look: SaddleView) -> str:
        if look.index is None:
            return look.frame.message
        events = [event for event in look.frame.events if event.time <= look.time]
        return events[-1].message if events else "nothing has happened yet."

    def _where(self, look: SaddleView, frame: SaddleFrame, point: Point | None) -> str:
        here = f"t = <b>{number(look.time)}</b>"
        return f"{here}, now" if point is None else f"{here} of <b>{number(frame.time)}</b>"

    def _pictures(self) -> Mapping[str, Picture]:
        names = Names.of(self._problem)
        return {
            "norms": Picture(
                lambda view, _: norms(view.frame, view.index),
                "How large the dormant weights are, on a log scale: near the saddle a straight line. Dashed is what "
                "the neural correlation function alone predicts, the ring when they should escape.",
                wide=True,
            ),
            "alignment": Picture(
                lambda view, _: alignment(view.frame, view.index),
                "The cosine of the angle between each dormant neuron and the KKT point it is predicted to go to: at 1 "
                "it has come to point there.",
                wide=True,
            ),
            "plane": Picture(
                lambda view, layer: plane(view.frame, view.index, layer or None),
                "Directions of the dormant neurons of one layer, each with the trail it has left; diamonds are KKT "
                "points. On the circle lies what is in the plane.",
                choice=Choice("Layer", "Of which hidden layer to show the neurons", _layers, "130px"),
                movable=True,
            ),
            "loss": Picture(
                lambda view, _: plateaus(view.frame, view.index),
                "The training loss: level while the flow is near a saddle (shaded), falling on the way to the next. "
                "A square is what Neuron Pursuit reaches with the neurons that woke up.",
            ),
            "weights": Picture(
                lambda view, layer: saddle_weights(view.frame, view.index, layer or 1, names),
                "One row a neuron, one column for each input or neuron below; the active ones first. Dormant weights, "
                "dashed, have a scale of their own, so that their directions are seen.",
                choice=Choice(
                    "Weights of", "Which weight matrix to show", lambda view: weight_matrices(len(view.frame.weights))
                ),
            ),
        }

    def _dragged(self, key: Key, mark: Dots, x: float, y: float) -> None:
        _, layer, neuron = key
        self._refresh()
        # As the flow starts over the slider goes back to the present, which is the start.
        incoming, outgoing = direction_at(self.session.frame, int(layer), x, y)
        self._controls.turn(int(layer), int(neuron), incoming.tolist(), outgoing.tolist())

    def _traits_of(self, frame: SaddleFrame) -> Mapping[str, Any]:
        return {"phase": frame.phase, "time": frame.time, "loss": frame.loss}

    def _main_numbers(self, look: SaddleView) -> Sequence[tuple[str, str]]:
        record, here = look.frame.record, -1 if look.index is None else look.index
        loss = look.frame.loss if look.index is None else float(record.loss[here])
        numbers = [("time", number(look.time)), ("loss", number(loss))]
        if len(record.time):
            numbers.append(("norm of dormant weights", number(float(record.dormant_norm[here]))))
        return numbers

    def _figure(self) -> Figure:
        from np_widgets.plots import saddle_overview  # noqa: PLC0415 (matplotlib is heavy, and needed only for a display)

        return saddle_overview(self._kept_frame())

    def _aim(self, session: Session) -> None:
        session.apply("aim", "escape")


def _layers(view: SaddleView) -> list[tuple[str, int]]:
    layers = range(1, len(view.frame.widths) + 1)
    return [("best", 0), *((str(layer), layer) for layer in layers)] if len(layers) > 1 else []
