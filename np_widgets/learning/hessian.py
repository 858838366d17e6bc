"""The Hessian of the training loss (and the price on weights): products with vectors, all of it, its eigenvalues."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning import propagation
from np_widgets.learning.arrays import to_array
from np_widgets.learning.objective import Objective

Floats = NDArray[np.float64]
Report = Callable[[float], None]  # called with the share of the work that is done, 0 … 1

MOST_WEIGHTS = 2000  # of networks whose whole Hessian is made
# Samples times squared weights: about a second.
_MOST_WORK = 2**31
# Entries of one layer's outputs for all vectors that are multiplied together: 16 MiB.
_BLOCK_ENTRIES = 2**21
_RESOLUTION, _DOUBT = 2e-3, 1e-4
_STEPS_FOR_LARGEST = 30
# Relative to a product with the Hessian: what is left of it is rounding.
_INVARIANT = 1e-12


@dataclass(frozen=True)
class Curvatures:
    """The extreme eigenvalues of a Hessian of so many ``weights``, as found by so many ``steps`` of products with it.

    The true ones lie beyond these by at most ``resolution`` times their distance. If all eigenvalues were computed, it
    and the steps are 0.
    """

    lowest: float
    largest: float
    weights: int
    resolution: float = 0.0
    steps: int = 0


class Hessian:
    """The Hessian of the training loss at one point, exact also where samples are at kinks.

    With a kinked activation the slope of every activation is held, so that the loss is smooth in the weights:
    ``slopes`` are those of each hidden layer, of shape ``(n, k_l)``; None for σ' at ``theta``.
    """

    def __init__(self, objective: Objective, theta: Tensor, slopes: Sequence[Tensor] | None = None) -> None:
        problem, activation = objective.problem, objective.activation
        self._objective, self._theta = objective, theta
        self._weights = objective.network(theta).weights
        # Samples are columns, as in Passes: a few long rows multiply several times faster than many short ones.
        self._hidden = [problem.inputs.T.contiguous()]
        self._slopes: list[Tensor] = []
        self._bends: list[Tensor] = []
        for layer, weight in enumerate(self._weights[:-1]):
            z = weight @ self._hidden[-1]
            if activation.power == 1:
                slope = activation.derivative(z) if slopes is None else slopes[layer].T.contiguous()
                self._hidden.append(slope * z)
            else:
                slope = activation.derivative(z)
                self._hidden.append(activation(z))
                self._bends.append(activation.second_derivative(z))
            self._slopes.append(slope)
        self._output = (self._weights[-1] @ self._hidden[-1]).T
        signal = -objective.criterion.residual(self._output, objective.goals).T / problem.samples
        self._signals, self._uppers = propagation.backward(self._weights, self._slopes, signal)

    @property
    def size(self) -> int:
        """The number of weights, P."""
        return self._objective.size

    @property
    def gradient(self) -> Tensor:
        """The gradient with these slopes, of shape ``(P,)``."""
        gradient = torch.cat([(s @ h.T).reshape(-1) for s, h in zip(self._signals, self._hidden, strict=True)])
        return gradient + self._objective.weight_decay * self._theta

    def times(self, vectors: Tensor) -> Tensor:
        """The products with vectors of shape ``(P,)``, or ``(B, P)`` for several; of the same shape."""
        rows = vectors.reshape(-1, self.size)
        widest = max(rows_of for rows_of, _ in self._objective.shapes)
        block = max(1, _BLOCK_ENTRIES // (widest * self._objective.problem.samples))
        return torch.cat([self._products(part) for part in rows.split(block)]).view_as(vectors)

    def whole(self, report: Report | None = None) -> Floats:
        """All of it, of shape ``(P, P)``."""
        eye = torch.eye(self.size, dtype=self._theta.dtype, device=self._theta.device)
        parts = []
        for begin in range(0, self.size, 64):
            parts.append(self.times(eye[begin : begin + 64]))
            if report is not None:
                report(begin / self.size)
        columns = torch.cat(parts)
        return to_array((columns + columns.T) / 2)

    def curvatures(self, report: Report | None = None) -> Curvatures:
        """Its extreme eigenvalues, in a time that is bounded for any size.

        Notes
        -----
        Of larger networks by the Lanczos method from a random start. By Kuczyński & Woźniakowski, *Estimating the
        largest eigenvalue by the power and Lanczos algorithms with a random start* (1992), after k steps an extreme
        eigenvalue of a matrix of P rows lies beyond the one found by more than ε times the distance of the extreme
        ones with a probability of at most ``1.648 √P exp(−√ε (2k − 1))``, whatever the matrix. Here that is a
        ten-thousandth, for ε = 2·10⁻³.
        """
        if self.size <= MOST_WEIGHTS and self._objective.problem.samples * self.size**2 <= _MOST_WORK:
            values = np.linalg.eigvalsh(self.whole(report))
            return Curvatures(float(values[0]), float(values[-1]), self.size)
        steps = math.ceil((math.log(1.648 * math.sqrt(self.size) / _DOUBT) / math.sqrt(_RESOLUTION) + 1) / 2)
        lowest, largest, steps = self._lanczos(min(steps, self.size), report)
        return Curvatures(lowest, largest, self.size, _RESOLUTION, steps)

    def largest(self) -> float:
        """The largest eigenvalue, to about a hundredth: a scale for steps and tolerances."""
        return self._lanczos(min(_STEPS_FOR_LARGEST, self.size), None)[1]

    def _lanczos(self, steps: int, report: Report | None) -> tuple[float, float, int]:
        """The extreme Ritz values after so many steps, or as many as lead on, and how many these are."""
        vector = torch.from_numpy(np.random.default_rng(0).standard_normal(self.size)).to(self._theta)
        basis = vector.new_zeros(steps, self.size)
        diagonal, beside = list[float](), list[float]()
        length = vector.norm()
        for step in range(steps):
            basis[step] = vector / length
            vector = self.times(basis[step])
            diagonal.append(float(vector @ basis[step]))
            before = float(vector.norm())
            for _ in range(2):  # rounding soon undoes what is orthogonal by construction
                vector = vector - (basis[: step + 1] @ vector) @ basis[: step + 1]
            length = vector.norm()
            if report is not None:
                report(step / steps)
            if step == steps - 1 or float(length) <= _INVARIANT * before:
                break
            beside.append(float(length))
        ritz = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        return float(ritz[0]), float(ritz[-1]), len(diagonal)

    def _products(self, vectors: Tensor) -> Tensor:
        """The derivative of the gradient along each of ``(B, P)`` vectors, by a pass forwards and one backwards."""
        objective = self._objective
        count, problem = len(vectors), objective.problem
        parts = vectors.split(objective.sizes, dim=1)
        turns = [part.view(count, *shape) for part, shape in zip(parts, objective.shapes, strict=True)]
        change: Tensor | None = None  # of h_l, of shape (B, k_l, n)
        changes: list[Tensor | None] = [None]
        pushes = list[Tensor]()  # the changes of z_l
        for layer, (weight, turn) in enumerate(zip(self._weights, turns, strict=True)):
            hidden = self._hidden[layer]
            push = (turn.reshape(-1, turn.shape[2]) @ hidden).view(count, -1, hidden.shape[1])
            if change is not None:
                push = push + weight @ change
            pushes.append(push)
            if layer < len(self._slopes):
                change = self._slopes[layer] * push
                changes.append(change)
        output_change = objective.criterion.second_derivative(pushes[-1].mT, self._output, objective.goals)
        signal = output_change.mT / problem.samples  # the change of ∂loss/∂z_l
        blocks = list[Tensor]()
        for layer in range(len(self._weights) - 1, -1, -1):
            below, hidden = changes[layer], self._hidden[layer]
            block = (signal.reshape(-1, signal.shape[2]) @ hidden.T).view(count, -1, len(hidden))
            if below is not None:
                block = block + self._signals[layer] @ below.mT
            blocks.append(block.flatten(1))
            if layer:
                upper = self._weights[layer].T @ signal + turns[layer].mT @ self._signals[layer]
                signal = upper * self._slopes[layer - 1]
                if self._bends:
                    signal = signal + self._uppers[layer - 1] * self._bends[layer - 1] * pushes[layer - 1]
        return torch.cat(blocks[::-1], dim=1).add_(vectors, alpha=objective.weight_decay)
