"""All checks of a device other than the processor, in less than four minutes: ``python -m tests.device_check``.

It prints a row for each, fit for the README, and ends with status 1 where one fails or there is no such device.
``--device cpu --small`` runs its small form anywhere.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import torch

import np_widgets as npw
from np_widgets.learning.minimizers.choice import make_minimizer
from np_widgets.learning.objective import Objective
from np_widgets.problems import hypercube_error
from tests.benchmarks.timing import versions
from tests.bits import bits

Check = Callable[[], tuple[str, bool]]


def checks(device: str, small: bool) -> Iterator[tuple[str, Check]]:
    """What is checked, and the check: what it shows, and whether that is right."""
    samples, additions = (60, 1) if small else (1000, 8)
    example = npw.problems.kumar_haupt(samples=samples, seed=0)

    def grown(where: str, **options: object) -> npw.NeuronPursuit:
        more = {"starts": 8} | options if small else options
        pursuit = npw.NeuronPursuit(example, device=where, **more)  # type: ignore[arg-type]
        pursuit.run(max_additions=additions)
        return pursuit

    def pursued(dtype: torch.dtype, tolerance: float) -> Check:
        def check() -> tuple[str, bool]:
            here, there = grown("cpu"), grown(device, dtype=dtype)
            first = [pursuit.growth[0].loss for pursuit in (here, there)]
            network = there.network
            assert network is not None
            alike = abs(first[1] / first[0] - 1) <= tolerance
            placed = {weight.device.type for weight in network.weights} == {torch.device(device).type}
            error = hypercube_error(network.to(device="cpu", dtype=torch.float64), example)
            shown = (
                f"widths {network.widths}, loss {there.loss:.1e}; first loss {first[1]:.7g}, on the CPU {first[0]:.7g}"
            )
            return f"{shown}, hypercube {error:.1e}", alike and placed and (small or error < 1e-3)

        return check

    def stepped(name: str) -> Check:
        def check() -> tuple[str, bool]:
            start = npw.HomogeneousNetwork(
                [
                    torch.sin(1 + torch.arange(r * c, dtype=torch.float64)).view(r, c)
                    for r, c in ((4, 20), (3, 4), (1, 3))
                ]
            )
            steps, found = 60 if small else 1050, []
            for where, cuts in (("cpu", [steps]), (device, [steps]), (device, [steps // 3, steps - steps // 3])):
                objective = Objective(example.to(device=where), start.to(device=where))
                minimizer = make_minimizer(name, objective, objective.initial, 1e-3)
                for cut in cuts:
                    minimizer.advance(cut)
                found.append(minimizer)
            losses = [minimizer.loss for minimizer in found]
            sliced = bits(found[1].theta) == bits(found[2].theta)
            shown = f"loss {losses[1]:.9g}, on the CPU {losses[0]:.9g}"
            return f"{shown}; cut otherwise {'the same' if sliced else 'other'} bits", sliced and abs(
                losses[1] / losses[0] - 1
            ) < 1e-6

        return check

    def together() -> tuple[str, bool]:
        seeds = range(2 if small else 16)
        wanted = {"max_additions": additions, "device": device} | ({"starts": 8} if small else {})
        began = time.perf_counter()
        ensemble = npw.pursue_many(seeds, example, **wanted)  # type: ignore[arg-type]
        seconds = time.perf_counter() - began
        alone = npw.pursue_many([1], example, **wanted)[0]  # type: ignore[arg-type]
        alike = bits([each.loss for each in alone.growth]) == bits([each.loss for each in ensemble[1].growth])
        # What is promised of bits is promised for processors.
        near = abs(alone.growth[0].loss / ensemble[1].growth[0].loss - 1) < 1e-4
        kinds = [result.finished.kind for result in ensemble]
        ends = f"{kinds.count('target')} of {len(kinds)} at the target in {seconds:.1f} s"
        return f"{ends}; a member alone has {'the same' if alike else 'other'} bits", alike if device == "cpu" else near

    def flown() -> tuple[str, bool]:
        pursuit = npw.NeuronPursuit(example, starts=10)
        pursuit.run(max_additions=0)
        network, ends = pursuit.network, []
        assert network is not None
        for where in ("cpu", device):
            flow = npw.SaddleFlow(
                network.to(device=where), example.to(device=where), (2, 2), scale=1e-3, seed=0, gradient_tolerance=1.0
            )
            flow.run(until=0.1 if small else 3.0)
            ends.append(float(flow.record.loss[-1]))
        return f"loss {ends[1]:.9g}, on the CPU {ends[0]:.9g}", abs(ends[1] / ends[0] - 1) < 1e-5

    def in_batches() -> tuple[str, bool]:
        pursuit = grown(device, batch_size=16 if small else 256, max_steps=400 if small else 3000)
        return f"widths {pursuit.growth[-1].widths}, loss {pursuit.loss:.2e}", pursuit.growth[
            -1
        ].loss < example.zero_loss

    yield "default pursuit, float64", pursued(torch.float64, 1e-4)
    yield "default pursuit, float32", pursued(torch.float32, 1e-2)
    yield "gradient descent (graphs on CUDA)", stepped("gradient_descent")
    yield "Adam (graphs on CUDA)", stepped("adam")
    yield "`pursue_many`", together
    yield "`SaddleFlow`", flown
    yield "mini-batches", in_batches


def main(arguments: list[str] | None = None) -> int:
    """Run all checks; the number of those that failed, 1 without the device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="a small form, for seconds")
    given = parser.parse_args(arguments)
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print(f"no {given.device} device here: nothing has been checked")
        return 1
    print(versions())
    print(f"\n| on {given.device} | shows | seconds | |\n|---|---|--:|---|")
    failed = 0
    for what, check in checks(given.device, given.small):
        began = time.perf_counter()
        try:
            shown, right = check()
        except Exception as error:  # noqa: BLE001 (whatever it is: the other checks are to run)
            shown, right = repr(error), False
        failed += not right
        print(f"| {what} | {shown} | {time.perf_counter() - began:.1f} | {'✓' if right else 'FAILED'} |", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
