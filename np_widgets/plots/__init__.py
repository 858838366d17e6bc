"""Pictures of pursuits and saddle flows as matplotlib figures: for a paper, a PDF, or a page that runs no kernel."""

from np_widgets.plots.ensembles import ensemble
from np_widgets.plots.figures import architecture, candidates, function, loss, overview, weights
from np_widgets.plots.saddle import directions, norms, plateaus, saddle_overview, saddle_weights

__all__ = [
    "architecture",
    "candidates",
    "directions",
    "ensemble",
    "function",
    "loss",
    "norms",
    "overview",
    "plateaus",
    "saddle_overview",
    "saddle_weights",
    "weights",
]
