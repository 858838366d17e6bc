"""The record of a flow: what is measured at one time, and a bounded series of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.directions import unit
from np_widgets.learning.saddles.fields import JointFlow
from np_widgets.learning.saddles.frames import Destination
from np_widgets.learning.saddles.integration import Piece
from np_widgets.learning.saddles.layout import Flags, Layout
from np_widgets.learning.saddles.record import SaddleRecord
from np_widgets.learning.saddles.saddle import Saddle

Floats = NDArray[np.float64]

_CAPACITY, _MOST_IN_A_STEP = 400, 8


@dataclass(frozen=True, eq=False)
class Sample:
    """What is measured at one time; see :class:`~np_widgets.learning.saddles.record.SaddleRecord`."""

    time: float
    theta: Floats
    loss: float
    gradient_norm: float
    dormant_norm: float
    active_norm: float
    active_shift: float
    departure: Floats  # of what every hidden neuron conserves, from the start
    size: Floats  # p‖out‖² + ‖in‖² of every hidden neuron
    neuron_norm: Floats
    neuron_value: Floats
    neuron_residual: Floats
    neuron_cosine: Floats
    neuron_agreement: Floats
    correlation: float
    lasting: bool = False


@dataclass(frozen=True, eq=False)
class Series:
    """Samples in the order of time, thinned to a bounded number that is spread evenly over it, and the time between.

    Whenever there are too many, half of them go, and from then on half as many are kept. Those marked as lasting stay.
    """

    samples: tuple[Sample, ...] = ()
    interval: float = 0.0

    def due(self, time: float) -> bool:
        """Whether a sample at ``time`` would be kept."""
        return not self.samples or time - self.samples[-1].time >= self.interval

    def times_in(self, piece: Piece) -> Floats:
        """When samples are due inside a long step."""
        if piece.between is None or not self.samples or self.interval <= 0:
            return np.zeros(0)
        last = self.samples[-1].time
        count = min(int((piece.end.time - last) / self.interval), _MOST_IN_A_STEP)
        times = np.linspace(last, piece.end.time, count + 1)[1:-1] if count > 1 else np.zeros(0)
        return np.asarray(times[times > piece.start.time])

    def with_sample(self, sample: Sample) -> Series:
        """With one more, the newest; the newest before it goes if it was taken at the same time."""
        samples = self.samples
        if samples and samples[-1].time == sample.time:
            sample = replace(sample, lasting=sample.lasting or samples[-1].lasting)
            samples = samples[:-1]
        longer = Series((*samples, sample), self.interval)
        return longer._thinned() if len(longer.samples) > _CAPACITY else longer

    def until(self, time: float) -> Series:
        """Those up to a time."""
        return replace(self, samples=tuple(sample for sample in self.samples if sample.time <= time))

    def _thinned(self) -> Series:
        first, *others = self.samples
        interval = max(2 * self.interval, 2 * (others[-1].time - first.time) / _CAPACITY)
        kept, due = [first], first.time + interval
        for sample in others:
            if sample.time >= due:
                due = sample.time + interval
            elif not (sample.lasting or sample is others[-1]):
                continue
            kept.append(sample)
        return Series(tuple(kept), interval)


class Recorder:
    """Measures a whole network on its way from its weights at the very start, where these neurons were active."""

    def __init__(self, layout: Layout, objective: Objective, start: Floats, active: Sequence[Flags]) -> None:
        self._layout, self._objective, self._start = layout, objective, start
        self.entries = layout.active_entries(active)
        self._dormant = ~np.concatenate(list(active))
        self.neurons = tuple(neuron for neuron, dormant in zip(layout.neurons, self._dormant, strict=True) if dormant)
        self._conserved, _ = layout.conserved(start)

    def measure(
        self,
        time: float,
        theta: Floats,
        saddle: Saddle,
        destinations: Sequence[Destination],
        going_to: Sequence[int],
        predicted: Floats | None,
        *,
        lasting: bool = False,
    ) -> Sample:
        """Measure ``theta`` near (or after) ``saddle``.

        ``going_to`` has an index into ``destinations`` or −1 for each initially dormant neuron; ``predicted`` are the
        weights that the flow of the NCF alone has at that time.
        """
        loss, gradient = self._objective.loss_and_gradient(torch.from_numpy(theta).to(self._objective.initial))
        conserved, size = self._layout.conserved(theta)
        decay, dormant, flow, fields = self._objective.weight_decay, self._dormant, saddle.flow, saddle.fields
        directions = saddle.directions
        own = {layer: directions.of(theta, layer) for layer in fields}
        unknown = np.full(len(dormant), np.nan)
        # The NCF's value and the KKT residual of each direction, and its cosine with the one that theory gives it.
        values = directions.by_neuron(lambda layer: fields[layer].value(*own[layer])) if fields else unknown
        residuals = directions.by_neuron(lambda layer: fields[layer].residual(*own[layer])) if fields else unknown
        agreement = unknown if predicted is None else directions.agreement(theta, predicted)
        cosine = np.full(len(self.neurons), np.nan)
        if destinations and going_to:
            found = directions.cosines(theta, destinations)[dormant]
            cosine = np.where(np.array(going_to) >= 0, found[np.arange(len(found)), going_to], np.nan)
        return Sample(
            time=time,
            theta=theta,
            loss=loss,
            gradient_norm=float(gradient.norm()),
            dormant_norm=float(np.linalg.norm(theta[~self.entries])),
            active_norm=float(np.linalg.norm(theta[self.entries])),
            active_shift=float(np.linalg.norm((theta - self._start)[self.entries])),
            departure=conserved - math.exp(-2 * decay * time) * self._conserved,
            size=size,
            neuron_norm=self._layout.norms(theta)[dormant],
            neuron_value=values[dormant],
            neuron_residual=residuals[dormant],
            neuron_cosine=cosine,
            neuron_agreement=agreement[dormant],
            correlation=flow.value(unit(theta[flow.positions])) if isinstance(flow, JointFlow) else np.nan,
            lasting=lasting,
        )

    def record(self, samples: Sequence[Sample]) -> SaddleRecord:
        """The samples as arrays over time."""
        names = {field.name for field in fields(SaddleRecord)} & {field.name for field in fields(Sample)}
        columns: dict[str, Any] = {
            name: np.array([getattr(sample, name) for sample in samples], dtype=np.float64) for name in names
        }
        return SaddleRecord(neurons=self.neurons, drift=drift(samples), **columns)


def drift(samples: Sequence[Sample]) -> Floats:
    """How far any neuron is from what a flow conserves, relative to the largest size that it has had at any time."""
    largest = np.array([sample.size for sample in samples]).max(axis=0)
    departures = np.abs([sample.departure for sample in samples]) / np.maximum(largest, np.finfo(float).tiny)
    return np.asarray(departures.max(axis=1))
