"""What goes wrong inside a session: engines, frames and observers that raise."""

from __future__ import annotations

import copy
import math
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from np_widgets.learning.states import same
from np_widgets.sessions.session import Session
from tests.session_engines import Counter, CounterFrame, Faulty

ERRORS = [
    ValueError("bad value"),
    RuntimeError("CUDA error"),
    torch.OutOfMemoryError("out of memory"),
    MemoryError(),
    StopIteration(),
    KeyboardInterrupt(),
    SystemExit(1),
    GeneratorExit(),
]


def advanced(count: int) -> CounterFrame:
    engine = Counter()
    for _ in range(count):
        engine.advance()
    return engine.frame()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_failing_advance_leaves_the_last_good_state_and_frame(error):
    with Session(Faulty(error, at=37)) as session:
        session.resume()
        assert session.wait()
        assert session.status == "failed"
        assert session.error is error
        assert session.frame == advanced(37)
        assert session.engine.frame() == advanced(37)
        with pytest.raises(RuntimeError, match=f"the session failed: {type(error).__name__}") as caught:
            session.raise_if_failed()
        assert caught.value.__cause__ is error


def test_the_caller_of_a_step_that_fails_is_told():
    error = ValueError("bad value")
    with Session(Faulty(error, at=3)) as session:
        with pytest.raises(RuntimeError, match="the session failed: ValueError: bad value") as caught:
            session.step(5)
        assert caught.value.__cause__ is error
        assert session.status == "failed"
        assert session.frame.count == 3
        with pytest.raises(RuntimeError, match="the session failed"):
            session.submit("step").result(60)


def test_a_failure_is_over_when_the_cause_is_removed():
    with Session(Faulty(ValueError("bad value"), at=3, limit=6)) as session:
        session.resume()
        session.wait()
        session.pause()
        session.apply("repair")
        assert session.status == "failed"
        with pytest.raises(RuntimeError, match="bad value"):
            session.raise_if_failed()
        session.resume()
        assert session.wait()
        assert session.status == "finished"
        assert session.frame.values == advanced(6).values
        session.raise_if_failed()


@pytest.mark.parametrize("way", ["resume", "step"])
def test_going_on_after_a_failure_fails_again_at_the_same_place(way):
    error = ValueError("bad value")
    with Session(Faulty(error, at=3)) as session:
        session.resume()
        session.wait()
        if way == "resume":
            session.resume()
        else:
            with pytest.raises(RuntimeError):
                session.step()
        assert session.wait()
        assert session.status == "failed"
        assert session.frame == advanced(3)


def test_reset_clears_a_failure_and_pauses():
    with Session(Faulty(ValueError("bad value"), at=3)) as session:
        session.resume()
        session.wait()
        session.reset()
        assert session.status == "paused"
        assert session.error is None
        assert session.frame == advanced(0)


def test_the_error_can_still_be_read_after_close():
    error = ValueError("bad value")
    session = Session(Faulty(error))
    session.resume()
    session.wait()
    session.close()
    assert session.status == "closed"
    assert session.error is error
    with pytest.raises(RuntimeError, match="bad value"):
        session.raise_if_failed()


def test_a_failing_restore_does_not_hide_the_first_error():
    error = ValueError("cannot go on nor back")
    with Session(Faulty(error, at=3, where="restore")) as session:
        session.resume()
        session.wait()
        assert session.error is error
        assert error.__notes__ == [f"The engine could not be put back to its last good state: {error!r}"]
        assert session.frame.count <= 3
        assert session.status == "failed"


def test_a_command_that_cannot_be_undone_makes_the_session_fail():
    error = ValueError("half")
    with Session(Faulty(ValueError("no way back"), at=0, where="restore")) as session:
        with pytest.raises(ValueError, match="half"):
            session.apply("break_midway", error)
        session.wait()
        assert session.status == "failed"
        assert session.error is error
        assert "no way back" in error.__notes__[0]
        session.reset()
        assert session.status == "paused"
        with pytest.raises(ValueError, match="layer"):
            session.add_neuron(0)
        assert session.status == "paused"


