"""PursuitWidget without a browser: what it shows, what its controls do, and what it leaves behind."""

from __future__ import annotations

import base64
import math
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import bqplot
import ipywidgets
import numpy as np
import pytest
import torch
import traitlets
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances

from np_widgets import problems
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.pictures.labels import number
from np_widgets.pictures.ticks import linear_ticks, log_ticks, round_limits, round_ticks, snapped
from np_widgets.problems import Display, Problem
from np_widgets.sessions.session import Session
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.pacer import Pacer
from np_widgets.widgets.publisher import LARGEST_SHARE, LARGEST_SHARE_OF_BROWSER, Publisher
from np_widgets.widgets.pursuit import PANELS, PursuitWidget
from np_widgets.widgets.pursuit_controls import CONTROLS, VALUES
from np_widgets.widgets.tree import close_tree
from np_widgets.widgets.writing import together, update
from tests.session_engines import Counter
from tests.widget_looks import (
    PATIENCE,
    control,
    differ,
    figures,
    names,
    nothing_left_behind,
    parts,
    shown,
    text,
    until,
)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch) -> Iterator[None]:
    # No view answers here, and a busy machine may take any time.
    monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
    with nothing_left_behind():
        yield


@pytest.fixture
def widget(problem) -> Iterator[PursuitWidget]:
    made = PursuitWidget(problem, hidden_layers=1)
    yield made
    made.close()


@pytest.fixture
def problem() -> Problem:
    """What two ReLUs of one hidden layer can be."""
    x = np.random.default_rng(0).normal(size=(40, 3))
    return Problem(x, np.maximum(x[:, 0], 0) + 0.5 * np.maximum(-x[:, 1], 0), name="two ReLUs")


def to_first_network(widget: PursuitWidget) -> None:
    while not widget.session.frame.weights:
        widget.session.step(5)


class TestState:
    def test_before_anything_happened(self, widget):
        assert (widget.status, widget.iteration, widget.widths, widget.loss) == ("paused", 0, (), None)
        assert "two ReLUs" in text(widget)
        assert "press Play or Step" in text(widget)

    def test_traits_equal_the_frame_after_waiting(self, widget):
        widget.session.resume()
        assert widget.session.wait(PATIENCE)
        frame = widget.session.frame
        assert widget.status == widget.session.status == "finished"
        assert (widget.iteration, widget.widths, widget.loss) == (frame.iteration, frame.widths, frame.loss)
        assert widget.message == frame.message == str(frame.finished)
        assert widget.widths == (2,)
        assert frame.loss is not None
        assert number(frame.loss) in text(widget)

    def test_traits_equal_the_frame_after_every_step(self, widget):
        for _ in range(20):
            widget.session.step()
            frame = widget.session.frame
            status = "paused" if frame.finished is None else "finished"
            assert (widget.status, widget.loss, widget.message) == (status, frame.loss, frame.message)

    def test_a_running_session_is_shown_as_running(self, widget):
        widget.session.speed = 1e-3  # it runs for as long as that takes
        widget.session.resume()
        assert widget.status == "running"

    def test_pictures_follow(self, widget):
        before = shown(widget)
        to_first_network(widget)
        assert differ(before, shown(widget))

    def test_marks_get_new_arrays_of_floats(self, widget):
        to_first_network(widget)
        widget.catch_up()
        marks = [mark for figure in figures(widget) for mark in figure.marks]
        before = {mark: mark.y for mark in marks if isinstance(mark, bqplot.Lines)}
        widget.session.resume()
        widget.session.wait(PATIENCE)
        widget.catch_up()
        for mark in marks:
            assert mark.x.dtype == mark.y.dtype == np.float64
        changed = [mark for mark, y in before.items() if not np.array_equal(mark.y, y)]
        assert changed
        assert all(mark.y is not before[mark] for mark in changed)

    def test_traits_can_be_observed_and_linked(self, widget):
        seen = []
        label, number = ipywidgets.Label(), ipywidgets.IntText()
        widget.observe(lambda change: seen.append(change["new"]), "status")
        directional = traitlets.dlink((widget, "message"), (label, "value"))
        link = traitlets.link((widget, "iteration"), (number, "value"))
        widget.session.resume()
        widget.session.wait(PATIENCE)
        widget.catch_up()
        assert seen[-1] == "finished"
        assert label.value == widget.session.frame.message
        assert number.value == widget.session.frame.iteration
        link.unlink()
        directional.unlink()
        for extra in (label.layout, label.style, label, number.layout, number.style, number):
            extra.close()

    def test_traits_belong_to_the_session(self, widget):
        with pytest.raises(traitlets.TraitError, match="read-only"):
            widget.status = "running"

    def test_one_widget_is_one_model(self, widget):
        key = "application/vnd.jupyter.widget-view+json"
        (first, _), (second, _) = widget._repr_mimebundle_(), widget._repr_mimebundle_()
        assert first[key]["model_id"] == second[key]["model_id"] == widget.model_id

    def test_without_a_kernel_there_is_a_picture(self, widget):
        for _ in range(2):
            bundle, about = widget._repr_mimebundle_()
            assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
            assert "Architecture." in about["image/png"]["alt"]
            assert bundle["text/plain"] == "<PursuitWidget of 'two ReLUs'>"
            to_first_network(widget)

    @pytest.mark.parametrize("where", ["_figure", "savefig"])
    def test_a_stored_picture_that_fails_costs_the_picture_and_not_the_widget(self, widget, monkeypatch, where):
        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError("no such picture")

        if where == "_figure":
            monkeypatch.setattr(PursuitWidget, where, fail)
        else:
            monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
        bundle, about = widget._repr_mimebundle_()
        assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
        assert "image/png" not in bundle
        assert about == {}
        name, _, failure = bundle["text/plain"].partition(" without a picture, which failed: ")
        assert name == "<PursuitWidget of 'two ReLUs'>"
        assert failure == "ZeroDivisionError: no such picture"


