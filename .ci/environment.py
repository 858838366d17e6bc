"""Makes ``.venv`` what the Makefile needs: created when absent, completed when incomplete, rebuilt when damaged.

Usage: ``python .ci/environment.py lab`` or ``... test``. Needs nothing but the standard library.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "np_widgets.stamp"
SPECIFICATION = ("pyproject.toml", ".ci/constraints.txt")
# What each purpose installs; "test" holds all of "lab".
EXTRAS = {"lab": "lab,data", "test": "test"}
# What pip writes when it cannot reach any package.
NO_NETWORK = ("connection broken by", "Temporary failure in name resolution", "Network is unreachable")


def prepare(purpose: str) -> None:
    """Make the environment fit for a purpose; does nothing when it already is."""
    damage = next(damages(ENVIRONMENT), None)
    if damage is None and ready(purpose):
        return
    if damage is not None:
        if ENVIRONMENT.exists():
            say(f"The environment in .venv is damaged ({damage}): making it anew.")
        create()
    say(f"Installing np_widgets[{EXTRAS[purpose]}] and what it needs into .venv (the first time takes some minutes).")
    STAMP.unlink(missing_ok=True)
    # Python compiles what is imported: compiling all of it beforehand would take longer than everything else here.
    options = ["--no-compile", "--constraint", ".ci/constraints.txt"]
    pip("install", *options, "hatchling")
    # Built with the pinned hatchling just installed, not with whatever a build environment of its own would fetch.
    pip("install", *options, "--no-build-isolation", "--editable", f".[{EXTRAS[purpose]}]")
    STAMP.write_text(f"{purpose} {fingerprint()}\n", encoding="utf-8")
    say("The environment in .venv is ready.")


def ready(purpose: str) -> bool:
    """Whether the last installation was for this purpose and from the specification as it is now."""
    if not STAMP.exists():
        return False
    installed, _, made_from = STAMP.read_text(encoding="utf-8").strip().partition(" ")
    return installed in (purpose, "test") and made_from == fingerprint()


def fingerprint() -> str:
    """A hash of what the environment is made from; the place counts, for an editable installation holds a path."""
    digest = hashlib.sha256(bytes(ROOT))
    for name in SPECIFICATION:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def damages(environment: Path) -> Iterator[str]:
    """Yield what is wrong with a virtual environment, such as an interrupted installation leaves behind."""
    python = environment / "bin" / "python"
    program = "import sys, sysconfig, pip; print(sys.version_info >= (3, 11), sysconfig.get_path('purelib'), sep='\\n')"
    try:
        answer = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        yield "its Python or pip does not run"
        return
    recent, packages = answer.stdout.splitlines()
    if recent != "True":
        yield "its Python is older than 3.11"
    for distribution in importlib.metadata.distributions(path=[packages]):
        # Its property "files" leaves out what is not there, from Python 3.12 on.
        record = distribution.read_text("RECORD")
        if record is None:
            yield f"{distribution.name} is half installed"
            continue
        for file, _, recorded in csv.reader(record.splitlines()):
            if file.endswith(".pyc"):
                continue
            try:
                size = Path(str(distribution.locate_file(file))).stat().st_size
            except OSError:
                yield f"{distribution.name} lacks {file}"
                break
            if recorded and int(recorded) != size:
                yield f"{distribution.name} has a damaged {file}"
                break


def create() -> None:
    """Make an empty environment, in place of any that is there."""
    say(f"Creating .venv with Python {sys.version.split()[0]}.")
    # The interpreter behind an active environment, for that environment may be the one about to be cleared.
    python = getattr(sys, "_base_executable", sys.executable)
    if subprocess.run([python, "-I", "-m", "venv", "--clear", ENVIRONMENT], check=False).returncode != 0:
        stop("The environment could not be created; the message above says why.")


def pip(*arguments: str) -> None:
    """Run the environment's pip; it shows its own progress."""
    command = [str(ENVIRONMENT / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check", *arguments]
    # A user's own settings may ask for --user, which an environment refuses.
    variables = os.environ | {"PIP_USER": "0", "PIP_NO_INPUT": "1"}
    unreachable = False
    with subprocess.Popen(command, cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            sys.stderr.write(line)
            unreachable = unreachable or any(sign in line for sign in NO_NETWORK)
    if process.returncode != 0 and unreachable:
        stop("No network: pip could not reach a package index. Connect, or set pip's proxy, and run the command again.")
    if process.returncode != 0:
        stop("pip could not install the environment; its message above says why. Run the command again to try anew.")


def say(text: str) -> None:
    """Tell the user at once, in step with what pip prints."""
    print(text, flush=True)


def stop(text: str) -> NoReturn:
    """End with a message."""
    sys.exit(f"\nnp_widgets: {text}")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in EXTRAS:
        stop(f"usage: environment.py {'|'.join(EXTRAS)}")
    prepare(sys.argv[1])
