"""What a saddle flow leaves behind: predictions, events, and frames that show where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from np_widgets.learning.network import HomogeneousNetwork
from np_widgets.learning.one_line import one_line
from np_widgets.learning.saddles.record import SaddleRecord

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Destination:
    """A KKT point of the NCF at a saddle, as plain arrays.

    Attributes
    ----------
    layer
        The hidden layer, 1 … L−1; 0 for a point at the origin with more than one hidden layer, a neuron in each.
    value
        Its value N* > 0.
    residual
        The residual of the KKT conditions, relative to the value.
    incoming
        From the active neurons (or inputs) below, of shape ``(k_{l-1},)``; for layer 0, of the first layer's neuron.
    outgoing
        To the active neurons (or outputs) above, ``(k_{l+1},)``; for layer 0, of the last hidden layer's neuron.
    inner
        The weight from the neuron of each layer to that of the next; empty for a single neuron.
    """

    layer: int
    value: float
    residual: float
    incoming: Floats
    outgoing: Floats
    inner: tuple[float, ...] = ()

    __repr__ = one_line

    def __post_init__(self) -> None:
        _seal(self.incoming, self.outgoing)

    def seen_from(self, layer: int) -> tuple[Floats | None, Floats | None]:
        """The incoming and the outgoing weights of its neuron in a hidden layer, from and to what is active.

        Inner neurons of a path have neither, its first one has no outgoing ones, and its last one no incoming ones.
        """
        first = max(self.layer, 1)
        last = first + len(self.inner)
        return self.incoming if layer == first else None, self.outgoing if layer == last else None


@dataclass(frozen=True, eq=False)
class Prediction:
    """What theory says of the escape from one saddle.

    Attributes
    ----------
    start
        When the flow was at that saddle.
    destinations
        The KKT points found by search, best first.
    neuron_destination
        For each of the J neurons of the record the index of the KKT point that the flow of the NCF alone takes it to,
        or −1.
    time, dormant_norm, neuron_norm
        That flow, from the same start: of shapes ``(S,)``, ``(S,)`` and ``(S, J)``. Its norm ends at ``escape_norm``,
        or where it was left.
    value
        N* of the neuron that is largest at its end; None before the flow has led it to a KKT point, or without one.
    degree, decay
        The degree D of homogeneity of the NCF (p + 1, or more of neurons of several layers), and λ: along a KKT point
        ``dρ/dt = D·N*·ρ^(D−1) − λρ``.
    escape_norm
        The norm of the dormant weights that counts as escaped: 3 % of the norm of the active weights; near the origin,
        3 % of the norm on the best KKT point's ray where the loss is lowest. None if that is not known.
    escape_time
        When the flow of the NCF alone gets there; None if it has not, or never will.
    """

    start: float
    destinations: tuple[Destination, ...]
    neuron_destination: tuple[int, ...]
    time: Floats
    dormant_norm: Floats
    neuron_norm: Floats
    value: float | None
    degree: int
    escape_norm: float | None
    escape_time: float | None
    decay: float = 0.0

    __repr__ = one_line

    def __post_init__(self) -> None:
        _seal(self.time, self.dormant_norm, self.neuron_norm)

    @property
    def rate(self) -> float | None:
        """``2N* − λ``, at which norms grow exponentially for degree 2; None for others, or where N* is not known."""
        return None if self.value is None or self.degree != 2 else 2 * self.value - self.decay


@dataclass(frozen=True)
class Event:
    """Something that happened on the way.

    Attributes
    ----------
    kind
        ``"aligned"`` (the largest dormant neuron points along a KKT point, to a cosine of 0.999), ``"escaped"`` (the
        dormant weights have reached ``escape_norm``) or ``"saddle"`` (the next saddle or minimum is reached).
    time
        When.
    loss
        The training loss then.
    message
        One sentence.
    """

    kind: str
    time: float
    loss: float
    message: str


@dataclass(frozen=True)
class Awakening:
    """What came of an escape, once the next saddle is reached.

    Attributes
    ----------
    escape_time, time
        When the flow escaped, and when it reached the next saddle.
    awake
        ``(layer, index)`` of the neurons that woke up.
    dormant_norm
        The largest norm of a neuron that did not, over the whole way; 0 if all did.
    stayed_dormant
        Whether that is below 3 % of the norm of the active weights.
    loss
        The training loss at the next saddle.
    pursuit_loss
        The loss that Neuron Pursuit reaches from the saddle left when it adds the KKT points of the neurons that woke
        up were going to; None until that is computed, or where none of them was going to one.
    """

    escape_time: float
    time: float
    awake: tuple[tuple[int, int], ...]
    dormant_norm: float
    stayed_dormant: bool
    loss: float
    pursuit_loss: float | None

    __repr__ = one_line


@dataclass(frozen=True, eq=False)
class SaddleFrame:
    """Where a saddle flow stands: plain numbers and arrays that nothing will change.

    Attributes
    ----------
    phase
        ``"ready"`` (nothing done yet), ``"searching"`` (KKT points), ``"near the saddle"``, ``"escaping"`` (on the way
        to the next saddle), ``"comparing"`` (training what Neuron Pursuit would have trained) or ``"finished"``.
    message
        One sentence that says what is happening.
    progress
        How much of the way to the goal is done, 0 … 1; None where that is not known.
    time, steps, loss
        The time reached, the steps made by the integrator or gradient descent, and the current loss, price included.
    weights
        ``W_1 … W_L`` as numpy arrays of shape ``(k_l, k_{l-1})``. In each hidden layer the neurons that were active at
        the start come first, the dormant ones after them.
    active, started_active
        For each hidden layer which neurons belong to the saddle left last, boolean arrays of shape ``(k_l,)``; and how
        many were active at the start.
    record, history
        Arrays over time, and the weights at these T times: T tuples of L arrays.
    predictions
        One for each saddle so far, the current one last; empty before the first is known.
    events, awakenings
        What has happened, in order; what came of each saddle's escape.
    origin
        Whether the flow started at the origin.
    power, leak, scale, dormant, seed, dynamics, step_size, weight_decay
        The settings in force; ``dormant`` as numbers of neurons.
    goal
        ``"escape"``, ``"next saddle"``, the time to run to, or None to go on for ever.
    finished
        Why nothing is left to do, as a sentence, or None.
    classes
        Whether the outputs are logits of classes.
    """

    phase: str
    message: str
    progress: float | None
    time: float
    steps: int
    loss: float
    weights: tuple[Floats, ...]
    active: tuple[NDArray[np.bool_], ...]
    started_active: tuple[int, ...]
    record: SaddleRecord
    history: tuple[tuple[Floats, ...], ...]
    predictions: tuple[Prediction, ...]
    events: tuple[Event, ...]
    awakenings: tuple[Awakening, ...]
    origin: bool
    power: int
    leak: float
    scale: float
    dormant: tuple[int, ...]
    seed: int
    dynamics: str
    step_size: float
    goal: str | float | None
    finished: str | None
    classes: bool = False
    weight_decay: float = 0.0

    __repr__ = one_line

    def __post_init__(self) -> None:
        _seal(*self.weights, *self.active, *(matrix for moment in self.history for matrix in moment))

    @property
    def widths(self) -> tuple[int, ...]:
        """The hidden widths, dormant neurons included."""
        return tuple(weight.shape[0] for weight in self.weights[:-1])

    @property
    def network(self) -> HomogeneousNetwork:
        """The current network, dormant neurons included, in float64 on the CPU."""
        return HomogeneousNetwork(self.weights, power=self.power, leak=self.leak)


def _seal(*arrays: NDArray[Any]) -> None:
    """Frames share their arrays with the engine, and with one another: so nobody may write to them."""
    for array in arrays:
        array.flags.writeable = False
