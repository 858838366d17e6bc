"""What the checks of arguments let through, and what they refuse."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from np_widgets import arguments

HUGE = 10**5000  # more digits than Python agrees to print


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), torch.tensor(3)])
def test_whole_accepts_integers_of_all_kinds(value):
    number = arguments.whole("count", value, 1, 3)
    assert number == 3
    assert type(number) is int


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.True_, torch.tensor(True), torch.tensor(3.0), [3], 3j])
def test_whole_refuses_what_is_no_integer(value):
    with pytest.raises(TypeError, match=r"count must be an integer of at least 0, got"):
        arguments.whole("count", value, 0)


@pytest.mark.parametrize("value", [-1, 4, HUGE, -HUGE], ids=["below", "above", "huge", "huge negative"])
def test_whole_refuses_what_is_out_of_range(value):
    with pytest.raises(ValueError, match=r"count must be an integer from 0 to 3, got"):
        arguments.whole("count", value, 0, 3)


def test_seeds_go_up_to_what_torch_takes():
    assert arguments.seed(2**63 - 1) == 2**63 - 1
    with pytest.raises(ValueError, match="seed must be an integer from 0"):
        arguments.seed(2**63)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.int64(1), Fraction(1)])
def test_real_accepts_numbers_of_all_kinds(value):
    number = arguments.real("scale", value, above=0, most=1)
    assert number == 1.0
    assert type(number) is float


@pytest.mark.parametrize("value", [0, -1, 1.5, float("nan"), float("inf"), -float("inf"), 10**400])
def test_real_refuses_what_is_out_of_range_or_not_finite(value):
    with pytest.raises(ValueError, match=r"scale must be a finite number greater than 0 of at most 1, got"):
        arguments.real("scale", value, above=0, most=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400, -(10**400)])
def test_real_refuses_what_is_not_finite_whatever_the_bounds(value):
    with pytest.raises(ValueError, match=r"scale must be a finite number, got"):
        arguments.real("scale", value)


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1.0], np.array([1.0])])
def test_real_refuses_what_is_no_number(value):
    with pytest.raises(TypeError, match=r"scale must be a finite number, got"):
        arguments.real("scale", value)


def test_flag_takes_booleans_only():
    assert arguments.flag("constant", np.True_) is True
    with pytest.raises(TypeError, match="constant must be True or False, got 1"):
        arguments.flag("constant", 1)


def test_choice_names_the_options():
    assert arguments.choice("method", "fast", ["fast", "paper"]) == "fast"
    with pytest.raises(ValueError, match="method must be one of 'fast', 'paper', got 'slow'"):
        arguments.choice("method", "slow", ["fast", "paper"])
    with pytest.raises(TypeError, match="method must be one of 'fast', 'paper', got None"):
        arguments.choice("method", None, ["fast", "paper"])


@pytest.mark.parametrize("value", [(3, 2), [3, 2], np.array([3, 2]), range(3, 1, -1)])
def test_wholes_accepts_sequences(value):
    assert arguments.wholes("widths", value, 1) == (3, 2)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (3, TypeError, "widths must be a sequence of integers of at least 1, got 3"),
        ("32", TypeError, "widths must be a sequence"),
        ({3, 2}, TypeError, "widths must be a sequence"),
        (np.array(3), TypeError, "widths must be a sequence"),
        ([3, [2]], TypeError, r"widths\[1\] must be an integer"),
        ([3, 2.5], TypeError, r"widths\[1\] must be an integer"),
        ([0], ValueError, r"widths\[0\] must be an integer of at least 1, got 0"),
        ([], ValueError, "widths must hold at least one integer"),
    ],
)
def test_wholes_refuses(value, error, message):
    with pytest.raises(error, match=message):
        arguments.wholes("widths", value, 1)


def test_wholes_may_be_empty_where_that_is_allowed():
    assert arguments.wholes("columns", (), 0, empty=True) == ()


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        np.array([[1, 2], [3, 4]], dtype=np.uint8),
        np.array([[1, 2], [3, 4]], dtype=np.uint64),
        np.array([[1, 2], [3, 4]], dtype=">f4"),
        np.array([[1, 2], [3, 4]], dtype=np.longdouble),
        np.array([[3, 4], [1, 2]])[::-1],
        np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
        torch.tensor([[1, 2], [3, 4]], dtype=torch.uint16),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16, requires_grad=True),
        torch.tensor([[1, 3], [2, 4]]).T,
        [np.array([1.0, 2.0]), torch.tensor([3.0, 4.0])],
    ],
)
def test_floats_accepts_rectangular_numbers_of_all_kinds(value):
    tensor = arguments.floats("inputs", value, dimensions=(2,))
    assert tensor.dtype == torch.float64
    assert not tensor.requires_grad
    assert tensor.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("value", [np.ones((2, 2)), torch.ones(2, 2, dtype=torch.float64)])
def test_floats_copies(value):
    tensor = arguments.floats("inputs", value, dimensions=(2,))
    value[0, 0] = 7
    assert tensor.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@given(hnp.arrays(np.float64, (3, 2), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_floats_changes_no_finite_number(array):
    assert np.array_equal(arguments.floats("inputs", array, dimensions=(2,)).numpy(), array)


REFUSED_ARRAYS = {
    "ragged": ([[1, 2], [3]], ValueError, "rectangular"),
    "strings": ([["1", "2"]], TypeError, "real numbers"),
    "None inside": ([[1.0, None]], TypeError, "real numbers"),
    "None": (None, TypeError, "real numbers"),
    "complex": (np.ones((2, 2)) * 1j, TypeError, "real numbers"),
    "complex tensor": (torch.ones(2, 2, dtype=torch.complex64), TypeError, "real numbers"),
    "dates": (np.array([["2026-01-01"]], dtype="datetime64[D]"), TypeError, "real numbers"),
    "a dictionary": ({"a": [1.0]}, TypeError, "real numbers"),
    "a sparse tensor": (torch.eye(2).to_sparse(), TypeError, "dense"),
    "a tensor without data": (torch.ones(2, 2, device="meta"), TypeError, "holds data"),
    "masked entries": (np.ma.masked_less(np.array([[1.0, -1.0]]), 0), ValueError, "masked"),
    "tensors that need a gradient": ([torch.ones(2, requires_grad=True)] * 2, ValueError, "rectangular"),
    "one dimension": ([1.0, 2.0], ValueError, r"2 dimensions, got shape \(2,\)"),
    "three dimensions": (np.ones((1, 1, 1)), ValueError, "2 dimensions"),
    "empty": (np.ones((0, 3)), ValueError, r"must not be empty, got shape \(0, 3\)"),
    "NaN": ([[1.0, np.nan]], ValueError, "must be finite, got 1 entries"),
    "infinite": ([[1.0, -np.inf]], ValueError, "must be finite"),
    "long double overflow": (np.array([[np.longdouble("1e400")]]), ValueError, "must be finite"),
    "integers that floats round": ([[2**53 + 1, 0]], ValueError, r"2\^53"),
    "uint64": (np.array([[2**63]], dtype=np.uint64), ValueError, "64 bits"),
    "uint64 tensor": (torch.tensor([[2**63]], dtype=torch.uint64), ValueError, "64 bits"),
    "Python integers beyond 64 bits": ([[2**70, 1]], ValueError, "64 bits"),
    "Python integers that NumPy makes floats": ([[2**63, -1]], ValueError, "64 bits"),
    "Python integers too long to print": ([[HUGE]], ValueError, "64 bits"),
}


@pytest.mark.parametrize(("value", "error", "message"), REFUSED_ARRAYS.values(), ids=REFUSED_ARRAYS.keys())
def test_floats_refuses(value, error, message):
    with pytest.raises(error, match=message) as raised:
        arguments.floats("inputs", value, dimensions=(2,))
    assert str(raised.value).startswith("inputs ")


def test_floats_refuses_what_overflows_the_precision():
    assert arguments.floats("inputs", [1e300], dimensions=(1,)).item() == 1e300
    with pytest.raises(ValueError, match=r"inputs must be finite, got 1 entries .* too large for torch.float32"):
        arguments.floats("inputs", [1e300], dimensions=(1,), dtype=torch.float32)


def test_vector_has_the_size_that_is_asked_for():
    assert arguments.vector("incoming", [1, 2], 2, dtype=torch.float32, device="cpu").tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"incoming must have shape \(3,\), got \(2,\)"):
        arguments.vector("incoming", [1, 2], 3, dtype=torch.float32, device="cpu")


def test_dtype_by_object_and_by_name():
    assert arguments.dtype("dtype", "float32") is arguments.dtype("dtype", torch.float32) is torch.float32


@pytest.mark.parametrize(
    ("value", "error"),
    [("float16", ValueError), (torch.int64, ValueError), (np.ones(2), TypeError), (None, TypeError), (32, TypeError)],
)
def test_dtype_refuses(value, error):
    with pytest.raises(error, match=r"dtype must be torch\.float32 or torch\.float64"):
        arguments.dtype("dtype", value)


@pytest.mark.parametrize(
    ("value", "error"),
    [("nonsense", ValueError), ("cuda:4096", ValueError), ("hpu", ValueError), ("meta", ValueError), (0, TypeError)],
)
def test_device_refuses_what_holds_no_data_here(value, error):
    with pytest.raises(error, match=r"^device"):
        arguments.device("device", value)


def test_device_accepts_the_cpu():
    assert arguments.device("device", torch.device("cpu")) == arguments.device("device", "cpu") == torch.device("cpu")


def test_messages_cut_long_values_short():
    with pytest.raises(TypeError) as raised:
        arguments.text("name", list(range(10_000)))
    assert len(str(raised.value)) < 120
