"""What tells the kernel that the browser has drawn what it was sent, and that there is a view at all."""

from __future__ import annotations

from collections.abc import Callable

import anywidget
import traitlets

from np_widgets.widgets.theme import STYLESHEET


class Pacer(anywidget.AnyWidget):
    """An invisible widget that answers each ``tick`` once the browser has painted, and brings the stylesheet.

    Messages arrive in order, so everything sent before the tick has been handled when the tick is. The next animation
    frame draws it, and what is put off in that frame happens when it is over. A hidden tab has no animation frames and
    does not answer so. But every view says at once that it is there, with ``alive``, from a hidden tab, too; it is the
    view that does, because the model stays in the browser when the last view has gone. It gives figures their
    descriptions, too.
    """

    tick = traitlets.Int(0).tag(sync=True)
    drawn = traitlets.Int(0).tag(sync=True)
    alive = traitlets.Int(-1).tag(sync=True)

    _css = STYLESHEET
    _esm = """
    // A figure is an image that its sentence describes; bqplot knows nothing of that.
    const describe = () => {
      for (const says of document.querySelectorAll(".npw-panel .npw-says")) {
        const figure = says.closest(".npw-panel").querySelector(".npw-figure");
        if (figure && figure.getAttribute("aria-label") !== says.textContent) {
          figure.setAttribute("role", "img");
          figure.setAttribute("aria-label", says.textContent);
        }
      }
    };
    export default {
      initialize({ model }) {
        const answer = () => {
          const tick = model.get("tick");
          requestAnimationFrame(() => setTimeout(() => {
            describe();
            model.set("drawn", tick);
            model.save_changes();
          }));
        };
        model.on("change:tick", answer);
        return () => model.off("change:tick", answer);
      },
      render({ model }) {
        const answer = () => {
          const tick = model.get("tick");
          if (model.get("alive") !== tick) {  // else another view has said so
            model.set("alive", tick);
            model.save_changes();
          }
        };
        answer();
        const described = setInterval(describe, 500);
        model.on("change:tick", answer);
        return () => { clearInterval(described); model.off("change:tick", answer); };
      }
    };
    """

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})

    def send_tick(self) -> int:
        """Ask the browser to answer; returns the number that it will put into ``drawn``."""
        self.tick += 1
        return int(self.tick)

    def on_drawn(self, callback: Callable[[int], None]) -> None:
        """Call ``callback(drawn)`` for each answer, on whichever thread receives the kernel's messages."""
        self.observe(lambda change: callback(change["new"]), "drawn")

    def on_alive(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever a view says that it is there, on whichever thread receives the messages."""
        self.observe(lambda _: callback(), "alive")
