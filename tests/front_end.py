"""A front end of widgets, which delivers what the kernel sends always, or only while a message of its is handled."""

from __future__ import annotations

import copy
import threading
import time
from collections import Counter
from typing import Any

import comm
import ipywidgets
import pytest
from comm.base_comm import BaseComm

from np_widgets.widgets.pacer import Pacer
from np_widgets.widgets.tree import tree
from np_widgets.widgets.view import View
from tests.widget_looks import PATIENCE, parts


class FrontEnd:
    """Keeps the models that it was told of, and refuses what no front end could do.

    ``deaf_to`` is ``""`` (it hears all), ``"threads"`` (what other threads send than the one that handles its message),
    or ``"silence"`` (what is sent while no message of its is handled).
    """

    def __init__(self, monkeypatch: Any, deaf_to: str) -> None:
        self.deaf_to = deaf_to
        self.models: dict[str, dict[str, Any]] = {}
        self.received: Counter[str] = Counter()
        self.lost = 0
        self.pulled = False
        self._handling: int | None = None
        self._asks = 0
        self._pause = 0.02
        front_end = self

        class Comm(BaseComm):
            def publish_msg(
                self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
            ) -> None:
                front_end._hear(self, msg_type, data or {}, buffers or [])

        monkeypatch.setattr(comm, "create_comm", Comm)

    def handle(self, widget: ipywidgets.Widget, data: dict[str, Any]) -> None:
        """Send a message, and let the kernel handle it on this thread."""
        self._handling = threading.get_ident()
        try:
            widget.comm.handle_msg({"content": {"data": data}, "buffers": []})
        finally:
            self._handling = None

    def execute(self, function: Any) -> Any:
        """Execute a cell."""
        self._handling = threading.get_ident()
        try:
            return function()
        finally:
            self._handling = None

    def click(self, widget: ipywidgets.Widget, name: str) -> None:
        """Click a button, as the front end knows it."""
        button = next(
            part for part in parts(widget) if isinstance(part, ipywidgets.Button) and part.description == name
        )
        assert self.models[button.model_id]["description"] == name
        self.handle(button, {"method": "custom", "content": {"event": "click"}})

    def ask(self, widget: ipywidgets.Widget) -> None:
        """What the pacer does in a browser that hears nothing."""
        pacer = next(child for child in widget.children if isinstance(child, Pacer))
        self._asks += 1
        heard = self.models[pacer.model_id]["tick"]
        content = {"ask": self._asks, "asker": "page", "heard": heard}
        self.handle(pacer, {"method": "custom", "content": content})

    def ask_until(self, widget: ipywidgets.Widget, wanted: Any) -> None:
        """Go on asking."""
        end = time.monotonic() + PATIENCE
        while not wanted():
            assert time.monotonic() < end, "it did not happen"
            self.ask(widget)
            time.sleep(self._pause)

    def text(self, css_class: str) -> list[str]:
        """What the readouts of a kind say in the front end."""
        return [m["value"] for m in self.models.values() if css_class in m.get("_dom_classes", ())]

    def differences(self, widget: ipywidgets.Widget) -> list[str]:
        """Where what the front end knows of a widget is not what the kernel holds."""
        found = []
        with pytest.MonkeyPatch.context() as patch:
            # No message is handled here, and no cell: what reading a trait made up to date would be sent in vain.
            patch.setattr(View, "catch_up", lambda _: None)
            states = [(each, each.get_state()) for each in tree(widget)]
        for each, state in states:
            known = self.models.get(each.model_id)
            own = type(each).__name__
            found += (
                [own] if known is None else [f"{own}.{n}" for n, v in state.items() if _plain(known[n]) != _plain(v)]
            )
        return found

    def _hear(self, sender: BaseComm, kind: str, data: dict[str, Any], buffers: list[Any]) -> None:
        silent = {"": False, "threads": threading.get_ident() != self._handling, "silence": self._handling is None}
        if silent[self.deaf_to]:
            self.lost += 1
            return
        self.received[kind if kind != "comm_msg" else data["method"]] += 1
        if kind == "comm_open":
            self.models[sender.comm_id] = copy.deepcopy(_with(data, buffers))
            for name in _named(data["state"]):
                assert name in self.models, "a model refers to one that was never opened"
        elif kind == "comm_msg" and data["method"] == "update":
            self.models[sender.comm_id].update(copy.deepcopy(_with(data, buffers)))
        elif kind == "comm_msg" and data["method"] == "custom" and "pulled" in data["content"]:
            assert data["content"]["number"] == self._asks
            self.pulled = data["content"]["pulled"]
            # As it is told, so that the kernel has time for something else; but here nobody waits for long.
            self._pause = min(data["content"]["after"] / 1000, 0.25)
        elif kind == "comm_close":
            self.models.pop(sender.comm_id, None)


def _with(data: dict[str, Any], buffers: list[Any]) -> dict[str, Any]:
    state = copy.deepcopy(data["state"])
    ipywidgets.widgets.widget._put_buffers(state, data["buffer_paths"], [bytes(each) for each in buffers])
    return state


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return bytes(value) if isinstance(value, memoryview) else value


def _named(value: Any) -> list[str]:
    """The models that a state refers to."""
    if isinstance(value, dict):
        return [name for item in value.values() for name in _named(item)]
    if isinstance(value, (list, tuple)):
        return [name for item in value for name in _named(item)]
    return [value.removeprefix("IPY_MODEL_")] if isinstance(value, str) and value.startswith("IPY_MODEL_") else []
