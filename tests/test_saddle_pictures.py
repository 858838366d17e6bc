"""Pictures of saddle flows against frames whose neurons turn and grow by formulas."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from np_widgets.learning.saddles.frames import Awakening, Destination, SaddleFrame
from np_widgets.pictures.alignment import alignment
from np_widgets.pictures.labels import number
from np_widgets.pictures.norms import MOST_NEURONS, norms
from np_widgets.pictures.plane import best_layer, plane
from np_widgets.pictures.plateaus import plateaus
from np_widgets.pictures.scene import Curve, Mark, Scene, Texts
from np_widgets.pictures.stages import spread, stage_at, stages
from np_widgets.pictures.ticks import round_above, round_below
from np_widgets.pictures.weights import MOST_COLUMNS, MOST_ROWS, saddle_weights
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
PICTURES = {"norms": norms, "alignment": alignment, "plane": plane, "plateaus": plateaus, "weights": saddle_weights}


def changed(frame: SaddleFrame, **arrays: Any) -> SaddleFrame:
    """The frame with other arrays in its record."""
    return dataclasses.replace(frame, record=dataclasses.replace(frame.record, **arrays))


def lines(mark: Mark) -> list[tuple[list[float], list[float]]]:
    """The lines of a curve, without the gaps between them."""
    ends = [-1, *np.flatnonzero(np.isnan(mark.y)).tolist(), len(mark.y)]
    return [(mark.x[a + 1 : b].tolist(), mark.y[a + 1 : b].tolist()) for a, b in pairwise(ends) if b > a + 1]


@pytest.mark.parametrize("index", [None, 0, 10_000])
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("frame", EVERY.values(), ids=EVERY)
class TestEveryPicture:
    def test_all_numbers_are_finite_and_lie_within_the_axes(self, frame, picture, index):
        drawn = picture(frame, index)
        assert bool(drawn.marks) != bool(drawn.empty)
        for mark in drawn.marks:
            gaps = np.isnan(mark.y) if isinstance(mark, Curve) else np.zeros(mark.y.shape, dtype=bool)
            assert not gaps[..., -1:].any()
            for values, axis in ((mark.x, drawn.x), (mark.y, drawn.y)):
                assert axis.low < axis.high
                drawn_at = values[~gaps] if gaps.any() else values
                assert np.isfinite(drawn_at).all()
                room = 1e-9 * (axis.high - axis.low)
                assert np.all((drawn_at >= axis.low - room) & (drawn_at <= axis.high + room))
        assert str(drawn).startswith(drawn.title)

    def test_the_frame_stays_as_it_is(self, frame, picture, index):
        before = [array.copy() for array in (frame.record.neuron_cosine, *frame.weights)]
        picture(frame, index)
        for array, copy in zip((frame.record.neuron_cosine, *frame.weights), before, strict=True):
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
class TestIndex:
    def test_what_lies_beyond_the_record_is_its_newest_point(self, picture):
        newest, beyond = (picture(LADDER, index) for index in (None, len(LADDER.record.time) + 7))
        for mine, other in zip(newest.marks, [mark for mark in beyond.marks if mark.role != "cursor"], strict=True):
            np.testing.assert_array_equal(mine.y, other.y)

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
        np.testing.assert_array_equal(picture["main"].x, NEAR.record.time)
        np.testing.assert_array_equal(picture["main"].y, NEAR.record.dormant_norm)
        neurons = [y for _, y in lines(picture["each"])]
        np.testing.assert_array_equal(neurons, NEAR.record.neuron_norm.T)
        np.testing.assert_array_equal(picture["predicted"].y, NEAR.predictions[0].dormant_norm)
        assert (picture["predicted escape"].x.tolist(), picture["predicted escape"].y.tolist()) == ([ESCAPE], [0.09])
        assert set(picture["threshold"].y) == {0.09}

    def test_points_at_which_the_active_weights_have_not_moved_are_left_out(self):
        picture = norms(NEAR)
        np.testing.assert_array_equal(picture["shift"].x, NEAR.record.time[1:])
        np.testing.assert_allclose(picture["shift"].y, SCALE**2 * NEAR.record.time[1:], rtol=1e-6)
        assert "shift" not in norms(at_the_origin())

    def test_a_shift_below_the_axis_is_not_drawn_at_its_end(self):
        shift = np.where(NEAR.record.time < 5, 1e-30, 1e-4)
        picture = norms(changed(NEAR, active_shift=shift))
        assert picture["shift"].y.tolist() == [1e-4] * int((NEAR.record.time >= 5).sum())

    def test_at_the_second_saddle_only_what_is_still_dormant_counts(self):
        (_, first), (time, second) = lines(norms(LADDER)["main"])
        assert first[-1] > 0.5
        weights = LADDER.weights
        # All of W_1 to W_3 but what joins inputs, neurons 0 and 1 of layer 1, neuron 0 of layer 2, and the output.
        dormant = np.concatenate([weights[0][2:].ravel(), weights[1][1:].ravel(), weights[1][0, 2:], weights[2][0, 1:]])
        assert second[-1] == pytest.approx(np.linalg.norm(dormant))
        assert time[0] == REACHED
        (woken,) = lines(norms(LADDER)["awake"])
        np.testing.assert_array_equal(woken[1], LADDER.record.neuron_norm[:, NEURONS.index((1, 1))])
        assert len(lines(norms(LADDER)["each"])) == len(NEURONS) - 1

    def test_events_lie_on_the_curve(self):
        picture = norms(LADDER)
        first = lines(picture["main"])[0]
        for role, time in (("aligned", 4.0), ("escaped", ESCAPE), ("next saddle", REACHED)):
            mark = picture[role]
            assert mark.x.tolist() == [time]
            assert mark.y[0] == pytest.approx(np.interp(time, *first), rel=1e-3)
            assert mark.reads == tuple(e.message for e in LADDER.events if e.time == time)

    def test_time_reaches_as_far_as_the_predicted_escape(self):
        assert norms(near_a_saddle(end=2.0)).x.high > ESCAPE
        assert norms(at_the_start(predictions=NEAR.predictions)).x.high > ESCAPE

    def test_but_not_to_one_out_of_reach(self):
        far = (dataclasses.replace(NEAR.predictions[0], escape_time=1e9),)
        assert norms(near_a_saddle(predictions=far)).x.high < 2 * NEAR.time
        assert 30 <= norms(near_a_saddle(end=2.0, goal=30.0, predictions=far)).x.high < 40

    def test_the_time_slider_and_what_it_says(self):
        picture = norms(LADDER, 20)
        assert set(picture["cursor"].x) == {LADDER.record.time[20]}
        assert "cursor" not in norms(LADDER)
        assert picture.notes == ("Predicted escape at time 10, escaped at 10",)
        assert norms(LADDER).notes == ("Predicted escape at time 25",)
        assert norms(at_the_start()).notes == ("Only the start is known yet: press Play, Step or To escape",)
        reached = int(np.flatnonzero(LADDER.record.time >= REACHED)[0])
        assert norms(LADDER, reached).notes == ("Predicted escape at time 25",)
        assert norms(EVERY["searching"], reached).notes == ("Predicted escape at time 10, escaped at 10",)

    def test_of_many_neurons_the_largest_are_shown(self):
        count = MOST_NEURONS + 5
        names = tuple((1, index) for index in range(count))
        sizes = np.tile(1.0 + np.arange(count), (len(NEAR.record.time), 1))
        frame = changed(NEAR, neurons=names, neuron_norm=sizes)
        frame = dataclasses.replace(frame, weights=(np.zeros((count, 3)), np.zeros((1, count))), started_active=(0,))
        picture = norms(frame)
        assert [y[0] for _, y in lines(picture["each"])] == [6.0 + index for index in range(MOST_NEURONS)]
        assert picture.notes[-1] == "Not shown: 5 smaller neurons"

    def test_neurons_that_die_out_do_not_stretch_the_axis(self):
        faint = NEAR.record.neuron_norm * np.array([1, 1, 1, 1e-60, 0])
        assert norms(changed(NEAR, neuron_norm=faint)).y.low >= 1e-2 * SCALE**2

    def test_what_is_not_finite_is_not_drawn(self):
        wild = NEAR.record.dormant_norm.copy()
        wild[[3, 7, 9]] = [np.nan, np.inf, 0]
        picture = norms(changed(NEAR, dormant_norm=wild, active_shift=wild * np.nan))
        assert len(picture["main"].x) == len(wild) - 3
        assert "shift" not in picture

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
        cosines = [y for role in ("main", "each") for _, y in lines(picture[role])]
        np.testing.assert_array_equal(cosines, NEAR.record.neuron_cosine.T[:4])
        assert picture["aligned"].x.tolist() == [4.0]
        assert dict(picture.legend).keys() >= {"largest: neuron 2 of layer 1", "each other neuron", "aligned"}
        assert "at a cosine of 1" in picture.says

    def test_a_neuron_that_woke_up_has_no_more_cosine(self):
        picture = alignment(LADDER)
        before, after = LADDER.record.time < REACHED, LADDER.record.time > REACHED
        woken, *others = LADDER.record.neuron_cosine.T[:4]
        found = [tuple(y) for role in ("main", "each") for _, y in lines(picture[role])]
        assert tuple(woken[before]) in found
        # The line of the others is broken where their KKT point becomes another one.
        for cosine in others:
            if np.isfinite(cosine[after]).any():
                assert tuple(cosine[after]) in found
        assert set(picture["threshold"].x[np.isfinite(picture["threshold"].y)]) == {REACHED}
        assert "neuron 2 of layer 1" not in picture.says
        assert "neuron 2 of layer 1" in alignment(LADDER, 30).says

    def test_rounding_does_not_lift_a_cosine_above_one(self):
        picture = alignment(changed(NEAR, neuron_cosine=np.full((81, 5), 1 + 1e-9)))
        assert np.nanmax(picture["each"].y) == 1

    def test_without_kkt_points_it_says_so(self):
        nowhere = changed(NEAR, neuron_cosine=np.full((81, 5), np.nan))
        assert alignment(nowhere).empty == "No dormant neuron goes to a KKT point"
        assert "search" in alignment(dataclasses.replace(nowhere, phase="searching")).empty
        assert alignment(at_the_start(0)).empty


def trails(picture: Scene) -> list[tuple[list[float], list[float]]]:
    """All trails, the largest neuron's first."""
    return [line for role in ("leading trail", "trail") if role in picture for line in lines(picture[role])]