class TestControls:
    def test_play_and_pause(self, widget):
        assert control(widget, "Play").icon == "play"
        widget.session.speed = 1e-3  # it runs for as long as that takes
        control(widget, "Play").click()
        until(lambda: widget.status == "running")
        assert control(widget, "Pause").icon == "pause"
        control(widget, "Pause").click()
        assert widget.session.wait(PATIENCE)
        assert widget.status == "paused"
        assert control(widget, "Play")

    def test_step(self, widget):
        before = widget.session.frame
        control(widget, "Step").click()
        widget.session.wait(PATIENCE)
        assert widget.session.frame.phase != before.phase
        assert widget.status == "paused"

    def test_add_neuron_in_a_chosen_layer(self, problem):
        widget = PursuitWidget(problem, hidden_layers=2, leak=0.3)
        to_first_network(widget)
        assert [name for name, _ in control(widget, "Layer").options] == ["best", "1", "2"]
        control(widget, "Layer").value = 2
        control(widget, "Add neuron").click()
        assert widget.session.wait(PATIENCE)
        assert widget.widths == (1, 2)
        widget.close()

    def test_a_neuron_can_be_added_after_the_end(self, problem):
        widget = PursuitWidget(problem, hidden_layers=1, max_additions=0)
        widget.session.resume()
        assert widget.session.wait(PATIENCE)
        assert (widget.status, widget.widths) == ("finished", (1,))
        assert control(widget, "Play").disabled
        assert control(widget, "Step").disabled
        control(widget, "Add neuron").click()
        assert widget.session.wait(PATIENCE)
        assert widget.widths == (2,)
        widget.close()

    def test_settings_wait_for_reset_and_say_so(self, widget):
        widget.session.step()
        control(widget, "Seed").value = 7
        control(widget, "Hidden layers").value = 3
        control(widget, "Power p").value = 2
        control(widget, "Leak α").value = 0.5
        until(lambda: "seed 7, hidden layers 3, power p 2, leak α 0.5" in text(widget))
        assert widget.session.frame.seed == 0
        control(widget, "Reset").click()
        widget.session.wait(PATIENCE)
        frame = widget.session.frame
        assert (frame.seed, frame.hidden_layers, frame.power, frame.leak) == (7, 3, 2, 0.5)
        assert (widget.status, widget.iteration, frame.phase) == ("paused", 0, "ready")
        assert "Reset will" not in text(widget)

    def test_choices_of_a_layer_follow_the_depth(self, widget):
        widget.session.reset(hidden_layers=3)
        widget.catch_up()
        assert [name for name, _ in control(widget, "Layer").options] == ["best", "1", "2", "3"]

    def test_speed_and_minimizer(self, widget):
        control(widget, "Speed").label = "5 a second"
        assert widget.session.speed == 5.0
        control(widget, "Speed").label = "pause after each neuron"
        assert (widget.session.speed, widget.session.pauses) == (None, True)
        control(widget, "Play").click()
        assert widget.session.wait(PATIENCE)
        assert (widget.status, len(widget.session.frame.growth)) == ("paused", 1)
        control(widget, "Speed").label = "full speed"
        assert widget.session.pauses is False
        assert widget.session.speed is None
        control(widget, "Minimizer").value = "adam"
        widget.session.wait(PATIENCE)
        assert widget.session.engine.settings.minimizer == "adam"

    def test_a_session_keeps_its_own_speed(self, problem):
        with Session(NeuronPursuit(problem)) as session:
            session.speed = 3.0
            widget = PursuitWidget(session)
            assert control(widget, "Speed").label == "3 a second"
            assert session.speed == 3.0
            widget.close()

    def test_the_paper_has_one_minimizer(self, problem):
        widget = PursuitWidget(problem, hidden_layers=1, minimizer="adam")
        control(widget, "Method").value = "paper"
        control(widget, "Reset").click()
        until(lambda: widget.session.frame.method == "paper")
        until(lambda: control(widget, "Minimizer").disabled)
        assert control(widget, "Minimizer").value == "auto"
        control(widget, "Method").value = "fast"
        control(widget, "Reset").click()
        until(lambda: not control(widget, "Minimizer").disabled)
        widget.session.raise_if_failed()
        widget.close()

    def test_another_layer_of_weights_is_shown_while_paused(self, widget):
        to_first_network(widget)
        before = shown(widget)
        control(widget, "Weights of").value = 2
        until(lambda: bool(differ(before, shown(widget))))
        assert "neuron of layer 1" in {axis.label for figure in figures(widget) for axis in figure.axes}

    def test_every_control_is_labeled(self, widget):
        widget.session.step()
        kinds = (ipywidgets.Button, ipywidgets.Dropdown, ipywidgets.BoundedIntText, ipywidgets.BoundedFloatText)
        controls = [part for part in parts(widget) if isinstance(part, kinds)]
        assert len(controls) >= 10
        assert all(part.description and part.tooltip for part in controls)

    def test_controls_and_pictures_can_be_hidden(self, problem):
        everything = PursuitWidget(problem)
        little = PursuitWidget(problem, hide=("seed", "minimizer", "candidates", "architecture"))
        assert names(everything) - names(little) == {"Seed", "Minimizer"}
        assert len(figures(everything)) - len(figures(little)) == 2
        everything.close()
        little.close()

    def test_without_reset_its_settings_are_gone(self, problem):
        widget = PursuitWidget(problem, hide=["reset"])
        past = {"Undo", "Time", "Live", "in", "Branch here"}
        present = {"Play", "Step", "Add neuron", "Layer", "Speed", "Minimizer", "Inspect this saddle"}
        assert names(widget) == past | present | {"Selected", "Add this one"}
        widget.close()

    @pytest.mark.parametrize("name", VALUES)
    def test_what_is_locked_is_shown_and_cannot_be_changed(self, problem, name):
        title = {"hidden_layers": "Hidden layers", "power": "Power p", "leak": "Leak α"}.get(name, name.capitalize())
        free, widget = PursuitWidget(problem), PursuitWidget(problem, lock=[name])
        assert names(widget) == names(free)
        for _ in range(2):
            inputs = [part for part in parts(widget) if hasattr(part, "disabled") and hasattr(part, "value")]
            locked = {part.description for part in inputs if part.disabled}
            open_ = {part.description for part in parts(free) if getattr(part, "disabled", False)}
            assert locked - open_ == {title}
            assert control(widget, title).value == control(free, title).value
            for each in (widget, free):
                each.session.step(2)
                each.catch_up()
        branch = widget.branch()
        assert control(branch, title).disabled
        free.close()
        widget.close()

    def test_a_locked_value_follows_what_python_does(self, problem):
        widget = PursuitWidget(problem, lock=["seed", "minimizer"])
        widget.session.reset(seed=5)
        widget.session.apply("set_minimizer", "adam")
        widget.session.wait(PATIENCE)
        widget.catch_up()
        assert control(widget, "Seed").value == 5
        assert control(widget, "Minimizer").value == "adam"
        assert control(widget, "Seed").disabled
        assert control(widget, "Minimizer").disabled
        assert "Reset will" not in text(widget)
        widget.close()

    def test_everything_can_be_hidden(self, problem):
        hide = (*CONTROLS, *PANELS)
        widget = PursuitWidget(problem, hide=hide)
        assert names(widget) == set()
        widget.session.step(3)
        assert widget.message == widget.session.frame.message
        widget.close()


