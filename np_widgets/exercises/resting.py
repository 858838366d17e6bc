"""Networks that stand still: targets that make given weights a minimum, without any training.

Training would end elsewhere on another processor. Instead the residual is made orthogonal to everything that a change
of the weights does to the outputs, to first order: then the gradient is zero whatever the network.
"""

from __future__ import annotations

import torch
from torch import Tensor

from np_widgets.learning.hessian import Hessian
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem

_SMALL = 1e-9
_LEAST_SHARE = 0.01


def at_rest(network: HomogeneousNetwork, inputs: Tensor, missing: Tensor, name: str) -> tuple[Problem, Tensor] | None:
    """A problem of which a network with one output is a minimum, with the residual; None where it would hardly be one.

    ``missing``, of shape ``(n, 1)``, is what the network should lack: the residual is as much of it as it can be, at
    most with half of the root mean square of the outputs. A larger one could make a saddle of the minimum.
    """
    forward = network.forward(inputs)
    signals = network.signals(forward, torch.ones_like(missing))
    pairs = zip(signals, forward.hidden, strict=True)
    jacobian = torch.cat([(signal.unsqueeze(2) * hidden.unsqueeze(1)).flatten(1) for signal, hidden in pairs], dim=1)
    _, lengths, basis = torch.linalg.svd(jacobian / len(inputs) ** 0.5, full_matrices=False)
    lengths, basis = (each[lengths > _SMALL * lengths[0]] for each in (lengths, basis))
    moved = jacobian @ basis.T / lengths  # what the weights can do to the outputs
    residual = missing - moved @ (moved.T @ missing) / len(inputs)
    output = forward.output
    residual = residual * (output.norm() / residual.norm())
    objective = Objective(Problem(inputs, output + residual), network)
    bent = torch.from_numpy(Hessian(objective, objective.initial).whole()) - jacobian.T @ jacobian / len(inputs)
    # The Hessian is JᵀJ/n, plus this times the share of the residual: there the least share at which it gets a negative
    # eigenvalue, where it has none that comes with any residual at all.
    across = bent - basis.T @ (basis @ bent)
    lowest = float(torch.linalg.eigvalsh((basis / lengths.unsqueeze(1)) @ bent @ (basis / lengths.unsqueeze(1)).T)[0])
    share = min(0.5, 0.5 / max(-lowest, _SMALL))
    if share < _LEAST_SHARE or float(across.norm()) > _SMALL * float(lengths[0]) ** 2:
        return None
    return Problem(inputs, output + share * residual, name=name), share * residual