@pytest.mark.parametrize("where", ["frame", "state"])
def test_an_engine_that_cannot_be_shown_or_saved_fails(where):
    error = ValueError(f"no {where}")
    with Session(Faulty(error, at=3, where=where)) as session:
        with pytest.raises(RuntimeError, match=f"no {where}"):
            session.step(3 if where == "frame" else 4)
        assert session.status == "failed"
        assert session.error is error
        assert session.frame.count == (2 if where == "frame" else 3)
        assert session.engine.count == session.frame.count  # type: ignore[attr-defined]


def test_an_action_whose_frame_cannot_be_made_is_undone_and_refused():
    engine = Faulty(None, at=0, where="frame")
    with Session(engine) as session:
        session.step(2)
        before = engine.state()
        engine.error = ValueError("no frame")
        with pytest.raises(ValueError, match="no frame"):
            session.apply("note", "x")
        assert engine.state() == before
        assert session.status == "paused"
        engine.error = None


def test_an_engine_that_cannot_be_shown_at_the_end_still_closes():
    engine = Faulty(None, at=0, where="frame")
    session = Session(engine)
    engine.error = ValueError("no frame")
    session.close()
    assert session.status == "closed"
    assert session.frame.count == 0
    with pytest.raises(RuntimeError, match="no frame"):
        session.raise_if_failed()
    engine.require_free("be used")


class Distant(Counter):
    """Counts how often it was put back."""

    restored = 0

    def restore(self, state: dict[str, Any]) -> None:
        self.restored += 1
        super().restore(state)


def test_an_engine_is_not_put_back_when_a_command_was_refused_at_once():
    engine = Distant()
    with Session(engine) as session:
        with pytest.raises(ValueError, match="layer"):
            session.add_neuron(0)
        assert engine.restored == 0
        with pytest.raises(ValueError, match="half"):
            session.apply("break_midway", ValueError("half"))
        assert engine.restored == 1
        assert session.frame == advanced(0)


@dataclass
class Boxed:
    array: np.ndarray


STATE = {"step": 3, "rate": 0.1, "why": None, "weights": (torch.ones(2, 3), torch.zeros(1)), "trace": [np.arange(3.0)]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", 4),
        ("step", 3.0),
        ("step", True),
        ("rate", math.nan),
        ("why", "x"),
        ("weights", (torch.ones(2, 3),)),
        ("weights", (torch.ones(3, 2), torch.zeros(1))),
        ("weights", (torch.ones(2, 3, dtype=torch.float64), torch.zeros(1))),
        ("weights", [torch.ones(2, 3), torch.zeros(1)]),
        ("trace", [np.arange(3)]),
        ("trace", [np.arange(4.0)]),
        ("trace", [np.array([0.0, 1.0, 2.0000001])]),
        ("trace", Boxed(np.arange(3))),
        ("more", 1),
    ],
)
def test_states_differ_when_anything_in_them_does(name, value):
    assert same(STATE, copy.deepcopy(STATE))
    assert not same(STATE, STATE | {name: value})
    assert not same(STATE | {name: value}, STATE)
    assert not same({"box": Boxed(np.arange(3))}, {"box": Boxed(np.arange(3))})


class Held:
    """Something large that an advance holds while it fails."""


class Greedy(Counter):
    held: weakref.ref[Held]
    held_at_restore: bool

    def _advance(self) -> None:
        large = Held()
        self.held = weakref.ref(large)
        try:
            raise MemoryError
        except MemoryError as error:
            raise RuntimeError("too large") from error

    def restore(self, state: dict[str, Any]) -> None:
        self.held_at_restore = self.held() is not None
        super().restore(state)


def test_a_kept_error_holds_no_memory_of_the_advance_that_failed():
    engine = Greedy()
    with Session(engine) as session:
        session.resume()
        session.wait()
        assert session.error is not None
        assert engine.held() is None
        assert not engine.held_at_restore


