"""What was done, as code to copy."""

from __future__ import annotations

import anywidget
import traitlets


class CopyAsCode(anywidget.AnyWidget):
    """A button that copies ``code``, which is there before anybody asks for it, and the text to read or to select.

    A browser lets a page write to the clipboard only while it handles a click: there is no time to ask a kernel.
    """

    code = traitlets.Unicode("").tag(sync=True)

    _esm = """
    const copied = async (text, area) => {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {  // not over plain http
        area.select();
        return document.execCommand("copy");
      }
    };
    export default {
      render({ model, el }) {
        const button = document.createElement("button");
        button.className = "jupyter-widgets jupyter-button widget-button npw-button";
        button.textContent = "Copy as code";
        button.title = "Copy the lines of Python that come to where this session is";
        const said = document.createElement("span");
        said.className = "npw-when";
        said.setAttribute("role", "status");
        const details = document.createElement("details");
        const summary = document.createElement("summary");
        summary.textContent = "Code";
        const area = document.createElement("textarea");
        area.readOnly = true;
        area.setAttribute("aria-label", "Code");
        details.append(summary, area);
        const show = () => {
          area.value = model.get("code");
          area.rows = Math.min(area.value.split("\\n").length, 20);
          said.textContent = "";
        };
        button.addEventListener("click", async () => {
          const open = details.open;
          details.open = true;
          const done = await copied(area.value, area);
          details.open = open || !done;
          said.textContent = done ? "Copied" : "Select the text and copy it";
        });
        model.on("change:code", show);
        show();
        el.classList.add("npw-code");
        el.append(button, said, details);
        return () => model.off("change:code", show);
      }
    };
    """
