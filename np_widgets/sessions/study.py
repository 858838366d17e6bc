"""The same experiment with many settings and seeds, as a table."""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import Any

from tqdm import tqdm

from np_widgets import arguments
from np_widgets.learning.fixed.engine import FixedNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.ensemble import PursuitResult, pursue_together
from np_widgets.sessions.batches import Batches, Client, checked_executor, parts
from np_widgets.sessions.checkpoint import Checkpoint
from np_widgets.sessions.many import MOST_MEMBERS, most_together
from np_widgets.sessions.storage import fingerprint

# What the table says of a run: no setting may be called so.
_MEASURED = ("widths", "neurons", "loss", "test_loss", "validation", "networks", "steps", "seconds", "ended")
_PLAIN = (bool, int, float, str, type(None))
Row = dict[str, Any]


def study(
    factory: Callable[..., Any],
    grid: Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]],
    repeats: int | Iterable[int] = 10,
    *,
    executor: Executor | Client | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Any:
    """One experiment with every setting of a grid, and with several seeds each: for curves with error bars.

    Parameters
    ----------
    factory
        Called as ``factory(seed=seed, **setting)``. It returns a :class:`~np_widgets.NeuronPursuit` or a
        :class:`~np_widgets.FixedNetwork`, which is run to its end; or a dictionary of what it has measured itself:
        numbers, truth values or text. An executor of processes must be able to send it: the standard library's wants it
        in a module, loky and Dask take any.
    grid
        The values of each setting by name, of which all combinations are taken, such as
        ``{"samples": (50, 100), "kind": ("pursuit", "small")}``; or the settings one by one, as dictionaries.
    repeats
        How many seeds (0, 1, …), or the seeds themselves.
    executor
        As for :func:`~np_widgets.pursue_many`: who computes; it is not shut down, and does not change what comes out.
    checkpoint
        A folder that keeps what has been finished; given again, only the rest is computed. What was done by a factory
        with another text is done again; what a factory refers to (data, other functions) is not compared.
    progress
        Show a text progress bar.

    Returns
    -------
    pandas.DataFrame
        A row for each setting and seed, in the order of the grid: the settings, ``seed``, and of a network its hidden
        ``widths``, ``neurons``, ``loss``, ``test_loss``, ``validation`` (its score), how many ``networks`` and
        ``steps``, the ``seconds`` it took, and why it ``ended``; or what the factory has measured, and ``seconds``.
        After Ctrl-C the rows that are still to be computed have ``ended`` as ``"interrupted"`` and no numbers.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, or what the factory returns.
    FileError, RuntimeError
        As for :func:`~np_widgets.pursue_many`.
    Exception
        Whatever the factory raises, with a note on the setting and the seed.
    """
    if not callable(factory):
        raise TypeError(f"factory must be a function of settings and a seed, got {type(factory).__name__}")
    cells = [{**setting, "seed": seed} for setting in _settings(grid) for seed in _seeds(repeats)]
    if not 1 <= len(cells) <= MOST_MEMBERS:
        raise ValueError(f"grid and repeats must make 1 to {MOST_MEMBERS:,} runs, got {len(cells):,}")
    executor = checked_executor(executor)
    progress = arguments.flag("progress", progress)
    kept = Checkpoint(checkpoint, "study")
    keys = _keys(factory, cells) if checkpoint is not None else [""] * len(cells)
    rows = [kept.found.get(key) for key in keys]
    together = parts([index for index, row in enumerate(rows) if row is None], executor)
    batches = [[cells[index] for index in part] for part in together]
    with tqdm(total=len(cells), initial=len(cells) - sum(map(len, batches)), desc="runs", disable=not progress) as bar:

        def come(number: int, outcomes: Sequence[Row | None]) -> None:
            ended = {index: row for index, row in zip(together[number], outcomes, strict=True) if row is not None}
            kept.keep({keys[index]: row for index, row in ended.items()})
            for index, row in ended.items():
                rows[index] = row
            bar.update(len(ended))

        Batches(partial(_measured, factory), executor).run(batches, come)
    table = [cell | ({"ended": "interrupted"} if row is None else row) for cell, row in zip(cells, rows, strict=True)]
    return import_module("pandas").DataFrame(table)


