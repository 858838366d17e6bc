"""A pursuit on the rows that an estimator learns from, network after network, and what it says of others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from np_widgets.estimators.rows import Floats, Rows
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.points import find_kkt_points
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.duality import gap_of
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


class Growth:
    """A pursuit of at most so many neurons on some rows, one network after the other; the problem has these labels."""

    def __init__(
        self, rows: Rows, classes: int | None, max_neurons: int, labels: Mapping[str, Any], **settings: Any
    ) -> None:
        if classes is not None:
            rows = rows.repeated()
        weights = torch.tensor(rows.weights / rows.weights.mean(), device="cpu")
        inputs = torch.tensor(rows.inputs, device="cpu")
        self._inputs = _standardization(inputs, weights, constant=True)
        self._targets: Standardization | None = None
        if classes is not None:
            codes = torch.tensor(rows.targets, device="cpu")
            problem = Problem(self._inputs.forward(inputs), codes, "cross_entropy", classes=classes, **labels)
        else:
            self._targets = _standardization(torch.tensor(rows.targets, device="cpu"), weights)
            # For the square loss a weight is a factor: H(cx) = c^q H(x), so that ½‖H(cx) − √w·y‖² with c^q = √w is
            # w times ½‖H(x) − y‖². It is one wherever all weights are equal.
            degree = settings["power"] ** settings["hidden_layers"]
            factor = weights.sqrt().unsqueeze(1)
            targets = factor * self._targets.forward(torch.tensor(rows.targets, device="cpu"))
            problem = Problem(factor ** (1 / degree) * self._inputs.forward(inputs), targets, **labels)
        self._most = max_neurons
        additions = max_neurons - settings["hidden_layers"]
        self.pursuit = NeuronPursuit(problem, max_additions=additions, **settings)
        self.fits: list[Fit] = []
        """With each network that was trained; with an empty one alone if no neuron is worth its weights."""

    def advance(self) -> bool:
        """Train the next network; False if there is none, or none of so few neurons."""
        pursuit, network = self.pursuit, self.pursuit.network
        if not self.fits:
            pursuit.run(0)
        elif (
            pursuit.finished is None
            or pursuit.finished.kind != "additions"
            or network is None
            or sum(network.widths) + pursuit.settings.longest > self._most
        ):
            return False
        else:
            pursuit.run(1)
            if len(pursuit.growth) == len(self.fits):
                return False
        self.fits.append(Fit(pursuit, pursuit.network or self._nothing, self._inputs, self._targets))
        return True

    def gap(self, index: int) -> float:
        """By which share of it the penalized loss of a network is, at most, above the lowest there is for any width.

        NaN where no such bound is known.
        """
        pursuit, network = self.pursuit, self.fits[index].network
        settings, problem, finished = pursuit.settings, pursuit.problem, pursuit.finished
        if finished is not None and network.widths == (0,):
            return math.nan if finished.gap is None else finished.gap
        if not settings.weight_decay or not settings.hidden_layers == settings.power == 1:
            return math.nan
        points = find_kkt_points(network, problem, starts=settings.starts, seed=settings.seed)
        return gap_of(problem, network, points[0].value if points else 0.0, settings.weight_decay)

    @property
    def _nothing(self) -> HomogeneousNetwork:
        settings = self.pursuit.settings
        activation = Activation(settings.power, settings.leak)
        return HomogeneousNetwork.empty(self.pursuit.problem, settings.hidden_layers, activation)


def _standardization(values: Tensor, weights: Tensor, constant: bool = False) -> Standardization:
    """Like :meth:`Standardization.of`, with weights of mean one."""
    root = weights.sqrt().unsqueeze(1)
    mean = (weights.unsqueeze(1) * values).mean(dim=0)
    centred = Standardization.of(torch.cat([root * (values - mean), -root * (values - mean)]))
    # A spread that is nothing but rounding of the values is none.
    varies = centred.deviation > 16 * torch.finfo(values.dtype).eps * values.abs().amax(dim=0)
    return Standardization(mean, torch.where(varies, centred.deviation, torch.inf), constant)
