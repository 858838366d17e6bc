"""SaddleWidget without a browser, alone and in the place of a pursuit's pictures."""

from __future__ import annotations

import base64
import math
import threading
from collections.abc import Iterator
from typing import Any, cast

import ipywidgets
import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget import _instances

import np_widgets as npw
from np_widgets.learning.engine import Engine
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session
from np_widgets.widgets.pursuit import PursuitWidget
from np_widgets.widgets.render import Panel
from np_widgets.widgets.saddle import PANELS, SaddleWidget
from np_widgets.widgets.saddle_controls import CONTROLS, VALUES, SaddleView
from np_widgets.widgets.tree import close_tree
from tests import saddle_frames
from tests.session_engines import Counter
from tests.widget_looks import (
    PATIENCE,
    control,
    differ,
    figures,
    names,
    nothing_left_behind,
    parts,
    seen,
    shown,
    text,
    until,
)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch) -> Iterator[None]:
    # No view answers here, and a busy machine may take any time.
    monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
    # What Neuron Pursuit would have trained is no matter of what is shown: a short training is as good.
    for room in ("passage", "wording"):
        monkeypatch.setattr(f"np_widgets.learning.saddles.{room}.COMPARISON_STEPS", 200)
    with nothing_left_behind():
        yield


@pytest.fixture(scope="module")
def problem() -> Problem:
    """What two ReLUs of one hidden layer can be."""
    x = np.random.default_rng(0).normal(size=(40, 3))
    return Problem(x, np.maximum(x[:, 0], 0) + 0.5 * np.maximum(-x[:, 1], 0), name="two ReLUs")


@pytest.fixture(scope="module")
def network(problem) -> HomogeneousNetwork:
    """The best one of a single ReLU."""
    pursuit = NeuronPursuit(problem, hidden_layers=1)
    pursuit.run(max_additions=0)
    assert pursuit.network is not None
    return pursuit.network


@pytest.fixture
def flow(network, problem) -> SaddleFlow:
    return SaddleFlow(network, problem, dormant=3, starts=10)


@pytest.fixture
def widget(flow) -> Iterator[SaddleWidget]:
    made = SaddleWidget(flow)
    yield made
    made.close()


@pytest.fixture(scope="module")
def on_its_way(network, problem) -> dict[str, Any]:
    """The state of such a flow that has been predicted, and is about to escape."""
    flow = SaddleFlow(network, problem, dormant=3, starts=10)
    while flow.time == 0:
        flow.advance()
    assert flow.prediction
    assert not any(event.kind == "escaped" for event in flow.events)
    return flow.state()


@pytest.fixture
def moving(flow, on_its_way) -> Iterator[SaddleWidget]:
    flow.restore(on_its_way)
    made = SaddleWidget(flow)
    yield made
    made.close()


def rest(widget: SaddleWidget) -> SaddleFrame:
    """The frame once nothing is going on any more."""
    assert widget.session.wait(PATIENCE)
    widget.session.raise_if_failed()
    frame: SaddleFrame = widget.session.frame
    return frame


def press(widget: SaddleWidget, name: str, goal: str | None) -> SaddleFrame:
    """Press a button that sets a goal, and wait for the end if it is to be reached."""
    control(widget, name).click()
    until(lambda: widget.session.frame.goal == goal)
    if goal is not None:
        until(lambda: widget.session.frame.finished is not None)
    return rest(widget)


def slide(widget: SaddleWidget, share: float) -> None:
    control(widget, "Time").value = share
    widget.catch_up()


def time_readout(widget: SaddleWidget) -> str:
    widget.catch_up()
    return next(part.value for part in parts(widget) if isinstance(part, ipywidgets.HTML) and "t = " in part.value)


