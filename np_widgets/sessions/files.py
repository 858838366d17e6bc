"""A session in one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.activation import Activation
from np_widgets.learning.engine import Engine
from np_widgets.learning.fixed.engine import FixedNetwork
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.learning.saddles.ground import Ground
from np_widgets.problems import Problem
from np_widgets.sessions.commands import actions
from np_widgets.sessions.history import History
from np_widgets.sessions.moments import Done, Kept
from np_widgets.sessions.storage import FileError, store, stored

_FRAMES = {"NeuronPursuit": PursuitFrame, "SaddleFlow": SaddleFrame, "FixedNetwork": PursuitFrame}
_OF_A_FLOW = {
    "_given": Ground,
    "_activation": Activation,
    "_tolerances": tuple[float, float],
}
# What engines have beside the problem and their state.
_OWN: dict[str, dict[str, Any]] = {
    "NeuronPursuit": {"_given": HomogeneousNetwork | None},
    "SaddleFlow": _OF_A_FLOW,
    "FixedNetwork": {},
}


def write(path: Path, engine: Engine, state: dict[str, Any], history: History, torch_threads: int | None) -> None:
    """Replace a file by one with all of this, in one piece."""
    name = type(engine).__name__
    if type(engine) not in (NeuronPursuit, SaddleFlow, FixedNetwork):
        raise TypeError(f"only a session of an engine of this package can be saved, got one of a {name}")
    own = engine.__dict__  # what an engine has beside its state does not change
    facts = {
        "engine": name,
        "problem": own["problem"],
        "own": {each: own[each] for each in _OWN[name]},
        "state": state,
        "torch_threads": torch_threads,
        "budget": history.budget,
        "stride": history.stride,
        "advances": history.advances,
        "origin": history.origin,
        "log": tuple((done.advance, done.action, done.args, dict(done.kwargs)) for done in history.log),
        "kept": tuple(tuple(vars(kept).values()) for kept in history.all_kept()),
    }
    store(path, "session", facts)


def read(path: Path, problem: Problem | None = None) -> tuple[Engine, History, int | None]:
    """What :func:`write` was given.

    Raises
    ------
    FileError, OSError
        If the file is not sound, or cannot be read.
    """
    try:
        return _restored(stored(path, "session"), problem)
    except (OSError, MemoryError, FileError):
        raise
    except Exception as error:
        raise FileError(f"{path} holds no sound session: {type(error).__name__}: {error}"[:500]) from error


def _restored(facts: Any, problem: Problem | None) -> tuple[Engine, History, int | None]:
    states.require("engine", facts["engine"], str)
    frame = _FRAMES[arguments.choice("engine", facts["engine"], _FRAMES)]
    kinds = {
        "engine": str,
        "problem": Problem,
        "own": _OWN[facts["engine"]],
        "state": dict,
        "torch_threads": int | None,
        "budget": states.whole,
        "stride": states.within(1),
        "advances": states.whole,
        "origin": dict,
        "log": tuple[tuple[int, str, tuple, dict[str, Any]], ...],  # type: ignore[type-arg]
        "kept": tuple[tuple[int, int, str | None, frame, dict[str, Any] | None, int, int, states.finite_number], ...],  # type: ignore[valid-type]
    }
    states.require("session", facts, kinds)
    if problem is not None:
        states.require_fingerprint(states.fingerprint(facts["problem"]), problem)
    engine = _engine(facts, facts["problem"] if problem is None else problem)
    log = tuple(Done(advance, action, args, tuple(given.items())) for advance, action, args, given in facts["log"])
    _require_order("log", [done.advance for done in log], facts["advances"])
    for done in log:
        arguments.choice("an action of the log", done.action, actions(engine))
        if not all(name.isidentifier() for name, _ in done.kwargs):
            raise ValueError(f"an argument of the log must have a name, got {done}")
    kept = [Kept(*each) for each in facts["kept"]]
    _require_order("kept", [each.advance for each in kept], facts["advances"])
    _require_order("kept", [each.commands for each in kept], len(log))
    _require_order("kept", [each.seconds for each in kept], math.inf)
    if not kept or kept[0].state is None or len({each.number for each in kept}) < len(kept):
        raise ValueError("kept must begin with a state, and hold no moment twice")
    past = History.restored(facts["budget"], facts["stride"], facts["advances"], facts["origin"], log, kept)
    if (kept[-1].advance, kept[-1].commands) != (past.advances, len(log)):
        past.show(engine.landmark, engine.frame())
    return engine, past, facts["torch_threads"]


def _engine(facts: dict[str, Any], problem: Problem) -> Engine:
    if facts["engine"] == "NeuronPursuit":
        settings = facts["state"]["settings"]
        engine = NeuronPursuit(problem, **settings)
        vars(engine).update(facts["own"])
        with torch.no_grad():
            engine.restore(facts["state"])
        return engine
    data = {"problem": problem, "_data": states.fingerprint(problem), "state": facts["state"]}
    if facts["engine"] == "FixedNetwork":
        fixed = object.__new__(FixedNetwork)
        fixed.__setstate__(data)
        return fixed
    flow = object.__new__(SaddleFlow)
    flow.__setstate__({**facts["own"], **data, "_kept": None})
    return flow


def _require_order(name: str, counts: Sequence[float], most: float) -> None:
    if any(one > other for one, other in zip([0, *counts], [*counts, most], strict=True)):
        raise ValueError(f"{name} must hold counts in order, from 0 to {most}")
