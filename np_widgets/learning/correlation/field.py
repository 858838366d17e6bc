"""The neural correlation function as a function of one direction on the sphere.

For a neuron with incoming weights along the unit vector ``b`` the best outgoing weights are known in closed form, so
the search for KKT points is a search over ``b`` alone, of

    φ(b) = ‖u(b)‖,   u(b) = (1/n) Σ_i s_i g(bᵀh_i)

with features ``h_i`` (what enters the layer), signals ``s_i`` (the negative gradient that leaves it) and a profile
``g`` (the activation; at the origin, all activations above the first layer as well). See Kumar & Haupt
(arXiv 2509.12154).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning.activation import Profile
from np_widgets.learning.arrays import to_array

# Entries of one (starts × samples) product: 1 MiB in float64, which a processor's cache holds. A GPU wants larger ones.
_BLOCK_ENTRIES = 2**17
_BLOCKS_ON_GPU = 2**7


class DirectionalCorrelation:
    """φ and its derivatives, for many directions at once.

    Features ``h_i`` have shape ``(n, k)``, signals ``s_i`` ``(n, q)``. With ReLUs a sample to which no active neuron of
    a layer responds puts all neurons of the next layer on their kinks: they respond to a neuron that pushes them up,
    and not to one that pulls them down. ``pushed`` are the signals for positive outgoing weights where those are others
    than for negative ones; for given ``b`` each outgoing weight then has the better of the two signs, or is zero.

    Features and signals are kept divided by their root mean squares, so that φ here is a pure number of order one at
    most; ``scale = rms(s)·rms(h)^power`` turns it back. Samples that cannot contribute are left out. This copy is all
    the memory that grows with the data.
    """

    def __init__(
        self,
        features: Tensor,
        signals: Tensor,
        profile: Profile,
        pushed: Tensor | None = None,
    ) -> None:
        self._one_sided = pushed is not None
        if pushed is not None:  # together, so that they have one scale and the same samples
            signals = torch.cat([signals, pushed], dim=1)
        self.profile = profile
        self.samples = len(features)
        feature_rms, signal_rms = root_mean_square(features), root_mean_square(signals)
        try:
            self.scale = signal_rms * feature_rms**profile.power
        except OverflowError:
            raise ValueError(
                f"inputs (or hidden outputs) of size {feature_rms:.2g} are too large for a power of {profile.power}: "
                "use problem.standardized()"
            ) from None
        contributes = features.any(dim=1) & signals.any(dim=1)
        if not bool(contributes.all()):
            features, signals = features[contributes], signals[contributes]
        # One feature after the other: both products of an evaluation are quickest like this.
        columns = features.new_empty(features.shape[1], len(features))
        self.features = torch.div(features.T, feature_rms or 1.0, out=columns).T
        self.signals = signals / ((signal_rms or 1.0) * self.samples)

    def is_like(self, other: DirectionalCorrelation) -> bool:
        """Whether another one has the same value in every direction, to the bit."""
        plain = (self._one_sided, self.profile, self.scale, self.samples)
        tensors = zip((self.features, self.signals), (other.features, other.signals), strict=True)
        return plain == (other._one_sided, other.profile, other.scale, other.samples) and all(
            mine.dtype == its.dtype and torch.equal(mine, its) for mine, its in tensors
        )

    @property
    def size(self) -> int:
        """The dimension k of a direction."""
        return self.features.shape[1]

    def evaluate(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """φ and its gradient at ``directions`` of shape ``(k, S)``: shapes ``(S,)`` and ``(k, S)``.

        Where φ is zero, so is the gradient given.
        """
        gradient = torch.zeros_like(directions)
        if self.signals.shape[1] == 1:
            # One output: the gradient is that of u but for the sign, and by Euler's theorem gives u itself.
            for features, signals in self._blocks(directions.shape[1]):
                z = directions.T @ features.T
                gradient.addmm_(features.T, self.profile.weighted_derivative(z, signals.T.expand_as(z)).T)
            vector = (gradient * directions).sum(dim=0) / self.profile.power
            return vector.abs(), gradient.mul_(vector.sign())
        blocks = list(self._blocks(directions.shape[1]))
        # A single block (the usual case) keeps bᵀh for the second pass; many would need the memory that blocks save.
        kept = directions.T @ blocks[0][0].T if len(blocks) == 1 else None
        sums = directions.new_zeros(directions.shape[1], self.signals.shape[1])
        for features, signals in blocks:
            z = directions.T @ features.T if kept is None else kept
            sums.addmm_(self.profile.value(z), signals)
        norm, outgoing = self._best_outgoing(sums)
        for features, signals in blocks:
            z = directions.T @ features.T if kept is None else kept
            gradient.addmm_(features.T, self.profile.weighted_derivative(z, outgoing @ signals.T).T)
        return norm, gradient

    def vector(self, direction: Tensor) -> Tensor:
        """φ times the best outgoing weights for one direction of shape ``(k,)``, ``u(b)`` as a rule: shape ``(q,)``."""
        vector = self.signals.T @ self.profile.value(self.features @ direction)
        return self._better(vector) if self._one_sided else vector

    def signals_at(self, direction: Tensor) -> Tensor:
        """Signals that do not depend on the direction, of shape ``(n, q)``, and give the same φ near this one."""
        if not self._one_sided:
            return self.signals
        vector = self.vector(direction)
        down, up = self.signals.chunk(2, dim=1)
        return torch.where(vector > 0, up, down) * (vector != 0)

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """``‖h_i‖``, of shape ``(n,)``."""
        return to_array(torch.linalg.vector_norm(self.features, dim=1))

    def _best_outgoing(self, sums: Tensor) -> tuple[Tensor, Tensor]:
        """φ and the outgoing weights of unit norm that attain it, for ``(1/n) Σ_i s_i g(bᵀh_i)`` as rows."""
        sums = self._better(sums) if self._one_sided else sums
        norm = sums.norm(dim=1)
        outgoing = sums / norm.clamp(min=torch.finfo(norm.dtype).tiny).unsqueeze(1)
        if self._one_sided:
            outgoing = torch.cat([outgoing.clamp(max=0), outgoing.clamp(min=0)], dim=1)
        return norm, outgoing

    def _better(self, sums: Tensor) -> Tensor:
        """The best outgoing weights times φ, for the sums with both signals along the last dimension."""
        down, up = sums.chunk(2, dim=-1)
        rises, falls = up.clamp(min=0), (-down).clamp(min=0)
        return torch.where(rises >= falls, rises, -falls)

    def _blocks(self, starts: int) -> Iterator[tuple[Tensor, Tensor]]:
        entries = _BLOCK_ENTRIES * (_BLOCKS_ON_GPU if self.features.is_cuda else 1)
        size = max(1, entries // max(starts, 1))
        if size >= len(self.features):
            return iter([(self.features, self.signals)])
        return zip(self.features.split(size), self.signals.split(size), strict=True)


def root_mean_square(values: Tensor) -> float:
    """The root mean square of all entries."""
    if values.numel() == 0:
        return 0.0
    norm = float(torch.linalg.vector_norm(values))
    if 1e-15 < norm < 1e15:
        return norm / math.sqrt(values.numel())
    largest = float(values.abs().max())
    # Squares of very large or very small numbers would leave the range of floating point.
    return largest * float((values / largest).square().mean().sqrt()) if largest > 0 else 0.0
