"""The public plots: from whatever they are given to figures of any size, in the user's style, that can be saved."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from html import escape
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

import np_widgets as npw
from np_widgets import plots, problems
from np_widgets.learning.engine import Engine
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.saddles.frames import SaddleFrame
from np_widgets.pictures.looks import COLORS
from np_widgets.pictures.loss import loss as _loss
from np_widgets.plots import style
from np_widgets.sessions.session import Session
from tests.saddle_frames import at_the_origin, at_the_start, between_saddles, near_a_saddle
from tests.test_pictures import TEACHER, frame
from tests.test_scenes import GROWN as FRAME

EMPTY = dataclasses.replace(frame(), message="Ready.")
LADDER = between_saddles()
PROBLEM = problems.sparse_parity(4, 2, samples=40, test_samples=40)
SIMPLE: dict[str, Callable[..., Figure]] = {
    "architecture": plots.architecture,
    "weights": plots.weights,
    "loss": plots.loss,
    "candidates": plots.candidates,
}
OF_A_PURSUIT: dict[str, Callable[..., Figure]] = {
    **SIMPLE,
    "function": lambda source, **more: plots.function(source, PROBLEM, **more),
    "overview": lambda source, **more: plots.overview(source, PROBLEM, **more),
}
OF_A_FLOW: dict[str, Callable[..., Figure]] = {
    "norms": plots.norms,
    "directions": plots.directions,
    "plateaus": plots.plateaus,
    "saddle_weights": plots.saddle_weights,
    "saddle_overview": plots.saddle_overview,
}
DRAWN: dict[str, Any] = {name: (draw, FRAME) for name, draw in OF_A_PURSUIT.items()}
DRAWN |= {name: (draw, LADDER) for name, draw in OF_A_FLOW.items()}
every_plot = pytest.mark.parametrize(("draw", "source"), DRAWN.values(), ids=DRAWN)


def cells_of(figure: Figure) -> np.ndarray:
    (cells,) = (c for c in figure.axes[0].collections if isinstance(c, QuadMesh))
    return np.asarray(cells.get_array()).reshape(-1)


def said(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@every_plot
def test_figures_are_saved_in_every_format(draw, source, tmp_path: Path):
    figure = draw(source)
    for suffix, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        path = tmp_path / f"picture.{suffix}"
        figure.savefig(path, dpi=40)
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("source", [EMPTY, at_the_start(0), at_the_start(1), at_the_origin(3)])
def test_there_is_a_figure_before_anything_happened(source, tmp_path: Path):
    plots_of_it = OF_A_FLOW if isinstance(source, SaddleFrame) else OF_A_PURSUIT
    for draw in plots_of_it.values():
        figure = draw(source)
        figure.savefig(tmp_path / "picture.png", dpi=20)
        assert figure.axes


def test_pdf_has_no_fonts_that_journals_refuse(tmp_path: Path):
    plots.loss(FRAME).savefig(tmp_path / "loss.pdf")
    content = (tmp_path / "loss.pdf").read_bytes()
    assert b"/Type3" not in content
    assert b"/FontFile2" in content


def test_files_and_notebooks_hold_in_words_what_is_seen(tmp_path: Path):
    figure: Any = plots.overview(FRAME, PROBLEM)
    wanted = str(_loss(FRAME))
    assert wanted in figure.description
    assert figure.description.startswith("parity of 2 of 4 inputs · ReLU")
    assert figure._repr_png_()[1]["alt"] == figure.description
    alone: Any = plots.loss(FRAME)
    for suffix in ("png", "svg", "pdf"):
        alone.savefig(tmp_path / f"loss.{suffix}")
    with Image.open(tmp_path / "loss.png") as image:
        assert image.info["Description"] == wanted
    assert escape(wanted) in (tmp_path / "loss.svg").read_text(encoding="utf-8")
    assert b"/Subject" in (tmp_path / "loss.pdf").read_bytes()
    alone.clear()
    assert alone.description == ""


def test_a_notebook_keeps_the_words_of_a_plot_also_after_pyplot_has_been_used(monkeypatch):
    import IPython
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.pylabtools import select_figure_formats

    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    select_figure_formats(shell, {"png"})  # as pyplot's first figure does
    plot: Any = plots.loss(FRAME)
    data, about = shell.display_formatter.format(plot)
    assert data["image/png"][:4] == b"\x89PNG"
    assert about["image/png"]["alt"] == plot.description
    other = Figure()
    other.add_subplot()
    assert "image/png" in shell.display_formatter.format(other)[0]


def test_inputs_and_outputs_have_their_names_wherever_they_are_known():
    problem = npw.Problem(np.eye(4), np.arange(4), input_names=["age", "bmi", "bp", "s1"], output_names=["gain"])
    pursuit = NeuronPursuit(problem, 1, starts=2, max_steps=10)
    pursuit.run(max_additions=0)
    session = Session(pursuit)
    for source in (npw.pursue_many([problem], hidden_layers=1, starts=2, max_steps=10, max_additions=0)[0], session):
        assert {"bmi", "gain"} <= set(said(plots.architecture(source)))
        assert "bmi" in [text.get_text() for text in plots.weights(source).axes[0].get_xticklabels()]
    session.close()
    assert pursuit.network is not None
    flow = npw.SaddleFlow(pursuit.network, problem, dormant=(1,), polish=True, starts=2)
    assert "bmi" in [text.get_text() for text in plots.saddle_weights(flow).axes[0].get_xticklabels()]


@every_plot
def test_it_has_the_size_that_was_asked_for_and_says_what_its_arguments_are(draw, source):
    assert draw(source, size=(7.0, 5.0)).get_size_inches().tolist() == [7.0, 5.0]
    for name in plots.__all__:
        function = getattr(plots, name)
        for argument in inspect.signature(function).parameters:
            assert re.search(rf"\n(\*|\w+, )?{argument}(, \w+)?\n    ", inspect.getdoc(function))
        assert "Raises" in function.__doc__


@pytest.mark.parametrize(
    ("wrong", "error"), [(3, TypeError), ("large", TypeError), ((1, 2, 3), TypeError), ((0, 3), ValueError)]
)
def test_a_wrong_size_is_refused(wrong, error):
    with pytest.raises(error, match="size must be"):
        plots.loss(FRAME, size=wrong)


def test_it_draws_on_axes_of_the_user():
    figure = style.figure(8.0, 4.0)
    left, right = figure.subplots(1, 2)
    assert plots.loss(FRAME, ax=left) is figure
    plots.norms(LADDER, ax=right)
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["Loss", "Norms: dormant weights grow"]
    with pytest.raises(TypeError, match="ax must be matplotlib axes or None, got 3"):
        plots.loss(FRAME, ax=3)  # type: ignore[arg-type]


def test_pictures_side_by_side_do_not_run_into_each_other():
    for figure in (
        plots.overview(FRAME, PROBLEM),
        plots.saddle_overview(LADDER),
        plots.saddle_overview(near_a_saddle()),
    ):
        figure.draw_without_rendering()
        boxes = [(axes.get_position().bounds, axes.get_tightbbox()) for axes in figure.axes]
        for (place, one), (other_place, other) in combinations(boxes, 2):
            assert one is not None
            assert other is not None
            # Both vertical axes of one picture share its place.
            assert place == other_place or not one.padded(-2).overlaps(other.padded(-2))


def test_overviews_have_all_and_say_what_they_show():
    figure = plots.overview(FRAME, PROBLEM)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    wanted = {"Architecture", "Weights W₁", "Function: learned and true", "Loss", "Candidates"}
    assert wanted <= set(titles)
    assert figure.texts[0].get_text() == (
        "parity of 2 of 4 inputs · ReLU · hidden widths (4, 2) · loss 10⁻⁵ · test loss 2×10⁻⁵"
    )
    figure = plots.saddle_overview(LADDER, layer=2)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert {"Norms: dormant weights grow", "Loss: plateaus at saddles", "Weights W₂"} <= set(titles)
    assert figure.texts[0].get_text() == (
        "saddle with hidden widths (1, 1) · (3, 2) dormant neurons · ReLU · δ = 0.001 · gradient flow · seed 0\n"
        "Near the saddle: time 5 of about 10."
    )
    assert plots.saddle_overview(at_the_origin()).texts[0].get_text().startswith("origin · (3, 3) dormant neurons")


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


class Widget:
    def __init__(self, session: Session) -> None:
        self.session = session


class TestSources:
    def test_a_pursuit_a_session_and_what_has_one_need_no_problem(self):
        pursuit = NeuronPursuit(PROBLEM, hidden_layers=1, starts=5)
        pursuit.run(max_additions=0)
        assert pursuit.network is not None
        first = pursuit.network.weights[0].numpy().ravel()
        shares = first / np.abs(first).max()
        np.testing.assert_allclose(cells_of(plots.weights(pursuit)), shares, atol=1e-3)
        plots.overview(pursuit)
        with Session(pursuit) as session:
            for source in (session, Widget(session)):
                np.testing.assert_allclose(cells_of(plots.weights(source)), shares, atol=1e-3)
                plots.overview(source)
            with pytest.raises(RuntimeError, match="a Session drives it"):
                plots.loss(pursuit)

    def test_a_flow_a_session_and_what_has_one(self):
        engine = Still()
        wanted = said(plots.plateaus(LADDER))
        assert said(plots.plateaus(engine)) == wanted
        with Session(engine) as session:
            for source in (session, Widget(session)):
                assert said(plots.plateaus(source)) == wanted
            with pytest.raises(RuntimeError, match="a Session drives it"):
                plots.norms(engine)

    def test_a_network(self):
        network = npw.HomogeneousNetwork(TEACHER)
        assert set(said(plots.architecture(network))) >= {"x₁", "4", "y", "layer 2: 2"}
        np.testing.assert_allclose(cells_of(plots.weights(network, 3)), [1, -0.5], atol=1e-3)
        problem = problems.kumar_haupt(20)
        with pytest.raises(ValueError, match="problem must be given with a frame or a network"):
            plots.function(network)
        with pytest.raises(ValueError, match=r"^problem must have as many inputs .* \(4, 1\), got \(20, 1\)"):
            plots.function(network, problem)
        assert plots.function(network, PROBLEM).axes

    def test_results_and_ensembles(self):
        many = npw.pursue_many([0, 1], PROBLEM, hidden_layers=1, starts=5, max_additions=1, threads=1)
        losses = [number for number in said(plots.loss(many[0])) if number not in ("1", "2")]
        assert len(losses) == len(many[0].growth)
        assert plots.loss(many).axes[0].get_title(loc="left") == "Loss of 2 pursuits"
        for draw in (plots.architecture, plots.weights, plots.candidates, plots.function, plots.overview):
            assert draw(many[1]).axes

    @pytest.mark.parametrize("draw", [*SIMPLE.values(), plots.function, plots.overview])
    @pytest.mark.parametrize("source", [None, "frame", PROBLEM, LADDER, Still()], ids=lambda s: type(s).__name__)
    def test_anything_else_is_no_pursuit(self, draw, source: Any):
        with pytest.raises(TypeError, match=r"^source must be a NeuronPursuit, a session or widget of one, or a frame"):
            draw(source)

    @pytest.mark.parametrize("draw", OF_A_FLOW.values(), ids=OF_A_FLOW)
    @pytest.mark.parametrize("source", [None, np.ones(3), FRAME], ids=lambda s: type(s).__name__)
    def test_anything_else_is_no_flow(self, draw, source):
        with pytest.raises(
            TypeError, match=r"^source must be a SaddleFlow, a session or widget of one, or a frame, got"
        ):
            draw(source)

    @pytest.mark.parametrize("draw", [plots.function, plots.overview])
    def test_a_frame_needs_a_problem_that_fits(self, draw: Callable[..., Figure]):
        with pytest.raises(ValueError, match=r"^problem must be given with a frame"):
            draw(FRAME)
        with pytest.raises(ValueError, match=r"^problem must have as many inputs .* \(4, 1\), got \(20, 1\)"):
            draw(FRAME, problems.kumar_haupt(10))
        with pytest.raises(TypeError, match=r"^problem must be a Problem, got"):
            draw(FRAME, 3)

    def test_a_layer_or_output_that_does_not_exist_is_refused(self):
        for draw, source in ((plots.weights, FRAME), (plots.saddle_weights, LADDER), (plots.directions, LADDER)):
            with pytest.raises(ValueError, match="layer must be an integer from 1 to"):
                draw(source, layer=9)
        with pytest.raises(ValueError, match="output must be an integer from 0 to 0, got 1"):
            plots.function(FRAME, PROBLEM, output=1)


@pytest.mark.parametrize("dark", [False, True])
def test_figures_follow_the_style_of_the_user(dark):
    paper, ink = ("#101418", "#abcdef") if dark else ("#fffff0", "#012345")
    with mpl.rc_context({"text.color": ink, "axes.facecolor": paper, "font.size": 16.0}):
        axes = plots.architecture(FRAME).axes[0]
    assert {text.get_color() for text in axes.texts if text.get_text() in ("x₁", "y")} == {ink}
    assert paper in {text.get_color() for text in axes.texts}  # the numbers on neurons
    lines = [each for each in axes.collections if isinstance(each, LineCollection)]
    edges = {tuple(np.round(to_rgb(color), 3)) for c in lines for color in np.asarray(c.get_edgecolor())[:, :3]}
    assert edges == {tuple(np.round(to_rgb(COLORS[name][dark]), 3)) for name in ("blue", "orange")}
    assert axes.get_title(loc="left") == "Architecture"
    assert min(float(text.get_fontsize()) for text in axes.texts) >= 16.0 * style.SMALL * 0.8


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


@pytest.mark.filterwarnings("error")
def test_who_looks_at_a_part_sees_ticks_and_nothing_from_outside(tmp_path):
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    pursuit = npw.NeuronPursuit(problem, starts=5, max_steps=400)
    pursuit.run(2)
    figure = npw.plots.loss(pursuit)
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    axes.set_xlim(low + 0.45 * (high - low), low + 0.48 * (high - low))
    figure.savefig(tmp_path / "part.png", bbox_inches="tight")
    assert figure.get_tightbbox().width < 1.2 * figure.get_size_inches()[0]
    assert len(axes.get_xticks()) > 1
    assert all(label.get_text() for label in axes.get_xticklabels())
