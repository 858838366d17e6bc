"""The rules of Neuron Pursuit: when it has reached its goal."""

from __future__ import annotations

from np_widgets.problems import Problem

TARGET_SHARE = 1e-9
"""The training loss to reach unless the user says otherwise, as a share of that of the output zero."""


def target_in_force(problem: Problem, target_loss: float | None) -> float:
    """The training loss to reach: the one given, or the share that is meant by None.

    Raises
    ------
    ValueError
        If the output zero meets the one given.
    """
    nothing = problem.zero_loss
    if target_loss is None:
        return TARGET_SHARE * nothing
    if target_loss >= nothing:
        raise ValueError(
            f"target_loss must be less than {nothing:.3g}, the loss of the output zero, which meets it without any "
            f"neuron; got {target_loss:.3g}. None means {TARGET_SHARE:.0e} times that loss"
        )
    return target_loss
