"""What the widgets tell can be linked to other widgets, in the browser and in the kernel."""

from __future__ import annotations

import json
import math

import ipywidgets
import pytest

import np_widgets as npw
from np_widgets.widgets.tree import close_tree

PROBLEM = npw.problems.kumar_haupt(samples=60, seed=0)
TOLD = {
    npw.PursuitWidget: {"status", "message", "iteration", "widths", "loss"},
    npw.SaddleWidget: {"status", "message", "phase", "time", "loss"},
}


@pytest.fixture(params=list(TOLD), ids=lambda kind: kind.__name__)
def widget(request):
    made = request.param(PROBLEM, hidden_layers=1)
    yield made
    made.close()


def test_the_browser_can_link_what_is_told(widget):
    target = ipywidgets.FloatText()
    for name in TOLD[type(widget)]:
        for link in (ipywidgets.jslink, ipywidgets.jsdlink):
            made = link((widget, name), (target, "value"))
            assert made.get_state("source")["source"] == [f"IPY_MODEL_{widget.model_id}", name]
            made.unlink()
            made.close()
    close_tree(target)


def test_what_is_told_reaches_the_browser_and_can_be_written_as_json(widget):
    widget.session.step(3)
    told = widget.get_state()
    assert TOLD[type(widget)] <= told.keys()
    for name in TOLD[type(widget)]:
        json.dumps(told[name], allow_nan=False)
        assert told[name] == getattr(widget, name)


def test_a_loss_that_is_no_number_is_none_to_the_browser(widget):
    for value in (math.nan, math.inf, None):
        widget.set_trait("loss", value)
        assert widget.get_state("loss")["loss"] is None
    widget.set_trait("loss", 0.5)
    assert widget.get_state("loss")["loss"] == 0.5


def test_the_kernel_can_link_the_loss_before_there_is_one():
    widget, number, text = npw.PursuitWidget(PROBLEM, hidden_layers=1), ipywidgets.FloatText(), ipywidgets.Label()
    links = [
        ipywidgets.dlink((widget, "loss"), (number, "value"), lambda loss: 0.0 if loss is None else loss),
        ipywidgets.dlink((widget, "message"), (text, "value")),
    ]
    assert (number.value, text.value) == (0.0, widget.message)
    widget.session.resume()
    widget.session.wait()
    assert widget.loss == number.value == widget.session.frame.loss
    assert text.value == widget.message == widget.session.frame.message
    for link in links:
        link.unlink()
    widget.close()
    close_tree(number, text)
