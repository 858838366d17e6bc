"""What a pursuit shows of itself."""

from __future__ import annotations

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.pursuit.loop import Loop


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
        weights=tuple(weight.detach().cpu().double().numpy().copy() for weight in weights),
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
    under_way = loop.searching or loop.training
    if under_way is None:
        return "Ready: nothing has been computed yet."
    said = f"{under_way.message}{_of_own(loop)}"
    return f"Network {loop.iteration}: {said}" if loop.iteration else said


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
