"""What the neural correlation functions at a network are made of: the features and the signals of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from np_widgets.learning.activation import Profile
from np_widgets.learning.correlation.field import Field, Unseen, root_mean_square
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems import Problem

_ROUNDINGS = 100


class Signals:
    """A pass of a network forwards and backwards, on one device and in one precision with the problem.

    Signals of samples that sit on a kink come from its negative side, from the positive one with ``upper``, or are
    given by the ``slopes`` of each hidden layer, ``(n, k_l)``.
    """

    def __init__(
        self,
        network: HomogeneousNetwork,
        problem: Problem,
        *,
        upper: bool = False,
        slopes: Sequence[Tensor] | None = None,
    ) -> None:
        self.network, self._problem, self._slopes = network, problem, slopes
        self._forward = network.forward(problem.inputs)
        self.residual = problem.criterion.residual(self._forward.output, problem.goals)
        self.signals = network.signals(self._forward, self.residual, upper=upper, slopes=slopes)

    def field(self, layer: int, last: int, profile: Profile, *, unseen: bool) -> Field:
        """The NCF of paths of neurons in the layers ``layer … last``, which act like ``profile``."""
        return Field(*self.ends(layer, last), profile, self._unseen(last) if unseen else None)

    def ends(self, layer: int, last: int) -> tuple[Tensor, Tensor]:
        """``h_{l-1}``, which such a path sees, and ``s_{m+1}``, the signals of what it sends to."""
        return self._forward.hidden[layer - 1], self.signals[last]

    @cached_property
    def is_fitted(self) -> bool:
        """Whether what is left to explain is rounding: any correlation with it means nothing."""
        output = self._forward.output
        untrained = self._problem.criterion.residual(torch.zeros_like(output), self._problem.goals)
        largest = max(root_mean_square(untrained), root_mean_square(output))
        return root_mean_square(self.residual) <= self._rounding * largest

    @cached_property
    def cancelled(self) -> frozenset[int]:
        """Below which layers signals cancel: at a minimum of a deep linear network below all but the outputs."""
        found, uncancelled = set(), self.residual.abs()
        for layer in range(self.network.hidden_layers - 1, 0, -1):
            uncancelled = uncancelled @ self.network.weights[layer + 1].abs()
            if root_mean_square(self.signals[layer]) <= self._rounding * root_mean_square(uncancelled):
                found.add(layer)
        return frozenset(found)

    @property
    def _rounding(self) -> float:
        return _ROUNDINGS * torch.finfo(self.network.dtype).eps

    def _unseen(self, last: int) -> Unseen | None:
        """Where neurons of layer ``last`` + 1 are at kinks, so that the signals that they send depend on a push."""
        network, depth = self.network, self.network.hidden_layers
        if not network.activation.is_relu or last == depth:
            return None
        hidden, weight = self._forward.hidden[last], network.weights[last]
        outputs_above = last == depth - 1
        silent, share = hidden == 0, weight.new_zeros(1, 1)
        if self._slopes is None:
            # Of one layer below the outputs each neuron is on its own.
            z = self._forward.pre_activations[last]
            kinked = z == 0 if outputs_above else silent.all(dim=1, keepdim=True).expand_as(z)
        else:
            # Neurons that slide along kinks respond to no sample there, however near they are. A push up opens the
            # layer above; one down is made good by them, at the price of the share of the slope that they have there.
            slopes = self._slopes[last - 1]
            sliding = (slopes > 0) & (slopes < 1)
            silent = (silent | sliding).all(dim=1, keepdim=True)
            if not outputs_above:
                silent = silent & ~sliding.any(dim=1, keepdim=True)
            else:
                share = ((slopes * sliding).unsqueeze(1) * (weight > 0)).amax(dim=2)
            kinked = silent.expand(-1, len(weight))
        samples = torch.nonzero(kinked.any(dim=1)).flatten()
        if not len(samples):
            return None
        share = share.expand(kinked.shape)[samples]
        above = network.weights[last + 1 :]
        return Unseen(samples, self.residual[samples], above, network.activation, kinked[samples], share)
