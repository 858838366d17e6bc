"""Where the weights of each neuron lie in the vector of all weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Positions = NDArray[np.intp]


class Layout:
    """The shape of a network, for vectors ``(P,)`` of all its weights: W_1 row by row, then W_2, …; all in NumPy.

    ``neurons`` are all hidden ones as ``(layer, index)``, layer by layer. ``active`` says of each hidden layer which of
    its neurons are.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], power: int) -> None:
        self.shapes, self.power = tuple(shapes), power
        self.sizes = [rows * columns for rows, columns in shapes]
        self.widths = tuple(rows for rows, _ in shapes[:-1])
        self.neurons = tuple((layer, index) for layer, width in enumerate(self.widths, 1) for index in range(width))

    @property
    def size(self) -> int:
        """The number of weights, P."""
        return sum(self.sizes)

    def matrices(self, theta: Floats) -> list[Floats]:
        """``W_1 … W_L`` as views of a vector of shape ``(P,)``; ``(..., P)`` gives ``(..., k_l, k_{l-1})``."""
        parts = np.split(theta, np.cumsum(self.sizes)[:-1], axis=-1)
        return [part.reshape(*theta.shape[:-1], *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def vector(self, matrices: Sequence[Floats]) -> Floats:
        """The vector of these matrices, a new array of shape ``(P,)``."""
        return np.concatenate([np.asarray(matrix, dtype=np.float64).reshape(-1) for matrix in matrices])

    def squares(self, theta: Floats) -> tuple[Floats, Floats]:
        """``‖in_j‖²`` and ``‖out_j‖²`` of all hidden neurons, in the order of ``neurons``."""
        matrices = [matrix**2 for matrix in self.matrices(theta)]
        incoming = np.concatenate([matrix.sum(axis=-1) for matrix in matrices[:-1]], axis=-1)
        outgoing = np.concatenate([matrix.sum(axis=-2) for matrix in matrices[1:]], axis=-1)
        return incoming, outgoing

    def norms(self, theta: Floats) -> Floats:
        """The norm of the incoming and outgoing weights of each hidden neuron together."""
        return np.asarray(np.sqrt(np.add(*self.squares(theta))))

    def conserved(self, theta: Floats) -> tuple[Floats, Floats]:
        """``p‖out_j‖² − ‖in_j‖²``, which gradient flow leaves as it is, and ``p‖out_j‖² + ‖in_j‖²``."""
        incoming, outgoing = self.squares(theta)
        return self.power * outgoing - incoming, self.power * outgoing + incoming

    def active_entries(self, active: Sequence[Flags]) -> Flags:
        """Which weights are between active neurons, inputs and outputs, of shape ``(P,)``."""
        return np.concatenate([np.outer(above, below).reshape(-1) for below, above in pairwise(self._ends(active))])

    def positions(self, active: Sequence[Flags], layer: int) -> tuple[Positions, Positions]:
        """Where the weights of a layer's J dormant neurons lie that its NCF sees.

        Those from the active neurons (or inputs) below, ``(J, active below)``, and to the active ones (or outputs)
        above, ``(J, active above)``.
        """
        ends, places = self._ends(active), self._places()
        dormant = ~active[layer - 1]
        return places[layer - 1][np.ix_(dormant, ends[layer - 1])], places[layer][np.ix_(ends[layer + 1], dormant)].T

    def path_positions(self, active: Sequence[Flags], layer: int, last: int) -> Positions:
        """Where the weights of a path through the only dormant neuron of each of these layers lie.

        From the active neurons (or inputs) below, from each to the next, and to the active neurons (or outputs) above.
        """
        places = self._places()
        own = [int(np.flatnonzero(~flags)[0]) for flags in active[layer - 1 : last]]
        inner = [places[layer + step][above, below] for step, (below, above) in enumerate(pairwise(own))]
        incoming, outgoing = self.positions(active, layer)[0][0], self.positions(active, last)[1][0]
        return np.concatenate([incoming, np.array(inner, np.intp), outgoing])

    def _ends(self, active: Sequence[Flags]) -> list[Flags]:
        return [np.ones(self.shapes[0][1], bool), *active, np.ones(self.shapes[-1][0], bool)]

    def _places(self) -> list[Positions]:
        return [places.astype(np.intp) for places in self.matrices(np.arange(self.size, dtype=np.float64))]
