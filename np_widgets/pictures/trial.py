"""A neuron on trial: what a candidate, or a neuron of the user's own, would make of the network that it would join."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.chosen import network_of, own_neuron, point_of
from np_widgets.learning.pursuit.growth import GrowthRecord, PursuitFrame
from np_widgets.learning.pursuit.ray import losses_of_path, lowest_on_ray
from np_widgets.pictures.labels import number
from np_widgets.pictures.probe import Probe
from np_widgets.pictures.scene import Key

_SMALL = 1e-2
# Where the loss is lower nowhere along the ray, a neuron is drawn so large.
_LEADING_NOWHERE = 0.1


class Draft(NamedTuple):
    """A neuron of the user's own that is being made; without outgoing weights it gets those that are best."""

    layer: int
    incoming: tuple[float, ...]
    outgoing: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Trial:
    """A candidate at the network that it would join, which has a ``loss``, and where along its ray that is lowest."""

    candidate: Candidate
    network: HomogeneousNetwork
    point: KKTPoint
    loss: float
    lowest: tuple[float, float] | None

    @property
    def says(self) -> str:
        """What theory expects of it."""
        if self.lowest is None:
            return f"along its ray the loss is nowhere below {number(self.loss)}"
        before, after = number(self.loss), number(self.lowest[1])
        if before == after:
            return f"along its ray the loss falls from {before} by {number(self.loss - self.lowest[1])}"
        return f"along its ray the loss falls from {before} to {after}"


def drafted(frame: PursuitFrame, probe: Probe, draft: Draft) -> Candidate:
    """A user's neuron as a candidate for the frame's network; a ValueError if it can be none."""
    network = frame.network
    assert network is not None
    with torch.no_grad():
        unseen = frame.method != "paper"
        point = own_neuron(network, probe.seen, *draft, unseen=unseen).at(network, probe.seen, unseen=unseen)
    factors = tuple(weight.numpy() for weight in point.weights)
    found = Candidate(draft.layer, point.value, point.residual, unseen=point.unseen, own=True)
    return replace(found, factors=factors, network=frame.weights)


def chosen(frame: PursuitFrame, probe: Probe, selected: Key | None, draft: Draft | None = None) -> Candidate | None:
    """The candidate that is selected, which may be the user's own neuron, if its weights are known."""
    if selected is not None and selected[0] == "candidate":
        candidate = frame.candidates[int(selected[1])]
        return candidate if candidate.factors else None
    if selected is None or selected[0] != "own" or draft is None or not frame.weights:
        return None
    try:
        return drafted(frame, probe, draft)
    except ValueError:  # no weights to speak of
        return None


def trial(frame: PursuitFrame, probe: Probe, candidate: Candidate) -> Trial:
    """The candidate at the network that was searched, on the samples of the probe."""
    problem = probe.seen
    network = network_of(candidate, problem, frame.power, frame.leak)
    if network is None:
        network = HomogeneousNetwork.empty(problem, frame.hidden_layers, Activation(frame.power, frame.leak))
    point = point_of(candidate, problem, frame.power)
    with torch.no_grad():
        forward = network.forward(problem.inputs)
        losses = losses_of_path(network, forward, point, problem)
        return Trial(candidate, network, point, float(losses(np.zeros(1))[0]), lowest_on_ray(losses, _SMALL))


def as_if(frame: PursuitFrame, probe: Probe, selected: Key | None, draft: Draft | None = None) -> PursuitFrame:
    """The frame as it would be if the selected candidate had just been added; as it is if that is so, or nothing is."""
    if selected == ("candidate", frame.taken) or (candidate := chosen(frame, probe, selected, draft)) is None:
        return frame
    found = trial(frame, probe, candidate)
    scale = _LEADING_NOWHERE if found.lowest is None else found.lowest[0]
    point = found.point
    grown = found.network.with_path(
        point.layer, scale * point.incoming, [scale * weight for weight in point.inner], scale * point.outgoing
    )
    added = tuple((layer, grown.widths[layer - 1] - 1) for layer in range(point.layer, point.last + 1))
    growth = frame.growth if candidate.own else frame.growth[: _searched(frame)]
    return replace(
        frame,
        weights=tuple(weight.numpy() for weight in grown.weights),
        added=added,
        growth=growth,
        iteration=len(growth) + 1,
        taken=None,
    )


def trained(record: GrowthRecord) -> str:
    """What came of the candidate that a network was grown by."""
    return f"training brought it to {number(record.loss)}"


def outcome(frame: PursuitFrame, index: int) -> str:
    """What came of a candidate of the frame, as far as it was tried; empty if it was not."""
    candidate = frame.candidates[index]
    if frame.taken != index:
        if candidate.loss is None:
            return ""
        under_way = frame.taken is None and frame.phase == "minimizing"
        return f"the look-ahead {'has' if under_way else 'left'} it at {number(candidate.loss)}"
    if len(frame.growth) > _searched(frame):
        return trained(frame.growth[_searched(frame)])
    return "" if frame.loss is None else f"training has it at {number(frame.loss)} by now"


def _searched(frame: PursuitFrame) -> int:
    """How many networks there were when the candidates were searched."""
    trained = frame.iteration <= len(frame.growth)
    under_way = frame.phase in ("searching", "origin") or (frame.taken is None and trained)
    return len(frame.growth) if under_way else max(frame.iteration - 1, 0)