class TestTrouble:
    def test_a_refused_command_is_shown_until_one_is_accepted(self, widget):
        control(widget, "Add neuron").click()
        until(lambda: "Not done: add_neuron needs a network" in text(widget))
        assert widget.status == "paused"
        control(widget, "Step").click()
        until(lambda: "Not done" not in text(widget))

    def test_a_failure_is_shown_and_play_goes_on(self, widget, monkeypatch):
        to_first_network(widget)

        def fail(self):
            raise ArithmeticError("the sky <fell>")

        with monkeypatch.context() as patch:
            patch.setattr(NeuronPursuit, "advance", fail)
            control(widget, "Play").click()
            widget.session.wait(PATIENCE)
            assert widget.status == "failed"
            assert "The session failed: ArithmeticError: the sky &lt;fell&gt;" in text(widget)
            assert 'role="alert"' in text(widget)
        control(widget, "Play").click()
        widget.session.wait(PATIENCE)
        assert widget.status == "finished"
        assert "failed" not in text(widget)

    def test_a_picture_that_fails_is_named_and_keeps_no_other_from_being_drawn(self, widget, monkeypatch):
        def fail(self, frame):
            raise ZeroDivisionError("no such picture")

        monkeypatch.setattr("np_widgets.widgets.pursuit_pictures.architecture", lambda frame, _: fail(None, frame))
        before = shown(widget)
        to_first_network(widget)
        assert widget.loss == widget.session.frame.loss
        assert "Not everything could be shown: ZeroDivisionError: no such picture" in text(widget)
        assert differ(before, shown(widget))

    def test_an_observer_that_raises_is_shown(self, widget):
        def fail(change):
            raise KeyError("an observer's mistake")

        widget.observe(fail, "message")
        widget.session.step()
        widget.catch_up()
        assert "an observer&#x27;s mistake" in text(widget)
        widget.unobserve(fail, "message")
        widget.session.step()
        widget.catch_up()
        assert "mistake" not in text(widget)

    def test_a_closed_session_leaves_its_last_state(self, problem):
        session = Session(NeuronPursuit(problem, hidden_layers=1))
        widget = PursuitWidget(session)
        session.step(30)
        session.close()
        assert widget.status == "closed"
        assert widget.loss == session.frame.loss
        assert control(widget, "Reset").disabled
        control(widget, "Step").click()
        until(lambda: "Not done: the session is closed" in text(widget))
        control(widget, "Speed").label = "1 a second"
        until(lambda: "'speed'" in text(widget).replace("&#x27;", "'"))
        widget.close()

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda p: PursuitWidget(p, powr=2), TypeError, "does not know 'powr'; did you mean 'power'"),
            (lambda p: PursuitWidget(p, hid=["seed"]), TypeError, "'hid'; did you mean 'hide'"),
            (lambda p: PursuitWidget(p, zebra=1), TypeError, "does not know 'zebra' "),
            (lambda p: PursuitWidget(p, power=0), ValueError, "power must be"),
            (lambda p: PursuitWidget(p, hide=["colour"]), ValueError, "hide must be one of 'play'.*got 'colour'"),
            (lambda p: PursuitWidget(p, hide="reset"), TypeError, "hide must be a list of names"),
            (lambda p: PursuitWidget(p, lock=["play"]), ValueError, "lock must be one of 'speed'.*'leak', got 'play'"),
            (lambda p: PursuitWidget(p, lock="seed"), TypeError, "lock must be a list of names"),
            (lambda p: PursuitWidget(p, lok=["seed"]), TypeError, "'lok'; did you mean 'lock'"),
            (lambda p: PursuitWidget(p, hide=cast(Any, [3])), TypeError, "hide must be one of"),
            (lambda p: PursuitWidget(p, hide=cast(Any, 3)), TypeError, "hide must be a list of names"),
            (lambda p: PursuitWidget(p, rate=0), ValueError, "rate must be a finite number greater than 0"),
            (lambda p: PursuitWidget(p, rate=1000), ValueError, "rate must be .* at most 60"),
            (lambda p: PursuitWidget(p, rate=cast(Any, "fast")), TypeError, "rate must be"),
            (lambda p: PursuitWidget(cast(Any, p.inputs)), TypeError, "must be a Problem, a NeuronPursuit.*got Tensor"),
        ],
    )
    def test_wrong_arguments_are_named_before_anything_is_made(self, problem, call, error, message):
        with pytest.raises(error, match=message):
            call(problem)

    def test_a_session_brings_its_own_options(self, problem):
        with (
            Session(NeuronPursuit(problem)) as session,
            pytest.raises(TypeError, match="'seed' belongs to a new NeuronPursuit"),
        ):
            PursuitWidget(session, seed=1)

    def test_a_pursuit_is_released_with_the_widget(self, problem):
        pursuit = NeuronPursuit(problem, hidden_layers=1)
        widget = PursuitWidget(pursuit)
        assert widget.session.engine is pursuit
        widget.close()
        pursuit.run(max_additions=0)

    def test_a_session_of_another_engine_is_refused(self):
        with Session(Counter()) as session, pytest.raises(TypeError, match="a NeuronPursuit, got one of a Counter"):
            PursuitWidget(session)


