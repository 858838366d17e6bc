"""The choice: the error signal of each sample beside what a candidate would answer, whose product the NCF averages."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.correlation.points import one_sided_terms, response
from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.candidates import why_none
from np_widgets.pictures.labels import count, number, sentence, span
from np_widgets.pictures.looks import SIGNS
from np_widgets.pictures.neurons import neurons
from np_widgets.pictures.own import own
from np_widgets.pictures.probe import Probe
from np_widgets.pictures.scene import Axis, Cells, Curve, Dots, Floats, Key, Mark, Scene, Shades, joined
from np_widgets.pictures.ticks import round_limits
from np_widgets.pictures.trial import Draft, outcome, trained, trial

MOST_DRAWN = 400
"""Samples that are drawn; the numbers are of all that are looked at."""
_ROUGHLY = 0.02
_SIGNAL, _ANSWER = "error signal aᵀs", "what it would answer, σ(bᵀh)"


@dataclass(frozen=True)
class _Looked:
    """What a candidate would do: at each sample, with the signal there, and at each point of a probe."""

    candidate: Candidate
    name: str
    signals: Floats
    answers: Floats
    at_points: Floats
    says: str

    @property
    def products(self) -> Floats:
        return self.signals * self.answers


def choice(frame: PursuitFrame, probe: Probe, selected: Key | None = None, draft: Draft | None = None) -> Scene:
    """Why this candidate: ``("candidate", index)``, or the one that ``("neuron", layer, index)`` came from.

    By default the one taken, or while none is, the first. Each sample has two numbers, the error signal ``aᵀs`` that
    comes back to the place of the new neuron, and ``σ(bᵀh)``, what the neuron would answer: the neural correlation
    function is the mean of their products. Of problems with one or two varying inputs both are drawn over these. Of a
    ``draft`` the weights are shown.
    """
    if draft is not None:
        return own(frame, probe, draft)
    found = _found(frame, selected)
    if found is None:
        return Scene("Choice", empty=_nothing(frame, selected))
    name, candidate, result = found
    if not candidate.factors:
        return Scene("Choice", empty=f"The weights of {name} were not kept: there were too many candidates")
    looked = _looked(frame, probe, candidate, name)
    looked = replace(looked, says=", ".join(filter(None, (looked.says, result))))
    if probe.kind == "curve":
        return _over_one(looked, probe)
    return _over_two(looked, probe) if probe.kind == "regions" else _against(looked)


def _found(frame: PursuitFrame, selected: Key | None) -> tuple[str, Candidate, str] | None:
    """What to call a candidate, the candidate, and what came of it."""
    if selected is not None and selected[0] == "neuron":
        found = [each for layer in neurons(frame) for each in layer if each.key == selected]
        if not found or not found[0].network:
            return None
        record = None if found[0].network > len(frame.growth) else frame.growth[found[0].network - 1]
        taken, all_of_it = (frame.taken, frame.candidates) if record is None else (record.taken, record.candidates)
        if taken is None or not all_of_it:
            return None
        return found[0].name, all_of_it[taken], outcome(frame, taken) if record is None else trained(record)
    if not frame.candidates:
        return None
    index = frame.taken or 0 if selected is None else arguments.whole("selected", selected[1], 0)
    if index >= len(frame.candidates):
        return None
    place = "the candidate taken" if index == frame.taken else f"candidate {index + 1}"
    return place, frame.candidates[index], outcome(frame, index)


def _nothing(frame: PursuitFrame, selected: Key | None) -> str:
    if selected is not None and selected[0] == "neuron":
        return "This neuron came from no search: it was there at the beginning"
    return why_none(frame)


def _looked(frame: PursuitFrame, probe: Probe, candidate: Candidate, name: str) -> _Looked:
    """Evaluate a candidate at the network that was searched."""
    found, problem = trial(frame, probe, candidate), probe.seen
    network, point = found.network, found.point
    with torch.no_grad():
        passed = network.forward(problem.inputs)
        residual = problem.criterion.residual(passed.output, problem.goals)
        answers = response(network, passed, point.layer, point.incoming, point.inner)
        signals = network.signals(passed, residual)[point.last] @ point.outgoing
        if candidate.unseen:
            # At kinks above, the signal depends on where the neuron pushes: it is what is left beside its answer.
            terms = one_sided_terms(network, passed, residual, point.layer, point.incoming, point.inner, point.outgoing)
            signals = torch.where(answers == 0, signals, terms / torch.where(answers == 0, 1.0, answers))
        at_points = response(network, network.forward(probe.points), point.layer, point.incoming, point.inner)
    return _Looked(candidate, name, _array(signals), _array(answers), _array(at_points), found.says)


def _array(values: Tensor) -> Floats:
    return np.asarray(values.numpy(), dtype=np.float64)


def _against(looked: _Looked) -> Scene:
    x, y = looked.answers, looked.signals
    ends, heights = (round_limits(min(float(each.min()), 0.0), max(float(each.max()), 0.0)) for each in (x, y))
    zero = Curve("grid", *joined([([0.0, 0.0], heights), (ends, [0.0, 0.0])]))
    return _scene(looked, [zero, *_samples(looked, x, y)], Axis(_ANSWER, *ends), Axis(_SIGNAL, *heights))


def _over_one(looked: _Looked, probe: Probe) -> Scene:
    x = probe.axes[0]
    signals, answers = (_around_zero(each) for each in (looked.signals, looked.at_points))
    marks: list[Mark] = [
        Curve("grid", [x[0], x[-1]], [0.0, 0.0]),
        Curve("answer", x, looked.at_points, "what it would answer", True),
        *_samples(looked, probe.places[:, 0], looked.signals),
    ]
    across = Axis(probe.axis_labels[0], float(x[0]), float(x[-1]))
    return _scene(looked, marks, across, Axis(_SIGNAL, *signals), Axis(_ANSWER, *answers))


def _over_two(looked: _Looked, probe: Probe) -> Scene:
    x, y = probe.axes
    low, high = _around_zero(looked.at_points)
    shades = Shades(SIGNS, low, high, "what it would answer", (number(low), number(high)))
    values = looked.at_points.reshape(len(y), len(x))
    marks: list[Mark] = [
        Cells("cells", x, y, values=values, shades=shades, smooth=True),
        *_samples(looked, probe.places[:, 0], probe.places[:, 1]),
    ]
    axes = (Axis(name, float(side[0]), float(side[-1])) for name, side in zip(probe.axis_labels, (x, y), strict=True))
    return _scene(looked, marks, *axes)


def _around_zero(values: Floats) -> tuple[float, float]:
    """Limits with zero in the middle, so that two axes have it at the same height."""
    most = float(np.abs(values).max(initial=0.0))
    high = round_limits(-most, most)[1]
    return -high, high


def _samples(looked: _Looked, x: Floats, y: Floats) -> list[Mark]:
    """The samples that speak for a candidate, against it, and those to which it is silent."""
    products, marks = looked.products, list[Mark]()
    drawn = np.zeros(len(products), dtype=bool)
    drawn[np.linspace(0, len(products) - 1, min(len(products), MOST_DRAWN)).round().astype(int)] = True
    kinds = (
        ("silent", "without effect", products == 0),
        ("opposing", "against it", products < 0),
        ("agreeing", "for it", products > 0),
    )
    for role, what, chosen in kinds:
        some = np.flatnonzero(chosen & drawn)
        reads = tuple(
            f"sample {index + 1}: signal {number(looked.signals[index])} × answer {number(looked.answers[index])} = "
            f"{number(products[index])}"
            for index in some.tolist()
        )
        label = f"{count(int(chosen.sum()), 'sample')} {what}"
        if role != "silent":
            label += f": {number(float(products[chosen].sum() / len(products)))}"
        keys = tuple((("sample", index),) for index in some.tolist())
        marks.append(Dots(role, x[some], y[some], label, reads=reads, keys=keys))
    return marks


def _scene(looked: _Looked, marks: list[Mark], x: Axis, y: Axis, right: Axis | None = None) -> Scene:
    value, searched, samples = float(looked.products.mean()), looked.candidate.value, len(looked.products)
    notes = [f"N = {number(value)}, the mean of signal × answer over {count(samples, 'sample')}", sentence(looked.says)]
    if abs(value - searched) > _ROUGHLY * abs(searched):
        notes.append(f"The search, on other samples, found {number(searched)}")
    if samples > MOST_DRAWN:
        notes.append(f"{MOST_DRAWN} of the samples are drawn")
    layer, last = looked.candidate.layer, looked.candidate.last
    where = f"layer{'s' * (layer < last)} {span(layer, last)}" if layer else "the origin"
    return Scene(
        f"Choice: {looked.name}",
        tuple(marks),
        x,
        y,
        right,
        notes=tuple(notes),
        says=f"Error signals of the samples beside what the new {'neurons' if layer < last or not layer else 'neuron'} "
        f"of {where} would answer",
    )
