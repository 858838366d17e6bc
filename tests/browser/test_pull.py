"""The widgets in a JupyterLab that delivers nothing from the kernel's other threads, as Colab's front end does."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.widget_looks import button, panel, status

DEAF = """
import threading
from ipykernel.comm.comm import BaseComm

publish, own = BaseComm.publish_msg, ("widget publisher", "session of")

def publish_from_cells_and_messages(self, *args, **kwargs):
    if not threading.current_thread().name.startswith(own):
        publish(self, *args, **kwargs)

BaseComm.publish_msg = publish_from_cells_and_messages
"""


def test_the_quickstart_lives_without_a_message_from_another_thread(server, open_notebook):
    server.write_notebook("deaf.ipynb", DEAF, *server.code_of("01_quickstart.ipynb"))
    notebook = open_notebook("deaf.ipynb")
    notebook.run_all()
    widget = notebook.widget
    button(widget, "Inspect this saddle").click()
    inner = widget.locator(".npw")
    expect(inner).to_contain_text("Saddle dynamics")
    button(inner, "To escape").click()
    expect(inner.locator(".npw-message")).to_contain_text("Escaped at time")
    button(widget, "Back to the pursuit").click()
    expect(inner).to_have_count(0)
    speed = widget.get_by_label("Speed", exact=True)
    speed.select_option("5 a second")  # not at the end before somebody can see it run
    button(widget, "Play").click()
    expect(status(widget)).to_contain_text("running")
    speed.select_option("full speed")
    expect(status(widget)).to_contain_text("finished")
    expect(widget.locator(".npw-message")).to_contain_text("target")
    figure = panel(widget, "Architecture").locator(".npw-figure")
    expect(figure).to_have_attribute("aria-label", re.compile(r"A network of 20 inputs"))
    expect(panel(widget, "Architecture").locator("svg .dot:visible")).not_to_have_count(0)
    button(widget, "Reset").click()
    expect(widget.locator(".npw-figures").first).to_have_text("iteration 0")
