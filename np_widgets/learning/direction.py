"""The neural correlation function as a function of one direction on the sphere.

For a neuron with incoming weights along the unit vector ``b`` the best outgoing weights are known in closed form, so
the search for KKT points is a search over ``b`` alone, of

    φ(b) = ‖u(b)‖,   u(b) = (1/n) Σ_i s_i g(bᵀh_i)

with features ``h_i`` (what enters the layer), signals ``s_i`` (the negative gradient that leaves it) and a profile
``g`` (the activation; at the origin, all activations above the first layer as well). See Kumar & Haupt
(arXiv 2509.12154).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation

# Entries of one (samples × starts) product: bounds the memory of a search to a few such blocks.
_BLOCK_ENTRIES = 2**22


@dataclass(frozen=True)
class Profile:
    """``g(z) = positive · max(z, 0)^power + negative · max(−z, 0)^power``."""

    power: int
    positive: float
    negative: float

    @classmethod
    def of(cls, activation: Activation) -> Profile:
        """The profile that equals σ."""
        return cls(activation.power, 1.0, (-activation.leak) ** activation.power)

    @property
    def has_kink(self) -> bool:
        """Whether ``g`` has a kink at zero."""
        return self.power == 1 and self.positive != -self.negative

    def value(self, z: Tensor) -> Tensor:
        """``g(z)``, elementwise."""
        if self.power == 1:
            return z * self.derivative(z)
        return self._coefficient(z) * z.abs() ** self.power

    def derivative(self, z: Tensor) -> Tensor:
        """``g'(z)``, elementwise; zero at a kink."""
        slope = self._coefficient(z) * z.sign()
        return slope if self.power == 1 else self.power * slope * z.abs() ** (self.power - 1)

    def second_derivative(self, z: Tensor) -> Tensor:
        """``g''(z)``, elementwise; only for a power of at least 2."""
        return self.power * (self.power - 1) * self._coefficient(z) * z.abs() ** (self.power - 2)

    def _coefficient(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, z.new_tensor(self.positive), z.new_tensor(self.negative))


class DirectionalCorrelation:
    """φ and its derivatives, for many directions at once.

    Parameters
    ----------
    features
        ``h_i``, of shape ``(n, k)``.
    signals
        ``s_i``, of shape ``(n, q)``.
    profile
        ``g``.

    Notes
    -----
    Features and signals are kept divided by their root mean squares, so that φ here is a pure number of order one at
    most; :attr:`scale` ``= rms(s)·rms(h)^power`` turns it back. Samples that cannot contribute are left out.
    """

    def __init__(self, features: Tensor, signals: Tensor, profile: Profile) -> None:
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
        contributes = (features != 0).any(dim=1) & (signals != 0).any(dim=1)
        self.features = features[contributes] / (feature_rms or 1.0)
        self.signals = signals[contributes] / ((signal_rms or 1.0) * self.samples)

    @property
    def size(self) -> int:
        """The dimension k of a direction."""
        return self.features.shape[1]

    def evaluate(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """φ and its gradient at ``directions`` of shape ``(k, S)``: shapes ``(S,)`` and ``(k, S)``.

        Where φ is zero, so is the gradient given.
        """
        blocks = list(self._blocks(directions.shape[1]))
        # A single block (the usual case) keeps bᵀh for the second pass; many would need the memory that blocks save.
        kept = [features @ directions for features, _ in blocks] if len(blocks) == 1 else None
        vector = directions.new_zeros(self.signals.shape[1], directions.shape[1])
        for index, (features, signals) in enumerate(blocks):
            z = kept[index] if kept else features @ directions
            vector += signals.T @ self.profile.value(z)
        norm = vector.norm(dim=0)
        outgoing = vector / norm.clamp(min=torch.finfo(norm.dtype).tiny)
        gradient = torch.zeros_like(directions)
        for index, (features, signals) in enumerate(blocks):
            z = kept[index] if kept else features @ directions
            gradient += features.T @ ((signals @ outgoing) * self.profile.derivative(z))
        return norm, gradient

    def vector(self, direction: Tensor) -> Tensor:
        """``u(b)`` for one direction of shape ``(k,)``: shape ``(q,)``."""
        return self.signals.T @ self.profile.value(self.features @ direction)

    def fixed(self, direction: Tensor) -> DirectionalCorrelation:
        """A correlation with signals that do not depend on the direction, and the same φ near this one."""
        return self

    def _blocks(self, starts: int) -> Iterator[tuple[Tensor, Tensor]]:
        size = max(1, _BLOCK_ENTRIES // max(starts, 1))
        return zip(self.features.split(size), self.signals.split(size), strict=True)


class OneSidedCorrelation(DirectionalCorrelation):
    """φ where the signals depend on the sign of the outgoing weights.

    With ReLUs a sample to which no active neuron of a layer responds puts all neurons of the next layer on their kinks:
    they respond to a neuron that pushes them up, and not to one that pulls them down. For given ``b`` each outgoing
    weight then has the better of the two signs, or is zero.

    Parameters
    ----------
    features
        ``h_i``, of shape ``(n, k)``.
    signals, pushed
        ``s_i`` for negative and for positive outgoing weights, of shape ``(n, q)``.
    profile
        ``g``.
    """

    def __init__(self, features: Tensor, signals: Tensor, pushed: Tensor, profile: Profile) -> None:
        outgoing = signals.shape[1]
        # Together, so that they have one scale and the same samples.
        super().__init__(features, torch.cat([signals, pushed], dim=1), profile)
        self._down, self._up = (part.contiguous() for part in self.signals.split(outgoing, dim=1))

    def evaluate(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        norms, gradients = [], []
        for part in directions.split(max(1, _BLOCK_ENTRIES // max(len(self.features), 1)), dim=1):
            z = self.features @ part
            vector = self._vector(self.profile.value(z))
            norm = vector.norm(dim=0)
            outgoing = vector / norm.clamp(min=torch.finfo(norm.dtype).tiny)
            signal = self._up @ outgoing.clamp(min=0) + self._down @ outgoing.clamp(max=0)
            norms.append(norm)
            gradients.append(self.features.T @ (signal * self.profile.derivative(z)))
        return torch.cat(norms), torch.cat(gradients, dim=1)

    def vector(self, direction: Tensor) -> Tensor:
        return self._vector(self.profile.value(self.features @ direction).unsqueeze(1))[:, 0]

    def fixed(self, direction: Tensor) -> DirectionalCorrelation:
        vector = self.vector(direction)
        signals = torch.where(vector > 0, self._up, self._down) * (vector != 0)
        return _with_signals(self, signals)

    def _vector(self, response: Tensor) -> Tensor:
        """The best outgoing weights times φ, of shape ``(q, S)``, for ``g(bᵀh_i)`` of shape ``(n, S)``."""
        up, down = self._up.T @ response, self._down.T @ response
        rises, falls = up.clamp(min=0), (-down).clamp(min=0)
        return torch.where(rises >= falls, rises, -falls)


def _with_signals(field: DirectionalCorrelation, signals: Tensor) -> DirectionalCorrelation:
    """The same features and scale with other (scaled) signals."""
    fixed = DirectionalCorrelation.__new__(DirectionalCorrelation)
    fixed.profile, fixed.samples, fixed.scale = field.profile, field.samples, field.scale
    fixed.features, fixed.signals = field.features, signals
    return fixed


def root_mean_square(values: Tensor) -> float:
    """The root mean square of all entries."""
    largest = float(values.abs().max())
    # Squares of very large or very small numbers would leave the range of floating point.
    return largest * float((values / largest).square().mean().sqrt()) if largest > 0 else 0.0
