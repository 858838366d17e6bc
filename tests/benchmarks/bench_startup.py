"""What np_widgets adds to starting up: time and memory of its import, and the memory of the quickstart's kernel.

Run it on a quiet machine from the root of the repository: ``python -m tests.benchmarks.bench_startup``. Memory is read
from where Linux alone keeps it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.benchmarks.timing import spread, versions

_ROOT = Path(__file__).parents[2]
_QUICKSTART = _ROOT / "notebooks" / "01_quickstart.ipynb"

# The peak of this process alone: what getrusage says begins with that of the process it was made from.
_PEAK = """
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
"""
_IMPORTS = """
import time
began = time.perf_counter()
import torch, bqplot
between = time.perf_counter()
{more}
print([between - began, time.perf_counter() - between, peak()])
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="a short run: 3 rounds, and no notebook")
    arguments = parser.parse_args()
    print(versions())
    print("\n| | median (quartiles) | target |\n|---|--:|--:|", flush=True)
    _imports(3 if arguments.quick else arguments.rounds)
    if not arguments.quick:
        print(f"| the quickstart's kernel: peak memory, MiB | {_kernel_memory():.0f} | ≤ 450 |")


def _imports(rounds: int) -> None:
    pairs = []
    # Compiled files are kept for the time of the measurement, whatever the environment says.
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(rounds + 1):
            pair = _imported("", environment), _imported("import np_widgets", environment)
            if turn:
                pairs.append(pair)
    rows = {
        "import torch, bqplot: s": ([sum(base.seconds) for base, _ in pairs], 2, ""),
        "and np_widgets: s more": ([sum(more.seconds) - sum(base.seconds) for base, more in pairs], 2, "≤ 0.2"),
        "np_widgets after the others: s": ([more.seconds[1] for _, more in pairs], 2, ""),
        "import torch, bqplot: peak memory, MiB": ([base.peak for base, _ in pairs], 1, ""),
        "and np_widgets: MiB more": ([more.peak - base.peak for base, more in pairs], 1, "≤ 20"),
    }
    for name, (values, digits, target) in rows.items():
        print(f"| {name} | {spread(values, digits)} | {target} |", flush=True)


@dataclass(frozen=True)
class _Imported:
    """The seconds that torch and bqplot took and those that the rest took, and the peak memory in MiB."""

    seconds: tuple[float, float]
    peak: float


def _imported(more: str, environment: Mapping[str, str]) -> _Imported:
    """Import torch, bqplot and more in a fresh process."""
    code = _PEAK + _IMPORTS.format(more=more)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=_ROOT, check=True, capture_output=True, text=True
    )
    first, then, peak = json.loads(done.stdout)
    return _Imported((first, then), peak)


def _kernel_memory() -> float:
    """The peak in MiB of a kernel that has run the quickstart."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, whatever the user has installed elsewhere
    notebook = nbformat.read(_QUICKSTART, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(f"{_PEAK}\nprint(peak())"))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(_QUICKSTART.parent)}}).execute()
    return float(notebook.cells[-1].outputs[0].text)


if __name__ == "__main__":
    main()
