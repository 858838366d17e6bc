"""Pictures against networks whose picture is known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord, PursuitFrame
from np_widgets.pictures.architecture import MOST_INPUTS, MOST_NEURONS, architecture
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.function import function
from np_widgets.pictures.labels import number, typeset
from np_widgets.pictures.loss import loss
from np_widgets.pictures.probe import probe, sample_vertices
from np_widgets.pictures.scene import Edges, Scene, Texts
from np_widgets.pictures.ticks import SMALLEST
from np_widgets.pictures.weights import MOST_COLUMNS, MOST_ROWS, weights
from np_widgets.problems import Display, Problem, curve, digits

# The authors' target on the first four inputs, written as the weights of a network.
TEACHER = (
    np.array([[2.0, 0, 1, 0], [0, -1, 1, 0], [0, 2, 0, 1], [0, 0, 1, 1]]),
    np.array([[1.0, -1, 0, 0], [0, 0, 1, 1]]),
    np.array([[2.0, -1]]),
)


def frame(weights: Any = (), **changes: Any) -> PursuitFrame:
    """A frame of a network with the given weights, minimizing, unless told otherwise."""
    values: dict[str, Any] = {
        "phase": "minimizing" if weights else "ready",
        "iteration": 1 if weights else 0,
        "message": "",
        "progress": None,
        "weights": tuple(np.asarray(weight, dtype=float) for weight in weights),
        "power": 1,
        "leak": 0.0,
        "added": (),
        "loss": 1.0 if weights else None,
        "test_loss": None,
        "step": 0,
        "total_steps": 0,
        "trace_steps": np.zeros(0),
        "trace_losses": np.zeros(0),
        "growth": (),
        "candidates": (),
        "finished": None,
        "hidden_layers": max(len(weights) - 1, 2),
        "seed": 0,
        "method": "fast",
        "minimizer": "adam",
    }
    return PursuitFrame(**(values | changes))


def record(layer: int, first_step: int, steps: int, test_loss: float | None = None, loss: float = 0.5) -> GrowthRecord:
    return GrowthRecord((1, 1), layer, 1.0, (), loss, test_loss, first_step, steps, "because")


def teacher_on(inputs: int) -> tuple[np.ndarray, ...]:
    """The teacher with inputs that it ignores."""
    return (np.pad(TEACHER[0], ((0, 0), (0, inputs - 4))), *TEACHER[1:])


def teacher_problem(inputs: int, samples: int = 60, **options: Any) -> Problem:
    network = HomogeneousNetwork(teacher_on(inputs))
    x = np.random.default_rng(1).choice([-1.0, 1.0], size=(samples, inputs))
    return Problem(x, network(x), truth=lambda points: network(points).to(points), **options)


def learned(picture: Scene) -> np.ndarray:
    """The learned values of a picture that has some."""
    roles = ("learned", "thin", "training", "testing")
    found = [mark.y for mark in picture.marks if mark.role in roles]
    if "cells" in picture:
        return picture["cells"].values
    return np.concatenate(found)


def edges(picture: Scene) -> list[Edges]:
    return [mark for mark in picture.marks if isinstance(mark, Edges)]


def texts(picture: Scene, role: str) -> list[str]:
    return [text for mark in picture.marks if isinstance(mark, Texts) and mark.role == role for text in mark.texts]


class TestArchitecture:
    def test_every_weight_of_a_small_network_is_an_edge_of_its_sign(self):
        picture = architecture(frame(TEACHER))
        assert texts(picture, "aside") == ["4 inputs", "layer 1: 4", "layer 2: 2", "output"]
        assert texts(picture, "words") == ["x₁", "x₂", "x₃", "x₄", "y"]
        assert texts(picture, "on neurons") == ["1", "2", "3", "4", "1", "2"]
        expected = np.concatenate([weight[weight != 0] for weight in TEACHER])
        assert len(picture["positive"].x) == (expected > 0).sum()
        assert len(picture["negative"].x) == len(picture["minus"].x) == (expected < 0).sum()
        assert max(mark.strengths.max() for mark in edges(picture)) == 1
        assert picture.notes == ()
        assert "4 inputs, hidden widths (4, 2) and 1 output" in picture.says

    def test_edges_join_the_nodes_of_their_weight(self):
        picture = architecture(frame(TEACHER))
        heights = {layer: picture_nodes(picture, layer) for layer in range(4)}
        found = set()
        for mark in edges(picture):
            sign = 1 if mark.role == "positive" else -1
            for (x0, x1), (y0, y1), strength in zip(mark.x, mark.y, mark.strengths, strict=True):
                below, above = heights[int(x0)].index(y0), heights[int(x1)].index(y1)
                weight = sign * strength * np.abs(TEACHER[int(x0)]).max()
                found.add((int(x0), above, below, round(float(weight), 12)))
        expected = {(layer, i, j, w[i, j]) for layer, w in enumerate(TEACHER) for i, j in np.argwhere(w)}
        assert found == expected

    def test_the_added_neuron_and_its_edges_are_marked(self):
        picture = architecture(frame(TEACHER, added=((1, 3),)))
        (height,) = picture["new neuron"].y
        assert picture_nodes(picture, 1).index(height) == 3
        assert len(picture["new positive"].x) == 3
        assert picture["new neuron"].reads[0].startswith("neuron 4 of layer 1: norm in 1.41, out 1")
        assert "just added: neuron 4 of layer 1" in picture.says
        assert "added by this iteration" in dict(picture.legend)
        assert "added by this iteration" not in dict(architecture(frame(TEACHER)).legend)

    def test_edges_of_a_new_neuron_are_kept_however_weak(self):
        first = np.array([[1.0, 2.0], [1e-6, 1e-6]])
        picture = architecture(frame((first, np.array([[1.0, 1e-6]])), added=((1, 1),)))
        assert len(picture["new positive"].x) == 3
        assert len(architecture(frame((first, np.array([[1.0, 1e-6]]))))["positive"].x) == 3

    def test_many_inputs_and_neurons_are_summed_up_in_a_node_for_the_rest(self):
        rng = np.random.default_rng(0)
        network = (rng.normal(size=(40, 2000)), rng.normal(size=(30, 40)), rng.normal(size=(3, 30)))
        network[0][:, 17] = 9.0
        picture = architecture(frame(network, added=((1, 39),)))
        columns = [len(picture_nodes(picture, layer)) for layer in range(4)]
        assert columns == [MOST_INPUTS, MOST_NEURONS, MOST_NEURONS, 3]
        names = texts(picture, "words")
        assert {"x₁₈", f"+{2000 - MOST_INPUTS + 1:,}"} <= set(names)
        assert "40" in texts(picture, "on neurons")
        assert "23 of 2,000 inputs" in picture.notes[0]
        # All weights of a matrix are in the norm of its edges, but for those too weak to see. Strengths are
        # shares of the largest, which stands for all that is left out.
        middle = picture["on neurons"]
        labels = [label for label, x in zip(middle.texts, middle.x, strict=True) if x == 1]
        neurons = [int(label) - 1 for label in labels]
        inputs = [int(name[1:].translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))) - 1 for name in names[:23]]
        rest = np.delete(np.delete(network[0], neurons, axis=0), inputs, axis=1)
        strengths = np.concatenate([mark.strengths[mark.x[:, 0] == 0] for mark in edges(picture)])
        assert np.linalg.norm(strengths) * np.linalg.norm(rest) == pytest.approx(np.linalg.norm(network[0]), rel=1e-2)
        assert "many" in picture

    def test_zero_weights_are_no_edges(self):
        assert edges(architecture(frame((np.zeros((1, 2)), np.zeros((1, 1)))))) == []

    def test_no_network_is_an_empty_picture_that_says_why(self):
        picture = architecture(frame())
        assert picture.marks == ()
        assert "press Play" in str(picture)
        assert "under way" in architecture(frame(phase="origin")).empty
        assert "led to none" in architecture(frame(phase="finished")).empty

    @given(st.lists(st.integers(1, 40), min_size=3, max_size=6))
    @settings(max_examples=40, deadline=None)
    def test_everything_lies_within_the_axes(self, sizes):
        rng = np.random.default_rng(0)
        picture = architecture(frame([rng.normal(size=(b, a)) for a, b in pairwise(sizes)]))
        for mark in picture.marks:
            assert mark.x.dtype == mark.y.dtype == np.float64
            assert np.all((mark.x >= picture.x.low) & (mark.x <= picture.x.high))
            assert np.all((mark.y >= picture.y.low) & (mark.y <= picture.y.high))
        nodes = [(layer, y) for layer in range(len(sizes)) for y in picture_nodes(picture, layer)]
        assert len(set(nodes)) == len(nodes)


def picture_nodes(picture: Scene, layer: int) -> list[float]:
    """The heights of the nodes of a column, from top to bottom."""
    dots = [mark for mark in picture.marks if mark.role in ("neuron", "rest", "end")]
    return sorted((float(y) for mark in dots for x, y in zip(mark.x, mark.y, strict=True) if x == layer), reverse=True)


class TestWeights:
    def test_cells_are_shares_of_the_largest_weight(self):
        picture = weights(frame(TEACHER, added=((1, 2),)))
        cells = picture["cells"]
        np.testing.assert_allclose(cells.values, TEACHER[0] / 2)
        assert cells.shades.ends == ("−2", "2")
        assert "−" in cells.texts
        wide = weights(frame((np.tile(-TEACHER[0], 8), *TEACHER[1:])))["cells"]
        assert wide.texts is None  # signs would run into each other
        assert [text for _, text in picture.x.ticks] == ["x₁", "x₂", "x₃", "x₄"]
        assert [text for _, text in picture.y.ticks] == ["1", "2", "3", "4"]
        assert picture.y.reverse
        assert picture.notes == ("W₂ = [1, −1, 0, 0; 0, 0, 1, 1]", "W₃ = [2, −1]")
        assert [["−" if value < 0 else "" for value in row] for row in TEACHER[0]] == cells.texts.tolist()

    def test_what_was_added_is_framed(self):
        picture = weights(frame(TEACHER, added=((1, 2),)))
        assert 2 < picture["new"].y.min() < picture["new"].y.max() < 3
        below = weights(frame(TEACHER, added=((1, 2),)), layer=2)
        assert 2 < below["new"].x.min() < below["new"].x.max() < 3
        assert "new" not in weights(frame(TEACHER))

    def test_a_later_layer(self):
        picture = weights(frame(TEACHER), layer=3)
        np.testing.assert_array_equal(picture["cells"].values, TEACHER[2] / 2)
        assert [text for _, text in picture.y.ticks] == ["y"]
        assert (picture.x.label, picture.y.label, picture.title) == ("neuron of layer 2", "output", "Weights W₃")

    def test_a_wide_layer_shows_the_largest_and_the_new_ones(self):
        matrix = np.random.default_rng(0).normal(size=(1200, 5000)) * 1e-3
        matrix[31, 4321], matrix[1199] = 7.0, 1e-9
        picture = weights(frame((matrix, np.ones((1, 1200))), added=((1, 1199),)))
        cells = picture["cells"].values
        assert cells.shape == (MOST_ROWS, MOST_COLUMNS)
        assert np.argwhere(cells == 1.0).shape == (1, 2)
        assert picture["new"].y.min() > MOST_ROWS - 1
        assert picture.notes[-1] == "Shown: the 32 largest of 1,200 rows, the 64 largest of 5,000 columns"
        assert len(picture.x.ticks) <= 12

    @pytest.mark.parametrize("layer", [0, 4, -1])
    def test_a_layer_that_does_not_exist_is_refused(self, layer):
        with pytest.raises(ValueError, match="layer must be an integer from 1 to 3"):
            weights(frame(TEACHER), layer)

    def test_no_network_and_no_weights(self):
        assert weights(frame(), 2).marks == ()
        assert not weights(frame((np.zeros((1, 2)), np.zeros((1, 1)))))["cells"].values.any()


class TestHypercube:
    @pytest.mark.parametrize(("size", "points"), [(3, 512), (9, 512), (20, 512), (40, 100)])
    def test_vertices_fall_in_lexicographic_order(self, size, points):
        vertices = [tuple(v) for v in sample_vertices(size, points).tolist()]
        assert vertices == sorted(set(vertices), reverse=True)
        assert len(vertices) == min(2**size, 2 ** int(np.log2(points)))

    def test_all_vertices_of_a_small_cube_from_all_ones_to_all_minus_ones(self):
        vertices = sample_vertices(4, 512)
        assert vertices.shape == (16, 4)
        assert vertices[0].tolist() == [1, 1, 1, 1]
        assert vertices[-1].tolist() == [-1, -1, -1, -1]

    def test_every_input_takes_both_signs_about_equally_often(self):
        means = sample_vertices(20, 512).mean(dim=0)
        assert float(means.abs().max()) < 0.2

    def test_the_teacher_lies_on_the_truth(self):
        problem = teacher_problem(20)
        assert problem.display.kind == "hypercube"
        picture = function(frame(teacher_on(20)), probe(problem))
        # Drawn on a grid of pixels.
        np.testing.assert_allclose(learned(picture), picture["truth"].y, atol=(picture.y.high - picture.y.low) / 1999)
        assert picture.notes[0].startswith("Largest error on 512 vertices:")
        # The function depends on the first four inputs alone: sixteen steps of equal length.
        assert float(np.ptp(learned(picture).reshape(16, 32), axis=1).max()) < 1e-12
        assert picture.x.ticks == ()
        x = picture["truth"].x
        assert x[0] >= 0
        assert x[-1] <= 1
        assert np.all(np.diff(x) > 0)

    @pytest.mark.exact_data(reason="inputs are vertices")
    def test_without_a_truth_the_vertices_are_the_data_in_order(self):
        x = np.array([[-1.0, 1], [1, 1], [1, -1]])
        problem = Problem(x, [1.0, 2.0, 3.0], display=Display("hypercube"))
        picture = function(frame(), probe(problem))
        np.testing.assert_array_equal(picture["truth"].y, [2, 3, 1])
        np.testing.assert_allclose(picture["truth"].x, [0, 1 / 3, 2 / 3])
        assert "thin" not in picture

    def test_a_probe_is_the_same_every_time(self):
        first, second = (probe(teacher_problem(30)).points for _ in range(2))
        assert torch.equal(first, second)


class TestFunction:
    @pytest.mark.exact_data(reason="inputs are compared with what was given")
    def test_a_curve_goes_through_its_data(self):
        x = np.stack([np.linspace(-1, 1, 21), np.ones(21)], axis=1)
        network = (np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[1.0, 1.0]]))
        problem = Problem(x, np.abs(x[:, 0]))
        picture = function(frame(network), probe(problem))
        assert "truth" not in picture
        np.testing.assert_allclose(learned(picture), np.abs(picture["learned"].x), atol=1e-3)
        np.testing.assert_allclose(picture["data"].y, np.abs(picture["data"].x))
        assert picture.notes == ("Rms error on 21 training samples: 0",)

    def test_each_output_of_many_can_be_shown(self):
        x = np.linspace(-1, 1, 11)[:, None]
        problem = Problem(x, np.concatenate([x, 2 * x], axis=1))
        points = probe(problem)
        assert points.choices == ("y₁", "y₂")
        network = (np.array([[1.0], [-1.0]]), np.array([[1.0, -1.0], [2.0, -2.0]]))
        for output in (0, 1):
            picture = function(frame(network), points, output)
            np.testing.assert_allclose(learned(picture), (output + 1) * picture["learned"].x, atol=3e-3)
        with pytest.raises(ValueError, match="output must be an integer from 0 to 1"):
            function(frame(network), points, 2)

    def test_regions_of_two_classes_show_the_probability_of_the_second(self):
        x = np.array([[1.0, 0], [2, 0], [-1, 0], [-2, 1]])
        network = (np.array([[1.0, 0], [-1, 0]]), np.array([[0.0, 5.0], [5.0, 0.0]]))
        picture = function(frame(network), probe(Problem(x, [1, 1, 0, 0], loss="cross_entropy")))
        cells = picture["cells"]
        expected = 1 / (1 + np.exp(-5 * cells.x))
        np.testing.assert_allclose(learned(picture), np.tile(expected, (len(cells.y), 1)), atol=1e-3)
        assert sorted(picture["class 1"].x) == [1, 2]
        assert sorted(picture["class 0"].x) == [-2, -1]
        assert (cells.shades.low, cells.shades.high, cells.shades.label) == (0, 1, "probability of class 1")
        # Both classes are equally probable where the first input is zero.
        np.testing.assert_allclose(picture["boundary"].x, 0, atol=1e-6)
        assert picture.notes == ("100% right on 4 training samples",)

    def test_regions_of_three_classes_show_the_most_probable(self):
        x = np.random.default_rng(0).normal(size=(30, 2))
        problem = Problem(x, np.arange(30) % 3, loss="cross_entropy")
        network = (np.array([[0.0, 1.0], [0.0, -1.0]]), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        points = probe(problem)
        picture = function(frame(network), points)
        assert points.choices == ()
        np.testing.assert_array_equal(learned(picture)[:, 0], np.where(picture["cells"].y > 0, 1, 2))
        # It lies where two classes are equally probable, between the points of the grid.
        assert np.nanmax(np.abs(picture["boundary"].y)) < 1e-9
        assert not picture["cells"].smooth
        assert len(picture["cells"].shades.colors) == 3

    def test_regions_of_a_number_name_the_error(self):
        x = np.random.default_rng(0).normal(size=(30, 2))
        picture = function(frame((np.eye(2), np.zeros((1, 2)))), probe(Problem(x, np.full(30, 2.0))))
        assert picture.notes == ("Rms error on 30 training samples: 2",)
        np.testing.assert_array_equal(picture["valued"].values, np.full(30, 2.0))

    def test_scatter_of_perfect_predictions(self):
        x = np.abs(np.random.default_rng(0).normal(size=(400, 3)))
        problem = Problem(x, x.sum(axis=1), test=(2 * x[:10], 2 * x[:10].sum(axis=1)))
        picture = function(frame((np.eye(3), np.ones((1, 3)))), probe(problem))
        for role, size in (("training", 300), ("testing", 10)):
            mark = picture[role]
            assert len(mark.x) == size
            np.testing.assert_allclose(mark.x, mark.y, atol=(picture.y.high - picture.y.low) / 1999)
        assert picture.notes == ("R² = 1 (training), 1 (test)",)

    def test_confusion_of_a_network_that_always_says_one(self):
        x = np.random.default_rng(0).normal(size=(90, 5))
        problem = Problem(x, np.arange(90) % 3, loss="cross_entropy")
        network = (np.concatenate([np.eye(5), -np.eye(5)]), np.array([[0.0] * 10, [1.0] * 10, [0.0] * 10]))
        picture = function(frame(network), probe(problem))
        np.testing.assert_allclose(picture["cells"].values, np.tile([0.0, 1.0, 0.0], (3, 1)))
        assert picture["cells"].texts.tolist() == [["", "100", ""]] * 3
        assert picture.notes == ("33.3% right on 90 training samples",)

    def test_confusion_of_many_classes_shows_the_frequent_ones(self):
        labels = np.concatenate([np.arange(50), np.arange(30, 50)])
        problem = Problem(np.random.default_rng(0).normal(size=(70, 4)), labels, loss="cross_entropy")
        picture = function(frame((np.eye(4), np.zeros((50, 4)))), probe(problem))
        assert [text for _, text in picture.x.ticks] == [str(label) for label in range(30, 50)]
        assert picture["cells"].values.shape == (20, 20)
        assert "20 most frequent of 50 classes" in picture.notes[1]

    @pytest.mark.parametrize("kind", ["hypercube", "curve", "regions", "scatter"])
    def test_data_in_single_precision(self, kind):
        columns = {"curve": (0,), "regions": (0, 1)}.get(kind, ())
        problem = teacher_problem(6, dtype=torch.float32, display=Display(kind, columns))
        points = probe(problem)
        assert points.points.dtype == torch.float64
        double = probe(teacher_problem(6, display=Display(kind, columns)))
        np.testing.assert_allclose(points.truth, double.truth, atol=1e-5)
        pictures = [function(frame(teacher_on(6)), each) for each in (points, double)]
        np.testing.assert_allclose(learned(pictures[0]), learned(pictures[1]), atol=2e-2)

    @pytest.mark.parametrize("kind", ["hypercube", "curve", "regions", "scatter"])
    def test_before_the_first_network_there_is_the_truth_alone(self, kind):
        columns = {"curve": (0,), "regions": (0, 1)}.get(kind, ())
        problem = teacher_problem(6, display=Display(kind, columns))
        picture = function(frame(), probe(problem))
        assert {mark.role for mark in picture.marks} <= {"truth", "data", "true level", "valued", "diagonal"}
        assert picture.notes == ()


class TestLoss:
    def made(self, **changes: Any) -> Scene:
        values: dict[str, Any] = {
            "iteration": 3,
            "trace_steps": np.array([0.0, 10, 15, 20, 30]),
            "trace_losses": np.array([1.0, 0.1, 0.05, 0.01, 0.003]),
            "growth": (record(0, 0, 10, 0.4, 0.1), record(2, 10, 10, 0.2, 0.01)),
            "added": ((1, 3),),
            "loss": 0.003,
            "step": 10,
            "total_steps": 30,
            "test_loss": 0.1,
        }
        return loss(frame(TEACHER, **(values | changes)))

    def test_every_network_has_the_same_room_however_many_steps_it_took(self):
        picture = self.made()
        assert (picture.x.low, picture.x.high) == (0, 3)
        trace = picture["learned"]
        # At its steps, and at the end of each stair the level that it came to.
        np.testing.assert_allclose(trace.x, [0, 1, 1, 1.5, 2, 2, 3, 3])
        np.testing.assert_allclose(trace.y, [1.0, 0.1, 0.1, 0.05, 0.01, 0.01, 0.003, 0.003])
        assert [text for _, text in picture.x.ticks] == ["(1, 1)", "(1, 1)", "(4, 2)"]
        assert "from 1 to 0.003 over 3 networks and 30 steps; lowest test loss 0.1" in picture.says

    def test_steps_are_shares_of_their_own_network(self):
        growth = (record(0, 0, 100, None, 0.5), record(1, 100, 4, None, 0.1))
        trace = {"trace_steps": np.array([0.0, 50, 100, 101, 104]), "trace_losses": np.array([1, 0.9, 0.5, 0.4, 0.1])}
        picture = self.made(growth=growth, **trace, iteration=2, step=4, total_steps=104, test_loss=None)
        np.testing.assert_allclose(picture["learned"].x, [0, 0.5, 1, 1, 1.25, 2, 2])

    def test_a_network_that_begins_lower_than_the_last_one_ended_makes_no_spike(self):
        trace = {"trace_steps": np.array([0.0, 10, 10, 15, 20]), "trace_losses": np.array([1, 0.5, 0.3, 0.2, 0.1])}
        picture = self.made(growth=(record(0, 0, 10),), iteration=2, **trace, total_steps=20, loss=0.1)
        np.testing.assert_allclose(picture["learned"].x, [0, 1, 1, 1, 1.5, 2, 2])
        np.testing.assert_allclose(picture["learned"].y, [1, 0.5, 0.5, 0.3, 0.2, 0.1, 0.1])

    def test_levels_are_written_under_the_stairs_that_are_over(self):
        picture = self.made()
        assert texts(picture, "aside") == ["0.01", "0.1"]
        np.testing.assert_allclose(picture["aside"].y, [0.01, 0.1])

    def test_additions_stand_where_they_were_made_and_test_losses_where_training_ended(self):
        picture = self.made()
        np.testing.assert_allclose(picture["addition"].x, [1, 2])
        np.testing.assert_allclose(picture["addition"].y, [0.1, 0.01])
        assert texts(picture, "words") == ["2", "1"]
        np.testing.assert_allclose(picture["test"].x, [1, 2, 3])
        np.testing.assert_allclose(picture["test"].y, [0.4, 0.2, 0.1])
        assert "layer 2, after 10 steps" in picture["addition"].reads[0]
        # The layers' names stand above all losses, those of the test set included.
        assert picture["words"].y.min() > 1.1 * max(np.nanmax(mark.y) for mark in picture.marks if mark.role != "words")

    @pytest.mark.parametrize(("peak", "climbs"), [(0.15, False), (0.5, True)])
    def test_a_climb_is_explained(self, peak, climbs):
        losses = np.array([1.0, 0.1, peak, 0.01, 0.003])
        notes = self.made(trace_losses=losses, target_loss=None).notes
        assert [note.partition(" on its way")[0] for note in notes] == [f"Network 2 rose to {peak}"] * climbs

    def test_the_best_network_on_the_test_set_is_marked(self):
        growth = (record(0, 0, 10, 0.4), record(2, 10, 7, 0.2), record(1, 17, 10, 0.3))
        picture = self.made(growth=growth, total_steps=27, test_loss=0.3)
        assert (picture["best"].x.tolist(), picture["best"].y.tolist()) == ([2], [0.2])
        only = loss(frame(TEACHER, iteration=1, growth=growth[:1], step=10, total_steps=10, test_loss=0.4))
        assert "best" not in only  # there is nothing to be better than

    @pytest.mark.parametrize("layer", [1, 2])
    def test_an_addition_is_marked_once_in_any_layer(self, layer):
        growth = (record(0, 0, 10), record(layer, 10, 10))
        picture = loss(frame(TEACHER, iteration=2, growth=growth, added=((layer, 1),), step=10, total_steps=20))
        assert texts(picture, "words") == [str(layer)]
        np.testing.assert_array_equal(picture["addition"].x, [1])

    def test_where_the_target_is_met_the_axis_ends_below_the_last_level_that_missed_it(self):
        growth = (record(0, 0, 10, None, 0.9), record(1, 10, 10, None, 0.2), record(1, 20, 10, None, 3e-28))
        values = {"growth": growth, "trace_losses": np.array([1.4, 0.9, 0.5, 0.2, 3e-28]), "test_loss": None}
        met = self.made(**values, finished=Finish("target", "Met."), loss=3e-28, target_loss=1e-9)
        assert met.y.low > 1e-4
        assert met["learned"].y.min() == pytest.approx(0.01)
        assert met.notes == ("The target, 10⁻⁹, is met: losses below 0.01 are drawn at the end of the axis",)
        assert met.y.all_ticks[0][0] == pytest.approx(-2)
        assert met.y.all_ticks[0][1] == "target"
        assert texts(met, "aside") == ["3×10⁻²⁸", "0.2", "0.9"]
        going_on = self.made(**values, loss=3e-28)
        assert going_on["learned"].y.min() == SMALLEST
        assert going_on.notes == ()

    def test_labels_that_would_collide_are_left_out_and_the_last_stays(self):
        growth = tuple(record(int(i > 0), 10 * i, 10, None, 2.0**-i) for i in range(60))
        picture = self.made(growth=growth, iteration=60, total_steps=600, test_loss=None)
        for mark, least in (("aside", 0.1), ("words", 0.03)):
            places = np.sort(picture[mark].x / 60)
            assert len(places) > 5
            assert np.diff(places).min() >= least - 1e-9
        assert texts(picture, "aside")[0] == number(2.0**-59)
        assert sum(len(text) + 1 for _, text in picture.x.ticks) <= 80
        assert picture.x.ticks[-1][0] == 59.5

    def test_a_pointer_reads_network_step_and_loss_along_the_stairs(self):
        picture = self.made()
        read = dict(
            zip(
                zip(picture["spot"].x.tolist(), picture["spot"].y.tolist(), strict=True),
                picture["spot"].reads,
                strict=True,
            )
        )
        for place, value in zip(picture["learned"].x.tolist(), picture["learned"].y.tolist(), strict=True):
            network = max(int(np.ceil(place)), 1)
            step = round(10 * place)
            wanted = f"network {network} {'(4, 2)' if network == 3 else '(1, 1)'}, step {step}: loss {number(value)}"
            assert read[place, value] == wanted
        assert read[3.0, 0.1] == "network 3 (4, 2), step 30: test loss 0.1"
        long = {"trace_steps": np.arange(1000.0), "trace_losses": np.logspace(1, -3, 1000)}
        assert len(loss(frame(TEACHER, **long, total_steps=999, step=999))["spot"].x) <= 26

    def test_zero_and_broken_losses_can_be_drawn_on_a_log_axis(self):
        losses = np.array([1.0, 0.0, np.nan, np.inf, 1e-30])
        picture = loss(frame(TEACHER, trace_steps=np.arange(5.0), trace_losses=losses, total_steps=4, step=4))
        np.testing.assert_array_equal(picture["learned"].y, [1.0, SMALLEST, SMALLEST, 1.0])
        assert 0 < picture.y.low <= SMALLEST

    def test_a_long_trace_is_thinned_and_keeps_its_ends(self):
        trace = {"trace_steps": np.arange(20000.0), "trace_losses": np.linspace(2, 1, 20000)}
        picture = loss(frame(TEACHER, **trace, total_steps=19999, step=19999))
        assert len(picture["learned"].x) <= 1000
        assert picture["learned"].x[[0, -1]].tolist() == [0, 1]

    def test_nothing_yet(self):
        picture = loss(frame())
        assert (picture.marks, picture.empty) == ((), "No step taken yet")


class TestCandidates:
    POINTS = (Candidate(2, 0.5, 0.0), Candidate(1, 0.4, 0.0), Candidate(2, 0.2, 0.3), Candidate(1, 0.1, 0.4))

    def made(self, found: Any = POINTS, **changes: Any) -> Scene:
        return candidates(frame(TEACHER, **({"iteration": 2, "candidates": found} | changes)))

    def drawn(self, picture: Scene) -> dict[str, list[float]]:
        """The values of each kind of candidate, from left to right."""
        roles = ("point", "direction", "taken")
        return {mark.role: mark.y[np.argsort(mark.x)].tolist() for mark in picture.marks if mark.role in roles}

    def test_each_layer_has_its_place_best_first(self):
        picture = self.made()
        x = np.concatenate([picture[role].x for role in ("point", "direction")])
        values = np.concatenate([picture[role].y for role in ("point", "direction")])
        order = np.argsort(x)
        np.testing.assert_array_equal(values[order], [0.4, 0.1, 0.5, 0.2])
        assert np.round(x[order]).tolist() == [0, 0, 1, 1]
        assert picture.x.ticks == ((0, "1"), (1, "2"))
        assert sorted(picture["stem"].y[1::3]) == sorted(values)

    def test_what_is_marked_is_what_was_taken(self):
        for taken, point in enumerate(self.POINTS):
            picture = self.made(taken=taken)
            assert picture["taken"].y.tolist() == [point.value]
            assert np.round(picture["taken"].x) == [point.layer - 1]
            (label,) = (label for label, look in picture.legend if look is picture["taken"].look)
            assert f"N = {point.value}" in label
            assert ("KKT point" in label) == point.is_kkt_point
            assert label in picture.says
        assert "taken" not in self.made()
        assert "none is taken yet" in self.made().says

    def test_kkt_points_and_mere_directions_are_told_apart(self):
        picture = self.made(taken=0)
        assert self.drawn(picture) == {"point": [0.4], "direction": [0.1, 0.2], "taken": [0.5]}
        labels = [label for label, _ in picture.legend]
        assert labels[:2] == ["2 KKT points", "2 unconverged, residual ≤ 0.4"]
        edge = self.made((Candidate(0, 1.0, 1e-6), Candidate(0, 0.5, 1.01e-6)))
        assert self.drawn(edge) == {"point": [1.0], "direction": [0.5]}
        assert edge["direction"].reads == ("origin: unconverged, N = 0.5, residual 1.01×10⁻⁶",)

    def test_the_first_network_comes_from_the_origin(self):
        picture = self.made((Candidate(0, 0.3, 0.0), Candidate(0, 0.2, 0.0)), taken=1, iteration=1)
        assert picture.x.ticks == ((0, "origin"),)
        assert picture["taken"].y.tolist() == [0.2]

    def test_what_decided_stands_beside_the_values(self):
        found = (
            Candidate(1, 0.5, 0.1, 0.8, 0.01), Candidate(2, 0.4, 0.1, 0.25, 0.02), Candidate(1, 0.3, 0.1, 0.75, 0.01),
            Candidate(1, 0.2, 0.1),
        )  # fmt: skip
        picture = self.made(found, taken=1)
        losses = picture["look-ahead"]
        np.testing.assert_array_equal(losses.y, [0.8, 0.75, 0.25])
        assert losses.right
        assert picture.right is not None
        assert picture.right.low <= 0.25
        assert picture.right.high >= 0.8
        assert picture.notes[0] == (
            "Decided by the look-ahead: 0.25 for the one taken, 0.75 for the best other (N = 0.3, layer 1)"
        )
        assert self.made().right is None

    def test_a_lower_loss_that_lost_is_explained(self):
        heavy, light = Candidate(1, 0.5, 0.1, 0.2, 0.5), Candidate(1, 0.4, 0.1, 0.3, 0.1)
        assert self.made((heavy, light), taken=1).notes[:2] == (
            "Decided by the look-ahead: 0.3 for the one taken, 0.2 for the best other (N = 0.5, layer 1)",
            "With its weight decay 0.4 and 0.7",
        )
        assert "given up on the way" in self.made((heavy, light), taken=0).notes[1]

    def test_losses_out_of_range_are_not_drawn(self):
        picture = self.made((Candidate(1, 0.5, 0.1, np.inf, 0.0), Candidate(1, 0.4, 0.1, 0.0, 0.0)), taken=1)
        assert picture["look-ahead"].y.tolist() == [SMALLEST]
        assert "no finite loss for the best other" in picture.notes[0]

    def test_many_are_cut_but_for_the_one_taken_and_empty_layers_named(self):
        found = tuple(Candidate(1, value, 0.0) for value in np.linspace(1, 0.1, 50))
        picture = self.made(found)
        assert len(picture["point"].y) == 30
        assert picture["point"].y.max() == 1
        assert picture.notes == ("Not shown: 20 weaker candidates", "No candidate in layer 2")
        picture = self.made(found, taken=45)
        assert len(picture["point"].y) == 29
        assert picture["taken"].y.tolist() == [found[45].value]

    def test_without_candidates_the_reason_is_said(self):
        assert self.made(()).empty == "No candidates yet: a search finds them"
        for kind in ("no_point", "optimal"):
            ended = self.made((), finished=Finish(kind, "Nothing below 1e-05. The test set is small.", "Go on."))
            assert ended.empty == "Nothing below 10⁻⁵"


def test_classes_have_one_name_in_every_picture():
    problem = digits()
    pictured = frame((np.ones((2, 64)), np.arange(20.0).reshape(10, 2) - 9), classes=True)
    assert texts(architecture(pictured), "words")[-10:] == list("0123456789")
    assert texts(architecture(pictured), "aside")[-1] == "10 classes"
    rows = weights(pictured, 2).y
    assert ([text for _, text in rows.ticks], rows.label) == (list("0123456789"), "class")
    assert probe(problem).output_name(3) == "probability of class 3"
    pursuit = NeuronPursuit(problem, hidden_layers=1)
    assert pursuit.frame().classes
    assert not NeuronPursuit(curve(), hidden_layers=1).frame().classes


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"), (0.12345, "0.123"), (-3.0, "−3"), (12345.0, "12,345"), (5.8e-25, "5.8×10⁻²⁵"),
            (-1e-9, "−10⁻⁹"), (1.234e7, "1.23×10⁷"), (float("inf"), "inf"), (1e-300, "10⁻³⁰⁰"),
        ],
    )  # fmt: skip
    def test_all_are_written_in_one_format(self, value, text):
        assert number(value) == text

    def test_messages_are_too_and_words_stay_as_they_are(self):
        said = "loss 5.8e-25 is at or below 1e-09 (got -3 and -2.50e+08); layers 1-3, x1e-3, method-2"
        assert typeset(said) == (
            "loss 5.8×10⁻²⁵ is at or below 10⁻⁹ (got −3 and −2.50×10⁸); layers 1-3, x1e-3, method-2"
        )
