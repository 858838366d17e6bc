"""Directions of dormant neurons in a plane, each on its trail towards a KKT point."""

from __future__ import annotations

from collections.abc import Callable

import bqplot
import numpy as np

from np_widgets.pictures.labels import number
from np_widgets.pictures.plane import Plane, plane
from np_widgets.widgets import theme
from np_widgets.widgets.chooser import Chooser
from np_widgets.widgets.panels import legend
from np_widgets.widgets.panels.curves import draw_curves
from np_widgets.widgets.panels.panel import Panel
from np_widgets.widgets.saddle_view import SaddleView
from np_widgets.widgets.writing import update

_BEST = 0
_AROUND = np.linspace(0.0, 2 * np.pi, 121)
_LIMIT = 1.12


class PlanePanel(Panel[SaddleView]):
    """The unit circle, KKT points on or within it, and the trails of neurons.

    Parameters
    ----------
    on_choice
        Called when the user has chosen another layer.
    """

    def __init__(self, on_choice: Callable[[], None]) -> None:
        self._chooser = Chooser("Layer", "Of which hidden layer to show the neurons", on_choice, "130px")
        scales = {
            "x": bqplot.LinearScale(min=-_LIMIT, max=_LIMIT),
            "y": bqplot.LinearScale(min=-_LIMIT, max=_LIMIT),
        }
        circle = bqplot.Lines(
            x=np.cos(_AROUND), y=np.sin(_AROUND), scales=scales, stroke_width=1, colors=[theme.MUTED], opacities=[0.6]
        )
        cross = bqplot.Lines(
            x=[[-1.0, 1.0], [0.0, 0.0]],
            y=[[0.0, 0.0], [-1.0, 1.0]],
            scales=scales,
            stroke_width=1,
            colors=[theme.FAINT],
        )
        self._trails = bqplot.Lines(
            x=[0.0, 0.0],
            y=[0.0, 0.0],
            scales=scales,
            visible=False,
            stroke_width=1,
            colors=[theme.LEARNED],
            opacities=[0.6],
        )
        self._heads = bqplot.Scatter(scales=scales, visible=False, default_size=24, colors=[theme.LEARNED])
        self._leader_trail = bqplot.Lines(
            x=[0.0, 0.0], y=[0.0, 0.0], scales=scales, visible=False, stroke_width=2.6, colors=[theme.ACCENT]
        )
        self._leader = bqplot.Scatter(
            scales=scales,
            visible=False,
            marker="square",
            default_size=60,
            colors=[theme.ACCENT],
            stroke=theme.SURFACE,
            stroke_width=1.0,
        )
        self._points = {
            visited: bqplot.Scatter(
                scales=scales,
                visible=False,
                marker="diamond",
                default_size=110 if visited else 80,
                colors=[theme.TRUTH if visited else theme.MUTED],
                stroke=theme.TEXT if visited else theme.SURFACE,
                stroke_width=1.2,
            )
            for visited in (False, True)
        }
        super().__init__(
            "Directions in a plane",
            [
                cross,
                circle,
                self._trails,
                self._heads,
                self._points[False],
                self._points[True],
                self._leader_trail,
                self._leader,
            ],
            [],
            margin={"top": 6, "bottom": 6, "left": 6, "right": 6},
            controls=[self._chooser.box],
        )
        # A square, so that the circle is one.
        self.figure.layout.width, self.figure.layout.margin = self.figure.layout.height, "0 auto"

    def show(self, shown: SaddleView) -> None:
        """Draw the directions of the chosen layer."""
        layer = self._chooser.value or _BEST
        choices = [("best", _BEST), *((str(own), own) for own in range(1, len(shown.frame.widths) + 1))]
        self._chooser.offer(choices if len(choices) > 2 else [])
        picture = plane(shown.frame, shown.index, None if layer == _BEST else layer)
        self._show_trails(picture)
        for visited, mark in self._points.items():
            chosen = picture.point_visited == visited
            update(mark, x=picture.points_x[chosen], y=picture.points_y[chosen], visible=bool(chosen.any()))
        self.tell(self._key(picture), *self._notes(picture))

    def _show_trails(self, picture: Plane) -> None:
        leads = [row == picture.leader for row in range(len(picture.trails))]
        others = [trail for trail, lead in zip(picture.trails, leads, strict=True) if not lead]
        draw_curves(self._trails, [(trail.x, trail.y) for trail in others])
        leaders = [trail for trail, lead in zip(picture.trails, leads, strict=True) if lead]
        draw_curves(self._leader_trail, [(trail.x, trail.y) for trail in leaders])
        for mark, trails in ((self._heads, others), (self._leader, leaders)):
            x, y = np.array([trail.x[-1] for trail in trails]), np.array([trail.y[-1] for trail in trails])
            update(mark, x=x, y=y, visible=bool(trails))

    def _key(self, picture: Plane) -> str:
        entries = []
        if picture.leader is not None:
            entries.append(legend.line("largest neuron", theme.ACCENT, width=2.6, marker="square"))
        if len(picture.trails) > len(entries):
            entries.append(legend.line("other neurons", theme.LEARNED, width=1, marker="circle"))
        if picture.point_visited.any():
            entries.append(legend.marker("KKT point that neurons go to", theme.TRUTH, "diamond"))
        if not picture.point_visited.all():
            entries.append(legend.marker("other KKT point", theme.MUTED, "diamond"))
        return "".join(entries)

    def _notes(self, picture: Plane) -> list[str]:
        if picture.empty:
            return [picture.empty]
        values = ", ".join(number(value) for value in picture.point_values[:3])
        more = ", …" if len(picture.point_values) > 3 else ""
        return [
            f"Layer {picture.layer} · KKT points N* = {values}{more}",
            f"→ {picture.x_label} · ↑ {picture.y_label}",
            picture.note,
        ]
