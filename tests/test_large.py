"""Widgets for a lecture hall: letters, lines and pictures so many times larger, and the page of ``make app``."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import bqplot
import numpy as np
import pytest

import np_widgets as npw
from np_widgets.widgets.theme import STYLESHEET
from tests.widget_looks import figures, names, nothing_left_behind, parts, text

ROOT = Path(__file__).resolve().parent.parent
PROBLEM = npw.problems.curve("hat", samples=20)
OPTIONS: dict[str, Any] = {"hidden_layers": 1, "starts": 3, "max_steps": 30}
PAGE = ROOT / "notebooks" / "app" / "pursuit.ipynb"


def trained(**options: Any) -> npw.PursuitWidget:
    pursuit = npw.NeuronPursuit(PROBLEM, **OPTIONS)
    pursuit.run(max_additions=1)
    widget = npw.PursuitWidget(pursuit, **options)
    widget.catch_up()
    return widget


def pixels(figure: bqplot.Figure) -> dict[str, Any]:
    """What is in pixels and not in the stylesheet, as lengths: the size of a dot is an area."""
    found: dict[str, Any] = {f"margin {side}": margin for side, margin in figure.fig_margin.items()}
    found |= {f"axis {i}": float(axis.label_offset.removesuffix("px")) for i, axis in enumerate(figure.axes)}
    for i, mark in enumerate(figure.marks):
        for name in ("stroke_width", "x_offset", "y_offset", "default_size"):
            if mark.has_trait(name):
                area = name == "default_size" and isinstance(mark, bqplot.Scatter)
                found[f"{i} {name}"] = np.sqrt(getattr(mark, name)) if area else getattr(mark, name)
    return found


def test_everything_in_pixels_grows():
    with nothing_left_behind():
        usual, twice = trained(), trained(size=2)
        pairs = list(zip(figures(usual), figures(twice), strict=True))
        assert len(pairs) == 6
        for small, large in pairs:
            before, after = pixels(small), pixels(large)
            assert before.keys() == after.keys()
            for name, length in before.items():
                assert after[name] == pytest.approx(2 * length, rel=0.02, abs=0.51), name
            tooltips = [mark.tooltip for mark in large.marks if getattr(mark, "tooltip", None) is not None]
            assert all("npw-size-20" in tooltip._dom_classes for tooltip in tooltips)
            assert small.layout.height == large.layout.height
            assert re.fullmatch(r"calc\(\d+px \* var\(--npw-size, 1\)\)", large.layout.height)
        assert "npw-size-20" in twice._dom_classes
        assert not [each for each in usual._dom_classes if each.startswith("npw-size")]
        usual.close()
        twice.close()


def test_what_is_shown_within_is_as_large():
    with nothing_left_behind():
        widget = npw.PursuitWidget(PROBLEM, size=1.4, **OPTIONS)
        for inner in (widget.branch(), widget.inspect_saddle(starts=3)):
            assert "npw-size-14" in inner._dom_classes
        widget.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: npw.SaddleWidget(PROBLEM, dormant=(3,), size=1.5),
        lambda: npw.compare(npw.NeuronPursuit(PROBLEM, **OPTIONS), size=1.5),
        lambda: npw.SessionWidget(npw.NeuronPursuit(PROBLEM, **OPTIONS), {}, size=1.5),
    ],
    ids=["saddle", "comparison", "session"],
)
def test_every_widget_can_be_large(make):
    with nothing_left_behind():
        widget = make()
        assert "npw-size-15" in widget._dom_classes
        widget.close()


@pytest.mark.parametrize("size", [0.5, 3.2, float("nan"), "large", True])
def test_a_size_that_is_none_is_refused_by_name(size):
    with nothing_left_behind(), pytest.raises((TypeError, ValueError), match="size must be a finite number"):
        npw.PursuitWidget(PROBLEM, size=size)


def test_the_stylesheet_knows_every_size_and_has_no_length_that_does_not_grow():
    for tenths in range(11, 31):
        assert f".npw-size-{tenths} {{ --npw-size: {tenths / 10}; }}" in STYLESHEET
    lengths = re.findall(r"(calc\()?\b\d+px( \* var\(--npw-size, 1\)\))?", STYLESHEET)
    assert len(lengths) > 50
    assert all(before and after for before, after in lengths)


@pytest.fixture(scope="module")
def page():
    """The page of ``make app``, without a browser: what its notebook makes."""
    cells = json.loads(PAGE.read_text("utf-8"))["cells"]
    made: dict[str, Any] = {}
    with nothing_left_behind():
        exec(compile("\n".join("".join(cell["source"]) for cell in cells), str(PAGE), "exec"), made)
        yield made
        for widget in made["stage"].children:
            widget.close()
        for part in (made["style"], made["chooser"], made["stage"], made["page"]):
            for each in (part.layout, getattr(part, "style", None), part):
                if each is not None:
                    each.close()


def test_every_problem_of_the_page_can_be_chosen_and_takes_the_place_of_the_one_before(page):
    closed: list[npw.PursuitWidget] = []
    for name, (make, _) in page["PROBLEMS"].items():
        page["chooser"].label = name
        (widget,) = page["stage"].children
        assert make().name in html.unescape(text(widget))
        assert all(before.session.status == "closed" for before in closed)
        closed.append(widget)


def test_the_page_has_one_row_of_controls_and_four_pictures(page):
    (widget,) = page["stage"].children
    widget.catch_up()
    assert names(widget) == {"Play", "Step", "Add neuron", "Undo", "Speed", "Layer"}
    rows = [part for part in parts(widget) if "npw-row" in part._dom_classes]
    assert len([row for row in rows if names(row)]) == 1
    assert len(figures(widget)) == 4
