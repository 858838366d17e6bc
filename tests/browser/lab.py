"""A server of one's own with JupyterLab, Notebook and Voilà, and a headless browser that looks at it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90_000
"""Milliseconds that anything may take to show on a busy machine."""
VOILA = "voila/render"
"""The part of a server that shows notebooks as pages."""
# Jupyter's own complaints: Notebook 7.6 has one while it starts, whatever is opened, and another where JupyterLab has
# left a workspace on the same server; and a server knows files by their names alone, so that Notebook does not get a
# font of icons that JupyterLab has got, or the other way round.
_OF_JUPYTER = re.compile(
    r"uncaught: Cannot read properties of undefined \(reading 'schema'\)"
    r"|uncaught: Command 'filebrowser:open-path' not registered\."
    r"|Failed to load resource: .* 403 \(Forbidden\) \(http://127\.0\.0\.1:\d+/static/(lab|notebook)/\w+\.(woff2?|ttf)\)"
)
_CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Server:
    """JupyterLab on a free port, with settings, workspaces and notebooks in a folder of its own.

    It serves the pages of Notebook and Voilà, too, with the settings and the template of ``make app``.
    """

    def __init__(self, folder: Path) -> None:
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self._log = folder / "server.log"
        self._environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_PATH": str(ROOT / "notebooks" / "app"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_PREFER_ENV_PATH": "1",
        }
        shutil.copy(ROOT / "notebooks" / "app" / "voila.json", folder)
        # Neither asks for news nor looks for updates: both would need the network.
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
        self._token = secrets.token_hex(16)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self._port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.notebooks.parent,
            "IdentityProvider.token": self._token,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "LabApp.news_url": None,
            "JupyterNotebookApp.expose_app_in_browser": True,
        }
        command += [f"--{name}={value}" for name, value in options.items()]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT, cwd=self.notebooks.parent
            )
        end = time.monotonic() + PATIENCE / 1000
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server, and with it its kernels."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def address(self, notebook: str, front_end: str = "lab/tree") -> str:
        """Where a notebook of the folder is opened: in JupyterLab, Notebook (``"notebooks"``), or :data:`VOILA`."""
        return f"http://127.0.0.1:{self._port}/{front_end}/notebooks/{notebook}?token={self._token}&reset"

    def write_notebook(self, name: str, *cells: str) -> None:
        """Make a notebook of code cells."""
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell{i}",
                    "metadata": {},
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
                for i, source in enumerate(cells)
            ],
        }
        (self.notebooks / name).write_text(json.dumps(notebook), encoding="utf-8")

    def code_of(self, name: str) -> list[str]:
        """The code cells of a notebook."""
        cells = json.loads((self.notebooks / name).read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api?token={self._token}", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


class Visit:
    """What is open in a page, and what the browser said and asked for meanwhile."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.foreign_requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._complain(f"uncaught: {error}"))
        page.on("request", self._on_request)
        page.goto(address)

    @property
    def widget(self) -> Locator:
        """The first PursuitWidget that is shown."""
        return self.page.locator(".npw").first

    def shut_down(self) -> None:
        """Close the page."""
        self.page.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._complain(f"{message.text} ({message.location.get('url', '')})")

    def _complain(self, complaint: str) -> None:
        if not _OF_JUPYTER.fullmatch(complaint):
            self.complaints.append(complaint)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.foreign_requests.append(request.url)


class Notebook(Visit):
    """A notebook open in JupyterLab or Notebook."""

    def __init__(self, page: Page, address: str) -> None:
        super().__init__(page, address)
        self.wait_until_open()

    def wait_until_open(self) -> None:
        """Wait until the notebook is shown and its kernel is idle."""
        self.page.wait_for_function("() => window.jupyterapp !== undefined")
        self.page.evaluate("() => window.jupyterapp.restored")
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first.wait_for()
        self.page.wait_for_function(
            """() => {
              const panel = window.jupyterapp.shell.currentWidget;
              return panel?.sessionContext?.session?.kernel?.status === "idle";
            }"""
        )

    def reload(self) -> None:
        """Reload the page until the widgets are there.

        JupyterLab asks the kernel for them and gives it four seconds, which on a busy machine may be too few.
        """
        for _ in range(5):
            self.page.reload()
            self.wait_until_open()
            lost = self.page.get_by_text("Error displaying widget: model not found")
            self.widget.or_(lost).first.wait_for()
            if lost.count() == 0:
                return
            self.complaints.clear()

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Execute a command of JupyterLab and wait for its end."""
        self.page.evaluate(
            "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args) }", [name, arguments or {}]
        )

    def run_all(self) -> None:
        """Run all cells."""
        self.command("notebook:run-all-cells")

    def set_theme(self, theme: str) -> None:
        """Switch to ``"JupyterLab Light"`` or ``"JupyterLab Dark"`` and wait until its styles are there."""
        self.command("apputils:change-theme", {"theme": theme})
        light = "true" if theme.endswith("Light") else "false"
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def shut_down(self) -> None:
        """Stop the kernel and close the page."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget?.sessionContext.shutdown()")
        super().shut_down()


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium: the one that ``CHROMIUM`` names, or one on the path."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_chromium(), args=_CHROMIUM_ARGUMENTS)
        try:
            yield chromium
        finally:
            chromium.close()


def _chromium() -> str:
    named = os.environ.get("CHROMIUM")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    path = next((path for path in map(shutil.which, names) if path), None)
    if path is None:
        raise RuntimeError(
            f"the browser tests need Chromium, and none of {', '.join(names)} is a program: install it "
            "('python .ci/chromium.py' does), or set CHROMIUM to the path of one"
        )
    return path


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
