"""Several runs in the same pictures: how their losses fall, how wide they are, and what they have learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from np_widgets.learning.course import Course, hidden_widths
from np_widgets.pictures.function import function
from np_widgets.pictures.labels import count, number, typeset, widths
from np_widgets.pictures.probe import Probe
from np_widgets.pictures.scene import Axis, Curve, Floats, Mark, Scene, Texts
from np_widgets.pictures.stages import spread
from np_widgets.pictures.ticks import SMALLEST, log_limits, round_above, round_below, round_limits, whole_ticks

AGAINST = ("steps", "seconds")
COLUMNS = ("", "Run", "Hidden widths", "Weights", "Loss", "Test loss", "Steps", "Seconds", "Ended")
# Of a log axis of steps and of one of seconds: what is earlier is drawn there.
_EARLIEST = {"steps": 1.0, "seconds": 1e-3}
# Shares of the axes: nearer numbers would run into each other.
_APART = (0.06, 0.12)
# What stands for a learned function in the picture of one run.
_LEARNED = ("learned", "thin", "boundary", "level")


def losses(courses: Sequence[Course], against: str = "steps", log: bool = True, test: bool = False) -> Scene:
    """The training or the test losses of runs over the steps, or the seconds of computing, that they took."""
    title, curves = "Test loss" if test else "Training loss", [course.curve(against, test) for course in courses]
    if not any(len(x) for x, _ in curves):
        nothing = "No run has a test set, or a test loss yet" if test else "No run has a loss yet"
        return Scene(title, empty=nothing)
    curves = [(x, np.maximum(values, SMALLEST)) for x, values in curves]
    low, high = log_limits(*(values for _, values in curves))
    marks = _lines(courses, curves, against, log)
    ends = "; ".join(
        f"{course.name} {number(float(values[-1]))}"
        for course, (_, values) in zip(courses, curves, strict=True)
        if len(values)
    )
    x = _axis(courses, against, log)
    y = Axis("loss", low, high * (high / low) ** 0.06, log=True)
    return Scene(title, tuple(marks), x, y, says=f"Over {against}, at last: {ends}")


def neurons(courses: Sequence[Course], against: str = "steps", log: bool = True) -> Scene:
    """How many hidden neurons runs had, with the hidden widths that they have now."""
    if not any(hidden_widths(course.frame) for course in courses):
        return Scene("Hidden neurons", empty="No run has a network yet")
    curves = []
    for course in courses:
        places, heights = getattr(course, against), course.neurons
        # A step where a neuron came, and not a slope.
        curves.append((np.repeat(places, 2)[1:], np.repeat(heights, 2)[:-1]))
    marks = _lines(courses, curves, against, log, _widths, False)
    top = round_limits(0.0, max(1.0, *(float(course.neurons.max()) for course in courses)))[1]
    y = Axis("hidden neurons", 0.0, top, ticks=whole_ticks(0.0, top))
    now = "; ".join(f"{course.name} {widths(hidden_widths(course.frame))}" for course in courses)
    return Scene("Hidden neurons", tuple(marks), _axis(courses, against, log), y, says=f"Hidden widths now: {now}")


def _widths(course: Course) -> str:
    now = hidden_widths(course.frame)
    return f" {widths(now)}" if now else ""


def functions(courses: Sequence[Course], probe: Probe, choice: int | None = None) -> Scene:
    """What runs have learned, beside the truth or the data; of classes of many inputs that of run ``choice`` alone.

    Elsewhere ``choice`` is the output.
    """
    if probe.kind == "confusion":
        course = courses[min(choice or 0, len(courses) - 1)]
        scene = function(course.frame, probe)
        return replace(scene, title=f"{course.name}: predicted and true classes")
    scenes = [function(course.frame, probe, choice) for course in courses]
    tested = bool(probe.data_is_test.any())
    marks: list[Mark] = []
    for index, (course, scene) in enumerate(zip(courses, scenes, strict=True)):
        for mark in scene.marks:
            if mark.role in _LEARNED:
                marks.append(replace(mark, role=f"session {index}", label=_name(index, course)))
            elif mark.role == ("testing" if tested else "training"):
                marks.append(replace(mark, role=f"samples {index}", label=_name(index, course)))
    others = [mark for mark in scenes[0].marks if mark.role not in (*_LEARNED, "cells", "training", "testing")]
    x, y = (
        replace(axis, low=min(each.low for each in axes), high=max(each.high for each in axes))
        for axis, axes in ((scenes[0].x, [s.x for s in scenes]), (scenes[0].y, [s.y for s in scenes]))
    )
    notes = _together(["; ".join(scene.notes) for scene in scenes])
    title = f"Functions: learned by {count(len(courses), 'run')}" + (", at test samples" if tested else "")
    return Scene(title, (*marks, *others), x, y, notes=(notes,), says=scenes[0].says)


def rows(courses: Sequence[Course]) -> list[tuple[str, ...]]:
    """The table of :data:`COLUMNS`, in words."""
    return [
        (
            str(index + 1),
            row["name"],
            widths(row["widths"]) if row["widths"] else "none yet",
            f"{row['weights']:,}",
            "none yet" if row["loss"] is None else number(row["loss"]),
            "–" if row["test_loss"] is None else number(row["test_loss"]),
            f"{row['steps']:,}",
            "–" if row["seconds"] is None else number(row["seconds"]),
            typeset(row["ended"]),
        )
        for index, row in enumerate(course.row for course in courses)
    ]


def _name(index: int, course: Course) -> str:
    return f"{index + 1} {course.name}"


def _together(notes: Sequence[str]) -> str:
    """One note of those of the runs, each with its number; what all of them begin with is said once."""
    heads, _, tails = zip(*(note.rpartition(": ") for note in notes), strict=True)
    if heads[0] and len(set(heads)) == 1:
        return f"{heads[0]}: {', '.join(f'{tail} ({index + 1})' for index, tail in enumerate(tails))}"
    return "; ".join(f"{index + 1}: {note}" for index, note in enumerate(notes) if note)


def _lines(
    courses: Sequence[Course],
    curves: Sequence[tuple[Floats, Floats]],
    against: str,
    log: bool,
    more: Callable[[Course], str] = lambda _: "",
    log_y: bool = True,
) -> list[Mark]:
    """A line for each run, with its number at the end."""
    marks: list[Mark] = []
    ends: list[tuple[float, float, str]] = []
    for index, (course, (x, y)) in enumerate(zip(courses, curves, strict=True)):
        if len(x):
            chosen = spread(0, len(x))
            places = np.maximum(x[chosen], _EARLIEST[against]) if log else x[chosen]
            marks.append(Curve(f"session {index}", places, y[chosen], f"{_name(index, course)}{more(course)}"))
            ends.append((float(places[-1]), float(y[-1]), str(index + 1)))
    return [*marks, _numbers(marks, ends, (log, log_y), (_EARLIEST[against] if log else 0.0, np.nan if log_y else 0.0))]


def _numbers(
    lines: Sequence[Mark],
    ends: Sequence[tuple[float, float, str]],
    logs: tuple[bool, bool],
    begins: tuple[float, float],
) -> Mark:
    """The numbers at the ends of lines; of lines that end at the same place side by side.

    ``begins`` is where each axis does, if it is not where the lines do.
    """
    at = np.array([end[:2] for end in ends])
    for column, is_log in enumerate(logs):
        values = np.concatenate([[begins[column]], *((line.x, line.y)[column] for line in lines)])
        values = values[np.isfinite(values)]
        if is_log:
            at[:, column], values = np.log10(at[:, column]), np.log10(values)
        at[:, column] /= float(np.ptp(values)) or 1.0
    kept: dict[int, str] = {}
    for index, (_, _, text) in enumerate(ends):
        near = next((other for other in kept if bool((np.abs(at[index] - at[other]) < _APART).all())), index)
        kept[near] = f"{kept[near]}, {text}" if near in kept else text
    x, y, _ = zip(*(ends[index] for index in kept), strict=True)
    return Texts("words", x, y, texts=tuple(kept.values()), place="above")


def _axis(courses: Sequence[Course], against: str, log: bool) -> Axis:
    longest = max(float(getattr(course, against)[-1]) for course in courses)
    label = "minimizer steps" if against == "steps" else "seconds of computing"
    if log:
        high = round_above(max(longest, 10 * _EARLIEST[against]))
        return Axis(label, round_below(_EARLIEST[against]), high * (high / _EARLIEST[against]) ** 0.03, log=True)
    return Axis(label, 0.0, round_limits(0.0, longest or 1.0)[1])
