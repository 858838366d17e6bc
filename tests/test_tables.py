"""What people have as data: taken with the right values, or refused by the name of the column and with a remedy."""

from __future__ import annotations

import datetime as dt
import importlib
import re
import sys
import types
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import np_widgets as npw

pytestmark = pytest.mark.exact_data(reason="what a Problem keeps is compared with what it was given")

COLUMN = [1.0, 0.0, 1.0, 3.0]
BITS = [1.0, 0.0, 1.0, 0.0]

TAKEN: dict[str, tuple[Any, list[float]]] = {
    "integers": ([1, 0, 1, 3], COLUMN),
    "booleans": ([True, False, True, False], BITS),
    "nullable integers": (pd.array([1, 0, 1, 3], dtype="Int64"), COLUMN),
    "nullable booleans": (pd.array([True, False, True, False], dtype="boolean"), BITS),
    "nullable floats": (pd.array(COLUMN, dtype="Float32"), COLUMN),
    "unsigned": (np.array([1, 0, 1, 3], dtype=np.uint8), COLUMN),
    "objects that are numbers": (np.array([1, False, 1.0, np.float32(3)], dtype=object), COLUMN),
}


@pytest.mark.parametrize(("column", "values"), TAKEN.values(), ids=TAKEN.keys())
def test_columns_of_numbers_are_taken_as_inputs_and_as_targets(column: Any, values: list[float]):
    frame = pd.DataFrame({"a": [0.5, 1.5, 2.5, 3.5], "b": column})
    problem = npw.Problem(frame, frame["b"], test=(frame[["b", "a"]], frame[["b"]]))
    assert problem.inputs.tolist() == [list(row) for row in zip(frame["a"], values, strict=True)]
    assert torch.equal(problem.inputs, problem.test_inputs)
    assert problem.targets.flatten().tolist() == problem.test_targets.flatten().tolist() == values


@pytest.mark.parametrize(
    "inputs",
    [
        np.array([[True, False], [False, True]]),
        torch.tensor([[True, False], [False, True]]),
        [[True, False], [False, True]],
        np.array([[True, 0], [False, 1.0]], dtype=object),
    ],
)
def test_booleans_are_zeros_and_ones(inputs: Any):
    assert npw.Problem(inputs, [0.0, 1.0]).inputs.tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("targets", [[[1.0], [2.0]], pd.Series([1, 2], name="y"), pd.DataFrame({"y": [1, 2]})])
def test_a_column_of_targets_is_one_output(targets: Any):
    assert npw.Problem([[1.0], [2.0]], targets).targets.tolist() == [[1.0], [2.0]]


def test_a_series_is_one_input():
    assert npw.Problem(pd.Series([3, 4], name="x"), [1.0, 2.0]).inputs.tolist() == [[3.0], [4.0]]


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "text": (["a", "b", "c", "d"], TypeError, "holds text: encode it"),
    "text and numbers": (["a", 1, 2, 3], TypeError, "holds text: encode it"),
    "text and gaps": (["a", None, "b", "c"], TypeError, "holds text: encode it"),
    "categories": (pd.Categorical(["a", "b", "a", "b"]), TypeError, "holds categories: encode them"),
    "categories of numbers": (pd.Categorical([1, 2, 1, 2]), TypeError, "holds categories: encode them"),
    "dates": (pd.date_range("2020", periods=4), TypeError, "holds dates or times: make numbers"),
    "dates of Python": ([dt.date(2020, 1, day) for day in range(1, 5)], TypeError, "holds dates or times"),
    "dates and gaps": ([pd.Timestamp("2020"), pd.NaT, pd.NaT, pd.NaT], TypeError, "holds dates or times"),
    "spans of time": (pd.to_timedelta([1, 2, 3, 4]), TypeError, "holds dates or times"),
    "gaps": ([1.0, None, 3.0, 4.0], ValueError, "has 1 gap: drop these rows, or fill them"),
    "gaps among nullable integers": (pd.array([1, None, None, 4], dtype="Int64"), ValueError, "has 2 gaps: drop"),
    "gaps among booleans": (pd.array([True, None, True, True], dtype="boolean"), ValueError, "has 1 gap: drop"),
    "nothing but gaps": ([None] * 4, ValueError, "has 4 gaps: drop"),
    "sparse": (pd.arrays.SparseArray([0, 0, 1, 0]), TypeError, "is sparse: .sparse.to_dense()"),
    "infinite": ([1.0, np.inf, 2.0, 3.0], ValueError, "has infinite entries"),
    "complex": ([1j, 2.0, 3.0, 4.0], TypeError, "holds complex128"),
    "lists": ([[1], [2, 3], [1], [2]], TypeError, "holds list"),
    "integers that floats round": ([2**60 + 1, 0, 0, 0], ValueError, "holds integers beyond ±2^53"),
}


