"""The page that ``make app`` opens in a lecture hall, in Voilà."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab import VOILA
from tests.browser.widget_looks import FAULTS, LAID_OUT, LEAST_CONTRAST, button, drawn, status, violations

ROWS = """
widget => new Set([...widget.querySelectorAll(".npw-row :is(button, select, input)")].map(each => {
  const { top, bottom } = each.getBoundingClientRect();
  return Math.round((top + bottom) / 40);
})).size
"""


def test_the_page_is_large_drawn_and_plays_what_is_chosen(open_notebook, screenshots):
    page = open_notebook("pursuit.ipynb", VOILA).page
    page.set_viewport_size({"width": 1600, "height": 1200})
    expect(page.get_by_role("heading", name="authors' example")).to_be_visible()
    page.get_by_label("Problem", exact=True).select_option("two moons")
    expect(page.get_by_role("heading", name="two moons")).to_be_visible()
    expect(page.locator(".npw")).to_have_count(1)
    widget = page.locator(".npw")
    page.wait_for_function(LAID_OUT, arg=widget.element_handle())
    before = drawn(widget)
    button(widget, "Play").click()
    expect(status(widget)).to_contain_text("finished")
    expect(widget.locator(".npw-message")).to_contain_text("worth the price")
    assert drawn(widget) != before
    assert widget.locator(".npw-message").evaluate("each => parseFloat(getComputedStyle(each).fontSize)") >= 18
    widget.locator(".npw-panel svg .dot:visible").last.hover()
    read = page.locator(".bqplot_mark_tooltip .tooltiptext:visible")
    expect(read).to_have_css("font-size", "15.4px")
    for width in (1000, 1600):
        # High enough for all of it: bqplot lays out no figure that is out of sight.
        page.set_viewport_size({"width": width, "height": 2000})
        page.wait_for_function(LAID_OUT, arg=widget.element_handle())
        page.screenshot(path=screenshots / f"lecture hall-{width}.png")
        assert widget.evaluate(ROWS) == 1
        assert widget.evaluate(FAULTS) == []
    ratio, where = page.locator(".hall").evaluate(LEAST_CONTRAST)
    assert ratio >= 4.5, where
    assert violations(page, ".hall") == []
