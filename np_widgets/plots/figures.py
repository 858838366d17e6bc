"""From a pursuit, a saddle flow or many pursuits to a figure: the public functions.

Each returns a :class:`matplotlib.figure.Figure` that pyplot knows nothing of: a notebook shows it,
``figure.savefig("name.pdf")`` writes it, and nobody has to close it. Fonts and colors of text and paper are those of
``matplotlib.rcParams``. Of a picture alone, ``ax`` gives the axes to draw on instead of a new figure.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from np_widgets.learning.activation import Activation
from np_widgets.learning.pursuit.ensemble import PursuitEnsemble
from np_widgets.learning.pursuit.growth import PursuitFrame
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures import alignment as _alignment
from np_widgets.pictures import architecture as _architecture
from np_widgets.pictures import candidates as _candidates
from np_widgets.pictures import choice as _choice
from np_widgets.pictures import function as _function
from np_widgets.pictures import ladder as _ladder
from np_widgets.pictures import loss as _loss
from np_widgets.pictures import norms as _norms
from np_widgets.pictures import plane as _plane
from np_widgets.pictures import plateaus as _plateaus
from np_widgets.pictures import weights as _weights
from np_widgets.pictures.labels import Names, number, typeset, widths
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import Scene
from np_widgets.pictures.selection import checked
from np_widgets.plots.page import Size, alone, page
from np_widgets.plots.sources import known_problem, named, probe_of, problem_of, pursuit_frame, saddle_frame
from np_widgets.problems import Problem


def scene(scene: Scene, *, ax: Axes | None = None, size: Size = None) -> Figure:
    """A picture of one's own, or one that a function of :mod:`np_widgets.pictures` has made."""
    if not isinstance(scene, Scene):
        raise TypeError(f"scene must be a Scene, got {named(scene)}")
    return alone(scene, ax, size or (4.8, 3.4))


def architecture(source: Any, *, ax: Axes | None = None, size: Size = None) -> Figure:
    """The network: neurons in columns, signed weights between them, and dashed what the current iteration added."""
    return alone(_architecture.architecture(pursuit_frame(source), probe_of(source)), ax, size or (4.6, 3.6))


def weights(source: Any, layer: int = 1, *, ax: Axes | None = None, size: Size = None) -> Figure:
    """``W_layer`` as a signed heat map; the other matrices but the first are written out if they are small."""
    return alone(_weights.weights(pursuit_frame(source), layer, probe_of(source)), ax, size or (4.8, 3.2))


def function(
    source: Any, problem: Problem | None = None, output: int | None = None, *, ax: Axes | None = None, size: Size = None
) -> Figure:
    """The learned function beside the truth or the data, in the way that suits the problem."""
    frame = pursuit_frame(source)
    scene = _function.function(frame, probe(problem_of(source, frame, problem)), output)
    return alone(scene, ax, size or (4.6, 3.4))


def loss(source: Any, *, ax: Axes | None = None, size: Size = None) -> Figure:
    """The loss as a staircase: one stair a network, its level written under it, on a log scale.

    Of a :class:`~np_widgets.learning.pursuit.ensemble.PursuitEnsemble`, the losses of all its pursuits over the neurons
    added, with median and quartiles.
    """
    scene = _ladder.ladder(source) if isinstance(source, PursuitEnsemble) else _loss.loss(pursuit_frame(source))
    return alone(scene, ax, size or (6.0, 3.2))


def candidates(source: Any, *, ax: Axes | None = None, size: Size = None) -> Figure:
    """The NCF value of each candidate of the last search and where the look-ahead took it, and which was taken."""
    return alone(_candidates.candidates(pursuit_frame(source)), ax, size or (5.2, 3.6))


def choice(
    source: Any, problem: Problem | None = None, selected: Any = None, *, ax: Axes | None = None, size: Size = None
) -> Figure:
    """Why a candidate: the error signal of each sample beside what it would answer, whose product the NCF averages."""
    frame = pursuit_frame(source)
    key = checked(selected, frame)
    scene = _choice.choice(frame, probe(problem_of(source, frame, problem)), key)
    return alone(scene, ax, size or (5.2, 3.6))


def overview(
    source: Any, problem: Problem | None = None, *, layer: int = 1, output: int | None = None, size: Size = None
) -> Figure:
    """All pictures of a pursuit on one page: architecture, weights, function; loss, candidates and the choice."""
    frame = pursuit_frame(source)
    problem = problem_of(source, frame, problem)
    points = probe(problem)
    scenes = [
        [
            _architecture.architecture(frame, points),
            _weights.weights(frame, layer, points),
            _function.function(frame, points, output),
        ],
        [_loss.loss(frame), _candidates.candidates(frame), _choice.choice(frame, points)],
    ]
    return page(_title(frame, problem), scenes, ((1.0, 1.0, 1.0), (1.1, 1.0, 1.0)), (1.2, 1.0), size or (13.0, 7.8))


def norms(source: Any, index: int | None = None, *, ax: Axes | None = None, size: Size = None) -> Figure:
    """The norm of the dormant weights over time on a log scale, beside what the NCF predicts, with the escapes."""
    return alone(_norms.norms(saddle_frame(source), index), ax, size or (6.4, 4.0))


