"""What is happening, in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets

from np_widgets.pictures.labels import typeset
from np_widgets.widgets.elements import row, text_widget
from np_widgets.widgets.theme import sized
from np_widgets.widgets.writing import update

_COLORS = {
    "running": "var(--npw-green)",
    "paused": "var(--npw-muted)",
    "finished": "var(--npw-blue)",
    "failed": "var(--npw-error)",
    "closed": "var(--npw-muted)",
}


# An end can be good, a mere limit, or one without a way on: each has a color, a shape and words of its own.
_ENDS = {
    "target": ("var(--npw-green)", "✔", "finished: target reached"),
    "limit": ("var(--npw-blue)", "■", "finished: at a limit"),
    "stuck": ("var(--npw-orange)", "▲", "finished: stuck"),
}


def said_of(frame: Any) -> str:
    """What a frame says is happening; of an engine of one's own perhaps nothing, or why it has ended."""
    return str(getattr(frame, "message", None) or getattr(frame, "finished", None) or "")


class StatusLines:
    """A heading with the status, a sentence with the progress of long phases, the main numbers, and what went wrong."""

    def __init__(self, subject: str, name: str) -> None:
        self._title, self.text = f"{subject} · {name}", ""
        words = f'{escape(subject)} <span class="npw-of">· {escape(name)}</span>'
        title = text_widget("npw-title", f'<span role="heading" aria-level="2">{words}</span>')
        self._status = text_widget("npw-status")
        self._progress = ipywidgets.FloatProgress(
            min=0.0, max=1.0, layout={"width": sized("140px"), "height": sized("12px")}
        )
        standing = ipywidgets.HBox([self._progress, self._status])
        standing.add_class("npw-group")
        self.heading = ipywidgets.HBox([title, standing], layout={"justify_content": "space-between"})
        self.heading.add_class("npw-row")
        self._figures = text_widget("npw-figures")
        self._message = text_widget("npw-message")
        self.sentence = row([self._figures, self._message])
        self.notice = text_widget("npw-alert")

    def show(self, frame: Any, status: str, figures: Sequence[tuple[str, str]], said: str | None = None) -> None:
        """Show how far the newest frame is, and ``(name, value)`` and the sentence of the one that is looked at."""
        color, sign, words = _look(frame, status)
        dot = f'<span style="color:{color}" aria-hidden="true">{sign}</span>'
        update(self._status, value=f'<span role="status">{dot} {words}</span>')
        message = typeset(said_of(frame) if said is None else said)
        self.text = f"{' · '.join([self._title, *(f'{name} {value}' for name, value in figures)])}\n{message}"
        update(self._message, value=escape(message))
        update(self._figures, value=" · ".join(f"{escape(name)} <b>{escape(value)}</b>" for name, value in figures))
        progress = getattr(frame, "progress", None)
        visible = status == "running" or (status == "paused" and bool(progress))
        update(self._progress.layout, display=None if visible and progress is not None else "none")
        if progress is not None:
            update(self._progress, value=round(min(max(progress, 0.0), 1.0), 2))

    def tell(self, notice: str) -> None:
        """Show what went wrong, or was refused; an empty text if nothing was."""
        update(self.notice, value=f'<div class="npw-notice" role="alert">{escape(typeset(notice))}</div>')


def _look(frame: Any, status: str) -> tuple[str, str, str]:
    """The color, sign and words of a status; engines whose ends have an ``outcome`` show which it was."""
    outcome = getattr(getattr(frame, "finished", None), "outcome", None)
    if status == "finished" and outcome in _ENDS:
        return _ENDS[outcome]
    return _COLORS[status], "●", status
