"""One file for a session: whole or refused, whoever wrote it and whatever happened to it."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save

import np_widgets as npw
from np_widgets.learning.saddles import passage
from np_widgets.problems import kumar_haupt
from np_widgets.sessions import storage
from tests.bits import bits
from tests.session_engines import Counter

PROBLEM = kumar_haupt(samples=20, seed=1, test_samples=5)
pytestmark = pytest.mark.exact_data("what is loaded is compared bit by bit")


def pursuit(**options: Any) -> npw.NeuronPursuit:
    return npw.NeuronPursuit(PROBLEM, **{"starts": 2, "max_steps": 40, "max_additions": 2, "seed": 3} | options)


def flow() -> npw.SaddleFlow:
    return npw.SaddleFlow(None, PROBLEM, (1,), scale=2e-2, power=2, starts=2, hidden_layers=1)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "a session.npw"
    with npw.Session(pursuit()) as session:
        session.step(9)
        session.set_minimizer("adam")
        session.step(9)
        session.save(path)
    return path


ENGINES: dict[str, Callable[[], Any]] = {
    "fast": pursuit,
    "hybrid": lambda: pursuit(minimizer="hybrid"),
    "paper": lambda: pursuit(method="paper"),
    "mini-batches": lambda: pursuit(batch_size=8),
    "single": lambda: npw.NeuronPursuit(PROBLEM, dtype=torch.float32, starts=2, max_steps=40),
    "classes": lambda: npw.NeuronPursuit(npw.problems.two_moons(20, test_samples=5), starts=2, max_steps=40),
    "begun with a network": lambda: pursuit(network=npw.HomogeneousNetwork([np.ones((2, 20)), np.eye(2), [[1, -1.0]]])),
    "flow": flow,
    "fixed": lambda: npw.FixedNetwork(PROBLEM, (3, 2), "small", weight_decay=1e-3, max_steps=1500),
}


@pytest.mark.parametrize("kind", ENGINES)
def test_what_is_loaded_is_what_was_saved_and_goes_on_bitwise(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(passage, "_MOST_STEPS_PER_QUANTUM", 8)  # its flow comes to its end all the same
    with npw.Session(ENGINES[kind](), history_bytes=10**6) as session:
        session.step(9)
        session.reset(seed=7)
        session.step(13)
        session.save(tmp_path / "file")
        with npw.load(tmp_path / "file") as loaded:
            assert loaded.status == "paused"
            assert bits(loaded.engine.state()) == bits(session.engine.state())
            assert bits(loaded.frame) == bits(session.frame)
            assert loaded.history.moments == session.history.moments
            assert loaded.history.log == session.history.log
            assert loaded.history.seconds == session.history.seconds
            for old, new in zip(session.history.all_kept(), loaded.history.all_kept(), strict=True):
                assert (bits(new.frame), bits(new.state)) == (bits(old.frame), bits(old.state))
            for each in (session, loaded):
                each.step(6)
            assert bits(loaded.engine.state()) == bits(session.engine.state())
            assert bits(loaded.replay().state()) == bits(loaded.engine.state())
            assert loaded.to_code() == session.to_code()
            loaded.undo()


def test_it_saves_while_it_runs_and_when_it_is_closed(tmp_path):
    session = npw.Session(pursuit(max_additions=5))
    session.resume()
    session.save(tmp_path / "running")
    session.close()
    session.save(tmp_path / "closed")
    for name in ("running", "closed"):
        with npw.load(tmp_path / name) as loaded:
            assert bits(loaded.replay().state()) == bits(loaded.engine.state())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closed", "running"]


def test_autosave_follows_landmarks_and_the_end(tmp_path):
    path = tmp_path / "auto"
    with npw.Session(pursuit(), autosave=path) as session:
        session.step(30)
        with npw.load(path) as loaded:
            assert loaded.history.advances == 30
        session.resume()
        session.wait()
    with npw.load(path, problem=PROBLEM) as loaded:
        assert loaded.status == "finished"
        assert loaded.engine.problem is PROBLEM  # type: ignore[attr-defined]


def test_an_autosave_that_fails_is_told(tmp_path):
    with npw.Session(pursuit(), autosave=tmp_path / "nowhere" / "file") as session:
        with pytest.raises(RuntimeError, match="the session failed: FileNotFoundError"):
            session.step(1)
        assert isinstance(session.error, FileNotFoundError)


def test_what_cannot_be_saved_is_told_and_the_old_file_stays(tmp_path, good):
    path = tmp_path / "file"
    path.write_bytes(good.read_bytes())
    with npw.Session(Counter()) as session, pytest.raises(TypeError, match="Counter"):
        session.save(path)
    assert path.read_bytes() == good.read_bytes()
    with pytest.raises(FileNotFoundError):
        npw.load(tmp_path / "none")
    with pytest.raises(npw.FileError, match=r"state\['problem'\]"):
        npw.load(good, problem=kumar_haupt(samples=20, seed=2))


def test_other_threads_in_another_process_find_the_same_loss(good):
    code = f"""
