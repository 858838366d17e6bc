"""The controls of a pursuit."""

from __future__ import annotations

from collections.abc import Callable

from np_widgets.learning.growth import PursuitFrame
from np_widgets.learning.settings import MINIMIZER_NAMES
from np_widgets.sessions.session import Session
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.controls import Controls, OnRefusal
from np_widgets.widgets.elements import LARGEST_SEED, button, dropdown, group, real, whole
from np_widgets.widgets.settings import Setting, Settings
from np_widgets.widgets.writing import update

CONTROLS = (
    "play",
    "step",
    "add_neuron",
    "speed",
    "minimizer",
    "inspect",
    "reset",
    "method",
    "seed",
    "hidden_layers",
    "power",
    "leak",
)

_SPEEDS: dict[str, float | None] = {"full speed": None, "20 a second": 20.0, "5 a second": 5.0, "1 a second": 1.0}


class PursuitControls(Controls):
    """Beside what every session has: adding a neuron, the speed, the minimizer, and a look at the saddle.

    Parameters
    ----------
    session
        The session of a pursuit.
    hidden
        Names from :data:`CONTROLS` to leave out.
    on_change
        Called when the user has changed an input, so that what depends on it be shown again.
    on_refusal
        Called with what made a command be refused, or with None when a command was accepted.
    on_inspect
        Called when the user wants to see the saddle, and the session is paused.
    """

    def __init__(
        self,
        session: Session,
        hidden: frozenset[str],
        on_change: Callable[[], None],
        on_refusal: OnRefusal,
        on_inspect: Callable[[], None],
    ) -> None:
        super().__init__(session, Settings(_settings(session.frame), hidden, on_change), on_refusal)
        self._add = button("Add neuron", "plus", "Search now and add the best neuron", self._add_neuron)
        self._layer = Chooser("Layer", "Which hidden layer gets the neuron", on_change, "130px")
        # The session may have come with a speed of its own.
        self._speeds = _SPEEDS | {_speed_name(session.speed): session.speed}
        speeds, speed = list(self._speeds), _speed_name(session.speed)
        self._speed = dropdown("Speed", speeds, speed, "Steps of the session in a second", "160px")
        self._speed.observe(lambda change: self._set_speed(change["new"]), "value")
        minimizer = session.engine.settings.minimizer  # type: ignore[attr-defined]
        self._minimizer = dropdown("Minimizer", _minimizers(), minimizer, "What minimizes the loss", "230px")
        self._minimizer.observe(lambda change: self._send("set_minimizer", change["new"]), "value")
        self._inspect = button(
            "Inspect this saddle",
            "search",
            "Pause, and show what small weights would do near the network as it stands",
            lambda: self._send("pause", then=on_inspect),
        )
        row = {
            "play": self._play,
            "step": self._step,
            "add_neuron": group([self._add, self._layer.box]),
            "speed": self._speed,
            "minimizer": self._minimizer,
            "inspect": self._inspect,
        }
        self._arrange(hidden, row)

    def show(self, frame: PursuitFrame, status: str) -> None:
        super().show(frame, status)
        update(self._inspect, disabled=status == "closed")
        # The paper's algorithm has but one minimizer.
        if frame.method == "paper":
            update(self._minimizer, value="auto")
        update(self._minimizer, disabled=frame.method == "paper" or status == "closed")
        update(self._add, disabled=not frame.weights or status == "closed")
        self._layer.offer([("best", 0), *((f"{layer}", layer) for layer in range(1, frame.hidden_layers + 1))])

    def _add_neuron(self) -> None:
        self._send("add_neuron", layer=self._layer.value or None)

    def _set_speed(self, name: str) -> None:
        try:
            self._session.speed = self._speeds[name]
        except (RuntimeError, ValueError) as error:
            self._on_refusal(error)


_METHODS = [("fast, looks ahead", "fast"), ("the paper's", "paper")]
_METHOD_TOOLTIP = (
    "The paper's: the KKT point of the largest NCF value, then gradient descent from a tiny start. "
    "Fast: the best four of every layer are tried side by side, by Adam with weight decay; the one that leads furthest "
    "goes on, by second-order steps."
)


def _settings(frame: PursuitFrame) -> list[Setting]:
    seed = whole("Seed", "Of all random starts", frame.seed, 0, LARGEST_SEED, "130px")
    depth = whole("Hidden layers", "How deep the network is", frame.hidden_layers, 1, 8, "140px")
    power = whole("Power p", "Of the activation max(z, αz)^p: 1, 2, …", frame.power, 1, 6, "110px")
    leak = real(
        "Leak α", "Of the activation max(z, αz)^p, from −1 to 1: 0 is a ReLU", frame.leak, -1.0, 1.0, 0.1, "110px"
    )
    method = dropdown("Method", _METHODS, frame.method, _METHOD_TOOLTIP, "210px")
    return [
        Setting("method", "method", (method,)),
        Setting("seed", "seed", (seed,)),
        Setting("hidden_layers", "hidden layers", (depth,)),
        Setting("power", "power p", (power,)),
        Setting("leak", "leak α", (leak,)),
    ]


def _speed_name(speed: float | None) -> str:
    return "full speed" if speed is None else f"{speed:g} a second"


def _minimizers() -> list[tuple[str, str]]:
    names = {
        "lbfgs": "L-BFGS",
        "levenberg_marquardt": "Levenberg–Marquardt",
        "adam": "Adam",
        "minibatch_adam": "mini-batch Adam",
    }
    return [(names.get(name, name.replace("_", " ")), name) for name in MINIMIZER_NAMES]
