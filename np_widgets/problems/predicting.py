"""What a network says of new rows, in the units and the labels of the original data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.problems.problem import Problem

Network = Callable[[Tensor], Tensor]


@torch.no_grad()
def predicted(network: Network, problem: Problem, rows: Any) -> NDArray[Any]:
    """The label of the most probable class, ``(k,)``; or the outputs, ``(k, m)``, and ``(k,)`` for m = 1."""
    outputs = network(problem.transform(rows))
    if problem.classes is not None:
        return np.asarray(problem.classes)[outputs.argmax(dim=1).cpu().numpy()]
    if problem.scaling is not None and problem.scaling.targets is not None:
        outputs = problem.scaling.targets.backward(outputs)
    return np.asarray((outputs[:, 0] if problem.output_size == 1 else outputs).cpu().numpy())


@torch.no_grad()
def probabilities(network: Network, problem: Problem, rows: Any) -> NDArray[np.float64]:
    """The probability of each class, ``(k, classes)``, in the order of ``problem.classes``."""
    if problem.classes is None:
        raise ValueError(f"predict_proba needs classes, got a problem with loss={problem.loss.name!r}")
    return np.asarray(network(problem.transform(rows)).softmax(dim=1).double().cpu().numpy())


@torch.no_grad()
def score(network: Network, problem: Problem, rows: Any, targets: Any, sample_weight: Any = None) -> float:
    """The share of right labels; or R², the mean of those of all outputs."""
    inputs, wanted, weights = problem.checked_pair("score", (rows, targets, sample_weight))
    return score_of(network(inputs), wanted, weights)


def score_of(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> float:
    """The same of the outputs for inputs and targets of the kind that the problem has, and weights of mean one."""
    weights = torch.ones_like(outputs[:, 0]) if weights is None else weights
    if not targets.is_floating_point():
        return float(((outputs.argmax(dim=1) == targets).double() * weights).mean())
    column = weights.unsqueeze(1)
    missed = (column * (outputs - targets).square()).sum(dim=0)
    spread = (column * (targets - (column * targets).mean(dim=0)).square()).sum(dim=0)
    # Of targets that do not vary there is nothing to explain: all is right, or nothing.
    explained = torch.where(spread > 0, 1 - missed / spread, (missed == 0).to(missed))
    return float(explained.mean())
