"""What is learned: inputs, targets, a loss, and hints for drawing the learned function."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.display import Display, checked_display
from np_widgets.problems.losses import LOSSES, Loss, LossName
from np_widgets.problems.standardization import Standardization, StandardizedFunction
from np_widgets.problems.tables import Names, checked_names, in_order, is_column, is_frame, names_of, numbers

Truth = Callable[[Tensor], Tensor]


class Problem:
    """A supervised learning problem.

    Parameters
    ----------
    inputs
        Shape ``(n, d)``; finite numbers, as an array or a tensor. Copied.
    targets
        Shape ``(n,)`` or ``(n, m)`` for ``loss="square"``; integers ``0 … classes−1`` of shape ``(n,)`` for
        ``loss="cross_entropy"``. Copied.
    loss
        ``"square"``: the mean of ``½‖H(x) − y‖²``; ``"cross_entropy"``: the mean of ``−log softmax(H(x))[y]``.
    test
        A pair ``(inputs, targets)`` of held-out data of the same kind, or None.
    classes
        How many classes ``"cross_entropy"`` tells apart; by default one more than the largest label.
    truth
        The function behind the targets, if known: maps a tensor ``(k, d)`` to one of shape ``(k, m)``, in its precision
        and on its device; for ``"cross_entropy"`` to class scores, as a network does. Tried on two inputs at once.
    name
        A short title for pictures and tables.
    display
        How to draw the learned function; chosen from the data if None.
    input_names, output_names
        What the inputs and the outputs are called in pictures and tables: so many different strings. None for the names
        of the columns of a DataFrame or a Series, which keep their own, and for none of anything else.
    dtype
        The precision in which the data are kept, ``torch.float64`` unless told otherwise.

    Attributes
    ----------
    inputs, targets
        Tensors of shape ``(n, d)`` and ``(n, m)`` (``(n,)`` int64 for ``"cross_entropy"``).
    test_inputs, test_targets
        The same for the test set, or None.
    input_names, output_names
        Tuples of strings, or None.
    recipe
        The call of ``np_widgets`` that makes this problem, as text, if it is ready-made; else None.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, or is not finite; the message names it.
    """

    recipe: str | None = None

    def __init__(
        self,
        inputs: Any,
        targets: Any,
        loss: LossName = "square",
        test: tuple[Any, Any] | None = None,
        *,
        classes: int | None = None,
        truth: Truth | None = None,
        name: str = "problem",
        display: Display | None = None,
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.loss: Loss = LOSSES[arguments.choice("loss", loss, LOSSES)]
        self.dtype = arguments.dtype("dtype", dtype)
        self.inputs = self._checked_inputs("inputs", inputs)
        self.input_names = _checked_names("input_names", input_names, inputs, self.input_size)
        self.targets = self._checked_targets("targets", targets, self.inputs)
        self.output_size = self._checked_outputs(classes)
        named = targets if self.loss.name == "square" else None
        self.output_names = _checked_names("output_names", output_names, named, self.output_size)
        self.test_inputs: Tensor | None = None
        self.test_targets: Tensor | None = None
        if test is not None:
            self.test_inputs, self.test_targets = self._checked_test(test)
        self.truth = self._checked_truth(truth)
        self.name = arguments.text("name", name)
        self.display = checked_display(display, self.inputs, self.output_size)

    @property
    def samples(self) -> int:
        """The number of training samples, n."""
        return self.inputs.shape[0]

    @property
    def input_size(self) -> int:
        """The number of inputs, d."""
        return self.inputs.shape[1]

    @property
    def zero_loss(self) -> float:
        """The training loss of a network whose output is zero."""
        return self._loss_of_zero(self.targets)

    @property
    def test_zero_loss(self) -> float | None:
        """The test loss of a network whose output is zero; None without a test set."""
        return None if self.test_targets is None else self._loss_of_zero(self.test_targets)

    @property
    def device(self) -> torch.device:
        """The device on which the data lie."""
        return self.inputs.device

    def standardized(self, constant: bool = True, targets: bool = False) -> Problem:
        """The same problem with every input of zero mean and unit variance over the training set.

        Parameters
        ----------
        constant
            Append an input that is always 1: a bias-free network needs it to represent an offset. If there is one
            already, it stays, and none is appended: to standardize twice is to standardize once.
        targets
            Standardize the targets too (``loss="square"`` only).

        Notes
        -----
        Inputs that do not vary are set to 0. The test set is transformed with the numbers of the training set. A known
        ``truth`` is carried over.
        """
        arguments.flag("constant", constant)
        if arguments.flag("targets", targets) and self.loss.name != "square":
            raise ValueError(f"targets=True needs loss='square', got loss={self.loss.name!r}")
        scaling = Standardization.of(self.inputs, constant)
        target_scaling = Standardization.of(self.targets) if targets else None

        def scaled(values: Tensor) -> Tensor:
            return target_scaling.forward(values) if target_scaling else values

        test = None
        if self.test_inputs is not None and self.test_targets is not None:
            test = (scaling.forward(self.test_inputs), scaled(self.test_targets))
        standardized = Problem(
            scaling.forward(self.inputs),
            scaled(self.targets),
            self.loss.name,  # type: ignore[arg-type]
            test,
            classes=self.output_size if self.loss.name == "cross_entropy" else None,
            truth=None if self.truth is None else StandardizedFunction(self.truth, scaling, target_scaling),
            name=self.name,
            # The inputs no longer are vertices of the hypercube, if they were.
            display=Display("scatter") if self.display.kind == "hypercube" else self.display,
            input_names=self._names_with_constant if scaling.constant else self.input_names,
            output_names=self.output_names,
            dtype=self.dtype,
        ).to(device=self.device)
        if self.recipe is not None:
            standardized.recipe = f"{self.recipe}.standardized(constant={constant}, targets={targets})"
        return standardized

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
        moved = object.__new__(type(self))
        moved.__dict__.update(self.__dict__)
        moved.dtype = precision
        for field in ("inputs", "targets", "test_inputs", "test_targets"):
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
        return (
            f"Problem({self.name!r}: samples={self.samples}, {test}inputs={self.input_size}, "
            f"outputs={self.output_size}, loss={self.loss.name!r})"
        )

    @property
    def _names_with_constant(self) -> Names | None:
        names = self.input_names
        if names is None:
            return None
        free = (f"constant{'_' * count}" for count in itertools.count())
        return (*names, next(each for each in free if each not in names))

    def _loss_of_zero(self, targets: Tensor) -> float:
        nothing = self.inputs.new_zeros(len(targets), self.output_size)
        return float(self.loss.value(nothing, targets))

    def _checked_inputs(self, name: str, value: Any) -> Tensor:
        found = numbers(name, value)
        return arguments.floats(name, found[:, None] if is_column(value) else found, dimensions=(2,), dtype=self.dtype)

    def _checked_targets(self, name: str, value: Any, inputs: Tensor) -> Tensor:
        if self.loss.name == "cross_entropy":
            targets = arguments.labels(name, value)
        else:
            targets = arguments.floats(name, numbers(name, value), dimensions=(1, 2), dtype=self.dtype)
            targets = targets.reshape(len(targets), -1)
        if len(targets) != len(inputs):
            raise ValueError(f"{name} must have {len(inputs)} rows, as many as its inputs, got {len(targets)}")
        return targets

    def _checked_outputs(self, classes: int | None) -> int:
        if self.loss.name != "cross_entropy":
            if classes is not None:
                raise ValueError(f"classes needs loss='cross_entropy', got loss={self.loss.name!r}")
            return self.targets.shape[1]
        largest = int(self.targets.max())
        if classes is None:
            if largest >= max(self.samples, 2):
                raise ValueError(
                    f"targets must be labels 0 … classes−1, got {largest} with only {self.samples} samples; "
                    "give classes= if there really are that many"
                )
            return max(largest + 1, 2)
        return arguments.whole("classes", classes, max(largest + 1, 2))

    def _checked_test(self, test: Any) -> tuple[Tensor, Tensor]:
        if not isinstance(test, (tuple, list)) or len(test) != 2:
            raise TypeError(f"test must be a pair (inputs, targets) or None, got {type(test).__name__}")
        inputs = self._checked_inputs("test inputs", in_order("test inputs", test[0], self.input_names, "inputs"))
        if inputs.shape[1] != self.input_size:
            raise ValueError(f"test inputs must have {self.input_size} columns, got shape {tuple(inputs.shape)}")
        ordered = in_order("test targets", test[1], self.output_names, "targets")
        targets = self._checked_targets("test targets", ordered, inputs)
        if self.loss.name == "square" and targets.shape[1] != self.output_size:
            raise ValueError(f"test targets must have {self.output_size} columns, got {targets.shape[1]}")
        if self.loss.name == "cross_entropy" and int(targets.max()) >= self.output_size:
            raise ValueError(
                f"test targets must be labels below {self.output_size}, got {int(targets.max())}; "
                "give classes= if the training targets lack some"
            )
        return inputs, targets

    def _checked_truth(self, truth: Any) -> Truth | None:
        function: Truth | None = arguments.callable_or_none("truth", truth, "of inputs (k, d)")
        if function is None:
            return None
        probe = self.inputs[:2].clone()
        with torch.no_grad():
            values: Any = function(probe)
        if not isinstance(values, Tensor):
            raise TypeError(f"truth must return a tensor, got {type(values).__name__}")
        expected = (len(probe), self.output_size)
        if values.shape != expected:
            raise ValueError(
                f"truth must map inputs {tuple(probe.shape)} to values {expected}, got {tuple(values.shape)}"
            )
        return function


def _checked_names(name: str, names: Any, data: Any, size: int) -> Names | None:
    """Those given, or those that the data have."""
    own = names_of(data)
    if names is not None and own is not None and is_frame(data):
        raise ValueError(f"{name} must be None for a DataFrame, whose columns have names, got {arguments.shown(names)}")
    return checked_names(name, own if names is None else names, size)
