"""What a widget can be made of."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from np_widgets import arguments
from np_widgets.learning.engine import Engine
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session


@dataclass(frozen=True)
class Adopted:
    """A session that belongs to the widget that shows it."""

    session: Session


@dataclass(frozen=True)
class Sources:
    """A widget is made of a problem, of an engine, or of a session of one."""

    widget: str
    engine: type[Engine]
    defaults: tuple[tuple[str, Any], ...] = ()

    def session(self, source: Any, options: dict[str, Any]) -> Session:
        """The session to show: the given one, or a new one; ``options`` are those of an engine for a problem."""
        if isinstance(source, Adopted):
            return source.session
        self._check(options)
        name = self.engine.__name__
        if isinstance(source, Problem):
            return Session(self.engine(**{"problem": source, **dict(self.defaults), **options}))
        if options and isinstance(source, (Session, self.engine)):
            raise TypeError(
                f"{next(iter(options))!r} belongs to a new {name}: it cannot be given with one that is there"
            )
        if isinstance(source, self.engine):
            return Session(source)
        if not isinstance(source, Session):
            raise TypeError(f"source must be a Problem, a {name} or a Session of one, got {type(source).__name__}")
        if not isinstance(source.engine, self.engine):
            raise TypeError(f"source must be a session of a {name}, got one of a {type(source.engine).__name__}")
        return source

    def _check(self, options: Iterable[str]) -> None:
        accepted = [option for option in inspect.signature(self.engine).parameters if option != "problem"]
        for option in options:
            if option not in accepted:
                close = difflib.get_close_matches(option, [*accepted, "hide", "lock", "rate", "size", "pictures"], 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise TypeError(
                    f"{self.widget} does not know {option!r}{hint} (it takes hide, lock, rate, size, pictures, and "
                    f"with a problem what {self.engine.__name__} takes: {', '.join(accepted)})"
                )


def checked_names(argument: str, given: Any, names: Iterable[str]) -> frozenset[str]:
    """What to hide or to lock, as a set."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{argument} must be a list of names such as ['seed'], got {given!r}")
    return frozenset(arguments.choice(argument, name, names) for name in given)
