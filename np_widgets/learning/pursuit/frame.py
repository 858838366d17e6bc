"""What a pursuit shows of itself."""

from __future__ import annotations

from np_widgets.learning.pursuit.growth import PursuitFrame, judged
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
    candidates = now.candidates if loop.searching is None else loop.searching.candidates
    if training is not None and training.looks_ahead:
        candidates = judged(candidates, training.looked_at)
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
        candidates=candidates,
        taken=None if loop.searching is not None else now.taken,
        finished=now.finished,
        hidden_layers=settings.hidden_layers,
        classes=loop.problem.loss.name == "cross_entropy",
        seed=settings.seed,
        method=settings.method,
        minimizer=f"auto: {minimizer.name}" if settings.minimizer == "auto" and minimizer else settings.minimizer,
    )


def _message(loop: Loop) -> str:
    if loop.now.finished is not None:
        return str(loop.now.finished)
    under_way = loop.searching or loop.training
    if under_way is None:
        return "Ready: nothing has been computed yet."
    return f"Network {loop.iteration}: {under_way.message}" if loop.iteration else under_way.message


def _progress(loop: Loop) -> float | None:
    if loop.now.finished is not None:
        return 1.0
    under_way = loop.searching or loop.training
    return None if under_way is None else under_way.progress
