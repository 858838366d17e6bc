"""A whole session by keyboard, and what axe-core and a screen reader find at every stage of it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.widget_looks import panel, status, violations

PURSUIT = """
import np_widgets as npw

x = npw.problems.kumar_haupt(samples=100, seed=0).inputs
widget = npw.PursuitWidget(npw.Problem(x, x[:, 0].clamp(min=0) - x[:, 1].clamp(max=0)), hidden_layers=1)
widget
"""
FOCUSED = """() => {
  const own = document.activeElement, name = (own.labels?.[0] ?? own).textContent.trim();
  return own === document.body ? "the page" : own.getAttribute("aria-label") || name;
}"""


def focused(page: Page) -> str:
    return str(page.evaluate(FOCUSED))


def tab_to(page: Page, name: str) -> list[str]:
    """Press Tab until something is reached; what was passed on the way."""
    passed: list[str] = []
    while focused(page) != name:
        page.keyboard.press("Tab")
        passed.append(focused(page))
        assert len(passed) < 80, passed
    return passed


def stays(page: Page, name: str) -> None:
    page.wait_for_function(f"name => ({FOCUSED})() === name", arg=name)


def test_a_whole_session_by_keyboard(server, open_notebook):
    server.write_notebook("keyboard.ipynb", PURSUIT)
    notebook = open_notebook("keyboard.ipynb")
    notebook.page.set_viewport_size({"width": 1400, "height": 2000})
    notebook.run_all()
    page, widget = notebook.page, notebook.widget
    expect(panel(widget, "Architecture")).to_contain_text("press Play or Step")
    assert violations(page) == []

    widget.get_by_role("button").first.focus()
    expect(widget.get_by_role("heading", level=2)).to_contain_text("Neuron Pursuit")
    expect(widget.get_by_role("heading", level=3)).not_to_have_count(0)
    tab_to(page, "Speed")
    page.keyboard.press("End")  # pause after each neuron
    tab_to(page, "Reset")
    page.keyboard.press("Enter")
    widget.get_by_role("button").first.focus()
    stays(page, "Play")
    page.keyboard.press("Space")
    expect(widget.locator(".npw-figures").first).to_contain_text("widths (1)")
    expect(status(widget).first).to_contain_text("paused")
    stays(page, "Play")
    assert violations(page) == []

    tab_to(page, "Selected")
    page.keyboard.press("ArrowDown")
    figure = panel(widget, "Architecture").locator(".npw-figure")
    expect(figure).to_have_attribute("aria-label", re.compile("selected: neuron 1 of layer 1"))
    stays(page, "Selected")
    assert violations(page) == []

    tab_to(page, "Inspect this saddle")
    page.keyboard.press("Enter")
    stays(page, "Back to the pursuit")
    expect(widget.locator(".npw").get_by_role("button", name="To escape")).to_be_visible()
    stays(page, "Back to the pursuit")
    tab_to(page, "To escape")
    page.keyboard.press("Enter")
    expect(widget.locator(".npw .npw-message").first).to_contain_text("Escaped at time")
    stays(page, "To escape")
    passed = tab_to(page, "Time")
    assert "the page" not in passed
    page.keyboard.press("Home")
    slider = widget.locator(".npw").get_by_role("slider", name="Time")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"t = 0 of [\d.,]+"))
    stays(page, "Time")
    assert violations(page) == []
    notebook.set_theme("JupyterLab Dark")
    assert violations(page) == []
    notebook.set_theme("JupyterLab Light")
    widget.get_by_role("button", name="Back to the pursuit").focus()
    page.keyboard.press("Enter")
    stays(page, "Inspect this saddle")

    widget.get_by_role("button").first.focus()
    stays(page, "Play")
    page.keyboard.press("Space")
    expect(status(widget).first).to_contain_text("finished")
    stays(page, "Play")  # which has nothing to do any more
    page.keyboard.press("Space")
    expect(status(widget).first).to_contain_text("finished")
    assert violations(page) == []