class TestState:
    def test_before_anything_happened(self, widget):
        assert (widget.status, widget.phase, widget.time) == ("paused", "ready", 0.0)
        assert "Saddle dynamics" in text(widget)
        assert "two ReLUs" in text(widget)
        assert "press Play, Step or To escape" in text(widget)
        assert "KKT points are not known yet" in text(widget)
        assert "Not everything" not in text(widget)

    def test_traits_equal_the_frame_after_every_step(self, widget):
        for _ in range(10):
            control(widget, "Step").click()
            frame = rest(widget)
            assert widget.status == "paused"
            assert (widget.time, widget.loss, widget.phase, widget.message) == (
                frame.time,
                frame.loss,
                frame.phase,
                frame.message,
            )

    def test_pictures_follow_to_the_escape(self, moving):
        before = shown(moving)
        press(moving, "To escape", "escape")
        assert differ(before, shown(moving))
        assert "Predicted escape at time" in text(moving)
        assert "escaped at" in text(moving)
        for figure in figures(moving):
            for mark in figure.marks:
                assert np.asarray(mark.x).dtype == np.asarray(mark.y).dtype == np.float64
                # Where a line ends bqplot writes its label: in a gap it would complain.
                assert not np.isnan(np.asarray(mark.y).ravel()[-1:]).any()

    def test_without_a_kernel_there_is_a_picture(self, widget):
        bundle, about = widget._repr_mimebundle_()
        assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
        assert "Norms: dormant weights grow." in about["image/png"]["alt"]
        assert bundle["text/plain"] == "<SaddleWidget of 'two ReLUs'>"

    def test_a_problem_starts_at_the_origin(self, problem):
        widget = SaddleWidget(problem, dormant=(3, 2), starts=5, leak=0.5)
        frame = widget.session.frame
        assert frame.origin
        assert (frame.dormant, frame.leak) == ((3, 2), 0.5)
        assert {"Dormant in layer 1", "layer 2"} <= names(widget)
        widget.session.step(60)
        widget.catch_up()
        assert "Not everything" not in text(widget)
        widget.close()


class TestControls:
    def test_to_escape_and_to_next_saddle_and_on(self, moving):
        frame = press(moving, "To escape", "escape")
        assert moving.status == "finished"
        assert [event.kind for event in frame.events][-1] == "escaped"
        assert not control(moving, "Play").disabled
        frame = press(moving, "To next saddle", "next saddle")
        assert len(frame.awakenings) == 1
        assert "next saddle" in text(moving)
        steps = frame.steps
        control(moving, "Step").click()
        until(lambda: moving.session.frame.goal is None)
        assert rest(moving).steps >= steps
        assert moving.status == "paused"

    def test_play_goes_on_from_a_goal_and_pauses(self, moving):
        assert control(moving, "Play").icon == "play"
        press(moving, "To escape", "escape")
        control(moving, "Play").click()
        until(lambda: moving.status == "running")
        assert moving.session.frame.goal is None
        control(moving, "Pause").click()
        rest(moving)
        assert control(moving, "Play")

    def test_settings_wait_for_reset_and_say_so(self, widget):
        widget.session.step(3)
        control(widget, "Scale δ").value = 1e-5
        control(widget, "Dormant neurons").value = 5
        control(widget, "Seed").value = 7
        until(lambda: "scale δ 1e-05, dormant neurons (5,), seed 7" in text(widget))
        assert widget.session.frame.seed == 0
        control(widget, "Reset").click()
        until(lambda: widget.session.frame.seed == 7)
        frame = rest(widget)
        assert (frame.scale, frame.dormant, frame.seed, frame.phase) == (1e-5, (5,), 7, "ready")
        widget.catch_up()
        assert "Reset will" not in text(widget)

    def test_the_step_size_is_shown_with_gradient_descent(self, widget):
        assert "Step size" not in seen(widget)
        control(widget, "Step size").value = 0.01
        widget.catch_up()
        assert "step size" not in text(widget)
        control(widget, "Dynamics").value = "descent"
        until(lambda: "Step size" in seen(widget))
        until(lambda: "dynamics descent, step size 0.01" in text(widget))
        control(widget, "Reset").click()
        until(lambda: widget.session.frame.dynamics == "descent")
        assert rest(widget).step_size == 0.01

    def test_the_price_of_weights_is_a_control_and_lowers_the_rate_that_is_shown(self, widget, problem):
        control(widget, "Decay λ").value = 0.02
        until(lambda: "weight decay λ 0.02" in text(widget))
        control(widget, "Reset").click()
        until(lambda: widget.session.frame.weight_decay == 0.02)
        frame = rest(widget)
        while not widget.session.frame.predictions:
            widget.session.step(1)
        frame = widget.session.frame
        assert frame.predictions[0].rate == pytest.approx(2 * frame.predictions[0].value - 0.02)
        twice = 2 * frame.predictions[0].value
        assert f"at a rate of 2N* − λ = {twice:.4g} − 0.02 = {twice - 0.02:.4g}" in frame.message
        widget.catch_up()
        assert "2N* − λ" in text(widget)
        # What is shown is of the minimum of the penalized loss, and of its NCF: both from scratch.
        network = widget.session.frame.network
        matrices = [w[: frame.started_active[0]] if layer == 0 else w[:, : frame.started_active[0]]
                    for layer, w in enumerate(network.weights)]  # fmt: skip
        active = HomogeneousNetwork(matrices)
        gradient = [w.clone().requires_grad_() for w in active.weights]
        output = torch.relu(problem.inputs @ gradient[0].T) @ gradient[1].T
        loss = (output - problem.targets).square().sum(dim=1).mean() / 2
        (loss + 0.01 * sum(w.square().sum() for w in gradient)).backward()
        assert max(float(w.grad.abs().max()) for w in gradient) < 1e-3
        best = npw.find_kkt_points(active, problem, starts=20, seed=5)[0]
        assert best.value >= frame.predictions[0].value * (1 - 1e-6)
        assert frame.predictions[0].value in [each.value for each in frame.predictions[0].destinations]

    def test_a_flow_with_a_price_shows_it(self, problem):
        widget = SaddleWidget(problem, dormant=2, hidden_layers=1, starts=2, weight_decay=0.03)
        assert control(widget, "Decay λ").value == 0.03
        assert "Reset will" not in text(widget)
        control(widget, "Seed").value = 4
        control(widget, "Reset").click()
        until(lambda: widget.session.frame.seed == 4)
        assert rest(widget).weight_decay == 0.03
        widget.close()
        without = SaddleWidget(problem, dormant=2, hidden_layers=1, starts=2, hide=["weight_decay"])
        assert "Decay λ" not in names(without)
        without.close()

    def test_every_control_is_labeled(self, widget):
        kinds = (
            ipywidgets.Button,
            ipywidgets.Dropdown,
            ipywidgets.BoundedIntText,
            ipywidgets.BoundedFloatText,
            ipywidgets.FloatSlider,
            ipywidgets.SelectionSlider,
        )
        controls = [part for part in parts(widget) if isinstance(part, kinds)]
        assert len(controls) >= 11
        assert all(part.description and part.tooltip for part in controls)

    def test_a_scale_far_from_the_usual_has_its_place(self, network, problem):
        widget = SaddleWidget(SaddleFlow(network, problem, dormant=2, scale=3e-11))
        assert control(widget, "Scale δ").value == 3e-11
        assert "Reset will" not in text(widget)
        widget.close()

    @pytest.mark.parametrize("name", [*CONTROLS, *PANELS])
    def test_each_control_and_picture_can_be_hidden(self, flow, on_its_way, name):
        flow.restore(on_its_way)
        widget = SaddleWidget(flow, hide=[name])
        lacking = {
            "dormant": "Dormant neurons",
            "to_escape": "To escape",
            "to_next_saddle": "To next saddle",
            "branch": "Branch here",
            "scale": "Scale δ",
            "step_size": "Step size",
            "weight_decay": "Decay λ",
        }.get(name, name.capitalize())
        assert len(figures(widget)) == 5 - (name in PANELS)
        if name in CONTROLS:
            assert lacking not in names(widget)
        widget.session.step(1)
        widget.catch_up()
        assert "Not everything" not in text(widget)
        widget.close()

    @pytest.mark.parametrize("name", VALUES)
    def test_what_is_locked_is_shown_and_cannot_be_changed(self, flow, name):
        title = {
            "dormant": "Dormant neurons",
            "scale": "Scale δ",
            "step_size": "Step size",
            "weight_decay": "Decay λ",
        }.get(name, name.capitalize())
        widget = SaddleWidget(flow, lock=[name])
        for _ in range(2):
            inputs = [part for part in parts(widget) if hasattr(part, "disabled") and hasattr(part, "value")]
            assert {part.description for part in inputs if part.disabled and part.description in names(widget)} >= {
                title
            }
            assert not control(widget, "Seed" if name != "seed" else "Scale δ").disabled
            widget.session.step(2)
            widget.catch_up()
        widget.close()

    def test_everything_can_be_hidden(self, flow):
        widget = SaddleWidget(flow, hide=(*CONTROLS, *PANELS))
        assert names(widget) == set()
        widget.session.step(3)
        assert widget.message == widget.session.frame.message
        widget.close()


class TestTimeSlider:
    def test_the_right_end_is_the_present(self, widget):
        assert time_readout(widget) == "t = <b>0</b>, now"
        frame = press(widget, "To escape", "escape")
        widget.catch_up()
        assert time_readout(widget) == f"t = <b>{frame.time:.3g}</b>, now"

    def test_pictures_go_back_and_traits_do_not(self, moving):
        frame = press(moving, "To escape", "escape")
        now = shown(moving)
        slide(moving, 50.0)
        assert moving.time == frame.time
        middle = shown(moving)
        assert differ(now, middle)
        assert f"of <b>{frame.time:.3g}</b>" in time_readout(moving)
        slide(moving, 0.0)
        assert differ(middle, shown(moving))
        assert time_readout(moving).startswith("t = <b>0</b> of")
        slide(moving, 100.0)
        assert not differ(now, shown(moving))

    def test_what_is_shown_is_the_moment(self, moving):
        frame = press(moving, "To escape", "escape")
        slide(moving, 50.0)
        index = moving._look.index
        assert index is not None
        assert index == round((len(frame.record.time) - 1) / 2)
        cells = next(mark for mark in figures(moving)[-1].marks if hasattr(mark, "color"))
        weights = frame.history[index][0]
        dormant = weights[1:] / np.abs(weights[1:]).max()
        assert cells.color[1:] == pytest.approx(dormant, abs=2e-3)

    def test_while_it_runs(self, moving):
        control(moving, "To next saddle").click()
        until(lambda: any(event.kind == "escaped" for event in moving.session.frame.events))
        slide(moving, 20.0)
        frame = rest(moving)
        moving.catch_up()
        assert f"of <b>{frame.time:.3g}</b>" in time_readout(moving)

    @pytest.mark.parametrize("name", ["Play", "Step", "To escape", "Reset"])
    def test_what_makes_time_pass_comes_back_to_the_present(self, moving, name):
        slide(moving, 20.0)
        control(moving, name).click()
        assert control(moving, "Time").value == 100.0
        moving.session.pause()

    def test_before_there_is_a_record(self, widget):
        control(widget, "Time").value = 30.0
        widget.catch_up()
        assert "now" in time_readout(widget)


class TestTrouble:
    def test_a_refused_reset_is_shown_and_changes_nothing(self, moving):
        widget = moving
        before = widget.session.frame
        control(widget, "Dormant neurons").value = 0
        control(widget, "Reset").click()
        until(lambda: "Not done: dormant" in text(widget))
        assert widget.session.frame.time == before.time
        control(widget, "Dormant neurons").value = 3
        control(widget, "Step").click()
        until(lambda: "Not done" not in text(widget))

    def test_a_failure_is_shown_and_play_goes_on(self, moving, monkeypatch):
        widget = moving

        def fail(self):
            raise ArithmeticError("the sky <fell>")

        with monkeypatch.context() as patch:
            patch.setattr(SaddleFlow, "advance", fail)
            control(widget, "To escape").click()
            until(lambda: widget.status == "failed")
            assert "The session failed: ArithmeticError: the sky &lt;fell&gt;" in text(widget)
        press(widget, "To escape", "escape")
        assert widget.status == "finished"
        assert "failed" not in text(widget)

    def test_a_picture_that_fails_is_named(self, widget, monkeypatch):
        def fail(frame, index):
            raise ZeroDivisionError("no such picture")

        monkeypatch.setattr("np_widgets.widgets.saddle.norms", fail)
        widget.session.step(3)
        widget.catch_up()
        assert "Not everything could be shown: ZeroDivisionError: no such picture" in text(widget)

    def test_a_closed_session_leaves_its_last_state(self, flow, on_its_way):
        flow.restore(on_its_way)
        session = Session(flow)
        widget = SaddleWidget(session)
        session.step(1)
        session.close()
        assert widget.status == "closed"
        assert widget.loss == session.frame.loss
        for name in ("Play", "Step", "To escape", "To next saddle", "Reset"):
            assert control(widget, name).disabled
        slide(widget, 10.0)
        control(widget, "Step").click()
        until(lambda: "Not done: the session is closed" in text(widget))
        widget.close()

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda p: SaddleWidget(p, dormnt=(2,)), TypeError, "does not know 'dormnt'; did you mean 'dormant'"),
            (lambda p: SaddleWidget(p, hid=["seed"]), TypeError, "'hid'; did you mean 'hide'"),
            (lambda p: SaddleWidget(p, dormant=(0,)), ValueError, "dormant"),
            (lambda p: SaddleWidget(p, dormant=(2,), scale=0.0), ValueError, "scale must be"),
            (lambda p: SaddleWidget(p, dormant=(2,), scale=-1.0), ValueError, "scale must be"),
            (lambda p: SaddleWidget(p, hide=["minimizer"]), ValueError, "hide must be one of 'play'.*got 'minimizer'"),
            (lambda p: SaddleWidget(p, hide="reset"), TypeError, "hide must be a list of names"),
            (lambda p: SaddleWidget(p, lock=["minimizer"]), ValueError, "lock must be one of 'scale'.*got 'minimizer'"),
            (lambda p: SaddleWidget(p, rate=0), ValueError, "rate must be"),
            (
                lambda p: SaddleWidget(cast(Any, 3)),
                TypeError,
                "must be a Problem, a SaddleFlow or a Session of one, got i",
            ),
            (lambda p: SaddleWidget(cast(Any, NeuronPursuit(p))), TypeError, "got NeuronPursuit"),
        ],
    )
    def test_wrong_arguments_are_named_before_anything_is_made(self, problem, call, error, message):
        with pytest.raises(error, match=message):
            call(problem)

    def test_a_flow_brings_its_own_options(self, flow):
        with pytest.raises(TypeError, match="'seed' belongs to a new SaddleFlow"):
            SaddleWidget(flow, seed=1)

    @pytest.mark.parametrize("engine", [Counter, lambda: NeuronPursuit(Problem([[1.0]], [1.0]))])
    def test_a_session_of_another_engine_is_refused(self, engine):
        made: Engine = engine()
        with Session(made) as session, pytest.raises(TypeError, match="a SaddleFlow, got one of a"):
            SaddleWidget(session)


class TestClosing:
    def test_a_flow_is_released_and_a_session_stays_open(self, flow):
        widget = SaddleWidget(flow)
        widget.session.resume()
        widget.close()
        widget.close()
        with Session(flow) as session:
            widget = SaddleWidget(session)
            session.step(3)
            widget.close()
            assert session.step() == 1

    def test_after_the_drop_downs_came(self, problem):
        widget = SaddleWidget(problem, dormant=(2, 2), starts=5)
        widget.session.step(60)
        assert {"Layer", "Weights of"} <= names(widget)
        control(widget, "Weights of").value = 3
        control(widget, "Layer").value = 2
        widget.catch_up()
        widget.close()

    def test_several_displays_of_one_session_scrub_on_their_own(self, flow):
        with Session(flow) as session:
            first, second = SaddleWidget(session), SaddleWidget(session, hide=["reset"])
            press(first, "To escape", "escape")
            slide(first, 40.0)
            second.catch_up()
            assert "now" in time_readout(second)
            assert first.time == second.time
            first.close()
            second.close()


