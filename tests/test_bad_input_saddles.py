"""Bad input to saddle flows and ensembles: an error that names the argument, and nothing has changed."""

# mypy: disable-error-code="arg-type,call-arg"
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from tests import saddles
from tests.saddles import double, small_flow
from tests.test_saddle_flow import fingerprint

PROBLEM, NETWORK = saddles.teacher(), saddles.saddle()
POINT = saddles.best_point()
ORIGIN = npw.find_origin_points(PROBLEM, hidden_layers=1, starts=5)[0]
DEEP_ORIGIN = npw.find_origin_points(PROBLEM, hidden_layers=2, starts=5)[0]
LARGE = 0.03 * math.sqrt(sum(float(weight.square().sum()) for weight in NETWORK.weights))


def near(dormant=2, scale=1e-3, seed=0, **options):
    return npw.SaddleFlow(NETWORK, PROBLEM, dormant, scale, seed, **options)


def origin(dormant=(2,), scale=1e-3, **options):
    return npw.SaddleFlow(None, PROBLEM, dormant, scale, **options)


def point(incoming=3, outgoing=1, layer=1):
    return npw.KKTPoint(layer, 1.0, double(np.ones(incoming)), double(np.ones(outgoing)), 0.0)


NEW = {
    "a list for a network": (TypeError, "network", lambda: npw.SaddleFlow([1], PROBLEM)),
    "a pursuit for a network": (TypeError, "network", lambda: npw.SaddleFlow(npw.NeuronPursuit(PROBLEM), PROBLEM)),
    "a list for a problem": (TypeError, "problem", lambda: npw.SaddleFlow(NETWORK, [1])),
    "no problem at the origin": (TypeError, "problem", lambda: npw.SaddleFlow(None, None, (2,))),
    "a problem of other inputs": (
        ValueError,
        "network",
        lambda: npw.SaddleFlow(NETWORK, npw.Problem(np.ones((4, 2)), np.ones(4))),
    ),
    "a problem of other outputs": (
        ValueError,
        "network",
        lambda: npw.SaddleFlow(NETWORK, npw.Problem(np.ones((4, 3)), np.ones((4, 2)))),
    ),
    "no dormant neuron": (ValueError, "dormant", lambda: near(0)),
    "no dormant neuron in any layer": (ValueError, "dormant", lambda: near((0,))),
    "dormant negative": (ValueError, "dormant", lambda: near(-1)),
    "dormant negative somewhere": (ValueError, r"dormant\[0\]", lambda: near((-1,))),
    "dormant a float": (TypeError, "dormant", lambda: near(2.0)),
    "dormant True": (TypeError, "dormant", lambda: near(True)),
    "dormant as text": (TypeError, "dormant", lambda: near("2")),
    "dormant None": (TypeError, "dormant", lambda: near(None)),
    "dormant empty": (ValueError, "dormant", lambda: near(())),
    "dormant floats": (TypeError, r"dormant\[0\]", lambda: near((1.5,))),
    "dormant for two layers": (ValueError, "dormant must hold 1 numbers", lambda: near((1, 1))),
    "a million dormant": (ValueError, "dormant", lambda: near(10**6)),
    "an origin point beside a network": (ValueError, r"dormant\[0\]", lambda: near(DEEP_ORIGIN)),
    "a point with other inputs": (ValueError, r"dormant\[0\] must have 3 incoming", lambda: near([point(4)])),
    "a point with other outputs": (ValueError, r"dormant\[1\] must have 3", lambda: near([POINT, point(3, 2)])),
    "a point of another layer": (ValueError, r"dormant\[0\]\.layer", lambda: near([point(layer=2)])),
    "a point among numbers": (TypeError, r"dormant\[1\]", lambda: near([1, POINT])),
    "hidden layers beside a network": (TypeError, "hidden_layers", lambda: near(hidden_layers=1)),
    "no hidden layers": (ValueError, "hidden_layers", lambda: origin(hidden_layers=0)),
    "half a hidden layer": (TypeError, "hidden_layers", lambda: origin(hidden_layers=0.5)),
    "numbers for other hidden layers": (ValueError, "dormant must be for 3", lambda: origin((2, 2), hidden_layers=3)),
    "a point of other hidden layers": (ValueError, "dormant must be for 2", lambda: origin(ORIGIN, hidden_layers=2)),
    "a layer without neurons at the origin": (ValueError, "dormant must be at least 1", lambda: origin((2, 0))),
    "a point of a network at the origin": (ValueError, r"dormant\[0\]\.layer", lambda: origin([point(layer=2)])),
    "65 layers": (ValueError, "dormant must hold at most", lambda: origin((1,) * 65)),
    "scale zero": (ValueError, "scale", lambda: near(scale=0)),
    "scale negative": (ValueError, "scale", lambda: near(scale=-1e-3)),
    "scale NaN": (ValueError, "scale", lambda: near(scale=math.nan)),
    "scale infinite at the origin": (ValueError, "scale", lambda: origin(scale=math.inf)),
    "scale as text": (TypeError, "scale", lambda: near(scale="small")),
    "scale at which it has escaped": (ValueError, "scale must be smaller than", lambda: near(scale=1.001 * LARGE)),
    "scale too large for the origin": (ValueError, "scale must be smaller than", lambda: origin(scale=0.3)),
    "scale whose square is zero": (ValueError, "scale must be at least 1.0e-125, got", lambda: near(scale=1e-200)),
    "scale whose cube is zero": (ValueError, "scale must be at least", lambda: origin((2, 2), scale=1e-90)),
    "progress as a number": (TypeError, "progress", lambda: near(progress=1)),
    "negative seed": (ValueError, "seed", lambda: near(seed=-1)),
    "seed None": (TypeError, "seed", lambda: near(seed=None)),
    "power beside a network": (TypeError, "power", lambda: near(power=1)),
    "leak beside a network": (TypeError, "leak", lambda: near(leak=0.0)),
    "power zero": (ValueError, "power", lambda: origin(power=0)),
    "leak above one": (ValueError, "leak", lambda: origin(leak=1.5)),
    "unknown dynamics": (ValueError, "dynamics", lambda: near(dynamics="jumps")),
    "dynamics as a number": (TypeError, "dynamics", lambda: near(dynamics=1)),
    "step size zero": (ValueError, "step_size", lambda: near(step_size=0.0)),
    "step size that must diverge": (
        ValueError,
        "step_size must be smaller than",
        lambda: near(dynamics="descent", step_size=2.0),
    ),
    "tolerance zero": (ValueError, "tolerance", lambda: near(tolerance=0.0)),
    "tolerance one": (ValueError, "tolerance", lambda: near(tolerance=1.0)),
    "tolerance as text": (TypeError, "tolerance", lambda: near(tolerance="fine")),
    "no starts": (ValueError, "starts", lambda: near(starts=0)),
    "half a start": (TypeError, "starts", lambda: near(starts=0.5)),
    "polish perhaps": (TypeError, "polish", lambda: near(polish=1)),
    "negative gradient tolerance": (ValueError, "gradient_tolerance", lambda: near(gradient_tolerance=-1.0)),
    "curvature tolerance NaN": (ValueError, "curvature_tolerance", lambda: near(curvature_tolerance=math.nan)),
    "unknown keyword": (TypeError, "colour", lambda: near(colour="red")),
}  # fmt: skip

