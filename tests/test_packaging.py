"""The wheel: everything the program needs is inside, and it runs where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tracker import __version__

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tracker", "workers", "web")


def build(tree: Path, folder: Path) -> Path:
    """Build the wheel of ``tree``; nothing is downloaded, and nothing is written into the tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("steptracker-*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


def tree_files(root: Path) -> set[str]:
    """Every file of the three packages."""
    found = {path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file()}
    return {path.relative_to(root).as_posix() for path in found if "__pycache__" not in path.parts}


def wheel_files(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_the_three_packages_whole_and_nothing_else(wheel: Path) -> None:
    """Scripts, styles, templates, Lua and the type marker are files like any other."""
    assert wheel_files(wheel) == tree_files(ROOT)


def test_the_wheel_holds_its_assets() -> None:
    """The kinds of file that a build could forget do exist."""
    endings = {Path(name).suffix for name in tree_files(ROOT)} | {Path(name).name for name in tree_files(ROOT)}
    assert endings >= {".lua", ".js", ".css", ".html", "py.typed"}


def test_an_ignored_asset_is_in_the_wheel_all_the_same(tmp_path: Path) -> None:
    """The build leaves out what .gitignore names, unless told otherwise."""
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=ignore)
    for path in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / path).exists():
            shutil.copy(ROOT / path, tree)
    (tree / ".gitignore").write_text("*.lua\n*.js\n*.css\n*.html\nstatic/\npy.typed\n")
    assert wheel_files(build(tree, tmp_path / "out")) == tree_files(ROOT)


def test_the_wheel_names_its_version_licence_and_command(wheel: Path) -> None:
    """What an installer and a registry read."""
    with zipfile.ZipFile(wheel) as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" in name}
    assert f"Version: {__version__}" in texts["METADATA"]
    assert "License-Expression: MIT" in texts["METADATA"]
    assert "Requires-Python: >=3.11" in texts["METADATA"]
    assert "tracker = tracker.cli:main" in texts["entry_points.txt"]
    assert "steptracker = tracker.pytest_plugin" in texts["entry_points.txt"]
    assert "LICENSE" in texts


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it; the libraries are borrowed from the environment of the tests."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=100)
    # dev.py makes its environment with pip in it, or, where uv is installed, with uv and without pip.
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--no-index"]
    uv = ["uv", "pip", "install", "--python", venv / "bin" / "python", "--offline"]
    subprocess.run([*(pip if find_spec("pip") else uv), "--quiet", "--no-deps", wheel], check=True, timeout=100)
    site_packages = next(venv.glob("lib/python3*/site-packages"))
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


def test_pytest_finds_the_fixture_of_the_installed_package(installed: Path, tmp_path: Path) -> None:
    """By the package's entry point: a user writes its name and nothing else."""
    (tmp_path / "test_it.py").write_text("def test_it(tracker_events):\n    assert tracker_events == []\n")
    command = [installed / "bin" / "python", "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A user's folder that has packages of our names."""
    for name in (*PACKAGES, "celery", "redis"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('the {name} of this folder was imported')\n")
    return tmp_path


def test_the_installed_command_runs_in_a_folder_with_packages_of_the_same_names(installed: Path, crowded: Path) -> None:
    """The command never looks for its own code where the user stands."""
    done = subprocess.run(
        [installed / "bin" / "tracker", "--help"], cwd=crowded, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage" in done.stdout


def test_what_runs_is_what_was_installed(installed: Path, crowded: Path) -> None:
    """Not the checkout, which the environment of the tests also knows."""
    script = "import tracker, web, workers; print(tracker.__file__, web.__file__, workers.__file__, sep='\\n')"
    done = subprocess.run(
        [installed / "bin" / "python", "-I", "-c", script], cwd=crowded, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert [path for path in done.stdout.split() if not path.startswith(str(installed))] == []
