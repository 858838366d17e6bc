"""A table of many runs as a figure."""

from __future__ import annotations

from typing import Any, get_args

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from np_widgets import arguments
from np_widgets.pictures import study as _study
from np_widgets.plots.page import Size, alone
from np_widgets.plots.sources import named


def study(
    table: Any,
    x: str,
    y: str = "test_loss",
    by: str | None = None,
    *,
    bars: _study.Bars = "quartiles",
    log_x: bool | None = None,
    log_y: bool | None = None,
    ax: Axes | None = None,
    size: Size = None,
) -> Figure:
    """Curves with error bars: what runs have come to, against one of their settings.

    Parameters
    ----------
    table
        What :func:`~np_widgets.study` returns, or another pandas DataFrame with a row for each run.
    x
        The column of the setting along the axis, of numbers or names.
    y
        The column of what the runs have come to: numbers, or truth values, of which the share that is true is drawn,
        with Wilson's 95% interval.
    by
        A column with a curve for each of its values, up to eight. Runs that differ in other settings are taken
        together: filter the table before.
    bars
        ``"quartiles"`` around the median, or the standard ``"deviation"`` of one run around the mean.
    log_x, log_y
        Whether an axis is logarithmic; None where its numbers are far apart.
    ax
        The axes to draw on; by default those of a new figure.
    size
        Width and height of a new figure, in inches.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, or the table has no such column; the message says which it has.
    """
    if not hasattr(table, "columns") or not hasattr(table, "itertuples"):
        raise TypeError(f"table must be a pandas DataFrame, as np_widgets.study returns, got {named(table)}")
    known = [str(name) for name in table.columns]
    columns: dict[str, list[Any]] = {}
    for argument, name in (("x", x), ("y", y), ("by", by)):
        if name is not None:
            columns[name] = table[arguments.choice(argument, name, known)].tolist()
    arguments.choice("bars", bars, get_args(_study.Bars))
    for argument, flag in (("log_x", log_x), ("log_y", log_y)):
        if flag is not None:
            arguments.flag(argument, flag)
    wrong = next((each for each in columns[y] if not isinstance(each, (bool, int, float, type(None)))), None)
    if wrong is not None:
        raise ValueError(f"y must be a column of numbers or truth values, got {y!r} with {named(wrong)}")
    curves = 1 if by is None else len(set(columns[by]))
    if curves > _study.MOST_CURVES:
        raise ValueError(f"by must be a column of at most {_study.MOST_CURVES} values, got {by!r} with {curves}")
    return alone(_study.study(columns, x, y, by, bars, log_x, log_y), ax, size or (5.6, 3.6))
