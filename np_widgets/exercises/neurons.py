"""Exercise: beat the KKT point with a neuron of one's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.exercises.drawing import Student, first_clear, remembered
from np_widgets.exercises.grade import Grade, grade, graded
from np_widgets.exercises.resting import at_rest
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.correlation.points import find_kkt_points
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.problems import Problem

_INPUTS, _SAMPLES, _DIRECTIONS = 4, 100, 3000
_FORM = "a pair (incoming, outgoing) of four finite numbers and one, such as ([0.5, 0.0, -1.0, 0.2], [0.8])"


@dataclass(frozen=True)
class OwnNeuron:
    """A network at a saddle, and the neuron to beat.

    Attributes
    ----------
    network, problem
        A network with one hidden layer of two ReLUs, at a minimum of its loss.
    point
        The KKT point of the largest value.
    loss
        The network's loss.
    loss_to_beat
        The lowest loss that the network has with that neuron in addition, at the best size for it.
    """

    network: HomogeneousNetwork
    problem: Problem
    point: KKTPoint
    loss: float
    loss_to_beat: float

    __repr__ = one_line


def own_neuron(*, student: Student = 0) -> OwnNeuron:
    """A saddle; asked for is a neuron that lowers the loss by more than the best KKT point does at its best size.

    Parameters
    ----------
    student
        A name or a seed: everyone has a saddle of her own.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    return first_clear("own neuron", student, _draw)


def check_own_neuron(answer: object, *, student: Student = 0) -> Grade:
    """Grade a neuron ``(incoming, outgoing)`` for the saddle of :func:`own_neuron`.

    It passes if it lowers the loss by at least 5 % more than the KKT point does at its best size.
    """
    task = remembered("own neuron", student, _draw)
    return graded(lambda: _judged(answer, task), _FORM)


def _judged(answer: object, task: OwnNeuron) -> Grade:
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise TypeError(f"it must be a pair (incoming, outgoing), got {type(answer).__name__}")
    incoming = arguments.vector("incoming", answer[0], _INPUTS, dtype=torch.float64, device="cpu")
    outgoing = arguments.vector("outgoing", np.atleast_1d(answer[1]), 1, dtype=torch.float64, device="cpu")
    residual = (task.problem.targets - task.network(task.problem.inputs)).squeeze(1)
    fires = task.network.activation(task.problem.inputs @ incoming)
    answered = outgoing * fires
    if not bool(answered.any()):
        return grade(0, "This neuron answers 0 to every sample.", "Hint: are its weights zero?")
    gained = float((residual * answered).mean() - answered.square().mean() / 2)
    needed = 1.05 * (task.loss - task.loss_to_beat)
    if not np.isfinite(gained):
        return grade(0, "With this neuron the loss is no longer a number.", "Hint: its weights are far too large.")
    score = gained / needed
    if score >= 1:
        return grade(score, f"It lowers the loss by {gained:.3g}, the KKT point by {needed / 1.05:.3g}. Well done.")
    said = f"lowers the loss by {gained:.3g}" if gained > 0 else f"raises the loss by {-gained:.3g}"
    remarks = [f"It {said}; the KKT point at its best size lowers it by {needed / 1.05:.3g}. Asked for is 5 % more."]
    factor = float((residual @ answered) / (answered @ answered))
    best = _best_gain(residual, answered)
    if factor < 0:
        remarks.append("Hint: where it fires it answers with the wrong sign. Turn the outgoing weight around.")
    elif best > 1.02 * max(gained, 0):
        remarks.append(
            f"Hint: the direction is better than the size: with {factor:.2g} times its outgoing weight it would lower "
            f"the loss by {best:.3g}{'' if best >= needed else ', which is not enough yet, either'}."
        )
    elif float(incoming @ task.point.incoming) > 0.99 * float(incoming.norm() * task.point.incoming.norm()):
        remarks.append("Hint: this is the KKT point's own direction. Look for one that it is not.")
    else:
        remarks.append(
            "Hint: at its best size a neuron lowers the loss by mean(r·f)² / (2·mean(f²)). The KKT point makes only "
            "mean(r·f) large: it likes loud inputs. Which inputs are quiet?"
        )
    return grade(min(score, 0.99), *remarks)


def _best_gain(residual: Tensor, answered: Tensor) -> float:
    """By how much an additional output lowers the loss at its best size."""
    return float((residual @ answered) ** 2 / (answered @ answered)) / (2 * len(residual))


def _draw(generator: np.random.Generator) -> OwnNeuron | None:
    loudness = generator.permutation([3.0, 1.0, 1.0, 0.3])
    loud, quiet = np.argmax(loudness), np.argmin(loudness)
    inputs = torch.from_numpy(loudness * generator.standard_normal((_SAMPLES, _INPUTS)))
    weights = generator.standard_normal((2, _INPUTS)), np.array([[1.0, -1.0]])
    network = HomogeneousNetwork(weights)
    toward = 0.2 * generator.standard_normal((2, _INPUTS))
    toward[0, quiet], toward[1, loud] = generator.choice([-1.0, 1.0], 2)
    fires = network.activation(inputs @ torch.from_numpy(toward).T)
    fires = fires / fires.square().mean(dim=0).sqrt()
    missing = fires[:, :1] - 0.6 * fires[:, 1:]
    if (rest := at_rest(network, inputs, missing, "a saddle with loud and quiet inputs")) is None:
        return None
    problem, residual = rest
    point = find_kkt_points(network, problem, starts=20)[0]
    wanted = residual.squeeze(1)
    loss = float(wanted.square().mean()) / 2
    by_point = _best_gain(wanted, network.activation(inputs @ point.incoming) * point.outgoing)
    directions = torch.from_numpy(generator.standard_normal((_DIRECTIONS, _INPUTS)) / loudness)
    by_any = network.activation(inputs @ directions.T)
    best = float(((wanted @ by_any) ** 2 / by_any.square().sum(dim=0)).nan_to_num().max()) / (2 * _SAMPLES)
    return OwnNeuron(network, problem, point, loss, loss - by_point) if best > 1.3 * by_point else None
