"""Bad input to searches, pursuits, sessions and widgets: an error that names the argument, and nothing has changed."""

# mypy: disable-error-code="arg-type,call-arg"
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.minimizers.first_order import Adam
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.objective import Objective


@pytest.fixture(scope="module")
def problem():
    return npw.problems.random_teacher(inputs=3, widths=(2, 2), samples=40, seed=0)


@pytest.fixture
def network():
    return npw.HomogeneousNetwork([np.ones((2, 3)), np.ones((2, 2)), np.ones((1, 2))])


@pytest.fixture
def trained(problem):
    pursuit = npw.NeuronPursuit(problem, starts=4, max_steps=50)
    pursuit.run(0)
    return pursuit


NEW_PURSUIT = {
    "a list for a problem": (TypeError, "problem", lambda p: npw.NeuronPursuit([1, 2])),
    "no hidden layer": (ValueError, "hidden_layers", lambda p: npw.NeuronPursuit(p, 0)),
    "half a hidden layer": (TypeError, "hidden_layers", lambda p: npw.NeuronPursuit(p, 1.5)),
    "True hidden layers": (TypeError, "hidden_layers", lambda p: npw.NeuronPursuit(p, True)),
    "power zero": (ValueError, "power", lambda p: npw.NeuronPursuit(p, power=0)),
    "power one half": (TypeError, "power", lambda p: npw.NeuronPursuit(p, power=0.5)),
    "leak above one": (ValueError, "leak", lambda p: npw.NeuronPursuit(p, leak=1.01)),
    "leak NaN": (ValueError, "leak", lambda p: npw.NeuronPursuit(p, leak=math.nan)),
    "leak as text": (TypeError, "leak", lambda p: npw.NeuronPursuit(p, leak="0.1")),
    "negative seed": (ValueError, "seed", lambda p: npw.NeuronPursuit(p, seed=-1)),
    "seed beyond 64 bits": (ValueError, "seed", lambda p: npw.NeuronPursuit(p, seed=2**64)),
    "seed None": (TypeError, "seed", lambda p: npw.NeuronPursuit(p, seed=None)),
    "unknown device": (ValueError, "device", lambda p: npw.NeuronPursuit(p, device="gpu")),
    "a device that is not there": (ValueError, "device", lambda p: npw.NeuronPursuit(p, device="cuda:99")),
    "device as a number": (TypeError, "device", lambda p: npw.NeuronPursuit(p, device=0.5)),
    "half precision": (ValueError, "dtype", lambda p: npw.NeuronPursuit(p, dtype=torch.float16)),
    "unknown method": (ValueError, "method", lambda p: npw.NeuronPursuit(p, method="quick")),
    "unknown minimizer": (ValueError, "minimizer", lambda p: npw.NeuronPursuit(p, minimizer="newton")),
    "paper with Adam": (ValueError, "minimizer", lambda p: npw.NeuronPursuit(p, method="paper", minimizer="adam")),
    "learning rate zero": (ValueError, "learning_rate", lambda p: npw.NeuronPursuit(p, learning_rate=0.0)),
    "negative scale": (ValueError, "scale", lambda p: npw.NeuronPursuit(p, scale=-1e-2)),
    "infinite scale": (ValueError, "scale", lambda p: npw.NeuronPursuit(p, scale=math.inf)),
    "zero starts": (ValueError, "starts", lambda p: npw.NeuronPursuit(p, starts=0)),
    "negative target": (ValueError, "target_loss", lambda p: npw.NeuronPursuit(p, target_loss=-1.0)),
    "zero steps": (ValueError, "max_steps", lambda p: npw.NeuronPursuit(p, max_steps=0)),
    "negative additions": (ValueError, "max_additions", lambda p: npw.NeuronPursuit(p, max_additions=-1)),
    "negative tolerance": (ValueError, "value_tolerance", lambda p: npw.NeuronPursuit(p, value_tolerance=-1e-9)),
    "perhaps": (TypeError, "stop_when_test_rises", lambda p: npw.NeuronPursuit(p, stop_when_test_rises=1)),
    "unknown keyword": (TypeError, "widths", lambda p: npw.NeuronPursuit(p, widths=3)),
    "zero starts at the origin": (ValueError, "starts", lambda p: npw.find_origin_points(p, starts=0)),
    "origin of nothing": (TypeError, "problem", lambda p: npw.find_origin_points(None)),
    "origin without hidden layer": (ValueError, "hidden_layers", lambda p: npw.find_origin_points(p, hidden_layers=0)),
    "session of a problem": (TypeError, "engine", lambda p: npw.Session(engine=p)),
    "widget of an array": (TypeError, "source", lambda p: npw.PursuitWidget(np.ones(3))),
    "widget hides the unknown": (ValueError, "hide", lambda p: npw.PursuitWidget(p, hide=["sidebar"])),
    "widget with a misspelt option": (TypeError, "hidden_layers", lambda p: npw.PursuitWidget(p, hiden_layers=2)),
    "widget at rate zero": (ValueError, "rate", lambda p: npw.PursuitWidget(p, rate=0)),
    "overview of a number": (TypeError, "source", lambda p: npw.plots.overview(3)),
}


