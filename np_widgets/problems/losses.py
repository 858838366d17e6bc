"""Losses: how far the outputs of a network are from the targets.

Every loss is a mean over the ``n`` samples. Outputs have shape ``(..., n, m)``: leading dimensions are independent
networks, on the same samples, or on others where the targets have leading dimensions, too.

A loss of one's own is an object with the attributes of :class:`Loss`, and most easily a subclass of
:class:`ElementwiseLoss`, as this one, which outliers pull less than the square loss::

    class Huber(ElementwiseLoss):
        name = "Huber"

        def of(self, error):  # ½e² up to 1, and a straight line from there
            return torch.where(error.abs() <= 1, error.square() / 2, error.abs() - 0.5)

        def slope(self, error):
            return error.clamp(-1, 1)

        def curvature(self, error):
            return (error.abs() <= 1).to(error)

    problem = npw.Problem(inputs, targets, Huber())
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from np_widgets import arguments

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

    def second_derivative(self, change: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """``∂²ℓ/∂H²`` times a change of the outputs, of each sample: of the shape of ``change``, ``(..., n, m)``."""

    def whiten(self, jacobian: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
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

    def second_derivative(self, change: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return change

    def whiten(self, jacobian: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        return jacobian


class CrossEntropyLoss:
    """``−log softmax(H)[y]``, with integer targets of shape ``(n,)``."""

    name = "cross_entropy"

    def __repr__(self) -> str:
        return "CrossEntropyLoss()"

    def values(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """ℓ of each sample, of shape ``(..., n)``."""
        log_probabilities = outputs.mT.contiguous().log_softmax(dim=-2).mT
        index = targets.unsqueeze(-1).expand(*outputs.shape[:-1], 1)
        return log_probabilities.gather(-1, index).squeeze(-1).abs()  # none is positive, and zero has no sign

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.values(outputs, targets).mean(dim=-1)

    def residual(self, outputs: Tensor, targets: Tensor, out: Tensor | None = None) -> Tensor:
        residual = torch.neg(_softmax(outputs), out=out)
        index = targets.unsqueeze(-1).expand(*outputs.shape[:-1], 1)
        return residual.scatter_add_(-1, index, torch.ones_like(residual[..., :1]))

    def evaluate(self, outputs: Tensor, targets: Tensor, residual: Tensor) -> Tensor:
        self.residual(outputs, targets, out=residual)
        return self.value(outputs, targets)

    def second_derivative(self, change: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        q = _softmax(outputs)
        return q * (change - (q * change).sum(dim=-1, keepdim=True))

    def whiten(self, jacobian: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        # With q = softmax(H) and R = diag(√q) − q √qᵀ one has R Rᵀ = diag(q) − q qᵀ, the Hessian of ℓ.
        q = _softmax(outputs)
        mean = torch.einsum("...m,...mp->...p", q, jacobian)
        return q.sqrt().unsqueeze(-1) * (jacobian - mean.unsqueeze(-2))


class ElementwiseLoss(ABC):
    """``Σ_c ρ(H_c − y_c)`` with a convex ρ of the error of each output: a base for losses of one's own.

    Its methods take and return tensors of any shape, elementwise.
    """

    name = "elementwise"

    @abstractmethod
    def of(self, error: Tensor) -> Tensor:
        """ρ."""

    @abstractmethod
    def slope(self, error: Tensor) -> Tensor:
        """ρ′."""

    @abstractmethod
    def curvature(self, error: Tensor) -> Tensor:
        """ρ″ ≥ 0; zero is allowed."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Loss`."""
        return self.of(outputs - targets).sum(dim=(-2, -1)) / outputs.shape[-2]

    def residual(self, outputs: Tensor, targets: Tensor, out: Tensor | None = None) -> Tensor:
        """See :class:`Loss`."""
        return torch.neg(self.slope(outputs - targets), out=out)

    def evaluate(self, outputs: Tensor, targets: Tensor, residual: Tensor) -> Tensor:
        """See :class:`Loss`."""
        self.residual(outputs, targets, out=residual)
        return self.value(outputs, targets)

    def second_derivative(self, change: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Loss`."""
        return self.curvature(outputs - targets) * change

    def whiten(self, jacobian: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`Loss`."""
        return self.curvature(outputs - targets).sqrt().unsqueeze(-1) * jacobian


def _softmax(outputs: Tensor) -> Tensor:
    """Over the last dimension; sample after sample takes twenty times as long as side by side."""
    return outputs.mT.contiguous().softmax(dim=-2).mT


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (SquareLoss(), CrossEntropyLoss())}
_METHODS = ("value", "residual", "evaluate", "second_derivative", "whiten")
_STEP, _CLOSE = 1e-5, 1e-3


def checked_loss(loss: Any) -> Loss:
    """A loss by its name, or one of the caller's own with all that it needs."""
    if isinstance(loss, str):
        return LOSSES[arguments.choice("loss", loss, LOSSES)]
    if isinstance(loss, type) or not all(callable(getattr(loss, method, None)) for method in _METHODS):
        known = ", ".join(map(repr, LOSSES))
        wanted = f"one of {known}, or an object with {', '.join(_METHODS)}"
        raise TypeError(f"loss must be {wanted}, got {arguments.shown(loss)}")
    name = arguments.text("loss.name", getattr(loss, "name", None))
    if name in LOSSES and type(loss) is not type(LOSSES[name]):
        raise ValueError(f"loss.name must be another than {', '.join(map(repr, LOSSES))}, got {name!r}")
    own: Loss = loss
    return own


def require_consistent(loss: Loss, targets: Tensor, goals: Tensor) -> None:
    """Raise a ValueError if a residual is not what the values say, at some outputs near these targets ``(n, m)``.

    ``goals`` are what the loss takes for targets: these, or with weights beside.
    """
    near, wanted = targets[:8], goals[:8]
    outputs = near + torch.linspace(-1.3, 1.7, near.numel(), dtype=near.dtype, device=near.device).reshape(near.shape)
    direction = torch.linspace(1.0, 2.0, near.numel(), dtype=near.dtype, device=near.device).reshape(near.shape)
    residual, ahead, behind = (
        loss.residual(outputs, wanted),
        loss.value(outputs + _STEP * direction, wanted),
        loss.value(outputs - _STEP * direction, wanted),
    )
    if residual.shape != outputs.shape or ahead.shape != ():
        raise ValueError(
            f"loss must have a value of shape () and a residual of shape {tuple(outputs.shape)} for such outputs, got "
            f"{tuple(ahead.shape)} and {tuple(residual.shape)}"
        )
    found, expected = float((residual * direction).sum() / len(wanted)), float(behind - ahead) / (2 * _STEP)
    if not abs(found - expected) <= _CLOSE * max(abs(expected), abs(found), 1.0):
        raise ValueError(
            f"loss.residual must be minus the derivative of loss.value, {expected:.3g} along a line, got {found:.3g}"
        )
