"""What a session remembers: bounded, true, and enough to go back, to branch and to do all again."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import np_widgets as npw
from np_widgets.learning.engine import Landmark
from np_widgets.problems import kumar_haupt
from np_widgets.sessions.history import History
from np_widgets.sessions.moments import Moment
from tests.bits import bits
from tests.session_engines import Counter

PROBLEM = kumar_haupt(samples=30, seed=1, test_samples=10)
INPUTS = PROBLEM.inputs.shape[1]


def pursuit(**options: Any) -> npw.NeuronPursuit:
    return npw.NeuronPursuit(PROBLEM, **{"starts": 3, "max_steps": 60, "max_additions": 2, "seed": 3} | options)


def flow() -> npw.SaddleFlow:
    return npw.SaddleFlow(None, PROBLEM, (1,), scale=2e-2, power=2, starts=2, hidden_layers=1)


class Growing(Counter):
    """Something notable happens at every 40th advance, and every frame and state has an array of its own."""

    size = 100

    @property
    def landmark(self) -> Landmark | None:
        return Landmark(self.count // 40, f"addition {self.count // 40}") if self.count >= 40 else None

    def frame(self) -> Any:
        frame = super().frame()
        object.__setattr__(frame, "picture", np.zeros(self.size))
        return frame

    def state(self) -> dict[str, Any]:
        return super().state() | {"picture": np.zeros(self.size)}


def kinds(session: npw.Session) -> list[tuple[int, bool]]:
    return [(moment.advance, moment.can_go_on) for moment in session.history.moments]


def test_landmarks_commands_and_the_last_frame_are_kept_with_their_states_and_words():
    with npw.Session(Growing()) as session:
        session.step(45)
        session.add_neuron(3)
        session.wait()
        session.step(2)
        assert [(moment.advance, moment.label) for moment in session.history.moments if moment.can_go_on] == [
            (0, "the beginning"),
            (40, "addition 1"),
            (45, "before add_neuron(layer=3)"),
        ]
        for moment in session.history.moments:
            assert session.history.frame(moment).count == moment.advance
        assert session.history.frame(session.history.moments[-1]) is session.frame


def test_moments_know_how_many_seconds_of_computing_led_there():
    with npw.Session(Growing()) as session:
        began = time.perf_counter()
        session.step(45)
        time.sleep(0.05)  # a pause is no computing
        session.step(50)
        took, history = time.perf_counter() - began, session.history
        seconds = [kept.seconds for kept in history.all_kept()]
        assert seconds == sorted(seconds) == list(history.to_frame()["seconds"])
        assert 0 == seconds[0] < seconds[-1] == history.seconds <= took - 0.05
        session.undo()
        assert history.seconds in seconds[:-1]


def test_what_is_kept_does_not_depend_on_the_clock():
    kept = []
    for watched in (False, True):
        with npw.Session(Growing(limit=700), history_bytes=30_000) as session:
            if watched:
                session.observe(lambda frame, status: None)
            session.resume()
            session.wait()
            kept.append(kinds(session))
    assert kept[0] == kept[1]


@pytest.mark.parametrize("budget", [0, 5_000, 60_000, 400_000])
def test_the_budget_holds_for_any_length_of_run(budget):
    with npw.Session(Growing(limit=5000), history_bytes=budget) as session:
        session.resume()
        session.wait()
        history = session.history
        least = 2 * 8 * Growing.size + 3000  # the first and the last moment are kept in any case
        assert history.nbytes <= max(budget, 2 * least)
        assert history.moments[0].advance == 0
        assert history.moments[0].can_go_on
        assert history.moments[-1].advance == 5000
        for moment in history.moments:
            assert history.frame(moment).count == moment.advance
        if budget >= 60_000:
            assert history.nbytes > budget / 4


def test_frames_beside_the_notable_ones_are_evenly_spaced_and_at_most_a_thousand():
    with npw.Session(Counter(limit=40_000)) as session:
        session.resume()
        session.wait()
        advances = [moment.advance for moment in session.history.moments]
    assert len(advances) <= 1002
    assert set(np.diff(advances[:-1])) == {64}


def test_what_moments_share_is_counted_once():
    shared = torch.zeros(10_000)

    class Sharing(Counter):
        def frame(self) -> Any:
            frame = super().frame()
            object.__setattr__(frame, "picture", (shared[:50], shared.numpy()[10:]))
            return frame

    with npw.Session(Sharing()) as session:
        session.step(1)
        before = session.history.nbytes
        session.step(100)
        assert 40_000 < before < session.history.nbytes < 120_000  # each for itself they would take millions


def test_moments_that_are_gone_are_refused():
    with npw.Session(Growing()) as session:
        session.step(30)
        first, other = session.history.moments[:2]
        with pytest.raises(ValueError, match="can_go_on"):
            session.branch(other)
        with pytest.raises(ValueError, match="still kept"):
            session.history.frame(Moment(99, 0, "no"))
        with pytest.raises(TypeError, match="moment must be"):
            session.branch(0)  # type: ignore[arg-type]
        assert session.history.frame(first).count == 0


def test_undo_goes_back_behind_additions_and_commands_one_by_one():
    with npw.Session(Growing()) as session:
        with pytest.raises(RuntimeError, match="nothing to undo"):
            session.undo()
        session.step(45)
        session.set_minimizer("slow")
        session.step(50)
        counts = []
        for _ in range(2):
            session.undo()
            assert session.status == "paused"
            counts.append((session.frame.count, session.history.moments[-1].advance, len(session.history.log)))
            if counts[-1][0] == 45:
                assert session.engine.state()["rate"] == 3.9
        with pytest.raises(RuntimeError, match="nothing to undo"):
            session.undo()
    assert counts == [(45, 45, 0), (0, 0, 0)]


def test_a_reset_can_be_undone_and_a_refused_command_leaves_no_trace():
    with npw.Session(pursuit()) as session:
        session.step(12)
        before, moments = bits(session.engine.state()), session.history.moments
        with pytest.raises(ValueError, match="layer"):
            session.add_neuron(17)
        assert (session.history.moments, session.history.log) == (moments, ())
        session.reset(seed=5)
        session.step(3)
        session.undo()
        assert bits(session.engine.state()) == before
        assert session.history.log == ()


def test_undo_of_an_addition_is_where_the_network_before_was_trained():
    with npw.Session(pursuit()) as session:
        session.resume()
        session.wait()
        widths = session.frame.growth[-2].widths
        session.undo()
        assert len(session.frame.growth) == 2
        assert session.frame.widths == widths
        assert session.status == "paused"
        assert session.frame.phase == "searching"


def test_a_branch_goes_on_and_leaves_the_old_session_as_it_is():
    with npw.Session(pursuit()) as session:
        session.resume()
        session.wait()
        old, moments = bits(session.engine.state()), session.history.moments
        at = next(moment for moment in moments if moment.label.startswith("network 2 begun"))
        with session.branch(at) as branch:
            assert branch.status == "paused"
            assert branch.frame.message == session.history.frame(at).message
            branch.resume()
            branch.wait()
            assert bits(branch.engine.state()) == old  # the same way on
            branch.add_neuron(1)
            branch.wait()
            assert bits(branch.replay().state()) == bits(branch.engine.state())
        assert (bits(session.engine.state()), session.history.moments) == (old, moments)


COMMANDS = st.one_of(
    st.tuples(st.just("step"), st.integers(1, 25)),
    st.tuples(st.just("run"), st.just(0)),
    st.tuples(st.just("add"), st.sampled_from([None, 1, 2])),
    st.tuples(st.just("candidate"), st.integers(0, 9)),
    st.tuples(st.just("own"), st.lists(st.floats(-1, 1, width=16), min_size=5, max_size=5)),
    st.tuples(st.just("minimizer"), st.sampled_from(["adam", "lbfgs", "auto"])),
    st.tuples(st.just("reset"), st.integers(0, 5)),
    st.tuples(st.just("undo"), st.just(0)),
    st.tuples(st.just("branch"), st.integers(0, 9)),
)


def obey(session: npw.Session, name: str, value: Any) -> npw.Session:
    try:
        if name == "step":
            session.step(value)
        elif name == "run":  # as far as the clock lets it
            session.resume()
            session.pause()
        elif name == "add":
            session.add_neuron(value)
            session.pause()
        elif name == "candidate":
            session.step()
            session.add_neuron(candidate=value % max(len(session.frame.candidates), 1))
            session.pause()
        elif name == "own":
            session.step(60)  # what was asked for before comes first
            session.add_neuron(1, incoming=(value * INPUTS)[:INPUTS])
            session.pause()
        elif name == "minimizer":
            session.set_minimizer(value)
        elif name == "reset":
            session.reset(seed=value)
        elif name == "undo":
            session.undo()
        else:
            able = [moment for moment in session.history.moments if moment.can_go_on]
            branch = session.branch(able[value % len(able)])
            session.close()
            return branch
    except (RuntimeError, ValueError) as error:
        refused = (
            "nothing to undo",
            "needs a network",
            "before a search has found any",
            "must have a direction",
            "outgoing must be given",
            "first those asked for",
        )
        assert any(words in str(error) for words in refused)  # noqa: PT017
    return session


@settings(max_examples=50, deadline=None)
@given(has_network=st.booleans(), sequence=st.lists(COMMANDS, min_size=2, max_size=8))
def test_replay_gives_the_same_bits(has_network, sequence):
    session = npw.Session(pursuit(max_steps=30, starts=2))
    while has_network and session.frame.iteration < 2:  # then there are candidates, and neurons may join
        session.step(20)
    for name, value in sequence:
        session = obey(session, name, value)
    with session:
        session.pause()
        assert bits(session.replay().state()) == bits(session.engine.state())


def test_replay_of_a_saddle_flow_with_an_undo_gives_the_same_bits():
    with npw.Session(flow()) as session:
        session.step(8)
        session.apply("aim", None)
        session.step(3)
        session.undo()
        session.reset(seed=2)
        session.step(5)
        assert bits(session.replay().state()) == bits(session.engine.state())


@pytest.mark.exact_data("the code makes the problem anew")
@pytest.mark.parametrize("kind", ["pursuit", "begun", "standardized", "flow", "fixed", "near a network"])
def test_the_code_gives_the_same_bits_in_this_process_and_in_a_fresh_one(kind):
    problem = kumar_haupt(30, seed=1, test_samples=10)
    if kind == "standardized":
        problem = problem.standardized()
    x = torch.linspace(-1, 1, 9, dtype=torch.float64).unsqueeze(1)
    network = npw.HomogeneousNetwork([[[1.1]], [[1 / 1.1]]], leak=1.0)
    engine: Any = {
        "pursuit": lambda: npw.NeuronPursuit(problem, starts=3, max_steps=60, seed=3, target_loss=1e-5),
        "standardized": lambda: npw.NeuronPursuit(problem, dtype=torch.float32, starts=3, max_steps=60),
        "begun": lambda: pursuit(network=npw.HomogeneousNetwork([np.ones((2, 20)), np.eye(2), [[1, -1.0]]])),
        "flow": flow,
        "fixed": lambda: npw.FixedNetwork(problem, (3, 2), "small", scale=0.1, max_steps=1500),
        "near a network": lambda: npw.SaddleFlow(network, npw.Problem(x, x[:, 0]), (1,), scale=1e-3, starts=2),
    }[kind]()
    with npw.Session(engine) as session:
        session.step(10)
        session.reset(seed=4)
        session.step(12)
        if "pursuit" in kind:
            session.add_neuron(1)
            session.wait()
        code, theta = session.to_code(), [weight.tobytes() for weight in session.frame.weights]
    if kind == "near a network":
        assert "fill in: these were your own data" in code
        code = code.replace("npw.Problem(inputs, targets)", "npw.Problem(x, x[:, 0])")
        code = "import torch\nx = torch.linspace(-1, 1, 9, dtype=torch.float64).unsqueeze(1)\n" + code
    if kind in ("begun", "standardized", "fixed", "near a network"):
        made: dict[str, Any] = {}
        exec(code, made)
        made["session"].close()
        assert [weight.tobytes() for weight in made["session"].frame.weights] == theta
        return
    tail = "\nprint([w.tobytes() for w in session.frame.weights])"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(theta)


def test_recipes_are_the_calls_that_make_the_problems():
    for problem in (
        kumar_haupt(samples=20),
        npw.problems.curve("hat", samples=9),
        npw.problems.two_moons(20, seed=2).standardized(constant=False),
        npw.problems.sparse_parity(seed=3),
    ):
        again = eval("npw." + problem.recipe)
        assert torch.equal(again.inputs, problem.inputs)
        assert torch.equal(again.targets, problem.targets)
    assert npw.Problem([[1.0]], [1.0]).recipe is None
    assert npw.problems.curve(torch.sin, samples=9).recipe is None


def test_histories_and_growth_are_data_frames():
    with npw.Session(pursuit()) as session:
        session.resume()
        session.wait()
        table = session.history.to_frame()
        assert list(table["advance"]) == [moment.advance for moment in session.history.moments]
        assert table["loss"].iloc[-1] == session.frame.loss
        growth = session.engine.growth_to_frame()  # type: ignore[attr-defined]
        assert list(growth["loss"]) == [record.loss for record in session.frame.growth]
        assert list(growth["width_1"]) == [record.widths[0] for record in session.frame.growth]
        again = pd.read_csv(io.StringIO(growth.to_csv(index=False)))
        assert list(again["test_loss"]) == pytest.approx([record.test_loss for record in session.frame.growth])


def test_records_of_flows_are_data_frames():
    engine = flow()
    while len(engine.record.time) < 3:
        engine.advance()
    record, table = engine.record, engine.record.to_frame()
    for name in ("time", "loss", "dormant_norm", "active_norm", "drift"):
        np.testing.assert_array_equal(table[name], getattr(record, name))
    for column, (layer, index) in enumerate(record.neurons):
        np.testing.assert_array_equal(table[f"neuron_norm_{layer}_{index}"], record.neuron_norm[:, column])
    assert "neurons" not in table
    assert len(table) == len(record.time)


def test_200_sessions_with_history_leave_nothing():
    def census() -> int:
        gc.collect()
        return sum(isinstance(each, (History, npw.Session, Growing)) for each in gc.get_objects())

    threads, objects = threading.active_count(), census()
    for _ in range(200):
        with npw.Session(Growing()) as session:
            session.step(41)
            session.add_neuron()
            session.branch(session.history.moments[0]).close()
            session.undo()
    del session
    assert (threading.active_count(), census()) == (threads, objects)