def directions(source: Any, layer: int | None = None, index: int | None = None, *, size: Size = None) -> Figure:
    """How dormant neurons turn towards KKT points: cosines over time, and the directions of one layer in a plane."""
    frame = saddle_frame(source)
    scenes = [[_alignment.alignment(frame, index), _plane.plane(frame, index, layer)]]
    return page("", scenes, ((1.25, 1.0),), (1.0,), size or (9.6, 4.2))


def plateaus(source: Any, index: int | None = None, *, ax: Axes | None = None, size: Size = None) -> Figure:
    """The training loss over time with the plateaus near saddles, the escapes, and what Neuron Pursuit reaches."""
    return alone(_plateaus.plateaus(saddle_frame(source), index), ax, size or (6.4, 3.6))


def saddle_weights(
    source: Any, layer: int = 1, index: int | None = None, *, ax: Axes | None = None, size: Size = None
) -> Figure:
    """``W_layer`` as a signed heat map with the blocks of active and of dormant neurons framed, each on its scale."""
    scene = _weights.saddle_weights(saddle_frame(source), index, layer, _names(source))
    return alone(scene, ax, size or (5.4, 3.6))


def saddle_overview(source: Any, *, layer: int | None = None, index: int | None = None, size: Size = None) -> Figure:
    """All pictures of a saddle flow on one page: norms and loss; cosines, directions and weights."""
    frame = saddle_frame(source)
    around = _plane.plane(frame, index, layer)
    scenes = [
        [_norms.norms(frame, index), _plateaus.plateaus(frame, index)],
        [
            _alignment.alignment(frame, index),
            around,
            _weights.saddle_weights(frame, index, layer or _plane.best_layer(frame, index) or 1, _names(source)),
        ],
    ]
    return page(_saddle_title(frame), scenes, ((1.0, 1.0), (1.05, 1.0, 1.0)), (1.05, 1.0), size or (11.0, 7.4))


def ensemble(ensemble: PursuitEnsemble, *, size: Size = None) -> Figure:
    """Many pursuits: losses over the neurons added, with median and quartiles, and the architectures they end with."""
    if not isinstance(ensemble, PursuitEnsemble):
        raise TypeError(f"ensemble must be a PursuitEnsemble, as pursue_many returns, got {named(ensemble)}")
    scenes = [[_ladder.ladder(ensemble), _ladder.endings(ensemble)]]
    return page("", scenes, ((1.5, 1.0),), (1.0,), size or (9.6, 3.8))


def _names(source: Any) -> Names | None:
    problem = known_problem(source)
    return None if problem is None else Names.of(problem)


def _title(frame: PursuitFrame, problem: Problem) -> str:
    parts = [problem.name, Activation(frame.power, frame.leak).name]
    if frame.weights:
        parts.append(f"hidden widths {widths(frame.widths)}")
    if frame.loss is not None:
        parts.append(f"loss {number(frame.loss)}")
    if frame.test_loss is not None:
        parts.append(f"test loss {number(frame.test_loss)}")
    return f"{' · '.join(parts)}\n{typeset(frame.message)}"


def _saddle_title(frame: SaddleFrame) -> str:
    parts = [
        "origin" if frame.origin else f"saddle with hidden widths {widths(frame.started_active)}",
        f"{widths(frame.dormant)} dormant neurons",
        Activation(frame.power, frame.leak).name,
        f"δ = {number(frame.scale)}",
        f"gradient {frame.dynamics}",
        f"seed {frame.seed}",
    ]
    return f"{' · '.join(parts)}\n{typeset(frame.message)}"


_OF_A_PURSUIT = "A pursuit, a session, a widget or a frame; also a network, or a result of ``pursue_many``."
_OF_A_FLOW = "A saddle flow, a session, a widget or a frame."
_ARGUMENTS = {
    "source": "",
    "scene": "A :class:`~np_widgets.pictures.scene.Scene`: marks, axes and words.",
    "ensemble": "What :func:`~np_widgets.sessions.many.pursue_many` returns.",
    "problem": "What is learned; only needed with a frame or a network.",
    "output": "Which output to show where only one can be, from 0; by default the first, of two classes the second.",
    "layer": "Of the weights 1 … L (L are the output weights), of a plane the hidden layer, by default the best one's.",
    "index": "A point of the record to show: it is marked, and trails end there; by default the newest.",
    "selected": 'Which candidate, ``("candidate", index)``, or that which ``("neuron", layer, index)`` came from.',
    "ax": "The axes to draw on; by default those of a new figure.",
    "size": "Width and height of a new figure, in inches.",
}


def _complete(function: Any, source: str) -> None:
    """Say in the docstring of a public function what its arguments mean: for all of them in one place."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
    lines = [f"{name}\n    {source if name == 'source' else _ARGUMENTS[name]}" for name in names]
    function.__doc__ += "\n\nParameters\n----------\n" + "\n".join(lines) + (
        "\n\nRaises\n------\nTypeError, ValueError\n    If an argument is of the wrong kind or out of range; the "
        "message names it.\nRuntimeError\n    If ``source`` is an engine that a session drives: give the session."
    )  # fmt: skip


_OF_PURSUITS: tuple[Any, ...] = (architecture, weights, function, loss, candidates, choice, overview, ensemble, scene)
_OF_FLOWS: tuple[Any, ...] = (norms, directions, plateaus, saddle_weights, saddle_overview)
for _each in (*_OF_PURSUITS, *_OF_FLOWS):
    _complete(_each, _OF_A_PURSUIT if _each in _OF_PURSUITS else _OF_A_FLOW)