class TestClosing:
    def test_a_session_that_was_given_stays_open(self, problem):
        with Session(NeuronPursuit(problem, hidden_layers=1)) as session:
            widget = PursuitWidget(session)
            session.step(3)
            widget.close()
            assert session.status == "paused"
            assert session.step() == 1

    def test_twice_and_while_running(self, problem):
        widget = PursuitWidget(problem)
        widget.session.resume()
        widget.close()
        widget.close()
        assert widget.session.status == "closed"

    def test_after_the_drop_downs_were_exchanged(self, problem):
        widget = PursuitWidget(problem)
        to_first_network(widget)
        widget.session.reset(hidden_layers=3)
        widget.catch_up()
        widget.close()
        assert widget.session.status == "closed"
        assert widget.session.frame.hidden_layers == 3

    def test_traits_keep_their_last_values(self, widget):
        widget.session.step(30)
        loss = widget.loss
        widget.close()
        assert widget.loss == loss
        assert widget.status == "closed"

    def test_on_the_thread_that_draws(self, problem):
        threads = set(threading.enumerate())
        widget = PursuitWidget(problem)
        widget.observe(lambda change: widget.close(), "message")
        widget.session.step(2)
        until(lambda: widget.session.status == "closed")
        until(lambda: set(threading.enumerate()) <= threads)

    def test_all_widgets_at_once(self, problem):
        registered = set(_instances)
        widget = PursuitWidget(problem)
        for key in set(_instances) - registered:
            if key in _instances:
                _instances[key].close()
        assert widget.session.status == "closed"

    def test_several_displays_of_one_session_agree(self, problem):
        with Session(NeuronPursuit(problem, hidden_layers=1)) as session:
            first, second = PursuitWidget(session), PursuitWidget(session, hide=["reset"])
            session.resume()
            session.wait(PATIENCE)
            assert (first.loss, first.widths) == (second.loss, second.widths) == (session.frame.loss, (2,))
            first.close()
            second.close()


