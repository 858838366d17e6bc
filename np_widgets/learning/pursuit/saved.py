"""The state of a pursuit, and the pursuit of a state."""

from __future__ import annotations

from typing import Any, get_type_hints

from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.pursuit.chosen import own_neuron
from np_widgets.learning.pursuit.loop import Loop
from np_widgets.learning.pursuit.now import Now
from np_widgets.learning.pursuit.searching import Searching
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.pursuit.training import Training
from np_widgets.problems import Problem

_THREE = tuple[dict[str, Any] | None, dict[str, Any] | None, dict[str, Any] | None]
_ENTRIES = get_type_hints(Now) | {
    "problem": states.Fingerprint,
    "settings": dict[str, Any],
    "largest_value": states.finite_number,
    "rises_seen": states.whole,
    "own": tuple[int, Tensor, Tensor] | None,
    "trace": dict[str, Any],
    "trainings": _THREE,
    "searching": tuple[int, tuple[tuple[int, int], ...], bool, bool] | None,
}


def state_of(loop: Loop) -> dict[str, Any]:
    """Everything needed to go on from here, but for the problem."""
    trainings = loop.training, loop.previous, loop.aside
    return {
        **loop.now._asdict(),
        "settings": dict(vars(loop.settings)),
        "trace": loop.trace.state(),
        "trainings": tuple(None if each is None else each.state() for each in trainings),
        "searching": None if loop.searching is None else loop.searching.state(),
    }


def restored(problem: Problem, state: dict[str, Any], before: Loop | None = None) -> Loop:
    """The loop as it was when ``state`` was taken; what ``before`` has searched is not searched again."""
    states.require("state", state, _ENTRIES)
    states.require_fingerprint(state["problem"], problem)
    states.require("state['settings']", state["settings"], dict.fromkeys(vars(PursuitSettings()), Any))
    if state["taken"] is not None:
        arguments.whole("state['taken']", state["taken"], 0, len(state["candidates"]) - 1)
    loop = Loop(problem, PursuitSettings(**state["settings"]))
    loop.now = Now(**{name: state[name] for name in Now._fields})
    loop.trace.restore(state["trace"])
    loop.training, loop.previous, loop.aside = (
        None if saved is None else Training.restored(problem, loop.settings, saved) for saved in state["trainings"]
    )
    if state["own"] is not None:
        if loop.training is None or state["searching"] is None:
            raise ValueError("state['own'] must be None where no neuron is searched for")
        loop.note(own=own_neuron(loop.training.network, problem, *state["own"]))
    if state["searching"] is not None:
        loop.searching = _search(loop, state["searching"], None if before is None else before.searching)
    return loop


def _search(loop: Loop, state: Any, beside: Searching | None) -> Searching:
    quanta, paths, *options = state
    layers = loop.settings.hidden_layers
    for layer, last in paths:
        arguments.whole("state['searching'][1]", layer, 1, layers)
        arguments.whole("state['searching'][1]", last, layer, layers)
    if loop.training is None and paths != ((1, layers),):
        raise ValueError("state['searching'] must be of the path through all layers before the first training")
    if loop.is_training:
        raise ValueError("state['searching'] must be None while a training is under way")
    searching = loop.search_for(paths, *options)
    searching.directions.catch_up(quanta, None if beside is None else beside.directions)
    if searching.directions.quanta != quanta:
        most = searching.directions.quanta
        raise ValueError(f"state['searching'][0] must be at most {most}, where this search ends, got {quanta}")
    return searching
