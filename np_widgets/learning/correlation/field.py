"""The neural correlation function (NCF) of the neurons of one layer, for single directions and whole neurons.

With features ``h_i`` (what enters the layer), signals ``s_i`` (the negative gradient that leaves it) and a profile
``g`` (the activation; for a path of neurons, all of theirs) it is ``N(a, b) = (1/n) Σ_i aᵀs_i g(bᵀh_i)``. For incoming
weights along a unit vector ``b`` the best outgoing ones are known in closed form, so that the search for KKT points is
one over ``b`` alone, of ``φ(b) = ‖u(b)‖`` with ``u(b) = (1/n) Σ_i s_i g(bᵀh_i)``. See Kumar & Haupt (arXiv 2509.12154).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from np_widgets.learning.activation import Activation, Profile
from np_widgets.learning.arrays import to_array
from np_widgets.learning.correlation.shortest import shortest_of_each

Floats = NDArray[np.float64]

# Entries of one (starts × samples) product: 1 MiB in float64, which a processor's cache holds. A GPU wants larger ones.
_BLOCK_ENTRIES = 2**17
_BLOCKS_ON_GPU = 2**7
_KINK, _MOST_KINKS = 1e-3, 64


@dataclass(frozen=True, eq=False)
class Unseen:
    """Samples to which no neuron of a ReLU layer responds, so that neurons above are at their kinks.

    A new neuron that does respond pushes their pre-activations away from zero, and what becomes of that depends on its
    sign: the output is ``H_{>l}(push)``, to leading order.
    """

    samples: Tensor  # which ones, (u,)
    residual: Tensor  # r_i there, (u, m)
    weights: tuple[Tensor, ...]  # W_{l+2} … W_L of the network
    activation: Activation
    kinked: Tensor  # which neurons of layer l+1 are at their kinks there, (u, k_{l+1})
    share: Tensor  # how much of what a push up does one down undoes: what is left of σ' below, at kinks, (u, k_{l+1})

    def signals(self, push: Tensor) -> Tensor:
        """``∂ r_iᵀ H_{>l}(z) / ∂z`` at ``z = push`` where neurons are at kinks, ``(..., u, k_{l+1})``."""
        pre_activations = [push]
        for weight in self.weights[:-1]:
            pre_activations.append(self.activation(pre_activations[-1]) @ weight.T)
        signal = self.residual
        for weight, z in zip(reversed(self.weights[1:]), reversed(pre_activations[1:]), strict=True):
            signal = self.activation.pull_back((signal @ weight).expand_as(z).contiguous(), z)
        signal = (signal @ self.weights[0]).expand_as(push)
        return torch.where(push > 0, signal, signal * self.share) * self.kinked

    def among(self, kept: Tensor, size: float) -> Unseen:
        """Counted among the samples that are kept, with residuals divided by ``size``."""
        own = kept[self.samples]
        samples = (kept.cumsum(0) - 1)[self.samples[own]]
        return replace(
            self, samples=samples, residual=self.residual[own] / size, kinked=self.kinked[own], share=self.share[own]
        )


class Field:
    """N and φ for many neurons at once, from features ``(n, k)`` and signals ``(n, q)``.

    With ``unseen`` samples the signals depend on what the neurons do there. A search over directions can take that into
    account where only the outputs are above: each outgoing weight then has the better of the two signs, or is zero.

    Features and signals are kept divided by their root mean squares, so that φ here is a pure number of order one at
    most; ``scale = rms(s)·rms(h)^power`` turns it back. Samples that cannot contribute are left out. This copy is all
    the memory that grows with the data. J neurons have weights ``incoming`` ``(J, k)`` and ``outgoing`` ``(J, q)``.
    """

    def __init__(self, features: Tensor, signals: Tensor, profile: Profile, unseen: Unseen | None = None) -> None:
        self.profile, self.samples = profile, len(features)
        contributes = signals.any(dim=1)
        if unseen is not None:  # those for pushes down and up together: they have one scale and the same samples
            own = signals[unseen.samples] * ~unseen.kinked
            push = torch.ones_like(own)
            sides = [signals.index_copy(0, unseen.samples, own + unseen.signals(each)) for each in (-push, push)]
            signals = torch.cat(sides, dim=1)
            contributes = contributes.index_fill(0, unseen.samples, True)
        contributes &= features.any(dim=1)
        feature_rms, signal_rms = root_mean_square(features), root_mean_square(signals)
        signal_rms = signal_rms or float(unseen is not None)
        try:
            self.scale = signal_rms * feature_rms**profile.power
        except OverflowError:
            raise ValueError(
                f"inputs (or hidden outputs) of size {feature_rms:.2g} are too large for a power of {profile.power}: "
                "use problem.standardized()"
            ) from None
        size = (signal_rms or 1.0) * self.samples
        self._unseen = None if unseen is None else unseen.among(contributes, size)
        if not bool(contributes.all()):
            features, signals = features[contributes], signals[contributes]
        # One feature after the other: both products of an evaluation are quickest like this.
        columns = features.new_empty(features.shape[1], len(features))
        self.features = torch.div(features.T, feature_rms or 1.0, out=columns).T
        self.signals = signals / size

    def is_like(self, other: Field) -> bool:
        """Whether another one has the same φ in every direction, to the bit."""
        plain = (self._unseen is None, self.profile, self.scale, self.samples)
        tensors = zip((self.features, self.signals), (other.features, other.signals), strict=True)
        return plain == (other._unseen is None, other.profile, other.scale, other.samples) and all(
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
        best = self._better(sums)
        norm = best.norm(dim=1)
        outgoing = best / norm.clamp(min=torch.finfo(norm.dtype).tiny).unsqueeze(1)
        if self._unseen is not None:
            outgoing = torch.cat([outgoing.clamp(max=0), outgoing.clamp(min=0)], dim=1)
        for features, signals in blocks:
            z = directions.T @ features.T if kept is None else kept
            gradient.addmm_(features.T, self.profile.weighted_derivative(z, outgoing @ signals.T).T)
        return norm, gradient

    def vector(self, direction: Tensor) -> Tensor:
        """φ times the best outgoing weights for one direction of shape ``(k,)``, ``u(b)`` as a rule: shape ``(q,)``."""
        return self._better(self.signals.T @ self.profile.value(self.features @ direction))

    def signals_at(self, direction: Tensor) -> Tensor:
        """Signals that do not depend on the direction, of shape ``(n, q)``, and give the same φ near this one."""
        if self._unseen is None:
            return self.signals
        vector = self.vector(direction)
        down, up = self.signals.chunk(2, dim=1)
        return torch.where(vector > 0, up, down) * (vector != 0)

    @cached_property
    def norms(self) -> Floats:
        """``‖h_i‖``, of shape ``(n,)``."""
        return to_array(torch.linalg.vector_norm(self.features, dim=1))

    def along(self, direction: Floats) -> Floats:
        """``bᵀh_i`` of one direction, of shape ``(n,)``; like :meth:`weighted`, where the features are."""
        return to_array(self.features @ self._tensor(direction))

    def weighted(self, weights: Floats) -> Floats:
        """``Σ_i w_i h_i`` for weights ``(n,)``, or one such sum a row for weights ``(q, n)``."""
        return to_array(self._tensor(weights) @ self.features)

    def gradient(self, incoming: Floats, outgoing: Floats) -> tuple[Floats, Floats]:
        """∇N of all neurons together, by the incoming weights, ``(J, k)``, and by the outgoing ones, ``(J, q)``."""
        b, a = self._tensor(incoming), self._tensor(outgoing)
        z = b @ self.features.T
        hidden, base = self.profile.value(z), self._base
        signal, by_outgoing = a @ base.T, hidden @ base
        if self._unseen is not None:
            anew = hidden[:, self._unseen.samples]
            signals = self._unseen.signals(anew.T @ a)
            signal[:, self._unseen.samples] += a @ signals.T
            by_outgoing += anew @ signals
        by_incoming = self.profile.weighted_derivative(z, signal) @ self.features
        return self.scale * to_array(by_incoming), self.scale * to_array(by_outgoing)

    def value(self, incoming: Floats, outgoing: Floats) -> Floats:
        """N of each neuron alone, ``(J,)``, by Euler's formula ``∇_a N · a = N``."""
        by_outgoing = self._alone(self._tensor(incoming), self._tensor(outgoing))[2]
        return np.asarray(self.scale * (to_array(by_outgoing) * outgoing).sum(axis=1))

    def residual(self, incoming: Floats, outgoing: Floats) -> Floats:
        """``‖∇N − (p+1)·N·(a, b)‖ / N`` of each neuron, ``(J,)``, for directions with ``‖a‖² + ‖b‖² = 1``.

        NaN where N is not positive. With kinks, a sample with ``|bᵀh_i| ≤ 10⁻³·‖b‖·‖h_i‖`` has any slope in [α, 1], and
        the smallest residual over these slopes is returned (of the 64 samples nearest to the kink: with more of them
        it is an upper bound). An outgoing weight within 10⁻³ of zero, where unseen samples make a kink, has any
        derivative between the one-sided ones.
        """
        z, signal, along = self._alone(self._tensor(incoming), self._tensor(outgoing))
        by_outgoing = to_array(along)
        by_incoming = to_array(self.profile.weighted_derivative(z, signal) @ self.features)
        value = (by_outgoing * outgoing).sum(axis=1)
        degree = self.profile.power + 1
        upper = self._nearest_outgoing(incoming, outgoing, by_outgoing) - degree * value[:, None] * outgoing
        lower = by_incoming - degree * value[:, None] * incoming
        squares = (upper**2).sum(axis=1) + self._smallest_squares(z, signal, incoming, lower)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(value > 0, np.sqrt(squares) / value, np.nan)

    def _alone(self, b: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``bᵀh_i`` and ``aᵀs_i`` of each neuron, as if it were the only one, ``(J, n)``; and ∇_a N, ``(J, q)``."""
        z = b @ self.features.T
        hidden, base = self.profile.value(z), self._base
        signal, by_outgoing = a @ base.T, hidden @ base
        if self._unseen is not None:
            anew = hidden[:, self._unseen.samples]
            signals = self._unseen.signals(anew.unsqueeze(2) * a.unsqueeze(1))
            signal[:, self._unseen.samples] += (signals @ a.unsqueeze(2)).squeeze(2)
            by_outgoing += (anew.unsqueeze(1) @ signals).squeeze(1)
        return z, signal, by_outgoing

    def _nearest_outgoing(self, incoming: Floats, outgoing: Floats, by_outgoing: Floats) -> Floats:
        """∇_a N; where an outgoing weight is about zero, the smallest between its one-sided derivatives."""
        sizes = np.sqrt((incoming**2).sum(axis=1) + (outgoing**2).sum(axis=1))
        small = np.abs(outgoing) <= _KINK * sizes[:, None]
        if self._unseen is None or not small.any():
            return by_outgoing
        b = self._tensor(incoming)
        sides = [
            to_array(self._alone(b, self._tensor(np.where(small, sign * _KINK * sizes[:, None], outgoing)))[2])
            for sign in (-1, 1)
        ]
        return np.where(small, np.clip(0.0, np.minimum(*sides), np.maximum(*sides)), by_outgoing)

    def _smallest_squares(self, z: Tensor, signal: Tensor, incoming: Floats, lower: Floats) -> Floats:
        """``min ‖lower + Σ_i c_i (θ_i − θ⁰_i) h_i‖²`` over slopes θ_i in [α, 1] of the samples at kinks."""
        if not self.profile.has_kink:
            return np.asarray((lower**2).sum(axis=1))
        reach = self._tensor(np.outer(np.linalg.norm(incoming, axis=1), self.norms))
        distance = torch.where(reach > 0, z.abs() / reach.clamp(min=torch.finfo(z.dtype).tiny), torch.inf)
        count = min(_MOST_KINKS, int((distance <= _KINK).sum(dim=1).max()) if len(z) else 0)
        distance, samples = distance.topk(count, dim=1, largest=False)
        force = signal.gather(1, samples) * (distance <= _KINK)
        slope = self.profile.weighted_derivative(z.gather(1, samples), torch.ones_like(force))
        bounds = sorted((-self.profile.negative, self.profile.positive))
        rows = to_array(self.features[samples] * force.unsqueeze(2))  # of shape (J, count, k)
        return shortest_of_each(lower, rows, *(bound - to_array(slope) for bound in bounds))

    @cached_property
    def _base(self) -> Tensor:
        """The signals but for those that depend on the neurons, ``(n, q)``, one output after the other."""
        signals = self.signals
        if self._unseen is not None:
            signals = signals.chunk(2, dim=1)[0].clone()
            signals[self._unseen.samples] *= ~self._unseen.kinked
        return signals.T.contiguous().T

    def _better(self, sums: Tensor) -> Tensor:
        """The best outgoing weights times φ, for ``(1/n) Σ_i s_i g(bᵀh_i)`` along the last dimension."""
        if self._unseen is None:
            return sums
        down, up = sums.chunk(2, dim=-1)
        rises, falls = up.clamp(min=0), (-down).clamp(min=0)
        return torch.where(rises >= falls, rises, -falls)

    def _blocks(self, starts: int) -> Iterator[tuple[Tensor, Tensor]]:
        entries = _BLOCK_ENTRIES * (_BLOCKS_ON_GPU if self.features.is_cuda else 1)
        size = max(1, entries // max(starts, 1))
        if size >= len(self.features):
            return iter([(self.features, self.signals)])
        return zip(self.features.split(size), self.signals.split(size), strict=True)

    def _tensor(self, values: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.features)


def root_mean_square(values: Tensor, weights: Tensor | None = None) -> float:
    """The root mean square of all entries; with weights ``(n,)`` of mean one of the rows."""
    if weights is not None:
        values = values * weights.sqrt().unsqueeze(1)
    if values.numel() == 0:
        return 0.0
    norm = float(torch.linalg.vector_norm(values))
    if 1e-15 < norm < 1e15:
        return norm / math.sqrt(values.numel())
    largest = float(values.abs().max())
    # Squares of very large or very small numbers would leave the range of floating point.
    return largest * float((values / largest).square().mean().sqrt()) if largest > 0 else 0.0