@pytest.mark.parametrize(("column", "error", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_number_is_refused_by_the_name_of_its_column(column: Any, error: type[Exception], said: str):
    frame = pd.DataFrame({"age": [1, 2, 3, 4], "city": column})
    for call, name in (
        (lambda: npw.Problem(frame, [1.0] * 4), "inputs must hold numbers, but column 'city' "),
        (lambda: npw.Problem(frame[["age"]], frame[["city"]]), "targets must hold numbers, but column 'city' "),
        (lambda: npw.Problem(frame[["age"]], frame["city"]), "targets must hold numbers, but it "),
        (
            lambda: npw.Problem(np.ones((4, 2)), [1.0] * 4, test=(frame, [1.0] * 4)),
            "test inputs must hold numbers, but",
        ),
    ):
        with pytest.raises(error, match="^" + re.escape(name)) as raised:
            call()
        assert said in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_column_of_an_array_of_objects_is_refused_by_its_number():
    with pytest.raises(TypeError, match=r"^inputs must hold numbers, but column 1 holds text"):
        npw.Problem(np.array([[1, "a"], [2, "b"]], dtype=object), [1.0, 2.0])


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array])
def test_a_sparse_matrix_is_refused_with_the_remedy(kind: Any):
    with pytest.raises(TypeError, match=r"^inputs must be dense, got a sparse \w+: \.toarray\(\) makes it so"):
        npw.Problem(kind(np.eye(4)), [1.0] * 4)


LABELS: dict[str, tuple[Any, tuple, list[int]]] = {
    "counted": ([0, 2, 1, 0], (0, 1, 2), [0, 2, 1, 0]),
    "from one": ([1, 2, 2, 1], (1, 2), [0, 1, 1, 0]),
    "signs": ([-1, 1, 1, -1], (-1, 1), [0, 1, 1, 0]),
    "signs as floats": ([-1.0, 1.0, 1.0, -1.0], (-1, 1), [0, 1, 1, 0]),
    "tens": (np.array([10, 20, 20, 10]), (10, 20), [0, 1, 1, 0]),
    "text": (["no", "yes", "yes", "no"], ("no", "yes"), [0, 1, 1, 0]),
    "text of NumPy": (np.array(["no", "yes", "yes", "no"]), ("no", "yes"), [0, 1, 1, 0]),
    "text as objects": (np.array(["no", "yes", "yes", "no"], dtype=object), ("no", "yes"), [0, 1, 1, 0]),
    "a Series": (pd.Series(["no", "yes", "yes", "no"], index=[7, 3, 3, 1]), ("no", "yes"), [0, 1, 1, 0]),
    "categories": (pd.Categorical(["no", "yes", "yes", "no"]), ("no", "yes"), [0, 1, 1, 0]),
    "nullable": (pd.Series([1, 2, 2, 1], dtype="Int64"), (1, 2), [0, 1, 1, 0]),
    "booleans": ([False, True, True, False], (False, True), [0, 1, 1, 0]),
    "booleans of torch": (torch.tensor([False, True, True, False]), (False, True), [0, 1, 1, 0]),
    "a column": ([[5], [6], [6], [5]], (5, 6), [0, 1, 1, 0]),
    "a frame of one column": (pd.DataFrame({"y": ["no", "yes", "yes", "no"]}), ("no", "yes"), [0, 1, 1, 0]),
    "one-hot": (np.eye(3, dtype=int)[[0, 2, 1, 0]], (0, 1, 2), [0, 2, 1, 0]),
    "dummies": (pd.get_dummies(pd.Series(["no", "yes", "yes", "no"])), ("no", "yes"), [0, 1, 1, 0]),
    "only one of two": ([0, 0, 0, 0], (0, 1), [0, 0, 0, 0]),
    "only true": ([True] * 4, (False, True), [1, 1, 1, 1]),
}


