"""Levenberg–Marquardt over what is convex once the directions of the neurons are fixed."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from np_widgets.learning.minimizers.levenberg_marquardt import MOST_WEIGHTS, LevenbergMarquardt
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import Objective

_RULE = StoppingRule(gradient_tolerance=0.0, patience=5, least_decrease=1e-13)


class FixedDirections(LevenbergMarquardt):
    """Levenberg–Marquardt over the outgoing weights of the last hidden layer and the sizes of its incoming ones.

    What the last hidden layer responds to does not change, so that no kink is crossed, and with a price on weights the
    problem is that of a group lasso: its minimum is reached to rounding where others are held up by kinks.

    See :class:`~np_widgets.learning.minimizers.levenberg_marquardt.LevenbergMarquardt`.
    """

    name: ClassVar[str] = "fixed_directions"
    title: ClassVar[str] = "Levenberg–Marquardt with fixed directions"

    def __init__(
        self, objective: Objective, theta: Tensor, *, most_weights: int = MOST_WEIGHTS, stopping: StoppingRule = _RULE
    ) -> None:
        super().__init__(objective, theta, most_weights=most_weights, stopping=stopping)

    @property
    def _basis(self) -> Tensor:
        """Orthonormal columns, of shape ``(P, R)``: a row of W_{L-1} each, and one entry of W_L each."""
        weights = self.objective.network(self.theta).weights
        incoming, outgoing = weights[-2], weights[-1]
        size, before = len(self.theta), len(self.theta) - incoming.numel() - outgoing.numel()
        neurons, inputs = incoming.shape
        basis = self.theta.new_zeros(size, neurons + outgoing.numel())
        norms = torch.linalg.vector_norm(incoming, dim=1, keepdim=True).clamp(min=torch.finfo(incoming.dtype).tiny)
        rows = basis[before : before + incoming.numel(), :neurons].view(neurons, inputs, neurons)
        rows[torch.arange(neurons), :, torch.arange(neurons)] = incoming / norms
        basis[before + incoming.numel() :, neurons:].fill_diagonal_(1)
        return basis

    def _shift(self, matrix: Tensor, damping: float) -> Tensor:
        basis = self._basis
        reduced = basis.T @ matrix @ basis
        reduced.diagonal().add_(damping)
        factor, _ = torch.linalg.cholesky_ex(reduced)
        return -basis @ torch.cholesky_solve((basis.T @ self._gradient).unsqueeze(1), factor).squeeze(1)