ENSEMBLES: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "no network": (TypeError, "network", {"network": None}),
    "a list for a problem": (TypeError, "problem", {"problem": [1]}),
    "no members": (ValueError, "members", {"members": 0}),
    "half a member": (TypeError, "members", {"members": 0.5}),
    "a billion members": (ValueError, "members", {"members": 10**9}),
    "no time": (ValueError, "until", {"until": 0.0}),
    "infinite time": (ValueError, "until", {"until": math.inf}),
    "time as text": (TypeError, "until", {"until": "soon"}),
    "progress as a number": (TypeError, "progress", {"progress": 1}),
    "no dormant neuron": (ValueError, "dormant", {"dormant": 0}),
    "scale zero": (ValueError, "scale", {"scale": 0.0}),
    "scale at which all have escaped": (ValueError, "scale must be smaller than", {"scale": 2 * LARGE}),
    "scale whose square is zero": (ValueError, "scale must be at least", {"scale": 1e-200}),
    "negative seed": (ValueError, "seed", {"seed": -1}),
    "more seeds than there are": (ValueError, "seed", {"seed": 2**63 - 1, "members": 2}),
    "no starts": (ValueError, "starts", {"starts": 0}),
    "polish perhaps": (TypeError, "polish", {"polish": 1}),
}


