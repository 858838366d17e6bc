"""Colors and styles, readable in light and dark themes.

Colors are CSS variables, so that the browser picks those of its theme. They come from the palette of Okabe and Ito,
which color-blind people can tell apart; wherever a color means something, a dash, a marker or a label says it too.
"""

from __future__ import annotations

TEXT = "var(--npw-text)"
MUTED = "var(--npw-muted)"
FAINT = "var(--npw-faint)"
SURFACE = "var(--npw-surface)"
POSITIVE = "var(--npw-blue)"
NEGATIVE = "var(--npw-orange)"
LEARNED = "var(--npw-blue)"
TRUTH = "var(--npw-orange)"
ACCENT = "var(--npw-pink)"
SERIES = (
    "var(--npw-blue)",
    "var(--npw-orange)",
    "var(--npw-green)",
    "var(--npw-pink)",
    "var(--npw-sky)",
    "var(--npw-brown)",
    "var(--npw-text)",
    "var(--npw-muted)",
)
DASHES = ("solid", "dashed", "dotted", "dash_dotted")
MARKERS = ("circle", "square", "triangle-up", "diamond")

# Images are drawn on a canvas, where CSS variables mean nothing; these look the same in every theme.
DIVERGING = ["#0072b2", "#7fb8d9", "#f2f2f2", "#f0b27f", "#d55e00"]
SEQUENTIAL = ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"]
CLASSES = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#d55e00", "#999999", "#9a6324", "#b2df8a"]

STYLESHEET = """
.npw {
  --npw-text: var(--jp-ui-font-color1, #212121);
  --npw-muted: var(--jp-ui-font-color2, #616161);
  --npw-faint: var(--jp-border-color2, #e0e0e0);
  --npw-surface: var(--jp-layout-color1, #fff);
  --npw-blue: #0072b2;
  --npw-orange: #d55e00;
  --npw-green: #008a64;
  --npw-pink: #b5508a;
  --npw-sky: #2a93d5;
  --npw-brown: #9a6a00;
  --npw-error: #b3261e;
  color: var(--npw-text);
  overflow: visible;
}
[data-jp-theme-light="false"] .npw {
  --npw-text: var(--jp-ui-font-color1, #fff);
  --npw-muted: var(--jp-ui-font-color2, #bdbdbd);
  --npw-surface: var(--jp-layout-color1, #111);
  --npw-blue: #56b4e9;
  --npw-orange: #f5963d;
  --npw-green: #2bd0a0;
  --npw-pink: #e9a3cb;
  --npw-sky: #a6d8f5;
  --npw-brown: #f0e442;
  --npw-error: #ff8a80;
}
.npw .npw-body { overflow: visible; }
.npw .npw-body .npw { margin-top: 6px; }
.npw .npw-row { flex-flow: row wrap; align-items: center; gap: 4px 8px; overflow: visible; }
.npw .npw-row > * { margin: 2px 0; }
.npw .npw-group { align-items: center; overflow: visible; gap: 4px; }
.npw .npw-group > * { margin: 0; }
.npw .npw-time { gap: 14px; }
.npw .npw-title { font-size: 15px; font-weight: 600; line-height: 1.5; }
.npw .npw-title .npw-of { font-weight: 400; color: var(--npw-muted); }
.npw .npw-status { font-size: 13px; line-height: 1.5; white-space: nowrap; }
.npw .npw-message { font-size: 13px; line-height: 1.5; }
.npw .npw-figures { font-size: 13px; line-height: 1.5; color: var(--npw-muted); font-variant-numeric: tabular-nums; }
.npw .npw-figures b { color: var(--npw-text); font-weight: 600; }
.npw .npw-notice:empty { display: none; }
.npw .npw-notice {
  font-size: 13px; line-height: 1.5; padding: 2px 8px; border-left: 4px solid var(--npw-error); color: var(--npw-error);
  overflow-wrap: anywhere;
}
.npw .npw-pending { font-size: 12px; color: var(--npw-muted); }
.npw .npw-pending b { color: var(--npw-orange); font-weight: 600; }
.npw .npw-grid { display: flex; flex-flow: row wrap; gap: 8px; overflow: visible; margin-top: 4px; }
.npw .npw-panel {
  flex: 1 1 max(30%, 270px); border: 1px solid var(--npw-faint); border-radius: 4px; padding: 4px 8px; min-width: 0;
  overflow: hidden;
}
.npw .npw-panel.npw-wide { flex-basis: max(45%, 270px); }
.npw .npw-panel-head { align-items: baseline; justify-content: space-between; flex-flow: row wrap; overflow: visible; }
.npw .npw-panel-head { gap: 0 8px; min-height: 24px; --jp-widgets-inline-height: 22px; }
.npw .npw-panel-head > *, .npw .npw-panel-head .widget-dropdown { margin: 0; }
.npw .widget-html, .npw .widget-html-content { line-height: 1.4; height: auto; min-height: 0; }
.npw .npw-panel > * { margin: 0; }
.npw .npw-panel-title { font-size: 13px; font-weight: 600; line-height: 1.6; }
.npw .npw-legend { font-size: 11px; line-height: 1.4; color: var(--npw-muted); min-height: 1.4em; }
.npw .npw-legend span { white-space: nowrap; margin-right: 8px; }
.npw .npw-legend svg { vertical-align: middle; margin-right: 3px; overflow: visible; }
.npw .npw-scale { display: inline-block; width: 60px; height: 8px; vertical-align: middle; }
.npw .npw-note {
  font-size: 11px; line-height: 1.4; color: var(--npw-muted); min-height: 1.4em; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums;
}
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
.npw .npw-figure.bqplot > svg .npw-strong text { fill: var(--npw-text); }
.npw button:focus-visible, .npw select:focus-visible, .npw input:focus-visible {
  outline: 2px solid var(--npw-blue); outline-offset: 1px;
}
"""
