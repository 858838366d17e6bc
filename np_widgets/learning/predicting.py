"""What engines that have a network say of new rows."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.problems import Problem, predicting


class Predicts:
    """Predictions for rows in the units of the original data, by the best network if one was chosen, else the last."""

    problem: Problem

    @property
    def network(self) -> HomogeneousNetwork | None:
        """A copy of the current network; None before the first."""
        raise NotImplementedError

    @property
    def best_network(self) -> HomogeneousNetwork | None:
        """The network that did best on the validation set; None without one, or before the first."""
        return None

    def predict(self, rows: Any) -> NDArray[Any]:
        """Predictions for new rows, as ``problem.transform`` takes them.

        Returns
        -------
        numpy.ndarray
            Labels of shape ``(k,)``; or numbers in the units of the original targets, ``(k,)`` for one output and
            ``(k, m)`` for several. By :attr:`best_network` if there is one, else by :attr:`network`.

        Raises
        ------
        RuntimeError
            If there is no network yet.
        TypeError, ValueError
            If the rows are not of the original columns.
        """
        return predicting.predicted(self._chosen("predict"), self.problem, rows)

    def predict_proba(self, rows: Any) -> NDArray[Any]:
        """The probability of each class for new rows, ``(k, classes)``, in the order of ``problem.classes``."""
        return predicting.probabilities(self._chosen("predict_proba"), self.problem, rows)

    def score(self, rows: Any, targets: Any, sample_weight: Any = None) -> float:
        """The share of right labels for new rows; or R², the mean of those of all outputs; with weights ``(k,)``."""
        return predicting.score(self._chosen("score"), self.problem, rows, targets, sample_weight)

    def _chosen(self, what: str) -> HomogeneousNetwork:
        network = self.best_network or self.network
        if network is None:
            raise RuntimeError(f"{what} needs a network: run the {type(self).__name__} first")
        return network
