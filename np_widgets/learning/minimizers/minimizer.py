"""What all minimizers have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from np_widgets import arguments
from np_widgets.learning import states
from np_widgets.learning.minimizers.stopping import DEFAULT_RULE, StoppingRule
from np_widgets.learning.objective import Objective

TARGET_MET = "target loss met"
LARGEST_RATE = 1e30  # of step sizes: they are numbers in single precision, too


class Minimizer(ABC):
    """A descent of the training loss that can be cut anywhere, saved, and gone on with.

    ``advance(5)`` gives bitwise what ``advance(2)`` and ``advance(3)`` give, and so does a minimizer of the same
    settings that was given the :meth:`state` in between. A step replaces ``theta`` and the gradient, and never changes
    these tensors in place. ``lowest_theta`` and ``lowest_loss`` are of the lowest point so far, as a step may lead
    upwards; ``finished`` says why no further step will be taken; it also finishes at the first point whose loss is at
    most ``target_loss``.
    """

    name: ClassVar[str]
    title: ClassVar[str]  # the name as it stands in a sentence
    usual_steps: ClassVar[int]  # what one network gets unless the user says otherwise
    takes: ClassVar[tuple[str, ...]] = ("stopping",)  # which of the options of a pursuit's minimizers
    _check_every: ClassVar[int] = 1  # steps between two looks at the stopping rule

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
    def budget(self) -> int:
        """How many steps it gets for one network unless the user says otherwise."""
        return self.usual_steps

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

    @property
    def point(self) -> object | None:
        """What is another object wherever ``theta`` is another; None if there is no such thing."""
        return self.theta

    def measure(self) -> None:  # noqa: B027 (most have nothing to do)
        """Let ``theta`` and ``loss`` be of where it is now, if it does not look after each step."""

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
        """Go back to where :meth:`state` was taken, by this minimizer or one of the same kind and settings."""
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
        if rule.most_steps is not None and self.steps >= rule.most_steps:
            self.finished = f"{self.steps} steps are enough (gradient norm {norm:.2g})"
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
