"""A pointer on the marks of pictures: where they are, what is read there and how soon, and what is set off."""

from __future__ import annotations

from typing import Any, NamedTuple

from playwright.sync_api import Locator, Page

# Notes what is read from now on, and the milliseconds from the pointer's arrival until that has been painted.
_WATCH = """
() => {
  window.npwReads = [];
  let arrived = 0;
  addEventListener("mousemove", event => { arrived = event.timeStamp; }, true);
  const look = () => {
    const seen = [...document.querySelectorAll(".bqplot_mark_tooltip")].find(each => each.checkVisibility());
    const since = arrived;
    if (seen) requestAnimationFrame(() => setTimeout(() => {
      if (seen.checkVisibility()) npwReads.push([seen.textContent, performance.now() - since]);
    }));
  };
  new MutationObserver(look).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["style"] });
}
"""

# Of every mark the dots that a pointer finds, in their middle or else at a corner, and what bqplot calls each.
_DOTS = """
picture => {
  const marks = new Map(), figure = picture.querySelector(".npw-figure").getBoundingClientRect();
  for (const dot of picture.querySelectorAll("svg .dot")) {
    if (!dot.checkVisibility()) continue;
    const mark = dot.parentNode.parentNode, box = dot.getBoundingClientRect();
    if (!marks.has(mark)) marks.set(mark, []);
    for (const [across, down] of [[0.5, 0.5], [0.15, 0.15], [0.85, 0.15], [0.15, 0.85], [0.85, 0.85]]) {
      const x = box.left + across * box.width, y = box.top + down * box.height;
      if (document.elementFromPoint(x, y) !== dot) continue;
      const middle = [(box.left + box.right) / 2 - figure.left, (box.top + box.bottom) / 2 - figure.top];
      marks.get(mark).push([dot.__data__.name, x, y, ...middle]);
      break;
    }
  }
  return [...marks.values()];
}
"""

_EMPTY_FRAME = """
() => new Promise(done => {
  const began = performance.now();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
})
"""

_SET_OFF = """
picture => {
  const sky = document.createElement("i"), figure = picture.querySelector(".npw-figure").getBoundingClientRect();
  sky.style.color = "var(--npw-sky)";
  picture.append(sky);
  const color = getComputedStyle(sky).color;
  sky.remove();
  return [...picture.querySelectorAll(".npw-figure svg path")]
    .filter(each => each.checkVisibility() && getComputedStyle(each).stroke === color)
    .map(each => each.getBoundingClientRect())
    .filter(box => box.width + box.height > 0)
    .map(box => [box.left - figure.left, box.top - figure.top, box.right - figure.left, box.bottom - figure.top]);
}
"""


class Dot(NamedTuple):
    """A dot: what it reads, where a pointer finds it, and its middle from the corner of its figure."""

    reads: str
    x: float
    y: float
    middle_x: float
    middle_y: float


def watch(page: Page) -> None:
    """Begin to note what is read."""
    page.evaluate(_WATCH)


def dots(picture: Locator) -> list[list[Dot]]:
    """The dots of each mark of a picture that a pointer finds."""
    picture.scroll_into_view_if_needed()
    return [[Dot(*dot) for dot in mark] for mark in picture.evaluate(_DOTS)]


def read(page: Page, dot: Dot) -> tuple[str, float]:
    """Move the pointer to a dot from where nothing is: what is read, and after how many milliseconds."""
    page.mouse.move(1, 1)
    before = page.evaluate("() => npwReads.length")
    page.mouse.move(dot.x, dot.y)
    found: Any = page.wait_for_function("before => npwReads.length > before && npwReads[before]", arg=before)
    text, milliseconds = found.json_value()
    return str(text), float(milliseconds)


def empty_frame(page: Page) -> float:
    """The milliseconds that the browser takes to paint a frame in which nothing has changed."""
    return float(page.evaluate(_EMPTY_FRAME))


def set_off(picture: Locator) -> list[tuple[float, float, float, float]]:
    """The boxes of what is selected, known by its color: left, top, right and bottom from the figure's corner."""
    return [(box[0], box[1], box[2], box[3]) for box in picture.evaluate(_SET_OFF)]