@pytest.mark.parametrize("case", NEW_PURSUIT)
def test_refused_with_the_name_of_the_argument(case, problem):
    error, name, call = NEW_PURSUIT[case]
    with pytest.raises(error, match=name):
        call(problem)


SEARCH = {
    "a layer that is the output": (ValueError, "layer", lambda n, p: npw.correlation(n, p, 3, [1, 1], [1])),
    "layer zero": (ValueError, "layer", lambda n, p: npw.correlation(n, p, 0, [1, 1, 1], [1, 1])),
    "incoming too short": (ValueError, "incoming", lambda n, p: npw.correlation(n, p, 1, [1, 1], [1, 1])),
    "outgoing a matrix": (ValueError, "outgoing", lambda n, p: npw.correlation(n, p, 1, [1, 1, 1], [[1, 1]])),
    "incoming NaN": (ValueError, "incoming", lambda n, p: npw.correlation(n, p, 1, [1, math.nan, 1], [1, 1])),
    "no network": (TypeError, "network", lambda n, p: npw.find_kkt_points(None, p)),
    "no problem": (TypeError, "problem", lambda n, p: npw.find_kkt_points(n, None)),
    "no layers": (ValueError, "layers", lambda n, p: npw.find_kkt_points(n, p, layers=())),
    "a layer too many": (ValueError, "layers", lambda n, p: npw.find_kkt_points(n, p, layers=(1, 3))),
    "layers as a number": (TypeError, "layers", lambda n, p: npw.find_kkt_points(n, p, layers=1)),
    "starts as a float": (TypeError, "starts", lambda n, p: npw.find_kkt_points(n, p, starts=10.0)),
    "another problem": (
        ValueError,
        "network",
        lambda n, p: npw.find_kkt_points(n, npw.Problem(np.ones((4, 2)), np.ones(4))),
    ),
    "a neuron in a layer that is not there": (ValueError, "layer", lambda n, p: n.with_neuron(3, [1, 1], [1])),
    "a damping of zero": (
        ValueError,
        "damping",
        lambda n, p: LevenbergMarquardt(Objective(p, n), Objective(p, n).initial, damping=0),
    ),
    "weights of another network": (
        ValueError,
        "theta",
        lambda n, p: Adam(Objective(p, n), torch.ones(3, dtype=torch.float64)),
    ),
}


@pytest.mark.parametrize("case", SEARCH)
def test_search_refuses_with_the_name_of_the_argument(case, network, problem):
    error, name, call = SEARCH[case]
    before = [weight.clone() for weight in network.weights]
    with pytest.raises(error, match=name):
        call(network, problem)
    assert all(torch.equal(weight, old) for weight, old in zip(network.weights, before, strict=True))


COMMANDS = {
    "a layer that is not there": (ValueError, "layer", lambda s: s.add_neuron(layer=3)),
    "layer zero": (ValueError, "layer", lambda s: s.add_neuron(layer=0)),
    "a layer by name": (TypeError, "layer", lambda s: s.add_neuron(layer="first")),
    "an unknown minimizer": (ValueError, "minimizer", lambda s: s.set_minimizer("newton")),
    "reset to power zero": (ValueError, "power", lambda s: s.reset(power=0)),
    "reset to a good seed and a bad leak": (ValueError, "leak", lambda s: s.reset(seed=3, leak=2.0)),
    "reset of the unknown": (TypeError, "colour", lambda s: s.reset(colour="red")),
}


@pytest.mark.parametrize("case", COMMANDS)
@pytest.mark.parametrize("through", ["pursuit", "session"])
def test_a_refused_command_changes_nothing(case, through, trained):
    error, name, call = COMMANDS[case]
    settings, finished = trained.settings, trained.finished
    weights = [weight.clone() for weight in trained.network.weights]
    growth = list(trained.growth)
    if through == "session":
        with npw.Session(trained) as session, pytest.raises(error, match=name):
            call(session)
    else:
        with pytest.raises(error, match=name):
            call(trained)
    assert (trained.settings, trained.finished, trained.growth) == (settings, finished, growth)
    assert all(torch.equal(weight, old) for weight, old in zip(trained.network.weights, weights, strict=True))


RUNS: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "minus one addition": (ValueError, "max_additions", {"max_additions": -1}),
    "many additions": (TypeError, "max_additions", {"max_additions": "many"}),
    "progress as a number": (TypeError, "progress", {"progress": 2}),
    "callback as a list": (TypeError, "callback", {"callback": []}),
    "no threads": (ValueError, "torch_threads", {"torch_threads": 0}),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_refused_run_changes_nothing(case, trained):
    error, name, arguments = RUNS[case]
    finished, steps = trained.finished, trained.frame().total_steps
    with pytest.raises(error, match=name):
        trained.run(**arguments)
    assert trained.finished is finished
    assert trained.frame().total_steps == steps


def test_a_closed_session_and_a_driven_pursuit_refuse(problem):
    pursuit = npw.NeuronPursuit(problem)
    session = npw.Session(pursuit)
    with pytest.raises(RuntimeError, match="session"):
        pursuit.run()
    with pytest.raises(RuntimeError, match="session"):
        npw.Session(pursuit)
    session.close()
    for command in (session.resume, session.pause, session.step, session.add_neuron, session.reset):
        with pytest.raises(RuntimeError, match="closed"):
            command()
