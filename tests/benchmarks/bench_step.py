"""What a step of gradient descent or Adam costs: against automatic differentiation, and its bare matrix products.

Run it on a quiet machine from the root of the repository, with OMP_NUM_THREADS=1:
``python -m tests.benchmarks.bench_step``, and with ``--device cuda`` where there is a GPU: there our steps are replayed
from a CUDA graph, and those of automatic differentiation and the bare products are launched one by one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from np_widgets.learning.minimizers.first_order import Adam, GradientDescent
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.minimizers.stopping import StoppingRule
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.objective import Objective
from np_widgets.problems import Problem
from tests.benchmarks.timing import alternate, spread, versions

Steps = Callable[[int], object]
"""Takes so many steps."""

_OURS, _AUTOGRAD, _PRODUCTS = "ours", "autograd", "products"
_LEARNING_RATE = 1e-3
_NEVER = StoppingRule(gradient_tolerance=0.0, patience=10**9, least_decrease=0.0)
# How many times as fast as automatic differentiation a step is to be at least, and its products' time at most.
_TARGETS = {(4, 2): 4.0, (50, 50): 2.0, (200, 200): 1.0}
_MOST_PRODUCTS = 1.6
_CUDA_TARGETS = {(4, 2): 10.0}
_LEAST_RATE = 0.8
"""Of a large network on a GPU: the rate of its steps as a share of the rate of their products."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--samples", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--quick", action="store_true", help="a short run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(versions())
    turn, rounds = (0.005, 7) if arguments.quick else (0.03, arguments.rounds)
    if arguments.device == "cuda":
        if not torch.cuda.is_available():
            print("no GPU")
            return
        print(f"{torch.cuda.get_device_name()}, float32 products at precision {torch.get_float32_matmul_precision()!r}")
        _small_networks(torch.device("cuda"), rounds, turn, _CUDA_TARGETS)
        _large_network(rounds, turn)
        return
    _small_networks(torch.device("cpu"), rounds, turn, _TARGETS)
    _scaling([count for count in arguments.samples if count <= 10**5 or not arguments.quick], turn)


def _small_networks(device: torch.device, rounds: int, turn: float, least_ratios: dict[tuple[int, int], float]) -> None:
    print(f"\nA step, 1000 samples of 20 inputs, on {device.type}; medians and quartiles of {rounds} rounds\n")
    print("| minimizer | widths | dtype | ours, µs | autograd / ours | target | ours / bare products | target |")
    print("|---|---|---|--:|--:|--:|--:|--:|")
    # The products of a small network leave a GPU idle: they say how fast Python is.
    most_products = f"≤ {_MOST_PRODUCTS:g}" if device.type == "cpu" else ""
    for widths, least_ratio in least_ratios.items():
        for dtype in (torch.float64, torch.float32):
            problem, network = _case(1000, 20, widths, dtype, device)
            for name, ours, theirs in (
                ("gradient descent", _ours(GradientDescent, problem, network), _autograd(problem, network, "sgd")),
                ("Adam", _ours(Adam, problem, network), _autograd(problem, network, "adam")),
            ):
                times = _times({_OURS: ours, _AUTOGRAD: theirs, _PRODUCTS: _products(problem, network)}, rounds, turn)
                # The targets are those of gradient descent.
                targets = (f"≥ {least_ratio:g}", most_products) if name != "Adam" else ("", "")
                print(
                    f"| {name} | {widths} | {_short(dtype)} | {1e6 * statistics.median(times[_OURS]):.1f} "
                    f"| {spread(_ratios(times[_AUTOGRAD], times[_OURS]))} | {targets[0]} "
                    f"| {spread(_ratios(times[_OURS], times[_PRODUCTS]))} | {targets[1]} |",
                    flush=True,
                )


def _large_network(rounds: int, turn: float) -> None:
    problem, network = _case(200_000, 1000, (512, 512), torch.float32, torch.device("cuda"))
    ours = _ours(GradientDescent, problem, network)
    times = _times({_OURS: ours, _PRODUCTS: _products(problem, network)}, rounds, turn)
    print("\n200,000 samples of 1000 inputs, widths (512, 512), float32, gradient descent on cuda\n")
    rates = [100 * each for each in _ratios(times[_PRODUCTS], times[_OURS])]
    print(
        f"{1e3 * statistics.median(times[_OURS]):.1f} ms a step; the rate of its bare products is reached to "
        f"{spread(rates, 0)} %, target ≥ {100 * _LEAST_RATE:g} %"
    )


