"""What the pursuit is timed against: the growing networks of gromo, and Neuron Pursuit written plainly.

Both start from one neuron per hidden layer, grow to at most a few more, and stop at the first check that finds the
target recovered over every vertex of the hypercube; the clock stands still while they are checked.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from np_widgets.problems import Problem, hypercube_error

# Of gromo's new neuron. Its mathematics takes ReLU for linear, and a neuron for as good as the opposite one.
_GROMO_SIZES = [sign * size for size in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0) for sign in (1.0, -1.0)]


@dataclass(frozen=True)
class Recovery:
    """How one run went.

    Attributes
    ----------
    recovered
        Whether the largest error over all vertices of the hypercube came below the target.
    seconds
        The time the run took, checks not counted.
    widths
        Of the hidden layers at the end.
    error
        The largest error over all vertices of the hypercube at the end.
    """

    recovered: bool
    seconds: float
    widths: tuple[int, ...]
    error: float


class _Clock:
    """The seconds since it was made, without those spent in :meth:`recovered`."""

    def __init__(self, problem: Problem, target_error: float) -> None:
        self._problem = problem
        self._target_error = target_error
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    @torch.no_grad()
    def recovered(self, network: Callable[[Tensor], Tensor]) -> bool:
        """Whether the network, a function of inputs in the problem's precision, is right on every vertex.

        The training inputs are vertices too: all others are gone through only if these are right.
        """
        stopped = time.perf_counter()
        problem = self._problem
        worst = float((network(problem.inputs) - problem.targets).abs().max())
        right = worst < self._target_error and hypercube_error(network, problem) < self._target_error
        self._began += time.perf_counter() - stopped
        return right

    def result(self, network: Callable[[Tensor], Tensor], widths: tuple[int, ...]) -> Recovery:
        """What is handed back for a network that has just been checked."""
        seconds = self.seconds
        error = hypercube_error(network, self._problem)
        return Recovery(error < self._target_error, seconds, widths, error)


def gromo_pursuit(
    problem: Problem,
    seed: int,
    *,
    phase_steps: int = 50,
    target_error: float = 1e-3,
    max_additions: int = 8,
    time_limit: float = 10.0,
) -> Recovery:
    """The library gromo (growth as in "Growing Tiny Networks"), used as well as we know how, in float32.

    A network of two hidden layers without biases is trained by Adam for a few steps of 1e-2 a phase, and then grows by
    one neuron in the layer and of the size and sign that lower the loss most. Once the mean squared error is below
    1e-2, or no more neurons are allowed, Adam takes 400 more steps with a learning rate that falls to 1e-4. Of the
    settings tried, the default ones recover the authors' example soonest; more steps a phase give smaller networks,
    later.

    Parameters
    ----------
    problem
        One with square loss and inputs on the hypercube.
    seed
        Determines the initial weights.
    phase_steps
        Steps of Adam before each new neuron.
    target_error
        The run ends as soon as the largest error over all vertices is below it, looked up every 10 steps.
    max_additions
        How many neurons are added to the first two.
    time_limit
        Seconds after which the run is given up.

    Returns
    -------
    Recovery
        Not recovered if the time is over.

    Raises
    ------
    ImportError
        If gromo is not installed.
    """
    try:
        from gromo.containers.growing_mlp import GrowingMLP  # type: ignore[import-not-found, import-untyped]
    except ImportError as error:
        raise ImportError("gromo_pursuit needs gromo: pip install gromo==0.1.0") from error
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neurons that never fire make its matrices singular, which it says
        torch.manual_seed(seed)
        clock = _Clock(problem, target_error)

        def drawn() -> _GromoRun:
            model = GrowingMLP(
                in_features=problem.input_size,
                out_features=problem.output_size,
                hidden_size=1,
                number_hidden_layers=2,
                activation=nn.ReLU(),
                use_bias=False,
                flatten=False,
                device=torch.device("cpu"),
            )
            return _GromoRun(model, problem, clock, time_limit)

        run = drawn()
        while not run.alive():
            run = drawn()
        additions = 0
        while not run.train(steps=phase_steps) and clock.seconds < time_limit:
            if (additions == max_additions or run.loss() < 1e-2) and run.train(steps=400, decay=True):
                break
            if additions < max_additions:
                run.grow()
                additions += 1
        return clock.result(run.network, run.widths)


class _GromoRun:
    """A network of gromo on a problem, in float32; its loss is the mean squared error."""

    def __init__(self, model: Any, problem: Problem, clock: _Clock, time_limit: float) -> None:
        self._model = model
        self._inputs, self._targets = problem.inputs.float(), problem.targets.float()
        self._clock = clock
        self._time_limit = time_limit

    def network(self, inputs: Tensor) -> Tensor:
        """The outputs at inputs of any precision, in that precision."""
        return self._model(inputs.float()).to(inputs)

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(layer.out_features for layer in self._model.layers[:-1])

    @torch.no_grad()
    def alive(self) -> bool:
        """Whether any output differs from zero: half of all first weights cut the inputs off, and cannot be trained."""
        return bool(self._model(self._inputs).any())

    @torch.no_grad()
    def loss(self) -> float:
        return float(nn.functional.mse_loss(self._model(self._inputs), self._targets))

    def train(self, steps: int, *, decay: bool = False) -> bool:
        """Take steps of Adam; whether the target is recovered."""
        optimizer = torch.optim.Adam(self._model.parameters(), lr=1e-2, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=1e-4) if decay else None
        for step in range(1, steps + 1):
            optimizer.zero_grad()
            nn.functional.mse_loss(self._model(self._inputs), self._targets).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
            if step % 10 == 0:
                if self._clock.recovered(self.network):
                    return True
                if self._clock.seconds > self._time_limit:
                    return False
        return False

    def grow(self) -> None:
        """Add one neuron: gromo's for each hidden layer, of the layer, size and sign that lower the loss most."""
        model = self._model
        model.set_growing_layers(scheduling_method="all")
        model.init_computation()
        model.zero_grad()
        # A sum, not a mean: gromo divides by the number of samples itself.
        nn.functional.mse_loss(model(self._inputs), self._targets, reduction="sum").backward()
        model.update_computation()
        model.compute_optimal_updates(maximum_added_neurons=1, compute_delta=False)
        model.reset_computation()
        tried = [(self._extended_loss(layer, size), layer, size) for layer in range(2) for size in _GROMO_SIZES]
        _, layer, size = min(tried)
        model.select_update(layer)
        model.currently_updated_layer.scaling_factor = size
        model.apply_change()

    @torch.no_grad()
    def _extended_loss(self, layer: int, size: float) -> float:
        self._model.set_scaling_factor(0.0)
        self._model.layers[layer + 1].scaling_factor = size
        return float(nn.functional.mse_loss(self._model.extended_forward(self._inputs), self._targets))


