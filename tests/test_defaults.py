"""Every public name, called with what its documentation calls the default."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import np_widgets as npw
from np_widgets.pictures.scene import Scene
from tests import saddles
from tests.widget_looks import nothing_left_behind

PROBLEM, NETWORK = saddles.teacher(), saddles.saddle()


def pursued() -> npw.NeuronPursuit:
    pursuit = npw.NeuronPursuit(PROBLEM)
    pursuit.run(max_additions=1)
    return pursuit


def flowed() -> npw.SaddleFlow:
    flow = npw.SaddleFlow(NETWORK, PROBLEM)
    flow.run(1.0)
    return flow


@cache
def escaped() -> npw.EscapeEnsemble:
    return npw.escape_ensemble(NETWORK, PROBLEM)


@cache
def pursued_many() -> npw.PursuitEnsemble:
    return npw.pursue_many([PROBLEM])


@cache
def studied() -> pd.DataFrame:
    return npw.study(lambda width, seed: npw.FixedNetwork(PROBLEM, width, seed=seed, max_steps=9), {"width": [1, 2]})


def closed(made: Any) -> Any:
    made.close()
    return made


def loaded() -> npw.Session:
    with tempfile.TemporaryDirectory() as folder, npw.Session(npw.NeuronPursuit(PROBLEM)) as session:
        session.save(f"{folder}/session.npw")
        return closed(npw.load(f"{folder}/session.npw"))  # type: ignore[no-any-return]


def animated() -> Any:
    with tempfile.TemporaryDirectory() as folder, npw.Session(pursued()) as session:
        return npw.animate(session, f"{folder}/film.html")


POINT = saddles.best_point()
CALLS: dict[str, Callable[[], Any]] = {
    "ComparisonWidget": lambda: closed(npw.compare(pursued())),
    "EscapeEnsemble": escaped,
    "HomogeneousNetwork": lambda: npw.HomogeneousNetwork([[[1.0, -1.0]], [[1.0]]]),
    "FileError": npw.FileError,
    "FixedNetwork": lambda: npw.FixedNetwork(PROBLEM, 5),
    "KKTPoint": lambda: npw.find_kkt_points(NETWORK, PROBLEM)[0],
    "NeuronPursuit": lambda: npw.NeuronPursuit(PROBLEM),
    "NeuronPursuitClassifier": lambda: npw.NeuronPursuitClassifier().fit([[1], [2], [3], [4]], ["a", "b", "b", "a"]),
    "NeuronPursuitRegressor": lambda: npw.NeuronPursuitRegressor().fit([[1], [2], [3], [4]], [1, 2, 2, 1]),
    "Problem": lambda: npw.Problem([[1.0], [2.0]], [1.0, 2.0]),
    "PerNetwork": lambda: npw.PerNetwork(print),
    "PursuitEnsemble": pursued_many,
    "PursuitResult": lambda: pursued_many().results[0],
    "PursuitWidget": lambda: closed(npw.PursuitWidget(PROBLEM)),
    "SaddleFlow": lambda: npw.SaddleFlow(None, PROBLEM),
    "SaddleWidget": lambda: closed(npw.SaddleWidget(PROBLEM)),
    "Session": lambda: closed(npw.Session(npw.NeuronPursuit(PROBLEM))),
    "SessionWidget": lambda: closed(npw.SessionWidget(npw.NeuronPursuit(PROBLEM))),
    "animate": animated,
    "compare": lambda: closed(npw.compare(pursued())),
    "correlation": lambda: npw.correlation(NETWORK, PROBLEM, 1, POINT.incoming, POINT.outgoing),
    "escape_ensemble": escaped,
    "find_kkt_points": lambda: npw.find_kkt_points(NETWORK, PROBLEM),
    "find_origin_points": lambda: npw.find_origin_points(PROBLEM),
    "load": loaded,
    "pursue_many": pursued_many,
    "study": studied,
}
CLOSED = {"ComparisonWidget", "PursuitWidget", "SaddleWidget", "Session", "SessionWidget", "compare", "load"}
MODULES = {"exercises", "plots", "problems"}
PROBLEMS = {
    "Display": lambda: npw.problems.Display("scatter"),
    "ElementwiseLoss": lambda: npw.problems.ElementwiseLoss,
    "Loss": lambda: npw.problems.Loss,
    "Problem": lambda: npw.problems.Problem([[1.0], [2.0]], [1.0, 2.0]),
    "hypercube_error": lambda: npw.problems.hypercube_error(lambda x: x[:, :1], npw.problems.sparse_parity(6)),
    "hypercube_vertices": lambda: npw.problems.hypercube_vertices(4),
}
SADDLE_PLOTS = {"directions", "norms", "plateaus", "saddle_overview", "saddle_weights"}


def test_every_public_name_is_here():
    assert set(CALLS) | MODULES == set(npw.__all__)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_it_works_with_its_defaults(name):
    # The first progress bar of a process, shown or not, leaves a thread behind.
    with nothing_left_behind() if name in CLOSED else nullcontext():
        made = CALLS[name]()
    kind = getattr(npw, name)
    assert not inspect.isclass(kind) or isinstance(made, kind)


@pytest.mark.parametrize("name", npw.problems.__all__)
def test_so_does_every_problem(name):
    made: Any = PROBLEMS.get(name, getattr(npw.problems, name))()
    assert made is not None
    assert name in PROBLEMS or made.samples > 0


def test_so_does_every_plot():
    sources = {"ensemble": pursued_many(), "function": pursued(), **dict.fromkeys(SADDLE_PLOTS, flowed())}
    with npw.Session(pursued()) as session:
        sources["comparison"] = session
    sources["scene"] = Scene("Nothing", empty="There is nothing.")
    for name in npw.plots.__all__:
        if name == "animate":
            continue  # among the public names, with its defaults
        arguments = [sources.get(name, sources["function"])]
        if name in ("function", "overview"):
            arguments.append(PROBLEM)
        if name == "study":
            arguments = [studied(), "width", "loss"]
        figure = getattr(npw.plots, name)(*arguments)
        assert figure.axes, name
        plt.close(figure)


def test_the_saddle_at_the_origin_is_that_of_a_default_pursuit():
    frame, pursuit = npw.SaddleFlow(None, PROBLEM).frame(), npw.NeuronPursuit(PROBLEM)
    assert frame.origin
    assert len(frame.dormant) == pursuit.settings.hidden_layers == 2
    assert frame.dormant == (10, 10)
    assert (frame.power, frame.leak) == (pursuit.settings.power, pursuit.settings.leak)
    assert npw.SaddleFlow(None, PROBLEM, hidden_layers=3).frame().dormant == (10, 10, 10)
    assert npw.SaddleFlow(None, PROBLEM, 2, hidden_layers=1).frame().dormant == (2,)
    assert npw.SaddleFlow(None, PROBLEM, (4,)).frame().dormant == (4,)
    flow = npw.SaddleFlow(None, PROBLEM, (4,))
    flow.reset(dormant=2)
    assert flow.frame().dormant == (2,)
