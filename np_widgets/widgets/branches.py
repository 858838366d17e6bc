"""The branches of a widget, each a widget of its own, below it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets

from np_widgets.widgets.elements import button, row, text_widget
from np_widgets.widgets.tree import close_tree


class Branches:
    """Opens and closes them; of the kernel's side."""

    def __init__(self) -> None:
        self.box = ipywidgets.VBox()
        self.box.add_class("npw-branches")
        self._open: dict[Any, ipywidgets.Widget] = {}

    @property
    def widgets(self) -> tuple[Any, ...]:
        """The widgets of the branches, the oldest first."""
        return tuple(self._open)

    def add(self, widget: Any, where: str) -> None:
        """Show a branch, with a button to close it."""
        close = button("Close this branch", "times", "Close its session, too", self._closing(widget))
        bar = row([text_widget("npw-message", f"Branch from: {escape(where)}"), close])
        self._open[widget] = bar
        self._show()

    def remove(self, widget: Any) -> None:
        """Close a branch and its session; no effect if it is closed already."""
        bar = self._open.pop(widget, None)
        if bar is not None:
            self._show()
            widget.close()
            close_tree(bar)

    def close(self) -> None:
        """Close all of them."""
        for widget in self.widgets:
            self.remove(widget)

    def _closing(self, widget: Any) -> Callable[[], None]:
        return lambda: self.remove(widget)

    def _show(self) -> None:
        self.box.children = [part for widget, bar in self._open.items() for part in (bar, widget)]