import torch, np_widgets as npw
torch.set_num_threads(2)
session = npw.load({str(good)!r})
print(repr(session.engine.problem.loss.value(session.engine.network(session.engine.problem.inputs),
                                             session.engine.problem.targets).item()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    with npw.load(good) as loaded:
        network, problem = loaded.frame.network, PROBLEM
        loss = float(problem.loss.value(network(problem.inputs), problem.targets))
    assert float(done.stdout) == pytest.approx(loss, rel=1e-12)


def signed(nodes: str, arrays: dict[str, Any], version: str = storage.VERSION) -> bytes:
    """A file of these contents, whose checksum is right."""
    return save(arrays, {"np_widgets": version, "session": nodes, "digest": storage.digest(nodes, arrays)})


def contents(path: Path) -> tuple[list[Any], dict[str, Any]]:
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["session"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


JUNK: list[Any] = [None, True, -1, 10**30, 1e308, float("nan"), "", "x" * 99, [], [0], [10**6], [-1], [[0]], {"a": 1}]


def mutated(nodes: list[Any], arrays: dict[str, Any], chance: random.Random) -> tuple[Any, dict[str, Any]]:
    """With something else in some place."""
    nodes, arrays = json.loads(json.dumps(nodes)), dict(arrays)
    way = chance.randrange(5)
    node = nodes[chance.randrange(len(nodes))]
    if way == 0:
        node[chance.randrange(len(node))] = chance.choice(JUNK)
    elif way == 1:
        node.pop(chance.randrange(len(node)))
    elif way == 2:
        node[0] = chance.choice(["tuple", "list", "dict", "tensor", "array", "Finish", "os.system", "Problem"])
    else:
        name = chance.choice(sorted(arrays))
        array = arrays[name]
        changed = [array.reshape(-1)[:-1], array[None], array.astype(np.float32), array.astype(np.int64)]
        if array.dtype.kind == "f":
            changed += [np.full_like(array, np.nan)] * 4
        arrays[name] = np.ascontiguousarray(chance.choice(changed))
    return nodes, arrays


def refused_or_sound(path: Path) -> bool:
    """Whether a file is refused, in the one documented way; else it must make a whole session."""
    began = time.process_time()
    try:
        with npw.load(path) as session:
            assert session.status in ("paused", "finished")
            return False
    except npw.FileError as error:
        message = str(error)
    finally:
        assert time.process_time() - began < 1
    assert str(path) in message
    assert len(message) < 700
    return True


def refuses_what_is_damaged(good: Path, path: Path, flipped: int, cut: int, changed: int) -> None:
    """Write so many files with flipped bits, with their ends cut off, and with other contents; all must be refused."""
    chance, whole = random.Random(0), good.read_bytes()
    for _ in range(flipped):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        assert refused_or_sound(path)
    for _ in range(cut):
        path.write_bytes(whole[: chance.randrange(len(whole))])
        assert refused_or_sound(path)
    nodes, arrays = contents(good)
    refused = 0
    for _ in range(changed):
        other, made = mutated(nodes, arrays, chance)
        path.write_bytes(signed(json.dumps(other), made))
        refused += refused_or_sound(path)
    assert refused > 0.4 * changed  # the others differ in what has no consequence, as a label, or a moment's picture


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numbers that another precision cannot hold
def test_damaged_and_hostile_files_are_refused_in_one_way(good, tmp_path):
    refuses_what_is_damaged(good, tmp_path / "file", 100, 50, 100)  # 2,000 in tests/benchmarks/bench_history.py


class Bomb:
    def __reduce__(self) -> Any:
        return os.abort, ()


LARGE = json.dumps({"0": {"dtype": "F64", "shape": [10**9], "data_offsets": [0, 8 * 10**9]}}).encode()
HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "a pickle": lambda: pickle.dumps(Bomb()),
    "a huge header": lambda: struct.pack("<Q", 2**62) + b"{}",
    "a header of 90 MB that is not there": lambda: struct.pack("<Q", 90_000_000) + b"{" * 100,
    "sizes that are not there": lambda: struct.pack("<Q", len(LARGE)) + LARGE,
    "something else": lambda: save({"a": np.zeros(3)}),
    "deep": lambda: signed("[" * 100_000 + "]" * 100_000, {}),
    "no list": lambda: signed("{}", {}),
    "nothing": lambda: signed("[]", {}),
    "no text": lambda: signed("][", {}),
    "another class": lambda: signed('[["subprocess.Popen", "true"]]', {}),
    "a circle": lambda: signed('[["tuple", [0]]]', {}),
    "a large number": lambda: signed("[" + "9" * 10_000 + "]", {}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_without_running_anything(kind, tmp_path):
    (tmp_path / "file").write_bytes(HOSTILE[kind]())
    assert refused_or_sound(tmp_path / "file")


def test_another_version_is_named(tmp_path):
    (tmp_path / "file").write_bytes(signed("[]", {}, "7"))
    with pytest.raises(npw.FileError, match="of version 7, and only version 1 is known"):
        npw.load(tmp_path / "file")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"problems.kumar_haupt(', "\"problems.__import__('os').abort(", ""),
        ('"set_minimizer"', '"__init__"', "action of the log"),
        ('"set_minimizer"', '"restore"', "action of the log"),
    ],
)
def test_no_code_comes_out_of_a_file(old, new, message, good, tmp_path):
    nodes, arrays = contents(good)
    text = json.dumps(nodes)
    assert old in text
    (tmp_path / "file").write_bytes(signed(text.replace(old, new), arrays))
    if message:
        with pytest.raises(npw.FileError, match=message):
            npw.load(tmp_path / "file")
    else:
        with npw.load(tmp_path / "file") as session:
            assert "fill in" in session.to_code()
            assert "abort" not in session.to_code()


def test_the_file_of_a_process_that_is_killed_while_it_saves_is_whole_and_not_older(good, tmp_path):
    survives_kills(good, tmp_path / "file", 4)  # 100 in tests/benchmarks/bench_history.py


def survives_kills(good: Path, path: Path, kills: int) -> None:
    """Kill a process that saves at random moments, and look at what is there then."""
    path.write_bytes(good.read_bytes())
    # One process killed many times would start many times: its copies are killed instead.
    code = f"""
import os, sys, random, time, signal
import np_widgets as npw
path = {str(path)!r}
for turn in range({kills}):
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        with npw.load(path) as session:
            while True:
                session.step(1)
                session.save(path)
                os.write(writes, session.history.advances.to_bytes(8, "big"))
    os.close(writes)
    saved = os.read(reads, 8)
    time.sleep(random.Random(turn).uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reads, 8):
        saved = more
    os.close(reads)
    with open(path, "rb") as file:
        content = file.read()
    with open(path + f".{{turn}}", "wb") as file:
        file.write(content)
    print(int.from_bytes(saved, "big"), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    counts = list(map(int, done.stdout.split()))
    assert len(counts) == kills
    for turn, count in enumerate(counts):
        with npw.load(f"{path}.{turn}") as session:
            assert session.history.advances >= count
