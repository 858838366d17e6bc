"""Integrators of flows against exact solutions, sliding ones among them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from np_widgets.learning.saddles.integration import (
    SMOOTH,
    STIFF,
    AdaptiveIntegrator,
    GradientDescent,
    Piece,
    Point,
    SlidingIntegrator,
    crossing,
)


def adaptive(field, method=SMOOTH, size=1, relative=1e-9, jacobian=None):
    return AdaptiveIntegrator(field, method, relative, np.full(size, relative * 1e-3), jacobian)


def sliding(field, step=1e-3, size=1, relative=1e-7):
    return SlidingIntegrator(field, relative, np.full(size, relative * 1e-3), lambda _: step)


def logistic(y):
    return y * (1 - y)


def logistic_solution(start, time):
    return 1 / (1 + (1 / start - 1) * np.exp(-np.asarray(time)))


def absolute(y):
    """Pulled to one from both sides."""
    return 0.3 - np.sign(y - 1)


INTEGRATORS = {
    "order 8": adaptive(logistic),
    "implicit": adaptive(logistic, STIFF, jacobian=lambda y: np.array([1 - 2 * y])),
    "with kinks": sliding(logistic, step=0.5),
    "descent": GradientDescent(logistic, 1e-3),
}


@pytest.mark.parametrize("name", INTEGRATORS)
def test_logistic_growth_is_followed(name):
    error = 2e-3 if name == "descent" else 1e-5
    pieces = list(INTEGRATORS[name].pieces(Point(0.0, np.array([1e-3])), 15.0))
    for piece in pieces:
        assert piece.end.y[0] == pytest.approx(float(logistic_solution(1e-3, piece.end.time)), abs=error)


@pytest.mark.parametrize("name", INTEGRATORS)
def test_pieces_follow_one_another_and_end_exactly_at_until(name):
    start = Point(0.5, np.array([0.2]), steps=500)
    pieces = list(INTEGRATORS[name].pieces(start, 3.03125))
    assert pieces[0].start.time == 0.5
    assert all(one.end.time == other.start.time for one, other in pairwise(pieces))
    assert all(one.end.y is other.start.y for one, other in pairwise(pieces))
    assert [piece.end.steps for piece in pieces] == list(range(501, 501 + len(pieces)))
    if name == "descent":
        assert 3.03125 <= pieces[-1].end.time < 3.03125 + 1e-3
    else:
        assert pieces[-1].end.time == 3.03125
    assert list(INTEGRATORS[name].pieces(pieces[-1].end, 3.0)) == []
    assert start.y[0] == 0.2


@pytest.mark.parametrize("name", ["order 8", "implicit", "with kinks"])
def test_between_its_ends_a_piece_is_continuous_and_near_the_solution(name):
    for piece in INTEGRATORS[name].pieces(Point(0.0, np.array([1e-2])), 8.0):
        between = piece.between
        assert between is not None
        np.testing.assert_allclose(between(piece.start.time), piece.start.y, rtol=1e-9)
        np.testing.assert_allclose(between(piece.end.time), piece.end.y, rtol=1e-9)
        middle = (piece.start.time + piece.end.time) / 2
        assert between(middle)[0] == pytest.approx(float(logistic_solution(1e-2, middle)), abs=1e-4)


def test_steps_of_descent_have_nothing_between_them():
    piece = next(GradientDescent(logistic, 0.1).pieces(Point(0.0, np.array([0.5]))))
    assert piece.between is None
    assert piece.end.y[0] == 0.5 + 0.1 * 0.25


@pytest.mark.parametrize("stride", [1, 3, 7])
@pytest.mark.parametrize("name", ["order 8", "implicit", "with kinks"])
def test_resumed_after_any_step_an_integration_follows_the_same_solution(name, stride):
    point = Point(0.0, np.array([1e-3]))
    while point.time < 12.0:
        for _, piece in zip(range(stride), INTEGRATORS[name].pieces(point, 12.0), strict=False):
            point = piece.end
            assert point.y[0] == pytest.approx(float(logistic_solution(1e-3, point.time)), abs=1e-5)
    assert point.time == 12.0
    whole = list(INTEGRATORS[name].pieces(Point(0.0, np.array([1e-3])), 12.0))
    assert point.steps <= 2 * len(whole)


def test_many_steps_of_descent_take_their_number_times_the_step():
    pieces = list(GradientDescent(logistic, 0.1).pieces(Point(0.0, np.array([0.5])), 250.0))
    assert len(pieces) == 2500
    assert pieces[-1].end.time == 250.0


def test_descent_resumed_after_any_step_has_the_same_bits():
    descent = GradientDescent(logistic, 0.01)
    whole = [piece.end.y[0] for piece in descent.pieces(Point(0.0, np.array([0.1])), 2.0)]
    point, cut = Point(0.0, np.array([0.1])), []
    while point.time < 2.0:
        point = next(descent.pieces(point, 2.0)).end
        cut.append(point.y[0])
    assert cut == whole


def test_a_stiff_flow_takes_few_steps_of_the_implicit_method():
    # Its fast part keeps explicit steps below 3e-3 all the way.
    def field(y):
        return np.array([-1000.0 * (y[0] - y[1] ** 2), -(y[1] ** 2)])

    def jacobian(y):
        return np.array([[-1000.0, 2000.0 * y[1]], [0.0, -2 * y[1]]])

    point = Point(0.0, np.array([1.0, 1.0]))
    pieces = list(adaptive(field, STIFF, 2, 1e-8, jacobian).pieces(point, 1000.0))
    assert len(pieces) < 1000
    assert pieces[-1].end.y[1] == pytest.approx(1 / 1001, rel=1e-5)
    assert pieces[-1].end.y[0] == pytest.approx(1 / 1001**2, rel=1e-2)


# ------------------------------------------------------------------------------------------------------- sliding


def test_a_flow_that_is_pulled_to_a_kink_arrives_and_stays():
    step = 1e-3
    for piece in sliding(absolute, step).pieces(Point(0.0, np.array([1.7])), 3.0):
        exact = 1 + max(0.7 - 0.7 * piece.end.time, 0.0)
        assert piece.end.y[0] == pytest.approx(exact, abs=2 * step)


def test_a_flow_that_crosses_a_kink_goes_on_on_the_other_side():
    def field(y):
        return np.where(y > 0, -1.0, -3.0)

    pieces = list(sliding(field).pieces(Point(0.0, np.array([0.5])), 2.0))
    assert pieces[-1].end.y[0] == pytest.approx(-3 * 1.5, abs=0.01)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_along_a_kink_the_flow_moves_at_filippovs_velocity(share):
    # Above the line y = 5 it goes (1, −up), below it (3, down); on it the mean whose second part is zero.
    up, down = 1 - share, share

    def field(y):
        return np.array([1.0, -up]) if y[1] > 5 else np.array([3.0, down])

    velocity = (down * 1.0 + up * 3.0) / (up + down)
    reached = 0.4 / up
    pieces = list(sliding(field, 1e-3, 2).pieces(Point(0.0, np.array([0.0, 5.4])), reached + 2.0))
    end = pieces[-1].end
    assert end.time == reached + 2.0
    assert end.y[1] == pytest.approx(5, abs=5e-3)
    assert end.y[0] == pytest.approx(reached + 2 * velocity, abs=0.02)
    assert len(pieces) < 4000


def test_a_flow_leaves_a_kink_where_it_is_not_held_any_more():
    # The pull from below falls with time along the line, and is gone at x = 1: from there on y falls.
    def field(y):
        return np.array([1.0, -1.0 if y[1] > 5 else 1.0 - y[0]])

    end = list(sliding(field, 1e-3, 2).pieces(Point(0.0, np.array([0.0, 5.0])), 3.0))[-1].end
    assert end.y[0] == pytest.approx(3.0, abs=1e-6)
    assert end.y[1] == pytest.approx(5 - 2.0, abs=0.05)  # −∫₁³ (x − 1) dx


def test_where_nothing_moves_times_stay_finite():
    for integrator in (adaptive(np.zeros_like), adaptive(np.zeros_like, STIFF), sliding(np.zeros_like)):
        point = Point(0.0, np.array([1.0]))
        for _ in range(20):
            for _, piece in zip(range(30), integrator.pieces(point), strict=False):
                point = piece.end
        assert math.isfinite(point.time)
        assert point.y[0] == 1.0


def test_a_flow_that_runs_away_in_finite_time_is_reported():
    # 1/y falls as t rises: there is no solution beyond t = 1.
    with pytest.raises(ArithmeticError, match="could not be followed beyond t = 1"), np.errstate(all="ignore"):
        for _ in adaptive(lambda y: y**2).pieces(Point(0.0, np.array([1.0])), 2.0):
            pass


def test_a_crossing_is_found_to_rounding():
    for piece in adaptive(logistic).pieces(Point(0.0, np.array([0.01])), 10.0):
        if piece.end.y[0] >= 0.5:
            time = crossing(piece, lambda y: float(y[0]) - 0.5)
            break
    assert time == pytest.approx(math.log(99), rel=1e-6)
    point = Point(1.0, np.array([0.6]))
    assert crossing(Piece(point, Point(2.0, np.array([0.7])), None), lambda y: float(y[0]) - 0.5) == 2.0
    already = next(adaptive(logistic).pieces(Point(1.0, np.array([0.6])), 2.0))
    assert crossing(already, lambda y: float(y[0]) - 0.5) == 1.0


def test_the_fixed_steps_are_of_second_order_where_the_flow_is_smooth():
    def error(step):
        integrator = SlidingIntegrator(lambda y: -y * y, 1e-6, np.full(1, 1e-6), lambda _: step)
        (*_, last) = integrator.pieces(Point(0.0, np.array([1.0]), sliding=10**6), until=1.0)
        return abs(float(last.end.y[0]) - 0.5)  # 1 / (1 + t)

    assert error(0.02) / error(0.01) == pytest.approx(4.0, rel=0.1)