def plain_pursuit(problem: Problem, seed: int, *, target_error: float = 1e-3, max_additions: int = 8) -> Recovery:
    """Neuron Pursuit as the paper has it, written plainly with automatic differentiation, in float64.

    Every phase is gradient descent of step 0.02 on the mean loss, of at most 20,000 steps; it is left early where the
    loss has come to rest. New neurons come from 50 random starts, which ascend the neural correlation function one
    after another, in each of the two hidden layers; the best point of all is scaled by 0.01 and added.

    Parameters
    ----------
    problem
        One with square loss and inputs on the hypercube.
    seed
        Determines the random starts.
    target_error
        The run ends as soon as the largest error over all vertices is below it, looked up every 100 steps.
    max_additions
        How many neurons are added to the first two.

    Returns
    -------
    Recovery
        Not recovered if all additions are used up or none promises anything.
    """
    generator = torch.Generator().manual_seed(seed)
    clock = _Clock(problem, target_error)
    best = _best_point(lambda w: _correlation_at_origin(problem, w), problem.input_size + 2, generator)
    weights = [part.detach().clone() for part in _one_neuron_a_layer(0.01 * best.point, problem.input_size)]
    for additions in range(max_additions + 1):
        if _descend(weights, problem, clock) or additions == max_additions or not _grow(weights, problem, generator):
            break
    return clock.result(lambda inputs: _outputs(weights, inputs), tuple(len(weight) for weight in weights[:-1]))


@dataclass(frozen=True)
class _Point:
    """A point of unit norm, and the value of the neural correlation function there."""

    point: Tensor
    value: float


