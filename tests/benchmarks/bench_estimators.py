"""The estimators on fourteen data sets, with their defaults, beside usual models: test errors, sizes and seconds.

``python -m tests.benchmarks.bench_estimators [splits] [data set …]``. Errors are 1 − R² or shares of wrong classes, on
30 % of the rows: means over repeated splits, the same for all models, and standard deviations. The table of these
so far is printed after each; all five take about half an hour.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import sklearn.datasets as source
import torch
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import np_widgets as npw
from tests.benchmarks.timing import versions

Data = tuple[np.ndarray, np.ndarray]
_FIRST = 5  # the splits before were looked at while defaults were chosen
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


MODELS = ("linear", "boosted trees", "MLP", "Adam", "ours")


class AdamNetwork(BaseEstimator):  # type: ignore[misc]
    """A hundred ReLU neurons by Adam, with a price on weights and restarts, chosen on a quarter of the rows.

    All decays and restarts are trained side by side; then the best decay on all rows.
    """

    def __init__(self, classes: bool, random_state: int = 0) -> None:
        self.classes, self.random_state = classes, random_state
        self.width, self.steps, self.restarts = 100, 500, 2

    def fit(self, X: Any, y: Any) -> AdamNetwork:
        """Choose the decay, and train with it."""
        inputs, targets = torch.from_numpy(X).float(), torch.from_numpy(y)
        if self.classes:  # which are 0, 1, …
            outputs = int(y.max()) + 1
        else:
            self._center, self._spread, outputs = y.mean(), y.std(), 1
            targets = ((targets - self._center) / self._spread).float().unsqueeze(1)
        generator = torch.Generator().manual_seed(self.random_state)
        order = torch.randperm(len(inputs), generator=generator)
        held_out, learned = order[: len(order) // 4], order[len(order) // 4 :]
        decays = torch.tensor([0.0, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]).repeat_interleave(self.restarts)
        networks = self._trained(inputs[learned], targets[learned], decays, outputs, generator)
        decay = decays[self._losses(networks, inputs[held_out], targets[held_out]).argmin()]
        networks = self._trained(inputs, targets, decay.repeat(self.restarts), outputs, generator)
        best = self._losses(networks, inputs, targets).argmin()
        self.weights_ = [weight[best : best + 1] for weight in networks]
        return self

    def score(self, X: Any, y: Any) -> float:
        """R², or the share of right labels."""
        found = self._outputs(self.weights_, torch.from_numpy(X).float())[0].numpy()
        if self.classes:
            return float((found.argmax(axis=1) == y).mean())
        return float(1 - ((self._center + self._spread * found[:, 0] - y) ** 2).mean() / y.var())

    def _outputs(self, weights: list[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        first, bias, second, offset = weights
        return torch.relu(inputs @ first + bias) @ second + offset

    def _losses(self, weights: list[torch.Tensor], inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        outputs = self._outputs(weights, inputs)
        if not self.classes:
            return (outputs - targets).square().mean(dim=(1, 2)) / 2
        return torch.stack([torch.nn.functional.cross_entropy(each, targets) for each in outputs])

    def _trained(self, inputs: Any, targets: Any, decays: Any, outputs: int, generator: Any) -> list[torch.Tensor]:
        count, size = len(decays), inputs.shape[1]
        shapes = ((size, self.width), (1, self.width), (self.width, outputs), (1, outputs))
        scales = ((2 / size) ** 0.5, 0.0, (1 / self.width) ** 0.5, 0.0)
        weights = [
            (scale * torch.randn(count, *shape, generator=generator)).requires_grad_()
            for shape, scale in zip(shapes, scales, strict=True)
        ]
        adam = torch.optim.Adam(weights, lr=0.01)
        for _ in range(self.steps):
            adam.zero_grad()
            price = sum(weight.square().sum(dim=(1, 2)) for weight in weights)
            (self._losses(weights, inputs, targets) + decays / 2 * price).sum().backward()
            adam.step()
        return [weight.detach() for weight in weights]


def main(splits: int = 5, names: tuple[str, ...] = ()) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of an MLP that has not converged
    print(versions())
    data = {name: made() for name, made in {**REGRESSIONS, **CLASSIFICATIONS}.items() if not names or name in names}
    results: dict[str, list[Result]] = {name: [] for name in data}
    for seed in range(_FIRST, _FIRST + splits):
        for name, (inputs, targets) in data.items():
            results[name].append(_result(inputs, targets, name in CLASSIFICATIONS, seed))
            print(f"split {seed + 1}, {name}: {results[name][-1]}", flush=True)
        _show(results, seed + 1 - _FIRST)


class Result(NamedTuple):
    """One split: the error of each model; and of ours the neurons, the weights of the MLP for each one, λ, seconds."""

    errors: tuple[float, ...]
    neurons: int
    share: float
    decay: float
    seconds: float


def _show(results: dict[str, list[Result]], splits: int) -> None:
    print(f"| {splits} splits | {' | '.join(MODELS)} | neurons | weights / MLP's | λ | seconds |")
    print("|---" * (len(MODELS) + 5) + "|")
    level = 0
    for name, found in results.items():
        errors = np.array([each.errors for each in found])
        means, deviations = errors.mean(axis=0), errors.std(axis=0)
        best = int(means.argmin())
        level += means[-1] <= means[best] + deviations[best]
        cells = [
            f"{'**' * (index == best)}{mean:.3f}{'**' * (index == best)} ± {deviation:.3f}"
            for index, (mean, deviation) in enumerate(zip(means, deviations, strict=True))
        ]
        _, neurons, shares, decays, seconds = zip(*found, strict=True)
        ours = f"{np.mean(neurons):.0f} | {np.median(shares):.2f} | {np.median(decays):g} | {np.mean(seconds):.0f}"
        print(f"| {name} | {' | '.join(cells)} | {ours} |")
    print(f"ours within one standard deviation of the best on {level} of {len(results)}", flush=True)


def _models(seed: int, classes: bool) -> list[Any]:
    """In the order of ``MODELS``."""
    if classes:
        linear = LogisticRegressionCV(max_iter=5000)
        trees: Any = HistGradientBoostingClassifier(random_state=seed)
        others = [linear, trees, MLPClassifier(random_state=seed), AdamNetwork(True, seed)]
        return [*others, npw.NeuronPursuitClassifier(random_state=seed)]
    trees = HistGradientBoostingRegressor(random_state=seed)
    others = [RidgeCV(_DECAYS), trees, MLPRegressor(random_state=seed), AdamNetwork(False, seed)]
    return [*others, npw.NeuronPursuitRegressor(random_state=seed)]


def _result(inputs: np.ndarray, targets: np.ndarray, classes: bool, seed: int) -> Result:
    learned, held_out, known, wanted = train_test_split(
        inputs, targets, test_size=0.3, random_state=seed, stratify=targets if classes else None
    )
    errors = []
    for model in _models(seed, classes):
        pipeline = make_pipeline(StandardScaler(), model)
        began = time.process_time()
        pipeline.fit(learned, known)
        seconds = time.process_time() - began
        errors.append(1 - pipeline.score(held_out, wanted))
        if isinstance(model, (MLPClassifier, MLPRegressor)):
            weights = sum(each.size for each in (*model.coefs_, *model.intercepts_))
    share = model.network_.parameter_count / weights
    return Result(tuple(errors), sum(model.network_.widths), share, model.weight_decay_, seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, tuple(sys.argv[2:]))
