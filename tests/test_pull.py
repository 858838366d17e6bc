"""The widgets live where nothing is delivered but what is sent while a message of the front end is handled."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator

import pytest

import np_widgets as npw
from tests.front_end import FrontEnd
from tests.widget_looks import PATIENCE, nothing_left_behind, until

PROBLEM = npw.problems.kumar_haupt(samples=60, seed=0)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch) -> Iterator[None]:
    # Whoever answers here, answers, and a busy machine may take any time.
    monkeypatch.setattr("np_widgets.widgets.audience.SECONDS_WITHOUT_VIEW", math.inf)
    monkeypatch.setattr("np_widgets.widgets.publisher._LONGEST_BETWEEN_ASKS", math.inf)
    with nothing_left_behind():
        yield


def pursuit(front_end: FrontEnd) -> npw.PursuitWidget:
    return front_end.execute(
        lambda: npw.PursuitWidget(PROBLEM, hidden_layers=1, max_additions=1, starts=5, max_steps=60)
    )


@pytest.mark.parametrize("deaf_to", ["threads", "silence"])
def test_a_pursuit_is_played_to_its_end(monkeypatch, deaf_to):
    front_end = FrontEnd(monkeypatch, deaf_to)
    widget = pursuit(front_end)
    assert front_end.differences(widget) == []
    front_end.click(widget, "Play")
    assert widget.session.wait(PATIENCE)
    until(lambda: widget.status == "finished")
    assert front_end.lost
    assert "finished" not in front_end.text("npw-status")[0]  # nobody has asked
    front_end.ask_until(widget, lambda: "finished" in front_end.text("npw-status")[0])
    assert front_end.pulled
    front_end.ask(widget)
    assert front_end.differences(widget) == []
    assert f"<b>{widget.session.frame.iteration}</b>" in front_end.text("npw-figures")[0]
    front_end.click(widget, "Reset")
    front_end.ask_until(widget, lambda: "paused" in front_end.text("npw-status")[0])
    assert front_end.differences(widget) == []
    widget.close()


def test_a_saddle_is_inspected_and_left(monkeypatch):
    front_end = FrontEnd(monkeypatch, "threads")
    widget = pursuit(front_end)
    front_end.ask_until(widget, lambda: front_end.pulled)
    front_end.click(widget, "Inspect this saddle")
    front_end.ask_until(widget, lambda: any("Saddle dynamics" in each for each in front_end.text("npw-title")))
    until(lambda: widget.inspected is not None)
    inner = widget.inspected
    front_end.ask_until(widget, lambda: front_end.differences(widget) == [])
    front_end.click(inner, "Step")
    front_end.ask_until(inner, lambda: front_end.pulled and inner.session.frame.phase != "ready")
    front_end.ask_until(inner, lambda: front_end.differences(inner) == [])
    front_end.click(widget, "Back to the pursuit")
    front_end.ask_until(widget, lambda: front_end.differences(widget) == [])
    widget.close()


def test_what_another_thread_shows_while_a_picture_is_published_is_delivered(monkeypatch):
    front_end = FrontEnd(monkeypatch, "threads")
    widget = pursuit(front_end)
    front_end.ask_until(widget, lambda: front_end.pulled)
    publish = widget._publisher._publish_now

    def publish_meanwhile() -> None:
        publish()
        monkeypatch.setattr(widget._publisher, "_publish_now", publish)
        hand = threading.Thread(target=lambda: widget.inspect_saddle(starts=3))
        hand.start()
        hand.join(PATIENCE)

    monkeypatch.setattr(widget._publisher, "_publish_now", publish_meanwhile)
    widget.session.step()
    front_end.ask(widget)
    assert widget.inspected is not None
    front_end.ask_until(widget, lambda: front_end.differences(widget) == [])
    widget.close()


def test_what_was_read_in_a_cell_is_shown(monkeypatch):
    front_end = FrontEnd(monkeypatch, "threads")
    widget = pursuit(front_end)
    front_end.ask_until(widget, lambda: front_end.pulled)

    def cell() -> None:
        widget.session.step(3)
        assert widget.message == widget.session.frame.message

    front_end.execute(cell)
    assert front_end.differences(widget) == []
    widget.close()


def test_a_front_end_that_hears_everything_is_sent_nothing_twice(monkeypatch):
    front_end = FrontEnd(monkeypatch, "")
    widget = pursuit(front_end)
    widget.session.step(3)
    widget.catch_up()
    opened = front_end.received["comm_open"]
    for _ in range(5):
        before = widget.children[-1].tick
        front_end.ask(widget)
        while widget.children[-1].tick == before:  # does it hear?
            time.sleep(0.01)
    assert not front_end.pulled
    assert front_end.received["comm_open"] == opened
    assert front_end.differences(widget) == []
    widget.session.resume()
    widget.session.wait(PATIENCE)
    widget.catch_up()
    until(lambda: front_end.differences(widget) == [])
    widget.close()
