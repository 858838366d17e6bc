"""What a session can run: work cut into small, deterministic quanta."""

from __future__ import annotations

import functools
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple, ParamSpec, TypeVar

import torch

from np_widgets.learning.interruption import uninterrupted
from np_widgets.learning.states import same

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Landmark(NamedTuple):
    """The last notable thing that happened: how many additions or events there were, and what it was, in words.

    Where it is ``complete``, nothing that belongs to it is still to come: a good place to pause.
    """

    additions: int
    label: str
    complete: bool = True


class Engine(ABC):
    """A computation that goes on in small steps and can be looked at, saved and steered between them.

    No clock decides anything inside an engine: whoever drives it does the timing, so the same calls in the same order
    give bitwise the same result however they are spread over time. What a user may do to it besides are ordinary
    methods, called between two quanta.
    """

    _driver: str | None = None
    _before: dict[str, Any] | None = None  # the state to which an attempt under way would be undone
    _attempts = 0
    _is_shown = False  # to the callback of its own run, which may only look at it
    broken = False
    """Whether the last :meth:`attempt` failed and could not be undone."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if isinstance(method, FunctionType) and not name.startswith("_") and name not in _LOOKS:
                setattr(cls, name, _refused_while_shown(method))

    def advance(self) -> None:
        """Do one bounded quantum of work, some milliseconds; nothing if :attr:`finished` is set.

        All or nothing: whatever is raised meanwhile, a KeyboardInterrupt or a MemoryError included, the engine is where
        :meth:`state` was before the call.
        """
        self._require_not_shown("do 'advance'")
        if self.finished is None:
            self.attempt(self._advance)

    @abstractmethod
    def _advance(self) -> None:
        """Do one quantum of work; :meth:`advance` undoes what an exception leaves half done."""

    @property
    @abstractmethod
    def finished(self) -> object | None:
        """The reason why nothing is left to do (``str()`` of it is a sentence), or None."""

    @property
    def requested(self) -> bool:
        """Whether something that a command asked for is still under way; who paused it lets it be done first."""
        return False

    @property
    def landmark(self) -> Landmark | None:
        """The last notable thing that happened, or None; asked for around every advance, so it should cost nothing."""
        return None

    @abstractmethod
    def frame(self) -> Any:
        """A frozen dataclass of plain numbers and copied arrays that shows where the engine stands; changes nothing."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here, as arrays and plain values that nothing else will change.

        It is asked for before every advance, so it should cost little beside one.
        """

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""

    def attempt(self, action: Callable[[], Result], *, unless_same: bool = False) -> Result:
        """Call ``action``; if it raises, put the engine back to where it was, and raise the same again.

        Within another attempt nothing is put back: that one undoes all of it. ``unless_same`` spares the way back if
        the state has not changed. Only for actions that leave nothing half done beside the state.
        """
        if self._before is not None:
            return action()
        good, autograd = self.state(), torch.is_grad_enabled()
        # No context manager: an interrupt inside contextlib could delay the undoing until its generator is collected.
        try:
            self._before = good
            self._attempts += 1
            torch.set_grad_enabled(False)  # derivatives are written out by hand
            return action()
        except BaseException as error:
            self._undo(good, error, unless_same)
            raise
        finally:
            self._before = None
            torch.set_grad_enabled(autograd)  # an interrupt just before the end of a no_grad would leave it off

    def settled_state(self) -> dict[str, Any]:
        """:meth:`state` between two attempts, also for another thread than the one that drives the engine."""
        while True:
            attempts, before = self._attempts, self._before
            if before is not None:
                return before
            try:
                state = self.state()
            except Exception:
                if attempts == self._attempts:
                    raise
                continue
            if attempts == self._attempts:  # else an attempt that began meanwhile may have changed half of it
                return state

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: nobody drives them."""
        own = ("_driver", "_is_shown", "_before", "_attempts")
        return {name: value for name, value in vars(self).items() if name not in own}

    def _undo(self, good: dict[str, Any], error: BaseException, unless_same: bool) -> None:
        drop_locals(error)  # first: after an out-of-memory error the way back may need that memory
        self.broken = False
        with uninterrupted():
            try:
                if not (unless_same and same(good, self.state())):
                    self.restore(good)
            except BaseException as second:  # noqa: BLE001 (the first error is the one to be told of)
                self.broken = True
                error.add_note(f"The engine could not be put back to its last good state: {second!r}")

    def claim(self, driver: str) -> None:
        """Let ``driver`` alone advance this engine, until :meth:`release`.

        Raises
        ------
        RuntimeError
            If somebody drives it already.
        """
        self.require_free("be driven by a second session")
        self._driver = driver

    def show(self, callback: Callable[[Any], object]) -> bool:
        """Call ``callback`` with a new frame; whether to go on: it returns False, or is interrupted, to stop.

        Meanwhile every method that would change the engine is refused.
        """
        frame = self.frame()
        try:
            self._is_shown = True
            return callback(frame) is not False
        except KeyboardInterrupt:
            return False
        finally:
            self._is_shown = False

    def release(self) -> None:
        """Undo :meth:`claim`."""
        self._driver = None

    def require_free(self, purpose: str) -> None:
        """Raise a ``RuntimeError`` if a session drives this engine, or it is just being shown to a callback."""
        self._require_not_shown(purpose)
        if self._driver is not None:
            raise RuntimeError(
                f"this {type(self).__name__} cannot {purpose}: {self._driver} drives it; use the session's methods, "
                "or close the session first"
            )

    def _require_not_shown(self, purpose: str) -> None:
        if self._is_shown:
            raise RuntimeError(
                f"this {type(self).__name__} cannot {purpose} from the callback of its own run, which is in the middle "
                "of its work; do it after the run"
            )


_LOOKS = frozenset({"frame", "state"})


def _refused_while_shown(method: FunctionType) -> Callable[..., Any]:
    """A method of an engine that changes it."""
    purpose = f"do {method.__name__!r}"

    @functools.wraps(method)
    def changing(self: Engine, *args: Any, **kwargs: Any) -> Any:
        self._require_not_shown(purpose)
        return method(self, *args, **kwargs)

    return changing


def all_or_nothing(action: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """An action of an engine, a method, that is undone if anything is raised in the middle of it."""

    @functools.wraps(action)
    def attempting(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        engine = args[0]
        assert isinstance(engine, Engine)
        return engine.attempt(lambda: action(*args, **kwargs), unless_same=True)

    return attempting


def drop_locals(error: BaseException) -> None:
    """Free what the frames of a traceback hold: tensors, and perhaps a session that is to be collected."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__context__