def _measured(factory: Callable[..., Any], cells: Sequence[Row], stopped: Callable[[], bool]) -> list[Row | None]:
    """What comes of some runs, None of those that were stopped before their end."""
    rows: list[Row | None] = [None] * len(cells)
    engines: dict[int, NeuronPursuit | FixedNetwork] = {}
    seconds = [0.0] * len(cells)
    for index, cell in enumerate(cells):
        if stopped():
            break
        began = perf_counter()
        try:
            made = factory(**cell)
            if isinstance(made, FixedNetwork):
                while made.finished is None and not stopped():
                    made.advance()
            row = None if isinstance(made, (NeuronPursuit, FixedNetwork)) else _plain(made, cell)
        except Exception as error:
            error.add_note(f"The factory of a study was called with {_said(cell)}.")
            raise
        seconds[index] = perf_counter() - began
        if row is None:
            engines[index] = made
        else:
            rows[index] = {"seconds": seconds[index]} | row
    pursuits = {index: each for index, each in engines.items() if isinstance(each, NeuronPursuit)}
    if pursuits:
        most = min(most_together(each.problem) for each in pursuits.values())
        spent = pursue_together(list(pursuits.values()), most, stopped, clock=perf_counter)
        for index, more in zip(pursuits, spent, strict=True):
            seconds[index] += more
    for index, engine in engines.items():
        if engine.finished is not None:
            rows[index] = PursuitResult.of(engine, seconds[index]).row
    return rows


def _plain(measured: Any, cell: Row) -> Row:
    """What a factory has measured itself, in numbers that fit into a file."""
    wanted = "factory must return a NeuronPursuit, a FixedNetwork, or a dictionary of numbers, truth values and text"
    if not isinstance(measured, Mapping):
        raise TypeError(f"{wanted}, got {type(measured).__name__}")
    row: Row = {}
    for name, value in measured.items():
        value = value.item() if getattr(value, "ndim", None) == 0 else value  # noqa: PLW2901 (numpy's, or torch's)
        parts_of_it = value if isinstance(value, tuple) else (value,)
        if not isinstance(name, str) or not all(isinstance(part, _PLAIN) for part in parts_of_it):
            raise TypeError(f"{wanted}, got {name!r}: {arguments.shown(value)}")
        if name in cell:
            raise ValueError(f"factory must not return {name!r}, which is a setting")
        row[name] = value
    return row


def _settings(grid: Any) -> list[Row]:
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            if isinstance(values, str) or not isinstance(values, Iterable):
                raise TypeError(f"grid[{name!r}] must be a list of values, got {arguments.shown(values)}")
        columns = {name: list(values) for name, values in grid.items()}
        settings = [dict(zip(columns, each, strict=True)) for each in itertools.product(*columns.values())]
    elif isinstance(grid, Iterable) and not isinstance(grid, str):
        settings = list(grid)
    else:
        raise TypeError(f"grid must be a dictionary of lists, or a list of dictionaries, got {arguments.shown(grid)}")
    for setting in settings:
        if not isinstance(setting, Mapping):
            raise TypeError(f"grid must have settings as dictionaries, got {arguments.shown(setting)}")
        for name in setting:
            if not isinstance(name, str) or name == "seed" or name in _MEASURED:
                raise ValueError(
                    f"grid must not have a setting {name!r}: the table has a column of that name; let the factory call "
                    "it otherwise"
                )
    return [dict(setting) for setting in settings]


def _seeds(repeats: Any) -> list[int]:
    if isinstance(repeats, Iterable) and not isinstance(repeats, str):
        seeds = [arguments.seed(each) for each in repeats]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"repeats must be different seeds, got {arguments.shown(seeds)}")
        return seeds
    return list(range(arguments.whole("repeats", repeats, 1, MOST_MEMBERS)))


def _keys(factory: Any, cells: Sequence[Row]) -> list[str]:
    """What each run is called in a checkpoint."""
    try:
        text = _text(factory)
        return [fingerprint((text, cell)) for cell in cells]
    except TypeError as error:
        raise ValueError(f"checkpoint must be None with such a grid or factory: {error}") from error


def _text(factory: Any) -> Any:
    """What a factory is, as far as that can be written down."""
    if isinstance(factory, partial):
        return _text(factory.func), factory.args, factory.keywords
    named = factory if inspect.isroutine(factory) or inspect.isclass(factory) else type(factory)
    try:
        text = inspect.getsource(named)
    except (OSError, TypeError):
        text = f"{named.__module__}.{named.__qualname__}"
    return text if named is factory else (text, vars(factory))


def _said(cell: Row) -> str:
    return ", ".join(f"{name}={arguments.shown(value)}" for name, value in cell.items())
