"""Copies: of engines by pickle and copy, of networks by what torch reads back without trust."""

from __future__ import annotations

import copy
import io
import pickle
import random
import threading
from collections.abc import Callable

import pytest
import torch

from np_widgets import FixedNetwork, HomogeneousNetwork, NeuronPursuit, SaddleFlow, Session
from np_widgets.learning.engine import Engine
from np_widgets.learning.saddles import passage
from np_widgets.problems import kumar_haupt
from tests.bits import bits
from tests.session_engines import Counter, Gated

COPIES: dict[str, Callable[[Engine], Engine]] = {
    "pickle": lambda engine: pickle.loads(pickle.dumps(engine)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


def pursuit(**options: object) -> NeuronPursuit:
    chosen: dict[str, object] = {"starts": 5, "max_steps": 300, "max_additions": 2, "seed": 3}
    return NeuronPursuit(kumar_haupt(samples=30, seed=1), **chosen | options)  # type: ignore[arg-type]


def flow(**options: object) -> SaddleFlow:
    return SaddleFlow(None, kumar_haupt(samples=20, seed=1), (2, 2), scale=2e-2, power=2, starts=5, **options)  # type: ignore[arg-type]


ENGINES: dict[str, Callable[[], Engine]] = {
    "fast": pursuit,
    "hybrid": lambda: pursuit(minimizer="hybrid"),
    "adam": lambda: pursuit(minimizer="adam"),
    "minibatch_adam": lambda: pursuit(batch_size=8),
    "paper": lambda: pursuit(method="paper"),
    "flow": flow,
    "fixed": lambda: FixedNetwork(kumar_haupt(samples=30, seed=1), (3, 2), minimizer="adam", max_steps=600),
    "descent": lambda: flow(dynamics="descent"),
}


@pytest.mark.parametrize("kind", ENGINES)
def test_a_copy_made_at_any_moment_goes_on_bitwise(kind, monkeypatch):
    monkeypatch.setattr(passage, "_MOST_STEPS_PER_QUANTUM", 8)  # the escape is among twenty quanta all the same
    engine, chance = ENGINES[kind](), random.Random(kind)
    for _ in range(50 if isinstance(engine, NeuronPursuit) else 20):
        if engine.finished is not None:
            break
        if chance.random() < 0.2:
            before, after = bits(engine.state()), []
            for copied in COPIES.values():
                twin = copied(engine)
                assert bits(twin.state()) == before
                twin.advance()
                assert bits(engine.state()) == before
                after.append(bits(twin.state()))
            engine.advance()
            assert after == [bits(engine.state())] * len(COPIES)
        engine.advance()


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_of_an_engine_that_a_session_drives_is_free(way):
    with Session(pursuit()) as session:
        session.step(20)
        twin = COPIES[way](session.engine)
        assert bits(twin.state()) == bits(session.engine.state())
        assert isinstance(twin, NeuronPursuit)
        twin.run(0)
        with pytest.raises(RuntimeError, match="drives it"):
            session.engine.run(0)  # type: ignore[attr-defined]
        with Session(twin):
            pass


def test_a_copy_made_in_the_middle_of_a_quantum_is_of_the_state_before_it():
    with Session(pursuit()) as session:
        engine = session.engine
        wanted = [bits(engine.state())]
        twin = pursuit()
        while twin.finished is None:
            twin.advance()
            wanted.append(bits(twin.state()))
        session.resume()
        for _ in range(10):
            assert bits(copy.deepcopy(engine).state()) in wanted
        session.wait()


def test_what_is_half_done_is_in_no_copy():
    class Half(Gated):
        def _advance(self) -> None:
            self.count += 1
            super()._advance()

    engine = Half()
    thread = threading.Thread(target=engine.advance)
    thread.start()
    assert engine.entered.acquire(timeout=60)
    assert engine.state()["count"] == 1
    assert engine.settled_state()["count"] == 0
    engine.gate.release()
    thread.join()
    assert engine.settled_state()["count"] == 2


def test_a_state_asked_for_while_a_quantum_begins_is_asked_for_again():
    class Raced(Counter):
        """Whose every first look at its state is overtaken by an advance of another thread."""

        raced = False

        def state(self):
            state = super().state()
            if not self.raced:
                self.raced = True
                thread = threading.Thread(target=self.advance)
                thread.start()
                thread.join()
            return state

    engine = Raced()
    assert engine.settled_state()["count"] == 1


NETWORK = HomogeneousNetwork([[[1.0, 2.0]], [[3.0], [4.0]], [[5.0, 6.0]]], power=2, leak=0.25)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_network_comes_back_from_what_torch_saved(dtype):
    network = NETWORK.to(dtype=dtype)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    found = HomogeneousNetwork.from_state_dict(torch.load(file, weights_only=True))
    assert (found.power, found.leak, found.dtype) == (2, 0.25, dtype)
    assert all(map(torch.equal, found.weights, network.weights))


def test_the_saved_weights_are_copies():
    saved = NETWORK.state_dict()
    found = HomogeneousNetwork.from_state_dict(saved)
    saved["W_1"].zero_()
    assert torch.equal(found.weights[0], NETWORK.weights[0])
    assert NETWORK.weights[0].any()


@pytest.mark.parametrize("name", ["W_1", "W_2", "W_3", "power", "leak"])
def test_a_missing_entry_of_a_network_is_named(name):
    saved = NETWORK.state_dict()
    del saved[name]
    with pytest.raises(ValueError, match=f"differs in '{name}'"):
        HomogeneousNetwork.from_state_dict(saved)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("W_2", [[1.0]], TypeError, r"state\['W_2'\] must be a tensor, got list"),
        ("W_2", torch.full((2, 1), torch.nan), ValueError, r"weights\[1\] must be finite"),
        ("W_2", torch.ones(2, 3, dtype=torch.float64), ValueError, r"weights\[1\] must have 1 columns"),
        ("power", 0, ValueError, "power must be"),
        ("leak", "x", TypeError, "leak must be"),
        ("hidden_layers", None, TypeError, "state.'hidden_layers'. must be an integer"),
        ("hidden_layers", 3, ValueError, "differs in 'W_4'"),
        ("hidden_layers", 1, ValueError, "differs in 'W_3'"),
        ("more", 1, ValueError, "differs in 'more'"),
    ],
)
def test_a_wrong_entry_of_a_network_is_named(name, value, error, message):
    with pytest.raises(error, match=message):
        HomogeneousNetwork.from_state_dict(NETWORK.state_dict() | {name: value})


def test_what_is_no_state_of_a_network_is_refused():
    with pytest.raises(TypeError, match="state must be a dictionary as state_dict"):
        HomogeneousNetwork.from_state_dict([1])  # type: ignore[arg-type]
