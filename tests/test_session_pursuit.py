"""Neuron Pursuit in a session: bitwise what it does alone, however it is sliced, steered and disturbed."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.states import same
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session


def small_problem() -> Problem:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(25, 3, generator=generator, dtype=torch.float64)
    first, second = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.0, -1.5]], dtype=torch.float64)
    return Problem(inputs, torch.relu(inputs @ first) - torch.relu(inputs @ second))


def small_pursuit(**options: Any) -> NeuronPursuit:
    defaults: dict[str, Any] = {"starts": 3, "max_additions": 2, "max_steps": 600, "minimizer": "adam"}
    return NeuronPursuit(small_problem(), **(defaults | options))


def advanced(pursuit: NeuronPursuit, count: int) -> NeuronPursuit:
    for _ in range(count):
        pursuit.advance()
    return pursuit


def assert_same_bits(frame: PursuitFrame, twin: PursuitFrame) -> None:
    assert frame.widths == twin.widths
    assert all(np.array_equal(one, other) for one, other in zip(frame.weights, twin.weights, strict=True))
    for name in ("phase", "iteration", "message", "loss", "step", "total_steps", "growth", "candidates", "finished"):
        assert getattr(frame, name) == getattr(twin, name), name
    assert np.array_equal(frame.trace_losses, twin.trace_losses)


actions = st.one_of(
    st.builds(lambda layer: ("add_neuron", {"layer": layer}), st.sampled_from([None, 1, 2])),
    st.builds(
        lambda name: ("set_minimizer", {"minimizer": name}),
        st.sampled_from(["gradient_descent", "lbfgs", "levenberg_marquardt", "auto"]),
    ),
    st.builds(lambda seed: ("reset", {"seed": seed}), st.integers(0, 3)),
)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2),
    plan=st.lists(st.tuples(st.integers(0, 40), actions), min_size=1, max_size=3),
    data=st.data(),
)
def test_same_seed_and_same_commands_at_the_same_steps_give_the_same_bits(seed, plan, data):
    twin = small_pursuit(seed=seed)
    with Session(small_pursuit(seed=seed)) as session:
        for gap, (name, arguments) in plan:
            left = gap
            while left:
                part = data.draw(st.integers(1, left))
                left -= part
                match data.draw(st.sampled_from(["step", "run", "refused", "slow"])):
                    case "run":
                        run_for(session, part)
                        continue
                    case "refused":
                        with pytest.raises(ValueError, match="layer"):
                            session.add_neuron(layer=3)
                    case "slow":
                        session.speed = 1e4
                        session.submit("step", part).result(60)
                        session.speed = None
                        continue
                session.step(part)
            advanced(twin, gap)
            before = twin.state()
            try:
                getattr(twin, name)(**arguments)
            except RuntimeError:
                assert same(before, twin.state())
                with pytest.raises(RuntimeError, match="needs a network"):
                    session.apply(name, **arguments)
            else:
                session.apply(name, **arguments)
                session.wait()
                while twin.requested:  # a paused session goes on for a neuron that was asked for
                    twin.advance()
            assert_same_bits(session.frame, twin.frame())
        session.step(20)
        advanced(twin, 20)
        assert_same_bits(session.frame, twin.frame())
        assert same(session.engine.state(), twin.state())


def run_for(session: Session, count: int) -> None:
    """Resume, and pause after exactly ``count`` advances."""
    left = count

    def count_down(frame: PursuitFrame, status: str) -> None:
        nonlocal left
        left -= 1
        if left == -1:  # the first call is for the change of status, before any advance
            session.pause()

    end = session.observe(count_down)
    session.resume()
    session.wait()
    end()


class Stumbling(NeuronPursuit):
    """Raises once, after its ``at``-th advance has already changed everything."""

    at = -1
    calls = 0

    def _advance(self) -> None:
        super()._advance()
        self.calls += 1
        if self.calls == self.at:
            raise torch.OutOfMemoryError("out of memory")


def test_a_pursuit_that_failed_anywhere_goes_on_as_if_it_had_not():
    options: dict[str, Any] = {"hidden_layers": 2, "starts": 3, "max_additions": 1, "max_steps": 300}
    twin = NeuronPursuit(small_problem(), **options)
    frames = [twin.frame()]
    while twin.finished is None:
        twin.advance()
        frames.append(twin.frame())
    assert {frame.phase for frame in frames} == {"ready", "origin", "minimizing", "searching", "finished"}
    pursuit = Stumbling(small_problem(), **options)
    with Session(pursuit) as session:
        for at in range(1, len(frames)):
            pursuit.at, pursuit.calls = at, 0
            session.reset()
            session.resume()
            session.wait()
            assert session.status == "failed"
            assert isinstance(session.error, torch.OutOfMemoryError)
            assert_same_bits(session.frame, frames[at - 1])
            if at % 5 == 0 or at == len(frames) - 1:
                session.resume()
                session.wait()
                session.raise_if_failed()
                assert_same_bits(session.frame, frames[-1])


@pytest.mark.parametrize(("before", "layer", "after"), [((1, 1), 1, (2, 1)), ((2, 1), 2, (2, 2))])
def test_a_finished_pursuit_takes_a_neuron_in_a_chosen_layer(before, layer, after):
    with Session(small_pursuit(max_additions=sum(before) - 2)) as session:
        session.resume()
        session.wait()
        assert session.status == "finished"
        assert session.frame.widths == before
        session.add_neuron(layer)
        assert session.wait(60)
        assert session.status in ("paused", "finished")
        assert not session.engine.requested
        assert session.frame.growth[-1].layer == layer
        assert session.frame.widths == after
        assert all(candidate.layer == layer for candidate in session.frame.candidates)


def test_a_running_pursuit_takes_a_neuron_at_once():
    with Session(small_pursuit(max_additions=1, minimizer="gradient_descent", max_steps=10**9)) as session:
        session.resume()
        frame = session.frame
        while frame.phase != "minimizing":
            frame = session.next_frame(frame, timeout=60)
        session.speed = 1e-300  # time for a look
        session.add_neuron(1)
        assert session.status == "running"
        assert session.frame.phase == "searching"
        assert session.frame.growth[-1].widths == (1, 1)
        session.speed = None
        while frame.widths != (2, 1):
            frame = session.next_frame(frame, timeout=60)


def test_neurons_asked_for_at_rest_come_one_after_the_other():
    twin = small_pursuit()
    twin.run(0)
    with Session(small_pursuit()) as session:
        while not (session.frame.growth and session.frame.loss == twin.loss):
            session.step()
        for layer in (1, 2):
            session.submit("add_neuron", layer)
        assert session.wait(60)
        assert session.frame.widths == (2, 2)
        assert [record.layer for record in session.frame.growth[1:]] == [1, 2]
        session.add_neuron(2)
        assert session.wait(60)
        assert session.frame.widths == (2, 3)


def test_reset_starts_over_with_what_is_changed():
    with Session(small_pursuit()) as session:
        session.resume()
        session.wait()
        first = session.frame
        session.reset()
        assert session.status == "paused"
        assert session.frame.phase == "ready"
        assert session.frame.weights == ()
        session.resume()
        session.wait()
        assert_same_bits(session.frame, first)
        session.reset(hidden_layers=1, power=2, minimizer="lbfgs", seed=7)
        session.resume()
        session.wait()
        frame = session.frame
        assert (len(frame.widths), frame.power, frame.minimizer, frame.seed) == (1, 2, "lbfgs", 7)


@pytest.mark.parametrize(
    ("action", "arguments", "error", "message"),
    [
        ("add_neuron", {}, RuntimeError, "needs a network"),
        ("add_neuron", {"layer": 3}, ValueError, "layer must be an integer from 1 to 2"),
        ("set_minimizer", {"minimizer": "best"}, ValueError, "minimizer must be one of"),
        ("reset", {"seed": -1}, ValueError, "seed must be an integer"),
        ("reset", {"colour": "red"}, TypeError, "colour"),
        ("run", {}, RuntimeError, "a Session drives it"),
    ],
)
def test_what_a_pursuit_refuses_comes_to_the_caller_and_changes_nothing(action, arguments, error, message):
    pursuit = small_pursuit()
    before = pursuit.state()
    with Session(pursuit) as session:
        with pytest.raises(error, match=message):
            session.apply(action, **arguments)
        assert session.status == "paused"
    assert same(pursuit.state(), before)


def test_a_pursuit_can_be_run_again_once_its_session_is_closed():
    pursuit, twin = small_pursuit(), small_pursuit()
    with Session(pursuit) as session:
        session.step(25)
    pursuit.run()
    twin.run()
    assert_same_bits(pursuit.frame(), twin.frame())


def test_it_pauses_after_each_neuron_that_is_trained():
    alone = small_pursuit()
    alone.run()
    with Session(small_pursuit()) as session:
        assert session.pauses is False
        session.pauses = True
        trained = []
        while session.frame.finished is None:
            session.resume()
            assert session.wait(60)
            trained.append(len(session.frame.growth))
        assert trained == [1, 2, 3]
        assert_same_bits(session.frame, alone.frame())
        session.reset()
        session.step(3)  # steps are not cut short
        session.pauses = False
        session.resume()
        assert session.wait(60)
        assert_same_bits(session.frame, alone.frame())
        with pytest.raises(TypeError, match="pauses must be"):
            session.pauses = cast(Any, 1)
