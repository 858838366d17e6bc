"""Neurons in columns, signed weights between them; what the current iteration added is dashed."""

from __future__ import annotations

import bqplot
import numpy as np

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.architecture import Architecture, architecture
from np_widgets.pictures.labels import count
from np_widgets.widgets import theme
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.panel import Panel
from np_widgets.widgets.writing import update

# Lines have one stroke width a mark: (least strength, pixels).
_WIDTHS = ((0.0, 1.0), (0.3, 2.0), (0.65, 3.4))
_COLORS = {1.0: theme.POSITIVE, -1.0: theme.NEGATIVE, 0.0: theme.MUTED}
# How far along its edge the dot of a negative weight stands, and how strong the edge must be to get one.
_DOT_AT = 0.84
_DOT_FROM = 0.2
_MOST_LARGE_NAMES = 14
_NO_NETWORK = {
    "ready": "No network yet: press Play or Step.",
    "origin": "No network yet: its search at the origin is under way.",
    "finished": "No network: the search at the origin led to none.",
}


class ArchitecturePanel(Panel[PursuitFrame]):
    """The network as a drawing."""

    def __init__(self) -> None:
        self._x = bqplot.LinearScale(min=-0.2, max=3.2)
        scales = {"x": self._x, "y": bqplot.LinearScale(min=-0.17, max=1.04)}
        self._edges = {
            (added, level): bqplot.Lines(
                x=[0.0, 0.0],
                y=[0.0, 0.0],
                scales=scales,
                visible=False,
                stroke_width=width,
                line_style="dashed" if added else "solid",
            )
            for added in (False, True)
            for level, (_, width) in enumerate(_WIDTHS)
        }
        self._dots = bqplot.Scatter(scales=scales, default_size=26, colors=[theme.NEGATIVE], visible=False)
        self._nodes = bqplot.Scatter(
            scales=scales, default_size=260, colors=[theme.SURFACE], stroke=theme.TEXT, stroke_width=1.4
        )
        self._added = bqplot.Scatter(
            scales=scales, default_size=260, colors=[theme.SURFACE], stroke=theme.ACCENT, stroke_width=3.5
        )
        self._ends = bqplot.Scatter(scales=scales, default_size=36, colors=[theme.TEXT])
        self._names = {
            align: bqplot.Label(
                scales=scales,
                default_size=11.0,
                font_weight="normal",
                align=align,
                x_offset=offset,
                y_offset=0,
                colors=[theme.TEXT],
            )
            for align, offset in (("end", -8), ("middle", 0), ("start", 8))
        }
        self._columns = bqplot.Label(
            scales=scales, default_size=11.0, font_weight="normal", align="middle", colors=[theme.MUTED]
        )
        super().__init__(
            "Architecture",
            [
                *self._edges.values(),
                self._dots,
                self._nodes,
                self._added,
                self._ends,
                *self._names.values(),
                self._columns,
            ],
            [],
            margin={"top": 4, "bottom": 4, "left": 8, "right": 8},
        )
        self._signs = legend.line("positive", theme.POSITIVE, width=2.5) + legend.line(
            "negative", theme.NEGATIVE, width=2.5, marker="circle"
        )
        self._added_key = legend.line("added by this iteration", theme.TEXT, dash="dashed")

    def show(self, frame: PursuitFrame) -> None:
        """Draw the frame's network."""
        picture = architecture(frame)
        steps = max(len(picture.column_x) - 1, 1)
        self._show_edges(picture, steps)
        self._show_nodes(picture, steps)
        update(self._x, min=-0.09 * steps, max=steps * 1.06)
        sizes = zip(picture.column_labels, picture.column_sizes, strict=True)
        labels = np.array([_column_label(label, size) for label, size in sizes], dtype=str)
        places = np.arange(len(labels), dtype=np.float64)
        update(self._columns, x=places, y=np.full(len(labels), -0.14), text=labels, visible=len(labels) > 0)
        empty = ""
        if not frame.weights:
            empty = _NO_NETWORK.get(frame.phase, _NO_NETWORK["origin"])
        key = self._signs + (self._added_key if picture.edge_added.any() else "")
        self.tell(key if frame.weights else "", picture.note or empty)

    def _show_edges(self, picture: Architecture, steps: int) -> None:
        level = np.searchsorted([least for least, _ in _WIDTHS], picture.edge_strengths, side="right") - 1
        # Steps of opacity, so that an edge that hardly changes is not sent again.
        opacity = np.round(0.25 + 0.75 * picture.edge_strengths, 1)
        opacity[picture.edge_added] = np.maximum(opacity[picture.edge_added], 0.6)
        for (added, width), mark in self._edges.items():
            chosen = (picture.edge_added == added) & (level == width)
            if not chosen.any():
                update(mark, visible=False)
                continue
            update(
                mark,
                x=np.squeeze(picture.edge_x[chosen] * steps),
                y=np.squeeze(picture.edge_y[chosen]),
                colors=[_COLORS[sign] for sign in picture.edge_signs[chosen].tolist()],
                opacities=opacity[chosen].tolist(),
                visible=True,
            )
        dotted = (picture.edge_signs < 0) & (picture.edge_strengths >= _DOT_FROM)
        x, y = picture.edge_x[dotted] * steps, picture.edge_y[dotted]
        update(
            self._dots,
            x=x[:, 0] + _DOT_AT * (x[:, 1] - x[:, 0]),
            y=y[:, 0] + _DOT_AT * (y[:, 1] - y[:, 0]),
            visible=bool(dotted.any()),
        )

    def _show_nodes(self, picture: Architecture, steps: int) -> None:
        x, y, column = picture.node_x * steps, picture.node_y, picture.node_columns
        inner = (column > 0) & (column < steps)
        for mark, chosen in (
            (self._nodes, inner & ~picture.node_added),
            (self._added, inner & picture.node_added),
            (self._ends, ~inner),
        ):
            update(mark, x=x[chosen], y=y[chosen], visible=bool(chosen.any()))
        for align, chosen in (("end", column == 0), ("middle", inner), ("start", column == steps)):
            text = np.array([name for name, c in zip(picture.node_labels, chosen, strict=True) if c], dtype=str)
            size = 11.0 if len(text) <= _MOST_LARGE_NAMES else 9.0
            update(
                self._names[align], x=x[chosen], y=y[chosen], text=text, default_size=size, visible=bool(chosen.any())
            )


def _column_label(label: str, size: int) -> str:
    if label.startswith("layer"):
        return f"{label}: {size:,}"
    return label if label == "output" else count(size, label.removesuffix("s"))
