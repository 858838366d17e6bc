"""What readers without a kernel see: the picture of a finished run, with words, where the widget was."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup

import np_widgets as npw
from np_widgets.widgets import live_widget
from tests.test_notebooks import NOTEBOOKS
from tests.widget_looks import nothing_left_behind

WIDGET = "application/vnd.jupyter.widget-view+json"


def page_of(*cells: Any) -> str:
    from nbconvert.exporters import HTMLExporter  # longer than torch: not in every process that collects tests
    from nbformat.v4 import new_notebook

    notebook = new_notebook(cells=list(cells))
    return HTMLExporter().from_notebook_node(notebook)[0]


def shown(widget: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The page of a notebook that shows a widget, and what is kept of it."""
    from nbformat.v4 import new_code_cell, new_output

    data, about = widget._repr_mimebundle_()
    output = new_output("execute_result", data=data, metadata=about, execution_count=1)
    return page_of(new_code_cell("widget", outputs=[output])), data, about


@pytest.mark.parametrize("kind", ["pursuit", "saddle"])
def test_a_page_shows_a_run_that_is_over(monkeypatch, kind):
    problem = npw.problems.kumar_haupt(samples=60, seed=0)
    make: dict[str, Any] = {
        "pursuit": lambda: npw.PursuitWidget(problem, hidden_layers=1, max_additions=1, starts=5),
        "saddle": lambda: npw.SaddleWidget(problem, dormant=(2, 2), power=2, scale=2e-2, starts=5),
    }
    with nothing_left_behind():
        widget = make[kind]()
        looked_at, _ = widget._repr_mimebundle_()
        monkeypatch.setattr(live_widget, "nobody_looks", lambda: True)
        page, data, about = shown(widget)
        assert widget.session.frame.phase == "ready"  # and may still be played
        widget.close()
    words = about["image/png"]["alt"]
    assert data["image/png"] != looked_at["image/png"]
    assert data["image/png"] in page.replace("\n", "")
    assert words == BeautifulSoup(page, "html.parser").select_one(".jp-OutputArea img")["alt"]
    assert ("widths (2)" if kind == "pursuit" else "scaped") in words
    assert WIDGET not in page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_pages_of_the_notebooks_have_pictures_where_widgets_were(path):
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    made = [cell for cell in notebook.cells if any(WIDGET in each.get("data", {}) for each in cell.get("outputs", ()))]
    for cell in made:
        page = page_of(cell)
        assert "<img" in page
        assert WIDGET not in page
