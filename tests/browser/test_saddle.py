"""The saddle widget in a real JupyterLab: opened from a running pursuit, played to the escape, and scrubbed back."""

from __future__ import annotations

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

# The first network is trained, and the search for the next neuron lasts for hours.
PURSUIT = """
import np_widgets as npw

widget = npw.PursuitWidget(npw.problems.kumar_haupt(samples=200, seed=0), method="paper")
while widget.session.frame.phase != "searching":
    widget.session.step()
widget.session.speed = 0.01
"""


@pytest.fixture
def pursuit(server, open_notebook) -> Notebook:
    server.write_notebook("saddle.ipynb", PURSUIT, "widget")
    notebook = open_notebook("saddle.ipynb")
    notebook.run_all()
    button(notebook.widget, "Play").wait_for()
    return notebook


@pytest.fixture
def saddle(pursuit) -> Locator:
    """The saddle widget, opened from the pursuit while that runs."""
    button(pursuit.widget, "Play").click()
    expect(status(pursuit.widget)).to_contain_text("running")
    button(pursuit.widget, "Inspect this saddle").click()
    inner = pursuit.widget.locator(".npw")
    expect(inner).to_contain_text("Saddle dynamics")
    button(inner, "To escape").wait_for()
    return inner


def slide(widget: Locator, presses: int) -> None:
    """Go back with the keyboard."""
    handle = widget.locator(".npw-time").get_by_role("slider")
    handle.focus()
    for _ in range(presses):
        widget.page.keyboard.press("PageDown")


def test_from_a_running_pursuit_to_the_escape_and_back_in_time(pursuit, saddle, screenshots):
    expect(status(pursuit.widget).first).to_contain_text("paused")
    expect(panel(saddle, "Norms")).to_contain_text("press Play, Step or To escape")

    button(saddle, "To escape").click()
    expect(saddle.locator(".npw-message")).to_contain_text("Escaped at time")
    expect(status(saddle)).to_contain_text("finished")
    expect(panel(saddle, "Norms")).to_contain_text("Predicted escape at time")
    readout = saddle.locator(".npw-time .npw-when")
    expect(readout).to_contain_text("now")

    titles = ("Norms", "Directions: cosine", "Directions in a plane", "Loss", "Weights")
    pictures = [saddle.locator(".npw-panel").filter(has_text=title).first for title in titles]
    for theme in ("Light", "Dark"):
        pursuit.set_theme(f"JupyterLab {theme}")
        before = [drawn(picture) for picture in pictures]
        slide(saddle, 4)
        expect(readout).to_contain_text(" of ")
        for picture, old in zip(pictures, before, strict=True):
            wait_until_drawn_otherwise(picture, old)
    look_at_both_themes(pursuit, pursuit.widget, "saddle", screenshots)

    time = readout.inner_text()
    button(saddle, "Step").click()
    expect(readout).to_contain_text("now")
    expect(readout).not_to_have_text(time)

    button(pursuit.widget, "Back to the pursuit").click()
    expect(saddle).to_have_count(0)
    expect(panel(pursuit.widget, "Architecture")).to_be_visible()
    # At the speed of before, the next step would be a hundred seconds after the last.
    pursuit.widget.get_by_label("Speed", exact=True).select_option("full speed")
    sentence = pursuit.widget.locator(".npw-message")
    before = sentence.inner_text()
    button(pursuit.widget, "Step").click()
    expect(sentence).not_to_have_text(before)
    expect(status(pursuit.widget)).to_contain_text("paused")


def test_a_network_in_training_is_refused_with_its_gradient(server, open_notebook):
    training = PURSUIT.replace('"searching"', '"minimizing"')
    server.write_notebook("training.ipynb", training, "widget")
    notebook = open_notebook("training.ipynb")
    notebook.run_all()
    button(notebook.widget, "Inspect this saddle").click()
    expect(notebook.widget.get_by_role("alert")).to_contain_text("got a gradient of norm")
    expect(panel(notebook.widget, "Architecture")).to_be_visible()


def test_settings_take_effect_at_reset(saddle):
    saddle.get_by_label("Seed").fill("3")
    saddle.get_by_label("Seed").press("Enter")
    saddle.get_by_label("Dormant in layer 1").fill("4")
    saddle.get_by_label("Dormant in layer 1").press("Enter")
    saddle.get_by_label("Dynamics").select_option("gradient descent")
    expect(saddle.get_by_label("Step size")).to_be_visible()
    pending = saddle.locator(".npw-pending")
    expect(pending).to_contain_text("dormant neurons (4, 10), dynamics descent, seed 3")
    button(saddle, "Reset").click()
    expect(pending).not_to_contain_text("seed")
    expect(panel(saddle, "Weights of")).to_contain_text("dormant")
    button(saddle, "Step").click()
    expect(saddle.locator(".npw-message")).not_to_contain_text("Ready")
