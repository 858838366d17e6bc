"""Ready-made problems with real data, which scikit-learn carries: nothing is downloaded."""

from __future__ import annotations

import importlib
from typing import Any

from np_widgets import arguments
from np_widgets.problems.display import Display
from np_widgets.problems.problem import Problem
from np_widgets.problems.sampling import ready_made
from np_widgets.problems.splitting import MOST_HELD_OUT


@ready_made
def digits(*, test_fraction: float = 0.2, seed: int = 0) -> Problem:
    """1797 handwritten digits of 8 × 8 pixels, to be told apart: 10 classes, 65 inputs.

    The inputs are standardized over the training set and have a constant appended. Source: E. Alpaydin & C. Kaynak,
    Optical Recognition of Handwritten Digits (UCI, 1998; its test part), as carried by scikit-learn. It raises an
    ImportError if scikit-learn is not installed.
    """
    inputs, targets = _loaded("digits")
    display = Display("scatter", image=(8, 8))
    whole = Problem(inputs, targets, "cross_entropy", classes=10, name="digits", display=display)
    return _split(whole, test_fraction, seed).standardized()


@ready_made
def diabetes(*, test_fraction: float = 0.2, seed: int = 0) -> Problem:
    """Ten measurements of 442 diabetes patients, and how the disease had progressed one year later: 11 inputs.

    Inputs and targets are standardized over the training set, and the inputs have a constant appended. Source: Efron,
    Hastie, Johnstone & Tibshirani, *Least angle regression* (Annals of Statistics, 2004), as carried by scikit-learn.
    It raises an ImportError if scikit-learn is not installed.
    """
    inputs, targets = _loaded("diabetes", scaled=False)
    names = ("age", "sex", "bmi", "blood pressure", "s1", "s2", "s3", "s4", "s5", "s6")
    problem = Problem(inputs, targets, name="diabetes", input_names=names, output_names=("progression",))
    return _split(problem, test_fraction, seed).standardized(targets=True)


def _loaded(name: str, **options: Any) -> Any:
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise ImportError(f"{name} needs scikit-learn: pip install 'np_widgets[data]'") from error
    return getattr(datasets, f"load_{name}")(return_X_y=True, **options)


def _split(problem: Problem, test_fraction: float, seed: int) -> Problem:
    arguments.real("test_fraction", test_fraction, least=0, most=MOST_HELD_OUT)
    return problem.split(test_fraction, seed, stratify=False)
