"""SaddleFlow as an engine: the same bits however it is sliced, sound frames, and goals that are met exactly."""

from __future__ import annotations

import dataclasses
import signal
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings

import np_widgets as npw
from np_widgets.learning.saddles import passage, prediction
from np_widgets.learning.saddles.frames import SaddleFrame
from tests import saddles
from tests.saddles import small_flow

OPTIONS: dict[str, dict[str, Any]] = {
    "relu": {},
    "descent": {"dynamics": "descent", "step_size": 0.1},
    "squared": {"power": 2},
}


def flow_of(kind):
    if kind == "squared":
        return npw.SaddleFlow(saddles.saddle(1, 2), saddles.teacher(1, 2), 2, 1e-2, starts=4)
    return small_flow(scale=1e-2, starts=4, **OPTIONS[kind])


def fingerprint(value):
    """Something that differs where a bit differs."""
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if dataclasses.is_dataclass(value):
        return tuple(fingerprint(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, (tuple, list)):
        return tuple(map(fingerprint, value))
    return repr(value)


@pytest.fixture(scope="module", autouse=True)
def short_quanta():
    """So that there are many of them in every phase."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passage, "_MOST_STEPS_PER_QUANTUM", 5)
        patch.setattr(prediction, "_STEPS_PER_QUANTUM", 9)
        patch.setattr(passage, "_COMPARISON_BATCH", 1500)
        yield


@pytest.fixture(scope="module", params=OPTIONS)
def journey(request):
    """A whole run to the next saddle: a state and a fingerprint after every advance."""
    flow = flow_of(request.param)
    states, prints, frames = [flow.state()], [fingerprint(flow.frame())], [flow.frame()]
    while flow.finished is None:
        flow.advance()
        states.append(flow.state())
        frames.append(flow.frame())
        prints.append(fingerprint(frames[-1]))
    return request.param, states, prints, frames


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_restored_anywhere_it_goes_on_with_the_same_bits(journey, data):
    kind, states, prints, _ = journey
    at = data.draw(st.integers(0, len(states) - 2), label="at")
    # (each of these comes from a state that may be drawn itself)
    count = data.draw(st.integers(1, 2), label="advances")
    flow = flow_of(kind)
    for _ in range(data.draw(st.integers(0, 3), label="before")):
        flow.advance()
    flow.restore(states[at])
    assert fingerprint(flow.frame()) == prints[at]
    for step in range(at + 1, min(at + count, len(states) - 1) + 1):
        flow.advance()
        assert fingerprint(flow.frame()) == prints[step]


def test_driven_in_one_go_it_gives_the_same_bits_as_advance_by_advance(journey):
    kind, _, prints, _ = journey
    flow = flow_of(kind)
    flow.run_to("next saddle")
    assert fingerprint(flow.frame()) == prints[-1]


def test_looking_changes_nothing(journey):
    kind, _, prints, frames = journey
    flow = flow_of(kind)
    for _ in range(len(frames) // 2):
        flow.advance()
    state = flow.state()
    first, second = fingerprint(flow.frame()), fingerprint(flow.frame())
    assert first == second == prints[len(frames) // 2]
    assert flow.state()["now"] is state["now"]
    assert flow.record.time.tolist() == flow.frame().record.time.tolist()


def test_frames_are_frozen_and_consistent(journey):
    kind, _, _, frames = journey
    phases = list(dict.fromkeys(frame.phase for frame in frames))
    every = ("ready", "searching", "near the saddle", "escaping", "comparing", "finished")
    assert phases == [phase for phase in every if phase in phases]
    assert {"ready", "searching", "near the saddle", "escaping", "finished"} <= set(phases)
    for before, frame in pairwise(frames):
        assert frame.time >= before.time or frame.phase in ("comparing", "finished")
        assert frame.events[: len(before.events)] == before.events
    for frame in frames:
        record, count = frame.record, len(frame.record.time)
        assert frame.message.strip().endswith(".")
        assert frame.progress is None or 0 <= frame.progress <= 1
        assert count == len(frame.history) >= 1
        assert np.all(np.diff(record.time) > 0)
        assert record.time[-1] == frame.time
        assert record.loss[-1] == frame.loss
        for field in dataclasses.fields(record):
            assert len(getattr(record, field.name)) == (len(record.neurons) if field.name == "neurons" else count)
        assert record.neuron_norm.shape == (count, len(record.neurons)) == (count, sum(frame.dormant))
        for cosines in (record.neuron_cosine, record.neuron_agreement):
            finite = cosines[np.isfinite(cosines)]
            assert np.all(np.abs(finite) <= 1 + 1e-12)
        assert np.all(record.neuron_residual[np.isfinite(record.neuron_residual)] >= 0)
        times = [event.time for event in frame.events]
        assert times == sorted(times)
        assert {event.kind for event in frame.events} <= {"aligned", "escaped", "saddle"}
        assert all(np.array_equal(a, b) for a, b in zip(frame.history[-1], frame.weights, strict=True))
        np.testing.assert_allclose(
            record.dormant_norm[-1] ** 2 + record.active_norm[-1] ** 2, sum((w**2).sum() for w in frame.weights)
        )
    last = frames[-1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        last.phase = "ready"
    assert last.network.widths == last.widths
    assert last.finished
    assert last.phase == "finished"
    assert kind != "descent" or last.time == pytest.approx(last.steps * 0.1)


def test_a_frame_does_not_reach_into_the_flow():
    flow = small_flow()
    flow.run(1.0)
    frame = flow.frame()
    before = fingerprint(frame)
    shared = [*frame.weights, *frame.history[0], *frame.history[-1], *frame.active]
    for theory in frame.predictions:
        shared += [theory.time, theory.neuron_norm, theory.destinations[0].incoming]
    for array in shared:
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    network = flow.network
    for weight in network.weights:
        weight.fill_(7.0)
    for array in (flow.record.loss, flow.record.time):
        array[:] = -1.0
    assert fingerprint(flow.frame()) == before


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    prints = []
    for seed in (3, 3, 4):
        flow = small_flow(seed)
        flow.run(2.0)
        prints.append(fingerprint(flow.frame()))
    assert prints[0] == prints[1] != prints[2]


# ---------------------------------------------------------------------------------------------------------- goals


def test_a_run_ends_exactly_at_the_time_asked_for():
    flow = small_flow()
    for until in (0.1, 1.0, 1.0 + 2**-40, 3.3, 5):
        reason = flow.run(until)
        assert flow.time == until
        assert flow.record.time[-1] == until
        assert reason == flow.finished
        assert "is reached" in reason
    descent = small_flow(dynamics="descent", step_size=0.25)
    descent.run(3.1)
    assert (descent.time, descent.frame().steps) == (3.25, 13)


@pytest.mark.parametrize("kind", ["relu", "squared"])
def test_a_run_to_the_escape_ends_exactly_where_the_norm_is_the_one_that_counts(kind):
    flow = flow_of(kind)
    reason = flow.run_to("escape")
    norm = flow.prediction.escape_norm
    (active,) = flow.frame().started_active
    incoming, outgoing = flow.frame().history[0]
    at_start = np.hypot(np.linalg.norm(incoming[:active]), np.linalg.norm(outgoing[:, :active]))
    assert norm == pytest.approx(0.03 * at_start, rel=1e-12)
    assert flow.record.dormant_norm[-1] == pytest.approx(norm, rel=1e-9)
    assert np.all(flow.record.dormant_norm[:-1] < norm)
    (event,) = [event for event in flow.events if event.kind == "escaped"]
    assert event.time == flow.time
    assert event.message == reason == flow.finished
    assert event.loss == flow.loss


def test_descent_escapes_with_the_first_step_that_is_out():
    flow = flow_of("descent")
    flow.run_to("escape")
    assert flow.time == pytest.approx(flow.frame().steps * 0.1)
    norms = flow.record.dormant_norm
    assert norms[-1] >= flow.prediction.escape_norm > norms[-2]


def test_goals_can_be_changed_on_the_way_and_an_escape_happens_once():
    flow = small_flow(scale=1e-2)
    assert flow.frame().goal == "next saddle"
    flow.run(0.5)
    time = saddles.escape_time(flow)
    flow.aim(None)
    assert flow.finished is None
    flow.advance()
    assert flow.time > time
    flow.aim(flow.time + 0.5)
    flow.aim("next saddle")
    while flow.finished is None:
        flow.advance()
    assert [event.kind for event in flow.events if event.kind != "aligned"] == ["escaped", "saddle"]
    direct = small_flow(scale=1e-2)
    direct.run_to("next saddle")
    assert flow.awakenings[0].awake == direct.awakenings[0].awake
    assert flow.awakenings[0].escape_time == pytest.approx(direct.awakenings[0].escape_time, rel=1e-3)
    assert flow.awakenings[0].loss == pytest.approx(direct.awakenings[0].loss, rel=1e-2)


def test_reset_starts_over_with_what_is_changed():
    flow = small_flow()
    flow.run(2.0)
    first = fingerprint(flow.frame())
    flow.reset()
    assert (flow.time, flow.events, flow.prediction, flow.finished) == (0.0, (), None, None)
    flow.run(2.0)
    assert fingerprint(flow.frame()) == first
    flow.reset(seed=5, scale=2e-3, dormant=3, dynamics="descent", step_size=0.1)
    frame = flow.frame()
    assert (frame.seed, frame.scale, frame.dormant, frame.dynamics, frame.step_size) == (5, 2e-3, (3,), "descent", 0.1)
    assert frame.record.dormant_norm[0] == pytest.approx(2e-3, rel=1e-12)
    flow.run(1.0)
    other = small_flow(5, scale=2e-3, dormant=3, dynamics="descent", step_size=0.1)
    other.run(1.0)
    assert fingerprint(flow.frame()) == fingerprint(other.frame())
    point = saddles.best_point()
    flow.reset(dormant=(point,), dynamics="flow")
    assert flow.frame().dormant == (1,)
    assert flow.settings.dormant == (point,)


def test_a_record_stays_bounded_and_evenly_spread():
    flow = npw.SaddleFlow(*saddles.fitted(), 2, 1e-3, dynamics="descent", step_size=0.1, starts=4)
    flow.run(200.0)
    record = flow.record
    assert flow.frame().steps == 2000
    assert 150 <= len(record.time) <= 400
    assert (record.time[0], record.time[-1]) == (0.0, 200.0)
    gaps = np.diff(record.time)
    assert gaps.max() <= 2.1 * np.median(gaps)


def test_a_record_keeps_the_events():
    flow = flow_of("descent")
    flow.run_to("next saddle")
    times = {event.kind: event.time for event in flow.events}
    assert times["escaped"] in flow.record.time
    assert times["saddle"] == flow.record.time[-1]


# --------------------------------------------------------------------------------------------- while it is driven


def test_an_interrupted_run_goes_on_as_if_it_had_not_been():
    flow, calls = small_flow(scale=1e-2), []

    def press(frame):
        calls.append(frame)
        if len(calls) == 14:
            signal.raise_signal(signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    assert flow.run_to("escape", callback=press) == "Interrupted; run it again to go on."
    assert signal.getsignal(signal.SIGINT) is handler
    assert flow.finished is None
    assert len(calls) == 14
    flow.run_to("escape")
    twin = small_flow(scale=1e-2)
    twin.run_to("escape")
    assert fingerprint(flow.frame()) == fingerprint(twin.frame())


def test_the_callback_sees_every_quantum_and_the_bar_says_what_is_going_on(capsys):
    flow = small_flow(scale=1e-2)
    frames: list[SaddleFrame] = []
    threads = torch.get_num_threads()
    flow.run_to("escape", progress=True, callback=frames.append)
    assert frames[-1].finished == flow.finished
    assert len({id(frame) for frame in frames}) == len(frames) > 5
    shown = capsys.readouterr().err
    assert "nothing has been computed yet" in shown
    assert "Escaped at time" in shown
    assert torch.get_num_threads() == threads


def test_what_a_session_drives_cannot_be_run_by_anybody_else():
    flow = small_flow()
    flow.claim("a Session")
    for run in (lambda: flow.run(1.0), lambda: flow.run_to("escape")):
        with pytest.raises(RuntimeError, match="Session"):
            run()
    assert flow.frame().goal == "next saddle"
    flow.release()
    flow.run(1.0)


def test_wherever_in_a_step_the_escape_comes_nothing_later_stands_before_it():
    for scale in (1.8e-2, 2e-2, 2.2e-2, 2.5e-2):  # so that several records are made within a step
        flow = npw.SaddleFlow(saddles.saddle(1, 2), saddles.teacher(1, 2), 2, scale, starts=4)
        flow.run_to("escape")
        flow.run(until=flow.time + 5)
        (event,) = [event for event in flow.events if event.kind == "escaped"]
        assert np.all(np.diff(flow.record.time) > 0)
        escaped = flow.record.dormant_norm >= flow.prediction.escape_norm * (1 - 1e-9)
        np.testing.assert_array_equal(escaped, flow.record.time >= event.time)
