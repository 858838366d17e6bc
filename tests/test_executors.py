"""Many pursuits on threads, processes and a cluster: the same bits, and nothing lost with a worker."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import np_widgets as npw
from np_widgets.sessions import many
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
    ],
)
def test_members_are_the_pursuits_with_these_settings(own):
    ensemble = npw.pursue_many([4, 5], PROBLEM, **WANTED, **own)
    alone = npw.NeuronPursuit(PROBLEM, seed=5, **WANTED, **own)
    alone.run()
    assert bits(ensemble[1].growth) == bits(tuple(alone.growth))
    assert bits(ensemble[1].network.weights) == bits(alone.network.weights)


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


# --------------------------------------------------------------------------------- going on later


class Presses:
    """Ctrl-C when so many networks have been trained, from the thread that computes; counts the ends of each seed."""

    def __init__(self) -> None:
        self.after, self.ends = -1, dict.fromkeys(range(12), 0)

    def __call__(self, frame):
        if frame.finished is not None:
            self.ends[frame.seed] += 1
            self.after -= 1
            if self.after == 0:
                signal.raise_signal(signal.SIGINT)

    def __copy__(self):
        return self


@pytest.mark.parametrize("own", [True, False], ids=["own thread", "executor"])
def test_interrupted_twice_nothing_is_lost_and_nothing_done_twice(tmp_path, monkeypatch, own):
    monkeypatch.setattr(many, "_MOST_WAITING", 3)
    presses, seeds = Presses(), list(range(12))
    wanted: dict[str, Any] = {**WANTED, "max_additions": 0, "checkpoint": tmp_path / "runs", "callback": presses}
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        given: dict[str, Any] = {} if own else {"executor": executor}
        for after in (4, 4):
            presses.after = after
            part = npw.pursue_many(seeds, PROBLEM, **wanted, **given)
            kinds = [each.finished.kind for each in part]
            assert "additions" in kinds
            assert "interrupted" in kinds
        presses.after = -1
        whole = npw.pursue_many(seeds, PROBLEM, **wanted, **given)
    assert presses.ends == dict.fromkeys(seeds, 1)
    assert bits_of(whole) == bits_of(npw.pursue_many(seeds, PROBLEM, **{**WANTED, "max_additions": 0}))
    # Nothing is left to do, and what is known is known to the second.
    assert npw.pursue_many(seeds, PROBLEM, **wanted).to_frame().seconds.tolist() == whole.to_frame().seconds.tolist()
    assert presses.ends == dict.fromkeys(seeds, 1)
    assert threading.active_count() < 20


def test_a_checkpoint_is_of_its_data_and_settings(tmp_path):
    wanted: dict[str, Any] = {**WANTED, "max_additions": 0, "checkpoint": tmp_path}
    first = npw.pursue_many([0], PROBLEM, **wanted)[0]
    for own, changes in ((problem(31), {}), (PROBLEM, {"weight_decay": 0.01}), (PROBLEM, {"max_additions": 1})):
        other = npw.pursue_many([0], own, **{**wanted, **changes})[0]
        alone = npw.NeuronPursuit(own, **{**WANTED, "max_additions": 0, **changes})
        alone.run()
        assert bits(other.growth) == bits(tuple(alone.growth)) != bits(first.growth)
    assert len(list(tmp_path.glob("*.safetensors"))) == 4
    assert bits(npw.pursue_many([0], PROBLEM, **wanted)[0].growth) == bits(first.growth)


def test_a_file_that_is_none_of_ours_is_refused_by_its_name(tmp_path):
    from safetensors.numpy import save_file

    from np_widgets.sessions.storage import store

    wanted: dict[str, Any] = {**WANTED, "max_additions": 0, "checkpoint": tmp_path}
    npw.pursue_many([0], PROBLEM, **wanted)
    (path,) = tmp_path.glob("*.safetensors")
    content = path.read_bytes()
    store(tmp_path / "b.safetensors", "pursuits", {"key": 3})  # of somebody who has another key of it: not looked at
    npw.pursue_many([0], PROBLEM, **wanted)
    (tmp_path / "b.safetensors").unlink()

    path.write_bytes(content[:-8])
    with pytest.raises(npw.FileError, match=f"{path.name} is no safetensors file, or damaged"):
        npw.pursue_many([0], PROBLEM, **wanted)
    save_file({"x": np.zeros(2)}, path)
    with pytest.raises(npw.FileError, match=f"{path.name} holds no pursuits"):
        npw.pursue_many([0], PROBLEM, **wanted)
    store(path, "pursuits", [1, 2])
    with pytest.raises(npw.FileError, match=f"{path.name} holds no sound pursuits"):
        npw.pursue_many([0], PROBLEM, **wanted)


# --------------------------------------------------------------------------------- loggers


def test_the_writer_of_tensorboard_gets_the_scalars_of_each_network(tmp_path):
    from tensorboardX import SummaryWriter
    from tensorboardX.proto.event_pb2 import Event

    pursuit = npw.NeuronPursuit(PROBLEM, **WANTED)
    with SummaryWriter(str(tmp_path)) as writer:

        def log(scalars):
            for name, value in scalars.items():
                writer.add_scalar(name, value, scalars["network"])

        pursuit.run(callback=npw.PerNetwork(log))
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    logged: dict[tuple[str, int], float] = {}
    while content:  # a record is its length, a checksum, an event, a checksum
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        logged |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        content = content[16 + length :]
    for number, record in enumerate(pursuit.growth, start=1):
        assert logged["loss", number] == pytest.approx(record.loss, rel=1e-6)
        assert logged["width_1", number] == record.widths[0]
        assert logged["value", number] == pytest.approx(record.value, rel=1e-6)
    assert {step for _, step in logged} == {1, 2}


def test_every_pursuit_has_a_logger_of_its_own_and_a_logger_can_end_it():
    rows: list[dict[str, float]] = []
    ensemble = npw.pursue_many(range(3), PROBLEM, callback=npw.PerNetwork(rows.append), **WANTED)
    for seed, result in enumerate(ensemble):
        own = [row for row in rows if row["seed"] == seed]
        assert [row["network"] for row in own] == [1, 2]
        assert [row["loss"] for row in own] == [record.loss for record in result.growth]
    pursuit = npw.NeuronPursuit(PROBLEM, **WANTED)
    assert pursuit.run(callback=npw.PerNetwork(lambda scalars: scalars["network"] < 1)).kind == "interrupted"
    assert len(pursuit.growth) == 1
