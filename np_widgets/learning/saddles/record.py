"""What was measured along a saddle flow, as arrays over time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.one_line import one_line

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SaddleRecord:
    """Arrays over time, of T points that are spread evenly over the time computed, and J initially dormant neurons.

    Attributes
    ----------
    time
        ``(T,)``; gradient descent with step h has made ``time / h`` steps.
    loss, gradient_norm
        The training loss, and the norm of its gradient (at a kink of the one-sided one), ``(T,)``; price included.
    dormant_norm, active_norm
        ``‖w_z‖``, of all weights into and out of the neurons that were dormant at the start, and ``‖w_n‖``, of all
        others, ``(T,)``.
    active_shift
        ``‖w_n − w̄_n‖``, how far these are from where they started, ``(T,)``.
    drift
        How much ``p‖out_j‖² − ‖in_j‖²`` has changed since the start but for the price, relative to the largest
        ``p‖out_j‖² + ‖in_j‖²`` that the neuron has had at any of these times; of all hidden neurons the largest,
        ``(T,)``. The exact flow changes nothing, so this is the integrator's error.
    neurons
        ``(layer, index)`` of the J neurons.
    neuron_norm
        The norm of each one's incoming and outgoing weights together, ``(T, J)``.
    neuron_value, neuron_residual
        The NCF of its unit direction, at the saddle left last, and ``‖∇N − (p+1)·N·(a, b)‖ / N`` there, with kinks the
        smallest over the slopes, ``(T, J)``. NaN near the origin with more than one hidden layer, where the NCF is one
        of all neurons together; the latter also where N is not positive.
    neuron_cosine
        The cosine between its direction and the KKT point that it is going to, ``(T, J)``; NaN without one.
    neuron_agreement
        The cosine between its direction and the one that the flow of the NCF alone gives it at the same time,
        ``(T, J)``; NaN where it is active, and after the escape that theory predicts.
    correlation
        The NCF of all weights near the origin, ``w/‖w‖``, or of those of a path, ``(T,)``; else NaN.
    """

    time: Floats
    loss: Floats
    gradient_norm: Floats
    dormant_norm: Floats
    active_norm: Floats
    active_shift: Floats
    drift: Floats
    neurons: tuple[tuple[int, int], ...]
    neuron_norm: Floats
    neuron_value: Floats
    neuron_residual: Floats
    neuron_cosine: Floats
    neuron_agreement: Floats
    correlation: Floats

    __repr__ = one_line

    def to_frame(self) -> Any:
        """A pandas DataFrame: a row for each time; of the neurons a column each, such as ``neuron_norm_1_0``."""
        columns: dict[str, Floats] = {}
        for each in fields(self):
            values = getattr(self, each.name)
            if each.name != "neurons" and values.ndim == 1:
                columns[each.name] = values
            elif each.name != "neurons":
                names = [f"{each.name}_{layer}_{index}" for layer, index in self.neurons]
                columns |= dict(zip(names, values.T, strict=True))
        return import_module("pandas").DataFrame(columns)
