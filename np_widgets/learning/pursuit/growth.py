"""What a Neuron Pursuit leaves behind: the record of its growth, and frames that show where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.learning.pursuit.candidate import Candidate

Floats = NDArray[np.float64]

PHASES = ("ready", "origin", "minimizing", "searching", "finished")


@dataclass(frozen=True)
class GrowthRecord:
    """One network that was trained.

    Attributes
    ----------
    widths
        Its hidden widths.
    layer
        The first hidden layer that got a neuron before this training; 0 for the first network.
    value
        The NCF value of the candidate that the new neuron came from.
    candidates
        All that the search found, by falling NCF value.
    loss, test_loss
        The losses where its training stopped; ``test_loss`` is None without a test set.
    first_step
        How many steps all earlier networks had taken together when its training began.
    steps
        How many minimizer steps its training took.
    stopped
        Why its training stopped.
    taken
        The index of the candidate that the new neuron came from.
    last
        The last hidden layer that got a neuron; :attr:`layer` for a single neuron.
    validation
        Its score on the validation set, None without one.
    removed
        The neurons that the price on weights had made vanish, and that were removed at the end of its training:
        ``(layer, index)``, counted from 0, as they were before. The widths are those afterwards.
    """

    widths: tuple[int, ...]
    layer: int
    value: float
    candidates: tuple[Candidate, ...]
    loss: float
    test_loss: float | None
    first_step: int
    steps: int
    stopped: str
    taken: int | None = None
    last: int = 0
    removed: tuple[tuple[int, int], ...] = ()
    validation: float | None = None

    __repr__ = one_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "last", max(self.layer, self.last))

    @property
    def layers(self) -> tuple[int, ...]:
        """The hidden layers that got a neuron each with this network."""
        return tuple(range(max(self.layer, 1), self.last + 1))

    @property
    def unseen(self) -> bool:
        """Which NCF ``value`` is of: see :func:`~np_widgets.learning.correlation.points.correlation`."""
        return self.taken is not None and self.candidates[self.taken].unseen


@dataclass(frozen=True)
class Finish:
    """Why a pursuit stopped; ``str()`` of it says that, and what one can do next.

    Attributes
    ----------
    kind
        ``"target"``: the target loss is met; ``"additions"``: all allowed neurons were added; ``"no_point"``: no KKT
        point with a positive value; ``"test_rising"``: the test loss rose (when asked to watch it); ``"validation"``:
        some networks in turn were no better on the validation set than the best before; ``"diverged"``: the loss
        stopped being finite; ``"interrupted"``: Ctrl-C, or a callback; ``"optimal"``: no neuron and no path is worth
        the price of its weights. Of a fixed network also ``"minimum"`` (its minimizer sees nothing lower) and
        ``"steps"`` (all allowed ones are made).
    message
        Why, in a sentence.
    advice
        What one can do next, in a sentence; may be empty.
    layer_maxima
        ``max N_l`` of each hidden layer at the network as it stands, None for a layer that was not searched; or None if
        nothing was searched for that network, as at most ends but ``"no_point"``. With ``method="fast"`` those of
        ``find_kkt_points(…, unseen=True)``.
    gap
        At ``"optimal"`` with one hidden layer and p = 1, how much lower the penalized loss of any network of one hidden
        layer can be, as a share; see :mod:`np_widgets.learning.pursuit.duality`. None elsewhere.
    gradient_norm
        The norm of the gradient of the training loss, or None before the first network; for ``"no_point"`` and an
        activation with a kink the smallest over Clarke's subdifferential.
    """

    kind: str
    message: str
    advice: str = ""
    layer_maxima: tuple[float | None, ...] | None = None
    gradient_norm: float | None = None
    gap: float | None = None

    @property
    def outcome(self) -> str:
        """``"target"`` (or the optimum), ``"limit"`` (it could go on), or ``"stuck"`` (it cannot)."""
        return _OUTCOMES[self.kind]

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


_OUTCOMES = {
    "target": "target",
    "optimal": "target",
    "additions": "limit",
    "test_rising": "limit",
    "validation": "limit",
    "interrupted": "limit",
    "steps": "limit",
    "minimum": "stuck",
    "no_point": "stuck",
    "diverged": "stuck",
}


def best_on_test(growth: Sequence[GrowthRecord]) -> int | None:
    """The index of the record with the lowest test loss; None if there is none."""
    losses = [(record.test_loss, index) for index, record in enumerate(growth) if record.test_loss is not None]
    return min(losses)[1] if losses else None


@dataclass(frozen=True)
class PursuitFrame:
    """Where a pursuit stands: plain numbers and arrays that nothing will change.

    Attributes
    ----------
    phase
        ``"ready"`` (nothing done yet), ``"origin"`` (searching the start network), ``"minimizing"``, ``"searching"``
        (the next neuron) or ``"finished"``.
    iteration
        Which network this is: 1 for the first, 0 before it.
    message
        What is happening, in a sentence; after the end why, and what one can do next.
    progress
        How much of the phase's budget is used, 0 … 1; None where that means nothing.
    weights
        ``W_1 … W_L`` as numpy arrays of shape ``(k_l, k_{l-1})``; empty before the first network.
    power, leak
        p and α of the activation.
    added
        ``(layer, index)`` of the neurons that this iteration added; none in the first, where all are new.
    loss, test_loss
        The current losses; None before the first network (``test_loss`` also without a test set).
    objective
        The training loss and the price of the weights, ``𝓛 + ½λ‖W‖²``; None before the first network.
    step, total_steps
        Minimizer steps taken by this network, and by all networks together.
    trace_steps, trace_losses
        The training loss over the total number of steps: two arrays of equal, bounded length.
    growth
        One record for each network whose training has ended.
    candidates
        What the last search found, or the one under way has come to, by falling NCF value.
    taken
        The index of the candidate that the current network got; None while the next search or the look-ahead is under
        way, and after a search that led to no network.
    finished
        Why the pursuit has stopped, or None.
    hidden_layers, seed, method, minimizer
        The settings in force; ``minimizer`` names what ``"auto"`` currently uses, too.
    classes
        Whether the outputs are logits of classes.
    target_loss
        The training loss at which it stops.
    """

    phase: str
    iteration: int
    message: str
    progress: float | None
    weights: tuple[Floats, ...]
    power: int
    leak: float
    added: tuple[tuple[int, int], ...]
    loss: float | None
    test_loss: float | None
    step: int
    total_steps: int
    trace_steps: Floats
    trace_losses: Floats
    growth: tuple[GrowthRecord, ...]
    candidates: tuple[Candidate, ...]
    finished: Finish | None
    hidden_layers: int
    seed: int
    method: str
    minimizer: str
    classes: bool = False
    taken: int | None = None
    objective: float | None = None
    target_loss: float | None = None

    __repr__ = one_line

    @property
    def widths(self) -> tuple[int, ...]:
        """The hidden widths of the current network; empty before the first."""
        return tuple(weight.shape[0] for weight in self.weights[:-1])

    @property
    def best_on_test(self) -> int | None:
        """The index in :attr:`growth` of the network with the lowest test loss; None without one, or a test set."""
        return best_on_test(self.growth)

    @property
    def network(self) -> HomogeneousNetwork | None:
        """The current network, in float64 on the CPU; None before the first."""
        return HomogeneousNetwork(self.weights, power=self.power, leak=self.leak) if self.weights else None


def named_widths(widths: Iterable[int]) -> str:
    """``"(4, 2)"``, and ``"(4)"`` of one hidden layer."""
    return f"({', '.join(map(str, widths))})"


def named_layers(first: int, last: int) -> str:
    """What to call the hidden layers that get a neuron each, in a sentence."""
    return f"layer {first}" if first == last else f"each of the layers {first}–{last}"
