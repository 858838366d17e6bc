"""Levenberg–Marquardt on several networks as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from np_widgets.learning.activation import Activation
from np_widgets.learning.columns import forward
from np_widgets.learning.ensemble.batch import Data
from np_widgets.learning.gauss_newton import Models, gauss_newton
from np_widgets.learning.minimizers.stopping import StoppingRule

_FIRST_DAMPING, _LEAST_GAIN = 1e-3, 1e-4


class Minimized(NamedTuple):
    """``W_1, …, W_L`` of shape ``(G, k_l, k_{l-1})``, and the steps taken, ``(G,)``."""

    weights: list[Tensor]
    steps: Tensor


class _State(NamedTuple):
    """Of the networks that are not done: which they are, and what goes on with each."""

    members: Tensor
    theta: Tensor
    losses: Tensor
    gradients: Tensor
    matrices: Tensor
    damping: Tensor
    growth: Tensor
    reference_losses: Tensor
    waited: Tensor
    steps: Tensor

    def part(self, kept: Tensor) -> _State:
        return _State(*(each[kept] for each in self))


class BatchLevenbergMarquardt:
    """Damped Gauss–Newton steps of G networks at once.

    Each step is that of :class:`~np_widgets.learning.minimizers.levenberg_marquardt.LevenbergMarquardt`; networks that
    are done leave the batch.

    Parameters
    ----------
    data
        The samples of each network.
    shapes
        Of ``W_1, …, W_L``, padded to be those of all networks.
    activation
        Of the hidden layers.
    stopping
        When a network is done.
    most_steps
        The step budget of each network.
    target_losses
        A network is also done when its loss is at most its target, of shape ``(G,)``.
    """

    def __init__(
        self,
        data: Data,
        shapes: Sequence[tuple[int, int]],
        activation: Activation,
        stopping: StoppingRule,
        most_steps: int,
        target_losses: Tensor,
    ) -> None:
        self._data, self._shapes, self._activation = data, shapes, activation
        self._sizes = [rows * columns for rows, columns in shapes]
        self._stopping, self._most_steps, self._target_losses = stopping, most_steps, target_losses

    def minimize(self, weights: Sequence[Tensor]) -> Minimized:
        """From ``W_1, …, W_L`` of shape ``(G, k_l, k_{l-1})`` to where each network is done."""
        theta = torch.cat([weight.flatten(1) for weight in weights], dim=1)
        ends, steps = theta.clone(), torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
        state, data = self._begun(theta), self._data
        done = self._done(state)
        while True:
            if bool(done.any()):
                ends[state.members[done]], steps[state.members[done]] = state.theta[done], state.steps[done]
                state = state.part(~done)
                data = data.of((~done).nonzero().flatten().tolist())
            if not len(state.members):
                return Minimized(self._weights(ends), steps)
            state, moved = self._step(state, data)
            done = self._done(state) | ~moved

    def _begun(self, theta: Tensor) -> _State:
        losses, gradients, matrices = self._model(theta, self._data)
        damping = _FIRST_DAMPING * matrices.diagonal(dim1=1, dim2=2).amax(dim=1)
        zeros = torch.zeros(len(theta), dtype=torch.int64, device=theta.device)
        return _State(
            members=torch.arange(len(theta), device=theta.device),
            theta=theta,
            losses=losses,
            gradients=gradients,
            matrices=matrices,
            damping=torch.where(damping > 0, damping, 1.0),
            growth=torch.full_like(losses, 2.0),
            reference_losses=losses,
            waited=zeros,
            steps=zeros,
        )

    def _step(self, state: _State, data: Data) -> tuple[_State, Tensor]:
        """Try one step of each; also whether a step is still more than rounding."""
        damped = state.matrices.clone()
        damped.diagonal(dim1=1, dim2=2).add_(state.damping.unsqueeze(1))
        factor, _ = torch.linalg.cholesky_ex(damped)
        shift = -torch.cholesky_solve(state.gradients.unsqueeze(2), factor).squeeze(2)
        theta = state.theta + shift
        moved = (theta != state.theta).any(dim=1) & state.damping.isfinite()
        losses = self._losses(theta, data)
        foreseen = (shift * (state.damping.unsqueeze(1) * shift - state.gradients)).sum(dim=1) / 2
        gain = torch.where(foreseen > 0, (state.losses - losses) / foreseen, -torch.inf)
        better = (losses < state.losses) & (gain > _LEAST_GAIN)
        shrink = (1 - (2 * gain - 1) ** 3).clamp(min=1 / 3)
        state = state._replace(
            theta=torch.where(better.unsqueeze(1), theta, state.theta),
            losses=torch.where(better, losses, state.losses),
            damping=torch.where(better, state.damping * shrink, state.damping * state.growth),
            growth=torch.where(better, 2.0, 2 * state.growth),
            steps=state.steps + 1,
        )
        fell = state.losses < state.reference_losses * (1 - self._stopping.least_decrease)
        state = state._replace(
            reference_losses=torch.where(fell, state.losses, state.reference_losses),
            waited=torch.where(fell, 0, state.waited + 1),
        )
        return self._with_new_models(state, better, data), moved

    def _with_new_models(self, state: _State, which: Tensor, data: Data) -> _State:
        members = which.nonzero().flatten()
        if not len(members):
            return state
        _, gradients, matrices = self._model(state.theta[members], data.of(members.tolist()))
        if len(members) == len(which):
            return state._replace(gradients=gradients, matrices=matrices)
        return state._replace(
            gradients=state.gradients.index_copy(0, members, gradients),
            matrices=state.matrices.index_copy(0, members, matrices),
        )

    def _done(self, state: _State) -> Tensor:
        met = state.losses <= self._target_losses[state.members]
        at_rest = torch.linalg.vector_norm(state.gradients, dim=1) <= self._stopping.gradient_tolerance
        return met | at_rest | (state.waited >= self._stopping.patience) | (state.steps >= self._most_steps)

    def _weights(self, theta: Tensor) -> list[Tensor]:
        parts = theta.split(self._sizes, dim=1)
        return [part.view(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def _losses(self, theta: Tensor, data: Data) -> Tensor:
        output = forward(self._weights(theta), data.inputs, self._activation).output
        return data.loss.value(output, data.targets)

    def _model(self, theta: Tensor, data: Data) -> Models:
        return gauss_newton(self._weights(theta), data.inputs, data.targets, data.loss, self._activation)