def classes(count: int) -> Problem:
    x = np.random.default_rng(0).normal(size=(60, 2))
    return Problem(x, np.arange(60) % count, loss="cross_entropy", test=(x[:9], np.arange(9) % count))


def plane(**options: Any) -> Problem:
    x = np.random.default_rng(0).normal(size=(30, 2))
    return Problem(x, x[:, 0] * x[:, 1], **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: problems.kumar_haupt(samples=60),
        lambda: Problem(np.array([[1.0, -1], [1, 1], [-1, 1]]), [1.0, 2, 3], display=Display("hypercube")),
        lambda: Problem(np.linspace(-1, 1, 20)[:, None], np.linspace(0, 1, 20)),
        lambda: Problem(np.linspace(-1, 1, 20)[:, None], np.ones((20, 3))),
        lambda: Problem(np.linspace(-1, 1, 20)[:, None], np.arange(20) % 2, loss="cross_entropy"),
        plane,
        lambda: plane(dtype=torch.float32),
        lambda: plane(display=Display("scatter")),
        lambda: classes(2),
        lambda: classes(3),
        lambda: classes(12),
        lambda: Problem(np.random.default_rng(0).normal(size=(50, 200)), np.ones((50, 2))),
        lambda: Problem(np.random.default_rng(0).normal(size=(50, 4)), np.arange(50) % 5, loss="cross_entropy"),
        lambda: Problem([[1.0], [1.0]], [0.0, 0.0]),
    ],
    ids=[
        "hypercube with truth", "hypercube of data", "curve", "curve of three outputs", "curve of a probability",
        "plane", "plane in float32", "scatter", "two classes", "three classes", "twelve classes", "many inputs",
        "confusion", "nothing to learn",
    ],
)  # fmt: skip
def test_every_kind_of_problem_is_shown(make):
    widget = PursuitWidget(make(), hidden_layers=2, starts=3, max_steps=20, max_additions=1)
    widget.session.step(5)
    widget.catch_up()
    widget.session.resume()
    assert widget.session.wait(PATIENCE)
    for name in ("Output", "Weights of"):
        if name in names(widget):
            control(widget, name).value = control(widget, name).options[-1][1]
    widget.catch_up()
    assert widget.status in ("finished", "paused")
    assert 'role="alert"></div>' in text(widget)
    widget.close()


