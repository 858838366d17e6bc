"""Every state of every widget, at three widths, and in both themes: nothing overlaps, is cut off, or cannot be read."""

from __future__ import annotations

import pytest

from tests.browser import states
from tests.browser.widget_looks import FAULTS, LAID_OUT, LEAST_CONTRAST, violations

# Widths of the widget; the dark theme at one of them, as it has other colors and the same places.
WIDTHS = (600, 1000, 1600)
TABLES = {"pursuit": states.PURSUIT, "saddle": states.SADDLE, "comparison": states.COMPARISON}


@pytest.mark.parametrize("kind", TABLES)
def test_what_one_would_show(server, open_notebook, screenshots, kind):
    table = TABLES[kind]
    server.write_notebook(f"{kind}.ipynb", states.BEGIN, *table.values())
    notebook = open_notebook(f"{kind}.ipynb")
    page = notebook.page
    page.set_viewport_size({"width": 1700, "height": 2400})
    notebook.command("application:toggle-left-area")
    notebook.run_all()
    page.wait_for_function(f"() => document.querySelectorAll('.jp-OutputArea-output > .npw').length === {len(table)}")
    beside = 1700 - page.locator(".npw").first.bounding_box()["width"]
    faults = []
    for width in WIDTHS:
        page.set_viewport_size({"width": round(width + beside), "height": 2400})
        for theme in ("Light", "Dark") if width == 1000 else ("Light",):
            notebook.set_theme(f"JupyterLab {theme}")
            for state, widget in zip(table, page.locator(".jp-OutputArea-output > .npw").all(), strict=True):
                widget.scroll_into_view_if_needed()
                page.wait_for_function(LAID_OUT, arg=widget.element_handle())
                name = f"{kind} {state} {width} {theme.lower()}".replace(",", "").replace(" ", "-")
                widget.screenshot(path=screenshots / f"{name}.png")
                faults += [f"{name}: {fault}" for fault in widget.evaluate(FAULTS)]
                ratio, where = widget.evaluate(LEAST_CONTRAST)
                faults += [f"{name}: contrast {ratio:.1f}, {where}"] if ratio < 4.5 else []
    assert not faults, "\n".join(faults)
    assert violations(page) == []
