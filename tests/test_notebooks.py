"""The notebooks are fit to be read without a kernel, and to be compared by nbval with one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def read(path):
    import nbformat  # longer than torch: not in every process that collects tests

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_the_file_is_a_valid_notebook_for_any_python_3(path):
    notebook = read(path)
    assert notebook.metadata.kernelspec.name == "python3"


def test_outputs_are_stored_in_order_and_without_errors(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any(output.output_type in ("stream", "execute_result") for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_no_widget_state_is_stored_but_every_widget_has_something_to_show_without(path):
    notebook = read(path)
    assert "widgets" not in notebook.metadata
    for cell in code_cells(path):
        for output in cell.outputs:
            data = output.get("data", {})
            if "application/vnd.jupyter.widget-view+json" in data:
                assert {"image/png", "text/plain"} <= set(data)


def test_it_holds_a_static_picture(path):
    figures = [
        output
        for cell in code_cells(path)
        for output in cell.outputs
        if "image/png" in output.get("data", {}) and "application/vnd.jupyter.widget-view+json" not in output.data
    ]
    assert figures


def test_every_picture_is_described(path):
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert pictures
    assert all(len(output.metadata.get("image/png", {}).get("alt", "")) > 40 for output in pictures)


def test_it_says_its_goal_its_time_and_what_it_is_for_and_asks_three_questions_with_hidden_answers(path):
    told = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    for part in (r"\*\*Goal:\*\* ", r"\*\*Time needed:\*\* \d+ minutes", r"\*\*Afterwards you can say\*\*\n\n- "):
        assert re.search(part, told[0]), part
    (asked,) = (text for text in told if text.startswith("## Check yourself\n"))
    questions, _, answers = asked.partition("<details><summary>Answers</summary>\n\n")
    for numbered in (questions, answers):
        assert re.findall(r"^(\d+)\. ", numbered, re.MULTILINE) == ["1", "2", "3"]
    assert answers.rstrip().endswith("</details>")


def test_it_ends_by_raising_what_went_wrong_in_the_background(path):
    sources = [cell.source for cell in code_cells(path)]
    has_background = any(name in source for source in sources for name in ("Widget(", "Session(", ".widget("))
    assert not has_background or "raise_if_failed()" in sources[-1]
