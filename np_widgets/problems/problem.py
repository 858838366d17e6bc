"""What is learned: inputs, targets, a loss, and hints for drawing the learned function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems.losses import LOSSES, Loss
from np_widgets.problems.standardization import Standardization, StandardizedFunction

DISPLAYS = ("hypercube", "curve", "regions", "scatter")
LARGEST_DIMENSION = 62
"""Of a hypercube whose vertices 64-bit integers can number."""
Truth = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Display:
    """How the learned function is best looked at.

    Attributes
    ----------
    kind
        ``"hypercube"``: values over the vertices of {−1, +1}^d in lexicographic order; ``"curve"``: a function of one
        input; ``"regions"``: a map over two inputs with the data on it; ``"scatter"``: prediction against target.
    columns
        The inputs that vary: one for a curve, two for regions, none otherwise. All others keep their mean.
    """

    kind: str
    columns: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        arguments.choice("kind", self.kind, DISPLAYS)
        wanted = {"curve": 1, "regions": 2}.get(self.kind, 0)
        columns = arguments.wholes("columns", self.columns, 0, empty=True)
        if len(columns) != wanted or len(set(columns)) != wanted:
            raise ValueError(f"columns must name {wanted} different inputs for {self.kind!r}, got {columns}")
        object.__setattr__(self, "columns", columns)


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
    dtype
        The precision in which the data are kept, ``torch.float64`` unless told otherwise.

    Attributes
    ----------
    inputs, targets
        Tensors of shape ``(n, d)`` and ``(n, m)`` (``(n,)`` int64 for ``"cross_entropy"``).
    test_inputs, test_targets
        The same for the test set, or None.
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
        loss: str = "square",
        test: tuple[Any, Any] | None = None,
        *,
        classes: int | None = None,
        truth: Truth | None = None,
        name: str = "problem",
        display: Display | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.loss: Loss = LOSSES[arguments.choice("loss", loss, LOSSES)]
        self.dtype = arguments.dtype("dtype", dtype)
        self.inputs = arguments.floats("inputs", inputs, dimensions=(2,), dtype=self.dtype)
        self.targets = self._checked_targets("targets", targets, self.inputs)
        self.output_size = self._checked_outputs(classes)
        self.test_inputs: Tensor | None = None
        self.test_targets: Tensor | None = None
        if test is not None:
            self.test_inputs, self.test_targets = self._checked_test(test)
        self.truth = self._checked_truth(truth)
        self.name = arguments.text("name", name)
        self.display = self._checked_display(display)

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
            self.loss.name,
            test,
            classes=self.output_size if self.loss.name == "cross_entropy" else None,
            truth=None if self.truth is None else StandardizedFunction(self.truth, scaling, target_scaling),
            name=self.name,
            # The inputs no longer are vertices of the hypercube, if they were.
            display=Display("scatter") if self.display.kind == "hypercube" else self.display,
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

    def _loss_of_zero(self, targets: Tensor) -> float:
        nothing = self.inputs.new_zeros(len(targets), self.output_size)
        return float(self.loss.value(nothing, targets))

    def _checked_targets(self, name: str, value: Any, inputs: Tensor) -> Tensor:
        if self.loss.name == "cross_entropy":
            targets = arguments.labels(name, value)
        else:
            targets = arguments.floats(name, value, dimensions=(1, 2), dtype=self.dtype)
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
        inputs = arguments.floats("test inputs", test[0], dimensions=(2,), dtype=self.dtype)
        if inputs.shape[1] != self.input_size:
            raise ValueError(f"test inputs must have {self.input_size} columns, got shape {tuple(inputs.shape)}")
        targets = self._checked_targets("test targets", test[1], inputs)
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

    def _checked_display(self, display: Any) -> Display:
        if display is None:
            return self._chosen_display()
        if not isinstance(display, Display):
            raise TypeError(f"display must be a Display or None, got {arguments.shown(display)}")
        if any(column >= self.input_size for column in display.columns):
            raise ValueError(f"display must name columns from 0 to {self.input_size - 1}, got {display.columns}")
        if display.kind == "hypercube" and self.input_size > LARGEST_DIMENSION:
            raise ValueError(f"display='hypercube' needs at most {LARGEST_DIMENSION} inputs, got {self.input_size}")
        return display

    def _chosen_display(self) -> Display:
        varying = tuple(torch.nonzero(self.inputs.amax(dim=0) != self.inputs.amin(dim=0)).flatten().tolist())
        if len(varying) == 1:
            return Display("curve", varying)
        if len(varying) == 2 and self.output_size <= 10:
            return Display("regions", varying)
        if self.input_size <= 40 and self.output_size == 1 and bool((self.inputs.abs() == 1).all()):
            return Display("hypercube")
        return Display("scatter")
