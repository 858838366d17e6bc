"""What can be known of the Binder configuration without a container: the files agree, and postBuild runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
ENVIRONMENT = yaml.safe_load((BINDER / "environment.yml").read_text("utf-8"))
# Where conda-forge has another name for a package: these are the builds for a CPU and without a desktop toolkit.
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}
QUICKSTART = "notebooks/01_quickstart.ipynb"
MANAGER = "@jupyter-widgets/jupyterlab-manager:plugin"


def conda_packages() -> dict[str, SpecifierSet]:
    """Names and ranges in environment.yml; a single ``=`` pins a prefix of the version."""
    packages = {}
    for line in ENVIRONMENT["dependencies"]:
        name, pinned, prefix = line.partition("=")
        if pinned and not name.endswith((">", "<", "!", "~")) and not prefix.startswith("="):
            packages[name] = SpecifierSet(f"=={prefix}.*")
        else:
            requirement = Requirement(line)
            packages[requirement.name] = requirement.specifier
    return packages


def wanted_packages() -> dict[str, SpecifierSet]:
    """What the package, JupyterLab and the build need, in conda-forge's names."""
    extras = PROJECT["optional-dependencies"]
    lines = PROJECT["dependencies"] + extras["lab"] + extras["data"] + PYPROJECT["build-system"]["requires"]
    requirements = [Requirement(line) for line in lines]
    return {CONDA_NAMES.get(needed.name, needed.name): needed.specifier for needed in requirements}


def test_the_environment_has_the_packages_and_ranges_of_the_project_and_nothing_else():
    packages = conda_packages()
    python, pip = packages.pop("python"), packages.pop("pip")
    assert packages == wanted_packages()
    assert pip == SpecifierSet()
    (pin,) = python
    assert pin.operator == "=="
    assert SpecifierSet(PROJECT["requires-python"]).contains(pin.version.removesuffix(".*"))


def test_the_environment_comes_from_conda_forge_alone():
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]
    assert all(isinstance(line, str) for line in ENVIRONMENT["dependencies"])


def test_a_pin_in_the_constraints_lies_in_every_range():
    pinned = (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines()
    pins = {pin.name: str(pin.specifier)[2:] for pin in map(Requirement, filter(lambda line: line[:1] != "#", pinned))}
    names = {conda: name for name, conda in CONDA_NAMES.items()}
    for name, specifier in conda_packages().items():
        if name not in ("python", "pip"):
            assert specifier.contains(pins[names.get(name, name)]), name


def files(folder: Path) -> set[Path]:
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder) for path in found}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A fresh prefix in which postBuild has run, in a copy of the repository; pip and hatchling are lent to it."""
    folder = tmp_path_factory.mktemp("binder")
    prefix, copy = folder / "prefix", folder / "repository"
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", prefix], check=True)
    (packages,) = prefix.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    copy.mkdir()
    for name in ("np_widgets", "binder"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    variables = {
        "PATH": f"{prefix / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    subprocess.run(["binder/postBuild"], cwd=copy, env=os.environ | variables, check=True, capture_output=True)
    return prefix


def test_post_build_installs_the_package(built):
    (installed,) = built.glob("lib/python*/site-packages/np_widgets")
    assert files(installed) == files(ROOT / "np_widgets")


def test_post_build_makes_notebooks_save_the_state_of_their_widgets(built):
    extensions = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    from jupyterlab_server.settings_utils import get_settings

    settings, _ = get_settings(
        str(built / "share" / "jupyter" / "lab" / "settings"),
        schemas_dir="",
        settings_dir="",
        schema_name=MANAGER,
        labextensions_path=[str(extensions)],
    )
    assert settings["schema"]["properties"]["saveState"]["default"] is True


START = """
from jupyter_server.serverapp import ServerApp
from jupyterlab.labapp import LabApp
server = ServerApp()
server.initialize([], find_extensions=False, new_httpserver=False)
print(server.default_url)
print(LabApp.initialize_server([], load_other_extensions=False).default_url)
"""


def test_post_build_makes_the_server_open_the_quickstart(built, tmp_path):
    variables = {f"JUPYTER_{name}_DIR": str(tmp_path) for name in ("CONFIG", "DATA", "RUNTIME")}
    variables["JUPYTER_CONFIG_PATH"] = str(built / "etc" / "jupyter")
    command = [sys.executable, "-c", START]
    result = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=True)
    assert result.stdout.split() == [f"/lab/tree/{QUICKSTART}"] * 2  # "jupyter server", and "jupyter lab"


def test_what_is_opened_exists():
    assert (ROOT / QUICKSTART).is_file()
    configuration = json.loads((BINDER / "jupyter_server_config.json").read_text("utf-8"))
    assert {section["default_url"] for section in configuration.values()} == {f"/lab/tree/{QUICKSTART}"}


def test_nothing_needs_node():
    for path in BINDER.iterdir():
        text = path.read_text("utf-8")
        assert not any(word in text for word in ("nodejs", "npm", "yarn", "labextension install", "lab build")), path