def _scaling(samples: Sequence[int], turn: float) -> None:
    print("\nA step of gradient descent with more samples: 20 inputs, widths (4, 2), float64\n")
    seconds = []
    for count in samples:
        problem, network = _case(count, 20, (4, 2), torch.float64, torch.device("cpu"))
        seconds.append(statistics.median(_times({_OURS: _ours(GradientDescent, problem, network)}, 5, turn)[_OURS]))
    print("| samples | ms | ns a sample |\n|--:|--:|--:|")
    for count, each in zip(samples, seconds, strict=True):
        print(f"| {count:,} | {1e3 * each:.3f} | {1e9 * each / count:.1f} |")
    print(f"\nExponent of a fitted power law: {np.polyfit(np.log(samples), np.log(seconds), 1)[0]:.2f}")


def _case(
    samples: int, inputs: int, widths: Sequence[int], dtype: torch.dtype, device: torch.device
) -> tuple[Problem, HomogeneousNetwork]:
    """Random signs, targets and weights; about half of all neurons respond to a sample."""
    generator = torch.Generator().manual_seed(0)

    def normal(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=generator, dtype=dtype)

    sizes = [inputs, *widths, 1]
    weights = [normal(k, below) / below**0.5 for below, k in pairwise(sizes)]
    problem = Problem(normal(samples, inputs).sign(), normal(samples, 1), dtype=dtype)
    return problem.to(device=device), HomogeneousNetwork([weight.to(device) for weight in weights])


def _ours(kind: type[GradientDescent] | type[Adam], problem: Problem, network: HomogeneousNetwork) -> Steps:
    objective = Objective(problem, network)
    minimizer: Minimizer = kind(objective, objective.initial, learning_rate=_LEARNING_RATE, stopping=_NEVER)

    @torch.no_grad()
    def take(steps: int) -> None:
        minimizer.advance(steps)
        if minimizer.finished is not None:
            raise RuntimeError(f"the minimizer is to go on, but {minimizer.finished}")

    return take


def _autograd(problem: Problem, network: HomogeneousNetwork, optimizer: str) -> Steps:
    """The same network as a module of torch, differentiated automatically; Adam in torch's fused form."""
    module = network.to_module()
    descent: torch.optim.Optimizer = (
        torch.optim.SGD(module.parameters(), lr=_LEARNING_RATE)
        if optimizer == "sgd"
        else torch.optim.Adam(module.parameters(), lr=_LEARNING_RATE, fused=True)
    )

    def take(steps: int) -> None:
        for _ in range(steps):
            descent.zero_grad()
            loss = 0.5 * (module(problem.inputs) - problem.targets).square().mean()
            loss.backward()
            descent.step()

    return take


def _products(problem: Problem, network: HomogeneousNetwork) -> Steps:
    """The eight matrix products of a step and nothing else: samples are columns, as in ``learning/passes.py``."""
    W_1, W_2, W_3 = network.weights
    X = problem.inputs
    z_1, z_2, H = (torch.randn(len(weight), len(X), dtype=X.dtype, device=X.device) for weight in network.weights)
    s_1, s_2, s_3 = (torch.empty_like(z) for z in (z_1, z_2, H))
    g_1, g_2, g_3 = (torch.empty_like(weight) for weight in network.weights)
    # What the activation makes of z and of the signals, which are left out.
    h_1, h_2 = z_1.clone().relu_(), z_2.clone().relu_()
    s_3.copy_(H)
    calls = [
        (W_1, X.mT, z_1),
        (W_2, h_1, z_2),
        (W_3, h_2, H),
        (s_3, h_2.mT, g_3),
        (W_3.mT, s_3, s_2),
        (s_2, h_1.mT, g_2),
        (W_2.mT, s_2, s_1),
        (s_1, X, g_1),
    ]

    @torch.no_grad()
    def take(steps: int) -> None:
        for _ in range(steps):
            for left, right, out in calls:
                torch.mm(left, right, out=out)

    return take


def _times(steps: dict[str, Steps], rounds: int, turn: float) -> dict[str, list[float]]:
    """Seconds a step of each in every round; a turn of each takes about ``turn`` seconds."""
    counts = {name: _steps_in(turn, take) for name, take in steps.items()}
    times = alternate({name: partial(_run, take, counts[name]) for name, take in steps.items()}, rounds)
    return {name: [each / counts[name] for each in values] for name, values in times.items()}


def _steps_in(seconds: float, take: Steps) -> int:
    steps = 1
    _run(take, steps)  # the first is slower; on a GPU it captures the graph
    while True:
        began = time.perf_counter()
        _run(take, steps)
        taken = time.perf_counter() - began
        if taken > seconds / 2:
            return max(1, round(steps * seconds / taken))
        steps *= 2


def _run(take: Steps, steps: int) -> None:
    take(steps)
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()  # what was launched has run when the clock is read


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    main()
