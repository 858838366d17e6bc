"""Random numbers: every use of a seed has a stream of its own."""

import numpy as np

_STREAMS = ("train", "test", "teacher", "noise", "split")


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator for one purpose; streams of one seed are independent of each other."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAMS.index(name),)))
