"""Figures of what a widget shows: the very scenes, in the sizes of a paper."""

from __future__ import annotations

import io

import pytest

import np_widgets as npw
from np_widgets.pictures.labels import number, typeset, widths
from np_widgets.problems import curve


@pytest.fixture(scope="module")
def widget():
    made = npw.PursuitWidget(curve("hat", samples=20), starts=3, max_steps=60, max_additions=1, hide=["weights"])
    made.session.resume()
    made.session.wait()
    yield made
    made.close()


def test_all_pictures_are_on_it_with_what_stands_above_them(widget):
    figure = widget.figure()
    titles = [axes.get_title(loc="left").replace("\n", " ") for axes in figure.axes]
    for panel in widget._panels.values():
        assert panel.scene.title in titles
    assert "weights" not in widget._panels
    said = figure.get_suptitle().replace("\n", " ")
    assert typeset(str(widget.session.frame.finished)).split(". ")[0] in said
    assert f"loss {number(widget.loss)}" in said
    assert figure.get_figwidth() == 12


@pytest.mark.parametrize(("width", "inches"), [("column", 3.4), ("page", 7.0), (4.2, 4.2), (None, 5.0)])
def test_one_picture_has_the_width_of_a_paper_and_is_what_the_panel_shows(widget, width, inches):
    figure = widget.figure("loss", width=width)
    assert figure.get_figwidth() == inches
    (axes,) = figure.axes
    line = widget._panels["loss"].scene["learned"]
    assert any(list(each.get_ydata()) == list(line.y) for each in axes.lines)
    size = axes.xaxis.label.get_fontsize()
    assert size < 8 if inches <= 7 else size > 8


def test_it_is_written_in_every_format_with_fonts_that_journals_accept(widget):
    figure = widget.figure("architecture", width="column")
    for kind, beginning in {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}.items():
        content = io.BytesIO()
        figure.savefig(content, format=kind)
        assert content.getvalue().startswith(beginning)
        if kind == "pdf":
            assert b"/Type3" not in content.getvalue()
            assert b"/FontFile2" in content.getvalue()


def test_a_page_of_a_paper_has_two_columns(widget):
    figure = widget.figure(width="page")
    pictures = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert {axes.get_subplotspec().get_gridspec().ncols for axes in pictures[:2]} == {2}
    figure.draw_without_rendering()


def test_what_no_picture_is_called_and_no_width_is_refused(widget):
    for picture, width, message in [("weights", None, "picture"), (None, "poster", "width"), (None, -1, "width")]:
        with pytest.raises((TypeError, ValueError), match=message):
            widget.figure(picture, width=width)


def test_a_look_back_is_what_the_figure_shows(widget):
    first = next(each for each in widget.session.history.moments if widget.session.history.frame(each).weights)
    widget.go_to(first)
    try:
        frame = widget.session.history.frame(first)
        assert f"{widths(frame.widths)}" in widget.figure().get_suptitle()
        assert "Looking back" in widget.figure().get_suptitle()
    finally:
        widget.go_to(None)
