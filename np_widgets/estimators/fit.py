"""One pursuit on the rows of an estimator: standardized inside, a constant input added, in original units outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from np_widgets.estimators.rows import Floats, Rows
from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.problems import Problem
from np_widgets.problems.standardization import Standardization


@dataclass(frozen=True)
class Fit:
    """What a pursuit has found.

    Attributes
    ----------
    pursuit
        On the standardized problem.
    network
        Its network; one without neurons, of output zero, if none is worth its weights.
    inputs, targets
        What standardizes the columns; ``targets`` is None for classes.
    """

    pursuit: NeuronPursuit
    network: HomogeneousNetwork
    inputs: Standardization
    targets: Standardization | None

    def outputs(self, inputs: Floats) -> Floats:
        """Predictions in the units of the targets, or the scores of classes: shape ``(n, m)``."""
        found = self._standard_outputs(inputs)
        return np.asarray(self.targets.backward(found) if self.targets else found)

    def error(self, rows: Rows) -> float:
        """The mean squared error in units of the variance of the targets learned from, or the mean cross entropy."""
        outputs = self._standard_outputs(rows.inputs)
        if self.targets is None:
            classes = torch.tensor(rows.targets, device="cpu")
            errors = torch.nn.functional.cross_entropy(outputs, classes, reduction="none")
        else:
            errors = (outputs - self.targets.forward(torch.tensor(rows.targets, device="cpu"))).square().mean(dim=1)
        return float(np.average(errors.numpy(), weights=rows.weights))

    def _standard_outputs(self, inputs: Floats) -> Tensor:
        return self.network.forward(self.inputs.forward(torch.tensor(inputs, device="cpu"))).output


def pursue(
    rows: Rows,
    classes: int | None,
    max_neurons: int,
    name: str,
    start: HomogeneousNetwork | None = None,
    **settings: Any,
) -> Fit:
    """The fit to ``rows`` of at most so many neurons, by a pursuit of these ``settings`` that begins with ``start``."""
    if classes is not None:
        rows = rows.repeated()
    weights = torch.tensor(rows.weights / rows.weights.mean(), device="cpu")
    inputs = torch.tensor(rows.inputs, device="cpu")
    scaling = _standardization(inputs, weights, constant=True)
    if classes is not None:
        targets, target_scaling = torch.tensor(rows.targets, device="cpu"), None
        problem = Problem(scaling.forward(inputs), targets, "cross_entropy", classes=classes, name=name)
    else:
        target_scaling = _standardization(torch.tensor(rows.targets, device="cpu"), weights)
        # For the square loss a weight is a factor: H(cx) = c^q H(x), so that ½‖H(cx) − √w·y‖² with c^q = √w is
        # w times ½‖H(x) − y‖². It is one wherever all weights are equal.
        degree = settings["power"] ** settings["hidden_layers"]
        factor = weights.sqrt().unsqueeze(1)
        targets = factor * target_scaling.forward(torch.tensor(rows.targets, device="cpu"))
        problem = Problem(factor ** (1 / degree) * scaling.forward(inputs), targets, name=name)
    room = max_neurons - settings["hidden_layers"]
    pursuit = NeuronPursuit(problem, max_additions=room, network=start, **settings)
    pursuit.run(max_additions=0)
    for _ in range(room):
        network = pursuit.network
        kind = None if pursuit.finished is None else pursuit.finished.kind
        if network is None or kind != "additions" or sum(network.widths) + pursuit.settings.longest > max_neurons:
            break
        pursuit.run(max_additions=1)
    network = pursuit.network
    if network is None:
        activation = Activation(settings["power"], settings["leak"])
        network = HomogeneousNetwork.empty(problem, settings["hidden_layers"], activation)
    return Fit(pursuit, network, scaling, target_scaling)


def _standardization(values: Tensor, weights: Tensor, constant: bool = False) -> Standardization:
    """Like :meth:`Standardization.of`, with weights of mean one."""
    root = weights.sqrt().unsqueeze(1)
    mean = (weights.unsqueeze(1) * values).mean(dim=0)
    centred = Standardization.of(torch.cat([root * (values - mean), -root * (values - mean)]))
    # A spread that is nothing but rounding of the values is none.
    varies = centred.deviation > 16 * torch.finfo(values.dtype).eps * values.abs().amax(dim=0)
    return Standardization(mean, torch.where(varies, centred.deviation, torch.inf), constant)
