"""The picture of a study: its numbers against pandas and scipy, and what the figure says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

import np_widgets as npw
from np_widgets.pictures.scene import Scene
from np_widgets.pictures.study import study
from np_widgets.pictures.ticks import SMALLEST

RANDOM = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {"n": n, "kind": kind, "seed": seed, "test_loss": loss, "done": loss < 0.1}
    for n in (20, 50, 100, 400)
    for kind in ("pursuit", "standard", "small")
    for seed in range(8)
    for loss in [float(10 ** RANDOM.normal(-n / 200, 1))]
)


def scene(
    table: pd.DataFrame = TABLE, x: str = "n", y: str = "test_loss", by: str | None = "kind", **own: Any
) -> Scene:
    options: dict[str, Any] = {"bars": "quartiles", "log_x": None, "log_y": None, **own}
    return study({name: table[name].tolist() for name in table.columns}, x, y, by, **options)


def bars(picture: Scene, curve: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the bars of a curve begin, what is in their middle, and where they end."""
    stem = [mark for mark in picture.marks if mark.role == "stem"][curve]
    return stem.y[0::3], picture[f"samples {curve}"].y, stem.y[1::3]


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, np.asarray(expected, dtype=float), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("index", range(3))
def test_medians_and_quartiles_are_those_of_pandas(index: int):
    kind = TABLE["kind"].unique()[index]
    grouped = TABLE[TABLE["kind"] == kind].groupby("n")["test_loss"]
    picture = scene()
    for found, share in zip(bars(picture, index), (0.25, 0.5, 0.75), strict=True):
        close(found, grouped.quantile(share))
    close(picture[f"session {index}"].y, grouped.median())
    assert picture[f"session {index}"].label == kind
    ends = [f"{grouped.median()[n]:.3g}".replace("-", "−") + f" at {n}" for n in (20, 400)]
    assert f"from {kind} {ends[0]} to {ends[1]}" in picture.says


def test_deviations_are_those_of_pandas():
    grouped = TABLE.groupby("n")["test_loss"]
    low, middle, high = bars(scene(by=None, bars="deviation", log_y=False), 0)
    close(middle, grouped.mean())
    close(high - middle, grouped.std())
    close(middle - low, grouped.std())


@settings(max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_shares_have_the_interval_of_scipy(truths: list[bool]):
    picture = scene(pd.DataFrame({"n": 1, "done": truths}), y="done", by=None)
    expected = binomtest(sum(truths), len(truths)).proportion_ci(method="wilson")
    low, middle, high = bars(picture, 0)
    close(middle, [np.mean(truths)])
    np.testing.assert_allclose([low[0], high[0]], [expected.low, expected.high], atol=1e-6)
    assert (picture.y.low, picture.y.high) == (-0.04, 1.04)


def test_runs_without_a_number_are_left_out_and_told_of():
    table = TABLE.astype({"done": object}).copy()
    table.loc[[0, 1, 30], "test_loss"] = [np.nan, np.inf, np.nan]
    table.loc[[0, 1, 30], "done"] = np.nan  # as of runs that were interrupted
    for y in ("test_loss", "done"):
        picture = scene(table, y=y, by=None)
        assert "3 runs without a finite number left out." in str(picture)
        assert "22 to 24 runs a point." in str(picture)
        left = table.drop(index=[0, 1, 30]).astype({"done": float}).groupby("n")[y]
        close(bars(picture, 0)[1], left.median() if y == "test_loss" else left.mean())
    table["test_loss"] = np.nan
    assert scene(table).empty == "No run has a number"


def test_curves_stand_apart_and_say_so():
    picture = scene()
    places = np.array([picture[f"samples {index}"].x for index in range(3)])
    assert (np.diff(places, axis=0) > 0).all()
    close(places[1], [20, 50, 100, 400])
    assert abs(places / places[1] - 1).max() < 0.06
    assert "a little apart sideways" in str(picture)
    assert "apart" not in str(scene(by=None))
    close(scene(by=None)["samples 0"].x, [20, 50, 100, 400])


def test_axes_are_logarithmic_where_numbers_are_far_apart():
    assert (scene().x.log, scene().y.log) == (True, True)
    narrow = TABLE[TABLE["n"] <= 100].assign(test_loss=lambda table: 1 + table["n"] / 100)
    assert (scene(narrow).x.log, scene(narrow).y.log) == (False, False)
    assert scene(narrow, log_x=True, log_y=True).y.log
    assert scene(TABLE.assign(test_loss=lambda table: table["test_loss"] - 0.1)).y.log is False
    tiny = scene(TABLE.assign(test_loss=lambda table: table["test_loss"] * 1e-18 * (table["n"] > 50)))
    assert tiny.y.log
    assert "What is below 10⁻¹⁶ is drawn there" in str(tiny) or "1e−16" in str(tiny)
    assert min(mark.y[~np.isnan(mark.y)].min() for mark in tiny.marks) == SMALLEST
    with pytest.raises(ValueError, match="log_x must be False"):
        scene(TABLE.assign(n=0), log_x=True)
    with pytest.raises(ValueError, match="log_y must be False"):
        scene(TABLE.assign(test_loss=-1.0), log_y=True)


def test_names_stand_side_by_side_without_a_line_between():
    picture = scene(x="kind", by=None)
    assert [text for _, text in picture.x.ticks] == ["pursuit", "standard", "small"]
    close(picture["samples 0"].x, [0, 1, 2])
    close(picture["samples 0"].y, TABLE.groupby("kind", sort=False)["test_loss"].median())
    assert "session 0" not in picture
    assert picture.legend[0][0] == "median"


@pytest.mark.parametrize("own", [{}, {"y": "done"}, {"x": "kind", "by": "n"}, {"by": None, "bars": "deviation"}])
def test_the_figure_has_its_words_and_everything_is_on_the_page(own: dict[str, Any]):
    arguments: dict[str, Any] = {"x": "n", "by": "kind", **own}
    figure = npw.plots.study(TABLE, **arguments)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    picture = scene(**arguments)
    assert axes.get_title(loc="left") == picture.title
    assert [text.get_text().replace("\n", " ") for text in axes.get_legend().get_texts()] == [
        label for label, _ in picture.legend
    ]
    assert axes.get_ylabel().replace("\n", " ") == picture.y.label
    low, high = sorted(axes.get_ylim())
    for mark in picture.marks:
        assert np.all((low <= mark.y[~np.isnan(mark.y)]) & (mark.y[~np.isnan(mark.y)] <= high))
    tight = axes.get_tightbbox()
    assert tight.x1 <= figure.bbox.x1 + 1
    assert tight.y1 <= figure.bbox.y1 + 1


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((3, "n"), TypeError, "table must be a pandas DataFrame"),
        ((TABLE, "m"), ValueError, "x must be .*'n'.* got 'm'"),
        ((TABLE, "n", "loss"), ValueError, "y must be .* got 'loss'"),
        ((TABLE, "n", "test_loss", "sort"), ValueError, "by must be .* got 'sort'"),
        ((TABLE, "n", "kind"), ValueError, "y must be a column of numbers or truth values, got 'kind' with 'pursuit'"),
        ((TABLE, "n", "test_loss", "test_loss"), ValueError, "by must be a column of at most 8 values"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, error: type[Exception], match: str):
    with pytest.raises(error, match=match):
        npw.plots.study(*arguments)


def test_bars_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="bars"):
        npw.plots.study(TABLE, "n", bars="error")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="log_x"):
        npw.plots.study(TABLE, "n", log_x=3)  # type: ignore[arg-type]
