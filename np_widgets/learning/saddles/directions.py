"""The directions of dormant neurons, and how near they are to KKT points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.saddles.frames import Destination
from np_widgets.learning.saddles.layout import Flags, Layout

Floats = NDArray[np.float64]

_TINY = np.finfo(float).tiny


class Directions:
    """Of the dormant neurons around these active ones; ``positions`` are of the weights that each layer's NCF sees."""

    def __init__(self, layout: Layout, activation: Activation, active: Sequence[Flags]) -> None:
        self._layout, self._activation, self._active = layout, activation, active
        layers = (layer for layer, flags in enumerate(active, start=1) if not flags.all())
        self.positions = {layer: layout.positions(active, layer) for layer in layers}
        self.dormant = ~np.concatenate(list(active))
        self.is_origin = bool(self.dormant.all())

    def by_neuron(self, measure: Callable[[int], Floats], *shape: int) -> Floats:
        """What is measured of the dormant neurons of each layer, ``(J_l, …)``, for all hidden ones: NaN if active."""
        found = np.full((len(self._layout.neurons), *shape), np.nan)
        starts = np.cumsum([0, *self._layout.widths])
        for layer in self.positions:
            found[starts[layer - 1] + np.flatnonzero(~self._active[layer - 1])] = measure(layer)
        return found

    def of(self, theta: Floats, layer: int) -> tuple[Floats, Floats]:
        """What the NCF sees of the dormant neurons of a layer, normalized to ``‖a‖² + ‖b‖² = 1``."""
        incoming, outgoing = (theta[positions] for positions in self.positions[layer])
        norm = np.sqrt((incoming**2).sum(axis=1) + (outgoing**2).sum(axis=1))
        norm = np.maximum(norm, _TINY)[:, None]
        return incoming / norm, outgoing / norm

    def agreement(self, theta: Floats, others: Floats) -> Floats:
        """The cosine of each hidden neuron's direction with the one that it has among others; NaN of active ones."""

        def of_layer(layer: int) -> Floats:
            both = zip(self.of(theta, layer), self.of(others, layer), strict=True)
            return np.asarray(sum((one * other).sum(axis=1) for one, other in both))

        return self.by_neuron(of_layer)

    def cosines(self, theta: Floats, destinations: Sequence[Destination]) -> Floats:
        """The cosine of each hidden neuron's direction with each destination; NaN of active ones, and of other layers.

        Near the origin of a deeper network only the neurons of the first and the last hidden layer have directions of
        their own: that of what comes from the inputs, and that of what goes to the outputs.
        """

        def of_layer(layer: int) -> Floats:
            ends = self.of(theta, layer)
            found = [self._cosine(ends, each.seen_from(layer)) for each in destinations]
            return np.reshape(found, (len(destinations), len(ends[0]))).T

        return self.by_neuron(of_layer, len(destinations))

    def _cosine(self, ends: tuple[Floats, Floats], seen: tuple[Floats | None, Floats | None]) -> Floats:
        known = [(own, other) for own, other in zip(ends, seen, strict=True) if other is not None]
        if len(known) == 1:
            known = [(unit(own), unit(other)) for own, other in known]
        return np.sum([own @ other for own, other in known], axis=0) if known else np.full(len(ends[0]), np.nan)

    def joint_cosine(self, theta: Floats, destination: Destination) -> float:
        """How near the weights that flow together are to a KKT point's direction, at most 1.

        Neurons of a layer may share what one neuron does: for p = 1 weights ``W_1 = u_1 b̂ᵀ``, ``W_l = u_l u_{l-1}ᵀ``,
        ``W_L = â u_{L-1}ᵀ`` are a KKT point, too. So this is the cosine to the nearest of these.
        """
        if not self.is_origin:
            return self.path_cosine(theta, destination)
        matrices, leak = self._layout.matrices(theta), self._activation.leak
        powers = np.array([self._activation.power**above for above in reversed(range(len(matrices)))])
        along, parts = unit(destination.incoming), []
        for matrix in matrices[:-1]:
            along = np.maximum(matrix @ along, 0 if leak >= 0 else -np.inf)
            parts.append(float(np.linalg.norm(along)))
            along = unit(along)
        parts.append(float(unit(destination.outgoing) @ matrices[-1] @ along))
        return float(np.sqrt(powers / powers.sum()) @ np.array(parts)) / max(float(np.linalg.norm(theta)), _TINY)

    def path_cosine(self, theta: Floats, point: KKTPoint | Destination) -> float:
        """Between all dormant weights and a path's KKT point."""
        dormant = theta[~self._layout.active_entries(self._active)]
        positions = self._layout.path_positions(self._active, point.layer, point.layer + len(point.inner))
        ends = [np.asarray(each, dtype=np.float64).reshape(-1) for each in (point.incoming, point.outgoing)]
        direction = np.concatenate([ends[0], np.array(point.inner), ends[1]])
        return float(direction @ theta[positions]) / max(float(np.linalg.norm(dormant)), _TINY)

    def best_cosine(self, theta: Floats, destinations: Sequence[Destination], *, together: bool) -> tuple[float, str]:
        """How well the largest neuron, or all that flow ``together``, is aligned with a KKT point; and what that is."""
        if together:
            best = max(self.joint_cosine(theta, each) for each in destinations)
            return best, "the direction of " + ("all weights" if self.is_origin else "the path's weights")
        largest = int(np.where(self.dormant, self._layout.norms(theta), -1.0).argmax())
        layer, index = self._layout.neurons[largest]
        cosine = float(np.nan_to_num(self.cosines(theta, destinations)[largest], nan=-1.0).max())
        return cosine, f"the largest dormant neuron (neuron {index + 1} of layer {layer})"


def unit(vectors: Floats) -> Floats:
    """Divided by their norms, along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)
