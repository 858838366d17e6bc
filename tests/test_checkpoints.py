"""Many pursuits that are interrupted and go on from a folder, and what loggers are told of them."""

from __future__ import annotations

import concurrent.futures
import signal
import threading
from typing import Any

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.sessions import many
from tests.bits import bits
from tests.test_executors import PROBLEM, WANTED, bits_of, problem


class Fourth(npw.problems.ElementwiseLoss):
    name = "fourth powers"

    def of(self, error):
        return error**4

    def slope(self, error):
        return 4 * error**3

    def curvature(self, error):
        return 12 * error**2


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
    others: list[tuple[npw.Problem, dict[str, Any]]] = [
        (problem(31), {}),
        (PROBLEM, {"weight_decay": 0.01}),
        (PROBLEM, {"max_additions": 1}),
        (PROBLEM, {"validation": 0.2}),
        (PROBLEM, {"validation": 0.3}),
        (PROBLEM, {"network": npw.HomogeneousNetwork([[[1.0, 0.0, 0.5]], [[1.0]]])}),
    ]
    for own, changes in others:
        other = npw.pursue_many([0], own, **{**wanted, **changes})[0]
        alone = npw.NeuronPursuit(own, **{**WANTED, "max_additions": 0, **changes})
        alone.run()
        assert bits(other.growth) == bits(tuple(alone.growth)) != bits(first.growth)
    assert len(list(tmp_path.glob("*.safetensors"))) == 7
    assert bits(npw.pursue_many([0], PROBLEM, **wanted)[0].growth) == bits(first.growth)


def test_what_is_no_data_is_not_for_a_checkpoint(tmp_path):
    with pytest.raises(ValueError, match="checkpoint must be None with a score of one's own"):
        npw.pursue_many([0], PROBLEM, checkpoint=tmp_path, validation=0.2, score=lambda outputs, targets: 0.0)
    own = npw.Problem(PROBLEM.inputs, PROBLEM.targets, Fourth())
    with pytest.raises(ValueError, match=r"checkpoint must be None with this problem: .* loss of one's own"):
        npw.pursue_many([0], own, checkpoint=tmp_path)


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
