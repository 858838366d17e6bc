"""Who is who: each neuron with its name, its key, its color, the same in every picture, and when it came."""

from __future__ import annotations

from dataclasses import dataclass

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.looks import neuron_color
from np_widgets.pictures.scene import Key


@dataclass(frozen=True)
class Neuron:
    """A neuron of the current network.

    ``place`` is its row of ``W_layer``, from 0; ``number`` counts all neurons that its layer ever got, so it stays the
    same color when others are removed; ``network`` is the one of the growth that it came with, from 1, or 0 if unknown.
    """

    layer: int
    place: int
    number: int
    network: int
    layers: int

    @property
    def name(self) -> str:
        return f"neuron {self.place + 1} of layer {self.layer}"

    @property
    def key(self) -> Key:
        return ("neuron", self.layer, self.place)

    @property
    def color(self) -> str:
        """The first neurons of all layers have different ones; then they repeat, and the number tells them apart."""
        return neuron_color(self.number * self.layers + self.layer - 1)


def neurons(frame: PursuitFrame) -> tuple[tuple[Neuron, ...], ...]:
    """The neurons of each hidden layer of the frame's network, as its growth tells."""
    layers = len(frame.widths)
    known = _grown(frame)
    if [len(each) for each in known] != list(frame.widths):
        known = [[(place, 0) for place in range(width)] for width in frame.widths]
    return tuple(
        tuple(Neuron(layer, place, *each, layers) for place, each in enumerate(own))
        for layer, own in enumerate(known, start=1)
    )


def joined_with(frame: PursuitFrame, network: int) -> tuple[Key, ...]:
    """The neurons that came with a network of the growth, from 1, as long as they are there."""
    return tuple(each.key for layer in neurons(frame) for each in layer if each.network == network)


def _grown(frame: PursuitFrame) -> list[list[tuple[int, int]]]:
    """``(number, network)`` of all neurons, from what was added and removed."""
    layers = len(frame.widths)
    present: list[list[tuple[int, int]]] = [[] for _ in range(layers)]
    ever = [0] * layers

    def join(layer: int, network: int, count: int = 1) -> None:
        for _ in range(count):
            present[layer - 1].append((ever[layer - 1], network))
            ever[layer - 1] += 1

    for network, record in enumerate(frame.growth[: frame.iteration], start=1):
        if len(record.widths) != layers:
            return []
        for layer, width in enumerate(record.widths, start=1):
            gone = {place for own, place in record.removed if own == layer}
            if network == 1:
                join(layer, network, width + len(gone))
            elif layer in record.layers:
                join(layer, network)
            present[layer - 1] = [each for place, each in enumerate(present[layer - 1]) if place not in gone]
    if frame.iteration > len(frame.growth):
        if not frame.growth:
            for layer, width in enumerate(frame.widths, start=1):
                join(layer, 1, width)
        for layer, _ in frame.added if frame.growth else ():
            join(layer, frame.iteration)
    return present
