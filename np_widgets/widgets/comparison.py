"""ComparisonWidget: several sessions side by side, live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from np_widgets import arguments
from np_widgets.pictures import comparison
from np_widgets.pictures.labels import count
from np_widgets.pictures.probe import probe
from np_widgets.sessions.group import Comparison, Group
from np_widgets.widgets.elements import button, dropdown, row, text_widget
from np_widgets.widgets.publisher import Moment
from np_widgets.widgets.render import Choice, Picture
from np_widgets.widgets.sources import checked_names
from np_widgets.widgets.status import StatusLines
from np_widgets.widgets.view import View, checked_size
from np_widgets.widgets.writing import update

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = ("loss", "test_loss", "neurons", "function")
CONTROLS = ("play", "against")
# A log axis: runs may differ a thousandfold in their steps.
_AXES = {
    "steps (log axis)": ("steps", True),
    "steps": ("steps", False),
    "seconds (log axis)": ("seconds", True),
    "seconds": ("seconds", False),
}
_HOW = "One line a run, with its number at the end; the table has what they are."


class ComparisonWidget(View):
    """Up to eight sessions, live: losses, test losses, hidden neurons, learned functions, and a table.

    :func:`compare` makes one. Sessions that it is given stay open when it is closed, and can be steered by widgets of
    their own meanwhile.

    Attributes
    ----------
    session
        The sessions as one: ``session.sessions`` are they, ``session.names`` what they are called.
    status
        ``"running"`` if one of them is; else what all of them are, ``"failed"`` or ``"paused"``.
    message
        One sentence that says which is the best so far.
    """

    _remedy = "Play goes on from its last good state."

    def __init__(
        self, sessions: Sequence[Any], names: Sequence[str] | None, hide: Iterable[str], rate: float, size: float
    ) -> None:
        hidden = checked_names("hide", hide, (*CONTROLS, *PANELS))
        rate, size = arguments.real("rate", rate, above=0, most=60), checked_size(size)
        self.session = Group(sessions, names)
        problem = self.session.engine.problem
        self._name, self._probe = problem.name, probe(problem)
        self._lines = StatusLines(f"Comparison of {count(len(self.session.sessions), 'run')}", problem.name)
        self._play = button("Play all", "play", "Run all that are not over, or pause them", self._play_or_pause)
        self._against = dropdown("Against", list(_AXES), next(iter(_AXES)), "What losses are drawn over", "200px")
        self._against.observe(lambda _: self._refresh(), "value")
        self._table = text_widget("npw-table")
        controls = {"play": self._play, "against": self._against}
        shown = [control for name, control in controls.items() if name not in hidden]
        pictures = self._pictures(bool(problem.test_inputs is not None))
        self._begin(
            rate,
            [row(shown)] if shown else [],
            {name: each for name, each in pictures.items() if name not in hidden},
            within=[self._table],
            size=size,
        )

    def close(self) -> None:
        """Stop drawing, and take everything out of the registry; the sessions that were given stay open."""
        if self._publisher is not None:
            self.session.close()
            self._end(self._play, self._against)

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame, a row for each session."""
        return import_module("pandas").DataFrame([course.row for course in self.session.frame.courses])

    def _pictures(self, tested: bool) -> Mapping[str, Picture]:
        def losses(test: bool) -> Picture:
            return Picture(lambda look, _: comparison.losses(look.courses, *self._axis, test=test), _HOW, wide=True)

        names = [(name, index) for index, name in enumerate(self.session.names)]
        outputs = [(name, output) for output, name in enumerate(self._probe.choices)]
        choices = names if self._probe.kind == "confusion" else outputs
        choice = Choice("Of" if choices is names else "Output", "What to show", lambda _: choices, "220px")
        return {
            "loss": losses(test=False),
            **({"test_loss": losses(test=True)} if tested else {}),
            "neurons": Picture(
                lambda look, _: comparison.neurons(look.courses, *self._axis),
                f"A step up where a neuron was added. {_HOW}",
                wide=True,
            ),
            "function": Picture(
                lambda look, chosen: comparison.functions(look.courses, self._probe, chosen),
                f"What the networks compute beside what they should. {_HOW}",
                wide=True,
                choice=choice,
            ),
        }

    @property
    def _axis(self) -> tuple[str, bool]:
        return _AXES[self._against.value]

    def _show_readouts(self, moment: Moment) -> None:
        self._look: Comparison = moment.frame
        self._lines.show(moment.frame, moment.status, ())
        running = moment.status == "running"
        update(self._play, description="Pause all" if running else "Play all", icon="pause" if running else "play")
        update(self._play, disabled=moment.status in ("finished", "closed"))
        update(self._table, value=_table(comparison.rows(self._look.courses)))

    def _play_or_pause(self) -> None:
        future: Future[Any] = self.session.submit("pause" if self._play.description == "Pause all" else "resume")
        future.add_done_callback(lambda done: self._on_refusal(done.exception()))

    def _figure(self) -> Figure:
        from np_widgets.plots import comparison as drawn  # noqa: PLC0415 (matplotlib is heavy)

        against, log = self._axis
        return drawn(self, against=against, log=log)

    def __repr__(self) -> str:
        return f"<ComparisonWidget of {', '.join(map(repr, self.session.names))}>"


def compare(
    *sessions: Any, names: Sequence[str] | None = None, hide: Iterable[str] = (), rate: float = 10.0, size: float = 1.0
) -> ComparisonWidget:
    """One widget of up to eight sessions that learn from the same data, such as methods, decays or branches.

    Parameters
    ----------
    *sessions
        Sessions, widgets of sessions, or engines; a session that is made here for an engine is closed with the widget.
    names
        What to call them; by default what they are and what differs in their settings.
    hide
        Names of controls (``"play"``, ``"against"``) and pictures (``"loss"``, ``"test_loss"``, ``"neurons"``,
        ``"function"``) to leave out.
    rate
        How many times a second the pictures are drawn at most.
    size
        How many times larger letters, lines and pictures are, up to 3: 1.5 for a lecture hall.

    Raises
    ------
    TypeError, ValueError
        If they cannot be compared, or an argument is of the wrong kind; the message says why.
    """
    return ComparisonWidget(sessions, names, hide, rate, size)


def _table(rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col">{escape(head or "No.")}</th>' for head in comparison.COLUMNS)
    body = "".join(
        f'<tr><td>{escape(line[0])}</td><th scope="row">{escape(line[1])}</th>'
        + "".join(f"<td>{escape(text)}</td>" for text in line[2:])
        + "</tr>"
        for line in rows
    )
    # It may be wider than the page: whoever has no mouse scrolls it with the arrow keys.
    return (
        f'<div role="group" aria-label="Runs" tabindex="0"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