def names_in(picture: Scene) -> list[str]:
    return [read for role in ("leader", "head") if role in picture for read in picture[role].reads]


def points(picture: Scene) -> list[tuple[float, float]]:
    marks = [picture[role] for role in ("goal", "other point") if role in picture]
    return [point for mark in marks for point in zip(mark.x.tolist(), mark.y.tolist(), strict=True)]


class TestPlane:
    def test_kkt_points_and_the_neurons_that_reached_them(self):
        picture = plane(NEAR)
        assert best_layer(NEAR) == 1
        (x, _), (other_x, other_y) = points(picture)
        assert (x, other_x) == pytest.approx((1.0, float(FIRST @ SECOND)))
        assert np.hypot(other_x, other_y) == pytest.approx(1)
        assert other_y > 0
        assert picture["goal"].reads == ("KKT point, N* = 0.25", "KKT point, N* = 0.15")
        assert "N* = 0.25, 0.15" in picture.notes[0]
        assert names_in(picture) == ["neuron 2", "neuron 3", "neuron 4"]
        ends = [(line_x[-1], line_y[-1]) for line_x, line_y in trails(picture)]
        assert ends[0] == pytest.approx((1, 0), abs=1e-3)
        assert ends[1] == pytest.approx((FIRST @ SECOND, other_y), abs=1e-3)
        heads = [*zip(picture["head"].x, picture["head"].y, strict=True)]
        assert heads == ends[1:]

    def test_a_layer_with_one_active_neuron_on_each_side_is_the_whole_circle(self):
        picture = plane(NEAR, layer=2)
        assert points(picture) == [pytest.approx((1, 0))]
        for x, y in trails(picture):
            np.testing.assert_allclose(np.hypot(x, y), 1)
        assert "start" in picture.notes[2]

    def test_a_trail_ends_where_the_time_slider_stands(self):
        for index in (0, 5, 40):
            whole = dict(zip(names_in(plane(NEAR)), trails(plane(NEAR)), strict=True))
            picture = plane(NEAR, index)
            for name, (x, y) in zip(names_in(picture), trails(picture), strict=True):
                np.testing.assert_allclose(x, whole[name][0][: index + 1], atol=1e-12)
                np.testing.assert_allclose(y, whole[name][1][: index + 1], atol=1e-12)

    def test_at_the_next_saddle_trails_and_axes_are_new(self):
        picture = plane(LADDER)
        assert sorted(names_in(picture)) == ["neuron 3", "neuron 4"]
        after = LADDER.record.time >= REACHED
        assert len(trails(picture)[0][0]) == after.sum()
        assert len(names_in(plane(LADDER, int(np.argmax(after)) - 1))) == 3

    def test_a_saddle_just_reached_shows_the_way_to_it_until_its_kkt_points_are_known(self):
        reached = int(np.flatnonzero(LADDER.record.time >= REACHED)[0])
        assert len(names_in(plane(LADDER, reached))) == 2
        way = plane(EVERY["searching"], reached)
        assert len(names_in(way)) == 3
        assert len(trails(way)[0][0]) == reached + 1
        assert "neuron 2 of layer 1" in alignment(EVERY["searching"], reached).says

    def test_a_layer_above_sees_the_neuron_that_woke_up(self):
        picture = plane(LADDER, layer=2)
        by_name = dict(zip(names_in(picture), trails(picture), strict=True))
        x, _ = by_name["neuron 2"]
        # Their weights from neuron 1 of layer 1 are part of their direction now.
        history = np.stack([weights[1][1] for weights in LADDER.history[-len(x) :]])
        out = np.array([weights[2][0, 1] for weights in LADDER.history[-len(x) :]])
        full = np.column_stack([history[:, :2], out])
        np.testing.assert_allclose(x, full @ unit(1, 1, 1) / np.linalg.norm(full, axis=1))

    def test_points_that_neurons_go_to_come_first(self):
        better = Destination(1, 0.9, 1e-9, unit(0, 0, 1), np.zeros(1))
        prediction = NEAR.predictions[0]
        moved = dataclasses.replace(
            prediction,
            destinations=(better, *prediction.destinations),
            neuron_destination=tuple(goal + 1 if goal >= 0 else -1 for goal in prediction.neuron_destination),
        )
        picture = plane(near_a_saddle(predictions=(moved,)))
        assert picture["goal"].reads == ("KKT point, N* = 0.25", "KKT point, N* = 0.15")
        assert picture["other point"].reads == ("KKT point, N* = 0.9",)
        assert points(picture)[0] == pytest.approx((1, 0))

    def test_opposite_points_leave_the_second_axis_to_others(self):
        opposite = Destination(1, 0.24, 1e-9, -FIRST[:3], -FIRST[3:])
        prediction = NEAR.predictions[0]
        pair = (prediction.destinations[0], opposite)
        both = dataclasses.replace(prediction, destinations=pair, neuron_destination=(0, 1, 0, -1, -1))
        picture = plane(near_a_saddle(predictions=(both,)))
        np.testing.assert_allclose(points(picture), [(1, 0), (-1, 0)], atol=1e-12)
        assert any(np.abs(y[0]) > 0.1 for _, y in trails(picture))
        assert "start" in picture.notes[2]

    @pytest.mark.parametrize(("frame", "layer"), [(at_the_origin(), 1), (at_the_origin(), 2), (at_the_origin(1), None)])
    def test_near_the_origin_the_ends_of_the_network_show_what_is_given(self, frame, layer):
        for x, y in trails(plane(frame, layer=layer)):
            assert (x[-1], y[-1]) == pytest.approx((1, 0), abs=1e-2)
            if layer == 2:
                np.testing.assert_allclose(np.hypot(x, y), 1)

    def test_near_the_origin_layers_in_the_middle_have_no_plane(self):
        frame = at_the_origin(3)
        assert plane(frame, layer=1).marks
        assert plane(frame, layer=3).marks
        assert plane(frame, layer=2).empty == (
            "No plane for layer 2: neither below nor above it is anything active yet"
        )

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
    def test_every_direction_lies_in_the_unit_circle(self, seed, inputs, many, neurons):
        rng = np.random.default_rng(seed)
        ways = rng.normal(size=(many, inputs + 1))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        found = tuple(Destination(1, 0.1, 0.0, way[:inputs], way[inputs:]) for way in ways)
        history = tuple((rng.normal(size=(neurons, inputs)), rng.normal(size=(1, neurons))) for _ in NEAR.record.time)
        names = tuple((1, index) for index in range(neurons))
        goals = tuple(rng.integers(-1, many, size=neurons).tolist())
        frame = changed(NEAR, neurons=names, neuron_norm=np.ones((81, neurons)))
        prediction = dataclasses.replace(NEAR.predictions[0], destinations=found, neuron_destination=goals)
        frame = dataclasses.replace(
            frame, weights=history[-1], history=history, started_active=(0,), predictions=(prediction,)
        )
        picture = plane(frame)
        drawn: list[Any] = [*points(picture), *trails(picture)]
        for x, y in drawn:
            assert np.all(np.hypot(x, y) <= 1 + 1e-12)
        assert points(picture)[0] == pytest.approx((1, 0))
        assert len(picture["goal"].x if "goal" in picture else ()) == len({goal for goal in goals if goal >= 0})


