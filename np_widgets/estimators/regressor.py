"""Regression by Neuron Pursuit."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin

from np_widgets.estimators.estimator import PursuitEstimator
from np_widgets.estimators.rows import Floats


class NeuronPursuitRegressor(RegressorMixin, PursuitEstimator):
    """A small network for regression, grown neuron by neuron.

    Inputs and targets are standardized inside, and a constant input is added. The square loss and a price λ on weights
    are minimized by :class:`~np_widgets.NeuronPursuit`.

    Parameters
    ----------
    hidden_layers
        The number of hidden layers.
    max_neurons
        The most hidden neurons that may be grown, at least one for each hidden layer.
    weight_decay
        λ ≥ 0, for standardized data, with which networks grow up to ``max_neurons``; ``"auto"`` chooses λ and the
        number of neurons: with each of 0.3, 0.1, 0.03, … 0.0003 a network grows until three neurons in turn have not
        lowered the error on held-out rows, and the path ends when two λ in turn have not. The largest λ and the fewest
        neurons within a hundredth of the lowest error grow once more, on all rows.
    cv
        How rows are held out for that: anything that scikit-learn takes. None for four folds, of which two are
        held out in turn above 1,000 rows.
    power, leak
        p and α of the activation ``σ(z) = max(z, αz)^p``.
    starts
        Random starts of each search.
    max_steps
        The step budget of each network on the way; None for the minimizer's own.
    minimizer
        See :class:`~np_widgets.NeuronPursuit`. ``minimizer="auto", max_steps=None`` takes longer and ends, where it
        can, with a certificate.
    random_state
        An integer, a ``RandomState``, or None for another result each time.

    Attributes
    ----------
    network_
        The :class:`~np_widgets.HomogeneousNetwork` on standardized inputs and the constant.
    pursuit_
        The :class:`~np_widgets.NeuronPursuit` that grew it; :meth:`widget` shows it.
    weight_decay_
        λ.
    decay_path_
        For ``"auto"`` a DataFrame (a list of dictionaries without pandas) with a row for each λ that was tried, and of
        the networks grown with it that of the fewest neurons within a hundredth of the lowest validation error:
        ``weight_decay``, ``neurons``, ``training_error`` and ``validation_error`` (mean squared errors in units of the
        variance of the targets learned from), and ``gap``, the relative duality gap: by no more than this share can the
        penalized loss of any network, however wide, be lower (NaN where that is not known). All over all splits: means,
        and the largest gap. Else it is empty.
    n_features_in_, feature_names_in_
        As in all of scikit-learn.

    Notes
    -----
    Sample weights are those of :class:`~np_widgets.Problem`. Equal rows count as one of their total weight, and are
    held out together unless ``cv`` splits them. Sparse inputs are made dense, up to 5·10⁷ entries.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Grow a network for these data.

        Parameters
        ----------
        X
            Shape ``(n, d)``: an array, a DataFrame or a sparse matrix of finite numbers; n ≥ 2.
        y
            Shape ``(n,)`` or ``(n, m)``.
        sample_weight
            Shape ``(n,)``, not negative; None for equal weights.

        Returns
        -------
        NeuronPursuitRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is not as it should be; the message names it.
        """
        names = getattr(y, "columns", [getattr(y, "name", None)])
        X, y = self._checked_inputs(X, y=y, multi_output=True, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, dtype=np.float64)
        self._flat = y.ndim == 1
        targets = y.reshape(len(y), -1)
        count = targets.shape[1]
        if len(names) == count and None not in list(names):
            self._outputs = tuple(map(str, names))
        else:
            self._outputs = ("y",) if count == 1 else tuple(f"y{index}" for index in range(count))
        self._shown = self._outputs
        return self._learn(X, targets, y, sample_weight, None)

    def predict(self, X: Any) -> Floats:
        """The predictions for new rows ``(n, d)``: of shape ``(n,)``, or ``(n, m)`` if the targets were so."""
        outputs = self._predicted(X)
        return outputs[:, 0] if self._flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
