"""Exercise: predict the layer that grows next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.exercises.drawing import Student, first_clear, remembered
from np_widgets.exercises.grade import Grade, grade, graded
from np_widgets.exercises.resting import at_rest
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.problems import Problem

_NAMES = ("growing layer 1", "growing layer 2", "growing layer 3")
_SIZES = (3, 2, 2, 2, 1)
_LAYERS, _SAMPLES, _DIRECTIONS = 3, 60, 1000
_MARGIN = 1.5
_FORM = "three hidden layers, one for each saddle, such as [1, 3, 2]; the hidden layers count from 1"


@dataclass(frozen=True)
class Saddle:
    """A network that stands still at a minimum of its loss.

    Attributes
    ----------
    network
        It has three hidden layers of two leaky ReLUs.
    problem
        What it has learned as well as a network of its size can nearby.
    """

    network: HomogeneousNetwork
    problem: Problem

    __repr__ = one_line


@dataclass(frozen=True)
class _Offer:
    """What the layers of a saddle offer: the largest NCF value of each, and the scale of its two ingredients."""

    values: tuple[float, ...]
    signals: tuple[float, ...]
    features: tuple[float, ...]


def growing_layer(*, student: Student = 0) -> tuple[Saddle, ...]:
    """Three saddles, of which is asked which hidden layer gets the next neuron.

    By the rule of Neuron Pursuit it is the layer in which a neural correlation function (NCF) has its largest value.

    Parameters
    ----------
    student
        A name or a seed: everyone has saddles of her own.

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    return tuple(first_clear(exercise, student, _draw)[0] for exercise in _NAMES)


def check_growing_layer(answer: object, *, student: Student = 0) -> Grade:
    """Grade three layers, such as ``[1, 3, 2]``, for the saddles of :func:`growing_layer`."""
    offers = [remembered(exercise, student, _draw)[1] for exercise in _NAMES]
    return graded(lambda: _judged(answer, offers), _FORM)


def _judged(answer: object, offers: list[_Offer]) -> Grade:
    layers = arguments.wholes("answer", answer, 1)
    if len(layers) != len(offers):
        raise ValueError(f"it must hold {len(offers)} layers, got {len(layers)}")
    if max(layers) > _LAYERS:
        raise ValueError(f"there are {_LAYERS} hidden layers, got layer {max(layers)}")
    remarks, right = [], 0
    for number, (layer, offer) in enumerate(zip(layers, offers, strict=True), start=1):
        best, here = max(offer.values), offer.values[layer - 1]
        if here == best:
            right += 1
            remarks.append(f"Saddle {number}: layer {layer} is right.")
            continue
        times = f"{best / here:.1f} times" if here > 1e-3 * best else "many times"
        remarks.append(
            f"Saddle {number}: not layer {layer}. Its best neuron has an NCF value of {here:.2g}; another layer offers "
            f"{times} as much. {_hint(layer, offer)}"
        )
    if right < len(offers) and len(set(layers)) == 1:
        remarks.append("Hint: the three saddles are different. Look at each on its own.")
    return grade(right / len(offers), *remarks)


def _hint(layer: int, offer: _Offer) -> str:
    if offer.signals[layer - 1] == max(offer.signals):
        return "Hint: the error signal is largest above it, but what comes in from below is multiplied with it."
    if offer.features[layer - 1] == max(offer.features):
        return "Hint: what comes in from below is largest there, but the error signal from above is multiplied with it."
    return "Hint: compare max φ of the three layers, the largest length of mean(s · σ(b̂ᵀh)) over unit directions b̂."


def _draw(generator: np.random.Generator) -> tuple[Saddle, _Offer] | None:
    wanted = int(generator.integers(1, _LAYERS + 1))
    # What the layer sees comes through the matrices below it, its signals through those above: large ones there make
    # each layer the best one about as often as another.
    seen_through = [*range(wanted - 1), *range(wanted + 1, len(_SIZES) - 1)]
    scales = np.exp(0.5 * generator.standard_normal(len(_SIZES) - 1) - 0.5)
    scales[seen_through] *= math.e
    weights = [
        scale * generator.standard_normal((above, below))
        for scale, below, above in zip(scales, _SIZES, _SIZES[1:], strict=False)
    ]
    network = HomogeneousNetwork(weights, leak=0.2)
    inputs = torch.from_numpy(generator.standard_normal((_SAMPLES, _SIZES[0])))
    incoming, outgoing = (3 * generator.standard_normal(_SIZES[layer]) for layer in (wanted - 1, wanted + 1))
    missing = network.with_neuron(wanted, incoming, outgoing)(inputs) - network(inputs)
    if (rest := at_rest(network, inputs, missing, "a saddle")) is None:
        return None
    problem, residual = rest
    offer = _offered(network, inputs, residual, torch.from_numpy(generator.standard_normal((_DIRECTIONS, _SIZES[0]))))
    others = [value for layer, value in enumerate(offer.values, start=1) if layer != wanted]
    clear = offer.values[wanted - 1] > _MARGIN * max(others)
    return (Saddle(network, problem), offer) if clear else None


def _offered(network: HomogeneousNetwork, inputs: Tensor, residual: Tensor, directions: Tensor) -> _Offer:
    """In two or three dimensions so many random directions come as near to the best one as is needed."""
    forward = network.forward(inputs)
    signals = network.signals(forward, residual)
    values = []
    for below, above in zip(forward.hidden, signals[1:], strict=False):
        unit = directions[:, : below.shape[1]] / directions[:, : below.shape[1]].norm(dim=1, keepdim=True)
        values.append(float((above.T @ network.activation(below @ unit.T) / len(inputs)).norm(dim=0).max()) / 2)
    return _Offer(tuple(values), tuple(map(_size, signals[1:])), tuple(map(_size, forward.hidden[:_LAYERS])))


def _size(values: Tensor) -> float:
    return float(values.norm(dim=1).square().mean().sqrt())
