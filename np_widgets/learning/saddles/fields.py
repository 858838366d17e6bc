"""The flows of neural correlation functions around fixed active weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.layout import Positions

Floats = NDArray[np.float64]


class CorrelationFlow:
    """``d(a, b)/dt = ∇N(a, b) − λ(a, b)`` of dormant neurons, whose layers are each a field and where weights lie.

    ``positions`` are those of all weights that flow, in the vector of all; a state is a vector of these, ``(Q,)``.
    """

    def __init__(self, layers: Sequence[tuple[Field, Positions, Positions]], decay: float) -> None:
        self._decay = decay
        self._layers = [(field, incoming.shape, outgoing.shape) for field, incoming, outgoing in layers]
        places = [each.reshape(-1) for _, *both in layers for each in both]
        self.positions = np.concatenate([np.zeros(0, np.intp), *places])

    def __call__(self, y: Floats) -> Floats:
        """``∇N − λy`` of all neurons, of shape ``(Q,)``."""
        flow, start = np.empty_like(y), 0
        for field, incoming, outgoing in self._layers:
            middle, end = start + int(np.prod(incoming)), start + int(np.prod(incoming)) + int(np.prod(outgoing))
            by_incoming, by_outgoing = field.gradient(
                y[start:middle].reshape(incoming), y[middle:end].reshape(outgoing)
            )
            flow[start:middle], flow[middle:end] = by_incoming.reshape(-1), by_outgoing.reshape(-1)
            start = end
        return flow - self._decay * y if self._decay else flow


class JointFlow:
    """``dw/dt = ∇N − λw`` of an NCF of several layers' neurons together, ``N = (1/n) Σ_i s_iᵀ H(h_i; w)``.

    At the origin that is all neurons, ``h`` the inputs and ``s`` the residual; at another saddle those of a path. The
    objective is that of the network H of these neurons on inputs ``h`` and targets that leave the residual ``s`` at
    weights zero; ``positions`` are where its weights are among all weights.
    """

    def __init__(self, objective: Objective, positions: Positions) -> None:
        problem = objective.problem
        zero = problem.inputs.new_zeros(problem.samples, problem.output_size)
        self._objective, self._residual = objective, objective.criterion.residual(zero, objective.goals)
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
