"""What a saddle flow is doing, in words, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from np_widgets.learning.saddles.departure import COMPARISON_STEPS
from np_widgets.learning.saddles.frames import Awakening, Prediction
from np_widgets.learning.saddles.minimum import Stationarity
from np_widgets.learning.saddles.now import NOTHING_LEFT, Now
from np_widgets.learning.saddles.recording import Sample, drift
from np_widgets.learning.saddles.saddle import Saddle
from np_widgets.learning.saddles.settings import SaddleSettings

# Gradient descent with a drift above this, or whose loss has risen by such a share, does not follow the flow.
_NO_FLOW, _NO_FLOW_LOSS = 0.1, 1e-2


def warning(settings: SaddleSettings, samples: Sequence[Sample]) -> str:
    """A sentence, to be put behind another, if steps of gradient descent are too large to follow the flow."""
    if settings.dynamics != "descent":
        return ""
    found, losses = float(drift(samples)[-1]), np.array([sample.loss for sample in samples])
    rises = bool((losses[1:] > (1 + _NO_FLOW_LOSS) * losses[:-1]).any())
    if found <= _NO_FLOW and not rises:
        return ""
    risen = " and the loss has risen" if rises else ""
    return f" Steps of {settings.step_size:g} are too large, this is no flow: the drift is {found:.2g}{risen}."


def phase(now: Now) -> str:
    """As frames say it."""
    if now.finished is not None:
        return "finished"
    if now.phase in ("searching", "predicting"):
        return "ready" if now.rounds == 0 and not now.predictions else "searching"
    if now.phase == "comparing":
        return "comparing"
    return "near the saddle" if now.escaped is None else "escaping"


def message(now: Now, saddle: Saddle, loss: float, found: Stationarity | None) -> str:
    """One sentence; ``loss`` is the present one, ``found`` what the check of the first saddle has found."""
    if now.finished is not None:
        return now.finished
    where = "the origin" if saddle.network is None else "the saddle"
    if phase(now) == "ready":
        unchecked = f" {found.unchecked}" if found is not None and found.unchecked else ""
        return f"Ready: near {where}, nothing has been computed yet.{unchecked}"
    if now.phase == "searching":
        return f"Searching the KKT points at {where}: round {now.rounds}."
    if now.phase == "predicting":
        return f"Following the flow of the neural correlation function alone, from {where}."
    if now.phase == "comparing":
        return f"At the next saddle; training what Neuron Pursuit would have trained: step {_compared(now):,}."
    if now.escaped is not None:
        return f"On the way to the next saddle: time {now.point.time:.4g}, loss {loss:.3g}."
    predicted = now.predictions[-1].escape_time
    if not now.predictions[-1].destinations:
        return (
            f"Near {where}: time {now.point.time:.4g}, no escape is predicted: {saddle.without_destination} for a "
            "single neuron. Only several neurons in consecutive layers together may leave, slowly; what they do is "
            "predicted for one dormant neuron a layer that start near the ray of their path."
        )
    beside = "no escape is predicted"
    if predicted is not None:
        beside = f"escape is predicted at {predicted:.4g}{_rate(now.predictions[-1])}"
    path = next((each for each in now.predictions[-1].destinations if each.layer and each.inner), None)
    if path is not None and predicted is not None:
        beside += f", along a path of one neuron in each of the layers {path.layer} to {path.layer + len(path.inner)}"
    return f"Near {where}: time {now.point.time:.4g}, {beside}."


def fitted(now: Now, loss: float) -> str:
    """Where nothing is left to explain."""
    before = f"{now.events[-1].message} " if now.events else ""
    return f"{before}{NOTHING_LEFT[0].upper()}{NOTHING_LEFT[1:]}: the loss is {loss:.2g}."


def no_way_out(saddle: Saddle) -> str:
    """Where neither a KKT point nor a path can be a way out."""
    nothing = saddle.without_destination
    minimum = " With one hidden layer that is a minimum, not a saddle." if len(saddle.place.active) == 1 else ""
    return (
        f"{nothing[0].upper()}{nothing[1:]}: nothing makes the dormant weights grow, so this is as far as the flow "
        f"goes.{minimum}"
    )


def overdue(now: Now) -> str:
    """Where the escape has not come."""
    predicted = now.predictions[-1].escape_time
    beside = "theory predicts none" if predicted is None else f"theory predicts it at {predicted:.4g}"
    return f"No escape by time {now.point.time:.4g} ({beside}): none is expected any more."


def escaped(now: Now, time: float) -> str:
    """At the escape."""
    predicted = now.predictions[-1].escape_time
    beside = "" if predicted is None else f" (predicted: {predicted:.4g})"
    return f"Escaped at time {time:.4g}{beside}: the dormant weights have reached a norm of {now.escape_norm:.3g}."


def reached(awakening: Awakening, why: str) -> str:
    """At the next saddle; ``why`` is what makes it one."""
    awake = awakening.awake
    names = [f"neuron {index + 1} of layer {layer}" for layer, index in awake[:4]]
    names += [f"{len(awake) - 4} more"] if len(awake) > 4 else []
    who = " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if awake else "no neuron"
    return f"The next saddle is reached at time {awakening.time:.4g}, loss {awakening.loss:.3g} ({why}): {who} woke up."


def _rate(prediction: Prediction) -> str:
    """At which rate the neuron grows that theory sees escape first; nothing where norms do not grow exponentially."""
    if prediction.rate is None or prediction.value is None:
        return ""
    twice, decay = 2 * prediction.value, prediction.decay
    return f", at a rate of 2N* {f'− λ = {twice:.4g} − {decay:g} ' if decay else ''}= {prediction.rate:.4g}"


def progress(now: Now, saddle: Saddle) -> float | None:
    """How much of the way to the goal, or of what has to be computed first, is done; None where nobody knows."""
    if now.finished is not None:
        return 1.0
    if now.phase == "searching":
        return saddle.search.directions.progress
    if now.phase == "comparing":
        return _compared(now) / COMPARISON_STEPS
    if isinstance(now.goal, float):
        return min(now.point.time / now.goal, 1.0)
    prediction = now.predictions[-1] if now.predictions else None
    if now.phase == "flowing" and now.escaped is None and prediction and prediction.escape_time is not None:
        length = max(prediction.escape_time - prediction.start, 1e-300)
        return min((now.point.time - prediction.start) / length, 1.0)
    return None


def _compared(now: Now) -> int:
    return 0 if now.comparison is None else int(now.comparison["steps"])
