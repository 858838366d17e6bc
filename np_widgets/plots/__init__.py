"""Pictures of a pursuit as matplotlib figures: for a paper, a PDF, or a page that runs no kernel."""

from np_widgets.plots.figures import architecture, candidates, function, loss, overview, weights

__all__ = ["architecture", "candidates", "function", "loss", "overview", "weights"]
