"""Classification by Neuron Pursuit."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from np_widgets.estimators.estimator import PursuitEstimator
from np_widgets.estimators.rows import Floats


class NeuronPursuitClassifier(ClassifierMixin, PursuitEstimator):
    """A small network that tells classes apart, grown neuron by neuron.

    Inputs are standardized inside, and a constant input is added. Cross entropy and a price λ on weights are minimized
    by :class:`~np_widgets.NeuronPursuit`.

    Parameters
    ----------
    hidden_layers, max_neurons, weight_decay, cv, power, leak, starts, max_steps, minimizer, random_state
        See :class:`NeuronPursuitRegressor`.

    Attributes
    ----------
    classes_
        The labels, sorted.
    network_, pursuit_, weight_decay_, decay_path_, n_features_in_, feature_names_in_
        See :class:`NeuronPursuitRegressor`; the errors of the path are mean cross entropies.

    Notes
    -----
    As of :class:`NeuronPursuitRegressor`.
    """

    classes_: NDArray[Any]

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Grow a network for these data.

        Parameters
        ----------
        X
            Shape ``(n, d)``: an array, a DataFrame or a sparse matrix of finite numbers; n ≥ 2.
        y
            Labels of any kind, of shape ``(n,)``: at least two different ones.
        sample_weight
            Shape ``(n,)``, not negative; None for equal weights.

        Returns
        -------
        NeuronPursuitClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is not as it should be; the message names it.
        """
        X, y = self._checked_inputs(X, y=y, ensure_min_samples=2)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y must have labels of at least two classes, got one class: {self.classes_.tolist()[0]!r}"
            )
        self._shown = tuple(map(str, self.classes_.tolist()))
        self._outputs = tuple(f"score of {label!r}" for label in self.classes_.tolist())
        return self._learn(X, codes.astype(np.int64), y, sample_weight, len(self.classes_))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label for each of new rows ``(n, d)``: shape ``(n,)``."""
        best = self._predicted(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> Floats:
        """The probability of each class, in the order of ``classes_``: shape ``(n, classes)``."""
        return np.asarray(softmax(self._predicted(X), axis=1))

    def decision_function(self, X: Any) -> Floats:
        """The scores of the classes, ``(n, classes)``; of two the log odds of the second, ``(n,)``."""
        scores = self._predicted(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores
