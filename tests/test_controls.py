"""Controls say what is in force, and send what the user asked for and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session
from np_widgets.widgets.pursuit import PursuitWidget
from np_widgets.widgets.saddle import SaddleWidget
from tests.widget_looks import PATIENCE, control, nothing_left_behind, text, until


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    with nothing_left_behind():
        yield


class Recording(Session):
    """Remembers what it was told to do, and by whom: what its own methods queue is not the widget's doing."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self.told: list[tuple[Any, ...]] = []

    def submit(self, command: str, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.told.append((command, *args, *kwargs.items()))
        return super().submit(command, *args, **kwargs)


@pytest.fixture(scope="module")
def problem() -> Problem:
    x = np.random.default_rng(0).normal(size=(40, 3))
    return Problem(x, np.maximum(x[:, 0], 0), name="a ReLU")


@pytest.fixture
def session(problem) -> Iterator[Recording]:
    with Recording(NeuronPursuit(problem, hidden_layers=1, starts=5)) as made:
        yield made


@pytest.fixture
def widget(session) -> Iterator[PursuitWidget]:
    made = PursuitWidget(session)
    yield made
    made.close()


@pytest.fixture
def saddle(problem) -> Iterator[tuple[Recording, SaddleWidget]]:
    network = HomogeneousNetwork([np.array([[0.5, 0.0, 0.0]]), np.array([[0.5]])])
    with Recording(SaddleFlow(network, problem, dormant=2, starts=5, polish=True)) as session:
        widget = SaddleWidget(session)
        yield session, widget
        widget.close()


def press(session: Recording, widget: Any, name: str) -> list[tuple[Any, ...]]:
    """What the session is told when a button is pressed."""
    session.told.clear()
    control(widget, name).click()
    assert session.wait(PATIENCE)
    return list(session.told)


class TestWhatIsInForce:
    """Changed from Python, it is shown; and what is shown sends nothing back."""

    def test_the_minimizer(self, session, widget):
        for name in ("adam", "lbfgs", "auto"):
            session.set_minimizer(name)
            assert control(widget, "Minimizer").value == name
        session.step(20)
        assert session.frame.minimizer.startswith("auto: ")
        assert control(widget, "Minimizer").value == "auto"
        assert [told[:3] for told in session.told] == [
            ("apply", "set_minimizer", "adam"),
            ("apply", "set_minimizer", "lbfgs"),
            ("apply", "set_minimizer", "auto"),
            ("step", 20),
        ]

    def test_the_papers_method_and_its_one_minimizer(self, session, widget):
        session.set_minimizer("adam")
        assert control(widget, "Minimizer").value == "adam"
        session.told.clear()
        session.reset(method="paper")
        assert control(widget, "Method").value == "paper"
        assert control(widget, "Minimizer").value == "auto"
        assert control(widget, "Minimizer").disabled
        assert "Reset will" not in text(widget)
        session.reset(method="fast")
        assert not control(widget, "Minimizer").disabled
        session.wait()
        assert session.told == [
            ("apply", "reset", ("method", "paper")),
            ("apply", "reset", ("method", "fast")),
        ]

    def test_the_speed(self, session, widget):
        for speed, name in ((5.0, "5 a second"), (0.3, "0.3 a second"), (None, "full speed")):
            session.speed = speed
            assert control(widget, "Speed").label == name
        assert session.told == []

    def test_settings_that_nobody_has_touched(self, session, widget):
        control(widget, "Leak α").value = 0.25
        session.reset(seed=2**62 + 1, hidden_layers=3, power=2)
        for name, value in (("Seed", 2**62 + 1), ("Hidden layers", 3), ("Power p", 2), ("Leak α", 0.25)):
            assert control(widget, name).value == float(value)
        assert "Reset will start with <b>leak α 0.25</b>" in text(widget)
        assert press(session, widget, "Reset") == [("reset", ("leak", 0.25))]
        assert session.frame.seed == 2**62 + 1

    def test_settings_of_a_saddle(self, saddle):
        session, widget = saddle
        session.reset(scale=2e-5, dormant=(4,), dynamics="descent", step_size=0.015, seed=3)
        expected = {"Scale δ": 2e-5, "Dormant neurons": 4, "Dynamics": "descent", "Step size": 0.015, "Seed": 3}
        for name, value in expected.items():
            assert control(widget, name).value == value
        assert "Reset will" not in text(widget)
        assert press(session, widget, "Reset") == [("reset",)]

    def test_two_widgets_of_one_session(self, session, widget):
        with_another = PursuitWidget(session)
        control(with_another, "Minimizer").value = "adam"
        session.wait()
        control(with_another, "Speed").label = "1 a second"
        assert control(widget, "Minimizer").value == control(with_another, "Minimizer").value == "adam"
        assert control(widget, "Speed").label == "1 a second"
        assert session.told == [("set_minimizer", "adam")]
        with_another.close()


class TestWhatIsSent:
    def test_each_button_sends_its_command(self, session, widget):
        assert press(session, widget, "Step") == [("step",)]
        assert press(session, widget, "Reset") == [("reset",)]
        session.speed = 2.0
        session.told.clear()
        control(widget, "Play").click()
        until(lambda: session.status == "running")
        assert session.told == [("resume",)]
        assert press(session, widget, "Pause") == [("pause",)]

    def test_a_choice_is_kept_until_it_is_in_force(self, session, widget):
        control(widget, "Minimizer").value = "adam"
        assert control(widget, "Minimizer").value == "adam"
        session.wait()
        assert control(widget, "Minimizer").value == "adam"
        assert session.engine.settings.minimizer == "adam"

    def test_a_choice_that_is_refused_is_taken_back(self, session, widget, monkeypatch):
        def refuse(self, minimizer):
            raise ValueError("not this one")

        monkeypatch.setattr(NeuronPursuit, "set_minimizer", refuse)
        control(widget, "Minimizer").value = "adam"
        until(lambda: "Not done: not this one" in text(widget))
        until(lambda: control(widget, "Minimizer").value == "auto")
        assert session.told == [("set_minimizer", "adam")]

    def test_a_number_that_is_no_integer_is_refused_by_name(self, session, widget):
        control(widget, "Seed").value = 1.5
        until(lambda: "Reset will start with <b>seed 1.5</b>" in text(widget))
        control(widget, "Reset").click()
        until(lambda: "Not done: seed must be an integer" in text(widget))
        assert control(widget, "Seed").value == 1.5
        assert session.frame.seed == 0
        control(widget, "Seed").value = 2.0
        assert press(session, widget, "Reset") == [("reset", ("seed", 2))]
        assert (session.frame.seed, type(session.frame.seed)) == (2, int)

    def test_a_seed_taken_back_is_no_change(self, session, widget):
        control(widget, "Seed").value = 7
        control(widget, "Seed").value = 0
        assert press(session, widget, "Reset") == [("reset",)]

    def test_drawing_for_a_while_sends_nothing(self, session, widget):
        session.told.clear()
        session.step(30)
        widget.catch_up()
        assert session.told == [("step", 30)]
