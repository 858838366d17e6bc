"""What is learned: :class:`Problem`, and ready-made ones."""

from np_widgets.problems.display import Display
from np_widgets.problems.hypercube import hypercube_error, hypercube_vertices
from np_widgets.problems.losses import ElementwiseLoss, Loss
from np_widgets.problems.problem import Problem
from np_widgets.problems.random_network import random_teacher
from np_widgets.problems.ready_made import curve, kumar_haupt, multi_index, single_index, sparse_parity, two_moons
from np_widgets.problems.real_data import diabetes, digits

__all__ = [
    "Display",
    "ElementwiseLoss",
    "Loss",
    "Problem",
    "curve",
    "diabetes",
    "digits",
    "hypercube_error",
    "hypercube_vertices",
    "kumar_haupt",
    "multi_index",
    "random_teacher",
    "single_index",
    "sparse_parity",
    "two_moons",
]
