"""What the regressor and the classifier share: checks, the path of decays, and the network in words."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from np_widgets import arguments
from np_widgets.estimators.decays import DECAYS, Choice, choose, table
from np_widgets.estimators.expression import Expression
from np_widgets.estimators.fit import Fit, Growth
from np_widgets.estimators.rows import Floats, Rows
from np_widgets.learning.driving import own_torch_threads
from np_widgets.learning.minimizers.choice import MinimizerName
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.engine import NeuronPursuit
from np_widgets.problems.tables import with_constant
from np_widgets.problems.weights import checked_weights

MOST_DENSE = 5 * 10**7
"""Entries of a sparse matrix, zeros counted, up to which it is made dense: 400 MB."""
_MOST_IN_FORMULA = 8
_FOLDS, _FEW, _MANY_FOLDS = 4, 1000, 2
"""So many folds; above so many rows only some of them are validated on."""


class PursuitEstimator(BaseEstimator):
    """A pursuit behind scikit-learn's interface."""

    n_features_in_: int
    network_: HomogeneousNetwork
    pursuit_: NeuronPursuit
    weight_decay_: float
    decay_path_: Any
    _fit: Fit
    _outputs: tuple[str, ...]  # what the outputs are called in a formula
    _shown: tuple[str, ...]  # and in pictures

    def __init__(
        self,
        hidden_layers: int = 1,
        max_neurons: int = 16,
        weight_decay: float | Literal["auto"] = "auto",
        *,
        cv: Any = None,
        power: int = 1,
        leak: float = 0.0,
        starts: int = 10,
        max_steps: int | None = 100,
        minimizer: MinimizerName = "lbfgs",
        random_state: Any = 0,
    ) -> None:
        self.hidden_layers = hidden_layers
        self.max_neurons = max_neurons
        self.weight_decay = weight_decay
        self.cv = cv
        self.power = power
        self.leak = leak
        self.starts = starts
        self.max_steps = max_steps
        self.minimizer = minimizer
        self.random_state = random_state

    def explain(self) -> Any:
        """What each neuron of the first hidden layer sees.

        Returns
        -------
        DataFrame
            A row for each neuron, as :meth:`formula` writes it: ``sees``, the names of the inputs that make up nine
            tenths of its variation, the largest first; its weight on each input and ``offset``, for inputs in their
            original units; and its weight on each output (with one hidden layer). A list of dictionaries without
            pandas.
        """
        check_is_fitted(self)
        return table(self._expression().records())

    def formula(self, *, digits: int = 6, latex: bool = False) -> str:
        """The network written out, with the names of the inputs, in their and the targets' original units.

        Parameters
        ----------
        digits
            Of each number, significant ones: at least 1; 17 are all.
        latex
            Write an ``aligned`` environment for mathematics instead of lines that Python understands (where names are
            no identifiers they stand in backticks).

        Raises
        ------
        ValueError
            If the network has more than 8 neurons.
        """
        check_is_fitted(self)
        digits, latex = arguments.whole("digits", digits, 1, 17), arguments.flag("latex", latex)
        neurons = sum(self.network_.widths)
        if neurons > _MOST_IN_FORMULA:
            raise ValueError(
                f"formula() writes networks of at most {_MOST_IN_FORMULA} neurons, this one has {neurons}: fit with "
                f"max_neurons={_MOST_IN_FORMULA} or a larger weight_decay, or see explain()"
            )
        return self._expression().text(digits, latex)

    def widget(self, **options: Any) -> Any:
        """A :class:`~np_widgets.PursuitWidget` of the fitted pursuit, with its ``options``: how the network grew."""
        check_is_fitted(self)
        # Estimators know nothing of widgets, which are loaded when one is asked for.
        return import_module("np_widgets.widgets.pursuit").PursuitWidget(self.pursuit_, **options)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _learn(self, X: Floats, targets: Any, y: Any, sample_weight: Any, classes: int | None) -> Self:
        """Fit to checked inputs and targets; ``y`` is what splits are made by."""
        settings: dict[str, Any] = {
            "hidden_layers": arguments.whole("hidden_layers", self.hidden_layers, 1),
            "power": arguments.whole("power", self.power, 1),
            "leak": self.leak,
            "starts": self.starts,
            "max_steps": self.max_steps,
            "minimizer": self.minimizer,
        }
        most = arguments.whole("max_neurons", self.max_neurons, settings["hidden_layers"])
        automatic = isinstance(self.weight_decay, str)
        if automatic:
            arguments.choice("weight_decay", self.weight_decay, ("auto",))
        decay = DECAYS[0] if automatic else arguments.real("weight_decay", self.weight_decay, least=0)
        given = checked_weights("sample_weight", sample_weight, len(X))
        weights = np.ones(len(X)) if given is None else given.numpy()
        rng = check_random_state(self.random_state)
        settings["seed"] = int(rng.randint(2**31 - 1))
        rows = Rows.distinct(X, targets, weights)
        names = tuple(map(str, getattr(self, "feature_names_in_", ())))
        labels = {
            "name": type(self).__name__,
            "input_names": with_constant(names) if names and len(set(names)) == len(names) else None,
            "output_names": self._shown if len(set(self._shown)) == len(self._shown) else None,
        }

        def begin(learned: Rows, decay: float) -> Growth:
            return Growth(learned, classes, most, labels, weight_decay=decay, **settings)

        choice = Choice(decay, most, [])
        with own_torch_threads(1):
            if automatic and len(rows) > 1:
                choice = choose(begin, self._folds(rows, rng, X, targets, y, weights))
            growth = begin(rows, choice.decay)
            while len(growth.fits) < choice.networks and growth.advance():
                pass
        self._fit = growth.fits[-1]
        self.weight_decay_, self.decay_path_ = choice.decay, table(choice.records)
        self.network_, self.pursuit_ = self._fit.network, self._fit.pursuit
        return self

    def _folds(
        self, rows: Rows, rng: np.random.RandomState, X: Floats, targets: Any, y: Any, weights: Floats
    ) -> list[tuple[Rows, Rows]]:
        if self.cv is None:
            return rows.folds(min(_FOLDS, len(rows)), rng)[: None if len(rows) <= _FEW else _MANY_FOLDS]
        splits = check_cv(self.cv, y, classifier=is_classifier(self)).split(X, y)
        folds = [
            (
                Rows.distinct(X[learned], targets[learned], weights[learned]),
                Rows.distinct(X[held_out], targets[held_out], weights[held_out]),
            )
            for learned, held_out in splits
        ]
        if found := [fold for fold in folds if min(map(len, fold)) > 0]:
            return found
        raise ValueError(f"cv must leave rows that have weight on both sides of a split, got {self.cv!r}")

    def _checked_inputs(self, X: Any, **options: Any) -> Any:
        """What :func:`validate_data` returns, with dense inputs."""
        checked = validate_data(self, X, dtype=np.float64, accept_sparse=("csr", "csc", "coo"), **options)
        if isinstance(checked, tuple):
            return _dense(checked[0]), checked[1]
        return _dense(checked)

    def _predicted(self, X: Any) -> Floats:
        """The outputs of the network for new rows, of shape ``(n, m)``."""
        check_is_fitted(self)
        return self._fit.outputs(self._checked_inputs(X, reset=False))

    def _expression(self) -> Expression:
        names = getattr(self, "feature_names_in_", [f"x{index}" for index in range(self.n_features_in_)])
        return Expression.of(self._fit, list(map(str, names)), self._outputs)


def _dense(X: Any) -> Floats:
    if not sparse.issparse(X):
        return np.asarray(X)
    if X.shape[0] * X.shape[1] > MOST_DENSE:
        raise ValueError(
            f"X must have at most {MOST_DENSE:,} entries, zeros counted, to be made dense from a sparse matrix, got "
            f"shape {X.shape}: fewer columns do, as by sklearn.decomposition.TruncatedSVD"
        )
    return np.asarray(X.toarray())
