"""pyproject.toml, constraints.txt and what is built from them agree."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import np_widgets

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "np_widgets"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What the constraints were resolved on: elsewhere some packages fall away and others are added.
RESOLVED_ON = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "linux",
}


def requirements() -> list[Requirement]:
    """Everything pyproject.toml asks for, but for its own extras."""
    groups = [PROJECT["dependencies"], PYPROJECT["build-system"]["requires"], *EXTRAS.values()]
    parsed = [Requirement(line) for group in groups for line in group]
    return [requirement for requirement in parsed if requirement.name != PROJECT["name"]]


def pins() -> dict[str, Version]:
    lines = (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in pinned}


def needed() -> dict[str, Version | None]:
    """All packages that installing the project with its extras brings, with the versions here, if they are here."""
    waiting = requirements()
    found: dict[str, Version | None] = {}
    seen = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
            continue
        found[name] = Version(Version(distribution.version).public)
        for dependency in map(Requirement, distribution.requires or ()):
            # A build of torch for GPUs pins the libraries that come with it; they have no place in the constraints.
            if name == "torch" and "==" in str(dependency.specifier):
                continue
            marker = dependency.marker
            if marker is None or any(marker.evaluate(RESOLVED_ON | {"extra": extra}) for extra in extras or {""}):
                waiting.append(dependency)
    return found


def test_every_constraint_is_one_exact_version():
    lines = [
        line for line in (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    for line in lines:
        name, _, version = line.partition("==")
        assert version, line
        assert str(Version(version)) == version, line
        assert Version(version).local is None, f"{line}: a local version exists in one place only"
        assert str(Requirement(line)) == f"{name}=={version}", line
    assert len(pins()) == len(lines)
    assert lines == sorted(lines, key=lambda line: canonicalize_name(line.partition("==")[0]))


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_constraints_meet_what_the_project_asks_for(requirement):
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_the_constraints_pin_the_whole_environment_and_nothing_else():
    assert sorted(pins()) == sorted(needed())


def test_what_is_installed_is_what_is_pinned():
    installed = {name: version for name, version in needed().items() if version is not None}
    assert installed == {name: version for name, version in pins().items() if name in installed}
    assert {"torch", "numpy", "ipywidgets"} <= set(installed)


def test_the_ranges_leave_users_room():
    runtime = [Requirement(line) for line in PROJECT["dependencies"]]
    assert all(any(bound.operator == ">=" for bound in requirement.specifier) for requirement in runtime)
    assert not any(bound.operator in ("==", "~=") for requirement in runtime for bound in requirement.specifier)
    ipykernel = next(requirement for requirement in runtime if requirement.name == "ipykernel")
    assert not ipykernel.specifier.contains("7.0.0")
    assert ipykernel.specifier.contains("7.1.0")


def test_the_extra_for_tests_holds_the_others():
    (itself,) = (Requirement(line) for line in EXTRAS["test"] if line.startswith("np_widgets"))
    assert itself.extras == set(EXTRAS) - {"test"}
    assert PYPROJECT["dependency-groups"]["dev"] == ["np_widgets[test]"]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_the_package_imports_what_it_declares_and_nothing_else():
    names = {name for path in PACKAGE.rglob("*.py") for name in imported(path)}
    used = names - sys.stdlib_module_names - {"np_widgets"}
    declared = {Requirement(line).name for line in PROJECT["dependencies"]}
    # The kernel is at the other end of the widgets' messages.
    assert {{"PIL": "pillow"}.get(name, name.lower()) for name in used - {"sklearn"}} == declared - {"ipykernel"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_its_types_and_its_front_end(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    information = f"np_widgets-{np_widgets.__version__}.dist-info"
    assert "np_widgets/py.typed" in held
    assert f"{information}/licenses/LICENSE" in held
    assert {name for name in held if not name.startswith(information)} == {
        path.relative_to(ROOT).as_posix() for path in files
    }


def test_the_changelog_knows_this_version_or_what_is_to_be_released():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog or f"## [{np_widgets.__version__}]" in changelog


@pytest.mark.parametrize("path", [".ci/run", "binder/postBuild"])
def test_scripts_that_others_start_are_executable(path):
    assert os.access(ROOT / path, os.X_OK)


def texts() -> list[Path]:
    """The text files of the repository."""
    folders = ["np_widgets", "notebooks", "tests", "binder", ".ci"]
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    files = [path for path in [*ROOT.glob("*"), *inside] if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in files if b"\0" not in path.read_bytes()]


def test_no_file_tells_where_it_was_written():
    places = [place for place in (str(ROOT), str(Path.home())) if len(Path(place).parts) > 1]
    found = [path for path in texts() if any(f"{place}/" in path.read_text("utf-8") for place in places)]
    assert found == []


def test_every_module_is_imported_without_a_warning():
    code = """
import importlib, pkgutil, np_widgets
for module in pkgutil.walk_packages(np_widgets.__path__, "np_widgets."):
    importlib.import_module(module.name)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
