"""The matplotlib figures of saddle flows: what they draw of known frames, from whatever they are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from np_widgets import plots
from np_widgets.learning.engine import Engine
from np_widgets.learning.pursuit import NeuronPursuit
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.plots import style
from np_widgets.problems import sparse_parity
from np_widgets.sessions.session import Session
from tests.saddle_frames import (
    END,
    ESCAPE,
    REACHED,
    at_the_origin,
    at_the_start,
    between_saddles,
    near_a_saddle,
)

NEAR, LADDER = near_a_saddle(), between_saddles()
FRAMES = {
    "near": NEAR,
    "ladder": LADDER,
    "origin": at_the_origin(),
    "deep origin": at_the_origin(3),
    "one point": at_the_start(1),
    "no point": at_the_start(0),
    "searching": dataclasses.replace(LADDER, phase="searching", predictions=LADDER.predictions[:1]),
}
ALL: dict[str, Callable[..., Figure]] = {
    "norms": plots.norms,
    "directions": plots.directions,
    "plateaus": plots.plateaus,
    "saddle_weights": plots.saddle_weights,
    "saddle_overview": plots.saddle_overview,
}


def titled(figure: Figure, title: str) -> Axes:
    (axes,) = (axes for axes in figure.axes if axes.get_title(loc="left") == title)
    return axes


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def lines(axes: Axes, **look: Any) -> list[tuple[list[float], list[float]]]:
    """The points of all lines with that look."""
    found = [line for line in axes.get_lines() if all(getattr(line, f"get_{k}")() == v for k, v in look.items())]
    return [(np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist()) for line in found]


class TestNorms:
    def test_measured_and_predicted_norms_with_both_escapes(self):
        axes = titled(plots.norms(NEAR), "Norms")
        assert lines(axes, color=style.BLUE) == [(NEAR.record.time.tolist(), NEAR.record.dormant_norm.tolist())]
        assert lines(axes, color=style.ORANGE, marker="None")[0][1] == NEAR.predictions[0].dormant_norm.tolist()
        assert lines(axes, color=style.ORANGE, marker="D") == [([ESCAPE], [0.09])]
        ((times, values),) = lines(axes, color=style.PINK, marker="D")
        assert times == [ESCAPE]
        np.testing.assert_allclose(values, 0.09, rtol=0.05)
        assert axes.get_yscale() == "log"

    def test_every_neuron_has_a_line_and_those_awake_another_color(self):
        axes = titled(plots.norms(LADDER), "Norms")
        assert len(lines(axes, color=style.GREEN)) == 1
        assert len(lines(axes, color=style.GRAY, linestyle="-")) == 4
        assert "neuron that woke up" in legend_of(axes)
        assert "neuron that woke up" not in legend_of(titled(plots.norms(NEAR), "Norms"))

    def test_what_is_not_there_is_not_in_the_legend(self):
        assert legend_of(titled(plots.norms(at_the_start()), "Norms")) == [
            "dormant weights ‖w_z‖",
            "each dormant neuron",
        ]

    def test_the_cursor_stands_at_a_given_moment_only(self):
        for draw, title in ((plots.norms, "Norms"), (plots.plateaus, "Loss"), (plots.directions, None)):
            for index, count in ((None, 0), (40, 1)):
                figure = draw(LADDER, index=index)
                axes = figure.axes[0] if title is None else titled(figure, title)
                now = float(LADDER.record.time[40])
                assert len([line for line in lines(axes, color=style.ink()) if line[0] == [now, now]]) == count


class TestPlateaus:
    def test_the_time_near_each_saddle_is_shaded_and_named(self):
        axes = titled(plots.plateaus(LADDER), "Loss")
        spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches if isinstance(p, Rectangle)]
        assert spans == [(0, ESCAPE), (REACHED, pytest.approx(END))]
        assert [text.get_text() for text in axes.texts] == ["1.2", "0.5"]

    def test_what_pursuit_reaches_stands_beside_the_saddle(self):
        axes = titled(plots.plateaus(LADDER), "Loss")
        assert lines(axes, color=style.ORANGE) == [([REACHED], [0.49])]
        assert "Neuron Pursuit 0.49" in axes.get_xlabel()
        assert legend_of(axes)[-1] == "Neuron Pursuit"

    def test_ticks_of_a_loss_that_hardly_changes_are_told_apart(self):
        figure = plots.plateaus(NEAR)
        figure.draw_without_rendering()
        ticks = [label.get_text() for label in titled(figure, "Loss").get_yticklabels()]
        assert len(set(ticks)) == len(ticks) > 2
        assert titled(figure, "Loss").yaxis.get_offset_text().get_text() == ""


class TestDirections:
    def test_the_largest_neuron_is_bold_and_layers_differ_in_dash_too(self):
        axes = titled(plots.directions(NEAR), "Cosine to the KKT point")
        drawn = [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) == len(NEAR.record.time)]
        assert [line.get_linewidth() > 2 for line in drawn] == [True, False, False, False]
        assert [line.get_linestyle() for line in drawn] == ["-", "-", "-", "--"]
        assert legend_of(axes) == ["layer 1", "layer 2", "largest neuron", "aligned"]

    def test_trails_have_the_look_of_their_kkt_point(self):
        axes = titled(plots.directions(NEAR), "Directions: layer 1")
        for goal, count in ((0, 2), (1, 1)):
            color, marker = style.SERIES[goal], style.MARKERS[goal]
            ends = [points for points in lines(axes, color=color, marker=marker) if len(points[0]) == 1]
            # The point itself, and the neurons that have come to it.
            assert len(ends) == count + 1
            np.testing.assert_allclose(np.ptp(np.array(ends), axis=0), 0, atol=1e-3)
        assert legend_of(axes) == ["KKT point, N* 0.25", "KKT point, N* 0.15", "neuron and trail"]

    def test_the_plane_is_as_wide_as_high(self):
        figure = plots.directions(NEAR, layer=2)
        axes = titled(figure, "Directions: layer 2")
        assert axes.get_aspect() == 1
        assert axes.get_xlim() == axes.get_ylim()

    def test_missing_directions_are_said(self):
        said = [text.get_text() for axes in plots.directions(at_the_start(0)).axes for text in axes.texts]
        assert said == ["KKT points are not known yet: a search finds them", "Nothing computed yet"]
        (sentence,) = titled(plots.directions(at_the_origin(3), layer=2), "Directions: layer 2").texts
        assert sentence.get_text().startswith("No plane for layer 2")


class TestWeights:
    def test_blocks_are_framed_solid_and_dashed(self):
        axes = titled(plots.saddle_weights(NEAR, layer=2), "Weights: W₂")
        frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        assert [patch.get_linestyle() in ("solid", "-") for patch in frames] == [True, False, False, False]
        assert sum(patch.get_width() * patch.get_height() for patch in frames) == pytest.approx(12, rel=0.1)
        assert legend_of(axes)[0] == "active, full color ±1.5"
        (image,) = axes.get_images()
        assert np.asarray(image.get_array()).shape == (3, 4)

    def test_the_color_of_a_sign_is_that_of_other_pictures_and_negative_cells_say_so(self):
        axes = titled(plots.saddle_weights(NEAR), "Weights: W₁")
        (image,) = axes.get_images()
        assert np.allclose(image.cmap(1.0)[:3], to_rgb(style.POSITIVE))
        assert np.allclose(image.cmap(0.0)[:3], to_rgb(style.NEGATIVE))
        shades = np.asarray(image.get_array())
        places = {(text.get_position()[1] - 0.5, text.get_position()[0] - 0.5) for text in axes.texts}
        assert (0, 1) in places
        assert all(shades[int(row), int(column)] < 0 for row, column in places)

    def test_labels_of_many_inputs_do_not_overlap(self):
        weights = (np.ones((4, 30)), *NEAR.weights[1:])
        wide = dataclasses.replace(NEAR, weights=weights, history=(weights,) * len(NEAR.record.time))
        axes = titled(plots.saddle_weights(wide), "Weights: W₁")
        assert [label.get_text() for label in axes.get_xticklabels()][:3] == ["x₁", "x₄", "x₇"]


def test_overview_has_all_and_says_what_it_shows():
    figure = plots.saddle_overview(LADDER, layer=2)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:5] == ["Norms", "Loss", "Cosine to the KKT point", "Directions: layer 2", "Weights: W₂"]
    (title,) = figure.texts
    assert title.get_text() == (
        "saddle with hidden widths (1, 1) · (3, 2) dormant neurons · ReLU · δ = 0.001 · gradient flow · seed 0\n"
        "Near the saddle: time 5 of about 10."
    )
    assert plots.saddle_overview(at_the_origin()).texts[0].get_text().startswith("origin · (3, 3) dormant neurons")


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
@pytest.mark.parametrize(("frame", "index"), [*((name, None) for name in FRAMES), ("ladder", 0)])
def test_no_legend_or_title_covers_the_data_or_leaves_the_page(draw, frame, index):
    figure = draw(FRAMES[frame], index=index)
    figure.draw_without_rendering()
    page = figure.bbox
    for axes in figure.axes:
        legend, box = axes.get_legend(), axes.get_window_extent()
        if legend is not None:
            assert legend.get_window_extent().y0 >= box.y1 - 1
        tight = axes.get_tightbbox()
        assert tight is not None
        assert tight.x0 >= page.x0 - 1
        assert tight.y0 >= page.y0 - 1
        assert tight.x1 <= page.x1 + 1
        assert tight.y1 <= page.y1 + 1


def test_pictures_side_by_side_do_not_run_into_each_other():
    for frame in (NEAR, LADDER):
        figure = plots.saddle_overview(frame)
        figure.draw_without_rendering()
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        for index, one in enumerate(boxes):
            for other in boxes[index + 1 :]:
                assert not one.padded(-2).overlaps(other.padded(-2))


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_figures_are_saved_in_every_format(draw, tmp_path: Path):
    for suffix, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        path = tmp_path / f"picture.{suffix}"
        draw(LADDER).savefig(path)
        assert path.read_bytes().startswith(start)


def test_figures_follow_the_style_of_the_user():
    with mpl.rc_context({"text.color": "#abcdef"}):
        axes = titled(plots.norms(NEAR, index=10), "Norms")
    now = NEAR.record.time[10]
    assert lines(axes, color="#abcdef") == [([now, now], [0, 1])]


class Still(Engine):
    """An engine that stands near a saddle for ever."""

    def _advance(self) -> None:
        """Nothing."""

    @property
    def finished(self) -> str:
        return "It never starts."

    def frame(self) -> SaddleFrame:
        return LADDER

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing."""


