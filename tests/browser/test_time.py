"""Undo, a neuron of one's own, a branch, and copy as code, as a user does them in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Notebook
from tests.browser.widget_looks import button, panel, status

# Its pursuit has ended, with three neurons.
ENDED = """
import numpy as np

import np_widgets as npw

x = np.random.default_rng(0).standard_normal((60, 3))
squares = np.maximum(x, 0) ** 2
problem = npw.Problem(x, 3 * squares[:, 0] - 2 * squares[:, 1] + squares[:, 2])
widget = npw.PursuitWidget(problem, hidden_layers=1, power=2, starts=10)
widget.session.resume()
widget.session.wait()
"""


@pytest.fixture
def ended(server, open_notebook) -> Notebook:
    server.write_notebook("time.ipynb", ENDED, "widget")
    notebook = open_notebook("time.ipynb")
    notebook.run_all()
    expect(status(notebook.widget).first).to_contain_text("finished")
    return notebook


def test_undo_an_own_neuron_a_branch_and_copy_as_code(ended, screenshots):
    widget, page = ended.widget, ended.widget.page
    expect(widget).to_contain_text("(3)")

    button(widget, "Undo").click()
    expect(status(widget).first).to_contain_text("paused")
    expect(widget).to_contain_text("(2)")

    widget.get_by_label("Selected").select_option(label="your own neuron of layer 1")
    own = panel(widget, "Your own neuron of layer 1").last
    expect(own).to_contain_text("N = ")
    expect(panel(widget, "Architecture with your own neuron")).to_be_visible()
    before = own.locator(".npw-note").inner_text()
    box = own.locator("svg .dot:visible").nth(2).bounding_box()  # of the third input
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 20, steps=4)
    page.mouse.move(x, y - 40, steps=4)
    page.mouse.up()
    expect(own.locator(".npw-note")).not_to_have_text(before)
    page.screenshot(path=screenshots / "own neuron.png")
    button(widget, "Add this one").click()
    expect(widget).to_contain_text("(3)")
    expect(status(widget).first).to_contain_text("finished")

    button(widget, "Branch here").click()
    branch = widget.locator(".npw-branches .npw")
    expect(branch).to_contain_text("(3)")
    button(branch, "Undo").click()
    expect(branch).to_contain_text("(2)")
    button(widget, "Close this branch").click()
    expect(branch).to_have_count(0)
    expect(widget).to_contain_text("(3)")

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button(widget, "Copy as code").click()
    expect(widget.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "engine.add_neuron(layer=1, incoming=(1.0, 0.0, 0." in copied
