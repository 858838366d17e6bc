"""What every test shares: no window is opened, and chance has a seed."""

from __future__ import annotations

import os
import random

import hypothesis
import numpy as np
import pytest
import torch

os.environ.setdefault("MPLBACKEND", "agg")

# Examples may take any time on a busy machine. In CI they are the same each time, so that what passed there passes
# there again; elsewhere each run tries new ones.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

# Sums are then added in the same order on every machine.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
