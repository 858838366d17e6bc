"""What all minimizers have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.device_steps import DeviceSteps
from np_widgets.learning.minimizers.stopping import DEFAULT_RULE, StoppingRule
from np_widgets.learning.objective import Objective

TARGET_MET = "target loss met"
LARGEST_RATE = 1e30
"""Of step sizes: they are numbers in single precision, too."""


class Minimizer(ABC):
    """A descent of the training loss that can be cut anywhere, saved, and gone on with.

    ``advance(5)`` gives bitwise what ``advance(2)`` and ``advance(3)`` give, and so does a minimizer of the same
    settings that was given the :meth:`state` in between.

    Parameters
    ----------
    objective
        The training loss.
    theta
        Where to start, of shape ``(P,)``. Copied.
    stopping
        When to set :attr:`finished`.

    Attributes
    ----------
    theta
        The current weights, of shape ``(P,)``. A step replaces this tensor, and that of the gradient, and never changes
        them in place.
    loss
        The training loss at ``theta``; always finite.
    lowest_theta, lowest_loss
        The same for the lowest point so far: a step of gradient descent or Adam may lead upwards.
    steps
        How many steps have been taken.
    finished
        Why no further step will be taken, in words, or None.
    target_loss
        It finishes at the first point whose loss is at most this; at none unless it is set.

    Raises
    ------
    TypeError, ValueError
        If ``theta`` does not fit the objective, the loss there is not finite, or a setting is out of range.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """The name as it stands in a sentence."""
    _check_every: ClassVar[int] = 1
    """Steps between two looks at the stopping rule."""

    def __init__(self, objective: Objective, theta: Tensor, *, stopping: StoppingRule = DEFAULT_RULE) -> None:
        self.objective = objective
        self.stopping = stopping
        self.theta = self._checked(theta)
        self.loss, self._gradient = objective.loss_and_gradient(self.theta)
        if not math.isfinite(self.loss):
            raise ValueError(f"theta must have a finite loss, got {self.loss}")
        self.lowest_theta, self.lowest_loss = self.theta, self.loss
        self._reference_loss, self._reference_step = self.loss, 0
        self.steps = 0
        self.finished: str | None = None
        self.target_loss = -math.inf

    @property
    def gradient(self) -> Tensor:
        """The gradient at :attr:`theta`, of shape ``(P,)``; at a kink, the one-sided one."""
        return self._gradient

    @property
    def learning_rate(self) -> float | None:
        """The step size of those that have a fixed one."""
        return None

    @property
    def activity(self) -> str:
        """What it is doing now, in words."""
        return self.title

    @property
    def step_operations(self) -> float:
        """Roughly how many arithmetic operations the next step takes."""
        return 6.0 * self.objective.problem.samples * self.objective.size

    @property
    def gradient_norm(self) -> float:
        """The norm of the gradient at :attr:`theta`; at a kink, of the one-sided one."""
        return float(torch.linalg.vector_norm(self._gradient))

    def advance(self, steps: int) -> None:
        """Take ``steps`` steps, fewer if :attr:`finished` is set before."""
        for _ in range(arguments.whole("steps", steps, 0)):
            self._stop_at_target()
            if self.finished is None and self.steps % self._check_every == 0:
                self._look_for_end()
            if self.finished is not None:
                return
            self._step()
            if self.finished is None:
                self.steps += 1
        self._stop_at_target()

    def _stop_at_target(self) -> None:
        if self.finished is None and self.loss <= self.target_loss:
            self.finished = TARGET_MET

    def settle(self) -> None:
        """Go to the lowest point seen so far, in balanced weights."""
        lowest, met = self.lowest_theta, self.lowest_loss <= self.target_loss
        theta = self.objective.balanced(lowest)
        loss, gradient = self.objective.loss_and_gradient(theta)
        if met and loss > self.target_loss:  # by rounding
            theta = lowest
            loss, gradient = self.objective.loss_and_gradient(theta)
        self.theta, self.loss, self._gradient = theta, loss, gradient
        self.lowest_theta = self.theta
        self.lowest_loss = self.loss

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here; later steps do not change it."""
        return {
            "name": self.name,
            "theta": self.theta,
            "loss": self.loss,
            "gradient": self._gradient,
            "lowest_theta": self.lowest_theta,
            "lowest_loss": self.lowest_loss,
            "reference": (self._reference_loss, self._reference_step),
            "steps": self.steps,
            "finished": self.finished,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where :meth:`state` was taken, by this minimizer or one of the same kind and settings.

        Raises
        ------
        TypeError, ValueError
            If the state comes from another kind of minimizer, or from a network of another size, or is not sound; the
            message names the entry.
        """
        states.require("state", state, dict)
        if state.get("name") != self.name:
            raise ValueError(f"state must come from {self.name!r}, got one from {state.get('name')!r}")
        states.require("state", state, self._entries)
        self.theta = self._checked(state["theta"])
        self._gradient = state["gradient"].to(self.theta, copy=True)
        self.lowest_theta = state["lowest_theta"].to(self.theta, copy=True)
        self.loss, self.lowest_loss = state["loss"], state["lowest_loss"]
        self._reference_loss, self._reference_step = state["reference"]
        self.steps, self.finished = state["steps"], state["finished"]

    @property
    def _entries(self) -> dict[str, Any]:
        """Of what kind the entries of a state are; see :func:`~np_widgets.learning.states.require`."""
        weights = states.like(self.objective.initial, finite=True)
        return {
            "name": str,
            "theta": weights,
            "loss": states.finite_number,
            "gradient": states.like(self.objective.initial),
            "lowest_theta": weights,
            "lowest_loss": states.finite_number,
            "reference": tuple[float, int],
            "steps": states.whole,
            "finished": str | None,
        }

    @abstractmethod
    def _step(self) -> None:
        """Try one step and :meth:`_move` if it is good, or set :attr:`finished`."""

    def _move(self, theta: Tensor, loss: float, gradient: Tensor) -> None:
        self.theta, self.loss, self._gradient = theta, loss, gradient
        if loss < self.lowest_loss:
            self.lowest_theta, self.lowest_loss = theta, loss

    def _look_for_end(self) -> None:
        rule, norm = self.stopping, self.gradient_norm
        if norm <= rule.gradient_tolerance:
            within = f"gradient norm {norm:.2g} is within {rule.gradient_tolerance:.2g}"
            self.finished = within if norm > 0 else "the gradient vanishes"
            return
        if self.lowest_loss < self._reference_loss * (1 - rule.least_decrease):
            self._reference_loss, self._reference_step = self.lowest_loss, self.steps
        waited = self.steps - self._reference_step
        if waited >= rule.patience:
            self.finished = (
                f"no further decrease: in {waited} steps the lowest loss fell by less than {rule.least_decrease:.1g} "
                f"of itself (gradient norm {norm:.2g})"
            )

    def _checked(self, theta: Tensor) -> Tensor:
        like = self.objective.initial
        if not isinstance(theta, Tensor):
            raise TypeError(f"theta must be a tensor, got {type(theta).__name__}")
        if theta.shape != like.shape:
            raise ValueError(f"theta must have shape {tuple(like.shape)}, got {tuple(theta.shape)}")
        return theta.detach().to(like, copy=True)