@pytest.mark.parametrize(("labels", "classes", "codes"), LABELS.values(), ids=LABELS.keys())
def test_labels_of_any_kind_are_taken_and_their_classes_remembered(labels: Any, classes: tuple, codes: list[int]):
    problem = npw.Problem(np.ones((4, 2)), labels, "cross_entropy", test=(np.ones((4, 2)), labels))
    assert problem.targets.tolist() == problem.test_targets.tolist() == codes
    assert problem.classes == classes
    assert [type(label) for label in problem.classes] == [type(label) for label in classes]
    assert problem.output_size == len(classes)
    counted = classes == tuple(range(len(classes))) and type(classes[0]) is int
    assert problem.output_names == (None if counted else tuple(map(str, classes)))
    assert problem.standardized().classes == classes
    assert problem.empty_classes == tuple(label for code, label in enumerate(classes) if code not in codes)


REFUSED_LABELS: dict[str, tuple[Any, type[Exception], str]] = {
    "numbers": ([0.5, 1.0, 2.0, 1.0], TypeError, "got 0.5: loss='square' takes any numbers"),
    "text and numbers": (["a", 1, 2, 1], TypeError, "must be labels"),
    "gaps": ([1, None, 2, 1], ValueError, "has 1 gap: drop these rows"),
    "gaps in text": (pd.Series(["a", None, None, "b"]), ValueError, "has 2 gaps: drop these rows"),
    "dates": (pd.Series(pd.date_range("2020", periods=4)), TypeError, "must be labels"),
    "rows that are not one-hot": ([[0, 1], [1, 1], [0, 1], [1, 0]], ValueError, "one-hot rows"),
    "one class of text": (["a"] * 4, ValueError, "at least two classes, got 'a' alone"),
    "three dimensions": (np.ones((4, 1, 1), dtype=int), ValueError, "shape (n,)"),
    "ragged": ([[1, 2], [1], [2], [1]], ValueError, "shape (n,)"),
    "None": (None, ValueError, "shape (n,)"),
    "complex": (np.array([1j, 0, 1, 1]), TypeError, "must be labels"),
}


@pytest.mark.parametrize(("labels", "error", "said"), REFUSED_LABELS.values(), ids=REFUSED_LABELS.keys())
def test_what_is_no_label_is_refused(labels: Any, error: type[Exception], said: str):
    with pytest.raises(error, match=r"^targets ") as raised:
        npw.Problem(np.ones((4, 2)), labels, "cross_entropy")
    assert said in str(raised.value)


def test_classes_can_be_given_in_an_order_and_those_without_a_sample_are_said():
    problem = npw.Problem(np.ones((2, 2)), ["high", "low"], "cross_entropy", classes=["low", "middle", "high"])
    assert problem.targets.tolist() == [2, 0]
    assert problem.empty_classes == ("middle",)
    assert repr(problem).endswith("outputs=3, loss='cross_entropy', no sample of 'middle')")
    assert problem.output_names == ("low", "middle", "high")
    assert npw.Problem(np.ones((2, 2)), [0, 3], "cross_entropy", classes=4).empty_classes == (1, 2)


@pytest.mark.parametrize(
    ("classes", "error", "said"),
    [
        (["low", "high"], ValueError, "targets must be of the classes ('low', 'high'), got 'middle': give classes="),
        (2, ValueError, "targets must be of the classes (0, 1), got 'low'"),
        (["low", "low"], ValueError, "classes must be at least two different labels, got ('low', 'low')"),
        (["low"], ValueError, "classes must be at least two different labels"),
        (["low", 1.5], TypeError, "classes[1] must be a whole number, text or a boolean, got 1.5"),
        ("low", TypeError, "classes must be an integer"),
    ],
)
def test_classes_are_checked(classes: Any, error: type[Exception], said: str):
    with pytest.raises(error, match="^" + re.escape(said)):
        npw.Problem(np.ones((2, 2)), ["low", "middle"], "cross_entropy", classes=classes)


