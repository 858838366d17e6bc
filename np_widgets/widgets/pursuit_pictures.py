"""What a PursuitWidget shows of a frame, picture by picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.pictures.architecture import architecture
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.choice import choice
from np_widgets.pictures.function import function
from np_widgets.pictures.loss import loss
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Scene
from np_widgets.pictures.selection import named, with_share
from np_widgets.pictures.trial import as_if
from np_widgets.pictures.weights import weights
from np_widgets.problems import Problem
from np_widgets.widgets.chooser import weight_matrices
from np_widgets.widgets.render import Choice, Picture
from np_widgets.widgets.selection import PursuitView


def pursuit_pictures(problem: Problem) -> Mapping[str, Picture]:
    """The pictures of a pursuit of this problem, each with how to read it."""
    points = probe(problem)
    outputs = [(name, output) for output, name in enumerate(points.choices)]

    def tried(view: PursuitView) -> PursuitFrame:
        return as_if(view.frame, points, view.selected, view.draft)

    return {
        "architecture": Picture(
            lambda view, _: _named(architecture(frame := tried(view), points), frame, view),
            "Lines are weights, from the inputs on the left to the output: blue positive, orange with a dot "
            "negative, the broader the larger. What this iteration added is dashed, its neuron ringed.",
            height="260px",
        ),
        "weights": Picture(
            lambda view, layer: _named(weights(frame := tried(view), layer or 1, points), frame, view),
            "One row a neuron, one column for each input or neuron below. Blue is positive, orange with a minus "
            "negative; a dashed frame marks the new neuron.",
            choice=Choice(
                "Weights of", "Which weight matrix to show", lambda view: weight_matrices(len(view.frame.weights))
            ),
        ),
        "function": Picture(
            lambda view, output: with_share(
                function(view.frame, points, output), view.frame, points, view.selected, output
            ),
            "What the network computes beside what it should. Where both agree, one lies upon the other.",
            choice=Choice("Output", "Which output to show", lambda _: outputs, "200px"),
        ),
        "loss": Picture(
            lambda view, _: loss(view.frame),
            "A stair for each network, of the same width however many steps it took; the level it came to is "
            "written under it. A triangle marks where a neuron joined the layer of that number.",
            wide=True,
            height="210px",
        ),
        "candidates": Picture(
            lambda view, _: candidates(view.frame),
            "Each stem is a direction that the search found for a new neuron, as high as its NCF value. Squares "
            "belong to the axis on the right: the loss after a short training. The lowest is taken.",
            wide=True,
            height="210px",
            of=lambda view: _of_candidates(view.frame),
        ),
        "choice": Picture(
            lambda view, _: choice(view.frame, points, view.selected, view.draft),
            "Why this candidate: the error that comes back from each sample beside what the new neuron would "
            "answer. Where both agree in sign a sample speaks for it; the mean of the products is its NCF value.",
            of=lambda view: (*_of_candidates(view.frame), len(view.frame.growth), *_of_trial(view)),
            movable=True,
        ),
    }


def _named(scene: Scene, tried: PursuitFrame, view: PursuitView) -> Scene:
    """A picture that says so if it shows what is not there yet."""
    if tried is view.frame or view.selected is None:
        return scene
    return replace(scene, title=f"{scene.title} with {named(view.selected)}")


def _of_trial(view: PursuitView) -> tuple[Any, ...]:
    """The same of what is selected; what came of it, and a neuron of one's own, change with every step."""
    return view.selected, view.draft, view.draft and view.frame.total_steps


def _of_candidates(frame: PursuitFrame) -> tuple[Any, ...]:
    """As long as this stays the same, so do the pictures of the candidates."""
    return frame.candidates, frame.taken, frame.phase, frame.iteration, frame.hidden_layers, frame.finished
