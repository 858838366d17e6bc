"""The controls of a saddle flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets

from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.labels import number, power_of_ten
from np_widgets.widgets.controls import PAST, Controls, Owner
from np_widgets.widgets.elements import LARGEST_SEED, button, dropdown, real, whole
from np_widgets.widgets.inputs import Input
from np_widgets.widgets.settings import Setting, Settings
from np_widgets.widgets.theme import sized
from np_widgets.widgets.writing import update

CONTROLS = (
    "play",
    "step",
    "to_escape",
    "to_next_saddle",
    "undo",
    *PAST,
    "reset",
    "scale",
    "dormant",
    "dynamics",
    "step_size",
    "weight_decay",
    "seed",
)

VALUES = ("scale", "dormant", "dynamics", "step_size", "weight_decay", "seed")

_DYNAMICS = {"gradient flow": "flow", "gradient descent": "descent"}


@dataclass(frozen=True)
class SaddleView:
    """What the pictures show: the newest frame, and the point of its record to look at, None for the newest."""

    frame: SaddleFrame
    index: int | None = None

    @property
    def time(self) -> float:
        """When that was."""
        return self.frame.time if self.index is None else float(self.frame.record.time[self.index])


class SaddleControls(Controls):
    """Beside what every session has: goals to run to. Play and Step go on without one, so also from one reached."""

    def __init__(self, owner: Owner, hidden: frozenset[str]) -> None:
        super().__init__(owner, Settings(_settings(owner.session.frame, owner.on_change), hidden))
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
        self._arrange(hidden, {"play": self._play, "step": self._step, **self._goals, "undo": self.past.undo}, {})

    def show(self, frame: SaddleFrame, status: str, look: SaddleView, words: str) -> None:
        super().show(frame, status, look, words)
        over = self._is_over(frame, status)
        for goal in self._goals.values():
            update(goal, disabled=over)

    def _is_over(self, frame: SaddleFrame, status: str) -> bool:
        # Of a flow that has reached its goal there is more to see.
        return super()._is_over(frame, status) and (status == "closed" or frame.goal is None)

    def _go_on(self) -> None:
        self._without_goal("resume")

    def _one_step(self) -> None:
        self._without_goal("step")

    def _without_goal(self, command: str) -> None:
        # To have none is never refused, so both are queued at once: whoever waits then waits for both.
        self._do("aim", None)
        self._send(command)

    def turn(self, layer: int, neuron: int, incoming: Sequence[float], outgoing: Sequence[float]) -> None:
        """Start over with a dormant neuron that was dragged to a direction."""
        self._do("turn", layer, neuron, tuple(incoming), tuple(outgoing))

    def _run_to(self, goal: str) -> None:
        self._do("aim", goal, then=lambda: self._send("resume"))


def _scales(present: float) -> list[tuple[str, float]]:
    """``(label, value)`` of scales in even steps of a log scale, with the present one among them.

    A slider of numbers would move what lies between its steps to one of them, in the browser and unasked.
    """
    labels = {}
    for exponent in range(-8, 0):
        labels[float(f"1e{exponent}")] = power_of_ten(exponent)
        labels[float(f"3e{exponent}")] = power_of_ten(exponent, "3")
    labels.setdefault(present, number(present))
    return [(labels[value], value) for value in sorted(labels)]


def _settings(frame: SaddleFrame, on_change: Callable[[], None]) -> list[Setting]:
    def made(make: Callable[[Any], ipywidgets.Widget], value: Any) -> Input:
        return Input(make, value, lambda _: on_change())

    def setting(name: str, label: str, make: Callable[[Any], ipywidgets.Widget]) -> Setting:
        return Setting(name, label, (made(make, getattr(frame, name)),))

    layers = len(frame.dormant)
    dormant = tuple(made(partial(_dormant_input, layer, layers), count) for layer, count in enumerate(frame.dormant, 1))
    dynamics = setting("dynamics", "dynamics", _dynamics_input)
    return [
        setting("scale", "scale δ", _scale_input),
        Setting("dormant", "dormant neurons", dormant, several=True),
        dynamics,
        Setting(
            "step_size",
            "step size",
            (made(_step_size_input, frame.step_size),),
            applies=lambda: bool(dynamics.value == "descent"),
        ),
        setting("weight_decay", "weight decay λ", _weight_decay_input),
        setting("seed", "seed", _seed_input),
    ]


def _scale_input(present: float) -> ipywidgets.Widget:
    return ipywidgets.SelectionSlider(
        options=_scales(present),
        value=present,
        description="Scale δ",
        tooltip="The norm of all dormant weights at the start",
        style={"description_width": "initial"},
        layout={"width": sized("200px")},
    )


def _dormant_input(layer: int, layers: int, count: int) -> ipywidgets.Widget:
    name = "Dormant neurons" if layers == 1 else "Dormant in layer 1" if layer == 1 else f"layer {layer}"
    tooltip = f"How many neurons of hidden layer {layer} are dormant at the start"
    return whole(name, tooltip, count, 0, 1000, "170px" if layer == 1 else "95px")


def _dynamics_input(dynamics: str) -> ipywidgets.Widget:
    return dropdown("Dynamics", _DYNAMICS, dynamics, "Gradient flow, or gradient descent with a fixed step", "205px")


def _step_size_input(step_size: float) -> ipywidgets.Widget:
    return real("Step size", "Of gradient descent", step_size, 1e-6, 10.0, 0.005, "140px")


def _weight_decay_input(weight_decay: float) -> ipywidgets.Widget:
    tooltip = "The price λ on weights, ½λ‖W‖²: neurons grow at a rate of 2N* − λ. A network descends to its minimum"
    return real("Decay λ", tooltip, weight_decay, 0.0, 100.0, 0.01, "105px")


def _seed_input(seed: int) -> ipywidgets.Widget:
    return whole("Seed", "Of the dormant weights and of the search", seed, 0, LARGEST_SEED, "110px")
