"""Pictures against networks whose picture is known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from np_widgets.learning.growth import Candidate, GrowthRecord, PursuitFrame
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit import NeuronPursuit
from np_widgets.pictures.architecture import MOST_INPUTS, MOST_NEURONS, architecture
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.function import Confusion, Lines, Regions, Scatter, function
from np_widgets.pictures.loss import SMALLEST, loss
from np_widgets.pictures.probe import probe, sample_vertices
from np_widgets.pictures.weights import MOST_LINES, MOST_POINTS, weights
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


def record(layer: int, first_step: int, steps: int, test_loss: float | None = None) -> GrowthRecord:
    return GrowthRecord((1, 1), layer, 1.0, (), 0.5, test_loss, first_step, steps, "because")


def teacher_on(inputs: int) -> tuple[np.ndarray, ...]:
    """The teacher with inputs that it ignores."""
    return (np.pad(TEACHER[0], ((0, 0), (0, inputs - 4))), *TEACHER[1:])


def teacher_problem(inputs: int, samples: int = 60, **options: Any) -> Problem:
    network = HomogeneousNetwork(teacher_on(inputs))
    x = np.random.default_rng(1).choice([-1.0, 1.0], size=(samples, inputs))
    return Problem(x, network(x), truth=lambda points: network(points).to(points), **options)


def shown(picture: Lines | Regions | Scatter | Confusion) -> np.ndarray:
    """The learned values of a picture that has some."""
    assert not isinstance(picture, Confusion)
    values = picture.predictions if isinstance(picture, Scatter) else picture.learned
    assert values is not None
    return values


def wanted(picture: Lines | Regions | Scatter | Confusion) -> np.ndarray:
    """The true values of a picture that knows them."""
    assert not isinstance(picture, Confusion)
    values = picture.targets if isinstance(picture, Scatter) else picture.truth
    assert values is not None
    return values


class TestArchitecture:
    def test_every_weight_of_a_small_network_is_an_edge(self):
        picture = architecture(frame(TEACHER))
        assert picture.column_sizes == (4, 4, 2, 1)
        assert picture.column_labels == ("inputs", "layer 1", "layer 2", "output")
        assert picture.node_labels == ("x₁", "x₂", "x₃", "x₄", "1", "2", "3", "4", "1", "2", "y")
        expected = np.concatenate([weight[weight != 0] for weight in TEACHER])
        np.testing.assert_array_equal(picture.edge_weights, expected)
        np.testing.assert_array_equal(picture.edge_signs, np.sign(expected))
        assert picture.edge_strengths.max() == 1
        assert picture.note == ""

    def test_edges_join_the_nodes_of_their_weight(self):
        picture = architecture(frame(TEACHER))
        nodes = {(x, y): name for x, y, name in zip(picture.node_x, picture.node_y, picture.node_labels, strict=True)}
        ends = [
            (nodes[x0, y0], nodes[x1, y1]) for (x0, x1), (y0, y1) in zip(picture.edge_x, picture.edge_y, strict=True)
        ]
        expected = [(f"x{'₁₂₃₄'[j]}", str(i + 1)) for i, j in np.argwhere(TEACHER[0])]
        assert ends[: len(expected)] == expected
        assert ends[-2:] == [("1", "y"), ("2", "y")]

    def test_the_added_neuron_and_its_edges_are_marked(self):
        picture = architecture(frame(TEACHER, added=((1, 3),)))
        assert [n for n, a in zip(picture.node_labels, picture.node_added, strict=True) if a] == ["4"]
        assert picture.edge_weights[picture.edge_added].tolist() == [1, 1, 1]

    def test_edges_of_a_new_neuron_are_kept_however_weak(self):
        first = np.array([[1.0, 2.0], [1e-6, 1e-6]])
        picture = architecture(frame((first, np.array([[1.0, 1e-6]])), added=((1, 1),)))
        assert picture.edge_added.sum() == 3
        assert len(architecture(frame((first, np.array([[1.0, 1e-6]])))).edge_weights) == 3

    def test_many_inputs_and_neurons_are_summed_up_in_a_node_for_the_rest(self):
        rng = np.random.default_rng(0)
        network = (rng.normal(size=(40, 2000)), rng.normal(size=(30, 40)), rng.normal(size=(3, 30)))
        network[0][:, 17] = 9.0
        picture = architecture(frame(network, added=((1, 39),)))
        columns = np.bincount(picture.node_columns)
        assert columns.tolist() == [MOST_INPUTS, MOST_NEURONS, MOST_NEURONS, 3]
        assert "x₁₈" in picture.node_labels
        assert f"+{2000 - MOST_INPUTS + 1:,}" in picture.node_labels
        assert "40" in picture.node_labels
        assert "23 of 2,000 inputs" in picture.note
        # Nothing is lost: all weights of a matrix are in the norm of its edges, but for those too weak to see.
        first = picture.edge_x[:, 0] == 0
        assert np.linalg.norm(picture.edge_weights[first]) == pytest.approx(np.linalg.norm(network[0]), rel=1e-2)
        assert set(picture.edge_signs.tolist()) == {-1.0, 0.0, 1.0}

    def test_zero_weights_are_no_edges(self):
        assert len(architecture(frame((np.zeros((1, 2)), np.zeros((1, 1))))).edge_weights) == 0

    def test_no_network_is_an_empty_picture(self):
        picture = architecture(frame())
        assert len(picture.node_x) == len(picture.edge_weights) == len(picture.column_labels) == 0

    @given(st.lists(st.integers(1, 40), min_size=3, max_size=6))
    @settings(max_examples=40, deadline=None)
    def test_everything_lies_in_the_unit_square(self, sizes):
        rng = np.random.default_rng(0)
        network = [rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
        picture = architecture(frame(network))
        for values in (picture.node_x, picture.node_y, picture.edge_x, picture.edge_y, picture.edge_strengths):
            assert values.dtype == np.float64
            assert np.all((values >= 0) & (values <= 1))
        positions = list(zip(picture.node_x, picture.node_y, strict=True))
        assert len(set(positions)) == len(positions)


class TestWeights:
    def test_rows_of_the_first_layer_with_the_others_printed(self):
        picture = weights(frame(TEACHER, added=((1, 2),)))
        np.testing.assert_array_equal(picture.rows, TEACHER[0])
        np.testing.assert_array_equal(picture.x, [1, 2, 3, 4])
        assert picture.labels == ("neuron 1", "neuron 2", "neuron 3", "neuron 4")
        assert picture.added == (False, False, True, False)
        assert picture.printed == ("W₂ = [1.00, −1.00, 0.00, 0.00; 0.00, 0.00, 1.00, 1.00]", "W₃ = [2.00, −1.00]")

    def test_a_later_layer(self):
        picture = weights(frame(TEACHER), layer=3)
        np.testing.assert_array_equal(picture.rows, TEACHER[2])
        assert picture.labels == ("y",)
        assert picture.x_label == "neuron of layer 2"
        assert picture.y_label == "weight in W₃"

    def test_a_wide_layer_shows_its_largest_rows_and_the_peaks(self):
        matrix = np.random.default_rng(0).normal(size=(1200, 5000)) * 1e-3
        matrix[31, 4321] = 7.0
        picture = weights(frame((matrix, np.ones((1, 1200)))))
        assert picture.rows.shape == (MOST_LINES, MOST_POINTS)
        assert picture.rows[picture.labels.index("neuron 32"), picture.x.tolist().index(4322)] == 7.0
        assert np.all(np.diff(picture.x) > 0)
        assert "8 largest of 1,200 rows" in picture.note
        assert "1,000 of 5,000 weights" in picture.note

    @pytest.mark.parametrize("layer", [0, 4, -1])
    def test_a_layer_that_does_not_exist_is_refused(self, layer):
        with pytest.raises(ValueError, match="layer must be an integer from 1 to 3"):
            weights(frame(TEACHER), layer)

    def test_no_network_is_an_empty_picture(self):
        assert weights(frame(), 2).rows.size == 0


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
        assert isinstance(picture, Lines)
        np.testing.assert_allclose(shown(picture), wanted(picture), atol=1e-12)
        assert picture.summary.startswith("largest error on 512 vertices:")
        # The function depends on the first four inputs alone: sixteen steps of equal length.
        assert float(np.ptp(shown(picture).reshape(16, 32), axis=1).max()) < 1e-12
        assert picture.x[0] >= 0
        assert picture.x[-1] <= 1
        assert np.all(np.diff(picture.x) > 0)

    @pytest.mark.exact_data(reason="inputs are vertices")
    def test_without_a_truth_the_vertices_are_the_data_in_order(self):
        x = np.array([[-1.0, 1], [1, 1], [1, -1]])
        problem = Problem(x, [1.0, 2.0, 3.0], display=Display("hypercube"))
        picture = function(frame(), probe(problem))
        assert isinstance(picture, Lines)
        np.testing.assert_array_equal(picture.truth, [2, 3, 1])
        np.testing.assert_allclose(picture.x, [0, 1 / 3, 2 / 3])
        assert picture.learned is None

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
        assert isinstance(picture, Lines)
        assert picture.kind == "curve"
        assert picture.truth is None
        np.testing.assert_allclose(shown(picture), np.abs(picture.x))
        np.testing.assert_allclose(picture.data_y, np.abs(picture.data_x))
        assert picture.summary == "rms error on 21 training samples: 0"

    def test_each_output_of_many_can_be_shown(self):
        x = np.linspace(-1, 1, 11)[:, None]
        problem = Problem(x, np.concatenate([x, 2 * x], axis=1))
        points = probe(problem)
        assert points.choices == ("y₁", "y₂")
        network = (np.array([[1.0], [-1.0]]), np.array([[1.0, -1.0], [2.0, -2.0]]))
        for output in (0, 1):
            picture = function(frame(network), points, output)
            assert isinstance(picture, Lines)
            np.testing.assert_allclose(shown(picture), (output + 1) * picture.x, atol=1e-12)
        with pytest.raises(ValueError, match="output must be an integer from 0 to 1"):
            function(frame(network), points, 2)

    def test_regions_of_two_classes_show_the_probability_of_the_second(self):
        x = np.array([[1.0, 0], [2, 0], [-1, 0], [-2, 1]])
        network = (np.array([[1.0, 0], [-1, 0]]), np.array([[0.0, 5.0], [5.0, 0.0]]))
        picture = function(frame(network), probe(Problem(x, [1, 1, 0, 0], loss="cross_entropy")))
        assert isinstance(picture, Regions)
        expected = 1 / (1 + np.exp(-5 * picture.x))
        np.testing.assert_allclose(shown(picture), np.tile(expected, (len(picture.y), 1)))
        np.testing.assert_array_equal(picture.data_values, [1, 1, 0, 0])
        assert (picture.low, picture.high, picture.discrete) == (0, 1, False)
        assert picture.summary == "100.0% right on 4 training samples"

    def test_regions_of_three_classes_show_the_most_probable(self):
        x = np.random.default_rng(0).normal(size=(30, 2))
        problem = Problem(x, np.arange(30) % 3, loss="cross_entropy")
        network = (np.array([[0.0, 1.0], [0.0, -1.0]]), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
        points = probe(problem)
        picture = function(frame(network), points)
        assert points.choices == ()
        assert isinstance(picture, Regions)
        np.testing.assert_array_equal(shown(picture)[:, 0], np.where(picture.y > 0, 1, 2))
        assert picture.discrete

    def test_regions_of_a_number_name_the_error(self):
        x = np.random.default_rng(0).normal(size=(30, 2))
        picture = function(frame((np.eye(2), np.zeros((1, 2)))), probe(Problem(x, np.full(30, 2.0))))
        assert isinstance(picture, Regions)
        assert picture.summary == "rms error on 30 training samples: 2"

    def test_scatter_of_perfect_predictions(self):
        x = np.abs(np.random.default_rng(0).normal(size=(400, 3)))
        problem = Problem(x, x.sum(axis=1), test=(2 * x[:10], 2 * x[:10].sum(axis=1)))
        picture = function(frame((np.eye(3), np.ones((1, 3)))), probe(problem))
        assert isinstance(picture, Scatter)
        np.testing.assert_allclose(shown(picture), picture.targets)
        assert picture.is_test.sum() == 10
        assert picture.summary == "R² = 1 (training), 1 (test)"

    def test_confusion_of_a_network_that_always_says_one(self):
        x = np.random.default_rng(0).normal(size=(90, 5))
        problem = Problem(x, np.arange(90) % 3, loss="cross_entropy")
        network = (np.concatenate([np.eye(5), -np.eye(5)]), np.array([[0.0] * 10, [1.0] * 10, [0.0] * 10]))
        picture = function(frame(network), probe(problem))
        assert isinstance(picture, Confusion)
        assert picture.shares is not None
        np.testing.assert_allclose(picture.shares, np.tile([0.0, 1.0, 0.0], (3, 1)))
        assert picture.summary == "33.3% right on 90 training samples"

    def test_confusion_of_many_classes_shows_the_frequent_ones(self):
        labels = np.concatenate([np.arange(50), np.arange(30, 50)])
        problem = Problem(np.random.default_rng(0).normal(size=(70, 4)), labels, loss="cross_entropy")
        picture = function(frame((np.eye(4), np.zeros((50, 4)))), probe(problem))
        assert isinstance(picture, Confusion)
        assert picture.classes == tuple(range(30, 50))
        assert picture.shares is not None
        assert picture.shares.shape == (20, 20)
        assert "20 most frequent of 50 classes" in picture.summary

    @pytest.mark.parametrize("kind", ["hypercube", "curve", "regions", "scatter"])
    def test_data_in_single_precision(self, kind):
        columns = {"curve": (0,), "regions": (0, 1)}.get(kind, ())
        problem = teacher_problem(6, dtype=torch.float32, display=Display(kind, columns))
        points = probe(problem)
        assert points.points.dtype == torch.float64
        picture = function(frame(teacher_on(6)), points)
        np.testing.assert_allclose(shown(picture), wanted(picture), atol=1e-5)

    @pytest.mark.parametrize("kind", ["hypercube", "curve", "regions", "scatter"])
    def test_before_the_first_network_there_is_the_truth_alone(self, kind):
        columns = {"curve": (0,), "regions": (0, 1)}.get(kind, ())
        problem = teacher_problem(6, display=Display(kind, columns))
        picture = function(frame(), probe(problem))
        assert not isinstance(picture, Confusion)
        assert (picture.predictions if isinstance(picture, Scatter) else picture.learned) is None
        assert picture.summary == ""


class TestLoss:
    def test_trace_additions_and_test_losses(self):
        picture = loss(
            frame(
                TEACHER,
                iteration=3,
                trace_steps=np.array([0.0, 10, 20, 30]),
                trace_losses=np.array([1.0, 0.1, 0.01, 0.003]),
                growth=(record(0, 0, 10, 0.4), record(2, 10, 10, 0.2)),
                added=((1, 3),),
                step=10,
                total_steps=30,
                test_loss=0.1,
            )
        )
        np.testing.assert_array_equal(picture.losses, [1.0, 0.1, 0.01, 0.003])
        np.testing.assert_array_equal(picture.addition_steps, [10, 20])
        np.testing.assert_allclose(picture.addition_losses, [0.1, 0.01])
        assert picture.addition_labels == ("2", "1")
        np.testing.assert_array_equal(picture.test_steps, [10, 20, 30])
        np.testing.assert_array_equal(picture.test_losses, [0.4, 0.2, 0.1])
        assert picture.low == pytest.approx(2e-3)
        assert picture.high == pytest.approx(2)

    def test_the_best_network_on_the_test_set_is_marked_where_its_training_ended(self):
        growth = (record(0, 0, 10, 0.4), record(2, 10, 7, 0.2), record(1, 17, 10, 0.3))
        picture = loss(frame(TEACHER, iteration=3, growth=growth, step=10, total_steps=27, test_loss=0.3))
        assert (picture.best_steps.tolist(), picture.best_losses.tolist()) == ([17], [0.2])
        only = loss(frame(TEACHER, iteration=1, growth=growth[:1], step=10, total_steps=10, test_loss=0.4))
        assert len(only.best_steps) == 0  # there is nothing to be better than

    @pytest.mark.parametrize("layer", [1, 2])
    def test_an_addition_of_the_past_is_marked_in_any_layer(self, layer):
        growth = (record(0, 0, 10), record(layer, 10, 10))
        picture = loss(frame(TEACHER, iteration=2, growth=growth, added=((layer, 1),), step=10, total_steps=20))
        assert picture.addition_labels == (str(layer),)
        np.testing.assert_array_equal(picture.addition_steps, [10])

    def test_an_addition_is_marked_once(self):
        growth = (record(0, 0, 10), record(2, 10, 10))
        picture = loss(frame(TEACHER, iteration=2, growth=growth, added=((2, 1),), step=10, total_steps=20))
        assert picture.addition_labels == ("2",)

    def test_zero_and_broken_losses_can_be_drawn_on_a_log_axis(self):
        losses = np.array([1.0, 0.0, np.nan, np.inf, 1e-30])
        picture = loss(frame(TEACHER, trace_steps=np.arange(5.0), trace_losses=losses))
        np.testing.assert_array_equal(picture.losses, [1.0, SMALLEST, SMALLEST])
        assert 0 < picture.low <= SMALLEST

    def test_a_long_trace_is_thinned_and_keeps_its_ends(self):
        picture = loss(frame(TEACHER, trace_steps=np.arange(20000.0), trace_losses=np.linspace(2, 1, 20000)))
        assert len(picture.steps) <= 1000
        assert picture.steps[[0, -1]].tolist() == [0, 19999]

    def test_nothing_yet(self):
        picture = loss(frame())
        assert len(picture.steps) == 0
        assert 0 < picture.low < picture.high


class TestCandidates:
    POINTS = (Candidate(2, 0.5, 0.0), Candidate(1, 0.4, 0.0), Candidate(2, 0.2, 0.3), Candidate(1, 0.1, 0.4))

    def test_each_layer_has_its_place_best_first(self):
        picture = candidates(frame(TEACHER, iteration=2, candidates=self.POINTS, added=((1, 3),)))
        assert picture.owners == (0, 0, 1, 1)
        np.testing.assert_array_equal(picture.values, [0.4, 0.1, 0.5, 0.2])
        assert np.all(np.round(picture.x) == picture.owners)
        assert np.all(np.diff(picture.x) > 0)
        assert picture.places == ("layer 1", "layer 2")

    def test_what_is_marked_is_what_was_taken(self):
        for taken, chosen in enumerate((2, 0, 3, 1)):
            picture = candidates(frame(TEACHER, iteration=2, candidates=self.POINTS, taken=taken))
            assert picture.chosen == chosen
            assert picture.values[chosen] == self.POINTS[taken].value
            assert f"N = {self.POINTS[taken].value}" in picture.chosen_label
        undecided = candidates(frame(TEACHER, iteration=2, candidates=self.POINTS))
        assert undecided.chosen is None
        assert undecided.chosen_label == ""

    def test_kkt_points_and_mere_directions_are_told_apart(self):
        picture = candidates(frame(TEACHER, iteration=2, candidates=self.POINTS, taken=0))
        assert picture.kkt.tolist() == [True, False, True, False]
        assert picture.points_label == "2 KKT points"
        assert picture.directions_label == "2 candidate directions, residual up to 0.4"
        assert "KKT point" in picture.chosen_label
        assert "KKT" not in candidates(frame(TEACHER, iteration=2, candidates=self.POINTS, taken=3)).chosen_label
        edge = candidates(frame(TEACHER, candidates=(Candidate(0, 1.0, 1e-6), Candidate(0, 0.5, 1.01e-6))))
        assert edge.kkt.tolist() == [True, False]

    def test_the_first_network_comes_from_the_origin(self):
        found = (Candidate(0, 0.3, 0.0), Candidate(0, 0.2, 0.0))
        picture = candidates(frame(TEACHER, candidates=found, added=((1, 0), (2, 0)), taken=1))
        assert picture.places == ("origin",)
        assert picture.chosen == 1

    def test_what_decided_stands_beside_the_values(self):
        found = (
            Candidate(1, 0.5, 0.1, 0.8, 0.01), Candidate(2, 0.4, 0.1, 0.25, 0.02), Candidate(1, 0.3, 0.1, 0.75, 0.01),
            Candidate(1, 0.2, 0.1),
        )  # fmt: skip
        picture = candidates(frame(TEACHER, iteration=2, candidates=found, taken=1))
        np.testing.assert_array_equal(picture.losses, [0.8, 0.75, np.nan, 0.25])
        assert picture.low <= 0.25
        assert picture.high >= 0.8
        assert picture.losses_label == "loss after the look-ahead"
        assert picture.notes[0] == (
            "decided by the look-ahead: 0.25 for the one taken, 0.75 for the best other (N = 0.3, layer 1)"
        )

    def test_a_lower_loss_that_lost_is_explained(self):
        heavy, light = Candidate(1, 0.5, 0.1, 0.2, 0.5), Candidate(1, 0.4, 0.1, 0.3, 0.1)
        picture = candidates(frame(TEACHER, iteration=2, candidates=(heavy, light), taken=1))
        assert picture.notes[:2] == (
            "decided by the look-ahead: 0.3 for the one taken, 0.2 for the best other (N = 0.5, layer 1)",
            "with its weight decay 0.4 and 0.7",
        )
        given_up = candidates(frame(TEACHER, iteration=2, candidates=(heavy, light), taken=0))
        assert "given up on the way" in given_up.notes[1]

    def test_losses_out_of_range_are_not_drawn(self):
        found = (Candidate(1, 0.5, 0.1, np.inf, 0.0), Candidate(1, 0.4, 0.1, 0.0, 0.0))
        picture = candidates(frame(TEACHER, iteration=2, candidates=found, taken=1))
        assert np.isnan(picture.losses[0])
        assert picture.losses[1] > 0
        assert "no finite loss for the best other" in picture.notes[0]

    def test_many_are_cut_but_for_the_one_taken_and_empty_layers_named(self):
        found = tuple(Candidate(1, value, 0.0) for value in np.linspace(1, 0.1, 50))
        picture = candidates(frame(TEACHER, iteration=2, candidates=found, added=((1, 3),)))
        assert len(picture.values) == 30
        assert picture.values.max() == 1
        assert picture.notes == ("not shown: 20 weaker candidates", "no candidate in layer 2")
        picture = candidates(frame(TEACHER, iteration=2, candidates=found, taken=45))
        assert len(picture.values) == 30
        assert picture.values[picture.chosen] == found[45].value


def test_classes_have_one_name_in_every_picture():
    problem = digits()
    matrices = (np.ones((2, 64)), np.arange(20.0).reshape(10, 2) - 9)
    pictured = frame(matrices, classes=True)
    assert architecture(pictured).node_labels[-10:] == tuple("0123456789")
    assert architecture(pictured).column_labels[-1] == "classes"
    rows = weights(pictured, 2).labels
    assert set(rows) <= {f"class {digit}" for digit in range(10)}
    assert probe(problem).output_name(3) == "probability of class 3"
    pursuit = NeuronPursuit(problem, hidden_layers=1)
    assert pursuit.frame().classes
    assert not NeuronPursuit(curve(), hidden_layers=1).frame().classes
