"""Make the pictures of the README's gallery again: each from the lines of Python above it."""

from __future__ import annotations

import os
import re
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
_ENTRY = re.compile(
    r"^```python\n(?P<code>.*?)^```\n\n!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)", re.DOTALL | re.MULTILINE
)


class Entry(NamedTuple):
    """Some lines of Python, and the picture that they make."""

    code: str
    alt: str
    path: str

    def make(self, folder: Path) -> Path:
        """Run the lines in a folder: they write the file of that name, or leave a ``figure``, which is written here."""
        target = folder / Path(self.path).name
        names: dict[str, Any] = {}
        with chdir(folder):
            exec(compile(self.code, self.path, "exec"), names)
        figure = names.get("figure")
        if isinstance(figure, Figure):
            figure.savefig(target, dpi=100)
        return target


def entries() -> list[Entry]:
    """What is in the README's gallery."""
    text = (ROOT / "README.md").read_text("utf-8")
    gallery = text.partition("\n## Gallery\n")[2].partition("\n## ")[0]
    return [Entry(*found.group("code", "alt", "path")) for found in _ENTRY.finditer(gallery)]


def main() -> None:
    """Make all of them, in their places."""
    mpl.use("agg")
    for entry in entries():
        made = entry.make((ROOT / entry.path).parent)
        sys.stdout.write(f"{os.path.relpath(made, ROOT)}: {made.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
