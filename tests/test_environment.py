"""The tools behind the Makefile: which Python, the environment, Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".ci"))

import chromium  # noqa: E402
import environment  # noqa: E402

SHELL = shutil.which("sh") or "/bin/sh"


def program(folder: Path, name: str, text: str) -> Path:
    """Write an executable shell script."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{SHELL}\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


def find_python(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [SHELL, str(ROOT / ".ci" / "find_python.sh"), *arguments]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


RECENT = 'case "$2" in *platform*) echo 3.12.1;; esac'
OLD = 'case "$2" in *platform*) echo 3.9.2;; *version_info*) exit 1;; esac'
WITHOUT_VENV = 'case "$2" in *platform*) echo 3.12.1;; *venv*) exit 1;; esac'


def test_no_python_at_all_is_said(tmp_path):
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert "needs Python 3.11 or newer" in result.stderr
    assert "None of these is installed" in result.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [(OLD, "python3 is Python 3.9.2: too old"), (WITHOUT_VENV, "python3 (Python 3.12.1) has no venv module")],
)
def test_a_python_that_will_not_do_is_named(tmp_path, text, reason):
    program(tmp_path, "python3", text)
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert reason in result.stderr


def test_the_first_python_that_will_do_is_taken(tmp_path):
    program(tmp_path, "python3.11", WITHOUT_VENV)
    program(tmp_path, "python3.12", OLD)
    good = program(tmp_path, "python3", RECENT)
    assert find_python(tmp_path).stdout.strip() == str(good)


def test_a_python_can_be_named_even_with_spaces_in_its_path(tmp_path):
    good = program(tmp_path / "my programs", "snake", RECENT)
    assert find_python(tmp_path, str(good)).stdout.strip() == str(good)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """The environment tool in a folder of its own, with pip and venv replaced by a record of what they were asked."""
    calls: list[str] = []

    def create() -> None:
        environment.ENVIRONMENT.mkdir()
        calls.append("create")

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv" / "stamp")
    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "pip", lambda *arguments: calls.append(arguments[-1]))
    absent = iter(["it is not there"])
    monkeypatch.setattr(environment, "damages", lambda _: absent)
    (tmp_path / ".ci").mkdir()
    for name in environment.SPECIFICATION:
        (tmp_path / name).write_text("", "utf-8")
    return calls


def test_an_environment_is_made_once(fresh):
    environment.prepare("lab")
    assert fresh == ["create", "hatchling", ".[lab,data]"]
    environment.prepare("lab")
    assert len(fresh) == 3


def test_the_environment_for_tests_serves_the_lab_but_not_the_other_way_round(fresh):
    environment.prepare("lab")
    environment.prepare("test")
    assert fresh[3:] == ["hatchling", ".[test]"]
    environment.prepare("lab")
    assert len(fresh) == 5


@pytest.mark.parametrize("name", environment.SPECIFICATION)
def test_a_changed_specification_is_followed(fresh, name):
    environment.prepare("lab")
    (environment.ROOT / name).write_text("changed", "utf-8")
    environment.prepare("lab")
    assert fresh[3:] == ["hatchling", ".[lab,data]"]


def test_a_failed_installation_is_tried_again(fresh, monkeypatch):
    recorded = environment.pip
    monkeypatch.setattr(environment, "pip", lambda *arguments: environment.stop("no"))
    with pytest.raises(SystemExit):
        environment.prepare("lab")
    monkeypatch.setattr(environment, "pip", recorded)
    environment.prepare("lab")
    assert fresh == ["create", "hatchling", ".[lab,data]"]


