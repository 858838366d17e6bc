"""Steps that ask the host for nothing, so that a GPU sets its own pace."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from np_widgets.learning.objective import Objective

# Writes the next weights to the first tensor; the second, of shape ``()``, is the number of the step, from 1.
Propose = Callable[[Tensor, Tensor], None]

_WARM_UPS = 3
_idle_streams: dict[torch.device, list[torch.cuda.Stream]] = {}


class Batch(NamedTuple):
    """How a batch of steps went: the loss after it, the lowest one so far, and whether it has not been undone."""

    loss: float
    lowest_loss: float
    is_taken: bool


class DeviceSteps:
    """Steps of gradient descent or Adam, many of them between two looks by the host.

    On CUDA a step is captured as a graph and replayed: to launch its kernels one by one takes Python several times as
    long as the GPU needs to run them. Elsewhere the same step is simply called. All tensors keep their places.

    A step does not ask whether its loss is finite. The highest and the lowest loss of the batch tell, as neither
    minimum nor maximum forgets a NaN; a batch in which a loss was not finite is undone. Steps write to the tensors that
    are given, and nothing else may use the objective during a batch.
    """

    def __init__(
        self,
        objective: Objective,
        theta: Tensor,
        gradient: Tensor,
        lowest_theta: Tensor,
        means: Sequence[Tensor],
        *,
        lowest_loss: float,
        steps: int,
    ) -> None:
        self._objective = objective
        self._theta, self._gradient, self._lowest_theta = theta, gradient, lowest_theta
        # A loss may come in either precision, and Adam takes powers of its betas to the number of the step.
        extremes = torch.full((2,), lowest_loss, dtype=torch.float64, device=theta.device)
        self._loss = self._lowest = extremes[0]
        self._highest = extremes[1]
        self._is_lower = torch.zeros_like(self._lowest, dtype=torch.bool)
        self._number = torch.full((), float(steps), dtype=torch.float64, device=theta.device)
        self._places = [theta, gradient, lowest_theta, *means, extremes, self._number]
        self._saved = [torch.empty_like(place) for place in self._places]
        self._graph: _Graph | None = None

    def take(self, count: int, propose: Propose, target_loss: float = -math.inf) -> Batch:
        """Take ``count`` steps, at least one, or none at all: if the loss of one is not finite or, of several, met.

        ``propose`` must be the same at every call, and read and write nothing but the tensors given at the beginning:
        on CUDA it is called for the first batch only.
        """
        evaluations = self._objective.evaluations
        self._save()
        if self._theta.is_cuda:
            if self._graph is None:
                self._graph = self._captured(propose)
            for _ in range(count):
                self._graph.replay()
        else:
            for _ in range(count):
                self._step(propose)
        self._objective.evaluations = evaluations + count
        # The one time that the host waits.
        loss, lowest, highest = torch.stack([self._loss.double(), self._lowest, self._highest]).tolist()
        is_taken = math.isfinite(lowest) and math.isfinite(highest) and (count == 1 or lowest > target_loss)
        if not is_taken:
            self._put_back()
        return Batch(loss, lowest, is_taken)

    def _step(self, propose: Propose) -> None:
        self._number.add_(1)
        propose(self._theta, self._number)
        # When this is captured, its result is where every replay leaves the loss.
        self._loss = self._objective.evaluate_on_device(self._theta, self._gradient)
        torch.lt(self._loss, self._lowest, out=self._is_lower)
        torch.where(self._is_lower, self._theta, self._lowest_theta, out=self._lowest_theta)
        torch.minimum(self._loss, self._lowest, out=self._lowest)
        torch.maximum(self._loss, self._highest, out=self._highest)

    def _captured(self, propose: Propose) -> _Graph:
        graph = _Graph(self._theta.device)
        graph.warm_up(lambda: self._step(propose))
        self._put_back()
        graph.capture(lambda: self._step(propose))
        return graph

    def _save(self) -> None:
        for saved, place in zip(self._saved, self._places, strict=True):
            saved.copy_(place)

    def _put_back(self) -> None:
        for saved, place in zip(self._saved, self._places, strict=True):
            place.copy_(saved)


class _Graph:
    """A function on a CUDA device, captured once and replayed.

    It has a stream of its own for as long as it lives. The graphs of one stream share the working memory of cuBLAS, and
    the first of them to go takes it from the others (https://github.com/pytorch/pytorch/issues/193402). A new stream
    for each would not do: torch hands out 32 of them over and over.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # Other threads may do the same: pop and append are one operation each, a look and a pop would be two.
        self._idle = _idle_streams.setdefault(device, [])
        try:
            self._stream = self._idle.pop()
        except IndexError:
            self._stream = torch.cuda.Stream(device)
        self._graph = torch.cuda.CUDAGraph()

    def __del__(self) -> None:
        # The stream is free only when the graph is gone. Both are missing if the constructor failed.
        if hasattr(self, "_graph"):
            del self._graph
            self._idle.append(self._stream)

    def warm_up(self, function: Callable[[], None]) -> None:
        """Call the function as often as torch recommends before a capture, on the stream that captures it."""
        with torch.cuda.device(self._device):
            current = torch.cuda.current_stream()
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UPS):
                    function()
            current.wait_stream(self._stream)

    def capture(self, function: Callable[[], None]) -> None:
        """Record what the function does, without doing it."""
        # By default whatever another thread does on the GPU could spoil the capture: a session has a thread of its own.
        mode = "thread_local"
        with (
            torch.cuda.device(self._device),
            torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode=mode),
        ):
            function()

    def replay(self) -> None:
        """Do what was recorded, on the current stream."""
        self._graph.replay()
