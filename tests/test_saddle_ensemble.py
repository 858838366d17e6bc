"""Many escapes as one batch against single flows from the same starts."""

from __future__ import annotations

import multiprocessing
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.learning.saddles.ensemble import Escapes
from tests import saddles

CASES: dict[str, tuple[Any, Any, float]] = {
    "relu": ((1, 1, 0.0), 3, 1e-4),
    "two layers of leaky units": ((2, 1, 0.3), (2, 1), 1e-4),
    "squared": ((1, 2, 0.0), 2, 1e-2),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    kind, dormant, scale = CASES[request.param]
    network, problem = saddles.saddle(*kind), saddles.teacher(*kind)
    ensemble = npw.escape_ensemble(network, problem, dormant, scale, 4, members=5, starts=10)
    return network, problem, dormant, scale, ensemble


def test_each_member_escapes_as_the_flow_of_its_seed(case):
    network, problem, dormant, scale, ensemble = case
    assert ensemble.seeds.tolist() == [4, 5, 6, 7, 8]
    member = 3
    flow = npw.SaddleFlow(network, problem, dormant, scale, seed=int(ensemble.seeds[member]), starts=10)
    assert ensemble.escape_time[member] == pytest.approx(saddles.escape_time(flow), rel=0.01)
    frame = flow.frame()
    largest = int(frame.record.neuron_norm[-1].argmax())
    assert (ensemble.layer[member], ensemble.neuron[member]) == frame.record.neurons[largest]


def test_members_point_at_kkt_points_of_an_independent_search(case):
    network, problem, _, _, ensemble = case
    points = npw.find_kkt_points(network, problem, starts=40, seed=50, unseen=True)
    values = [point.value for point in points]
    assert [d.value for d in ensemble.destinations] == sorted((d.value for d in ensemble.destinations), reverse=True)
    for member in range(5):
        destination = ensemble.destinations[ensemble.destination[member]]
        assert destination.layer == ensemble.layer[member]
        assert -1 <= ensemble.cosine[member] <= 1 + 1e-12
        assert min(abs(destination.value / value - 1) for value in values) < 1e-4
    if network.power == 1:
        assert np.median(ensemble.cosine) > 0.999


def test_members_are_the_same_in_batches_of_any_size(monkeypatch):
    network, problem = saddles.saddle(), saddles.teacher()
    together = npw.escape_ensemble(network, problem, 2, 1e-3, members=4, starts=8)
    monkeypatch.setattr("np_widgets.learning.saddles.ensemble._BATCH_ENTRIES", 3 * 60)
    apart = npw.escape_ensemble(network, problem, 2, 1e-3, members=4, starts=8)
    assert together.layer.tolist() == apart.layer.tolist()
    assert together.neuron.tolist() == apart.neuron.tolist()
    np.testing.assert_allclose(together.escape_time, apart.escape_time, rtol=1e-3)


def test_the_same_seed_gives_the_same_bits():
    ensembles = [
        npw.escape_ensemble(saddles.saddle(), saddles.teacher(), 2, 1e-3, members=3, starts=8) for _ in range(2)
    ]
    assert ensembles[0].escape_time.tobytes() == ensembles[1].escape_time.tobytes()
    assert ensembles[0].cosine.tobytes() == ensembles[1].cosine.tobytes()


def test_a_member_that_has_not_escaped_in_time_has_no_time_and_no_neuron(capsys):
    network, problem = saddles.saddle(), saddles.teacher()
    everyone = npw.escape_ensemble(network, problem, 1, 1e-3, members=5, starts=8)
    until = float(np.sort(everyone.escape_time)[2]) + 1e-3
    some = npw.escape_ensemble(network, problem, 1, 1e-3, members=5, starts=8, until=until, progress=True)
    late = everyone.escape_time > until
    assert late.sum() == 2
    assert np.isnan(some.escape_time).tolist() == late.tolist()
    assert np.isnan(some.cosine[late]).all()
    assert (some.layer[late] == 0).all()
    assert (some.neuron[late] == -1).all()
    assert (some.destination[late] == -1).all()
    np.testing.assert_allclose(some.escape_time[~late], everyone.escape_time[~late], rtol=1e-3)
    assert "escaped" in capsys.readouterr().err


def test_the_callers_tensors_and_threads_are_left_alone():
    network, problem = saddles.saddle(), saddles.teacher()
    before, threads = [weight.clone() for weight in network.weights], torch.get_num_threads()
    npw.escape_ensemble(network, problem, 1, 1e-3, members=2, starts=8)
    assert all(torch.equal(weight, old) for weight, old in zip(network.weights, before, strict=True))
    assert torch.get_num_threads() == threads


def test_without_a_kkt_point_there_is_nothing_to_escape_along():
    with pytest.raises(ValueError, match="network must be at a saddle: nothing is left to explain here"):
        npw.escape_ensemble(*saddles.fitted(), 1, 1e-3, members=2)
    for network, problem in (saddles.deep_linear_saddle(), saddles.best_linear_fit()):
        with pytest.raises(ValueError, match="network must have a KKT point"):
            npw.escape_ensemble(network, problem, 1, 1e-3, members=2, starts=5)


def bits_of(ensemble):
    names = ("seeds", "escape_time", "layer", "neuron", "destination", "cosine")
    return [getattr(ensemble, name).tobytes() for name in names]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_escapes_are_the_same_bits_on_an_executor_and_from_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("np_widgets.learning.saddles.ensemble._MEMBERS", 2)
    given = (saddles.saddle(), saddles.teacher(), 2, 1e-2)
    wanted: dict[str, Any] = {"members": 5, "starts": 8}
    here = npw.escape_ensemble(*given, **wanted)
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as executor:
        there = npw.escape_ensemble(*given, executor=executor, checkpoint=tmp_path, **wanted)
        assert executor.submit(int, "7").result() == 7
    assert bits_of(there) == bits_of(here)
    assert len(list(tmp_path.glob("escapes-*.safetensors"))) == 3
    with monkeypatch.context() as patch:
        patch.setattr(Escapes, "escaped", None)  # nothing is followed again
        again = npw.escape_ensemble(*given, checkpoint=tmp_path, **wanted)
    assert bits_of(again) == bits_of(here)
    assert again.to_frame().escape_time.tolist() == here.escape_time.tolist()


def test_interrupted_escapes_go_on_from_the_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("np_widgets.learning.saddles.ensemble._MEMBERS", 1)
    given = (saddles.saddle(), saddles.teacher(), 2, 1e-2)
    wanted: dict[str, Any] = {"members": 4, "starts": 8, "checkpoint": tmp_path}
    followed: list[int] = []
    escaped = Escapes.escaped

    def pressed(self, seeds, stopped):
        followed.extend(seeds)
        if len(followed) == 2:
            signal.raise_signal(signal.SIGINT)
            while not stopped():
                time.sleep(0.001)
        return escaped(self, seeds, stopped)

    monkeypatch.setattr(Escapes, "escaped", pressed)
    with pytest.raises(KeyboardInterrupt):
        npw.escape_ensemble(*given, **wanted)
    assert followed == [0, 1]
    npw.escape_ensemble(*given, **wanted)
    assert followed == [0, 1, 1, 2, 3]


def test_a_checkpoint_of_escapes_is_of_its_settings(tmp_path):
    wanted: dict[str, Any] = {"members": 2, "starts": 8, "until": 500.0, "checkpoint": tmp_path}
    near, far = (npw.escape_ensemble(saddles.saddle(), saddles.teacher(), 2, scale, **wanted) for scale in (1e-3, 1e-2))
    assert (near.escape_time > far.escape_time).all()
