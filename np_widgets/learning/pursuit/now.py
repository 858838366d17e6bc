"""Where a pursuit stands, as a value."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from np_widgets.learning.correlation.paths import Path
from np_widgets.learning.pursuit.candidate import Candidate
from np_widgets.learning.pursuit.chosen import Own
from np_widgets.learning.pursuit.growth import Finish, GrowthRecord
from np_widgets.learning.pursuit.searching import Maxima


class Now(NamedTuple):
    """Where a pursuit stands, beside the search or the training that is under way."""

    additions_left: int
    finished: Finish | None = None
    requests: tuple[tuple[Path, ...], ...] = ()  # paths of each addition asked for and not yet trained, in turn
    exhausted: tuple[Path, ...] = ()  # of which a search from the current network found none of use
    growth: tuple[GrowthRecord, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    taken: int | None = None  # which of them, if that is decided
    maxima: Maxima = None  # of the current network, as far as its layers have been searched
    largest_value: float = 0.0  # of the NCF, that the last search that came to its end has found
    rises_seen: int = 0  # how many networks there were when the user went on after a rise, or the end of patience
    best: tuple[Tensor, ...] = ()  # the weights of the network that did best on the validation set
    own: Own | None = None  # the neuron that the first request is for, where that is the user's
