"""The matplotlib figures: what they draw of known frames, from whatever they are given."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from np_widgets import plots, problems
from np_widgets.learning.growth import Candidate, GrowthRecord, PursuitFrame
from np_widgets.learning.pursuit import NeuronPursuit
from np_widgets.plots import style
from np_widgets.problems import Problem
from np_widgets.sessions.session import Session

WEIGHTS = (
    np.array([[2.0, 0, 1, 0], [0, -1, 1, 0], [0, 2, 0, 1], [0, 0, 1, 1]]),
    np.array([[1.0, -1, 0, 0], [0, 0, 1, 1]]),
    np.array([[2.0, -1]]),
)


def record(layer: int, first_step: int, steps: int) -> GrowthRecord:
    return GrowthRecord((1, 1), layer, 1.0, (), 0.5, 0.6, first_step, steps, "because")


FRAME = PursuitFrame(
    phase="minimizing",
    iteration=3,
    message="Minimizing.",
    progress=0.5,
    weights=WEIGHTS,
    power=1,
    leak=0.0,
    added=((1, 3),),
    loss=1e-5,
    test_loss=2e-5,
    step=100,
    total_steps=700,
    trace_steps=np.linspace(0, 700, 8),
    trace_losses=np.logspace(1, -5, 8),
    growth=(record(0, 0, 400), record(2, 400, 200)),
    candidates=(Candidate(1, 0.5, 1e-9), Candidate(2, 0.3, 1e-9), Candidate(1, 0.2, 1e-2)),
    taken=2,
    finished=None,
    hidden_layers=2,
    seed=0,
    method="fast",
    minimizer="adam",
)
EMPTY = dataclasses.replace(
    FRAME,
    phase="ready",
    iteration=0,
    weights=(),
    added=(),
    loss=None,
    test_loss=None,
    step=0,
    total_steps=0,
    trace_steps=np.zeros(0),
    trace_losses=np.zeros(0),
    growth=(),
    candidates=(),
    taken=None,
)
PROBLEM = problems.sparse_parity(4, 2, samples=40, test_samples=40)
SIMPLE: dict[str, Callable[[Any], Figure]] = {
    "architecture": plots.architecture,
    "weights": plots.weights,
    "loss": plots.loss,
    "candidates": plots.candidates,
}
ALL: dict[str, Callable[[Any], Figure]] = {
    **SIMPLE,
    "function": lambda source: plots.function(source, PROBLEM),
    "overview": lambda source: plots.overview(source, PROBLEM),
}


def only_axes(figure: Figure) -> Axes:
    (axes,) = figure.axes
    return axes


def xs(line: Any) -> np.ndarray:
    return np.asarray(line.get_xdata())


def ys(line: Any) -> np.ndarray:
    return np.asarray(line.get_ydata())


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


class TestArchitecture:
    def test_every_weight_is_an_edge_in_the_color_of_its_sign(self):
        axes = only_axes(plots.architecture(FRAME))
        (edges,) = (c for c in axes.collections if isinstance(c, LineCollection))
        signs = np.sign(np.concatenate([weight[weight != 0] for weight in WEIGHTS]))
        assert len(edges.get_segments()) == len(signs)
        positive = [np.allclose(color[:3], to_rgb(style.POSITIVE)) for color in np.asarray(edges.get_colors())]
        assert sum(positive) == (signs > 0).sum()

    def test_negative_edges_have_a_dot_too(self):
        axes = only_axes(plots.architecture(FRAME))
        dots = [c for c in axes.collections if isinstance(c, PathCollection) and c.get_zorder() == 2]
        assert sum(len(np.asarray(c.get_offsets())) for c in dots) == 3

    def test_edges_of_the_added_neuron_alone_are_dashed(self):
        axes = only_axes(plots.architecture(FRAME))
        (edges,) = (c for c in axes.collections if isinstance(c, LineCollection))
        styles: Any = edges.get_linestyle()
        dashed = [
            {tuple(point) for point in np.asarray(segment).tolist()}
            for segment, (_, dashes) in zip(edges.get_segments(), styles, strict=True)
            if dashes is not None
        ]
        # Neuron 4 of layer 1 has two weights in and one out, and all of them meet in it.
        assert len(dashed) == 3
        ((x, y),) = set.intersection(*dashed)
        (label,) = (t.get_text() for t in axes.texts if isinstance(t, Annotation) and t.xy == (x, y))
        assert label == "4"

    def test_nodes_and_columns_are_named(self):
        texts = {text.get_text() for text in only_axes(plots.architecture(FRAME)).texts}
        assert texts >= {"x₁", "x₂", "x₃", "x₄", "1", "2", "3", "4", "y"}
        assert texts >= {"4 inputs", "layer 1\n4 neurons", "layer 2\n2 neurons", "output"}


class TestWeights:
    @pytest.mark.parametrize("layer", [1, 2, 3])
    def test_one_line_a_neuron_over_what_it_listens_to(self, layer: int):
        axes = only_axes(plots.weights(FRAME, layer))
        zero, *lines = axes.get_lines()
        assert set(ys(zero)) == {0}
        rows = [ys(line) for line in lines]
        np.testing.assert_array_equal(rows, WEIGHTS[layer - 1])
        assert axes.get_ylabel() == f"weight in W{'₁₂₃'[layer - 1]}"

    def test_the_added_neuron_alone_is_dashed_and_all_have_different_markers(self):
        lines = only_axes(plots.weights(FRAME)).get_lines()[1:]
        assert [line.is_dashed() for line in lines] == [False, False, False, True]
        assert len({line.get_marker() for line in lines}) == 4
        assert len({line.get_color() for line in lines}) == 4

    def test_the_other_matrices_are_written_out(self):
        label = only_axes(plots.weights(FRAME)).get_xlabel()
        assert label.startswith("input\n")
        assert "W₃ = [2.00" in label

    def test_a_missing_layer_is_refused(self):
        with pytest.raises(ValueError, match="layer must be an integer from 1 to 3, got 4"):
            plots.weights(FRAME, 4)


class TestLoss:
    def test_the_trace_is_drawn_on_a_log_axis_that_holds_all_of_it(self):
        axes = only_axes(plots.loss(FRAME))
        assert axes.get_yscale() == "log"
        trace = axes.get_lines()[0]
        np.testing.assert_allclose(ys(trace), FRAME.trace_losses)
        np.testing.assert_allclose(xs(trace), FRAME.trace_steps)
        low, high = axes.get_ylim()
        assert low < 1e-5
        assert high > 10

    def test_additions_are_marked_with_their_layer(self):
        axes = only_axes(plots.loss(FRAME))
        (marks,) = (line for line in axes.get_lines() if line.get_marker() == "v")
        assert xs(marks).tolist() == [400, 600]
        assert [text.get_text() for text in axes.texts] == ["2", "1"]

    def test_labels_of_additions_that_would_overlap_are_joined(self):
        growth = (record(0, 0, 400), *(record(1, 400 + i, 1) for i in range(4)), record(2, 404, 196))
        axes = only_axes(plots.loss(dataclasses.replace(FRAME, growth=growth, iteration=7)))
        assert [text.get_text() for text in axes.texts] == ["1, 1, 1, 1, 2", "1"]

    def test_the_test_loss_is_there_only_with_a_test_set(self):
        assert "test, after each training" in legend_of(only_axes(plots.loss(FRAME)))
        growth = tuple(dataclasses.replace(record, test_loss=None) for record in FRAME.growth)
        without = dataclasses.replace(FRAME, growth=growth, test_loss=None)
        assert legend_of(only_axes(plots.loss(without))) == ["training", "a neuron joined this layer"]


class TestCandidates:
    def test_each_point_stands_at_its_value_above_its_layer(self):
        axes = only_axes(plots.candidates(FRAME))
        points = np.concatenate([np.asarray(line.get_xydata()) for line in axes.get_lines()])
        found = sorted((round(x), y) for x, y in points.tolist())
        assert found == [(0, 0.2), (0, 0.5), (1, 0.3)]
        assert [label.get_text() for label in axes.get_xticklabels()] == ["layer 1", "layer 2"]

    def test_the_taken_point_has_a_marker_of_its_own(self):
        axes = only_axes(plots.candidates(FRAME))
        (taken,) = (line for line in axes.get_lines() if line.get_marker() == "D")
        assert ys(taken).tolist() == [0.2]
        assert "taken: direction with N = 0.2" in legend_of(axes)

    def test_kkt_points_directions_and_losses_have_markers_of_their_own(self):
        found = (Candidate(1, 0.5, 1e-9, 0.3, 0.0), Candidate(2, 0.3, 0.1), Candidate(1, 0.2, 0.2, 0.02, 0.0))
        axes, right = plots.candidates(dataclasses.replace(FRAME, candidates=found, taken=None)).axes
        drawn = {line.get_marker(): ys(line).tolist() for line in axes.get_lines()}
        assert (drawn["o"], drawn["^"]) == ([0.5], [0.2, 0.3])
        (losses,) = right.get_lines()
        assert sorted(ys(losses)) == [0.02, 0.3]
        assert right.get_yscale() == "log"
        assert legend_of(axes) == [
            "1 KKT point", "2 candidate directions, residual up to 0.2", "loss after the look-ahead"
        ]  # fmt: skip


def frame_of(*weights: Any) -> PursuitFrame:
    """A frame of a network with one hidden layer."""
    return dataclasses.replace(FRAME, weights=tuple(np.array(w, dtype=float) for w in weights), hidden_layers=1)


class TestFunction:
    def test_on_the_hypercube_learned_and_true_values_share_the_vertices(self):
        # σ(x₁+x₂) + σ(−x₁−x₂) − σ(x₁) − σ(−x₁) = |x₁+x₂| − 1 is the parity of two inputs.
        parity = frame_of([[1, 1, 0, 0], [-1, -1, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0]], [[1, 1, -1, -1]])
        axes = only_axes(plots.function(parity, PROBLEM))
        truth, learned = (ys(line) for line in axes.get_lines())
        np.testing.assert_allclose(truth, learned, atol=1e-12)
        np.testing.assert_array_equal(truth, [1] * 4 + [-1] * 8 + [1] * 4)
        assert legend_of(axes) == ["truth", "learned"]
        assert "largest error on 16 vertices: 0" in axes.get_xlabel()

    def test_a_curve_is_drawn_over_its_input_with_the_data(self):
        problem = problems.curve("absolute", samples=30)
        axes = only_axes(plots.function(frame_of([[1, 0], [-1, 0]], [[1, 1]]), problem))
        assert legend_of(axes) == ["training data", "truth", "learned"]
        data, truth, learned = axes.get_lines()
        np.testing.assert_allclose(np.abs(xs(learned)), ys(learned))
        np.testing.assert_allclose(ys(truth), ys(learned))
        assert len(xs(data)) == 30

    def test_classes_in_the_plane_have_a_marker_each_and_a_boundary(self):
        # Scores x₂ against 0: the boundary is the horizontal axis.
        frame = frame_of([[0, 1, 0], [0, -1, 0]], [[1, -1], [0, 0]])
        figure = plots.function(frame, problems.two_moons(40))
        axes = figure.axes[0]
        assert legend_of(axes) == ["learned boundary", "class 0", "class 1"]
        boundary = next(c for c in axes.collections if isinstance(c, ContourSet))
        heights = np.concatenate([np.asarray(path.vertices)[:, 1] for path in boundary.get_paths()])
        np.testing.assert_allclose(heights, 0, atol=1e-6)
        dots = [c for c in axes.collections if isinstance(c, PathCollection)]
        assert [len(np.asarray(c.get_offsets())) for c in dots] == [20, 20]
        assert len({len(np.asarray(c.get_paths()[0].vertices)) for c in dots}) == 2
        assert figure.axes[1].get_ylabel() == "probability of class 1"

    def test_three_classes_have_a_boundary_each(self):
        angles = (np.arange(30) + 0.5) * 2 * np.pi / 30
        inputs = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        problem = Problem(inputs, np.arange(30) // 10, "cross_entropy")
        centers = inputs[[4, 14, 24]] + inputs[[5, 15, 25]]
        frame = frame_of([*centers, *-centers], np.hstack([np.eye(3), -np.eye(3)]))
        axes = only_axes(plots.function(frame, problem))
        assert sum(isinstance(c, ContourSet) for c in axes.collections) == 3
        assert legend_of(axes) == ["learned boundary", "class 0", "class 1", "class 2"]
        assert "100.0% right" in axes.get_xlabel()

    def test_values_in_the_plane_have_level_lines_of_both(self):
        problem = problems.single_index(2, link="absolute", samples=50)
        figure = plots.function(frame_of([[1, 0], [-1, 0]], [[1, 1]]), problem)
        assert legend_of(figure.axes[0]) == ["learned levels", "true levels", "data"]
        assert figure.axes[1].get_ylabel() == "y"

    def test_a_function_of_many_inputs_is_drawn_against_its_targets(self):
        problem = problems.single_index(3, link="linear", samples=50, test_samples=20)
        direction = getattr(problem.truth, "directions").numpy()  # noqa: B009 (a truth is any function to the checker)
        axes = only_axes(plots.function(frame_of(np.vstack([direction, -direction]), [[1, -1]]), problem))
        assert legend_of(axes) == ["learned = target", "training", "test"]
        for line, count in zip(axes.get_lines()[1:], (50, 20), strict=True):
            assert len(xs(line)) == count
            np.testing.assert_allclose(xs(line), ys(line), atol=1e-12)
        assert len({line.get_marker() for line in axes.get_lines()[1:]}) == 2

    def test_many_classes_are_drawn_as_a_confusion_matrix(self):
        problem = Problem(np.eye(4), [0, 1, 2, 3], "cross_entropy")
        figure = plots.function(frame_of(np.eye(4), np.roll(np.eye(4), 1, axis=0)), problem)
        (image,) = figure.axes[0].get_images()
        np.testing.assert_array_equal(image.get_array(), np.roll(np.eye(4), 1, axis=1))
        assert [text.get_text() for text in figure.axes[0].texts] == ["100"] * 4

    def test_an_output_that_does_not_exist_is_refused(self):
        with pytest.raises(ValueError, match="output must be an integer from 0 to 0, got 1"):
            plots.function(FRAME, PROBLEM, output=1)


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
@pytest.mark.parametrize("frame", [FRAME, EMPTY], ids=["frame", "empty frame"])
def test_figures_are_saved_in_every_format(draw: Callable[[Any], Figure], frame: PursuitFrame, tmp_path: Path):
    figure = draw(frame)
    for suffix, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        path = tmp_path / f"picture.{suffix}"
        figure.savefig(path)
        content = path.read_bytes()
        assert content.startswith(start)
        assert len(content) > 1000


def test_pdf_has_no_fonts_that_journals_refuse(tmp_path: Path):
    plots.loss(FRAME).savefig(tmp_path / "loss.pdf")
    content = (tmp_path / "loss.pdf").read_bytes()
    assert b"/Type3" not in content
    assert b"/FontFile2" in content


@pytest.mark.parametrize("draw", ALL.values(), ids=ALL)
def test_no_legend_or_title_covers_the_data_or_leaves_the_page(draw: Callable[[Any], Figure]):
    figure = draw(FRAME)
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


def test_overview_has_all_five_and_says_what_it_shows():
    figure = plots.overview(FRAME, PROBLEM)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Architecture", "Weights: W₁", "Function: learned and true", "Loss", "Candidates"]
    (title,) = figure.texts
    assert title.get_text() == (
        "parity of 2 of 4 inputs · ReLU · hidden widths (4, 2) · loss 1e−05 · test loss 2e−05\nMinimizing."
    )


def test_an_empty_frame_shows_the_truth_and_says_what_is_missing():
    figure = plots.overview(EMPTY, PROBLEM)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert said == ["No network yet", "No network yet", "No step taken yet", "None yet: a search finds them."]
    assert legend_of(figure.axes[2]) == ["truth"]


class TestSources:
    def test_a_pursuit_needs_no_problem(self):
        pursuit = NeuronPursuit(PROBLEM, hidden_layers=1, starts=5)
        pursuit.run(max_additions=0)
        axes = plots.overview(pursuit).axes[1]
        assert pursuit.network is not None
        np.testing.assert_allclose(ys(axes.get_lines()[1]), pursuit.network.weights[0][0].numpy())

    def test_a_session_and_what_has_one_need_no_problem(self):
        class Widget:
            def __init__(self, session: Session) -> None:
                self.session = session

        pursuit = NeuronPursuit(PROBLEM, hidden_layers=1, starts=5, max_additions=0)
        with Session(pursuit) as session:
            session.resume()
            session.wait()
            for source in (session, Widget(session)):
                figure = plots.overview(source)
                rows = ys(figure.axes[1].get_lines()[1])
                np.testing.assert_array_equal(rows, session.frame.weights[0][0])
            with pytest.raises(RuntimeError, match="a Session drives it"):
                plots.loss(pursuit)

    @pytest.mark.parametrize("draw", [*SIMPLE.values(), plots.function, plots.overview])
    @pytest.mark.parametrize("source", [None, 3, "frame", PROBLEM, np.ones(3)], ids=str)
    def test_anything_else_is_refused(self, draw: Callable[[Any], Figure], source: Any):
        with pytest.raises(TypeError, match=r"^source must be a NeuronPursuit, a session or widget of one, or a frame"):
            draw(source)

    @pytest.mark.parametrize("draw", [plots.function, plots.overview])
    def test_a_frame_needs_a_problem_that_fits(self, draw: Callable[..., Figure]):
        with pytest.raises(ValueError, match=r"^problem must be given with a frame"):
            draw(FRAME)
        with pytest.raises(ValueError, match=r"^problem must have as many inputs .* \(4, 1\), got \(20, 1\)"):
            draw(FRAME, problems.kumar_haupt(10))
        with pytest.raises(TypeError, match=r"^problem must be a Problem, got"):
            draw(FRAME, 3)


def test_a_notebook_shows_a_figure_though_pyplot_never_hears_of_it():
    # In a process of its own, as other tests may import pyplot.
    program = """
