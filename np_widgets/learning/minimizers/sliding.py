"""The minimum of a penalized loss over a last hidden layer whose neurons sit on kinks."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from np_widgets.learning.activation import Profile
from np_widgets.learning.correlation.field import Field
from np_widgets.learning.correlation.polish import polish
from np_widgets.learning.minimizers.levenberg_marquardt import LevenbergMarquardt
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.minimizers.sizes import fitted_sizes
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.objective import Objective

_RULE = StoppingRule(gradient_tolerance=0.0, patience=1, least_decrease=1e-8)
_MANY_OPERATIONS = 1e8
_ENOUGH_TO_CHOOSE = 1e-7
_SAME = 1e-14  # 1 − cosine of what is one direction


class Sliding(Minimizer):
    """Neurons of the last hidden layer slide to where each is worth most, and their sizes are fitted anew.

    At a minimum of a penalized loss (p = 1) the direction of every neuron of the last hidden layer is a maximizer of
    ``φ(b̂) = ‖(1/n) Σ_i r_i σ(b̂ᵀh_i)‖``, on a kink as a rule, where gradients do not lead. One step looks for that
    maximizer from the direction of every neuron, fits the sizes of old and new directions together, which is a convex
    problem, keeps of each pair the direction that got more, and fits these alone: the fully corrective steps of the
    sliding Frank–Wolfe algorithm (Denoyelle, Duval, Peyré & Soubies 2019) for neurons that are there already. The
    weights below stay as they are.

    See :class:`~np_widgets.learning.minimizers.minimizer.Minimizer`.
    """

    name: ClassVar[str] = "sliding"
    title: ClassVar[str] = "sliding directions"
    usual_steps: ClassVar[int] = 30

    def __init__(self, objective: Objective, theta: Tensor, *, stopping: StoppingRule = _RULE) -> None:
        super().__init__(objective, theta, stopping=stopping)

    @classmethod
    def suits(cls, objective: Objective) -> bool:
        """Whether there is a price on weights, kinks to sit on, and few enough weights."""
        neurons, outputs = objective.shapes[-1][1], objective.shapes[-1][0]
        operations = LevenbergMarquardt.operations(objective.problem.samples * outputs, 2 * neurons * (outputs + 1))
        return objective.weight_decay > 0 and objective.activation.has_kink and operations <= _MANY_OPERATIONS

    @property
    def step_operations(self) -> float:
        return 100 * super().step_operations

    def _step(self) -> None:
        problem, network = self.objective.problem, self.objective.network(self.theta)
        forward = network.forward(problem.inputs)
        below, activation = forward.hidden[-2], network.activation
        residual = problem.criterion.residual(forward.output, problem.goals)
        incoming, outgoing = network.weights[-2:]
        sizes, old = incoming.norm(dim=1), normalize(incoming, eps=torch.finfo(incoming.dtype).tiny)
        field = Field(below, residual, Profile.of(activation))
        new = torch.stack([polish(field, each).direction if bool(each.any()) else each for each in old])
        share = 2**-0.5  # both directions of a pair together do at first what the neuron did
        both, out = fitted_sizes(
            problem,
            activation(below @ torch.cat([old, new]).T),
            share * sizes.repeat(2),
            share * outgoing.repeat(1, 2),
            self.objective.weight_decay,
            _ENOUGH_TO_CHOOSE,
        )
        carried = (both * out).unflatten(1, (2, -1))
        is_new = carried[:, 1].norm(dim=0) > carried[:, 0].norm(dim=0)
        chosen = torch.where(is_new.unsqueeze(1), new, old)
        # What the other direction of the pair carried goes to the one that is kept, and to one of several that meet.
        alike = (chosen @ chosen.T).fill_diagonal_(1) > 1 - _SAME
        together = torch.zeros_like(outgoing).index_add_(1, alike.int().argmax(dim=1), carried.sum(dim=1))
        roots = together.norm(dim=0).sqrt()
        found, out = fitted_sizes(
            problem,
            activation(below @ chosen.T),
            roots,
            together / roots.clamp(min=torch.finfo(roots.dtype).tiny),
            self.objective.weight_decay,
        )
        # A size may have become negative, together with what it is multiplied by.
        last = [(chosen * found.abs().unsqueeze(1)).reshape(-1), (out * found.sign()).reshape(-1)]
        theta = torch.cat([self.theta[: -sum(map(len, last))], *last])
        loss, gradient = self.objective.loss_and_gradient(theta)
        if loss < self.loss:
            self._move(theta, loss, gradient)
        else:
            self.finished = "no further decrease: neurons that slide together gain nothing"
