"""Neuron Pursuit, live in a notebook.

The algorithm is from Kumar & Haupt, *Learning Neural Networks by Neuron Pursuit* (arXiv 2509.12154).
"""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING

from np_widgets import problems
from np_widgets.learning.correlation.paths import KKTPoint
from np_widgets.learning.correlation.points import correlation, find_kkt_points, find_origin_points
from np_widgets.learning.fixed.engine import FixedNetwork
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.learning.pursuit.ensemble import PursuitEnsemble, PursuitResult
from np_widgets.learning.pursuit.per_network import PerNetwork
from np_widgets.learning.saddles.ensemble import EscapeEnsemble
from np_widgets.learning.saddles.flow import SaddleFlow
from np_widgets.problems import Problem
from np_widgets.sessions.escapes import escape_ensemble
from np_widgets.sessions.many import pursue_many
from np_widgets.sessions.session import Session, load
from np_widgets.sessions.storage import FileError
from np_widgets.sessions.study import study

if TYPE_CHECKING:
    from np_widgets import exercises, plots
    from np_widgets.estimators import NeuronPursuitClassifier, NeuronPursuitRegressor
    from np_widgets.plots import animate
    from np_widgets.widgets.comparison import ComparisonWidget, compare
    from np_widgets.widgets.own import SessionWidget
    from np_widgets.widgets.pursuit import PursuitWidget
    from np_widgets.widgets.saddle import SaddleWidget

__version__ = "0.1.0"

__all__ = [
    "ComparisonWidget",
    "EscapeEnsemble",
    "FileError",
    "FixedNetwork",
    "HomogeneousNetwork",
    "KKTPoint",
    "NeuronPursuit",
    "PerNetwork",
    "Problem",
    "PursuitEnsemble",
    "PursuitResult",
    "PursuitWidget",
    "SaddleFlow",
    "SaddleWidget",
    "Session",
    "SessionWidget",
    "animate",
    "compare",
    "correlation",
    "escape_ensemble",
    "exercises",
    "find_kkt_points",
    "find_origin_points",
    "load",
    "plots",
    "problems",
    "pursue_many",
    "study",
]
if _find_spec("sklearn") is not None:  # else they say what to install when they are asked for
    __all__ += ["NeuronPursuitClassifier", "NeuronPursuitRegressor"]

# Imported when they are asked for: bqplot and matplotlib take long, and a process that computes does without; and
# scikit-learn may not be there.
_LATER = {
    "ComparisonWidget": "widgets.comparison",
    "NeuronPursuitClassifier": "estimators",
    "NeuronPursuitRegressor": "estimators",
    "PursuitWidget": "widgets.pursuit",
    "SaddleWidget": "widgets.saddle",
    "SessionWidget": "widgets.own",
    "animate": "plots",
    "compare": "widgets.comparison",
}


if not TYPE_CHECKING:  # a type checker would believe that there is every name

    def __getattr__(name):
        if name in ("exercises", "plots"):
            return _import_module(f"np_widgets.{name}")
        if name in _LATER:
            return getattr(_import_module(f"np_widgets.{_LATER[name]}"), name)
        raise AttributeError(f"module 'np_widgets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
