"""What can be drawn: a frame, or what has one: an engine, a session, a widget, a network, a result of many pursuits."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from np_widgets import arguments
from np_widgets.learning.engine import Engine
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.ensemble import PursuitResult
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.probe import Probe, probe
from np_widgets.problems import Problem

F = TypeVar("F")


def pursuit_frame(source: Any) -> PursuitFrame:
    """The frame of a pursuit, a session or widget of one, a network, or a result of ``pursue_many``."""
    if isinstance(source, HomogeneousNetwork):
        return _of_network(source)
    if isinstance(source, PursuitResult):
        return _of_result(source)
    return _frame(source, PursuitFrame, "NeuronPursuit", ", a HomogeneousNetwork or a PursuitResult")


def saddle_frame(source: Any) -> SaddleFrame:
    """The frame of a saddle flow, or of a session or widget of one."""
    return _frame(source, SaddleFrame, "SaddleFlow", "")


def known_problem(source: Any) -> Any:
    """What ``source`` learns, if it knows that."""
    engine = getattr(getattr(source, "session", source), "engine", source)
    return getattr(engine, "problem", None)


def probe_of(source: Any) -> Probe | None:
    """Where to look at what ``source`` learns, and what that calls its inputs and outputs, if it knows."""
    problem = known_problem(source)
    return None if problem is None else probe(problem)


def problem_of(source: Any, frame: PursuitFrame, problem: Problem | None) -> Problem:
    """What is learned: what was given, or what ``source`` learns."""
    problem = known_problem(source) if problem is None else problem
    if problem is None:
        raise ValueError("problem must be given with a frame or a network: neither knows what is learned")
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {named(problem)}")
    if frame.weights:
        wanted = (problem.input_size, problem.output_size)
        found = (frame.weights[0].shape[1], frame.weights[-1].shape[0])
        if wanted != found:
            raise ValueError(
                f"problem must have as many inputs and outputs as the network of source, {found}, got {wanted}"
            )
    return problem


def named(value: object) -> str:
    """How a message shows a value of a wrong type."""
    return f"{arguments.shown(value)} of type {type(value).__name__}"


def _frame(source: Any, kind: type[F], engine: str, others: str) -> F:
    frame = source
    if isinstance(source, Engine):
        source.require_free("be drawn")
        frame = source.frame()
    elif not isinstance(source, kind):
        frame = getattr(getattr(source, "session", source), "frame", None)
    if not isinstance(frame, kind):
        raise TypeError(
            f"source must be a {engine}, a session or widget of one, or a frame{others}, got {named(source)}"
        )
    return frame


def _of_network(network: HomogeneousNetwork | None, **more: Any) -> PursuitFrame:
    weights = [] if network is None else [weight.detach().to("cpu").numpy() for weight in network.weights]
    values: dict[str, Any] = {
        "phase": "finished",
        "iteration": min(len(weights), 1),
        "message": "",
        "progress": None,
        "weights": tuple(np.asarray(weight, dtype=np.float64) for weight in weights),
        "power": 1 if network is None else network.power,
        "leak": 0.0 if network is None else network.leak,
        "added": (),
        "loss": None,
        "test_loss": None,
        "step": 0,
        "total_steps": 0,
        "trace_steps": np.zeros(0),
        "trace_losses": np.zeros(0),
        "growth": (),
        "candidates": (),
        "finished": None,
        "hidden_layers": max(len(weights) - 1, 1),
        "seed": 0,
        "method": "fast",
        "minimizer": "auto",
    }
    return PursuitFrame(**(values | more))


def _of_result(result: PursuitResult) -> PursuitFrame:
    growth = result.growth
    last = growth[result.index] if growth else None
    return _of_network(
        result.network,
        iteration=len(growth),
        message=str(result.finished),
        loss=None if last is None else last.loss,
        test_loss=None if last is None else last.test_loss,
        total_steps=0 if last is None else last.first_step + last.steps,
        step=0 if last is None else last.steps,
        growth=growth,
        candidates=() if last is None else last.candidates,
        taken=None if last is None else last.taken,
        finished=result.finished,
        seed=result.seed,
        classes=result.problem.loss.name == "cross_entropy",
    )