@pytest.mark.parametrize(
    "make",
    [
        saddle_frames.between_saddles,
        lambda: saddle_frames.at_the_origin(3),
        lambda: saddle_frames.at_the_start(1),
        lambda: saddle_frames.at_the_start(0),
        lambda: saddle_frames.near_a_saddle(phase="searching", predictions=()),
    ],
    ids=["two saddles", "origin 3", "start", "nothing", "searching"],
)
def test_every_picture_draws_every_kind_of_frame(widget, make):
    frame = make()
    points = len(frame.record.time)
    for picture in widget._pictures().values():
        panel = Panel(picture)
        for index in {None, *([0, points // 2, points - 1] if points else [])}:
            panel.show(SaddleView(frame, index))
        for mark in panel.figure.marks:
            assert not np.isnan(np.asarray(mark.y, dtype=float).ravel()[-1:]).any()
        close_tree(panel.box)


class TestInspecting:
    @pytest.fixture
    def pursuit(self, problem) -> Iterator[PursuitWidget]:
        made = PursuitWidget(problem, hidden_layers=1, starts=10)
        yield made
        made.close()

    def to_the_end(self, pursuit: PursuitWidget) -> None:
        pursuit.session.resume()
        assert pursuit.session.wait(PATIENCE)

    def to_a_search(self, pursuit: PursuitWidget) -> None:
        while pursuit.session.frame.phase != "searching":
            assert pursuit.session.step() == 1

    def test_the_saddle_takes_the_place_of_the_pictures(self, pursuit):
        self.to_a_search(pursuit)
        before = figures(pursuit)
        control(pursuit, "Inspect this saddle").click()
        until(lambda: pursuit.inspected is not None and pursuit.inspected in set(parts(pursuit)))
        saddle = pursuit.inspected
        assert saddle is not None
        assert "The saddle of network 1, widths (1), at loss" in text(pursuit)
        assert not set(before) & set(figures(pursuit))
        assert saddle.session.frame.started_active == (1,)
        press(saddle, "To escape", "escape")
        control(pursuit, "Back to the pursuit").click()
        assert pursuit.inspected is None
        assert saddle.session.status == "closed"
        assert figures(pursuit) == before
        pursuit.session.step()

    def test_it_shows_at_once_that_it_is_busy_and_can_be_left(self, pursuit, monkeypatch):
        go_on, ended = threading.Event(), threading.Event()

        def slow_flow(network, problem, *, progress, **options):
            progress("Checking <this>", 0.42)
            go_on.wait(PATIENCE)
            try:
                progress("Checking <this>", 0.99)
            finally:
                ended.set()

        monkeypatch.setattr("np_widgets.widgets.inspection.SaddleFlow", slow_flow)
        self.to_a_search(pursuit)
        before = figures(pursuit)
        control(pursuit, "Inspect this saddle").click()
        until(lambda: "The saddle of network 1, widths (1), at loss" in text(pursuit))
        until(lambda: "Checking &lt;this&gt;: 40%" in text(pursuit))
        assert figures(pursuit) == []
        back = threading.Thread(target=control(pursuit, "Back to the pursuit").click)
        back.start()
        back.join(PATIENCE / 2)
        assert not back.is_alive()
        assert figures(pursuit) == before
        go_on.set()
        assert ended.wait(PATIENCE)
        pursuit.session.wait(PATIENCE)
        pursuit.catch_up()
        assert pursuit.inspected is None
        assert figures(pursuit) == before
        assert "Not done" not in text(pursuit)
        monkeypatch.undo()
        assert pursuit.inspect_saddle(starts=3) is pursuit.inspected

    def test_closing_the_pursuit_ends_what_is_being_prepared(self, problem, monkeypatch):
        pursuit = PursuitWidget(problem, hidden_layers=1, starts=10)
        told = []

        def closing_flow(network, problem, *, progress, **options):
            progress("Checking", 0.0)
            pursuit.close()
            told.append("closed")
            progress("Checking", 0.5)

        monkeypatch.setattr("np_widgets.widgets.inspection.SaddleFlow", closing_flow)
        with pytest.raises(RuntimeError, match="ended while it was prepared"):
            pursuit.inspect_saddle()
        assert told == ["closed"]
        assert pursuit.inspected is None

    def test_what_is_checked_and_how_far_is_told(self, pursuit):
        self.to_a_search(pursuit)
        captions = []
        pursuit._inspection._caption.observe(lambda change: captions.append(change["new"]), "value")
        pursuit.inspect_saddle(starts=3)
        assert captions[0].endswith("· preparing …")
        assert captions[1].endswith("· Checking that this is a minimum: 0% …")
        assert captions[-1] == captions[0].removesuffix(" · preparing …")

    def test_at_the_end_of_a_pursuit_there_is_nothing_to_escape_from(self, pursuit):
        pursuit.session.resume()
        assert pursuit.session.wait(PATIENCE)
        assert pursuit.session.frame.finished.kind == "target"
        saddle = pursuit.inspect_saddle(starts=3)
        assert saddle.status == "finished"
        assert "othing is left to explain here, this is a minimum, not a saddle" in text(saddle)
        for wrong in ("press Play", "not known yet", "Not everything", "redicted escape"):
            assert wrong not in text(saddle)
        for name in ("Play", "Step", "To escape", "To next saddle"):
            assert control(saddle, name).disabled
        assert not control(saddle, "Reset").disabled
        control(saddle, "Reset").click()
        until(lambda: "Reset will" not in text(saddle))
        assert "othing is left to explain" in saddle.message

    def test_a_running_pursuit_is_paused(self, pursuit):
        self.to_a_search(pursuit)
        pursuit.session.speed = 1e-3  # it runs for as long as that takes
        control(pursuit, "Play").click()
        until(lambda: pursuit.status == "running")
        control(pursuit, "Inspect this saddle").click()
        until(lambda: pursuit.inspected is not None)
        assert pursuit.status == "paused"

    def test_before_the_first_network_it_is_the_origin(self, pursuit):
        saddle = pursuit.inspect_saddle(starts=5)
        assert pursuit.inspected is saddle
        assert saddle.session.frame.origin
        assert "The saddle at the origin" in text(pursuit)
        assert pursuit.inspect_saddle() is saddle
        pursuit.end_inspection()
        pursuit.end_inspection()

    def test_a_network_in_training_is_refused_and_nothing_is_lost(self, problem):
        pursuit = PursuitWidget(problem, hidden_layers=1, method="paper", starts=10)
        while pursuit.session.frame.phase != "minimizing":
            pursuit.session.step()
        before = pursuit.session.frame
        control(pursuit, "Inspect this saddle").click()
        until(lambda: "Not done: network must be at a local minimum" in text(pursuit))
        assert "gradient of norm" in text(pursuit)
        assert "still being trained" in text(pursuit)
        assert pursuit.inspected is None
        assert pursuit.loss == before.loss
        with pytest.raises(ValueError, match="at a local minimum"):
            pursuit.inspect_saddle()
        assert pursuit.inspect_saddle(polish=True).session.frame.loss < before.loss
        pursuit.end_inspection()
        pursuit.session.step()
        pursuit.close()

    def test_a_finished_pursuit_and_one_in_single_precision(self, problem):
        import torch

        pursuit = PursuitWidget(problem.to(dtype=torch.float32), hidden_layers=1, starts=10, max_additions=0)
        self.to_the_end(pursuit)
        assert pursuit.status == "finished"
        saddle = pursuit.inspect_saddle(dormant=2)
        assert saddle.session.frame.dormant == (2,)
        assert pursuit.status == "finished"
        pursuit.close()

    def test_closing_the_pursuit_closes_the_inspection(self, problem):
        registered = set(_instances)
        pursuit = PursuitWidget(problem, hidden_layers=1)
        saddle = pursuit.inspect_saddle()
        saddle.session.resume()
        pursuit.close()
        assert saddle.session.status == "closed"
        assert set(_instances) == registered
        with pytest.raises(RuntimeError, match="closed"):
            pursuit.inspect_saddle()

    def test_a_click_while_the_widget_is_closed(self, problem):
        with Session(NeuronPursuit(problem, hidden_layers=1)) as session:
            for _ in range(5):
                pursuit = PursuitWidget(session)
                inspect = control(pursuit, "Inspect this saddle")
                hand = threading.Thread(target=inspect.click)
                hand.start()
                pursuit.close()
                hand.join()
                assert session.wait(PATIENCE)
                assert session.status == "paused"
                assert pursuit.inspected is None
                with pytest.raises(RuntimeError, match="closed"):
                    pursuit.inspect_saddle()
            assert session.step() == 1

    def test_a_closed_session_says_so(self, problem):
        session = Session(NeuronPursuit(problem))
        pursuit = PursuitWidget(session)
        inspect = control(pursuit, "Inspect this saddle")
        session.close()
        pursuit.catch_up()
        assert inspect.disabled
        inspect.click()
        until(lambda: "Not done: the session is closed" in text(pursuit))
        pursuit.close()

    def test_all_widgets_at_once(self, problem):
        registered = set(_instances)
        pursuit = PursuitWidget(problem, hidden_layers=1)
        saddle = pursuit.inspect_saddle()
        for key in set(_instances) - registered:
            if key in _instances:
                _instances[key].close()
        assert pursuit.session.status == saddle.session.status == "closed"
