"""The README's example runs, and what it points at is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
import yaml
from PIL import Image

import np_widgets as npw
from np_widgets.widgets import audience, publisher
from np_widgets.widgets.tree import tree
from tests import gallery

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")
GALLERY = gallery.entries()
EXAMPLES = [
    code
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
    if code not in {entry.code for entry in GALLERY}
]
LOCAL_LINKS = [link for link in re.findall(r"\]\(([^)\s]+)\)", TEXT) if not link.startswith(("https://", "#"))]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
SOURCE, PAPER = URLS["Source"], URLS["Paper"]


def test_the_first_example_is_short():
    assert len(EXAMPLES[0].splitlines()) < 10


def test_the_examples_run_as_they_stand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they write files
    text = "\n".join(EXAMPLES)
    # Fewer pursuits of fewer samples are as telling, and do not take a minute on a busy machine.
    shorter = re.sub(r"range\(64\)", "range(3)", text.replace("samples=1000", "samples=200"))
    assert shorter.count("range(3)") == 1
    names: dict[str, Any] = {}
    try:
        exec(compile(shorter, "README.md", "exec"), names)
    finally:
        ipywidgets.Widget.close_all()
        for value in names.values():
            if isinstance(value, npw.PursuitWidget):
                value.close()
    assert names["pursuit"].finished is not None
    assert len(names["ensemble"]) == 3


@pytest.mark.parametrize("link", LOCAL_LINKS)
def test_local_links_lead_somewhere(link):
    assert (ROOT / link.partition("#")[0]).exists()


def test_what_others_are_told_exists():
    told = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rooms = {path.parent.name for path in (ROOT / "np_widgets").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/`", told, flags=re.MULTILINE)) == rooms
    for path in re.findall(r"`(\w+/[\w/]+\.py|\w+/\w+/)`", told):
        assert (ROOT / path).exists() or (ROOT / "np_widgets" / path).exists(), path
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert cited["repository-code"] == SOURCE
    assert cited["preferred-citation"]["url"] == PAPER


def test_pictures_are_pictures_and_described():
    images = re.findall(r"!\[([^\]]*)\]\(([^)]+\.(?:png|gif))\)", TEXT)
    assert len(images) == 2 + len(GALLERY) == 6
    for words, image in images:
        assert len(words) > 40
        with Image.open(ROOT / image) as picture:
            picture.verify()


def test_what_is_seen_first_is_a_small_film_that_the_gallery_makes_and_the_two_commands():
    first = TEXT[: TEXT.index("## ")]
    image = re.search(r"!\[[^\]]*\]\(([^)]+)\)", first)
    assert image is not None
    assert image[1] in {entry.path for entry in GALLERY if "npw.animate(" in entry.code}
    assert image.start() < first.index("make lab") < first.index("make test") < image.end() + 200
    assert (ROOT / image[1]).stat().st_size < 200_000
    with Image.open(ROOT / image[1]) as film:
        assert getattr(film, "n_frames", 1) > 4


def test_what_is_told_of_trouble_is_so():
    told = TEXT.partition("## When something does not work\n")[2].partition("\n## ")[0]
    assert f"{publisher.LARGEST_SHARE_OF_BROWSER:.0%}".replace("%", " %") in told
    assert (audience.SECONDS_WITHOUT_VIEW, "nobody looked for ten seconds" in told) == (10.0, True)
    (shown,) = re.findall(r"`(npw\.PursuitWidget\([^`]+\))`", told)
    widget = eval(shown.replace("problem, ", "problem, rate=2, "), {"npw": npw, "problem": npw.problems.two_moons(20)})
    try:
        names = {each.description for each in tree(widget) if isinstance(each, ipywidgets.Button)}
        assert set(re.findall(r"\*\*([A-Z][a-z ]+)\*\*", told)) == {"Play", "Live", "Add neuron", "Reset"} <= names
        assert widget.status == "paused"
        assert "Play goes on from the last good state" in widget._remedy
    finally:
        widget.close()


@pytest.mark.parametrize("entry", GALLERY, ids=lambda entry: Path(entry.path).stem)
def test_a_picture_of_the_gallery_is_made_by_the_few_lines_above_it(entry, tmp_path):
    assert 3 <= len(list(filter(None, entry.code.splitlines()))) <= 8
    assert entry.alt
    # Fewer samples, steps and moments are as telling.
    quicker = [("samples=1000", "samples=60"), ("samples=200", "samples=60"), ("max_steps=3000", "max_steps=30")]
    code = entry.code
    for slow, quick in [
        *quicker,
        ("most=16", "most=2"),
        ("range(3)", "range(1)"),
        ("max_additions=3", "max_additions=1"),
    ]:
        code = code.replace(slow, quick)
    made = entry._replace(code=code).make(tmp_path)
    with Image.open(made) as picture:
        picture.load()
        assert min(picture.size) > 200


def test_the_badge_opens_the_quickstart_of_this_repository():
    owner_and_name = SOURCE.removeprefix("https://github.com/")
    quickstart = "urlpath=lab%2Ftree%2Fnotebooks%2F01_quickstart.ipynb"
    assert f"https://mybinder.org/v2/gh/{owner_and_name}/main?{quickstart}" in TEXT


def test_every_command_named_is_one_of_the_makefile():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", TEXT, flags=re.MULTILINE))
    assert {"lab", "test"} <= named <= targets


def test_the_front_ends_that_were_tried_have_the_versions_of_the_environment():
    pinned = dict(
        re.findall(r"^(\w+)==(\d+\.\d+)", (ROOT / ".ci" / "constraints.txt").read_text("utf-8"), flags=re.MULTILINE)
    )
    named = dict(re.findall(r"^\| (JupyterLab|Notebook|Voilà) (\d+\.\d+) \|", TEXT, flags=re.MULTILINE))
    assert named == {"JupyterLab": pinned["jupyterlab"], "Notebook": pinned["notebook"], "Voilà": pinned["voila"]}
