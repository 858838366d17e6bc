"""Sample weights: how much each sample counts, and losses that count them so."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems import tables
from np_widgets.problems.losses import CrossEntropyLoss, Loss

_ROUNDING = 64


def checked_weights(name: str, value: Any, count: int) -> Tensor | None:
    """Weights ``(n,)`` of ``count`` samples, not negative and not all zero, in double precision; or None."""
    if value is None:
        return None
    weights = arguments.floats(name, tables.numbers(name, value), dimensions=(1,))
    if len(weights) != count:
        raise ValueError(f"{name} must have shape ({count},), a weight for each row of the inputs, got {len(weights)}")
    if bool((weights < 0).any()):
        raise ValueError(f"{name} must not be negative, got {float(weights.min()):g}")
    if not bool(weights.any()):
        raise ValueError(f"{name} must have at least one entry that is not zero")
    return weights


def normalized(weights: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The same, all positive, with a mean of one; None if all are equal, so that they count as no weights at all."""
    if weights is None or bool((weights == weights[0]).all()):
        return None
    mean = weights.double().mean()
    if abs(float(mean) - 1) <= _ROUNDING * torch.finfo(dtype).eps:  # those of a problem stay as they are, to the bit
        return weights.to(dtype)
    weights = weights.double() / weights.max()  # so that no sum overflows
    return (weights / weights.mean()).to(dtype)


def counted(
    inputs: Tensor, targets: Tensor, weights: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The samples of weights that are not zero, and their :func:`normalized` weights."""
    if weights is None:
        return inputs, targets, None
    weights = weights.to(inputs.device)
    some = weights / weights.max() > 0
    return inputs[some], targets[some], normalized(weights[some], dtype)


def goals_of(targets: Tensor, weights: Tensor | None, dtype: torch.dtype) -> Tensor:
    """What :class:`Weighted` takes for targets: these, ``(n, m)`` or classes ``(n,)``, and the weights as a column."""
    columns = targets.reshape(len(targets), -1).to(dtype)
    last = torch.ones_like(columns[:, 0]) if weights is None else weights.to(dtype)
    return torch.cat([columns, last.unsqueeze(1)], dim=1)


class Weighted:
    """A loss to which samples of weights w, of mean one, contribute differently: ``(1/n) Σ_i w_i ℓ(H(x_i), y_i)``.

    Wherever it says targets below, they are *goals*: those of the loss ℓ with the weights as one more column at the
    end. So whoever chooses, stacks or moves targets takes the weights along. The residuals contain their sample's
    weight, and so does all that is made of them: signals, neural correlation functions, gradients.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss, self.name = loss, loss.name

    def value(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`~np_widgets.problems.Loss`."""
        own, weights = self._apart(targets)
        if isinstance(self.loss, CrossEntropyLoss):
            each = self.loss.values(outputs, own)
        else:  # each sample for itself, as a network with one sample
            each = self.loss.value(outputs.unsqueeze(-2), own.unsqueeze(-2))
        return (each * weights).mean(dim=-1)

    def residual(self, outputs: Tensor, targets: Tensor, out: Tensor | None = None) -> Tensor:
        """See :class:`~np_widgets.problems.Loss`."""
        own, weights = self._apart(targets)
        return torch.mul(self.loss.residual(outputs, own, out=out), weights.unsqueeze(-1), out=out)

    def evaluate(self, outputs: Tensor, targets: Tensor, residual: Tensor) -> Tensor:
        """See :class:`~np_widgets.problems.Loss`."""
        self.residual(outputs, targets, out=residual)
        return self.value(outputs, targets)

    def second_derivative(self, change: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`~np_widgets.problems.Loss`."""
        own, weights = self._apart(targets)
        return self.loss.second_derivative(change, outputs, own) * weights.unsqueeze(-1)

    def whiten(self, jacobian: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :class:`~np_widgets.problems.Loss`."""
        own, weights = self._apart(targets)
        return self.loss.whiten(jacobian, outputs, own) * weights.sqrt().unsqueeze(-1).unsqueeze(-1)

    def _apart(self, goals: Tensor) -> tuple[Tensor, Tensor]:
        """The targets of ℓ and the weights."""
        if isinstance(self.loss, CrossEntropyLoss):
            return goals[..., 0].long(), goals[..., 1]
        return goals[..., :-1], goals[..., -1]
