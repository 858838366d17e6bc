"""A session as a few lines of Python."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from np_widgets import problems
from np_widgets.learning.engine import Engine
from np_widgets.learning.fixed.engine import FixedNetwork
from np_widgets.learning.fixed.settings import FixedSettings
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.learning.saddles.settings import SaddleSettings
from np_widgets.learning.states import same
from np_widgets.problems import Problem
from np_widgets.sessions.moments import Done

_MOST_WEIGHTS = 1000  # more would be no few lines
_OWN_DATA = "problem = npw.Problem(inputs, targets)  # fill in: these were your own data, and are not in this code"
_LONGEST_RECIPE = 1000


def beginning(engine: Engine, origin: dict[str, Any], torch_threads: int | None) -> list[str]:
    """Lines of Python that make an engine like this one, as it was in its session's beginning."""
    lines = ["import torch", "", "import np_widgets as npw", ""]
    if torch_threads is not None:
        lines.append(f"torch.set_num_threads({torch_threads})  # as in the session: other numbers, other last digits")
    make = {NeuronPursuit: _pursuit, SaddleFlow: _flow, FixedNetwork: _fixed}.get(type(engine))
    if make is None:
        raise TypeError(f"only an engine of this package can be written as code, got a {type(engine).__name__}")
    return lines + make(vars(engine), origin)


def written(begin: list[str], story: tuple[int, tuple[Done, ...]]) -> str:
    """Python that does to such an engine what was done, see :attr:`History.story`."""
    lines, before = list(begin), 0
    advances, log = story
    for done in log:
        lines += [*_advances(done.advance - before), _call(done)]
        before = done.advance
    return "\n".join([*lines, *_advances(advances - before), "session = npw.Session(engine)", ""])


def plain(weights: Any) -> Any:
    """Weights as the numbers that code can be written with."""
    return tuple(weights.tolist()) if isinstance(weights, (np.ndarray, torch.Tensor)) and weights.ndim == 1 else weights


def _advances(count: int) -> list[str]:
    return [f"for _ in range({count}):", "    engine.advance()"] if count else []


def _call(done: Done) -> str:
    given = [*map(_literal, done.args), *(f"{name}={_literal(value)}" for name, value in done.kwargs)]
    return f"engine.{done.action}({', '.join(given)})"


def _pursuit(own: dict[str, Any], origin: dict[str, Any]) -> list[str]:
    problem, settings = own["problem"], PursuitSettings(**origin["settings"])
    network = own["_given"]
    given = _changed(settings, PursuitSettings()) + _placed(problem) + ([] if network is None else ["network=network"])
    lines = [_problem(problem)] + ([] if network is None else [f"network = {_network(network)}"])
    lines.append(f"engine = npw.NeuronPursuit({', '.join(['problem', *given])})")
    return _with_what_went_before(lines, NeuronPursuit(problem, network=network, **origin["settings"]), origin)


def _fixed(own: dict[str, Any], origin: dict[str, Any]) -> list[str]:
    problem, settings = own["problem"], FixedSettings(**origin["settings"])
    given = [_literal(settings.widths), *_changed(settings, FixedSettings(settings.widths)), *_placed(problem)]
    lines = [_problem(problem), f"engine = npw.FixedNetwork({', '.join(['problem', *given])})"]
    return _with_what_went_before(lines, FixedNetwork(problem, **origin["settings"]), origin)


def _with_what_went_before(lines: list[str], fresh: Engine, origin: dict[str, Any]) -> list[str]:
    if not same(fresh.state(), origin):
        lines.insert(1, "# The session began with an engine that had been run before: that part is not in this code.")
    return lines


def _flow(own: dict[str, Any], origin: dict[str, Any]) -> list[str]:
    network, activation, settings = origin["ground"].network, own["_activation"], origin["settings"]
    given = [f"dormant={_literal(settings.dormant)}"]
    given += _changed(replace(settings, turned=()), SaddleSettings(settings.dormant))
    if network is None:
        layers = len(origin["now"].place.active)
        given += [f"power={activation.power}", f"leak={activation.leak!r}", f"hidden_layers={layers}"]
    if origin["now"].point.steps or origin["now"].series.samples[1:]:
        given[-1] += "  # the flow had gone on before the session began"
    first = "None" if network is None else "network"
    lines = [_problem(own["problem"])] + ([] if network is None else [f"network = {_network(network)}"])
    turns = [f"engine.turn{_literal(each)}" for each in settings.turned]
    return [*lines, f"engine = npw.SaddleFlow({', '.join([first, 'problem', *given])})", *turns]


def _problem(problem: Problem) -> str:
    return f"problem = npw.{problem.recipe}" if problem.recipe else _OWN_DATA


def _network(network: HomogeneousNetwork) -> str:
    if sum(weight.numel() for weight in network.weights) > _MOST_WEIGHTS:
        return "...  # fill in: it has too many weights to be written here"
    weights = [weight.tolist() for weight in network.weights]
    return f"npw.HomogeneousNetwork({weights}, power={network.power}, leak={network.leak!r})"


def _changed(settings: Any, usual: Any) -> list[str]:
    found = [(each.name, getattr(settings, each.name), getattr(usual, each.name)) for each in fields(settings)]
    return [f"{name}={_literal(value)}" for name, value, default in found if value is not default and value != default]


def _placed(problem: Problem) -> list[str]:
    """Where and in which precision, unless as usual."""
    device = [] if problem.device.type == "cpu" else [f"device={str(problem.device)!r}"]
    return device + ([] if str(problem.dtype) == "torch.float64" else [f"dtype={problem.dtype}"])


def _literal(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(_literal, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return repr(value) if isinstance(value, (bool, int, float, str, type(None))) else "..."


def is_recipe(text: str) -> bool:
    """Whether a text is a call of a ready-made problem with plain arguments, perhaps standardized, and no more."""
    if len(text) > _LONGEST_RECIPE:
        return False
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    while isinstance(call, ast.Call):
        given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg)]
        signed = [each.operand if isinstance(each, ast.UnaryOp) else each for each in given]
        if len(given) < len(call.args) + len(call.keywords) or not all(
            isinstance(each, ast.Constant) for each in signed
        ):
            return False
        if not isinstance(call.func, ast.Attribute):
            return False
        name, of = call.func.attr, call.func.value
        if isinstance(of, ast.Name):
            return of.id == "problems" and name in problems.__all__
        if name not in ("standardized", "split"):
            return False
        call = of
    return False