def test_labels_of_the_test_set_are_of_the_classes_of_the_training_set():
    with pytest.raises(ValueError, match=r"^test targets must be of the classes \('a', 'b'\), got 'c'"):
        npw.Problem(np.ones((2, 2)), ["a", "b"], "cross_entropy", test=(np.ones((2, 2)), ["a", "c"]))
    problem = npw.Problem(np.ones((2, 2)), ["b", "a"], "cross_entropy", test=(np.ones((1, 2)), ["b"]))
    assert problem.test_targets.tolist() == [1]


def test_from_frame_takes_the_target_out_of_the_inputs():
    frame = pd.DataFrame({"a": [1, 2, 3], "y": [4.0, 5.0, 6.0], "b": [True, False, True]})
    problem = npw.Problem.from_frame(frame, "y", test=frame[["y", "b", "a"]].iloc[::-1], name="mine")
    assert (problem.input_names, problem.output_names, problem.name) == (("a", "b"), ("y",), "mine")
    assert problem.inputs.tolist() == [[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]]
    assert problem.loss.name == "square"
    assert torch.equal(problem.test_inputs, problem.inputs.flip(0))
    assert torch.equal(problem.test_targets, problem.targets.flip(0))
    both = npw.Problem.from_frame(frame, ["y", "a"])
    assert (both.input_names, both.output_names) == (("b",), ("y", "a"))


@pytest.mark.parametrize("column", [["u", "v", "u"], [True, False, True], pd.Categorical([1, 2, 1])])
def test_from_frame_sees_classes_where_the_target_is_no_number(column: Any):
    problem = npw.Problem.from_frame(pd.DataFrame({"a": [1, 2, 3], "y": column}), target="y")
    assert problem.loss.name == "cross_entropy"
    assert problem.targets.tolist() in ([0, 1, 0], [1, 0, 1])


def test_from_frame_can_be_told_that_numbers_are_classes():
    frame = pd.DataFrame({"a": [1, 2, 3], "y": [4, 5, 4]})
    assert npw.Problem.from_frame(frame, "y", loss="cross_entropy").classes == (4, 5)


@pytest.mark.parametrize(
    ("frame", "target", "error", "said"),
    [
        (np.ones((2, 2)), "y", TypeError, "frame must be a DataFrame, got ndarray"),
        (pd.DataFrame({"a": [1], "y": [2]}), "z", ValueError, "target must be one of the columns of frame, ['a', 'y']"),
        (pd.DataFrame({"y": [2]}), "y", ValueError, "target must leave columns to learn from, got 'y'"),
    ],
)
def test_from_frame_refuses(frame: Any, target: str, error: type[Exception], said: str):
    with pytest.raises(error, match="^" + re.escape(said)):
        npw.Problem.from_frame(frame, target)


def polars() -> Any:
    """Polars if it is there, else what of it is asked for here: other names for what pandas does."""
    try:
        return importlib.import_module("polars")
    except ImportError:
        return types.SimpleNamespace(DataFrame=_Frame)


class _Frame:
    def __init__(self, columns: dict[str, list]):
        self._columns = columns
        self.columns, self.dtypes = list(columns), [type(column[0]) for column in columns.values()]
        self.shape = (len(next(iter(columns.values()))), len(columns))

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, list):
            return _Frame({each: self._columns[each] for each in name})
        array = np.array(self._columns[name], dtype=object if None in self._columns[name] else None)
        return types.SimpleNamespace(name=name, dtype="Polars", to_numpy=lambda: array)


def test_frames_of_polars_are_taken_too():
    frame = polars().DataFrame({"a": [1, 2, 3], "b": [True, False, True], "y": ["u", "v", "u"]})
    problem = npw.Problem.from_frame(frame, "y", test=frame[["b", "y", "a"]])
    assert problem.input_names == ("a", "b")
    assert problem.inputs.tolist() == problem.test_inputs.tolist() == [[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]]
    assert (problem.classes, problem.targets.tolist()) == (("u", "v"), [0, 1, 0])
    with pytest.raises(TypeError, match=r"^inputs must hold numbers, but column 'y' holds text"):
        npw.Problem(frame, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"^inputs must hold numbers, but column 'a' has 1 gap"):
        npw.Problem(polars().DataFrame({"a": [1, None, 3]}), [1.0, 2.0, 3.0])


def test_taking_data_needs_no_pandas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert npw.Problem(np.array([[True], [False]]), ["a", "b"], "cross_entropy").classes == ("a", "b")
