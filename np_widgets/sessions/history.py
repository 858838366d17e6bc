"""What a session remembers: moments to look at and to go on from, and what it was told to do."""

from __future__ import annotations

import threading
from dataclasses import fields, replace
from importlib import import_module
from typing import Any

from np_widgets.learning.engine import Engine, Landmark
from np_widgets.sessions.memory import new_bytes
from np_widgets.sessions.moments import Done, Kept, Moment

# A frame may cost a third of an advance: so one in so many costs little, however long that goes on. At the beginning
# they are denser: few advances can be many steps.
_LASTING_STRIDE = 32
_MOST_EARLY = 64
# More would not be told apart on a slider.
_MOST_ORDINARY = 1000


class History:
    """The moments of a session, in bounded memory.

    Kept are the frames of advances and where the session stopped; with their states, where something notable happened
    (a network was trained, a neuron added, a saddle left) and before every command; and the last frame. When that
    passes the budget, or there are more than 64 frames beside the notable ones (1,000, once only every 32nd advance or
    fewer are kept), half of the other frames go, and from then on half as many are kept: what is kept depends on
    advances, not on clocks. If the notable moments alone pass the budget, every second of their states goes, the newest
    staying, then every second of these moments; never the first moment, nor the last.

    Attributes
    ----------
    budget
        How many bytes the moments may take.
    story
        How many advances the session has made, and what the engine was told to do, as :class:`Done`, in order.
    seconds
        How long these advances took, one after the other: neither pauses nor the turns of other sessions count.
    """

    def __init__(self, engine: Engine, budget: int) -> None:
        self.budget = budget
        self.story: tuple[int, tuple[Done, ...]] = 0, ()  # one value, so that who reads it finds both of one time
        self.seconds = 0.0
        self.stride = 1
        self._lock = threading.Lock()
        self._number = 0
        self.origin = engine.state()
        self._now = Kept(0, 0, "the beginning", engine.frame(), self.origin, 0, _additions(engine.landmark))
        self._set([self._now])

    # what can be read

    @property
    def advances(self) -> int:
        """How many advances the session has made."""
        return self.story[0]

    @property
    def log(self) -> tuple[Done, ...]:
        """What the engine was told to do, in order."""
        return self.story[1]

    @property
    def moments(self) -> tuple[Moment, ...]:
        """The moments kept, in order; the last is the newest frame."""
        return tuple(kept.moment for kept in self.all_kept())

    @property
    def nbytes(self) -> int:
        """How many bytes the moments take; what several share is counted once."""
        return new_bytes(self.all_kept(), set())

    def frame(self, moment: Moment) -> Any:
        """The frame of a moment.

        Raises
        ------
        TypeError, ValueError
            If it is no moment, or none that is still kept.
        """
        return self.kept(moment).frame

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row for each moment, with the plain values of its frame."""
        rows = []
        for kept in self.all_kept():
            facts = {each.name: getattr(kept.frame, each.name) for each in fields(kept.frame)}
            plain = {name: fact for name, fact in facts.items() if isinstance(fact, (int, float, str, type(None)))}
            moment = kept.moment
            own: dict[str, Any] = {"advance": moment.advance, "seconds": kept.seconds}
            own |= {"label": moment.label, "can_go_on": moment.can_go_on}
            rows.append(own | {name: fact for name, fact in plain.items() if name != "message"})
        return import_module("pandas").DataFrame(rows)

    def kept(self, moment: Moment) -> Kept:
        """All that is known of a moment."""
        if not isinstance(moment, Moment):
            raise TypeError(f"moment must be one of history.moments, got {type(moment).__name__}")
        for kept in self.all_kept():
            if kept.number == moment.number and kept.advance == moment.advance:
                return kept
        raise ValueError(f"moment must be one that is still kept, got {moment}; history.moments has those")

    def all_kept(self) -> list[Kept]:
        """The moments kept, and the present one."""
        with self._lock:
            present = [] if self._kept[-1].number == self._now.number else [self._now]
            return [*self._kept, *present]

    def last_to_go_on(self, kept: Kept) -> Kept:
        """The last moment up to this one that a session can branch off at."""
        able = [each for each in self.all_kept() if each.state is not None and each.number <= kept.number]
        return kept if kept.state is not None or not able else able[-1]

    def is_of_this_run(self, kept: Kept) -> bool:
        """Whether the engine has not started over since."""
        return all(done.action not in ("reset", "turn") for done in self.log[kept.commands :])

    @property
    def can_undo(self) -> bool:
        """Whether there is a moment to go back to."""
        return self._before_the_last() is not None

    # what the worker notes, on its thread

    def advanced(self) -> None:
        """Note an advance."""
        self.story = self.advances + 1, self.log

    @property
    def is_due(self) -> bool:
        """Whether the moment after the next advance is to be kept."""
        return (self.advances + 1) % self.stride == 0

    def show(self, landmark: Landmark | None, frame: Any) -> None:
        """Note the newest frame."""
        now, place = self._now, (self.advances, len(self.log))
        if frame is now.frame:
            return
        with self._lock:
            if (now.advance, now.commands) == place:  # the same moment again
                self._now = replace(now, frame=frame)
                if self._kept[-1].number == now.number:
                    self._kept[-1] = self._now
                    self._bytes += new_bytes([frame], self._seen)
            else:
                self._number += 1
                counts = len(self.log), _additions(landmark), self.seconds
                self._now = Kept(self._number, self.advances, None, frame, None, *counts)

    def keep(
        self, landmark: Landmark | None, frame: Any, state: dict[str, Any] | None = None, label: str | None = None
    ) -> None:
        """Keep the present moment; with a state it is a notable one."""
        self.show(landmark, frame)
        last = self._kept[-1]
        if last.number == self._now.number:
            if last.state is not None or state is None:
                return
            self._set(self._kept[:-1])
        now = replace(self._now, label=label, state=state)
        before = self._kept[-1]
        with self._lock:
            self._kept.append(now)
            self._now = now
        self._bytes += new_bytes([now], self._seen)
        self._ordinary += before.is_ordinary and len(self._kept) > 2
        while len(self._kept) > 2 and (self._bytes > self.budget or self._ordinary > self._most):
            self._set(self._thinned())

    def told(self, done: Done) -> None:
        """Note an action that was done."""
        self.story = self.advances, (*self.log, done)

    def undoing(self) -> Kept:
        """The last moment to go on from that is before the last addition or command; a RuntimeError if none is."""
        if (kept := self._before_the_last()) is None:
            raise RuntimeError("there is nothing to undo: no command was given, and nothing was added, in this session")
        return kept

    def back_to(self, kept: Kept) -> None:
        """Forget what came after."""
        self.story, self.seconds = (kept.advance, self.log[: kept.commands]), kept.seconds
        before = [each for each in self._kept if each.number <= kept.number]
        with self._lock:
            self._now = before[-1]
        self._set(before)

    # copies

    def snapshot(self) -> History:
        """A copy that does not change; what is in it is shared."""
        other = object.__new__(History)
        other.__dict__.update(self.__dict__)
        other._lock, other._kept, other._seen = threading.Lock(), list(self._kept), set(self._seen)
        return other

    @classmethod
    def restored(
        cls, budget: int, stride: int, advances: int, origin: dict[str, Any], log: tuple[Done, ...], kept: list[Kept]
    ) -> History:
        """A history that was kept elsewhere, whose last moment is the present one."""
        self = object.__new__(cls)
        self.budget, self.stride, self.story, self.origin = budget, stride, (advances, log), origin
        self._lock, self._now, self.seconds = threading.Lock(), kept[-1], kept[-1].seconds
        self._number = max(each.number for each in kept)
        self._set(kept)
        return self

    def _before_the_last(self) -> Kept | None:
        with self._lock:
            present, moments = (self._now.commands, self._now.additions), list(self._kept)
        for kept in reversed(moments):
            if kept.state is not None and (kept.commands, kept.additions) != present:
                return kept
        return None

    @property
    def _most(self) -> int:
        return _MOST_EARLY if self.stride < _LASTING_STRIDE else _MOST_ORDINARY

    def _set(self, kept: list[Kept]) -> None:
        self._seen: set[int] = set()
        with self._lock:
            self._kept = kept
        self._bytes = new_bytes(kept, self._seen)
        self._ordinary = sum(each.is_ordinary for each in kept[1:-1])

    def _thinned(self) -> list[Kept]:
        first, *inner, last = self._kept
        if self._ordinary:
            self.stride *= 2
            inner = [each for each in inner if each.label is not None or each.advance % self.stride == 0]
        elif with_states := [each.number for each in inner if each.state is not None]:
            going = set(with_states[::-1][1::2]) or set(with_states)
            inner = [replace(each, state=None) if each.number in going else each for each in inner]
        else:
            inner = inner[::-1][1::2][::-1]
        return [first, *inner, last]


def _additions(landmark: Landmark | None) -> int:
    return 0 if landmark is None else landmark.additions
