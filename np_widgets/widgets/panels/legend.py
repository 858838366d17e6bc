"""Legends as HTML with small drawings of lines and markers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_DASHES = {"solid": "", "dashed": "5 3", "dotted": "1.5 3", "dash_dotted": "5 3 1.5 3"}
_MARKERS = {
    "circle": '<circle cx="{x}" cy="5" r="3"/>',
    "square": '<rect x="{left}" y="2.2" width="5.6" height="5.6"/>',
    "frame": '<rect x="{left}" y="2.2" width="5.6" height="5.6" style="fill:none;stroke-width:1.6;stroke:inherit"/>',
    "triangle-up": '<path d="M{x} 1.6 l3.4 6 h-6.8 z"/>',
    "triangle-down": '<path d="M{x} 8.4 l3.4 -6 h-6.8 z"/>',
    "diamond": '<path d="M{x} 1 l4 4 l-4 4 l-4 -4 z"/>',
    "cross": '<path d="M{x} 1.5 v7 m-3.5 -3.5 h7" style="fill:none;stroke-width:2;stroke:inherit"/>',
}


def line(
    label: str, color: str, *, dash: str = "solid", width: float = 2, marker: str | None = None, opacity: float = 1
) -> str:
    """A line, perhaps with a marker on it, and what it means."""
    drawing = (
        f'<line x1="0" y1="5" x2="22" y2="5" style="stroke:{color}" stroke-width="{width}" '
        f'stroke-dasharray="{_DASHES[dash]}" opacity="{opacity}"/>'
    )
    if marker:
        drawing += _marker(marker, color, 11)
    return _entry(drawing, 22, label)


def marker(label: str, color: str, shape: str) -> str:
    """A marker and what it means."""
    return _entry(_marker(shape, color, 5), 10, label)


def scale(colors: Sequence[str], low: str, high: str, label: str) -> str:
    """A bar with the colors of a scale between its ends."""
    stops = ", ".join(colors)
    bar = f'<i class="npw-scale" style="background:linear-gradient(to right, {stops})"></i>'
    return f"<span>{escape(label)}: {escape(low)} {bar} {escape(high)}</span>"


def _marker(shape: str, color: str, x: float) -> str:
    return f'<g style="fill:{color};stroke:{color}">{_MARKERS[shape].format(x=x, left=x - 2.8)}</g>'


def _entry(drawing: str, width: int, label: str) -> str:
    return f'<span><svg width="{width}" height="10" aria-hidden="true">{drawing}</svg>{escape(label)}</span>'
