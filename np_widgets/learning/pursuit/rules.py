"""The rules of Neuron Pursuit: what it aims at, when it ends, and what that end is called.

They are functions of the problem, the settings and the record of growth alone, so that a pursuit on its own and one of
an ensemble end alike, however they are cut into calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.clarke import clarke_gradient_norm
from np_widgets.learning.correlation.paths import Path
from np_widgets.learning.minimizers.descent import DIVERGED
from np_widgets.learning.minimizers.minimizer import Minimizer
from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.pursuit.duality import gap_of, has_bound
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord, best_on_test, named_layers, named_widths
from np_widgets.learning.pursuit.settings import PursuitSettings
from np_widgets.learning.pursuit.validation import best_validated, named_score
from np_widgets.problems import Problem

TARGET_SHARE = 1e-9
"""The training loss to reach unless the user says otherwise, as a share of that of the output zero."""
_NOTHING_LEARNED = 1e-2  # of the loss of the output zero
_ROUNDING = 1e-6
_VERY_DIFFERENT = 30.0  # sizes of inputs


def target_in_force(problem: Problem, target_loss: float | None) -> float:
    """The training loss to reach: the one given, or the share that is meant by None."""
    nothing = problem.zero_loss
    if target_loss is None:
        return TARGET_SHARE * nothing
    if target_loss >= nothing:
        raise ValueError(
            f"target_loss must be less than {nothing:.3g}, the loss of the output zero, which meets it without any "
            f"neuron; got {target_loss:.3g}. None means {TARGET_SHARE:.0e} times that loss"
        )
    return target_loss


def ending(
    problem: Problem, settings: PursuitSettings, growth: Sequence[GrowthRecord], target_loss: float, rises_seen: int = 0
) -> Finish | None:
    """Why a pursuit ends with its newest network, unless it is for want of a KKT point or of permission to go on."""
    last = growth[-1]
    if last.loss <= target_loss:
        message = f"Training loss {last.loss:.3g} is at or below the target of {target_loss:.3g}."
        advice = "A smaller target_loss goes further, and so does Add neuron."
        return _told(problem, growth, "target", message, advice)
    if last.stopped.startswith(DIVERGED):
        return _told(problem, growth, "diverged", f"The minimizer {last.stopped}.", _smaller_steps(problem))
    nothing = problem.zero_loss
    if last.loss > nothing * (1 + _ROUNDING):
        message = (
            f"Training loss {last.loss:.3g} is above {nothing:.3g}, that of the output zero: scale={settings.scale:g} "
            f"is too large for these targets, or the steps are."
        )
        advice = "Try a smaller scale, targets of unit size (standardized(targets=True)), or method='fast'."
        return _told(problem, growth, "diverged", message, advice)
    if settings.stop_when_test_rises and len(growth) > max(rises_seen, 1):
        before, after = growth[-2].test_loss, last.test_loss
        if before is not None and after is not None and after > before:
            message = (
                f"The test loss rose from {before:.3g} to {after:.3g} with the last neuron; this is the network before."
            )
            return Finish("test_rising", message, "Run again to go on from the network with that neuron.")
    best = best_validated(growth, settings.score)
    if best is not None and (waited := len(growth) - max(best + 1, rises_seen)) >= settings.patience:
        count = "network was" if waited == 1 else f"{waited} networks was"
        message = (
            f"The {named_score(settings.score)} of the last {count} no better than {growth[best].validation:.3g}, "
            f"that of network {best + 1}, of widths {named_widths(growth[best].widths)}."
        )
        return Finish("validation", message, "best_network is that one; run again to go on.")
    return None


def limit(problem: Problem, growth: Sequence[GrowthRecord]) -> Finish:
    """The end of a pursuit that may add no more neurons."""
    message = "All neurons that may be added have been added."
    return _told(problem, growth, "additions", message, "Run again or Add neuron to go on; max_additions is the limit.")


def interrupted() -> Finish:
    """The end of a run by Ctrl-C or a callback."""
    return Finish("interrupted", "Interrupted.", "Run it again to go on.")


def no_point(
    problem: Problem, settings: PursuitSettings, growth: Sequence[GrowthRecord], paths: Sequence[Path] = ()
) -> Finish:
    """The end of a pursuit that none of these paths leads on; at the origin if there are none."""
    if settings.weight_decay > 0:
        # Of one layer alone that says nothing of the others.
        kind = "no_point" if 0 < len(paths) < settings.hidden_layers else "optimal"
        return _told(problem, growth, kind, _worth_nothing(settings, paths), "A smaller weight_decay goes further.")
    if problem.zero_loss == 0:
        return Finish("no_point", "All targets are zero: there is nothing to learn.", "Look at the targets.")
    some = 0 < len(paths) < settings.hidden_layers
    if not paths:
        where = "at the origin"
    elif some:
        where = f"of {named_layers(*paths[0])}"
    else:
        where = "of any layer" if settings.longest == 1 else "of any neuron or path of neurons"
    options = ["another seed"]
    if some:
        options.append("Add neuron in another layer")
    elif settings.longest < settings.hidden_layers:
        options.append("longest_path=None")
    if settings.leak == 0:
        options.append("leak=0.1")
    options.append("another number of hidden layers")
    if not _has_constant(problem):
        options.append("a constant input (standardized(constant=True))")
    if settings.method == "paper":
        options.append("method='fast'")
    advice = f"Try {', '.join(options[:-1])} or {options[-1]}."
    message = f"No KKT point {where} has a positive value that lowers the loss."
    return _told(problem, growth, "no_point", message, advice)


def _worth_nothing(settings: PursuitSettings, paths: Sequence[Path]) -> str:
    what = "neuron" if settings.longest == 1 else "neuron or path of neurons"
    where = f" of {named_layers(*paths[0])}" if 0 < len(paths) < settings.hidden_layers else ""
    return f"No {what}{where} is worth the price of its weights, weight_decay={settings.weight_decay:g}."


def concluded(
    problem: Problem,
    settings: PursuitSettings,
    finish: Finish,
    minimizer: Minimizer | None,
    *,
    maxima: tuple[float | None, ...] | None,
    largest: float,
) -> Finish:
    """The end of a pursuit, with what was found about the network that ``minimizer`` leaves; None at the origin.

    ``maxima`` are its ``max N_l``, and ``largest`` is what the last search has found of the NCF. Where nothing is left
    to add the question is whether this is a minimum: with kinks that is Clarke's gradient's. Where nothing is worth
    its weights, with one hidden layer and p = 1, there is a distance from the best of all networks.
    """
    norm = None
    network = HomogeneousNetwork.empty(problem, settings.hidden_layers, Activation(settings.power, settings.leak))
    if minimizer is not None:
        objective, theta = minimizer.objective, minimizer.theta
        at_end = finish.kind in ("no_point", "optimal")
        norm = clarke_gradient_norm(objective, theta) if at_end else minimizer.gradient_norm
        network = objective.network(theta)
    finish = replace(finish, layer_maxima=maxima, gradient_norm=norm)
    bounded = has_bound(problem) and settings.hidden_layers == 1 and settings.power == 1
    if finish.kind != "optimal" or not bounded:
        return finish
    gap = gap_of(problem, network, largest, settings.weight_decay)
    message = (
        f"{finish.message} No network of one hidden layer, however wide, has a penalized loss that is lower by more "
        f"than {gap:.1e} of itself, if the search has found the largest NCF value."
    )
    return replace(finish, message=message, gap=gap)


def _told(problem: Problem, growth: Sequence[GrowthRecord], kind: str, message: str, advice: str) -> Finish:
    """The end, with what else there is to be said of the network that it leaves."""
    if not growth:
        return Finish(kind, message, advice)
    if _are_separated(problem, growth[-1].loss):
        message += (
            " The classes are separated: without weight_decay the loss has no minimum, and weights grow on and on."
        )
        advice = "weight_decay=0.003 gives it one." if kind != "optimal" else advice
    if kind in ("additions", "no_point", "optimal") and growth[-1].loss > (1 - _NOTHING_LEARNED) * problem.zero_loss:
        message += f" Almost nothing has been learned: the loss of the output zero is {problem.zero_loss:.3g}."
        advice += " More max_steps or a larger scale may leave the origin."
    remark, remedy = _on_test(problem, growth)
    if remedy and kind == "target":  # who would go further then
        advice = ""
    return Finish(kind, f"{message} {remark}".strip(), f"{advice} {remedy}".strip())


def _are_separated(problem: Problem, loss: float) -> bool:
    """Whether no sample can have a loss above log 2: each is given to its class, and larger weights are lower still."""
    least = 1.0 if problem.sample_weight is None else float(problem.sample_weight.min())
    return problem.classes is not None and loss * problem.samples < least * math.log(2)


def _on_test(problem: Problem, growth: Sequence[GrowthRecord]) -> tuple[str, str]:
    """What the test set says of the last network, and what may help; empty if it has nothing against it."""
    best, last, nothing = best_on_test(growth), growth[-1].test_loss, problem.test_zero_loss
    if best is None or last is None or nothing is None:
        return "", ""
    remarks = []
    if last >= nothing:
        remarks.append(f"On the test set it is worse than the output zero: loss {last:.3g}, not {nothing:.3g}.")
    chosen = growth[best]
    lowest = chosen.test_loss
    if lowest is not None and lowest < last:
        which = f"network {best + 1}, of widths {named_widths(chosen.widths)}"
        remarks.append(f"The best on the test set was {which}: {lowest:.3g}.")
    remedy = "stop_when_test_rises=True ends with the network before a rise; more samples help, too." if remarks else ""
    return " ".join(remarks), remedy


def _smaller_steps(problem: Problem) -> str:
    advice = "Try a smaller learning_rate, or standardized() inputs."
    spread = _spread_of_inputs(problem)
    if spread > _VERY_DIFFERENT:
        advice += f" The sizes of the inputs differ by a factor of {spread:.0f}."
    return advice


def _spread_of_inputs(problem: Problem) -> float:
    """The root mean square of the largest input over that of the smallest which is not always zero."""
    sizes = torch.linalg.vector_norm(problem.inputs, dim=0)
    sizes = sizes[sizes > 0]
    return float(sizes.max() / sizes.min()) if len(sizes) else 1.0


def _has_constant(problem: Problem) -> bool:
    first = problem.inputs[:1]
    return bool(((problem.inputs == first).all(dim=0) & (first[0] != 0)).any())
