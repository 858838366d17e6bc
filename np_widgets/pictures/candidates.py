"""The candidates: the NCF value of each KKT point of the last search, by layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.labels import count

Floats = NDArray[np.float64]

MOST_A_LAYER = 30
_HALF_WIDTH = 0.36


@dataclass(frozen=True)
class Candidates:
    """KKT points side by side: each layer has a place of width one around its number.

    Attributes
    ----------
    x
        Shape ``(c,)``: within its layer's place from left to right by falling value.
    values
        Shape ``(c,)``: the value of the neural correlation function, N.
    layers
        For each point the hidden layer that a neuron would join; 0 for a point at the origin.
    chosen
        The index of the point that the current iteration took, or None.
    layer_ticks
        The layers that have a place, ascending.
    layer_labels
        Their names.
    note
        What is left out or missing, in words; empty if nothing is.
    """

    x: Floats
    values: Floats
    layers: tuple[int, ...]
    chosen: int | None
    layer_ticks: tuple[int, ...]
    layer_labels: tuple[str, ...]
    note: str


def candidates(frame: PursuitFrame) -> Candidates:
    """The candidates of the frame's last search, at most ``MOST_A_LAYER`` of each layer, best first."""
    at_origin = any(candidate.layer == 0 for candidate in frame.candidates) or frame.iteration == 0
    layers = (0,) if at_origin else tuple(range(1, frame.hidden_layers + 1))
    x: list[float] = []
    values: list[float] = []
    owners: list[int] = []
    left_out = 0
    for layer in layers:
        found = sorted((c.value for c in frame.candidates if c.layer == layer), reverse=True)
        left_out += max(len(found) - MOST_A_LAYER, 0)
        found = found[:MOST_A_LAYER]
        x += (layer + _places(len(found))).tolist()
        values += found
        owners += [layer] * len(found)
    notes = [f"not shown: {count(left_out, 'weaker point')}"] if left_out else []
    if owners and (empty := [str(layer) for layer in layers if layer not in owners]):
        notes.append(f"no KKT point in layer {', '.join(empty)}")
    return Candidates(
        x=np.array(x, dtype=np.float64),
        values=np.array(values, dtype=np.float64),
        layers=tuple(owners),
        chosen=_chosen(frame, owners),
        layer_ticks=layers,
        layer_labels=("origin",) if at_origin else tuple(f"layer {layer}" for layer in layers),
        note="; ".join(notes),
    )


def _places(count: int) -> Floats:
    # A few points stay near the middle of their layer's place.
    reach = min(_HALF_WIDTH, 0.05 * max(count - 1, 0))
    return np.linspace(-reach, reach, count) if count > 1 else np.zeros(count)


def _chosen(frame: PursuitFrame, owners: list[int]) -> int | None:
    """The best point of the layer that got a neuron; none while a search is still going on or when it found nothing."""
    unused = frame.finished is not None and frame.finished.kind == "no_point"
    if frame.phase in ("ready", "origin", "searching") or unused or not owners or not frame.added:
        return None
    layer = 0 if frame.iteration <= 1 else frame.added[0][0]
    return owners.index(layer) if layer in owners else None
