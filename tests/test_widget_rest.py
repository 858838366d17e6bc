"""A session that a widget has made rests while nobody can see the widget, and nothing is lost."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import jupyter_client
import pytest

from np_widgets import problems
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.sessions import commands
from np_widgets.sessions.session import Session
from np_widgets.widgets import audience as rules
from np_widgets.widgets import kernel, publisher
from np_widgets.widgets.audience import SECONDS_WITHOUT_VIEW, Audience
from np_widgets.widgets.kernel import Cell, Hearing
from np_widgets.widgets.pacer import Pacer
from np_widgets.widgets.pursuit import PursuitWidget
from tests.session_engines import Asked, Counter
from tests.widget_looks import PATIENCE, nothing_left_behind, text, until


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    with nothing_left_behind():
        yield


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Front(Pacer):
    """A front end with a view, or without."""

    view = True

    def send_tick(self) -> int:
        tick = super().send_tick()
        if self.view:
            self.alive = tick
        return tick


class Kernel(Hearing):
    def begin(self) -> None: ...


@pytest.fixture
def stage() -> Iterator[SimpleNamespace]:
    session, pacer, clock, hearing = Session(Counter()), Front(), Clock(), Kernel()
    audience = Audience(session, pacer, hearing, clock)

    def later(seconds: float) -> str:
        """What the status is after so many seconds, in which the publisher has looked often enough."""
        end = clock.now + seconds
        while clock.now < end:
            clock.now += 0.5
            audience.look()
        return settled(session)

    yield SimpleNamespace(session=session, pacer=pacer, clock=clock, hearing=hearing, audience=audience, later=later)
    session.close()
    layout = pacer.layout
    pacer.close()
    layout.close()


def settled(session: Session) -> str:
    """The status when all that was queued has been obeyed, without being anybody who waits for the session."""
    session._queue(commands.command(session.engine, "note", 0)).result(60)
    return session.status


def rest(stage: SimpleNamespace) -> None:
    stage.pacer.view = False
    assert stage.later(SECONDS_WITHOUT_VIEW + 1) == "paused"
    assert stage.session.resting is not None


class TestRules:
    def test_while_a_view_answers_it_runs(self, stage):
        stage.session.resume()
        assert stage.later(10 * SECONDS_WITHOUT_VIEW) == "running"
        assert stage.session.resting is None

    def test_without_a_view_it_rests_and_says_why(self, stage):
        stage.session.resume()
        assert stage.later(SECONDS_WITHOUT_VIEW) == "running"
        stage.pacer.view = False
        assert stage.later(SECONDS_WITHOUT_VIEW - 3) == "running"
        assert stage.later(4) == "paused"
        why = "resting: no view of this widget has answered for 10 s; Play goes on"
        assert stage.session.resting == why
        assert repr(stage.session) == f"<Session of a Counter: paused ({why})>"
        frame = stage.session.frame
        assert stage.later(60) == "paused"
        assert stage.session.frame.count == frame.count

    def test_the_time_begins_when_it_begins_to_run(self, stage):
        stage.pacer.view = False
        assert stage.later(60) == "paused"
        assert stage.session.resting is None
        stage.session.resume()
        assert stage.later(SECONDS_WITHOUT_VIEW - 1) == "running"
        assert stage.later(2) == "paused"

    @pytest.mark.parametrize("sign", ["command", "raise_if_failed", "another widget"])
    def test_signs_of_attention_put_it_off(self, stage, sign):
        signs = {
            "command": lambda: stage.session.submit("note", 1),
            "raise_if_failed": stage.session.raise_if_failed,
            "another widget": stage.session.attend,
        }
        stage.pacer.view = False
        stage.session.resume()
        for _ in range(4):
            assert stage.later(SECONDS_WITHOUT_VIEW - 1) == "running"
            signs[sign]()
        assert stage.later(SECONDS_WITHOUT_VIEW + 1) == "paused"

    def test_while_a_cell_is_executed_the_silence_of_a_shown_widget_means_nothing(self, stage):
        stage.session.resume()
        stage.later(3)  # a view answers
        stage.pacer.view = False
        stage.hearing._on_beginning(None)
        assert stage.later(60) == "running"
        stage.hearing._on_end(None)
        assert stage.later(SECONDS_WITHOUT_VIEW - 1) == "running"
        stage.hearing._on_beginning(None)
        assert stage.later(60) == "running"
        stage.hearing._on_end(None)  # which does not make what was before it unheard
        assert stage.later(2) == "paused"

    def test_a_process_that_was_stopped_for_a_while_has_heard_nothing(self, stage):
        stage.session.resume()
        assert stage.later(1) == "running"
        stage.clock.now += 3600
        assert stage.later(SECONDS_WITHOUT_VIEW) == "running"

    def test_what_was_never_shown_cannot_be_seen_after_the_cell_either(self, stage):
        stage.pacer.view = False
        stage.hearing._on_beginning(None)
        stage.session.resume()
        assert stage.later(SECONDS_WITHOUT_VIEW + 1) == "paused"

    def test_a_display_that_looks_on_is_nobody_who_waits(self, stage):
        stage.session.resume()
        stage.pacer.view = False
        for _ in range(30):
            stage.session.next_frame(stage.session.frame, 0.001, attending=False)
            stage.later(0.5)
        assert stage.session.resting is not None

    @pytest.mark.parametrize("way", ["wait", "next_frame", "observe"])
    def test_who_waits_or_observes_keeps_it_awake(self, stage, way):
        stage.pacer.view = False
        stage.session.resume()
        last = stage.session.frame
        if way == "observe":
            end = stage.session.observe(lambda frame, status: None)
            assert stage.later(5 * SECONDS_WITHOUT_VIEW) == "running"
            end()
        else:
            engine = stage.session.engine
            frozen = threading.Event()

            def wait() -> None:
                if way == "wait":
                    stage.session.wait()
                else:
                    while not frozen.is_set():
                        stage.session.next_frame(stage.session.frame, 60)

            waiting = threading.Thread(target=wait)
            waiting.start()
            until(lambda: stage.session._worker.shown.waiting > 0)
            assert stage.later(5 * SECONDS_WITHOUT_VIEW) == "running"
            frozen.set()
            engine.limit = 0
            waiting.join(60)
            assert not waiting.is_alive()
            return
        assert stage.session.frame.count >= last.count
        assert stage.later(SECONDS_WITHOUT_VIEW + 1) == "paused"

    def test_steps_are_made_to_the_end(self, stage):
        stage.pacer.view = False
        step = stage.session.submit("step", 10**9)
        until(lambda: stage.session.status == "running")
        assert stage.later(5 * SECONDS_WITHOUT_VIEW) == "running"
        stage.session.engine.limit = 0
        assert step.result(60) > 0

    def test_a_session_at_rest_or_closed_is_left_alone(self, stage):
        stage.audience.replaced()
        assert settled(stage.session) == "paused"
        assert stage.session.resting is None
        stage.session.close()
        stage.audience.replaced()
        stage.audience.look()


class TestGoingOn:
    @pytest.mark.parametrize("way", ["wait", "next_frame", "observe"])
    def test_who_waits_makes_it_go_on_where_it_was(self, stage, way):
        stage.session.resume()
        rest(stage)
        before = stage.session.frame
        stage.session.engine.limit = before.count + 100
        if way == "wait":
            assert stage.session.wait(60)
        elif way == "next_frame":
            frame = stage.session.next_frame(before, 60)
            while frame.finished is None:
                frame = stage.session.next_frame(frame, 60)
        else:
            seen: list[int] = []
            end = stage.session.observe(lambda frame, status: seen.append(frame.count))
            until(lambda: stage.session.status == "finished")
            end()
            assert seen == [*range(before.count, before.count + 101)]
        assert stage.session.resting is None
        assert (stage.session.status, stage.session.frame.count) == ("finished", before.count + 100)

    @pytest.mark.parametrize("command", ["resume", "pause", "step", "reset", "set_minimizer"])
    def test_commands_do_what_they_do_to_a_paused_session(self, stage, command):
        stage.session.resume()
        rest(stage)
        count = stage.session.frame.count
        given = {"set_minimizer": ("slow",)}.get(command, ())
        stage.session.submit(command, *given).result(60)
        assert stage.session.status == ("running" if command == "resume" else "paused")
        expected = {"pause": count, "step": count + 1, "reset": 0, "set_minimizer": count}
        assert command == "resume" or stage.session.frame.count == expected[command]
        assert (stage.session.resting is not None) == (command == "set_minimizer")
        if command not in ("resume", "set_minimizer"):
            assert stage.session.wait(60)
            assert stage.session.frame.count == expected[command]

    def test_an_interrupted_neuron_is_found_when_somebody_waits(self):
        with Session(Asked()) as session:
            session.speed = 1e-300
            session.add_neuron()
            session.submit("rest", "resting: for a test").result(60)
            assert (session.status, session.resting) == ("paused", "resting: for a test")
            session.speed = None
            assert session.wait(60)
            assert (session.status, session.frame.count) == ("paused", 5)

    def test_a_neuron_asked_for_at_rest_is_found_and_no_more(self):
        with Session(Asked()) as session:
            session.speed = 1e-300
            session.resume()
            session.submit("rest", "resting: for a test").result(60)
            count = session.frame.count
            session.speed = None
            session.add_neuron()
            assert session.wait(60)
            assert (session.status, session.frame.count) == ("paused", count + 5)


def endless() -> NeuronPursuit:
    problem = problems.kumar_haupt(samples=60)
    return NeuronPursuit(problem, method="paper", max_steps=10**9, starts=3)


def play(session: Session) -> None:
    """Let it run, and leave the processor to the others."""
    session.speed = 20
    session.resume()


class TestWidgets:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        monkeypatch.setattr(rules, "SECONDS_WITHOUT_VIEW", 0.3)
        monkeypatch.setattr(rules, "_SECONDS_BETWEEN_QUESTIONS", 0.1)
        # A busy machine lets threads wait: it takes six looks, and two of them to the next question.
        monkeypatch.setattr(rules, "_LONGEST_BETWEEN_LOOKS", 0.05)
        # Looks follow each other when no time goes to waiting for a browser that has drawn, nor to sparing the session.
        monkeypatch.setattr(publisher, "_SECONDS_BETWEEN_TICKS", math.inf)
        monkeypatch.setattr(publisher, "_LONGEST_WAIT_FOR_BROWSER", 0.01)
        monkeypatch.setattr(publisher, "LARGEST_SHARE", 1.0)

    def test_nobody_sees_it_and_it_rests_and_play_goes_on(self, monkeypatch):
        widget = PursuitWidget(endless())
        play(widget.session)
        until(lambda: widget.session.resting is not None)
        widget.catch_up()
        assert widget.status == "paused"
        assert "resting: no view of this widget has answered for 0.3 s; Play goes on" in text(widget)
        stands = widget.session.frame.total_steps
        monkeypatch.setattr(rules, "SECONDS_WITHOUT_VIEW", math.inf)
        play(widget.session)
        assert widget.status == "running"
        assert "resting" not in text(widget)
        assert widget.session.frame.total_steps >= stands
        widget.close()

    def test_a_view_that_answers_keeps_it_awake(self, monkeypatch):
        widget = PursuitWidget(endless())
        pacer = widget.children[-1]
        pacer.observe(lambda change: pacer.set_trait("alive", change["new"]), "tick")
        play(widget.session)
        pacer.tick += 1
        ticks = pacer.tick
        until(lambda: pacer.tick > ticks + 9)  # three times as long as it would take
        assert widget.session.status == "running"
        widget.close()

    def test_a_session_of_the_user_s_own_never_rests(self):
        with Session(endless()) as session:
            widget, owner = PursuitWidget(session), PursuitWidget(endless())
            play(session)
            play(owner.session)
            until(lambda: owner.session.resting is not None)
            assert (session.status, session.resting) == ("running", None)
            widget.close()
            owner.close()

    def test_a_view_of_another_widget_of_the_session_is_a_view(self):
        owner = PursuitWidget(endless())
        guest = PursuitWidget(owner.session)
        asking, answering = owner.children[-1], guest.children[-1]
        asking.observe(lambda _: answering.set_trait("alive", answering.alive + 1), "tick")
        play(owner.session)
        ticks = asking.tick
        until(lambda: asking.tick > ticks + 9)
        assert owner.session.status == "running"
        guest.close()
        owner.close()

    def test_a_display_is_shown_although_no_view_has_answered_yet(self, monkeypatch):
        monkeypatch.setattr(kernel.hearing, "_executing", True)
        shown, unseen = PursuitWidget(endless()), PursuitWidget(endless())
        shown._repr_mimebundle_()
        for widget in (shown, unseen):
            play(widget.session)
        until(lambda: unseen.session.resting is not None)
        assert shown.session.status == "running"
        monkeypatch.setattr(kernel.hearing, "_executing", False)
        until(lambda: shown.session.resting is not None)
        shown.close()
        unseen.close()

    def test_without_any_front_end_waiting_is_to_the_end(self):
        widget = PursuitWidget(problems.kumar_haupt(samples=60), starts=3, max_additions=0)
        widget.session.speed = 1e-3
        widget.session.submit("resume")
        until(lambda: widget.session.resting is not None)
        widget.session.speed = None
        assert widget.session.wait(PATIENCE)
        assert widget.session.status == "finished"
        widget.close()


class TestCells:
    def test_a_widget_of_an_earlier_execution_of_the_cell_is_replaced(self, monkeypatch):
        cell = Cell("a", "1")
        monkeypatch.setattr(rules, "current_cell", lambda: cell)
        monkeypatch.setattr(rules, "_of_cells", {})
        monkeypatch.setattr(rules, "SECONDS_WITHOUT_VIEW", math.inf)
        made: list[PursuitWidget] = []

        def execute(name: str, execution: str, count: int = 1) -> None:
            nonlocal cell
            cell = Cell(name, execution)
            for _ in range(count):
                made.append(PursuitWidget(endless()))
                play(made[-1].session)

        execute("a", "1", 2)
        execute("b", "2")
        assert [settled_pursuit(widget) for widget in made] == ["running"] * 3
        execute("a", "3")
        assert [settled_pursuit(widget) for widget in made] == ["paused", "paused", "running", "running"]
        made[0].catch_up()
        assert "resting: the cell of this widget was executed again; Play goes on" in text(made[0])
        execute("a", "4")
        assert [settled_pursuit(widget) for widget in made] == ["paused"] * 2 + ["running", "paused", "running"]
        for widget in made:
            widget.close()

    def test_without_a_kernel_there_is_no_cell(self):
        assert kernel.current_cell() is None
        assert not kernel.hearing.deaf


def settled_pursuit(widget: PursuitWidget) -> str:
    """The status when all that was queued has been obeyed."""
    session = widget.session
    with pytest.raises(ValueError, match="layer"):
        session._queue(commands.command(session.engine, "add_neuron", layer=99)).result(60)
    return session.status


PROGRAM = """
from np_widgets import problems
from np_widgets.widgets import audience
from np_widgets.widgets.kernel import current_cell, hearing
from np_widgets.widgets.pursuit import PursuitWidget
audience.SECONDS_WITHOUT_VIEW = 1e9
widgets = []
def add():
    problem = problems.kumar_haupt(samples=60)
    widgets.append(PursuitWidget(problem, method="paper", max_steps=10**9, starts=3, hide=["candidates", "function"]))
    widgets[-1].session.resume()
    print(current_cell().name, hearing.deaf)