class TestSources:
    def test_an_engine_a_session_and_what_has_one(self):
        class Widget:
            def __init__(self, session: Session) -> None:
                self.session = session

        engine = Still()
        assert lines(plots.norms(engine).axes[0]) == lines(plots.norms(LADDER).axes[0])
        with Session(engine) as session:
            for source in (session, Widget(session)):
                assert lines(plots.norms(source).axes[0]) == lines(plots.norms(LADDER).axes[0])
            with pytest.raises(RuntimeError, match="a Session drives it"):
                plots.norms(engine)

    @pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
    @pytest.mark.parametrize("source", [None, 3, "frame", np.ones(3)], ids=str)
    def test_anything_else_is_refused(self, draw, source):
        with pytest.raises(TypeError, match=r"^source must be a SaddleFlow, a session or widget of one, or a frame"):
            draw(source)

    def test_a_pursuit_is_no_saddle_flow(self):
        pursuit = NeuronPursuit(sparse_parity(4, 2, samples=20), hidden_layers=1)
        with pytest.raises(TypeError, match="source must be a SaddleFlow"):
            plots.norms(pursuit)
        with pytest.raises(TypeError, match="source must be a NeuronPursuit"):
            plots.loss(Still())

    @pytest.mark.parametrize("draw", [plots.directions, plots.saddle_weights, plots.saddle_overview])
    def test_a_layer_that_does_not_exist_is_refused(self, draw):
        with pytest.raises(ValueError, match="layer must be an integer from 1 to"):
            draw(NEAR, layer=9)
