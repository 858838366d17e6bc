"""Pictures of saddle flows against frames whose neurons turn and grow by formulas."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from np_widgets.learning.saddles.frames import Awakening, Destination, SaddleFrame
from np_widgets.pictures.alignment import alignment
from np_widgets.pictures.heatmap import MOST_COLUMNS, MOST_ROWS, heatmap
from np_widgets.pictures.limits import round_above, round_below
from np_widgets.pictures.norms import MOST_NEURONS, norms
from np_widgets.pictures.plane import Trail, plane
from np_widgets.pictures.plateaus import plateaus
from np_widgets.pictures.stages import spread, stage_at, stages
from tests.saddle_frames import (
    END,
    ESCAPE,
    FIRST,
    NEURONS,
    REACHED,
    SCALE,
    SECOND,
    at_the_origin,
    at_the_start,
    between_saddles,
    near_a_saddle,
    unit,
)

NEAR, LADDER = near_a_saddle(), between_saddles()
EVERY = {
    "near": NEAR,
    "ladder": LADDER,
    "origin": at_the_origin(),
    "shallow origin": at_the_origin(1),
    "one point": at_the_start(1),
    "no point": at_the_start(0),
    "searching": dataclasses.replace(LADDER, phase="searching", predictions=LADDER.predictions[:1]),
}
PICTURES = {"norms": norms, "alignment": alignment, "plane": plane, "plateaus": plateaus, "heatmap": heatmap}


def changed(frame: SaddleFrame, **arrays: Any) -> SaddleFrame:
    """The frame with other arrays in its record."""
    return dataclasses.replace(frame, record=dataclasses.replace(frame.record, **arrays))


def numbers_in(value: Any) -> list[np.ndarray]:
    """All numbers of a picture, however deep."""
    if dataclasses.is_dataclass(value):
        return [n for field in dataclasses.fields(value) for n in numbers_in(getattr(value, field.name))]
    if isinstance(value, tuple):
        return [n for item in value for n in numbers_in(item)]
    if isinstance(value, np.ndarray | float):
        return [np.asarray(value, dtype=float).ravel()]
    return []


@pytest.mark.parametrize("index", [None, 0, 10_000])
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("frame", EVERY.values(), ids=EVERY)
class TestEveryPicture:
    def test_all_numbers_are_finite_and_limits_are_apart(self, frame, picture, index):
        drawn = picture(frame, index)
        cosines = [] if picture is not alignment else [drawn.cosines.ravel()]
        for values in numbers_in(drawn):
            if not any(np.array_equal(values, other, equal_nan=True) for other in cosines):
                assert np.isfinite(values).all()
        for low, high in (("left", "right"), ("low", "high")):
            if hasattr(drawn, low):
                assert getattr(drawn, low) < getattr(drawn, high)

    def test_the_frame_stays_as_it_is(self, frame, picture, index):
        before = [array.copy() for array in (frame.record.neuron_cosine, *frame.weights)]
        picture(frame, index)
        for array, copy in zip((frame.record.neuron_cosine, *frame.weights), before, strict=True):
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
class TestIndex:
    def test_what_lies_beyond_the_record_is_its_newest_point(self, picture):
        newest, beyond = (picture(LADDER, index) for index in (None, len(LADDER.record.time) + 7))
        for mine, other in zip(numbers_in(newest), numbers_in(beyond), strict=True):
            np.testing.assert_array_equal(mine, other)

    @pytest.mark.parametrize(("index", "error"), [(-1, ValueError), (1.5, TypeError), ("0", TypeError)])
    def test_anything_else_is_refused(self, picture, index, error):
        with pytest.raises(error, match="index must be an integer of at least 0"):
            picture(LADDER, index)


class TestStages:
    def test_one_for_each_saddle_with_the_neurons_that_woke_up_before(self):
        first, second = stages(LADDER)
        assert (first.start, first.end, second.start, second.end) == (0, REACHED, REACHED, np.inf)
        assert first.prediction is LADDER.predictions[0]
        assert second.prediction is LADDER.predictions[1]
        assert first.dormant.all()
        assert second.dormant.tolist() == [name != (1, 1) for name in NEURONS]
        for mine, theirs in zip(second.active, LADDER.active, strict=True):
            np.testing.assert_array_equal(mine, theirs)

    def test_a_new_saddle_has_no_prediction_before_the_search_is_over(self):
        assert stages(EVERY["searching"])[1].prediction is None

    def test_a_moment_belongs_to_the_saddle_left_last(self):
        for index, time in enumerate(LADDER.record.time):
            assert stage_at(LADDER, index).number == int(time >= REACHED)

    @given(st.integers(0, 50), st.integers(0, 3000), st.integers(2, 400))
    def test_spread_keeps_both_ends(self, first, size, most):
        chosen = spread(first, first + size, most)
        assert len(chosen) == min(size, most) or (size > most and 2 <= len(chosen) <= most)
        assert np.all(np.diff(chosen) > 0)
        if size:
            assert (chosen[0], chosen[-1]) == (first, first + size - 1)


class TestNorms:
    def test_the_curves_are_those_of_the_record(self):
        picture = norms(NEAR)
        (growth,) = picture.growths
        np.testing.assert_array_equal(growth.time, NEAR.record.time)
        np.testing.assert_array_equal(growth.norm, NEAR.record.dormant_norm)
        np.testing.assert_array_equal(picture.neurons, NEAR.record.neuron_norm.T)
        np.testing.assert_array_equal(growth.predicted_norm, NEAR.predictions[0].dormant_norm)
        assert (growth.escape_norm, growth.predicted_escape, growth.escape) == (0.09, ESCAPE, ESCAPE)

    def test_points_at_which_the_active_weights_have_not_moved_are_left_out(self):
        picture = norms(NEAR)
        np.testing.assert_array_equal(picture.shift_time, NEAR.record.time[1:])
        np.testing.assert_allclose(picture.shift, SCALE**2 * NEAR.record.time[1:], rtol=1e-6)
        assert len(norms(at_the_origin()).shift) == 0

    def test_at_the_second_saddle_only_what_is_still_dormant_counts(self):
        first, second = norms(LADDER).growths
        assert first.norm[-1] > 0.5
        weights = LADDER.weights
        # All of W_1 to W_3 but what joins inputs, neurons 0 and 1 of layer 1, neuron 0 of layer 2, and the output.
        dormant = np.concatenate([weights[0][2:].ravel(), weights[1][1:].ravel(), weights[1][0, 2:], weights[2][0, 1:]])
        assert second.norm[-1] == pytest.approx(np.linalg.norm(dormant))
        assert second.time[0] == REACHED
        assert second.escape is None
        assert norms(LADDER).neuron_awake.tolist() == [name == (1, 1) for name in NEURONS]

    def test_events_lie_on_the_curve(self):
        picture = norms(LADDER)
        assert [(mark.kind, mark.time) for mark in picture.marks] == [
            ("aligned", 4.0),
            ("escaped", ESCAPE),
            ("saddle", REACHED),
        ]
        first = picture.growths[0]
        for mark in picture.marks:
            assert mark.value == pytest.approx(np.interp(mark.time, first.time, first.norm), rel=1e-3)

    def test_time_reaches_as_far_as_the_predicted_escape(self):
        assert norms(near_a_saddle(end=2.0)).right > ESCAPE
        assert norms(at_the_start(predictions=NEAR.predictions)).right > ESCAPE

    def test_but_not_to_one_out_of_reach(self):
        far = (dataclasses.replace(NEAR.predictions[0], escape_time=1e9),)
        assert norms(near_a_saddle(predictions=far)).right < 2 * NEAR.time
        assert norms(near_a_saddle(end=2.0, goal=30.0, predictions=far)).right == pytest.approx(30, rel=0.05)

    def test_the_time_slider_and_what_it_says(self):
        picture = norms(LADDER, 20)
        assert picture.now == LADDER.record.time[20]
        assert picture.summary == "predicted escape at time 10, escaped at 10"
        assert norms(LADDER).summary == "predicted escape at time 25"
        assert norms(at_the_start()).summary == ""
        reached = int(np.flatnonzero(LADDER.record.time >= REACHED)[0])
        assert norms(LADDER, reached).summary == "predicted escape at time 25"
        assert norms(EVERY["searching"], reached).summary == "predicted escape at time 10, escaped at 10"

    def test_of_many_neurons_the_largest_are_shown(self):
        count = MOST_NEURONS + 5
        names = tuple((1, index) for index in range(count))
        sizes = np.tile(np.arange(count, dtype=float), (len(NEAR.record.time), 1))
        frame = changed(NEAR, neurons=names, neuron_norm=sizes)
        frame = dataclasses.replace(frame, weights=(np.zeros((count, 3)), np.zeros((1, count))), started_active=(0,))
        picture = norms(frame)
        assert picture.neuron_names == names[5:]
        assert picture.note == "Not shown: 5 smaller neurons"

    def test_neurons_that_die_out_do_not_stretch_the_axis(self):
        faint = NEAR.record.neuron_norm * np.array([1, 1, 1, 1e-60, 0])
        picture = norms(changed(NEAR, neuron_norm=faint))
        assert picture.low >= 1e-2 * SCALE**2
        assert np.all(picture.neurons >= picture.low)

    def test_what_is_not_finite_is_not_drawn(self):
        wild = NEAR.record.dormant_norm.copy()
        wild[[3, 7, 9]] = [np.nan, np.inf, 0]
        picture = norms(changed(NEAR, dormant_norm=wild, active_shift=wild * np.nan))
        assert len(picture.growths[0].time) == len(wild) - 3
        assert len(picture.shift) == 0
        assert np.isfinite([picture.low, picture.high]).all()

    @given(st.floats(1e-300, 1e300))
    def test_limits_are_round_and_enclose(self, value):
        low, high = round_below(value), round_above(value)
        assert low <= value <= high
        assert high / low < 2.6 or low == high
        for limit in (low, high):
            assert float(f"{limit:.0e}"[0]) in (1, 2, 5)


class TestAlignment:
    def test_only_neurons_with_a_kkt_point_are_shown(self):
        picture = alignment(NEAR)
        assert picture.neurons == NEURONS[:4]
        np.testing.assert_array_equal(picture.cosines, NEAR.record.neuron_cosine.T[:4])
        assert np.all(picture.cosines[:, -1] > 0.999)
        assert picture.aligned == (4.0,)
        assert picture.leader == 0

    def test_a_neuron_that_woke_up_has_no_more_cosine(self):
        picture = alignment(LADDER)
        after = picture.time >= REACHED
        assert np.isnan(picture.cosines[0, after]).all()
        assert np.isfinite(picture.cosines[0, ~after]).all()
        # The line of the others is broken where their KKT point becomes another one.
        assert np.isnan(picture.cosines[1, after]).tolist() == [True] + [False] * (int(after.sum()) - 1)
        assert picture.starts == (REACHED,)
        assert picture.neurons[picture.leader] != (1, 1)
        assert alignment(LADDER, 30).leader == 0

    def test_rounding_does_not_lift_a_cosine_above_one(self):
        picture = alignment(changed(NEAR, neuron_cosine=np.full((81, 5), 1 + 1e-9)))
        assert picture.cosines.max() == 1

    def test_without_kkt_points_it_says_so(self):
        nowhere = changed(NEAR, neuron_cosine=np.full((81, 5), np.nan))
        assert alignment(nowhere).empty == "No dormant neuron goes to a KKT point"
        assert "search" in alignment(dataclasses.replace(nowhere, phase="searching")).empty
        assert alignment(at_the_start(0)).empty


def ends_of(trail: Trail) -> tuple[float, float]:
    return float(trail.x[-1]), float(trail.y[-1])


class TestPlane:
    def test_kkt_points_and_the_neurons_that_reached_them(self):
        picture = plane(NEAR)
        assert picture.layer == 1
        assert picture.layers == (1, 2)
        np.testing.assert_allclose(picture.points_x, [1.0, float(FIRST @ SECOND)])
        assert np.hypot(picture.points_x, picture.points_y) == pytest.approx([1, 1])
        assert picture.points_y[1] > 0
        assert picture.point_values.tolist() == [0.25, 0.15]
        assert [trail.neuron for trail in picture.trails] == [(1, 1), (1, 2), (1, 3)]
        assert [trail.goal for trail in picture.trails] == [0, 1, 0]
        assert ends_of(picture.trails[0]) == pytest.approx((1, 0), abs=1e-3)
        assert ends_of(picture.trails[1]) == pytest.approx((FIRST @ SECOND, picture.points_y[1]), abs=1e-3)
        assert picture.leader == 0

    def test_a_layer_with_one_active_neuron_on_each_side_is_the_whole_circle(self):
        picture = plane(NEAR, layer=2)
        np.testing.assert_allclose(picture.points_x, [1])
        for trail in picture.trails:
            np.testing.assert_allclose(np.hypot(trail.x, trail.y), 1)
        assert [trail.goal for trail in picture.trails] == [0, None]
        assert "start" in picture.y_label

    def test_a_trail_ends_where_the_time_slider_stands(self):
        for index in (0, 5, 40):
            for trail, whole in zip(plane(NEAR, index).trails, plane(NEAR).trails, strict=True):
                np.testing.assert_allclose(trail.x, whole.x[: index + 1], atol=1e-12)
                np.testing.assert_allclose(trail.y, whole.y[: index + 1], atol=1e-12)

    def test_at_the_next_saddle_trails_and_axes_are_new(self):
        picture = plane(LADDER)
        assert [trail.neuron for trail in picture.trails] == [(1, 2), (1, 3)]
        after = LADDER.record.time >= REACHED
        assert len(picture.trails[0].x) == after.sum()
        assert ends_of(picture.trails[0]) == pytest.approx((1, 0), abs=1e-3)
        before = plane(LADDER, int(np.argmax(after)) - 1)
        assert [trail.neuron for trail in before.trails] == [(1, 1), (1, 2), (1, 3)]

    def test_a_saddle_just_reached_shows_the_way_to_it_until_its_kkt_points_are_known(self):
        reached = int(np.flatnonzero(LADDER.record.time >= REACHED)[0])
        assert [trail.neuron for trail in plane(LADDER, reached).trails] == [(1, 2), (1, 3)]
        way = plane(EVERY["searching"], reached)
        assert [trail.neuron for trail in way.trails] == [(1, 1), (1, 2), (1, 3)]
        assert len(way.trails[0].x) == reached + 1
        assert alignment(EVERY["searching"], reached).leader == 0

    def test_a_layer_above_sees_the_neuron_that_woke_up(self):
        picture = plane(LADDER, layer=2)
        assert picture.empty == ""
        # Their weights from neuron 1 of layer 1 are part of their direction now.
        history = np.stack([weights[1][1] for weights in LADDER.history[-len(picture.trails[0].x) :]])
        out = np.array([weights[2][0, 1] for weights in LADDER.history[-len(picture.trails[0].x) :]])
        full = np.column_stack([history[:, :2], out])
        expected = full @ unit(1, 1, 1) / np.linalg.norm(full, axis=1)
        np.testing.assert_allclose(picture.trails[0].x, expected)

    def test_points_that_neurons_go_to_come_first(self):
        better = Destination(1, 0.9, 1e-9, unit(0, 0, 1), np.zeros(1))
        prediction = NEAR.predictions[0]
        moved = dataclasses.replace(
            prediction,
            destinations=(better, *prediction.destinations),
            neuron_destination=tuple(goal + 1 if goal >= 0 else -1 for goal in prediction.neuron_destination),
        )
        picture = plane(near_a_saddle(predictions=(moved,)))
        assert picture.point_values.tolist() == [0.25, 0.15, 0.9]
        assert picture.point_visited.tolist() == [True, True, False]
        assert ends_of(picture.trails[0]) == pytest.approx((1, 0), abs=1e-3)

    def test_opposite_points_leave_the_second_axis_to_others(self):
        opposite = Destination(1, 0.24, 1e-9, -FIRST[:3], -FIRST[3:])
        prediction = NEAR.predictions[0]
        pair = (prediction.destinations[0], opposite)
        both = dataclasses.replace(prediction, destinations=pair, neuron_destination=(0, 1, 0, -1, -1))
        picture = plane(near_a_saddle(predictions=(both,)))
        np.testing.assert_allclose(picture.points_x, [1, -1])
        np.testing.assert_allclose(picture.points_y, [0, 0], atol=1e-12)
        assert any(np.abs(trail.y[0]) > 0.1 for trail in picture.trails)
        assert "start" in picture.y_label

    @pytest.mark.parametrize(("layer", "size"), [(1, 3), (2, 2)])
    def test_near_the_origin_the_ends_of_the_network_show_what_is_given(self, layer, size):
        picture = plane(at_the_origin(), layer=layer)
        assert picture.layers == (1, 2)
        for trail in picture.trails:
            assert ends_of(trail) == pytest.approx((1, 0), abs=1e-2)
        if size == 2:
            for trail in picture.trails:
                np.testing.assert_allclose(np.hypot(trail.x, trail.y), 1)

    def test_near_the_origin_layers_in_the_middle_have_no_plane(self):
        frame = at_the_origin(3)
        assert plane(frame).layers == (1, 3)
        assert plane(frame, layer=2).empty == (
            "No plane for layer 2: neither below nor above it is anything active yet"
        )

    def test_near_the_origin_one_hidden_layer_has_both_kinds_of_weights(self):
        picture = plane(at_the_origin(1))
        for trail in picture.trails:
            assert ends_of(trail) == pytest.approx((1, 0), abs=1e-2)

    def test_what_is_missing_is_said(self):
        prediction = NEAR.predictions[0]
        assert "search" in plane(at_the_start()).empty
        assert "search" in plane(EVERY["searching"]).empty
        flat = dataclasses.replace(prediction, destinations=(), neuron_destination=(-1,) * 5)
        assert plane(near_a_saddle(predictions=(flat,))).empty.startswith("No KKT point in layer 1")
        all_awake = Awakening(ESCAPE, REACHED, NEURONS, 0.0, True, 0.5, None)
        assert plane(dataclasses.replace(LADDER, awakenings=(all_awake,))).empty == "No dormant neuron left"
        upper = Awakening(ESCAPE, REACHED, NEURONS[3:], 0.0, True, 0.5, None)
        assert plane(dataclasses.replace(LADDER, awakenings=(upper,)), layer=2).empty == "No dormant neuron in layer 2"

    @pytest.mark.parametrize("layer", [0, 3, -1])
    def test_a_layer_that_does_not_exist_is_refused(self, layer):
        with pytest.raises(ValueError, match="layer must be an integer from 1 to 2"):
            plane(NEAR, layer=layer)

    @given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
    @settings(max_examples=40, deadline=None)
    def test_every_direction_lies_in_the_unit_circle(self, seed, inputs, points, neurons):
        rng = np.random.default_rng(seed)
        ways = rng.normal(size=(points, inputs + 1))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        found = tuple(Destination(1, 0.1, 0.0, way[:inputs], way[inputs:]) for way in ways)
        history = tuple((rng.normal(size=(neurons, inputs)), rng.normal(size=(1, neurons))) for _ in NEAR.record.time)
        names = tuple((1, index) for index in range(neurons))
        goals = tuple(rng.integers(-1, points, size=neurons).tolist())
        frame = changed(NEAR, neurons=names, neuron_norm=np.ones((81, neurons)))
        prediction = dataclasses.replace(NEAR.predictions[0], destinations=found, neuron_destination=goals)
        frame = dataclasses.replace(
            frame, weights=history[-1], history=history, started_active=(0,), predictions=(prediction,)
        )
        picture = plane(frame)
        assert picture.empty == ""
        for x, y in [(picture.points_x, picture.points_y), *((trail.x, trail.y) for trail in picture.trails)]:
            assert np.all(np.hypot(x, y) <= 1 + 1e-12)
        assert (picture.points_x[0], picture.points_y[0]) == pytest.approx((1, 0))
        for trail in picture.trails:
            assert trail.goal is None or picture.point_visited[trail.goal]


class TestPlateaus:
    def test_from_the_start_and_from_each_saddle_to_the_escape(self):
        first, second = plateaus(LADDER).plateaus
        assert (first.start, first.end, first.level, first.left) == (0, ESCAPE, 1.2, True)
        assert (second.start, second.end, second.level, second.left) == (REACHED, END, 0.5, False)
        assert (first.label, second.label) == ("1.2", "0.5")

    def test_a_plateau_not_left_yet_ends_now(self):
        (only,) = plateaus(near_a_saddle(end=3.0)).plateaus
        assert (only.start, only.end, only.left) == (0, 3.0, False)

    def test_a_plateau_that_was_left_ends_there_though_no_saddle_followed(self):
        (only,) = plateaus(NEAR).plateaus
        assert only.end == ESCAPE < NEAR.time

    def test_what_woke_up_and_what_pursuit_reaches(self):
        (comparison,) = plateaus(LADDER).comparisons
        assert (comparison.time, comparison.loss, comparison.pursuit_loss) == (REACHED, 0.5, 0.49)
        assert comparison.label == "1 neuron woke up: loss 0.5, Neuron Pursuit 0.49"
        (awakening,) = LADDER.awakenings
        unknown = dataclasses.replace(LADDER, awakenings=(dataclasses.replace(awakening, pursuit_loss=None),))
        assert plateaus(unknown).comparisons[0].label == "1 neuron woke up: loss 0.5"
        nobody = dataclasses.replace(LADDER, awakenings=(dataclasses.replace(awakening, awake=(), pursuit_loss=None),))
        assert plateaus(nobody).comparisons[0].label == "no neuron woke up: loss 0.5"

    def test_the_scale_starts_at_zero_once_the_loss_has_fallen(self):
        picture = plateaus(LADDER)
        assert picture.low == 0
        assert picture.high > 1.2

    def test_rounding_errors_on_a_plateau_are_not_enlarged(self):
        picture = plateaus(changed(NEAR, loss=1.2 + 1e-12 * np.sin(np.arange(81))))
        assert picture.high - picture.low > 0.01
        assert picture.low < 1.2 < picture.high

    @given(st.lists(st.floats(0, 1e6) | st.just(float("nan")) | st.just(float("inf")), min_size=81, max_size=81))
    @settings(max_examples=40)
    def test_everything_finite_is_within_the_limits(self, losses):
        picture = plateaus(changed(near_a_saddle(events=()), loss=np.array(losses)))
        assert np.all((picture.losses >= picture.low) & (picture.losses <= picture.high))
        assert picture.low < picture.high
        assert len(picture.losses) == np.isfinite(losses).sum()


class TestHeatmap:
    def test_active_neurons_come_first_and_their_block_has_a_scale_of_its_own(self):
        picture = heatmap(NEAR)
        np.testing.assert_array_equal(picture.weights, NEAR.weights[0])
        assert picture.active_limit == pytest.approx(1.0, rel=1e-4)
        assert picture.dormant_limit == np.abs(NEAR.weights[0][1:]).max()
        np.testing.assert_allclose(picture.shades[0], NEAR.weights[0][0] / picture.active_limit)
        np.testing.assert_allclose(picture.shades[1:], NEAR.weights[0][1:] / picture.dormant_limit)
        assert picture.row_labels == ("1", "2", "3", "4")
        assert picture.column_labels == ("x₁", "x₂", "x₃")
        assert [(b.name, b.left, b.right, b.top, b.bottom) for b in picture.blocks] == [
            ("active", 0, 3, 0, 1),
            ("into dormant", 0, 3, 1, 4),
        ]

    def test_blocks_of_a_layer_in_the_middle_tile_the_matrix(self):
        picture = heatmap(NEAR, layer=2)
        covered = np.zeros(picture.weights.shape, dtype=int)
        for block in picture.blocks:
            covered[block.top : block.bottom, block.left : block.right] += 1
        assert np.all(covered == 1)
        assert [block.name for block in picture.blocks] == [
            "active",
            "into dormant",
            "out of dormant",
            "between dormant",
        ]
        assert np.abs(picture.shades).max() == 1

    def test_a_neuron_that_woke_up_moves_to_the_active_block(self):
        frame = dataclasses.replace(LADDER, awakenings=(Awakening(ESCAPE, REACHED, ((1, 3),), 0, True, 0.5, None),))
        assert heatmap(frame).row_labels == ("1", "4", "2", "3")
        assert heatmap(frame).blocks[0].bottom == 2
        assert heatmap(frame, 0).row_labels == ("1", "2", "3", "4")
        np.testing.assert_array_equal(heatmap(frame).weights, frame.weights[0][[0, 3, 1, 2]])
        np.testing.assert_array_equal(heatmap(frame, layer=2).weights, frame.weights[1][:, [0, 3, 1, 2]])

    def test_the_time_slider_shows_the_weights_of_then(self):
        np.testing.assert_array_equal(heatmap(NEAR, 7, 2).weights, NEAR.history[7][1])

    def test_output_weights_have_named_rows(self):
        assert heatmap(NEAR, layer=3).row_labels == ("y",)
        assert heatmap(at_the_origin(), layer=3).row_labels == ("y₁", "y₂")
        assert heatmap(at_the_origin(), layer=3).blocks[0].name == "out of dormant"

    def test_at_the_origin_there_is_no_active_block(self):
        picture = heatmap(at_the_origin())
        assert picture.active_limit == 0
        assert len(picture.scales) == 1
        assert picture.scales[0].startswith("full color, dormant blocks: ±")

    def test_of_a_large_matrix_the_largest_rows_and_columns_are_kept(self):
        rng = np.random.default_rng(0)
        large = rng.normal(size=(100, 500)) * 1e-3
        large[90, 300] = 1.0
        weights = (large, rng.normal(size=(1, 100)))
        frame = dataclasses.replace(NEAR, weights=weights, history=(weights,) * 81, started_active=(3,))
        picture = heatmap(changed(frame, neurons=()))
        assert picture.weights.shape == (MOST_ROWS, MOST_COLUMNS)
        row, column = picture.row_labels.index("91"), picture.column_labels.index("x₃₀₁")
        assert (picture.weights[row, column], picture.shades[row, column]) == (1.0, 1.0)
        assert "32 largest of 100 rows" in picture.note

    def test_zero_weights_are_no_division_by_zero(self):
        zero = tuple(np.zeros_like(weight) for weight in NEAR.weights)
        picture = heatmap(dataclasses.replace(NEAR, weights=zero, history=(zero,) * 81))
        assert not picture.shades.any()

    @pytest.mark.parametrize("layer", [0, 4])
    def test_a_layer_that_does_not_exist_is_refused(self, layer):
        with pytest.raises(ValueError, match="layer must be an integer from 1 to 3"):
            heatmap(NEAR, layer=layer)
