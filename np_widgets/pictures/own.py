"""A neuron of the user's own, as bars whose heads can be dragged: what comes in, and what goes out."""

from __future__ import annotations

import numpy as np

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.labels import count, number, sentence, shortened
from np_widgets.pictures.probe import Probe, names_of
from np_widgets.pictures.scene import Area, Axis, Curve, Dots, Floats, Scene, boxes, joined
from np_widgets.pictures.trial import Draft, drafted, trial

MOST_BARS = 60
_LIMIT = 1.15
_MOST_NAMES = 30


def own(frame: PursuitFrame, probe: Probe, draft: Draft) -> Scene:
    """The weights of a draft as bars, and its NCF value at the frame's network beside those of the candidates.

    Only directions count: incoming and outgoing weights are drawn so that the largest of each is 1, or as they are if
    that is smaller. The handles have the keys ``("incoming", layer, index)`` and ``("outgoing", layer, index)``.
    """
    title = f"Your own neuron of layer {draft.layer}"
    if not frame.weights:
        return Scene(title, empty="It needs a network to join")
    layer, weights = draft.layer, frame.weights
    sizes = weights[layer - 1].shape[1], weights[layer].shape[0]
    if sum(sizes) > MOST_BARS:
        return Scene(title, empty=f"It has {sum(sizes):,} weights, too many to drag: use session.add_neuron")
    notes, outgoing = [], np.zeros(sizes[1])
    if draft.outgoing is not None:
        outgoing = np.array(draft.outgoing)
    try:
        candidate = drafted(frame, probe, draft)
    except ValueError as error:
        notes.append(sentence(str(error)))
    else:
        notes.append(f"N = {number(candidate.value)}{_beside(frame)}; {trial(frame, probe, candidate).says}")
        if draft.outgoing is None:
            outgoing = candidate.factors[-1][:, 0]
    values = np.concatenate([_fitting(np.array(draft.incoming)), _fitting(outgoing)])
    x = np.concatenate([np.arange(sizes[0]), sizes[0] + 1 + np.arange(sizes[1])]).astype(float)
    if draft.outgoing is None:
        notes.append("The outgoing weights follow from the incoming ones, until you drag one")
    names = names_of(weights, frame.classes, probe)
    below = list(names.inputs) if layer == 1 else [f"neuron {index + 1}" for index in range(sizes[0])]
    last = layer == len(weights) - 1
    above = list(names.outputs) if last else [f"neuron {index + 1}" for index in range(sizes[1])]
    labels = [*below, *above]
    keys = [("incoming", layer, index) for index in range(sizes[0])]
    keys += [("outgoing", layer, index) for index in range(sizes[1])]
    heights = zip(keys, labels, values.tolist(), strict=True)
    reads = [f"{key[0]} weight of {name}: {number(value)}" for key, name, value in heights]
    ways = Area("bar", *boxes(x - 0.3, x + 0.3, np.minimum(values, 0), np.maximum(values, 0)), "weight, to be dragged")
    middle = float(sizes[0])
    return Scene(
        title,
        (
            ways,
            Dots("handle", x, values, reads=tuple(reads), keys=tuple((key,) for key in keys), moves="up"),
            Curve("grid", *joined([([x[0] - 0.6, x[-1] + 0.6], [0, 0]), ([middle, middle], [-_LIMIT, _LIMIT])])),
        ),
        Axis(
            f"{'input' if layer == 1 else f'neuron of layer {layer - 1}'}   |   "
            f"{('class' if frame.classes else 'output') if last else f'neuron of layer {layer + 1}'}",
            x[0] - 0.8,
            x[-1] + 0.8,
            ticks=tuple(_ticks(x, [shortened(name.removeprefix("neuron ")) for name in labels])),
        ),
        Axis("weight", -_LIMIT, _LIMIT),
        notes=tuple(notes),
        says=f"{count(sizes[0], 'incoming weight')} and {sizes[1]:,} outgoing, the largest of "
        f"{labels[int(np.abs(values).argmax())]}",
    )


def _fitting(values: Floats) -> Floats:
    return np.asarray(values / max(float(np.abs(values).max(initial=0.0)), 1.0)) if values.size else values


def _beside(frame: PursuitFrame) -> str:
    """The best that is known at the same network."""
    if frame.phase != "searching" or not frame.candidates:
        return ""
    return f", the best found so far has {number(max(each.value for each in frame.candidates))}"


def _ticks(x: Floats, names: list[str]) -> list[tuple[float, str]]:
    step = -(-len(names) // _MOST_NAMES)
    return [(float(x[index]), names[index]) for index in range(0, len(names), step)]
