"""A state that does not fit is refused by name, and nothing changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from np_widgets import HomogeneousNetwork, NeuronPursuit, Problem, SaddleFlow
from np_widgets.learning.engine import Engine
from np_widgets.problems import kumar_haupt
from tests.bits import bits

PROBLEM = kumar_haupt(samples=30, seed=1)


def pursuit(problem: Problem = PROBLEM, **options: Any) -> NeuronPursuit:
    return NeuronPursuit(problem, **{"starts": 5, "max_steps": 300, "max_additions": 1, "seed": 3} | options)


def at(phase: str, more: int = 2, **options: Any) -> dict[str, Any]:
    """The state of a pursuit some quanta into a phase."""
    engine = pursuit(**options)
    while engine.phase != phase:
        engine.advance()
    for _ in range(more):
        if engine.phase == phase:
            engine.advance()
    return engine.state()


def flow(problem: Problem = PROBLEM, **options: Any) -> SaddleFlow:
    return SaddleFlow(None, problem, (2, 2), **{"scale": 2e-2, "power": 2, "starts": 5} | options)


@cache
def state_while(phase: str) -> dict[str, Any]:
    """Of an engine as :func:`engine_for` makes one."""
    if phase == "flowing":
        engine = flow()
        for _ in range(20):
            engine.advance()
        return engine.state()
    if phase == "looking":
        return at("minimizing", 1)
    return at("searching") if phase == "searching" else at("minimizing", method="paper")


def engine_for(phase: str) -> Engine:
    if phase == "flowing":
        return flow()
    return pursuit(method="paper") if phase == "training" else pursuit()


def changed(state: dict[str, Any], *path: str, to: Any) -> dict[str, Any]:
    """A copy with the entry at ``path`` replaced by ``to(entry)``; without it if that is KeyError."""
    first, *rest = path
    if first == "training":
        own, *others = state["trainings"]
        return {**state, "trainings": (changed({"": own}, "", *rest, to=to)[""], *others)}
    new = dict(state)
    if rest:
        new[first] = changed(state[first], *rest, to=to)
    elif to is KeyError:
        del new[first]
    else:
        new[first] = to(state[first])
    return new


def refuse(engine: Engine, state: Any, message: str) -> None:
    engine.advance()
    before = bits(engine.state())
    with pytest.raises((TypeError, ValueError), match=message):
        engine.restore(state)
    assert bits(engine.state()) == before


def nan(value: torch.Tensor) -> torch.Tensor:
    return torch.full_like(value, math.nan)


@pytest.mark.parametrize(
    ("phase", "path", "to", "message"),
    [
        ("training", ("trace",), KeyError, "'trace'"),
        ("training", ("trace", "points"), lambda points: points["value"], r"\['points'\]"),
        ("training", ("settings",), lambda given: {**given, "starts": 0}, "starts must be"),
        ("training", ("settings", "power"), KeyError, "'power'"),
        ("training", ("training", "descent", "minimizer", "theta"), nan, r"\['theta'\] must be finite"),
        ("training", ("training", "descent", "minimizer", "theta"), torch.Tensor.float, r"\['theta'\] must have shape"),
        (
            "training",
            ("training", "descent", "minimizer", "lowest_theta"),
            lambda theta: theta[:-1],
            r"\['lowest_theta'\]",
        ),
        ("training", ("training", "descent", "minimizer", "loss"), lambda _: math.nan, r"\['loss'\] must be a finite"),
        ("training", ("training", "descent", "minimizer", "steps"), lambda _: 1.5, r"\['steps'\] must be an integer"),
        ("training", ("training", "descent", "minimizer", "name"), lambda _: "sgd", r"\['name'\]"),
        ("training", ("training", "descent"), lambda _: None, "'look_ahead' or 'descent'"),
        ("training", ("training", "candidates"), lambda _: [], "candidates"),
        ("training", ("training", "ceiling"), lambda _: math.nan, r"\['ceiling'\]"),
        ("training", ("searching",), lambda _: (1, ((1, 1),), False, False), r"\['searching'\]"),
        ("training", ("growth",), lambda _: [], r"\['growth'\]"),
        (
            "looking",
            ("training", "look_ahead", "weights"),
            lambda parts: (nan(parts[0]), *parts[1:]),
            r"\['weights'\] must be",
        ),
        ("looking", ("training", "look_ahead", "networks"), lambda networks: networks + 50, r"\['networks'\]"),
        ("looking", ("training", "look_ahead", "steps_taken"), lambda _: 10**6, r"\['steps_taken'\]"),
        (
            "searching",
            ("searching",),
            lambda _: (10**9, ((1, 1), (2, 2)), False, False),
            r"\['searching'\]\[0\] must be at most",
        ),
        ("searching", ("searching",), lambda _: (1, ((3, 3),), False, False), r"\['searching'\]\[1\]"),
        ("searching", ("taken",), lambda _: 99, r"\['taken'\]"),
        ("searching", ("training",), lambda _: None, r"\['searching'\]"),
    ],
)
def test_a_pursuit_refuses_a_damaged_entry_by_name(phase, path, to, message):
    state = state_while(phase)
    engine_for(phase).restore(state)
    refuse(engine_for(phase), changed(state, *path, to=to), message)


@pytest.mark.parametrize(
    "problem",
    [
        kumar_haupt(samples=30, seed=2),
        kumar_haupt(samples=29, seed=1),
        Problem(PROBLEM.inputs, PROBLEM.targets + 0.1),
        Problem(PROBLEM.inputs.flip(0), PROBLEM.targets),
        PROBLEM.to(dtype=torch.float32),
    ],
    ids=["seed", "samples", "targets", "order", "precision"],
)
def test_the_state_of_other_data_is_refused(problem):
    refuse(pursuit(problem), state_while("looking"), r"state\['problem'\]")
    if problem.dtype == torch.float64:
        refuse(flow(problem), state_while("flowing"), r"state\['(problem|start)'\]")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: {name: each for name, each in state.items() if name != "now"}, "'now'"),
        (lambda state: {**state, "settings": None}, r"\['settings'\]"),
        (lambda state: {**state, "now": None}, r"\['now'\]"),
        (lambda state: {**state, "start": state["start"] * 2}, r"\['start'\]"),
        (lambda state: with_now(state, phase="resting"), "phase"),
        (lambda state: with_now(state, rounds=10**9), "rounds must be at most"),
        (lambda state: with_now(state, predictions=(), phase="flowing"), "predictions"),
        (lambda state: with_now(state, point=replace(state["now"].point, y=state["start"][1:])), "point.y"),
        (lambda state: with_now(state, point=replace(state["now"].point, y=state["start"] * np.nan)), "point.y"),
        (lambda state: with_now(state, point=replace(state["now"].point, time="0")), "point.time"),
    ],
)
def test_a_saddle_flow_refuses_a_damaged_entry_by_name(change, message):
    state = state_while("flowing")
    flow().restore(state)
    refuse(flow(), change(state), message)


def with_now(state: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**state, "now": replace(state["now"], **changes)}


def paths(state: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where the entries of a state are."""
    found = []
    for name, each in state.items():
        found.append((*before, name))
        if name == "trainings" and each[0] is not None:
            found += paths(each[0], ("training",))
        if isinstance(each, dict) and name != "looked_at":
            found += paths(each, (*before, name))
    return found


