"""What a search found for the next neuron, as frames and records keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KKT_RESIDUAL = 1e-6


@dataclass(frozen=True)
class Candidate:
    """A direction that a search found for the next neuron.

    The fast method's search stops where ascent has come near a KKT point of the neural correlation function (NCF):
    polishing each point would take as long as all the rest. So a candidate may be a KKT point, or a direction near one.

    Attributes
    ----------
    layer
        The first hidden layer, 1 … L−1, that would get a neuron; 0 for a point at the origin (a neuron in every layer).
    value
        The value of the neural correlation function, N.
    residual
        The residual of the KKT conditions relative to ``value``; with kinks and the fast method an upper bound, that of
        the plain gradient.
    loss
        The training loss where the look-ahead left this candidate, at its end or when it was given up; None if it was
        not tried. Measured in single precision on the samples that the look-ahead sees (all, of up to 16,384).
    unseen
        Which NCF the value is of, see :func:`~np_widgets.learning.correlation.points.correlation`; False at the
        origin, where there is one only.
    penalty
        The look-ahead's weight decay there: it compares ``loss + penalty``, and takes the lowest at its end. None if
        the candidate was not tried.
    last
        The last hidden layer that would get a neuron; :attr:`layer` for a single neuron.
    own
        Whether it is a neuron of the user's own, and no KKT point that a search found.
    factors
        The weights at which N has its value: incoming ``(1, k_{l-1})``, of a path each inner ``(1, 1)``, and outgoing
        ``(k_{m+1}, 1)``. Empty for the weakest of many candidates with many weights.
    network
        The matrices ``W_1 … W_L`` of the network that was searched, without rows and columns at the origin; like
        :attr:`factors` they do not count when candidates are compared.
    """

    layer: int
    value: float
    residual: float
    loss: float | None = None
    penalty: float | None = None
    unseen: bool = False
    last: int = 0
    own: bool = False
    factors: tuple[Floats, ...] = field(default=(), compare=False, repr=False)
    network: tuple[Floats, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "last", max(self.layer, self.last))

    @property
    def layers(self) -> tuple[int, ...]:
        """The hidden layers that would get a neuron each."""
        return tuple(range(max(self.layer, 1), self.last + 1))

    @property
    def is_kkt_point(self) -> bool:
        """Whether this is a KKT point and not only near one: the residual is at most 10⁻⁶."""
        return self.residual <= KKT_RESIDUAL


def judged(candidates: Sequence[Candidate], looked_at: Mapping[int, tuple[float, float]]) -> tuple[Candidate, ...]:
    """The candidates with the loss and the penalty at which a look-ahead left those of these indices."""
    return tuple(
        replace(each, loss=looked_at[index][0], penalty=looked_at[index][1]) if index in looked_at else each
        for index, each in enumerate(candidates)
    )
