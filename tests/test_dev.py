"""dev.py: one file that sets the checkout up anywhere, and says in one line what is missing."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.support import wait_for

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "import os, sys\nimport tiny\nprint(tiny.VERSION, *sys.argv[1:], os.getcwd(), os.getpid())\nsys.exit(3)\n"


def make_wheel(folder: Path, version: str) -> str:
    """A wheel of one line, and the requirement line that names it with its hash."""
    path = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={digest(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(name, text)
    return f"tiny @ {path.as_uri()} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def make_checkout(folder: Path) -> Path:
    """A checkout in small: the real dev.py, a program that prints what it was given, one hashed requirement."""
    root = folder / "a checkout"
    (root / "tracker").mkdir(parents=True)
    (root / "requirements").mkdir()
    (root / "tracker" / "__init__.py").write_text("")
    (root / "tracker" / "__main__.py").write_text(PROGRAM)
    shutil.copy(ROOT / "dev.py", root)
    (root / "pyproject.toml").write_text("[project]\nname = 'small'\nversion = '1'\n")
    for kind in ("runtime", "dev"):
        (root / "requirements" / f"{kind}.txt").write_text(make_wheel(folder, "1.0"))
    return root


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout in which nothing has been run."""
    return make_checkout(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkout whose environment is there."""
    root = make_checkout(tmp_path_factory.mktemp("installed"))
    code, out, err = run(root, "up")
    assert (code, out.split()[0]) == (3, "1.0")
    assert "ready after" in err
    return root


def start(root: Path, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(root / "dev.py"), *arguments],
        cwd=cwd or root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(root: Path, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    process = start(root, *arguments, cwd=cwd)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


@pytest.fixture
def dev() -> ModuleType:
    """The file as a module, to look at single functions."""
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def works(command: str | Path) -> bool:
    test = "import sys; sys.exit(sys.version_info[:2] != (3, 8))"
    try:
        return subprocess.run([command, "-c", test], capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="session")
def python38() -> str:
    """A Python 3.8 that runs."""
    # pyenv keeps its Pythons side by side, also those that are not on PATH.
    kept = Path(sys.base_prefix).parent.glob("3.8*/bin/python")
    found = next((str(path) for path in ["python3.8", *kept] if works(path)), None)
    if found is None:
        pytest.skip("no Python 3.8 on this machine")
    return found


# ---- what it says on machines that lack something ------------------------------------------------


def test_it_parses_on_python_38() -> None:
    """Otherwise an old Python would answer with a syntax error."""
    ast.parse((ROOT / "dev.py").read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("command", ["demo", "up", "test", "lint", "bench"])
def test_an_old_python_is_told_in_one_line(python38: str, command: str) -> None:
    """It names what is needed and what is there, and makes nothing."""
    done = subprocess.run([python38, ROOT / "dev.py", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "needs Python >= 3.11, this is 3.8." in done.stderr


def test_a_newer_python_on_path_is_named(python38: str, tmp_path: Path) -> None:
    """The line can be copied; names on PATH that do not run are passed over."""
    (tmp_path / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.13").chmod(0o755)
    (tmp_path / "python3.12").symlink_to(sys.executable)
    done = subprocess.run(
        [python38, ROOT / "dev.py", "test"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.endswith("; run: python3.12 dev.py test\n")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_missing_venv_module_is_told_in_one_line(
    dev: ModuleType, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Debian ships Python without it; the line names the package."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit) as ended:
        dev.require_pip()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        f"dev.py: this Python has no {module} module; on Debian and Ubuntu: apt install python3-venv\n"
    )


def test_help_lists_the_commands(checkout: Path) -> None:
    """Help needs no environment."""
    code, out, err = run(checkout, "--help")
    assert (code, err) == (0, "")
    assert all(f"dev.py {command}" in out for command in ("demo", "up", "test", "lint", "bench"))
    assert not (checkout / ".venv").exists()


def test_an_unknown_command_is_one_line(checkout: Path) -> None:
    """It ends with the exit code for wrong usage."""
    code, out, err = run(checkout, "tset")
    assert (code, out) == (2, "")
    assert err == "dev.py: there is no command 'tset'; python3 dev.py --help lists them\n"


def test_an_unknown_benchmark_is_one_line_that_names_those_there_are(checkout: Path) -> None:
    """Nothing is installed to say so."""
    (checkout / "benchmarks").mkdir()
    (checkout / "benchmarks" / "one.py").write_text("")
    assert run(checkout, "bench", "two") == (2, "", "dev.py: there is no benchmark 'two'; there is: one\n")
    assert not (checkout / ".venv").exists()


def test_tools_keep_the_bytecode_of_what_they_start(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the caller has set: the tests start the program very often."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert dev.run("a tool", [sys.executable, "-c", "import sys; sys.exit(sys.dont_write_bytecode)"]) == 0


# ---- the environment -----------------------------------------------------------------------------


def test_the_program_gets_arguments_folder_and_exit_code(installed: Path, tmp_path: Path) -> None:
    """dev.py becomes the program: same process, same folder, its exit code; what lies in that folder is not ours."""
    (tmp_path / "tracker").mkdir()
    (tmp_path / "tracker" / "__init__.py").write_text("raise RuntimeError('not this one')")
    process = start(installed, "demo", "a b", "--exit", cwd=tmp_path)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (3, "")
    assert out == f"1.0 demo a b --exit {tmp_path} {process.pid}\n"


def test_a_changed_requirement_is_installed_once(installed: Path, tmp_path: Path) -> None:
    """The change is noticed; the start after that installs nothing."""
    (installed / "requirements" / "runtime.txt").write_text(make_wheel(tmp_path, "2.0"))
    code, out, err = run(installed, "up")
    assert (code, out.split()[0]) == (3, "2.0")
    assert "installing" in err
    assert "making" not in err
    assert run(installed, "up")[2] == ""


def test_an_environment_killed_half_way_is_made_again_by_one_of_two(checkout: Path) -> None:
    """Whatever a kill leaves behind is replaced; of two that start at once the second finds the work done."""
    process = start(checkout, "demo")
    wait_for((checkout / ".venv" / "bin").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    both = [start(checkout, "demo"), start(checkout, "demo")]
    answers = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [3, 3]
    assert [out.split()[0] for out, _ in answers] == ["1.0", "1.0"]
    assert sum("making .venv again" in err for _, err in answers) == 1


def test_the_tracker_command_works_from_any_folder(installed: Path, tmp_path: Path) -> None:
    """.venv/bin/tracker runs the checkout."""
    command = installed / ".venv" / "bin" / "tracker"
    done = subprocess.run([command, "ls"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.split()[1:3] == ["ls", str(tmp_path)]


def test_benchmarks_run_all_or_by_name(installed: Path) -> None:
    """Each is a module of the folder; one that fails makes the whole fail."""
    (installed / "benchmarks").mkdir()
    for name, code in (("good", "print('ran good')"), ("bad", "raise SystemExit(3)")):
        (installed / "benchmarks" / f"{name}.py").write_text(code + "\n")
    assert run(installed, "bench", "good")[:2] == (0, "ran good\n")
    assert run(installed, "bench")[:2] == (3, "ran good\n")


def test_a_requirement_without_a_hash_is_not_installed(installed: Path, tmp_path: Path) -> None:
    """Nothing runs then, and the environment no longer counts as finished."""
    requirement = make_wheel(tmp_path, "3.0").split(" --hash")[0]
    (installed / "requirements" / "dev.txt").write_text(f"{requirement}\n")
    code, out, err = run(installed, "test", "--version")
    assert (code, out) == (1, "")
    assert "could not be installed" in err
    assert not (installed / ".venv" / "dev-stamp.json").exists()


# ---- the stamp -----------------------------------------------------------------------------------


@pytest.fixture
def stamped(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Point the module at a folder with two requirement files; the result writes a stamp there."""
    python = tmp_path / ".venv" / "bin" / "python"
    (tmp_path / "requirements").mkdir()
    python.parent.mkdir(parents=True)
    for path in ("requirements/runtime.txt", "requirements/dev.txt", "pyproject.toml", ".venv/bin/python"):
        (tmp_path / path).write_text(path)
    for name, value in {"ROOT": tmp_path, "VENV": tmp_path / ".venv", "PYTHON": python}.items():
        monkeypatch.setattr(dev, name, value)
    monkeypatch.setattr(dev, "STAMP", tmp_path / ".venv" / "dev-stamp.json")

    def stamp(kind: str) -> None:
        dev.write_stamp(kind)

    return stamp


def test_dev_contains_runtime_but_not_the_other_way_round(dev: ModuleType, stamped: Callable[..., None]) -> None:
    """After ``test`` a ``demo`` installs nothing; after ``demo`` a ``test`` does."""
    stamped("dev")
    assert (dev.is_current("runtime"), dev.is_current("dev")) == (True, True)
    stamped("runtime")
    assert (dev.is_current("runtime"), dev.is_current("dev")) == (True, False)


@pytest.mark.parametrize("path", ["requirements/runtime.txt", "pyproject.toml"])
def test_a_changed_file_makes_it_out_of_date(dev: ModuleType, stamped: Callable[..., None], path: str) -> None:
    """The stamp is made of the contents, not of times."""
    stamped("runtime")
    (dev.ROOT / path).write_text("changed")
    assert not dev.is_current("runtime")


@pytest.mark.parametrize("torn", ["", "[]", "{", '{"python": "2.7"}'])
def test_a_stamp_that_cannot_be_read_counts_as_none(dev: ModuleType, stamped: Callable[..., None], torn: str) -> None:
    """So does one of another Python version."""
    dev.STAMP.write_text(torn)
    assert not dev.is_current("runtime")


def test_an_environment_whose_python_is_gone_counts_as_none(dev: ModuleType, stamped: Callable[..., None]) -> None:
    """The interpreter it was made from may have been removed."""
    stamped("dev")
    dev.PYTHON.unlink()
    assert dev.read_stamp() == {}


# ---- what it installs ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["runtime", "dev"])
def test_every_requirement_is_exact_and_hashed(kind: str) -> None:
    """And no line says where to get it: that is each machine's own affair."""
    lines = (ROOT / "requirements" / f"{kind}.txt").read_text().splitlines()
    assert "dev.py lock" in lines[0]
    entries = "\n".join(lines[1:]).replace("\\\n", " ").splitlines()
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert [entry for entry in entries if "://" in entry or entry.startswith("-")] == []


def test_the_two_requirement_files_agree() -> None:
    """What is tested is what runs: dev holds every pin of runtime."""
    runtime, dev = (
        {line.split()[0] for line in (ROOT / "requirements" / f"{kind}.txt").read_text().splitlines() if "==" in line}
        for kind in ("runtime", "dev")
    )
    assert runtime - dev == set()
