"""The record of a network that has been trained."""

from __future__ import annotations

from np_widgets.learning.pursuit.growth import GrowthRecord
from np_widgets.learning.pursuit.now import Now
from np_widgets.learning.pursuit.training import Training
from np_widgets.learning.pursuit.validation import Score, best_validated, validated
from np_widgets.problems import Problem


def recorded(now: Now, training: Training, problem: Problem, score: Score) -> Now:
    """Where a pursuit stands after a training that has ended."""
    assert training.stopped is not None
    start = training.start
    record = GrowthRecord(
        widths=training.network.widths,
        layer=start.layer,
        last=start.last,
        value=start.value,
        candidates=now.candidates,
        taken=now.taken,
        loss=training.end_loss,
        test_loss=training.test_loss,
        first_step=sum(record.steps for record in now.growth),
        steps=training.steps,
        stopped=training.stopped,
        removed=training.removed,
        validation=validated(problem, score, training.network),
    )
    growth = (*now.growth, record)
    is_best = best_validated(growth, score) == len(now.growth)
    return now._replace(growth=growth, best=training.network.copy().weights if is_best else now.best)
