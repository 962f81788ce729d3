"""The shape of the tree: who may import whom, how large things are, and what no file may contain."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

GROUND = {
    "clock",
    "complaints",
    "compose",
    "errors",
    "ids",
    "interrupts",
    "limits",
    "model",
    "queued",
    "record",
    "redact",
}
GROUND |= {"secret_names", "secret_shapes", "settings", "tokens", "version"}
EMBEDDED = {"embedded", "engines"}
ORDER = ("ground", "render", "inside", "store", "archive", "publish", "history", "doctor", "celery", "cli")
"""The parts of tracker/; an import goes from a later one to an earlier one or stays inside its own."""
NEVER = {("archive", "store"), ("history", "publish"), ("store", "inside"), ("store", "render"), ("archive", "inside")}
"""Pairs that the order would allow and the design does not: neighbours, and storage that knows nothing of blocks."""
TOP = {"", "__init__", "__main__", "testing", "pytest_plugin"}
"""Where the parts are put together; the parts themselves import none of these."""
OWN_FOLDERS = {"render", "store", "archive", "publish", "history", "doctor", "celery", "cli"}

ONLY_IN = {
    "redis": ("tracker/store/",),
    "celery": ("tracker/celery/", "workers/"),
    "kombu": ("tracker/celery/", "workers/"),
    "billiard": ("tracker/celery/", "workers/"),
    "flask": ("web/",),
    "flask_sock": ("web/",),
    "werkzeug": ("web/",),
    "simple_websocket": ("web/",),
    "gunicorn": ("web/",),
    "prometheus_client": ("web/",),
    "sqlite3": ("tracker/archive/",),
    "rich_click": ("tracker/cli/help.py",),
    "websockets": ("tracker/cli/source/",),
}
"""Which folders may import a library."""

MODULE_LINES = 350
FUNCTION_LINES = 50


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


PRODUCT = sources("tracker", "workers", "web")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported_by(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports, wherever in the file it says so."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def imports(paths: list[Path]) -> list[tuple[str, int, str]]:
    return [(name_of(path), line, target) for path in paths for line, target in imported_by(path)]


def part_of(dotted: str) -> str:
    """The part of tracker/ that a dotted name belongs to; ``top`` for the package itself."""
    first = [*dotted.split("."), ""][1]
    if first in OWN_FOLDERS:
        return first
    if first in GROUND | EMBEDDED:
        return "ground" if first in GROUND else "embedded"
    is_module = first not in TOP and any((ROOT / "tracker" / name).exists() for name in (f"{first}.py", first))
    return "inside" if is_module else "top"


def may_import(part: str, target: str) -> bool:
    if part == target or target == "ground":
        return True
    if part == "embedded" or target == "top" or (part, target) in NEVER:
        return False
    if target == "embedded":
        return part == "cli"
    return ORDER.index(target) <= ORDER.index(part)


def dotted_path(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_imports_inside_tracker_go_one_way() -> None:
    """The ground knows nobody, the command line knows everybody; function-level imports count too."""
    wrong = [
        f"{name_of(path)}:{line} imports {target}"
        for path in sources("tracker")
        if (part := part_of(dotted_path(path))) != "top"
        for line, target in imported_by(path)
        if target.startswith("tracker.") and not may_import(part, part_of(target))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("part", "target", "allowed"),
    [
        ("cli", "history", True),
        ("publish", "inside", True),
        ("inside", "render", True),
        ("celery", "store", True),
        ("ground", "inside", False),
        ("render", "inside", False),
        ("store", "inside", False),
        ("store", "publish", False),
        ("history", "publish", False),
        ("history", "celery", False),
        ("doctor", "publish", True),
        ("doctor", "celery", False),
        ("publish", "doctor", False),
        ("celery", "cli", False),
        ("publish", "top", False),
        ("embedded", "store", False),
    ],
)
def test_the_order_of_the_parts_is_the_designed_one(part: str, target: str, allowed: bool) -> None:
    """A few pairs written out, so that the rule itself cannot go soft unseen."""
    assert may_import(part, target) is allowed


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    """One place per library, so that it can be replaced in one place."""
    wrong = [
        f"{name}:{line}"
        for name, line, target in imports(PRODUCT)
        if target.split(".")[0] == library and not name.startswith(ONLY_IN[library])
    ]
    assert wrong == []


def test_only_the_main_module_imports_the_command_line() -> None:
    """Everything the command line can do, the library can do without it."""
    wrong = [
        f"{name}:{line}"
        for name, line, target in imports(PRODUCT)
        if re.match(r"tracker\.cli\b", target) and not name.startswith(("tracker/cli/", "tracker/__main__.py"))
    ]
    assert wrong == []


def test_web_and_workers_do_not_know_each_other() -> None:
    """They meet only in tracker."""
    other = {"web": "workers", "workers": "web"}
    wrong = [
        f"{name}:{line}"
        for name, line, target in imports(PRODUCT)
        if target.split(".")[0] == other.get(name.split("/")[0])
    ]
    assert wrong == []


def test_tracker_names_web_and_workers_only_in_the_command_line() -> None:
    """And there only inside functions, so that the library works where they are not installed."""
    wrong = [
        f"{name}:{line}"
        for name, line, target in imports(sources("tracker"))
        if target.split(".")[0] in ("web", "workers")
        and (not name.startswith("tracker/cli/") or line in top_level_lines(ROOT / name))
    ]
    assert wrong == []


def top_level_lines(path: Path) -> set[int]:
    return {node.lineno for node in tree_of(path).body if isinstance(node, ast.Import | ast.ImportFrom)}


def test_importing_tracker_is_light() -> None:
    """A script that only wants ``StepTracker`` does not pay for the server side."""
    heavy = ["redis", "celery", "kombu", "rich", "flask", "sqlite3", "websockets"]
    script = f"import sys, tracker; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_no_module_is_too_long() -> None:
    """A module that grows past this holds two concepts."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in [*PRODUCT, ROOT / "dev.py"]}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_function_is_too_long() -> None:
    """Counted from ``def`` to the last line, docstring included."""
    wrong = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in [*PRODUCT, ROOT / "dev.py"]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]
    assert wrong == []


def test_tests_wait_for_conditions() -> None:
    """A sleep is either too short on a slow machine or wasted on a fast one."""
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep"
    ]
    assert wrong == []


def tracked_files() -> list[Path]:
    """What git has, or will have with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npmjs" + ".org", "deb.debian" + ".org")
PLACES = ("/" + "root/", "/" + "work/", "/opt/" + "pypi", "/tmp/" + "brief")
BANNED = {"a package registry's host name": HOSTS, "a path of one machine": PLACES}


@pytest.mark.parametrize("what", BANNED)
def test_no_file_names_places_that_are_not_everywhere(what: str) -> None:
    """Registries are reached through each machine's own client set-up, and paths differ between machines."""
    pattern = re.compile("|".join(rf"(?<![\w.]){re.escape(text)}" for text in BANNED[what]))
    wrong = [
        f"{name_of(path)}: {found[0]}"
        for path in tracked_files()
        if (found := pattern.search(path.read_text(errors="replace")))
    ]
    assert wrong == []
