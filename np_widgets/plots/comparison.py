"""Several runs on one page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from np_widgets import arguments
from np_widgets.learning.course import Course, names_of
from np_widgets.pictures import comparison as _comparison
from np_widgets.pictures.probe import probe
from np_widgets.plots.page import Size, page
from np_widgets.plots.sources import named
from np_widgets.problems import Problem

_LETTERS = 44  # of why a run ended, in a line
_SHARES = (0.03, 0.22, 0.1, 0.07, 0.08, 0.08, 0.08, 0.07, 0.27)


def comparison(
    *sessions: Any,
    names: Sequence[str] | None = None,
    against: str = "steps",
    log: bool = True,
    choice: int | None = None,
    size: Size = None,
) -> Figure:
    """Up to eight runs: losses, test losses, hidden neurons, learned functions, and a table.

    Parameters
    ----------
    *sessions
        Sessions, or widgets of sessions, that learn from the same data; or what :func:`np_widgets.compare` returns.
    names
        What to call them; by default what they are and what differs in their settings.
    against
        Draw losses over ``"steps"`` or ``"seconds"`` of computing.
    log
        Whether the axis of these is logarithmic.
    choice
        Which output to show where only one can be; of classes of many inputs, which run; from 0.
    size
        Width and height of the figure, in inches.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, or the runs cannot be compared; the message says why.
    """
    arguments.choice("against", against, _comparison.AGAINST)
    courses, problem = _courses_and_problem(sessions, names)
    tests = [] if problem.test_inputs is None else [_comparison.losses(courses, against, log, test=True)]
    scenes = [
        [_comparison.losses(courses, against, log), *tests],
        [_comparison.neurons(courses, against, log), _comparison.functions(courses, probe(problem), choice)],
    ]
    rows = [(*row[:-1], textwrap.fill(row[-1], _LETTERS)) for row in _comparison.rows(courses)]
    inches = 0.15 * (1.6 + sum(row[-1].count("\n") + 1.6 for row in rows))
    shares = ([1.0] * len(scenes[0]), [1.0, 1.0])
    table = (_comparison.COLUMNS, rows, _SHARES)
    return page(problem.name, scenes, shares, (3.2, 3.2, inches), size or (11.0, 6.9 + inches), table)


def _courses_and_problem(sessions: Sequence[Any], names: Sequence[str] | None) -> tuple[tuple[Course, ...], Problem]:
    found = [getattr(each, "session", each) for each in sessions]
    if len(found) == 1 and hasattr(getattr(found[0], "frame", None), "courses"):
        return found[0].frame.courses, found[0].engine.problem
    for index, each in enumerate(found):
        if not hasattr(each, "course"):
            raise TypeError(f"sessions[{index}] must be a session or a widget of one, got {named(each)}")
    chosen = names_of([each.engine for each in found], names)
    return tuple(each.course(name) for each, name in zip(found, chosen, strict=True)), found[0].engine.problem
