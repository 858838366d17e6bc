"""The estimators on fourteen data sets, with their defaults, beside usual models: test errors, sizes and seconds.

``python -m tests.benchmarks.bench_estimators [splits] [data set …]``. Errors are 1 − R² or shares of wrong classes, on
30 % of the rows: means over repeated splits, the same for all models, and standard deviations.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn.datasets as source
import torch
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import np_widgets as npw
from tests.benchmarks.timing import versions

Data = tuple[np.ndarray, np.ndarray]
_DECAYS = np.logspace(-3, 3, 20)


def _sparse_relu() -> Data:
    """Three ReLU neurons that see six of twenty inputs, and noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 20))
    relu = [np.maximum(x[:, k] + x[:, k + 1], 0) for k in (0, 2, 4)]
    return x, relu[0] - relu[1] + 0.5 * relu[2] + 0.1 * rng.standard_normal(500)


def _authors() -> Data:
    problem = npw.problems.kumar_haupt(samples=1000, seed=0)
    return problem.inputs.numpy(), problem.targets.numpy()[:, 0]


REGRESSIONS: dict[str, Callable[[], Data]] = {
    "diabetes": lambda: source.load_diabetes(return_X_y=True),
    "Friedman 1": lambda: source.make_friedman1(600, noise=1.0, random_state=0),
    "Friedman 2": lambda: source.make_friedman2(600, noise=100.0, random_state=0),
    "Friedman 3": lambda: source.make_friedman3(600, noise=0.1, random_state=0),
    "make_regression": lambda: source.make_regression(500, 20, n_informative=10, noise=20.0, random_state=0),
    "sparse ReLU": _sparse_relu,
    "authors' example": _authors,
}
CLASSIFICATIONS: dict[str, Callable[[], Data]] = {
    "breast cancer": lambda: source.load_breast_cancer(return_X_y=True),
    "wine": lambda: source.load_wine(return_X_y=True),
    "digits": lambda: source.load_digits(return_X_y=True),
    "moons": lambda: source.make_moons(500, noise=0.25, random_state=0),
    "circles": lambda: source.make_circles(500, noise=0.15, factor=0.5, random_state=0),
    "make_classification 1": lambda: source.make_classification(600, random_state=0),
    "make_classification 2": lambda: source.make_classification(
        600, n_informative=6, n_classes=3, flip_y=0.05, random_state=1
    ),
}


def main(splits: int = 5, names: tuple[str, ...] = ()) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of an MLP that has not converged
    print(versions())
    print("| data | linear | boosted trees | MLP | ours | neurons | weights / MLP's | λ | seconds |", flush=True)
    for name, made in {**REGRESSIONS, **CLASSIFICATIONS}.items():
        if not names or name in names:
            _row(name, *made(), classes=name in CLASSIFICATIONS, splits=splits)


def _models(seed: int, classes: bool) -> list[Any]:
    if classes:
        linear = LogisticRegressionCV(max_iter=5000)
        trees: Any = HistGradientBoostingClassifier(random_state=seed)
        return [linear, trees, MLPClassifier(random_state=seed), npw.NeuronPursuitClassifier(random_state=seed)]
    trees = HistGradientBoostingRegressor(random_state=seed)
    return [RidgeCV(_DECAYS), trees, MLPRegressor(random_state=seed), npw.NeuronPursuitRegressor(random_state=seed)]


def _row(name: str, inputs: np.ndarray, targets: np.ndarray, *, classes: bool, splits: int) -> None:
    errors: list[list[float]] = []
    sizes, ratios, decays, seconds = [], [], [], []
    for seed in range(splits):
        learned, held_out, known, wanted = train_test_split(
            inputs, targets, test_size=0.3, random_state=seed, stratify=targets if classes else None
        )
        errors.append([])
        for model in _models(seed, classes):
            assert is_classifier(model) == classes
            pipeline = make_pipeline(StandardScaler(), model)
            began = time.process_time()
            pipeline.fit(learned, known)
            used = time.process_time() - began
            errors[-1].append(1 - pipeline.score(held_out, wanted))
            if isinstance(model, (MLPClassifier, MLPRegressor)):
                weights = sum(each.size for each in (*model.coefs_, *model.intercepts_))
        sizes.append(sum(model.network_.widths))
        ratios.append(model.network_.parameter_count / weights)
        decays.append(model.weight_decay_)
        seconds.append(used)
    means, deviations = np.mean(errors, axis=0), np.std(errors, axis=0)
    cells = [f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in zip(means, deviations, strict=True)]
    print(
        f"| {name} | {' | '.join(cells)} | {np.mean(sizes):.1f} | {np.median(ratios):.3f} | {np.median(decays):g} "
        f"| {np.mean(seconds):.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, tuple(sys.argv[2:]))
