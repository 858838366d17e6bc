"""The picture of many pursuits: its numbers against numpy's, and what the figure shows of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import np_widgets as npw
from np_widgets.learning.pursuit.ensemble import PursuitEnsemble, PursuitResult
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord
from np_widgets.pictures.ladder import MOST_LINES, MOST_ROWS, NO_NETWORK, endings, ladder
from np_widgets.pictures.scene import Mark, Scene
from np_widgets.pictures.ticks import SMALLEST
from np_widgets.plots.sources import pursuit_frame

PROBLEM = npw.problems.sparse_parity(4, 2, samples=20)
NAN, INFINITE = float("nan"), float("inf")


def result(losses: Sequence[float], widths: tuple[int, ...] = (2, 1)) -> PursuitResult:
    growth = tuple(GrowthRecord(widths, 0, 1.0, (), loss, None, 0, 1, "because") for loss in losses)
    return PursuitResult(PROBLEM, 0, None, growth, Finish("target", "The target loss is met."))


def ensemble(*losses: Sequence[float]) -> PursuitEnsemble:
    return PursuitEnsemble(tuple(result(each) for each in losses))


def ending_with(*widths: tuple[int, ...]) -> PursuitEnsemble:
    return PursuitEnsemble(tuple(result([1.0] if each else [], each) for each in widths))


THREE = PursuitEnsemble((result([1, 0.1, 0.01], (3, 2)), result([2, 0.5], (2, 2)), result([4, 0.4, 0], (3, 2))))
MANY = PursuitEnsemble(
    tuple(
        result([0.5**step for step in range(1 + each % 12)], (1 + each % 4, 1 + each % 3))
        for each in range(MOST_LINES + 50)
    )
)
CASES = {
    "three": THREE,
    "many": MANY,
    "one": ensemble([1, 0.1]),
    "one network": ensemble([0.3]),
    "first networks": ensemble([1], [0.5], [0.7]),
    "no network": ensemble([], []),
    "no pursuit": ensemble(),
    "diverged": ensemble([INFINITE]),
    "some without": ensemble([], [1, 0.1], [INFINITE], [2, NAN]),
    "exact at once": ensemble([0], [0]),
    "deep": ending_with((1, 2, 3, 4, 5, 6, 7, 8), (100, 200, 300, 400, 500)),
}
cases = pytest.mark.parametrize("source", CASES.values(), ids=CASES)


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def said(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def rows(mark: Mark) -> list[list[float]]:
    ends = [-1, *np.flatnonzero(np.isnan(mark.y)).tolist(), len(mark.y)]
    return [mark.y[a + 1 : b].tolist() for a, b in pairwise(ends)]


def bars(picture: Scene) -> tuple[list[str], list[float]]:
    """The labels and lengths of the bars, from the top."""
    found = [mark for mark in picture.marks if mark.role in ("bar", "other bar")]
    assert picture.y.ticks is not None
    assert picture.y.reverse
    return [text for _, text in picture.y.ticks], [float(x.max()) for mark in found for x in mark.x]


class TestLadder:
    losses = st.floats(0, 1e6) | st.sampled_from([0.0, 1e-300, 1e-16, INFINITE, NAN])

    @settings(max_examples=60)
    @given(st.lists(st.lists(losses, max_size=5), max_size=9))
    def test_median_and_quartiles_are_those_of_the_finite_losses(self, losses: list[list[float]]):
        source = ensemble(*losses)
        picture = ladder(source)
        table = source.ladder
        finite = [found[np.isfinite(found)] for found in table.T]
        if not any(map(len, finite)):
            assert picture.empty
            return
        bands = [
            [max(np.quantile(found, share), SMALLEST) if len(found) else np.nan for share in (0.25, 0.5, 0.75)]
            for found in finite
        ]
        lower, median, upper = np.array(bands).T if len(bands) > 1 else np.repeat(np.array(bands).T, 2, axis=1)
        np.testing.assert_allclose(picture["main"].y, median)
        if (many := int(np.isfinite(table).any(axis=1).sum())) > 1:
            known = np.isfinite(median)
            around = picture["quartiles"].y[0]
            np.testing.assert_allclose(around[: len(around) // 2], lower[known])
            np.testing.assert_allclose(around[len(around) // 2 :], upper[known][::-1])
        assert picture.title.startswith(f"Loss of {many} ")

    @settings(max_examples=60)
    @given(st.lists(st.lists(losses, max_size=5), max_size=9))
    def test_everything_can_be_drawn_on_its_log_axis(self, losses: list[list[float]]):
        picture = ladder(ensemble(*losses))
        assert picture.empty or 0 < picture.y.low < picture.y.high < INFINITE
        for mark in picture.marks:
            assert not np.isinf(mark.y).any()
            drawn = mark.y[~np.isnan(mark.y)]
            assert np.all((picture.y.low < drawn) & (drawn < picture.y.high))

    def test_a_pursuit_that_stopped_earlier_keeps_its_last_loss(self):
        picture = ladder(THREE)
        assert rows(picture["each"]) == [[1, 0.1, 0.01], [2, 0.5, 0.5], [4, 0.4, SMALLEST]]
        assert picture["main"].y.tolist() == [2, 0.4, 0.01]
        assert "from 2 to 0.01" in picture.says

    def test_one_pursuit_has_no_quartiles(self):
        picture = ladder(ensemble([1, 0.1], []))
        assert [mark.role for mark in picture.marks] == ["main"]
        assert picture["main"].y.tolist() == [1, 0.1]

    def test_of_very_many_some_are_lines_and_all_count(self):
        picture = ladder(MANY)
        drawn = rows(picture["each"])
        assert len(drawn) == MOST_LINES
        np.testing.assert_array_equal([drawn[0], drawn[-1]], MANY.ladder[[0, -1]])
        np.testing.assert_allclose(picture["main"].y, np.median(MANY.ladder, axis=0))
        assert picture.notes == ("200 of the pursuits are drawn as lines.",)

    def test_it_says_where_losses_are_drawn_higher_than_they_are(self):
        assert ladder(ensemble([1, 1e-20])).notes == ("Losses below 10⁻¹⁶ are drawn there.",)
        assert ladder(ensemble([1, 1e-10])).notes == ()

    def test_it_says_why_it_is_empty(self):
        assert ladder(ensemble()).empty == ladder(ensemble([], [])).empty == NO_NETWORK
        assert ladder(ensemble([INFINITE], [])).empty == "No finite loss"
        assert ladder(THREE).empty == ""


class TestEndings:
    widths = st.lists(st.integers(1, 4), min_size=2, max_size=2).map(tuple) | st.just(())

    @settings(max_examples=60)
    @given(st.lists(widths, max_size=40))
    def test_every_network_is_counted_once_the_most_frequent_first(self, widths: list[tuple[int, ...]]):
        picture = endings(ending_with(*widths))
        networks = [each for each in widths if each]
        if not networks:
            assert picture.empty == NO_NETWORK
            return
        labels, counts = bars(picture)
        others = counts[-1] if "other bar" in picture else 0
        assert sum(counts) == len(networks)
        assert len(labels) == len(counts) <= MOST_ROWS
        named = len(counts) - bool(others)
        assert sorted(counts[:named], reverse=True) == counts[:named]
        for label, times in zip(labels[:named], counts[:named], strict=True):
            assert [str(each) for each in networks].count(label) == times
        if others:
            assert labels[-1] == f"{len(set(networks)) - named} others"

    def test_of_equally_frequent_ones_the_smaller_network_is_first(self):
        picture = endings(ending_with((4, 2), (1, 9), (2, 3), (4, 2), (3, 2)))
        assert bars(picture)[0] == ["(4, 2)", "(2, 3)", "(3, 2)", "(1, 9)"]

    def test_the_rarest_are_one_row(self):
        picture = endings(ending_with(*((width,) for width in range(1, 11)), (10,)))
        assert bars(picture) == (
            ["(10)", "(1)", "(2)", "(3)", "(4)", "(5)", "(6)", "3 others"],
            [2, 1, 1, 1, 1, 1, 1, 3],
        )
        assert picture["other bar"].label == "others together"

    def test_pursuits_without_a_network_are_told_of(self):
        assert endings(ending_with((1,), (), ())).notes == ("2 pursuits without a network.",)
        assert endings(ending_with((1,))).notes == ()
        assert endings(ending_with((), ())).empty == NO_NETWORK


class TestFigure:
    def test_it_is_labeled(self):
        falling, ending = npw.plots.ensemble(THREE).axes
        assert falling.get_title(loc="left") == "Loss of 3 pursuits"
        assert legend_of(falling) == ["median", "between the quartiles", "each pursuit"]
        assert falling.get_ylabel() == "training loss"
        assert ending.get_title(loc="left") == "Final hidden widths"
        assert [label.get_text() for label in ending.get_yticklabels()] == ["(3, 2)", "(2, 2)"]
        assert [text.get_text() for text in ending.texts] == ["2", "1"]
        assert legend_of(npw.plots.ensemble(CASES["one"]).axes[0]) == ["the only pursuit"]

    def test_without_networks_it_says_so(self):
        for name in ("no network", "no pursuit"):
            assert said(npw.plots.ensemble(CASES[name])) == [NO_NETWORK, NO_NETWORK]
        assert said(npw.plots.ensemble(CASES["diverged"])) == ["No finite loss", "1"]

    @cases
    def test_nothing_covers_the_data_or_leaves_the_page(self, source: PursuitEnsemble):
        figure = npw.plots.ensemble(source)
        figure.draw_without_rendering()
        for axes in figure.axes:
            legend, tight = axes.get_legend(), axes.get_tightbbox()
            if legend is not None:
                assert legend.get_window_extent().y0 >= axes.get_window_extent().y1 - 1
            assert tight is not None
            assert tight.x0 >= figure.bbox.x0 - 1
            assert tight.y0 >= figure.bbox.y0 - 1
            assert tight.x1 <= figure.bbox.x1 + 1
            assert tight.y1 <= figure.bbox.y1 + 1
        left, right = (axes.get_tightbbox() for axes in figure.axes)
        assert left is not None
        assert right is not None
        assert left.x1 <= right.x0

    @pytest.mark.parametrize("name", ["three", "one network", "no network"])
    def test_it_is_saved_in_every_format(self, name: str, tmp_path: Path):
        figure = npw.plots.ensemble(CASES[name])
        for suffix, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
            path = tmp_path / f"ensemble.{suffix}"
            figure.savefig(path)
            assert path.read_bytes().startswith(start)

    @pytest.mark.parametrize(
        "wrong", [None, 3, "ensemble", THREE.results, THREE[0], THREE.ladder], ids=lambda wrong: type(wrong).__name__
    )
    def test_anything_else_is_refused(self, wrong: Any):
        with pytest.raises(TypeError, match=r"^ensemble must be a PursuitEnsemble, as pursue_many returns, got "):
            npw.plots.ensemble(wrong)


def test_a_result_is_drawn_with_the_losses_of_its_network():
    kept = dataclasses.replace(result([0.5, 0.7]), index=0)
    assert pursuit_frame(kept).loss == kept.loss == 0.5
