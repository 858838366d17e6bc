"""The settings of a Neuron Pursuit: one frozen, checked record, and what each of them means."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any, Literal, TypeVar, get_args

from np_widgets import arguments
from np_widgets.learning.activation import Activation
from np_widgets.learning.correlation.points import MOST_HIDDEN_LAYERS, MOST_STARTS
from np_widgets.learning.minimizers.choice import MINIMIZERS
from np_widgets.learning.minimizers.minibatch_adam import MinibatchAdam
from np_widgets.learning.minimizers.minimizer import LARGEST_RATE
from np_widgets.learning.pursuit.validation import Score, checked_score
from np_widgets.problems import Problem

Kind = TypeVar("Kind")

Method = Literal["fast", "paper"]
_DECADES = 125  # what a first network may compute on either side of one; its square is to be represented, too


@dataclass(frozen=True)
class PursuitSettings:
    """What a pursuit does.

    Parameters
    ----------
    hidden_layers
        The number of hidden layers, at least 1.
    power, leak
        p and α of the activation ``σ(z) = max(z, αz)^p``.
    seed
        Of all random starts; the k-th search (the origin is the 0th) uses ``seed + k``.
    method
        ``"paper"`` is exactly the paper's algorithm: new weights are KKT points times ``scale``, minimized by gradient
        descent. ``"fast"`` differs in this:

        - It takes up to four KKT points of every layer, as near as ascent comes to them, and goes along the ray of each
          to where the loss is lowest. If it is lower nowhere, the neuron starts without outgoing weights.
        - It looks ahead: all of these networks are minimized side by side by 300 steps of Adam with weight decay; after
          a quarter and after half of the steps the worse half is given up. The one that is lowest at the end goes on,
          by ``minimizer``, without weight decay.
        - The NCF counts what a new neuron does at samples to which the last hidden layer but one does not respond; see
          ``unseen`` in :func:`~np_widgets.learning.correlation.points.find_kkt_points`.
        - It keeps the lowest point seen, in balanced weights, so the loss never rises from one network to the next.
        - Of more than 2^18 samples it searches a random choice of so many, another for each search; of fewer, if they
          would have more than 2^26 inputs, hidden outputs and outputs together. The loss on all samples still never
          rises. ``"paper"`` searches all of them.
        - Paths compete with single neurons wherever none of these lowers the loss along its ray by a hundredth (three
          tenths for p > 1).
        - Where no KKT point is of use and samples sit on kinks of the trained network, it searches once more with the
          other one-sided signals.
    minimizer
        ``"gradient_descent"``, ``"adam"``, ``"lbfgs"``, ``"levenberg_marquardt"``, ``"hybrid"`` (Levenberg–Marquardt
        or, for large networks, L-BFGS, alternated with Adam: slow and thorough), ``"minibatch_adam"`` (on
        ``batch_size`` samples a step), or ``"auto"``: gradient descent for ``method="paper"``, otherwise
        ``"minibatch_adam"`` if ``batch_size`` is given, or if there are more than 10⁵ samples and more than 10⁸ samples
        times weights; L-BFGS for large networks; and for others Levenberg–Marquardt, with L-BFGS after it where the
        activation has kinks and the loss is the square loss.
    learning_rate
        Of gradient descent, Adam, the hybrid's Adam, mini-batch Adam and the look-ahead; None for each one's own
        default (0.02, 0.01, 0.01, and one that fits the scale of the data for the last two).
    batch_size
        How many samples a step of mini-batch Adam sees, at least 1; all of them if there are no more. None for 1,024 if
        ``minimizer`` leads to mini-batches at all. Not for ``method="paper"``.
    scale
        δ, by which KKT points are scaled for ``method="paper"``; for ``"fast"`` the loss is minimized along the ray
        between a thousandth of it and 10⁵ times it.
    starts
        Random starts in each hidden layer and at the origin.
    target_loss
        The pursuit has reached its goal when the training loss is at most this; None for 1e-9 times the loss of the
        output zero.
    max_steps
        The step budget for one network, of which the look-ahead takes at most half; None for the 300 steps of the
        look-ahead and each minimizer's own default (on mini-batches ten epochs, yet at least 3,000 steps).
    max_additions
        How many neurons may be added when a session drives the pursuit; :meth:`run` takes its own limit.
    value_tolerance
        NCF values below ``value_tolerance · rms(s_{l+1}) · rms(h_{l-1})^p`` count as zero.
    stop_when_test_rises
        Stop when the test loss of a trained network is larger than that of the network before, and end with the
        network before. :meth:`run` goes on from the other one, :meth:`add_neuron` from the one it ended with.
    patience
        On a problem with a validation set, stop when so many networks in turn were no better on it than the best
        before, which is ``best_network``. :meth:`run` and :meth:`add_neuron` go on.
    score
        What better means: a smaller ``"loss"``, a larger ``"accuracy"`` of classes, or a larger value of a function of
        outputs ``(k, m)`` and targets, both tensors of the kind that the problem has. (Of separable classes the loss
        rises from over-confidence while the accuracy improves.)
    longest_path
        How many neurons may be added at once, one in each of some consecutive hidden layers, where no single neuron is
        of use; None for as many as there are hidden layers, 1 for single neurons only.
    weight_decay
        λ, the price on weights: minimizers, rays and the look-ahead lower :attr:`objective` ``= 𝓛 + ½λ‖W‖²``. Neurons
        that vanish are removed. The pursuit ends as ``"optimal"`` when no neuron and no path is worth its weights; with
        one hidden layer and p = 1, where a neuron is if the largest value of the NCF is above λ/2, ``finished.gap``
        says how far that is from the best network of any width; with ``minimizer="auto"`` neurons are added until that
        is at most 3·10⁻⁵ of the objective, unless there are too many samples and weights. ``target_loss`` is one of 𝓛.
    """

    hidden_layers: int = 2
    power: int = 1
    leak: float = 0.0
    seed: int = 0
    method: str = "fast"
    minimizer: str = "auto"
    learning_rate: float | None = None
    batch_size: int | None = None
    scale: float = 1e-2
    starts: int = 50
    target_loss: float | None = None
    max_steps: int | None = None
    max_additions: int = 20
    value_tolerance: float = 1e-7
    stop_when_test_rises: bool = False
    patience: int = 3
    score: Score = "loss"
    longest_path: int | None = None
    weight_decay: float = 0.0

    @property
    def longest(self) -> int:
        """How many neurons a path may have."""
        return self.hidden_layers if self.longest_path is None else min(self.longest_path, self.hidden_layers)

    def changed(self, changes: Mapping[str, Any]) -> PursuitSettings:
        """With others; with another method comes its own minimizer, unless one is named, and the paper's no batches."""
        follows: dict[str, Any] = {}
        if changes.get("method", self.method) != self.method:
            follows["minimizer"] = "auto"
        if changes.get("method") == "paper":
            follows["batch_size"] = None
        return replace(self, **(follows | dict(changes)))

    def __post_init__(self) -> None:
        checked = {
            "hidden_layers": arguments.whole("hidden_layers", self.hidden_layers, 1, MOST_HIDDEN_LAYERS),
            "power": Activation(self.power, self.leak).power,
            "leak": Activation(self.power, self.leak).leak,
            "seed": arguments.seed(self.seed),
            "method": arguments.choice("method", self.method, get_args(Method)),
            "minimizer": arguments.choice("minimizer", self.minimizer, ("auto", *MINIMIZERS)),
            "scale": arguments.real("scale", self.scale, above=0),
            "starts": arguments.whole("starts", self.starts, 1, MOST_STARTS),
            "max_additions": arguments.whole("max_additions", self.max_additions, 0),
            "weight_decay": arguments.real("weight_decay", self.weight_decay, least=0),
            "value_tolerance": arguments.real("value_tolerance", self.value_tolerance, least=0),
            "patience": arguments.whole("patience", self.patience, 1),
            "score": checked_score(self.score),
            "stop_when_test_rises": arguments.flag("stop_when_test_rises", self.stop_when_test_rises),
        }
        if self.learning_rate is not None:
            checked["learning_rate"] = arguments.real("learning_rate", self.learning_rate, above=0, most=LARGEST_RATE)
        if self.target_loss is not None:
            checked["target_loss"] = arguments.real("target_loss", self.target_loss, least=0)
        if self.batch_size is not None:
            checked["batch_size"] = arguments.whole("batch_size", self.batch_size, 1)
            if self.method == "paper":
                raise ValueError(
                    f"batch_size must be None for method='paper', whose gradient descent always takes all samples, got "
                    f"{self.batch_size}"
                )
        if self.longest_path is not None:
            checked["longest_path"] = arguments.whole("longest_path", self.longest_path, 1)
        if self.max_steps is not None:
            checked["max_steps"] = arguments.whole("max_steps", self.max_steps, 1)
        if self.method == "paper":
            degree = sum(self.power**layer for layer in range(self.hidden_layers + 1))
            decades = _DECADES / degree
            if abs(math.log10(self.scale)) > decades:
                raise ValueError(
                    f"scale must be between 1e-{decades:.0f} and 1e{decades:.0f} for method='paper' and "
                    f"{self.hidden_layers} hidden layers of power {self.power}, got {self.scale:g}: the output of the "
                    f"first network is of degree {degree} in it, and leaves the range of floating point"
                )
        if self.method == "paper" and self.minimizer not in ("auto", "gradient_descent"):
            raise ValueError(f"minimizer must be 'gradient_descent' for method='paper', got {self.minimizer!r}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def checked_problem(problem: Any, settings: PursuitSettings, validation: Any) -> Problem:
    """One that suits the settings, with samples to stop by: a share of its own, others, or its own if that is None."""
    if not isinstance(problem, Problem):
        raise TypeError(f"problem must be a Problem, got {type(problem).__name__}")
    minimizer, batches = settings.minimizer, settings.batch_size
    if batches is not None and minimizer not in ("auto", MinibatchAdam.name):
        raise ValueError(
            f"batch_size={batches} needs minimizer='auto' or '{MinibatchAdam.name}', got {minimizer!r}, which always "
            "takes all samples"
        )
    if settings.score == "accuracy" and problem.classes is None:
        raise ValueError(f"score='accuracy' needs classes, got a problem with loss={problem.loss.name!r}")
    if settings.stop_when_test_rises and problem.test_inputs is None:
        raise ValueError("stop_when_test_rises=True needs a problem with a test set, got one without")
    if validation is None:
        return problem
    if isinstance(validation, Real):
        return problem.split(0, settings.seed, validation=arguments.real("validation", validation, above=0))
    return problem.with_validation(validation)


def documented(kind: type[Kind]) -> type[Kind]:
    """A class in whose docstring the description of all settings stands where it says ``{settings}``."""
    described = inspect.cleandoc(PursuitSettings.__doc__ or "").split("----------\n")[1]
    kind.__doc__ = inspect.cleandoc(kind.__doc__ or "").replace("{settings}", described.strip())
    return kind


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some values, as the ``locals()`` of a function that spells them, that are settings."""
    return {field.name: values[field.name] for field in fields(PursuitSettings) if field.name in values}