class TestThreads:
    def test_many_hands_on_one_widget(self, widget):
        errors = []

        def press(button):
            try:
                for _ in range(15):
                    button.click()  # also while the saddle that another hand inspects is in its place
                    assert widget.status in ("paused", "running", "finished")
            except Exception as error:  # noqa: BLE001 (a thread's exception passes unseen)
                errors.append(error)

        buttons = [part for part in parts(widget) if isinstance(part, ipywidgets.Button)]
        hands = [threading.Thread(target=press, args=(button,)) for button in buttons if button.icon != "play"]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        assert errors == []
        widget.session.pause()
        widget.session.reset(seed=1)
        widget.session.resume()
        assert widget.session.wait(PATIENCE)
        frame = widget.session.frame
        assert (widget.loss, widget.widths, widget.status) == (frame.loss, frame.widths, "finished")


class FakePacer(Pacer):
    """A browser that answers when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks: list[int] = []

    def send_tick(self) -> int:
        self.ticks.append(super().send_tick())
        return self.ticks[-1]

    def close(self) -> None:
        layout = self.layout
        super().close()
        layout.close()


class TestPublisher:
    @pytest.fixture
    def stage(self, monkeypatch) -> Iterator[tuple[Session, FakePacer, list[Any], Publisher]]:
        monkeypatch.setattr("np_widgets.widgets.publisher._LONGEST_WAIT_FOR_BROWSER", PATIENCE)
        session, pacer = Session(Counter()), FakePacer()
        moments: list[Any] = []
        publisher = Publisher(session, [moments.append], lambda moment, errors: None, pacer, rate=60.0)
        publisher.start()
        yield session, pacer, moments, publisher
        publisher.stop()
        session.close()
        pacer.close()

    def test_a_slow_browser_gets_the_newest_frame_only(self, stage):
        session, pacer, moments, _ = stage
        session.step()
        until(lambda: len(moments) == 2 and len(pacer.ticks) == 1)
        for _ in range(50):
            session.step()
        pacer.drawn = pacer.ticks[-1]
        until(lambda: moments[-1].frame is session.frame)
        counts = [moment.frame.count for moment in moments]
        assert counts in ([0, 0, 51], [0, 1, 51])  # the second is of the step, or of its beginning

    def test_no_answer_does_not_stop_it(self, stage, monkeypatch):
        monkeypatch.setattr("np_widgets.widgets.publisher._LONGEST_WAIT_FOR_BROWSER", 0.01)
        session, _, moments, _ = stage
        for _ in range(3):
            session.step()
            until(lambda: moments[-1].frame is session.frame)

    def test_the_last_frame_is_always_published(self, stage):
        session, _, moments, publisher = stage
        session.step(3)
        publisher.stop()
        assert moments[-1].frame is session.frame
        assert moments[-1].frame.count == 3

    def test_catching_up_does_not_wait_for_the_browser(self, stage):
        session, _, moments, publisher = stage
        for count in range(1, 4):
            session.step()
            publisher.catch_up()
            assert moments[-1].frame.count == count

    def test_a_change_of_view_is_published_without_a_new_frame(self, stage):
        _, _, moments, publisher = stage
        publisher.refresh()
        publisher.catch_up()
        assert len(moments) == 2
        assert moments[0].frame is moments[1].frame


class Staged(Publisher):
    """One whose thread sleeps at once and whose session has news for a while; time is what the test says."""

    def __init__(self, session: Session, pacer: Pacer, time: SimpleNamespace, cost: float, rate: float) -> None:
        self.time, self.cost, self.news = time, cost, 30
        self.drawn_at: list[float] = []
        super().__init__(session, [self.draw], lambda moment, errors: None, pacer, rate)

    def draw(self, _: object) -> None:
        self.drawn_at.append(self.time.now)
        self.time.now += 3 * self.cost  # others have the processor meanwhile
        self.time.worked += self.cost

    def _wait_for_news(self) -> bool:
        self.news -= 1
        return self.news >= 0

    def _pause(self, seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        if not enough():
            self.time.now += max(seconds, 0.0)


class Slow(FakePacer):
    """A browser that needs some seconds to draw."""

    def __init__(self, time: SimpleNamespace, drawing: float) -> None:
        super().__init__()
        self.time, self.drawing = time, drawing

    def send_tick(self) -> int:
        tick = super().send_tick()
        self.time.now += self.drawing
        self.drawn = tick
        return tick


class TestShares:
    @pytest.mark.parametrize(
        ("cost", "drawing", "rate", "period"),
        [
            (0.0, 0.0, 10.0, 0.1),
            (0.001, 0.0, 10.0, 0.1),
            (0.06, 0.0, 10.0, 0.06 / LARGEST_SHARE),
            (0.06, 0.0, 0.25, 4.0),
            (0.0, 0.3, 10.0, 0.3 / LARGEST_SHARE_OF_BROWSER),
            (0.03, 0.03, 10.0, 0.03 / LARGEST_SHARE),
            (0.003, 0.9, 10.0, 0.9 / LARGEST_SHARE_OF_BROWSER),
        ],
    )
    def test_drawing_takes_no_more_than_its_share(self, monkeypatch, cost, drawing, rate, period):
        time = SimpleNamespace(now=0.0, worked=0.0)
        clocks = SimpleNamespace(monotonic=lambda: time.now, thread_time=lambda: time.worked)
        monkeypatch.setattr("np_widgets.widgets.publisher.time", clocks)
        pacer = Slow(time, drawing)
        with Session(Counter()) as session:
            publisher = Staged(session, pacer, time, cost, rate)
            publisher._run()
        pacer.close()
        periods = np.diff(publisher.drawn_at)
        assert len(periods) == 29
        assert periods == pytest.approx(period)
        assert cost / period <= LARGEST_SHARE * (1 + 1e-9)
        assert drawing / period <= LARGEST_SHARE_OF_BROWSER * (1 + 1e-9)


class TestWriting:
    @pytest.fixture
    def sent(self, monkeypatch) -> list[tuple[Any, set[str]]]:
        messages: list[tuple[Any, set[str]]] = []
        monkeypatch.setattr(
            ipywidgets.Widget, "_send", lambda self, msg, buffers=None: messages.append((self, set(msg["state"])))
        )
        return messages

    @pytest.fixture
    def line(self) -> Iterator[bqplot.Lines]:
        scale = bqplot.LinearScale()
        made = bqplot.Lines(x=[0.0, 1.0], y=[0.0, 1.0], scales={"x": scale, "y": scale})
        yield made
        close_tree(made)

    def test_only_what_has_changed_is_sent(self, line, sent):
        update(line, x=np.array([0.0, 1.0]), visible=True, stroke_width=2.0)
        assert sent == []
        update(line, x=np.array([0.0, 2.0]), visible=True, stroke_width=3.0)
        assert sent == [(line, {"x", "stroke_width"})]

    def test_together_is_one_message_a_widget_at_the_end(self, line, sent):
        with together():
            update(line, y=np.array([0.0, 2.0]))
            update(line, visible=False)
            assert sent == []
        assert sent == [(line, {"y", "visible"})]
        update(line, visible=True)
        assert len(sent) == 2

    def test_what_was_closed_meanwhile_gets_nothing(self):
        scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale()}
        line, axes = bqplot.Lines(scales=scales), bqplot.Axis(scale=scales["x"])
        figure = bqplot.Figure(axes=[axes])
        with together():
            update(figure, marks=[line], title="closed by who observes it")
            line.close()
            close_tree(figure)
        assert figure.comm is None

    def test_changes_before_an_error_are_sent(self, line, sent):
        def change_and_fail():
            with together():
                update(line, visible=False)
                raise KeyError("later")

        with pytest.raises(KeyError):
            change_and_fail()
        assert sent == [(line, {"visible"})]


class TestChooser:
    def test_a_choice_survives_new_options_if_it_can(self):
        chooser = Chooser("Layer", "which", lambda: None, "100px")
        chooser.offer([("one", 1), ("two", 2)])
        chooser.box.children[0].value = 2
        first = chooser.box.children[0]
        chooser.offer([("one", 1), ("two", 2), ("three", 3)])
        assert chooser.value == 2
        assert chooser.box.children[0] is not first
        chooser.offer([("one", 1), ("three", 3)])
        assert chooser.value == 1
        chooser.offer([("one", 1)])
        assert chooser.value is None
        assert chooser.box.children == ()
        chooser.box.layout.close()
        chooser.box.close()


class TestLimits:
    @given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
    def test_limits_hold_the_data_and_ticks_lie_within(self, low, spread):
        high = low + spread
        bottom, top = round_limits(low, high)
        assert bottom < top
        assert bottom <= low
        assert high <= top
        ticks = round_ticks(bottom, top)
        assert 2 <= len(ticks) <= 8
        assert np.all(ticks >= bottom - 1e-6 * (top - bottom))
        assert np.all(ticks <= top + 1e-6 * (top - bottom))

    @given(st.lists(st.floats(-1, 1), min_size=1), st.floats(-1e-5, 1e-5))
    def test_what_moves_by_less_than_a_pixel_seldom_changes_and_nothing_moves_far(self, values, little):
        array = np.array(values)
        grid = snapped(array, -1.0, 1.0)
        assert np.abs(grid - array).max() <= 0.001 + 1e-12
        assert np.array_equal(snapped(grid + little, -1.0, 1.0), grid)

    @pytest.mark.parametrize("limits", [(float("nan"), 1.0), (0.0, float("inf"))])
    def test_what_is_not_finite_has_limits_all_the_same(self, limits):
        assert round_limits(*limits) == (-1.0, 1.0)

    @given(st.integers(-16, 5), st.sampled_from([1, 2, 5]), st.sampled_from([0.02, 0.1, 0.3, 1, 2, 3, 5, 8, 12]))
    def test_every_tick_of_a_log_axis_has_a_label(self, exponent, factor, decades):
        low = factor * 10.0**exponent
        ticks = log_ticks(low, low * 10.0**decades)
        assert 3 <= len(ticks) <= 7
        assert all(later > earlier for (earlier, _), (later, _) in pairwise(ticks))
        superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
        for place, written in ticks:
            small = any(letter in written for letter in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
            factor, _, power = written.rpartition("10") if small else (written, "", "")
            value = float(factor.strip("×").replace(",", "") or 1) * 10.0 ** float(power.translate(superscripts) or 0)
            assert value == pytest.approx(10**place, rel=1e-6)

    @given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
    def test_ticks_are_told_apart(self, low, spread):
        ticks = linear_ticks(*round_limits(low, low + max(spread, 1e-6 * abs(low))))
        assert len({text for _, text in ticks}) == len(ticks) >= 2


def test_panels_have_a_title_and_a_legend_outside_the_figure(widget):
    to_first_network(widget)
    widget.catch_up()
    for title in ("Architecture", "Weights", "Function", "Loss", "Candidates"):
        assert title in text(widget)
    assert all(not mark.display_legend for figure in figures(widget) for mark in figure.marks)
