"""What a pursuit shows of itself."""

from __future__ import annotations

from collections.abc import Sequence

from np_widgets.learning.arrays import copies
from np_widgets.learning.correlation.paths import Path
from np_widgets.learning.pursuit.growth import PursuitFrame, named_layers
from np_widgets.learning.pursuit.loop import Loop
from np_widgets.learning.pursuit.searching import Searching
from np_widgets.learning.pursuit.training import Training


def phase_of(loop: Loop) -> str:
    """``"ready"``, ``"origin"``, ``"minimizing"``, ``"searching"`` or ``"finished"``."""
    if loop.now.finished is not None:
        return "finished"
    if loop.searching is not None:
        return "origin" if loop.searching.at_origin else "searching"
    return "ready" if loop.training is None else "minimizing"


def frame_of(loop: Loop) -> PursuitFrame:
    """Where a pursuit stands."""
    now, training, settings = loop.now, loop.training, loop.settings
    steps, losses = loop.trace.arrays()
    weights = () if training is None else training.network.weights
    minimizer = None if training is None else training.minimizer
    return PursuitFrame(
        phase=phase_of(loop),
        iteration=loop.iteration,
        message=_message(loop),
        progress=_progress(loop),
        weights=copies(weights),
        power=settings.power,
        leak=settings.leak,
        added=() if training is None or training.start.layer == 0 else training.start.added,
        loss=None if training is None else training.loss,
        objective=None if training is None else training.objective,
        test_loss=None if training is None else training.test_loss,
        step=0 if training is None else training.steps,
        total_steps=loop.total_steps,
        trace_steps=steps,
        trace_losses=losses,
        growth=now.growth,
        candidates=loop.candidates,
        taken=None if loop.searching is not None else now.taken,
        finished=now.finished,
        hidden_layers=settings.hidden_layers,
        classes=loop.problem.loss.name == "cross_entropy",
        seed=settings.seed,
        method=settings.method,
        target_loss=loop.target_loss,
        minimizer=f"auto: {minimizer.name}" if settings.minimizer == "auto" and minimizer else settings.minimizer,
    )


def _message(loop: Loop) -> str:
    if loop.now.finished is not None:
        return str(loop.now.finished)
    if loop.searching is not None:
        said = _of_search(loop.searching)
    elif loop.training is not None:
        said = _of_training(loop.training)
    else:
        return "Ready: nothing has been computed yet."
    said += _of_own(loop)
    return f"Network {loop.iteration}: {said[0].lower()}{said[1:]}" if loop.iteration else said


def _of_own(loop: Loop) -> str:
    """How a neuron of the user's own compares."""
    now = loop.now
    if now.own is not None:
        return " Yours is added then."
    if loop.searching is not None or loop.training is None or not now.candidates:
        return ""
    mine = now.candidates[loop.training.start.candidate]
    if not mine.own:
        return ""
    others = [each.value for each in now.candidates if not each.own and each.layer == each.last]
    best = f"the best is {max(others):.3g}" if others else "no other was found"
    return f" Your neuron has the NCF value {mine.value:.3g}, {best}."


def _progress(loop: Loop) -> float | None:
    if loop.now.finished is not None:
        return 1.0
    under_way = loop.searching or loop.training
    return None if under_way is None else under_way.progress


def _of_training(training: Training) -> str:
    losses = f"loss {training.start_loss:.3g} → {training.loss:.3g} at step {training.steps:,}."
    start, look_ahead, minimizer = training.start, training.look_ahead, training.minimizer
    new = named_layers(start.layer, start.last)
    if look_ahead is not None and look_ahead.count > 1:
        what = f"neurons (ahead: one in {new})" if start.layer else "first networks"
        return f"trying {look_ahead.count} {what} side by side, {losses}"
    if start.layer:
        news = f"{new} got a neuron"
    else:
        news = "one neuron in each hidden layer" if start.last else "the network it began with"
    return f"{news}; {'first steps by Adam' if minimizer is None else minimizer.activity}, {losses}"


def _of_search(search: Searching) -> str:
    some = search.samples < search.all_samples
    share = f" on {search.samples:,} of {search.all_samples:,} samples" if some else ""
    round_ = f"round {search.directions.quanta}"
    if search.at_origin:
        return f"Searching the origin for the best network of one neuron per hidden layer{share}: {round_}."
    sides = ", at kinks too" if search.upper else ", exactly" if search.exact else ""
    return f"Searching {_wanted(search.paths)}{sides}{share}: {round_}."


def _wanted(paths: Sequence[Path]) -> str:
    """What those paths are, in words."""
    if all(layer == last for layer, last in paths):
        layers = [str(layer) for layer, _ in paths]
        where = "all layers" if len(layers) > 2 else f"layer{'s' * (len(layers) - 1)} {' and '.join(layers)}"
        return f"{where} for the best neuron to add"
    if len(paths) == 1:
        return f"layers {paths[0][0]}–{paths[0][1]} for the best path of neurons to add"
    return "all layers for the best path of neurons to add"