def _best_point(correlation: Callable[[Tensor], Tensor], size: int, generator: torch.Generator) -> _Point:
    """The best of 50 random starts after 200 steps of projected gradient ascent each, by steps of falling length."""
    best = _Point(torch.zeros(size, dtype=torch.float64), 0.0)
    for _ in range(50):
        point = torch.randn(size, dtype=torch.float64, generator=generator)
        point /= point.norm()
        for step in range(200):
            point.requires_grad_()
            (gradient,) = torch.autograd.grad(correlation(point), point)
            length = float(gradient.norm())
            if length == 0:
                break
            ahead = point.detach() + gradient / (length * (1 + step / 10))
            point = ahead / ahead.norm()
        value = float(correlation(point).detach())
        if value > best.value:
            best = _Point(point.detach(), value)
    return best


def _correlation_at_origin(problem: Problem, point: Tensor) -> Tensor:
    outputs = _outputs(_one_neuron_a_layer(point, problem.input_size), problem.inputs)
    return (problem.targets * outputs).sum(dim=1).mean()


def _one_neuron_a_layer(point: Tensor, inputs: int) -> list[Tensor]:
    return [point[:inputs].reshape(1, -1), point[inputs].reshape(1, 1), point[inputs + 1 :].reshape(-1, 1)]


def _outputs(weights: list[Tensor], inputs: Tensor) -> Tensor:
    hidden = inputs
    for weight in weights[:-1]:
        hidden = torch.relu(hidden @ weight.T)
    return hidden @ weights[-1].T


def _loss(outputs: Tensor, problem: Problem) -> Tensor:
    return 0.5 * (outputs - problem.targets).square().sum(dim=1).mean()


def _descend(weights: list[Tensor], problem: Problem, clock: _Clock) -> bool:
    """Train the weights in place; whether the target is recovered."""
    for weight in weights:
        weight.requires_grad_()
    optimizer = torch.optim.SGD(weights, lr=0.02)
    before = math.nan
    for step in range(1, 20_001):
        optimizer.zero_grad()
        loss = _loss(_outputs(weights, problem.inputs), problem)
        loss.backward()
        optimizer.step()
        if step % 100 == 0 and clock.recovered(lambda inputs: _outputs(weights, inputs)):
            return True
        if step % 1000 == 0:
            now = loss.item()
            if abs(before - now) <= 1e-9 * before:
                break
            before = now
    return False


def _grow(weights: list[Tensor], problem: Problem, generator: torch.Generator) -> bool:
    """Add the best neuron of both hidden layers in place; False if none has a positive value."""
    below, above = _hidden_and_signals(weights, problem)
    best, layer = _Point(torch.empty(0), 0.0), -1
    for index, (hidden, signal) in enumerate(zip(below, above, strict=True)):
        inputs, outputs = hidden.shape[1], signal.shape[1]

        def correlation(point: Tensor, hidden: Tensor = hidden, signal: Tensor = signal) -> Tensor:
            incoming, outgoing = point[: hidden.shape[1]], point[hidden.shape[1] :]
            return ((signal @ outgoing) * torch.relu(hidden @ incoming)).mean()

        found = _best_point(correlation, inputs + outputs, generator)
        if found.value > best.value:
            best, layer = found, index
    if layer < 0:
        return False
    width = below[layer].shape[1]
    incoming, outgoing = 0.01 * best.point[:width].reshape(1, -1), 0.01 * best.point[width:].reshape(-1, 1)
    weights[layer] = torch.cat([weights[layer].detach(), incoming], dim=0)
    weights[layer + 1] = torch.cat([weights[layer + 1].detach(), outgoing], dim=1)
    return True


def _hidden_and_signals(weights: list[Tensor], problem: Problem) -> tuple[list[Tensor], list[Tensor]]:
    """For every hidden layer what comes in from below, and the negative gradient of the loss two layers above that."""
    hidden, activations, preactivations = problem.inputs, [problem.inputs], []
    for weight in weights:
        preactivations.append(hidden @ weight.T)
        hidden = torch.relu(preactivations[-1])
        activations.append(hidden.detach())
    loss = _loss(preactivations[-1], problem)
    gradients = torch.autograd.grad(loss, preactivations[1:])
    return activations[: len(weights) - 1], [-problem.samples * gradient for gradient in gradients]
