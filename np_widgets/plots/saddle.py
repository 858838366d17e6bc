"""From a saddle flow to a figure: the public functions.

Each takes a :class:`~np_widgets.learning.saddles.flow.SaddleFlow`, a session that drives one, a widget that shows one,
or one of their frames, and returns a :class:`matplotlib.figure.Figure` that pyplot knows nothing of. With ``index``, a
point of ``record.time``, a picture shows that moment: by default it is the newest.
"""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from np_widgets.learning.activation import Activation
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.alignment import alignment as alignment_picture
from np_widgets.pictures.heatmap import heatmap as heatmap_picture
from np_widgets.pictures.labels import number
from np_widgets.pictures.norms import norms as norms_picture
from np_widgets.pictures.plane import plane as plane_picture
from np_widgets.pictures.plateaus import plateaus as plateaus_picture
from np_widgets.plots import style
from np_widgets.plots.directions import draw_heatmap, draw_plane
from np_widgets.plots.dynamics import draw_alignment, draw_norms, draw_plateaus
from np_widgets.plots.sources import frame_of


def norms(source: Any, index: int | None = None) -> Figure:
    """The norm of the dormant weights over time on a log scale, beside what the NCF predicts, with the escapes.

    Parameters
    ----------
    source
        A saddle flow, a session, a widget or a frame.
    index
        A point of the record to mark.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, or there is no such index.
    RuntimeError
        If it is a flow that a session drives: give the session.
    """
    figure = style.figure(6.4, 4.0)
    draw_norms(figure.subplots(), norms_picture(_frame(source), index), cursor=index is not None)
    return figure


def directions(source: Any, layer: int | None = None, index: int | None = None) -> Figure:
    """How dormant neurons turn towards KKT points: their cosines over time, and one layer's directions in a plane.

    Parameters
    ----------
    source
        A saddle flow, a session, a widget or a frame.
    layer
        The hidden layer of the plane, from 1; by default the one of the best KKT point.
    index
        A point of the record: it is marked, and trails end there.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, or there is no such layer or index.
    RuntimeError
        If it is a flow that a session drives: give the session.
    """
    frame = _frame(source)
    figure = style.figure(9.6, 4.2)
    over_time, around = figure.subplots(1, 2, width_ratios=[1.25, 1])
    draw_alignment(over_time, alignment_picture(frame, index), cursor=index is not None)
    draw_plane(around, plane_picture(frame, index, layer))
    return figure


def plateaus(source: Any, index: int | None = None) -> Figure:
    """The training loss over time with the plateaus near saddles, the escapes, and what Neuron Pursuit reaches.

    Parameters
    ----------
    source
        A saddle flow, a session, a widget or a frame.
    index
        A point of the record to mark.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, or there is no such index.
    RuntimeError
        If it is a flow that a session drives: give the session.
    """
    figure = style.figure(6.4, 3.6)
    draw_plateaus(figure.subplots(), plateaus_picture(_frame(source), index), cursor=index is not None)
    return figure


def saddle_weights(source: Any, layer: int = 1, index: int | None = None) -> Figure:
    """``W_layer`` as a signed heat map with the blocks of active and dormant neurons framed, each kind on its scale.

    Parameters
    ----------
    source
        A saddle flow, a session, a widget or a frame.
    layer
        1 … L; L are the output weights.
    index
        The point of the record whose weights are shown.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, or there is no such layer or index.
    RuntimeError
        If it is a flow that a session drives: give the session.
    """
    figure = style.figure(5.4, 3.6)
    draw_heatmap(figure.subplots(), heatmap_picture(_frame(source), index, layer))
    return figure


def saddle_overview(source: Any, *, layer: int | None = None, index: int | None = None) -> Figure:
    """All pictures on one page: norms and loss; cosines, directions and weights.

    Parameters
    ----------
    source
        A saddle flow, a session, a widget or a frame.
    layer
        The hidden layer whose directions and incoming weights are shown, from 1; by default the one of the best KKT
        point.
    index
        The point of the record to show.

    Raises
    ------
    TypeError, ValueError
        If ``source`` is none of these, or there is no such layer or index.
    RuntimeError
        If it is a flow that a session drives: give the session.
    """
    frame = _frame(source)
    around = plane_picture(frame, index, layer)
    figure = style.figure(11.0, 7.4)
    style.caption(figure, _title(frame))
    rows = figure.add_gridspec(2, 1, height_ratios=[1.05, 1])
    above, below = rows[0].subgridspec(1, 2), rows[1].subgridspec(1, 3, width_ratios=[1.05, 1, 1])
    cursor = index is not None
    draw_norms(figure.add_subplot(above[0]), norms_picture(frame, index), cursor=cursor)
    draw_plateaus(figure.add_subplot(above[1]), plateaus_picture(frame, index), cursor=cursor)
    draw_alignment(figure.add_subplot(below[0]), alignment_picture(frame, index), cursor=cursor)
    draw_plane(figure.add_subplot(below[1]), around)
    draw_heatmap(figure.add_subplot(below[2]), heatmap_picture(frame, index, around.layer or 1))
    return figure


def _title(frame: SaddleFrame) -> str:
    dormant = f"({', '.join(str(count) for count in frame.dormant)}) dormant neurons"
    active = f"hidden widths ({', '.join(str(count) for count in frame.started_active)})"
    parts = [
        "origin" if frame.origin else f"saddle with {active}",
        dormant,
        Activation(frame.power, frame.leak).name,
        f"δ = {number(frame.scale)}",
        f"gradient {frame.dynamics}",
        f"seed {frame.seed}",
    ]
    return f"{' · '.join(parts)}\n{frame.message}"


def _frame(source: Any) -> SaddleFrame:
    return frame_of(source, SaddleFrame, "SaddleFlow")
