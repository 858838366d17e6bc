"""Prints the path of a Chromium for the browser tests; installs Debian's where there is none.

``CHROMIUM`` names another one. Everything but the path goes to the standard error stream.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import NoReturn

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
INSTALLATION = (("update",), ("install", "-y", "--no-install-recommends", "chromium"))


def find() -> str | None:
    """Look for an installed Chromium or Chrome."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def install() -> None:
    """Install Chromium with ``apt-get``, as root or through a ``sudo`` that asks no password."""
    if shutil.which("apt-get") is None:
        stop("there is no apt-get to install it with")
    become_root: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None or subprocess.run(["sudo", "-n", "true"], check=False).returncode != 0:
            stop("installing it needs root")
        become_root = ["sudo", "-n"]
    print("Installing Chromium for the browser tests.", file=sys.stderr, flush=True)
    for step in INSTALLATION:
        command = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *step]
        if subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            stop(f"'apt-get {' '.join(step)}' failed (is there a network?)")


def stop(reason: str) -> NoReturn:
    """End with what is missing and what to do."""
    sys.exit(
        f"\nnp_widgets: the browser tests need Chromium or Chrome, and {reason}. "
        "Install it, or set CHROMIUM to the path of one."
    )


def main() -> None:
    """Print the path of a Chromium."""
    named = os.environ.get("CHROMIUM")
    path = shutil.which(named) if named else find()
    if path is None and named:
        stop(f"CHROMIUM={named} is not a program")
    if path is None:
        install()
        path = find() or stop("it is not on the PATH after installing it")
    print(path)


if __name__ == "__main__":
    main()
