"""What changes while a saddle flow goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.frames import Awakening, Destination, Event, Prediction
from np_widgets.learning.saddles.integration import Point
from np_widgets.learning.saddles.layout import Flags
from np_widgets.learning.saddles.prediction import Course
from np_widgets.learning.saddles.recording import Series
from np_widgets.learning.saddles.saddle import Place
from np_widgets.learning.saddles.settings import Start

Floats = NDArray[np.float64]

Goal = Literal["escape", "next saddle"]
GOALS: tuple[Goal, ...] = get_args(Goal)
NOTHING_LEFT = "nothing is left to explain here, this is a minimum, not a saddle"
_NOTHING = Series()
# What has to be there in each phase of the work.
_NEEDED: dict[str, tuple[str, ...]] = {
    "searching": (),
    "predicting": ("course",),
    "flowing": ("predictions", "highest"),
    "comparing": ("next_active", "awakenings"),
}


@dataclass(frozen=True, eq=False)
class Moment:
    """Where the flow was once since its escape."""

    loss: float
    point: Point
    highest: Floats  # the largest norm of each initially dormant neuron until then
    fall: float = math.nan  # by how much the loss fell in the window of time after it, once that is over


@dataclass(frozen=True, eq=False)
class Trial:
    """The neurons that were awake at some moment, followed alone, to see whether that is a saddle."""

    moment: Moment
    point: Point  # where that integration stands; its time is counted from the moment
    loss: float  # the training loss that they alone had then


@dataclass(frozen=True, eq=False)
class Now:
    """Everything that changes, in one value that is only ever replaced."""

    point: Point  # where the integration stands
    place: Place  # the saddle left last
    phase: str = "searching"  # KKT points, "predicting", "flowing" or "comparing"
    series: Series = _NOTHING
    goal: str | float | None = "next saddle"
    finished: str | None = None  # why it has stopped
    dead_end: str | None = None  # why no goal but a time can be reached, if that is so
    events: tuple[Event, ...] = ()
    awakenings: tuple[Awakening, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    first_step: int = 0  # how many steps had been made when the flow was at this place
    rounds: int = 0  # of the search at this place
    destinations: tuple[Destination, ...] = ()
    escape_norm: float | None = None
    course: Course | None = None  # of the NCF alone
    going_to: tuple[int, ...] = ()  # for each initially dormant neuron an index into the destinations or −1
    aligned: bool = False  # whether the largest dormant neuron was
    escaped: float | None = None  # when the flow did
    recent: tuple[Moment, ...] = ()  # since the escape, whose window of time is not over
    levelest: Moment | None = None  # after which the loss fell least, and slowly enough to be a saddle's
    trial: Trial | None = None
    highest: Floats | None = None  # the largest norm of each initially dormant neuron since the flow left the place
    earlier: Point | None = None  # where it was some steps ago, to see whether anything still moves
    next_active: tuple[Flags, ...] | None = None  # at the next saddle
    added: tuple[int, ...] = ()  # the destinations of those that woke up on the way there
    comparison: dict[str, Any] | None = None  # the minimizer that trains what Neuron Pursuit would have trained

    def aiming(self, goal: str | float | None) -> Now:
        """With another goal."""
        return replace(self, goal=goal, finished=self.dead_end if goal in GOALS else None)

    def at_end(self, message: str) -> Now:
        """Where nothing is left to explain: the goals are given up with it."""
        if self.goal not in GOALS:
            return replace(self, dead_end=message)
        return replace(self, dead_end=message, goal=None, finished=message)

    def at_dead_end(self, message: str) -> Now:
        """As far as it goes: what remains to be reached is a time."""
        return replace(self, dead_end=message, finished=message if self.goal in GOALS else self.finished)


def require_fit(now: Now, start: Start, started: Floats) -> None:
    """Raise a ValueError that names what in a stored ``now`` does not fit a flow that begins at ``start``."""
    theta, widths = start.theta, [len(flags) for flags in start.active]
    if started.shape != theta.shape or not np.allclose(started, theta, rtol=1e-9, atol=0):
        raise ValueError("state['start'] must be where this flow starts, got that of another network or other settings")
    points = {"point.y": now.point.y, "place.theta": now.place.theta}
    if now.trial is not None:
        points |= {"trial.point.y": now.trial.point.y, "trial.moment.point.y": now.trial.moment.point.y}
    for name, weights in points.items():
        if weights.shape != theta.shape or weights.dtype != theta.dtype or not np.isfinite(weights).all():
            raise ValueError(f"state['now'].{name} must be {len(theta)} finite numbers, got shape {weights.shape}")
    for name, flags in (("place.active", now.place.active), ("next_active", now.next_active)):
        if flags is not None and [len(each) for each in flags] != widths:
            raise ValueError(f"state['now'].{name} must have one flag for each of {widths} hidden neurons")
    if now.phase not in _NEEDED:
        raise ValueError(f"state['now'].phase must be a phase of a flow, got {now.phase!r}")
    # Where nothing is left to explain there was no search.
    if now.rounds < 0 or (now.rounds == 0 and now.phase != "searching" and now.dead_end is None):
        raise ValueError(f"state['now'].rounds must be those of a search, got {now.rounds} in phase {now.phase!r}")
    for name in _NEEDED[now.phase]:
        held = getattr(now, name)
        if held is None or (isinstance(held, tuple) and not held):
            raise ValueError(f"state['now'].{name} must be there in phase {now.phase!r}")
