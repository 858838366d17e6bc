"""Exercise: choose the price on weights before seeing the test set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.exercises.drawing import Student, first_clear, remembered
from np_widgets.exercises.grade import Grade, grade, graded
from np_widgets.problems import Problem

_INPUTS, _OUTPUTS, _SAMPLES, _NOISE = 12, 8, 60, 0.6
_ENOUGH, _BAD = 1.25, 1.8
_FORM = "one price λ, a number of at least 0, such as 0.01"

Floats = NDArray[np.float64]


def price_on_weights(*, student: Student = 0) -> Problem:
    """Noisy samples of a linear map; asked for is the price λ on weights that gives the lowest loss on *new* inputs.

    The map is of low rank, and the network that of ``NeuronPursuit(problem, hidden_layers=1, leak=1.0,
    weight_decay=λ)``: the singular value soft threshold at λ. The inputs are uncorrelated and of unit variance,
    exactly; new ones are normal, and the test set of the check is all of them.

    Parameters
    ----------
    student
        A name or a seed: everyone has data of her own.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    return first_clear("price on weights", student, _draw)[0]


def check_price_on_weights(answer: object, *, student: Student = 0) -> Grade:
    """Grade a price λ for the data of :func:`price_on_weights`.

    It passes if the test loss is at most 1.25 times the lowest that any price gives.
    """
    problem, truth = remembered("price on weights", student, _draw)
    return graded(lambda: _judged(answer, problem, truth), _FORM)


def _judged(answer: object, problem: Problem, truth: Floats) -> Grade:
    price = arguments.real("the price", answer, least=0)
    seen = problem.targets.numpy().T @ problem.inputs.numpy() / problem.samples
    prices = _prices(seen)
    losses = _losses(seen, truth, prices)
    best, loss = losses.min(), _losses(seen, truth, np.array([price]))[0]
    neurons = int((np.linalg.svd(seen, compute_uv=False) > price).sum())
    found = f"With λ = {price:.3g} the network has {neurons} neuron{'s' * (neurons != 1)}"
    if loss <= _ENOUGH * best:
        return grade(1, f"{found}, and a test loss of {loss / best:.2f} times the lowest that any price gives.")
    remarks = [
        f"{found}, and a test loss of {loss / best:.2f} times the lowest that any price gives. Asked for is 1.25."
    ]
    if price < prices[losses.argmin()]:
        worst = losses[0]
        remarks.append(
            "Without a price noise is learned as if it were truth. "
            * (price == 0)
            + "Hint: λ is too small. Hold out a part of the samples: on which loss do you choose, and how many neurons "
            "does the noise deserve?"
        )
    else:
        worst = losses[-1]
        remarks.append(
            "Hint: λ is too large: "
            + ("nothing is worth its weights any more." if neurons == 0 else "what is true is shrunk, too.")
        )
    return grade(min(max((worst - loss) / (worst - _ENOUGH * best), 0), 0.99), *remarks)


def _prices(seen: Floats) -> Floats:
    """From nothing up to the price at which nothing is worth its weights."""
    return np.linspace(0, float(np.linalg.norm(seen, 2)), 301)


def _losses(seen: Floats, truth: Floats, prices: Floats) -> Floats:
    """½‖M̂ − M‖² over standard normal inputs of the soft thresholds M̂ of what was seen."""
    left, values, right = np.linalg.svd(seen, full_matrices=False)
    kept = np.maximum(values - prices[:, None], 0)
    across = np.einsum("ok,oi,ki->k", left, truth, right)
    return np.asarray((kept**2).sum(axis=1) - 2 * kept @ across + (truth**2).sum()) / 2


def _draw(generator: np.random.Generator) -> tuple[Problem, Floats] | None:
    q, r = np.linalg.qr(generator.standard_normal((_SAMPLES, _INPUTS)))
    inputs = np.sqrt(_SAMPLES) * q * np.sign(np.diag(r))
    left, right = generator.standard_normal((_OUTPUTS, 2)), generator.standard_normal((2, _INPUTS))
    unit = np.exp(generator.uniform(-1.5, 1.5))  # in which no price is right for all
    truth = unit * (left * generator.uniform([0.25, 0.05], [0.35, 0.1]) @ right)
    targets = inputs @ truth.T + unit * _NOISE * generator.standard_normal((_SAMPLES, _OUTPUTS))
    seen = targets.T @ inputs / _SAMPLES
    losses = _losses(seen, truth, _prices(seen))
    chosen = _held_out(inputs, targets, _prices(seen)).argmin()
    is_clear = min(losses[0], losses[-1]) > _BAD * losses.min() and losses[chosen] < 1.1 * losses.min()
    return (Problem(inputs, targets, name="a noisy linear map"), truth) if is_clear else None


def _held_out(inputs: Floats, targets: Floats, prices: Floats) -> Floats:
    """The loss of each price on samples held out in turn: whoever chooses by it is to pass."""
    total = np.zeros_like(prices)
    for fold in range(4):
        out = np.arange(_SAMPLES) % 4 == fold
        seen = targets[~out].T @ inputs[~out] / (~out).sum()
        left, values, right = np.linalg.svd(seen, full_matrices=False)
        kept = np.maximum(values - prices[:, None], 0)
        predicted = np.einsum("nk,gk,ok->gno", inputs[out] @ right.T, kept, left)
        total += ((predicted - targets[out]) ** 2).sum(axis=(1, 2))
    return total
