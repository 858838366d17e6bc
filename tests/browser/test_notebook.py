"""The quickstart in Notebook 7."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.widget_looks import LAID_OUT, button, drawn, panel, status


def test_the_quickstart_is_drawn_and_plays(open_notebook, screenshots):
    notebook = open_notebook("01_quickstart.ipynb", "notebooks")
    expect(notebook.page.locator("body")).to_have_attribute("data-notebook", "notebooks")
    notebook.run_all()
    widget = notebook.widget
    notebook.page.wait_for_function(LAID_OUT, arg=widget.element_handle())
    before = drawn(widget)
    button(widget, "Play").click()
    expect(status(widget)).to_contain_text("finished")
    expect(widget.locator(".npw-message")).to_contain_text("target")
    expect(panel(widget, "Architecture").locator("svg .dot:visible")).not_to_have_count(0)
    assert drawn(widget) != before
    notebook.page.wait_for_function(LAID_OUT, arg=widget.element_handle())
    widget.screenshot(path=screenshots / "notebook 7.png")
