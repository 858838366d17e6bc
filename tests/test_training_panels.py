"""The panels of training draw what their pictures hold: the candidates, and the loss with its marks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import np_widgets as npw
from np_widgets.learning.growth import Candidate
from np_widgets.pictures.candidates import candidates
from np_widgets.pictures.loss import loss
from np_widgets.widgets import theme
from np_widgets.widgets.panels.candidates import CandidatesPanel
from np_widgets.widgets.panels.loss import LossPanel
from np_widgets.widgets.tree import close_tree

# Two KKT points and a direction in layer 1, two KKT points in layer 2; the taken one is neither the first nor the
# tallest, and one was not tried.
FOUND = (
    Candidate(1, 0.3, 1e-9, 0.02),
    Candidate(1, 0.2, 1e-9, 0.5),
    Candidate(1, 0.1, 1e-2, 0.7),
    Candidate(2, 0.25, 1e-9, 0.001),
    Candidate(2, 0.05, 1e-9),
)


@pytest.fixture(scope="module")
def frame():
    x = np.random.default_rng(0).normal(size=(30, 3))
    pursuit = npw.NeuronPursuit(npw.Problem(x, np.maximum(x[:, :1], 0), test=(x[:7], x[:7, 1:2])), starts=3, seed=0)
    return pursuit.frame()


@pytest.fixture
def panel():
    made = CandidatesPanel()
    yield made
    close_tree(made.box)


@pytest.fixture
def curve():
    made = LossPanel()
    yield made
    close_tree(made.box)


def held(panel):
    """The legend, the figure and the note."""
    legend, figure, note = panel.box.children[1:]
    return legend.value, figure, note.value


def points(mark):
    return sorted(zip(mark.x.tolist(), mark.y.tolist(), strict=True)) if mark.visible else []


def expected(x, y):
    return sorted(zip(x.tolist(), y.tolist(), strict=True))


@pytest.mark.parametrize("taken", [0, 2, 3, None])
def test_the_candidates_are_drawn_as_the_picture_has_them(frame, panel, taken):
    shown = replace(frame, iteration=2, candidates=FOUND, taken=taken)
    picture = candidates(shown)
    panel.show(shown)
    legend, figure, note = held(panel)
    _, dots, directions, chosen, losses = figure.marks
    mine = np.arange(len(picture.x)) == picture.chosen
    assert points(chosen) == expected(picture.x[mine], picture.values[mine])
    if taken is not None:
        assert chosen.y.tolist() == [FOUND[taken].value]
    assert points(dots) == expected(picture.x[picture.kkt & ~mine], picture.values[picture.kkt & ~mine])
    assert points(directions) == expected(picture.x[~picture.kkt & ~mine], picture.values[~picture.kkt & ~mine])
    tried = np.isfinite(picture.losses)
    assert points(losses) == expected(picture.x[tried], np.log10(picture.losses[tried]))
    assert len(points(losses)) == 4
    for label in (picture.points_label, picture.directions_label, picture.chosen_label, picture.losses_label):
        assert label in legend
    assert all(each in note for each in picture.notes)
    assert (chosen.marker, chosen.colors) == ("diamond", [theme.ACCENT])
    assert (dots.marker, directions.marker, losses.marker) == ("circle", "triangle-up", "square")


def test_candidates_stand_on_axes_that_hold_them_all(frame, panel):
    shown = replace(frame, iteration=2, candidates=FOUND, taken=1)
    panel.show(shown)
    _, figure, _ = held(panel)
    stems, *marks = figure.marks
    assert sorted(stems.y[:, 1].tolist()) == sorted(each.value for each in FOUND)
    assert not stems.y[:, 0].any()
    for mark in marks:
        for side in ("x", "y"):
            scale, places = mark.scales[side], getattr(mark, side)
            assert ((places >= scale.min) & (places <= scale.max)).all()
    across, up, right = figure.axes
    assert [across.tick_labels[f"{place:g}"] for place in across.tick_values] == ["layer 1", "layer 2"]
    assert (up.side, right.side, right.visible) == ("left", "right", True)
    assert marks[-1].scales["y"] is right.scale is not up.scale


def test_without_candidates_nothing_is_drawn_and_the_reason_said(frame, panel):
    panel.show(replace(frame, iteration=2, candidates=FOUND, taken=1))
    panel.show(replace(frame, candidates=(), taken=None))
    legend, figure, note = held(panel)
    assert not any(mark.visible for mark in figure.marks)
    assert (legend, note) == ("", "None yet: a search finds them.")
    assert not figure.axes[2].visible


def test_the_best_on_test_is_an_open_square_around_its_point(curve):
    x = np.random.default_rng(0).normal(size=(20, 3))
    y = np.random.default_rng(1).normal(size=(20, 1))
    pursuit = npw.NeuronPursuit(npw.Problem(x, y, test=(x[::-1], y)), hidden_layers=1, starts=3, seed=0)
    pursuit.run(max_additions=1)
    shown = pursuit.frame()
    curve.show(shown)
    legend, figure, _ = held(curve)
    _, trace, test, best, additions, layers = figure.marks
    record = shown.growth[pursuit.best_on_test]
    assert record.test_loss == min(each.test_loss for each in shown.growth)
    assert points(best) == [(record.first_step + record.steps, pytest.approx(np.log10(record.test_loss)))]
    assert (best.marker, best.fill, best.stroke, best.colors) == ("square", False, theme.TEXT, [theme.TEXT])
    assert best.default_size > test.default_size
    assert points(best)[0] in points(test)
    picture = loss(shown)
    assert points(trace) == expected(picture.steps, np.log10(picture.losses))
    assert additions.x.tolist() == [float(shown.growth[1].first_step)]
    assert layers.text.tolist() == ["1"]
    for label in ("training", "test", "best on test", "a neuron joined this layer"):
        assert label in legend
    assert "fill:none" in legend
