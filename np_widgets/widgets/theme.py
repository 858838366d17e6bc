"""Colors and styles, readable in light and dark themes.

Colors are CSS variables, so that the browser picks those of its theme.
"""

from __future__ import annotations

import re

from np_widgets.pictures.looks import COLORS

LARGEST = 3.0
"""How many times larger than in a notebook of one's own a widget may be."""

# JupyterLab has colors of its own for these.
_OF_THE_PAGE = {
    "text": "--jp-ui-font-color1",
    "muted": "--jp-ui-font-color2",
    "faint": "--jp-border-color2",
    "surface": "--jp-layout-color1",
}


def css(color: str) -> str:
    """How a stylesheet names one of :data:`~np_widgets.pictures.looks.COLORS`; other colors stay what they are."""
    return f"var(--npw-{color})" if color in COLORS else color


def sized(length: str) -> str:
    """A length within a widget, such as ``"13px"``, that grows with the size of the widget."""
    return f"calc({length} * var(--npw-size, 1))"


def size_class(size: float) -> str:
    """The class of a widget that is so many times larger; in tenths."""
    return f"npw-size-{round(10 * size)}"


def _variables(dark: bool) -> str:
    lines = []
    for name, pair in COLORS.items():
        own = pair[dark]
        lines.append(f"  --npw-{name}: {f'var({_OF_THE_PAGE[name]}, {own})' if name in _OF_THE_PAGE else own};")
    return "\n".join(lines)


