"""Legends as HTML with small drawings of what marks look like."""

from __future__ import annotations

from html import escape

from np_widgets.pictures.looks import Look
from np_widgets.pictures.scene import Scene, Shades
from np_widgets.widgets.theme import css

_DASHES = {"solid": "", "dashed": "5 3", "dotted": "1.5 3", "dash_dotted": "5 3 1.5 3"}
_MARKERS = {
    "circle": '<circle cx="{x}" cy="5" r="3.2"/>',
    "square": '<rect x="{left}" y="2.2" width="5.6" height="5.6"/>',
    "triangle-up": '<path d="M{x} 1.6 l3.4 6 h-6.8 z"/>',
    "triangle-down": '<path d="M{x} 8.4 l3.4 -6 h-6.8 z"/>',
    "diamond": '<path d="M{x} 1 l4 4 l-4 4 l-4 -4 z"/>',
    "cross": '<path d="M{x} 1.5 v7 m-3.5 -3.5 h7" style="fill:none;stroke-width:2;stroke:inherit"/>',
}


def html(scene: Scene) -> str:
    """What the marks of a scene that have a name look like, and its scale of colors."""
    lined = {mark.label for mark in scene.marks if type(mark).__name__ in ("Curve", "Edges")}
    entries = [_entry(label, look, label in lined) for label, look in scene.legend]
    if scene.shades is not None:
        entries.append(_scale(scene.shades))
    return " ".join(entries)  # a line may break between them


def _entry(label: str, look: Look, line: bool) -> str:
    color, width = css(look.color), 22 if line or look.area else 10
    drawing = ""
    if look.area:
        drawing = f'<rect width="{width}" height="10" style="fill:{color}" opacity="{look.opacity}"/>'
    elif line:
        drawing = (
            f'<line x1="0" y1="5" x2="22" y2="5" style="stroke:{color}" stroke-width="{look.width}" '
            f'stroke-dasharray="{_DASHES[look.dash]}" opacity="{look.opacity}"/>'
        )
    if look.marker:
        fill = color if look.filled else "none"
        stroke = css(look.rim) if look.rim and look.rim != "surface" else color
        shape = _MARKERS[look.marker].format(x=width // 2, left=width // 2 - 2.8)
        drawing += f'<g style="fill:{fill};stroke:{stroke}" stroke-width="1.2">{shape}</g>'
    return f'<span><svg width="{width}" height="10" aria-hidden="true">{drawing}</svg>{escape(label)}</span>'


def _scale(shades: Shades) -> str:
    stops = ", ".join(shades.colors)
    bar = f'<i class="npw-scale" style="background:linear-gradient(to right, {stops})"></i>'
    low, high = (escape(end) for end in shades.ends)
    return f"<span>{escape(shades.label)}: {low} {bar} {high}</span>"
