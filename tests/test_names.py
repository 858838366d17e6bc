"""The names of inputs and outputs: where they come from, and that they stay with the data."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

import np_widgets as npw
from np_widgets.sessions.values import Packer, unpacked

pytestmark = pytest.mark.exact_data(reason="what a Problem keeps is compared with what it was given")


def frame(rows: int = 6) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(generator.normal(size=(rows, 3)), columns=["size", "age", "weight"])


def test_names_come_from_the_columns_or_are_given():
    data = frame()
    problem = npw.Problem(data[["size", "age"]], data["weight"])
    assert (problem.input_names, problem.output_names) == (("size", "age"), ("weight",))
    both = npw.Problem(data[["size"]], data[["age", "weight"]])
    assert (both.input_names, both.output_names) == (("size",), ("age", "weight"))
    given = npw.Problem(data.to_numpy(), data["age"].to_numpy(), input_names=list("abc"), output_names=["y"])
    assert (given.input_names, given.output_names) == (("a", "b", "c"), ("y",))


def test_columns_that_are_only_counted_have_no_names():
    problem = npw.Problem(pd.DataFrame(frame().to_numpy()), pd.Series(np.ones(6)))
    assert (problem.input_names, problem.output_names) == (None, None)
    assert problem.standardized().input_names is None


def test_the_constant_gets_a_name_that_no_input_has():
    data = frame()
    once = npw.Problem(data, data["age"]).standardized()
    assert once.input_names == ("size", "age", "weight", "constant")
    assert once.standardized().input_names == once.input_names
    assert npw.Problem(data, data["age"]).standardized(constant=False).input_names == ("size", "age", "weight")
    taken = data.rename(columns={"size": "constant"})
    assert npw.Problem(taken, data["age"]).standardized().input_names == ("constant", "age", "weight", "constant_")


def test_names_stay_when_a_problem_is_standardized_moved_and_saved():
    data = frame()
    problem = npw.Problem(data, data["age"])
    packer = Packer()
    packer.pack(problem)
    saved = unpacked(map(json.loads, packer.nodes), packer.arrays)
    for other in (problem.standardized(constant=False, targets=True), problem.to(dtype="float32"), saved):
        assert (other.input_names, other.output_names) == (problem.input_names, problem.output_names)


def test_test_columns_are_brought_into_the_order_of_the_training_columns():
    data = frame()
    problem = npw.Problem(data, data[["age", "size"]], test=(data[["weight", "size", "age"]], data[["size", "age"]]))
    assert torch.equal(problem.inputs, problem.test_inputs)
    assert torch.equal(problem.targets, problem.test_targets)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["size", "age"], "test inputs must have the columns of inputs, got 'weight' missing"),
        (["size", "age", "weight", "more"], "test inputs must have the columns of inputs, got 'more' unknown"),
        (["size", "age", "more"], "got 'weight' missing and 'more' unknown"),
    ],
)
def test_test_columns_of_other_names_are_refused_by_name(columns: list[str], said: str):
    data = frame()
    with pytest.raises(ValueError, match=re.escape(said)):
        npw.Problem(data, data["age"], test=(data.reindex(columns=columns, fill_value=0.0), data["age"]))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"input_names": list("ab")}, ValueError, "input_names must hold 3 strings, got 2"),
        ({"input_names": list("aba")}, ValueError, "input_names must be different from each other, got 'a'"),
        ({"input_names": ["a", "b", 3]}, TypeError, "input_names[2] must be a string, got 3"),
        ({"input_names": "abc"}, TypeError, "input_names must be a sequence of 3 strings or None, got 'abc'"),
        ({"output_names": ["y", "z"]}, ValueError, "output_names must hold 1 strings, got 2"),
    ],
)
def test_names_are_checked(options: dict, error: type[Exception], said: str):
    with pytest.raises(error, match=r"^" + re.escape(said)):
        npw.Problem(frame().to_numpy(), np.ones(6), **options)


def test_a_data_frame_keeps_its_own_names():
    data = frame()
    with pytest.raises(ValueError, match=r"^input_names must be None for a DataFrame"):
        npw.Problem(data, data["age"], input_names=list("abc"))
    with pytest.raises(ValueError, match=r"^inputs must have columns of different names, got 'age' more than once"):
        npw.Problem(data[["age", "age"]], data["age"])


def test_diabetes_has_names():
    pytest.importorskip("sklearn")
    problem = npw.problems.diabetes()
    assert problem.input_names[2] == "bmi"
    assert problem.input_names[-1] == "constant"
    assert problem.output_names == ("progression",)
