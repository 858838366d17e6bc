"""SaddleWidget: watch dormant weights stay small, turn, and grow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import number
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session
from np_widgets.widgets.live import LiveFloat, LiveUnicode
from np_widgets.widgets.live_widget import LiveWidget
from np_widgets.widgets.panels.alignment import AlignmentPanel
from np_widgets.widgets.panels.heatmap import HeatmapPanel
from np_widgets.widgets.panels.norms import NormsPanel
from np_widgets.widgets.panels.panel import Panel
from np_widgets.widgets.panels.plane import PlanePanel
from np_widgets.widgets.panels.plateaus import PlateausPanel
from np_widgets.widgets.saddle_controls import CONTROLS, SaddleControls
from np_widgets.widgets.saddle_view import SaddleView
from np_widgets.widgets.sources import Sources

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
        Names of controls (``"play"``, ``"step"``, ``"to_escape"``, ``"to_next_saddle"``, ``"time"``, ``"reset"``,
        ``"scale"``, ``"dormant"``, ``"dynamics"``, ``"step_size"``, ``"seed"``) and pictures (``"norms"``,
        ``"alignment"``, ``"plane"``, ``"loss"``, ``"weights"``) to leave out. Without ``"reset"`` the settings that it
        would apply go, too.
    rate
        How many times a second the pictures are drawn at most. They wait for a slower browser.
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
    _panel_names = PANELS
    _controls: SaddleControls

    phase = LiveUnicode("ready", read_only=True)
    time = LiveFloat(0.0, read_only=True)
    loss = LiveFloat(None, allow_none=True, read_only=True)

    def __init__(
        self, source: Problem | SaddleFlow | Session, *, hide: Iterable[str] = (), rate: float = 10.0, **options: Any
    ) -> None:
        super().__init__(source, hide, rate, options)

    def _made_controls(self, hidden: frozenset[str]) -> SaddleControls:
        return SaddleControls(self.session, hidden, self._refresh, self._on_refusal)

    def _panel_makers(self) -> Mapping[str, Callable[[], Panel[Any]]]:
        return {
            "norms": NormsPanel,
            "alignment": AlignmentPanel,
            "plane": lambda: PlanePanel(self._refresh),
            "loss": PlateausPanel,
            "weights": lambda: HeatmapPanel(self._refresh),
        }

    def _looked_at(self, frame: SaddleFrame) -> SaddleView:
        return self._controls.view(frame)

    def _traits_of(self, frame: SaddleFrame) -> Mapping[str, Any]:
        return {"phase": frame.phase, "time": frame.time, "loss": frame.loss}

    def _main_numbers(self, frame: SaddleFrame) -> Sequence[tuple[str, str]]:
        numbers = [("time", number(frame.time)), ("loss", number(frame.loss))]
        if len(frame.record.time):
            numbers.append(("norm of dormant weights", number(float(frame.record.dormant_norm[-1]))))
        return numbers

    def _figure(self) -> Figure:
        from np_widgets.plots import saddle_overview  # noqa: PLC0415 (matplotlib is heavy, and needed only for a display)

        return saddle_overview(self.session.frame)
