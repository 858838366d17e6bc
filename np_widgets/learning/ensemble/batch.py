"""Networks of several pursuits as one batch: weights padded with zeros, each pursuit with samples of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems.losses import Loss


@dataclass(frozen=True)
class Data:
    """The samples of G pursuits.

    Attributes
    ----------
    inputs
        Shape ``(G, d, n)``: samples are columns.
    targets
        Shape ``(G, n, m)``, or ``(G, n)`` if they are classes.
    outputs
        The number of outputs, m.
    """

    inputs: Tensor
    targets: Tensor
    outputs: int
    loss: Loss

    @property
    def samples(self) -> int:
        """The number of samples of each pursuit, n."""
        return self.inputs.shape[2]

    def of(self, members: Sequence[int]) -> Data:
        """Those of some pursuits."""
        if list(members) == list(range(len(self.inputs))):
            return self
        index = torch.tensor(members, dtype=torch.int64, device=self.inputs.device)
        return Data(self.inputs[index], self.targets[index], self.outputs, self.loss)


def unpadded(
    weights: Sequence[Tensor], widths: Sequence[Sequence[int]], activation: Activation
) -> list[HomogeneousNetwork]:
    """The networks of those hidden widths whose padded weights are given, with weights of their own."""
    networks = []
    for index, own in enumerate(widths):
        sizes = [weights[0].shape[2], *own, weights[-1].shape[1]]
        parts = [weight[index, : sizes[layer + 1], : sizes[layer]].clone() for layer, weight in enumerate(weights)]
        networks.append(HomogeneousNetwork(parts, power=activation.power, leak=activation.leak))
    return networks
