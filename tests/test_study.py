"""A study: a row for each setting and seed, whoever computes it, and whenever."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

import pandas as pd
import pytest
import torch

import np_widgets as npw
from np_widgets.sessions import batches
from tests.bits import bits
from tests.test_executors import FORK, PROBLEM, needs_fork

QUICK: dict[str, Any] = {"hidden_layers": 1, "starts": 3, "max_additions": 0, "max_steps": 20}
MEASURED = ["widths", "neurons", "loss", "test_loss", "validation", "networks", "steps", "ended"]


def data(samples: int, seed: int) -> npw.Problem:
    inputs = torch.randn(samples, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return npw.Problem(inputs, inputs[:, :1].relu(), test=(inputs[:5], inputs[:5, 1:2]))


def engine(samples: int, kind: str, seed: int) -> npw.NeuronPursuit | npw.FixedNetwork:
    if kind == "pursuit":
        return npw.NeuronPursuit(data(samples, seed), seed=seed, **QUICK)
    return npw.FixedNetwork(data(samples, seed), 4, kind, seed=seed, max_steps=30)


def product(a: float, seed: int, b: float = 2.0) -> dict[str, Any]:
    return {"product": a * b + seed, "large": torch.tensor(a > 1), "name": f"{a}"}


GRID: dict[str, list[Any]] = {"samples": [20, 30], "kind": ["pursuit", "small"]}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return npw.study(engine, GRID, 2)


def test_each_row_is_the_run_alone(table: pd.DataFrame):
    cells = list(itertools.product(*GRID.values(), range(2)))
    assert list(table[["samples", "kind", "seed"]].itertuples(index=False, name=None)) == cells
    assert list(table.columns) == ["samples", "kind", "seed", *MEASURED[:-1], "seconds", "ended"]
    for row, cell in zip(table.itertuples(), cells, strict=True):
        alone = engine(*cell)
        alone.run()
        assert (row.loss, row.test_loss, row.widths) == (alone.loss, alone.test_loss, alone.network.widths)
        assert row.ended == alone.finished.kind
        assert row.steps == alone.frame().total_steps > 0
        assert row.seconds > 0


@FORK
@needs_fork
def test_the_table_is_the_same_whoever_computes(table: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    context = multiprocessing.get_context("fork")
    for executor in (ThreadPoolExecutor(2), ProcessPoolExecutor(2, context)):
        with executor:
            there = npw.study(engine, GRID, 2, executor=executor, progress=True)
            assert executor.submit(int, "7").result() == 7
        pd.testing.assert_frame_equal(there.drop(columns="seconds"), table.drop(columns="seconds"), check_exact=True)
        assert "8/8" in capsys.readouterr().err


def test_a_factory_measures_what_it_likes():
    table = npw.study(product, {"a": [1.0, 2.0]}, [5, 3])
    assert table["product"].tolist() == [7.0, 5.0, 9.0, 7.0]
    assert table["large"].tolist() == [False, False, True, True]
    assert table["seed"].tolist() == [5, 3, 5, 3]
    assert (table["seconds"] >= 0).all()
    one_by_one = npw.study(product, [{"a": 1.0}, {"a": 1.0, "b": 5.0}], 1)
    assert one_by_one["product"].tolist() == [2.0, 5.0]


def test_a_pursuit_with_a_validation_set_is_in_the_table_with_its_best_network():
    own: dict[str, Any] = {
        **QUICK,
        "max_additions": 2,
        "validation": 0.3,
        "score": lambda out, target: float(out.sum()),
    }
    row = npw.study(lambda seed: npw.NeuronPursuit(PROBLEM, seed=seed, **own), {}, 1).iloc[0]
    alone = npw.NeuronPursuit(PROBLEM, **own)
    alone.run()
    best = max(alone.growth, key=lambda record: record.validation)
    assert (row.validation, row.widths, row.loss) == (best.validation, best.widths, best.loss)
    assert row.networks == len(alone.growth)


# --------------------------------------------------------------------------------- going on later


def press() -> None:
    """Ctrl-C, from the thread that computes, until it is heard."""
    before = set(batches._stopped)
    signal.raise_signal(signal.SIGINT)
    while batches._stopped <= before:
        time.sleep(0.001)


class Presses:
    """Ctrl-C in the middle of some of its calls; it counts them."""

    def __init__(self, *at: int) -> None:
        self.at, self.calls = at, list[int]()

    def __call__(self, a: float, seed: int) -> dict[str, Any]:
        self.calls.append(seed)
        if len(self.calls) in self.at:
            press()
        return product(a, seed)


def test_interrupted_twice_nothing_is_lost_and_nothing_done_twice(tmp_path, monkeypatch):
    presses = Presses(3, 9)
    # Its own state is not what it computes with.
    monkeypatch.setattr("np_widgets.sessions.study._text", lambda factory: "presses")
    grid = {"a": [1.5]}
    for _ in range(2):
        part = npw.study(presses, grid, 40, checkpoint=tmp_path)
        left = part["ended"] == "interrupted"
        assert 0 < left.sum() < 40
        assert part["product"].isna().tolist() == left.tolist()
    whole = npw.study(presses, grid, 40, checkpoint=tmp_path)
    assert sorted(presses.calls) == list(range(40))
    assert whole["product"].tolist() == npw.study(product, grid, 40)["product"].tolist()
    pd.testing.assert_frame_equal(npw.study(presses, grid, 40, checkpoint=tmp_path), whole)
    assert len(presses.calls) == 40


def test_an_interrupted_run_of_an_engine_is_not_kept(tmp_path):
    class Pressed(npw.NeuronPursuit):
        def _advance(self) -> None:
            press()
            super()._advance()

    def pressed(seed: int) -> npw.NeuronPursuit:
        return Pressed(PROBLEM, seed=seed, **QUICK)

    part = npw.study(pressed, {}, 2, checkpoint=tmp_path)
    assert part["ended"].tolist() == ["interrupted"] * 2
    assert not list(tmp_path.iterdir())


def test_a_folder_knows_the_settings_and_the_text_of_its_factory(tmp_path):
    calls: list[tuple[float, int]] = []

    def one(a: float, seed: int) -> dict[str, Any]:
        calls.append((a, seed))
        return {"y": a}

    def other(a: float, seed: int) -> dict[str, Any]:
        calls.append((a, seed))
        return {"y": -a}

    for factory in (one, other, one, other):
        found = npw.study(factory, {"a": [1.0, 2.0]}, 1, checkpoint=tmp_path)
        assert found["y"].tolist() == ([1.0, 2.0] if factory is one else [-1.0, -2.0])
    assert calls == [(1.0, 0), (2.0, 0)] * 2
    npw.study(one, {"a": [1.0, 3.0]}, 2, checkpoint=tmp_path)
    assert calls[4:] == [(1.0, 1), (3.0, 0), (3.0, 1)]
    for b in (4.0, 5.0, 4.0):
        found = npw.study(partial(product, b=b), {"a": [1.0]}, 1, checkpoint=tmp_path)
        assert found["product"].tolist() == [b]
    with pytest.raises(ValueError, match="checkpoint must be None with such a grid or factory"):
        npw.study(one, {"a": [object()]}, 1, checkpoint=tmp_path)


# --------------------------------------------------------------------------------- what is refused


def nothing(seed: int) -> None:
    """What a factory that forgets its return returns."""


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ((3, {}), TypeError, "factory must be a function of settings and a seed, got int"),
        ((product, 3), TypeError, "grid must be a dictionary of lists, or a list of dictionaries, got 3"),
        ((product, [3]), TypeError, "grid must have settings as dictionaries, got 3"),
        ((product, {"a": 3}), TypeError, r"grid\['a'\] must be a list of values, got 3"),
        ((product, {"a": "xy"}), TypeError, r"grid\['a'\] must be a list of values"),
        ((product, {"seed": [3]}), ValueError, "grid must not have a setting 'seed'"),
        ((product, {"widths": [3]}), ValueError, "grid must not have a setting 'widths'"),
        ((product, {"a": []}), ValueError, "grid and repeats must make 1 to 100,000 runs, got 0"),
        ((product, {"a": [1]}, 0), ValueError, "repeats"),
        ((product, {"a": [1]}, [1, 1]), ValueError, "repeats must be different seeds"),
        ((product, {"a": [1]}, [-1]), ValueError, "seed"),
        ((nothing, {}, 1), TypeError, "factory must return a NeuronPursuit, .* got NoneType"),
        ((lambda seed: {"y": [1]}, {}, 1), TypeError, r"got 'y': \[1\]"),
        ((lambda a, seed: {"a": 1}, {"a": [1]}, 1), ValueError, "factory must not return 'a', which is a setting"),
    ],
)
def test_bad_arguments_are_named(given, error, match):
    with pytest.raises(error, match=match):
        npw.study(*given)


def test_an_error_of_the_factory_says_where():
    def fails(a: float, seed: int) -> dict[str, Any]:
        return {"y": 1 / (a - seed)}

    with pytest.raises(ZeroDivisionError) as caught:
        npw.study(fails, {"a": [5.0, 1.0]}, 2)
    assert caught.value.__notes__ == ["The factory of a study was called with a=1.0, seed=1."]


# --------------------------------------------------------------------------------- losses of one's own


class Steep(npw.problems.ElementwiseLoss):
    name = "steep"

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def of(self, error):
        return self.factor * error**2

    def slope(self, error):
        return 2 * self.factor * error

    def curvature(self, error):
        return torch.full_like(error, 2 * self.factor)


def test_losses_of_one_name_that_differ_are_not_taken_for_each_other():
    problems = [npw.Problem(PROBLEM.inputs, PROBLEM.targets, Steep(factor)) for factor in (1.0, 7.0)]
    wanted: dict[str, Any] = {"hidden_layers": 1, "starts": 3, "max_additions": 1, "max_steps": 300}
    for together, own in zip(npw.pursue_many(problems, **wanted), problems, strict=True):
        alone = npw.NeuronPursuit(own, **wanted)
        alone.run()
        assert bits(together.growth) == bits(tuple(alone.growth))
