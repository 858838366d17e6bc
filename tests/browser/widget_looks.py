"""What a browser shows of a widget, found the way that its user finds it."""

from __future__ import annotations

import re
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import Notebook

# All that the widget draws, as text; of images a sum, as they are long.
DRAWN = """
widget => {
  const sum = text => Array.from(text).reduce((s, c) => (31 * s + c.charCodeAt(0)) | 0, 0);
  return Array.from(widget.querySelectorAll("svg path, svg circle, svg text, svg image, .progress-bar"))
    .map(e => [
      e.getAttribute("d"), e.getAttribute("transform"), e.getAttribute("style"), e.textContent,
      sum(e.getAttribute("href") ?? ""),
    ].join())
    .join("\\n");
}
"""

# Whether all figures have taken the room that the page gives them. Their margins are at most 130 pixels, and bqplot
# ignores some changes of few pixels.
LAID_OUT = """
widget => Array.from(widget.querySelectorAll(".npw-figure")).every(figure => {
  const area = figure.querySelector("rect.plotarea_events");
  const size = getComputedStyle(figure).getPropertyValue("--npw-size");
  return [[figure.clientWidth, area.width], [figure.clientHeight, area.height]].every(([room, taken]) => {
    const excess = room - taken.baseVal.value;
    return 0 < excess && excess < 160 * size;
  });
})
"""

# Whether figures and sliders have got their names, which they do soon after they are drawn.
_NAMED = """
() => Array.from(document.querySelectorAll(".npw [role=slider], .npw .npw-figure"))
  .every(each => each.getAttribute("aria-label"))
"""

FAULTS = Path(__file__).with_name("layout_faults.js").read_text(encoding="utf-8")
LEAST_CONTRAST = Path(__file__).with_name("least_contrast.js").read_text(encoding="utf-8")


def button(widget: Locator, name: str) -> Locator:
    """The button of this name, which an icon may stand before: Play is not Replay."""
    return widget.get_by_role("button", name=re.compile(rf"(?<!\w){re.escape(name)}$"))


def status(widget: Locator) -> Locator:
    return widget.get_by_role("status").first  # the next one is of what has been copied


def panel(widget: Locator, title: str) -> Locator:
    return widget.locator(".npw-panel", has=widget.page.get_by_text(title))


def drawn(widget: Locator) -> str:
    return str(widget.evaluate(DRAWN))


def wait_until_drawn_otherwise(widget: Locator, before: str) -> None:
    widget.page.wait_for_function(
        f"([widget, before]) => ({DRAWN})(widget) !== before", arg=[widget.element_handle(), before]
    )


def violations(page: Page, of: str = ".npw") -> list[str]:
    """What axe-core has against the widgets on a page."""
    page.wait_for_function(_NAMED)
    found = Axe().run(page, context=of).response["violations"]
    return [f"{each['id']}: {node['html']}: {node['failureSummary']}" for each in found for node in each["nodes"]]


def look_at_both_themes(notebook: Notebook, widget: Locator, name: str, folder: Path) -> None:
    """Check that every text can be read in both themes and at two widths, and keep screenshots."""
    notebook.command("application:toggle-left-area")
    for theme in ("Light", "Dark"):
        notebook.set_theme(f"JupyterLab {theme}")
        for width in (1400, 800):
            # High enough for all of it: bqplot lays out no figure that is out of sight.
            notebook.page.set_viewport_size({"width": width, "height": 2000})
            notebook.page.wait_for_function(LAID_OUT, arg=widget.element_handle())
            ratio, where = widget.evaluate(LEAST_CONTRAST)
            assert ratio >= 4.5, where
            # A dot of bqplot that has missed its style is black.
            expect(widget.locator("path.dot:not([style*=fill])")).to_have_count(0)
            widget.screenshot(path=folder / f"{name}-{theme.lower()}-{width}.png")
    notebook.set_theme("JupyterLab Light")
