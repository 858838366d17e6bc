"""What every test shares: no window is opened, chance has a seed, and the data can be slightly other ones."""

from __future__ import annotations

import gc
import os
import random
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch

from np_widgets.problems import Problem

os.environ.setdefault("MPLBACKEND", "agg")

# Examples may take any time on a busy machine. In CI they are the same each time, so that what passed there passes
# there again; elsewhere each run tries new ones.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

# Sums are then added in the same order on every machine, unless somebody asks for another order.
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))

_SIZE_OF_NOISE = 4.5
"""In units of the last digit: 1e-15 in double precision."""
_problem_of_these_data = Problem.__init__


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--other-data",
        type=int,
        metavar="SEED",
        help="multiply the inputs of every Problem by 1 + 1e-15 · noise: a stand-in for another machine, whose sums "
        "end in other digits and whose trajectories may go other ways",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "exact_data(reason): it is about the very numbers that a Problem is given, so --other-data is off"
    )
    config.addinivalue_line(
        "markers", "rounding: other last digits could decide about it, so it is run with other kernels and data as well"
    )
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell starts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    seed = config.getoption("other_data")
    if seed is not None:
        _use_other_data(seed)


def pytest_collection_finish() -> None:
    # What has been imported and collected stays to the end: no collection has to look through it.
    gc.collect()
    gc.freeze()


def _use_other_data(seed: int) -> None:
    """From now on every new problem has slightly other inputs than it was given; equal ones for equal shapes."""

    def problem_of_other_data(self: Problem, *args: Any, **kwargs: Any) -> None:
        _problem_of_these_data(self, *args, **kwargs)
        for inputs in (self.inputs, self.test_inputs):
            if inputs is not None:
                noise = np.random.default_rng(seed).standard_normal(inputs.shape)
                size = _SIZE_OF_NOISE * torch.finfo(inputs.dtype).eps
                inputs.mul_(torch.as_tensor(1 + size * noise, device="cpu").to(inputs))

    Problem.__init__ = problem_of_other_data  # type: ignore[method-assign]


@pytest.fixture(autouse=True, scope="session")
def _patience_with_widgets() -> None:
    """What a user would not wait for, tests do: a busy machine may take any time to draw."""
    from np_widgets.widgets import publisher

    publisher._LONGEST_CATCHING_UP = 60.0


@pytest.fixture(autouse=True)
def _exact_where_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("exact_data") is not None:
        monkeypatch.setattr(Problem, "__init__", _problem_of_these_data)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _autograd_as_before() -> Iterator[None]:
    """Nothing leaves torch's autograd switched off for those who come later."""
    yield
    assert torch.is_grad_enabled()
