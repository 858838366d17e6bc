"""Pictures of pursuits and saddle flows as matplotlib figures: for a paper, a PDF, or a page that runs no kernel."""

from np_widgets.plots.comparison import comparison
from np_widgets.plots.figures import (
    architecture,
    candidates,
    choice,
    directions,
    ensemble,
    function,
    loss,
    norms,
    overview,
    plateaus,
    saddle_overview,
    saddle_weights,
    scene,
    weights,
)
from np_widgets.plots.film import animate
from np_widgets.plots.study import study

__all__ = [
    "animate",
    "architecture",
    "candidates",
    "choice",
    "comparison",
    "directions",
    "ensemble",
    "function",
    "loss",
    "norms",
    "overview",
    "plateaus",
    "saddle_overview",
    "saddle_weights",
    "scene",
    "study",
    "weights",
]
