"""How well a network does on the samples that a pursuit has set apart to stop by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning.blocks import block_size
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.growth import GrowthRecord
from np_widgets.problems import Problem
from np_widgets.problems.predicting import score_of

ScoreName = Literal["loss", "accuracy"]
Score = ScoreName | Callable[[Tensor, Tensor], float]
"""The loss, which is to be small, or one of outputs ``(k, m)`` and targets that is to be large."""


def checked_score(score: Any) -> Any:
    """One that a pursuit can stop by."""
    return score if callable(score) else arguments.choice("score", score, get_args(ScoreName))


def validated(problem: Problem, score: Score, network: HomogeneousNetwork) -> float | None:
    """The score of a network; None if there are no samples for it."""
    inputs, targets, goals = problem.validation_inputs, problem.validation_targets, problem.validation_goals
    if inputs is None or targets is None or goals is None:
        return None
    size = block_size(inputs, sum(network.widths) + network.output_size)
    outputs = torch.cat([network.forward(some).output for some in inputs.split(size)])
    if callable(score):
        return float(score(outputs, targets))
    if score == "loss":
        return float(problem.criterion.value(outputs, goals))
    return score_of(outputs, targets, problem.validation_sample_weight)


def best_validated(growth: Sequence[GrowthRecord], score: Score) -> int | None:
    """The index of the record with the best score, the first of equal ones; None if there is none."""
    found = [
        (each.validation if score == "loss" else -each.validation, index)
        for index, each in enumerate(growth)
        if each.validation is not None and each.validation == each.validation
    ]
    return min(found)[1] if found else None


def named_score(score: Score) -> str:
    """What to call it in a sentence."""
    return {"loss": "validation loss", "accuracy": "accuracy on the validation set"}.get(
        str(score), "score on the validation set"
    )
