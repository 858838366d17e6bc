"""Large numbers are written with commas, wherever they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from np_widgets.pictures import labels


@pytest.mark.parametrize(
    ("count", "written"), [(0, "0 neurons"), (1, "1 neuron"), (1200, "1,200 neurons"), (3456789, "3,456,789 neurons")]
)
def test_counts(count, written):
    assert labels.count(count, "neuron") == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (999.4, "999"),
        (1234.0, "1,234"),
        (-12345.0, "−12,345"),
        (987654.0, "987,654"),
        (1.5e6, "1.5×10⁶"),
        (-2e-5, "−2×10⁻⁵"),
        (999.6, "1,000"),
        (999_999.0, "10⁶"),
        (0.001, "0.001"),
        (0.000829, "8.29×10⁻⁴"),
        (-0.0001, "−10⁻⁴"),
    ],
)
def test_numbers(value, written):
    assert labels.number(value) == written


@given(st.floats(1e-12, 1e12), st.sampled_from([1, -1]))
def test_messages_write_numbers_as_pictures_do(size, sign):
    value = sign * float(f"{size:.3g}")
    for said in (f"{value:.3g}", f"{value:g}"):
        assert labels.typeset(f"It is {said}, said twice ({said}).") == (
            f"It is {labels.number(value)}, said twice ({labels.number(value)})."
        )


@pytest.mark.parametrize(
    "words", ["scale=1e-05", "max_steps=20000", "x-3", "layers 1-3", "12,345 steps", "torch 2.13.0"]
)
def test_names_and_code_stay_as_they_are(words):
    assert labels.typeset(f"Try {words}.") == f"Try {words}."


@pytest.mark.parametrize(
    ("share", "written"), [(0, "0%"), (1e-9, "0.1%"), (0.123, "12.3%"), (1 - 1e-9, "99.9%"), (1.0, "100%")]
)
def test_all_and_nothing_are_said_of_nothing_else(share, written):
    assert labels.percent(share) == written
