"""Which samples are held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from np_widgets import arguments
from np_widgets.problems.streams import stream

MOST_HELD_OUT = 0.9
Indices = NDArray[np.int64]


def held_out(
    count: int, shares: Mapping[str, float], seed: int, labels: Indices | None
) -> tuple[list[Indices], Indices]:
    """The sorted indices of each share of ``count`` samples, by name, and those of the rest; of each class evenly."""
    wanted = {name: arguments.real(name, share, least=0, most=MOST_HELD_OUT) for name, share in shares.items()}
    sizes = {name: round(share * count) for name, share in wanted.items()}
    for name, size in sizes.items():
        if size == 0 and wanted[name] > 0:
            raise ValueError(f"{name}={wanted[name]:g} of {count} samples must be at least one, got none")
    if sum(sizes.values()) >= count:
        said = ", ".join(f"{name}={share:g}" for name, share in wanted.items())
        raise ValueError(f"{said} must leave samples to learn from, of {count}")
    order = stream(arguments.seed(seed), "split").permutation(count)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    parts = []
    for size in sizes.values():
        # Classes lie one after the other: what is spread evenly over all takes its part of each.
        spread = np.arange(size) if labels is None else np.floor((np.arange(size) + 0.5) * len(order) / max(size, 1))
        places = spread.astype(np.int64)
        parts.append(np.sort(order[places]))
        order = np.delete(order, places)
    return parts, np.sort(order)
