"""Losses: how far the outputs of a network are from the targets.

Every loss is a mean over the ``n`` samples. Outputs have shape ``(..., n, m)``: leading dimensions are independent
networks on the same samples.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

LossName = Literal["square", "cross_entropy"]


class Loss(Protocol):
    """What a minimizer needs to know of ℓ(H, y)."""

    name: str

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean of ℓ over the samples, of shape ``(...)``."""

    def residual(self, outputs: Tensor, targets: Tensor, out: Tensor | None = None) -> Tensor:
        """The residual ``r_i = −∂ℓ/∂H(x_i)`` of each sample, of shape ``(..., n, m)``: a new tensor, or ``out``."""

    def evaluate(self, outputs: Tensor, targets: Tensor, residual: Tensor) -> Tensor:
        """:meth:`value`, and :meth:`residual` written to a tensor of the shape of ``outputs``, at little extra cost."""

    def second_derivative(self, change: Tensor, outputs: Tensor) -> Tensor:
        """``∂²ℓ/∂H²`` times a change of the outputs, of each sample: of the shape of ``change``, ``(..., n, m)``."""

    def whiten(self, jacobian: Tensor, outputs: Tensor) -> Tensor:
        """``Rᵀ J`` with ``R Rᵀ = ∂²ℓ/∂H²``, so that its Gram matrix is the Gauss–Newton matrix.

        ``jacobian`` has shape ``(..., n, m, P)`` and ``outputs`` ``(..., n, m)``; the result is like ``jacobian``.
        """


class SquareLoss:
    """``½‖H − y‖²``, with targets of shape ``(n, m)``."""

    name = "square"

    def __repr__(self) -> str:
        return "SquareLoss()"

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().sum(dim=(-2, -1)) / (2 * outputs.shape[-2])

    def residual(self, outputs: Tensor, targets: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.sub(targets, outputs, out=out)

    def evaluate(self, outputs: Tensor, targets: Tensor, residual: Tensor) -> Tensor:
        torch.sub(targets, outputs, out=residual)
        return torch.linalg.vector_norm(residual, dim=(-2, -1)).square_().div_(2 * outputs.shape[-2])

    def second_derivative(self, change: Tensor, outputs: Tensor) -> Tensor:
        return change

    def whiten(self, jacobian: Tensor, outputs: Tensor) -> Tensor:
        return jacobian


class CrossEntropyLoss:
    """``−log softmax(H)[y]``, with integer targets of shape ``(n,)``."""

    name = "cross_entropy"

    def __repr__(self) -> str:
        return "CrossEntropyLoss()"

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        log_probabilities = outputs.mT.contiguous().log_softmax(dim=-2).mT
        index = targets.unsqueeze(-1).expand(*outputs.shape[:-1], 1)
        return log_probabilities.gather(-1, index).mean(dim=(-2, -1)).abs()  # none is positive, and zero has no sign

    def residual(self, outputs: Tensor, targets: Tensor, out: Tensor | None = None) -> Tensor:
        residual = torch.neg(_softmax(outputs), out=out)
        index = targets.unsqueeze(-1).expand(*outputs.shape[:-1], 1)
        return residual.scatter_add_(-1, index, torch.ones_like(residual[..., :1]))

    def evaluate(self, outputs: Tensor, targets: Tensor, residual: Tensor) -> Tensor:
        self.residual(outputs, targets, out=residual)
        return self.value(outputs, targets)

    def second_derivative(self, change: Tensor, outputs: Tensor) -> Tensor:
        q = _softmax(outputs)
        return q * (change - (q * change).sum(dim=-1, keepdim=True))

    def whiten(self, jacobian: Tensor, outputs: Tensor) -> Tensor:
        # With q = softmax(H) and R = diag(√q) − q √qᵀ one has R Rᵀ = diag(q) − q qᵀ, the Hessian of ℓ.
        q = _softmax(outputs)
        mean = torch.einsum("...m,...mp->...p", q, jacobian)
        return q.sqrt().unsqueeze(-1) * (jacobian - mean.unsqueeze(-2))


def _softmax(outputs: Tensor) -> Tensor:
    """Over the last dimension; sample after sample takes twenty times as long as side by side."""
    return outputs.mT.contiguous().softmax(dim=-2).mT


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (SquareLoss(), CrossEntropyLoss())}
