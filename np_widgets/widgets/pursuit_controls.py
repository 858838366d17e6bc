"""The controls of a pursuit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from np_widgets.learning.minimizers.choice import MINIMIZERS
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.scene import Key
from np_widgets.pictures.trial import Draft
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.controls import PAST, Controls, Owner
from np_widgets.widgets.drafts import Drafts
from np_widgets.widgets.elements import LARGEST_SEED, button, dropdown, group, real, whole
from np_widgets.widgets.inputs import Input
from np_widgets.widgets.selection import PursuitView, Selection
from np_widgets.widgets.settings import Setting, Settings
from np_widgets.widgets.writing import update

CONTROLS = (
    "play",
    "step",
    "add_neuron",
    "undo",
    "speed",
    "minimizer",
    "select",
    "add_this",
    "inspect",
    *PAST,
    "reset",
    "method",
    "seed",
    "hidden_layers",
    "power",
    "leak",
)

VALUES = ("speed", "minimizer", "method", "seed", "hidden_layers", "power", "leak")

# Advances in a second, and whether it pauses after each neuron.
_Pace = tuple[float | None, bool]
_PACES: tuple[_Pace, ...] = ((None, False), (20.0, False), (5.0, False), (1.0, False), (None, True))


class PursuitControls(Controls):
    """Beside what every session has: adding a neuron, the speed, the minimizer, and a look at the saddle."""

    def __init__(self, owner: Owner, hidden: frozenset[str], on_inspect: Callable[[], None]) -> None:
        session, on_change = owner.session, owner.on_change
        super().__init__(owner, Settings(_settings(session.frame, on_change), hidden))
        self._on_change = on_change
        self._add = button("Add neuron", "plus", "Search now and add the best neuron", self._add_neuron)
        self._layer = Chooser("Layer", "Which hidden layer gets the neuron", on_change, "130px")
        self._pace = Input(_pace_input, (session.speed, session.pauses), self._set_pace)
        self._minimizer = Input(_minimizer_input, _minimizer(session.frame), self._set_minimizer)
        self._under_way: set[object] = set()
        self.selection = Selection(on_change)
        self.drafts = Drafts(on_change)
        self._add_this = button("Add this one", "plus", "Add the selected candidate, or your own neuron", self._add_it)
        self._selected: tuple[Key | None, Draft | None] = (None, None)
        self._inspect = button(
            "Inspect this saddle",
            "search",
            "Pause, and show what small weights would do near the network as it stands",
            lambda: self._send("pause", then=on_inspect),
        )
        steering = {
            "play": self._play,
            "step": self._step,
            "add_neuron": group([self._add, self._layer.box]),
            "undo": self.past.undo,
        }
        ways = {"speed": self._pace.box, "minimizer": self._minimizer.box}
        looking = {"select": self.selection.box, "add_this": self._add_this, "inspect": self._inspect}
        self._arrange(hidden, steering, ways, looking)

    def show(self, frame: PursuitFrame, status: str, look: PursuitView, words: str) -> None:
        super().show(frame, status, look, words)
        update(self._inspect, disabled=status == "closed")
        self.selection.show(look.frame)
        # What is seen is what is added; a moment that is looked back to has had its turn.
        key, self._selected = look.selected, (look.selected, look.draft)
        other = key is not None and key[0] == "candidate" and key[1] != frame.taken
        here = look.frame is frame and (other or look.draft is not None)
        update(self._add_this, disabled=status == "closed" or not here)
        closed = status == "closed"
        self._pace.show((self._session.speed, self._session.pauses), disabled=closed)
        if not self._under_way:
            # The newest frame: that of this moment may be older than a choice that was obeyed meanwhile.
            newest = self._session.frame
            # The paper's algorithm has but one minimizer.
            self._minimizer.show(_minimizer(newest), disabled=closed or newest.method == "paper")
        update(self._add, disabled=not frame.weights or status == "closed")
        self._layer.offer([("best", 0), *((f"{layer}", layer) for layer in range(1, frame.hidden_layers + 1))])

    def _inputs_of(self, name: str) -> Sequence[Input]:
        own = {"speed": self._pace, "minimizer": self._minimizer}
        return [own[name]] if name in own else super()._inputs_of(name)

    def _add_neuron(self) -> None:
        self._do("add_neuron", layer=self._layer.value or None)

    def _add_it(self) -> None:
        selected, draft = self._selected
        if draft is not None:
            self._do("add_neuron", **draft._asdict())
        elif selected is not None:
            self._do("add_neuron", candidate=int(selected[1]))

    def _set_pace(self, pace: _Pace) -> None:
        try:
            self._session.speed, self._session.pauses = pace
        except (RuntimeError, ValueError) as error:
            self._on_refusal(error)
        self._on_change()

    def _set_minimizer(self, name: str) -> None:
        # Until it is in force or refused, the drop-down keeps what the user has chosen.
        choice = object()
        self._under_way.add(choice)
        self._send("set_minimizer", name, settled=lambda: self._under_way.discard(choice))


_METHODS = [("fast, looks ahead", "fast"), ("the paper's", "paper")]
_METHOD_TOOLTIP = (
    "The paper's: the KKT point of the largest NCF value, then gradient descent from a tiny start. "
    "Fast: the best four of every layer are tried side by side, by Adam with weight decay; the one that leads furthest "
    "goes on, by second-order steps."
)


def _settings(frame: PursuitFrame, on_change: Callable[[], None]) -> list[Setting]:
    def setting(name: str, label: str, make: Callable[[Any], ipywidgets.Widget]) -> Setting:
        return Setting(name, label, (Input(make, getattr(frame, name), lambda _: on_change()),))

    def alpha(value: float) -> ipywidgets.Widget:
        tooltip = "Of the activation max(z, αz)^p, from −1 to 1: 0 is a ReLU"
        return real("Leak α", tooltip, value, -1.0, 1.0, 0.1, "110px")

    tooltip = "Of the activation max(z, αz)^p: 1, 2, …"
    return [
        setting("method", "method", lambda value: dropdown("Method", _METHODS, value, _METHOD_TOOLTIP, "210px")),
        setting("seed", "seed", lambda value: whole("Seed", "Of all random starts", value, 0, LARGEST_SEED, "130px")),
        setting(
            "hidden_layers",
            "hidden layers",
            lambda value: whole("Hidden layers", "How deep the network is", value, 1, 8, "140px"),
        ),
        setting("power", "power p", lambda value: whole("Power p", tooltip, value, 1, 6, "110px")),
        setting("leak", "leak α", alpha),
    ]


def _pace_input(pace: _Pace) -> ipywidgets.Widget:
    # The session may have one of its own.
    options = [(_pace_name(*each), each) for each in dict.fromkeys([*_PACES, pace])]
    tooltip = "Steps of the session in a second, and whether Play goes on after a neuron is added and trained"
    return dropdown("Speed", options, pace, tooltip, "230px")


def _pace_name(speed: float | None, pauses: bool) -> str:
    name = "full speed" if speed is None else f"{speed:g} a second"
    return name if not pauses else "pause after each neuron" if speed is None else f"{name}, pause after each neuron"


def _minimizer_input(name: str) -> ipywidgets.Widget:
    return dropdown("Minimizer", _minimizers(), name, "What minimizes the loss", "230px")


def _minimizer(frame: PursuitFrame) -> str:
    """The setting in force, without what "auto" has chosen."""
    return frame.minimizer.partition(":")[0]


def _minimizers() -> list[tuple[str, str]]:
    return [("auto", "auto"), *((kind.title, name) for name, kind in MINIMIZERS.items())]
