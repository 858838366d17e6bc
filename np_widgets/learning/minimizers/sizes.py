"""What is convex in a penalized loss: the sizes of the last hidden layer's neurons, for given directions."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import GaussNewton, Objective
from np_widgets.problems import Problem

_PATIENCE, _STEPS = 20, 200
_FIRST_DAMPING = 1e-5


class SizesObjective:
    """``𝓛 + ½λ(‖s‖² + ‖A‖²)`` for the outputs ``A diag(s) g_i``: an objective for Levenberg–Marquardt.

    ``g_i`` are the answers of neurons with incoming weights of norm one, of shape ``(n, k)``. As
    ``½(s² + ‖a‖²) ≥ ‖s a‖``, its minimum is that of a group lasso, without a kink on the way. The weights are one
    vector: ``s``, then ``A`` of shape ``(m, k)`` row by row. The second derivative is given whole.
    """

    def __init__(self, problem: Problem, answers: Tensor, sizes: Tensor, outgoing: Tensor, decay: float) -> None:
        self.problem, self.weight_decay = problem, decay
        self._criterion, self._goals = problem.criterion, problem.goals
        self._answers = answers
        self.initial = torch.cat([sizes, outgoing.reshape(-1)])
        self.size = len(self.initial)

    def parts(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """``s`` and ``A``."""
        neurons = self._answers.shape[1]
        return theta[:neurons], theta[neurons:].view(-1, neurons)

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """The penalized loss and its gradient."""
        output = self._output(theta)
        return self._loss_and_gradient(theta, output, self._pulls(output))

    def gauss_newton(self, theta: Tensor) -> GaussNewton:
        """The quadratic model, with the second derivatives that Gauss–Newton leaves out."""
        sizes, outgoing = self.parts(theta)
        (samples, neurons), outputs = self._answers.shape, len(outgoing)
        output = self._output(theta)
        pulls = self._pulls(output)
        jacobian = theta.new_zeros(samples, outputs, len(theta))
        torch.mul(self._answers.unsqueeze(1), outgoing, out=jacobian[:, :, :neurons])
        by_outgoing = jacobian[:, :, neurons:].view(samples, outputs, outputs, neurons)
        by_outgoing.diagonal(dim1=1, dim2=2).copy_((self._answers * sizes).unsqueeze(2).expand(-1, -1, outputs))
        root = self._criterion.whiten(jacobian, output, self._goals).reshape(-1, len(theta))
        matrix = root.T @ root / samples
        cross = torch.diag_embed(pulls).transpose(0, 1).reshape(neurons, -1)
        matrix[:neurons, neurons:] -= cross
        matrix[neurons:, :neurons] -= cross.T
        matrix.diagonal().add_(self.weight_decay)
        return GaussNewton(*self._loss_and_gradient(theta, output, pulls), matrix)

    def _output(self, theta: Tensor) -> Tensor:
        sizes, outgoing = self.parts(theta)
        return self._answers @ (sizes * outgoing).T

    def _loss_and_gradient(self, theta: Tensor, output: Tensor, pulls: Tensor) -> tuple[float, Tensor]:
        sizes, outgoing = self.parts(theta)
        loss = float(self._criterion.value(output, self._goals))
        gradient = -torch.cat([(outgoing * pulls).sum(dim=0), (sizes * pulls).reshape(-1)])
        loss += 0.5 * self.weight_decay * float(theta @ theta)
        return loss, gradient.add_(theta, alpha=self.weight_decay)

    def _pulls(self, output: Tensor) -> Tensor:
        """``(1/n) Σ_i r_i g_iᵀ``, of shape ``(m, k)``: φ of every neuron is the norm of its column."""
        return self._criterion.residual(output, self._goals).T @ self._answers / self.problem.samples


def fitted_sizes(
    problem: Problem, answers: Tensor, sizes: Tensor, outgoing: Tensor, decay: float, least_decrease: float = 1e-13
) -> tuple[Tensor, Tensor]:
    """``s`` and ``A`` at the minimum that Newton's method, damped, reaches from these.

    It ends where the penalized loss no longer falls by ``least_decrease`` of itself.
    """
    objective = SizesObjective(problem, answers, sizes, outgoing, decay)
    rule = StoppingRule(gradient_tolerance=0.0, patience=_PATIENCE, least_decrease=least_decrease)
    minimizer = LevenbergMarquardt(
        cast("Objective", objective), objective.initial, damping=_FIRST_DAMPING, stopping=rule
    )
    minimizer.advance(_STEPS)
    return objective.parts(minimizer.theta)
