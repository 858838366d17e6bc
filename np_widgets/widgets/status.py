"""What is happening, in words."""

from __future__ import annotations

from html import escape

import ipywidgets

from np_widgets.learning.growth import PursuitFrame
from np_widgets.pictures.labels import number
from np_widgets.widgets.panels.panel import text_widget
from np_widgets.widgets.writing import update

_COLORS = {
    "running": "var(--npw-green)",
    "paused": "var(--npw-muted)",
    "finished": "var(--npw-blue)",
    "failed": "var(--npw-error)",
    "closed": "var(--npw-muted)",
}


class StatusLines:
    """A heading with the status, a sentence with the progress of long phases, the main numbers, and what went wrong.

    Attributes
    ----------
    heading, sentence, notice
        The lines, as widgets.
    """

    def __init__(self, name: str) -> None:
        title = text_widget("npw-title", f'Neuron Pursuit <span class="npw-of">· {escape(name)}</span>')
        self._status = text_widget("npw-status")
        self._progress = ipywidgets.FloatProgress(min=0.0, max=1.0, layout={"width": "140px", "height": "12px"})
        standing = ipywidgets.HBox([self._progress, self._status])
        standing.add_class("npw-group")
        self.heading = ipywidgets.HBox([title, standing], layout={"justify_content": "space-between"})
        self.heading.add_class("npw-row")
        self._figures = text_widget("npw-figures")
        self._message = text_widget("npw-message")
        self.sentence = ipywidgets.HBox([self._figures, self._message])
        self.sentence.add_class("npw-row")
        self.notice = text_widget("npw-alert")

    def show(self, frame: PursuitFrame, status: str) -> None:
        """Show a frame; on the publisher's thread."""
        dot = f'<span style="color:{_COLORS[status]}" aria-hidden="true">●</span>'
        update(self._status, value=f'<span role="status">{dot} {status}</span>')
        update(self._message, value=escape(frame.message))
        update(self._figures, value=_figures(frame))
        visible = status == "running" or (status == "paused" and bool(frame.progress))
        visible = visible and frame.progress is not None
        update(self._progress.layout, visibility="visible" if visible else "hidden")
        if frame.progress is not None:
            update(self._progress, value=round(min(max(frame.progress, 0.0), 1.0), 2))

    def tell(self, notice: str) -> None:
        """Show what went wrong, or was refused; an empty text if nothing was."""
        update(self.notice, value=f'<div class="npw-notice" role="alert">{escape(notice)}</div>')


def _figures(frame: PursuitFrame) -> str:
    parts = [f"iteration <b>{frame.iteration}</b>"]
    if frame.weights:
        parts.append(f"widths <b>({', '.join(str(width) for width in frame.widths)})</b>")
    if frame.loss is not None:
        parts.append(f"loss <b>{number(frame.loss)}</b>")
    if frame.test_loss is not None:
        parts.append(f"test loss <b>{number(frame.test_loss)}</b>")
    return " · ".join(parts)