class TestPlateaus:
    def spans(self, picture: Scene) -> list[tuple[float, float]]:
        return [(float(x.min()), float(x.max())) for x in picture["plateau"].x]

    def test_from_the_start_and_from_each_saddle_to_the_escape(self):
        picture = plateaus(LADDER)
        assert self.spans(picture) == [(0, ESCAPE), (REACHED, pytest.approx(END))]
        levels = [
            (text, y) for m in picture.marks if isinstance(m, Texts) for text, y in zip(m.texts, m.y, strict=True)
        ]
        assert sorted(levels) == [("0.5", 0.5), ("1.2", 1.2)]
        assert "level 2 times, at 1.2, 0.5" in picture.says

    def test_a_plateau_not_left_yet_ends_now_and_one_that_was_left_there(self):
        assert self.spans(plateaus(near_a_saddle(end=3.0))) == [(0, 3.0)]
        assert self.spans(plateaus(NEAR)) == [(0, ESCAPE)]
        assert NEAR.time > ESCAPE

    def test_what_woke_up_and_what_pursuit_reaches(self):
        picture = plateaus(LADDER)
        assert (picture["compared"].x.tolist(), picture["compared"].y.tolist()) == ([REACHED], [0.49])
        assert picture.notes == ("1 neuron woke up: loss 0.5, Neuron Pursuit 0.49",)
        (awakening,) = LADDER.awakenings
        unknown = dataclasses.replace(LADDER, awakenings=(dataclasses.replace(awakening, pursuit_loss=None),))
        assert plateaus(unknown).notes == ("1 neuron woke up: loss 0.5",)
        nobody = dataclasses.replace(LADDER, awakenings=(dataclasses.replace(awakening, awake=(), pursuit_loss=None),))
        assert plateaus(nobody).notes == ("No neuron woke up: loss 0.5",)

    def test_the_moment_looked_at(self):
        picture = plateaus(LADDER, 0)
        assert set(picture["cursor"].x) == {0.0}
        assert picture.notes[0] == "At the time shown: loss 1.2"

    def test_the_scale_starts_at_zero_once_the_loss_has_fallen(self):
        picture = plateaus(LADDER)
        assert picture.y.low == 0
        assert picture.y.high > 1.2

    def test_rounding_errors_on_a_plateau_are_not_enlarged(self):
        picture = plateaus(changed(NEAR, loss=1.2 + 1e-12 * np.sin(np.arange(81))))
        assert picture.y.high - picture.y.low > 0.01
        assert picture.y.low < 1.2 < picture.y.high
        texts = [text for _, text in picture.y.all_ticks]
        assert len(set(texts)) == len(texts) > 2

    @given(st.lists(st.floats(0, 1e6) | st.just(float("nan")) | st.just(float("inf")), min_size=81, max_size=81))
    @settings(max_examples=40)
    def test_everything_finite_is_within_the_limits(self, losses):
        picture = plateaus(changed(near_a_saddle(events=()), loss=np.array(losses)))
        assert picture.y.low < picture.y.high
        shown = picture["learned"].y if "learned" in picture else np.zeros(0)
        assert len(shown) == np.isfinite(losses).sum()
        assert np.all((shown >= picture.y.low) & (shown <= picture.y.high))


