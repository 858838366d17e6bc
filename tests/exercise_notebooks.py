"""The notebooks of the exercises, of which each is made from one source: for students, solved, and for two autograders.

``python -m tests.exercise_notebooks`` writes and runs those in ``notebooks/exercises``; with ``nbgrader`` or ``otter``
and a folder it writes the forms that these autograders take. A source is Markdown: text is text, and fences are cells.
``answer`` is solved, and ``blank`` what a student has in its place; what says ``solution`` she does not see.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

EXERCISES = Path(__file__).resolve().parent.parent / "notebooks" / "exercises"
POINTS = 6
_FENCE = re.compile(r"^```(python|markdown)(?: (\w+))?\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


class Cell(NamedTuple):
    """One cell of a source."""

    language: str
    role: str
    text: str


def sources() -> list[Path]:
    return sorted((EXERCISES / "sources").glob("*.md"))


def cells_of(source: Path) -> list[Cell]:
    text, place, cells = source.read_text(encoding="utf-8"), 0, []
    for fence in _FENCE.finditer(text):
        cells += [Cell("markdown", "", text[place : fence.start()].strip())]
        cells += [Cell(fence[1], fence[2] or "", fence[3].strip())]
        place = fence.end()
    cells.append(Cell("markdown", "", text[place:].strip()))
    return [cell for cell in cells if cell.text]


def student(source: Path) -> Any:
    """What a student gets, not yet run: it runs to its end as it is."""
    return _notebook(_plain(cell) for cell in cells_of(source) if cell.role not in ("answer", "solution"))


def solved(source: Path) -> Any:
    """The same, solved; not yet run."""
    return _notebook(_plain(cell) for cell in cells_of(source) if cell.role != "blank")


def nbgrader_form(source: Path) -> Any:
    """For ``nbgrader generate_assignment``: the last expression of the test cell is the score, so parts count, too."""

    def made() -> Iterator[Any]:
        for number, cell in enumerate(cells_of(source)):
            if cell.role in ("blank", "solution"):
                continue
            made = _plain(cell)
            roles = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3}
            if cell.role == "answer":
                made.source = f"### BEGIN SOLUTION\n{cell.text}\n### END SOLUTION"
                made.metadata["nbgrader"] = roles | {"grade_id": f"answer-{number}", "solution": True}
            yield made
            if cell.role == "check":
                test = _plain(Cell("python", "", f"{POINTS} * {cell.text}.score"))
                graded = {"grade_id": "score", "grade": True, "locked": True, "points": POINTS}
                test.metadata["nbgrader"] = roles | graded
                yield test

    return _notebook(made())


def otter_form(source: Path) -> Any:
    """For ``otter assign``: one question, of a test for each third of the score."""
    from nbformat import v4

    def raw(text: str) -> Any:
        return v4.new_raw_cell(text)

    def made() -> Iterator[Any]:
        yield raw(
            "# ASSIGNMENT CONFIG\ninit_cell: false\nexport_cell: false\nrun_tests: false\ngenerate:\n  pdf: false"
        )
        for cell in _until_check(source):
            if cell.role == "answer":
                each = POINTS // 3
                yield raw(f"# BEGIN QUESTION\nname: answer\npoints: [{each}, {each}, {each}]")
                yield raw("# BEGIN SOLUTION")
                yield v4.new_code_cell(f"# BEGIN SOLUTION\n{cell.text}\n# END SOLUTION")
                yield raw("# END SOLUTION")
                yield raw("# BEGIN TESTS")
                check = next(each.text for each in cells_of(source) if each.role == "check")
                for third in (1, 2, 3):
                    test = v4.new_code_cell(f"bool(3 * {check}.score > {third - 0.01})")
                    test.outputs = [v4.new_output("execute_result", {"text/plain": "True"}, execution_count=1)]
                    yield test
                yield raw("# END TESTS")
                yield raw("# END QUESTION")
            else:
                yield _plain(cell)

    return _notebook(made())


def _until_check(source: Path) -> Iterator[Cell]:
    """What is to be handed in: up to the first check."""
    for cell in cells_of(source):
        if cell.role == "check":
            return
        if cell.role not in ("blank", "solution"):
            yield cell


def run(notebook: Any) -> Any:
    """It again, with its outputs."""
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=300, kernel_name="python3", coalesce_streams=True).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("language_info", None)
    return notebook


def write(notebook: Any, path: Path) -> None:
    import nbformat

    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def _plain(cell: Cell) -> Any:
    from nbformat import v4

    return v4.new_code_cell(cell.text) if cell.language == "python" else v4.new_markdown_cell(cell.text)


def _notebook(cells: Iterator[Any]) -> Any:
    from nbformat import v4

    made = v4.new_notebook(cells=list(cells))
    made.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"  # the same each time
    return made


def main(kind: str = "", folder: str = "") -> None:
    for source in sources():
        name = f"{source.stem}.ipynb"
        if kind == "nbgrader":
            write(nbgrader_form(source), Path(folder) / "source" / source.stem / name)
        elif kind == "otter":
            write(otter_form(source), Path(folder) / name)
        elif kind == "":
            write(run(student(source)), EXERCISES / name)
            write(run(solved(source)), EXERCISES / "solutions" / name)
        else:
            raise ValueError(f"the form must be nbgrader or otter, got {kind!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
