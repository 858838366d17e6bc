"""What a session can be told to do: commands, built and checked in the thread of their sender."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from np_widgets import arguments
from np_widgets.learning.engine import Engine

# Actions that ask for something that takes a while: see Engine.requested.
REQUESTS = frozenset({"add_neuron"})


@dataclass(eq=False)
class Command:
    """Something to do between two advances, and the future that tells its sender how that went.

    Attributes
    ----------
    name
        ``"resume"``, ``"pause"``, ``"step"``, ``"undo"``, ``"rest"``, ``"sync"`` (somebody waits), ``"look"``, or the
        name of the action.
    action
        What to call for an action of the engine, or for a look at it; None for all else.
    count
        How many advances a ``"step"`` makes.
    done
        How many of them it has made.
    reason
        Why to ``"rest"``.
    """

    name: str
    action: functools.partial[Any] | None = None
    count: int = 0
    done: int = 0
    reason: str = ""
    future: Future[Any] = field(default_factory=Future)


def command(engine: Engine, name: str, /, *args: Any, **kwargs: Any) -> Command:
    """A command by the name that a user gives it; the arguments are those of the session's method of that name.

    Raises
    ------
    TypeError, ValueError
        If there is no such command, or it does not take these arguments.
    """
    if name == "apply":
        return _action(engine, *args, **kwargs)
    arguments.choice("command", name, [*_BUILDERS, "apply", *actions(engine)])
    return _BUILDERS[name](*args, **kwargs) if name in _BUILDERS else _action(engine, name, *args, **kwargs)


def sync() -> Command:
    """A command that only ends a rest: when it is acknowledged, those before it are."""
    return Command("sync")


def look(function: Callable[[], Any]) -> Command:
    """A command that only calls a function between two advances, and changes nothing."""
    return Command("look", functools.partial(function))


def _resume() -> Command:
    return Command("resume")


def _pause() -> Command:
    return Command("pause")


def _step(count: int = 1) -> Command:
    return Command("step", count=arguments.whole("count", count, 1))


def _undo() -> Command:
    return Command("undo")


def _rest(reason: str) -> Command:
    return Command("rest", reason=reason)


def _action(engine: Engine, action: str, /, *args: Any, **kwargs: Any) -> Command:
    known = actions(engine)
    if not known:
        raise ValueError(f"action must be one that the engine has, got {action!r}; a {type(engine).__name__} has none")
    arguments.choice("action", action, known)
    return Command(action, functools.partial(getattr(engine, action), *args, **kwargs))


def actions(engine: Engine) -> list[str]:
    """The names of what an engine can be told to do."""
    # What Engine itself has is for the session alone: an engine advanced or restored by hand would break its promises.
    kind = type(engine)
    own = [name for name in dir(kind) if not name.startswith("_") and not hasattr(Engine, name)]
    return [name for name in own if callable(getattr(kind, name))]


_BUILDERS: dict[str, Callable[..., Command]] = {
    "resume": _resume,
    "pause": _pause,
    "step": _step,
    "undo": _undo,
    "rest": _rest,
}