@pytest.mark.parametrize("case", NEW)
def test_a_flow_is_refused_with_the_name_of_the_argument(case):
    error, name, call = NEW[case]
    before = [weight.clone() for weight in NETWORK.weights]
    with pytest.raises(error, match=name):
        call()
    assert all(torch.equal(weight, old) for weight, old in zip(NETWORK.weights, before, strict=True))


@pytest.mark.parametrize("case", ENSEMBLES)
def test_an_ensemble_is_refused_with_the_name_of_the_argument(case):
    error, name, changed = ENSEMBLES[case]
    given: dict[str, Any] = {
        "network": NETWORK,
        "problem": PROBLEM,
        "dormant": 1,
        "scale": 1e-3,
        "members": 2,
        "starts": 3,
    } | changed
    with pytest.raises(error, match=name):
        npw.escape_ensemble(**given)


ACTIONS = {
    "run to the past": (ValueError, "until", lambda f: f.run(0.5)),
    "run to the present": (ValueError, "until", lambda f: f.run(1.0)),
    "run to no time": (ValueError, "until", lambda f: f.run(math.nan)),
    "run for ever": (ValueError, "until", lambda f: f.run(math.inf)),
    "run to a word": (TypeError, "until", lambda f: f.run("escape")),
    "run with progress as a number": (TypeError, "progress", lambda f: f.run(2.0, progress=1)),
    "run with a list to call": (TypeError, "callback", lambda f: f.run(2.0, callback=[])),
    "run on no threads": (ValueError, "torch_threads", lambda f: f.run(2.0, torch_threads=0)),
    "run to an unknown goal": (ValueError, "goal", lambda f: f.run_to("origin")),
    "run to a time as a goal": (TypeError, "goal", lambda f: f.run_to(3.0)),
    "run to nothing": (TypeError, "goal", lambda f: f.run_to(None)),
    "aim at an unknown goal": (ValueError, "goal", lambda f: f.aim("origin")),
    "aim at the past": (ValueError, "goal", lambda f: f.aim(0.5)),
    "aim at no time": (ValueError, "goal", lambda f: f.aim(math.nan)),
    "aim at True": (TypeError, "goal", lambda f: f.aim(True)),
    "aim at a list": (TypeError, "goal", lambda f: f.aim([1.0])),
    "reset to a negative seed": (ValueError, "seed", lambda f: f.reset(seed=-1)),
    "reset to scale zero": (ValueError, "scale", lambda f: f.reset(scale=0.0)),
    "reset to a scale at which it has escaped": (ValueError, "scale", lambda f: f.reset(scale=2 * LARGE)),
    "reset to a good seed and a bad scale": (ValueError, "scale", lambda f: f.reset(seed=3, scale=-1.0)),
    "reset to nobody dormant": (ValueError, "dormant", lambda f: f.reset(dormant=0)),
    "reset to two layers": (ValueError, "dormant", lambda f: f.reset(dormant=(1, 1))),
    "reset to a misfit": (ValueError, "dormant", lambda f: f.reset(dormant=[point(4)])),
    "reset to the origin": (ValueError, r"dormant\[0\]", lambda f: f.reset(dormant=DEEP_ORIGIN)),
    "reset to unknown dynamics": (ValueError, "dynamics", lambda f: f.reset(dynamics="jumps")),
    "reset to steps that diverge": (ValueError, "step_size", lambda f: f.reset(dynamics="descent", step_size=9.0)),
    "reset of the unknown": (TypeError, "colour", lambda f: f.reset(colour="red")),
}


