"""The widget in a real JupyterLab, as its user has it: clicked, read, reloaded, in light and dark."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Notebook
from tests.browser.widget_looks import (
    button,
    drawn,
    look_at_both_themes,
    panel,
    status,
    wait_until_drawn_otherwise,
)

MOST_STEPS = 200
"""Ten times as many as it takes to find and add one neuron."""
# A page may take longer to load on a busy machine than a session waits for a view.
IMPORTS = """
from np_widgets.widgets import audience
audience.SECONDS_WITHOUT_VIEW = 1000.0
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.problems import kumar_haupt
from np_widgets.widgets.pursuit import PursuitWidget
"""
# It runs until somebody stops it, and its first network, of widths (1, 1), is trained for hours on any machine.
ENDLESS = """
widget = PursuitWidget(
    kumar_haupt(samples=200, seed=0), method="paper", starts=10, max_steps=10**9, learning_rate=1e-5
)
widget
"""


def widths(widget: Locator) -> list[int]:
    found = re.findall(r"widths \(([\d, ]+)\)", figures(widget))
    return [int(width) for width in found[0].split(",")] if found else []


def figures(widget: Locator) -> str:
    return widget.locator(".npw-figures").inner_text()


def play_until(widget: Locator, what: str) -> None:
    """Play until something is there that stays."""
    button(widget, "Play").click()
    expect(widget.locator(".npw-figures")).to_contain_text(what)
    button(widget, "Pause").click()
    expect(status(widget)).to_contain_text("paused")


def take_a_step(widget: Locator) -> None:
    """Step, and wait until it is shown: on a plateau it moves no picture by a pixel, but the sentence counts it."""
    sentence = widget.locator(".npw-message")
    before = sentence.inner_text()
    button(widget, "Step").click()
    expect(sentence).not_to_have_text(before)
    expect(status(widget)).to_contain_text("paused")


def step_until(widget: Locator, what: str) -> None:
    """Step until something is there, however soon it would pass on a fast machine."""
    for _ in range(MOST_STEPS):
        if what in figures(widget):
            return
        take_a_step(widget)
    raise AssertionError(f"{what!r} is not there after {MOST_STEPS} steps, but {figures(widget)!r}")


@pytest.fixture
def endless(server, open_notebook) -> Notebook:
    """An endless run whose widget is displayed twice."""
    server.write_notebook("endless.ipynb", IMPORTS + ENDLESS, "widget")
    notebook = open_notebook("endless.ipynb")
    notebook.run_all()
    expect(notebook.page.locator(".npw")).to_have_count(2)
    return notebook


def test_the_quickstart_from_run_all_to_reset(open_notebook):
    notebook = open_notebook("01_quickstart.ipynb")
    notebook.run_all()
    widget = notebook.widget
    expect(button(widget, "Play")).to_be_enabled()
    expect(widget.locator(".npw-figures")).to_have_text("iteration 0")
    architecture = panel(widget, "Architecture")
    assert architecture.locator("svg .dot").count() == 0

    step_until(widget, "widths (1, 1)")
    expect(architecture.locator("svg .dot")).not_to_have_count(0)
    figure = architecture.locator(".npw-figure")
    expect(figure).to_have_attribute("aria-label", re.compile(r"A network of 20 inputs, hidden widths \(1, 1\)"))
    expect(figure).to_have_attribute("role", "img")
    # The neurons are drawn over the inputs and the output.
    neuron = architecture.locator("svg .dot:visible").last
    neuron.hover()
    read = notebook.page.locator(".bqplot_mark_tooltip", has_text=re.compile(r"neuron 1 of layer \d: norm in"))
    expect(read).to_be_visible()
    # A pointer that rests there reads on while the network is trained.
    words, step = read.inner_text(), button(widget, "Step")
    now = "() => document.querySelector('.npw .dot:hover')?.__data__.name"
    for _ in range(MOST_STEPS):
        pointed = notebook.page.evaluate(now)
        if pointed is None:  # a sentence of more lines has pushed the picture away
            neuron.hover()
            words = read.inner_text()
        elif pointed != words:
            break
        sentence = widget.locator(".npw-message").inner_text()
        step.press("Enter")
        expect(widget.locator(".npw-message")).not_to_have_text(sentence)
    expect(read).not_to_have_text(words)
    notebook.page.wait_for_function(
        f"([name]) => [undefined, name.innerText].includes(({now})())", arg=[read.element_handle()]
    )

    # So slowly that it is not at the end before somebody can pause it.
    widget.get_by_label("Speed", exact=True).select_option("1 a second")
    before = drawn(widget)
    button(widget, "Play").click()
    wait_until_drawn_otherwise(widget, before)
    expect(status(widget)).to_contain_text("running")
    button(widget, "Pause").click()
    expect(status(widget)).to_contain_text("paused")
    expect(button(widget, "Play")).to_be_visible()

    widget.get_by_label("Speed", exact=True).select_option("full speed")
    old = widths(widget)
    widget.get_by_label("Layer", exact=True).select_option("1")
    button(widget, "Add neuron").click()
    # It runs until the neuron is there and trained.
    expect(widget.locator(".npw-figures")).to_contain_text(f"widths ({old[0] + 1}, {old[1]})")
    expect(status(widget)).to_contain_text("paused")

    button(widget, "Reset").click()
    expect(widget.locator(".npw-figures")).to_have_text("iteration 0")
    expect(status(widget)).to_contain_text("paused")
    expect(architecture.locator("svg .dot:visible")).to_have_count(0)


def test_two_displays_agree(endless):
    first, second = endless.page.locator(".npw").all()
    button(first, "Step").click()
    button(second, "Play").click()
    for widget in (first, second):
        expect(status(widget)).to_contain_text("running")
        expect(widget.locator(".npw-figures")).to_contain_text("widths (1, 1)")
    button(first, "Pause").click()
    for widget in (first, second):
        expect(status(widget)).to_contain_text("paused")
    seed = second.get_by_label("Seed")
    seed.fill("5")
    seed.press("Enter")
    expect(first.get_by_label("Seed")).to_have_value("5")
    # This comes from the kernel, and so after the last frame.
    for widget in (first, second):
        expect(widget.locator(".npw-pending")).to_contain_text("seed 5")
    assert figures(first) == figures(second)
    button(first, "Reset").click()
    for widget in (first, second):
        expect(widget.locator(".npw-pending")).not_to_contain_text("seed")
        expect(widget.locator(".npw-figures")).to_have_text("iteration 0")


def test_a_reload_shows_the_running_session(endless, server):
    play_until(endless.widget, "widths (1, 1)")
    button(endless.widget, "Play").click()
    endless.command("docmanager:save")
    endless.reload()
    widget = endless.widget
    expect(status(widget)).to_contain_text("running")
    wait_until_drawn_otherwise(widget, drawn(widget))
    button(widget, "Pause").click()
    expect(status(widget)).to_contain_text("paused")
    saved = json.loads((server.notebooks / "endless.ipynb").read_text(encoding="utf-8"))
    data = saved["cells"][0]["outputs"][0]["data"]
    assert {"image/png", "text/plain"} <= set(data)
    assert "widgets" not in saved["metadata"]


def test_the_keyboard_reaches_every_control(endless):
    page, widget = endless.page, endless.widget
    button(widget, "Step").click()
    expect(widget.locator(".npw-message")).not_to_contain_text("Ready")
    page.locator(".npw button").first.focus()
    page.keyboard.press("Space")
    expect(status(widget)).to_contain_text("running")
    page.keyboard.press("Space")
    expect(status(widget)).to_contain_text("paused")
    reached = set()
    for _ in range(20):
        reached.add(page.evaluate("() => document.activeElement.textContent || document.activeElement.id"))
        page.keyboard.press("Tab")
    enabled = widget.locator("button:enabled:visible, select:enabled:visible, input:enabled:visible")
    assert len(reached) >= enabled.count()


def test_a_failure_is_shown(server, open_notebook):
    failing = """
    class Failing(NeuronPursuit):
        def _advance(self):
            raise ArithmeticError("the sky fell")

    from np_widgets.sessions.session import Session
    widget = PursuitWidget(Session(Failing(kumar_haupt(samples=50))))
    widget
    """
    server.write_notebook("failing.ipynb", IMPORTS + failing.replace("\n    ", "\n"))
    notebook = open_notebook("failing.ipynb")
    notebook.run_all()
    button(notebook.widget, "Play").click()
    expect(notebook.widget.get_by_role("alert")).to_contain_text("ArithmeticError: the sky fell")
    expect(status(notebook.widget)).to_contain_text("failed")


def test_every_text_can_be_read_in_both_themes(endless, screenshots):
    widget = endless.widget
    play_until(widget, "widths (1, 1)")
    look_at_both_themes(endless, widget, "pursuit", screenshots)


def test_what_no_view_shows_rests_and_a_hidden_tab_is_a_view(server, open_notebook):
    answers = "print(f'answers: {widget.children[-1].alive}')"
    impatient = """
    from np_widgets.widgets import audience
    audience.SECONDS_WITHOUT_VIEW = 1.0
    print(f"resting: {widget.session.resting}")
    """.replace("\n    ", "\n")
    server.write_notebook("unseen.ipynb", IMPORTS + ENDLESS, answers, impatient, "widget")
    notebook = open_notebook("unseen.ipynb")
    page = notebook.page

    def select(index: int) -> None:
        page.locator(".jp-Cell .jp-InputArea-editor").nth(index).click()
        page.keyboard.press("Escape")

    def said(index: int, wanted: str) -> str:
        """Execute a cell until its output is as wanted."""
        select(index)
        for _ in range(60):
            notebook.command("notebook:run-cell")
            output = page.locator(".jp-Cell").nth(index).locator(".jp-OutputArea-output pre")
            expect(output).to_be_visible()
            if re.search(wanted, output.inner_text()):
                return output.inner_text()
            page.wait_for_timeout(500)
        raise AssertionError(f"{output.inner_text()!r} never became {wanted!r}")

    select(0)
    notebook.command("notebook:run-cell")
    button(notebook.widget, "Play").click()
    expect(status(notebook.widget)).to_contain_text("running")
    # A tab that is not on show has no animation frames.
    page.evaluate("() => { window.requestAnimationFrame = () => 0; }")
    before = int(re.findall(r"\d+", said(1, r"answers: \d+"))[0])
    said(1, rf"answers: (?!({'|'.join(str(before + ahead) for ahead in range(5))})\b)\d+")
    expect(status(notebook.widget)).to_contain_text("running")
    select(0)
    notebook.command("notebook:clear-cell-output")
    expect(page.locator(".npw")).to_have_count(0)
    said(2, "resting: resting: no view")
    select(3)
    notebook.command("notebook:run-cell")
    expect(notebook.widget.get_by_role("alert")).to_contain_text("resting: no view")
    button(notebook.widget, "Play").click()
    expect(status(notebook.widget)).to_contain_text("running")
    button(notebook.widget, "Pause").click()
    expect(status(notebook.widget)).to_contain_text("paused")
