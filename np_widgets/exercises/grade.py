"""What a check returns: whether an answer passes, how good it is, and what to think about next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Grade:
    """The result of a check.

    Attributes
    ----------
    passed
        Whether the answer is right.
    score
        From 0 to 1; 1 exactly where it passed.
    feedback
        What is right, what is off and by how much, and a hint: one remark a line.
    """

    passed: bool
    score: float
    feedback: str

    @property
    def verdict(self) -> str:
        """``"passed"``, ``"in part"`` or ``"not yet"``."""
        return "passed" if self.passed else "in part" if self.score else "not yet"

    def __str__(self) -> str:
        return f"{self.verdict}, score {self.score:.2f}\n{self.feedback}"

    def __repr__(self) -> str:
        text = f"Grade({self.verdict}, score {self.score:.2f}: {self.feedback})".replace("\n", " ")
        return text if len(text) <= 300 else f"{text[:298]}…)"

    def _repr_markdown_(self) -> str:
        remarks = "\n".join(f"- {remark}" for remark in self.feedback.splitlines())
        return f"**{self.verdict.capitalize()}**, score {self.score:.2f}\n\n{remarks}"


def grade(score: float, *remarks: str) -> Grade:
    """A grade, passed with a score of 1, with the remarks that are not empty."""
    return Grade(score >= 1, min(max(float(score), 0.0), 1.0), "\n".join(filter(None, remarks)))


def graded(judge: Callable[[], Grade], form: str) -> Grade:
    """What a judge says; a hint with the form of an answer where it cannot read the one it got."""
    try:
        return judge()
    except Exception as error:  # noqa: BLE001 (whatever a student hands in, she gets a hint and no traceback)
        said = str(error).splitlines()
        reason = said[0] if said else type(error).__name__
        return grade(0, f"This answer could not be read: {reason}", f"Hint: an answer is {form}.")