@pytest.fixture(scope="module")
def under_way():
    flow = small_flow(scale=1e-2)
    flow.run(1.0)
    return flow


@pytest.mark.parametrize("case", ACTIONS)
def test_a_refused_action_changes_nothing(case, under_way):
    error, name, call = ACTIONS[case]
    before, settings = fingerprint(under_way.frame()), under_way.settings
    with pytest.raises(error, match=name):
        call(under_way)
    assert fingerprint(under_way.frame()) == before
    assert under_way.settings is settings


def test_a_flow_from_the_origin_keeps_the_number_of_its_layers():
    flow = origin((2,))
    for dormant in ((2, 2), npw.find_origin_points(PROBLEM, hidden_layers=2, starts=5)[0]):
        with pytest.raises(ValueError, match="dormant"):
            flow.reset(dormant=dormant)
    flow.reset(dormant=3)
    assert flow.frame().dormant == (3,)


def test_an_origin_point_of_other_inputs_or_outputs_is_refused():
    other = npw.find_origin_points(saddles.teacher(1, outputs=2), hidden_layers=1, starts=5)[0]
    narrow = npw.KKTPoint(1, 1.0, double([1.0, 0.0]), double([1.0]), 0.0)
    wide = npw.KKTPoint(1, 1.0, double(np.ones(3)), double([1.0, 1.0]), 0.0)
    above = npw.KKTPoint(2, 1.0, double(np.ones(3)), double([1.0]), 0.0)
    deep = npw.KKTPoint(1, 1.0, double(np.ones(3)), double([1.0]), 0.0, inner=(0.5,))
    for wrong in (other, narrow, wide, above, (npw.KKTPoint(1, 1.0, double(np.ones(3)), double([1.0]), 0.0), deep)):
        with pytest.raises(ValueError, match="dormant"):
            origin(wrong)


def test_points_without_any_weights_are_refused():
    for entry in (0.0, math.nan):
        nothing = npw.KKTPoint(1, 1.0, double(np.full(3, entry)), double(np.zeros(1)), 0.0)
        with pytest.raises(ValueError, match="dormant"):
            near([nothing])
    with pytest.raises(ValueError, match="dormant"):
        origin(npw.KKTPoint(1, 1.0, double(np.zeros(3)), double(np.zeros(1)), 0.0))


def test_descent_that_diverges_leaves_the_flow_where_it_was(monkeypatch):
    # Should the curvature on the ray not warn of steps that are too long.
    monkeypatch.setattr("np_widgets.learning.saddles.ground.rough_origin_ray", lambda *_: (None, None))
    x = np.random.default_rng(0).standard_normal((30, 2))
    flow = npw.SaddleFlow(
        None, npw.Problem(x, 30 * x[:, 0]), (2,), 1e-2, leak=1.0, dynamics="descent", step_size=0.3, starts=5
    )
    with pytest.raises(ArithmeticError, match=r"step_size must be smaller than 0\.3"):
        flow.run(1000.0)
    before = fingerprint(flow.frame())
    assert all(np.isfinite(weight).all() for weight in flow.frame().weights)
    with pytest.raises(ArithmeticError, match="diverges"):
        flow.run(1000.0)
    assert fingerprint(flow.frame()) == before
    flow.reset(step_size=1e-3)
    flow.run_to("escape")