def test_an_observer_sees_every_frame_and_every_change_of_status():
    seen: list[tuple[int, str, threading.Thread]] = []
    with Session(Counter(limit=9)) as session:
        end = session.observe(lambda frame, status: seen.append((frame.count, status, threading.current_thread())))
        session.step(2)
        session.add_neuron()
        session.resume()
        session.wait()
        end()
        end()
        session.reset()
    expected = [(0, "running"), (1, "running"), (2, "paused"), (2, "paused"), (2, "running")]
    expected += [(count, "running") for count in range(3, 14)] + [(14, "finished")]
    assert [(count, status) for count, status, _ in seen] == expected
    assert len({thread for *_, thread in seen}) == 1
    assert seen[0][2] is not threading.current_thread()


def test_an_observer_hears_of_the_end():
    seen: list[str] = []
    session = Session(Counter())
    session.observe(lambda _, status: seen.append(status))
    session.close()
    assert seen == ["closed"]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_failing_observer_makes_the_session_fail_and_is_dropped(error):
    others: list[tuple[int, str]] = []

    def fail_at_four(frame: CounterFrame, status: str) -> None:
        if frame.count == 4:
            raise error

    with Session(Counter(limit=6)) as session:
        session.observe(fail_at_four)
        session.observe(lambda frame, status: others.append((frame.count, status)))
        session.resume()
        assert session.wait()
        assert session.status == "failed"
        assert session.error is error
        assert session.frame == session.engine.frame()
        assert others[-2:] == [(4, "running"), (4, "failed")]
        session.resume()
        session.wait()
        assert session.status == "finished"
        assert session.error is None
        assert others[-1] == (6, "finished")


def test_every_failing_observer_is_dropped_and_the_first_error_kept():
    first, second, third = ValueError("first"), ValueError("second"), ValueError("third")

    def failing(error: ValueError, at: str) -> Any:
        def observer(frame: CounterFrame, status: str) -> None:
            if status == at:
                raise error

        return observer

    with Session(Counter()) as session:
        for error, at in ((first, "running"), (second, "running"), (third, "failed")):
            session.observe(failing(error, at))
        session.resume()
        session.wait()
        assert session.error is first
        assert any("third" in note for note in first.__notes__)
        session.step(3)
        assert session.status == "paused"


def test_what_fails_later_does_not_replace_the_first_error():
    first = ValueError("first")

    def observer(frame: CounterFrame, status: str) -> None:
        raise ValueError("second")

    with Session(Faulty(first)) as session:
        session.resume()
        session.wait()
        session.observe(observer)
        session.pause()
        session.wait()
        assert session.status == "failed"
        assert session.error is first


def test_a_failing_observer_does_not_keep_a_command_from_being_acknowledged():
    error = ValueError("observer")

    def observer(frame: CounterFrame, status: str) -> None:
        raise error

    with Session(Counter()) as session:
        session.observe(observer)
        assert session.apply("note", "x") == 1
        assert session.wait()
        assert session.status == "failed"
        assert session.frame.log == ("x",)


def test_an_observer_fails_at_close():
    def observer(frame: CounterFrame, status: str) -> None:
        raise ValueError("observer")

    engine = Counter()
    session = Session(engine)
    session.observe(observer)
    session.close()
    assert session.status == "closed"
    assert isinstance(session.error, ValueError)
    engine.require_free("be used")


def test_an_observer_may_give_commands_but_not_wait():
    refusals: list[str] = []
    results: list[object] = []

    with Session(Counter()) as session:

        def steer(frame: CounterFrame, status: str) -> None:
            if frame.count == 10 and not results:
                results.extend([session.apply("note", "ten"), session.step()])
                session.pause()
                for wait in (session.wait, session.next_frame):
                    try:
                        wait()
                    except RuntimeError as error:
                        refusals.append(str(error))

        session.observe(steer)
        session.step(20)
        assert session.wait()
        assert results == [None, None]
        assert len(refusals) == 2
        assert all("the session's own thread" in refusal for refusal in refusals)
        assert (session.frame.count, session.frame.log) == (10, ("ten",))


def test_an_observer_may_close_the_session():
    session = Session(Counter())
    session.observe(lambda frame, _: session.close() if frame.count == 5 else None)
    session.resume()
    assert session.wait()
    session.close()
    assert session.status == "closed"
    assert session.frame == advanced(5)
