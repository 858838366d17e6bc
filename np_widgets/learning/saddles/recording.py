"""The record of a flow: what is measured at one time, and a bounded series of that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from np_widgets.learning.objective import Objective
from np_widgets.learning.saddles.fields import JointFlow
from np_widgets.learning.saddles.frames import Destination, SaddleRecord
from np_widgets.learning.saddles.layout import Flags, Layout
from np_widgets.learning.saddles.saddle import Saddle, unit

Floats = NDArray[np.float64]

_CAPACITY = 400


@dataclass(frozen=True, eq=False)
class Sample:
    """What is measured at one time; see :class:`~np_widgets.learning.saddles.frames.SaddleRecord`."""

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
    """Samples, thinned to a bounded number that is spread evenly over the time.

    Whenever there are too many, half of them go, and from then on half as many are kept. Those marked as lasting stay.

    Attributes
    ----------
    samples
        In the order of time.
    interval
        The least time between two of them.
    """

    samples: tuple[Sample, ...] = ()
    interval: float = 0.0

    def due(self, time: float) -> bool:
        """Whether a sample at ``time`` would be kept."""
        return not self.samples or time - self.samples[-1].time >= self.interval

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
        span = self.samples[-1].time - self.samples[0].time
        interval = max(2 * self.interval, 2 * span / _CAPACITY)
        kept = [self.samples[0]]
        kept += [
            sample
            for before, sample in zip(self._every_other(interval), self.samples[1:], strict=True)
            if sample.lasting or before or sample is self.samples[-1]
        ]
        return Series(tuple(kept), interval)

    def _every_other(self, interval: float) -> list[bool]:
        """For each sample but the first whether so much time has passed since the last one that is kept."""
        due, last = [], self.samples[0].time
        for sample in self.samples[1:]:
            due.append(sample.time - last >= interval)
            if due[-1]:
                last = sample.time
        return due


class Recorder:
    """Measures a whole network on its way.

    Parameters
    ----------
    layout
        Of the whole network.
    objective
        Its training loss.
    start
        The weights at the very start.
    active
        Which hidden neurons were active there.
    """

    def __init__(self, layout: Layout, objective: Objective, start: Floats, active: Sequence[Flags]) -> None:
        self._layout, self._objective = layout, objective
        self.entries = layout.active_entries(active)
        flags = np.concatenate(list(active))
        self._dormant = ~flags
        self.neurons = tuple(neuron for neuron, on in zip(layout.neurons, flags, strict=True) if not on)
        self._start, self._decay = start, objective.weight_decay
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
        incoming, outgoing = self._layout.squares(theta)
        conserved, size = self._layout.conserved(theta)
        values, residuals = self._neuron_measures(theta, saddle)
        flow = saddle.flow
        return Sample(
            time=time,
            theta=theta,
            loss=loss,
            gradient_norm=float(gradient.norm()),
            dormant_norm=float(np.linalg.norm(theta[~self.entries])),
            active_norm=float(np.linalg.norm(theta[self.entries])),
            active_shift=float(np.linalg.norm((theta - self._start)[self.entries])),
            departure=conserved - math.exp(-2 * self._decay * time) * self._conserved,
            size=size,
            neuron_norm=np.sqrt(incoming + outgoing)[self._dormant],
            neuron_value=values,
            neuron_residual=residuals,
            neuron_cosine=self._cosines(theta, saddle, destinations, going_to),
            neuron_agreement=self._agreement(theta, predicted, saddle),
            correlation=flow.value(unit(theta[flow.positions])) if isinstance(flow, JointFlow) else np.nan,
            lasting=lasting,
        )

    def record(self, samples: Sequence[Sample]) -> SaddleRecord:
        """The samples as arrays over time."""

        def series(name: str) -> Floats:
            return np.array([getattr(sample, name) for sample in samples], dtype=np.float64)

        def table(name: str) -> Floats:
            rows = [getattr(sample, name) for sample in samples]
            return np.array(rows, dtype=np.float64).reshape(len(samples), len(self.neurons))

        return SaddleRecord(
            time=series("time"),
            loss=series("loss"),
            gradient_norm=series("gradient_norm"),
            dormant_norm=series("dormant_norm"),
            active_norm=series("active_norm"),
            active_shift=series("active_shift"),
            drift=drift(samples),
            neurons=self.neurons,
            neuron_norm=table("neuron_norm"),
            neuron_value=table("neuron_value"),
            neuron_residual=table("neuron_residual"),
            neuron_cosine=table("neuron_cosine"),
            neuron_agreement=table("neuron_agreement"),
            correlation=series("correlation"),
        )

    def _neuron_measures(self, theta: Floats, saddle: Saddle) -> tuple[Floats, Floats]:
        """The NCF value and the KKT residual of each initially dormant neuron's direction; NaN where it is active."""
        values = dict.fromkeys(self.neurons, np.nan)
        residuals = dict(values)
        for layer, field in saddle.fields.items():
            indices = np.flatnonzero(~saddle.place.active[layer - 1])
            if len(indices):
                incoming, outgoing = saddle.directions(theta, layer)
                value = field.value(incoming, outgoing)
                residual = field.residual(incoming, outgoing)
                for place, index in enumerate(indices):
                    values[layer, int(index)] = value[place]
                    residuals[layer, int(index)] = residual[place]
        return np.array([values[neuron] for neuron in self.neurons]), np.array(
            [residuals[neuron] for neuron in self.neurons]
        )

    def _cosines(
        self, theta: Floats, saddle: Saddle, destinations: Sequence[Destination], going_to: Sequence[int]
    ) -> Floats:
        if not destinations or not going_to:
            return np.full(len(self.neurons), np.nan)
        found = saddle.cosines(theta, destinations)
        return np.array(
            [
                found[neuron][index] if index >= 0 and neuron in found else np.nan
                for neuron, index in zip(self.neurons, going_to, strict=True)
            ]
        )

    def _agreement(self, theta: Floats, predicted: Floats | None, saddle: Saddle) -> Floats:
        found: dict[tuple[int, int], float] = {}
        if predicted is not None:
            for layer, flags in enumerate(saddle.place.active, start=1):
                (b, a), (own_b, own_a) = saddle.directions(predicted, layer), saddle.directions(theta, layer)
                cosines = (b * own_b).sum(axis=1) + (a * own_a).sum(axis=1)
                found |= {(layer, int(j)): float(c) for j, c in zip(np.flatnonzero(~flags), cosines, strict=True)}
        return np.array([found.get(neuron, np.nan) for neuron in self.neurons])


def drift(samples: Sequence[Sample]) -> Floats:
    """How far any neuron is from what a flow conserves, relative to the largest size that it has had at any time."""
    largest = np.array([sample.size for sample in samples]).max(axis=0)
    departures = np.abs([sample.departure for sample in samples]) / np.maximum(largest, np.finfo(float).tiny)
    return np.asarray(departures.max(axis=1))