import sys
from IPython.core.formatters import DisplayFormatter
from tests.test_plots import FRAME, plots
data, metadata = DisplayFormatter().format(plots.loss(FRAME))
assert data["image/png"].startswith(b"\\x89PNG"), data
assert metadata["image/png"] == {"width": 600, "height": 320}, metadata
assert "matplotlib.pyplot" not in sys.modules
"""
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_figures_follow_the_style_of_the_user():
    with mpl.rc_context({"text.color": "#abcdef", "axes.facecolor": "#123456"}):
        axes = only_axes(plots.architecture(FRAME))
    nodes = [c for c in axes.collections if isinstance(c, PathCollection) and c.get_zorder() == 3]
    faces = [color[:3] for c in nodes for color in np.asarray(c.get_facecolor())]
    rims = [color[:3] for c in nodes for color in np.asarray(c.get_edgecolor())]
    assert any(np.allclose(face, to_rgb("#123456")) for face in faces)
    assert all(np.allclose(rim, to_rgb("#abcdef")) for rim in rims)


@pytest.mark.parametrize("tex", [False, True])
@pytest.mark.parametrize("name", ["$x^$", "cost $x_{ and $y", r"50 % \frac & _a^b #"])
def test_any_name_is_shown_as_it_is(name, tex, tmp_path):
    problem = problems.sparse_parity(4, 2, samples=40, test_samples=40)
    problem.name = name
    with mpl.rc_context({"text.usetex": tex}):
        figure = plots.overview(FRAME, problem)
        figure.savefig(tmp_path / "picture.png", dpi=30)
    assert (tmp_path / "picture.png").stat().st_size > 0
    assert figure.get_suptitle().startswith(f"{name} · ")


def test_no_weight_is_written_as_minus_zero():
    weights = (WEIGHTS[0], np.array([[1.0, -1e-9, -0.004, -0.006]]))
    frame = dataclasses.replace(FRAME, weights=weights, added=())
    written = [text.get_text() for text in plots.weights(frame).findobj(mpl.text.Text)]
    (line,) = [line for text in written for line in text.splitlines() if "W₂" in line]
    assert "[1.00, 0.00, 0.00, −0.01]" in line
