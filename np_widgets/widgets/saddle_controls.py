"""The controls of a saddle flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import number
from np_widgets.pictures.ticks import power_of_ten
from np_widgets.sessions.session import Session
from np_widgets.widgets.controls import Controls, OnRefusal
from np_widgets.widgets.elements import LARGEST_SEED, button, dropdown, real, whole
from np_widgets.widgets.inputs import Input
from np_widgets.widgets.settings import Setting, Settings
from np_widgets.widgets.time_slider import TimeSlider
from np_widgets.widgets.writing import update

CONTROLS = (
    "play",
    "step",
    "to_escape",
    "to_next_saddle",
    "time",
    "reset",
    "scale",
    "dormant",
    "dynamics",
    "step_size",
    "seed",
)

_DYNAMICS = {"gradient flow": "flow", "gradient descent": "descent"}


@dataclass(frozen=True)
class SaddleView:
    """What the pictures show: the newest frame, and the point of its record to look at, None for the newest."""

    frame: SaddleFrame
    index: int | None = None


class SaddleControls(Controls):
    """Beside what every session has: goals to run to, and the time slider.

    Play and Step go on without a goal, so also from a goal that is reached. All that makes time pass, and Reset, bring
    the time slider to the present: what they do would not be seen otherwise.
    """

    def __init__(
        self, session: Session, hidden: frozenset[str], on_change: Callable[[], None], on_refusal: OnRefusal
    ) -> None:
        super().__init__(session, Settings(_settings(session.frame, on_change), hidden), on_refusal)
        self._goals = {
            "to_escape": button(
                "To escape", "sign-out", "Run until the dormant weights have grown", lambda: self._run_to("escape")
            ),
            "to_next_saddle": button(
                "To next saddle",
                "fast-forward",
                "Run until the loss is level again",
                lambda: self._run_to("next saddle"),
            ),
        }
        self._time = TimeSlider(on_change)
        self._arrange(hidden, {"play": self._play, "step": self._step, **self._goals, "time": self._time.box})

    def view(self, frame: SaddleFrame) -> SaddleView:
        """The frame, at the moment that the user looks at."""
        return SaddleView(frame, self._time.index(frame.record.time))

    def show(self, frame: SaddleFrame, status: str) -> None:
        super().show(frame, status)
        over = self._is_over(frame, status)
        for goal in self._goals.values():
            update(goal, disabled=over)
        self._time.show(frame.record.time, self._time.index(frame.record.time))

    def _is_over(self, frame: SaddleFrame, status: str) -> bool:
        # Of a flow that has reached its goal there is more to see.
        return super()._is_over(frame, status) and (status == "closed" or frame.goal is None)

    def _go_on(self) -> None:
        self._run_to(None)

    def _one_step(self) -> None:
        self._time.to_newest()
        self._send("aim", None, then=lambda: self._send("step"))

    def _start_over(self) -> None:
        self._time.to_newest()
        super()._start_over()

    def _run_to(self, goal: str | None) -> None:
        self._time.to_newest()
        self._send("aim", goal, then=lambda: self._send("resume"))


def _scales(present: float) -> list[tuple[str, float]]:
    """``(label, value)`` of scales in even steps of a log scale, with the present one among them.

    A slider of numbers would move what lies between its steps to one of them, in the browser and unasked.
    """
    labels = {}
    for exponent in range(-8, 0):
        labels[float(f"1e{exponent}")] = power_of_ten(exponent)
        labels[float(f"3e{exponent}")] = f"3·{power_of_ten(exponent)}"
    labels.setdefault(present, number(present))
    return [(labels[value], value) for value in sorted(labels)]


def _settings(frame: SaddleFrame, on_change: Callable[[], None]) -> list[Setting]:
    def changed(_: Any) -> None:
        on_change()

    layers = range(1, len(frame.dormant) + 1)
    dormant = tuple(
        Input(partial(_dormant_input, layer, len(layers)), count, changed)
        for layer, count in zip(layers, frame.dormant, strict=True)
    )
    dynamics = Input(_dynamics_input, frame.dynamics, changed)
    seed_tooltip = "Of the dormant weights and of the search"
    return [
        Setting("scale", "scale δ", (Input(_scale_input, frame.scale, changed),)),
        Setting("dormant", "dormant neurons", dormant, several=True),
        Setting("dynamics", "dynamics", (dynamics,)),
        Setting(
            "step_size",
            "step size",
            (Input(_step_size_input, frame.step_size, changed),),
            applies=lambda: bool(dynamics.value == "descent"),
        ),
        Setting(
            "seed",
            "seed",
            (Input(lambda value: whole("Seed", seed_tooltip, value, 0, LARGEST_SEED, "130px"), frame.seed, changed),),
        ),
    ]


def _scale_input(present: float) -> ipywidgets.Widget:
    return ipywidgets.SelectionSlider(
        options=_scales(present),
        value=present,
        description="Scale δ",
        tooltip="The norm of all dormant weights at the start",
        style={"description_width": "initial"},
        layout={"width": "230px"},
    )


def _dormant_input(layer: int, layers: int, count: int) -> ipywidgets.Widget:
    name = "Dormant neurons" if layers == 1 else "Dormant in layer 1" if layer == 1 else f"layer {layer}"
    tooltip = f"How many neurons of hidden layer {layer} are dormant at the start"
    return whole(name, tooltip, count, 0, 1000, "180px" if layer == 1 else "110px")


def _dynamics_input(dynamics: str) -> ipywidgets.Widget:
    return dropdown("Dynamics", _DYNAMICS, dynamics, "Gradient flow, or gradient descent with a fixed step", "225px")


def _step_size_input(step_size: float) -> ipywidgets.Widget:
    return real("Step size", "Of gradient descent", step_size, 1e-6, 10.0, 0.005, "140px")
