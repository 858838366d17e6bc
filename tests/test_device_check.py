"""The script that checks a device runs, in its small form, on the processor; and says so where there is no device."""

from __future__ import annotations

import pytest
import torch

from tests import device_check


@pytest.mark.rounding
def test_the_small_form_passes_on_the_processor(capsys):
    assert device_check.main(["--device", "cpu", "--small"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert sum(row.endswith("| ✓ |") for row in rows) == 7


def test_a_failed_check_is_told(capsys, monkeypatch):
    def broken():
        raise RuntimeError("out of order")

    monkeypatch.setattr(
        device_check, "checks", lambda device, small: iter([("one", broken), ("two", lambda: ("x", True))])
    )
    assert device_check.main(["--device", "cpu"]) == 1
    told = capsys.readouterr().out
    assert "out of order" in told
    assert told.count("✓") == told.count("FAILED") == 1


def test_without_the_device_it_says_so(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_check.main([]) == 1
    assert "nothing has been checked" in capsys.readouterr().out
