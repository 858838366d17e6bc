"""Many pursuits on threads, processes and a cluster: the same bits, and nothing lost with a worker."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.sessions.batches import Batches
from tests.bits import bits

WANTED: dict[str, Any] = {"hidden_layers": 1, "starts": 4, "max_additions": 1}
SEEDS = range(6)
# Quick, and from Python 3.12 on with a warning where there are threads; these have nothing to do with the tests.
FORK = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def problem(samples: int = 30) -> npw.Problem:
    inputs = torch.randn(samples, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    # Two neurons are not enough.
    return npw.Problem(inputs[:, :3], inputs[:, :1].relu() + inputs[:, 3:], truth=lambda x: x[:, :1])


PROBLEM = problem()


def bits_of(ensemble):
    return [
        bits((each.seed, each.network.weights, each.growth, each.finished.kind, each.loss, each.index))
        for each in ensemble
    ]


@pytest.fixture(scope="module")
def expected():
    return bits_of(npw.pursue_many(SEEDS, PROBLEM, **WANTED))


def processes(count: int = 2) -> concurrent.futures.ProcessPoolExecutor:
    return concurrent.futures.ProcessPoolExecutor(count, multiprocessing.get_context("fork"))


def loky_processes():
    import loky

    return loky.ProcessPoolExecutor(1)


needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="no fork there")


@FORK
@needs_fork
@pytest.mark.parametrize(
    "made",
    [lambda: concurrent.futures.ThreadPoolExecutor(2), processes, loky_processes],
    ids=["threads", "processes", "loky"],
)
def test_the_bits_are_the_same_and_the_executor_stays_open(made, expected, capsys):
    with made() as executor:
        ensemble = npw.pursue_many(SEEDS, PROBLEM, executor=executor, progress=True, **WANTED)
        assert executor.submit(int, "7").result() == 7
    assert bits_of(ensemble) == expected
    assert "6/6" in capsys.readouterr().err
    # What was too good to be sent is still there.
    assert ensemble[0].problem.truth is PROBLEM.truth
    assert (ensemble.to_frame().seconds > 0).all()


@dataclass
class KillsOnce:
    """Ends the process that computes a seed, but only once."""

    seed: int
    mark: Path

    def __call__(self, frame):
        if frame.seed == self.seed and frame.growth and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@FORK
@needs_fork
def test_a_process_that_is_lost_costs_its_batch(tmp_path, expected):
    kills = KillsOnce(2, tmp_path / "mark")
    with processes() as executor, pytest.warns(RuntimeWarning, match="executor has lost a process"):
        ensemble = npw.pursue_many(SEEDS, PROBLEM, executor=executor, callback=kills, **WANTED)
    assert kills.mark.exists()
    assert bits_of(ensemble) == expected


def always_lost(batch, stopped):
    if batch == "bad":
        os.kill(os.getpid(), signal.SIGKILL)
    return batch


@FORK
@needs_fork
@pytest.mark.filterwarnings("ignore:executor has lost a process:RuntimeWarning")
def test_a_batch_that_kills_whoever_takes_it_is_given_up():
    taken = []
    with processes(1) as executor, pytest.raises(RuntimeError, match="lost its workers 4 times without finishing"):
        Batches(always_lost, executor).run(["good", "bad"], lambda index, outcome: taken.append(outcome))
    assert taken == ["good"]


@needs_fork
def test_a_cluster_gives_the_same_bits_and_goes_on_without_a_worker(tmp_path, expected, monkeypatch):
    import dask
    import distributed.utils
    from distributed import Client, LocalCluster

    # What workers need is imported once, in the process that they are forked from.
    monkeypatch.setattr(distributed.utils, "_forkserver_preload_set", True)
    multiprocessing.set_forkserver_preload(["distributed", "np_widgets"])
    kills = KillsOnce(3, tmp_path / "mark")
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=60) as cluster,
        Client(cluster) as client,
    ):
        ensemble = npw.pursue_many(SEEDS, PROBLEM, executor=client, callback=kills, **WANTED)
        assert client.submit(int, "7").result() == 7
    assert kills.mark.exists()
    assert bits_of(ensemble) == expected


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({"executor": 3}, TypeError, "executor must be a concurrent.futures.Executor.* got int"),
        ({"executor": concurrent.futures.ThreadPoolExecutor}, TypeError, "the class itself"),
        ({"executor": concurrent.futures.ThreadPoolExecutor(1), "threads": 2}, ValueError, "threads must be None"),
        ({"callback": 3}, TypeError, "callback"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be the path of a folder"),
        ({"checkpoint": __file__}, ValueError, "checkpoint must be the path of a folder"),
        ({"minimizer": "adma"}, ValueError, "minimizer"),
        ({"stop_when_test_rises": True}, ValueError, "stop_when_test_rises=True needs a problem with a test set"),
        ({"batch_size": 5, "minimizer": "adam"}, ValueError, "batch_size"),
    ],
)
def test_bad_arguments_are_named(keywords, error, match):
    with pytest.raises(error, match=match):
        npw.pursue_many([0], PROBLEM, **keywords)


def test_an_error_of_a_batch_is_raised_and_the_executor_stays_open():
    def fail(frame):
        raise KeyError("mine")

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyError, match="mine"):
            npw.pursue_many(SEEDS, PROBLEM, executor=executor, callback=fail, **WANTED)
        assert executor.submit(int, "7").result() == 7


# --------------------------------------------------------------------------------- all that a pursuit takes


@pytest.mark.parametrize(
    "own",
    [
        {"method": "paper", "max_steps": 30, "scale": 1e-1},
        {"minimizer": "adam", "learning_rate": 3e-2, "max_steps": 40},
        {"batch_size": 10, "max_steps": 40},
        {"network": npw.HomogeneousNetwork([[[1.0, 0.0, 0.5]], [[1.0]]])},
        {"validation": 0.3, "patience": 1, "score": lambda outputs, targets: float(outputs.mean()), "max_additions": 3},
        {"validation": (PROBLEM.inputs[:9], PROBLEM.targets[:9]), "max_additions": 2},
    ],
    ids=["paper", "adam", "batches", "warm start", "a share", "a pair"],
)
def test_members_are_the_pursuits_with_these_settings(own):
    wanted = {**WANTED, **own}
    ensemble = npw.pursue_many([4, 5], PROBLEM, **wanted)
    alone = npw.NeuronPursuit(PROBLEM, seed=5, **wanted)
    alone.run()
    result, network = ensemble[1], alone.best_network if "validation" in own else alone.network
    assert bits(result.growth) == bits(tuple(alone.growth))
    assert bits(result.network.weights) == bits(network.weights)
    assert result.widths == network.widths == result.growth[result.index].widths
    if "validation" in own:
        scores = [record.validation for record in result.growth]
        assert result.validation == ensemble.to_frame().validation[1] == (max if "score" in own else min)(scores)


def test_after_a_rise_of_the_test_loss_a_result_is_that_of_the_network_before():
    random = np.random.default_rng(0)
    x, noise = random.standard_normal((70, 3)), random.standard_normal(70)
    y = np.abs(x[:, 0]) + noise
    own = npw.Problem(x[:30], y[:30], test=(x[30:], y[30:]))
    (result,) = npw.pursue_many([0], own, stop_when_test_rises=True, hidden_layers=1, starts=5)
    assert result.finished.kind == "test_rising"
    assert result.network.widths == result.widths
    expected = float(own.loss.value(result.network(own.test_inputs), own.test_targets))
    assert result.test_loss == pytest.approx(expected, rel=1e-9)
    assert result.test_loss < result.growth[-1].test_loss


@pytest.mark.parametrize("stops", [lambda frame: frame.seed != 1 or not frame.growth, "interrupt"])
def test_a_callback_ends_its_own_pursuit_alone(stops):
    def interrupt(frame):
        if frame.seed == 1:
            raise KeyboardInterrupt

    callback = interrupt if stops == "interrupt" else stops
    kinds = [each.finished.kind for each in npw.pursue_many(range(3), PROBLEM, callback=callback, **WANTED)]
    assert kinds == ["additions", "interrupted", "additions"]


def test_tables_say_what_the_results_say():
    ensemble = npw.pursue_many(range(2), PROBLEM, **WANTED)
    table = ensemble.to_frame()
    assert table.seed.tolist() == [0, 1]
    assert table.loss.tolist() == ensemble.losses.tolist()
    assert table.widths.tolist() == [result.widths for result in ensemble]
    assert table.ended.tolist() == ["additions"] * 2
    assert table.steps.tolist() == [sum(record.steps for record in result.growth) for result in ensemble]
    growth = ensemble.growth_to_frame()
    assert growth.groupby("pursuit").loss.min().tolist() == [min(r.loss for r in each.growth) for each in ensemble]
    assert growth[growth.pursuit == 1].network.tolist() == [1, 2]