"""
ASK = """
import time
end = time.monotonic() + 60
while widgets[0].session.status == "running" and time.monotonic() < end:
    time.sleep(0.01)
print([widget.session.status for widget in widgets], widgets[0].session.resting)
"""


def test_a_kernel_without_a_front_end_rests_what_is_replaced():
    manager, client = jupyter_client.manager.start_new_kernel()
    try:

        def execute(code: str, cell: str) -> str:
            content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
            message = client.session.msg("execute_request", content | {"allow_stdin": False, "stop_on_error": True})
            message["metadata"]["cellId"] = cell
            client.shell_channel.send(message)
            printed: list[str] = []
            while True:
                answer = client.get_iopub_msg(timeout=PATIENCE)
                if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                    continue
                if answer["msg_type"] == "stream":
                    printed.append(answer["content"]["text"])
                if answer["msg_type"] == "error":
                    raise AssertionError("\n".join(answer["content"]["traceback"]))
                if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                    return "".join(printed)

        execute(PROGRAM, "first")
        assert execute("add()", "one") == "one True\n"
        assert execute("add()", "two") == "two True\n"
        assert execute("add()", "one") == "one True\n"
        said = execute(ASK, "ask")
        assert said.startswith("['paused', 'running', 'running'] resting: the cell of this widget was executed again")
        execute("audience.SECONDS_WITHOUT_VIEW = 0.1", "patience")
        said = execute(ASK.replace("widgets[0]", "widgets[1]"), "ask")
        assert "resting: no view of this widget has answered" in said
        execute("for widget in widgets: widget.close()", "end")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
