"""Whether a session is to advance: what it was told to do, and how far it has come with that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from np_widgets.learning.engine import Engine
from np_widgets.sessions.commands import Command


class Pace:
    """Of the worker's thread alone.

    Attributes
    ----------
    failed
        Whether the session has failed.
    resting
        Why it rests, although it would run if anybody could see it; None if it does not.
    resumed
        Whether it is to run until something stops it.
    asked
        Whether it is to run until the engine has done what was requested.
    steps
        Commands to make so many advances, the one under way first.
    """

    def __init__(self) -> None:
        self.failed = False
        self.resting: str | None = None
        self.resumed = False
        self.asked = False
        self.steps: deque[Command] = deque()

    def status(self, engine: Engine) -> str:
        """How the session stands."""
        if self.failed:
            return "failed"
        if engine.finished is not None:
            return "finished"
        if self.resting is not None:
            return "paused"
        wanted = self.resumed or (self.asked and engine.requested)
        return "running" if wanted or any(step.done < step.count for step in self.steps) else "paused"

    def step(self, command: Command) -> None:
        """Make so many advances, when the steps before are done."""
        self.resumed = self.asked = False
        self.resting = None
        self.steps.append(command)

    def halt(self) -> None:
        """Neither run nor step on; the steps under way end with what they have done."""
        self.resumed = self.asked = False
        self.resting = None
        for step in self.steps:
            step.count = step.done

    def advanced(self) -> None:
        """An advance was made."""
        if self.steps:
            self.steps[0].done += 1

    def settle(self, status: str) -> None:
        """Acknowledge the steps that are done, all of them if the session does not run any more."""
        if status != "running" and self.resting is None:
            self.resumed = self.asked = False
        while self.steps and (status != "running" or self.steps[0].done >= self.steps[0].count):
            step = self.steps.popleft()
            step.future.set_result(step.done)

    def refuse(self, error: Callable[[], BaseException]) -> None:
        """Tell those who wait for steps why these will not be made."""
        while self.steps:
            self.steps.popleft().future.set_exception(error())
