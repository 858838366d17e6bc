"""What the package imports and what it does without: in a process of its own, as other tests import everything."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import json, sys
sys.modules["sklearn"] = None
told = {}
import np_widgets as npw
npw.NeuronPursuit(npw.Problem([[1.0], [2.0]], [1.0, 2.0]), starts=2, max_steps=5).run(0)
told["after a pursuit"] = sorted(sys.modules)

from IPython.core.formatters import DisplayFormatter
network = npw.HomogeneousNetwork([[[1.0]], [[1.0]]])
data, metadata = DisplayFormatter().format(npw.plots.architecture(network, size=(6, 3.2)))
told["png"] = data["image/png"][:4].hex()
told["size"] = [metadata["image/png"][side] for side in ("width", "height")]
told["after a plot"] = sorted(sys.modules)

from np_widgets import *
told["names"] = npw.__all__
told["widget"] = PursuitWidget.__name__
try:
    npw.NeuronPursuitRegressor
except ImportError as error:
    told["estimator"] = str(error)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_who_computes_imports_nothing_that_draws(told):
    assert {"numpy", "torch"} <= set(told["after a pursuit"])
    assert not {"IPython", "bqplot", "ipywidgets", "matplotlib", "pandas"} & set(told["after a pursuit"])


def test_a_notebook_shows_a_figure_though_pyplot_never_hears_of_it(told):
    assert bytes.fromhex(told["png"]) == b"\x89PNG"
    assert told["size"] == [600, 320]
    assert "matplotlib.pyplot" not in told["after a plot"]


def test_the_package_does_without_scikit_learn_and_says_what_to_install(told):
    assert "NeuronPursuitRegressor" not in told["names"]
    assert told["widget"] == "PursuitWidget"
    assert "need scikit-learn: pip install 'np_widgets[data]'" in told["estimator"]
