"""Large numbers are written with commas, wherever they are shown."""

from __future__ import annotations

import pytest

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
    ],
)
def test_numbers(value, written):
    assert labels.number(value) == written
