"""Batches of work on any executor: of threads, of processes, of a cluster of machines."""

from __future__ import annotations

import copy
import uuid
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol, TypeVar

import torch

from np_widgets.learning.interruption import deferred_interrupt
from np_widgets.problems import Problem
from np_widgets.sessions.torch_threads import set_own_torch_threads

Batch = TypeVar("Batch")
Outcome = TypeVar("Outcome")

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_OF_GRACE = 5.0
# So many batches for each worker: none is idle at the end, and little is lost with one. Larger ones cost less.
_BATCHES, _MOST_IN_A_BATCH, _WORKERS = 4, 8, 4
_MOST_LOSSES = 3
_stopped: set[str] = set()
"""The works that are to end: threads of this process see it, other processes go on to the end of their batch."""


class Client(Protocol):
    """A ``dask.distributed.Client``."""

    def get_executor(self, **kwargs: Any) -> Executor:
        """Its face of an executor."""


class Batches:
    """Does batches of work, each by ``do(batch, stopped)``, and hands over what comes of each as it comes.

    Parameters
    ----------
    do
        A function that can be pickled if the executor is one of processes. It looks at ``stopped()`` from time to time.
    executor
        None for threads of our own; else it is the caller's, and not shut down.
    threads
        How many threads of our own.
    """

    def __init__(
        self,
        do: Callable[[Batch, Callable[[], bool]], Outcome],
        executor: Executor | Client | None,
        threads: int = 1,
    ) -> None:
        self._work = uuid.uuid4().hex
        self._do = partial(_done, do, self._work)
        self._given, self._threads = executor, threads

    def run(self, batches: Sequence[Any], take: Callable[[int, Any], None]) -> None:
        """Call ``take(index, outcome)`` for each batch, in the order in which they are done.

        After Ctrl-C only for those that can be had at once; an error of a batch is raised, the others are given up.
        """
        left, losses = list(range(len(batches))), 0
        waiting: dict[Future[Any], int] = {}
        with ExitStack() as own:
            is_interrupted = own.enter_context(deferred_interrupt())
            own.callback(self._forget, waiting)
            executor = self._executor(own)
            try:
                while left or waiting:
                    lost: BaseException | None = None
                    try:
                        while left:
                            future = executor.submit(self._do, batches[left[0]])
                            waiting[future] = left.pop(0)
                        done = wait(waiting, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done
                    except BrokenExecutor as error:
                        lost, done = error, set(waiting)
                    for future in done:
                        index = waiting.pop(future)
                        if (loss := _loss(future)) is None:
                            take(index, future.result())
                            losses = 0
                        else:
                            lost = loss
                            left.append(index)
                    if is_interrupted():
                        self._end(waiting, take)
                        return
                    if lost is not None:
                        losses += 1
                        executor = self._renewed(executor, lost, losses, own)
            finally:
                _stopped.add(self._work)
                for future in waiting:
                    future.cancel()

    def _executor(self, own: ExitStack) -> Executor:
        if self._given is None:
            return own.enter_context(ThreadPoolExecutor(self._threads, "np_widgets"))
        if isinstance(self._given, Executor):
            return self._given
        # Equal batches are to be done each: "pure" would give the outcome of one for the other.
        return self._given.get_executor(pure=False)

    def _end(self, waiting: dict[Future[Any], int], take: Callable[[int, Any], None]) -> None:
        """Give up what has not begun, and take what is under way as far as it has come."""
        _stopped.add(self._work)
        under_way = [future for future in waiting if not future.cancel()]
        for future in wait(under_way, None if self._given is None else _SECONDS_OF_GRACE).done:
            if _loss(future) is None:
                take(waiting[future], future.result())

    def _forget(self, waiting: dict[Future[Any], int]) -> None:
        if all(future.done() for future in waiting):  # else a batch is still to see that it is stopped
            _stopped.discard(self._work)

    def _renewed(self, executor: Executor, lost: BaseException, losses: int, own: ExitStack) -> Executor:
        """Who goes on after a loss: itself, or where it is broken processes of its kind, which are ours to end."""
        if losses > _MOST_LOSSES:
            raise RuntimeError(
                f"executor has lost its workers {losses} times without finishing a batch: {lost}; what was finished is "
                "in the checkpoint, if there is one"
            ) from lost
        if not isinstance(lost, BrokenExecutor):
            return executor
        kind = next((each for each in type(executor).__mro__ if each.__name__ == "ProcessPoolExecutor"), None)
        if kind is None:
            raise RuntimeError(f"executor is broken: {lost}; run again with another, and the same checkpoint") from lost
        warnings.warn(
            f"executor has lost a process, and is of no more use: new processes go on with what it had ({lost})",
            RuntimeWarning,
            stacklevel=4,
        )
        facts = vars(executor)
        context = {name[1:]: facts[name] for name in ("_mp_context", "_context") if name in facts}
        new: Executor = kind(facts["_max_workers"], **context)
        own.callback(new.shutdown, wait=False)
        return new


def parts(
    members: Sequence[int], executor: Executor | Client | None, most: int = _MOST_IN_A_BATCH
) -> list[Sequence[int]]:
    """Batches of members for those who compute."""
    workers = getattr(executor, "_max_workers", _WORKERS)
    each = max(1, min(most, _MOST_IN_A_BATCH, -(-len(members) // (_BATCHES * workers))))
    return [members[begin : begin + each] for begin in range(0, len(members), each)]


def checked_executor(executor: Any) -> Executor | Client | None:
    """An executor, or a client that has one."""
    if executor is None or isinstance(executor, Executor) or callable(getattr(executor, "get_executor", None)):
        return executor
    kind = executor.__name__ if isinstance(executor, type) else type(executor).__name__
    raise TypeError(
        f"executor must be a concurrent.futures.Executor, a dask.distributed.Client or None, got {kind}"
        + (": the class itself, not one of its kind" if isinstance(executor, type) else "")
    )


def without_truth(problem: Problem) -> Problem:
    """As the data that it is: a function need not be fit to be pickled, and nobody who computes asks for it."""
    bare = copy.copy(problem)
    bare.truth = None
    return bare


def _done(do: Callable[[Any, Callable[[], bool]], Any], work: str, batch: Any) -> Any:
    """In whichever thread of whichever process: one batch, with one thread of torch's inside an operation."""
    usual = torch.get_num_threads()
    set_own_torch_threads(1)
    try:
        return do(batch, lambda: work in _stopped)
    finally:
        set_own_torch_threads(usual)


def _loss(future: Future[Any]) -> BaseException | None:
    """Why nothing came of a batch for which it is not to blame: its worker has died, or was taken away."""
    try:
        error = future.exception()
    except CancelledError as cancelled:
        return cancelled
    # Dask gives up a batch when several workers have died of it.
    lost = isinstance(error, (BrokenExecutor, KeyboardInterrupt)) or type(error).__name__ == "KilledWorker"
    return error if lost else None
