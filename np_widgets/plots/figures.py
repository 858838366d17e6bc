"""From a pursuit to a figure: the public functions.

Each takes a :class:`~np_widgets.learning.pursuit.NeuronPursuit`, a session that drives one, a widget that shows one, or
one of their frames. It returns a :class:`matplotlib.figure.Figure` that pyplot knows nothing of: a notebook shows it,
``figure.savefig("name.pdf")`` writes it, and nobody has to close it.
"""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from np_widgets.learning.activation import Activation
from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.architecture import architecture as architecture_picture
from np_widgets.pictures.candidates import candidates as candidates_picture
from np_widgets.pictures.function import function as function_picture
from np_widgets.pictures.labels import number
from np_widgets.pictures.loss import loss as loss_picture
from np_widgets.pictures.probe import probe as probe_of
from np_widgets.pictures.weights import weights as weights_picture
from np_widgets.plots import style
from np_widgets.plots.function import draw_function
from np_widgets.plots.network import draw_architecture, draw_weights
from np_widgets.plots.sources import frame_of, named
from np_widgets.plots.training import draw_candidates, draw_loss
from np_widgets.problems import Problem


def architecture(source: Any) -> Figure:
    """The network: neurons in columns, signed weights between them, and dashed what the current iteration added.

    Parameters
    ----------
    source
        A pursuit, a session, a widget or a frame.

    Raises
    ------
    TypeError
        If ``source`` is none of these.
    RuntimeError
        If it is a pursuit that a session drives: give the session.
    """
    figure = style.figure(4.6, 3.8)
    draw_architecture(figure.subplots(), architecture_picture(_frame(source)))
    return figure


def weights(source: Any, layer: int = 1) -> Figure:
    """The rows of ``W_layer``, one line a neuron; the other matrices but the first are written out if they are small.

    Parameters
    ----------
    source
        A pursuit, a session, a widget or a frame.
    layer
        1 … L; L are the output weights.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, or there is no such layer.
    RuntimeError
        If it is a pursuit that a session drives: give the session.
    """
    figure = style.figure(4.6, 3.4)
    draw_weights(figure.subplots(), weights_picture(_frame(source), layer))
    return figure


def function(source: Any, problem: Problem | None = None, output: int | None = None) -> Figure:
    """The learned function beside the truth or the data, in the way that suits the problem.

    Parameters
    ----------
    source
        A pursuit, a session, a widget or a frame.
    problem
        What is learned; only needed with a frame.
    output
        Which output to show where only one can be, from 0; by default the first, or the second of two classes.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, ``problem`` is missing or does not fit, or there is no such output.
    RuntimeError
        If it is a pursuit that a session drives: give the session.
    """
    frame = _frame(source)
    figure = style.figure(4.6, 3.4)
    _function(figure.subplots(), frame, _problem(source, frame, problem), output)
    return figure


def loss(source: Any) -> Figure:
    """The loss over all minimizer steps on a log scale; each addition is marked with the layer the neuron joined.

    Parameters
    ----------
    source
        A pursuit, a session, a widget or a frame.

    Raises
    ------
    TypeError
        If ``source`` is none of these.
    RuntimeError
        If it is a pursuit that a session drives: give the session.
    """
    figure = style.figure(6.0, 3.2)
    draw_loss(figure.subplots(), loss_picture(_frame(source)))
    return figure


def candidates(source: Any) -> Figure:
    """The NCF value of each candidate of the last search, by layer, which was taken, and what decided.

    Parameters
    ----------
    source
        A pursuit, a session, a widget or a frame.

    Raises
    ------
    TypeError
        If ``source`` is none of these.
    RuntimeError
        If it is a pursuit that a session drives: give the session.
    """
    figure = style.figure(4.6, 3.6)
    draw_candidates(figure.subplots(), candidates_picture(_frame(source)))
    return figure


def overview(source: Any, problem: Problem | None = None, *, layer: int = 1, output: int | None = None) -> Figure:
    """All pictures on one page: architecture, weights and function; loss and candidates.

    Parameters
    ----------
    source
        A pursuit, a session, a widget or a frame.
    problem
        What is learned; only needed with a frame.
    layer
        Whose weights to show, 1 … L.
    output
        Which output of the function to show where only one can be, from 0.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, ``problem`` is missing or does not fit, or there is no such layer or output.
    RuntimeError
        If it is a pursuit that a session drives: give the session.
    """
    frame = _frame(source)
    problem = _problem(source, frame, problem)
    figure = style.figure(12.0, 7.6)
    style.caption(figure, _title(frame, problem))
    rows = figure.add_gridspec(2, 1, height_ratios=[1.25, 1])
    above, below = rows[0].subgridspec(1, 3), rows[1].subgridspec(1, 2, width_ratios=[1.4, 1])
    draw_architecture(figure.add_subplot(above[0]), architecture_picture(frame))
    draw_weights(figure.add_subplot(above[1]), weights_picture(frame, layer))
    _function(figure.add_subplot(above[2]), frame, problem, output)
    draw_loss(figure.add_subplot(below[0]), loss_picture(frame))
    draw_candidates(figure.add_subplot(below[1]), candidates_picture(frame))
    return figure


def _function(axes: Any, frame: PursuitFrame, problem: Problem, output: int | None) -> None:
    probe = probe_of(problem)
    draw_function(axes, function_picture(frame, probe, output), probe.outputs if probe.classes else 0)


def _title(frame: PursuitFrame, problem: Problem) -> str:
    parts = [problem.name, Activation(frame.power, frame.leak).name]
    if frame.weights:
        parts.append(f"hidden widths ({', '.join(str(width) for width in frame.widths)})")
    if frame.loss is not None:
        parts.append(f"loss {number(frame.loss)}")
    if frame.test_loss is not None:
        parts.append(f"test loss {number(frame.test_loss)}")
    return f"{' · '.join(parts)}\n{frame.message}"


def _frame(source: Any) -> PursuitFrame:
    return frame_of(source, PursuitFrame, "NeuronPursuit")


def _problem(source: Any, frame: PursuitFrame, problem: Problem | None) -> Problem:
    if problem is None:
        engine = getattr(getattr(source, "session", source), "engine", source)
        problem = getattr(engine, "problem", None)
        if problem is None:
            raise ValueError("problem must be given with a frame: a frame does not know what is learned")
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {named(problem)}")
    if frame.weights:
        wanted = (problem.input_size, problem.output_size)
        found = (frame.weights[0].shape[1], frame.weights[-1].shape[0])
        if wanted != found:
            raise ValueError(
                f"problem must have as many inputs and outputs as the network of source, {found}, got {wanted}"
            )
    return problem
