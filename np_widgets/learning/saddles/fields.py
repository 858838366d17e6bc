"""The flows of neural correlation functions around fixed active weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.layout import Flags, Layout

Floats = NDArray[np.float64]


class CorrelationFlow:
    """The flow of the NCF alone: ``d(a, b)/dt = ∇N(a, b) − λ(a, b)`` for every dormant neuron.

    Parameters
    ----------
    layout
        Of the whole network.
    active
        Of each hidden layer, which neurons are active.
    fields
        Of each hidden layer.
    decay
        λ, the price on weights.

    Attributes
    ----------
    positions
        Which weights flow, as places in the vector of all weights; a state of the flow is a vector of these, ``(Q,)``.
    """

    def __init__(self, layout: Layout, active: Sequence[Flags], fields: dict[int, Field], decay: float) -> None:
        self._decay = decay
        self._parts: list[tuple[Field, tuple[int, ...], tuple[int, ...]]] = []
        places: list[NDArray[np.intp]] = []
        for layer, field in fields.items():
            incoming, outgoing = layout.positions(active, layer)
            if len(incoming):
                self._parts.append((field, incoming.shape, outgoing.shape))
                places += [incoming.reshape(-1), outgoing.reshape(-1)]
        self.positions = np.concatenate(places) if places else np.zeros(0, np.intp)

    def __call__(self, y: Floats) -> Floats:
        """``∇N − λy`` of all neurons, of shape ``(Q,)``."""
        flow, start = np.empty_like(y), 0
        for field, incoming, outgoing in self._parts:
            middle, end = start + int(np.prod(incoming)), start + int(np.prod(incoming)) + int(np.prod(outgoing))
            b, a = y[start:middle].reshape(incoming), y[middle:end].reshape(outgoing)
            by_incoming, by_outgoing = field.gradient(b, a)
            flow[start:middle], flow[middle:end] = by_incoming.reshape(-1), by_outgoing.reshape(-1)
            start = end
        return flow - self._decay * y if self._decay else flow


class JointFlow:
    """The flow ``dw/dt = ∇N − λw`` of an NCF of several layers' neurons together, ``N = (1/n) Σ_i s_iᵀ H(h_i; w)``.

    At the origin that is all neurons, ``h`` the inputs and ``s`` the residual; at another saddle those of a path.

    Parameters
    ----------
    objective
        Of the network H of these neurons on its inputs ``h`` and targets. At weights zero the residual is ``s``.
    positions
        Where its weights are among all weights.
    """

    def __init__(self, objective: Objective, positions: NDArray[np.intp]) -> None:
        problem = objective.problem
        self._objective = objective
        zero = problem.inputs.new_zeros(problem.samples, problem.output_size)
        self._residual = problem.loss.residual(zero, problem.targets)
        self.positions = positions

    def __call__(self, y: Floats) -> Floats:
        """``∇N − λy``, of shape ``(Q,)``."""
        return self._gradient(y) - self._objective.weight_decay * y

    def value(self, y: Floats) -> float:
        """N, by Euler's formula ``∇N·w = D·N``."""
        degree = sum(self._objective.activation.power**layer for layer in range(len(self._objective.shapes)))
        return float(self._gradient(y) @ y) / degree

    def _gradient(self, y: Floats) -> Floats:
        theta = torch.from_numpy(np.ascontiguousarray(y)).to(self._objective.initial)
        return to_array(self._objective.gradient_along(theta, self._residual))
