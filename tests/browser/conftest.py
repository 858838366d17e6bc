"""One server and one browser for all tests here, a page for each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.lab import PATIENCE, ROOT, VOILA, Notebook, Server, Visit, browser

VIEWPORT = (1400, 1100)

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserContext]:
    """One context: every page but the first finds JupyterLab's scripts in the cache, compiled."""
    width, height = VIEWPORT
    with browser() as launched:
        yield launched.new_context(viewport={"width": width, "height": height})


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server of copies of the repository's notebooks."""
    started = Server(tmp_path_factory.mktemp("lab"))
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), ROOT / "notebooks" / "app" / "pursuit.ipynb"]:
        shutil.copy(path, started.notebooks)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures for the eye are kept."""
    folder = ROOT / "tests" / "browser" / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_notebook(chromium: BrowserContext, server: Server) -> Iterator[Callable[..., Any]]:
    """Open notebooks for a test."""
    with _notebooks(chromium, server) as open_one:
        yield open_one


@pytest.fixture(scope="module")
def keep_notebook(chromium: BrowserContext, server: Server) -> Iterator[Callable[..., Any]]:
    """Open notebooks for all tests of a file."""
    with _notebooks(chromium, server) as open_one:
        yield open_one


@contextmanager
def _notebooks(chromium: BrowserContext, server: Server) -> Iterator[Callable[..., Any]]:
    """At the end nothing may have been said on the console, and nothing asked of other machines."""
    opened: list[Visit] = []

    def open_one(name: str, front_end: str = "lab/tree") -> Visit:
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE)
        kind = Visit if front_end == VOILA else Notebook
        opened.append(kind(page, server.address(name, front_end)))
        return opened[-1]

    yield open_one
    for notebook in opened:
        complaints, foreign = list(notebook.complaints), list(notebook.foreign_requests)
        notebook.shut_down()
        assert complaints == []
        assert foreign == []
