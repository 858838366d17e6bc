"""The callback of a run looks at its engine; whatever would change the engine is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import np_widgets as npw

X = np.random.default_rng(0).standard_normal((20, 3))
PROBLEM = npw.Problem(X, np.abs(X[:, 0]) - X[:, 1])


def pursuit_of():
    return npw.NeuronPursuit(PROBLEM, starts=2, max_steps=20)


def flow_of():
    return npw.SaddleFlow(None, PROBLEM, dormant=(1, 1), scale=1e-2)


ENGINES = {
    "pursuit": (pursuit_of, lambda engine, callback: engine.run(2, callback=callback)),
    "flow": (flow_of, lambda engine, callback: engine.run(1.0, callback=callback)),
}
CHANGES = {
    "pursuit": {
        "reset": lambda pursuit: pursuit.reset(seed=3),
        "run": lambda pursuit: pursuit.run(1),
        "add_neuron": lambda pursuit: pursuit.add_neuron(),
        "set_minimizer": lambda pursuit: pursuit.set_minimizer("adam"),
        "advance": lambda pursuit: pursuit.advance(),
        "restore": lambda pursuit: pursuit.restore(pursuit.state()),
        "claim": npw.Session,
    },
    "flow": {
        "reset": lambda flow: flow.reset(seed=3),
        "run": lambda flow: flow.run(2.0),
        "run_to": lambda flow: flow.run_to("escape"),
        "aim": lambda flow: flow.aim("escape"),
        "advance": lambda flow: flow.advance(),
        "restore": lambda flow: flow.restore(flow.state()),
        "claim": npw.Session,
    },
}


@pytest.mark.parametrize("kind", ENGINES)
def test_every_change_is_refused_by_name_and_changes_nothing(kind):
    make, run = ENGINES[kind]
    undisturbed, engine = make(), make()
    run(undisturbed, lambda frame: None)
    refused = set()

    def interfere(frame):
        engine.frame()
        engine.state()
        for name, change in CHANGES[kind].items():
            with pytest.raises(RuntimeError, match="callback of its own run"):
                change(engine)
            refused.add(name)

    run(engine, interfere)
    assert refused == set(CHANGES[kind])
    assert str(engine.finished) == str(undisturbed.finished)
    ends = engine.frame().weights, undisturbed.frame().weights
    assert all(np.array_equal(one, other) for one, other in zip(*ends, strict=True))
    engine.reset(seed=3)  # possible again


def test_after_a_callback_that_raises_the_engine_can_be_changed():
    pursuit = pursuit_of()

    def fail(frame):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        pursuit.run(1, callback=fail)
    pursuit.reset(seed=1)
    assert pursuit.run(0).kind == "additions"


@pytest.mark.parametrize("make", [pursuit_of, flow_of])
@pytest.mark.parametrize("fails", [False, True])
def test_run_puts_the_number_of_torch_threads_back(make, fails):
    before = torch.get_num_threads()
    engine, seen = make(), []

    def look(frame):
        seen.append(torch.get_num_threads())
        if fails:
            raise KeyError("mine")

    try:
        torch.set_num_threads(3)
        if fails:
            with pytest.raises(KeyError, match="mine"):
                engine.run(1, callback=look, torch_threads=2)
        else:
            engine.run(1, callback=look, torch_threads=2)
        assert set(seen) == {2}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
