"""What is learned: inputs, targets, a loss, and hints for drawing the learned function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.problems import tables
from np_widgets.problems.classes import Label, encoded, names_of_classes
from np_widgets.problems.display import Display, checked_display
from np_widgets.problems.losses import LOSSES, Loss, LossName, checked_loss, require_consistent
from np_widgets.problems.samples import Samples
from np_widgets.problems.splitting import held_out
from np_widgets.problems.standardization import Scaling, Standardization
from np_widgets.problems.truth import StandardizedFunction, Truth, checked_truth
from np_widgets.problems.weights import checked_weights, counted, normalized


class Problem(Samples):
    """A supervised learning problem.

    Parameters
    ----------
    inputs
        Shape ``(n, d)``; finite numbers or booleans, as an array, a tensor or a DataFrame. Copied.
    targets
        Shape ``(n,)`` or ``(n, m)``, a Series or a DataFrame, too. For ``loss="square"`` numbers; for
        ``loss="cross_entropy"`` one label for each sample (whole numbers, text or booleans), or one-hot rows. Copied.
    loss
        ``"square"``: the mean of ``½‖H(x) − y‖²``; ``"cross_entropy"``: the mean of ``−log softmax(H(x))[y]``; or one
        of your own, see :mod:`np_widgets.problems.losses`.
    test
        A pair ``(inputs, targets)`` of held-out data of the same kind, or a triple with sample weights at the end, or
        None. The columns of a DataFrame are found by their names.
    sample_weight
        Shape ``(n,)``, not negative: how much each sample counts. A sample of weight 2 is as two samples, one of weight
        0 is left out, and only ratios matter: every mean over samples is divided by the sum of the weights. None, as
        equal weights, for samples that all count the same.
    classes
        The labels of the classes that ``"cross_entropy"`` tells apart, in the order of the outputs; a number k for
        0 … k−1. By default the labels that occur, sorted.
    truth
        The function behind the targets, if known: maps a tensor ``(k, d)`` to one of shape ``(k, m)``, in its precision
        and on its device; for ``"cross_entropy"`` to class scores, as a network does. Tried on two inputs at once.
    name
        A short title for pictures and tables.
    display
        How to draw the learned function; chosen from the data if None.
    input_names, output_names
        What the inputs and the outputs are called in pictures and tables: so many different strings. None for the names
        of the columns of a DataFrame or a Series, and the labels of classes, unless these are 0, 1, ….
    dtype
        The precision in which the data are kept, ``torch.float64`` unless told otherwise.

    Attributes
    ----------
    inputs, targets
        Tensors of shape ``(n, d)`` and ``(n, m)``; of classes the index of each sample's, int64 of shape ``(n,)``.
    test_inputs, test_targets
        The same for the test set, or None.
    validation_inputs, validation_targets
        The same for samples that :meth:`split` or a pursuit has set apart to stop by, or None.
    sample_weight, test_sample_weight, validation_sample_weight
        Tensors of shape ``(n,)`` and of mean one, or None where all samples of the set count the same.
    classes
        The label of each class, a tuple; None for ``"square"``.
    scaling
        The :class:`~np_widgets.problems.standardization.Scaling` of a problem that was standardized, else None.
    input_names, output_names
        Tuples of strings, or None.
    recipe
        The call of ``np_widgets`` that makes this problem, as text, if it is ready-made; else None.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or shape, or is not finite; the message names it.
    """

    def __init__(
        self,
        inputs: Any,
        targets: Any,
        loss: LossName | Loss = "square",
        test: tuple[Any, ...] | None = None,
        *,
        sample_weight: Any = None,
        classes: int | Sequence[Label] | None = None,
        truth: Truth | None = None,
        name: str = "problem",
        display: Display | None = None,
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.loss = checked_loss(loss)
        self.dtype = arguments.dtype("dtype", dtype)
        self.inputs = tables.inputs("inputs", inputs, self.dtype)
        self.input_names = tables.checked_names("input_names", input_names, inputs, self.input_size)
        self.classes = None
        if self.loss.name == "cross_entropy":
            self.targets, self.classes = encoded("targets", targets, classes)
        elif classes is not None:
            raise ValueError(f"classes needs loss='cross_entropy', got loss={self.loss.name!r}")
        else:
            self.targets = tables.targets("targets", targets, self.dtype)
        tables.require_rows("targets", self.targets, self.inputs)
        weights = checked_weights("sample_weight", sample_weight, self.samples)
        self.inputs, self.targets, self.sample_weight = counted(self.inputs, self.targets, weights, self.dtype)
        if self.loss.name not in LOSSES:
            require_consistent(self.criterion, self.targets, self.goals)
        self.output_size = self.targets.shape[1] if self.classes is None else len(self.classes)
        if self.classes is None or output_names is not None:
            self.output_names = tables.checked_names("output_names", output_names, targets, self.output_size)
        else:
            self.output_names = names_of_classes(self.classes)
        self.scaling: Scaling | None = None
        if test is not None:
            self.test_inputs, self.test_targets, self.test_sample_weight = self.checked_pair("test", test)
        self.truth = checked_truth(truth, self.inputs, self.output_size)
        self.name = arguments.text("name", name)
        self.display = checked_display(display, self.inputs, self.output_size)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        target: str | Sequence[str],
        *,
        loss: LossName | Loss | None = None,
        test: Any = None,
        sample_weight: Any = None,
        **options: Any,
    ) -> Self:
        """A problem whose inputs and targets are columns of one DataFrame.

        Parameters
        ----------
        frame
            Of pandas or polars.
        target
            The column to learn, or several; all others are inputs.
        loss
            None for ``"cross_entropy"`` if the target is text, boolean or categorical, else ``"square"``.
        test
            Another DataFrame of these columns, to test on, or None.
        sample_weight
            The column that holds the weights of the samples, which is no input then; or as of :class:`Problem`.
        options
            As of :class:`Problem`.

        Raises
        ------
        TypeError, ValueError
            If there is no such column, or a column holds something else than numbers; the message names it.
        """
        column = sample_weight if isinstance(sample_weight, str) else None
        inputs, targets, weights = tables.parts("frame", frame, target, column)
        if loss is None:
            loss = "cross_entropy" if tables.is_column(targets) and tables.holds_labels(targets) else "square"
        apart = None if test is None else tables.parts("test", test, target, column)
        return cls(inputs, targets, loss, apart, sample_weight=weights if column else sample_weight, **options)

    def standardized(self, constant: bool = True, targets: bool = False) -> Problem:
        """The same problem with every input of zero mean and unit variance over the training set, weights counted.

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
        if arguments.flag("targets", targets) and self.classes is not None:
            raise ValueError(f"targets=True needs targets that are numbers, got loss={self.loss.name!r}")
        scaling = Standardization.of(self.inputs, constant, self.sample_weight)
        target_scaling = Standardization.of(self.targets, weights=self.sample_weight) if targets else None
        names = self.input_names
        inputs_before = None if self.scaling is None else self.scaling.inputs
        targets_before = None if self.scaling is None else self.scaling.targets
        changes: dict[str, Any] = {
            field: scale.forward(values)
            for kind, scale in (("inputs", scaling), ("targets", target_scaling))
            for field in (kind, f"test_{kind}", f"validation_{kind}")
            if scale is not None and (values := getattr(self, field)) is not None
        }
        for field, values in changes.items():
            if not arguments.all_finite(values):
                raise ValueError(f"{field.replace('_', ' ')} must be finite when they are standardized")
        # The inputs no longer are vertices of the hypercube, if they were.
        display = Display("scatter", image=self.display.image) if self.display.kind == "hypercube" else self.display
        return self.changed(
            f"standardized(constant={constant}, targets={targets})",
            **changes,
            display=display,
            truth=None if self.truth is None else StandardizedFunction(self.truth, scaling, target_scaling),
            input_names=tables.with_constant(names) if scaling.constant and names else names,
            scaling=Scaling(
                replace(scaling, before=inputs_before),
                replace(target_scaling, before=targets_before) if target_scaling else targets_before,
            ),
        )

    def split(self, test: float = 0.2, seed: int = 0, stratify: bool = True, *, validation: float = 0.0) -> Problem:
        """The same problem with some of its samples held out.

        Parameters
        ----------
        test, validation
            Which share of the samples, 0 … 0.9, to test on, and which to stop by (see
            :class:`~np_widgets.NeuronPursuit`).
        seed
            Of the choice.
        stratify
            Take the same share of every class.

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range, a share comes to no sample, or there is such a set already.

        Notes
        -----
        Split first, and standardize then: else the held-out samples have a part in the scale.
        """
        stratify = arguments.flag("stratify", stratify)
        shares = {"test": test, "validation": validation}
        labels = self.targets.cpu().numpy() if stratify and self.classes is not None else None
        parts, rest = held_out(self.samples, shares, seed, labels)
        changes: dict[str, Any] = {}
        for name, part in (*zip(shares, parts, strict=True), ("", rest)):
            if len(part):
                which = f"{name}_" if name else ""
                if name and getattr(self, f"{name}_inputs") is not None:
                    raise ValueError(f"{name} must be 0 for a problem that has a {name} set, got {shares[name]}")
                weights = None if self.sample_weight is None else normalized(self.sample_weight[part], self.dtype)
                changes |= {f"{which}inputs": self.inputs[part], f"{which}targets": self.targets[part]}
                changes |= {f"{which}sample_weight": weights}
        call = f"split(test={float(test)}, seed={int(seed)}, stratify={stratify}, validation={float(validation)})"
        return self.changed(call, **changes)

    def with_validation(self, pair: tuple[Any, ...]) -> Problem:
        """The same problem with other samples to stop by: inputs and targets in the units of the original data."""
        inputs, targets, weights = self.checked_pair("validation", pair)
        found = {"validation_inputs": inputs, "validation_targets": targets, "validation_sample_weight": weights}
        return self.changed(None, recipe=None, **found)

    def transform(self, rows: Any) -> Tensor:
        """New inputs ``(k, d)``, in the units of the original data, as a network of this problem takes them.

        They are standardized as the training samples were, and get their constant. The columns of a DataFrame are found
        by their names.

        Raises
        ------
        TypeError, ValueError
            If they are not of the original columns, or not finite.
        """
        return self._transformed("rows", rows)

    predict_inputs = transform

    def _transformed(self, name: str, rows: Any) -> Tensor:
        columns = self.input_size if self.scaling is None else self.scaling.inputs.columns
        names = self.input_names and self.input_names[:columns]
        inputs = tables.inputs(name, tables.in_order(name, rows, names, "inputs"), self.dtype, columns)
        inputs = inputs.to(self.device)
        return inputs if self.scaling is None else self.scaling.inputs.forward(inputs)

    def checked_pair(self, which: str, pair: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Held-out data of the kind of the training data, and their weights if any are given."""
        if not isinstance(pair, (tuple, list)) or len(pair) not in (2, 3):
            raise TypeError(f"{which} must be a pair (inputs, targets) or None, got {type(pair).__name__}")
        inputs = self._transformed(f"{which} inputs", pair[0])
        name = f"{which} targets"
        if self.classes is not None:
            targets, _ = encoded(name, pair[1], self.classes)
        else:
            ordered = tables.in_order(name, pair[1], self.output_names, "targets")
            targets = tables.targets(name, ordered, self.dtype, self.output_size)
            if self.scaling is not None and self.scaling.targets is not None:
                targets = self.scaling.targets.forward(targets)
        tables.require_rows(name, targets, inputs)
        weights = checked_weights(f"{which} sample_weight", pair[2] if len(pair) == 3 else None, len(inputs))
        return counted(inputs, targets.to(self.device), weights, self.dtype)
