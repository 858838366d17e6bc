"""Plain numbers for each network that a pursuit has trained: for loggers and tables."""

from __future__ import annotations

from collections.abc import Callable

from np_widgets.learning.pursuit.growth import GrowthRecord, PursuitFrame


def scalars(record: GrowthRecord, number: int) -> dict[str, float]:
    """What there is to be logged of one network: plain numbers, by their names."""
    found: dict[str, float] = {"network": number, "loss": record.loss}
    if record.test_loss is not None:
        found["test_loss"] = record.test_loss
    if record.validation is not None:
        found["validation"] = record.validation
    found |= {"neurons": sum(record.widths)}
    found |= {f"width_{layer}": width for layer, width in enumerate(record.widths, start=1)}
    return found | {"layer": record.layer, "value": record.value, "steps": record.steps}


class PerNetwork:
    """A callback of a run that hands numbers to a logger: once for each network that has been trained.

    Parameters
    ----------
    log
        Called with a dictionary of plain numbers: ``network`` (1 for the first), ``loss``, ``test_loss`` (with a test
        set), ``validation`` (the score, with a validation set), ``neurons``, ``width_1`` …, ``layer`` and ``value`` (of
        the NCF) of the new neuron, ``steps``, and the ``seed`` of the pursuit. Where it returns False, the run ends.

    Notes
    -----
    It remembers what it has logged, so each pursuit needs one of its own; ``pursue_many`` makes a copy for each.
    """

    def __init__(self, log: Callable[[dict[str, float]], object]) -> None:
        self._log = log
        self._logged = 0

    def __call__(self, frame: PursuitFrame) -> bool:
        """Log the networks that are new in a frame; whether to go on."""
        new = list(enumerate(frame.growth[self._logged :], start=self._logged + 1))
        self._logged = len(frame.growth)
        answers = [self._log({"seed": frame.seed} | scalars(record, number)) for number, record in new]
        return all(answer is not False for answer in answers)
