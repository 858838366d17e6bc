"""The samples of a problem, wherever they lie."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.classes import Classes, Label
from np_widgets.problems.losses import Loss
from np_widgets.problems.weights import Weighted, goals_of

FIELDS = tuple(
    f"{which}{kind}" for which in ("", "test_", "validation_") for kind in ("inputs", "targets", "sample_weight")
)


class Samples:
    """What a :class:`~np_widgets.Problem` holds, and what can be said of it."""

    name: str
    loss: Loss
    dtype: torch.dtype
    inputs: Tensor
    targets: Tensor
    sample_weight: Tensor | None = None
    test_inputs: Tensor | None = None
    test_targets: Tensor | None = None
    test_sample_weight: Tensor | None = None
    validation_inputs: Tensor | None = None
    validation_targets: Tensor | None = None
    validation_sample_weight: Tensor | None = None
    output_size: int
    classes: Classes | None
    recipe: str | None = None

    @property
    def samples(self) -> int:
        """The number of training samples, n."""
        return self.inputs.shape[0]

    @property
    def input_size(self) -> int:
        """The number of inputs, d."""
        return self.inputs.shape[1]

    @property
    def criterion(self) -> Loss:
        """The loss of outputs and :attr:`goals`: with the samples' weights in it, if there are any."""
        unweighted = self.sample_weight is self.test_sample_weight is self.validation_sample_weight is None
        return self.loss if unweighted else Weighted(self.loss)

    @property
    def goals(self) -> Tensor:
        """What :attr:`criterion` compares outputs with: the targets, and where samples have weights, these beside."""
        return self._goals(self.targets, self.sample_weight)

    @property
    def test_goals(self) -> Tensor | None:
        """The same of the test set; None without one."""
        return None if self.test_targets is None else self._goals(self.test_targets, self.test_sample_weight)

    @property
    def validation_goals(self) -> Tensor | None:
        """The same of the validation set; None without one."""
        targets = self.validation_targets
        return None if targets is None else self._goals(targets, self.validation_sample_weight)

    @property
    def zero_loss(self) -> float:
        """The training loss of a network whose output is zero."""
        return self._loss_of_zero(self.goals)

    @property
    def test_zero_loss(self) -> float | None:
        """The test loss of a network whose output is zero; None without a test set."""
        return None if self.test_goals is None else self._loss_of_zero(self.test_goals)

    @property
    def device(self) -> torch.device:
        """The device on which the data lie."""
        return self.inputs.device

    @property
    def empty_classes(self) -> tuple[Label, ...]:
        """The classes of which there is no training sample."""
        present = set(self.targets.tolist()) if self.classes else ()
        return tuple(label for code, label in enumerate(self.classes or ()) if code not in present)

    def to(self, *, device: Any = None, dtype: Any = None) -> Self:
        """The same problem with its data on another device or in another precision.

        Raises
        ------
        TypeError, ValueError
            If the device is not available, the precision not known, or too small for the data.
        """
        target = self.device if device is None else arguments.device("device", device)
        precision = self.dtype if dtype is None else arguments.dtype("dtype", dtype)
        if target == self.device and precision == self.dtype:
            return self
        moved = self.changed(dtype=precision)
        for field in FIELDS:
            tensor = getattr(self, field)
            if tensor is not None:
                kind = precision if tensor.is_floating_point() else tensor.dtype
                converted = tensor.to(device=target, dtype=kind)
                if not arguments.all_finite(converted):
                    raise ValueError(f"dtype={precision} is too small for the values of {field}")
                setattr(moved, field, converted)
        return moved

    def __repr__(self) -> str:
        test = "" if self.test_inputs is None else f"test_samples={len(self.test_inputs)}, "
        weighted = "" if self.sample_weight is None else ", weighted"
        lacking = f", no sample of {', '.join(map(repr, self.empty_classes))}" if self.empty_classes else ""
        return (
            f"Problem({self.name!r}: samples={self.samples}, {test}inputs={self.input_size}, "
            f"outputs={self.output_size}, loss={self.loss.name!r}{weighted}{lacking})"
        )

    def _goals(self, targets: Tensor, weights: Tensor | None) -> Tensor:
        return targets if self.criterion is self.loss else goals_of(targets, weights, self.dtype)

    def _loss_of_zero(self, goals: Tensor) -> float:
        nothing = self.inputs.new_zeros(len(goals), self.output_size)
        return float(self.criterion.value(nothing, goals))

    def changed(self, call: str | None = None, **fields: Any) -> Self:
        """A copy with other fields; ``call`` is what makes it of this one, if that is to stand in the recipe."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **fields)
        if call is not None:
            changed.recipe = None if self.recipe is None else f"{self.recipe}.{call}"
        return changed