def labels(picture: Scene, side: str) -> list[str]:
    return [text for _, text in getattr(picture, side).ticks]


class TestWeights:
    def test_active_neurons_come_first_and_their_block_has_a_scale_of_its_own(self):
        picture = saddle_weights(NEAR)
        weights = NEAR.weights[0]
        limit, dormant = np.abs(weights[0]).max(), np.abs(weights[1:]).max()
        np.testing.assert_allclose(picture["cells"].values[0], weights[0] / limit, atol=1e-3)
        np.testing.assert_allclose(picture["cells"].values[1:], weights[1:] / dormant, atol=1e-3)
        assert picture.notes == (
            f"Full color, active block: ±{number(limit)}", f"Full color, dormant blocks: ±{number(dormant)}"
        )  # fmt: skip
        assert labels(picture, "y") == ["1", "2", "3", "4"]
        assert labels(picture, "x") == ["x₁", "x₂", "x₃"]
        ((_, active),) = lines(picture["active"])
        ((_, others),) = lines(picture["dormant"])
        assert 0 < min(active) < max(active) < 1 < min(others) < max(others) < 4

    def test_blocks_of_a_layer_in_the_middle_tile_the_matrix(self):
        picture = saddle_weights(NEAR, layer=2)
        covered = np.zeros(picture["cells"].values.shape)
        for x, y in [*lines(picture["active"]), *lines(picture["dormant"])]:
            covered[round(min(y)) : round(max(y)), round(min(x)) : round(max(x))] += 1
        assert np.all(covered == 1)
        assert len(lines(picture["dormant"])) == 3
        assert np.abs(picture["cells"].values).max() == 1

    def test_a_neuron_that_woke_up_moves_to_the_active_block(self):
        frame = dataclasses.replace(LADDER, awakenings=(Awakening(ESCAPE, REACHED, ((1, 3),), 0, True, 0.5, None),))
        picture = saddle_weights(frame)
        assert labels(picture, "y") == ["1", "4", "2", "3"]
        assert round(max(lines(picture["active"])[0][1])) == 2
        assert labels(saddle_weights(frame, 0), "y") == ["1", "2", "3", "4"]
        signs = np.sign(frame.weights[0][[0, 3, 1, 2]])
        large = np.abs(picture["cells"].values) > 0.01
        np.testing.assert_array_equal(np.sign(picture["cells"].values)[large], signs[large])

    def test_the_time_slider_shows_the_weights_of_then(self):
        weights = NEAR.history[7][1]
        values = saddle_weights(NEAR, 7, 2)["cells"].values
        limit = np.abs(weights[1:, 1:]).max()
        every = max(limit, np.abs(weights[1:, 0]).max(), np.abs(weights[0, 1:]).max())
        np.testing.assert_allclose(values[1:, 1:], weights[1:, 1:] / every, atol=1e-3)

    def test_output_weights_have_named_rows(self):
        assert labels(saddle_weights(NEAR, layer=3), "y") == ["y"]
        assert labels(saddle_weights(at_the_origin(), layer=3), "y") == ["y₁", "y₂"]

    def test_at_the_origin_there_is_no_active_block(self):
        picture = saddle_weights(at_the_origin())
        assert "active" not in picture
        assert len(picture.notes) == 1
        assert picture.notes[0].startswith("Full color, dormant blocks: ±")

    def test_of_a_large_matrix_the_largest_rows_and_columns_are_kept(self):
        rng = np.random.default_rng(0)
        large = rng.normal(size=(100, 500)) * 1e-3
        large[90, 300] = 1.0
        weights = (large, rng.normal(size=(1, 100)))
        frame = dataclasses.replace(NEAR, weights=weights, history=(weights,) * 81, started_active=(3,))
        picture = saddle_weights(changed(frame, neurons=()))
        assert picture["cells"].values.shape == (MOST_ROWS, MOST_COLUMNS)
        assert (picture["cells"].values == 1).sum() >= 1
        assert "32 largest of 100 rows" in picture.notes[-1]
        assert len(labels(picture, "x")) <= 12

    def test_zero_weights_are_no_division_by_zero(self):
        zero = tuple(np.zeros_like(weight) for weight in NEAR.weights)
        picture = saddle_weights(dataclasses.replace(NEAR, weights=zero, history=(zero,) * 81))
        assert not picture["cells"].values.any()

    @pytest.mark.parametrize("layer", [0, 4])
    def test_a_layer_that_does_not_exist_is_refused(self, layer):
        with pytest.raises(ValueError, match="layer must be an integer from 1 to 3"):
            saddle_weights(NEAR, layer=layer)
