"""Scenes: what they are made of, and both ways to draw them; one test of each renderer for all pictures there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from typing import Any

import bqplot
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.growth import Finish, PursuitFrame
from np_widgets.pictures.alignment import alignment
from np_widgets.pictures.architecture import architecture
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.choice import choice
from np_widgets.pictures.function import function
from np_widgets.pictures.labels import number
from np_widgets.pictures.looks import COLORS, LOOKS, NEURONS
from np_widgets.pictures.loss import loss
from np_widgets.pictures.norms import norms
from np_widgets.pictures.own import own
from np_widgets.pictures.plane import plane
from np_widgets.pictures.plateaus import plateaus
from np_widgets.pictures.probe import probe
from np_widgets.pictures.scene import (
    Axis,
    Cells,
    Curve,
    Dots,
    Edges,
    Mark,
    Scene,
    Shades,
    Texts,
    apart,
    boxes,
    joined,
    upright,
)
from np_widgets.pictures.selection import highlighted, with_share
from np_widgets.pictures.trial import Draft
from np_widgets.pictures.weights import saddle_weights, weights
from np_widgets.plots import style
from np_widgets.plots.render import draw
from np_widgets.problems import Display, Problem, sparse_parity, two_moons
from np_widgets.widgets.render import Choice, Panel, Picture
from np_widgets.widgets.tree import close_tree
from tests.saddle_frames import at_the_origin, at_the_start, between_saddles, near_a_saddle
from tests.test_pictures import TEACHER, frame, record

GROWN = frame(
    TEACHER,
    iteration=3,
    added=((1, 3),),
    loss=1e-5,
    test_loss=2e-5,
    step=100,
    total_steps=700,
    trace_steps=np.linspace(0, 700, 8),
    trace_losses=np.logspace(1, -5, 8),
    growth=(record(0, 0, 400, 0.6), record(2, 400, 200, 0.4, 0.1)),
    candidates=(Candidate(1, 0.5, 1e-9, 0.3, 0.0), Candidate(2, 0.3, 0.1), Candidate(1, 0.2, 1e-2, 0.02, 0.0)),
    taken=2,
)
MOONS, CLUSTERS = two_moons(40), Problem(np.eye(4), [0, 1, 2, 3], "cross_entropy")
VALUES = Problem(np.random.default_rng(0).normal(size=(30, 2)), np.arange(30.0))
THREE = Problem(np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 3, "cross_entropy")


def one_layer(*matrices: Any) -> PursuitFrame:
    weights = tuple(np.array(each, dtype=float) for each in matrices)
    return dataclasses.replace(GROWN, weights=weights, hidden_layers=1, added=())


def judged(problem: Problem, *matrices: Any) -> Scene:
    """The choice of a candidate for a network."""
    made = one_layer(*matrices)
    factors = (np.ones((1, problem.input_size)) / 2, np.ones((problem.output_size, 1)) / 2)
    candidate = Candidate(1, 0.5, 0.0, factors=factors, network=made.weights)
    return choice(dataclasses.replace(made, candidates=(candidate,), taken=0), probe(problem))


LINE = Problem(np.linspace(-1, 1, 9)[:, None], np.linspace(-1, 1, 9) ** 2)
SQUARES = Problem(np.eye(7), np.arange(7.0), display=Display("scatter", image=(2, 3)))
PIXELS = dataclasses.replace(one_layer(np.arange(21.0).reshape(3, 7) - 10, [[1.0, -1, 1]]), added=((1, 2),))
LADDER = between_saddles()
SCENES: dict[str, Callable[[], Scene]] = {
    "architecture": lambda: architecture(GROWN),
    "weights": lambda: weights(GROWN),
    "one weight": lambda: weights(one_layer([[2.0]], [[1.0]])),
    "images": lambda: weights(PIXELS, probe=probe(SQUARES)),
    "selected image": lambda: highlighted(weights(PIXELS, probe=probe(SQUARES)), ("neuron", 1, 1)),
    "loss": lambda: loss(GROWN),
    "loss at its target": lambda: loss(dataclasses.replace(GROWN, finished=Finish("target", "Met."))),
    "one loss": lambda: loss(frame(TEACHER, trace_steps=np.zeros(1), trace_losses=np.ones(1))),
    "candidates": lambda: candidates(GROWN),
    "choice": lambda: judged(CLUSTERS, np.eye(4), np.eye(4)),
    "a neuron of one's own": lambda: own(
        GROWN, probe(sparse_parity(4, 2, samples=20)), Draft(1, (1.0, -0.5, 0.0, 0.2))
    ),
    "choice over one input": lambda: judged(LINE, [[1.0]], [[1.0]]),
    "choice over two inputs": lambda: judged(VALUES, [[1, 0], [-1, 0]], [[1, 1]]),
    "vertices": lambda: function(GROWN, probe(sparse_parity(4, 2, samples=20))),
    "curve": lambda: function(one_layer([[1.0]], [[1.0]]), probe(Problem(np.arange(9.0)[:, None], np.arange(9.0)))),
    "two classes": lambda: function(one_layer([[0, 1, 0], [0, -1, 0]], [[1, -1], [0, 0]]), probe(MOONS)),
    "three classes": lambda: function(one_layer([[1, 0], [0, 1]], [[1, 0], [0, 1], [-1, -1]]), probe(THREE)),
    "values": lambda: function(one_layer([[1, 0], [-1, 0]], [[1, 1]]), probe(VALUES)),
    "selected edges": lambda: highlighted(architecture(GROWN), ("neuron", 1, 0)),
    "selected frame": lambda: highlighted(weights(GROWN), ("neuron", 1, 0)),
    "selected candidate": lambda: highlighted(candidates(GROWN), ("candidate", 0)),
    "share": lambda: with_share(
        function(one_layer([[1, 0], [-1, 0]], [[1, 1]]), probe(VALUES)),
        one_layer([[1, 0], [-1, 0]], [[1, 1]]),
        probe(VALUES),
        ("neuron", 1, 0),
        0,
    ),
    "confusion": lambda: function(one_layer(np.eye(4), np.roll(np.eye(4), 1, axis=0)), probe(CLUSTERS)),
    "nothing": lambda: architecture(frame()),
    "norms": lambda: norms(LADDER, 20),
    "norms at the start": lambda: norms(at_the_start()),
    "alignment": lambda: alignment(LADDER),
    "plane": lambda: plane(near_a_saddle()),
    "plateaus": lambda: plateaus(LADDER, 20),
    "saddle weights": lambda: saddle_weights(LADDER, layer=2),
    "origin": lambda: saddle_weights(at_the_origin()),
}
every_scene = pytest.mark.parametrize("make", SCENES.values(), ids=SCENES)


class TestScenes:
    @every_scene
    def test_it_says_in_words_what_is_seen(self, make):
        scene = make()
        assert str(scene).startswith(f"{scene.title}. ")
        assert scene.says or scene.empty
        assert all(note in str(scene) for note in scene.notes)
        assert bool(scene.marks) != bool(scene.empty)

    @every_scene
    def test_marks_hold_floats_and_what_can_be_read_of_each(self, make):
        for mark in make().marks:
            assert mark.x.dtype == mark.y.dtype == np.float64
            assert mark.role in LOOKS
            assert len(mark.keys) in (0, 1, len(mark.y if isinstance(mark, Cells) else mark.x))
            assert len(mark.tints) in (0, 1, len(mark.x))
            for name in ("reads", "texts"):
                own = getattr(mark, name, ())
                if not isinstance(mark, Cells) and own:
                    assert len(own) == len(mark.x)

    @every_scene
    def test_the_legend_names_each_look_once(self, make):
        scene = make()
        labels = [label for label, _ in scene.legend]
        assert len(set(labels)) == len(labels)
        # What differs in color differs in dash, marker, width or fill too.
        looks = {dataclasses.replace(look, color="", opacity=1.0) for _, look in scene.legend}
        assert len(looks) == len(labels)

    def test_a_legend_has_only_what_is_there(self):
        there, absent = Curve("learned", [0, 1], [0, 1], "there"), Curve("truth", [], [], "absent")
        assert [label for label, _ in Scene("", (there, absent)).legend] == ["there"]
        assert "learned" in Scene("", (there,))
        assert "truth" not in Scene("", (absent,))

    @pytest.mark.parametrize("dark", [0, 1])
    def test_colors_stand_out_from_the_page(self, dark):
        def light(color: str) -> float:
            parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
            return float(np.dot(parts, (0.2126, 0.7152, 0.0722)))

        page = light(COLORS["surface"][dark])
        for name in ("blue", "orange", "green", "pink", "brown", "muted", "text", *NEURONS):
            one, other = sorted((page, light(COLORS[name][dark])))
            # Letters of the color of the page are written on neurons.
            assert (other + 0.05) / (one + 0.05) > (4.5 if name in NEURONS else 3.3), name

    def test_curves_are_joined_with_gaps_and_without_one_at_the_end(self):
        x, y = joined([([0, 1], [2, 3]), ([], []), ([4], [5])])
        assert (x[0], x[1], x[-1]) == (0, 1, 4)
        assert np.isnan(y).tolist() == [False, False, True, False]
        assert joined([])[0].shape == (0,)
        x, y = upright([1, 2], 0, [3, 4])
        assert y[np.isfinite(y)].tolist() == [0, 3, 0, 4]
        x, y = boxes([0, 1], [1, 2], 0, 5)
        assert x.shape == y.shape == (2, 5)

    @given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 9)), max_size=30).map(sorted), st.floats(0.1, 4))
    def test_labels_that_are_kept_do_not_cover_each_other_and_the_last_is_kept(self, found, letter):
        places, texts = [place for place, _ in found], ["0" * letters for _, letters in found]
        kept = apart(places, texts, letter)
        assert kept == sorted(kept)
        ends = [
            (places[each] - letter * len(texts[each]) / 2, places[each] + letter * len(texts[each]) / 2)
            for each in kept
        ]
        assert all(one[1] < other[0] for one, other in pairwise(ends))
        assert not places or kept[-1] == len(places) - 1

    def test_letters_on_dark_cells_are_light(self):
        shades = Shades(("#000000", "#ffffff"), 0.0, 1.0)
        assert shades.dark(np.array([0.0, 0.1, 0.8, 1.0])).tolist() == [True, True, False, False]


@pytest.fixture
def panel() -> Iterator[Callable[[Scene], Panel]]:
    made: list[Panel] = []

    def drawn(scene: Scene) -> Panel:
        made.append(Panel(Picture(lambda shown, _: shown)))
        made[-1].show(scene)
        return made[-1]

    yield drawn
    for each in made:
        close_tree(each.box)


def seen(drawn: Panel) -> list[bqplot.Mark]:
    return [mark for mark in drawn.figure.marks if mark.visible]


def places(values: Any) -> list[float]:
    """All numbers there are, in order."""
    flat = np.ravel(np.asarray(values, dtype=float))
    return sorted(np.round(flat[np.isfinite(flat)], 9).tolist())


class TestWidgets:
    @every_scene
    def test_every_mark_is_drawn_where_it_is(self, panel, make):
        scene = make()
        drawn = panel(scene)
        for mark in scene.marks:
            axis = scene.right if mark.right else scene.y
            y = np.log10(mark.y) if axis.log else mark.y
            keys = [key for key in drawn._marks if key[0] == mark.role and key[1].endswith(" right") == mark.right]
            own = [drawn._marks[key] for key in keys]
            assert own, mark.role
            if isinstance(mark, Cells) and 1 in mark.values.shape:
                continue  # drawn as two halves
            heights = [place for each in own for place in places(each.y)]
            assert set(places(y)) <= set(heights) | {round(place, 9) for place in heights}
            for each in own:
                side = "right" if mark.right else "y"
                assert each.scales["y"] is drawn._scales[side]
                assert each.x.dtype == each.y.dtype == np.float64

    @every_scene
    def test_nothing_else_is_seen_and_lines_end_with_a_point(self, panel, make):
        scene = make()
        roles = {mark.role for mark in scene.marks}
        drawn = panel(scene)
        for (role, _), mark in drawn._marks.items():
            assert role in roles
            # bqplot writes a label at the last point of a line: in a gap it would complain.
            assert not np.isnan(np.asarray(mark.y, dtype=float).ravel()[-1:]).any()
        order = [LOOK_ORDER[key[0]] for mark in drawn.figure.marks for key in drawn._marks if drawn._marks[key] is mark]
        assert order == sorted(order)
        head, legend, _, note = drawn.box.children
        assert f'aria-level="3">{scene.title}<' in head.children[0].value
        for label, _ in scene.legend:
            assert f">{label}</span>" in legend.value
        assert all(text in note.value for text in (scene.empty, *scene.notes))

    def test_only_what_has_changed_is_sent_and_what_has_gone_is_hidden(self, panel, monkeypatch):
        drawn = panel(loss(GROWN))
        sent: list[tuple[Any, set[str]]] = []
        monkeypatch.setattr(
            "ipywidgets.Widget._send", lambda self, msg, buffers=None: sent.append((self, set(msg["state"])))
        )
        drawn.show(loss(GROWN))
        assert sent == []
        changed = dataclasses.replace(GROWN, loss=1.5e-5, trace_losses=GROWN.trace_losses * 1.5)
        before = drawn._marks["learned", "curve"].y
        drawn.show(loss(changed))
        assert drawn._marks["learned", "curve"].y is not before
        assert {"y"} in [names for mark, names in sent if mark is drawn._marks["learned", "curve"]]
        assert not any("x" in names for _, names in sent)
        drawn.show(Scene("Loss", empty="No step taken yet"))
        assert seen(drawn) == []
        assert not any(axis.visible for axis in drawn.figure.axes)
        assert "No step taken yet" in drawn.box.children[3].value

    def test_a_point_without_neighbors_is_a_dot(self, panel):
        """A line of no length could not be seen."""
        x = np.arange(7.0)
        heights = {0: [True, False, True, True, False, False, True], 6: [True] + 6 * [False]}
        for last, known in heights.items():
            mark = Curve("each", x, np.where(known, x, np.nan), "each")
            drawn = panel(Scene("One", (mark,), Axis(high=9), Axis(high=9)))
            assert drawn._marks["each", "alone"].x.tolist() == ([0.0, 6.0] if last == 0 else [0.0])
            assert drawn._marks["each", "alone"].marker == "circle"
            assert (("each", "curve") in drawn._marks) == (last == 0)
            figure = style.figure(4, 3)
            draw(figure.subplots(), Scene("One", (mark,), Axis(high=9), Axis(high=9)))
            dots = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
            assert [places(line.get_xdata()) for line in dots] == [drawn._marks["each", "alone"].x.tolist()]

    def test_an_area_is_as_dark_as_its_legend(self, panel):
        """What bqplot fills has both opacities of a line."""
        shown_areas = 0
        for make in SCENES.values():
            drawn = panel(make())
            for (role, part), mark in drawn._marks.items():
                if part == "area":
                    shown_areas += 1
                    assert mark.opacities[0] * mark.fill_opacities[0] == LOOKS[role].opacity
        assert shown_areas

    def test_a_figure_keeps_its_height(self, panel):
        # One that grows out of sight is not laid out anew.
        drawn = panel(Scene("Loss", empty="Nothing yet"))
        height = drawn.figure.layout.height
        assert height
        drawn.show(loss(GROWN))
        assert drawn.figure.layout.height == height
        drawn.show(Scene("Loss", empty="Nothing any more"))
        assert drawn.figure.layout.height == height

    def test_ticks_are_found_by_the_browser(self, panel):
        for low, high, log in ((0.0, 0.3, False), (0.0, 2e-5, False), (-4.0, 12300.0, False), (0.02, 0.9, True)):
            axis = Axis("y", low, high, log)
            (_, y, _) = panel(Scene("", (Curve("learned", [0, 1], [low, high]),), y=axis)).figure.axes
            assert len(y.tick_values) == len(y.tick_labels) == len(axis.all_ticks) > 2
            for place, key in zip(y.tick_values.tolist(), y.tick_labels, strict=True):
                assert float(key) == place
                # As JavaScript writes numbers: no trailing zero, exponents from 1e-7 on.
                assert not key.endswith(".0")
                assert ("e" in key) == (0 < abs(place) < 1e-6)

    def test_pointers_read_what_marks_mean(self, panel):
        drawn = panel(candidates(GROWN))
        chosen = drawn._marks["taken", "dots"]
        assert chosen.names.tolist() == ["layer 1: unconverged, N = 0.2, residual 0.01, look-ahead 0.02"]
        assert chosen.tooltip.fields == ["name"]
        assert not chosen.display_names

    def test_a_choice_is_offered_and_followed(self):
        wanted: list[int | None] = []
        changes: list[int] = []
        choice = Choice("Layer", "Which", lambda shown: [("one", 1), ("two", 2)][:shown])
        picture = Picture(lambda shown, value: wanted.append(value) or Scene("", empty="-"), choice=choice)  # type: ignore[func-returns-value]
        made = Panel(picture, lambda: changes.append(1))
        made.show(1)
        made.show(2)
        assert made._chooser is not None
        made._chooser.box.children[0].value = 2
        made.show(2)
        made.show(1)
        assert (wanted, changes) == ([None, 1, 2, None], [1])
        close_tree(made.box)

    def test_what_it_depends_on_alone_makes_it_draw_again(self):
        drawn: list[int] = []
        picture = Picture(lambda shown, _: Scene(f"{drawn.append(shown)}", empty="-"), of=lambda shown: shown // 10)  # type: ignore[func-returns-value]
        made = Panel(picture)
        for shown in (1, 2, 11, 12, 3):
            made.show(shown)
        assert drawn == [1, 11, 3]
        close_tree(made.box)

    def test_circles_are_round(self, panel):
        drawn = panel(plane(near_a_saddle()))
        assert drawn.figure.layout.width == drawn.figure.layout.height
        assert (drawn._scales["x"].min, drawn._scales["x"].max) == (drawn._scales["y"].min, drawn._scales["y"].max)


LOOK_ORDER = {role: place for place, role in enumerate(LOOKS)}


def axes_of(scene: Scene, width: float = 5.0, height: float = 3.5) -> list[Axes]:
    figure = style.figure(width, height)
    draw(figure.subplots(), scene)
    return figure.axes


def points_of(axes: list[Axes]) -> np.ndarray:
    """All points of lines, markers and collections."""
    found = [np.asarray(line.get_xydata(), dtype=float) for each in axes for line in each.get_lines()]
    for each in axes:
        for collection in each.collections:
            if isinstance(collection, PathCollection):
                found.append(np.asarray(collection.get_offsets(), dtype=float))
            elif isinstance(collection, LineCollection):
                found += [np.asarray(segment, dtype=float) for segment in collection.get_segments()]
    return np.concatenate([points for points in found if len(points)] or [np.zeros((0, 2))])


class TestPlots:
    @every_scene
    def test_every_mark_is_drawn_where_it_is(self, make):
        scene = make()
        axes = axes_of(scene)
        (own_right,) = [each for each in axes if each.get_ylabel() == scene.right.label] if scene.right else (axes[0],)
        for mark in scene.marks:
            if not mark.look.opacity:
                continue  # for a pointer
            if isinstance(mark, (Curve, Dots, Edges)):
                drawn = points_of([own_right if mark.right else axes[0]])
                points = {tuple(np.round(point, 9)) for point in drawn.tolist() if np.isfinite(point).all()}
                own = np.stack([np.ravel(mark.x), np.ravel(mark.y)], axis=-1)
                assert {tuple(np.round(point, 9)) for point in own[np.isfinite(own).all(axis=1)].tolist()} <= points
            elif isinstance(mark, Texts):
                written = {(text.get_text(), *getattr(text, "xy", ())) for each in axes for text in each.texts}
                assert {*zip(mark.texts, mark.x, mark.y, strict=True)} <= written
            elif isinstance(mark, Cells):
                (cells,) = (c for c in axes[0].collections if isinstance(c, QuadMesh))
                np.testing.assert_array_equal(np.asarray(cells.get_array()).ravel(), mark.values.ravel())

    @every_scene
    def test_axes_legend_and_notes_are_those_of_the_scene(self, make):
        scene = make()
        axes = axes_of(scene)[0]
        assert axes.get_title(loc="left").replace("\n", " ") == scene.title
        legend = axes.get_legend()
        assert [text.get_text() for text in legend.get_texts()] if legend else [la for la, _ in scene.legend] == []
        if scene.empty:
            assert axes.texts[0].get_text().replace("\n", " ") == scene.empty
            return
        assert axes.get_xlim() == (scene.x.low, scene.x.high)
        ends = (scene.y.low, scene.y.high)
        assert axes.get_ylim() == pytest.approx(ends[::-1] if scene.y.reverse else ends)
        assert (axes.get_yscale() == "log") == scene.y.log
        words = axes.get_xlabel().split()
        assert all(word in words for note in scene.notes for word in note.split())

    @every_scene
    @pytest.mark.parametrize("size", [(5.0, 3.5), (3.3, 2.2)])
    def test_nothing_covers_anything_or_leaves_the_page(self, make, size):
        axes = axes_of(make(), *size)
        figure = axes[0].get_figure(root=True)
        assert figure is not None
        figure.draw_without_rendering()
        for each in axes:
            legend, tight = each.get_legend(), each.get_tightbbox()
            if legend is not None:
                assert legend.get_window_extent().y0 >= each.get_window_extent().y1 - 1
                assert legend.get_window_extent().x1 <= figure.bbox.x1 + 1
            assert tight is not None
            assert tight.x0 >= figure.bbox.x0 - 1
            assert tight.y0 >= figure.bbox.y0 - 1
            assert tight.x1 <= figure.bbox.x1 + 1
            assert tight.y1 <= figure.bbox.y1 + 1
            # Little of so small a figure is left to its data, but more than nothing.
            assert each.get_window_extent().height > 0.3 * figure.bbox.height
        assert covered(figure) == []

    def test_a_text_that_would_cover_another_is_left_out_and_the_first_stays(self):
        words = Texts("words", [0.0, 0.02, 1.0], [0.5, 0.5, 0.5], texts=("the first", "hidden", "far away"))
        (axes,) = axes_of(Scene("Words", (words, Curve("grid", [0, 1], [0, 1]))), 3.3, 2.2)
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.draw_without_rendering()
        seen = {text.get_text() for text in words_of(figure)}
        assert {"the first", "far away"} <= seen
        assert "hidden" not in seen

    def test_what_matters_is_written_on_small_figures_too(self):
        stairs = tuple(record(int(i > 0), 10 * i, 10, None, 0.0305 * 10.0**-i) for i in range(6))
        levels = loss(frame(TEACHER, iteration=6, growth=stairs, step=10, total_steps=60))
        wide = np.random.default_rng(0).normal(size=(12, 24)), np.ones((1, 12))
        for scene, wanted in (
            (levels, [number(each.loss) for each in stairs]),
            (architecture(frame(wide)), [str(index) for index in range(1, 13)]),
        ):
            (axes,) = axes_of(scene, 3.3, 2.2)
            figure = axes.get_figure(root=True)
            assert figure is not None
            figure.draw_without_rendering()
            assert set(wanted) <= {text.get_text() for text in words_of(figure)}


def words_of(figure: Any) -> list[Text]:
    """All texts of a figure that are drawn."""
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    limits = [(axis, sorted(axis.get_view_interval())) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    outside = {
        tick.label1
        for axis, (low, high) in limits
        for tick in axis.get_major_ticks()
        if not low <= tick.get_loc() <= high
    }
    return [text for text in found if getattr(text, "seen", True) and text not in outside and text.figure is not None]


def covered(figure: Any) -> list[tuple[str, str]]:
    """Pairs of texts that cover each other."""
    words = words_of(figure)
    boxes = [text.get_window_extent().padded(-1) for text in words]
    return [
        (words[i].get_text(), words[j].get_text())
        for i, j in combinations(range(len(words)), 2)
        if boxes[i].overlaps(boxes[j])
    ]


class TestSigns:
    def test_signs_have_one_color_in_all_pictures_and_say_so_without_it(self):
        cells = next(c for c in axes_of(weights(GROWN))[0].collections if isinstance(c, QuadMesh))
        for value, role in ((1.0, "positive"), (-1.0, "negative")):
            assert np.allclose(
                cells.cmap(cells.norm(np.array(value)))[:3], to_rgb(COLORS[LOOKS[role].color][0]), atol=0.02
            )
        assert "−" in {text.get_text() for text in axes_of(weights(GROWN))[0].texts}
        assert len(architecture(GROWN)["minus"].x) == sum((matrix < 0).sum() for matrix in TEACHER)


def test_every_role_is_used_or_can_be():
    used: set[str] = {mark.role for make in SCENES.values() for mark in make().marks}
    unused = set(LOOKS) - used
    assert unused <= {
        *(f"class {label}" for label in range(10)),
        *(role for role in LOOKS if role.split()[0] in ("session", "samples")),
        "many", "new negative", "bar", "other bar", "quartiles", "best",
        "in cells", "in dark cells", "other point", "true boundary", "true level", "testing", "training", "diagonal",
        "threshold", "target", "new", "rest", "selected line",
    }  # fmt: skip


def test_a_mark_needs_a_role_with_a_look():
    with pytest.raises(KeyError):
        _ = Mark("no such role", [0], [0]).look
