"""Frames of saddle flows that never ran: their neurons turn and grow by formulas, so that every picture is known."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.saddles.frames import (
    Awakening,
    Destination,
    Event,
    Prediction,
    SaddleFrame,
)
from np_widgets.learning.saddles.record import SaddleRecord

Floats = NDArray[np.float64]

RATE = 0.5
SCALE = 1e-3
ESCAPE, REACHED, END = 10.0, 12.0, 20.0
# What the dormant neurons of the frames with active ones are: three in layer 1 and two in layer 2.
NEURONS = ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2))


def unit(*values: float) -> Floats:
    return np.array(values) / np.linalg.norm(values)


# KKT points of layer 1 as (incoming from 3 inputs, outgoing to 1 neuron), and of layer 2 as (1 neuron, 1 output).
FIRST, SECOND, THIRD = unit(1, 0, 0, 1), unit(0, 1, 0, -1), unit(1, 1)
DESTINATIONS = (
    Destination(1, 0.25, 1e-9, FIRST[:3], FIRST[3:]),
    Destination(2, 0.2, 1e-9, THIRD[:1], THIRD[1:]),
    Destination(1, 0.15, 1e-9, SECOND[:3], SECOND[3:]),
)
GOALS = (0, 2, 0, 1, -1)


def directions(time: Floats, start: Floats, goal: Floats) -> Floats:
    """From ``start`` to ``goal``, of shape ``(T, size)``."""
    share = (1 - np.exp(-time))[:, None]
    turned = (1 - share) * start + share * goal
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)


def near_a_saddle(points: int = 81, end: float = ESCAPE + 1.0, **changes: Any) -> SaddleFrame:
    """One saddle with widths (1, 1) active: neuron (1, 1) grows fastest and escapes at ``ESCAPE``."""
    time = np.linspace(0, end, points)
    rng = np.random.default_rng(0)
    history = [np.zeros((points, 4, 3)), np.zeros((points, 3, 4)), np.zeros((points, 1, 3))]
    history[0][:, 0], history[1][:, 0, 0], history[2][:, 0, 0] = [1.0, -1.0, 0.5], 1.5, 2.0
    history[0][:, 0, 0] += SCALE**2 * time
    history[1][:, 1:, 1:] = 0.1 * SCALE * rng.normal(size=(2, 3))
    cosine = np.full((points, len(NEURONS)), np.nan)
    for place, ((layer, index), goal) in enumerate(zip(NEURONS, GOALS, strict=True)):
        destination = DESTINATIONS[max(goal, 0)]
        aim = np.concatenate([destination.incoming, destination.outgoing])
        size = len(aim) if goal >= 0 else 2
        turning = directions(time, unit(*rng.normal(size=size)), aim if goal >= 0 else unit(1, -1))
        # The first grows to 3 % of a norm of about 3 at the escape; the others stay behind.
        rate = np.log(0.09 / SCALE) / ESCAPE if place == 0 else 0.05 * place
        weights = SCALE * np.exp(rate * time)[:, None] * turning
        history[layer - 1][:, index, 0 if layer == 2 else slice(None)] = weights[:, 0] if layer == 2 else weights[:, :3]
        history[layer][:, 0, index] = weights[:, -1]
        if goal >= 0:
            cosine[:, place] = turning @ aim
    return _frame(time, history, cosine, (1, 1), changes)


def _frame(
    time: Floats, history: list[Floats], cosine: Floats, started: tuple[int, ...], changes: dict[str, Any]
) -> SaddleFrame:
    ends = [np.ones(history[0].shape[2], bool)]
    ends += [np.arange(stack.shape[1]) < count for stack, count in zip(history[:-1], started, strict=True)]
    ends.append(np.ones(history[-1].shape[1], bool))
    active = [np.outer(above, below) for below, above in pairwise(ends)]
    neurons = tuple((layer, int(i)) for layer, flags in enumerate(ends[1:-1], 1) for i in np.flatnonzero(~flags))

    def norm(flags: list[Any], stacks: list[Floats]) -> Floats:
        squares = [np.square(stack[:, flag]).sum(axis=1) for stack, flag in zip(stacks, flags, strict=True)]
        return np.sqrt(np.sum(squares, axis=0))

    dormant_norm = norm([~flag for flag in active], history)
    each = [
        np.sqrt(np.square(history[layer - 1][:, i]).sum(axis=1) + np.square(history[layer][:, :, i]).sum(axis=1))
        for layer, i in neurons
    ]
    neuron_norm = np.stack(each, axis=1)
    unknown = np.full(len(time), np.nan)
    record = SaddleRecord(
        time=time,
        loss=1.2 - 1e-4 * np.square(dormant_norm),
        gradient_norm=dormant_norm,
        dormant_norm=dormant_norm,
        active_norm=norm(active, history),
        active_shift=norm(active, [stack - stack[:1] for stack in history]),
        drift=np.zeros(len(time)),
        neurons=neurons,
        neuron_norm=neuron_norm,
        neuron_value=np.full_like(neuron_norm, 0.1),
        neuron_residual=np.full_like(neuron_norm, 0.1),
        neuron_cosine=cosine,
        neuron_agreement=np.ones_like(neuron_norm),
        correlation=unknown,
    )
    escape_norm = 0.09
    grown = np.linspace(0, ESCAPE, 50)
    prediction = Prediction(
        start=0.0,
        destinations=DESTINATIONS,
        neuron_destination=GOALS[: len(neurons)],
        time=grown,
        dormant_norm=np.exp(np.interp(grown, [0, ESCAPE], np.log([dormant_norm[0], escape_norm]))),
        neuron_norm=np.full((50, len(neurons)), SCALE),
        value=0.25,
        degree=2,
        escape_norm=escape_norm,
        escape_time=ESCAPE,
    )
    values: dict[str, Any] = {
        "phase": "escaping" if time[-1] >= ESCAPE else "near the saddle",
        "message": "Near the saddle: time 5 of about 10.",
        "progress": None,
        "time": float(time[-1]),
        "steps": 10 * (len(time) - 1),
        "loss": float(record.loss[-1]),
        "weights": tuple(stack[-1] for stack in history),
        "active": tuple(ends[1:-1]),
        "started_active": started,
        "record": record,
        "history": tuple(tuple(stack[i] for stack in history) for i in range(len(time))),
        "predictions": (prediction,),
        "events": tuple(
            event
            for event in (Event("aligned", 4.0, 1.2, "Aligned."), Event("escaped", ESCAPE, 1.2, "Escaped."))
            if event.time <= time[-1]
        ),
        "awakenings": (),
        "origin": not any(started),
        "power": 1,
        "leak": 0.0,
        "scale": SCALE,
        "dormant": tuple(int((~flags).sum()) for flags in ends[1:-1]),
        "seed": 0,
        "dynamics": "flow",
        "step_size": 0.01,
        "goal": None,
        "finished": None,
    }
    return SaddleFrame(**(values | changes))


def between_saddles(points: int = 201, **changes: Any) -> SaddleFrame:
    """Two saddles: neuron (1, 1) wakes up at ``ESCAPE``, the next saddle is reached at ``REACHED``; until ``END``."""
    frame = near_a_saddle(points, END)
    time = frame.record.time
    after = time > ESCAPE
    history = [np.stack([weights[layer] for weights in frame.history]) for layer in range(3)]
    arrived = 1 / (1 + np.exp(-6 * (time[after] - (ESCAPE + REACHED) / 2)))
    # The neuron awake goes to weights of order one, where it stays.
    history[0][after, 1] = 0.05 * FIRST[:3] + arrived[:, None] * FIRST[:3]
    history[1][after, 0, 1] = 0.05 * FIRST[3] + arrived * FIRST[3]
    longer = _frame(time, history, frame.record.neuron_cosine, (1, 1), {})
    loss = np.where(after, 1.2 - 0.7 * np.interp(time, time[after], arrived), 1.2)
    awake = Destination(1, 0.1, 1e-9, SECOND[:3], SECOND[3:])
    above = Destination(2, 0.05, 1e-9, unit(1, 1, 1)[:2], unit(1, 1, 1)[2:])
    second = Prediction(
        start=REACHED,
        destinations=(awake, above),
        neuron_destination=(-1, 0, 0, 1, -1),
        time=np.linspace(REACHED, END + 5, 30),
        dormant_norm=np.geomspace(2e-3, 0.1, 30),
        neuron_norm=np.full((30, 5), SCALE),
        value=0.1,
        degree=2,
        escape_norm=0.1,
        escape_time=END + 5,
    )
    values: dict[str, Any] = {
        "phase": "near the saddle",
        "loss": float(loss[-1]),
        "record": dataclasses.replace(longer.record, loss=loss),
        "active": (np.array([True, True, False, False]), np.array([True, False, False])),
        "predictions": (*frame.predictions, second),
        "events": (*frame.events, Event("saddle", REACHED, 0.5, "The next saddle is reached.")),
        "awakenings": (Awakening(ESCAPE, REACHED, ((1, 1),), 2e-3, True, 0.5, 0.49),),
    }
    return dataclasses.replace(longer, **(values | changes))


def at_the_origin(hidden: int = 2, points: int = 41, **changes: Any) -> SaddleFrame:
    """Three dormant neurons in each of the hidden layers, three inputs, two outputs, and nothing active."""
    rng = np.random.default_rng(1)
    time = np.linspace(0, 5, points)
    sizes = [3, *[3] * hidden, 2]
    incoming, outgoing = unit(1, 2, -2), unit(3, 4)
    history = [np.tile(SCALE * rng.normal(size=(above, below)), (points, 1, 1)) for below, above in pairwise(sizes)]
    share = (1 - np.exp(-3 * time))[:, None, None]
    history[0] = (1 - share) * history[0] + SCALE * share * incoming
    history[-1] = (1 - share) * history[-1] + SCALE * share * outgoing[:, None]
    if hidden == 1:
        both = np.concatenate([incoming, outgoing]) / np.sqrt(2)
        found = Destination(1, 0.3, 1e-9, both[:3], both[3:])
    else:
        share = 1 / np.sqrt(hidden + 1)
        found = Destination(0, 0.3, 1e-9, share * incoming, share * outgoing, (float(share),) * (hidden - 1))
    frame = _frame(time, history, np.full((points, 3 * hidden), np.nan), (0,) * hidden, {})
    prediction = dataclasses.replace(
        frame.predictions[0],
        destinations=(found,),
        neuron_destination=(0,) * (3 * hidden),
        degree=hidden + 1,
        escape_time=None,
        escape_norm=None,
    )
    return dataclasses.replace(frame, **({"predictions": (prediction,), "events": ()} | changes))


def at_the_start(points: int = 1, **changes: Any) -> SaddleFrame:
    """Nothing computed but the state at the start (one point), or not even that (none)."""
    frame = near_a_saddle(2)
    fields = {field.name: getattr(frame.record, field.name) for field in dataclasses.fields(SaddleRecord)}
    short = {name: value[:points] for name, value in fields.items() if name != "neurons"}
    record = SaddleRecord(**(short | {"neurons": frame.record.neurons}))
    values: dict[str, Any] = {
        "phase": "ready",
        "message": "Ready.",
        "time": 0.0,
        "steps": 0,
        "weights": frame.history[0],
        "record": record,
        "history": frame.history[:points],
        "predictions": (),
        "events": (),
    }
    return dataclasses.replace(frame, **(values | changes))
