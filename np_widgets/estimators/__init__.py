"""Neuron Pursuit as scikit-learn estimators, for data of one's own. This room alone needs scikit-learn."""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        "NeuronPursuitRegressor and NeuronPursuitClassifier need scikit-learn: pip install 'np_widgets[data]'"
    ) from error

from np_widgets.estimators.classifier import NeuronPursuitClassifier
from np_widgets.estimators.regressor import NeuronPursuitRegressor

__all__ = ["NeuronPursuitClassifier", "NeuronPursuitRegressor"]
