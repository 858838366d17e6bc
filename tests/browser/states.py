"""The widgets in every state that a user sees: code that makes them."""

from __future__ import annotations

BEGIN = """
import numpy as np
import torch

import np_widgets as npw

def until(widget, holds):
    session = widget.session
    while session.frame.finished is None and not holds(session.frame):
        session.step()
    session.raise_if_failed()
    return widget

def finished(widget):
    widget.session.resume()
    widget.session.wait()
    widget.session.raise_if_failed()
    return widget

def pursuit(problem=None, **options):
    return npw.PursuitWidget(npw.problems.kumar_haupt(samples=100, seed=0) if problem is None else problem, **options)

def saddle(**options):
    return npw.SaddleWidget(npw.problems.kumar_haupt(samples=100, seed=0), dormant=(3, 3), seed=0, **options)

def to(widget, goal):
    widget.session.apply("aim", goal)
    return finished(widget)

def some_digits(samples=150):
    whole = npw.problems.digits()
    parts = [(whole.inputs[part], whole.targets[part]) for part in (slice(samples), slice(samples, 2 * samples))]
    return npw.Problem(
        *parts[0], "cross_entropy", test=parts[1], classes=10, name="digits", display=whole.display
    )

def comparison(additions=None):
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuits = [npw.NeuronPursuit(problem, seed=seed, max_additions=1) for seed in (0, 1)]
    for pursuit in pursuits if additions else ():
        pursuit.run(max_additions=additions)
    return npw.compare(*pursuits)
"""

PURSUIT = {
    "ready": "pursuit()",
    "searching the start": 'until(pursuit(), lambda frame: frame.phase == "origin" and frame.candidates)',
    "searching": 'until(pursuit(), lambda frame: frame.phase == "searching" and frame.candidates)',
    "looking ahead": 'until(pursuit(), lambda frame: len(frame.growth) == 1 and frame.phase == "minimizing")',
    "training": 'until(pursuit(method="paper", starts=10), lambda frame: frame.step > 500)',
    "target": "finished(pursuit())",
    "limit, with test set": "finished(pursuit(npw.problems.diabetes(), hidden_layers=1, max_additions=4))",
    "stuck": "finished(pursuit(npw.problems.sparse_parity(4, 3, samples=60), hidden_layers=1))",
    "1 input": "finished(pursuit(npw.problems.curve(samples=40), hidden_layers=1, max_additions=3))",
    "2 inputs": "finished(pursuit(npw.problems.two_moons(60), hidden_layers=1, max_additions=3))",
    "digits": "finished(pursuit(some_digits(), hidden_layers=1, max_additions=1))",
    "three hidden layers": "finished(pursuit(hidden_layers=3, max_additions=3))",
}
SADDLE = {
    "ready": "saddle()",
    "searching": 'until(saddle(), lambda frame: frame.phase == "searching")',
    "near the saddle": 'until(saddle(), lambda frame: frame.phase == "near the saddle" and frame.time > 1)',
    "escaped": 'to(saddle(), "escape")',
    "next saddle": 'to(saddle(), "next saddle")',
}
COMPARISON = {
    "ready": "comparison()",
    "finished": "comparison(additions=3)",
}
