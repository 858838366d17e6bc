"""How quickly the widget answers a click and a pointer, and what it costs the training it shows.

Run it on a quiet machine from the root of the repository: ``python -m tests.benchmarks.bench_widget``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator

from tests.browser.lab import Notebook, Server, browser
from tests.browser.pointer import dots, empty_frame, read, watch

_PROBLEM = """
import json, pathlib, threading, time
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.problems import kumar_haupt
from np_widgets.sessions.session import Session
from np_widgets.widgets.pursuit import PursuitWidget

def session():
    pursuit = NeuronPursuit(
        kumar_haupt(samples=1000, seed=0), method="paper", max_steps=10**9, target_loss=0.0
    )
    return Session(pursuit)

shown, headless = session(), session()
widget = PursuitWidget(shown)
widget
"""

# On a thread of its own: while a cell runs, the kernel would not hear the browser. Two sessions that do the same take
# short turns, so that what else the machine does falls on both.
_MEASUREMENT = """
def rate(session, seconds):
    session.resume()
    steps, began = session.frame.total_steps, time.perf_counter()
    time.sleep(seconds)
    session.pause()
    return (session.frame.total_steps - steps) / (time.perf_counter() - began)

def measure(turns, seconds):
    for each in (headless, shown):
        each.resume()
        while each.frame.total_steps < 1000:
            time.sleep(0.01)
        each.pause()
    pairs = [(rate(headless, seconds), rate(shown, seconds)) for _ in range(turns)]
    pathlib.Path("rates.part").write_text(json.dumps(pairs))
    pathlib.Path("rates.part").rename("rates.json")

threading.Thread(target=measure, args=({turns}, {seconds})).start()
"""

# From the click to the animation frame after the first change of what it should change.
_CLICK = """
([button, changing]) => new Promise(resolve => {
  const observer = new MutationObserver(() => {
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - began));
  });
  observer.observe(changing, { subtree: true, childList: true, characterData: true, attributes: true });
  const began = performance.now();
  button.click();
})
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=40)
    parser.add_argument("--reads", type=int, default=100)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        server = Server(Path(folder))
        measurement = _MEASUREMENT.format(turns=arguments.turns, seconds=arguments.seconds)
        server.write_notebook("rates.ipynb", _PROBLEM, measurement)
        server.write_notebook("clicks.ipynb", _PROBLEM)
        server.write_notebook("reads.ipynb", _PROBLEM)
        server.start()
        try:
            for name, measure, count in (
                ("rates", _measure_rates, arguments.turns),
                ("clicks", _measure_clicks, arguments.clicks),
                ("reads", _measure_reads, arguments.reads),
            ):
                page = chromium.new_page(viewport={"width": 1400, "height": 1100})
                notebook = Notebook(page, server.address(f"{name}.ipynb"))
                notebook.run_all()
                notebook.widget.wait_for()
                measure(notebook, server.notebooks, count)
                notebook.shut_down()
        finally:
            server.stop()


def _measure_rates(notebook: Notebook, folder: Path, turns: int) -> None:
    file = folder / "rates.json"
    while not file.exists():
        time.sleep(0.2)
    headless, shown = (list(rates) for rates in zip(*json.loads(file.read_text(encoding="utf-8")), strict=True))
    ratios = [b / a for a, b in zip(headless, shown, strict=True)]
    quarters = ", ".join(f"{quarter:.0%}" for quarter in statistics.quantiles(ratios, n=4))
    print(f"Steps a second: headless {statistics.mean(headless):,.0f}, displayed {statistics.mean(shown):,.0f}")
    print(f"Displayed against headless: {sum(shown) / sum(headless):.1%} ({turns} turns with quartiles {quarters})")


def _measure_clicks(notebook: Notebook, _: Path, clicks: int) -> None:
    widget = notebook.widget
    play = widget.get_by_role("button", name="Play")
    play.wait_for()
    play.click()
    widget.locator(".npw-figures", has_text="iteration 1").wait_for(timeout=60_000)
    either = play.or_(widget.get_by_role("button", name="Pause"))
    _report("Play and Pause", [_click(notebook, either, either) for _ in range(clicks + clicks % 2)])
    widget.get_by_role("button", name="Pause").click()
    play.wait_for()
    step = widget.get_by_role("button", name="Step")
    _report("Step", [_click(notebook, step, widget.locator(".npw-message")) for _ in range(clicks)])
    seed = widget.get_by_label("Seed")
    pending = widget.locator(".npw-pending")
    times = []
    for value in range(1, clicks + 1):
        seed.fill(str(value))
        seed.press("Enter")
        pending.get_by_text(f"seed {value}").wait_for()
        times.append(_click(notebook, widget.get_by_role("button", name="Reset"), pending))
    _report("Reset", times)


def _measure_reads(notebook: Notebook, _: Path, reads: int) -> None:
    """From the arrival of the pointer on a mark until what is read has been painted, beside an empty frame."""
    widget, page = notebook.widget, notebook.page
    widget.get_by_role("button", name="Play").click()
    widget.locator(".npw-figures", has_text="iteration 1").wait_for(timeout=60_000)
    watch(page)
    for state in ("running", "paused"):
        pictures = widget.locator(".npw-panel").all()
        took: list[float] = []
        empty: list[float] = []
        while len(took) < reads:
            for picture in pictures:
                marks = [mark for mark in dots(picture) if mark]
                for place in [mark[len(took) % len(mark)] for mark in marks]:
                    empty.append(empty_frame(page))
                    took.append(read(page, place)[1])
        _report(f"Pointer, {state}", took, "reads, to the words on the screen")
        _report(f"Pointer, {state}", empty, "frames without any change")
        widget.get_by_role("button", name="Pause").or_(widget.get_by_role("button", name="Play")).click()


def _click(notebook: Notebook, button: Locator, changing: Locator) -> float:
    handles = [button.element_handle(), changing.element_handle()]
    milliseconds = float(notebook.page.evaluate(_CLICK, handles))
    notebook.page.wait_for_timeout(50 + 97 * (milliseconds % 3))  # not in step with the publisher
    return milliseconds


def _report(name: str, milliseconds: Sequence[float], what: str = "clicks, to the visible change") -> None:
    ordered = sorted(milliseconds)
    p50, p95 = (ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.5, 0.95))
    print(f"{name}: {len(ordered)} {what} p50 {p50:.0f} ms, p95 {p95:.0f} ms")


if __name__ == "__main__":
    main()
