"""A pursuit on the rows that an estimator learns from, network after network, and what it says of others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from np_widgets.problems.weights import normalized


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
        inputs, targets = (torch.tensor(each, device="cpu") for each in (rows.inputs, rows.targets))
        weights = normalized(torch.tensor(rows.weights, device="cpu"), torch.float64)
        # Here a column of ones is one that does not vary, so that the constant always is the last.
        self._inputs = replace(Standardization.of(inputs, weights=weights), constant=True)
        self._targets = Standardization.of(targets, weights=weights) if classes is None else None
        problem = Problem(
            self._inputs.forward(inputs),
            targets if self._targets is None else self._targets.forward(targets),
            "square" if classes is None else "cross_entropy",
            sample_weight=weights,
            classes=classes,
            **labels,
        )
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
