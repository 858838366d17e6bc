"""What is shown live, of one session or of several: a heading, a sentence, notices and pictures."""

from __future__ import annotations

import base64
import io
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets

from np_widgets import arguments
from np_widgets.pictures.scene import Dots, Key
from np_widgets.widgets.audience import Audience
from np_widgets.widgets.delivery import Delivery
from np_widgets.widgets.live import LiveUnicode
from np_widgets.widgets.pacer import Pacer
from np_widgets.widgets.publisher import Moment, Publisher
from np_widgets.widgets.render import Panel, Picture
from np_widgets.widgets.status import StatusLines, said_of
from np_widgets.widgets.theme import LARGEST, size_class
from np_widgets.widgets.tree import close_tree, tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class View(ipywidgets.VBox):
    """Pictures of :attr:`session`, which may stand for several; a subclass calls :meth:`_begin` at the end."""

    _remedy: ClassVar[str]

    status = LiveUnicode("paused", read_only=True)
    message = LiveUnicode("", read_only=True)

    session: Any
    _lines: StatusLines
    _look: Any
    _publisher: Publisher | None = None
    _audience: Audience | None = None
    _refusal: BaseException | None = None

    def _begin(
        self,
        rate: float,
        rows: Sequence[ipywidgets.Widget],
        pictures: Mapping[str, Picture],
        *,
        within: Sequence[ipywidgets.Widget] = (),
        below: Sequence[ipywidgets.Widget] = (),
        rests: bool = False,
        size: float = 1.0,
    ) -> None:
        """Show rows of controls, the pictures, and more within or below the body; the session may rest unseen."""
        self._panels = {
            name: Panel(each, self._refresh, self._clicked, self._dragged, size) for name, each in pictures.items()
        }
        grid = ipywidgets.Box([panel.box for panel in self._panels.values()])
        grid.add_class("npw-grid")
        pacer = Pacer()
        self._content = [*rows, self._lines.sentence, self._lines.notice, grid, *within]
        self._body = ipywidgets.VBox(self._content)
        self._body.add_class("npw-body")
        super().__init__([self._lines.heading, self._body, *below, pacer])
        self.add_class("npw")
        if size != 1:
            self.add_class(size_class(size))
        parts: list[Callable[[Moment], None]] = [self._show_readouts]
        parts += [*(partial(self._show_panel, panel) for panel in self._panels.values()), self._show_traits]
        pacer.on_alive(self.session.attend)
        self._audience = Audience(self.session, pacer) if rests else None
        look = (lambda: None) if self._audience is None else self._audience.look
        delivery = Delivery(pacer, lambda: tree(self, *self._content))
        self._publisher = Publisher(self.session, parts, self._report, pacer, rate, look, delivery)
        self._publisher.start()

    def _end(self, *more: ipywidgets.Widget) -> None:
        """Stop drawing, and take everything out of the registry."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.stop()
            close_tree(self, *self._content, *more)

    def catch_up(self) -> None:
        """Wait until the traits and pictures show the session's present; reading one of the traits does that, too."""
        if self._publisher is not None:
            self._publisher.catch_up()

    def figure(self, picture: str | None = None, *, width: float | str | None = None) -> Figure:
        """What is shown now as a matplotlib figure; ``figure.savefig("name.pdf")`` writes it, as PNG or SVG, too.

        Parameters
        ----------
        picture
            The name of one picture, as ``hide`` takes it; None for all of them, with the lines above them.
        width
            In inches, or ``"column"`` (3.4) or ``"page"`` (7.0) of a paper, with small letters. By default a single
            picture has 5 inches, and all of them 12.

        Raises
        ------
        TypeError, ValueError
            If there is no such picture, or the width is none.
        """
        from np_widgets.plots.page import arranged  # noqa: PLC0415 (matplotlib is heavy)

        self.catch_up()
        if picture is not None:
            name = arguments.choice("picture", picture, self._panels)
            return arranged("", [self._panels[name].scene], 5.0 if width is None else width)
        scenes = [panel.scene for panel in self._panels.values()]
        return arranged(self._lines.text, scenes, 12.0 if width is None else width)

    @abstractmethod
    def _figure(self) -> Figure:
        """A picture for where there is no kernel."""

    @abstractmethod
    def _show_readouts(self, moment: Moment) -> None:
        """Set ``_look``, which the pictures show, and all that is no picture."""

    def _traits_of(self, frame: Any) -> Mapping[str, Any]:
        """The values of the traits beside ``status`` and ``message``."""
        return {}

    def _clicked(self, key: Key) -> None:
        """What a mark that was clicked stands for."""

    def _dragged(self, key: Key, mark: Dots, x: float, y: float) -> None:
        """A dot that can be moved was left there."""

    def _show_panel(self, panel: Panel, moment: Moment) -> None:
        panel.show(self._look, getattr(self._look, "selected", None))

    def _show_traits(self, moment: Moment) -> None:
        values = {**self._traits_of(moment.frame), "message": said_of(moment.frame), "status": moment.status}
        with self.hold_sync():  # one message
            for name, value in values.items():
                self.set_trait(name, value)

    def _report(self, moment: Moment, errors: Sequence[Exception]) -> None:
        refusal = self._refusal
        if moment.status == "failed" and moment.error is not None:
            text = f"The session failed: {_named(moment.error)}. {self._remedy}"
        elif refusal is not None:
            text = f"Not done: {refusal}"
        elif moment.resting is not None:
            text = moment.resting
        elif errors:
            text = f"Not everything could be shown: {_named(errors[0])}"
        else:
            text = ""
        self._lines.tell(text)

    def _on_refusal(self, error: BaseException | None) -> None:
        self._refusal = error
        self._refresh()

    def _refresh(self) -> None:
        if self._publisher is not None:
            self._publisher.refresh()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """What a notebook keeps: the live widget, and a picture, with words for it, for where there is no kernel."""
        about: dict[str, Any] = {}
        bundle: dict[str, Any] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            if self._audience is not None:
                self._audience.shown = True
            bundle["text/plain"] = repr(self)
            buffer = io.BytesIO()
            try:
                figure = self._figure()
                figure.savefig(buffer, format="png", dpi=72)
            except Exception as error:  # noqa: BLE001 (it costs this picture, and not the live view)
                bundle["text/plain"] += f" without a picture, which failed: {_named(error)}"
            else:
                png, words = base64.b64encode(buffer.getvalue()).decode(), getattr(figure, "description", "")
                bundle["image/png"], about["image/png"] = png, {"alt": words}
                # Pages of nbconvert leave out what is said about an image, but for what is in an element of its own.
                bundle["text/html"] = f'<img alt="{escape(words)}" src="data:image/png;base64,{png}"/>'
        return bundle, about


def checked_size(size: Any) -> float:
    """How many times larger than in a notebook of one's own a widget is, in tenths."""
    return round(arguments.real("size", size, least=1, most=LARGEST), 1)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