@pytest.fixture(scope="module")
def without_network(tmp_path_factory):
    """A clone in which the environment was to be prepared where there is no network, and what was said then."""
    clone = tmp_path_factory.mktemp("environment") / "a clone"
    shutil.copytree(ROOT / ".ci", clone / ".ci")
    shutil.copy(ROOT / "pyproject.toml", clone)
    # Nothing listens on port 9 of this machine.
    nowhere = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "1",
        "PIP_TIMEOUT": "1",
    }
    result = subprocess.run(
        [sys.executable, str(clone / ".ci" / "environment.py"), "lab"],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    return clone, result


@pytest.fixture(scope="module")
def venv(without_network):
    """An environment as it was created, with nothing installed in it yet."""
    return without_network[0] / ".venv"


def test_a_sound_environment_has_no_damage(venv):
    assert list(environment.damages(venv)) == []


def test_an_absent_environment_is_damaged(tmp_path):
    assert list(environment.damages(tmp_path / ".venv")) == ["its Python or pip does not run"]


@pytest.mark.parametrize("how", ["removed", "cut short"])
def test_a_damaged_file_is_found(venv, how):
    (file,) = venv.glob("lib/python*/site-packages/pip/_vendor/rich/cells.py")
    whole = file.read_bytes()
    try:
        file.unlink() if how == "removed" else file.write_bytes(whole[:100])
        (damage,) = environment.damages(venv)
    finally:
        file.write_bytes(whole)
    assert damage.startswith("pip ")
    assert "cells.py" in damage


def test_a_package_whose_installation_was_interrupted_is_found(venv):
    (packages,) = venv.glob("lib/python*/site-packages")
    half = packages / "half-1.0.dist-info"
    half.mkdir()
    try:
        (half / "METADATA").write_text("Metadata-Version: 2.1\nName: half\nVersion: 1.0\n", "utf-8")
        assert list(environment.damages(venv)) == ["half is half installed"]
    finally:
        shutil.rmtree(half)


def test_a_missing_network_is_said_in_one_sentence(without_network):
    clone, result = without_network
    assert result.returncode == 1
    assert "No network: pip could not reach a package index." in result.stderr
    assert not (clone / ".venv" / environment.STAMP.name).exists()


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A PATH on which there is nothing yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "NAMES", ("chromium", "google-chrome"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tmp_path


def test_chromium_is_found_on_the_path(bare, capsys):
    path = program(bare, "google-chrome", "")
    chromium.main()
    assert capsys.readouterr().out.strip() == str(path)


def test_chromium_can_be_named(bare, monkeypatch, capsys):
    program(bare, "chromium", "")
    path = program(bare / "elsewhere", "mine", "")
    monkeypatch.setenv("CHROMIUM", str(path))
    chromium.main()
    assert capsys.readouterr().out.strip() == str(path)


def test_a_named_chromium_that_is_not_there_is_said(bare, monkeypatch):
    program(bare, "chromium", "")
    monkeypatch.setenv("CHROMIUM", "nowhere")
    with pytest.raises(SystemExit, match="CHROMIUM=nowhere is not a program"):
        chromium.main()


def test_without_apt_get_the_lack_is_said(bare):
    with pytest.raises(SystemExit, match="need Chromium or Chrome, and there is no apt-get"):
        chromium.main()


def test_without_root_the_lack_is_said(bare, monkeypatch):
    program(bare, "apt-get", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match="installing it needs root"):
        chromium.main()


@pytest.mark.parametrize("user", [0, 1000])
def test_chromium_is_installed_where_there_is_none(bare, monkeypatch, capfd, user):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    program(bare, "sudo", '[ "$1" = -n ] && shift; [ "$1" = true ] || "$@"')
    program(bare, "env", 'shift; "$@"')
    browser = bare / "chromium"
    copy = shutil.which("cp", path=os.defpath)
    program(bare, "apt-get", f'echo "apt: $*"; [ "$1" = update ] || {copy} "$0" "{browser}"')
    chromium.main()
    out, err = capfd.readouterr()
    assert out.strip() == str(browser)
    assert "apt: update\napt: install -y --no-install-recommends chromium" in err


def test_a_failed_installation_of_chromium_is_said(bare, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(bare, "env", 'shift; "$@"')
    program(bare, "apt-get", "exit 100")
    with pytest.raises(SystemExit, match="'apt-get update' failed"):
        chromium.main()