DAMAGES: list[Any] = [KeyError, lambda _: object(), lambda _: [None], lambda _: torch.ones(1, 1, 1)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_entry_is_damaged_the_state_is_refused(data):
    phase = data.draw(st.sampled_from(["looking", "searching", "training", "flowing"]))
    state, engine = state_while(phase), engine_for(phase)
    damaged = changed(state, *data.draw(st.sampled_from(paths(state))), to=data.draw(st.sampled_from(DAMAGES)))
    before = bits(engine.state())
    with pytest.raises((TypeError, ValueError)):
        engine.restore(damaged)
    assert bits(engine.state()) == before


MINIMIZERS = ["hybrid", "adam", "lbfgs", "levenberg_marquardt", "minibatch_adam"]


@pytest.mark.parametrize("minimizer", MINIMIZERS)
def test_a_state_of_every_minimizer_is_taken_whole_or_not_at_all(minimizer):
    engine = pursuit(minimizer=minimizer, max_steps=600)
    for _ in range(300):
        if (training := engine.state()["trainings"][0]) is not None and training["descent"] is not None:
            break
        engine.advance()
    engine.advance()
    state = engine.state()
    twin = pursuit(minimizer=minimizer, max_steps=600)
    for name in state["trainings"][0]["descent"]["minimizer"]:
        refuse(twin, changed(state, "training", "descent", "minimizer", name, to=KeyError), name)
        refuse(twin, changed(state, "training", "descent", "minimizer", name, to=lambda _: object()), name)
    twin.restore(state)
    assert bits(twin.state()) == bits(state)


def test_the_state_near_another_network_is_refused():
    def near(weight: float) -> Callable[[], SaddleFlow]:
        x = torch.linspace(-1, 1, 9, dtype=torch.float64).unsqueeze(1)
        network = HomogeneousNetwork([[[weight]], [[1 / weight]]], leak=1.0)
        return lambda: SaddleFlow(network, Problem(x, x[:, 0]), (1,), scale=1e-3, starts=2, polish=True)

    refuse(near(2.0)(), near(1.0)().state(), r"\['network'\]")