class FirstOrderMinimizer(Minimizer):
    """A minimizer that takes one gradient a step and goes wherever it leads, as long as the loss is finite.

    Steps make no tensors: weights and gradient alternate between two places, and the lowest point has a third. On a GPU
    steps are taken in batches that end where the stopping rule is looked at, by
    :class:`~np_widgets.learning.minimizers.device_steps.DeviceSteps`.
    """

    # The norm of the gradient of a small network costs a good part of a step.
    _check_every: ClassVar[int] = 100

    def __init__(self, objective: Objective, theta: Tensor, *, stopping: StoppingRule = DEFAULT_RULE) -> None:
        super().__init__(objective, theta, stopping=stopping)
        self._own_places()

    @property
    def theta(self) -> Tensor:
        return self._theta.clone()

    @theta.setter
    def theta(self, theta: Tensor) -> None:
        self._theta = theta

    @property
    def gradient(self) -> Tensor:
        return self._gradient.clone()

    @property
    def lowest_theta(self) -> Tensor:
        return self._lowest_theta.clone()

    @lowest_theta.setter
    def lowest_theta(self, theta: Tensor) -> None:
        self._lowest_theta = theta

    @property
    def _in_batches(self) -> bool:
        """Whether the host looks at batches of steps and not at each."""
        return self._theta.is_cuda

    def advance(self, steps: int) -> None:
        if not self._in_batches:
            super().advance(steps)
            return
        left = arguments.whole("steps", steps, 0)
        self._stop_at_target()
        while left and self.finished is None:
            since = self.steps % self._check_every
            if since == 0:
                self._look_for_end()
            count = min(left, self._check_every - since)
            if self.finished is None:
                self._take(count)
            left -= count

    def settle(self) -> None:
        super().settle()
        self._own_places()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "gradient": self.gradient}  # a copy, as those of the weights are

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._own_places()

    def _own_places(self) -> None:
        self._theta, self._next_theta = self._theta.clone(), torch.empty_like(self._theta)
        self._gradient, self._next_gradient = self._gradient.clone(), torch.empty_like(self._gradient)
        self._lowest_theta = self._lowest_theta.clone()
        self._device_steps: DeviceSteps | None = None

    @abstractmethod
    def _propose(self, theta: Tensor, number: int | Tensor) -> None:
        """Write the weights after step ``number``, counted from 1, to ``theta``, which may be the current ones.

        In batches ``number`` is a tensor of shape ``()`` on the device, and no value may be read from the device.
        """

    @property
    def _means(self) -> Sequence[Tensor]:
        """What :meth:`_propose` changes besides the weights."""
        return ()

    def _take(self, count: int) -> None:
        if self._device_steps is None:
            places = self._theta, self._gradient, self._lowest_theta, self._means
            self._device_steps = DeviceSteps(self.objective, *places, lowest_loss=self.lowest_loss, steps=self.steps)
        batch = self._device_steps.take(count, self._propose, self.target_loss)
        if batch.is_taken:
            self.loss, self.lowest_loss = batch.loss, batch.lowest_loss
            self.steps += count
            self._stop_at_target()
        elif count == 1:
            self._diverge(batch.loss)
        else:
            # The batch has been undone. One by one, its steps end at the last finite point, or at the target.
            for _ in range(count):
                if self.finished is None:
                    self._take(1)

    def _step(self) -> None:
        self._propose(self._next_theta, self.steps + 1)
        loss, _ = self.objective.loss_and_gradient(self._next_theta, out=self._next_gradient)
        if not math.isfinite(loss):
            self._diverge(loss)
            return
        self._theta, self._next_theta = self._next_theta, self._theta
        self._gradient, self._next_gradient = self._next_gradient, self._gradient
        self.loss = loss
        if loss < self.lowest_loss:
            self.lowest_loss = loss
            self._lowest_theta.copy_(self._theta)

    def _diverge(self, loss: float) -> None:
        self.finished = f"diverged: step {self.steps + 1} led from a loss of {self.loss:.3g} to {loss}"