_STYLES = """
.npw {
{light}
  --npw-error: #b3261e;
  --npw-size: 1;
  color: var(--npw-text);
  overflow: visible;
}
[data-jp-theme-light="false"] .npw {
{dark}
  --npw-error: #ff8a80;
}
.npw[class*=npw-size-] {
  --jp-widgets-font-size: 13px; --jp-widgets-inline-height: 28px; --jp-widgets-input-padding: 4px;
  --jp-widgets-slider-handle-size: 16px; --jp-widgets-slider-track-thickness: 4px;
}
.npw .npw-body { overflow: visible; }
.npw .npw-body .npw { margin-top: 6px; }
.npw .npw-row { flex-flow: row wrap; align-items: center; gap: 4px 8px; overflow: visible; }
.npw .npw-row > * { margin: 2px 0; }
.npw .npw-row:has(> .npw-time) { column-gap: 16px; }
.npw .npw-group { align-items: center; overflow: visible; flex-flow: row wrap; gap: 4px 8px; }
.npw .npw-group > * { margin: 0; }
.npw .npw-time { flex: 1 1 560px; flex-wrap: nowrap; max-width: 800px; gap: 4px 10px; }
.npw .npw-time > * { flex-shrink: 0; }
.npw .npw-time > .widget-slider { flex: 1 1 100px; min-width: 130px; }
.npw .npw-time > .npw-when { white-space: nowrap; }
.npw .npw-button { width: auto; }
.npw .npw-code { display: flex; flex-flow: row wrap; align-items: baseline; gap: 4px 8px; }
.npw .npw-code summary { font-size: 13px; color: var(--npw-muted); cursor: pointer; }
.npw .npw-code textarea {
  width: min(100%, 90ch); min-width: 60ch; font-family: var(--jp-code-font-family, monospace); font-size: 12px;
  color: var(--npw-text); background: var(--npw-surface); border: 1px solid var(--npw-faint);
}
.npw .npw-branches > .npw { border-top: 1px solid var(--npw-faint); }
.npw .npw-title { font-size: 15px; font-weight: 600; line-height: 1.5; }
.npw .npw-title .npw-of { font-weight: 400; color: var(--npw-muted); }
.npw .npw-status { font-size: 13px; line-height: 1.5; white-space: nowrap; }
.npw .npw-message { font-size: 13px; line-height: 1.5; }
.npw .npw-figures, .npw .npw-when {
  font-size: 13px; line-height: 1.5; color: var(--npw-muted); font-variant-numeric: tabular-nums;
}
.npw .npw-figures:not(:has(b)) { display: none; }
.npw .npw-figures b, .npw .npw-when b { color: var(--npw-text); font-weight: 600; }
.npw .npw-notice:empty { display: none; }
.npw .npw-notice {
  font-size: 13px; line-height: 1.5; padding: 2px 8px; border-left: 4px solid var(--npw-error); color: var(--npw-error);
  overflow-wrap: anywhere;
}
.npw .npw-pending { font-size: 12px; color: var(--npw-muted); }
.npw .npw-pending b { color: var(--npw-orange); font-weight: 600; }
.npw .npw-grid { display: flex; flex-flow: row wrap; gap: 8px; overflow: visible; margin-top: 4px; }
.npw .npw-panel {
  flex: 1 1 max(30%, 290px); border: 1px solid var(--npw-faint); border-radius: 4px; padding: 4px 8px; min-width: 0;
  overflow: hidden; position: relative;
}
.npw .npw-panel.npw-wide { flex-basis: max(30%, 440px); }
/* Six have two columns where there is room for two wide ones: with three and two, the last one would be alone. */
.npw .npw-grid:has(> :nth-child(6):last-child) > .npw-panel:not(.npw-wide) {
  flex-basis: max(30%, 290px, min(440px, (100% - 888px) * 99));
}
.npw .npw-grid:has(> :nth-child(4):last-child) > .npw-panel { flex-basis: max(45%, 290px); }
.npw .npw-grid:has(> :nth-child(4):last-child) > .npw-panel.npw-wide { flex-basis: max(45%, 360px); }
.npw .npw-panel-head { align-items: baseline; justify-content: space-between; flex-flow: row wrap; overflow: visible; }
.npw .npw-panel-head { gap: 0 8px; min-height: 24px; --jp-widgets-inline-height: 22px; }
.npw .npw-panel-head > *, .npw .npw-panel-head .widget-dropdown { margin: 0; }
.npw .widget-html, .npw .widget-html-content { line-height: 1.4; height: auto; min-height: 0; }
.npw .npw-panel > * { margin: 0; }
.npw .npw-panel-title { font-size: 13px; font-weight: 600; line-height: 1.6; }
.npw .npw-legend { font-size: 11px; line-height: 1.4; color: var(--npw-muted); min-height: 1.4em; }
.npw .npw-legend span { white-space: nowrap; margin-right: 8px; }
.npw .npw-legend svg { vertical-align: middle; margin-right: 3px; overflow: visible; zoom: var(--npw-size); }
.npw .npw-scale { display: inline-block; width: 60px; height: 8px; vertical-align: middle; }
.npw .npw-note {
  font-size: 11px; line-height: 1.4; color: var(--npw-muted); min-height: 1.4em; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums;
}
.npw .npw-panel > .npw-note:has(.npw-empty) { position: absolute; inset: 45% 8px auto; text-align: center; }
.npw .npw-empty { font-size: 12px; }
.npw .npw-figure.bqplot {
  --bq-axis-tick-text-fill: var(--npw-muted);
  --bq-axis-tick-text-font: 11px sans-serif;
  --bq-axislabel-fill: var(--npw-muted);
  --bq-axislabel-font: 11px sans-serif;
  --bq-axis-path-stroke: var(--npw-muted);
  --bq-axis-tick-stroke: var(--npw-muted);
  --bq-mainheading-fill: var(--npw-text);
  --bq-content-font-color: var(--npw-text);
  --bq-content-scatter-font-color: var(--npw-text);
  min-width: 0;
}
.npw .npw-figure.bqplot > svg text { fill: var(--npw-muted); }
.npw .npw-figure .dot { pointer-events: all; }
.npw .npw-figure svg text { pointer-events: none; }
.npw .npw-table div { overflow-x: auto; }
.npw .npw-table table { border-collapse: collapse; font-size: 12px; line-height: 1.4; margin-top: 6px; }
.npw .npw-table th, .npw .npw-table td {
  text-align: left; padding: 3px 10px 3px 0; border-bottom: 1px solid var(--npw-faint); vertical-align: top;
  font-variant-numeric: tabular-nums; color: var(--npw-text);
}
.npw .npw-table thead th { color: var(--npw-muted); font-weight: 600; vertical-align: bottom; }
.npw .npw-table td:last-child { min-width: 120px; }
.npw .npw-table tbody th { min-width: 90px; }
.npw .npw-help {
  display: inline-block; width: 15px; height: 15px; line-height: 15px; border-radius: 50%; text-align: center;
  font-size: 11px; font-weight: 400; color: var(--npw-muted); border: 1px solid var(--npw-faint); cursor: help;
}
.bqplot_tooltip_div { pointer-events: none; }
.bqplot_mark_tooltip .tooltiptext {
  color: var(--jp-ui-font-color1, #212121) !important; font-size: 11px; max-width: 360px; white-space: normal;
}
.npw button[aria-disabled="true"] { opacity: 0.6; cursor: default; }
.npw button:focus-visible, .npw select:focus-visible, .npw input:focus-visible {
  outline: 2px solid var(--npw-blue); outline-offset: 1px;
}
"""

_SIZES = "".join(
    f".{size_class(tenths / 10)} {{ --npw-size: {tenths / 10}; }}\n" for tenths in range(11, round(10 * LARGEST) + 1)
)
_SIZED = re.sub(r"\b\d+px", lambda found: sized(found[0]), _STYLES)

STYLESHEET = _SIZED.replace("{light}", _variables(dark=False)).replace("{dark}", _variables(dark=True)) + _SIZES
