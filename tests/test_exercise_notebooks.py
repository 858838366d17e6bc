"""Of every exercise there is a notebook for students and a solved one, made from one source; and two graded forms."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest

from tests import exercise_notebooks as notebooks
from tests.exercise_answers import EXERCISES

each_source = pytest.mark.parametrize("source", notebooks.sources(), ids=lambda path: path.stem)


def read(path):
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def sources_of(notebook):
    return [cell.source for cell in notebook.cells]


def test_there_is_one_for_each_exercise():
    assert [source.stem[3:] for source in notebooks.sources()] == list(EXERCISES)


@each_source
def test_what_is_stored_is_made_from_the_source(source):
    for made, folder in ((notebooks.student, ""), (notebooks.solved, "solutions")):
        stored = read(notebooks.EXERCISES / folder / f"{source.stem}.ipynb")
        assert sources_of(stored) == sources_of(made(source)), "run python -m tests.exercise_notebooks"


@each_source
def test_each_says_its_goal_its_time_what_it_is_for_and_asks_three_questions(source):
    text = "\n".join(sources_of(notebooks.student(source)))
    for part in ("**Goal:**", "**Time needed:**", "minutes", "**Afterwards you can say**", "## Check yourself"):
        assert part in text
    assert text.split("## Check yourself")[1].count("\n1. ") == 1
    assert [line[0] for line in text.split("## Check yourself")[1].splitlines() if line[1:2] == "."] == ["1", "2", "3"]


@each_source
def test_a_student_sees_no_solution(source):
    hidden = [cell.text for cell in notebooks.cells_of(source) if cell.role in ("answer", "solution")]
    seen = sources_of(notebooks.student(source))
    assert hidden
    assert not set(hidden) & set(seen)
    assert not any("*Answers.*" in text for text in seen)
    assert "answer = None" in "\n".join(seen)
    assert all(not cell.get("outputs") for cell in notebooks.student(source).cells)


@each_source
def test_as_a_student_gets_it_it_runs_to_its_end_with_the_outputs_that_are_stored(source):
    # As nbval would have it; but a kernel for each takes longer than all six.
    names: dict[str, Any] = {}
    for cell in read(notebooks.EXERCISES / f"{source.stem}.ipynb").cells:
        if cell.cell_type != "code":
            continue
        is_check = cell.source.startswith("exercises.check_")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            result = (eval if is_check else exec)(cell.source, names)
        kept = {output.output_type: output for output in cell.outputs}
        assert len(kept) == len(cell.outputs)
        shown = [kept.pop("execute_result").data["text/plain"]] if is_check else []
        assert [repr(result)] * is_check == shown
        assert printed.getvalue() == (kept.pop("stream").text if "stream" in kept else "")
        assert kept == {}


@each_source
def test_the_stored_solution_passes_and_says_nothing_on_the_side(source):
    stored = read(notebooks.EXERCISES / "solutions" / f"{source.stem}.ipynb")
    outputs = [output for cell in stored.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr" or output.output_type == "error"]
    grades = [output.data["text/plain"] for output in outputs if output.output_type == "execute_result"]
    assert [text.startswith("Grade(passed, score 1.00") for text in grades] == [True]


def outputs_of(cell):
    return [{key: value for key, value in output.items() if key != "execution_count"} for output in cell.outputs]


@each_source
def test_what_is_stored_for_students_shows_the_problem_and_the_first_hint(source):
    name = f"{source.stem}.ipynb"
    given, done = (read(notebooks.EXERCISES / folder / name).cells for folder in ("", "solutions"))
    answer = next(index for index, cell in enumerate(given) if cell.source.startswith("answer = None"))
    shown = [cell for cell in given[:answer] if cell.cell_type == "code" and cell.outputs]
    assert shown
    assert [outputs_of(cell) for cell in shown] == [
        outputs_of(cell) for cell in done[:answer] if cell.cell_type == "code" and cell.outputs
    ]
    (grade,) = given[answer + 1].outputs
    assert grade.data["text/plain"].startswith("Grade(not yet, score 0.00")
    assert "Hint: " in grade.data["text/plain"]


@each_source
def test_every_stored_picture_is_described(source):
    for folder in ("", "solutions"):
        cells = read(notebooks.EXERCISES / folder / f"{source.stem}.ipynb").cells
        outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
        for output in outputs:
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"]) > 40


@each_source
def test_the_graded_forms_are_sound(source):
    import nbformat

    graded, otter = notebooks.nbgrader_form(source), notebooks.otter_form(source)
    for made in (graded, otter):
        nbformat.validate(made)
    roles = [cell.metadata.get("nbgrader") for cell in graded.cells if "nbgrader" in cell.metadata]
    assert sum(role["grade"] for role in roles) == 1
    assert len({role["grade_id"] for role in roles}) == len(roles)
    assert [role["points"] for role in roles if role["grade"]] == [notebooks.POINTS]
    raw = [cell.source.partition("\n")[0] for cell in otter.cells if cell.cell_type == "raw"]
    question = ["BEGIN QUESTION", "BEGIN SOLUTION", "END SOLUTION", "BEGIN TESTS", "END TESTS", "END QUESTION"]
    assert raw == [f"# {each}" for each in ("ASSIGNMENT CONFIG", *question)]
